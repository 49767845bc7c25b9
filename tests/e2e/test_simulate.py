"""What would happen if mail went to an address now: nothing is sent, and a message that is sent
afterwards meets the same."""
import json
import re
import time

from lib.context import root, timeout
from lib.mail import message, unique
from lib.tlscerts import Issuer, tlsa
from lib.web import Browser

from test_dane import OTHER, QUEUE, traces
from test_outbound import world


def steps(trace):
    """What both must meet: each step with its verdict, but for the message itself and the word
    that a connection was kept from a message before."""
    return [(s["kind"], s.get("title"), s.get("state"), s.get("result"), s.get("dnssec"),
             s.get("text")) for s in trace["steps"] if not s.get("title", "").startswith(("Message", "Conn"))]


def simulate(mox, address, *more):
    got = mox.cli("smtp", "simulate", "-config", "-json", *more, address, check=False)
    out = json.loads(got.stdout)
    assert out["done"] and (got.returncode == 0) == (out["verdict"] == "delivered"), got
    if got.returncode:
        assert got.stderr.startswith("mox: ") and got.stderr.count("\n") == 1, got.stderr
    return out


NAMES = ("dane", "wrong", "plain", "self", "none")


@root
@timeout(180)
def test_simulate_and_send(t):
    certs = Issuer(t.folder("issuer"))
    ip = {n: t.ip() for n in NAMES}
    made = {n: certs.leaf("mx.%s.example" % n, by="self" if n == "self" else "root")
            for n in NAMES}
    zones = {n + ".example": ["@ IN MX 10 mx", "mx IN A " + ip[n]] for n in NAMES}
    zones["dane.example"].append("_25._tcp.mx IN TLSA " + tlsa(3, 1, 1, made["dane"][0]))
    zones["wrong.example"].append("_25._tcp.mx IN TLSA " + OTHER)
    zones["null.example"] = ["@ IN MX 0 ."]
    mox = world(t, zones, Queue=QUEUE)
    peers = {n: t.peer(ip=ip[n], cert=None if n == "plain" else made[n]) for n in NAMES}
    hub = t.peer(cert=certs.leaf("hub.example"))
    mox.admin.domain("relayed.example", relay="%s:25" % hub.ip, recipients="any")
    mox.admin.transport("hub", "%s:25" % hub.ip, tls="opportunistic")
    mox.admin.transport("strict", "%s:25" % hub.ip, tls="verify")
    mox.admin.route("strict", to="strict.example")
    mox.admin.route("hub", to="routed.example")
    mox.admin.alias("all@in.example", "anna@in.example", "x@dane.example", "x@null.example")
    for domain, verdict, words in (
            ("dane", "delivered", "matched TLSA record 3 1 1 (DANE)"),
            ("wrong", "waits", "no TLSA record matches"),
            ("plain", "delivered", "in plaintext: the server does not offer STARTTLS"),
            ("self", "delivered", "not verified: nothing asks for it"),
            ("null", "bounces", "does not"),
            ("relayed", "delivered", "over TLS"),
            ("routed", "delivered", "over TLS"),
            ("strict", "waits", "certificate is not valid")):
        rcpt = "x@%s.example" % domain
        with t.case(domain):
            told = simulate(mox, rcpt, "-from", "anna@in.example")
            assert told["verdict"] == verdict, told
            (way,) = told["ways"]
            assert domain == "null" or words in way["text"], way["text"]
            assert way["trace"]["sentence"] == way["text"], way
            before = len(traces(mox))
            mox.send("anna@in.example", rcpt, message(mid=unique() + "@sim"))
            if verdict == "delivered":
                mox.wait_queue(lambda q: not [r for r in q if r["to"] == rcpt], 20, "delivery")
            elif verdict == "waits":
                mox.wait_queue(lambda q: [r for r in q if r["to"] == rcpt and r["last_error"]],
                               20, "a failure")
            else:
                mox.wait_queue(lambda q: not [r for r in q if r["to"] == rcpt], 20, "a bounce")
                continue
            for _ in range(50):
                sent = traces(mox)
                if len(sent) > before:
                    break
                time.sleep(0.1)
            # Look-ups are shared for a while; what they found is not.
            assert steps(way["trace"]) == steps(sent[-1]), (steps(way["trace"]), steps(sent[-1]))
    with t.case("nothing was sent by simulating"):
        count = {n: len(p.taken()) for n, p in peers.items()}
        assert count == {"dane": 1, "wrong": 0, "plain": 1, "self": 1, "none": 0}, count
        assert len(hub.taken()) == 2
    with t.case("REQUIRETLS, which the server lacks"):
        told = simulate(mox, "x@plain.example", "-requiretls")
        assert told["verdict"] == "bounces" and "REQUIRETLS" in told["ways"][0]["text"], told
    with t.case("TLS-Required: No"):
        told = simulate(mox, "x@wrong.example", "-tlsoptional")
        assert told["verdict"] == "delivered", told
    with t.case("an override counts"):
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 5 * 86400))
        mox.admin.request("tlsoverride.set", domain="self.example", kind="verified", reason="test",
                          expires=day)
        assert simulate(mox, "x@self.example")["verdict"] == "waits"
    with t.case("mailbox, nowhere, alias"):
        told = simulate(mox, "anna@in.example")
        assert told["verdict"] == "delivered" and told["ways"][0]["kind"] == "mailbox", told
        assert "mailbox of account anna" in told["ways"][0]["text"], told
        assert simulate(mox, "nobody@in.example")["verdict"] == "bounces"
        told = simulate(mox, "all@in.example")
        assert told["verdict"] == "bounces", told
        assert [w["verdict"] for w in told["ways"]] == ["delivered", "delivered", "bounces"], told
        text = mox.cli("smtp", "simulate", "-config", "x@dane.example").stdout
        assert "MX dane.example: " in text and "(DANE)" in text.splitlines()[-1], text
        bad = mox.cli("smtp", "simulate", "-config", "nobody", check=False)
        assert bad.returncode == 1 and bad.stderr.count("\n") == 1, bad


def sign_in(mox):
    mox.admin.request("adminpassword", password="e2e-admin-password")
    b = Browser(mox.ip, mox.admin_port)
    b.login("e2e-admin-password")
    return b


def ask(b, address):
    b.get("simulate")
    return b.submit("to", "tls", follow=False, to=address)


@root
@timeout(120)
def test_simulate_page(t):
    """The page shows what has been tried while a server keeps it waiting, and holds up nobody."""
    slow = t.ip()
    mox = world(t, {"slow.example": ["@ IN MX 10 mx", "mx IN A " + slow]},
                Queue=dict(QUEUE, CommandTimeout="4s"))
    t.peer(ip=slow, script={"greeting": lambda *_: time.sleep(30)})
    b = sign_in(mox)
    begun = time.time()
    page = ask(b, "x@slow.example")
    assert page.status == 303, page.html
    where = page.headers["Location"].split("#")[0]
    page = b.get(where)
    assert page.headers["Refresh"] == "1" and "Being tried" in page.text, page.text
    assert "MX slow.example" in page.text, page.text
    with t.case("only so many at a time"):
        for n in range(2):
            assert ask(b, "y@slow.example").status == 303
        page = ask(b, "z@slow.example")
        assert page.status == 503 and "run already" in page.text, page.text
    with t.case("other pages are quick"):
        at = time.time()
        assert b.get("/admin/queue").status == 200 and time.time() - at < 2
    assert time.time() - begun < 20
    for _ in range(60):
        page = b.get(where)
        if "Refresh" not in page.headers:
            break
    assert "would wait" in page.text and "waiting for the greeting" in page.text, page.text
    with t.case("not an address"):
        page = ask(b, "nobody")
        assert page.status == 422 and re.search("Recipient: ", page.text), page.text
    assert "not kept" in b.get("/admin/simulate?run=99").text
    with t.case("the daemon does not wait for it"):
        assert ask(b, "x@slow.example").status == 303
        at = time.time()
        mox.stop()
        assert time.time() - at < 5
