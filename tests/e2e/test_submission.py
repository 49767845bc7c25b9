"""Submission on 587 and 465: who may, as whom, and what is added."""
from lib.context import root
from lib.mail import message, message_id, parse, unique
from lib.talk import swaks

PASSWORD = "correct horse battery"


def office(t, **kw):
    mox = t.mox(**kw)
    mox.admin.account("anna", PASSWORD)
    mox.admin.account("bert", PASSWORD + "!")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    mox.admin.address("bert@in.example", "bert")
    return mox


@root
def test_auth(t):
    mox = office(t)
    port = mox.submission_port
    with t.case("no AUTH before TLS"), mox.talk(port) as s:
        words = " ".join(s.ehlo().lines)
        assert "AUTH PLAIN" not in words and "AUTH" not in words.replace("AUTH=", ""), words
        s.cmd("AUTH PLAIN AGEAYg==", (538, 530, 503, 504))
        s.cmd("MAIL FROM:<anna@in.example>", 530)
    with t.case("PLAIN"), mox.talk(port) as s:
        s.ehlo()
        lines = s.starttls().lines
        auth = [l for l in lines if l.startswith("AUTH ")]
        assert auth and {"SCRAM-SHA-256", "PLAIN"} <= set(auth[0].split()), lines
        s.cmd("MAIL FROM:<anna@in.example>", 530)
        s.auth_plain("anna@in.example", PASSWORD)
        s.cmd("AUTH PLAIN AGEAYg==", 503)
        s.cmd("MAIL FROM:<anna@in.example>", 250)
    with t.case("PLAIN in two steps"), mox.talk(port) as s:
        s.ehlo()
        s.starttls()
        s.cmd("AUTH PLAIN", 334)
        s.cmd("*", 501)
        s.cmd("AUTH PLAIN", 334)
        s.cmd("AGFubmFAaW4uZXhhbXBsZQBjb3JyZWN0IGhvcnNlIGJhdHRlcnk=", 235)
    for name, user, password in (("wrong password", "anna@in.example", PASSWORD + "x"),
                                 ("empty password", "anna@in.example", ""),
                                 ("unknown user", "zoe@in.example", PASSWORD),
                                 ("other's password", "bert@in.example", PASSWORD)):
        with t.case("PLAIN " + name), mox.talk(port) as s:
            s.ehlo()
            s.starttls()
            r = s.auth_plain(user, password, want=None)
            assert r.code in (535, 501), r
            s.cmd("MAIL FROM:<anna@in.example>", 530)
        with t.case("SCRAM " + name), mox.talk(port) as s:
            s.ehlo()
            s.starttls()
            r = s.auth_scram(user, password)
            assert r.code in (535, 454), r
    with t.case("SCRAM"), mox.talk(port) as s:
        s.ehlo()
        s.starttls()
        assert s.auth_scram("anna@in.example", PASSWORD).code == 235
        s.cmd("MAIL FROM:<anna@in.example>", 250)
    with t.case("465"), mox.talk(mox.submissions_port, tls=True) as s:
        assert "STARTTLS" not in s.ehlo().lines
        s.auth_plain("bert@in.example", PASSWORD + "!")
    with t.case("not on port 25"), mox.talk() as s:
        s.ehlo()
        s.starttls()
        s.cmd("AUTH PLAIN AGEAYg==", (502, 503, 504))
    with t.case("swaks"):
        swaks(mox.ip, "-tls", "--auth", "PLAIN", "--auth-user", "anna@in.example",
              "--auth-password", PASSWORD, "--from", "anna@in.example", "--to",
              "bert@in.example", port=port)
        mox.maildir("bert").wait(1)


@root
def test_rules(t):
    mox = office(t)

    def session():
        s = mox.talk(mox.submissions_port, tls=True, source=t.ip())
        s.ehlo("secret-desk.example")
        s.auth_plain("anna@in.example", PASSWORD)
        return s

    with t.case("MAIL FROM of another"), session() as s:
        r = s.cmd("MAIL FROM:<bert@in.example>")
        if r.code == 250:
            s.cmd("RCPT TO:<bert@in.example>", 250)
            r = s.data(message("bert@in.example"), want=None)
        assert r.code == 550 and "5.7.1" in r.text, r
    for name, sender in (("another", "bert@in.example"), ("a stranger", "x@other.example")):
        with t.case("From of " + name), session() as s:
            s.cmd("MAIL FROM:<anna@in.example>", 250)
            s.cmd("RCPT TO:<bert@in.example>", 250)
            r = s.data(message(sender), want=None)
            assert r.code == 550 and "5.7.1" in r.text, r
    with t.case("two From"), session() as s:
        s.cmd("MAIL FROM:<anna@in.example>", 250)
        s.cmd("RCPT TO:<bert@in.example>", 250)
        r = s.data(message("anna@in.example", headers=["From: <anna@in.example>"]), want=None)
        assert r.code // 100 == 5, r
    with t.case("no From"), session() as s:
        s.cmd("MAIL FROM:<anna@in.example>", 250)
        s.cmd("RCPT TO:<bert@in.example>", 250)
        r = s.data(b"Subject: x\r\n\r\ntext\r\n", want=None)
        assert r.code // 100 == 5, r
    with t.case("unknown local recipient"), session() as s:
        s.cmd("MAIL FROM:<anna@in.example>", 250)
        s.cmd("RCPT TO:<zoe@in.example>", 550)
    with t.case("added headers, hidden client"), session() as s:
        here = s.sock.getsockname()[0]
        mark = unique()
        s.mail("anna@in.example", ["bert@in.example"],
               b"From: <anna@in.example>\r\nSubject: %s\r\n\r\ntext\r\n" % mark.encode())
        s.quit()
        mox.maildir("bert").wait(1)
        raw = [r for r in mox.maildir("bert").raw() if mark.encode() in r][0]
        m = parse(raw)
        assert m["Date"] and message_id(raw) and "@" in message_id(raw), raw
        assert here.encode() not in raw and b"secret-desk" not in raw, raw
        assert b"ESMTPSA" in raw, raw
    with t.case("own headers stay"), session() as s:
        mid = unique() + "@own"
        s.mail("anna@in.example", ["bert@in.example"], message("anna@in.example", mid=mid))
        s.quit()
        raw = mox.maildir("bert").wait_mid(mid)
        assert raw.lower().count(b"\nmessage-id:") == 1 and raw.lower().count(b"\ndate:") == 1


@root
def test_auth_limits(t):
    mox = office(t, config={"Limits": {"AuthFailuresMin": "3 0 0", "AuthDelayAfter": 100}})
    source = t.ip()
    with mox.talk(mox.submissions_port, tls=True, source=source) as s:
        s.ehlo()
        for _ in range(3):
            s.auth_plain("anna@in.example", "wrong password", want=None)
    with mox.talk(mox.submission_port, source=source) as s:
        assert s.greeting.code == 421, s.greeting
    with mox.talk(mox.submission_port, source=t.ip()) as s:
        assert s.greeting.code == 220, s.greeting


@root
def test_account_limit(t):
    mox = office(t, config={"Limits": {"AccountMessagesDay": 2}})
    with mox.talk(mox.submissions_port, tls=True) as s:
        s.ehlo()
        s.auth_plain("anna@in.example", PASSWORD)
        for _ in range(2):
            s.mail("anna@in.example", ["bert@in.example"], message("anna@in.example"))
        s.cmd("MAIL FROM:<anna@in.example>", 250)
        r = s.cmd("RCPT TO:<bert@in.example>")
        if r.code == 250:
            r = s.data(message("anna@in.example"), want=None)
        assert r.code // 100 == 4, r
