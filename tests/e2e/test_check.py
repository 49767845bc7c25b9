"""Incoming mail is checked: SPF, DKIM, DMARC against a real name server, what becomes of it,
and what is written down about it."""
import contextlib
import json
import os
import re
import socket
import sqlite3
import time

from lib.context import root, timeout
from lib.mail import message, parse, unique
from lib.net import wait_for
from lib.web import Browser

DEAD_ZONE = "dead.example"


def zones(client):
    """client may send for all of these but forged.example and its like."""
    ours = "v=spf1 ip4:%s -all" % client
    return {
        "good.example": ['@ TXT "%s"' % ours, '_dmarc TXT "v=DMARC1; p=reject"',
                         '@ MX 10 mx', 'mx A %s' % client, 'sub TXT "%s"' % ours],
        "forged.example": ['@ TXT "v=spf1 -all"',
                           '_dmarc TXT "v=DMARC1; p=reject; rua=mailto:d@forged.example"'],
        "quarantine.example": ['@ TXT "v=spf1 -all"', '_dmarc TXT "v=DMARC1; p=quarantine"'],
        "none.example": ['@ TXT "v=spf1 -all"', '_dmarc TXT "v=DMARC1; p=none"'],
        "plain.example": ['@ A 192.0.2.1'],
        "nomail.example": ['@ MX 0 .'],
        "missing.example": ["x TXT y"],
        "in.example": ['@ A 192.0.2.2'],
        "example": [],
    }


class Setup:
    def __init__(self, t, **limits):
        self.client = t.ip()
        self.nsd = t.nsd(zones(self.client), unsigned=("forged.example", "none.example", "example"))
        resolver = self.nsd.resolver()
        resolver["Stubs"][DEAD_ZONE] = ["%s@53" % t.ip()]
        self.dead_ip = resolver["Stubs"][DEAD_ZONE][0].split("@")[0]
        self.mox = t.mox(config={"Resolver": resolver,
                                 "Limits": dict({"SenderCheckTimeout": "2s"}, **limits)})
        self.mox.admin.account("anna")
        self.mox.admin.domain("in.example")
        self.mox.admin.address("anna@in.example", "anna")
        self.box = self.mox.maildir("anna")

    def send(self, sender, header_from=None, rcpts=("anna@in.example",), want=250, **kw):
        """(reply, message id)"""
        mid = unique() + "@check"
        raw = message(sender=header_from or sender, mid=mid, **kw)
        with self.mox.talk(source=self.client) as s:
            s.ehlo("mx.good.example")
            s.cmd("MAIL FROM:<%s>" % sender, 250)
            for r in rcpts:
                s.cmd("RCPT TO:<%s>" % r, 250)
            return s.data(raw, want), mid

    def kept(self):
        """What is in quarantine."""
        return self.mox.admin.request("quarantine.list")[0]

    def unkeep(self):
        self.mox.admin.request("quarantine.delete", all=True)

    def received(self, mid):
        return self.box.wait_mid(mid)

    def trace(self, where):
        """The trace of the newest message in the log that has where in its row."""
        def read():
            with contextlib.closing(sqlite3.connect(
                    "file:%s?mode=ro" % os.path.join(self.mox.data, "mox.db"), uri=True)) as db:
                row = db.execute("SELECT t.json FROM msglog m JOIN msglog_trace t ON t.id ="
                                 " m.id << 20 WHERE m.mail_from = ? ORDER BY m.id DESC LIMIT 1",
                                 (where,)).fetchone()
            return json.loads(row[0]) if row else None
        return wait_for(read, 10, "a trace for " + where)


def results(raw, host="mx.mox.example"):
    """Unfolded Authentication-Results of ours."""
    head = raw.split(b"\n\n", 1)[0].decode()
    head = re.sub(r"\n[ \t]+", " ", head)
    found = [l for l in head.split("\n") if l.lower().startswith("authentication-results:")
             and host in l]
    return found


@root
def test_verdicts(t):
    s = Setup(t)
    with t.case("pass"):
        _, mid = s.send("a@good.example")
        raw = s.received(mid)
        (line,) = results(raw)
        assert line.startswith("Authentication-Results: mx.mox.example;"), line
        assert "spf=pass (with dnssec) smtp.mailfrom=a@good.example" in line, line
        assert "dmarc=pass (with dnssec) header.from=good.example" in line, line
        assert "dkim=none" in line, line
        assert "policy.iprev=%s" % s.client in line, line
        head = raw.split(b"\n\n", 1)[0].decode()
        names = [l.split(":")[0] for l in head.split("\n") if l[:1] not in " \t"]
        assert names[:5] == ["Return-Path", "Delivered-To", "Authentication-Results",
                             "Received-SPF", "Received"], names
        assert re.search(r"Received-SPF: pass \(mx\.mox\.example: good\.example allows ", head)
        assert "client-ip=%s" % s.client in head and "identity=mailfrom" in head, head
        trace = s.trace("a@good.example")
        assert trace["sentence"].startswith("Accepted: good.example vouches"), trace["sentence"]
        kinds = {step["kind"] for step in trace["steps"]}
        assert {"dns", "spf", "dmarc", "decision"} <= kinds, kinds
    with t.case("reject"):
        r, _ = s.send("x@forged.example", want=550)
        assert r.text.startswith("5.7.26 ") and "forged.example" in r.text, r
        trace = s.trace("x@forged.example")
        assert trace["sentence"].startswith("Refused: it says to be from forged.example"), trace
        last = trace["steps"][-1]
        assert last["kind"] == "decision" and "The rule that decided: DMARC" in last["text"], last
        assert any(st.get("title") == "TXT _dmarc.forged.example" and st["dnssec"] == "insecure"
                   for st in trace["steps"]), trace
    with t.case("reject only because of From"):
        r, _ = s.send("a@good.example", header_from="ceo@forged.example", want=550)
        assert r.text.startswith("5.7.26 "), r
    with t.case("quarantine"):
        s.send("x@quarantine.example")
        (row,) = s.mox.admin.request("quarantine.list")[0]
        assert row["to"] == "anna@in.example" and s.mox.queue() == [], row
        trace = s.trace("x@quarantine.example")
        assert trace["sentence"].startswith("Put in quarantine: "), trace
        s.mox.admin.request("quarantine.delete", all=True)
    with t.case("none"):
        _, mid = s.send("x@none.example")
        (line,) = results(s.received(mid))
        assert "spf=fail (without dnssec)" in line, line
        assert "dmarc=fail (without dnssec) header.from=none.example policy.dmarc=none" in line
    with t.case("no policy"):
        _, mid = s.send("x@plain.example")
        (line,) = results(s.received(mid))
        assert "spf=none" in line and "dmarc=none" in line, line
    with t.case("the null sender"):
        mid = unique() + "@check"
        with s.mox.talk(source=s.client) as c:
            c.ehlo("sub.good.example")
            c.mail("", ["anna@in.example"], message(sender="a@good.example", mid=mid))
        (line,) = results(s.received(mid))
        assert "spf=pass (with dnssec) smtp.helo=sub.good.example" in line, line
        assert "dmarc=pass" in line, line
    with t.case("large, spooled"):
        _, mid = s.send("a@good.example", size=600_000)
        assert "dmarc=pass" in results(s.received(mid))[0]


@root
def test_forged_results(t):
    s = Setup(t)
    forged = ("Authentication-Results: mx.mox.example; spf=pass smtp.mailfrom=forged.example",
              "authentication-RESULTS : MX.Mox.Example. 1; dmarc=pass",
              "Authentication-Results:\r\n\t(c (d) \\) )\r\n \"mx.mox.example\" ;\r\n\tdkim=pass",
              "Authentication-Results: =?utf-8?q?mx=2Emox=2Eexample?=; dkim=pass",
              "Authentication-Results: mx.mox.example =forged; dkim=pass")
    kept = ("Authentication-Results: mx.other.example; spf=pass x=mx.mox.example",
            "ARC-Authentication-Results: i=1; mx.mox.example; spf=pass",
            "X-Authentication-Results: mx.mox.example; spf=pass")
    _, mid = s.send("a@good.example", headers=forged + kept, body="Body\r\n\r\nAuthentication-"
                    "Results: mx.mox.example; spf=pass\r\n")
    raw = s.received(mid)
    head, body = raw.split(b"\n\n", 1)
    assert head.lower().count(b"\nauthentication-results") == 2, head.decode()
    for line in kept:
        assert line.encode() in head, head.decode()
    assert b"forged" not in head, head.decode()
    assert body == b"Body\n\nAuthentication-Results: mx.mox.example; spf=pass\n", body


@root
@timeout(60)
def test_dead_name_server(t):
    """A name server that never answers costs the deadline once, whatever is asked."""
    s = Setup(t)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind((s.dead_ip, 53))
        with t.case("temperror, accepted"):
            begin = time.monotonic()
            _, mid = s.send("x@" + DEAD_ZONE)
            took = time.monotonic() - begin
            assert took < 4, "%.1f s" % took
            (line,) = results(s.received(mid))
            assert "spf=temperror" in line and "dmarc=temperror" in line, line
        with t.case("good mail beside it"):
            begin = time.monotonic()
            _, mid = s.send("a@good.example")
            assert time.monotonic() - begin < 3
            assert "dmarc=pass" in results(s.received(mid))[0]


@root
def test_trusted_and_submission(t):
    """Friends are not checked; submission says who vouches."""
    s = Setup(t)
    with t.case("trusted network"):
        s.mox.admin.network(s.client + "/32")
        _, mid = s.send("x@forged.example")
        assert not results(s.received(mid))
        assert "in a network that you trust" in s.trace("x@forged.example")["sentence"]
    with t.case("submission"):
        s.mox.admin.account("bert", "bert-password-1")
        s.mox.admin.address("bert@in.example", "bert")
        mid = unique() + "@check"
        with s.mox.talk(587) as c:
            c.ehlo()
            c.starttls()
            c.auth_plain("bert", "bert-password-1")
            c.mail("bert@in.example", ["anna@in.example"],
                   message(sender="bert@in.example", mid=mid))
        (line,) = results(s.received(mid))
        assert "auth=pass smtp.mailfrom=bert@in.example" in line, line


@root
def test_dmarc_commands(t):
    s = Setup(t)

    def run(*args, stdin=None):
        p = s.mox.cli("dmarc", *args, check=False, stdin=stdin)
        return p.returncode, p.stdout.decode() if isinstance(p.stdout, bytes) else p.stdout

    def verify(raw, sender, *args):
        return run("verify", *args, "-config", "-ip", s.client, "-mailfrom", sender, "-helo",
                   "mx.good.example", stdin=raw.decode())

    with t.case("lookup"):
        status, out = run("lookup", "-config", "good.example")
        assert status == 0 and "good.example asks to reject mail" in out, out
        assert "policy: reject" in out and "dnssec: secure" in out, out
    with t.case("lookup -json of a subdomain"):
        status, out = run("lookup", "-json", "-config", "x.y.forged.example")
        got = json.loads(out)
        assert status == 0 and got["policy"] == "reject", got
        assert got["record_domain"] == got["organizational_domain"] == "forged.example", got
        assert got["rua"] == ["mailto:d@forged.example"] and not got["secure"], got
    with t.case("lookup without a record"):
        status, out = run("lookup", "-config", "plain.example")
        assert status == 1 and "publishes no DMARC policy" in out, out
    with t.case("verify pass"):
        status, out = verify(message(sender="a@good.example"), "a@good.example")
        assert status == 0 and out.startswith("pass\n"), out
        assert "alignment: spf yes, dkim no" in out and "TXT _dmarc.good.example: ok" in out, out
    with t.case("verify fail -json"):
        status, out = verify(message(sender="x@forged.example"), "a@good.example", "-json")
        got = json.loads(out)
        assert status == 1 and got["result"] == "fail" and got["policy"] == "reject", got
        assert got["spf"] == "pass" and not got["spf_aligned"], got
        assert got["trace"]["steps"], got
    with t.case("verify with several authors"):
        raw = message(sender="a@good.example").replace(
            b"From: <a@good.example>", b"From: <a@good.example>, <b@forged.example>")
        status, out = verify(raw, "a@good.example")
        assert status == 1 and out.startswith("fail\n") and "forged.example" in out, out
    with t.case("usage"):
        assert run("verify", "-config")[0] == 1
        assert run("lookup")[0] == 2


@root
def test_policy_of_a_domain(t):
    """Set in the browser; several domains with different wishes in one transaction."""
    s = Setup(t)
    s.mox.admin.domain("lax.example")
    s.mox.admin.address("lax@lax.example", "anna")
    s.mox.admin.request("adminpassword", password="e2e-admin-password")
    b = Browser(s.mox.ip, s.mox.admin_port)
    b.login("e2e-admin-password")

    def policy(name, want=200, **fields):
        with contextlib.closing(sqlite3.connect(os.path.join(s.mox.data, "mox.db"))) as db:
            (number,) = db.execute("SELECT id FROM domain WHERE name = ?", (name,)).fetchone()
        b.get("domains/%d/policy" % number)
        page = b.submit("dmarc", **fields)
        assert page.status == want, (page.status, page.text)
        return page

    with t.case("off"):
        page = policy("lax.example", dmarc="off")
        assert "Checks of incoming mail" in page.text, page.text
        _, mid = s.send("x@forged.example", rcpts=["lax@lax.example"])
        (line,) = results(s.received(mid))
        assert "override local_policy" in line and "policy.dmarc=reject" in line, line
    with t.case("quarantine at most"):
        policy("lax.example", dmarc="quarantine")
        s.send("x@forged.example", rcpts=["lax@lax.example"])
        (row,) = s.kept()
        s.unkeep()
    with t.case("one refuses, one quarantines: quarantine for both"):
        s.send("x@forged.example", rcpts=["anna@in.example", "lax@lax.example"])
        rows = s.kept()
        assert len(rows) == 2, rows
        s.unkeep()
    with t.case("one refuses, one accepts: each gets its own"):
        policy("lax.example", dmarc="off")
        _, mid = s.send("x@forged.example", rcpts=["anna@in.example", "lax@lax.example"])
        s.received(mid)
        rows = s.kept()
        assert [r["to"] for r in rows] == ["anna@in.example"], rows
        s.unkeep()
    with t.case("all refuse"):
        policy("lax.example", dmarc="honour")
        s.send("x@forged.example", rcpts=["anna@in.example", "lax@lax.example"], want=550)
    with t.case("SPF"):
        policy("in.example", spf="reject", dmarc="off")
        r, _ = s.send("x@none.example", want=550)
        assert r.text.startswith("5.7.23 "), r
    with t.case("reverse DNS"):
        policy("in.example", spf="off", iprev="reject", dmarc="honour")
        r, _ = s.send("a@good.example", want=(250, 550))
        policy("in.example", iprev="off")
    with t.case("put off while nothing can be checked"):
        policy("in.example", temperror_defer="1")
        r, _ = s.send("x@" + DEAD_ZONE, want=451)
        assert r.text.startswith("4.7."), r
        policy("in.example", temperror_defer=None)
    with t.case("senders that take no mail"):
        policy("in.example", sender_mx="1")
        with s.mox.talk(source=s.client) as c:
            c.ehlo()
            for sender, want in (("a@good.example", 250), ("a@plain.example", 250),
                                 ("a@nomail.example", 550), ("a@missing.example", 550),
                                 ("a@" + DEAD_ZONE, 451), ("", 250), ("a@[192.0.2.1]", 550)):
                c.cmd("MAIL FROM:<%s>" % sender, 250)
                r = c.cmd("RCPT TO:<anna@in.example>")
                assert r.code == want, (sender, r)
                if want == 550:
                    assert r.text.startswith("5.7.27 "), r
                c.cmd("RSET", 250)
    with t.case("scores that make no sense"):
        page = policy("in.example", want=422, quarantine_score="5", reject_score="4")
        assert "must be higher" in page.text, page.text
        page = policy("in.example", want=422, quarantine_score="much")
        assert "such as 5 or 7.5" in page.text, page.text


@root
def test_lists(t):
    """Allow and deny lists, DNS block lists: which entry counts, and that it is said."""
    s = Setup(t)

    def put(list_, value):
        s.mox.admin.request("list.add", list=list_, value=value)

    def drop(value):
        s.mox.admin.request("list.rm", value=value)

    with t.case("deny a domain"):
        put("deny", "good.example")
        r, _ = s.send("a@good.example", want=550)
        assert r.text.startswith("5.7.1 "), r
        trace = s.trace("a@good.example")
        assert "your deny list has the domain good.example" in trace["sentence"], trace
        assert any(step["kind"] == "list" for step in trace["steps"]), trace
    with t.case("allow an address in it"):
        put("allow", "a@good.example")
        _, mid = s.send("a@good.example")
        s.received(mid)
        drop("a@good.example")
        drop("good.example")
    with t.case("an allowed address that nobody vouches for does not count"):
        put("allow", "x@forged.example")
        r, _ = s.send("x@forged.example", want=550)
        assert r.text.startswith("5.7.26 "), r
        drop("x@forged.example")
    with t.case("an allowed network does"):
        put("allow", s.client)
        _, mid = s.send("x@forged.example")
        assert "override local_policy" in results(s.received(mid))[0]
        drop(s.client)
    with t.case("a block list that lists the client"):
        zone = "bl.example"
        reverse = ".".join(reversed(s.client.split(".")))
        extra = t.nsd({zone: ["2.0.0.127 A 127.0.0.2", "%s A 127.0.0.4" % reverse,
                              '%s TXT "seen in spam"' % reverse]}, unsigned=(zone,))
        s.mox.write({"Resolver": {"Stubs": {zone: ["%s@53" % extra.ip]}}})
        s.mox.restart()
        s.mox.admin.request("dnsbl.add", zone=zone)
        s.send("a@good.example")
        (row,) = s.kept()
        trace = s.trace("a@good.example")
        assert "on the block list " + zone in trace["sentence"], trace["sentence"]
