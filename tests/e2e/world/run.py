#!/usr/bin/env python3
"""The internet in a box, to try the gateway by hand: make world, or run.py [--mox PATH].

Signed zones, two gateways, a Postfix behind one of them and a Postfix that is the rest of
the world, all on loopback addresses. Prints what is where; Ctrl-C ends everything."""
import argparse
import os
import shutil
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from lib.context import Context  # noqa: E402
from lib.reap import adopt_orphans, kill_rest  # noqa: E402

PASSWORD = "internet-in-a-box"


def gateway(t, hostname, ip, nsd):
    mox = t.mox(hostname=hostname, ip=ip, config={
        "Resolver": nsd.resolver(), "LogLevel": "info", "Limits": {},
        "TLS": {"CA": {"AdditionalToSystem": True, "CertFiles": [t.authority.cert]}}})
    mox.admin.request("adminpassword", password=PASSWORD)
    return mox


def build(t):
    ip = {n: t.ip() for n in ("dns", "alpha", "beta", "backend", "outside")}
    nsd = t.nsd({
        "alpha.example": ["@ IN MX 10 mx", "mx IN A " + ip["alpha"]],
        "beta.example": ["@ IN MX 10 mx", "mx IN A " + ip["beta"]],
        "outside.example": ["@ IN MX 10 mx", "mx IN A " + ip["outside"]],
        "nomail.example": ["@ IN MX 0 ."],
        "down.example": ["@ IN MX 10 mx", "mx IN A " + t.ip()],
    }, unsigned=["outside.example"], ip=ip["dns"])
    alpha = gateway(t, "mx.alpha.example", ip["alpha"], nsd)
    beta = gateway(t, "mx.beta.example", ip["beta"], nsd)
    alpha.admin.domain("alpha.example")
    alpha.admin.account("anna", PASSWORD, full_name="Anna of Alpha")
    alpha.admin.address("anna@alpha.example", "anna")
    backend = t.postfix(hostname="backend.beta.example", ip=ip["backend"],
                        cert=t.authority.leaf("backend.beta.example"), domains=["beta.example"])
    beta.admin.domain("beta.example", relay=ip["backend"] + ":25", recipients="any")
    outside = t.postfix(hostname="mx.outside.example", ip=ip["outside"],
                        cert=t.authority.leaf("mx.outside.example"), domains=["outside.example"],
                        settings={"transport_maps": "inline:{alpha.example=smtp:[%s], "
                                  "beta.example=smtp:[%s]}" % (ip["alpha"], ip["beta"]),
                                  "smtp_tls_security_level": "may"})
    return nsd, alpha, beta, backend, outside


def tell(t, nsd, alpha, beta, backend, outside):
    print("""
what                                     where
DNS, zones signed but outside.example    %(dns)s@53     drill -p 53 MX beta.example @%(dns)s
gateway alpha.example, into Maildirs     %(a)s 25 587 465   http://%(a)s/admin/
gateway beta.example, relays to Postfix  %(b)s 25 587 465   http://%(b)s/admin/
Postfix behind beta                      %(pb)s 25   its mail: %(pbm)s
Postfix outside.example                  %(po)s 25   its mail: %(pom)s
nomail.example has a null MX, down.example a host that does not answer

admin password, and the one of anna@alpha.example: %(pw)s
configuration: %(ac)s
               %(bc)s
logs:          %(al)s
               %(bl)s

from outside to beta:  swaks --server %(po)s --from x@outside.example --to you@beta.example
from anna to beta:     swaks --server %(a)s --port 587 -tls --auth PLAIN --auth-user \
anna@alpha.example --auth-password %(pw)s --from anna@alpha.example --to you@beta.example
the queue of alpha:    %(mox)s queue list -config %(ac)s
mail for anna:         %(am)s

Ctrl-C ends all of it.""" % {
        "dns": nsd.ip, "a": alpha.ip, "b": beta.ip, "pb": backend.ip, "po": outside.ip,
        "pbm": backend.maildir.path, "pom": outside.maildir.path, "pw": PASSWORD,
        "ac": alpha.conf, "bc": beta.conf, "al": alpha.log, "bl": beta.log,
        "mox": t.binary, "am": alpha.maildir("anna").path})
    sys.stdout.flush()


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--mox", default=os.path.join(HERE, "../../../mox"), help="the binary")
    ap.add_argument("--seconds", type=float, default=0, help="end by itself after so long")
    args = ap.parse_args()
    if os.getuid() != 0:
        print("world: needs root, for port 25", file=sys.stderr)
        return 1
    adopt_orphans()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tmp = tempfile.mkdtemp(prefix="mox-world-")
    os.chmod(tmp, 0o755)
    try:
        t = Context(tmp, os.path.abspath(args.mox))
        tell(t, *build(t))
        time.sleep(args.seconds or 1 << 30)
    except KeyboardInterrupt:
        print("\nworld: ending")
    finally:
        kill_rest()
        shutil.rmtree(tmp, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
