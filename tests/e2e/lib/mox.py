"""mox serve and mox localserve under test."""
import os
import re
import signal
import time

from .admin import Admin
from .mail import Maildir
from .net import SLOW, wait_for, wait_port
from .proc import Proc, run
from .sconf import merge, sconf
from .talk import SmtpTalk, send

ADMIN_PASSWORD = "e2e-admin-password"


class _Mox:
    """What serve and localserve share."""

    proc = None
    starts = 0

    def spawn(self, argv, ports, wait=True):
        self.starts += 1
        self.proc = Proc(argv, self.log, env=self.env())
        if wait:
            for port in ports:
                wait_port(self.ip, port, 20, self.proc.must_run)
            wait_for(self.admin.answers, 20, "the control socket")
        return self

    def env(self):
        return dict(os.environ, HOME=self.folder)

    def text(self):
        return self.proc.text()

    def mark(self):
        """Where the log is now; for wait_log(needle, start=mark)."""
        return len(self.text())

    def wait_log(self, needle, seconds=10.0, start=0):
        return self.proc.wait_log(needle, seconds, start)

    def stop(self, seconds=20.0):
        return self.proc.stop(seconds)

    def kill9(self):
        self.proc.kill9()

    def finish(self):
        """At the end of a test: still well, or ended as it was told to."""
        if self.proc is None:
            return
        status = self.proc.p.poll()
        assert status in (None, 0, 1, -signal.SIGKILL), "mox ended with status %s" % status
        if status is None and SLOW > 1:  # a sanitizer tells of leaks at the end
            assert self.stop(60) == 0, "mox ended with status %s" % self.proc.p.returncode
        found = re.search(r".*(?:Sanitizer|runtime error:).*", self.text())
        assert not found, found.group(0)

    def cli(self, *args, check=True, stdin=None, seconds=30):
        """mox with the words given; "-config" among them is followed by our mox.conf."""
        words = []
        for w in args:
            words += [w, self.conf] if w == "-config" else [w]
        return run([self.binary] + words, seconds=seconds, stdin=stdin, check=check,
                   env=self.env())

    def queue(self, **filter_):
        return self.admin.queue(**filter_)

    def wait_queue(self, what, seconds=10.0, text="state of the queue"):
        """Waits until what(rows) gives something true; that."""
        last = []

        def check():
            last[:] = [self.queue()]
            return what(last[0])

        try:
            return wait_for(check, seconds, text, step=0.05)
        except AssertionError as late:
            raise AssertionError("%s; queue: %s" % (late, last[0] if last else "?")) from None

    def wait_empty(self, seconds=15.0):
        self.wait_queue(lambda rows: not rows, seconds, "an empty queue")

    def maildir(self, account):
        return Maildir(os.path.join(self.data, "mail", account))

    def talk(self, port=None, **kw):
        return SmtpTalk(self.ip, port or self.smtp_port, **kw)

    def send(self, sender, rcpts, raw, **kw):
        return send(self.ip, sender, rcpts, raw, port=kw.pop("port", self.smtp_port), **kw)

    def rss_kb(self):
        with open("/proc/%d/status" % self.proc.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


class MoxServe(_Mox):
    smtp_port, submission_port, submissions_port, admin_port = 25, 587, 465, 80

    def __init__(self, ctx, hostname="mx.mox.example", config=None, listener=None, start=True,
                 tls=True, ip=None, data=None):
        self.ctx, self.binary, self.hostname = ctx, ctx.binary, hostname
        self.folder = ctx.folder("mox")
        self.ip = ip or ctx.ip()
        self.data = data or os.path.join(self.folder, "data")
        self.conf = os.path.join(self.folder, "mox.conf")
        self.log = os.path.join(self.folder, "mox.log")
        public = {
            "IPs": [self.ip],
            "SMTP": {"Enabled": True},
            "Submission": {"Enabled": tls},
            "Submissions": {"Enabled": tls},
            "AdminHTTP": {"Enabled": True},
        }
        if tls:
            cert, key = ctx.authority.leaf(hostname, self.ip)
            public["TLS"] = {"KeyCerts": [{"CertFile": cert, "KeyFile": key}]}
        self.settings = merge({
            "DataDir": self.data,
            "Hostname": hostname,
            "User": "nobody",
            "LogLevel": "debug",
            "Resolver": {"TrustAnchorFile": "none", "Forward": ["127.0.0.1@9"]},
            # No name server answers: checks of incoming mail must not wait for one.
            "Limits": dict(NO_LIMITS, SenderCheckTimeout="200ms"),
            "Queue": {"RetryFirst": "1s", "ConnectTimeout": "5s", "CommandTimeout": "5s"},
            "Listeners": {"public": merge(public, listener or {})},
        }, config or {})
        self.admin = Admin(self)
        self.write()
        if start:
            self.start()

    def write(self, extra=None):
        if extra:
            self.settings = merge(self.settings, extra)
        with open(self.conf, "w") as f:
            f.write(sconf(self.settings))

    def start(self, wait=True, wrap=()):
        return self.spawn(list(wrap) + [self.binary, "serve", "-config", self.conf],
                          [self.smtp_port], wait)

    def start_fails(self, seconds=15):
        """Starts, waits for the end: (exit status, what it wrote)."""
        before = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        proc = Proc([self.binary, "serve", "-config", self.conf], self.log, env=self.env())
        try:
            status = proc.wait(seconds)
        finally:
            proc.kill9()
        return status, proc.text()[before:]

    def restart(self):
        self.stop()
        return self.start()

    def reload(self, extra=None):
        if extra is not None:
            self.write(extra)
        self.proc.signal(signal.SIGHUP)


class MoxLocalserve(_Mox):
    smtp_port, submission_port, submissions_port, admin_port = 1025, 1587, 1465, 1080

    def __init__(self, ctx, *args, start=True):
        self.ctx, self.binary = ctx, ctx.binary
        self.folder = ctx.folder("localserve")
        self.ip = ctx.ip()
        self.data = os.path.join(self.folder, "data")
        self.conf = os.path.join(self.data, "mox.conf")
        self.log = os.path.join(self.folder, "mox.log")
        self.args = list(args)
        self.admin = Admin(self)
        if start:
            self.start()

    def start(self):
        return self.spawn([self.binary, "localserve", "-ip", self.ip, "-dir", self.data]
                          + self.args, [self.smtp_port])


NO_LIMITS = {
    "ConnectionRate": "0 0 0", "ConnectionsOpen": "0 0 0",
    "DeliveryMessagesMin": "0 0 0", "DeliveryMessagesDay": "0 0 0",
    "DeliveryBytesMin": "0 0 0", "DeliveryBytesDay": "0 0 0",
    "AuthFailuresMin": "0 0 0", "AuthFailuresDay": "0 0 0", "AuthDelayAfter": 0,
    "UnknownRcptDelay": "0s", "SlowAfter": 0, "BadTransactionsMax": 0,
}
