"""/healthz, /readyz and /metrics: what machines ask."""
import http.client
import os
import pwd
import re
import signal
import time

from lib import prometheus
from lib.context import root, timeout
from lib.mail import message
from lib.net import wait_for
from lib.proc import run
from lib.web import Browser

PASSWORD = "e2e-admin-password"
MANUAL = os.path.join(os.path.dirname(__file__), "..", "..", "server", "cli", "mox.8")


def fetch(ip, port, path):
    c = http.client.HTTPConnection(ip, port, timeout=10)
    c.request("GET", path)
    r = c.getresponse()
    body = r.read().decode()
    c.close()
    return r.status, r.headers, body


def scrape(mox):
    status, headers, body = fetch(mox.ip, 8010, "/metrics")
    assert status == 200, status
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers
    return prometheus.parse(body)


def grown(mox, before, name, by, **labels):
    deadline = time.time() + 10
    while True:
        now = scrape(mox)
        got = prometheus.value(now, name, **labels) - prometheus.value(before, name, **labels)
        if got >= by or time.time() > deadline:
            assert got == by, "%s %s grew by %s, not %s" % (name, labels, got, by)
            return
        time.sleep(0.1)


def test_checker(t):
    """The checker itself refuses what Prometheus would."""
    good = "# HELP mox_a_total x\n# TYPE mox_a_total counter\nmox_a_total{l=\"a\\\"b\"} 1\n"
    assert prometheus.value(prometheus.parse(good), "mox_a_total", l='a\\"b') == 1
    for bad in (good[:-1], good + "\n", good + good, good.replace("_total", ""),
                good.replace(" 1", " x"), good.replace("counter", "count"),
                good.replace("# HELP mox_a_total x\n", ""), good.replace('{l="a\\"b"}', '{l="a"b"}'),
                good + 'mox_a_total{l="a\\"b"} 2\n', good + "mox_b 2\n"):
        try:
            prometheus.parse(bad)
        except (AssertionError, ValueError):
            continue
        raise AssertionError("taken: %r" % bad)


@root
def test_metrics(t):
    peer = t.peer()
    mox = t.mox(listener={"MetricsHTTP": {"Enabled": True}})
    mox.admin.request("adminpassword", password=PASSWORD)
    mox.admin.domain("example.org", relay=peer.hostport, tls="none", recipients="any")
    before = scrape(mox)
    with t.case("build info"):
        assert [v for (name, _), v in before.items() if name == "mox_build_info"] == [1]
    with t.case("mail in and out is counted"):
        mox.send("a@sender.example", ["b@example.org"], message(to="b@example.org"))
        grown(mox, before, "mox_smtp_commands_total", 1, verb="MAIL", reply="2xx")
        grown(mox, before, "mox_smtp_commands_total", 1, verb="DATA", reply="2xx")
        grown(mox, before, "mox_mail_total", 1, result="received")
        grown(mox, before, "mox_deliveries_total", 1, result="delivered")
        grown(mox, before, "mox_delivery_seconds_count", 1, result="delivered")
        grown(mox, before, "mox_connections_total", 1, service="smtp")
        assert prometheus.value(scrape(mox), "mox_store_commit_operations_count") > \
            prometheus.value(before, "mox_store_commit_operations_count")
    with t.case("open connections go up and down again"):
        with mox.talk():
            grown(mox, before, "mox_connections_open", 1, service="smtp")
        grown(mox, before, "mox_connections_open", 0, service="smtp")
    with t.case("refusals"):
        with mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            s.cmd("RCPT TO:<x@elsewhere.example>", 550)
            s.cmd("NONSENSE", 500)
        grown(mox, before, "mox_smtp_commands_total", 1, verb="RCPT", reply="5xx")
        grown(mox, before, "mox_smtp_commands_total", 1, verb="other", reply="5xx")
    with t.case("log-ins and pages"):
        b = Browser(mox.ip, mox.admin_port)
        b.login("wrong password")
        b.login(PASSWORD)
        b.get("queue")
        grown(mox, before, "mox_auth_total", 1, at="web", result="failed")
        grown(mox, before, "mox_auth_total", 1, at="web", result="ok")
        now = scrape(mox)
        assert prometheus.value(now, "mox_page_seconds_count", route="GET queue") >= 1
    with t.case("only /metrics there, and none of it among the admin pages"):
        assert fetch(mox.ip, 8010, "/admin/")[0] == 404
        assert fetch(mox.ip, mox.admin_port, "/metrics")[0] == 404


@root
def test_manual(t):
    """mox(8) names every figure and every command."""
    with open(MANUAL) as f:
        manual = re.sub(r"\\f[IRBP]|\\|\"", "", f.read())
    mox = t.mox(listener={"MetricsHTTP": {"Enabled": True}})
    with t.case("metrics"):
        missing = [n for n, _ in scrape(mox) if not re.search(re.sub("_(bucket|sum|count)$", "", n) +
                                                           r"\b", manual)]
        assert not missing, missing
    with t.case("commands"):
        said = mox.cli("-h").stdout
        commands = [c.strip() for c in re.findall(r"^  ((?:[a-z]+ ?)+?)(?= [A-Z\[]| {2,})", said,
                                                  re.M)]
        assert len(commands) > 40 and "config relaytest" in commands, commands
        missing = [c for c in commands if not re.search("mox " + c + r"\b", manual)]
        assert not missing, missing


@root
def test_health(t):
    mox = t.mox(listener={"MetricsHTTP": {"Enabled": True}})
    for port in (8010, mox.admin_port):
        with t.case("port %d" % port):
            assert fetch(mox.ip, port, "/healthz")[::2] == (200, "ok\n")
            assert fetch(mox.ip, port, "/readyz")[::2] == (200, "ready\n")


@root
def test_not_ready_while_stopping(t):
    """A load balancer's kept connection hears it; a new one is not taken any more."""
    mox = t.mox()
    mox.admin.domain("in.example", relay=t.peer().hostport, tls="none", recipients="any")
    c = http.client.HTTPConnection(mox.ip, mox.admin_port, timeout=10)

    def asked(path):
        c.request("GET", path)
        r = c.getresponse()
        return r.status, r.read().decode()

    assert asked("/readyz") == (200, "ready\n")
    with mox.talk() as s:
        s.ehlo()
        s.cmd("MAIL FROM:<a@b.example>", 250)
        s.cmd("RCPT TO:<x@in.example>", 250)
        s.cmd("DATA", 354)
        mox.proc.signal(signal.SIGTERM)
        wait_for(lambda: asked("/readyz") == (503, "stopping\n"), 5, "503 stopping")
        assert asked("/healthz") == (200, "ok\n")
        s.body(b"Subject: x\r\n\r\nx\r\n", want=(250, 421))
    c.close()
    mox.proc.wait(20)


@root
@timeout(90)
def test_not_ready_without_room(t):
    """The store cannot write: /readyz, /metrics and the overview say so, and forget it."""
    data = os.path.join(t.folder("small"), "data")
    os.makedirs(data)
    run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0755", "tmpfs", data])
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    mox = t.mox(data=data, listener={"MetricsHTTP": {"Enabled": True}})
    mox.admin.request("adminpassword", password=PASSWORD)
    b = Browser(mox.ip, mox.admin_port)
    assert b.login(PASSWORD).status == 200

    def bad():
        return re.findall(r'<p class="notice bad">(.*?)</p>', b.get("").html, re.S)

    def ready():
        return fetch(mox.ip, mox.admin_port, "/readyz")[::2]

    assert not [n for n in bad() if "database" in n], bad()
    assert prometheus.value(scrape(mox), "mox_store_failed_commits_total") == 0
    ballast = os.open(os.path.join(data, "ballast"), os.O_CREAT | os.O_WRONLY)
    try:
        while os.write(ballast, b"x" * 512):
            pass
    except OSError:
        os.close(ballast)
    try:
        with t.case("not ready"):
            wait_for(lambda: ready()[0] == 503, 15, "503: %s" % (ready(),))
            assert "the store does not take mail" in ready()[1], ready()
            assert fetch(mox.ip, mox.admin_port, "/healthz")[0] == 200
        with t.case("the overview says it, first"):
            found = bad()
            assert any("database takes no writes" in n and "machine#database" in n
                       for n in found), found
            assert any("Only 0 B of the disk is free (0 percent)" in n and "machine#disk" in n for n in found), found
            page = b.get("machine")
            assert page.status == 200 and "The last write failed" in page.text, page.text
        with t.case("metrics"):
            now = scrape(mox)
            assert prometheus.value(now, "mox_store_failed_commits_total") > 0
            assert prometheus.value(now, "mox_disk_free_bytes") < 100_000
    finally:
        os.unlink(os.path.join(data, "ballast"))
    with t.case("room again"):
        wait_for(lambda: ready()[0] == 200, 15, "ready")
        assert not [n for n in bad() if "database" in n or "Only 0 B" in n], bad()
    mox.stop()
