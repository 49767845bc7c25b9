"""ScriptedPeer: an SMTP (or LMTP) server in a thread that does as its script says, and
remembers everything.

The script maps a stage to what is done there:
  greeting ehlo helo starttls tls ehlo-tls auth mail rcpt data end rset noop quit
Values: a reply ("451 4.3.0 later", several lines joined by \\r\\n), CLOSE, Delay(seconds,
then), Raw(bytes), Then(value, value after the first ...), or a function of (session,
argument) giving one of these. What the script leaves out is done well."""
import socket
import ssl
import threading
import time

CLOSE = object()   # end the connection without a word
GARBAGE = object() # at stage tls: bytes that are no TLS
IGNORE = object()  # no answer at all, from here on


class Delay:
    def __init__(self, seconds, then=None):
        self.seconds, self.then = seconds, then


class Raw:
    def __init__(self, octets, close=False):
        self.octets, self.close = octets, close


class Then:
    """The first value at the first time, and so on; the last one for good."""

    def __init__(self, *values):
        self.values, self.at, self.lock = values, 0, threading.Lock()

    def take(self):
        with self.lock:
            value = self.values[min(self.at, len(self.values) - 1)]
            self.at += 1
            return value


class Received:
    def __init__(self, session):
        self.sender = self.mail_params = None
        self.rcpts, self.rcpt_params, self.data = [], [], b""
        self.session = session
        self.time = self.wall = 0.0  # monotonic, and as of the clock


class _End(Exception):
    pass


class _Session:
    def __init__(self, peer, sock, address):
        self.peer, self.sock, self.address = peer, sock, address
        self.buf, self.commands, self.helo = b"", [], None
        self.tls = self.user = None
        self.message = Received(self)

    def out(self, text):
        if isinstance(text, str):
            text = text.encode("utf-8") + b"\r\n"
        self.sock.sendall(text)

    def line(self):
        while b"\n" not in self.buf:
            more = self.sock.recv(65536)
            if not more:
                raise _End
            self.buf += more
        line, self.buf = self.buf.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def act(self, stage, default, arg=""):
        """Does what the script wants at the stage; the first reply code, or None."""
        value = self.peer.script.get(stage)
        while True:
            if isinstance(value, Then):
                value = value.take()
            elif isinstance(value, Delay):
                self.peer.stopping.wait(value.seconds)
                value = value.then
            elif callable(value) and not isinstance(value, type):
                value = value(self, arg)
            else:
                break
        if value is None:
            value = default
        if value is CLOSE:
            raise _End
        if value is IGNORE:
            while self.sock.recv(65536):
                pass
            raise _End
        if value is GARBAGE:
            return value
        if isinstance(value, Raw):
            self.sock.sendall(value.octets)
            if value.close:
                raise _End
            return None
        if value == "":
            return None
        self.out(value)
        return value[:3]

    def run(self):
        self.act("greeting", "220 peer.example ESMTP")
        while True:
            line = self.line()
            self.commands.append(line)
            verb, _, arg = line.partition(" ")
            handler = getattr(self, "do_" + verb.lower(), None)
            if handler:
                handler(arg)
            else:
                self.out("500 5.5.1 what?")

    def do_ehlo(self, arg):
        self.helo = arg
        lines = ["peer.example"] + list(self.peer.extensions)
        if self.peer.context and not self.tls:
            lines.append("STARTTLS")
        reply = "\r\n".join("250%s%s" % (" " if i == len(lines) - 1 else "-", l)
                            for i, l in enumerate(lines))
        self.act("ehlo-tls" if self.tls else "ehlo", reply, arg)

    do_lhlo = do_ehlo

    def do_helo(self, arg):
        self.helo = arg
        self.act("helo", "250 peer.example", arg)

    def do_starttls(self, arg):
        if not self.peer.context and "starttls" not in self.peer.script:
            return self.out("502 5.5.1 no")
        if self.act("starttls", "220 2.0.0 go ahead") != "220":
            return None
        if self.act("tls", "") is GARBAGE:
            self.sock.sendall(b"220 this is not TLS at all\r\n" * 20)
            raise _End
        self.sock = self.peer.context.wrap_socket(self.sock, server_side=True)
        self.buf, self.tls = b"", self.sock.version()
        return None

    def do_auth(self, arg):
        if arg.upper() == "PLAIN":
            self.out("334 ")
            arg = "PLAIN " + self.line()
        elif arg.upper() == "LOGIN":
            self.out("334 VXNlcm5hbWU6")
            user = self.line()
            self.out("334 UGFzc3dvcmQ6")
            arg = "LOGIN %s %s" % (user, self.line())
        self.user = arg
        self.act("auth", "235 2.7.0 welcome", arg)

    def do_mail(self, arg):
        self.message = Received(self)
        path, _, params = arg[len("FROM:"):].strip().partition("> ")
        self.message.sender, self.message.mail_params = path.strip("<>"), params
        self.act("mail", "250 2.1.0 ok", self.message.sender)

    def do_rcpt(self, arg):
        path, _, params = arg[len("TO:"):].strip().partition("> ")
        address = path.strip("<>")
        if self.act("rcpt", "250 2.1.5 ok", address) in ("250", "251"):
            self.message.rcpts.append(address)
            self.message.rcpt_params.append(params)

    def do_data(self, arg):
        if not self.message.rcpts and "data" not in self.peer.script:
            return self.out("503 5.5.1 no recipients")
        if self.act("data", "354 go on") != "354":
            return None
        while not (self.buf.startswith(b".\r\n") or b"\r\n.\r\n" in self.buf):
            more = self.sock.recv(262144)
            if not more:
                raise _End
            self.buf += more
        if self.buf.startswith(b".\r\n"):
            raw, self.buf = b"", self.buf[3:]
        else:
            raw, self.buf = self.buf.split(b"\r\n.\r\n", 1)
            raw += b"\r\n"
        if raw.startswith(b"."):
            raw = raw[1:]
        done, self.message.data = self.message, raw.replace(b"\r\n..", b"\r\n.")
        self.message.time, self.message.wall = time.monotonic(), time.time()
        if self.peer.lmtp:
            for rcpt in done.rcpts:
                if self.act("end", "250 2.0.0 <%s> kept" % rcpt, rcpt) == "250":
                    self.peer.keep(done, [rcpt])
        elif self.act("end", "250 2.0.0 kept") == "250":
            self.peer.keep(done, done.rcpts)
        self.message = Received(self)
        return None

    def do_bdat(self, arg):
        size, _, last = arg.partition(" ")
        while len(self.buf) < int(size):
            more = self.sock.recv(262144)
            if not more:
                raise _End
            self.buf += more
        self.message.data += self.buf[:int(size)]
        self.buf = self.buf[int(size):]
        if last.upper() != "LAST":
            return self.out("250 2.0.0 more")
        self.message.time, self.message.wall = time.monotonic(), time.time()
        if self.act("end", "250 2.0.0 kept") == "250":
            self.peer.keep(self.message, self.message.rcpts)
        self.message = Received(self)
        return None

    def do_rset(self, arg):
        self.message = Received(self)
        self.act("rset", "250 2.0.0 ok", arg)

    def do_noop(self, arg):
        self.act("noop", "250 2.0.0 ok", arg)

    def do_quit(self, arg):
        self.act("quit", "221 2.0.0 bye", arg)
        raise _End


class ScriptedPeer:
    EXTENSIONS = ("PIPELINING", "SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8",
                  "DSN")

    def __init__(self, ip, port=25, script=None, cert=None, extensions=EXTENSIONS, lmtp=False,
                 immediate_tls=False):
        self.ip, self.port, self.script = ip, port, dict(script or {})
        self.extensions, self.lmtp, self.immediate_tls = extensions, lmtp, immediate_tls
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*cert)
        self.sessions, self.messages, self.problems = [], [], []
        self._lock, self.stopping = threading.Lock(), threading.Event()
        self.listener = None
        self.start()

    @property
    def hostport(self):
        return "%s:%d" % (self.ip, self.port)

    def start(self):
        self.stopping.clear()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((self.ip, self.port))
        self.listener.listen(200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """No more connections, and those that are open end."""
        self.stopping.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self._lock:
            open_ones = list(self.sessions)
        for s in open_ones:
            try:
                s.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self, listener):
        while True:
            try:
                sock, address = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock, address), daemon=True).start()

    def _serve(self, sock, address):
        session = _Session(self, sock, address)
        with self._lock:
            self.sessions.append(session)
        try:
            if self.immediate_tls:
                session.sock = self.context.wrap_socket(sock, server_side=True)
                session.tls = session.sock.version()
            session.run()
        except (_End, OSError):
            pass
        except Exception as problem:  # a fault of the script: the test must hear of it
            self.problems.append(problem)
        finally:
            try:
                session.sock.close()
            except OSError:
                pass

    def keep(self, message, rcpts):
        copy = Received(message.session)
        copy.__dict__.update(message.__dict__)
        copy.rcpts = list(rcpts)
        with self._lock:
            self.messages.append(copy)

    def taken(self):
        with self._lock:
            return list(self.messages)

    def connections(self):
        with self._lock:
            return len(self.sessions)
