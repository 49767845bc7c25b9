"""Limits of mox.conf, each set low; PROXY protocol."""
import socket
import struct
import time

from lib.context import root, timeout
from lib.mail import message, unique
from test_session import gateway

PROXY_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def limited(t, **limits):
    return gateway(t, config={"Limits": limits})


@root
@timeout(240)
def test_limits(t):
    with t.case("RecipientsMax"):
        mox = limited(t, RecipientsMax=3)
        with mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            for i in range(3):
                s.cmd("RCPT TO:<r%d@all.example>" % i, 250)
            r = s.cmd("RCPT TO:<r4@all.example>", 452)
            assert "4.5.3" in r.text, r
            s.data(message())
            s.quit()
        mox.stop()
    with t.case("CommandLineMax"):
        mox = limited(t, CommandLineMax=512)
        with mox.talk() as s:
            s.ehlo()
            r = s.cmd("NOOP " + "x" * 600)
            assert r.code == 500, r
        mox.stop()
    with t.case("ConnectionsOpen"):
        mox = limited(t, ConnectionsOpen="3 0 0")
        open_ones = [mox.talk() for _ in range(3)]
        with mox.talk() as s:
            assert s.greeting.code == 421 and s.at_end(), s.greeting
        with mox.talk(source=t.ip()) as s:
            assert s.greeting.code == 220, "another address is refused too: %r" % s.greeting
        open_ones.pop().quit()
        time.sleep(0.2)
        with mox.talk() as s:
            assert s.greeting.code == 220, s.greeting
        mox.stop()
    with t.case("ConnectionsTotal"):
        mox = limited(t, ConnectionsTotal=2)
        open_ones = [mox.talk(source=t.ip()) for _ in range(2)]
        with mox.talk() as s:
            assert s.greeting.code == 421, s.greeting
        mox.stop()
    with t.case("ConnectionRate"):
        mox = limited(t, ConnectionRate="4 0 0")
        source = t.ip()
        codes = []
        for _ in range(6):
            with mox.talk(source=source) as s:
                codes.append(s.greeting.code)
        assert codes == [220] * 4 + [421] * 2, codes
        mox.stop()
    with t.case("DeliveryMessagesMin"):
        mox = limited(t, DeliveryMessagesMin="2 0 0")
        with mox.talk() as s:
            s.ehlo()
            for i in range(2):
                s.mail("a@b.example", ["anna@in.example"], message())
            s.cmd("MAIL FROM:<a@b.example>", 250)
            r = s.cmd("RCPT TO:<anna@in.example>")
            if r.code == 250:
                r = s.data(message(), want=None)
            assert r.code == 452, r
        mox.stop()
    with t.case("ReceivedMax"):
        mox = limited(t, ReceivedMax=10)
        with mox.talk() as s:
            s.ehlo()
            hop = "Received: from a by b; Mon, 23 Nov 2026 12:00:00 +0000"
            s.mail("a@b.example", ["anna@in.example"], message(headers=[hop] * 9))
            s.cmd("MAIL FROM:<a@b.example>", 250)
            s.cmd("RCPT TO:<anna@in.example>", 250)
            r = s.data(message(headers=[hop] * 11), want=None)
            assert r.code // 100 == 5 and "5.4.6" in r.text, r
        mox.stop()
    with t.case("BadTransactionsMax"):
        mox = limited(t, BadTransactionsMax=3)
        with mox.talk() as s:
            s.ehlo()
            for _ in range(12):
                r = s.cmd("MAIL FROM:<a@b.example>")
                if r.code != 250:
                    break
                s.cmd("RCPT TO:<x@other.example>")
                s.cmd("RSET")
            assert r.code in (550, 421) and s.at_end(), r
        mox.stop()
    with t.case("ReadTimeout"):
        mox = limited(t, ReadTimeout="1s")
        with mox.talk() as s:
            start = time.monotonic()
            assert s.reply().code == 421 and s.at_end()
            assert 0.8 < time.monotonic() - start < 4
        mox.stop()
    with t.case("DataTimeout"):
        mox = limited(t, DataTimeout="1s", ReadTimeout="20s")
        with mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            s.cmd("RCPT TO:<anna@in.example>", 250)
            s.cmd("DATA", 354)
            start, closed = time.monotonic(), False
            try:
                while time.monotonic() - start < 8:
                    s.send(b"drip\r\n")
                    time.sleep(0.1)
            except OSError:
                closed = True
            assert closed and time.monotonic() - start < 5
        mox.stop()
    with t.case("SlowAfter"):
        mox = limited(t, SlowAfter=2, SlowRead="700ms", SlowWriteByte="1ms")
        with mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            for _ in range(3):
                s.cmd("RCPT TO:<x@other.example>")
            start = time.monotonic()
            s.cmd("NOOP")
            assert time.monotonic() - start > 0.5, "not slowed"
        mox.stop()
    with t.case("SlowWriteByte"):
        mox = limited(t, SlowAfter=1, SlowRead="0s", SlowWriteByte="40ms")
        with mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            s.cmd("RCPT TO:<x@other.example>")
            start = time.monotonic()
            s.cmd("NOOP", 250)  # "250 2.0.0 OK" and CRLF: 14 octets
            assert 0.45 < time.monotonic() - start < 3, "octets not sent one by one"
        mox.stop()
    with t.case("UnknownRcptDelay"):
        mox = limited(t, UnknownRcptDelay="1s", SlowAfter=1, SlowRead="0s", SlowWriteByte="0s")
        with mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            start = time.monotonic()
            s.cmd("RCPT TO:<nosuchuser@in.example>", 550)
            s.cmd("NOOP", 250)
            assert time.monotonic() - start > 0.9, "no pause"
        mox.stop()


def proxy_v2(source, dest, command=1):
    body = socket.inet_aton(source) + socket.inet_aton(dest) + struct.pack(">HH", 4711, 25)
    return PROXY_SIGNATURE + bytes([0x20 | command, 0x11]) + struct.pack(">H", len(body)) + body


@root
def test_proxy_protocol(t):
    listed, unlisted = t.ip(), t.ip()
    mox = gateway(t, listener={"ProxyProtocol": {"TrustedFrom": [listed + "/32"]}})
    mid = unique() + "@proxy"
    with t.case("listed"):
        with mox.talk(source=listed, first=proxy_v2("192.0.2.7", mox.ip)) as s:
            s.ehlo()
            s.mail("a@b.example", ["anna@in.example"], message(mid=mid))
            s.quit()
        got = mox.maildir("anna").wait_mid(mid)
        assert b"[192.0.2.7]" in got and listed.encode() not in got, got
    with t.case("listed, LOCAL command"):
        with mox.talk(source=listed, first=proxy_v2("192.0.2.7", mox.ip, command=0)) as s:
            s.ehlo()
            s.quit()
    with t.case("listed without header"):
        with mox.talk(source=listed, greet=False) as s:
            s.send(b"EHLO x.example\r\n" + b" " * 20)
            assert s.at_end() and b"250" not in s.buf, s.buf
    with t.case("unlisted with header"):
        with mox.talk(source=unlisted, greet=False, first=proxy_v2("192.0.2.7", mox.ip)) as s:
            s.at_end(1)
            assert b"250" not in s.buf, s.buf
    with t.case("unlisted without header"):
        with mox.talk(source=unlisted) as s:
            s.ehlo()
            s.quit()
