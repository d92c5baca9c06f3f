"""The head of a request, bounded in size and time: nobody makes the receiver keep what it cannot yet refuse.

The HTTP library knows no such limits. Those of the body are in `receiver`.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 * 1024
"""Bytes. Alibaba.com's have a few hundred."""

HEAD_WITHIN = 10.0
"""Seconds, from the connection or the first byte on."""

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedHeads(HttpToolsProtocol):
    """A connection that is closed when a head gets too large, or takes too long."""

    _in_head = False
    _head = 0
    _closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the library has it
        """A connection begins: its first head has to follow."""
        super().connection_made(transport)
        self._closing = self.loop.call_later(HEAD_WITHIN, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > LARGEST_HEAD:
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head = True, 0
        if self._closing is None:
            self._closing = self.loop.call_later(HEAD_WITHIN, self.transport.close)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It is whole."""
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def _stop_waiting(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
