"""Loopback addresses that no other run has, and waiting for things to happen.

A test gets a whole /24 of 127.0.0.0/8: a lock file for each block makes sure that runs
side by side never meet. The lock goes with the process that holds it."""
import fcntl
import os
import socket
import time

SLOW = float(os.environ.get("E2E_SLOW", "1"))  # with sanitizers all takes longer
LOCK_DIR = "/tmp/mox-e2e-addresses"
FIRST, LAST = 40, 99  # 127.40.0.0 to 127.99.255.0


class Block:
    """One 127.a.b.0/24; ip() hands out its addresses one after the other."""

    def __init__(self):
        os.makedirs(LOCK_DIR, exist_ok=True)
        try:
            os.chmod(LOCK_DIR, 0o1777)
        except PermissionError:
            pass
        start = os.getpid() % ((LAST - FIRST) * 256)
        for i in range((LAST - FIRST) * 256):
            n = (start + i) % ((LAST - FIRST) * 256)
            self.prefix = "127.%d.%d" % (FIRST + n // 256, n % 256)
            try:
                fd = os.open(os.path.join(LOCK_DIR, self.prefix), os.O_CREAT | os.O_RDWR, 0o666)
            except PermissionError:
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                continue
            self._fd = fd
            self._next = 0
            return
        raise RuntimeError("no free loopback block in " + LOCK_DIR)

    def ip(self):
        self._next += 1
        if self._next > 254:
            raise RuntimeError("more than 254 addresses in one test")
        return "%s.%d" % (self.prefix, self._next)


def wait_for(what, seconds=10.0, text="condition", step=0.01):
    """Calls what() until it gives something true, which is returned."""
    seconds *= SLOW
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("%s: not within %g s" % (text, seconds))
        time.sleep(step)


def port_open(ip, port):
    try:
        socket.create_connection((ip, port), timeout=1).close()
        return True
    except OSError:
        return False


def wait_port(ip, port, seconds=10.0, alive=None):
    def check():
        if alive:
            alive()
        return port_open(ip, port)

    wait_for(check, seconds, "listener on %s:%d" % (ip, port))
