"""Quarantine: mail that a domain's policy keeps back is on disk, shown safely, released,
deleted or expires."""
import contextlib
import os
import sqlite3

from lib.context import root
from lib.mail import unique
from lib.net import wait_for
from lib.web import Browser
from test_api import Api
from test_check import Setup

PASSWORD = "e2e-admin-password"


def ready(t):
    s = Setup(t)
    s.mox.admin.request("adminpassword", password=PASSWORD)
    b = Browser(s.mox.ip, s.mox.admin_port)
    b.login(PASSWORD)
    return s, b


def rows(s, **kw):
    return s.mox.admin.request("quarantine.list", **kw)[0]


@root
def test_quarantine(t):
    s, b = ready(t)
    with t.case("kept back, out of the queue"):
        s.send("x@quarantine.example", subject="First <b>one</b>")
        (row,) = rows(s)
        assert row["to"] == "anna@in.example" and row["from"] == "<x@quarantine.example>", row
        assert "quarantine.example" in row["reason"] and row["subject"] == "First <b>one</b>", row
        assert s.mox.queue() == []
        assert not s.box.raw()
    with t.case("survives kill -9"):
        s.mox.kill9()
        s.mox.start()
        assert [r["id"] for r in rows(s)] == [row["id"]]
    with t.case("page"):
        page = b.get("quarantine")
        assert "First &lt;b&gt;one&lt;/b&gt;" in page.html and "<b>one" not in page.html
        assert row["reason"] in page.text, page.text
        page = b.get("quarantine/%d" % row["id"])
        assert page.status == 200 and "Why it is here" in page.text, page.text
        assert b.get("quarantine?q=nobody").text.count("matches this") == 1
        assert b.get("quarantine/999999").status == 404
    with t.case("released: delivered as it would have been"):
        b.get("quarantine/%d" % row["id"])
        page = b.submit("pick", verb="release")
        assert "Release 1 message" in page.text, page.text
        b.submit("sure", "verb")
        wait_for(lambda: s.box.raw(), 10, "the released message")
        raw = s.box.raw()[0]
        assert b"Authentication-Results: mx.mox.example" in raw, raw
        assert rows(s) == []
        log = s.mox.admin.request("log.get", id=row["message"])
        words = str(log)
        assert "released" in words and "quarantined" in words, words
    with t.case("deleted, by search and with the count first"):
        for i in range(3):
            s.send("x@quarantine.example", subject="Bulk %d" % i)
        s.send("x@quarantine.example", subject="Other")
        b.get("quarantine?q=bulk")
        page = b.submit("pick", verb="delete", all="1")
        assert "Delete 3 messages" in page.text and len(rows(s)) == 4, page.text
        b.submit("sure", "verb")
        assert [r["subject"] for r in rows(s)] == ["Other"], rows(s)
    with t.case("two recipients, one message"):
        s.mox.admin.address("ben@in.example", "anna")
        s.send("x@quarantine.example", subject="Two",
               rcpts=("anna@in.example", "ben@in.example"))
        two = [r for r in rows(s) if r["subject"] == "Two"]
        assert len(two) == 2 and two[0]["message"] == two[1]["message"], two
        s.mox.admin.request("quarantine.release", id=two[0]["id"])
        s.mox.wait_empty()
        assert [r["id"] for r in rows(s) if r["subject"] == "Two"] == [two[1]["id"]]
        before = len(s.box.raw())
        s.mox.admin.request("quarantine.release", ids=[two[1]["id"]])
        wait_for(lambda: len(s.box.raw()) == before + 1, 10, "the other copy")
    with t.case("API"):
        api = Api(s.mox, s.mox.admin.request("token.add", name="q")[1]["token"])
        (left,) = api.call("GET", "/quarantine", query="?domain=in.example")["items"]
        assert api.call("GET", "/quarantine/{id}", id=left["id"])["subject"] == "Other"
        assert api.call("POST", "/quarantine/delete", {"ids": [str(left["id"])]}) == {"changed": 1}
        api.refused(404, "GET", "/quarantine/%d" % left["id"])
    with t.case("command line"):
        s.send("x@quarantine.example", subject="By hand")
        out = s.mox.cli("quarantine", "list", "-json", "-config").stdout
        assert "By hand" in out, out
        assert "1 changed" in s.mox.cli("quarantine", "delete", "-all", "-config").stdout
        assert rows(s) == []


HTML = (b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b1\r\n\r\n"
        b"--b1\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe <script>alert(1)</script>\r\n"
        b"--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        b"<p>hello</p><script>document.title='run'</script>"
        b"<img src=http://127.0.0.1:9/beacon onerror=alert(1)>\r\n--b1--\r\n")


@root
def test_quarantine_rendering(t):
    s, b = ready(t)
    mid = unique() + "@q"
    head = (b"From: <x@quarantine.example>\r\nTo: <anna@in.example>\r\nSubject: html\r\n"
            b"Message-ID: <%s>\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n" % mid.encode())
    with s.mox.talk(source=s.client) as c:
        c.ehlo("mx.good.example")
        c.cmd("MAIL FROM:<x@quarantine.example>", 250)
        c.cmd("RCPT TO:<anna@in.example>", 250)
        c.data(head + HTML, 250)
    (row,) = rows(s)
    page = b.get("quarantine/%d" % row["id"])
    with t.case("text, decoded and escaped"):
        assert "Grüße &lt;script&gt;" in page.html and "<script>alert" not in page.html
        assert 'sandbox src=' in page.html, page.html
    with t.case("HTML: nothing runs, nothing is loaded"):
        page = b.get("quarantine/%d/html" % row["id"])
        csp = page.headers["Content-Security-Policy"]
        assert csp.startswith("sandbox;") and "default-src 'none'" in csp, csp
        assert "script-src" not in csp and "unsafe" not in csp, csp
        assert "frame-ancestors 'self'" in csp, csp
    with t.case("expiry"):
        assert b.get("quarantine").status == 200
        b.submit("days", days="0")
        assert b.last.status == 422, b.last.status
        b.get("quarantine")
        b.submit("days", days="3")
        assert 'value="3"' in b.get("quarantine").html
        s.mox.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(s.mox.data, "mox.db"))) as db:
            db.execute("UPDATE quarantine SET at_ms = at_ms - 4 * 86400 * 1000")
            db.commit()
        s.mox.start()
        wait_for(lambda: not rows(s), 15, "the copy to expire")
        assert s.mox.queue() == []
