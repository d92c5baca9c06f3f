"""The stranger's HTTP: how a call comes in and how the answer goes out. What is answered is in `server`."""

import gzip
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from telling import Manner

PREFIX = "/gateway/rest"


@dataclass(frozen=True)
class Reply:
    """An answer: a document to be told as JSON, or a text; `cut` in the middle."""

    status: int
    document: Any
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False


Call = Callable[[str, str, dict[str, str]], Reply]


def server(manner: Manner, call: Call, objections: list[str]) -> HTTPServer:
    """A server on a port of its own, not yet serving; `call` is given method, path and parameters."""
    once = manner.connection in ("close", "one at a time")
    fields = {
        "manner": manner,
        "call": staticmethod(call),
        "objections": objections,
        "protocol_version": "HTTP/1.0" if once else "HTTP/1.1",
    }
    kind = _OneAtATime if manner.connection == "one at a time" else _ManyAtOnce
    made = kind(("127.0.0.1", 0), type("Handler", (_Handler,), fields))
    made.objections = objections
    return made


class _OneAtATime(HTTPServer):
    """The server of the standard library as it comes: one connection after the other, and five may wait."""

    objections: list[str]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to speak of; whatever else fails here is the stranger's own fault."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            self.objections.append(f"the stranger failed: {error!r} to {request} of {client_address}")


class _ManyAtOnce(ThreadingMixIn, _OneAtATime):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256


class _Handler(BaseHTTPRequestHandler):
    manner: Manner
    call: Call
    objections: list[str]
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 60
    answers = 0

    def do_GET(self) -> None:
        self._answer(parse_qsl(urlsplit(self.path).query, keep_blank_values=True, strict_parsing=False))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        form = parse_qsl(body, keep_blank_values=True) + parse_qsl(urlsplit(self.path).query, keep_blank_values=True)
        self._answer(form)

    def _answer(self, pairs: list[tuple[str, str]]) -> None:
        path = urlsplit(self.path).path
        if not path.startswith(PREFIX) or len(dict(pairs)) != len(pairs):
            self.objections.append(f"{path}: another prefix, or a parameter twice")
        reply = self.call(self.command, path.removeprefix(PREFIX), dict(pairs))
        manner = self.manner
        document = reply.document
        if isinstance(document, dict):
            document = {**document, "request_id": "0ba2887315178178017221014"}
        body = (
            document if isinstance(document, str) else json.dumps(document, ensure_ascii=bool(len(path) % 2))
        ).encode()
        self.send_response(reply.status)
        if manner.compressed and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", manner.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if reply.cut else body)
        self.wfile.flush()
        self.answers += 1
        if reply.cut or (manner.connection == "hang up" and self.answers % 5 == 0):
            self.close_connection = True

    log_message: Callable[..., None] = staticmethod(lambda *_: None)
