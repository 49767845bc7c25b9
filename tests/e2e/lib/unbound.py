"""A validating resolver of its own for a test's zones, and a mount namespace in which
/etc/resolv.conf names it: for programs that know no other way to be told, such as Postfix."""
import os

from .net import wait_port
from .proc import Proc

CONF = """\
server:
	interface: {ip}
	access-control: 127.0.0.0/8 allow
	do-not-query-localhost: no
	do-daemonize: no
	num-threads: 1
	username: ""
	chroot: ""
	directory: "{folder}"
	pidfile: ""
	use-syslog: no
	logfile: ""
	log-servfail: yes
	module-config: "validator iterator"
	trust-anchor-file: "{anchor}"
remote-control:
	control-enable: no
forward-zone:
	name: "."
	forward-addr: 127.0.0.1@9
"""
STUB = """\
stub-zone:
	name: "{zone}"
	stub-addr: {ip}@{port}
"""


class Unbound:
    def __init__(self, folder, ip, nsd):
        """Believes the trust anchors of an NsdWorld, knows its zones and nothing else."""
        self.folder, self.ip = folder, ip
        conf = os.path.join(folder, "unbound.conf")
        with open(conf, "w") as f:
            f.write(CONF.format(ip=ip, folder=folder, anchor=nsd.anchor))
            for zone in nsd.zones:
                f.write(STUB.format(zone=zone, ip=nsd.ip, port=nsd.port))
        self.resolv = os.path.join(folder, "resolv.conf")
        with open(self.resolv, "w") as f:
            f.write("nameserver %s\noptions trust-ad edns0\n" % ip)
        os.chmod(self.resolv, 0o644)
        self.proc = Proc(["unbound", "-d", "-c", conf], os.path.join(folder, "unbound.log"))
        wait_port(ip, 53, 15, self.proc.must_run)

    def wrap(self):
        """Put before a command: it then asks this resolver."""
        return ["unshare", "--mount", "sh", "-c",
                'mount --bind "$0" /etc/resolv.conf && exec "$@"', self.resolv]
