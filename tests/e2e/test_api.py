"""The JSON API: every operation of openapi.json is called, and each answer is held against
what the document says of it."""
import http.client
import json
import re
import time
from urllib.parse import quote

from lib.context import root
from lib.mail import message

BASE = "/api/v1"


class Schema:
    """As much of JSON Schema as the document uses."""

    def __init__(self, doc):
        self.doc = doc

    def check(self, schema, value, at="answer"):
        if "$ref" in schema:
            assert schema["$ref"].startswith("#/components/schemas/"), schema
            return self.check(self.doc["components"]["schemas"][schema["$ref"].split("/")[-1]],
                              value, at)
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        known = {"string": str, "boolean": bool, "object": dict, "array": list,
                 "null": type(None)}
        ok = not types or any(
            (isinstance(value, int) and not isinstance(value, bool)) if name == "integer"
            else isinstance(value, known[name]) for name in types)
        assert ok, "%s: %r is not %s" % (at, value, types)
        if value is not None and "enum" in schema:
            assert value in schema["enum"], "%s: %r is none of %s" % (at, value, schema["enum"])
        if value is not None and schema.get("format") == "date-time":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value), (at, value)
        if isinstance(value, list) and "items" in schema:
            for i, one in enumerate(value):
                self.check(schema["items"], one, "%s[%d]" % (at, i))
        if isinstance(value, dict):
            for name in schema.get("required", []):
                assert name in value, "%s: %s is missing in %r" % (at, name, value)
            for name, one in value.items():
                if name in schema.get("properties", {}):
                    self.check(schema["properties"][name], one, at + "." + name)
                else:
                    assert schema.get("additionalProperties", True), \
                        "%s: %s is not in the document" % (at, name)


class Api:
    """A client that checks each answer against the document and notes what it called."""

    def __init__(self, mox, token=None):
        self.mox, self.token, self.called = mox, token, set()
        self.doc = self.raw("GET", "/openapi.json")[1]
        self.schema = Schema(self.doc)

    def raw(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection(self.mox.ip, self.mox.admin_port, timeout=90)
        headers = dict(headers or {})
        if self.token and "Authorization" not in headers:
            headers["Authorization"] = "Bearer " + self.token
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            c.request(method, BASE + path, body, headers)
        except BrokenPipeError:
            pass  # refused before all of it was sent; the answer is there
        r = c.getresponse()
        text = r.read()
        c.close()
        self.headers = r.headers
        kind = r.headers.get("Content-Type", "")
        return r.status, json.loads(text) if "json" in kind else text

    def call(self, method, template, body=None, query="", **params):
        """The answer of a call that must succeed."""
        path = template
        for name, value in params.items():
            path = path.replace("{%s}" % name, quote(str(value), safe=""))
        status, answer = self.raw(method, path + query, body)
        op = self.doc["paths"][template][method.lower()]
        assert str(status) in op["responses"], (method, path, status, answer)
        self.called.add((method.lower(), template))
        said = op["responses"][str(status)].get("content")
        if said is None:
            assert answer == b"", answer
            return None
        assert self.headers["Content-Type"] == "application/json", self.headers
        self.schema.check(said["application/json"]["schema"], answer)
        return answer

    def refused(self, status, method, path, body=None, headers=None, field=None):
        got, answer = self.raw(method, path, body, headers)
        assert got == status, (method, path, got, answer)
        assert self.headers["Content-Type"] == "application/problem+json", self.headers
        self.schema.check({"$ref": "#/components/schemas/Problem"}, answer)
        assert answer["status"] == status and answer["detail"], answer
        if field is not None:
            assert field in [e["field"] for e in answer["errors"]], answer
        return answer


def with_api(t, **kw):
    mox = t.mox(**kw)
    return mox, Api(mox, mox.admin.request("token.add", name="tests")[1]["token"])


def directory(t, api):
    with t.case("domains"):
        api.call("POST", "/domains", {"name": "Bücher.example", "delivery": "mailbox",
                                      "description": "books"})
        name = "xn--bcher-kva.example"
        assert [d["name"] for d in api.call("GET", "/domains")["items"]] == [name]
        api.call("PATCH", "/domains/{name}", {"description": "more books", "separator": ""},
                 name=name)
        d = api.call("GET", "/domains/{name}", name=name)
        assert d["description"] == "more books" and d["separator"] == "", d
        relay = {"hosts": ["127.0.0.1:2525", "127.0.0.2:25"], "tls": "none", "protocol": "smtp",
                 "username": "", "password": ""}
        api.call("POST", "/domains", {"name": "relay.example", "relay": relay})
        got = api.call("GET", "/domains/{name}", name="relay.example")["relay"]
        assert got["hosts"] == relay["hosts"] and got["tls"] == "none", got
    with t.case("accounts and addresses"):
        api.call("POST", "/accounts", {"name": "anna", "password": "correct horse battery"})
        api.call("PATCH", "/accounts/{name}", {"full_name": "Anna"}, name="anna")
        got = api.call("GET", "/accounts/{name}", name="anna")
        assert got["full_name"] == "Anna" and got["password"] is True, got
        assert "argon2" not in json.dumps(api.call("GET", "/accounts"))
        address = "anna+x/y@" + name
        api.call("POST", "/addresses", {"address": address, "account": "anna"})
        assert api.call("GET", "/addresses/{address}", address=address)["account"] == "anna"
        api.call("POST", "/aliases", {"address": "all@" + name,
                                      "members": [address, "x@far.example"]})
        assert len(api.call("GET", "/aliases")["items"]) == 1
        api.call("PATCH", "/addresses/{address}", {"members": [address]},
                 address="all@" + name)
        assert api.call("GET", "/addresses/{address}",
                        address="all@" + name)["members"] == [address]
        assert len(api.call("GET", "/addresses", query="?all=true&domain=" + name)["items"]) == 2
        api.refused(422, "DELETE", "/accounts/anna")
        api.call("DELETE", "/addresses/{address}", address="all@" + name)
        api.call("DELETE", "/addresses/{address}", address=address)
        api.call("DELETE", "/accounts/{name}", name="anna")
    with t.case("transports and routes"):
        api.call("POST", "/transports", {"name": "smart", "relay": {
            "hosts": ["smart.example:587"], "tls": "verify", "username": "u", "password": "p"}})
        api.call("PATCH", "/transports/{name}", {"rename": "smarter"}, name="smart")
        got = api.call("GET", "/transports/{name}", name="smarter")
        assert got["relay"]["username"] == "u" and "password" not in got["relay"], got
        assert len(api.call("GET", "/transports")["items"]) == 1
        n = api.call("POST", "/routes", {"to": ".example", "transport": "smarter"})["id"]
        api.call("PATCH", "/routes/{id}", {"min_attempts": 2, "transport": "smarter"}, id=n)
        assert api.call("GET", "/routes/{id}", id=n)["min_attempts"] == 2
        assert [r["id"] for r in api.call("GET", "/routes")["items"]] == [n]
        api.refused(422, "DELETE", "/transports/smarter")
        api.call("DELETE", "/routes/{id}", id=n)
        api.call("DELETE", "/transports/{name}", name="smarter")
    with t.case("networks"):
        api.call("POST", "/networks", {"network": "10.1.0.0/16"})
        api.call("PATCH", "/networks/{network}", {"comment": "office"}, network="10.1.0.0/16")
        assert api.call("GET", "/networks/{network}",
                        network="10.1.0.0/16")["comment"] == "office"
        assert len(api.call("GET", "/networks")["items"]) == 1
        api.call("DELETE", "/networks/{network}", network="10.1.0.0/16")
    api.call("DELETE", "/domains/{name}", name="relay.example")


def queue(t, mox, api):
    peer = t.peer({"mail": "451 4.7.1 later"})
    mox.admin.domain("out.example", relay=peer.hostport, recipients="any")
    for i in range(3):
        mox.send("a@b.example", "x%d@out.example" % i, message())
    mox.wait_queue(lambda q: len(q) == 3 and all(r["attempts"] for r in q))
    with t.case("pages"):
        first = api.call("GET", "/queue", query="?limit=2")
        assert len(first["items"]) == 2 and first["next"] is not None, first
        rest = api.call("GET", "/queue", query="?limit=2&after=%s" % first["next"])
        assert len(rest["items"]) == 1 and rest["next"] is None, rest
    with t.case("one message"):
        row = first["items"][0]
        m = api.call("GET", "/queue/messages/{id}", id=row["id"])
        assert m["recipients"][0]["to"] == row["to"], m
        assert m["attempts"][0]["code"] == 451 and m["attempts"][0]["ip"] == peer.ip, m
    with t.case("summary"):
        s = api.call("GET", "/queue/summary")
        assert s["queued"] == 3 and s["destinations"][0]["destination"] == "out.example", s
    with t.case("orders and ways"):
        by_size = api.call("GET", "/queue", query="?sort=size&descending=true&limit=1")
        more = api.call("GET", "/queue",
                        query="?sort=size&descending=true&limit=5&after=%s" % by_size["next"])
        assert len(by_size["items"]) == 1 and len(more["items"]) == 2, more
        assert api.call("GET", "/queue/count", query="?to=out.example")["count"] == 3
        way = api.call("GET", "/queue/route", query="?address=x@out.example")["items"][0]
        assert way["kind"] == "hosts" and peer.ip in way["words"], way
        assert api.call("POST", "/queue/transport",
                        {"transport": "direct", "id": row["id"]})["changed"] == 1
        assert api.call("POST", "/queue/transport",
                        {"transport": "routes", "id": row["id"]})["changed"] == 1
        api.refused(422, "POST", "/queue/transport", {"transport": "none", "all": True})
    with t.case("relay test"):
        api.call("POST", "/transports", {"name": "tested", "relay": {
            "hosts": [peer.hostport], "tls": "none"}})
        got = api.call("POST", "/relaytest", {"transport": "tested"})
        assert got["good"] and got["steps"][-1]["transcript"].startswith("> QUIT"), got
        got = api.call("POST", "/relaytest", {
            "relay": {"hosts": [peer.hostport], "tls": "none"}, "rcpt": "x@out.example"})
        assert not got["good"] and "451 4.7.1 later" in json.dumps(got["steps"]), got
        api.refused(422, "POST", "/relaytest", {})
        api.refused(422, "POST", "/relaytest", {"relay": {"hosts": ["no port:x"]}}, field="relay")
        api.refused(422, "POST", "/relaytest", {"transport": "none"})
        api.call("DELETE", "/transports/{name}", name="tested")
    with t.case("hold rules"):
        rule = api.call("POST", "/holds", {"to": "held.example", "comment": "later"})
        assert [h["to"] for h in api.call("GET", "/holds")["items"]] == ["held.example"]
        api.call("DELETE", "/holds/{id}", {"apply": True}, id=rule["id"])
        api.refused(404, "DELETE", "/holds/%d" % rule["id"])
    with t.case("log"):
        got = api.call("GET", "/log", query="?address=x0@out.example&result=deferred")["items"]
        assert len(got) == 1 and got[0]["from"] == "a@b.example", got
        life = api.call("GET", "/log/messages/{id}", id=got[0]["id"])
        assert "deferred" in [e["event"] for e in life["events"]], life
        pages = api.call("GET", "/log", query="?limit=2")
        assert len(api.call("GET", "/log", query="?limit=2&after=" + pages["next"])["items"]) == 1
        assert api.call("PATCH", "/log/keep", {"days": 7}) == {"days": 7}
        assert api.call("GET", "/log/keep")["days"] == 7
        api.refused(422, "PATCH", "/log/keep", {"days": 0})
        assert api.call("GET", "/quarantine/keep") == {"days": 30}
        assert api.call("PATCH", "/quarantine/keep", {"days": 9}) == {"days": 9}
        assert "9" in mox.cli("quarantine", "keep", "-config").stdout
        api.refused(422, "PATCH", "/quarantine/keep", {"days": 3651})
        api.refused(404, "GET", "/log/messages/q9zz")
    with t.case("actions"):
        assert api.call("POST", "/queue/hold", {"to": "out.example"})["changed"] == 3
        assert api.call("POST", "/queue/unhold", {"id": row["id"]})["changed"] == 1
        assert api.call("POST", "/queue/retry", {"all": True})["changed"] >= 0
        assert api.call("POST", "/queue/drop", {"to": "out.example"})["changed"] >= 2
        api.refused(422, "POST", "/queue/drop", {})


def policies(t, api):
    with t.case("lists"):
        api.call("POST", "/lists", {"value": "192.0.2.0/24", "list": "deny", "comment": "noise"})
        api.call("PATCH", "/lists/{value}", {"list": "allow"}, value="192.0.2.0/24")
        (row,) = api.call("GET", "/lists")["items"]
        assert row["list"] == "allow" and row["comment"] == "noise", row
        api.refused(422, "POST", "/lists", {"value": "192.0.2.1/24", "list": "deny"})
        api.call("DELETE", "/lists/{value}", value="192.0.2.0/24")
        api.call("POST", "/blocklists", {"zone": "bl.example"})
        api.call("PATCH", "/blocklists/{zone}", {"disabled": True}, zone="bl.example")
        assert api.call("GET", "/blocklists")["items"][0]["disabled"] is True
        api.call("DELETE", "/blocklists/{zone}", zone="bl.example")
    with t.case("TLS"):
        soon = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86400))
        api.call("PUT", "/tls/overrides/{domain}", {
            "kind": "verified", "reason": "contract", "expires": soon},
            domain="bank.example")
        assert api.call("GET", "/tls/overrides")["items"][0]["domain"] == "bank.example"
        api.refused(422, "PUT", "/tls/overrides/bank.example", {
            "kind": "pin", "reason": "x", "expires": soon})
        api.call("DELETE", "/tls/overrides/{domain}", domain="bank.example")
        assert api.call("GET", "/tls/results")["items"] == []
        api.call("POST", "/tls/results/delete", {"policy_domain": "none.example"})
        assert api.call("GET", "/mtasts")["items"] == []
        api.call("POST", "/mtasts/{domain}/refresh", domain="none.example")
        api.refused(404, "DELETE", "/mtasts/none.example")
    with t.case("simulations"):
        got = api.call("POST", "/simulations", {"address": "x@[127.0.0.1]", "wait": 10})
        assert got["done"] and len(got["ways"]) == 1 and got["ways"][0]["trace"]["steps"], got
        again = api.call("GET", "/simulations/{id}", id=got["id"])
        assert again["ways"] == got["ways"], again
        api.refused(422, "POST", "/simulations", {"address": "nobody"})
        api.refused(404, "GET", "/simulations/999")
    with t.case("quarantine"):  # what is in it: test_quarantine.py
        assert api.call("GET", "/quarantine")["items"] == []
        api.refused(404, "GET", "/quarantine/77")
        assert api.call("POST", "/quarantine/release", {"all": True}) == {"changed": 0}
        assert api.call("POST", "/quarantine/delete", {"ids": ["77"]}) == {"changed": 0}


def errors(t, mox, api):
    with t.case("who"):
        api.refused(401, "GET", "/domains", headers={"Authorization": "Basic eDp5"})
        assert "Bearer" in api.headers["WWW-Authenticate"]
        api.refused(401, "GET", "/domains", headers={"Authorization": "Bearer mox_" + "0" * 64})
        reader = api.call("POST", "/tokens", {"name": "reader", "read_only": True, "days": 1})
        as_reader = {"Authorization": "Bearer " + reader["token"]}
        assert api.raw("GET", "/domains", headers=as_reader)[0] == 200
        api.refused(403, "POST", "/domains", {"name": "x.example"}, headers={
            **as_reader, "Content-Type": "application/json"})
        rows = api.call("GET", "/tokens")["items"]
        assert [r["name"] for r in rows] == ["reader", "tests"], rows
        assert reader["token"] not in json.dumps(rows)
        api.call("DELETE", "/tokens/{id}", id=reader["id"])
        api.refused(401, "GET", "/domains", headers=as_reader)
    with t.case("what"):
        api.refused(404, "GET", "/nothing")
        api.refused(404, "GET", "/domains/none.example")
        api.refused(404, "GET", "/queue/messages/q9zz")
        api.refused(405, "PUT", "/domains")
        assert api.headers["Allow"] == "GET, HEAD, POST", api.headers["Allow"]
        api.refused(400, "GET", "/domains/%zz")
        api.refused(422, "GET", "/queue?colour=red", field="colour")
        api.refused(422, "GET", "/queue?limit=many", field="limit")
    with t.case("bodies"):
        kind = {"Content-Type": "application/json"}
        api.refused(415, "POST", "/domains", "name=x.example",
                    {"Content-Type": "application/x-www-form-urlencoded"})
        api.refused(400, "POST", "/domains", '{"name": ', kind)
        api.refused(400, "POST", "/domains", '["name"]', kind)
        api.refused(400, "POST", "/domains", '{"name": "a.example", "name": "b.example"}', kind)
        api.refused(400, "POST", "/domains", '{"relay": %s1%s}' % ("[" * 50, "]" * 50), kind)
        api.refused(400, "POST", "/domains", b'{"name": "\xff"}', kind)
        api.refused(422, "POST", "/domains", {}, field="name")
        api.refused(422, "POST", "/domains", {"name": 3}, field="name")
        api.refused(422, "POST", "/domains", {"name": "x.example", "colour": "red"},
                    field="colour")
        api.refused(422, "POST", "/domains", {"name": "x.example", "delivery": "pigeon"},
                    field="delivery")
        api.refused(422, "POST", "/domains", {"name": "x..example"}, field="name")
        api.refused(422, "POST", "/domains", {"name": "x.example", "relay": {
            "hosts": ["no port:x"]}}, field="relay")
        assert not [d for d in api.call("GET", "/domains")["items"] if "x." in d["name"][:2]]
        api.refused(413, "POST", "/domains", b"x" * (1024 * 1024 + 10), kind)


@root
def test_api(t):
    mox, api = with_api(t, config={"Queue": {"RetryFirst": "1h"}})
    with t.case("status"):
        assert api.call("GET", "/status")["today"]["received"] == 0
        assert [r for r in api.call("GET", "/listeners")["items"] if r["up"]]
        api.call("POST", "/reload")
    directory(t, api)
    queue(t, mox, api)
    policies(t, api)
    errors(t, mox, api)
    with t.case("every operation of the document was called"):
        said = {(m, path) for path, ops in api.doc["paths"].items() for m in ops}
        elsewhere = {("get", "/quarantine/{id}"), ("delete", "/mtasts/{domain}")}
        assert said == api.called | elsewhere, sorted(said ^ api.called)


@root
def test_api_limits_guessing(t):
    mox, api = with_api(t, config={"Limits": {"AuthFailuresMin": "3 0 0"}})
    for _ in range(3):
        api.refused(401, "GET", "/domains", headers={"Authorization": "Bearer guess"})
    api.refused(429, "GET", "/domains")
    assert api.headers["Retry-After"]
