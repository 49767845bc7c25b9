"""kill -9 under load, and a full disk: what was answered with 250 is delivered."""
import os
import random
import threading
import time

from lib.context import root, timeout
from lib.mail import message, message_id, unique
from lib.net import wait_for
from lib.proc import run
from lib.talk import SmtpTalk

KILLS = 50
SENDERS = 8


class Sender(threading.Thread):
    """Sends without end on a kept connection; remembers what was answered with 250."""

    def __init__(self, mox, number, stop):
        super().__init__(daemon=True)
        self.mox, self.number, self.stop = mox, number, stop
        self.accepted, self.tried, self.refused = [], [], []

    def run(self):
        random_sizes = random.Random(self.number)
        while not self.stop.is_set():
            try:
                with SmtpTalk(self.mox.ip, self.mox.smtp_port, timeout=10) as s:
                    s.ehlo()
                    while not self.stop.is_set():
                        self.one(s, random_sizes)
            except (AssertionError, OSError, ValueError):
                time.sleep(0.01)

    def one(self, s, sizes):
        mid = "%s.%d@crash" % (unique(), self.number)
        rcpt = "x@out.example" if self.number % 2 else "anna@in.example"
        size = 200_000 if sizes.random() < 0.03 else 2000
        self.tried.append(mid)
        s.cmd("MAIL FROM:<a@b.example>", 250)
        s.cmd("RCPT TO:<%s>" % rcpt, 250)
        r = s.data(message(mid=mid, size=size), want=None)
        if r.code == 250:
            self.accepted.append((mid, rcpt))
        else:
            self.refused.append(r)


@root
@timeout(240)
def test_kill9(t):
    sink = t.peer()
    mox = t.mox(config={"LogLevel": "info"})
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    mox.admin.domain("out.example", relay=sink.hostport, recipients="any", tls="none")
    mox.admin.network("127.0.0.0/8")  # not checked: there are no name servers to wait for
    stop = threading.Event()
    senders = [Sender(mox, i, stop) for i in range(SENDERS)]
    for s in senders:
        s.start()
    moments, end = random.Random(os.environ.get("E2E_SEED", "1")), time.monotonic() + 150
    killed = []  # when
    while len(killed) < KILLS and time.monotonic() < end:
        time.sleep(moments.uniform(0.02, 0.5))
        mox.kill9()
        killed.append(time.time())
        mox.start()
    kills = len(killed)
    time.sleep(0.3)
    stop.set()
    for s in senders:
        s.join(20)
    mox.wait_empty(40)
    accepted = [a for s in senders for a in s.accepted]
    tried = {m for s in senders for m in s.tried}
    got = {"x@out.example": {}, "anna@in.example": {}}  # when each copy of an id came
    for m in sink.taken():
        got["x@out.example"].setdefault(message_id(m.data), []).append(m.wall)
    for mid, when in mox.maildir("anna").ids_and_times():
        got["anna@in.example"].setdefault(mid, []).append(when)
    print("%d kills, %d accepted, %d tried, relayed %d, in the Maildir %d" % (
        kills, len(accepted), len(tried), len(got["x@out.example"]),
        len(got["anna@in.example"])))
    with t.case("enough happened"):
        assert kills == KILLS, "only %d kills in the time" % kills
        assert len(accepted) > 10 * KILLS, len(accepted)
    with t.case("none lost"):
        lost = [a for a in accepted if a[0] not in got[a[1]]]
        assert not lost, "%d of %d lost: %s" % (len(lost), len(accepted), lost[:5])
    with t.case("at most once more a kill, and few"):
        more = 0
        for times in (sorted(times) for of in got.values() for times in of.values()):
            more += len(times) - 1
            for a, b in zip(times, times[1:]):
                assert [k for k in killed if a - 0.1 <= k <= b + 0.1], "twice without a kill"
        print("%d copies more than sent" % more)
        assert more <= kills * SENDERS, "%d copies more than sent" % more
    with t.case("nothing that nobody sent"):
        strange = [m for of in got.values() for m in of if m not in tried]
        assert not strange, strange[:5]
    with t.case("nothing left over"):
        spool = [n for _, _, names in os.walk(os.path.join(mox.data, "spool")) for n in names]
        mox.restart()
        spool = [n for _, _, names in os.walk(os.path.join(mox.data, "spool")) for n in names]
        assert not spool, "spool files without a row: %s" % spool[:5]
    with t.case("the database is sound"):
        mox.stop()
        import sqlite3
        db = sqlite3.connect(os.path.join(mox.data, "mox.db"))
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert not db.execute("PRAGMA foreign_key_check").fetchall()


@root
@timeout(120)
def test_disk_full(t):
    data = os.path.join(t.folder("small"), "data")
    os.makedirs(data)
    run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=0755", "tmpfs", data])
    sink_ip = t.ip()
    mox = t.mox(data=data, start=False)
    import pwd
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    mox.start()
    mox.admin.domain("out.example", relay=sink_ip + ":25", recipients="any", tls="none")
    mox.admin.act("hold", all=True)
    accepted, codes = [], []

    def fill(size, limit):
        with mox.talk() as s:
            s.ehlo()
            for _ in range(limit):
                mid = unique() + "@full"
                s.cmd("MAIL FROM:<a@b.example>", (250, 452))
                if s.cmd("RCPT TO:<x@out.example>").code != 250:
                    return 452
                r = s.data(message(mid=mid, size=size), want=None)
                codes.append(r.code)
                if r.code == 250:
                    accepted.append(mid)
                else:
                    s.cmd("NOOP", 250)
                    return r.code
        return None

    with t.case("small messages until it is full"):
        assert fill(60_000, 400) == 452, codes[-3:]
        assert len(accepted) > 10, accepted
    with t.case("a large one, through the spool"):
        assert fill(2_000_000, 3) == 452, codes[-3:]
    with t.case("still there"):
        assert mox.proc.running()
        with mox.talk() as s:
            s.ehlo()
        assert len(mox.queue()) == len(accepted)
        for _ in range(20):
            fill(60_000, 1)
        assert mox.proc.running() and set(codes) <= {250, 452}, set(codes)
    with t.case("space returns"):
        run(["mount", "-o", "remount,size=80m", data])
        sink = t.peer(ip=sink_ip)
        assert fill(60_000, 20) is None, codes[-3:]
        mox.admin.act("kick", all=True)
        mox.wait_empty(40)
        got = [message_id(m.data) for m in sink.taken()]
        assert set(accepted) <= set(got), "%d lost" % len(set(accepted) - set(got))
        assert len(got) <= len(accepted) + 3, (len(got), len(accepted))
    mox.stop()


@root
@timeout(60)
def test_disk_full_while_delivering(t):
    """Results cannot be written: the queue waits for space and then goes on."""
    data = os.path.join(t.folder("small"), "data")
    os.makedirs(data)
    run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0755", "tmpfs", data])
    import pwd
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    sink = t.peer({"mail": "451 4.3.0 later"})
    mox = t.mox(data=data, config={"Queue": {"RetryFirst": "1s", "MaxAttempts": 30}})
    mox.admin.domain("out.example", relay=sink.hostport, recipients="any", tls="none")
    mids = [unique() + "@full" for _ in range(10)]
    for mid in mids:
        mox.send("a@b.example", "x@out.example", message(mid=mid))
    ballast = os.open(os.path.join(data, "ballast"), os.O_CREAT | os.O_WRONLY)
    try:
        while os.write(ballast, b"x" * 4096):
            pass
    except OSError:
        os.close(ballast)
    time.sleep(2)
    assert mox.proc.running()
    sink.script.clear()
    time.sleep(1)
    os.unlink(os.path.join(data, "ballast"))
    mox.admin.act("kick", all=True)
    mox.wait_empty(30)
    got = {message_id(m.data) for m in sink.taken()}
    assert set(mids) <= got, "lost: %s" % (set(mids) - got)
    wait_for(lambda: mox.proc.running(), 1)
    mox.stop()
