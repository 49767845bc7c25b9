"""Messages with unique ids, and what a Maildir holds."""
import email
import email.policy
import itertools
import os
import time

from .net import wait_for

_count = itertools.count(1)


def unique():
    return "%x.%x.%x" % (os.getpid(), time.time_ns(), next(_count))


def message(sender="a@sender.example", to="b@mox.example", subject="hello", body="Text.\r\n",
            size=0, headers=(), mid=None):
    """Bytes with CRLF lines; mid is put into Message-ID."""
    mid = mid or unique() + "@e2e.example"
    lines = ["From: <%s>" % sender, "To: <%s>" % to, "Subject: " + subject,
             "Date: Mon, 23 Nov 2026 12:00:00 +0000", "Message-ID: <%s>" % mid]
    lines += list(headers)
    text = ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
    line = b"x" * 76 + b"\r\n"
    return text + line * ((max(0, size - len(text)) + len(line) - 1) // len(line))


def parse(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def message_id(raw):
    value = parse(raw)["Message-ID"]
    return str(value).strip(" <>") if value else None


class Maildir:
    def __init__(self, path):
        self.path = path

    def files(self):
        out = []
        for sub in ("new", "cur"):
            folder = os.path.join(self.path, sub)
            if os.path.isdir(folder):
                out += [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
        return out

    def raw(self):
        out = []
        for path in self.files():
            with open(path, "rb") as f:
                out.append(f.read())
        return out

    def ids_and_times(self):
        return list(zip(self.ids(), (os.stat(path).st_mtime for path in self.files())))

    def ids(self):
        return [message_id(r) for r in self.raw()]

    def find(self, mid):
        return [r for r in self.raw() if message_id(r) == mid]

    def wait(self, count=1, seconds=10.0):
        return wait_for(lambda: (lambda r: r if len(r) >= count else None)(self.raw()), seconds,
                        "%d messages in %s" % (count, self.path))

    def wait_mid(self, mid, seconds=10.0):
        return wait_for(lambda: self.find(mid), seconds, "message %s in %s" % (mid, self.path))[0]
