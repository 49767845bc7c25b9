"""DKIM and ARC against python3-dkim, with keys in a real, signed zone: what one makes the other
takes; and what submission and trusted networks get."""
import json
import os
import re
import subprocess

from lib.context import root
from lib.mail import message
from lib.net import wait_for

PASSWORD = "correct horse battery"
HELPER = os.path.join(os.path.dirname(__file__), "lib", "dkimpy.py")
MESSAGE = (b"From: Anna <anna@in.example>\r\nTo:  bert@in.example\r\nSubject: caf\xc3\xa9  and\r\n"
           b"\ttea\r\nDate: Tue, 24 Nov 2026 08:49:16 +0000\r\n\r\nA  line \t\r\n\r\n"
           b"caf\xc3\xa9 .\r\n..\r\n\r\n\r\n")


def dkimpy(what, raw, records, **arg):
    arg["records"] = records
    p = subprocess.run(["/usr/bin/python3", HELPER, what, json.dumps(arg)], input=raw,
                       capture_output=True, timeout=60)
    assert p.returncode == 0, p.stderr.decode()
    return p.stdout if "sign" in what else json.loads(p.stdout)


def mox_run(mox, *args, raw=b"", check=True):
    p = subprocess.run([mox.binary] + list(args), input=raw, capture_output=True, timeout=60)
    assert not check or p.returncode == 0, p.stderr.decode()
    return p


class Office:
    """Keys made by mox, in a DNSSEC-signed zone, and imported with a domains.conf."""

    def __init__(self, t, start=True):
        self.keys = t.folder("keys")
        binary = t.binary
        self.records, lines = {}, []
        for name, kind in (("r", "rsa"), ("e", "ed25519"), ("spare", "rsa")):
            pem = os.path.join(self.keys, name + ".pem")
            subprocess.run([binary, "dkim", "gen", kind, pem], check=True)
            text = subprocess.run([binary, "dkim", "txt", pem], check=True, capture_output=True,
                                  text=True).stdout.strip()
            lines.append("%s._domainkey TXT %s" % (name, text))
            self.records["%s._domainkey.in.example" % name] = "".join(re.findall('"(.*?)"', text))
        lines += ['testing._domainkey TXT "v=DKIM1; t=y; p="', 'both._domainkey TXT "v=spf1 -all"']
        self.nsd = t.nsd({"in.example": lines})
        self.mox = t.mox(start=False, config={"Resolver": self.nsd.resolver()})
        self.mox.settings["Resolver"].pop("Forward", None)
        self.mox.write()
        if not start:
            return
        self.mox.start()
        conf = os.path.join(self.keys, "domains.conf")
        with open(conf, "w") as f:
            f.write("Domains:\n\tin.example:\n\t\tDKIM:\n\t\t\tSelectors:\n")
            for name in ("r", "e", "spare"):
                f.write("\t\t\t\t%s:\n\t\t\t\t\tPrivateKeyFile: %s.pem\n" % (name, name))
            f.write("\t\t\tSign:\n\t\t\t\t- r\n\t\t\t\t- e\n"
                    "Accounts:\n\tanna:\n\t\tDomain: in.example\n\t\tDestinations:\n"
                    "\t\t\tanna@in.example:\n\t\t\t\tMailbox: Inbox\n"
                    "\tbert:\n\t\tDomain: in.example\n\t\tDestinations:\n"
                    "\t\t\tbert@in.example:\n\t\t\t\tMailbox: Inbox\n")
        self.mox.cli("config", "import", "-config", conf)
        self.mox.cli("setaccountpassword", "-config", "anna", stdin=PASSWORD + "\n")

    def verify(self, raw, check=True):
        p = mox_run(self.mox, "dkim", "verify", "-json", "-config", self.mox.conf, raw=raw,
                    check=check)
        return json.loads(p.stdout), p.returncode


@root
def test_both_ways(t):
    """Whatever python3-dkim signs mox verifies, and the other way round."""
    o = Office(t, start=False)
    for algorithm, name in (("rsa-sha256", "r"), ("ed25519-sha256", "e")):
        pem = os.path.join(o.keys, name + ".pem")
        for header in ("simple", "relaxed"):
            for body in ("simple", "relaxed"):
                for length in (False, True):
                    what = "%s %s/%s%s" % (algorithm, header, body, " l=" if length else "")
                    with t.case("theirs: " + what):
                        raw = dkimpy("sign", MESSAGE, o.records, key=pem, selector=name,
                                     domain="in.example", header=header, body=body,
                                     algorithm=algorithm, length=length,
                                     headers=["from", "subject", "to", "date"])
                        answer, _ = o.verify(raw)
                        s = answer["signatures"][0]
                        assert s["status"] == "pass" and s["secure"], answer
                        assert ("length" in s) == length, s
                        answer, code = o.verify(raw.replace(b"caf\xc3\xa9 .", b"cafe ."), False)
                        assert code == 1 and answer["signatures"][0]["status"] == "fail", answer
                with t.case("ours: %s %s/%s" % (algorithm, header, body)):
                    raw = mox_run(o.mox, "dkim", "sign", "-domain", "in.example", "-selector",
                                  name, "-key", pem, "-canonicalization",
                                  "%s/%s" % (header, body), raw=MESSAGE).stdout
                    assert raw.endswith(MESSAGE), raw
                    assert dkimpy("verify", raw, o.records) == [True]
                    assert o.verify(raw)[0]["verdict"] == "pass"
    with t.case("bare line feeds on standard input"):
        raw = mox_run(o.mox, "dkim", "sign", "-domain", "in.example", "-selector", "r", "-key",
                      os.path.join(o.keys, "r.pem"), raw=MESSAGE.replace(b"\r\n", b"\n")).stdout
        assert o.verify(raw.replace(b"\r\n", b"\n"))[0]["verdict"] == "pass"
    with t.case("lookup"):
        p = o.mox.cli("dkim", "lookup", "-config", "-json", "r", "in.example")
        answer = json.loads(p.stdout)
        assert answer["usable"] and answer["verdict"] == "secure", answer
        for bad, words in (("testing", "revoked"), ("both", "not DKIM1"), ("none", "nxdomain")):
            p = o.mox.cli("dkim", "lookup", "-config", bad, "in.example", check=False)
            assert p.returncode == 1, p
            assert words in p.stdout + p.stderr, (bad, p.stdout, p.stderr)
    with t.case("no message, no signature, bad use"):
        assert o.mox.cli("dkim", "verify", "-config", stdin="", check=False).returncode == 1
        p = o.mox.cli("dkim", "verify", "-config", stdin="From: a\n\nx\n", check=False)
        assert p.returncode == 1 and "no DKIM-Signature" in p.stderr, p
        assert o.mox.cli("dkim", "verify", "-bad", check=False).returncode == 2
        assert o.mox.cli("dkim", "gen", check=False).returncode == 2
    with t.case("ARC of python3-dkim"):
        pem = os.path.join(o.keys, "r.pem")
        raw = MESSAGE
        for hop in (1, 2):
            ar = (b"Authentication-Results: mx%d.in.example; arc=%s;\r\n"
                  b" dmarc=pass header.from=in.example\r\n" % (hop, (b"none", b"pass")[hop - 1]))
            raw = dkimpy("arc-sign", ar + raw, o.records, key=pem, selector="r",
                         domain="in.example", authserv="mx%d.in.example" % hop)
            p = mox_run(o.mox, "arc", "verify", "-json", "-config", o.mox.conf, raw=raw)
            answer = json.loads(p.stdout)
            assert answer["status"] == "pass" and len(answer["sets"]) == hop, answer
        p = mox_run(o.mox, "arc", "verify", "-json", "-config", o.mox.conf,
                    raw=raw.replace(b"cv=pass", b"cv=none", 1), check=False)
        assert p.returncode == 1 and json.loads(p.stdout)["status"] == "fail", p.stdout


@root
def test_submission_is_signed(t):
    o = Office(t)
    mox = o.mox
    bert = mox.maildir("bert")

    def submit(sender="anna@in.example"):
        before = len(bert.raw())
        with mox.talk(mox.submissions_port, tls=True) as s:
            s.ehlo("desk.example")
            s.auth_plain("anna@in.example", PASSWORD)
            s.mail("anna@in.example", ["bert@in.example"], message(sender))
            s.quit()
        return wait_for(lambda: bert.raw()[before:], 15, "the message")[0]

    def signatures(raw):
        return re.findall(rb"(?m)^DKIM-Signature:(?:.*\r?\n)(?:[ \t].*\r?\n)*", raw)

    with t.case("by both selectors, not by the third"):
        raw = submit().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        found = b"".join(signatures(raw))
        assert len(signatures(raw)) == 2 and b"s=r;" in found and b"s=e;" in found, raw
        assert b"s=spare" not in found
        answer, _ = o.verify(raw)
        assert [s["status"] for s in answer["signatures"]] == ["pass", "pass"], answer
        assert dkimpy("verify", raw, o.records) == [True, True]
    with t.case("from a trusted network"):
        mox.admin.request("network.add", network="127.0.0.0/8")
        before = len(bert.raw())
        mox.send("x@other.example", ["bert@in.example"], message("anna@in.example"))
        mox.send("x@other.example", ["bert@in.example"], message("someone@other.example"))
        wait_for(lambda: len(bert.raw()) == before + 2, 15, "both messages")
        counts = sorted(len(signatures(r)) for r in bert.raw()[before:])
        assert counts == [0, 2], counts
    with t.case("mox dkim sign with the database's keys"):
        p = mox_run(mox, "dkim", "sign", "-domain", "in.example", "-config", mox.conf, raw=MESSAGE)
        assert o.verify(p.stdout)[0]["verdict"] == "pass" and len(signatures(p.stdout)) == 2
        p = mox_run(mox, "dkim", "sign", "-domain", "other.example", "-config", mox.conf,
                    raw=MESSAGE, check=False)
        assert p.returncode == 1 and b"not hosted" in p.stderr, p
    with t.case("mox dkim txt DOMAIN"):
        text = mox.cli("dkim", "txt", "-config", "in.example").stdout
        assert text.count("._domainkey.in.example. TXT") == 3, text
    with t.case("key files are private and below the data directory"):
        folder = os.path.join(mox.data, "dkim")
        names = os.listdir(folder)
        assert len(names) == 3, names
        for name in names:
            assert os.stat(os.path.join(folder, name)).st_mode & 0o777 == 0o600
    with t.case("without key files mail goes on, unsigned, and the log says so"):
        for name in names:
            os.rename(os.path.join(folder, name), os.path.join(folder, name + ".away"))
        mox.stop()
        mox.start()
        mark = mox.mark()
        raw = submit()
        assert not signatures(raw), raw
        mox.wait_log("dkim.key_unreadable", start=mark)
        mox.wait_log("dkim.not_signed", start=mark)
    with t.case("a deleted domain's keys move to dkim/old"):
        for name in names:
            os.rename(os.path.join(folder, name + ".away"), os.path.join(folder, name))
        mox.admin.domain_rm("in.example")
        assert sorted(os.listdir(os.path.join(folder, "old"))) == sorted(names)


@root
def test_relayed_mail_is_sealed(t):
    """What comes in for a relay domain and goes on to its server gets an ARC set."""
    o = Office(t)
    mox, inner = o.mox, t.peer()
    mox.admin.domain_set("in.example", delivery="relay", relay=inner.hostport, tls="none",
                         recipients="any")
    mox.admin.domain("nokey.example", relay=inner.hostport, tls="none", recipients="any")

    def relayed(rcpt, raw=None):
        before = len(inner.taken())
        mox.send("x@other.example", [rcpt], raw or message("x@other.example"))
        return wait_for(lambda: inner.taken()[before:], 20, "the message")[0].data

    with t.case("one set, with our results, valid for others too"):
        raw = relayed("team@in.example")
        for name in (b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"):
            assert raw.count(b"\n" + name + b":") + raw.startswith(name + b":") == 1, raw
        assert b"i=1; mx.mox.example" in raw, raw
        assert dkimpy("arc-verify", raw, o.records)[0] == "pass", raw
        p = mox_run(mox, "arc", "verify", "-json", "-config", mox.conf, raw=raw)
        assert json.loads(p.stdout)["sets"][0]["sealer"] == "in.example", p.stdout
    with t.case("a second set on top of a chain"):
        again = relayed("team@in.example", raw)
        assert b"i=2; mx.mox.example" in again and b"cv=pass" in again, again
        assert dkimpy("arc-verify", again, o.records)[0] == "pass", again
    with t.case("a changed message: cv=fail"):
        broken = relayed("team@in.example", raw.replace(b"Subject:", b"Subject: changed"))
        assert b"cv=fail" in broken, broken
        p = mox_run(mox, "arc", "verify", "-config", mox.conf, raw=broken, check=False)
        assert p.returncode == 1, p
    with t.case("a domain without key: none"):
        assert b"ARC-" not in relayed("team@nokey.example")
