"""The command line, on a running daemon and without one."""
import json
import os
import re
import sqlite3

from lib.context import root
from lib.mail import message, unique


@root
def test_config_commands(t):
    """Every kind of thing: add, list, change, remove; and mail that follows."""
    mox = t.mox()

    def cli(*words, **kw):
        return mox.cli(*words, "-config", **kw)

    def rows(*words):
        return json.loads(cli(*words, "-json").stdout)

    with t.case("accounts and domains"):
        cli("config", "account", "add", "anna", "-full_name", "Anna A.")
        cli("config", "domain", "add", "in.example", "-delivery", "mailbox")
        cli("config", "address", "add", "anna@in.example", "anna")
        cli("config", "alias", "add", "info@in.example", "anna@in.example")
        assert [r["name"] for r in rows("config", "domain", "list")] == ["in.example"]
        assert rows("config", "account", "list")[0]["full_name"] == "Anna A."
        assert rows("config", "address", "list")[0]["address"] == "anna@in.example"
        assert rows("config", "alias", "list")[0]["members"] == ["anna@in.example"]
        mid = unique() + "@cli"
        mox.send("a@b.example", "info@in.example", message(mid=mid))
        mox.maildir("anna").wait_mid(mid)
    with t.case("password"):
        cli("setaccountpassword", "anna", stdin="a long enough password\n")
        with mox.talk(mox.submissions_port, tls=True) as s:
            s.ehlo()
            s.auth_plain("anna@in.example", "a long enough password")
    with t.case("short password"):
        r = cli("setaccountpassword", "anna", stdin="short\n", check=False)
        assert r.returncode == 1 and len(r.stderr.splitlines()) == 1, r
    with t.case("relay domain, changed"):
        peer = t.peer()
        cli("config", "domain", "add", "out.example", "-relay", "127.0.0.1:1", "-recipients",
            "any")
        cli("config", "domain", "set", "out.example", "-relay", peer.hostport)
        mox.send("a@b.example", "x@out.example", message())
        mox.wait_empty()
        assert len(peer.taken()) == 1
    with t.case("transports, routes, networks"):
        cli("config", "transport", "add", "smart", "-relay", "127.0.0.1:26", "-tls", "none")
        cli("config", "route", "add", "smart", "-to", ".example.org")
        cli("config", "network", "add", "192.0.2.0/24", "-comment", "office")
        route = rows("config", "route", "list")[0]
        assert route["transport"] == "smart" and route["to"] == ".example.org", route
        r = cli("config", "transport", "rm", "smart", check=False)
        assert r.returncode == 1 and "route" in r.stderr, r
        cli("config", "route", "rm", str(route["id"]))
        cli("config", "transport", "rm", "smart")
        cli("config", "network", "rm", "192.0.2.0/24")
        assert rows("config", "network", "list") == []
    for words, reason in (
            (["domain", "add", "in.example"], "in.example"),
            (["domain", "add", "two..example"], "two..example"),
            (["domain", "add", "x.example", "-relay", "host:99999"], "99999"),
            (["domain", "add", "x.example", "-tls", "sometimes"], "sometimes"),
            (["domain", "add", "x.example", "-relay", "h:25", "-recipients", "maybe"], "maybe"),
            (["domain", "rm", "nothere.example"], "nothere.example"),
            (["address", "add", "zoe@nothere.example", "anna"], "nothere.example"),
            (["address", "add", "zoe@in.example", "zoe"], "zoe"),
            (["account", "add", "Bad Name"], "name"),
            (["alias", "add", "l@in.example", "not-an-address"], "not-an-address"),
            (["network", "add", "300.0.0.0/8"], "300.0.0.0"),
            (["route", "add", "nosuch"], "nosuch")):
        with t.case("refused: " + " ".join(words)):
            r = cli("config", *words, check=False)
            assert r.returncode == 1, r
            assert len(r.stderr.splitlines()) == 1 and reason.lower() in r.stderr.lower(), r.stderr
    with t.case("removed"):
        cli("config", "domain", "rm", "out.example")
        cli("config", "alias", "rm", "info@in.example")
        cli("config", "address", "rm", "anna@in.example")
        cli("config", "account", "rm", "anna")
        assert rows("config", "account", "list") == []


@root
def test_queue_commands(t):
    peer = t.peer({"mail": "451 4.3.0 later"})
    mox = t.mox(config={"Queue": {"RetryFirst": "1h"}})
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    mid = unique() + "@cli"
    mox.send("a@b.example", ["x@out.example", "y@out.example"], message(mid=mid, body="inside\r\n"))
    mox.wait_queue(lambda q: all(r["attempts"] for r in q))

    def cli(*words, **kw):
        return mox.cli("queue", *words, "-config", **kw)

    with t.case("list"):
        text = cli("list").stdout
        assert "x@out.example" in text and "later" in text, text
        rows = json.loads(cli("list", "-json").stdout)
        assert {r["to"] for r in rows} == {"x@out.example", "y@out.example"}
    queue_id = rows[0]["id"]
    with t.case("show and dump"):
        assert "later" in cli("show", queue_id).stdout
        dump = cli("dump", queue_id).stdout
        assert "inside" in dump and mid in dump and "\nReceived: " in dump, dump
        assert dump.startswith("Authentication-Results: "), dump
    with t.case("summary"):
        assert "out.example" in cli("summary").stdout
    with t.case("nothing to change"):
        r = cli("unhold", queue_id, check=False)
        assert r.returncode == 1 and queue_id + " is in the queue" in r.stderr, r
        assert len(r.stderr.splitlines()) == 1, r
    with t.case("hold, unhold, kick"):
        cli("hold", queue_id)
        assert {r["state"] for r in mox.queue()} == {"held"}
        peer.script.clear()
        cli("unhold", queue_id)
        mox.wait_empty()
    with t.case("drop"):
        peer.script["mail"] = "451 4.3.0 later"
        mox.send("a@b.example", "x@out.example", message())
        mox.wait_queue(lambda q: q and q[0]["attempts"])
        cli("drop", "-to", "out.example")
        assert json.loads(cli("list", "-json").stdout) == []
    with t.case("unknown id"):
        r = cli("drop", queue_id, check=False)
        assert r.returncode == 1 and len(r.stderr.splitlines()) == 1, r
        assert "nothing in the queue has the id " + queue_id in r.stderr, r
        assert queue_id in cli("show", queue_id, check=False).stderr
    with t.case("no id"):
        assert cli("drop", check=False).returncode == 2


@root
def test_without_daemon(t):
    mox = t.mox(start=False)
    mox.cli("config", "account", "add", "anna", "-config")
    mox.cli("config", "domain", "add", "in.example", "-delivery", "mailbox", "-config")
    mox.cli("config", "address", "add", "anna@in.example", "anna", "-config")
    assert mox.cli("queue", "list", "-json", "-config").stdout.strip() == "[]"
    mox.start()
    mid = unique() + "@off"
    mox.send("a@b.example", "anna@in.example", message(mid=mid))
    mox.maildir("anna").wait_mid(mid)
    mox.stop()
    r = mox.cli("reload", "-config", check=False)
    assert r.returncode == 1 and "no daemon" in r.stderr, r


@root
def test_daemon_commands(t):
    mox = t.mox()
    with t.case("status"):
        assert "25" in mox.cli("status", "-config").stdout
    with t.case("reload"):
        mox.write({"Listeners": {"public": {"SMTPMaxMessageSize": 77777}}})
        mox.cli("reload", "-config")
        with mox.talk() as s:
            assert "SIZE 77777" in s.ehlo().lines
    with t.case("reload of a bad one"):
        mox.write({"Hostname": "not a name"})
        r = mox.cli("reload", "-config", "-dir", mox.data, check=False)
        assert r.returncode == 1 and "Hostname" in r.stderr, r
        mox.write({"Hostname": "mx.mox.example"})
    with t.case("backup"):
        mox.admin.account("anna")
        mox.admin.domain("in.example")
        to = os.path.join(mox.folder, "copy")
        mox.cli("backup", to, "-config")
        db = sqlite3.connect(os.path.join(to, "mox.db"))
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with t.case("stop"):
        mox.cli("stop", "-config")
        assert mox.proc.wait(10) == 0


def test_usage(t):
    from lib.proc import run
    for words, status in ((["version"], 0), (["help"], 0), (["-h"], 0), (["queue", "list", "-h"], 0),
                          ([], 2), (["nonsense"], 2), (["queue"], 2), (["queue", "nonsense"], 2),
                          (["queue", "show"], 2), (["version", "-nonsense"], 2),
                          (["config", "test", "-config", "/nonexistent/mox.conf"], 1)):
        with t.case("mox " + " ".join(words)):
            r = run([t.binary] + words, check=False)
            assert r.returncode == status, r
            if status == 1:
                assert len(r.stderr.splitlines()) == 1 and words[-1] in r.stderr, r
    with t.case("version names itself"):
        assert re.match(r"mox \S+", run([t.binary, "version"]).stdout)


@root
def test_config_test(t):
    mox = t.mox(start=False)
    r = mox.cli("config", "test", "-config")
    assert r.returncode == 0 and not r.stderr, r
    assert not os.path.exists(mox.data), "config test made the data directory"
