"""The admin pages over plain HTTP requests; what needs a real browser is in tests/browser."""
import re
import socket
import time

from lib.context import root
from lib.mail import message, unique
from lib.web import Browser

PASSWORD = "e2e-admin-password"


def with_web(t, **kw):
    mox = t.mox(**kw)
    mox.admin.request("adminpassword", password=PASSWORD)
    return mox


@root
def test_login(t):
    mox = with_web(t, listener={"AdminHTTPS": {"Enabled": True}})
    b = Browser(mox.ip, mox.admin_port)
    with t.case("nothing without login"):
        for path in ("", "queue", "domains", "domains/1", "accounts", "routes", "password"):
            page = b.get(path)
            assert page.status in (302, 303), (path, page.status)
            assert "login" in page.headers["Location"], page.headers["Location"]
    with t.case("headers"):
        h = b.get("login").headers
        assert "frame-ancestors 'none'" in h["Content-Security-Policy"], h
        assert "unsafe-inline" not in h["Content-Security-Policy"], h
        assert h["X-Content-Type-Options"] == "nosniff" and h["Referrer-Policy"], h
        assert "no-store" in h["Cache-Control"], h
    with t.case("wrong password"):
        page = b.login("wrong password")
        assert page.status in (200, 401, 403) and 'role="alert"' in page.html, page.status
        assert b.get("queue").status in (302, 303)
    with t.case("posted by another site"):
        other = Browser(mox.ip, mox.admin_port)
        page = other.post("login", {"password": PASSWORD})
        assert other.get("queue").status in (302, 303), "logged in without the form's token"
    with t.case("right password"):
        page = b.login(PASSWORD)
        assert page.status == 200 and b.get("queue").status == 200
    with t.case("cookie"):
        c = Browser(mox.ip, mox.admin_port)
        c.get("login")
        page = c.submit("password", follow=False, password=PASSWORD)
        cookies = page.headers.get_all("Set-Cookie")
        session = [x for x in cookies if "session" in x][0]
        assert "HttpOnly" in session and "SameSite=Strict" in session, session
    with t.case("cookie over HTTPS"):
        s = Browser(mox.ip, 443, tls=True)
        s.get("login")
        page = s.submit("password", follow=False, password=PASSWORD)
        session = [x for x in page.headers.get_all("Set-Cookie") if x.startswith("__Host-")]
        assert session and all("Secure" in x and "Path=/;" in x for x in session), session
        assert s.get("queue").status == 200
    with t.case("without CSRF token"):
        page = b.post("domains/new", {"name": "csrf.example", "delivery": "mailbox"})
        assert page.status == 403, page.status
        page = b.post("domains/new", {"name": "csrf.example", "csrf": "0" * 32})
        assert page.status == 403, page.status
        assert not mox.admin.request("domain.list")[0]
    with t.case("logout ends the session"):
        old = dict(b.cookies)
        b.get("")
        csrf = [v for f in b.last.forms for n, v in f["fields"] if n == "csrf"][0]
        b.post("logout", {"csrf": csrf})
        b.cookies = old
        assert b.get("queue").status in (302, 303), "the old cookie still works"


@root
def test_login_rate(t):
    mox = with_web(t, config={"Limits": {"AuthFailuresMin": "3 0 0"}})
    b = Browser(mox.ip, mox.admin_port)
    for _ in range(4):
        page = b.login("wrong password")
    assert page.status == 429, page.status
    assert b.login(PASSWORD).status == 429, "the right password passes the limit"


@root
def test_overview_certificates(t):
    for days, text in ((20, None), (5, r"expires in [45] days")):
        with t.case("%d days left" % days):
            cert, key = t.authority.leaf("cert%d.mox.example" % days, days=days)
            mox = with_web(t, listener={"TLS": {"KeyCerts": [{"CertFile": cert, "KeyFile": key}]}})
            b = Browser(mox.ip, mox.admin_port)
            b.login(PASSWORD)
            page = b.get("").html
            assert page.count("certificate of the listener") == (1 if text else 0), page
            assert text is None or re.search(text, page), page


@root
def test_queue_pages(t):
    peer = t.peer({"mail": "451 4.7.1 <script>alert(1)</script> later"})
    mox = with_web(t, config={"Queue": {"RetryFirst": "1h"}})
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    b = Browser(mox.ip, mox.admin_port)
    b.login(PASSWORD)
    with t.case("empty"):
        assert "empty" in b.get("queue").text
    mox.send("a@b.example", "x@out.example", message())
    row = mox.wait_queue(lambda q: [r for r in q if r["attempts"]])[0]
    with t.case("list"):
        page = b.get("queue")
        assert "x@out.example" in page.text and "a@b.example" in page.text
        assert "<script>alert" not in page.html and "&lt;script&gt;" in page.html
    with t.case("message with the reply"):
        page = b.get("queue/" + row["id"])
        assert "451" in page.text and "4.7.1" in page.text and peer.ip in page.text, page.text
        assert "<script>alert" not in page.html
    with t.case("hold, then release"):
        b.get("queue/" + row["id"])
        b.submit("csrf", verb="hold")
        assert mox.queue()[0]["state"] == "held"
        b.get("queue/" + row["id"])
        b.submit("csrf", verb="unhold")
        mox.wait_queue(lambda q: q[0]["state"] == "queued" and q[0]["attempts"] == 2)
    with t.case("retry"):
        peer.script.clear()
        b.get("queue/" + row["id"])
        page = b.submit("csrf", verb="retry")
        assert page.status in (200, 404), page.status
        mox.wait_empty()
        assert len(peer.taken()) == 1
    with t.case("drop asks first"):
        peer.script["mail"] = "451 4.3.0 later"
        mox.send("a@b.example", "x@out.example", message())
        row = mox.wait_queue(lambda q: [r for r in q if r["attempts"]])[0]
        b.get("queue")
        page = b.submit("pick", verb="drop", pick="%s:%d" % (row["id"], row["recipient_id"]))
        assert len(mox.queue()) == 1, "dropped without a question"
        b.submit("verb", "csrf")
        assert mox.queue() == [], page.text
    with t.case("unknown message"):
        assert b.get("queue/q999zz").status == 404
        assert b.get("queue/..%2f..").status == 404


@root
def test_domain_pages(t):
    peer = t.peer()
    mox = with_web(t)
    b = Browser(mox.ip, mox.admin_port)
    b.login(PASSWORD)
    with t.case("wrong value"):
        b.get("domains/new")
        page = b.submit("name", name="no domain!", delivery="relay", relay_hosts="127.0.0.1:99999")
        assert page.status in (200, 400, 422), page.status
        assert 'id="p-name"' in page.html and "no domain!" in page.html, page.text
        assert not mox.admin.request("domain.list")[0]
    with t.case("right value, and mail for it"):
        page = b.submit("name", name="Web.Example", relay_hosts=peer.hostport, rcpt_check="any")
        assert page.status == 200 and "web.example" in page.text, page.text
        mid = unique() + "@web"
        mox.send("a@b.example", "x@web.example", message(mid=mid))
        mox.wait_empty()
        assert len(peer.taken()) == 1
    with t.case("taken already"):
        b.get("domains/new")
        page = b.submit("name", name="web.example", relay_hosts=peer.hostport, rcpt_check="any")
        assert 'id="p-name"' in page.html, page.text
    with t.case("dashboard"):
        page = b.get("")
        assert page.status == 200 and "%s:25" % mox.ip in page.text, page.text


@root
def test_odd_requests(t):
    """Octets that are no HTTP, and more than there should be."""
    mox = with_web(t)
    b = Browser(mox.ip, mox.admin_port)

    def raw(octets, wait=3):
        with socket.create_connection((mox.ip, mox.admin_port), timeout=10) as s:
            s.settimeout(wait)
            try:
                s.sendall(octets)
                return s.recv(100)
            except OSError:
                return b""

    for name, octets in (("not HTTP", b"EHLO x\r\n\r\n"), ("binary", bytes(range(256)) * 20),
                         ("long line", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"),
                         ("many headers", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 50000),
                         ("wrong length", b"POST /admin/login HTTP/1.1\r\nHost: x\r\n"
                          b"Content-Length: -5\r\n\r\n"),
                         ("huge body", b"POST /admin/login HTTP/1.1\r\nHost: x\r\nContent-Type: "
                          b"application/x-www-form-urlencoded\r\nContent-Length: 99999999\r\n\r\n"
                          + b"a=" + b"b" * 3000000)):
        with t.case(name):
            answer = raw(octets)
            assert answer == b"" or answer[9:12] in (b"400", b"413", b"414", b"431", b"404",
                                                     b"405", b"403"), answer
            assert mox.proc.running() and b.get("login").status == 200
    for path, status in (("/", (200, 302, 303, 404)), ("/admin/nothing", (302, 303, 404)),
                         ("/admin/static/..%2f..%2fmox.conf", (404,)), ("/healthz", (200,)),
                         ("/static/../../../etc/passwd", (404, 400)), ("/%00", (404, 400))):
        with t.case(path):
            page = b.request("GET", path)
            assert page.status in status, page.status
    with t.case("other methods"):
        assert b.request("DELETE", "/admin/queue").status in (405, 501, 302, 303)
        assert b.request("HEAD", "/admin/login").status == 200
    with t.case("slow clients do not block"):
        slow = [socket.create_connection((mox.ip, mox.admin_port)) for _ in range(30)]
        for s in slow:
            s.sendall(b"GET /admin/lo")
        start = time.monotonic()
        assert b.get("login").status == 200 and time.monotonic() - start < 2
        for s in slow:
            s.close()
