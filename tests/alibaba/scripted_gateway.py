"""A real HTTP server that answers as a test tells it to: whole, torn, late, dripping or not at all.

It knows nothing of the API beyond what a test hands it, so that it can misbehave in ways that no server library allows.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import orjson


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived: `params` of query and form merged."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    query: str

    def wrapped(self, name: str) -> dict[str, object]:
        return orjson.loads(self.params[name])


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent. `length`: the Content-Length that is claimed, if not the body's. `delay` in seconds, before it.

    `drip`: seconds between single bytes. `hang_up`: close the connection after the body; with `status` 0, at once.
    """

    body: bytes | dict[str, object] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    length: int | None = None
    hang_up: bool = False


Script = Callable[[Seen], Reply]


class ScriptedGateway:
    """Runs in a thread of its own; `seen` are the requests in the order in which they came."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[Seen] = []
        self.connections = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/rest"

    def __enter__(self) -> "ScriptedGateway":
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        form = await reader.readexactly(int(headers.get("content-length", 0)))
        parts = urlsplit(target)
        params = dict(parse_qsl(parts.query, keep_blank_values=True)) | dict(parse_qsl(form.decode()))
        request = Seen(method, parts.path.removeprefix("/rest"), params, headers, parts.query)
        self.seen.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answer(self.script(request), writer)
        finally:
            self.in_flight -= 1

    async def _answer(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.status == 0:
            return False
        body = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
        length = len(body) if reply.length is None else reply.length
        lines = [f"HTTP/1.1 {reply.status} X", f"Content-Length: {length}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        if reply.drip:
            for byte in body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(reply.drip)
        else:
            writer.write(body)
        await writer.drain()
        return not reply.hang_up


def ok(value: object) -> Reply:
    """A success of the endpoints that answer in `value`."""
    return Reply({"code": "0", "value": value, "request_id": "0ba1"})


def ok_result(data: object, **more: object) -> Reply:
    """A success of the `/eco` endpoints."""
    return Reply(
        {"code": "0", "result": {"result_code": "200", "result_msg": "request success", "result_data": data, **more}}
    )


def refusal(code: str, message: str = "words of the gateway", **more: object) -> Reply:
    """An error in the flat shape."""
    return Reply({"type": "ISV", "code": code, "message": message, "request_id": "0ba2", **more})
