"""TLS reports of others: by signed mail, what is refused and why, pages, CLI."""
import base64
import contextlib
import datetime
import gzip
import http.client
import json
import os
import re
import ssl
import subprocess

from lib.context import root
from lib.web import Browser
from test_dkim import dkimpy

PASSWORD = "e2e-admin-password"


def report(day, rid="r1", org="Example Inc.", domain="in.example", good=7, details=()):
    return json.dumps({
        "organization-name": org, "contact-info": "tls@good.example", "report-id": rid,
        "date-range": {"start-datetime": day + "T00:00:00Z", "end-datetime": day + "T23:59:59Z"},
        "policies": [{"policy": {"policy-type": "sts", "policy-string": ["version: STSv1"],
                                 "policy-domain": domain, "mx-host": ["mx." + domain]},
                      "summary": {"total-successful-session-count": good,
                                  "total-failure-session-count":
                                      sum(d["failed-session-count"] for d in details)},
                      "failure-details": list(details)}]})


def mail(js, to, sender="tls@good.example"):
    body = base64.encodebytes(gzip.compress(js.encode())).replace(b"\n", b"\r\n")
    return ("From: %s\r\nTo: %s\r\nSubject: Report Domain: in.example\r\n"
            "Date: Tue, 24 Nov 2026 08:49:16 +0000\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/report; report-type=tlsrpt; boundary=bb\r\n\r\n"
            "--bb\r\nContent-Type: text/plain\r\n\r\nA report.\r\n"
            "--bb\r\nContent-Type: application/tlsrpt+gzip; name=r.json.gz\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n" % (sender, to)).encode() + body + \
        b"\r\n--bb--\r\n"


class Setup:
    def __init__(self, t):
        self.client = t.ip()
        self.keys = t.folder("keys")
        lines = ["@ TXT \"v=spf1 ip4:%s -all\"" % self.client, "@ MX 10 mx",
                 "mx A %s" % self.client]
        for name, kind in (("all", "rsa"), ("mailonly", "ed25519")):
            pem = os.path.join(self.keys, name + ".pem")
            subprocess.run([t.binary, "dkim", "gen", kind, pem], check=True)
            text = subprocess.run([t.binary, "dkim", "txt", pem], check=True, capture_output=True,
                                  text=True).stdout.strip()
            if name == "mailonly":
                text = text.replace("v=DKIM1;", "v=DKIM1;s=email;", 1)
            lines.append("%s._domainkey TXT %s" % (name, text))
        self.nsd = t.nsd({"good.example": lines, "in.example": [
            "@ A 192.0.2.2", '_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls-reports@in.example"']})
        self.mox = t.mox(config={
            "Resolver": self.nsd.resolver(),
            "HostTLSRPT": {"Account": "anna", "Mailbox": "TLSRPT", "Localpart": "tls-host"}})
        self.mox.admin.account("anna")
        self.mox.admin.domain("in.example")
        self.mox.admin.address("anna@in.example", "anna")
        self.mox.admin.request("adminpassword", password=PASSWORD)
        self.day = (datetime.datetime.utcnow() - datetime.timedelta(days=1)).strftime("%Y-%m-%d")

    def send(self, js, to="tls-reports@in.example", key="all", want=250, **arg):
        raw = mail(js, to)
        if key:
            raw = dkimpy("sign", raw, {}, key=os.path.join(self.keys, key + ".pem"), selector=key,
                         domain="good.example", header="relaxed", body="relaxed",
                         algorithm="rsa-sha256" if key == "all" else "ed25519-sha256",
                         headers=["from", "to", "subject"], **arg)
        with self.mox.talk(source=self.client) as s:
            s.ehlo("mx.good.example")
            s.cmd("MAIL FROM:<tls@good.example>", 250)
            s.cmd("RCPT TO:<%s>" % to, 250)
            return s.data(raw, want)

    def rows(self, **kw):
        return self.mox.admin.request("tlsrpt.reports.list", **kw)[0]


@root
def test_by_mail(t):
    s = Setup(t)
    fail = {"result-type": "certificate-expired", "failed-session-count": 3,
            "receiving-mx-hostname": "mx2.in.example", "sending-mta-ip": "192.0.2.9"}
    with t.case("signed: taken, and consumed"):
        r = s.send(report(s.day, details=[fail]))
        assert "report taken" in r.text, r
        (row,) = s.rows()
        assert row["organization"] == "Example Inc." and row["verified_domain"] == "good.example"
        assert row["successes"] == 7 and row["failures"] == 3 and not row["host"], row
        assert s.mox.queue() == []
    with t.case("twice is once"):
        assert "already" in s.send(report(s.day, details=[fail])).text
        assert len(s.rows()) == 1
    with t.case("not signed, l=, key for mail only, another's domain: kept with the reason"):
        s.send(report(s.day, "r2"), key=None)
        s.send(report(s.day, "r3"), length=True)
        s.send(report(s.day, "r4"), key="mailonly")
        s.send(report(s.day, "r5", domain="other.example"))
        why = [r["rejected"] for r in s.rows(rejected="yes")]
        assert len(why) == 4 and len(s.rows()) == 1, why
        for text, word in zip(why, ("other.example", "s=email", "l=", "no DKIM signature")):
            assert word in text, (word, why)
    with t.case("what is no report is refused"):
        with s.mox.talk(source=s.client) as c:
            c.ehlo("mx.good.example")
            c.cmd("MAIL FROM:<tls@good.example>", 250)
            c.cmd("RCPT TO:<tls-reports@in.example>", 250)
            r = c.data(b"From: tls@good.example\r\nSubject: hi\r\n\r\nhello\r\n", 550)
            assert "only TLS reports" in r.text, r
    with t.case("the host's address: a mailbox too"):
        s.send(report(s.day, "r6", domain="mx.mox.example"), to="tls-host@mx.mox.example")
        box = s.mox.maildir("anna")
        s.mox.wait_empty()
        assert len(box.raw()) == 1
        assert s.rows()[0]["host"] and s.rows()[0]["report_id"] == "r6"
    with t.case("pages"):
        b = Browser(s.mox.ip, s.mox.admin_port)
        b.login(PASSWORD)
        page = b.get("reports")
        assert page.status == 200 and "certificate-expired" in page.text, page.text
        assert "mx2.in.example" in page.text and "Example Inc." in page.text, page.text
        page = b.get("reports/list")
        assert "7 good" in page.text and "3 failed" in page.text, page.text
        assert "no DKIM signature" in b.get("reports/list?rejected=1").text
        assert "No report here" in b.get("reports/list?result=tlsa-invalid").text
        page = b.get("reports/%d" % row["id"])
        assert "mx2.in.example" in page.text and "Renew the certificate" in page.text, page.text
        page = b.get("reports/%d/json" % row["id"])
        assert json.loads(page.html)["report-id"] == "r1", page.html
        assert "Example Inc." in b.get("reports/csv").html
        assert b.get("reports/99999").status == 404
    with t.case("CLI"):
        p = s.mox.cli("tlsrpt", "reports", "list", "-config")
        assert "Example Inc." in str(p), p


@root
def test_without_tls(t):
    s = Setup(t)
    s.mox.settings["Listeners"]["public"]["SMTP"]["RequireSTARTTLS"] = True
    s.mox.write()
    s.mox.restart()
    with s.mox.talk(source=s.client) as c:
        c.ehlo("mx.good.example")
        c.cmd("MAIL FROM:<tls@good.example>", 250)
        c.cmd("RCPT TO:<anna@in.example>", 530)
        c.cmd("RCPT TO:<tls-reports@in.example>", 250)


@root
def test_by_https(t):
    mox = t.mox(listener={"AdminHTTPS": {"Enabled": True}})
    mox.admin.domain("in.example")
    mox.admin.request("adminpassword", password=PASSWORD)
    day = (datetime.datetime.utcnow() - datetime.timedelta(days=1)).strftime("%Y-%m-%d")
    b = Browser(mox.ip, mox.admin_port)
    b.login(PASSWORD)
    path = re.search(r"https://mx\.mox\.example(/\.well-known/tlsrpt/[0-9a-f]{32})",
                     b.get("reports").html).group(1)
    context = ssl._create_unverified_context()

    def post(where, body, tls=True):
        c = (http.client.HTTPSConnection(mox.ip, 443, context=context, timeout=20) if tls else
             http.client.HTTPConnection(mox.ip, mox.admin_port, timeout=20))
        with contextlib.closing(c):
            c.request("POST", where, body, {"Content-Type": "application/tlsrpt+gzip"})
            r = c.getresponse()
            return r.status, r.read()
    assert post(path, report(day), tls=False)[0] == 404
    assert post(path[:-1] + "x", report(day))[0] == 404
    assert post(path, gzip.compress(report(day, "h1").encode())) == (201, b"Thank you.\n")
    assert post(path, report(day, "h2"))[0] == 201
    assert post(path, report(day, "h2"))[0] == 201
    assert post(path, gzip.compress(b"\0" * 15000000))[0] == 422
    with contextlib.suppress(OSError):  # it may hang up before all of it is sent
        assert post(path, b"x" * 1100000)[0] == 413
    rows = mox.admin.request("tlsrpt.reports.list")[0]
    assert [(r["report_id"], r["verified"], r["via"]) for r in rows] == \
        [("h2", False, "https"), ("h1", False, "https")], rows
    assert "unverified" in b.get("reports/list").text
    why = mox.admin.request("tlsrpt.reports.list", rejected="yes")[0]
    assert len(why) == 1 and "times its size" in why[0]["rejected"], why
