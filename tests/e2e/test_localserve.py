"""mox localserve: everything on loopback, ready at once."""
import urllib.request

from lib.mail import message, unique


def test_ready(t):
    mox = t.localserve()
    with t.case("any recipient"):
        mid = unique() + "@local"
        mox.send("who@ever.example", "any.one@example.org", message(mid=mid))
        mox.maildir("mox").wait_mid(mid)
    with t.case("submission"), mox.talk(mox.submission_port) as s:
        s.ehlo()
        s.starttls()
        assert s.auth_scram("mox@localhost", "moxmoxmox").code == 235
        mid = unique() + "@local"
        s.mail("mox@localhost", ["x@example.net"], message("mox@localhost", mid=mid))
        mox.maildir("mox").wait_mid(mid)
    with t.case("submissions"), mox.talk(mox.submissions_port, tls=True) as s:
        s.ehlo()
        s.auth_plain("mox@localhost", "moxmoxmox")
    with t.case("web"):
        page = urllib.request.urlopen("http://%s:%d/admin/" % (mox.ip, mox.admin_port), timeout=10)
        assert page.status == 200 and b"<form" in page.read()
    for local, code in (("x-550", 550), ("x451", 451), ("u-temperror", 4), ("u-permerror", 5)):
        with t.case("local part " + local), mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            r = s.cmd("RCPT TO:<%s@example.org>" % local)
            if r.code == 250:
                r = s.data(message(), want=None)
            assert r.code == code or r.code // 100 == code, r
    with t.case("a second start finds everything"):
        mox.stop()
        mox.start()
        mid = unique() + "@local"
        mox.send("a@b.example", "again@example.org", message(mid=mid))
        mox.maildir("mox").wait_mid(mid)


def test_hold(t):
    mox = t.localserve("-hold")
    for _ in range(3):
        mox.send("a@b.example", "x@example.org", message())
    rows = mox.queue()
    assert [r["state"] for r in rows] == ["held"] * 3, rows
    assert not mox.maildir("mox").raw()
    mox.admin.act("unhold", all=True)
    mox.maildir("mox").wait(3)
