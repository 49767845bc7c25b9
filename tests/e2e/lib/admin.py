"""Changes to domains, addresses, accounts, routes, and looks at the queue: requests to the
daemon's control socket, as the command line makes them. Tests of the command line itself
are in test_cli.py."""
import json
import os
import socket


class Refused(AssertionError):
    """The daemon said no; the text is its reason."""


class Admin:
    def __init__(self, mox):
        self.mox = mox

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(os.path.join(self.mox.data, "ctl"))
                return True
            except OSError:
                return False

    def request(self, verb, **fields):
        """(rows, last line) of the answer."""
        fields = {k.rstrip("_"): v for k, v in fields.items() if v is not None}
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(os.path.join(self.mox.data, "ctl"))
            s.sendall(json.dumps(dict(fields, verb=verb)).encode() + b"\n")
            rows = []
            with s.makefile("r", encoding="utf-8") as lines:
                for line in lines:
                    answer = json.loads(line)
                    if "row" in answer:
                        rows.append(answer["row"])
                    elif answer.get("ok"):
                        return rows, answer
                    else:
                        raise Refused("%s: %s" % (verb, answer.get("error")))
        raise AssertionError("%s: the daemon hung up" % verb)

    def domain(self, name, **fields):
        """fields: relay (hosts, comma between), protocol, tls, username, password, recipients
        (list, callout, any), separator, case_sensitive, disabled. No relay: mailboxes."""
        if "relay" not in fields:
            fields.setdefault("delivery", "mailbox")
        self.request("domain.add", name=name, **fields)

    def domain_set(self, name, **fields):
        self.request("domain.set", name=name, **fields)

    def domain_rm(self, name):
        self.request("domain.rm", name=name)

    def account(self, name, password=None, **fields):
        self.request("account.add", name=name, password=password, **fields)

    def address(self, address, account=None, **fields):
        """Of an account, or (none given) one that is relayed; "@domain" is the catch-all."""
        self.request("address.add", address=address, account=account, **fields)

    def alias(self, address, *members):
        self.request("alias.add", address=address, members=list(members))

    def transport(self, name, relay, **fields):
        self.request("transport.add", name=name, relay=relay, **fields)

    def route(self, transport, from_=None, to=None, min_attempts=None):
        fields = {"from": from_, "to": to, "min_attempts": min_attempts}
        return self.request("route.add", transport=transport, **fields)[1]["id"]

    def network(self, network):
        self.request("network.add", network=network)

    def queue(self, **filter_):
        rows, after = [], 0
        while True:
            page, last = self.request("queue.list", after=after, **filter_)
            rows += page
            if not last.get("more"):
                return rows
            after = last["next"]

    def message(self, queue_id):
        """One queued message: its last line ("attempts") with "rcpts" added."""
        rows, last = self.request("queue.get", id=queue_id)
        return dict(last, rcpts=rows)

    def act(self, verb, **which):
        """kick, hold, unhold, drop; id, or all=True, or to=domain. Recipients changed."""
        return self.request("queue." + verb, **which)[1]["changed"]
