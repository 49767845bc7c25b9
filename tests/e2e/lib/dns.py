"""NsdWorld: an authoritative server with zones signed by ldns, and the trust anchor that
mox.conf's Resolver needs to believe them."""
import glob
import os

from .net import wait_port
from .proc import Proc, run

HEAD = """\
$ORIGIN {zone}.
$TTL 300
@ IN SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 300
@ IN NS ns.{zone}.
ns IN A {ip}
"""


class NsdWorld:
    def __init__(self, folder, ip, zones, unsigned=(), port=53):
        """zones: name without dot -> zone file lines; those in unsigned stay unsigned."""
        self.folder, self.ip, self.port = folder, ip, port
        self.zones = list(zones)
        os.makedirs(folder, exist_ok=True)
        self.anchor = os.path.join(folder, "anchors.key")
        open(self.anchor, "w").close()
        self.files = {}
        for zone, lines in zones.items():
            path = os.path.join(folder, zone + ".zone")
            with open(path, "w") as f:
                f.write(HEAD.format(zone=zone, ip=ip) + "\n".join(lines) + "\n")
            self.files[zone] = path if zone in unsigned else self._sign(zone, path)
        conf = os.path.join(folder, "nsd.conf")
        with open(conf, "w") as f:
            f.write('server:\n\tip-address: %s@%d\n\tusername: ""\n\tchroot: ""\n'
                    '\tdatabase: ""\n\tzonesdir: "%s"\n\tpidfile: ""\n\tserver-count: 1\n'
                    '\txfrdfile: "%s/xfrd.state"\n\tzonelistfile: "%s/zone.list"\n'
                    '\txfrdir: "%s"\n\tlogfile: "%s/nsd.log"\nremote-control:\n'
                    '\tcontrol-enable: no\n' % (ip, port, folder, folder, folder, folder, folder))
            for zone in zones:
                f.write('zone:\n\tname: "%s"\n\tzonefile: "%s"\n' % (zone, self.files[zone]))
        self.proc = Proc(["nsd", "-d", "-c", conf], os.path.join(folder, "out.log"))
        wait_port(ip, port, 15, self.proc.must_run)

    def _sign(self, zone, path):
        for flags in (["-k"], []):
            run(["ldns-keygen"] + flags + ["-a", "ECDSAP256SHA256", zone], cwd=self.folder)
        keys = [k[:-4] for k in sorted(glob.glob(os.path.join(self.folder, "K%s.+*.key" % zone)))]
        run(["ldns-signzone", "-o", zone + ".", path] + keys, cwd=self.folder)
        with open(self.anchor, "a") as out:
            for k in keys:
                with open(k + ".key") as f:
                    text = f.read()
                if " 257 " in text.replace("\t", " "):
                    out.write(text)
        return path + ".signed"

    def resolver(self):
        """The Resolver section of mox.conf."""
        return {"TrustAnchorFile": self.anchor,
                "Stubs": {z: ["%s@%d" % (self.ip, self.port)] for z in self.zones}}

    def stop(self):
        self.proc.stop()
