"""A daemon in the foreground with its log in a file."""
import os
import signal
import subprocess

from .net import wait_for


class Proc:
    def __init__(self, argv, log, env=None, cwd=None, preexec=None):
        self.argv, self.log = argv, log
        with open(log, "ab") as out:
            self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                      stderr=subprocess.STDOUT, env=env, cwd=cwd,
                                      preexec_fn=preexec)

    @property
    def pid(self):
        return self.p.pid

    def running(self):
        return self.p.poll() is None

    def must_run(self):
        if not self.running():
            raise AssertionError("%s ended with status %s:\n%s" % (
                os.path.basename(self.argv[0]), self.p.returncode, self.tail(15)))

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def tail(self, lines=30):
        return "\n".join(self.text().splitlines()[-lines:])

    def wait_log(self, needle, seconds=10.0, start=0):
        return wait_for(lambda: needle in self.text()[start:], seconds,
                        "%r in %s" % (needle, self.log), step=0.02)

    def signal(self, sig):
        self.p.send_signal(sig)

    def wait(self, seconds=10.0):
        return self.p.wait(timeout=seconds)

    def stop(self, seconds=15.0):
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill9(self):
        if self.running():
            self.signal(signal.SIGKILL)
        self.wait(10)


def run(argv, seconds=30.0, stdin=None, check=True, env=None, cwd=None):
    """Runs a command to its end: CompletedProcess with text; AssertionError when it fails."""
    r = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=seconds,
                       env=env, cwd=cwd, errors="replace")
    if check and r.returncode != 0:
        raise AssertionError("%s: status %d\n%s%s" % (" ".join(argv), r.returncode, r.stdout,
                                                       r.stderr))
    return r
