#!/usr/bin/env python3
"""Measures mox beside Postfix and prints a table; run.sh calls this.

What is compared, so that the figures mean the same on both sides:
- Acceptance: 10 KiB messages from smtp-source, each answered only when it is on disk.
  Postfix writes and fsyncs a queue file a message and puts it on hold (access map HOLD);
  mox runs localserve -hold. So neither delivers meanwhile: acceptance alone is measured.
  smtp-sink, which keeps nothing, is the load tool's ceiling.
- Relay: the same load, passed on to smtp-sink; the clock stops when smtp-sink has all.
- Dane: relay by MX to a sink of our own, once in an unsigned zone and without TLS, once in a
  signed zone with a TLSA record, over verified TLS; a mox that knows nothing yet each time.
- Idle: resident memory (PSS) that sessions with EHLO done add. Postfix has a process a
  session, so it is asked for 200 of them.
- STARTTLS: new connection, TLS 1.3, P-256 key and group, no resumption.
- Million: recipients at 1,000 domains whose next hop refuses; then acceptance and delivery
  for others, compared with the same before.
- Pages: see pages.py; mox alone.
Postfix runs with its default durability and more processes than by default, else 50 or 200
sessions would wait in line."""
import argparse
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import pages  # noqa: E402
from lib.context import Context  # noqa: E402
from lib.net import port_open, wait_for  # noqa: E402
from lib.reap import adopt_orphans, descendants, kill_rest  # noqa: E402
from lib.tlscerts import tlsa  # noqa: E402
from lib.web import Browser  # noqa: E402

QUICK = os.environ.get("QUICK") == "1"
COUNT = int(os.environ.get("COUNT", 300 if QUICK else 4000))
REPEATS = int(os.environ.get("REPEATS", 1 if QUICK else 3))
IDLE = int(os.environ.get("IDLE", 500 if QUICK else 10000))
RECIPIENTS = int(os.environ.get("RECIPIENTS", 20000 if QUICK else 1000000))
LOG_ROWS = int(os.environ.get("LOG_ROWS", 100000 if QUICK else 1000000))
SIZE = 10240
RCPT = "x@bench.example"


class Table:
    def __init__(self):
        self.rows = []

    def add(self, metric, mox, postfix=None, target=None, ok=None, ratio=None, unit="/s"):
        if ratio is None and postfix:
            ratio = mox / postfix
        self.rows.append((metric, mox, postfix, ratio, target, ok, unit))
        print("  %-44s %10s%s" % (metric, figure(mox), unit), flush=True)

    def times(self, metric, mox, postfix, factor):
        self.add(metric, mox, postfix, ">= %gx" % factor, mox >= factor * postfix)

    def show(self):
        head = ("metric", "mox", "postfix", "ratio", "target", "")
        form = "%-46s %12s %12s %7s %12s  %s"
        print("\n" + form % head)
        for metric, mox, postfix, ratio, target, ok, unit in self.rows:
            print(form % (metric, figure(mox) + unit, figure(postfix) + unit if postfix else "-",
                          "%.2f" % ratio if ratio else "-", target or "-",
                          {True: "ok", False: "MISS", None: ""}[ok]))


def figure(n):
    return "%.0f" % n if n >= 100 else "%.1f" % n


def pss_kb(pids):
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))
        except (OSError, AttributeError):
            pass
    return total


class Bench:
    def __init__(self, tmp, mox, load):
        self.t, self.load, self.table = Context(tmp, mox), load, Table()

    # --- servers ---

    def sink(self, count=None):
        """smtp-sink: (Popen, ip). It ends after count messages when given."""
        ip = self.t.ip()
        argv = ["smtp-sink"] + (["-u", "nobody"] if os.getuid() == 0 else [])
        argv += (["-M", str(count)] if count else []) + ["%s:2525" % ip, "1024"]
        p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3)  # a look whether it listens would count as a session
        return p, ip

    def postfix(self, **settings):
        base = {"default_process_limit": "400", "smtpd_client_connection_rate_limit": "0",
                "smtpd_tls_session_cache_database": "", "queue_minfree": "0",
                "smtpd_tls_eecdh_grade": "auto", "smtpd_client_message_rate_limit": "0",
                "minimal_backoff_time": "300s", "maximal_backoff_time": "4000s",
                "queue_run_delay": "300s", "smtpd_tls_session_cache_timeout": "0",
                "tls_eecdh_auto_curves": "prime256v1", "bounce_size_limit": "50000"}
        base.update(settings)
        return self.t.postfix(port=2525, cert=self.t.authority.leaf("postfix.example"),
                              settings=base)

    def holding_postfix(self):
        return self.postfix(smtpd_recipient_restrictions="check_recipient_access static:HOLD")

    # --- load ---

    def source(self, ip, port, sessions, count, *options, rcpt=RCPT):
        """Messages per second of smtp-source."""
        start = time.monotonic()
        r = subprocess.run(["smtp-source", "-M", "load.example", "-l", str(SIZE), "-f",
                            "a@load.example", "-t", rcpt, "-s", str(sessions), "-m", str(count)]
                           + list(options) + ["%s:%d" % (ip, port)], capture_output=True,
                           text=True, check=False, timeout=300)
        if r.returncode != 0:
            raise RuntimeError("smtp-source to %s:%d: %s" % (ip, port, r.stderr.strip()))
        return count / (time.monotonic() - start)

    def helper(self, *args):
        """Figures that load prints."""
        r = subprocess.run([self.load] + [str(a) for a in args], capture_output=True, text=True,
                           check=False, timeout=3600)
        if r.returncode != 0:
            print("  load %s: %s %s" % (args[0], r.stdout.replace("\n", " "), r.stderr.strip()))
        return dict(re.findall(r"^(\w+) ([\d.]+)$", r.stdout, re.M))

    # --- parts ---

    def accept(self):
        print("accept: %d messages of %d octets, median of %d" % (COUNT, SIZE, REPEATS))
        sink, sink_ip = self.sink()
        postfix, mox = self.holding_postfix(), self.t.localserve("-hold")
        targets = {("-d", 1): 3, ("-d", 50): 5, ("", 50): 3}
        for mode, name in (("-d", "kept"), ("", "one a message")):
            for n in (1, 10, 50, 200):
                rates = {"sink": [], "postfix": [], "mox": []}
                count = COUNT // 4 if n == 1 else COUNT
                options = [mode] if mode else []
                for _ in range(REPEATS):
                    for who, ip, port in (("sink", sink_ip, 2525), ("postfix", postfix.ip, 2525),
                                          ("mox", mox.ip, mox.smtp_port)):
                        rates[who].append(self.source(ip, port, n, count, *options))
                got = {k: statistics.median(v) for k, v in rates.items()}
                label = "accept, %d sessions, connections %s" % (n, name)
                factor = targets.get((mode, n))
                if factor:
                    self.table.times(label, got["mox"], got["postfix"], factor)
                else:
                    self.table.add(label, got["mox"], got["postfix"])
                share = got["mox"] / got["sink"]
                self.table.add("  of smtp-sink's %.0f/s" % got["sink"], 100 * share, None,
                               "85 %" if n == 50 else None, share >= 0.85 if n == 50 else None,
                               unit=" %")
        sink.kill()
        sink.wait()
        postfix.stop()
        mox.stop()

    def relay(self):
        print("relay: accept and pass on to smtp-sink, %d messages, 20 sessions" % COUNT)
        rates = {"postfix": [], "mox": []}
        for _ in range(REPEATS):
            for who in rates:
                sink, sink_ip = self.sink(COUNT)
                if who == "postfix":
                    server = self.postfix(relayhost="[%s]:2525" % sink_ip)
                    port = 2525
                else:
                    server = self.t.localserve()
                    server.admin.domain("bench.example", relay=sink_ip + ":2525",
                                        recipients="any", tls="none")
                    port = server.smtp_port
                start = time.monotonic()
                self.source(server.ip, port, 20, COUNT)
                sink.wait(600)
                rates[who].append(COUNT / (time.monotonic() - start))
                server.stop()
        self.table.times("accept and relay until the queue is empty",
                         statistics.median(rates["mox"]), statistics.median(rates["postfix"]), 3)

    def dane(self):
        print("dane: relay by MX, %d messages, 20 sessions, median of %d" % (COUNT, REPEATS))
        cert = self.t.authority.leaf("mx.dane.example")
        where = {"plain": self.t.ip(), "dane": self.t.ip()}
        zones = {n + ".example": ["@ IN MX 10 mx", "mx IN A " + ip] for n, ip in where.items()}
        zones["dane.example"].append("_25._tcp.mx IN TLSA " + tlsa(3, 1, 1, cert[0]))
        nsd = self.t.nsd(zones, unsigned=("plain.example",))
        rates = {n: [] for n in where}
        for _ in range(REPEATS):
            for name, ip in where.items():
                rates[name].append(self.dane_one(nsd, name, ip, cert if name == "dane" else ()))
        nsd.stop()
        plain, dane = (statistics.median(rates[n]) for n in ("plain", "dane"))
        self.table.add("relay by MX, no TLS", plain)
        self.table.add("relay by MX, TLS and DANE (plain: %.0f/s)" % plain, dane, None, ">= 60 %",
                       dane >= 0.6 * plain, ratio=dane / plain)
        print("  %.0f %% of the rate without: %s" % (100 * dane / plain,
                                                    "PASS" if dane >= 0.6 * plain else "MISS"))

    def dane_one(self, nsd, name, ip, cert):
        """Messages per second; RuntimeError when they did not go as the zone asks."""
        argv = [os.path.join(os.path.dirname(self.load), "sink"), ip, "25", str(COUNT)]
        with subprocess.Popen(argv + list(cert), stdout=subprocess.PIPE, text=True) as sink:
            try:
                if sink.stdout.readline() != "listening\n":
                    raise RuntimeError("the sink does not start")
                mox = self.t.mox(config={"LogLevel": "error", "Resolver": nsd.resolver()})
                mox.admin.network("127.0.0.0/8")
                start = time.monotonic()
                self.source(mox.ip, 25, 20, COUNT, rcpt="x@%s.example" % name)
                sink.wait(600)
                rate = COUNT / (time.monotonic() - start)
                got = {k: int(v) for k, v in (x.split() for x in sink.stdout)}
            finally:
                sink.kill()
        wait_for(lambda: not mox.admin.queue(limit=1), 20, "an empty queue")
        mox.stop()
        if got["messages_tls"] != (COUNT if cert else 0):
            raise RuntimeError("%s: %d of %d over TLS" % (name, got["messages_tls"], COUNT))
        kinds = tls_results(os.path.join(mox.data, "mox.db"), "mx.%s.example" % name)
        if cert and kinds != [("tlsa", True, False)]:
            raise RuntimeError("not verified by DANE: TLS results %s" % kinds)
        print("  %-5s %5.0f/s, %d connections, %d handshakes, %d of them resumed" % (
            name, rate, got["connections"], got["handshakes"], got["resumed"]), flush=True)
        return rate

    def idle_one(self, ip, port, sessions, pids):
        """(KiB a session, figures)."""
        before = pss_kb(pids())
        with subprocess.Popen([self.load, "idle", ip, str(port), str(sessions)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
            figures = {}
            for line in p.stdout:
                if line.strip() == "ready":
                    break
                name, value = line.split()
                figures[name] = float(value)
            after = pss_kb(pids())
            p.stdin.write("\n")
            p.stdin.close()
            p.wait(120)
        if not figures.get("idle_opened"):
            raise RuntimeError("no idle session could be opened")
        return (after - before) / figures["idle_opened"], figures

    def idle(self):
        print("idle: %d sessions with EHLO done" % IDLE)
        mox = self.t.localserve()
        for _ in range(20):  # what grows once, not with each session
            self.source(mox.ip, mox.smtp_port, 10, 20)
        per, figures = self.idle_one(mox.ip, mox.smtp_port, IDLE, lambda: [mox.proc.pid])
        mox.stop()
        postfix = self.postfix()
        few = min(200, IDLE)
        master = postfix.master_pid()
        other, _ = self.idle_one(postfix.ip, 2525, few, lambda: [master] + descendants(master))
        postfix.stop()
        if figures["idle_opened"] < IDLE:
            print("  only %d of %d sessions opened (ulimit -n)" % (figures["idle_opened"], IDLE))
        self.table.add("memory per idle session, %d held" % figures["idle_opened"], per, other,
                       "<= 20 KiB", per <= 20 and figures["idle_opened"] == IDLE, unit=" KiB")
        self.table.add("banner of a new connection then, worst", figures["banner_max_ms"], None,
                       "<= 50 ms", figures["banner_max_ms"] <= 50, unit=" ms")

    def tls(self):
        seconds = 2 if QUICK else 5
        print("tls: STARTTLS handshakes, %d s" % seconds)
        mox, postfix = self.t.localserve(), self.postfix()
        got = {}
        for who, ip, port in (("postfix", postfix.ip, 2525), ("mox", mox.ip, mox.smtp_port)):
            rates = [float(self.helper("tls", ip, port, seconds, 8).get("starttls_rate", 0))
                     for _ in range(REPEATS)]
            got[who] = statistics.median(rates)
        self.table.times("STARTTLS handshakes", got["mox"], got["postfix"], 2.5)
        mox.stop()
        postfix.stop()

    def good_rates(self, mox, sink_ip):
        """(accepted/s on hold-like: to a domain that waits, accepted and delivered/s)."""
        accept = statistics.median(
            self.source(mox.ip, 25, 50, COUNT, "-d", rcpt="x@waits.example")
            for _ in range(REPEATS))
        mox.admin.act("drop", to="waits.example")
        rates = []
        for _ in range(REPEATS):
            start = time.monotonic()
            self.source(mox.ip, 25, 20, COUNT, "-d", rcpt="x@good.example")
            wait_for(lambda: not mox.admin.queue(to="good.example", limit=1), 300, "delivery",
                     step=0.02)
            rates.append(COUNT / (time.monotonic() - start))
        return accept, statistics.median(rates)

    def million(self):
        print("million: %d recipients at 1000 domains whose next hop refuses" % RECIPIENTS)
        sink, sink_ip = self.sink()
        dead = self.t.ip()
        mox = self.t.mox(config={"LogLevel": "error", "Queue": {"RetryFirst": "450s"}})
        mox.admin.network("127.0.0.0/8")
        mox.admin.transport("dead", dead + ":25", tls="none")
        mox.admin.route("dead", to=".million.example")
        mox.admin.domain("good.example", relay=sink_ip + ":2525", recipients="any", tls="none")
        mox.admin.domain("waits.example", relay=dead + ":25", recipients="any", tls="none")
        before = self.good_rates(mox, sink_ip)
        filled = self.helper("fill", mox.ip, 25, RECIPIENTS // 100, 100, 1000, 20)
        self.table.add("recipients accepted, 100 a message", float(filled.get("fill_rate", 0)))
        summary = mox.admin.request("queue.summary")[1]
        print("  queued: %d recipients" % summary["queued"])
        time.sleep(2 if QUICK else 20)  # first attempts and their retries get under way
        after = self.good_rates(mox, sink_ip)
        rss = mox.rss_kb() / 1024
        for label, a, b in (("acceptance beside a full queue", before[0], after[0]),
                            ("deliveries beside a full queue", before[1], after[1])):
            self.table.add("%s (empty: %.0f/s)" % (label, a), b, None, ">= 80 %", b >= 0.8 * a,
                           ratio=b / a)
        self.table.add("memory then (RSS)", rss, None, "<= 300 MiB", rss <= 300, unit=" MiB")
        mox.stop(120)
        start = time.monotonic()
        mox.start(wait=False)
        wait_for(lambda: port_open(mox.ip, 25), 120, "start", step=0.005)
        took = time.monotonic() - start
        self.table.add("start-up with that queue", took, None, "<= 2 s", took <= 2, unit=" s")
        mox.kill9()
        sink.kill()
        sink.wait()

    def pages(self):
        print("pages: a full log, a long queue, many domains, and mail that flows")
        pages.run(self, QUICK)


    # --- the message log ---

    def log(self):
        print("log: %d rows of 30 days, then searches and acceptance" % LOG_ROWS)
        mox = self.t.mox(config={"LogLevel": "error"})
        mox.admin.network("127.0.0.0/8")
        mox.admin.domain("waits.example", relay=self.t.ip() + ":25", recipients="any", tls="none")
        before = self.accept_rate(mox)
        mox.stop(60)
        start = time.monotonic()
        log_fill(os.path.join(mox.data, "mox.db"), LOG_ROWS)
        print("  filled in %.0f s" % (time.monotonic() - start))
        mox.start()
        start = time.monotonic()
        wait_for(lambda: log_sealed(os.path.join(mox.data, "mox.db")), 600, "sealed runs", step=0.5)
        print("  made searchable in %.0f s" % (time.monotonic() - start))
        mox.admin.request("adminpassword", password="bench-password")
        browser = Browser(mox.ip, 80)
        browser.login("bench-password")
        n = LOG_ROWS
        for label, query in (
                ("newest page", ""), ("address, one in the middle", "?q=u%d%%40s.example" % (n // 2)),
                ("address, oldest", "?q=u10%40s.example"),
                ("address that never was", "?q=nobody%40nowhere.example"),
                ("domain of every message", "?q=r.example"), ("Message-ID", "?q=%%3Cm%d%%40s.example%%3E" % (n // 3)),
                ("session", "?q=s%012d" % (n // 4)), ("IP of a thousandth", "?q=10.0.0.7"),
                ("rejected", "?result=rejected"), ("address and result", "?q=r7%40r.example&result=bounced"),
                ("one day, a week ago", "?from=%s&to=%s" % ((day(7),) * 2))):
            took = []
            for _ in range(5 if QUICK else 30):
                start = time.monotonic()
                page = browser.get("log" + query)
                took.append((time.monotonic() - start) * 1e3)
                assert page.status == 200, page.status
            took.sort()
            p95 = took[int(len(took) * 0.95)]
            self.table.add("page of the log, %s: median (p95 %.1f ms)" % (label, p95),
                           statistics.median(took), None, "<= 20 ms", p95 <= 20, unit=" ms")
        after = self.accept_rate(mox)
        self.table.add("acceptance beside a full log (empty: %.0f/s)" % before, after, None,
                       ">= 95 %", after >= 0.95 * before, ratio=after / before)
        mox.kill9()

    def accept_rate(self, mox):
        rate = statistics.median(self.source(mox.ip, 25, 50, COUNT, "-d", rcpt="x@waits.example")
                                 for _ in range(REPEATS))
        mox.admin.act("drop", to="waits.example")
        return rate


def day(ago):
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - ago * 86400))


def log_fill(path, count):
    """Rows as they are after delivery, spread over 30 days; one in fifty was refused or failed."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous = OFF")
    first = db.execute("SELECT next_id FROM queue_gauge").fetchone()[0] + 1
    now = int(time.time() * 1000)
    step = 30 * 86400 * 1000 // count

    def rows():
        for i in range(count):
            results = 2 if i % 100 == 0 else 33 if i % 100 == 50 else 9
            yield (first + i, now - (count - i) * step, results, 1, 0, 2 if results == 2 else 0,
                   550 if results == 2 else 250, 20000, 0, "s%012d" % i, "u%d@s.example" % i,
                   "r%d@r.example" % (i % 50000), "", "10.0.%d.%d" % (i // 1000 % 250, i % 1000 % 250),
                   "m%d@s.example" % i, "", "User %d <u%d@s.example>" % (i, i),
                   "Subject number %d of the bench" % i, "client.example", "", "public",
                   "TLSv1.3 TLS_AES_256_GCM_SHA384", "", "")

    def events():
        for i in range(count):
            if i % 100:
                yield ((first + i) << 20, 1, now - (count - i) * step + 300,
                       2 if i % 100 == 50 else 0, 250, 250, 0, 0, "2.0.0", "queued as 12345",
                       "mx.r.example", "192.0.2.%d" % (i % 250), "TLSv1.3", "direct")

    with db:
        db.executemany("INSERT INTO msglog VALUES(%s)" % ",".join("?" * 24), rows())
        db.executemany("INSERT INTO msglog_event VALUES(%s)" % ",".join("?" * 14), events())
        db.execute("UPDATE queue_gauge SET next_id = ?", (first + count + 1,))
    db.close()


def log_sealed(path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    sealed = db.execute("SELECT sealed FROM msglog_state").fetchone()[0]
    last = db.execute("SELECT max(id) FROM msglog").fetchone()[0]
    db.close()
    return sealed >= last >> 11


def tls_results(path, host):
    """What the stored TLS results say of an MX host: (policy type, any good, any bad)."""
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    rows = db.execute("SELECT p.type, p.successes > 0, p.failures > 0 FROM tls_result_policy p"
                      " JOIN tls_result r ON r.id = p.result_id WHERE r.policy_domain = ?",
                      (host,)).fetchall()
    db.close()
    return [(kind, bool(good), bool(bad)) for kind, good, bad in rows]


def disk_note(folder):
    """How long one durable 4 KiB write takes here: what every figure rests on."""
    path, took = os.path.join(folder, "probe"), []
    with open(path, "wb") as f:
        for _ in range(50):
            start = time.monotonic()
            f.write(b"x" * 4096)
            f.flush()
            os.fdatasync(f.fileno())
            took.append(time.monotonic() - start)
    os.unlink(path)
    kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True,
                          check=False).stdout.strip()
    print("machine: %d processors; %s is %s, a durable write takes %.2f ms" % (
        os.cpu_count(), folder, kind, statistics.median(took) * 1e3))
    if kind == "tmpfs":
        print("note: a file system in memory: nothing here is durable")


def main():
    parts = ("accept", "relay", "dane", "idle", "tls", "million", "log", "pages")
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--mox", required=True)
    ap.add_argument("--load", required=True)
    ap.add_argument("part", nargs="*", help=" ".join(parts))
    args = ap.parse_args()
    for p in args.part:
        if p not in parts:
            ap.error("%s is none of %s" % (p, " ".join(parts)))
    if os.getuid() != 0:
        print("bench: needs root, to run Postfix", file=sys.stderr)
        return 1
    adopt_orphans()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tmp = tempfile.mkdtemp(prefix="mox-bench-")
    os.chmod(tmp, 0o755)
    bench, failed = Bench(tmp, os.path.abspath(args.mox), args.load), []
    try:
        disk_note(tmp)
        for p in args.part or parts:
            try:
                getattr(bench, p)()
            except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as problem:
                print("  %s FAILED: %s" % (p, problem))
                failed.append(p)
        bench.table.show()
        if failed:
            print("not measured: " + " ".join(failed))
    finally:
        kill_rest()
        shutil.rmtree(tmp, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
