"""The rules of RFC 8460 section 4 for a report, from the RFC: what is wrong with one, as a list
of sentences. Knows nothing of the code under test."""
import json
import re
from datetime import datetime
from ipaddress import ip_address

RESULT_TYPES = {  # section 4.3
    "starttls-not-supported", "certificate-host-mismatch", "certificate-expired",
    "certificate-not-trusted", "validation-failure", "tlsa-invalid", "dnssec-invalid",
    "dane-required", "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"}
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")  # RFC 3339
DOMAIN = re.compile(r"^([a-z0-9_]([a-z0-9_-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$")


def time_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def check(text):
    bad = []

    def need(where, obj, key, kind):
        value = obj.get(key) if isinstance(obj, dict) else None
        if not isinstance(value, kind) or isinstance(value, bool):
            bad.append("%s: %s is missing or no %s" % (where, key, kind.__name__))
            return kind()
        return value

    def count(where, obj, key):
        value = need(where, obj, key, int)
        if value < 0:
            bad.append("%s: %s is negative" % (where, key))
        return value

    try:
        report = json.loads(text)  # I-JSON: UTF-8, no double keys
        json.loads(text, object_pairs_hook=lambda pairs: bad.extend(
            "double member " + k for k in {k for k, _ in pairs}
            if sum(k == x for x, _ in pairs) > 1))
    except ValueError as e:
        return ["no JSON: %s" % e]
    for key in ("organization-name", "contact-info", "report-id"):
        if not need("report", report, key, str):
            bad.append("report: %s is empty" % key)
    dates = need("report", report, "date-range", dict)
    ends = [need("date-range", dates, k, str) for k in ("start-datetime", "end-datetime")]
    if not all(TIME.match(t) for t in ends):
        bad.append("date-range: no RFC 3339 date-time: %s" % ends)
    elif not time_of(ends[0]) <= time_of(ends[1]):
        bad.append("date-range ends before it starts")
    policies = need("report", report, "policies", list)
    if not policies:
        bad.append("policies is empty")
    for n, entry in enumerate(policies):
        where = "policies[%d]" % n
        policy = need(where, entry, "policy", dict)
        kind = need(where, policy, "policy-type", str)
        if kind not in ("tlsa", "sts", "no-policy-found"):
            bad.append("%s: policy-type %r" % (where, kind))
        strings = policy.get("policy-string", [])
        if not isinstance(strings, list) or not all(isinstance(s, str) for s in strings):
            bad.append("%s: policy-string is no list of texts" % where)
        elif kind == "sts" and strings and "version: STSv1" not in strings:
            bad.append("%s: policy-string is no MTA-STS policy" % where)
        elif kind == "tlsa" and any(
                not re.match(r"^[0-9]+ [0-9]+ [0-9]+ [0-9a-fA-F ]+$", s) for s in strings):
            bad.append("%s: policy-string is no TLSA record" % where)
        if not DOMAIN.match(need(where, policy, "policy-domain", str)):
            bad.append("%s: policy-domain is not in A-labels" % where)
        hosts = policy.get("mx-host", [])
        if not isinstance(hosts, list) or not all(isinstance(h, str) for h in hosts):
            bad.append("%s: mx-host is no list of texts" % where)
        summary = need(where, entry, "summary", dict)
        count(where, summary, "total-successful-session-count")
        count(where, summary, "total-failure-session-count")
        for k, detail in enumerate(entry.get("failure-details", [])):
            at = "%s.failure-details[%d]" % (where, k)
            if need(at, detail, "result-type", str) not in RESULT_TYPES:
                bad.append("%s: result-type %r" % (at, detail.get("result-type")))
            count(at, detail, "failed-session-count")
            for key in ("sending-mta-ip", "receiving-ip"):
                try:
                    if key in detail:
                        ip_address(detail[key])
                except ValueError:
                    bad.append("%s: %s is no address" % (at, key))
    return bad
