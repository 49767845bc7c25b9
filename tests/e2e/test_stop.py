"""Ending the daemon while name servers do not answer."""
import socket
import threading
import time

from lib.context import root, timeout
from lib.mail import message


@root
@timeout(90)
def test_stop_while_dns_hangs(t):
    """Deliveries, a simulation and an incoming message wait for a name server that is silent:
    SIGTERM ends all of that."""
    silent = t.ip()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((silent, 53))
    tcp = socket.socket()
    tcp.bind((silent, 53))
    tcp.listen()
    zones = ("hang.example", "client.example")
    mox = t.mox(config={"Resolver": {"TrustAnchorFile": "none",
                                     "Stubs": {z: [silent + "@53"] for z in zones}}})
    mox.admin.account("anna")
    mox.admin.domain("in.example")
    mox.admin.address("anna@in.example", "anna")
    mox.admin.network("127.0.0.0/8")
    for n in range(3):
        mox.send("anna@in.example", "x%d@hang.example" % n, message())
    simulating = threading.Thread(target=lambda: mox.cli(
        "smtp", "simulate", "-config", "x@hang.example", check=False))
    simulating.start()
    udp.settimeout(10)
    udp.recv(4096)  # the question has come
    time.sleep(1)
    at = time.time()
    mox.stop()
    took = time.time() - at
    simulating.join(10)
    assert took < 5, took
    assert not simulating.is_alive()
    with t.case("and the mail is still there"):
        mox.start()
        assert len(mox.queue()) == 3
    udp.close()
    tcp.close()
