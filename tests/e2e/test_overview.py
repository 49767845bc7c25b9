"""The overview: problems first, each with a link that leads somewhere; figures from real mail."""
import re
import time

from lib.context import root
from lib.mail import message
from lib.web import Browser

PASSWORD = "e2e-admin-password"


def opened(mox):
    mox.admin.request("adminpassword", password=PASSWORD)
    b = Browser(mox.ip, mox.admin_port)
    assert b.login(PASSWORD).status == 200
    return b


def notices(page):
    return re.findall(r'<p class="notice (bad|warn|hint)">(.*?)</p>', page.html, re.S)


@root
def test_problems(t):
    dead = t.ip()
    mox = t.mox(config={"Queue": {"RetryFirst": "1h"}})
    b = opened(mox)
    with t.case("nothing set up"):
        text = " ".join(n[1] for n in notices(b.get("")))
        assert "No domain is set up yet" in text and "postmaster" in text, text
    mox.admin.domain("one.example", relay=dead + ":25", recipients="any")
    mox.send("a@b.example", ["x@one.example"], message(to="x@one.example"))
    mox.wait_queue(lambda q: [r for r in q if r["attempts"]])
    with t.case("a next hop that is down"):
        page = b.get("")
        assert [n for n in notices(page) if n[0] == "warn" and "does not answer" in n[1]]
        assert "No domain is set up yet" not in page.text
    with t.case("a reload that was refused comes first"):
        mark = mox.mark()
        with open(mox.conf, "a") as f:
            f.write("NoSuchField: yes\n")
        mox.reload()
        mox.wait_log("event=config.reload", start=mark)
        kind, text = notices(b.get(""))[0]
        assert kind == "bad" and "NoSuchField" in text, (kind, text)
    with t.case("every link leads to a page"):
        links = re.findall(r'href="([^"]+)"', " ".join(n[1] for n in notices(b.get(""))))
        assert len(links) >= 3, links
        for link in links:
            path, _, anchor = link.partition("#")
            page = b.request("GET", path)
            assert page.status == 200, (link, page.status)
            assert not anchor or 'id="%s"' % anchor in page.html, link


@root
def test_figures(t):
    peer = t.peer()
    mox = t.mox()
    b = opened(mox)
    mox.admin.domain("one.example", relay=peer.hostport, tls="none", recipients="any")
    for _ in range(3):
        mox.send("a@b.example", ["x@one.example"], message(to="x@one.example"))
    mox.wait_empty()
    deadline = time.time() + 10
    while True:
        html = b.get("").html
        if "one.example</th>" in html or time.time() > deadline:
            break
        time.sleep(0.3)
    for label, count in (("In", 3), ("Out", 3), ("Deferred", 0), ("Rejected", 0)):
        with t.case(label):
            found = re.findall(r"</i>%s <b>(\d+)</b>" % label, html)
            assert found == [str(count)] * 2, (label, found)  # of the day and of the month
    with t.case("busiest domain"):
        row = re.search(r"one\.example</th>((?:<td.*?</td>)+)", html).group(1)
        assert re.findall(r">(\d+)<", row) == ["3", "3", "0", "0"], row
    with t.case("they stay after a restart"):
        mox.restart()
        html = opened(mox).get("").html
        assert re.findall(r"</i>In <b>(\d+)</b>", html) == ["3", "3"]
