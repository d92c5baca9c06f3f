"""Running the receiver until it is told to end: its socket, TLS, and a stop that loses nothing it has accepted."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.webhooks.commits import GroupCommits
from dropship_pipeline.webhooks.counters import Counters
from dropship_pipeline.webhooks.heads import BoundedHeads
from dropship_pipeline.webhooks.intake import Intake
from dropship_pipeline.webhooks.paths import MESSAGES
from dropship_pipeline.webhooks.receiver import build_app

_ENDS_WITHIN = 10  # seconds, for what is under way
_MOST_CONNECTIONS = 4_000


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the receiver listens. `port` 0: any free one. A certificate and its key: TLS of its own."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None


def serve(database: Database, intake: Intake, where: Listening, ready: Callable[[str], None]) -> None:
    """Receive until SIGINT or SIGTERM. `ready` is called with the address as soon as messages are taken.

    Raises `Problem` where the port or the certificate cannot be used.
    """
    counters = Counters()
    app = build_app(intake, lambda: GroupCommits(database, counters), counters)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHeads,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # nothing of a message is logged
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_ENDS_WITHIN,
        ssl_certfile=where.certificate,
        ssl_keyfile=where.key,
    )
    _load(config, where)
    listener = _listener(where)
    host, port = listener.getsockname()[:2]
    address = f"{'https' if where.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}{MESSAGES}"

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready(address)

    gc.collect()
    gc.freeze()  # what was imported stays: looking through all of it again would hold up every message meanwhile
    # uvicorn ends at SIGTERM and then raises it again, which would end us before anything is put away
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with listener, contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        Server(config).run(sockets=[listener])


def _load(config: uvicorn.Config, where: Listening) -> None:
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise Problem(
            f"The certificate {where.certificate} and its key cannot be used: {error.strerror or error}",
            "Give --certfile a PEM file with the whole chain, and --keyfile its key",
        ) from error


def _listener(where: Listening) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise Problem(
            f"Port {where.port} of {where.host} cannot be used: {error.strerror}",
            "Stop what has it, or choose another: --port, or DROPSHIP_WEBHOOK_PORT",
        ) from error
    return listener
