"""Delivery status notifications (RFC 3464): what they say, and when there are none."""
import email
import email.policy

from lib.context import root
from lib.mail import message, unique
from lib.peer import Then


def sender_mox(t, **queue):
    """anna@in.example may send anywhere; out.example goes to a peer."""
    mox = t.mox(config={"Queue": dict({"RetryFirst": "1s", "MaxAttempts": 3,
                                       "DelayDSNAttempt": 1}, **queue)})
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    return mox


def fields(part):
    """The groups of a message/delivery-status part as dictionaries."""
    return [{k.lower(): v for k, v in group.items()} for group in part.get_payload()]


def read(raw):
    """(message, human text, per-message fields, [per-recipient fields], third part)."""
    m = email.message_from_bytes(raw)
    assert m.get_content_type() == "multipart/report", raw.decode()
    assert m.get_param("report-type") == "delivery-status", m["Content-Type"]
    parts = m.get_payload()
    groups = fields(parts[1])
    return m, parts[0].get_payload(decode=True).decode(), groups[0], groups[1:], \
        parts[2] if len(parts) > 2 else None


@root
def test_failed(t):
    peer = t.peer({"rcpt": "550 5.1.1 no such user <here>"})
    mox = sender_mox(t)
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    mid = unique() + "@dsn"
    mox.send("anna@in.example", "zoe@out.example",
             message("anna@in.example", mid=mid, subject="for zoe", body="secret\r\n"))
    raw = mox.maildir("anna").wait(1)[0]
    m, text, about, rcpts, original = read(raw)
    with t.case("header"):
        assert m["Return-Path"] == "<>" and m["To"].strip("<>") == "anna@in.example"
        assert "postmaster@mx.mox.example" in m["From"], m["From"]
        assert m["Auto-Submitted"] and m["Auto-Submitted"].startswith("auto-"), m["Auto-Submitted"]
        assert m["Message-ID"] and m["Date"] and m["MIME-Version"] == "1.0"
        assert mid in (m["References"] or "") + (m["In-Reply-To"] or ""), raw.decode()
    with t.case("text for people"):
        assert "zoe@out.example" in text and "no such user" in text, text
    with t.case("status fields"):
        assert about["reporting-mta"].replace(" ", "") == "dns;mx.mox.example", about
        assert "arrival-date" in about and "original-envelope-id" not in about, about
        assert len(rcpts) == 1
        r = rcpts[0]
        assert r["final-recipient"].replace(" ", "") == "rfc822;zoe@out.example", r
        assert r["action"] == "failed" and r["status"] == "5.1.1", r
        assert r["remote-mta"].startswith("dns;") and peer.ip in r["remote-mta"], r
        assert r["diagnostic-code"].startswith("smtp;"), r
        assert "550" in r["diagnostic-code"] and "no such user" in r["diagnostic-code"], r
        assert "last-attempt-date" in r and "will-retry-until" not in r, r
    with t.case("headers only come back"):
        assert original.get_content_type() in ("text/rfc822-headers", "message/rfc822")
        assert "for zoe" in original.as_string() and "secret" not in original.as_string()
    mox.wait_empty()


@root
def test_delayed_then_failed(t):
    peer = t.peer({"mail": "451 4.7.1 try again"})
    mox = sender_mox(t)
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    mox.send("anna@in.example", "zoe@out.example", message("anna@in.example"))
    found = mox.maildir("anna").wait(2, 40)
    by_action = {}
    for raw in found:
        _, text, _, rcpts, _ = read(raw)
        by_action[rcpts[0]["action"]] = (text, rcpts[0])
    assert set(by_action) == {"delayed", "failed"}, by_action
    text, r = by_action["delayed"]
    assert r["status"].startswith("4.7.1") and "will-retry-until" in r, r
    from email.utils import parsedate_to_datetime
    span = parsedate_to_datetime(r["will-retry-until"]) - parsedate_to_datetime(
        r["last-attempt-date"])
    assert 0 <= span.total_seconds() <= 30, "announces %s, the schedule is seconds" % span
    text, r = by_action["failed"]
    assert r["status"] in ("4.7.1", "5.7.1", "5.4.7", "4.4.7"), r
    mox.wait_empty()
    assert len([c for s in peer.sessions for c in s.commands if c.startswith("MAIL")]) == 3


@root
def test_parameters(t):
    """NOTIFY, RET, ENVID, ORCPT."""
    refuse = t.peer({"rcpt": "550 5.1.1 no"})
    nodsn = t.peer(extensions=("PIPELINING", "8BITMIME"))
    dsn = t.peer()
    mox = sender_mox(t)
    for name, peer in (("bad", refuse), ("nodsn", nodsn), ("dsn", dsn)):
        mox.admin.domain(name + ".example", relay=peer.hostport, recipients="any")

    def outcome(rcpt, params="", rcpt_params="", seconds=5, sender="anna@in.example"):
        """The DSN that comes, or None."""
        before = set(mox.maildir("anna").raw())
        mox.send(sender, rcpt, message("anna@in.example", subject="orig", body="full text\r\n"),
                 params=params, rcpt_params=rcpt_params)
        mox.wait_queue(lambda q: not q, seconds, "an empty queue")
        new = [r for r in mox.maildir("anna").raw() if r not in before]
        assert len(new) <= 1
        return read(new[0]) if new else None

    with t.case("NOTIFY=NEVER"):
        assert outcome("x@bad.example", rcpt_params="NOTIFY=NEVER") is None
    with t.case("NOTIFY=SUCCESS, failure"):
        assert outcome("x@bad.example", rcpt_params="NOTIFY=SUCCESS") is None
    with t.case("null sender"):
        assert outcome("x@bad.example", sender="") is None
    with t.case("ENVID, ORCPT, RET=FULL"):
        got = outcome("x@bad.example", "ENVID=QQ314159+2B RET=FULL",
                      "NOTIFY=FAILURE ORCPT=rfc822;alias+40x.example")
        assert got[2]["original-envelope-id"] == "QQ314159+", got[2]
        assert got[3][0]["original-recipient"].replace(" ", "") == "rfc822;alias@x.example"
        assert got[4].get_content_type() == "message/rfc822" and "full text" in got[4].as_string()
    with t.case("RET=HDRS"):
        got = outcome("x@bad.example", "RET=HDRS")
        assert "full text" not in got[4].as_string() and "orig" in got[4].as_string()
    with t.case("NOTIFY=SUCCESS at a host without DSN"):
        got = outcome("x@nodsn.example", rcpt_params="NOTIFY=SUCCESS")
        assert got and got[3][0]["action"] in ("relayed", "delivered"), got and got[3]
        assert got[3][0]["status"].startswith("2."), got[3]
    with t.case("passed on to a host with DSN"):
        got = outcome("x@dsn.example", "ENVID=E1 RET=HDRS",
                      "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@x.example")
        assert got is None, "the next host would tell, too"
        sent = dsn.taken()[-1]
        assert "ENVID=E1" in sent.mail_params and "RET=HDRS" in sent.mail_params
        assert "NOTIFY=SUCCESS,DELAY" in sent.rcpt_params[0], sent.rcpt_params
        assert "ORCPT=rfc822;o@x.example" in sent.rcpt_params[0], sent.rcpt_params
    with t.case("NOTIFY=SUCCESS into a mailbox"):
        before = len(mox.maildir("anna").raw())
        mox.send("anna@in.example", "anna@in.example", message(), rcpt_params="NOTIFY=SUCCESS")
        raws = mox.maildir("anna").wait(before + 2)
        reports = [read(r) for r in raws if b"delivery-status" in r]
        assert reports[-1][3][0]["action"] == "delivered" or [
            r for r in reports if r[3][0]["action"] == "delivered"]
    with t.case("a DSN that fails does not bounce"):
        mox.send("nobody@bad.example", "x@bad.example", message())
        mox.wait_empty()


@root
def test_some_of_many(t):
    def rcpt(session, address):
        return {"no": "550 5.1.1 gone", "later": "450 4.2.1 busy"}.get(address.split("@")[0])

    peer = t.peer({"rcpt": rcpt})
    mox = sender_mox(t, RetryFirst="1h", DelayDSNAttempt=0)
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    mox.send("anna@in.example", ["yes@out.example", "no@out.example", "later@out.example"],
             message("anna@in.example"))
    raw = mox.maildir("anna").wait(1)[0]
    _, _, _, rcpts, _ = read(raw)
    assert [r["final-recipient"].split(";")[1].strip() for r in rcpts] == ["no@out.example"]
    assert [m.rcpts for m in peer.taken()] == [["yes@out.example"]]
    row = mox.wait_queue(lambda q: [r for r in q if r["to"] == "later@out.example"])[0]
    assert row["state"] == "queued" and "busy" in row["last_error"], row
    peer.script["rcpt"] = Then(None)
    mox.admin.act("kick", all=True)
    mox.wait_empty()
    assert [m.rcpts for m in peer.taken()][1:] == [["later@out.example"]]
