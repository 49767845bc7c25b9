"""Run by Debian's own python3, which has python3-dkim: a second opinion on signatures.
dkimpy.py verify|arc-verify|sign|arc-sign JSON < message; records are {name: text}."""
import json
import sys


def main():
    import dkim
    what, arg = sys.argv[1], json.loads(sys.argv[2])
    message = sys.stdin.buffer.read()

    def records(name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        text = arg["records"].get(name.rstrip("."))
        return text.encode() if text is not None else None

    def option(name, default=None):
        value = arg.get(name, default)
        return value.encode() if isinstance(value, str) else value

    if what == "verify":
        d = dkim.DKIM(message)
        count = sum(1 for k, _ in d.headers if k.lower() == b"dkim-signature")
        answer = []
        for i in range(count):
            try:
                answer.append(bool(dkim.DKIM(message).verify(i, dnsfunc=records)))
            except dkim.DKIMException as e:
                answer.append(str(e))
        print(json.dumps(answer))
    elif what == "arc-verify":
        cv, _, why = dkim.arc_verify(message, dnsfunc=records)
        print(json.dumps([(cv or b"").decode(), str(why)]))
    elif what == "sign":
        with open(arg["key"], "rb") as f:
            key = f.read()
        if arg["algorithm"] == "ed25519-sha256":  # dkimpy wants the bare seed
            import base64
            key = base64.b64encode(base64.b64decode(b"".join(key.splitlines()[1:-1]))[-32:])
        sig = dkim.sign(message, option("selector"), option("domain"), key,
                        canonicalize=(option("header"), option("body")),
                        signature_algorithm=option("algorithm"),
                        include_headers=[h.encode() for h in arg.get("headers", ["from"])],
                        length=arg.get("length", False))
        sys.stdout.buffer.write(sig + message)
    elif what == "arc-sign":
        with open(arg["key"], "rb") as f:
            key = f.read()
        lines = dkim.arc_sign(message, option("selector"), option("domain"), key,
                              option("authserv"))
        sys.stdout.buffer.write(b"".join(lines) + message)


main()
