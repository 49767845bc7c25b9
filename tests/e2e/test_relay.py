"""Relay to internal servers: Postfix and Dovecot, TLS modes, failover, call-out."""
from lib.context import root
from lib.mail import message, message_id, unique
from lib.peer import CLOSE


@root
def test_postfix_to_mox_to_postfix(t):
    """Postfix sends, mox relays, another Postfix receives; TLS and plaintext on both legs."""
    cert = t.authority.leaf("backend.example")
    backend = t.postfix(hostname="backend.example", cert=cert, domains=["in.example"])
    mox = t.mox()
    mox.admin.domain("in.example", relay="%s:25" % backend.ip, recipients="any")
    sender = t.postfix(settings={"relayhost": "[%s]:25" % mox.ip,
                                 "smtp_tls_security_level": "encrypt"})
    with t.case("TLS on both legs"):
        mid = unique() + "@circle"
        sender.sendmail("a@b.example", ["anna@in.example"], message(mid=mid))
        got = backend.maildir.wait_mid(mid).decode()
        assert got.count("\nReceived:") == 3, got
        assert "ESMTPS" in got and "TLS_AES_" in got, got
        assert "using TLSv1.3" in got, "mox did not use TLS to the backend:\n" + got
        sender.wait_status("anna@in.example", "sent")
    with t.case("large and 8bit"):
        mid = unique() + "@circle"
        raw = message(mid=mid, body="ä\r\n.\r\n.x\r\n", size=400_000)
        sender.sendmail("a@b.example", ["anna@in.example"], raw)
        got = backend.maildir.wait_mid(mid)
        assert got.endswith(raw.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n"))
    with t.case("two recipients"):
        mid = unique() + "@circle"
        sender.sendmail("a@b.example", ["r1@in.example", "r2@in.example"], message(mid=mid))
        sender.wait_status("r2@in.example", "sent")
        mox.wait_empty()
    with t.case("plaintext to the backend when told so"):
        mox.admin.domain_set("in.example", tls="none")
        mid = unique() + "@circle"
        sender.sendmail("a@b.example", ["anna@in.example"], message(mid=mid))
        assert b"using TLS" not in backend.maildir.wait_mid(mid)


@root
def test_plain_postfix(t):
    """Neither side offers TLS."""
    backend = t.postfix(domains=["in.example"])
    mox = t.mox(tls=False)
    mox.admin.domain("in.example", relay="%s:25" % backend.ip, recipients="any")
    sender = t.postfix(settings={"relayhost": "[%s]:25" % mox.ip})
    mid = unique() + "@plain"
    sender.sendmail("a@b.example", ["anna@in.example"], message(mid=mid))
    got = backend.maildir.wait_mid(mid)
    assert b" with ESMTP id" in got and b"TLS_AES" not in got, got


@root
def test_dovecot_lmtp(t):
    dovecot = t.dovecot(users=["anna", "bert"])
    mox = t.mox()
    mox.admin.domain("in.example", relay=dovecot.hostport, protocol="lmtp", tls="none",
                     recipients="callout")
    mid = unique() + "@lmtp"
    with mox.talk() as s:
        s.ehlo()
        s.cmd("MAIL FROM:<a@b.example>", 250)
        s.cmd("RCPT TO:<anna@in.example>", 250)
        s.cmd("RCPT TO:<bert@in.example>", 250)
        r = s.cmd("RCPT TO:<nobody@in.example>")
        assert r.code == 550, r
        s.data(message(mid=mid))
        s.quit()
    for user in ("anna", "bert"):
        got = dovecot.maildir(user).wait_mid(mid)
        assert b"Return-Path: <a@b.example>" in got, got
    mox.wait_empty()


@root
def test_tls_modes(t):
    """What each TLS mode of a relay does with each kind of peer."""
    good = t.authority.leaf("backend.example")
    mox = t.mox(config={"TLS": {"CA": {"AdditionalToSystem": True,
                                       "CertFiles": [t.authority.cert]}}})
    ip_cert = {}
    # mode, peer, delivered, over TLS
    table = [("none", "tls", True, False), ("opportunistic", "tls", True, True),
             ("opportunistic", "plain", True, False), ("required", "tls", True, True),
             ("required", "plain", False, False), ("verify", "match", True, True),
             ("verify", "tls", False, True), ("verify", "plain", False, False),
             ("immediate", "immediate", True, True), ("opportunistic", "garbage", True, False),
             ("required", "garbage", False, False), ("opportunistic", "refused", True, False),
             ("required", "refused", False, False)]
    for i, (mode, kind, delivered, tls) in enumerate(table):
        with t.case("%s towards %s" % (mode, kind)):
            ip, script = t.ip(), {}
            if kind in ("match", "immediate"):
                ip_cert = t.authority.leaf("match%d.example" % i, ip)
            if kind == "garbage":
                from lib.peer import GARBAGE
                script["tls"] = GARBAGE
            if kind == "refused":
                script["starttls"] = "454 4.7.0 not now"
            peer = t.peer(script, ip=ip, immediate_tls=kind == "immediate", cert={
                "plain": None, "match": ip_cert, "immediate": ip_cert}.get(kind, good))
            domain = "d%d.example" % i
            mox.admin.domain(domain, relay=peer.hostport, tls=mode, recipients="any")
            mid = unique() + "@mode"
            mox.send("a@b.example", "anna@" + domain, message(mid=mid))
            if delivered:
                mox.wait_queue(lambda q: not [r for r in q if r["destination"] == domain], 8,
                               "delivery")
                assert [message_id(m.data) for m in peer.taken()] == [mid]
                assert bool(peer.taken()[0].session.tls) == tls, peer.taken()[0].session.tls
            else:
                row = mox.wait_queue(lambda q: [r for r in q if r["destination"] == domain and
                                                r["attempts"] > 0 and r["last_error"]], 8,
                                     "a failed attempt")[0]
                assert row["state"] == "queued", row
                assert not peer.taken(), "sent all the same"
                mox.admin.act("drop", to=domain)


@root
def test_credentials(t):
    peer = t.peer(cert=t.authority.leaf("smarthost.example"),
                  extensions=("AUTH PLAIN LOGIN", "8BITMIME", "PIPELINING"))
    mox = t.mox()
    mox.admin.domain("in.example", relay=peer.hostport, tls="required", recipients="any",
                     username="user1", password="geheim")
    mox.send("a@b.example", "anna@in.example", message())
    mox.wait_empty()
    session = peer.taken()[0].session
    import base64
    assert session.tls and session.user, session.commands
    assert base64.b64decode(session.user.split()[1]) == b"\0user1\0geheim", session.user
    assert "geheim" not in mox.text() and "Z2VoZWlt" not in mox.text(), "password in the log"


@root
def test_failover(t):
    """Hosts in order; the next one when a host is down or says 4yz at greeting."""
    good = t.peer()
    down = t.ip()
    busy = t.peer({"greeting": "421 4.3.2 busy"})
    rude = t.peer({"greeting": CLOSE})
    mox = t.mox()
    for name, hosts in (("down", [down + ":25"]), ("busy", [busy.hostport]),
                        ("rude", [rude.hostport]), ("all", [down + ":25", busy.hostport,
                                                            rude.hostport])):
        with t.case("first host " + name):
            mox.admin.domain(name + ".example", relay=",".join(hosts + [good.hostport]),
                             recipients="any")
            mid = unique() + "@fail"
            mox.send("a@b.example", "x@%s.example" % name, message(mid=mid))
            mox.wait_queue(lambda q: not q, 8, "delivery by the second host")
            assert mid in [message_id(m.data) for m in good.taken()]
    with t.case("all down, then one comes back"):
        ip = t.ip()
        mox.admin.domain("back.example", relay="%s:25,%s:25" % (ip, t.ip()), recipients="any")
        mox.send("a@b.example", "x@back.example", message())
        row = mox.wait_queue(lambda q: [r for r in q if r["attempts"]], 8, "an attempt")[0]
        assert row["state"] == "queued" and "refused" in row["last_error"].lower(), row
        peer = t.peer(ip=ip)
        mox.admin.act("kick", all=True)  # forgets that it was down
        mox.wait_empty()
        assert len(peer.taken()) == 1


@root
def test_callout(t):
    known = {"anna@in.example"}

    def rcpt(session, address):
        return None if address in known else "550 5.1.1 no such user here"

    peer = t.peer({"rcpt": rcpt})
    mox = t.mox()
    mox.admin.domain("in.example", relay=peer.hostport, recipients="callout")

    def ask(address):
        with mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            return s.cmd("RCPT TO:<%s>" % address)

    with t.case("exists"):
        assert ask("anna@in.example").code == 250
    with t.case("unknown"):
        r = ask("zoe@in.example")
        assert r.code == 550 and "5.1.1" in r.text, r
    with t.case("both cached"):
        before = len([c for s in peer.sessions for c in s.commands if c.startswith("RCPT")])
        assert before == 2, before
        assert ask("anna@in.example").code == 250
        assert ask("zoe@in.example").code == 550
        after = len([c for s in peer.sessions for c in s.commands if c.startswith("RCPT")])
        assert after == before, "asked again"
    with t.case("no message was sent"):
        assert not peer.taken()
    with t.case("backend says later"):
        peer.script["rcpt"] = "451 4.3.0 later"
        assert ask("later@in.example").code == 451
    with t.case("backend down"):
        peer.stop()
        assert ask("carl@in.example").code == 451
        assert ask("anna@in.example").code == 250, "the cache was forgotten"
    with t.case("back again"):
        peer.script["rcpt"] = rcpt
        known.add("carl@in.example")
        peer.start()
        assert ask("carl@in.example").code == 250
    with t.case("list"):
        mox.admin.domain("list.example", relay=peer.hostport, recipients="list")
        mox.admin.address("known@list.example")
        assert ask("known@list.example").code == 250
        assert ask("unknown@list.example").code == 550
    with t.case("an address with hosts of its own"):
        other = t.peer()
        mox.admin.address("own@list.example", relay=other.hostport)
        mid = unique() + "@own"
        mox.send("a@b.example", ["own@list.example", "known@list.example"], message(mid=mid))
        peer.script["rcpt"] = None
        mox.admin.act("kick", all=True)
        mox.wait_empty()
        assert [m.rcpts for m in other.taken()] == [["own@list.example"]]
