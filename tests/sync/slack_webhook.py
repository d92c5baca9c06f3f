"""A server that plays Slack's incoming webhook over real HTTP: well, down, slow, failing."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECRET_PATH = "/services/T0AAAAAAA/B0BBBBBBB/a1b2c3d4e5f6g7h8i9j0k1l2"


class Slack(ThreadingHTTPServer):
    """Keeps the texts that it took. `status`: what it answers; `pause`: seconds before it does."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Webhook)
        self.texts: list[str] = []
        self.requests = 0
        self.status = 200
        self.pause = 0.0
        self.scheme = "http"

    def handle_error(self, *arguments: object) -> None:
        """Nothing: a client that does not wait for a slow answer is what some tests are about."""

    @property
    def url(self) -> str:
        """The webhook's address: a secret."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{SECRET_PATH}"


class _Webhook(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        self.server.requests += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.server.pause)
        taken = self.server.status == 200 and self.path == SECRET_PATH and list(body) == ["text"]
        if taken:
            self.server.texts.append(body["text"])
        self.send_response(self.server.status if self.server.status != 200 else 200 if taken else 400)
        if 300 <= self.server.status < 400:
            self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok" if taken else b"no")

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@contextmanager
def slack(port: int = 0, certificate: Path | None = None) -> Iterator[Slack]:
    """The server, while it runs; over TLS with this certificate and key, if there is one."""
    server = Slack(port)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
