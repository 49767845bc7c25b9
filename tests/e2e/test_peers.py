"""A scripted peer for every way a next hop can fail, and what the queue makes of it."""
import datetime

from lib.context import root, timeout
from lib.mail import message, message_id, unique
from lib.peer import CLOSE, Delay, IGNORE, Raw

QUEUED, FAILED, SENT = "queued", "failed", "sent"
LONG = 20  # seconds, more than any time-out here

# name, script, what becomes of it, a word of the reason
CLASSES = [
    ("greeting 421", {"greeting": "421 4.3.2 too busy"}, QUEUED, "too busy"),
    ("greeting 450", {"greeting": "450 4.3.2 not now"}, QUEUED, "not now"),
    ("greeting 554", {"greeting": "554 5.7.1 go away"}, FAILED, "go away"),
    ("greeting 521", {"greeting": "521 5.3.2 no mail here"}, FAILED, "no mail here"),
    ("greeting none", {"greeting": IGNORE}, QUEUED, "tim"),
    ("greeting close", {"greeting": CLOSE}, QUEUED, "clos"),
    ("greeting no reply", {"greeting": "hello there"}, QUEUED, ""),
    ("greeting four digits", {"greeting": "2200 hello"}, QUEUED, ""),
    ("greeting binary", {"greeting": Raw(b"\x16\x03\x01\0\xff\xfe" * 10 + b"\r\n")}, QUEUED, ""),
    ("greeting long line", {"greeting": Raw(b"220 " + b"x" * 200000)}, QUEUED, ""),
    ("greeting endless", {"greeting": Raw(b"220-more\r\n" * 30000)}, QUEUED, ""),
    ("greeting multi-line", {"greeting": "220-one\r\n220-two\r\n220 three"}, SENT, ""),
    ("ehlo 421", {"ehlo": "421 4.3.2 closing"}, QUEUED, "closing"),
    ("ehlo 451", {"ehlo": "451 4.3.0 hm"}, QUEUED, "hm"),
    ("ehlo 554", {"ehlo": "554 5.7.1 who?"}, FAILED, "who?"),
    ("ehlo 502, helo works", {"ehlo": "502 5.5.1 what"}, SENT, ""),
    ("ehlo and helo refused", {"ehlo": "502 5.5.1 what", "helo": "550 5.7.1 no"}, FAILED, "no"),
    ("ehlo close", {"ehlo": CLOSE}, QUEUED, "clos"),
    ("ehlo mixed codes", {"ehlo": "250-peer\r\n500 PIPELINING"}, QUEUED, ""),
    ("mail 421", {"mail": "421 4.3.2 bye"}, QUEUED, "bye"),
    ("mail 451", {"mail": "451 4.7.1 greylisted"}, QUEUED, "greylisted"),
    ("mail 452", {"mail": "452 4.3.1 full"}, QUEUED, "full"),
    ("mail 550", {"mail": "550 5.7.1 not you"}, FAILED, "not you"),
    ("mail 552", {"mail": "552 5.3.4 too big"}, FAILED, "too big"),
    ("mail close", {"mail": CLOSE}, QUEUED, "clos"),
    ("mail 550 and close", {"mail": Raw(b"550 5.7.1 not you\r\n", close=True)}, FAILED,
     "not you"),
    ("mail silence", {"mail": IGNORE}, QUEUED, "tim"),
    ("rcpt 450", {"rcpt": "450 4.2.1 mailbox busy"}, QUEUED, "mailbox busy"),
    ("rcpt 451 without text", {"rcpt": "451"}, QUEUED, "451"),
    ("rcpt 550", {"rcpt": "550 5.1.1 unknown"}, FAILED, "unknown"),
    ("rcpt 553 lines", {"rcpt": "553-5.1.3 one\r\n553 5.1.3 two"}, FAILED, "two"),
    ("rcpt 251", {"rcpt": "251 2.1.5 will forward"}, SENT, ""),
    ("rcpt close", {"rcpt": CLOSE}, QUEUED, "clos"),
    ("rcpt control characters", {"rcpt": "550 5.1.1 evil \x1b[31m\x07\x01thing\xff"}, FAILED,
     "thing"),
    ("data 421", {"data": "421 4.3.2 bye"}, QUEUED, "bye"),
    ("data 451", {"data": "451 4.3.0 no room"}, QUEUED, "no room"),
    ("data 554", {"data": "554 5.6.0 not this"}, FAILED, "not this"),
    ("data 250", {"data": "250 2.0.0 odd"}, QUEUED, ""),
    ("data close", {"data": CLOSE}, QUEUED, "clos"),
    ("end 451", {"end": "451 4.3.0 scanner down"}, QUEUED, "scanner down"),
    ("end 552", {"end": "552 5.2.2 over quota"}, FAILED, "over quota"),
    ("end 554", {"end": "554 5.7.1 spam"}, FAILED, "spam"),
    ("end close", {"end": CLOSE}, QUEUED, "clos"),
    ("end silence", {"end": IGNORE}, QUEUED, "tim"),
    ("end slow but fine", {"end": Delay(1)}, SENT, ""),
    ("end garbage", {"end": "whatever"}, QUEUED, ""),
    ("quit close", {"quit": CLOSE}, SENT, ""),
    ("quit silence", {"quit": IGNORE}, SENT, ""),
    ("250 and close", {"end": Raw(b"250 2.0.0 ok\r\n", close=True)}, SENT, None),
]


@root
@timeout(120)
def test_failure_classes(t):
    mox = t.mox(config={"Queue": {"RetryFirst": "1h", "MaxAttempts": 5, "ConnectTimeout": "2s",
                                  "CommandTimeout": "2s", "MaxConcurrent": 100}})
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    peers = []
    with mox.talk() as s:  # all under way at once, then one look at each
        s.ehlo()
        for i, (name, script, _, _) in enumerate(CLASSES):
            peer = t.peer(script)
            domain = "d%d.example" % i
            mox.admin.domain(domain, relay=peer.hostport, recipients="any", tls="none")
            mid = unique() + "@class"
            s.mail("anna@in.example", ["x@" + domain], message("anna@in.example", mid=mid))
            peers.append((peer, mid))
    mox.wait_queue(lambda q: all(r["attempts"] and not r["in_flight"] for r in q), 25,
                   "an attempt for each")
    rows = {r["destination"]: r for r in mox.queue()}
    bounces = {r.decode().split("Final-Recipient: rfc822;")[1].split()[0]: r.decode()
               for r in mox.maildir("anna").raw() if b"Final-Recipient: rfc822;" in r}
    for i, (name, _, wanted, word) in enumerate(CLASSES):
        peer, mid = peers[i]
        row = rows.get("d%d.example" % i)
        bounce = bounces.get("x@d%d.example" % i)
        sent = mid in [message_id(m.data) for m in peer.taken()]
        got = QUEUED if row else FAILED if bounce else SENT
        with t.case(name):
            assert got == wanted, "%s, not %s: %s" % (got, wanted, row or bounce)
            if wanted == QUEUED:
                assert row["state"] == "queued" and row["attempts"] == 1, row
                assert row["last_error"], "no reason kept"
                assert word.lower() in row["last_error"].lower(), row["last_error"]
                when = datetime.datetime.fromisoformat(row["next_attempt"].replace("Z", "+00:00"))
                wait = when - datetime.datetime.now(datetime.timezone.utc)
                assert 3500 < wait.total_seconds() < 3620, wait
                assert not sent
            elif wanted == FAILED:
                assert word.lower() in bounce.lower().replace("\n", " "), bounce
                assert not [c for c in bounce if ord(c) < 32 and c not in "\r\n\t"], bounce
            elif word is not None:
                assert sent, "gone from the queue, but never sent"


@root
def test_limited_peers(t):
    """What a peer does not offer."""
    mox = t.mox(config={"Queue": {"RetryFirst": "1h", "CommandTimeout": "2s"}})
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")

    def send(domain, raw, params="", **kw):
        peer = t.peer(**kw)
        mox.admin.domain(domain, relay=peer.hostport, recipients="any", tls="none")
        mox.send("anna@in.example", "x@" + domain, raw, params=params)
        mox.wait_queue(lambda q: all(r["attempts"] and not r["in_flight"] for r in q), 8)
        return peer, [r for r in mox.queue() if r["destination"] == domain]

    with t.case("SIZE too small"):
        peer, rows = send("size.example", message(size=5000), extensions=("SIZE 1000",))
        assert not rows and not peer.taken()
        assert not [c for c in peer.sessions[0].commands if c.startswith("MAIL")]
        assert b"size.example" in mox.maildir("anna").wait(1)[0]
    with t.case("SIZE 0 is no limit"):
        peer, rows = send("size0.example", message(size=5000), extensions=("SIZE 0",))
        assert not rows and len(peer.taken()) == 1
    with t.case("no extensions at all"):
        peer, rows = send("bare.example", message(), extensions=())
        assert not rows and len(peer.taken()) == 1
        mail = [c for c in peer.sessions[0].commands if c.startswith("MAIL")][0]
        assert mail == "MAIL FROM:<anna@in.example>", mail
    with t.case("no SMTPUTF8"):
        raw = message(sender="jürgen@b.example", subject="grüße")
        peer, rows = send("noutf8.example", raw, params="SMTPUTF8 BODY=8BITMIME",
                          extensions=("8BITMIME",))
        assert not peer.taken(), "sent UTF-8 headers to a host that does not take them"
    with t.case("dots"):
        raw = message(body=".\r\n..\r\n.x\r\nend\r\n")
        peer, rows = send("dots.example", raw)
        assert peer.taken()[0].data.endswith(b"\r\n\r\n.\r\n..\r\n.x\r\nend\r\n")
    with t.case("answer before its time"):
        peer, rows = send("eager.example", message(), script={
            "greeting": Raw(b"220 hello\r\n250 already\r\n250 and more\r\n")})
        assert not peer.taken() or message_id(peer.taken()[0].data)


@root
def test_injection_after_starttls(t):
    """What a peer says in plaintext behind its 220 to STARTTLS is thrown away."""
    def starttls(session, arg):
        session.sock.sendall(b"220 2.0.0 go\r\n250-evil\r\n250 SIZE 1\r\n")
        session.sock = session.peer.context.wrap_socket(session.sock, server_side=True)
        session.buf, session.tls = b"", session.sock.version()
        return ""

    peer = t.peer({"starttls": starttls}, cert=t.authority.leaf("peer.example"))
    mox = t.mox(config={"Queue": {"RetryFirst": "1h", "CommandTimeout": "3s"}})
    mox.admin.domain("in.example", relay=peer.hostport, recipients="any", tls="required")
    mox.send("a@b.example", "x@in.example", message(size=2000))
    mox.wait_queue(lambda q: all(r["attempts"] and not r["in_flight"] for r in q), 8)
    rows = mox.queue()
    # Either it cuts the connection, or it goes on and believes nothing of that.
    assert (rows and not peer.taken()) or (not rows and peer.taken()[0].session.tls), rows
