"""Certificates for DANE tests, good and bad, and the TLSA data that belongs to them, made with
openssl and hashlib: nothing of mox takes part."""
import hashlib
import os
import subprocess

from .proc import run


def _openssl(*args, stdin=None):
    return subprocess.run(["openssl"] + list(args), input=stdin, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def _pems(path):
    with open(path) as f:
        text = f.read()
    end = "-----END CERTIFICATE-----\n"
    return [p + end for p in text.split(end) if "BEGIN CERTIFICATE" in p]


def cert_der(path, at=0):
    return _openssl("x509", "-outform", "DER", stdin=_pems(path)[at].encode())


def spki_der(path, at=0):
    key = _openssl("x509", "-pubkey", "-noout", stdin=_pems(path)[at].encode())
    return _openssl("pkey", "-pubin", "-outform", "DER", stdin=key)


def tlsa(usage, selector, match, path, at=0):
    """TLSA RDATA for certificate number `at` of a PEM file."""
    data = cert_der(path, at) if selector == 0 else spki_der(path, at)
    data = {0: lambda d: d, 1: lambda d: hashlib.sha256(d).digest(),
            2: lambda d: hashlib.sha512(d).digest()}[match](data)
    return "%d %d %d %s" % (usage, selector, match, data.hex())


class Issuer:
    """A root, an intermediate below it, and leaves of either, in one folder."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.root = self._ca("root", None)
        self.middle = self._ca("middle", self.root)

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _ca(self, name, by):
        key, cert, ext = (self._path(name + s) for s in (".key", ".pem", ".ext"))
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key])
        run(["openssl", "req", "-new", "-key", key, "-out", cert + ".csr", "-subj",
             "/CN=dane " + name])
        with open(ext, "w") as f:
            f.write("basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n"
                    "subjectKeyIdentifier=hash\n")
        sign = (["-signkey", key] if by is None else
                ["-CA", by[0], "-CAkey", by[1], "-CAcreateserial"])
        run(["openssl", "x509", "-req", "-in", cert + ".csr", "-days", "30", "-extfile", ext,
             "-out", cert] + sign)
        return cert, key

    def leaf(self, name, by="root", expired=False, chain=()):
        """Expired: its time ends the moment it is made.
        (file with the leaf and the chain's certificates, key). by: root, middle or self."""
        base = self._path("leaf-%s-%s%s-%d" % (name, by, "-old" if expired else "",
                                               len(os.listdir(self.folder))))
        key, cert, csr, ext = base + ".key", base + ".pem", base + ".csr", base + ".ext"
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key])
        run(["openssl", "req", "-new", "-key", key, "-out", csr, "-subj", "/CN=" + name[:60]])
        with open(ext, "w") as f:
            f.write("subjectAltName=DNS:%s\nbasicConstraints=CA:FALSE\n" % name)
        issuer = {"root": self.root, "middle": self.middle, "self": (None, key)}[by]
        sign = ["-signkey", key] if by == "self" else ["-CA", issuer[0], "-CAkey", issuer[1],
                                                       "-CAcreateserial"]
        run(["openssl", "x509", "-req", "-in", csr, "-days", "0" if expired else "20",
             "-extfile", ext, "-out", cert] + sign)
        with open(cert, "a") as out:
            for c in chain:
                with open(c) as f:
                    out.write(f.read())
        os.chmod(key, 0o644)
        return cert, key
