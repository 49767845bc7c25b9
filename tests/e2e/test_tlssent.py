"""TLS reports of ours: a real failure, sent by hand, at the reporter's server, DKIM-valid, right by
RFC 8460's rules, and once."""
import base64
import email
import gzip
import json
import os
import re
import subprocess

from lib import rfc8460
from lib.context import root
from lib.mail import message, unique
from test_dkim import dkimpy
from test_outbound import world


@root
def test_send(t):
    peer_ip = t.ip()
    pem = os.path.join(t.folder("key"), "s1.pem")
    mox = world(t, {"far.example": [
        "@ IN MX 10 mx", "mx IN A " + peer_ip,
        '_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:tls@far.example"']},
        hostname="mx.in.example")
    peer = t.peer(ip=peer_ip, extensions=["8BITMIME", "SMTPUTF8", "SIZE 10000000"])
    mox.send("anna@in.example", "x@far.example", message(mid=unique() + "@r"))
    mox.wait_empty()

    def send():
        days = {r["day"] for r in mox.admin.request("tlsresults.list")[0]}
        rows = []
        for day in days:
            rows += mox.admin.request("tlsrpt.send", day=day)[0]
        return {r["policy_domain"]: r["result"] for r in rows}

    with t.case("not without a DKIM key; the reason is kept"):
        assert send()["far.example"] == "unsigned"
        assert mox.admin.request("tlsresults.list")[0]
    subprocess.run([t.binary, "dkim", "gen", "rsa", pem], check=True)
    with open(pem) as f:
        mox.admin.request("dkim.add", domain="in.example", selector="s1", key=f.read(), sign=True)
    record = subprocess.run([t.binary, "dkim", "txt", pem], check=True, capture_output=True,
                            text=True).stdout.strip()
    with t.case("sent"):
        assert send()["far.example"] == "sent"
        mox.wait_empty()
    raw = peer.taken()[-1].data
    m = email.message_from_bytes(raw)
    with t.case("mail"):
        assert m["TLS-Report-Domain"] == "far.example" and m["TLS-Required"] == "No", raw
        assert m["TLS-Report-Submitter"] == "mx.in.example"
        assert m.get_content_type() == "multipart/report"
        assert m.get_param("report-type") == "tlsrpt"
        part = m.get_payload()[1]
        assert part.get_content_type() == "application/tlsrpt+gzip"
        text = gzip.decompress(base64.b64decode(part.get_payload())).decode()
        assert rfc8460.check(text) == [], text
        report = json.loads(text)
        assert report["policies"][0]["failure-details"][0]["result-type"] == \
            "starttls-not-supported", text
    with t.case("sent list has the exact JSON, delivered"):
        sent = mox.admin.request("tlsrpt.sent.list")[0][0]
        assert sent["to"][0]["state"] == "delivered", sent
        assert mox.admin.request("tlsrpt.sent.get", id=sent["id"])[1]["json"] == text
    with t.case("DKIM, by python3-dkim"):
        record = "".join(re.findall('"([^"]*)"', record)) or record
        got = dkimpy("verify", raw, {"s1._domainkey.in.example": record})
        assert got and got[0] is True, got
    with t.case("the report's own session calls for none"):
        assert set(send().values()) <= {"only-reports"}
