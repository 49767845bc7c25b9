"""Checks the Prometheus text format 0.0.4 strictly, and gives the samples back."""
import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')


class FormatError(AssertionError):
    pass


def _labels(text, line):
    labels, rest = {}, text
    while rest:
        m = LABEL.match(rest)
        if not m or m.group(1) in labels:
            raise FormatError("labels: %r" % line)
        labels[m.group(1)] = m.group(2)
        rest = rest[m.end():]
        if rest.startswith(","):
            rest = rest[1:]
        elif rest:
            raise FormatError("labels: %r" % line)
    return labels


def _sample(line):
    m = NAME.match(line)
    if not m:
        raise FormatError("name: %r" % line)
    rest, labels = line[m.end():], {}
    if rest.startswith("{"):
        end = rest.rindex("}")
        labels, rest = _labels(rest[1:end], line), rest[end + 1:]
    parts = rest.split()
    if not rest.startswith(" ") or len(parts) != 1:
        raise FormatError("value: %r" % line)
    return m.group(), labels, float(parts[0])


def _histogram(name, samples):
    series = {}
    for n, labels, value in samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        s = series.setdefault(key, {"buckets": []})
        if n == name + "_bucket":
            s["buckets"].append((float(labels["le"].replace("+Inf", "inf")), value))
        else:
            s[n[len(name) + 1:]] = value
    for key, s in series.items():
        bounds = [b for b, _ in s["buckets"]]
        counts = [c for _, c in s["buckets"]]
        assert bounds == sorted(set(bounds)) and bounds[-1] == math.inf, (name, key, bounds)
        assert counts == sorted(counts), (name, key, counts)
        assert s["count"] == counts[-1] and s["sum"] >= 0, (name, key, s)


def parse(text, prefix="mox_"):
    """{(name, ((label, value), ...)): number}. Raises when a strict reader would complain."""
    if not text.endswith("\n"):
        raise FormatError("the last line has no end")
    families, order, samples, current = {}, [], {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, _, text_ = line[7:].partition(" ")
            assert text_.strip(), "no help: %r" % line
            assert name not in families, "twice: %s" % name
            assert name.startswith(prefix), name
            families[name] = {"type": None, "samples": []}
            order.append(name)
            current = name
        elif line.startswith("# TYPE "):
            name, _, kind = line[7:].partition(" ")
            assert name == current and families[name]["type"] is None, line
            assert kind in ("counter", "gauge", "histogram"), line
            families[name]["type"] = kind
        elif line.startswith("#") or not line:
            raise FormatError("odd line: %r" % line)
        else:
            name, labels, value = _sample(line)
            family = families.get(current)
            assert family and family["type"], "a sample before HELP and TYPE: %r" % line
            allowed = ([current + s for s in ("_bucket", "_sum", "_count")]
                       if family["type"] == "histogram" else [current])
            assert name in allowed, "%s among the samples of %s" % (name, current)
            if family["type"] == "counter":
                assert name.endswith("_total"), "a counter ends with _total: %s" % name
                assert value >= 0, line
            key = (name, tuple(sorted(labels.items())))
            assert key not in samples, "twice: %r" % line
            samples[key] = value
            family["samples"].append((name, labels, value))
    for name in order:
        assert families[name]["type"], "no type: %s" % name
        if families[name]["type"] == "histogram":
            _histogram(name, families[name]["samples"])
    return samples


def value(samples, name, **labels):
    return samples[(name, tuple(sorted(labels.items())))]
