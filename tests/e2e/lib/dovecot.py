"""Dovecot's LMTP on a TCP port, delivering to Maildirs of the users named."""
import os
import pwd

from .mail import Maildir
from .net import wait_port
from .proc import Proc

CONF = """\
protocols = lmtp
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
auth_debug = yes
ssl = no
listen = {ip}
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
mail_location = maildir:~/Maildir
postmaster_address = postmaster@backend.example
hostname = dovecot.example
auth_username_format = %Ln
lmtp_save_to_detail_mailbox = no
recipient_delimiter = +
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = {ip}
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
"""


class DovecotLMTP:
    def __init__(self, folder, ip, port=24, users=("anna",)):
        self.folder, self.ip, self.port = folder, ip, port
        owner = pwd.getpwnam("postfix" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name)
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        with open(os.path.join(folder, "users"), "w") as f:
            for u in users:
                home = os.path.join(folder, "home", u)
                os.makedirs(home)
                os.chown(home, owner.pw_uid, owner.pw_gid)
                f.write("%s:{PLAIN}none:%d:%d::%s\n" % (u, owner.pw_uid, owner.pw_gid, home))
        conf = os.path.join(folder, "dovecot.conf")
        with open(conf, "w") as f:
            f.write(CONF.format(folder=folder, ip=ip, port=port))
        self.proc = Proc(["dovecot", "-F", "-c", conf], os.path.join(folder, "out.log"))
        wait_port(ip, port, 15, self.proc.must_run)

    @property
    def hostport(self):
        return "%s:%d" % (self.ip, self.port)

    def maildir(self, user):
        return Maildir(os.path.join(self.folder, "home", user, "Maildir"))

    def stop(self):
        self.proc.stop()
