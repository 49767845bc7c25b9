"""Mail to the world: MX look-ups in signed zones, null MX, loops, routes and smarthosts."""
from lib.context import root
from lib.mail import message, message_id, parse, unique


def world(t, zones, unsigned=(), **config):
    """A mox that believes the zones, lets 127.0.0.0/8 relay, and has anna@in.example."""
    nsd = t.nsd(zones, unsigned=unsigned)
    mox = t.mox(ip=config.pop("ip", None), hostname=config.pop("hostname", "mx.mox.example"),
                config=dict({"Resolver": nsd.resolver()}, **config))
    mox.nsd = nsd
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    mox.admin.network("127.0.0.0/8")
    return mox


def dsn_text(mox, seconds=10):
    return mox.maildir("anna").wait(1, seconds)[-1].decode()


@root
def test_full_circle(t):
    """Postfix -> mox A (signed MX look-up) -> mox B -> Postfix."""
    ip_b = t.ip()
    backend = t.postfix(hostname="backend.example", domains=["far.example"],
                        cert=t.authority.leaf("backend.example"))
    a = world(t, {"far.example": ["@ IN MX 10 mx.far.example.", "mx IN A " + ip_b]})
    b = t.mox(hostname="mx.far.example", ip=ip_b)
    b.admin.domain("far.example", relay="%s:25" % backend.ip, recipients="any")
    sender = t.postfix(settings={"relayhost": "[%s]:25" % a.ip, "smtp_tls_security_level": "may"})
    mid = unique() + "@far"
    sender.sendmail("anna@in.example", ["b@far.example"], message(mid=mid))
    got = backend.maildir.wait_mid(mid, 15).decode()
    hops = [" ".join(h.split()) for h in parse(got.encode()).get_all("Received")]
    assert len(hops) == 4, got
    assert " by mx.far.example" in hops[1] and "from mx.mox.example" in hops[1], hops[1]
    assert "ESMTPS" in hops[1] and " by mx.mox.example" in hops[2], hops
    a.wait_empty()
    b.wait_empty()


@root
def test_mx_table(t):
    ip = {n: t.ip() for n in ("good", "down", "only", "self", "v6", "same")}
    zones = {
        "ok.example": ["@ IN MX 10 first", "@ IN MX 20 second", "first IN A " + ip["down"],
                       "second IN A " + ip["good"]],
        "addr.example": ["@ IN A " + ip["only"]],
        "null.example": ["@ IN MX 0 ."],
        "loop.example": ["@ IN MX 10 mx.mox.example."],
        "loopip.example": ["@ IN MX 10 mx", "mx IN A " + ip["self"]],
        "backup.example": ["@ IN MX 10 first", "@ IN MX 20 mx.mox.example.",
                           "first IN A " + ip["down"], "@ IN A " + ip["down"]],
        "nohost.example": ["@ IN MX 10 gone.nohost.example."],
        "alias.example": ["www IN CNAME @", "@ IN MX 10 mx", "mx IN A " + ip["good"]],
        "six.example": ["@ IN MX 10 mx", "mx IN AAAA 100::1", "mx IN A " + ip["good"]],
        "bogus.example": ["@ IN MX 10 mx", "mx IN A " + ip["good"]],
        "plain.example": ["@ IN MX 10 mx", "mx IN A " + ip["good"]],
        "mox.example": ["mx IN A " + ip["self"]],
    }
    mox = world(t, zones, unsigned=["plain.example"], ip=ip["self"],
                Queue={"RetryFirst": "1h", "ConnectTimeout": "1s", "CommandTimeout": "3s",
                       "MaxAttempts": 5})
    good, only = t.peer(ip=ip["good"]), t.peer(ip=ip["only"])

    def delivered(rcpt, peer):
        with t.case(rcpt):
            mid = unique() + "@mx"
            mox.send("anna@in.example", rcpt, message(mid=mid))
            mox.wait_queue(lambda q: not [r for r in q if r["to"] == rcpt], 10, "delivery")
            assert mid in [message_id(m.data) for m in peer.taken()]

    def bounced(rcpt, *words):
        with t.case(rcpt):
            before = len(mox.maildir("anna").raw())
            mox.send("anna@in.example", rcpt, message())
            text = mox.maildir("anna").wait(before + 1)
            text = [r.decode() for r in text if rcpt.encode() in r][-1]
            assert "Action: failed" in text, text
            for w in words:
                assert w.lower() in text.lower(), "no %r in:\n%s" % (w, text)

    def deferred(rcpt, *words):
        with t.case(rcpt):
            mox.send("anna@in.example", rcpt, message())
            row = mox.wait_queue(lambda q: [r for r in q if r["to"] == rcpt and r["last_error"]],
                                 12, "a failed attempt")[0]
            assert row["state"] == "queued" and row["attempts"] == 1, row
            assert [w for w in words if w.lower() in row["last_error"].lower()], row

    delivered("a@ok.example", good)
    delivered("a@addr.example", only)
    delivered("a@plain.example", good)
    delivered("a@www.alias.example", good)
    delivered("a@six.example", good)
    bounced("a@null.example", "5.1.10")
    bounced("a@missing.ok.example", "5.1.2")
    bounced("a@loop.example", "5.4.6")
    bounced("a@loopip.example", "5.4.6")
    deferred("a@backup.example", "refused", "connect")
    deferred("a@nohost.example", "gone.nohost.example", "no such", "address")
    with t.case("bogus"):
        break_signature(mox.nsd, "bogus.example")
        deferred("a@bogus.example", "bogus", "dnssec", "signature")


def break_signature(nsd, zone):
    """Serves the zone with an address that its signature does not cover."""
    path = nsd.files[zone]
    with open(path) as f:
        text = f.read()
    changed = text.replace("IN\tMX\t10 mx.", "IN\tMX\t11 mx.")
    assert changed != text
    with open(path, "w") as f:
        f.write(changed)
    from lib.net import wait_port
    nsd.stop()
    nsd.proc = type(nsd.proc)(nsd.proc.argv, nsd.proc.log)
    wait_port(nsd.ip, nsd.port, 10, nsd.proc.must_run)


@root
def test_routes(t):
    """Smarthost by sender, by recipient, and after some attempts."""
    mx, smart, spare = t.ip(), t.ip(), t.ip()
    mox = world(t, {"far.example": ["@ IN MX 10 mx", "mx IN A " + mx],
                    "dead.example": ["@ IN MX 10 mx", "mx IN A " + t.ip()],
                    "deep.example": ["a.b IN MX 10 mx.far.example."]})
    direct, smarthost, fallback = t.peer(ip=mx), t.peer(ip=smart), t.peer(ip=spare)
    mox.admin.domain("news.example")
    mox.admin.address("anna@news.example", "anna")
    mox.admin.transport("smart", smart + ":25", tls="none")
    mox.admin.transport("spare", spare + ":25", tls="none")
    mox.admin.route("smart", from_="news.example")
    mox.admin.route("smart", to=".deep.example")
    mox.admin.route("spare", to="dead.example", min_attempts=1)
    for name, sender, rcpt, peer in (
            ("direct", "anna@in.example", "x@far.example", direct),
            ("by sender", "anna@news.example", "x@far.example", smarthost),
            ("subdomain", "anna@in.example", "x@a.b.deep.example", smarthost),
            ("after an attempt", "anna@in.example", "x@dead.example", fallback)):
        with t.case(name):
            mid = unique() + "@route"
            mox.send(sender, rcpt, message(mid=mid))
            mox.wait_empty(20)
            assert mid in [message_id(m.data) for m in peer.taken()]


@root
def test_loop(t):
    """Two gateways that send to each other: the message ends as a DSN, not for ever."""
    other = t.ip()
    mox = t.mox(config={"Limits": {"ReceivedMax": 20}})
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    mox.admin.domain("loop.example", relay=other + ":25", recipients="any")
    back = t.mox(hostname="mx.other.example", ip=other, config={"Limits": {"ReceivedMax": 20}})
    back.admin.domain("loop.example", relay=mox.ip + ":25", recipients="any")
    back.admin.domain("in.example", relay=mox.ip + ":25", recipients="any")
    mox.send("anna@in.example", "x@loop.example", message())
    text = mox.maildir("anna").wait(1, 20)[0].decode()
    assert "Action: failed" in text and "5.4.6" in text, text
    mox.wait_empty()
    back.wait_empty()
