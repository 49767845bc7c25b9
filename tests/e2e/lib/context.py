"""What a test is given: its folder, its addresses, makers of daemons that end with it."""
import contextlib
import glob
import os
import traceback

from .cert import Authority
from .dns import NsdWorld
from .dovecot import DovecotLMTP
from .mox import MoxLocalserve, MoxServe
from .net import Block
from .peer import ScriptedPeer
from .postfix import PostfixInstance
from .unbound import Unbound


class Skip(Exception):
    """The test cannot run here; says why."""


def root(fn):
    """Marks a test that needs root (ports below 1024, mounts, Postfix)."""
    fn.needs_root = True
    return fn


def timeout(seconds):
    def mark(fn):
        fn.timeout = seconds
        return fn

    return mark


class Context:
    def __init__(self, tmp, mox):
        self.tmp, self.binary = tmp, mox
        self.cases, self._peers, self._moxes = [], [], []
        self._authority, self._names = None, {}
        self._block = Block()

    def ip(self):
        return self._block.ip()

    def folder(self, name):
        """A fresh folder; name, name2, name3 ..."""
        self._names[name] = self._names.get(name, 0) + 1
        if self._names[name] > 1:
            name += str(self._names[name])
        path = os.path.join(self.tmp, name)
        os.makedirs(path)
        os.chmod(path, 0o755)
        return path

    @property
    def authority(self):
        if not self._authority:
            self._authority = Authority(self.folder("ca"))
        return self._authority

    @contextlib.contextmanager
    def case(self, name):
        """A row of a table: counted as a test of its own, its failure does not end the rest."""
        try:
            yield
            self.cases.append((name, None))
        except Exception as problem:
            where = traceback.extract_tb(problem.__traceback__)[-1]
            self.cases.append((name, "%s: %s (%s:%d)" % (type(problem).__name__, problem,
                                                         os.path.basename(where.filename),
                                                         where.lineno)))

    def mox(self, **kw):
        self._moxes.append(MoxServe(self, **kw))
        return self._moxes[-1]

    def localserve(self, *args, **kw):
        self._moxes.append(MoxLocalserve(self, *args, **kw))
        return self._moxes[-1]

    def postfix(self, **kw):
        kw.setdefault("ip", self.ip())
        return PostfixInstance(self.folder("postfix"), **kw)

    def dovecot(self, **kw):
        return DovecotLMTP(self.folder("dovecot"), self.ip(), **kw)

    def nsd(self, zones, ip=None, **kw):
        return NsdWorld(self.folder("nsd"), ip or self.ip(), zones, **kw)

    def unbound(self, nsd, **kw):
        return Unbound(self.folder("unbound"), kw.pop("ip", None) or self.ip(), nsd, **kw)

    def peer(self, script=None, ip=None, **kw):
        peer = ScriptedPeer(ip or self.ip(), kw.pop("port", 25), script, **kw)
        self._peers.append(peer)
        return peer

    def finish(self):
        """What must hold after every test: scripts had no faults, no daemon died by itself,
        no sanitizer found anything."""
        for peer in self._peers:
            assert not peer.problems, "script of a peer failed: %r" % peer.problems[0]
        for mox in self._moxes:
            mox.finish()

    def log_files(self):
        return sorted(glob.glob(os.path.join(self.tmp, "*", "*log")))
