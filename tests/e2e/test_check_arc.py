"""A forwarder breaks what DMARC looks at; its ARC seals vouch for the message where it is trusted.
The seals are those of python3-dkim."""
import os
import subprocess

from lib.context import root
from lib.mail import message, unique

from test_check import Setup, results
from test_dkim import dkimpy


@root
def test_arc_override(t):
    s = Setup(t)
    pem = os.path.join(t.folder("keys"), "sealer.pem")
    subprocess.run([t.binary, "dkim", "genrsa", pem], check=True)
    key = subprocess.run([t.binary, "dkim", "txt", pem], check=True, capture_output=True,
                         text=True).stdout.strip()
    extra = t.nsd({"forwarder.test": ["s._domainkey TXT " + key]}, unsigned=("forwarder.test",))
    s.mox.write({"Resolver": {"Stubs": {"forwarder.test": ["%s@53" % extra.ip]}}})
    s.mox.restart()

    records = {"s._domainkey.forwarder.test": "".join(key.split('"')[1::2])}

    def sealed(mid, dmarc):
        raw = message(sender="x@forged.example", mid=mid)
        raw = raw if isinstance(raw, bytes) else raw.encode()
        ar = ("Authentication-Results: mx.forwarder.test;\r\n"
              " dmarc=%s header.from=forged.example\r\n" % dmarc).encode()
        return dkimpy("arc-sign", ar + raw, records, key=pem, selector="s", domain="forwarder.test",
                      authserv="mx.forwarder.test")

    def send(raw, want):
        with s.mox.talk(source=s.client) as c:
            c.ehlo("mx.good.example")
            c.cmd("MAIL FROM:<x@forged.example>", 250)
            c.cmd("RCPT TO:<anna@in.example>", 250)
            return c.data(raw, want)

    with t.case("a sealer that nobody trusts changes nothing"):
        reply = send(sealed(unique() + "@arc", "pass"), 550)
        assert reply.text.startswith("5.7.26 "), reply
    with t.case("a trusted one that saw it pass"):
        s.mox.cli("config", "sealer", "add", "-config", "forwarder.test")
        mid = unique() + "@arc"
        send(sealed(mid, "pass"), 250)
        (line,) = results(s.received(mid))
        assert "arc=pass" in line and "dmarc=fail" in line, line
        assert "override trusted_forwarder" in line, line
        sentence = s.trace("x@forged.example")["sentence"]
        assert "forwarder.test, whose ARC seals you trust" in sentence, sentence
    with t.case("a trusted one that saw it fail"):
        send(sealed(unique() + "@arc", "fail"), 550)
    with t.case("a trusted one, but the message was changed after it"):
        raw = sealed(unique() + "@arc", "pass")
        send(raw + b"more\r\n", 550)
    with t.case("trusted no longer"):
        s.mox.cli("config", "sealer", "rm", "-config", "forwarder.test")
        send(sealed(unique() + "@arc", "pass"), 550)
