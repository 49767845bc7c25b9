"""DANE, opportunistic TLS and REQUIRETLS towards real servers in signed zones. Each row names
what is in DNS, what the server does, what becomes of the message, and which TLS result is kept."""
import json
import os
import sqlite3
import ssl

from lib.context import root, timeout
from lib.mail import message, message_id, unique
from lib.peer import CLOSE, GARBAGE
from lib.tlscerts import Issuer, tlsa

from test_outbound import world


def results(mox, recipient):
    """The stored TLS results of a recipient domain: {policy domain: row}."""
    db = sqlite3.connect("file:%s?mode=ro" % os.path.join(mox.data, "mox.db"), uri=True)
    try:
        out = {}
        for rid, domain, is_host in db.execute(
                "SELECT id, policy_domain, is_host FROM tls_result WHERE recipient_domain = ?",
                (recipient,)):
            for pid, kind, ok, bad, strings in db.execute(
                    "SELECT id, type, successes, failures, strings FROM tls_result_policy"
                    " WHERE result_id = ?", (rid,)):
                details = db.execute(
                    "SELECT type, reason, mx, helo, ip, count FROM tls_result_detail"
                    " WHERE policy_id = ?", (pid,)).fetchall()
                out[domain] = {"host": bool(is_host), "type": kind, "ok": ok, "bad": bad,
                               "strings": json.loads(strings),
                               "details": sorted((d[0], d[1]) for d in details),
                               "where": sorted(d[2:5] for d in details)}
        return out
    finally:
        db.close()


def traces(mox):
    """All delivery traces kept, oldest first."""
    db = sqlite3.connect("file:%s?mode=ro" % os.path.join(mox.data, "mox.db"), uri=True)
    try:
        found = [json.loads(r[0]) for r in
                 db.execute("SELECT json FROM msglog_trace ORDER BY id")]
    finally:
        db.close()
    return [f for f in found if [x for x in f["steps"] if x["kind"] == "connect"]]


def old_tls(peer):
    """Speaks TLS 1.0 and nothing newer."""
    peer.context.minimum_version = ssl.TLSVersion.TLSv1
    peer.context.maximum_version = ssl.TLSVersion.TLSv1
    peer.context.set_ciphers("ALL:@SECLEVEL=0")


def wants_certificate(peer):
    """Refuses who has no certificate: in TLS 1.3 the client learns it after its handshake."""
    peer.context.verify_mode = ssl.CERT_REQUIRED


def garbage(session, _):
    """Not before the hello has come: a reset would hide it."""
    session.sock.recv(4096)
    return GARBAGE


QUEUE = {"RetryFirst": "1h", "ConnectTimeout": "5s", "CommandTimeout": "5s"}


class Rows:
    """Domains r1, r2, ... of one signed zone, each with a server of its own."""

    def __init__(self, t, zone="dane.example", unsigned=False):
        self.t, self.zone, self.unsigned, self.rows = t, zone, unsigned, []
        self.certs = Issuer(t.folder("issuer"))
        self.mox = None

    def add(self, name, records=(), cert=None, script=None, tune=None, want="delivered", words=(),
            text=None, host_result=None, rcpt_result=None, tls=None, extensions=None, mx=None):
        n = len(self.rows) + 1
        domain = "r%d.%s" % (n, self.zone)
        host = "mx.%s" % domain
        made = cert(self.certs, host) if cert else None
        row = dict(name=name, domain=domain, host=host, ip=self.t.ip(), cert=made, script=script,
                   tune=tune, want=want, words=words, text=text, host_result=host_result,
                   rcpt_result=rcpt_result, tls=tls, extensions=extensions, mx=mx,
                   records=[r(self.certs, made) if callable(r) else r for r in records])
        self.rows.append(row)
        return row

    def lines(self):
        out = []
        for r in self.rows:
            rel = r["domain"][:-len(self.zone) - 1]
            out += ["%s IN MX 10 mx.%s" % (rel, rel), "mx.%s IN A %s" % (rel, r["ip"])]
            out += ["_25._tcp.mx.%s IN TLSA %s" % (rel, d) for d in r["records"]]
        return out

    def run(self, mox):
        self.mox = mox
        for r in self.rows:
            kw = {} if r["extensions"] is None else {"extensions": r["extensions"]}
            r["peer"] = self.t.peer(script=r["script"], ip=r["ip"], cert=r["cert"], **kw)
            if r["tune"]:
                r["tune"](r["peer"])
            r["mid"] = unique() + "@dane"
            mox.send("anna@in.example", "x@" + r["domain"], message(mid=r["mid"]))
        for r in self.rows:
            with self.t.case(r["name"]):
                self.check(r)

    def check(self, r):
        mox, rcpt = self.mox, "x@" + r["domain"]
        if r["want"] == "delivered":
            mox.wait_queue(lambda q: not [x for x in q if x["to"] == rcpt], 20, "delivery")
            got = [m for m in r["peer"].taken() if message_id(m.data) == r["mid"]]
            assert got, "not at the server"
            session = got[0].session
            assert bool(session.tls) == (r["tls"] is not False), "tls: %s" % session.tls
        else:
            row = mox.wait_queue(lambda q: [x for x in q if x["to"] == rcpt and x["last_error"]],
                                 20, "a failed attempt")[0]
            for w in r["words"]:
                assert w.lower() in row["last_error"].lower(), "no %r in %r" % (w, row)
            assert not r["peer"].taken(), "delivered all the same"
        kept = results(mox, r["domain"])
        for who, want in ((r["host"], r["host_result"]), (r["domain"], r["rcpt_result"])):
            if want is None:
                continue
            have = kept.get(who)
            assert have, "no result for %s: %s" % (who, kept)
            for key, value in want.items():
                assert have[key] == value, "%s of %s: %r, not %r" % (key, who, have[key], value)


def good(certs, host):
    return certs.leaf(host)


def rec(u, s, m, at=0):
    return lambda certs, made: tlsa(u, s, m, made[0], at)


OTHER = "3 1 1 " + "ab" * 32


@root
@timeout(180)
def test_dane_matrix(t):
    """usage x selector x matching type, with good, wrong, expired, misnamed and intermediate
    certificates."""
    rows = Rows(t)
    ok = {"type": "tlsa", "ok": 1, "bad": 0, "details": []}
    no = {"type": "tlsa", "ok": 0, "bad": 1,
          "details": [("validation-failure", "dane-no-match")]}
    err = dict(no, details=[("validation-failure", "dane-no-match+errors")])
    root_at_1 = lambda c, h: c.leaf(h, chain=[c.root[0]])
    via_middle = lambda c, h: c.leaf(h, by="middle", chain=[c.middle[0], c.root[0]])
    for s in (0, 1):
        for m in (0, 1, 2):
            rows.add("3 %d %d good" % (s, m), [rec(3, s, m)], good, host_result=ok)
            rows.add("3 %d %d wrong" % (s, m), [lambda c, made, s=s, m=m: tlsa(3, s, m, c.root[0])],
                     good, want="deferred", words=["DANE", "no TLSA record matches"],
                     host_result=no)
            rows.add("2 %d %d good" % (s, m), [rec(2, s, m, 1)], root_at_1, host_result=ok)
            rows.add("2 %d %d wrong" % (s, m), [lambda c, made, s=s, m=m: tlsa(2, s, m, c.middle[0])],
                     root_at_1, want="deferred", words=["DANE"],
                     host_result=err if m == 0 and s == 0 else no)
            rows.add("2 %d %d root over an intermediate" % (s, m), [rec(2, s, m, 2)], via_middle,
                     host_result=ok)
            rows.add("2 %d %d the intermediate" % (s, m), [rec(2, s, m, 1)], via_middle,
                     host_result=ok)
    rows.add("3 1 1 expired: no matter", [rec(3, 1, 1)], lambda c, h: c.leaf(h, expired=True),
             host_result=ok)
    rows.add("3 1 1 other name: no matter", [rec(3, 1, 1)],
             lambda c, h: c.leaf("elsewhere.example"), host_result=ok)
    rows.add("3 0 2 self-signed: no matter", [rec(3, 0, 2)], lambda c, h: c.leaf(h, by="self"),
             host_result=ok)
    rows.add("2 0 1 expired", [rec(2, 0, 1, 1)],
             lambda c, h: c.leaf(h, expired=True, chain=[c.root[0]]), want="deferred",
             words=["DANE", "expired"], host_result=err)
    rows.add("2 0 1 other name", [rec(2, 0, 1, 1)],
             lambda c, h: c.leaf("elsewhere.example", chain=[c.root[0]]), want="deferred",
             words=["DANE", "hostname mismatch"], host_result=err)
    rows.add("2 0 1 name of the domain", [rec(2, 0, 1, 1)],
             lambda c, h: c.leaf(h[3:], chain=[c.root[0]]), host_result=ok)
    rows.add("2 0 1 anchor not sent", [lambda c, made: tlsa(2, 0, 1, c.root[0])], good,
             want="deferred", words=["DANE"], host_result=no)
    rows.add("2 0 0 anchor not sent", [lambda c, made: tlsa(2, 0, 0, c.root[0])], good,
             host_result=ok)
    rows.add("good among wrong", [OTHER, "2 1 1 " + "cd" * 32, rec(3, 1, 1)], good, host_result=ok)
    rows.add("good among unusable", ["0 0 1 " + "ab" * 32, "1 1 1 " + "ab" * 32, "3 1 9 00",
                                     "3 1 1 abcd", rec(3, 1, 1)], good, host_result=ok)
    rows.add("wrong among unusable", ["1 1 1 " + "ab" * 32, OTHER], good, want="deferred",
             words=["DANE"], host_result=no)
    mox = world(t, {rows.zone: rows.lines()}, Queue=QUEUE)
    rows.run(mox)


@root
@timeout(120)
def test_faults(t):
    """Servers that break TLS in a chosen way, with and without TLSA records."""
    rows = Rows(t)
    cert = dict(cert=good)
    bad = lambda kind, reason: {"ok": 0, "bad": 1, "details": [(kind, reason)]}
    alert70 = "tls-remote-alert-70-protocol-version-not-supported"
    closed = "connection-closed-during-handshake"
    alert116 = "tls-remote-alert-116-certificate-required"
    late = dict(want="deferred")
    rows.add("TLSA, STARTTLS refused for now", [rec(3, 1, 1)], script={"starttls": "454 4.7.0 no"},
             words=["no"], host_result=dict(
                 bad("starttls-not-supported", "smtp-starttls-reply-code-454"), type="tlsa"),
             **dict(late, **cert))
    rows.add("TLSA, old protocol", [rec(3, 1, 1)], tune=old_tls, words=["alert 70"],
             host_result=dict(bad("validation-failure", alert70), type="tlsa"),
             rcpt_result=dict(bad("validation-failure", alert70), type="no-policy-found"),
             **dict(late, **cert))
    rows.add("TLSA, cut off", [rec(3, 1, 1)], script={"tls": CLOSE}, words=["TLS handshake"],
             host_result=bad("validation-failure", closed), **dict(late, **cert))
    rows.add("TLSA, no TLS at all", [rec(3, 1, 1)], script={"tls": garbage}, words=["TLS"],
             host_result=bad("validation-failure", "tls-record-header-error"),
             **dict(late, **cert))
    rows.add("all TLSA unusable", ["0 0 0 00"], host_result={
        "type": "tlsa", "ok": 1, "bad": 0, "strings": [],
        "details": [("tlsa-invalid", "all-unusable-records+ignored")]}, **cert)
    rows.add("all TLSA unusable, old protocol: no plaintext", ["0 0 0 00"], tune=old_tls,
             words=["alert 70"], **dict(late, **cert))
    rows.add("none, no STARTTLS", tls=False, host_result={
        "type": "no-policy-found", "ok": 0, "bad": 0, "details": [("starttls-not-supported", "")]})
    rows.add("none, self-signed", cert=lambda c, h: c.leaf(h, by="self"),
             host_result={"type": "no-policy-found", "ok": 1, "bad": 0, "details": [],
                          "host": True},
             rcpt_result={"type": "no-policy-found", "ok": 1, "bad": 0, "host": False,
                          "details": [("certificate-not-trusted", "")]})
    rows.add("none, old protocol: plaintext", tune=old_tls, tls=False,
             host_result=dict(bad("validation-failure", alert70), type="no-policy-found"),
             rcpt_result=bad("validation-failure", alert70), **cert)
    rows.add("TLSA, alert after the handshake", [rec(3, 1, 1)], tune=wants_certificate,
             words=["alert 116"], host_result=dict(bad("validation-failure", alert116),
                                                   type="tlsa"), **dict(late, **cert))
    rows.add("none, alert after the handshake: plaintext", tune=wants_certificate, tls=False,
             host_result=bad("validation-failure", alert116),
             rcpt_result=bad("validation-failure", alert116), **cert)
    rows.add("none, cut off: plaintext", script={"tls": CLOSE}, tls=False,
             host_result=bad("validation-failure", closed), **cert)
    rows.add("none, STARTTLS refused: plaintext", script={"starttls": "454 4.7.0 no"}, tls=False,
             host_result=bad("starttls-not-supported", "smtp-starttls-reply-code-454"), **cert)
    mox = world(t, {rows.zone: rows.lines()}, Queue=QUEUE)
    rows.run(mox)
    with t.case("where it failed"):
        got = results(mox, rows.rows[1]["domain"])[rows.rows[1]["host"]]["where"]
        assert got == [(rows.rows[1]["host"], "peer.example", rows.rows[1]["ip"])], got


@root
@timeout(120)
def test_unsigned_and_bogus(t):
    """Without DNSSEC no TLSA record counts; with a broken signature no mail is sent."""
    rows = Rows(t, zone="plain.example")
    rows.add("unsigned zone, wrong TLSA: not even asked", [OTHER], cert=good,
             host_result={"type": "no-policy-found", "ok": 1, "bad": 0})
    bogus, good_ip = t.ip(), t.ip()
    made = rows.certs.leaf("mx.bogus.example")
    zones = {rows.zone: rows.lines(),
             "bogus.example": ["@ IN MX 10 mx", "mx IN A " + bogus, "_25._tcp.mx IN TLSA " + OTHER],
             # The host is an alias in another signed zone, where its TLSA records are.
             "alias.example": ["@ IN MX 10 mx", "mx IN CNAME real.host.example."],
             "host.example": ["real IN A " + good_ip, "_25._tcp.real IN TLSA "
                              + tlsa(2, 0, 0, rows.certs.root[0])]}
    mox = world(t, zones, unsigned=[rows.zone], Queue=QUEUE)
    rows.run(mox)
    with t.case("CNAME to a secure host: its TLSA records and its name"):
        peer = t.peer(ip=good_ip, cert=rows.certs.leaf("real.host.example"))
        mid = unique() + "@alias"
        mox.send("anna@in.example", "x@alias.example", message(mid=mid))
        mox.wait_queue(lambda q: not [r for r in q if r["to"] == "x@alias.example"], 15, "delivery")
        assert [message_id(m.data) for m in peer.taken()] == [mid]
        kept = results(mox, "alias.example")
        assert kept["real.host.example"]["type"] == "tlsa" and kept["real.host.example"]["ok"] == 1
    with t.case("bogus TLSA: nothing is sent, and it is reported"):
        break_tlsa(mox.nsd, "bogus.example")
        peer = t.peer(ip=bogus, cert=made)
        mox.send("anna@in.example", "x@bogus.example", message())
        mox.wait_queue(lambda q: [r for r in q if "TLSA look-up" in (r["last_error"] or "")
                                  and "bogus" in r["last_error"]], 20, "a bogus answer")
        assert not peer.connections()
        kept = results(mox, "bogus.example")
        host = kept["mx.bogus.example"]
        assert host["type"] == "tlsa" and host["bad"] == 1, kept
        assert host["details"][0][0] == "dnssec-invalid", host
        assert host["details"][0][1].startswith("extended-dns-error-"), host
        assert kept["bogus.example"]["bad"] == 1, kept


def break_tlsa(nsd, zone):
    """Serves the zone with a TLSA record that its signature does not cover."""
    path = nsd.files[zone]
    with open(path) as f:
        text = f.read()
    changed = text.replace("ab" * 32, "bc" * 32).replace("AB" * 32, "BC" * 32)
    assert changed != text
    with open(path, "w") as f:
        f.write(changed)
    from lib.net import wait_port
    nsd.stop()
    nsd.proc = type(nsd.proc)(nsd.proc.argv, nsd.proc.log)
    wait_port(nsd.ip, nsd.port, 10, nsd.proc.must_run)


@root
@timeout(120)
def test_requiretls(t):
    """REQUIRETLS (RFC 8689): passed on over verified TLS, or back to the sender with 5.7.30."""
    ip = {n: t.ip() for n in ("yes", "lacks", "none", "unusable", "optional")}
    certs = Issuer(t.folder("issuer"))
    made = {n: certs.leaf("mx.%s.example" % n) for n in ip}
    zones = {}
    for n in ip:
        zones[n + ".example"] = ["@ IN MX 10 mx", "mx IN A " + ip[n]]
    for n in ("yes", "lacks"):
        zones[n + ".example"].append("_25._tcp.mx IN TLSA " + tlsa(3, 1, 1, made[n][0]))
    zones["unusable.example"].append("_25._tcp.mx IN TLSA 0 0 0 00")
    zones["optional.example"].append("_25._tcp.mx IN TLSA " + OTHER)
    mox = world(t, zones, Queue=QUEUE)
    with_it = ("PIPELINING", "SIZE 1000000", "8BITMIME", "ENHANCEDSTATUSCODES", "REQUIRETLS")
    peers = {n: t.peer(ip=ip[n], cert=made[n],
                       **({} if n == "lacks" else {"extensions": with_it})) for n in ip}

    def go(n, requiretls=True, headers=()):
        mid = unique() + "@req"
        with mox.talk(port=25) as s:
            s.ehlo()
            s.starttls()
            s.ehlo()
            s.cmd("MAIL FROM:<anna@in.example>" + (" REQUIRETLS" if requiretls else ""), 250)
            s.cmd("RCPT TO:<x@%s.example>" % n, 250)
            s.cmd("DATA", 354)
            s.cmd(message(mid=mid, headers=headers) + b".", 250)
        return mid

    with t.case("DANE and REQUIRETLS: passed on"):
        mid = go("yes")
        mox.wait_empty(15)
        got = [m for m in peers["yes"].taken() if message_id(m.data) == mid]
        assert got and "REQUIRETLS" in got[0].mail_params, got
    for n, words in (("lacks", "does not offer REQUIRETLS"),
                     ("none", "cannot be verified"), ("unusable", "cannot be verified")):
        with t.case("REQUIRETLS, " + n):
            before = len(mox.maildir("anna").raw())
            go(n)
            texts = [" ".join(r.decode().split()) for r in mox.maildir("anna").wait(before + 1)]
            text = [x for x in texts if "x@%s.example" % n in x][-1]
            assert "Action: failed" in text and "5.7.30" in text and words in text, text
            assert not peers[n].taken()
    with t.case("TLS-Required: No goes in spite of a wrong TLSA record"):
        mid = go("optional", requiretls=False, headers=["TLS-Required: No"])
        mox.wait_empty(15)
        assert mid in [message_id(m.data) for m in peers["optional"].taken()]
        got = results(mox, "optional.example")["mx.optional.example"]
        assert got["ok"] == 1 and got["details"] == [("validation-failure", "dane-no-match")], got
    with t.case("without that header it waits"):
        go("optional", requiretls=False)
        mox.wait_queue(lambda q: [r for r in q if "DANE" in (r["last_error"] or "")], 15, "a wait")


@root
@timeout(120)
def test_overrides(t):
    """What the admin says about a destination: set by the commands, in force at once."""
    certs = Issuer(t.folder("issuer"))
    ip = {n: t.ip() for n in ("weak", "wrong", "pinned", "other")}
    made = {n: certs.leaf("mx.%s.example" % n) for n in ip}
    zones = {n + ".example": ["@ IN MX 10 mx", "mx IN A " + ip[n]] for n in ip}
    zones["wrong.example"].append("_25._tcp.mx IN TLSA " + OTHER)
    mox = world(t, zones, Queue=QUEUE)
    peers = {n: t.peer(ip=ip[n], cert=made[n]) for n in ip}
    over = lambda *words, **kw: mox.cli("config", "tlsoverride", words[0], "-config", *words[1:],
                                        **kw)

    def set_(n, kind, *more):
        over("set", "-reason", "a test", "-expires", "3d", *more, n + ".example", kind)

    def go(n):
        mid = unique() + "@over"
        mox.send("anna@in.example", "x@%s.example" % n, message(mid=mid))
        return mid

    def arrives(n):
        mid = go(n)
        mox.wait_queue(lambda q: not [r for r in q if r["destination"] == n + ".example"
                                      and not r["last_error"]], 15, "delivery")
        assert mid in [message_id(m.data) for m in peers[n].taken()]

    def waits(n, words):
        before = len(peers[n].taken())
        go(n)
        mox.wait_queue(lambda q: [r for r in q if r["destination"] == n + ".example"
                                  and words in (r["last_error"] or "")], 15, words)
        assert len(peers[n].taken()) == before
        mox.cli("queue", "drop", "-config", "-to", n + ".example")

    def key(n):
        import hashlib
        from lib.tlscerts import spki_der
        return hashlib.sha256(spki_der(made[n][0])).hexdigest()

    with t.case("verified: a certificate of nobody is not enough"):
        arrives("weak")
        set_("weak", "verified")
        waits("weak", "certificate is not valid")
    with t.case("removed: it goes again"):
        over("remove", "weak.example")
        arrives("weak")
    with t.case("plaintext will do: a wrong TLSA record does not stop it"):
        waits("wrong", "DANE")
        set_("wrong", "plaintext")
        arrives("wrong")
    with t.case("pinned key"):
        set_("pinned", "pin", "-pins", key("pinned"))
        arrives("pinned")
        set_("pinned", "pin", "-pins", key("other"))
        waits("pinned", "pinned")
    with t.case("list"):
        rows = json.loads(over("list", "-json").stdout)
        assert [(r["domain"], r["kind"], r["reason"]) for r in rows] == [
            ("pinned.example", "pin", "a test"), ("wrong.example", "plaintext", "a test")], rows
        assert not rows[0]["expired"] and rows[0]["pins"] == [key("other")], rows
    with t.case("refused"):
        for words, text in ((("-expires", "3d", "a.example", "pin"), "reason"),
                            (("-reason", "x", "a.example", "verified"), "expires"),
                            (("-reason", "x", "-expires", "3d", "a.example", "pin"), "key"),
                            (("-reason", "x", "-expires", "3d", "a.example", "odd"), "kind")):
            got = over("set", *words, check=False)
            assert got.returncode == 1 and text in got.stderr, got
        assert over("remove", "nothing.example", check=False).returncode == 1


@root
@timeout(120)
def test_commands(t):
    """mox dane makerecord, dial and dialmx against real zones and servers."""
    certs = Issuer(t.folder("issuer"))
    ip = {n: t.ip() for n in ("good", "wrong", "none")}
    made = {n: certs.leaf("mx.%s.example" % n, chain=[certs.root[0]]) for n in ip}
    zones = {n + ".example": ["@ IN MX 10 mx", "mx IN A " + ip[n]] for n in ip}
    zones["good.example"] += ["_25._tcp.mx IN TLSA " + tlsa(2, 1, 1, made["good"][0], 1),
                              "_993._tcp.mx IN TLSA " + tlsa(3, 1, 1, made["good"][0])]
    zones["wrong.example"] += ["_25._tcp.mx IN TLSA " + OTHER, "_993._tcp.mx IN TLSA " + OTHER]
    mox = world(t, zones)
    for n in ip:
        t.peer(ip=ip[n], cert=made[n])
        t.peer(ip=ip[n], cert=made[n], port=993, immediate_tls=True)
    with t.case("makerecord"):
        for u in (0, 1, 2, 3):
            for s in (0, 1):
                for m in (0, 1, 2):
                    got = mox.cli("dane", "makerecord", str(u), str(s), str(m), made["good"][0])
                    assert got.stdout.split() == ["TLSA"] + tlsa(u, s, m, made["good"][0]).split()
        want = tlsa(3, 1, 1, made["good"][0])
        got = json.loads(mox.cli("dane", "makerecord", "-json", "dane-ee", "spki", "sha2-256",
                                 made["good"][1]).stdout)
        assert got["record"] == want and got["usage"] == 3, got
        got = mox.cli("dane", "makerecord", "3", "0", "1", made["good"][1], check=False)
        assert got.returncode == 1 and "selector 0" in got.stderr, got
        assert mox.cli("dane", "makerecord", "4", "1", "1", made["good"][0],
                       check=False).returncode == 1
    for n, status, result in (("good", 0, "ok"), ("wrong", 1, "no-match"), ("none", 1,
                                                                           "no-records")):
        with t.case("dial " + n):
            got = mox.cli("dane", "dial", "-config", "-json", "mx.%s.example:993" % n, check=False)
            assert got.returncode == status, got
            out = json.loads(got.stdout)
            assert out["result"] == result and out["trace"]["steps"], out
    for n, status, ok, words in (
            ("good", 0, True, "matched TLSA record 2 1 1 (DANE)"),
            ("wrong", 1, False, "no TLSA record matches"),
            ("none", 1, True, "not verified: nothing asks for it")):
        with t.case("dialmx " + n):
            got = mox.cli("dane", "dialmx", "-config", "-json", n + ".example", check=False)
            assert got.returncode == status, got
            out = json.loads(got.stdout)
            assert out["ok"] == ok and words in out["text"], out
            assert out["hosts"][0]["host"] == "mx.%s.example" % n
            steps = [(x["kind"], x.get("dnssec")) for x in out["trace"]["steps"]]
            assert ("dns", "secure") in steps and ("tls", None) in steps, steps
            text = mox.cli("dane", "dialmx", "-config", n + ".example", check=False).stdout
            assert words in text and "MX %s.example" % n in text, text


@root
@timeout(180)
def test_a_thousand_messages(t):
    """Look-ups and handshakes do not grow with the number of messages."""
    ip = t.ip()
    certs = Issuer(t.folder("issuer"))
    made = certs.leaf("mx.many.example")
    mox = world(t, {"many.example": ["@ IN MX 10 mx", "mx IN A " + ip,
                                     "_25._tcp.mx IN TLSA " + tlsa(3, 1, 1, made[0])]},
                Queue=dict(QUEUE, IdleConnection="10s"))
    peer = t.peer(ip=ip, cert=made)
    total = 1000
    with mox.talk(port=25) as s:
        s.ehlo()
        for _ in range(total):
            s.send(b"MAIL FROM:<anna@in.example>\r\nRCPT TO:<x@many.example>\r\nDATA\r\n")
            for want in (250, 250, 354):
                assert s.reply().code == want
            s.cmd(message(to="x@many.example") + b".", 250)
    mox.wait_empty(60)
    assert len(peer.taken()) == total
    stats = json.loads(mox.cli("status", "-config", "-json").stdout)
    tls = stats["outgoing_tls"]
    with t.case("few connections"):
        assert peer.connections() <= 20, peer.connections()
    with t.case("one look-up of the destination and its host"):
        assert tls["destinations_looked_up"] == 1 and tls["hosts_looked_up"] == 1, tls
    with t.case("handshakes"):
        assert tls["handshakes_full"] + tls["handshakes_resumed"] == peer.connections(), tls
        assert tls["handshakes_full"] <= 20, tls
    with t.case("TLS results count sessions, not messages"):
        got = results(mox, "many.example")["mx.many.example"]
        assert got["type"] == "tlsa" and got["ok"] == peer.connections() and not got["bad"], got


@root
@timeout(120)
def test_postfix_takes_it(t):
    """A real Postfix in a signed zone, with the TLSA record of its certificate."""
    ip = t.ip()
    certs = Issuer(t.folder("issuer"))
    made = certs.leaf("mx.far.example", chain=[certs.root[0]])
    there = t.postfix(ip=ip, hostname="mx.far.example", domains=["far.example"], cert=made)
    mox = world(t, {"far.example": ["@ IN MX 10 mx", "mx IN A " + ip,
                                    "_25._tcp.mx IN TLSA " + tlsa(2, 0, 1, made[0], 1)]},
                Queue=QUEUE)
    mid = unique() + "@far"
    mox.send("anna@in.example", "b@far.example", message(mid=mid))
    got = there.maildir.wait_mid(mid, 20).decode()
    assert "using TLSv1.3" in " ".join(got.split()), got
    mox.wait_empty()
    assert "verified" in [l for l in mox.text().splitlines() if "queue.delivered" in l][-1]
    with t.case("the trace says why it went so"):
        trace = traces(mox)[-1]
        assert trace["sentence"] == ("Delivered over TLS 1.3; the certificate matched TLSA record "
                                     "2 0 1 (DANE)."), trace["sentence"]
        steps = [(x["kind"], x.get("title"), x.get("dnssec")) for x in trace["steps"]]
        for want in (("dns", "MX far.example", "secure"),
                     ("dns", "TLSA _25._tcp.mx.far.example", "secure"),
                     ("tlsa", "DANE", None), ("policy", "TLS policy for mx.far.example", None),
                     ("smtp", "STARTTLS", None), ("tls", "TLS", None)):
            assert want in steps, (want, steps)
        tls = [x for x in trace["steps"] if x["kind"] == "tls"][0]
        assert tls["result"] == "verified" and "key of the server" in tls["detail"][1], tls
    with t.case("and dialmx, which sends nothing, meets the same"):
        told = json.loads(mox.cli("dane", "dialmx", "-config", "-json", "far.example").stdout)
        same = lambda x: [(y["kind"], y.get("title"), y.get("result"), y.get("dnssec")) for y in x
                          if not y.get("title", "").startswith("Message") and
                          "mta-sts" not in y.get("title", "") and y["kind"] != "mtasts"]
        assert same(told["trace"]["steps"]) == same(trace["steps"]), (told, trace)
    kept = results(mox, "far.example")
    assert kept["mx.far.example"]["ok"] == 1 and kept["mx.far.example"]["type"] == "tlsa", kept
    assert kept["mx.far.example"]["strings"] == [tlsa(2, 0, 1, made[0], 1)], kept


@root
@timeout(120)
def test_mtasts_policy_counts(t):
    """A policy that is known (cached) is kept to: only listed hosts, only with certificates that
    are valid for them; testing notes, none says nothing. DANE counts besides."""
    certs = Issuer(t.folder("issuer"))
    names = ("good", "mismatch", "badcert", "testing", "both", "optional")
    ip = {n: t.ip() for n in names}
    made = {n: certs.leaf("mx.%s.example" % n, by="self" if n in ("badcert", "testing") else "root",
                          chain=() if n in ("badcert", "testing") else [certs.root[0]])
            for n in names}
    zones = {n + ".example": ["@ IN MX 10 mx", "mx IN A " + ip[n]] for n in names}
    zones["both.example"].append("_25._tcp.mx IN TLSA " + OTHER)
    mox = world(t, zones, Queue=QUEUE, TLS={"CA": {"AdditionalToSystem": True,
                                                   "CertFiles": [certs.root[0]]}})
    mox.stop()
    db = sqlite3.connect(os.path.join(mox.data, "mox.db"))
    now = int(__import__("time").time())
    for n in names:
        text = "version: STSv1\nmode: %s\nmx: %s\nmax_age: 86400\n" % (
            "testing" if n == "testing" else "enforce",
            "other.example" if n in ("mismatch", "optional") else "mx.%s.example" % n)
        db.execute("INSERT INTO mtasts(domain, record_id, mode, max_age_s, inserted_s, updated_s,"
                   " used_s, valid_until_s, failed_s, backoff, reason, text)"
                   " VALUES(?, 'a1', ?, 86400, ?, ?, ?, ?, 0, 0, '', ?)",
                   (n + ".example", 1 if n == "testing" else 2, now, now, now, now + 86400,
                    text.encode()))
    db.commit()
    db.close()
    os.system("chown -R nobody %s" % mox.data)
    mox.start()
    peers = {n: t.peer(ip=ip[n], cert=made[n]) for n in names}

    def go(n, headers=()):
        mid = unique() + "@sts"
        mox.send("anna@in.example", "x@%s.example" % n, message(mid=mid, headers=headers))
        return mid

    def arrives(n, headers=()):
        mid = go(n, headers)
        mox.wait_queue(lambda q: not [r for r in q if r["to"] == "x@%s.example" % n], 20,
                       "delivery")
        got = [m for m in peers[n].taken() if message_id(m.data) == mid]
        assert got and got[0].session.tls
        return results(mox, n + ".example")

    def waits(n, *words):
        go(n)
        mox.wait_queue(lambda q: [r for r in q if r["to"] == "x@%s.example" % n and not [
            w for w in words if w not in (r["last_error"] or "")]], 20, str(words))
        assert not peers[n].taken()
        return results(mox, n + ".example")

    with t.case("enforce, good"):
        r = arrives("good")["good.example"]
        assert r["type"] == "sts" and r["ok"] == 1 and "mode: enforce" in r["strings"], r
    with t.case("enforce, host not listed"):
        r = waits("mismatch", "mx.mismatch.example", "other.example")["mismatch.example"]
        assert r["bad"] == 1 and ("validation-failure", "mtasts-policy-mx-mismatch") in r["details"]
    with t.case("enforce, self-signed"):
        r = waits("badcert", "certificate is not valid")["badcert.example"]
        assert r["bad"] == 1 and ("certificate-not-trusted", "") in r["details"], r
    with t.case("testing, self-signed"):
        r = arrives("testing")["testing.example"]
        assert r["type"] == "sts" and ("certificate-not-trusted", "") in r["details"], r
    with t.case("enforce, good, but the TLSA record is wrong"):
        waits("both", "DANE")
    with t.case("TLS-Required: No"):
        arrives("optional", ["TLS-Required: No"])
