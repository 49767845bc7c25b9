"""Writes mox.conf from nested dictionaries and lists."""


def sconf(value, depth=0):
    tabs = "\t" * depth
    out = ""
    for key, v in value.items():
        if isinstance(v, dict):
            out += "%s%s:\n%s" % (tabs, key, sconf(v, depth + 1))
        elif isinstance(v, (list, tuple)):
            out += "%s%s:\n" % (tabs, key)
            for item in v:
                if isinstance(item, dict):
                    out += "%s\t-\n%s" % (tabs, sconf(item, depth + 2))
                else:
                    out += "%s\t- %s\n" % (tabs, item)
        else:
            text = {True: "true", False: "false"}[v] if isinstance(v, bool) else str(v)
            out += "%s%s: %s\n" % (tabs, key, text)
    return out


def merge(base, extra):
    """base with extra laid over it, dictionary by dictionary; None removes."""
    out = dict(base)
    for key, v in extra.items():
        if v is None:
            out.pop(key, None)
        elif isinstance(v, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], v)
        else:
            out[key] = v
    return out
