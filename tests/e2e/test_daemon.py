"""Starting badly, reloading, stopping."""
import hashlib
import os
import re
import signal
import socket
import sqlite3
import time

from lib.context import root
from lib.mail import message, unique
from lib.net import wait_for
from lib.proc import Proc


def digest(folder):
    """Names and contents below a folder; not the lock, which says who tried, nor what SQLite
    puts beside a database that it reads (an empty log and its index)."""
    out = {}
    for base, dirs, names in os.walk(folder):
        for n in sorted(names):
            path = os.path.join(base, n)
            if not os.path.isfile(path) or n in ("lock", "mox.db-shm") or (
                    n == "mox.db-wal" and os.path.getsize(path) == 0):
                continue
            with open(path, "rb") as f:
                out[os.path.relpath(path, folder)] = hashlib.sha256(f.read()).hexdigest()
        for n in dirs:
            out[os.path.relpath(os.path.join(base, n), folder) + "/"] = ""
    return out


def unchanged(folder, before):
    now = digest(folder)
    changed = [k for k in set(now) | set(before) if now.get(k) != before.get(k)]
    assert not changed, "changed in the data directory: %s" % sorted(changed)


def used(t):
    """A stopped mox with something in its database."""
    mox = t.mox(start=False)
    mox.start()
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.stop()
    return mox


@root
def test_bad_configuration(t):
    mox = used(t)
    with open(mox.conf) as f:
        good = f.read()
    before = digest(mox.data)
    key = os.path.join(mox.folder, "unreadable.key")

    def fails(name, text, *words):
        with t.case(name):
            with open(mox.conf, "w") as f:
                f.write(text)
            status, said = mox.start_fails()
            lines = [l for l in said.splitlines() if l.strip()]
            assert status == 1, "status %s: %s" % (status, said)
            assert len(lines) == 1, "not one line: %s" % said
            for w in words:
                assert w.lower() in lines[0].lower(), "no %r in: %s" % (w, lines[0])
            unchanged(mox.data, before)
        with t.case(name + ", config test"):
            r = mox.cli("config", "test", "-config", check=False)
            assert r.returncode == 1 and len(r.stderr.splitlines()) == 1, r
            assert words[0].lower() in r.stderr.lower(), r.stderr

    fails("unknown field", good + "Hostnmae: x.example\n", "Hostnmae", "Hostname",
          "mox.conf:%d" % (good.count("\n") + 1))
    fails("unknown field below", good.replace("RetryFirst:", "RetryFrist:"), "RetryFrist",
          "RetryFirst")
    fails("wrong number", good.replace("\tRetryFirst: 1s", "\tRetryFirst: soon"), "RetryFirst",
          "soon")
    fails("wrong log level", good.replace("LogLevel: debug", "LogLevel: loud"), "LogLevel", "loud")
    fails("wrong address", good.replace("- " + mox.ip, "- 300.1.2.3"), "300.1.2.3")
    fails("missing field", re.sub(r"Hostname:.*\n", "", good), "Hostname")
    fails("no syntax", good + "what is this\n", "mox.conf:%d" % (good.count("\n") + 1))
    fails("no such key", re.sub(r"KeyFile: .*", "KeyFile: " + key, good), key)
    with open(key, "w") as f:
        f.write("-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n")
    cert = re.search(r"CertFile: (.*)", good).group(1)
    other = t.authority.leaf("other.example")[1]
    for name, text, words in (
            ("key is no key", re.sub(r"KeyFile: .*", "KeyFile: " + key, good), [key]),
            ("key of another certificate", re.sub(r"KeyFile: .*", "KeyFile: " + other, good),
             [os.path.basename(other)]),
            ("user unknown", good.replace("User: nobody", "User: nosuchuser7"),
             ["nosuchuser7"])):
        with t.case(name):
            with open(mox.conf, "w") as f:
                f.write(text)
            status, said = mox.start_fails()
            assert status == 1 and all(w in said for w in words), said
            assert len(said.strip().splitlines()) == 1, said
            unchanged(mox.data, before)
    assert cert
    with t.case("no such file"):
        r = mox.cli("serve", "-config", check=False) if os.rename(mox.conf, mox.conf + ".x") \
            else mox.cli("config", "test", "-config", check=False)
        assert r.returncode == 1 and "mox.conf" in r.stderr, r
    os.rename(mox.conf + ".x", mox.conf)
    with open(mox.conf, "w") as f:
        f.write(good)
    with t.case("and good again"):
        mox.start()


@root
def test_bad_surroundings(t):
    mox = used(t)
    before = digest(mox.data)
    db = os.path.join(mox.data, "mox.db")

    def fails(name, *words, same=True):
        now = digest(mox.data)
        status, said = mox.start_fails()
        assert status == 1, "%s: status %s: %s" % (name, status, said)
        assert len(said.strip().splitlines()) == 1, said
        for w in words:
            assert w.lower() in said.lower(), "no %r in: %s" % (w, said)
        if same:
            unchanged(mox.data, now)

    with t.case("port in use"):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((mox.ip, 25))
            s.listen()
            fails("port", mox.ip, "25", "in use", same=False)
    with t.case("second daemon"):
        mox.start()
        second = t.mox(start=False, data=mox.data)
        status, said = second.start_fails()
        assert status == 1 and len(said.strip().splitlines()) == 1, said
        assert mox.data in said, said
        assert mox.proc.running() and mox.admin.queue() == []
        mox.stop()
    with open(db, "rb") as f:
        sound = f.read()
    with t.case("corrupt database"):
        with open(db, "r+b") as f:
            f.write(b"This is no database at all. " * 8)
        fails("corrupt", "mox.db")
    with t.case("database cut short"):
        with open(db, "wb") as f:
            f.write(sound[:len(sound) // 2])
        fails("cut", "mox.db")
    with t.case("newer schema"):
        with open(db, "wb") as f:
            f.write(sound)
        c = sqlite3.connect(db)
        c.execute("PRAGMA user_version = 999")
        c.commit()
        c.close()
        for n in os.listdir(mox.data):
            if n.startswith("mox.db-"):
                os.unlink(os.path.join(mox.data, n))
        fails("newer", "999", "mox.db")
    with t.case("data directory is a file"):
        path = os.path.join(mox.folder, "afile")
        open(path, "w").close()
        third = t.mox(start=False, data=path)
        status, said = third.start_fails()
        assert status == 1 and path in said and len(said.strip().splitlines()) == 1, said
    with t.case("sound again"):
        with open(db, "wb") as f:
            f.write(sound)
        mox.start()
        assert [r["name"] for r in mox.admin.request("domain.list")[0]] == ["in.example"]
    assert before


@root
def test_reload(t):
    mox = t.mox()
    with t.case("a good one"):
        mark = mox.mark()
        mox.reload({"Listeners": {"public": {"SMTPMaxMessageSize": 123456}}})

        def size():
            with mox.talk() as s:
                return "SIZE 123456" in s.ehlo().lines

        wait_for(size, 5, "the new SIZE")
        assert mox.text()[mark:]
    with t.case("a bad one keeps the old"):
        mark = mox.mark()
        mox.reload({"Listeners": {"public": {"SMTPMaxMessageSize": "lots"}}})
        mox.wait_log("SMTPMaxMessageSize", start=mark)
        with mox.talk() as s:
            assert "SIZE 123456" in s.ehlo().lines
        assert mox.proc.running()
    with t.case("a session goes on over a reload"):
        with mox.talk() as s:
            s.ehlo()
            mox.reload({"Listeners": {"public": {"SMTPMaxMessageSize": 222222}}})
            time.sleep(0.3)
            s.cmd("NOOP", 250)
    with t.case("a new port"):
        mox.reload({"Listeners": {"extra": {"IPs": [mox.ip],
                                            "SMTP": {"Enabled": True, "Port": 2525}}}})

        def answers():
            try:
                with mox.talk(port=2525) as s:
                    return s.greeting.code == 220
            except (OSError, AssertionError):  # closed between connect and greeting
                return False

        wait_for(answers, 5, "port 2525")
    with t.case("a port goes"):
        mox.reload({"Listeners": {"extra": None}})
        wait_for(lambda: not answers(), 5, "port 2525 closed")
    with t.case("a new certificate"):
        cert, key = t.authority.leaf("renewed.example")
        mox.reload({"Listeners": {"public": {"TLS": {"KeyCerts": [
            {"CertFile": cert, "KeyFile": key}]}}}})

        def renewed():
            try:
                with mox.talk() as s:
                    s.ehlo()
                    s.cmd("STARTTLS", 220)
                    s._wrap(verify=t.authority.cert, name="renewed.example")
                    return True
            except OSError:
                return False

        wait_for(renewed, 5, "the new certificate")


@root
def test_drain(t):
    mox = t.mox()
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    mid = unique() + "@drain"
    with mox.talk() as busy, mox.talk() as idle:
        busy.ehlo()
        idle.ehlo()
        busy.cmd("MAIL FROM:<a@b.example>", 250)
        busy.cmd("RCPT TO:<anna@in.example>", 250)
        busy.cmd("DATA", 354)
        busy.send(message(mid=mid))
        mox.proc.signal(signal.SIGTERM)
        with t.case("an idle session is told"):
            r = idle.reply()
            assert r.code == 421 and idle.at_end(), r
        with t.case("no new connections"):
            def refused():
                try:
                    mox.talk().close()
                    return False
                except (OSError, AssertionError):
                    return True

            wait_for(refused, 3, "refusal")
        with t.case("a message under way is taken"):
            assert mox.proc.running()
            busy.send(b".\r\n")
            assert busy.reply().code == 250
            try:
                assert busy.cmd("NOOP").code == 421
            except (OSError, AssertionError):
                pass
    with t.case("status 0"):
        assert mox.proc.wait(15) == 0
    with t.case("it is there after the next start"):
        mox.start()
        mox.maildir("anna").wait_mid(mid)


@root
def test_no_user_rights_left(t):
    """As root it serves as the user of mox.conf."""
    mox = t.mox()
    with open("/proc/%d/status" % mox.proc.pid) as f:
        uid = re.search(r"Uid:\s+(\d+)\s+(\d+)\s+(\d+)", f.read()).groups()
    import pwd
    assert set(uid) == {str(pwd.getpwnam("nobody").pw_uid)}, uid
    assert os.stat(mox.data).st_mode & 0o077 == 0, "the data directory is open to others"


@root
def test_notify(t):
    """READY=1 to systemd once it serves, STOPPING=1 at the end."""
    mox = t.mox(start=False)
    path = os.path.join(mox.folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        os.chmod(path, 0o777)
        s.settimeout(10)
        mox.proc = Proc([mox.binary, "serve", "-config", mox.conf], mox.log,
                        env=dict(mox.env(), NOTIFY_SOCKET=path))
        said = s.recv(4096).decode()
        while "READY=1" not in said:
            said = s.recv(4096).decode()
        with mox.talk() as talk:
            talk.ehlo()
        mox.proc.signal(signal.SIGTERM)
        while "STOPPING=1" not in said:
            said = s.recv(4096).decode()
    assert mox.proc.wait(10) == 0
