"""A Postfix of our own: configuration, queue and log below one folder, one address."""
import grp
import os
import pwd
import re
import signal

from .mail import Maildir
from .net import wait_for, wait_port
from .proc import run

MASTER = """\
{ip}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
          "saved", "trace")


class PostfixInstance:
    def __init__(self, folder, ip, hostname="postfix.example", port=25, cert=None, domains=(),
                 settings=None, wrap=()):
        """domains: mail for them goes to one Maildir (self.maildir); all else is relayed,
        by relayhost or transport_maps given in settings. wrap: put before the command."""
        self.folder, self.ip, self.port, self.wrap = folder, ip, port, list(wrap)
        self.log = os.path.join(folder, "maillog")
        self.conf = os.path.join(folder, "conf")
        spool, data, mail = (os.path.join(folder, n) for n in ("spool", "data", "mail"))
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        for name in (self.conf, spool, data, mail):
            os.makedirs(name, exist_ok=True)
        user = pwd.getpwnam("postfix")
        os.chown(data, user.pw_uid, user.pw_gid)
        os.chown(mail, user.pw_uid, user.pw_gid)
        self.maildir = Maildir(os.path.join(mail, "all"))
        main = {
            "compatibility_level": "3.6", "myhostname": hostname, "mydestination": "",
            # Only addresses set on an interface are taken here; master.cf names the real one.
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "smtp_bind_address": ip,
            "queue_directory": spool, "data_directory": data, "maillog_file": self.log,
            "maillog_file_prefixes": folder, "mynetworks": "127.0.0.0/8",
            "alias_maps": "", "alias_database": "", "local_recipient_maps": "",
            "local_transport": "error:nothing is local here", "biff": "no",
            "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "smtpd_peername_lookup": "no", "smtp_host_lookup": "native",
            "disable_dns_lookups": "yes", "smtp_tls_security_level": "none",
            "smtpd_client_connection_count_limit": "0", "minimal_backoff_time": "2s",
            "maximal_backoff_time": "5s", "queue_run_delay": "2s", "ipc_timeout": "30s",
            "virtual_mailbox_domains": ", ".join(domains), "virtual_mailbox_base": mail,
            "virtual_mailbox_maps": "static:all/", "virtual_minimum_uid": "1",
            "virtual_uid_maps": "static:%d" % user.pw_uid,
            "virtual_gid_maps": "static:%d" % user.pw_gid, "smtputf8_enable": "yes",
            "smtp_address_preference": "ipv4", "bounce_size_limit": "5000",
        }
        if cert:
            main["smtpd_tls_cert_file"], main["smtpd_tls_key_file"] = cert
            main["smtpd_tls_security_level"] = "may"
            main["smtpd_tls_received_header"] = "yes"
        main.update(settings or {})
        with open(os.path.join(self.conf, "main.cf"), "w") as f:
            f.writelines("%s = %s\n" % kv for kv in main.items())
        with open(os.path.join(self.conf, "master.cf"), "w") as f:
            f.write(MASTER.format(ip=ip, port=port))
        self.start()

    def start(self):
        """The master alone: what the script "postfix start" checks, we have just made."""
        user, drop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        for name, mode, group in [(n, 0o700, 0) for n in QUEUES] + [
                ("private", 0o700, 0), ("public", 0o710, drop), ("maildrop", 0o730, drop)]:
            path = os.path.join(self.folder, "spool", name)
            os.makedirs(path, exist_ok=True)
            os.chown(path, user, group)
            os.chmod(path, mode)
        os.makedirs(os.path.join(self.folder, "spool", "pid"), exist_ok=True)
        run(self.wrap + ["/usr/lib/postfix/sbin/master", "-c", self.conf, "-w"], seconds=60)
        wait_port(self.ip, self.port, 20)

    def master_pid(self):
        try:
            with open(os.path.join(self.folder, "spool/pid/master.pid")) as f:
                return int(f.read().strip())
        except (OSError, ValueError):
            return None

    def running(self):
        pid = self.master_pid()
        try:
            with open("/proc/%d/stat" % pid) as f:
                return f.read().rsplit(")", 1)[1].split()[0] != "Z"
        except (OSError, TypeError):
            return False

    def stop(self):
        if self.running():
            os.kill(self.master_pid(), signal.SIGTERM)
            wait_for(lambda: not self.running(), 10, "Postfix to end")

    def text(self):
        try:
            with open(self.log, errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def sendmail(self, sender, rcpts, raw):
        """Through Postfix's own queue, as a local program does."""
        run(["sendmail", "-C", self.conf, "-G", "-i", "-f", sender] + list(rcpts),
            stdin=raw.decode().replace("\r\n", "\n"))

    def queue_ids(self):
        out = run(["postqueue", "-c", self.conf, "-j"]).stdout
        return re.findall(r'"queue_id": "([^"]+)"', out)

    def wait_status(self, rcpt, status, seconds=20):
        """The log line that says what came of the recipient."""
        pattern = re.compile(r"to=<%s>.*status=%s.*" % (re.escape(rcpt), status))
        return wait_for(lambda: pattern.search(self.text()), seconds,
                        "Postfix: %s for %s" % (status, rcpt), step=0.05).group(0)
