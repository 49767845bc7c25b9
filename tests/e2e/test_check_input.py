"""Checks of incoming mail on messages that nobody writes: nested deep, ten thousand fields, NUL,
8-bit, cut off; and the rules that are off unless a domain asks for them."""
import contextlib
import os
import sqlite3

from lib.context import root
from lib.mail import unique
from lib.net import wait_for
from lib.web import Browser

from test_check import Setup, results


def nested(depth):
    """multipart in multipart, depth times"""
    out = []
    for i in range(depth):
        out.append("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d" % (i, i))
    return "\r\n".join(out) + "\r\nContent-Type: text/plain\r\n\r\ndeep\r\n"


def raw(mid, more="", body="hello\r\n"):
    return ("From: a@good.example\r\nTo: anna@in.example\r\nMessage-ID: <%s>\r\n%s\r\n%s"
            % (mid, more, body)).encode("latin-1")


@root
def test_strange_messages(t):
    """Taken or refused, and the next message is served all the same."""
    s = Setup(t)

    def send(data, want):
        with s.mox.talk(source=s.client) as c:
            c.ehlo("mx.good.example")
            c.cmd("MAIL FROM:<a@good.example>", 250)
            c.cmd("RCPT TO:<anna@in.example>", 250)
            return c.data(data, want)

    def taken(data, mid):
        send(data, 250)
        found = wait_for(lambda: [r for r in s.box.raw() if mid.encode() in r], 20, mid)
        head = found[0].split(b"\n\n", 1)[0]
        (line,) = results(head.decode("utf-8", "replace").encode())
        assert "dmarc=pass" in line, line
        return line

    with t.case("nested 1,000 deep"):
        mid = unique() + "@input"
        head, rest = nested(1000).split("\r\n", 1)
        taken(raw(mid, head + "\r\n", rest), mid)
    with t.case("10,000 fields"):
        mid = unique() + "@input"
        taken(raw(mid, "".join("X-F%d: v\r\n" % i for i in range(10000))), mid)
    with t.case("a header block of more than 512 KiB"):
        reply = send(raw(unique(), "".join("X-F%d: %s\r\n" % (i, "v" * 90) for i in range(7000))),
                     (552, 554))
        assert reply.text.startswith("5."), reply
    with t.case("10,000 signatures and seals that say nothing"):
        mid = unique() + "@input"
        taken(raw(mid, "DKIM-Signature: v=1; a=rsa-sha256\r\n" * 5000
                  + "ARC-Seal: i=1; cv=none\r\n" * 5000), mid)
    with t.case("NUL in body and header"):
        for data in (raw(unique(), body="a\0b\r\n"), raw(unique(), "X-Nul: a\0b\r\n")):
            reply = send(data, (250, 550, 554))
            print(reply)
    with t.case("8-bit octets in header and body, not UTF-8"):
        mid = unique() + "@input"
        taken(raw(mid, "Subject: \xe9\xff\xfe\r\n", "\xff\xfe\x80\r\n"), mid)
    with t.case("From of 8-bit rubbish"):
        send(raw(unique()).replace(b"From: a@", b"From: \xff\xfe@"), (250, 550))
    with t.case("cut off in the body"):
        c = s.mox.talk(source=s.client)
        c.ehlo("mx.good.example")
        c.cmd("MAIL FROM:<a@good.example>", 250)
        c.cmd("RCPT TO:<anna@in.example>", 250)
        c.cmd("DATA", 354)
        c.send(b"From: a@good.example\r\nSubj")
        c.close()
    with t.case("served as before"):
        mid = unique() + "@input"
        taken(raw(mid), mid)


@root
def test_rules_that_are_off(t):
    s = Setup(t)
    zone = "sick.example"
    reverse = ".".join(reversed(s.client.split(".")))
    extra = t.nsd({zone: ["2.0.0.127 A 127.0.0.2", "1.0.0.127 A 127.0.0.2",
                          "%s A 127.0.0.2" % reverse], "127.in-addr.arpa": ["x TXT y"]},
                  unsigned=(zone, "127.in-addr.arpa"))
    s.mox.write({"Resolver": {"Stubs": {zone: ["%s@53" % extra.ip],
                                        "127.in-addr.arpa": ["%s@53" % extra.ip]}}})
    s.mox.restart()
    s.mox.admin.request("adminpassword", password="e2e-admin-password")
    b = Browser(s.mox.ip, s.mox.admin_port)
    b.login("e2e-admin-password")

    def policy(**fields):
        with contextlib.closing(sqlite3.connect(os.path.join(s.mox.data, "mox.db"))) as db:
            (number,) = db.execute("SELECT id FROM domain WHERE name = 'in.example'").fetchone()
        b.get("domains/%d/policy" % number)
        page = b.submit("dmarc", **fields)
        assert page.status == 200, page.text

    with t.case("off: a client without reverse name, SPF that fails"):
        _, mid = s.send("x@none.example")
        (line,) = results(s.received(mid))
        assert "iprev=fail" in line or "iprev=permerror" in line, line
    with t.case("a name is required of clients"):
        policy(iprev="reject")
        reply, _ = s.send("a@good.example", want=550)
        assert reply.text.startswith("5.7.25 "), reply
        trace = s.trace("a@good.example")
        assert trace["sentence"].startswith("Refused: "), trace["sentence"]
        policy(iprev="off")
    with t.case("SPF that fails is enough"):
        policy(spf="reject", dmarc="off")
        reply, _ = s.send("x@none.example", want=550)
        assert reply.text.startswith("5.7.23 "), reply
        policy(spf="off", dmarc="honour")
    with t.case("a block list that lists everybody does not count"):
        s.mox.admin.request("dnsbl.add", zone=zone)
        _, mid = s.send("a@good.example")
        s.received(mid)
        steps = [st for st in s.trace("a@good.example")["steps"] if st["kind"] == "dnsbl"]
        assert steps and "lists 127.0.0.1" in steps[0]["text"], steps
