"""mox spf against a real name server: rule families of RFC 7208 and what only a server shows,
such as odd octets in names and texts, long answers, silence and forged signatures."""
import json
import socket
import time

from lib.context import root
from lib.mox import ADMIN_PASSWORD
from lib.web import Browser

LONG = "x" * 200
ZONE = [
    'pass TXT "v=spf1 ip4:192.0.2.0/24 -all"',
    'two TXT "v=spf1 -all"', 'two TXT "v=spf1 +all"',
    'others TXT "site=1"', 'others TXT ""', 'others TXT "\\200\\000"', 'others TXT "v=spf1 ~all"',
    'glued TXT "v=spf1" "-all"',
    'split TXT "v=spf1 ip4:192.0" ".2.1 -all"',
    'long TXT ' + " ".join('"%s"' % p for p in ["v=spf1 x=" + LONG] + [LONG] * 20 + [" +all"]),
    'typespf SPF "v=spf1 +all"',
    'Upper TXT "V=sPF1 IP4:192.0.2.1 -ALL"',
    'bytes TXT "v=spf1 a:\\195\\164.a.example -all"',
    'nul TXT "v=spf1 a:h1.a.example\\000 -all"',
    'cr TXT "v=spf1 ip4:192.0.2.1\\013ptr -all"',
    'h1 A 192.0.2.1', 'h1 AAAA 2001:db8::1', 'h2 A 192.0.2.2',
    '_under TXT "v=spf1 a:_under.a.example -all"', '_under A 192.0.2.1',
    'dot TXT "v=spf1 include:pass.a.example. -all"',
    'colon TXT "v=spf1 a:x:y/z.a.example -all"', 'x:y/z A 192.0.2.1',
    'space TXT "v=spf1 a:m%%a%_%_b%-c.a.example -all"', 'm%a\\032\\032b%20c A 192.0.2.1',
    'empty2 TXT "v=spf1 a:h1..a.example ?all"',
    'toolong TXT "v=spf1 a:%s.a.example ?all"' % ("y" * 64),
    'vialong TXT "v=spf1 a:%{H}.a.example ?all"',
    'helo TXT "v=spf1 a:%{H} -all"',
    'mx TXT "v=spf1 mx -all"', 'mx MX 10 h2', 'mx MX 20 h1',
    'null TXT "v=spf1 mx -all"', 'null MX 0 .',
    'nomx TXT "v=spf1 mx -all"', 'nomx A 192.0.2.1',
    'mx11 TXT "v=spf1 mx -all"'] + ['mx11 MX %d h1' % i for i in range(11)] + [
    'ptr TXT "v=spf1 ptr:A.example -all"',
    'p TXT "v=spf1 exists:%{p}.ok.a.example -all"', 'h1.a.example.ok A 127.0.0.2',
    'rev TXT "v=spf1 exists:%{lr-}.u.%{d2} -all"', 'c.b.a.u A 127.0.0.2',
    'inc TXT "v=spf1 include:pass.a.example ~all"',
    'incnone TXT "v=spf1 include:h1.a.example -all"',
    'red TXT "v=spf1 redirect=%{d}.to.a.example"', 'red.a.example.to TXT "v=spf1 a -all"',
    'red.a.example.to A 192.0.2.1',
    'loop TXT "v=spf1 redirect=loop.a.example"',
    'voids TXT "v=spf1 a:no1.a.example a:no2.a.example a:no3.a.example ?all"',
    'cname CNAME pass',
    'exp TXT "v=spf1 -all exp=%{ir}.why.a.example"',
    '9.2.0.192.why TXT "Go away, %{c} (%{L}), says %{d}. %{r}"',
    'exp2 TXT "v=spf1 -all exp=why2.a.example"', 'why2 TXT "1"', 'why2 TXT "2"',
    'exp8 TXT "v=spf1 -all exp=why8.a.example"', 'why8 TXT "\\195\\164"',
    'cut TXT "v=spf1 -all exp=%s.a.example"' % ".".join(["%{o}"] * 30),
    'slow TXT "v=spf1 a:x.silent.example -all"',
    'slowinc TXT "v=spf1 include:x.silent.example -all"',
    'incforged TXT "v=spf1 include:pass.forged.example -all"',
]
# 30 times "cut.a.example." and "a.example.", of which 253 octets are left, from a label on.
CUT = (".".join(["cut.a.example"] * 30) + ".a.example")
while len(CUT) > 253:
    CUT = CUT.split(".", 1)[1]
ZONE.append(CUT[:-len(".a.example")] + ' TXT "cut to size"')
REVERSE4 = ["1 PTR h1.a.example.", "1 PTR liar.a.example.", "2 PTR h1.a.example."]
REVERSE6 = ["1." + "0." * 22 + "0 PTR h1.A.EXAMPLE."]

# (case, mailfrom or local part's domain, ip, result, mechanism or None, explanation)
V4, V6, ELSE = "192.0.2.1", "2001:db8::1", "192.0.2.9"
CASES = [
    ("pass", V4, "pass", "ip4:192.0.2.0/24", ""),
    ("pass", "::ffff:192.0.2.1", "pass", None, ""),
    ("pass", V6, "fail", "-all", ""),
    ("PASS", V4, "pass", None, ""),
    ("two", V4, "permerror", "", ""),
    ("others", V4, "softfail", "~all", ""),
    ("glued", V4, "none", "", ""),
    ("split", V4, "pass", None, ""),
    ("long", V4, "pass", "+all", ""),
    ("typespf", V4, "none", "", ""),
    ("upper", V4, "pass", "IP4:192.0.2.1", ""),
    ("nowhere", V4, "none", "", ""),
    ("h1", V4, "none", "", ""),
    ("bytes", V4, "permerror", "", ""),
    ("nul", V4, "permerror", "", ""),
    ("cr", V4, "permerror", "", ""),
    ("_under", V4, "pass", None, ""),
    ("dot", V4, "pass", "include:pass.a.example.", ""),
    ("colon", V4, "pass", None, ""),
    ("space", V4, "pass", None, ""),
    ("empty2", V4, "neutral", "?all", ""),
    ("toolong", V4, "neutral", "?all", ""),
    ("mx", V4, "pass", "mx", ""),
    ("mx", V6, "pass", "mx", ""),
    ("mx", ELSE, "fail", "-all", ""),
    ("null", V4, "fail", "-all", ""),
    ("nomx", V4, "fail", "-all", ""),
    ("mx11", V4, "permerror", "", ""),
    ("ptr", V4, "pass", None, ""),
    ("ptr", V6, "pass", None, ""),
    ("ptr", "192.0.2.2", "fail", None, ""),
    ("ptr", ELSE, "fail", None, ""),
    ("p", V4, "pass", None, ""),
    ("rev", V4, "fail", None, ""),
    ("inc", V4, "pass", "include:pass.a.example", ""),
    ("inc", V6, "softfail", "~all", ""),
    ("incnone", V4, "permerror", "", ""),
    ("red", V4, "pass", "a", ""),
    ("loop", V4, "permerror", "", ""),
    ("voids", V4, "permerror", "", ""),
    ("cname", V4, "pass", None, ""),
    ("exp", ELSE, "fail", "-all",
     "Go away, 192.0.2.9 (u%2B%25), says exp.a.example. us.example"),
    ("exp", V4, "fail", "-all", ""),
    ("exp2", V4, "fail", "-all", ""),
    ("exp8", V4, "fail", "-all", ""),
    ("cut", V4, "fail", "-all", "cut to size"),
    ("incforged", V4, "temperror", "", ""),
]


def world(t):
    """A mox.conf (no daemon) with the zones; and the socket that keeps silent."""
    nsd = t.nsd({
        "a.example": ZONE,
        "signed.example": ['@ TXT "v=spf1 a -all"', "@ A 192.0.2.1",
                           'half TXT "v=spf1 a:h1.a.example -all"'],
        "forged.example": ['pass TXT "v=spf1 +all"'],
        "2.0.192.in-addr.arpa": REVERSE4,
        "8.b.d.0.1.0.0.2.ip6.arpa": REVERSE6,
    }, unsigned=("a.example", "2.0.192.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"))
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((t.ip(), 53))
    conf = nsd.resolver()
    conf["Stubs"]["silent.example"] = [silent.getsockname()[0] + "@53"]
    # The trust anchor of forged.example is another key than signs it.
    with open(nsd.anchor) as f:
        text = f.read()
    wrong = [line for line in text.splitlines() if line.startswith("signed.example")]
    text = "\n".join(line for line in text.splitlines() if not line.startswith("forged"))
    with open(nsd.anchor, "w") as f:
        f.write(text + "\n" + "\n".join(w.replace("signed.", "forged.") for w in wrong) + "\n")
    mox = t.mox(start=False, tls=False, config={"Resolver": conf})
    del mox.settings["Resolver"]["Forward"]
    mox.write()
    return mox, silent


def check(mox, ip, mailfrom, helo="h1.a.example", seconds=30):
    r = mox.cli("spf", "check", "-json", "-ip", ip, "-helo", helo, "-mailfrom", mailfrom,
                "-receiver", "us.example", "-config", check=False, seconds=seconds)
    assert r.stdout, r.stderr
    v = json.loads(r.stdout)
    assert r.returncode == (0 if v["result"] == "pass" else 1), r
    assert r.stderr == "", r.stderr
    return v


def test_spf_rules(t):
    mox, silent = world(t)
    for name, ip, result, mechanism, explanation in CASES:
        with t.case("%s from %s" % (name, ip)):
            v = check(mox, ip, "u+%%@%s.a.example" % name)
            assert v["result"] == result, v
            assert mechanism is None or v["mechanism"] == mechanism, v
            assert v["explanation"] == explanation, v
            assert (v["problem"] != "") == (result in ("none", "temperror", "permerror")), v
            assert not v["authentic"], v
    with t.case("a local part, reversed"):
        assert check(mox, V4, "a-b-c@rev.a.example")["result"] == "pass"
    for helo, want in (("h1.a.example", "pass"), ("h2.a.example", "fail"), ("JUMP IN' JOE", "fail"),
                       ("[192.0.2.1]", "fail"), ("WORKSTATION", "fail"), ("%%%%", "fail"),
                       ("", "fail")):
        with t.case("helo %r in a macro" % helo):
            assert check(mox, V4, "u@helo.a.example", helo)["result"] == want
    with t.case("a label that a macro makes too long"):
        v = check(mox, V4, "u@vialong.a.example", "%" * 22)
        assert v["result"] == "neutral", v
    for helo, want in (("pass.a.example", "pass"), ("[192.0.2.1]", "none"), ("PC", "none"),
                       ("exp.a.example", "fail")):
        with t.case("null sender, helo " + helo):
            v = check(mox, V4, "", helo)
            assert v["result"] == want and v["identity"] == "helo", v
    for sender in ("u@[192.0.2.1]", "u@a..a.example", "u@" + "y" * 64 + ".a.example", "u@single",
                   "u@192.0.2.1", "u@"):
        with t.case("no domain: " + sender[:20]):
            assert check(mox, V4, sender)["result"] == "none"
    with t.case("without local part"):
        v = check(mox, ELSE, "@exp.a.example")
        assert "(postmaster)" in v["explanation"], v
    silent.close()


def test_spf_dnssec_and_silence(t):
    mox, silent = world(t)
    with t.case("signed"):
        v = check(mox, V4, "u@signed.example")
        assert v["result"] == "pass" and v["authentic"], v
    with t.case("signed with an unsigned part"):
        v = check(mox, V4, "u@half.signed.example")
        assert v["result"] == "pass" and not v["authentic"], v
    with t.case("forged"):
        v = check(mox, V4, "u@pass.forged.example")
        assert v["result"] == "temperror" and "bogus" in v["problem"], v
    for name in ("slow.a.example", "slowinc.a.example"):
        with t.case("a server that keeps silent: " + name):
            begin = time.monotonic()
            v = check(mox, V4, "u@" + name)
            assert v["result"] == "temperror", v
            assert time.monotonic() - begin < 12, time.monotonic() - begin
    silent.close()


def test_spf_commands(t):
    mox, silent = world(t)
    silent.close()

    def cli(*words, code=0):
        r = mox.cli(*words, check=False)
        assert r.returncode == code, r
        return r

    with t.case("check, for people"):
        r = cli("spf", "check", "-ip", V4, "-helo", "x", "-mailfrom", "<u@pass.a.example>",
                "-config")
        lines = r.stdout.splitlines()
        assert lines[0] == "pass" and lines[1] == "mechanism: ip4:192.0.2.0/24", lines
        r = cli("spf", "check", "-ip", ELSE, "-mailfrom", "u@exp.a.example", "-config", code=1)
        lines = r.stdout.splitlines()
        assert lines[0] == "fail" and lines[2].startswith("explanation: Go away"), lines
        assert "mx.mox.example" in lines[2], "Hostname of mox.conf"
    with t.case("lookup"):
        assert "ip4:192.0.2.0/24" in cli("spf", "lookup", "pass.a.example", "-config").stdout
        v = json.loads(cli("spf", "lookup", "-json", "exp.a.example.", "-config").stdout)
        assert v["result"] == "found" and v["exp"] == "%{ir}.why.a.example", v
        v = json.loads(cli("spf", "lookup", "-json", "two.a.example", "-config", code=1).stdout)
        assert v["result"] == "permerror" and "2 SPF records" in v["problem"], v
        assert cli("spf", "lookup", "h1.a.example", "-config", code=1).stdout.startswith("none")
    with t.case("parse"):
        v = json.loads(cli("spf", "parse", "-json", "v=spf1 a//64 -ip6:2001:db8::/32").stdout)
        assert v["terms"][0]["bits6"] == 64 and v["terms"][1]["bits"] == 32, v
        r = cli("spf", "parse", "v=spf1 a:b", code=1)
        assert "one label" in r.stderr and len(r.stderr.splitlines()) == 1, r
    with t.case("usage"):
        cli("spf", "check", "-ip", "300.1.1.1", "-helo", "x", "-config", code=1)
        cli("spf", "check", "-helo", "x", "-config", code=1)
        cli("spf", "lookup", "-config", code=2)
        assert "-mailfrom" in cli("spf", "check", "-h").stdout


def test_dnsbl_commands(t):
    nsd = t.nsd({"good.example": ["2.0.0.127 A 127.0.0.2", "7.2.0.192 A 127.0.0.4",
                                  '7.2.0.192 TXT "seen at a trap"'],
                 "all.example": ["* A 127.0.0.2"], "gone.example": []},
                unsigned=("good.example", "all.example", "gone.example"))
    mox = t.mox(start=False, tls=False, config={"Resolver": nsd.resolver()})
    del mox.settings["Resolver"]["Forward"]
    mox.write()
    for zone, ip, code, result, words in (
            ("good.example", "192.0.2.7", 1, "fail", "seen at a trap"),
            ("good.example", "192.0.2.8", 0, "pass", ""),
            ("all.example", "192.0.2.7", 1, "skipped", "lists 127.0.0.1"),
            ("gone.example", "192.0.2.7", 1, "skipped", "127.0.0.2")):
        with t.case("%s in %s" % (ip, zone)):
            r = mox.cli("dnsbl", "check", "-json", "-config", zone, ip, check=False)
            v = json.loads(r.stdout)
            assert r.returncode == code and v["result"] == result, (r, v)
            assert words in v["reason"] + v["problem"], v
    for zone, code, word in (("good.example", 0, "healthy"), ("all.example", 1, "unhealthy"),
                             ("gone.example.", 1, "unhealthy")):
        with t.case("health of " + zone):
            r = mox.cli("dnsbl", "checkhealth", "-config", zone, check=False)
            assert r.returncode == code and r.stdout.splitlines()[0] == word, r
    with t.case("no address"):
        assert mox.cli("dnsbl", "check", "good.example", "x", check=False).returncode == 1


@root
def test_lists_commands(t):
    """Allow and deny lists and DNS block lists by the command line."""
    mox = t.mox(tls=False)

    def rows(*words):
        return json.loads(mox.cli(*words, "-json", "-config").stdout)

    with t.case("added, listed, changed, removed"):
        mox.cli("config", "list", "add", "192.0.2.0/24", "deny", "-comment", "spam", "-config")
        mox.cli("config", "list", "add", "Boss@Example.ORG", "allow", "-expires", "30", "-config")
        mox.cli("config", "list", "add", "*.example.net", "deny", "-config")
        got = [(r["list"], r["kind"], r["value"], r["comment"]) for r in rows("config", "list",
                                                                              "list")]
        assert got == [("deny", "domain", "example.net", ""),
                       ("allow", "address", "boss@example.org", ""),
                       ("deny", "ip", "192.0.2.0/24", "spam")], got
        assert len(rows("config", "list", "list", "-list", "allow")) == 1
        assert len(rows("config", "list", "list", "-text", "SPAM")) == 1
        mox.cli("config", "list", "set", "Example.net", "-list", "allow", "-expires", "2199-12-31",
                "-config")
        row = rows("config", "list", "list", "-text", "example.net")[0]
        assert row["list"] == "allow" and row["expires"] == "2200-01-01T00:00:00Z", row
        mox.cli("config", "list", "rm", "example.net", "-config")
        assert len(rows("config", "list", "list")) == 2
    for words in (["add", "192.0.2.0/24", "allow"], ["add", "192.0.2.1/24", "deny"],
                  ["add", "x.example", "perhaps"], ["add", "a b", "deny"], ["rm", "nothere.example"],
                  ["add", "y.example", "deny", "-expires", "soon"]):
        with t.case("refused: " + " ".join(words)):
            r = mox.cli("config", "list", *words, "-config", check=False)
            assert r.returncode == 1 and len(r.stderr.splitlines()) == 1, r
    with t.case("block lists"):
        mox.cli("config", "dnsbl", "add", "BL.example", "-comment", "c", "-config")
        mox.cli("config", "dnsbl", "set", "bl.example", "-disabled", "yes", "-config")
        assert rows("config", "dnsbl", "list") == [
            {"zone": "bl.example", "comment": "c", "disabled": True}]
        assert mox.cli("config", "dnsbl", "add", "bl.example", "-config",
                       check=False).returncode == 1
        mox.cli("config", "dnsbl", "rm", "bl.example", "-config")
        assert rows("config", "dnsbl", "list") == []


@root
def test_lists_pages(t):
    """The same in the browser, without JavaScript."""
    mox = t.mox(tls=False, listener={"SMTP": {"Enabled": True, "DNSBLs": ["conf.example"]}})
    mox.cli("setadminpassword", "-config", stdin=ADMIN_PASSWORD + "\n")
    b = Browser(mox.ip, mox.admin_port)
    b.login(ADMIN_PASSWORD)
    with t.case("empty"):
        page = b.get("lists")
        assert page.status == 200 and "Nobody is listed" in page.text, page.text
        assert "conf.example" in page.text and "mox.conf, listener public only" in page.text
    with t.case("an entry: made, shown, changed, removed"):
        b.get("lists/new")
        page = b.submit("value", value="192.0.2.0/24", list="deny", expires="2199-12-31",
                        comment="<b>spam</b>")
        assert "192.0.2.0/24" in page.text and "Denied" in page.text, page.text
        assert "<b>spam</b>" not in page.html
        b.get("lists/1")
        page = b.submit("value", list="allow")
        assert "Allowed" in page.text and "2199" in page.html, page.text
        assert "No entry" in b.get("lists?list=deny").text
        assert "192.0.2.0/24" in b.get("lists?q=SPAM&list=allow").text
    for fields, words in (({"value": "192.0.2.1/24"}, "192.0.2.0/24"),
                          ({"value": "192.0.2.0/24"}, "already"),
                          ({"value": ""}, "Enter an IP address"),
                          ({"value": "x.example", "expires": "soon"}, "number of days"),
                          ({"value": "x.example", "expires": "2001-01-01"}, "past")):
        with t.case("refused: %r" % fields):
            b.get("lists/new")
            page = b.submit("value", list="deny", **fields)
            assert page.status == 422 and words in page.text, page.text
    with t.case("removed"):
        b.get("lists/1/delete")
        assert "Nobody is listed" in b.submit().text
        assert b.get("lists/1").status == 404
    with t.case("many, in pages"):
        for i in range(60):
            mox.cli("config", "list", "add", "d%d.example" % i, "deny", "-config")
        page = b.get("lists")
        assert page.text.count("and names below it") == 50, page.text.count("and names below it")
        page = b.get("lists?q=&before=%s" % page.html.split("before=")[1].split('"')[0])
        assert page.text.count("and names below it") == 10
    with t.case("a block list"):
        b.get("blocklists/new")
        page = b.submit("zone", zone="BL.Example", enabled="on")
        assert "bl.example" in page.text and "Not tested yet" in page.text, page.text
        b.get("blocklists/1")
        page = b.submit("zone", enabled=None)
        assert "Switched off" in page.text, page.text
        b.get("blocklists/new")
        assert b.submit("zone", zone="192.0.2.1").status == 422
        b.get("blocklists/1/delete")
        assert "bl.example" not in b.submit().text


@root
def test_resolver_selftest(t):
    """What the daemon finds out about DNS is in its log and on its pages."""
    nsd = t.nsd({"a.example": []})
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((t.ip(), 53))
    for name, resolver, result in (
            ("nobody answers", {"TrustAnchorFile": "none",
                                "Forward": [silent.getsockname()[0] + "@53"]}, "not-reachable"),
            ("refused", {"TrustAnchorFile": nsd.anchor, "Forward": ["%s@53" % nsd.ip]},
             "not-reachable")):
        with t.case(name):
            begin = time.monotonic()
            mox = t.mox(tls=False, start=False, config={"Resolver": resolver})
            mox.settings["Resolver"]["Forward"] = resolver["Forward"]
            mox.write()
            mox.start()
            assert time.monotonic() - begin < 8, "the start waits for the network"
            mox.wait_log("result=%s" % result, 15)
            mox.cli("setadminpassword", "-config", stdin=ADMIN_PASSWORD + "\n")
            b = Browser(mox.ip, mox.admin_port)
            b.login(ADMIN_PASSWORD)
            assert "Check Resolver in mox.conf" in b.get("machine").text
            mark = mox.mark()
            mox.reload()
            mox.wait_log("result=%s" % result, 15, start=mark)
            begin = time.monotonic()
            mox.stop()
            assert time.monotonic() - begin < 6
    silent.close()
