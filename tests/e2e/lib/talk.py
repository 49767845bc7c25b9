"""SmtpTalk: an SMTP dialogue by hand, octet for octet. swaks: the real tool."""
import base64
import hashlib
import hmac
import os
import re
import socket
import ssl
import time

from .proc import run


class Reply:
    def __init__(self, code, lines):
        self.code, self.lines = code, lines

    @property
    def text(self):
        return "\n".join(self.lines)

    def __repr__(self):
        return "%d %s" % (self.code, " | ".join(self.lines))


class Closed(AssertionError):
    pass


class SmtpTalk:
    def __init__(self, ip, port=25, source=None, timeout=20.0, greet=True, tls=False, first=b""):
        self.sock = socket.create_connection((ip, port), timeout=timeout,
                                             source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""
        if first:
            self.send(first)
        if tls:
            self._wrap()
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        while b"\n" not in self.buf:
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                raise Closed("connection closed, left over: %r" % self.buf)
            self.buf += more
        line, self.buf = self.buf.split(b"\n", 1)
        assert line.endswith(b"\r"), "reply line without CR: %r" % line
        return line[:-1].decode("utf-8", "replace")

    def reply(self):
        lines, code = [], None
        while True:
            line = self.line()
            m = re.match(r"^(\d{3})([ -]|$)(.*)$", line)
            assert m, "not a reply line: %r" % line
            assert code in (None, m.group(1)), "codes differ in one reply: %r" % line
            code = m.group(1)
            lines.append(m.group(3))
            if m.group(2) != "-":
                return Reply(int(code), lines)

    def cmd(self, line, want=None):
        self.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        r = self.reply()
        if want is not None:
            wanted = want if isinstance(want, (tuple, list)) else (want,)
            assert r.code in wanted, "%r answered with %r, not %s" % (line, r, want)
        return r

    def ehlo(self, name="client.example", want=250):
        return self.cmd("EHLO " + name, want)

    def starttls(self, ehlo=True, verify=None, name=None):
        self.cmd("STARTTLS", 220)
        self._wrap(verify, name)
        return self.ehlo() if ehlo else None

    def _wrap(self, verify=None, name=None):
        ctx = ssl.create_default_context(cafile=verify) if verify else ssl.SSLContext(
            ssl.PROTOCOL_TLS_CLIENT)
        if not verify:
            ctx.check_hostname = False
            ctx.verify_mode = ssl.CERT_NONE
        self.sock = ctx.wrap_socket(self.sock, server_hostname=name)

    def data(self, raw, want=250):
        """DATA and the message with dots doubled."""
        self.cmd("DATA", 354)
        return self.body(raw, want)

    def body(self, raw, want=250):
        if not raw.endswith(b"\r\n"):
            raw += b"\r\n"
        text = b"\r\n" + raw
        text = text.replace(b"\r\n.", b"\r\n..")[2:]
        self.send(text + b".\r\n")
        r = self.reply()
        if want is not None:
            assert r.code in (want if isinstance(want, tuple) else (want,)), "message: %r" % r
        return r

    def mail(self, sender, rcpts, raw, want=250, params="", rcpt_params=""):
        """One transaction; every recipient must be taken."""
        self.cmd("MAIL FROM:<%s>%s" % (sender, params and " " + params), 250)
        for rcpt in rcpts:
            self.cmd("RCPT TO:<%s>%s" % (rcpt, rcpt_params and " " + rcpt_params), 250)
        return self.data(raw, want)

    def quit(self):
        self.cmd("QUIT", 221)
        self.close()

    def at_end(self, seconds=10.0):
        """True when the peer closes within the time; what it says before goes into buf."""
        self.sock.settimeout(seconds)
        try:
            while True:
                more = self.sock.recv(65536)
                if not more:
                    return True
                self.buf += more
        except ConnectionResetError:
            return True
        except (socket.timeout, ssl.SSLError):
            return False

    def silent(self, seconds=0.3):
        """True when nothing comes within the time."""
        if self.buf:
            return False
        self.sock.settimeout(seconds)
        try:
            self.buf = self.sock.recv(1)
            return False
        except socket.timeout:
            return True
        finally:
            self.sock.settimeout(20)

    def auth_plain(self, user, password, want=235):
        secret = base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode()
        return self.cmd("AUTH PLAIN " + secret, want)

    def auth_scram(self, user, password):
        """SCRAM-SHA-256 (RFC 5802, 7677); checks the server's proof too. Last reply."""
        nonce = base64.b64encode(os.urandom(18)).decode()
        bare = "n=%s,r=%s" % (user, nonce)
        r = self.cmd("AUTH SCRAM-SHA-256 " + base64.b64encode(("n,," + bare).encode()).decode())
        if r.code != 334:
            return r
        first = base64.b64decode(r.text).decode()
        part = dict(p.split("=", 1) for p in first.split(","))
        assert part["r"].startswith(nonce) and len(part["r"]) > len(nonce), first
        assert int(part["i"]) >= 4096, first
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(part["s"]),
                                     int(part["i"]))
        final = "c=biws,r=" + part["r"]
        signed = ",".join((bare, first, final)).encode()
        client = hmac.digest(salted, b"Client Key", "sha256")
        stored = hashlib.sha256(client).digest()
        proof = bytes(a ^ b for a, b in zip(client, hmac.digest(stored, signed, "sha256")))
        r = self.cmd(base64.b64encode(
            (final + ",p=" + base64.b64encode(proof).decode()).encode()).decode())
        if r.code == 334:
            server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
            want = "v=" + base64.b64encode(server).decode()
            got = base64.b64decode(r.text).decode()
            assert got == want, "server proof %r, not %r" % (got, want)
            r = self.cmd("")
        return r


def send(ip, sender, rcpts, raw, port=25, source=None, starttls=False, params="",
         rcpt_params=""):
    """One message in a session of its own; the reply to its end."""
    with SmtpTalk(ip, port, source) as t:
        t.ehlo()
        if starttls:
            t.starttls()
        r = t.mail(sender, [rcpts] if isinstance(rcpts, str) else rcpts, raw, params=params,
                   rcpt_params=rcpt_params)
        t.sent_at = time.monotonic()
        try:
            t.quit()
        except (AssertionError, OSError):
            pass  # the message is accepted all the same
        return r


def swaks(ip, *args, check=True, port=25, seconds=30):
    """swaks without its banner; CompletedProcess."""
    return run(["swaks", "--server", ip, "--port", str(port), "--helo", "swaks.example",
                "--timeout", "15"] + list(args), seconds=seconds, check=check)
