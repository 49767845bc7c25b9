"""/healthz, /readyz and /metrics: what machines ask."""
import http.client
import time

from lib import prometheus
from lib.context import root
from lib.mail import message
from lib.web import Browser

PASSWORD = "e2e-admin-password"


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
def test_health(t):
    mox = t.mox(listener={"MetricsHTTP": {"Enabled": True}})
    for port in (8010, mox.admin_port):
        with t.case("port %d" % port):
            assert fetch(mox.ip, port, "/healthz")[::2] == (200, "ok\n")
            assert fetch(mox.ip, port, "/readyz")[::2] == (200, "ready\n")
