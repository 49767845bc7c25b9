"""The queue: verbs, schedule, latency, transactions and connections."""
import datetime
import time

from lib.context import root, timeout
from lib.mail import message, message_id, unique
from lib.net import SLOW, wait_for
from lib.peer import Delay


def seconds_until(text):
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (when - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def to_peer(t, script=None, queue=None, **kw):
    peer = t.peer(script, **kw)
    mox = t.mox(config={"Queue": queue or {}})
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    return mox, peer


@root
def test_verbs(t):
    mox, peer = to_peer(t, {"mail": "451 4.3.0 later"}, {"RetryFirst": "1h"})
    mids = [unique() + "@verb" for _ in range(3)]
    for mid in mids:
        mox.send("a@b.example", "x@out.example", message(mid=mid))
    rows = mox.wait_queue(lambda q: q if len(q) == 3 and all(r["attempts"] for r in q) else None)
    first, second, third = (r["id"] for r in rows)
    with t.case("what a row says"):
        r = rows[0]
        assert r["from"] == "a@b.example" and r["to"] == "x@out.example", r
        assert r["destination"] == "out.example" and r["state"] == "queued", r
        assert "later" in r["last_error"] and not r["in_flight"], r
        assert 3500 < seconds_until(r["next_attempt"]) < 3700, r
    with t.case("attempts of one message"):
        m = mox.admin.message(first)
        a = m["attempts"][0]
        assert a["code"] == 451 and a["enhanced_code"] == "4.3.0" and "later" in a["text"], a
        assert a["ip"] == peer.ip and a["outcome"] == "deferred", a
    with t.case("hold"):
        assert mox.admin.act("hold", id=first) == 1
        peer.script.clear()
        mox.admin.act("kick", all=True)
        mox.wait_queue(lambda q: [r["id"] for r in q] == [first])
        time.sleep(0.3)
        row = mox.queue()[0]
        assert row["state"] == "held", row
        assert len(peer.taken()) == 2
    with t.case("unhold"):
        assert mox.admin.act("unhold", id=first) == 1
        mox.wait_empty()
        assert {message_id(m.data) for m in peer.taken()} == set(mids)
    with t.case("drop"):
        peer.script["mail"] = "451 4.3.0 later"
        mox.send("a@b.example", "x@out.example", message())
        row = mox.wait_queue(lambda q: [r for r in q if r["attempts"]])[0]
        assert mox.admin.act("drop", id=row["id"]) == 1
        assert mox.queue() == []
        peer.script.clear()
        time.sleep(0.3)
        assert len(peer.taken()) == 3
    with t.case("unknown id"):
        try:
            assert mox.admin.act("kick", id=row["id"]) == 0
        except AssertionError as no:
            assert "queue" in str(no) or "message" in str(no), no
    with t.case("hold survives a restart"):
        peer.script["mail"] = "451 4.3.0 later"
        mox.send("a@b.example", "x@out.example", message())
        mox.wait_queue(lambda q: [r for r in q if r["attempts"]])
        mox.admin.act("hold", all=True)
        mox.restart()
        assert mox.queue()[0]["state"] == "held"
    assert second and third


@root
def test_schedule(t):
    """Each wait doubles."""
    mox, peer = to_peer(t, {"greeting": "421 4.3.2 busy"}, {"RetryFirst": "100s",
                                                            "MaxAttempts": 5})
    mox.send("", "x@out.example", message())
    for n, wanted in enumerate((100, 200, 400, 800)):
        row = mox.wait_queue(lambda q, n=n: [r for r in q if r["attempts"] == n + 1 and
                                             not r["in_flight"]], 10, "attempt %d" % (n + 1))[0]
        wait = seconds_until(row["next_attempt"])
        assert wanted - 8 <= wait <= wanted + 8, "attempt %d: next in %.0f s" % (n + 1, wait)
        mox.admin.act("kick", id=row["id"])
    mox.wait_empty()  # the fifth was the last, and the null sender hears nothing
    assert peer.connections() == 5, peer.connections()


@root
def test_latency(t):
    """Delivered within 100 ms of the 250, by relay and into a Maildir."""
    mox, peer = to_peer(t)
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    waits = []
    with mox.talk() as s:
        s.ehlo()
        for i in range(10):
            s.mail("a@b.example", ["x@out.example"], message())
            sent = time.monotonic()
            wait_for(lambda i=i: len(peer.taken()) == i + 1, 5, "delivery", step=0.001)
            waits.append(peer.taken()[-1].time - sent)
        s.mail("a@b.example", ["anna@in.example"], message())
        sent = time.monotonic()
        wait_for(mox.maildir("anna").raw, 5, "the Maildir", step=0.001)
        waits.append(time.monotonic() - sent)
    waits.sort()
    assert waits[len(waits) // 2] < 0.05 * SLOW and waits[-1] < 0.3 * SLOW, waits


@root
def test_one_transaction(t):
    mox, peer = to_peer(t)
    rcpts = ["r%d@out.example" % i for i in range(20)]
    mox.send("a@b.example", rcpts, message())
    mox.wait_empty()
    assert len(peer.taken()) == 1 and sorted(peer.taken()[0].rcpts) == sorted(rcpts), [
        m.rcpts for m in peer.taken()]


@root
def test_connection_reuse(t):
    """While more mail waits for the same next hop, the connection is kept."""
    mox, peer = to_peer(t, {"greeting": Delay(0.3)}, {"MaxConcurrentPerDomain": 2})
    with mox.talk() as s:
        s.ehlo()
        for _ in range(30):
            s.mail("a@b.example", ["x@out.example"], message())
    mox.wait_empty()
    assert len(peer.taken()) == 30
    assert peer.connections() <= 4, "%d connections for 30 messages" % peer.connections()
    used = [s for s in peer.sessions if s.commands]
    assert max(len([c for c in s.commands if c.startswith("MAIL")]) for s in used) > 5


@root
def test_concurrency(t):
    """A slow next hop holds up nobody else, and gets no more than its share."""
    slow, fast = t.peer({"end": Delay(1.5)}), t.peer()
    mox = t.mox(config={"Queue": {"MaxConcurrent": 10, "MaxConcurrentPerDomain": 2}})
    mox.admin.domain("slow.example", relay=slow.hostport, recipients="any")
    mox.admin.domain("fast.example", relay=fast.hostport, recipients="any")
    with mox.talk() as s:
        s.ehlo()
        for _ in range(6):
            s.mail("a@b.example", ["x@slow.example"], message())
        start = time.monotonic()
        s.mail("a@b.example", ["x@fast.example"], message())
    wait_for(fast.taken, 2, "the fast one", step=0.005)
    assert time.monotonic() - start < 0.5 * SLOW
    assert slow.connections() <= 2, slow.connections()


@root
@timeout(60)
def test_broken_connections_are_replaced(t):
    """A kept connection that the peer has closed costs no attempt."""
    mox, peer = to_peer(t, queue={"RetryFirst": "1h", "IdleConnection": "30s"})
    mox.send("a@b.example", "x@out.example", message())
    mox.wait_empty()
    peer.stop()
    peer.start()
    mox.send("a@b.example", "x@out.example", message())
    mox.wait_empty(5)
    assert len(peer.taken()) == 2
