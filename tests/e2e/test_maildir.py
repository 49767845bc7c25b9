"""Delivery to Maildirs: content, aliases, catch-all, separator, case."""
import os
import re

from lib.context import root
from lib.mail import message, parse, unique


@root
def test_content(t):
    mox = t.mox()
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    mid = unique() + "@content"
    body = "Line.\r\n.\r\n..two\r\nFrom here\r\n\r\nend without empty line"
    raw = message("sender@b.example", "anna@in.example", mid=mid, body=body,
                  headers=["X-Odd:  kept   as it is", "Received: from a by b; Mon, 23 Nov 2026"
                           " 12:00:00 +0000"])
    with mox.talk() as s:
        s.ehlo("desk.example")
        s.starttls(ehlo=False)
        s.ehlo("desk.example")
        s.mail("sender@b.example", ["anna@in.example"], raw)
        s.quit()
    got = mox.maildir("anna").wait_mid(mid).replace(b"\r\n", b"\n")
    sent = raw.replace(b"\r\n", b"\n") + b"\n"
    assert got.endswith(sent), "changed on the way:\n%s" % got.decode()
    trace = got[:-len(sent)].decode()
    m = parse(trace + "\n") if isinstance(trace, bytes) else parse(trace.encode() + b"\n")
    assert trace.startswith(("Delivered-To:", "Return-Path:", "X-Mox")), trace
    assert m["Delivered-To"] == "anna@in.example", trace
    assert m["Return-Path"] == "<sender@b.example>", trace
    received = re.sub(r"\s+", " ", m["Received"])
    assert received.startswith("from desk.example"), received
    assert " by mx.mox.example" in received and " with ESMTPS " in received, received
    assert "[127.0.0.1]" in received and "TLS1.3" in received.replace("TLSv", "TLS"), received
    assert "TLS_AES_" in received, received
    session = re.search(r" id ([0-9A-Za-z._-]+)", received)
    assert session, received
    assert session.group(1) in mox.text(), "the session id is not in the log"
    files = os.listdir(os.path.join(mox.maildir("anna").path, "new"))
    assert len(files) == 1 and not os.listdir(os.path.join(mox.maildir("anna").path, "tmp"))
    assert ":" not in files[0], files
    mode = os.stat(os.path.join(mox.maildir("anna").path, "new", files[0])).st_mode & 0o777
    assert mode & 0o007 == 0, "mail is readable for all: %o" % mode


@root
def test_addresses(t):
    mox = t.mox(config={"Postmaster": {"Account": "rest", "Mailbox": "Postmaster"}})
    for name in ("anna", "bert", "rest"):
        mox.admin.account(name)
    mox.admin.domain("in.example")
    mox.admin.domain("plain.example", separator="")
    mox.admin.domain("case.example", case_sensitive=True)
    mox.admin.domain("all.example")
    mox.admin.address("anna@in.example", "anna")
    mox.admin.address("bert@in.example", "bert")
    mox.admin.address("anna@plain.example", "anna")
    mox.admin.address("Anna@case.example", "anna")
    mox.admin.address("@all.example", "rest")
    mox.admin.address("anna@all.example", "anna")
    mox.admin.alias("both@in.example", "anna@in.example", "bert@in.example")
    mox.admin.alias("all@in.example", "both@in.example", "anna@in.example")

    def lands(rcpt, *accounts):
        with t.case(rcpt):
            mid = unique() + "@addr"
            mox.send("a@b.example", rcpt, message(mid=mid))
            for name in accounts:
                mox.maildir(name).wait_mid(mid)
                assert len(mox.maildir(name).find(mid)) == 1, "delivered twice"
            mox.wait_empty()
            for name in {"anna", "bert", "rest"} - set(accounts):
                assert not mox.maildir(name).find(mid), "also in " + name

    def refused(rcpt):
        with t.case(rcpt), mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            r = s.cmd("RCPT TO:<%s>" % rcpt)
            if r.code == 250:
                r = s.data(message(), want=None)
            assert r.code == 550 and "5.1.1" in r.text, r

    lands("anna@in.example", "anna")
    lands("ANNA@IN.example", "anna")
    lands("anna+lists@in.example", "anna")
    lands('"anna"@in.example', "anna")
    lands("both@in.example", "anna", "bert")
    lands("all@in.example", "anna", "bert")
    lands("both+x@in.example", "anna", "bert")
    lands("whoever@all.example", "rest")
    lands("who+ever@all.example", "rest")
    lands("anna@all.example", "anna")
    lands("Anna@case.example", "anna")
    refused("anna@case.example")
    refused("anna+lists@plain.example")
    refused("zoe@in.example")
    refused("annax@in.example")
    with t.case("postmaster of a hosted domain"), mox.talk() as s:
        s.ehlo()
        s.cmd("MAIL FROM:<a@b.example>", 250)
        s.cmd("RCPT TO:<PostMaster@in.example>", 250)
    with t.case("postmaster alone"), mox.talk() as s:
        s.ehlo()
        s.cmd("MAIL FROM:<a@b.example>", 250)
        s.cmd("RCPT TO:<Postmaster>", 250)
    with t.case("disabled domain"):
        mox.admin.domain_set("all.example", disabled=True)
        with mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            r = s.cmd("RCPT TO:<anna@all.example>")
            assert r.code // 100 == 4, r
    with t.case("deleted domain"):
        mox.admin.domain_rm("all.example")
        with mox.talk() as s:
            s.ehlo()
            s.cmd("MAIL FROM:<a@b.example>", 250)
            assert s.cmd("RCPT TO:<anna@all.example>").code == 550


@root
def test_large_message(t):
    """Over the size that rides in the database: through the spool."""
    mox = t.mox()
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    mid = unique() + "@large"
    raw = message(mid=mid, size=3_000_000)
    mox.send("a@b.example", "anna@in.example", raw)
    got = mox.maildir("anna").wait_mid(mid)
    assert got.replace(b"\r\n", b"\n").endswith(raw.replace(b"\r\n", b"\n"))
    mox.wait_empty()
    spool = os.path.join(mox.data, "spool")
    assert not [n for _, _, names in os.walk(spool) for n in names], "left in the spool"
