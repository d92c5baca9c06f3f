"""A proxy before Postgres that cuts connections: at COMMIT, before it is done or after it was; or while rows come."""

import socket
import struct
import threading
from contextlib import suppress
from enum import Enum
from typing import BinaryIO

from sqlalchemy.engine import make_url

from dropship_pipeline.storage.server.database import Database


class Cut(Enum):
    """When the connection breaks, as the client sees it at the same moment."""

    BEFORE = "before it reaches the server"
    AFTER = "when it is done and the answer is on its way"


class CuttingProxy:
    """Listens on 127.0.0.1. `cuts` are taken one after the other, a COMMIT each; None lets one through."""

    def __init__(self, database: Database) -> None:
        url = make_url(database.libpq_url)
        self._upstream = f"{url.query['host']}/.s.PGSQL.{url.port or 5432}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.cuts: list[Cut | None] = []
        self.made = 0
        self.cut_loads = 0  # so many times, when the first rows of a COPY come
        self.silent_after_cuts = False  # whoever asks what became of the transaction finds nobody
        query = {"sslmode": "disable", "gssencmode": "disable"}
        here = url.set(host="127.0.0.1", port=self._listener.getsockname()[1], query=query)
        self.database = Database(here.render_as_string(hide_password=False))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Close what was opened; connections that are left break."""
        self.database.close()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.silent_after_cuts and self.made:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._upstream)
                done = threading.Event()
                threading.Thread(target=self._to_server, args=(client, server, done), daemon=True).start()
                threading.Thread(target=self._to_client, args=(client, server, done), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, done: threading.Event) -> None:
        """Messages as libpq sends them: a byte for the kind (not in the first), the length, the rest."""
        committing = False
        with suppress(OSError, struct.error), client.makefile("rb") as messages:
            server.sendall(_message(messages.read(4), messages))
            while kind := messages.read(1):
                message = _message(messages.read(4), messages)
                if kind == b"d" and self.cut_loads:
                    self.cut_loads -= 1
                    self.made += 1
                    break
                committing = committing or (kind in b"QP" and b"COMMIT\0" in message)
                if committing and kind in b"QE":
                    committing = False
                    cut = self.cuts.pop(0) if self.cuts else None
                    self.made += cut is not None
                    if cut is Cut.BEFORE:
                        break
                    if cut is Cut.AFTER:
                        done.set()
                server.sendall(kind + message)
        _close(client, server)

    def _to_client(self, client: socket.socket, server: socket.socket, done: threading.Event) -> None:
        with suppress(OSError):
            while answer := server.recv(1 << 16):
                if done.is_set() and b"COMMIT\0" in answer:
                    break
                client.sendall(answer)
        _close(client, server)


def _message(length: bytes, messages: BinaryIO) -> bytes:
    return length + messages.read(struct.unpack("!i", length)[0] - 4)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
