"""The HTTP side: a bare ASGI application that hands requests to the gateway, the authorise page and the control API.

API paths are served under `/rest` and without it, because SDKs are pointed to either.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from dropship_pipeline.sandbox.answers import DRIP, HANG, RESET, WHOLE, Answer
from dropship_pipeline.sandbox.assembly import Sandbox
from dropship_pipeline.sandbox.control import PREFIX as CONTROL_PREFIX
from dropship_pipeline.sandbox.control import Control
from dropship_pipeline.sandbox.parameters import parse_form, parse_query

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

AUTHORIZE_PATH = "/oauth/authorize"
_LARGEST_BODY = 16 * 1024 * 1024
_DRIPS = 20
_WELCOME = (
    b"This is a simulated Alibaba.com. The API is under /rest, the authorisation page at /oauth/authorize, "
    b"what is true and the levers under /_sandbox/ (start with /_sandbox/health).\n"
)
_TEXT_TYPE = (b"content-type", b"text/plain;charset=UTF-8")
# SO_LINGER on, 0 seconds: closing sends RST instead of FIN
_NO_LINGER = struct.pack("ii", 1, 0)


class _TooLargeError(Exception):
    """A request body that nobody sends in earnest."""


class Application:
    """The ASGI application."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._gateway = sandbox.gateway
        self._control = Control(sandbox)
        self._latency_s = sandbox.config.latency_ms / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method: str = scope["method"]
        try:
            body = await _read(receive) if method not in {"GET", "HEAD"} else b""
            answer = self._answer(method, scope, body)
        except _TooLargeError:
            answer = Answer(b'{"error":"request body too large"}', status=413)
        delay_s = answer.delay_s
        if self._latency_s and not scope["path"].startswith(CONTROL_PREFIX):
            delay_s += self._latency_s
        if delay_s and answer.delivery != DRIP:
            await asyncio.sleep(delay_s)
        await _deliver(answer, method, receive, send)

    def _answer(self, method: str, scope: Scope, body: bytes) -> Answer:
        path, query, headers = scope["path"], scope["query_string"], scope["headers"]
        if path.startswith(CONTROL_PREFIX):
            return self._control.answer(method, path, query, body)
        if path == AUTHORIZE_PATH:
            content_type = next((value for name, value in headers if name == b"content-type"), b"").decode("latin-1")
            page = self._sandbox.authorize(
                method, parse_query(query), parse_form(content_type, body), self._sandbox.clock.now_ms()
            )
            lines = tuple((name.encode(), value.encode("latin-1")) for name, value in page.headers.items())
            return Answer(page.body, status=page.status, headers=lines)
        if path == "/" and not query and not body:
            return Answer(_WELCOME, headers=(_TEXT_TYPE,))
        return self._gateway.answer(method, path, query, headers, body)


async def _read(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _LARGEST_BODY:
            raise _TooLargeError
    return b"".join(parts)


async def _deliver(answer: Answer, method: str, receive: Receive, send: Send) -> None:
    if answer.delivery == HANG:
        await _left(receive)
        return
    body = answer.body
    headers = [*answer.headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.delivery == WHOLE or method == "HEAD":
        await send({"type": "http.response.body", "body": body})
    elif answer.delivery == RESET:
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        _reset(send)
        await _left(receive)
    else:
        step = max(1, len(body) // _DRIPS)
        for start in range(0, len(body), step):
            await asyncio.sleep(answer.delay_s / _DRIPS)
            more = start + step < len(body)
            await send({"type": "http.response.body", "body": body[start : start + step], "more_body": more})


async def _left(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _reset(send: Send) -> None:
    """Break the connection off. ASGI has no word for it, so this reaches for uvicorn's own transport."""
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
