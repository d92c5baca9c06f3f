"""Proxies between the pipeline and Postgres: one cuts a connection at a COMMIT, one makes every statement wait.

Whether the server heard a COMMIT whose connection broke, nobody can tell from the client's side: that is what the
trial is about.
"""

import os
import selectors
import socket
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy.engine import URL


class Between:
    """Carries what is said on every connection. Runs inside of the `with`. `url`: the address through it."""

    def __init__(self, server: URL) -> None:
        host = server.query.get("host") or server.host or "127.0.0.1"
        port = server.port or 5432
        self._server = f"{host}/.s.PGSQL.{port}" if str(host).startswith("/") else (str(host), port)
        self._folder = tempfile.TemporaryDirectory(prefix="dropship-cut-")
        Path(self._folder.name).chmod(0o755)
        self.url = server.set(host=None, query={"host": self._folder.name}, port=5432).render_as_string(
            hide_password=False
        )
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Self:
        self._listener.bind(os.path.join(self._folder.name, ".s.PGSQL.5432"))  # noqa: PTH118  a socket's name
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._folder.cleanup()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX if isinstance(self._server, str) else socket.AF_INET)
            server.connect(self._server)
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, selectors.DefaultSelector() as waiting:
            waiting.register(client, selectors.EVENT_READ)
            waiting.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in waiting.select():
                    came = key.fileobj.recv(65_536)  # type: ignore[union-attr]  # both are sockets
                    if not came:
                        return
                    if key.fileobj is client:
                        if not self._lets_through(came, server):
                            return
                        server.sendall(came)
                    else:
                        client.sendall(came)

    def _lets_through(self, said: bytes, server: socket.socket) -> bool:
        """Asked of all that a client says. The connection ends where not."""
        raise NotImplementedError


class CommitCutter(Between):
    """Cuts at the `nth` COMMIT. `cut`: whether it has come to that."""

    def __init__(self, server: URL, nth: int, *, after: bool) -> None:
        super().__init__(server)
        self._nth, self._after = nth, after
        self._commits = 0
        self.cut = False

    def _lets_through(self, said: bytes, server: socket.socket) -> bool:
        if not self._is_it(said):
            return True
        if self._after:
            server.sendall(said)
            server.recv(65_536)  # it has committed, and nobody will know
        self.cut = True
        return False

    def _is_it(self, came: bytes) -> bool:
        if b"COMMIT" not in came or b"ON COMMIT" in came:
            return False
        with self._lock:
            self._commits += 1
            return self._commits == self._nth


class SlowLine(Between):
    """Whatever a client says takes `delay_s` on its way, and a megabyte `megabyte_s`. `waits`: how often."""

    def __init__(self, server: URL, delay_s: float, megabyte_s: float) -> None:
        super().__init__(server)
        self._delay_s, self._megabyte_s = delay_s, megabyte_s
        self.waits = 0

    def _lets_through(self, said: bytes, _server: socket.socket) -> bool:
        time.sleep(self._delay_s + len(said) / 1e6 * self._megabyte_s)
        with self._lock:
            self.waits += 1
        return True
