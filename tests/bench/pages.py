"""Part "pages" of the bench: the admin pages on a full database while mail flows.

1,000,000 rows in the message log (written into the file, with ids, times and indexes as the
daemon has them; it makes the search runs itself at start), 100,000 recipients queued by SMTP
for a next hop that refuses, 1,000 domains. Then mail at a steady rate, first alone, then beside
somebody who opens one page after the other over one connection, as a browser does."""
import collections
import http.client
import os
import random
import re
import sqlite3
import statistics
import threading
import time

LOG_ROWS = int(os.environ.get("LOG_ROWS", 0)) or None
MAIL_RATE = int(os.environ.get("MAIL_RATE", 200))
SESSIONS = 4
PASSWORD = "bench-admin-password"

# What is opened, again and again; {msg} is a queued message's id, {log} one of the log's.
PAGES = (
    "", "queue", "queue?state=held", "queue?dest=d7.million.example", "queue?q=u5@d7.million.example",
    "queue/{msg}", "log", "log?q=user77@d77.example", "log?q=d500.example", "log?q=10.0.3.4",
    "log?result=bounced", "log/{log}", "quarantine", "domains", "domains/7", "domains/7/edit",
    "accounts", "routes", "transports", "networks", "lists", "listeners", "certificates", "mtasts",
    "destinations", "reports", "tokens", "settings", "machine", "metrics",
)


def fill_log(path, rows, days=29):
    """rows messages of the past into msglog, and ids go on after them."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous = OFF")
    names = [c[1] for c in db.execute("PRAGMA table_info(msglog)")]
    now_ms = int(time.time() * 1000)
    span_ms = days * 86400 * 1000
    rnd = random.Random(7)

    def values():
        for i in range(1, rows + 1):
            user, domain = rnd.randrange(1000), rnd.randrange(1000)
            roll = rnd.random()
            results = 2 if roll < .1 else 1 | 8 if roll < .95 else 1 | 16 | 32
            row = {
                "id": i, "at_ms": now_ms - span_ms + span_ms * i // rows, "results": results,
                "rcpts": 1, "open": 0, "stage": 0, "code": 250, "size": 4000 + i % 9000,
                "session": "s%x" % i, "mail_from": "user%d@d%d.example" % (user, domain),
                "rcpt": "user%d@d%d.example" % (domain, user),
                "remote_ip": "10.%d.%d.%d" % (i >> 18 & 255, domain & 255, user & 255),
                "message_id": "%x@bench.example" % i, "subject": "Message number %d" % i,
                "from_address": "user%d@d%d.example" % (user, domain),
                "header_from": "User <user%d@d%d.example>" % (user, domain),
                "helo": "mx%d.example" % domain, "listener": "public", "ecode": "2.0.0",
            }
            yield tuple(row.get(n, 0 if n in ("about",) else "") for n in names)

    with db:
        db.executemany("INSERT INTO msglog VALUES(%s)" % ",".join("?" * len(names)), values())
        db.execute("UPDATE queue_gauge SET next_id = max(next_id, ?)", (rows + 1,))
    db.close()


class Mail:
    """Steady mail from a few sessions; how many were taken, and how long each took."""

    def __init__(self, mox, rate):
        self.mox, self.rate, self.stop = mox, rate, threading.Event()
        self.taken, self.took = 0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True)
                        for i in range(SESSIONS)]
        for t in self.threads:
            t.start()

    def run(self, number):
        body = (b"From: a@load.example\r\nSubject: bench\r\n\r\n" + (b"x" * 78 + b"\r\n") * 50)
        due = time.monotonic() + number / self.rate
        with self.mox.talk() as s:
            s.ehlo()
            while not self.stop.is_set():
                time.sleep(max(0, due - time.monotonic()))
                start = time.monotonic()
                s.cmd("MAIL FROM:<a@load.example>", 250)
                s.cmd("RCPT TO:<x@good.example>", 250)
                s.data(body)
                with self.lock:
                    self.taken += 1
                    self.took.append(time.monotonic() - start)
                due = max(due + SESSIONS / self.rate, time.monotonic() - 1)

    def measure(self, seconds, during=None):
        """(messages a second, 95th percentile in ms) of the next seconds."""
        with self.lock:
            before, self.took = self.taken, []
        start = time.monotonic()
        if during:
            during(start + seconds)
        else:
            time.sleep(seconds)
        with self.lock:
            n, took = self.taken - before, sorted(self.took)
        return n / (time.monotonic() - start), took[int(len(took) * .95)] * 1e3 if took else 0.0

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(10)


class Reader:
    """Opens pages in turn over one connection; the times of each."""

    def __init__(self, mox, cookie, pages):
        self.c = http.client.HTTPConnection(mox.ip, mox.admin_port, timeout=30)
        self.cookie, self.pages = cookie, list(pages)
        self.times = collections.defaultdict(list)

    def get(self, page):
        start = time.monotonic()
        self.c.request("GET", "/admin/" + page, headers={"Cookie": self.cookie})
        r = self.c.getresponse()
        body = r.read()
        return r.status, time.monotonic() - start, body

    def present(self):
        """Leaves out what is not there; says which."""
        missing = [p for p in self.pages if self.get(p)[0] != 200]
        self.pages = [p for p in self.pages if p not in missing]
        return missing

    def until(self, end):
        while time.monotonic() < end:
            for p in self.pages:
                status, took, _ = self.get(p)
                assert status == 200, (p, status)
                self.times[p].append(took * 1e3)


def settle(mox, seconds):
    """Waits until the daemon has nothing to do on its own: search runs, first attempts."""
    def cpu():
        with open("/proc/%d/stat" % mox.proc.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    end = time.monotonic() + seconds
    last = cpu()
    while time.monotonic() < end:
        time.sleep(2)
        now = cpu()
        if now - last < 10:  # ticks of 10 ms in two seconds
            return
        last = now
    print("  note: mox is still busy by itself")


def run(bench, quick):
    from lib.web import Browser
    rows = LOG_ROWS or (50000 if quick else 1000000)
    queued, domains = (5000, 100) if quick else (100000, 1000)
    sink, sink_ip = bench.sink()
    dead = bench.t.ip()
    mox = bench.t.mox(config={"LogLevel": "error", "Queue": {"RetryFirst": "3600s"}})
    mox.admin.request("adminpassword", password=PASSWORD)
    mox.stop()
    start = time.monotonic()
    fill_log(os.path.join(mox.data, "mox.db"), rows)
    print("  log: %d rows in %.0f s" % (rows, time.monotonic() - start), flush=True)
    mox.start()
    mox.admin.network("127.0.0.0/8")
    mox.admin.transport("dead", dead + ":25", tls="none")
    mox.admin.route("dead", to=".million.example")
    mox.admin.domain("good.example", relay=sink_ip + ":2525", recipients="any", tls="none")
    for i in range(1, domains):
        mox.admin.domain("d%d.example" % i, relay="127.0.0.1:9", recipients="any")
    bench.helper("fill", mox.ip, 25, queued // 100, 100, 1000, 8)
    settle(mox, 20 if quick else 120)

    b = Browser(mox.ip, mox.admin_port)
    assert b.login(PASSWORD).status == 200
    cookie = "; ".join("%s=%s" % kv for kv in b.cookies.items())
    msg = re.search(r'href="/admin/queue/(q[0-9a-z]+)"', b.get("queue").html).group(1)
    found = re.search(r'href="/admin/log/([0-9a-z]+)"', b.get("log").html)
    reader = Reader(mox, cookie, [p.format(msg=msg, log=found.group(1) if found else "none")
                                  for p in PAGES])
    missing = reader.present()
    if missing:
        print("  not there: " + " ".join(missing))
    mail = Mail(mox, MAIL_RATE)
    mail.measure(2)
    span = 4 if quick else 20
    alone, alone_ms = mail.measure(span)
    beside, beside_ms = mail.measure(span, reader.until)
    mail.end()
    times = sorted(t for v in reader.times.values() for t in v)
    for p in sorted(reader.times, key=lambda p: -max(reader.times[p])):
        v = sorted(reader.times[p])
        print("    %-44s median %6.1f ms, 95 %% %6.1f ms, most %6.1f ms" % (
            "/admin/" + p, statistics.median(v), v[int(len(v) * .95)], v[-1]))
    p95, p99 = times[int(len(times) * .95)], times[int(len(times) * .99)]
    table = bench.table
    table.add("pages: 95 %% of %d under" % len(times), p95, None, "<= 20 ms", p95 <= 20, unit=" ms")
    table.add("pages: 99 %", p99, None, "<= 60 ms", p99 <= 60, unit=" ms")
    table.add("mail beside pages (alone: %.0f/s)" % alone, beside, None, ">= 95 %",
              beside >= .95 * alone, ratio=beside / alone)
    print("  a message took (95 %%) %.1f ms alone, %.1f ms beside pages" % (alone_ms, beside_ms))
    mox.kill9()
    sink.kill()
    sink.wait()
