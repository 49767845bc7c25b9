"""A browser without JavaScript: cookies, forms, no redirects followed unless told."""
import http.client
import ssl
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin


class _Forms(HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms, self.fields = [], None
        self.text = ""

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag == "form":
            self.fields = []
            self.forms.append({"action": a.get("action", ""), "method": a.get("method", "get"),
                               "fields": self.fields})
        elif tag in ("input", "textarea", "select") and self.fields is not None and "name" in a:
            off = a.get("type") in ("checkbox", "radio") and "checked" not in a
            self.fields.append((a["name"], None if off else a.get("value") or ""))
        elif tag == "option" and self.fields and "selected" in a:
            self.fields[-1] = (self.fields[-1][0], a.get("value", ""))

    def handle_data(self, data):
        self.text += data


class Page:
    def __init__(self, url, response):
        self.url, self.status = url, response.status
        self.headers = response.headers
        self.html = response.read().decode("utf-8")
        parser = _Forms()
        parser.feed(self.html)
        self.forms, self.text = parser.forms, " ".join(parser.text.split())


class Browser:
    def __init__(self, ip, port, tls=False, base="/admin/"):
        self.ip, self.port, self.base, self.cookies = ip, port, base, {}
        self.context = ssl._create_unverified_context() if tls else None
        self.last = None

    def request(self, method, path, body=None, headers=None):
        if self.context:
            c = http.client.HTTPSConnection(self.ip, self.port, timeout=20, context=self.context)
        else:
            c = http.client.HTTPConnection(self.ip, self.port, timeout=20)
        headers = dict(headers or {})
        if self.cookies:
            headers["Cookie"] = "; ".join("%s=%s" % kv for kv in self.cookies.items())
        c.request(method, path, body, headers)
        page = Page(path, c.getresponse())
        c.close()
        for cookie in page.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            if "max-age=0" in cookie.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        self.last = page
        return page

    def get(self, path=""):
        return self.request("GET", urljoin(self.base, path))

    def post(self, path, fields):
        return self.request("POST", urljoin(self.base, path), urlencode(fields),
                            {"Content-Type": "application/x-www-form-urlencoded"})

    def submit(self, *having, follow=True, **fields):
        """The form of the last page that has these fields, with some filled in."""
        page = self.last
        for form in page.forms:
            names = {n for n, _ in form["fields"]}
            if (form["method"].lower() == "post" and set(having) <= names
                    and not form["action"].endswith("logout")):
                break
        else:
            raise AssertionError("no form with %s on %s" % (having, page.url))
        values = [(n, v) for n, v in form["fields"] if v is not None and n not in fields]
        values += [(n, v) for n, v in fields.items() if v is not None]
        got = self.post(urljoin(page.url, form["action"] or page.url), values)
        if follow and got.status in (302, 303):
            return self.request("GET", urljoin(got.url, got.headers["Location"]))
        return got

    def login(self, password):
        self.get("login")
        return self.submit("password", password=password)
