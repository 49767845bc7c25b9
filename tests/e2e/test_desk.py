"""The admin's desk: hold rules, ways chosen by hand, which way mail takes, tests of relay hosts."""
import base64
import hashlib
import json

from lib.context import root, timeout
from lib.mail import message
from lib.net import wait_for
from lib.tlscerts import spki_der
from lib.web import Browser


@root
def test_hold_rules(t):
    peer = t.peer()
    mox = t.mox()
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    with t.case("what matches starts on hold, the rest goes"):
        mox.cli("queue", "holdrules", "add", "-from_domain", ".bad.example", "-config")
        mox.send("a@x.bad.example", "one@out.example", message())
        mox.send("a@good.example", "two@out.example", message())
        wait_for(lambda: len(peer.taken()) == 1, 10, "the other delivery")
        rows = mox.queue()
        assert [(r["to"], r["state"]) for r in rows] == [("one@out.example", "held")], rows
    with t.case("removal releases when asked"):
        out = mox.cli("queue", "holdrules", "remove", "1", "-apply", "-config").stdout
        assert "1 recipient released" in out, out
        mox.wait_empty()
        assert len(peer.taken()) == 2
    with t.case("a rule is applied to what waits"):
        peer.script["mail"] = "451 4.3.0 later"
        mox.send("a@z.example", "one@out.example", message())
        mox.wait_queue(lambda q: [r for r in q if r["attempts"]])
        out = mox.cli("queue", "holdrules", "add", "-to", "out.example", "-apply", "-config").stdout
        assert "1 recipient put on hold" in out, out
        assert mox.queue()[0]["state"] == "held"


@root
def test_way_by_hand(t):
    broken, smart = t.peer({"mail": "451 4.3.0 later"}), t.peer()
    mox = t.mox(config={"Queue": {"RetryFirst": "1h"}})
    mox.admin.domain("out.example", relay=broken.hostport, recipients="any")
    mox.admin.transport("smart", smart.hostport, tls="none")
    for n in range(3):
        mox.send("a@b.example", "x%d@out.example" % n, message())
    mox.wait_queue(lambda q: len(q) == 3 and all(r["attempts"] for r in q))
    with t.case("one goes another way"):
        row = mox.queue()[0]
        mox.cli("queue", "transport", "smart", row["id"], "-kick", "-config")
        mox.wait_queue(lambda q: len(q) == 2)
        assert [r for m in smart.taken() for r in m.rcpts], smart.taken()
    with t.case("a transport that mail waits for cannot be deleted"):
        mox.cli("queue", "transport", "smart", "-all", "-config")
        assert mox.cli("config", "transport", "rm", "smart", "-config", check=False).returncode == 1
    with t.case("all others by the filter"):
        mox.cli("queue", "transport", "smart", "-error", "later", "-kick", "-config")
        mox.wait_empty()
        assert len(smart.taken()) == 3
        assert mox.cli("config", "transport", "rm", "smart", "-config").returncode == 0


@root
def test_which_way(t):
    peer = t.peer()
    mox = t.mox()
    mox.admin.transport("smart", peer.hostport, tls="none")
    mox.admin.route("smart", to=".net.example")
    mox.admin.network("127.0.0.0/8")
    said = mox.cli("queue", "route", "ann@net.example", "-from", "x@y.example", "-config").stdout
    assert "Through transport smart" in said and "Route 1" in said, said
    mox.send("x@y.example", "ann@net.example", message())
    wait_for(lambda: len(peer.taken()) == 1, 10, "the delivery that was foretold")
    assert "No route matches" in mox.cli("queue", "route", "ann@other.example", "-config").stdout


@root
@timeout(120)
def test_relay_test(t):
    mox = t.mox()
    peer = t.peer({"rcpt": "550 5.1.1 no such user"})
    with t.case("a refusal is told, with the transcript"):
        out = mox.cli("config", "relaytest", peer.hostport, "-rcpt", "ann@x.example", "-config", check=False)
        assert out.returncode == 1 and "5.1.1" in out.stdout and "> RCPT TO:" in out.stdout, out.stdout
    with t.case("nobody is there"):
        out = mox.cli("config", "relaytest", "%s:9" % peer.ip, "-config", check=False)
        assert out.returncode == 1 and "Connection" in out.stdout, out.stdout
    with t.case("it takes the recipient, and gets no mail"):
        ok = t.peer()
        out = mox.cli("config", "relaytest", ok.hostport, "-rcpt", "ann@x.example", "-tls", "none",
                      "-config", check=False)
        assert out.returncode == 0 and "takes mail for ann@x.example" in out.stdout, out.stdout
        assert ok.taken() == []


def said(mox, host, **fields):
    """What a relay test says: (the last line, transcript, steps by title)."""
    rows, last = mox.admin.request("relay.test", relay=host, **fields)
    return last, "".join(r["transcript"] for r in rows), {r["title"]: r for r in rows}


def in_order(transcript, *parts):
    at = 0
    for part in parts:
        found = transcript.find(part, at)
        assert found >= 0, "%r is missing, or not where it belongs:\n%s" % (part, transcript)
        at = found + len(part)


def answered(mox, host, rcpt):
    mox.admin.request("adminpassword", password="e2e-admin-password")
    browser = Browser(mox.ip, mox.admin_port)
    browser.login("e2e-admin-password")
    browser.get("transports/1/test")
    return browser.submit("host", "rcpt", host=host, rcpt=rcpt)


@root
@timeout(120)
def test_relay_test_postfix(t):
    ip, refuse = t.ip(), "check_recipient_access inline:{ {no@in.example = 550 5.1.1 not here} }"
    settings = {"smtpd_recipient_restrictions": refuse}
    cert = t.authority.leaf("backend.example", ip)
    secure = t.postfix(hostname="backend.example", ip=ip, cert=cert, domains=["in.example"],
                       settings=settings)
    plain = t.postfix(hostname="plain.example", domains=["in.example"], settings=settings)
    mox = t.mox(config={"TLS": {"CA": {"CertFiles": [t.authority.cert]}}})
    host = "%s:25" % secure.ip
    with t.case("TLS: all of the session, and the certificate"):
        last, text, steps = said(mox, host, tls="verify", mail_from="a@b.example",
                                 rcpt="yes@in.example")
        assert last["good"] and "takes mail for yes@in.example" in last["verdict"], last
        in_order(text, "< 220 backend.example ESMTP", "> EHLO mx.mox.example",
                 "< 250-STARTTLS", "> STARTTLS", "< 220 2.0.0", "> EHLO mx.mox.example",
                 "> MAIL FROM:<a@b.example>", "< 250 2.1.0", "> RCPT TO:<yes@in.example>",
                 "< 250 2.1.5", "> QUIT", "< 221 2.0.0")
        assert "DATA" not in text, text
        got = steps["Certificate"]
        assert got["state"] == "ok" and "valid for this name" in got["text"], got
        assert "TLSv1.3, TLS_AES_" in got["text"] and "2 certificates came" in got["text"], got
        assert hashlib.sha256(spki_der(cert[0])).hexdigest() in got["text"].lower(), got
    with t.case("TLS: a recipient that is refused"):
        last, text, steps = said(mox, host, tls="verify", rcpt="no@in.example")
        assert not last["good"] and "not here" in last["verdict"], last
        in_order(text, "> MAIL FROM:<>", "> RCPT TO:<no@in.example>",
                 "< 550 5.1.1 <no@in.example>: Recipient address rejected: not here", "> QUIT",
                 "< 221 2.0.0")
    with t.case("without TLS: told, and both recipients"):
        for rcpt, code, good in (("yes@in.example", "250 2.1.5", True),
                                 ("no@in.example", "550 5.1.1", False)):
            last, text, steps = said(mox, "%s:25" % plain.ip, rcpt=rcpt)
            assert last["good"] is good, last
            in_order(text, "< 220 plain.example ESMTP", "> EHLO mx.mox.example", "> MAIL FROM:<>",
                     "> RCPT TO:<%s>" % rcpt, "< " + code, "> QUIT", "< 221 2.0.0")
            assert "STARTTLS" not in text, text
            assert steps["Certificate"]["state"] == "warn", steps
            assert steps["Certificate"]["text"].startswith("No TLS"), steps
    with t.case("without TLS where it must be"):
        last, text, steps = said(mox, "%s:25" % plain.ip, tls="required", rcpt="yes@in.example")
        assert not last["good"] and "MAIL" not in text, (last, text)
    with t.case("a certificate for another name"):
        other = t.postfix(cert=t.authority.leaf("other.example"), domains=["in.example"])
        last, text, steps = said(mox, "%s:25" % other.ip, tls="verify", rcpt="yes@in.example")
        assert not last["good"] and "MAIL" not in text, (last, text)
        last, text, steps = said(mox, "%s:25" % other.ip, tls="required", rcpt="yes@in.example")
        assert last["good"] and steps["Certificate"]["state"] == "warn", (last, steps)
        assert "does not ask for that" in steps["Certificate"]["text"], steps
    with t.case("the pages show the same"):
        mox.admin.transport("smart", host, tls="verify")
        page = answered(mox, host, "no@in.example")
        for part in ("220 backend.example ESMTP", "STARTTLS", "valid for this name",
                     "RCPT TO:<no@in.example>", "550 5.1.1", "QUIT", "221 2.0.0"):
            assert part in page.text, (part, page.text)
    with t.case("the command line shows the same"):
        out = mox.cli("config", "relaytest", "-transport", "smart", "-rcpt", "yes@in.example",
                      "-config")
        in_order(out.stdout, "< 220 backend.example", "> STARTTLS", "Certificate:",
                 "> RCPT TO:", "> QUIT", "takes mail for yes@in.example")
        out = mox.cli("config", "relaytest", "-transport", "smart", "-rcpt", "no@in.example",
                      "-json", "-config", check=False)
        got = json.loads(out.stdout)
        assert out.returncode == 1 and got["good"] is False and len(got["steps"]) > 4, out
    assert secure.queue_ids() == [] and plain.queue_ids() == [] and mox.queue() == []


@root
@timeout(120)
def test_relay_test_login(t):
    """No word of the password leaves the gateway by any of its ways to show the test."""
    password = "geheim geheim 1"
    forms = [password] + [base64.b64encode(s.encode()).decode()
                          for s in (password, "\0user1\0" + password)]
    for methods in ("PLAIN", "LOGIN"):
        ip = t.ip()
        peer = t.peer(ip=ip,
                      cert=t.authority.leaf("smart%s.example" % methods, ip),
                      extensions=("AUTH " + methods, "8BITMIME"))
        mox = t.mox(config={"TLS": {"CA": {"CertFiles": [t.authority.cert]}}})
        fields = {"tls": "verify", "username": "user1", "password": password,
                  "rcpt": "ann@x.example"}
        mox.admin.transport("smart", peer.hostport, tls="verify", username="user1",
                            password=password)
        with t.case(methods + ": the verb"):
            rows, last = mox.admin.request("relay.test", relay=peer.hostport, **fields)
            text = json.dumps([rows, last])
            assert last["good"] and "the login was accepted" in text, text
            assert peer.sessions[-1].user and "AUTH" in text and "***" in text, text
            assert not [f for f in forms if f in text], text
        with t.case(methods + ": the command line, from the store's password"):
            for json_too in ([], ["-json"]):
                out = mox.cli("config", "relaytest", "-transport", "smart", "-rcpt",
                              "ann@x.example", *json_too, "-config")
                assert "the login was accepted" in out.stdout, out.stdout
                assert not [f for f in forms if f in out.stdout + out.stderr], out.stdout
        with t.case(methods + ": the page"):
            page = answered(mox, peer.hostport, "ann@x.example")
            assert "the login was accepted" in page.text, page.text
            assert not [f for f in forms if f in page.html], page.html
        with t.case(methods + ": refused, by a server that repeats what it got"):
            peer.script["auth"] = lambda session, arg: (
                "535-5.7.8 no such login: %s\r\n535 5.7.8 %s" % (arg, password))
            text = json.dumps(mox.admin.request("relay.test", relay=peer.hostport, **fields))
            assert "535" in text and '"good": false' in text, text
            assert not [f for f in forms if f in text], text
        assert not [f for f in forms if f in mox.text()], "in the log"
