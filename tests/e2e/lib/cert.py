"""Certificates for one test: a CA and leaves signed by it, P-256."""
import os

from .proc import run


class Authority:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.cert = os.path.join(folder, "ca.pem")
        self.key = os.path.join(folder, "ca.key")
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", self.key, "-out", self.cert, "-days", "30", "-subj",
             "/CN=e2e test authority", "-addext", "basicConstraints=critical,CA:TRUE"])

    def leaf(self, *names, days=20):
        """(certificate file with chain, key file) for the names; addresses as IP: names."""
        base = os.path.join(self.folder, names[0].replace("*", "star"))
        cert, key, csr, ext = base + ".pem", base + ".key", base + ".csr", base + ".ext"
        if os.path.exists(cert):
            return cert, key
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", key, "-out", csr, "-subj", "/CN=" + names[0][:60]])
        alt = ",".join(("IP:" if n[0].isdigit() else "DNS:") + n for n in names)
        with open(ext, "w") as f:
            f.write("subjectAltName=%s\nbasicConstraints=CA:FALSE\n" % alt)
        run(["openssl", "x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self.key,
             "-CAcreateserial", "-days", str(days), "-extfile", ext, "-out", cert])
        with open(cert, "a") as out, open(self.cert) as ca:
            out.write(ca.read())
        os.chmod(key, 0o644)
        return cert, key
