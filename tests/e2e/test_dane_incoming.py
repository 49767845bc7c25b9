"""A real DANE sender towards mox: Postfix with dane-only, told by a validating Unbound."""
from lib.context import root, timeout
from lib.mail import message, unique
from lib.net import wait_for
from lib.tlscerts import tlsa

OTHER = "3 1 1 " + "ab" * 32


@root
@timeout(120)
def test_postfix_verifies_mox(t):
    """TLSA 3 1 1 of mox's key: verified and delivered. Of another key, or none: it waits."""
    ip = t.ip()
    cert = t.authority.leaf("mx.good.example", ip)
    right = tlsa(3, 1, 1, cert[0])
    zones = {"good.example": ["@ IN MX 10 mx", "mx IN A " + ip, "_25._tcp.mx IN TLSA " + right],
             "both.example": ["@ IN MX 10 mx.good.example."],
             "wrong.example": ["@ IN MX 10 mx", "mx IN A " + ip, "_25._tcp.mx IN TLSA " + OTHER],
             "none.example": ["@ IN MX 10 mx", "mx IN A " + ip],
             "unsigned.example": ["@ IN MX 10 mx", "mx IN A " + ip,
                                  "_25._tcp.mx IN TLSA " + right]}
    nsd = t.nsd(zones, unsigned=("unsigned.example",))
    mox = t.mox(hostname="mx.good.example", ip=ip, config={"Resolver": nsd.resolver()})
    mox.admin.account("anna")
    for zone in zones:
        mox.admin.domain(zone)
        mox.admin.address("anna@" + zone, "anna")
    there = t.unbound(nsd)
    postfix = t.postfix(hostname="sender.example", wrap=there.wrap(), settings={
        "disable_dns_lookups": "no", "smtp_dns_support_level": "dnssec",
        "smtp_host_lookup": "dns", "smtp_tls_security_level": "dane-only",
        "smtp_tls_loglevel": "1"})
    mids = {}
    for zone in zones:
        mids[zone] = unique() + "@dane"
        postfix.sendmail("a@sender.example", ["anna@" + zone],
                         message(to="anna@" + zone, mid=mids[zone]))
    for zone in ("good.example", "both.example"):
        with t.case("%s is delivered over verified TLS" % zone):
            line = postfix.wait_status("anna@" + zone, "sent")
            assert "dsn=2." in line, line
            got = mox.maildir("anna").wait_mid(mids[zone], 10).decode()
            received = " ".join(got.split("\nReceived:")[1].split())
            assert "with ESMTPS" in received and "(TLS1.3 " in received, got
    with t.case("Postfix says the connection is verified"):
        lines = [x for x in postfix.text().splitlines() if "TLS connection established to" in x]
        assert [x for x in lines if "Verified TLS connection established to mx.good.example" in x]
        assert not [x for x in lines if "Verified" in x and "mx.good.example" not in x], lines
    with t.case("mox says it was TLS"):
        got = wait_for(lambda: [x for x in mox.text().splitlines() if "tls=" in x and
                                "TLSv1.3" in x], 5, "TLS in mox's log")
        assert got
    for zone, words in (("wrong.example", "Server certificate not verified"),
                        ("none.example", "TLSA"), ("unsigned.example", "")):
        with t.case("%s waits" % zone):
            line = postfix.wait_status("anna@" + zone, "deferred")
            assert words in line, line
            assert not mox.maildir("anna").find(mids[zone]), "delivered"
