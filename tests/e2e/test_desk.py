"""The admin's desk: hold rules, ways chosen by hand, which way mail takes, tests of relay hosts."""
from lib.context import root, timeout
from lib.mail import message
from lib.net import wait_for
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
