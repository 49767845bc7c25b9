"""PolicyHost: a real HTTPS server on 443 that serves MTA-STS policies by host name."""
import socket
import ssl
import threading


class PolicyHost:
    def __init__(self, ip, cert):
        """cert: (certificate file, key file). answers: host -> whole HTTP response text."""
        self.ip, self.answers, self.asked = ip, {}, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*cert)
        self.listener = socket.create_server((ip, 443), backlog=50)
        threading.Thread(target=self._accept, daemon=True).start()

    def serve(self, host, policy, status="200 OK"):
        body = policy.encode()
        self.answers[host] = (b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
                              b"Connection: close\r\n\r\n" % (status.encode(), len(body))) + body

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock):
        try:
            sock.settimeout(10)
            with self.context.wrap_socket(sock, server_side=True) as tls:
                text = b""
                while b"\r\n\r\n" not in text:
                    more = tls.recv(4096)
                    if not more:
                        return
                    text += more
                lines = text.decode("latin-1").split("\r\n")
                host = [h[6:] for h in lines if h.lower().startswith("host: ")][0].strip()
                self.asked.append((host, lines[0]))
                tls.sendall(self.answers.get(
                    host, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
        except (OSError, IndexError):
            pass

    def stop(self):
        self.listener.close()
