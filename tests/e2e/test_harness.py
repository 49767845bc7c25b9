"""The harness itself, against the real parts alone: when these fail, look here first."""
from lib.context import root
from lib.mail import message, message_id
from lib.peer import CLOSE, Then
from lib.talk import SmtpTalk, send, swaks


@root
def test_postfix_relays_to_peer(t):
    cert = t.authority.leaf("peer.example")
    peer = t.peer(cert=cert)
    postfix = t.postfix(settings={"relayhost": "[%s]:25" % peer.ip,
                                  "smtp_tls_security_level": "encrypt"})
    r = send(postfix.ip, "a@a.example", ["b@b.example", "c@b.example"], message(mid="one@x"))
    assert r.code == 250, r
    postfix.wait_status("c@b.example", "sent")
    got = peer.taken()
    assert [m.rcpts for m in got] == [["b@b.example", "c@b.example"]], got
    assert message_id(got[0].data) == "one@x"
    assert got[0].session.tls, "no TLS"


@root
def test_postfix_receives(t):
    postfix = t.postfix(domains=["in.example"], cert=t.authority.leaf("postfix.example"))
    send(postfix.ip, "a@a.example", "b@in.example", message(mid="two@x"), starttls=True)
    assert b"two@x" in postfix.maildir.wait_mid("two@x")
    out = swaks(postfix.ip, "--from", "a@a.example", "--to", "b@in.example")
    assert "250 2.0.0 Ok: queued" in out.stdout, out.stdout
    postfix.maildir.wait(2)


@root
def test_peer_failures(t):
    peer = t.peer({"greeting": Then("421 busy", CLOSE, "220 hello")})
    postfix = t.postfix(settings={"relayhost": "[%s]:25" % peer.ip})
    postfix.sendmail("a@a.example", ["b@b.example"], message(mid="three@x"))
    postfix.wait_status("b@b.example", "deferred")
    postfix.wait_status("b@b.example", "sent", 30)
    assert peer.connections() >= 3


@root
def test_dovecot_lmtp(t):
    dovecot = t.dovecot(users=["anna", "bert"])
    with SmtpTalk(dovecot.ip, dovecot.port) as s:
        s.cmd("LHLO x.example", 250)
        s.cmd("MAIL FROM:<a@a.example>", 250)
        s.cmd("RCPT TO:<anna@d.example>", 250)
        s.cmd("RCPT TO:<nobody@d.example>", 550)
        s.data(message(mid="four@x"))
    dovecot.maildir("anna").wait_mid("four@x")


@root
def test_nsd_signed(t):
    from lib.proc import run
    world = t.nsd({"signed.example": ["@ IN MX 10 mx", "mx IN A 127.0.0.1"],
                   "plain.example": ["@ IN MX 10 mx"]}, unsigned=["plain.example"])
    out = run(["drill", "-D", "-p", "53", "MX", "signed.example", "@" + world.ip]).stdout
    assert "RRSIG" in out and "mx.signed.example." in out, out
    out = run(["drill", "-D", "-p", "53", "MX", "plain.example", "@" + world.ip]).stdout
    assert "RRSIG" not in out and "mx.plain.example." in out, out
    with open(world.anchor) as f:
        assert f.read().count("DNSKEY") == 1
