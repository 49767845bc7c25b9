"""MTA-STS: policies from real HTTPS hosts, their cache, and the mail that goes by them. Each row
names what is in DNS, what the hosts do, what becomes of the message, and the result kept."""
import json

from lib.context import root, timeout
from lib.https import PolicyHost
from lib.mail import message, message_id, unique

from test_dane import results
from test_outbound import world

ZONE = "sts.example"


def policy(mode, *mx, max_age=86400):
    return "version: STSv1\nmode: %s\nmax_age: %d\n%s" % (
        mode, max_age, "".join("mx: %s\n" % m for m in mx))


def row(name, mode=None, mx=None, record=True, cert="good", want="delivered", words=(),
        kind="no-policy-found", details=None, status="200 OK", text=None):
    return dict(name=name, mode=mode, mx=mx, record=record, cert=cert, want=want, words=words,
                kind=kind, details=details, status=status, text=text)


ROWS = [
    row("enforce, listed, verified", "enforce", kind="sts", details=[]),
    row("enforce, wildcard", "enforce", mx="*.{d}", kind="sts", details=[]),
    row("enforce, not listed", "enforce", mx="other.example", want="deferred", kind="sts",
        words=["MTA-STS policy of {d}", "mx.{d}", "lists other.example",
               "recipient's admin should"],
        details=[("validation-failure", "mtasts-policy-mx-mismatch")]),
    row("enforce, wrong certificate", "enforce", cert="other", want="deferred", kind="sts",
        words=["certificate"], details=[("certificate-host-mismatch", "")]),
    row("testing, not listed", "testing", mx="other.example", kind="sts",
        details=[("validation-failure", "mtasts-policy-mx-mismatch")]),
    row("testing, wrong certificate", "testing", cert="other", kind="sts",
        details=[("certificate-host-mismatch", "")]),
    row("none", "none", kind="no-policy-found", details=[]),
    row("no record", record=False, details=[]),
    row("policy is 404", "enforce", status="404 Not Found", kind="sts",
        details=[("sts-policy-fetch-error", "no-policy-served")]),
    row("policy redirects", "enforce", status="301 Moved", kind="sts",
        details=[("sts-policy-fetch-error", "cannot-fetch-policy")]),
    row("policy is malformed", text="version: STSv1\nbogus\n", kind="sts",
        details=[("sts-policy-invalid", "policy-syntax-error")]),
]


class Sts:
    def __init__(self, t):
        self.t = t
        self.rows = [dict(r, domain="r%d.%s" % (i, ZONE), ip=t.ip()) for i, r in enumerate(ROWS)]
        self.web_ip = t.ip()
        self.web = PolicyHost(self.web_ip, t.authority.leaf(
            *["mta-sts." + r["domain"] for r in self.rows]))
        lines = []
        for r in self.rows:
            rel = r["domain"][:-len(ZONE) - 1]
            lines += ["%s IN MX 10 mx.%s" % (rel, rel), "mx.%s IN A %s" % (rel, r["ip"]),
                      "mta-sts.%s IN A %s" % (rel, self.web_ip)]
            if r["record"]:
                lines.append('_mta-sts.%s IN TXT "v=STSv1; id=1;"' % rel)
            mx = (r["mx"] or "mx.{d}").format(d=r["domain"])
            if r["text"] or r["mode"]:
                self.web.serve("mta-sts." + r["domain"], r["text"] or policy(
                    r["mode"], *([] if r["mode"] == "none" else [mx])), r["status"])
        self.mox = world(t, {ZONE: lines}, HTTPSPrivateNetworks=["127.0.0.0/8"],
                         Queue={"RetryFirst": "1h", "ConnectTimeout": "5s",
                                "CommandTimeout": "5s"},
                         TLS={"CA": {"CertFiles": [t.authority.cert]}})

    def send(self, r):
        r["mid"] = unique() + "@sts"
        self.mox.send("anna@in.example", "x@" + r["domain"], message(mid=r["mid"]))


@root
@timeout(120)
def test_mtasts_matrix(t):
    s = Sts(t)
    for r in s.rows:
        host = "mx." + r["domain"] if r["cert"] == "good" else "elsewhere.example"
        r["peer"] = t.peer(ip=r["ip"], cert=t.authority.leaf(host))
        s.send(r)
    for r in s.rows:
        with t.case(r["name"]):
            check(s.mox, r)
    # Once more: what is cached is not fetched again.
    asked = len(s.web.asked)
    for r in s.rows[:2]:
        s.send(r)
        s.mox.wait_queue(lambda q: not [x for x in q if x["to"] == "x@" + r["domain"]], 20)
    assert len(s.web.asked) == asked, s.web.asked[asked:]
    # And it survives a restart.
    s.mox.restart()
    s.send(s.rows[0])
    s.mox.wait_queue(lambda q: not [x for x in q if x["to"] == "x@" + s.rows[0]["domain"]], 20)
    assert len(s.web.asked) == asked, s.web.asked[asked:]
    cli(s)
    s.web.stop()


def check(mox, r):
    d, rcpt = r["domain"], "x@" + r["domain"]
    if r["want"] == "delivered":
        mox.wait_queue(lambda q: not [x for x in q if x["to"] == rcpt], 20, "delivery")
        assert [m for m in r["peer"].taken() if message_id(m.data) == r["mid"]], "not there"
    else:
        got = mox.wait_queue(lambda q: [x for x in q if x["to"] == rcpt and x["last_error"]],
                             20, "a failed attempt")[0]
        for w in r["words"]:
            assert w.format(d=d) in got["last_error"], "no %r in %r" % (w, got["last_error"])
        assert not r["peer"].taken(), "delivered all the same"
    have = results(mox, d).get(d)
    assert have, "no result kept: %s" % results(mox, d)
    assert have["type"] == r["kind"], have
    assert have["details"] == r["details"], have
    assert not have["host"], have


def cli(s):
    mox, domain = s.mox, s.rows[0]["domain"]
    out = json.loads(mox.cli("mtasts", "lookup", "-json", "-config", domain).stdout)
    assert out["status"] == "ok" and out["mode"] == "enforce", out
    assert out["mx"] == ["mx." + domain] and out["record_id"] == "1", out
    text = mox.cli("mtasts", "lookup", "-config", domain).stdout
    assert "mode    enforce" in text and text.rstrip().endswith("ok"), text
    bad = mox.cli("mtasts", "lookup", "-config", s.rows[8]["domain"], check=False)
    assert bad.returncode == 1 and "404" in bad.stderr, bad
    assert mox.cli("mtasts", "lookup", check=False).returncode == 2
    rows = {r["domain"]: r for r in json.loads(
        mox.cli("mtasts", "cache", "list", "-json", "-config").stdout)}
    assert rows[domain]["mode"] == "enforce" and rows[domain]["valid"], rows
    assert rows[s.rows[8]["domain"]]["backoff"], rows
    assert s.rows[7]["domain"] not in rows, rows
    some = json.loads(mox.cli(
        "mtasts", "cache", "list", "-json", "-mode", "backoff", "-config").stdout)
    assert {r["domain"] for r in some} == {s.rows[i]["domain"] for i in (8, 9, 10)}, some
    # Refresh now: fetched although the id is the same.
    s.web.serve("mta-sts." + domain, policy("testing", "mx." + domain))
    mox.cli("mtasts", "cache", "refresh", "-config", domain)
    rows = json.loads(mox.cli(
        "mtasts", "cache", "list", "-json", "-text", domain, "-config").stdout)
    assert rows[0]["mode"] == "testing", rows
    bad = mox.cli("mtasts", "cache", "refresh", "-config", s.rows[8]["domain"], check=False)
    assert bad.returncode == 1 and "404" in bad.stderr, bad
    mox.cli("mtasts", "cache", "forget", "-config", domain)
    bad = mox.cli("mtasts", "cache", "forget", "-config", domain, check=False)
    assert bad.returncode == 1 and "no cached" in bad.stderr, bad
    rows = json.loads(mox.cli("tlsresults", "list", "-json", "-policy_domain", domain,
                              "-config").stdout)
    own = [r for r in rows if r["policy_domain"] == domain][0]
    assert own["send_report"] and not own["is_host"] and own["successes"] in (1, 2, 3), own
    # Sessions are counted: mail that comes while one is open goes over it.
    p = own["policies"][0]
    assert p["policy"]["policy-type"] == "sts", p
    assert p["policy"]["policy-string"][:2] == ["version: STSv1", "mode: enforce"], p
    assert p["policy"]["mx-host"] == ["mx." + domain], p
    assert p["summary"]["total-successful-session-count"] == own["successes"], p
    failed = json.loads(mox.cli("tlsresults", "list", "-json", "-failures", "-config").stdout)
    assert failed and all(
        r["failures"] or any(q["failure-details"] for q in r["policies"]) for r in failed)
