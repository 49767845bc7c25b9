"""The SMTP server as a client sees it: extensions, odd sessions, smuggling, relay tricks."""
import re

from lib.context import root
from lib.mail import message, unique
from lib.talk import Closed, swaks


def gateway(t, **kw):
    """A mox with one Maildir account: anna@in.example, and a catch-all domain."""
    mox = t.mox(**kw)
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    mox.admin.domain("all.example")
    mox.admin.address("@all.example", "anna")
    return mox


@root
def test_extensions(t):
    mox = gateway(t)
    with mox.talk() as s:
        assert s.greeting.code == 220 and "mx.mox.example" in s.greeting.text, s.greeting
        plain = s.ehlo().lines
        words = {l.split()[0].upper() for l in plain[1:]}
        wanted = {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING",
                  "ENHANCEDSTATUSCODES", "DSN", "LIMITS", "STARTTLS"}
        assert wanted <= words, "missing: %s" % (wanted - words)
        assert "REQUIRETLS" not in words, "REQUIRETLS offered in plaintext"
        assert "AUTH" not in words, "AUTH offered on port 25"
        words = {l.split()[0].upper() for l in s.starttls().lines[1:]}
        assert "REQUIRETLS" in words and "STARTTLS" not in words, words
        s.cmd("STARTTLS", (503, 502, 554))
        s.cmd("VRFY anna@in.example", 252)
        s.cmd("EXPN list", (252, 502))
        s.cmd("NOOP anything", 250)
        s.cmd("RSET", 250)
        s.cmd("HELP", (214, 500, 502))
        s.quit()


@root
def test_sequence(t):
    mox = gateway(t)
    with mox.talk() as s:
        s.cmd("MAIL FROM:<a@b.example>", (503, 501))
        s.cmd("HELO old.example", 250)
        s.cmd("RCPT TO:<anna@in.example>", 503)
        s.cmd("DATA", 503)
        s.cmd("MAIL FROM:<a@b.example>", 250)
        s.cmd("MAIL FROM:<a@b.example>", 503)
        s.cmd("DATA", (503, 554))
        s.cmd("RCPT TO:<anna@in.example>", 250)
        s.cmd("RSET", 250)
        s.cmd("RCPT TO:<anna@in.example>", 503)
        for bad in ("MAIL FROM:a b", "MAIL FROM:<a@b.example", "MAIL FROM:<a@-.example>",
                    "MAIL FROM:<@>", "MAIL FROM: ", "MAIL <a@b.example>"):
            r = s.cmd(bad)
            assert 500 <= r.code < 600, "%s: %r" % (bad, r)
        r = s.ehlo()
        s.cmd("MAIL FROM:<a@b.example> NONSENSE=1", 555)
        s.cmd("MAIL FROM:<a@b.example> SIZE=10 SIZE=10", 501)
        s.cmd("MAIL FROM:<a@b.example> BODY=9BIT", (501, 555))
        s.cmd("MAIL FROM:<a@b.example> REQUIRETLS", (530, 555, 503))
        s.cmd("MAIL FROM:<a@b.example>", 250)
        s.cmd("RCPT TO:<anna@in.example> NOTIFY=SOMETIMES", 501)
        s.cmd("RCPT TO:<anna@in.example> NOTIFY=NEVER,FAILURE", 501)
        s.cmd("RCPT TO:<anna@in.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+40y", 250)
        s.quit()


@root
def test_pipelining(t):
    mox = gateway(t)
    one, two = unique() + "@p", unique() + "@p"
    with mox.talk() as s:
        s.ehlo()
        s.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<nobody-here@elsewhere.example>\r\n"
               b"RCPT TO:<anna@in.example>\r\nDATA\r\n")
        codes = [s.reply().code for _ in range(4)]
        assert codes[0] == 250 and codes[1] // 100 == 5 and codes[2:] == [250, 354], codes
        s.send(message(mid=one) + b".\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<anna@in.example>\r\n"
               b"DATA\r\n")
        assert [s.reply().code for _ in range(4)] == [250, 250, 250, 354]
        s.send(message(mid=two) + b".\r\nQUIT\r\n")
        assert [s.reply().code for _ in range(2)] == [250, 221]
        assert s.at_end()
    for mid in (one, two):
        mox.maildir("anna").wait_mid(mid)


@root
def test_bdat(t):
    mox = gateway(t)
    mid = unique() + "@bdat"
    raw = message(mid=mid, body="one\r\n.\r\n..two\r\n")
    with mox.talk() as s:
        s.ehlo()
        s.cmd("MAIL FROM:<a@b.example>", 250)
        s.cmd("RCPT TO:<anna@in.example>", 250)
        s.send(b"BDAT %d\r\n" % 20 + raw[:20])
        assert s.reply().code == 250
        s.cmd("DATA", 503)
        s.cmd("MAIL FROM:<a@b.example>", 503)
        s.send(b"BDAT %d LAST\r\n" % (len(raw) - 20) + raw[20:])
        assert s.reply().code == 250
        s.send(b"BDAT 5 LAST\r\nhello")
        assert s.reply().code == 503
        s.cmd("NOOP", 250)
        s.cmd("BDAT x", 501)
        s.quit()
    got = mox.maildir("anna").wait_mid(mid)
    assert got.replace(b"\r\n", b"\n").endswith(b"one\n.\n..two\n"), got


@root
def test_starttls_injection(t):
    mox = gateway(t)
    with mox.talk() as s:
        s.ehlo()
        s.send(b"STARTTLS\r\nMAIL FROM:<evil@x.example>\r\nRCPT TO:<anna@in.example>\r\n")
        r = s.reply()
        if r.code == 220:
            s._wrap()
            assert s.silent(0.5), "an answer to what was sent before TLS: %r" % s.buf
            s.cmd("RCPT TO:<anna@in.example>", (503, 501))
            s.ehlo()
            s.cmd("RCPT TO:<anna@in.example>", 503)
        else:
            assert r.code // 100 == 5 or r.code == 421, r
    with mox.talk() as s:  # what was said before TLS is forgotten
        s.ehlo("before.example")
        s.cmd("MAIL FROM:<a@b.example>", 250)
        s.starttls(ehlo=False)
        s.cmd("RCPT TO:<anna@in.example>", 503)
        s.quit()


SMUGGLING = {
    "LF.LF": b"\n.\n", "LF.CRLF": b"\n.\r\n", "CRLF.LF": b"\r\n.\n", "CRLF.CR": b"\r\n.\r",
    "CR.CR": b"\r.\r", "CR.CRLF": b"\r.\r\n", "CR.LF": b"\r.\n", "LF.CR": b"\n.\r",
    "CRLF.CRCRLF": b"\r\n.\r\r\n", "LFLF.CRLF": b"\n\n.\r\n",
    "CRLFNUL.CRLF": b"\r\n\0.\r\n", "bare LF": b"a\nb", "bare CR": b"a\rb",
}


@root
def test_smuggling(t):
    mox = gateway(t)
    inner = (b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<anna@in.example>\r\nDATA\r\n"
             b"Subject: smuggled\r\n\r\nsmuggled\r\n")
    for name, octets in SMUGGLING.items():
        with t.case(name), mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            s.cmd("RCPT TO:<anna@in.example>", 250)
            s.cmd("DATA", 354)
            s.send(message() + b"text" + octets + inner + b".\r\n")
            r = s.reply()
            if b"\0" in octets and r.code == 250:
                assert s.cmd("NOOP").code == 250  # NUL is no line end: one message
                continue
            assert r.code // 100 == 5, r
            try:
                s.cmd("NOOP", 250)  # exactly one answer came, or the server hung up
            except (Closed, OSError):
                pass
    with t.case("nothing smuggled"):
        mox.wait_empty()
        assert not [r for r in mox.maildir("anna").raw() if b"\nSubject: smuggled" in
                    r.split(b"\n\n")[0].split(b"\r\n\r\n")[0]]
    for name, line in {"command LF": b"NOOP\nNOOP\r\n", "command CR": b"NOOP\rNOOP\r\n",
                       "only LF": b"NOOP\n"}.items():
        with t.case(name), mox.talk() as s:
            s.ehlo()
            s.send(line)
            if name == "only LF":
                if s.silent(0.3):
                    continue
            assert s.reply().code // 100 == 5
            assert s.silent(0.2) or s.at_end(1)


RELAY_TRICKS = (
    "user@other.example", "user%other.example@in.example", '"user@other.example"@in.example',
    '"user%other.example"@in.example', "other.example!user@in.example",
    "@in.example:user@other.example", "@in.example,@all.example:user@other.example",
    "user@other.example.", "user@other.example@in.example", "user@in.example@other.example",
    '"anna@in.example"@other.example', "in.example!anna@other.example",
    "anna%in.example@other.example", "user@[127.0.0.1]", "user@[192.0.2.1]",
    "user@other.example%in.example", "user@[IPv6:::1]", "user@localhost", "user",
    "user@other.example,anna@in.example", "anna@in.example> <user@other.example",
    'anna@in.example\\n<user@other.example>', "user%[127.0.0.1]@in.example",
    "user@sub.in.example", "user@in.example.other.example",
)
SENDERS = ("", "anna@in.example", "postmaster@mx.mox.example", "root@localhost")


@root
def test_relay_tricks(t):
    mox = gateway(t)
    for rcpt in RELAY_TRICKS:
        with t.case(rcpt):
            for sender in SENDERS:
                with mox.talk() as s:
                    s.ehlo()
                    s.cmd("MAIL FROM:<%s>" % sender, 250)
                    r = s.cmd("RCPT TO:<%s>" % rcpt)
                    if r.code == 250:  # unknown users may be refused after DATA only
                        r = s.data(message(), want=None)
                    assert r.code // 100 == 5, "MAIL FROM:<%s>: %r" % (sender, r)
    with t.case("catch-all keeps it here"):
        mid = unique() + "@relay"
        mox.send("a@b.example", "user%other.example@all.example", message(mid=mid))
        mox.maildir("anna").wait_mid(mid)
    with t.case("queue is empty"):
        mox.wait_empty()


@root
def test_sizes_and_encodings(t):
    mox = gateway(t, listener={"SMTPMaxMessageSize": 60000})
    with mox.talk() as s:
        assert "SIZE 60000" in s.ehlo().lines
        s.cmd("MAIL FROM:<a@b.example> SIZE=60001", 552)
        s.cmd("MAIL FROM:<a@b.example> SIZE=6000", 250)
        s.cmd("RCPT TO:<anna@in.example>", 250)
        r = s.data(message(size=80000), want=None)
        assert r.code == 552, r
        s.cmd("NOOP", 250)
        mid = unique() + "@utf8"
        raw = message(sender="jürgen@b.example", mid=mid, subject="grüße", body="ä\r\n")
        s.cmd("MAIL FROM:<jürgen@b.example>", (553, 550, 501))
        s.mail("jürgen@b.example", ["anna@in.example"], raw, params="BODY=8BITMIME SMTPUTF8")
        s.quit()
    got = mox.maildir("anna").wait_mid(mid)
    assert "grüße".encode() in got and "jürgen@b.example".encode() in got, got
    assert re.search(rb"with UTF8SMTP", got), got


@root
def test_swaks(t):
    mox = gateway(t)
    mid = unique() + "@swaks"
    args = ["--from", "a@b.example", "--to", "anna@in.example",
            "--header", "Message-Id: <%s>" % mid]
    with t.case("pipelined"):
        swaks(mox.ip, "--pipeline", *args)
        mox.maildir("anna").wait_mid(mid)
    with t.case("HELO"):
        swaks(mox.ip, "--protocol", "SMTP", *args)
    with t.case("STARTTLS"):
        out = swaks(mox.ip, "-tls", *args).stdout
        assert "TLS started with cipher TLSv1.3" in out, out
    with t.case("quit after MAIL"):
        swaks(mox.ip, "--quit-after", "MAIL", *args)
    with t.case("refused"):
        out = swaks(mox.ip, "--from", "a@b.example", "--to", "x@other.example", check=False)
        assert out.returncode != 0 and "<** 5" in out.stdout, out.stdout
    with t.case("arrived"):
        mox.maildir("anna").wait(3)
