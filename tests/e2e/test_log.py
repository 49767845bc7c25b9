"""The message log: every transaction found by what people know of it, and its whole life."""
import http.client
import json
import threading
import time

from lib.context import root
from lib.mail import message, unique
from lib.net import wait_for
from lib.web import Browser

PASSWORD = "e2e-admin-password"
EVIL = "<img src=x onerror=alert(1)>"


def letter(from_, **kw):
    """A message with a From field of its own."""
    return message(sender="FROM", **kw).replace(b"From: <FROM>", b"From: " + from_.encode())


def found(mox, **filter_):
    rows, _ = mox.admin.request("log.list", **filter_)
    return rows


def one(mox, seconds=10, **filter_):
    """The only row, once it is there."""
    rows = wait_for(lambda: found(mox, **filter_), seconds, "a row for %s" % filter_, step=0.05)
    assert len(rows) == 1, rows
    return rows[0]


def life(mox, id_):
    events, last = mox.admin.request("log.get", id=id_)
    return events, last


def settled(mox, id_):
    def check():
        events, last = life(mox, id_)
        return (events, last) if last["open"] == 0 else None
    return wait_for(check, 15, "the end of %s" % id_, step=0.1)


@root
def test_delivered_deferred_bounced(t):
    peer = t.peer()
    mox = t.mox(config={"Queue": {"RetryFirst": "1s"}})
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    with t.case("delivered: found by every key"):
        mid = unique() + "@log"
        mox.send("Anna@sender.example", "x@out.example",
                 letter('"Boss" <boss@from.example>', subject="Quarterly", mid=mid))
        mox.wait_empty()
        row = one(mox, address="anna@SENDER.example")
        id_ = row["id"]
        session = row["session"]
        assert row["subject"] == "Quarterly" and row["size"] > 50, row
        assert row["results"] == ["accepted", "delivered"] and row["open"] == 0, row
        for filter_ in ({"address": "x@out.example"}, {"address": "boss@from.example"},
                        {"domain": "out.example"}, {"domain": "sender.example"},
                        {"domain": "from.example"}, {"session": session},
                        {"message_id": mid}, {"message_id": "<%s>" % mid},
                        {"ip": row["remote_ip"]}, {"ip": peer.ip}, {"result": "delivered"},
                        {"result": "accepted"}, {"since": "5m"}, {"text": "x@out.example"},
                        {"text": "<%s>" % mid}, {"text": session}, {"text": row["remote_ip"]}):
            assert one(mox, **filter_)["id"] == id_, filter_
        for filter_ in ({"until": "5m"}, {"address": "y@out.example"}, {"result": "bounced"},
                        {"address": "x@out.example", "result": "rejected"}):
            assert found(mox, **filter_) == [], filter_
    with t.case("its life, after the queue forgot it"):
        events, last = life(mox, id_)
        assert mox.queue() == []
        assert last["helo"] and last["listener"] == "public", last
        assert [e["event"] for e in events] == ["delivered"], events
        e = events[0]
        assert e["ip"] == peer.ip and e["code"] == 250 and e["to"] == "x@out.example", e
        assert e["text"], e
    with t.case("deferred, then delivered"):
        peer.script["rcpt"] = "451 4.3.0 come back"
        mox.send("a@b.example", "slow@out.example", message())
        row = one(mox, result="deferred")
        assert row["open"] == 1, row
        peer.script.clear()
        events, last = settled(mox, row["id"])
        kinds = [e["event"] for e in events]
        assert kinds[0] == "deferred" and kinds[-1] == "delivered", kinds
        assert "come back" in events[0]["text"] and events[0]["next_attempt"], events[0]
    with t.case("bounced, and its notice"):
        mox.admin.domain("b.example", relay=peer.hostport, recipients="any")
        peer.script["rcpt"] = "550 5.1.1 nobody %s" % EVIL
        mox.send("a@b.example", "gone@out.example", message())
        row = one(mox, address="gone@out.example")
        peer_events, last = settled(mox, row["id"])
        kinds = {e["event"]: e for e in peer_events}
        assert set(kinds) == {"failed", "notice"}, peer_events
        assert kinds["failed"]["code"] == 550 and "nobody" in kinds["failed"]["text"], kinds
        notice = kinds["notice"]["text"]
        _, dsn = life(mox, notice)
        assert dsn["about"] == row["id"] and dsn["from"] == "" and dsn["to"] == "a@b.example", dsn
        assert one(mox, address="gone@out.example", result="bounced")["id"] == row["id"]
    with t.case("all of it survives a kill"):
        before = {r["id"] for r in found(mox, limit=100)}
        mox.kill9()
        mox.start()
        after = {r["id"] for r in found(mox, limit=100)}
        assert before <= after, before - after
        events, last = life(mox, id_)
        assert [e["event"] for e in events] == ["delivered"] and last["open"] == 0
    with t.case("dropped by hand"):
        peer.script["rcpt"] = "451 4.3.0 later"
        mox.send("a@b.example", "drop@out.example", message())
        row = one(mox, address="drop@out.example", result="deferred")
        wait_for(lambda: mox.admin.act("drop", id=row["id"]) == 1, 10, "the drop", step=0.1)
        events, last = life(mox, row["id"])
        assert events[-1]["event"] == "dropped" and last["open"] == 0, events


@root
def test_refused(t):
    mox = t.mox(listener={"SMTPMaxMessageSize": 20000})
    mox.admin.domain("mox.example")
    mox.admin.account("anna")
    mox.admin.address("anna@mox.example", "anna")
    with t.case("relaying"):
        s = mox.talk()
        s.cmd("EHLO bad.example", 250)
        s.cmd("MAIL FROM:<spam@bad.example>", 250)
        s.cmd("RCPT TO:<victim@elsewhere.example>", 550)
        row = one(mox, address="victim@elsewhere.example")
        assert row["results"] == ["rejected"] and row["stage"] == "RCPT", row
        assert row["from"] == "spam@bad.example" and row["code"] == 550, row
        assert "Relaying" in row["text"] and row["helo"] == "bad.example", row
    with t.case("no such recipient"):
        s.cmd("RCPT TO:<nobody@mox.example>", 550)
        row = one(mox, address="nobody@mox.example")
        assert row["stage"] == "RCPT" and row["session"] == one(
            mox, address="victim@elsewhere.example")["session"]
        s.cmd("QUIT", 221)
    with t.case("too big, said at MAIL"):
        s = mox.talk()
        s.cmd("EHLO big.example", 250)
        s.cmd("MAIL FROM:<big@bad.example> SIZE=900000", 552)
        s.cmd("QUIT", 221)
        row = one(mox, address="big@bad.example")
        assert row["stage"] == "MAIL" and row["to"] == "" and row["code"] == 552, row
    with t.case("refused for its content: with subject and Message-ID"):
        mid = unique() + "@refused"
        s = mox.talk()
        s.cmd("EHLO loop.example", 250)
        s.cmd("MAIL FROM:<loop@bad.example>", 250)
        s.cmd("RCPT TO:<anna@mox.example>", 250)
        s.cmd("DATA", 354)
        raw = message(mid=mid, subject="Too much", body="x" * 70 + "\r\n")
        s.cmd((raw + b"y" * 70 * 400 + b"\r\n").decode() + ".", 552)
        row = one(mox, message_id=mid)
        assert row["stage"] == "DATA" and row["subject"] == "Too much", row
        assert row["to"] == "anna@mox.example" and row["results"] == ["rejected"], row
        s.cmd("QUIT", 221)
    with t.case("gone in the middle"):
        s = mox.talk()
        s.cmd("EHLO gone.example", 250)
        s.cmd("MAIL FROM:<gone@bad.example>", 250)
        s.cmd("RCPT TO:<anna@mox.example>", 250)
        s.cmd("DATA", 354)
        s.close()
        row = one(mox, address="gone@bad.example")
        assert row["results"] == ["tempfailed"] and row["stage"] == "DATA", row
    with t.case("mistakes in the dialogue are no mail"):
        n = len(found(mox, limit=100))
        s = mox.talk()
        s.cmd("EHLO x.example", 250)
        s.cmd("RCPT TO:<a@b.example>", 503)
        s.cmd("NONSENSE", 500)
        s.cmd("QUIT", 221)
        time.sleep(0.6)
        assert len(found(mox, limit=100)) == n
    with t.case("refusals survive a stop"):
        s = mox.talk()
        s.cmd("EHLO last.example", 250)
        s.cmd("MAIL FROM:<last@bad.example>", 250)
        s.cmd("RCPT TO:<last@elsewhere.example>", 550)
        s.cmd("QUIT", 221)
        mox.restart()
        assert one(mox, address="last@elsewhere.example")


@root
def test_cli(t):
    peer = t.peer()
    mox = t.mox()
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    mox.send("a@b.example", ["x@out.example", "y@out.example"], message(subject="Two"))
    mox.wait_empty()
    with t.case("list"):
        out = mox.cli("log", "-config").stdout
        assert "a@b.example" in out and "x@out.example +1" in out and "delivered" in out, out
        assert "Two" in out
        rows = json.loads(mox.cli("log", "-config", "-json", "-address", "Y@OUT.example").stdout)
        assert len(rows) == 1 and rows[0]["results"] == ["accepted", "delivered"], rows
        assert json.loads(mox.cli("log", "-config", "-json", "nobody@b.example").stdout) == []
        assert json.loads(mox.cli("log", "-config", "-json", "-since", "1h", "-result",
                                  "delivered", "-n", "1", "b.example").stdout)
    with t.case("show"):
        id_ = rows[0]["id"]
        out = mox.cli("log", "show", "-config", id_).stdout
        assert "delivered" in out and peer.ip in out, out
        assert "Greeting: 220" in out, "the steps of the delivery: " + out
        all_ = json.loads(mox.cli("log", "show", "-config", "-json", id_).stdout)
        assert len(all_["events"]) == 2 and len(all_["recipient_list"]) == 2, all_
    with t.case("keep"):
        assert "30" in mox.cli("log", "keep", "-config").stdout
        assert "14" in mox.cli("log", "keep", "-config", "14").stdout
        assert "14" in mox.cli("log", "keep", "-config").stdout
    with t.case("bad words"):
        for words in (["-result", "lost"], ["-since", "yesterday"], ["-ip", "x"], ["nonsense"],
                      ["-address", "x"], ["-n", "0"]):
            got = mox.cli("log", "-config", *words, check=False)
            assert got.returncode == 1 and got.stderr.strip().count("\n") == 0, (words, got)
        assert mox.cli("log", "show", "-config", "q9999", check=False).returncode == 1
    with t.case("without a daemon"):
        mox.stop()
        rows = json.loads(mox.cli("log", "-config", "-json").stdout)
        assert rows[0]["id"] == id_, rows


@root
def test_pages(t):
    peer = t.peer({"rcpt": "451 4.3.0 %s" % EVIL})
    mox = t.mox(config={"Queue": {"RetryFirst": "1h"}})
    mox.admin.request("adminpassword", password=PASSWORD)
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    b = Browser(mox.ip, mox.admin_port)
    with t.case("needs a login"):
        for path in ("log", "log/q1", "log/tail"):
            assert b.get(path).status in (302, 303), path
    b.login(PASSWORD)
    with t.case("empty"):
        assert "No mail has come or gone yet" in b.get("log").text
    mox.send("a@b.example", "x@out.example",
             letter('"%s" <e@b.example>' % EVIL, subject=EVIL))
    id_ = one(mox, result="deferred")["id"]
    with t.case("found, and escaped"):
        page = b.get("log?q=x%40out.example")
        assert page.status == 200 and id_ in page.html and "Deferred" in page.text
        assert EVIL not in page.html and "&lt;img src=x" in page.html
    with t.case("its life, escaped"):
        page = b.get("log/" + id_)
        assert page.status == 200 and EVIL not in page.html
        assert page.html.count("&lt;img src=x") >= 3, "subject, From and reply"
        assert "Deferred" in page.text and "queue/" + id_ in page.html
        assert "log/" + id_ in b.get("queue/" + id_).html
    with t.case("a queue id leads there"):
        got = b.get("log?q=" + id_)
        assert got.status == 303 and got.headers["Location"].endswith("log/" + id_)
    with t.case("nothing, nonsense, odd dates"):
        assert "matches this" in b.get("log?q=nobody%40b.example").text
        assert "nothing mail can be found by" in b.get("log?q=bla+bla").text
        assert "is no time" in b.get("log?from=2026-02-30").text
        assert b.get("log?q=%3Cscript%3E&result=%22&time=%22&before=x").status == 200
        assert b.get("log/q999999").status == 404 and b.get("log/nothing").status == 404
    with t.case("how long it is kept"):
        b.get("log")
        assert "Saved" in b.submit("days", days="7").text
        assert 'value="7"' in b.get("log").html
        b.get("log")
        assert b.submit("days", days="0").status == 400


@root
def test_tail(t):
    mox = t.mox()
    mox.admin.request("adminpassword", password=PASSWORD)
    mox.admin.domain("mox.example")
    mox.admin.account("anna")
    mox.admin.address("anna@mox.example", "anna")
    b = Browser(mox.ip, mox.admin_port)
    b.login(PASSWORD)

    def watch(query=""):
        c = http.client.HTTPConnection(mox.ip, mox.admin_port, timeout=20)
        c.request("GET", "/admin/log/tail" + query,
                  headers={"Cookie": "; ".join("%s=%s" % kv for kv in b.cookies.items())})
        r = c.getresponse()
        return c, r

    def lines_until(r, needle):
        got = ""
        while needle not in got:
            line = r.readline().decode()
            assert line, "the stream ended: " + got
            got += line
        return got

    with t.case("rows come as they are written"):
        c, r = watch()
        assert r.status == 200 and r.headers["Content-Type"] == "text/event-stream"
        lines_until(r, "here")
        mox.send("a@b.example", "anna@mox.example", message(subject=EVIL))
        got = lines_until(r, "Delivered")
        assert "event: row" in got and EVIL not in got and "&lt;img" in got, got
    with t.case("only what is looked for"):
        c2, r2 = watch("?q=second%40b.example")
        lines_until(r2, "here")
        mox.send("first@b.example", "anna@mox.example", message())
        mox.send("second@b.example", "anna@mox.example", message())
        got = lines_until(r2, "second@b.example")
        assert "first@b.example" not in got, got
    with t.case("so many, and one more"):
        more = []
        for _ in range(40):
            more.append(watch())
            if more[-1][1].status == 503:
                break
        assert more[-1][1].status == 503, len(more)
        for con, _ in more:
            con.close()
    with t.case("pages go on meanwhile, and those who left make room"):
        assert b.get("log").status == 200
        mox.send("a@b.example", "anna@mox.example", message())

        def room():
            con, got = watch()
            con.close()
            return got.status == 200
        wait_for(room, 40, "room for another", step=0.5)
    with t.case("ends cleanly with the daemon"):
        ended = threading.Event()

        def read():
            try:
                while r.readline():
                    pass
            except (OSError, http.client.HTTPException):
                pass
            ended.set()

        threading.Thread(target=read, daemon=True).start()
        start = time.monotonic()
        assert mox.stop() == 0
        assert time.monotonic() - start < 8, "took %.1f s" % (time.monotonic() - start)
        assert ended.wait(5)
    c.close()
    c2.close()
