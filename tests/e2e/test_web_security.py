"""The admin pages against people who mean harm: every route of the table is asked, so that a
new page cannot be forgotten."""
import hashlib
import http.client
import os
import re
import resource
import socket
import sqlite3
import time
from html.parser import HTMLParser
from urllib.parse import urljoin, urlencode, urlparse

from lib.context import root, timeout
from lib.web import Browser
from test_check import Setup

PASSWORD = "e2e-admin-password"
SOURCE = os.path.join(os.path.dirname(__file__), "..", "..", "webui", "router.c")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
XSS = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"


def routes(method):
    """Paths of the route table with 1 for each parameter."""
    with open(SOURCE) as f:
        found = re.findall(r'\{PAGE_%s, "([^"]*)", page_\w+, ROUTE_LOGIN\}' % method,
                           re.sub(r",\s+", ", ", f.read()))
    assert len(found) > 20, "the route table has another look: %s" % found
    return [p.replace(":", "1") for p in found]


def with_web(t, **kw):
    mox = t.mox(**kw)
    mox.admin.request("adminpassword", password=PASSWORD)
    return mox


def browser(mox):
    b = Browser(mox.ip, mox.admin_port)
    assert b.login(PASSWORD).status == 200
    return b


def csrf_of(b):
    return [v for f in b.get("").forms for n, v in f["fields"] if n == "csrf"][0]


def some_of_everything(t, mox, peer):
    mox.admin.domain("one.example", relay=peer.hostport, recipients="any", tls="none")
    mox.admin.domain("two.example")
    mox.admin.account("ann", password="long enough 1")
    mox.admin.address("ann@two.example", account="ann")
    mox.admin.transport("t", peer.hostport, tls="none")
    mox.admin.route("t", to="far.example")
    mox.admin.network("10.0.0.0/8")


SETTINGS = ("account", "address", "domain", "network", "route", "transport", "recipient", "message",
            "dkim_selector", "arc_domain", "arc_sealer", "api_token", "hold_rule", "list_rule",
            "tls_override")


def state(mox):
    """A hash of all that somebody could have changed."""
    db = sqlite3.connect("file:%s/mox.db?mode=ro" % mox.data, uri=True)
    tables = {r[0] for r in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    h = hashlib.sha256()
    for table in SETTINGS:
        if table in tables:
            h.update(repr((table, db.execute("SELECT * FROM %s" % table).fetchall())).encode())
    h.update(repr(db.execute("SELECT * FROM setting WHERE name NOT IN ('written')"
                             " ORDER BY name").fetchall()).encode())
    db.close()
    return h.hexdigest()


@root
def test_csrf(t):
    peer = t.peer({"mail": "451 4.3.0 later"})
    mox = with_web(t, config={"Queue": {"RetryFirst": "1h"}})
    some_of_everything(t, mox, peer)
    mox.send("a@b.example", "x@one.example", b"Subject: x\r\n\r\nx\r\n")
    mox.wait_queue(lambda q: [r for r in q if r["attempts"]])
    b, other = browser(mox), browser(mox)
    right, wrong = csrf_of(b), csrf_of(other)
    assert right != wrong
    before = state(mox)
    fields = {"name": "evil.example", "delivery": "mailbox", "verb": "drop", "all": "1",
              "sure": "1", "to": "up", "cidr": "0.0.0.0/0", "password": "evil evil evil"}
    for path in routes("POST"):
        with t.case("POST " + path):
            for name, extra, headers in (("none", {}, {}), ("empty", {"csrf": ""}, {}),
                                         ("another session's", {"csrf": wrong}, {}),
                                         ("in the address", None, {}),
                                         ("from another site", {"csrf": right},
                                          {"Sec-Fetch-Site": "cross-site"})):
                where = urljoin(b.base, path) + ("?csrf=" + right if extra is None else "")
                page = b.request("POST", where, urlencode(dict(fields, **(extra or {}))),
                                 dict(FORM, **headers))
                assert page.status == 403, (name, page.status)
            stranger = Browser(mox.ip, mox.admin_port)
            page = stranger.request("POST", urljoin(b.base, path),
                                    urlencode(dict(fields, csrf=right)), FORM)
            assert page.status in (303, 401), page.status
            assert state(mox) == before, "something was changed"


@root
def test_get_changes_nothing(t):
    peer = t.peer({"mail": "451 4.3.0 later"})
    mox = with_web(t, config={"Queue": {"RetryFirst": "1h"}})
    some_of_everything(t, mox, peer)
    mox.send("a@b.example", "x@one.example", b"Subject: x\r\n\r\nx\r\n")
    mox.wait_queue(lambda q: [r for r in q if r["attempts"]])
    b, stranger = browser(mox), Browser(mox.ip, mox.admin_port)
    before = state(mox)
    for path in routes("GET"):
        if path.endswith("tail"):
            continue  # a stream
        with t.case("GET " + path):
            page = stranger.get(path)
            assert page.status == 303 and "login" in page.headers["Location"], page.status
            page = b.get(path)
            assert page.status in (200, 404), page.status
            check_page(page)
            assert state(mox) == before, "something was changed"


class Markup(HTMLParser):
    def __init__(self):
        super().__init__()
        self.bad, self.links, self.frames = [], [], []

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag == "script" and not a.get("src") or tag in ("style", "object", "embed"):
            self.bad.append(tag)
        if tag == "iframe":
            if a.get("sandbox", "no") is None:  # allows nothing at all
                self.frames.append(a["src"])
            else:
                self.bad.append(tag)
        self.bad += [tag + " " + n for n in a if n.startswith("on") or n == "style"]
        for n in ("href", "src", "action"):
            if re.match(r"\s*(javascript|data|vbscript):|//|https?:", a.get(n) or "", re.I):
                self.bad.append("%s %s=%s" % (tag, n, a[n]))
        if tag == "img":
            self.bad.append("img")
        if tag == "a" and a.get("href"):
            self.links.append(a["href"].split("#")[0])


def check_page(page):
    h = page.headers
    csp = dict(p.strip().split(" ", 1) for p in h["Content-Security-Policy"].split(";"))
    assert csp["default-src"] == "'none'" and csp["frame-ancestors"] == "'none'", csp
    assert csp["base-uri"] == "'none'" and csp["form-action"] == "'self'", csp
    for name in ("script-src", "style-src"):
        assert csp[name] == "'self'", csp
    assert h["X-Content-Type-Options"] == "nosniff" and "no-store" in h["Cache-Control"]
    markup = Markup()
    markup.feed(page.html)
    assert not markup.bad, (page.url, markup.bad)
    return markup.links, markup.frames


def check_frame(page):
    """HTML of a stranger: it may hold anything, as nothing of it can run or be loaded."""
    h = page.headers
    rules = [r.strip() for r in h["Content-Security-Policy"].split(";")]
    assert "sandbox" in rules and "default-src 'none'" in rules, rules
    assert "script-src" not in str(rules) and "unsafe" not in str(rules), rules
    assert "form-action 'none'" in rules and "frame-ancestors 'self'" in rules, rules
    assert h["X-Content-Type-Options"] == "nosniff", h


def room(b, url):
    """The route of an address: 1 for each name or number in it."""
    words = urlparse(url).path[len(urlparse(b.base).path):].split("/")
    return "/".join([words[0]] + ["1" if re.search(r"\d", w) else w for w in words[1:]])


@root
@timeout(120)
def test_xss_by_mail(t):
    """Every text that a stranger chooses, then every page that can be reached."""
    peer = t.peer({"rcpt": "451 4.7.1 " + XSS, "greeting": "220 " + XSS})
    checked = Setup(t)
    mox = checked.mox
    mox.admin.request("adminpassword", password=PASSWORD)
    some_of_everything(t, mox, peer)
    kept = ("From: %s <x@quarantine.example>\r\nTo: %s <anna@in.example>\r\nSubject: %s\r\n"
            "Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n\r\n%s\r\n"
            "--b1\r\nContent-Type: text/html\r\n\r\n%s\r\n--b1\r\n"
            "Content-Type: application/%s; name=\"<script>alert(1)</script>.exe\"\r\n"
            "Content-Disposition: attachment; filename=\"<script>alert(1)</script>.exe\"\r\n\r\n"
            "x\r\n--b1--\r\n") % ((XSS.replace('"', ""),) * 2 + (XSS,) * 3 +
                                  ("<script>alert(1)</script>",))
    with mox.talk(source=checked.client) as s:
        s.ehlo("mx.good.example")
        s.cmd("MAIL FROM:<x@quarantine.example>", 250)
        s.cmd("RCPT TO:<anna@in.example>", 250)
        s.data(kept.encode(), 250)
    sender = '"<script>alert(1)</script><img/src=x/onerror=alert(2)>"@evil.example'
    head = "".join("%s: %s\r\n" % (n, XSS) for n in (
        "Subject", "From", "To", "Cc", "Date", "Message-ID", "Sender", "Reply-To", "List-Id",
        "Authentication-Results", "DKIM-Signature", "Received-SPF", "X-Anything"))
    with mox.talk() as s:
        s.ehlo("[<script>alert(1)</script>]", want=(250, 501))
        s.ehlo()
        s.cmd("MAIL FROM:<%s>" % sender, 250)
        s.cmd('RCPT TO:<"<script>alert(1)</script>"@one.example>', 250)
        s.cmd("RCPT TO:<x@one.example>", 250)
        s.data((head + "\r\n" + XSS + "\r\n").encode())
    with mox.talk() as s:
        s.ehlo()
        s.cmd("MAIL FROM:<%s>" % sender, 250)
        s.cmd('RCPT TO:<"<script>alert(1)</script>"@elsewhere.example>', 550)
    # The one above may have been kept back for what is wrong with it; this one is tried.
    mox.send(sender, ["x@one.example"], ("From: <a@evil.example>\r\nDate: Mon, 23 Nov 2026 "
             "12:00:00 +0000\r\nSubject: %s\r\n\r\nx\r\n" % XSS).encode())
    mox.wait_queue(lambda q: [r for r in q if r["attempts"]])
    b = browser(mox)
    seen, todo, shown = set(), ["", "queue?q=" + XSS.replace("<", "%3C").replace(" ", "+"),
                                "log", "login?next=" + XSS.replace("<", "%3C")
                                .replace(" ", "+").replace('"', "%22")], set()
    framed = 0
    while todo and len(seen) < 400:
        path = urljoin(b.base, todo.pop(0))
        if path in seen or not path.startswith(b.base) or "/static/" in path or "tail" in path:
            continue
        seen.add(path)
        page = b.request("GET", path)
        assert page.status in (200, 303, 404), (path, page.status)
        if page.status == 303:
            continue
        links, frames = check_page(page)
        shown.update([room(b, path)] if "alert(1)" in page.text else [])
        todo += [urljoin(path, x) for x in links]
        for f in frames:
            inside = b.request("GET", urljoin(path, f))
            assert inside.status == 200 and "<script>alert(1)</script>" in inside.html, inside.html
            check_frame(inside)
            framed += 1
    with t.case("the texts were shown, so something was tested"):
        assert {"log", "log/1", "queue", "queue/1", "quarantine", "quarantine/1"} <= shown, shown
        assert framed >= 1
    with t.case("every room was seen"):
        rooms = {r for r in routes("GET") if "/" not in r} - {"login"}
        assert rooms <= {room(b, path) for path in seen}, \
            rooms - {room(b, path) for path in seen}


@root
def test_session_fixation(t):
    mox = with_web(t)
    planted = "a" * 64
    b = Browser(mox.ip, mox.admin_port)
    b.cookies["mox-session"] = planted
    assert b.get("queue").status == 303
    b.login(PASSWORD)
    first = b.cookies["mox-session"]
    assert first != planted
    with t.case("what was planted stays worthless"):
        thief = Browser(mox.ip, mox.admin_port)
        thief.cookies["mox-session"] = planted
        assert thief.get("queue").status == 303
    with t.case("a second log-in has a token of its own"):
        c = Browser(mox.ip, mox.admin_port)
        c.login(PASSWORD)
        assert c.cookies["mox-session"] != first
    with t.case("the token is not in the database"):
        with open(os.path.join(mox.data, "mox.db"), "rb") as f:
            text = f.read()
        wal = os.path.join(mox.data, "mox.db-wal")
        if os.path.exists(wal):
            with open(wal, "rb") as f:
                text += f.read()
        assert first.encode() not in text
    with t.case("a new password ends the others"):
        c.get("password")
        c.submit("current", current=PASSWORD, fresh="another one 1", again="another one 1")
        assert b.get("queue").status == 303
        assert c.get("queue").status == 200


def raw(mox, octets, seconds=5):
    with socket.create_connection((mox.ip, mox.admin_port), timeout=10) as s:
        s.settimeout(seconds)
        got = b""
        try:
            s.sendall(octets)
            while True:
                more = s.recv(65536)
                if not more:
                    break
                got += more
        except OSError:
            pass
        return got


@root
@timeout(180)
def test_malformed(t):
    mox = with_web(t)
    b = browser(mox)
    cookie = "Cookie: mox-session=%s\r\n" % b.cookies["mox-session"]
    head = "Host: x\r\nConnection: close\r\n" + cookie
    post = "POST /admin/domains/new HTTP/1.1\r\n" + head + \
        "Content-Type: application/x-www-form-urlencoded\r\n"
    csrf = csrf_of(b)
    before = state(mox)
    chunk = "10000\r\n" + "a" * 0x10000 + "\r\n"
    for name, text, wanted in (
            ("header flood", "GET /admin/ HTTP/1.1\r\n" + head + "X-%d: y\r\n" * 0 +
             "".join("X-%d: y\r\n" % i for i in range(20000)) + "\r\n", ("431", "400", "")),
            ("one long header", "GET /admin/ HTTP/1.1\r\n" + head + "X: " + "a" * 200000 +
             "\r\n\r\n", ("431", "400", "")),
            ("long address", "GET /admin/" + "a" * 200000 + " HTTP/1.1\r\n" + head + "\r\n",
             ("414", "431", "400", "")),
            ("body over the limit, in chunks", post + "Transfer-Encoding: chunked\r\n\r\n" +
             chunk * 40 + "0\r\n\r\n", ("413", "")),
            ("chunk size that is none", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
             ("400", "")),
            ("negative chunk size", post + "Transfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n",
             ("400", "")),
            ("huge chunk size", post + "Transfer-Encoding: chunked\r\n\r\n" + "f" * 40 + "\r\nabc",
             ("400", "413", "")),
            ("chunk longer than said", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nabcdef\r\n"
             "0\r\n\r\n", ("400", "")),
            ("NUL in the address", "GET /admin/queue\0/x HTTP/1.1\r\n" + head + "\r\n",
             ("400",)),
            ("NUL before what looks like the rest", "GET /admin/queue\0HTTP/1.1 HTTP/1.1\r\n" +
             head + "\r\n", ("400",)),
            ("NUL at the end of the address", "GET /admin/queue\0 HTTP/1.1\r\n" + head + "\r\n",
             ("400",)),
            ("raw NUL in the query", "GET /admin/queue?q=a\0b HTTP/1.1\r\n" + head + "\r\n",
             ("400",)),
            ("NUL in the method", "GET\0x /admin/queue HTTP/1.1\r\n" + head + "\r\n", ("400",)),
            ("NUL in the version", "GET /admin/queue HTTP/1.1\0x\r\n" + head + "\r\n", ("400",)),
            ("control octet in the address", "GET /admin/queue\x01 HTTP/1.1\r\n" + head + "\r\n",
             ("400",)),
            ("tab in the query", "GET /admin/queue?q=a\tb HTTP/1.1\r\n" + head + "\r\n", ("400",)),
            ("DEL in the address", "GET /admin/queue\x7f HTTP/1.1\r\n" + head + "\r\n", ("400",)),
            ("space in the address", "GET /admin/queue x HTTP/1.1\r\n" + head + "\r\n", ("400",)),
            ("two spaces in the line", "GET  /admin/queue HTTP/1.1\r\n" + head + "\r\n", ("400",)),
            ("none of it: a plain request", "GET /admin/queue?q=%41+b HTTP/1.1\r\n" + head +
             "\r\n", ("200",)),
            ("encoded NUL in the address", "GET /admin/queue%00 HTTP/1.1\r\n" + head + "\r\n",
             ("400", "404")),
            ("NUL in the query", "GET /admin/queue?q=%00 HTTP/1.1\r\n" + head + "\r\n", ("400",)),
            ("NUL in a header", "GET /admin/ HTTP/1.1\r\n" + head + "X: a\0b\r\n\r\n",
             ("400", "200", "")),
            ("no UTF-8 in the query", "GET /admin/queue?q=%ff%fe HTTP/1.1\r\n" + head + "\r\n",
             ("400",)),
            ("no UTF-8 in the address", "GET /admin/%ff%fe HTTP/1.1\r\n" + head + "\r\n",
             ("404", "400")),
            ("traversal", "GET /admin/static/../../../../etc/passwd HTTP/1.1\r\n" + head + "\r\n",
             ("404", "400")),
            ("encoded traversal", "GET /admin/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n"
             + head + "\r\n", ("404", "400")),
            ("backslashes", "GET /admin/static/..\\..\\etc\\passwd HTTP/1.1\r\n" + head + "\r\n",
             ("404", "400")),
            ("two slashes", "GET //admin//../etc/passwd HTTP/1.1\r\n" + head + "\r\n",
             ("404", "400", "303"))):
        with t.case(name):
            got = raw(mox, text.encode("latin-1"))
            status = got[9:12].decode("latin-1")
            assert status in wanted, (status, got[:200])
            assert b"root:" not in got
    for name, body in (("NUL in a field", "name=a%00b.example"), ("no UTF-8", "name=%ff%fe"),
                       ("half an escape", "name=%4"), ("5,000 fields", "a=1&" * 5000)):
        with t.case("form: " + name):
            page = b.request("POST", "/admin/domains/new", body + "&csrf=" + csrf, FORM)
            assert page.status == 400, page.status
    assert state(mox) == before
    with t.case("slowloris: a header that trickles in is cut off"):
        start = time.monotonic()
        with socket.create_connection((mox.ip, mox.admin_port)) as s:
            s.settimeout(1)
            s.sendall(b"GET /admin/login HTTP/1.1\r\nHost: x\r\n")
            closed = False
            while not closed and time.monotonic() - start < 60:
                try:
                    s.sendall(b"X: y\r\n")
                    closed = s.recv(100) == b""
                except socket.timeout:
                    continue
                except OSError:
                    closed = True
        assert closed and time.monotonic() - start < 45, time.monotonic() - start
    assert mox.proc.running() and b.get("queue").status == 200


@root
@timeout(120)
def test_thousand_slow_clients(t):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 3000:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(3000, hard), hard))
    mox = with_web(t)
    b = browser(mox)
    before_kb = mox.rss_kb()
    slow = []
    try:
        for i in range(1000):
            s = socket.create_connection((mox.ip, mox.admin_port), timeout=10)
            s.sendall((b"GET /admin/ HTTP/1.1\r\nHost: x\r\nX-Slow: ",
                       b"POST /admin/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/"
                       b"x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\na=")[i % 2])
            slow.append(s)
        with t.case("pages open"):
            for path in ("", "queue", "domains", "login"):
                start = time.monotonic()
                assert b.get(path).status in (200, 303)
                assert time.monotonic() - start < 2, (path, time.monotonic() - start)
        with t.case("mail is taken"):
            with mox.talk() as s:
                s.ehlo()
        with t.case("memory"):
            assert mox.rss_kb() - before_kb < 200 * 1024, (before_kb, mox.rss_kb())
    finally:
        for s in slow:
            s.close()
    c = http.client.HTTPConnection(mox.ip, mox.admin_port, timeout=5)
    c.request("GET", "/healthz")
    assert c.getresponse().status == 200
