"""Runs a simulated Alibaba.com: in this process until told to stop, or in a child process that dies with this one."""

import asyncio
import contextlib
import gc
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dropship_pipeline.sandbox.config import SandboxConfig

if TYPE_CHECKING:
    from dropship_pipeline.sandbox.assembly import Sandbox

__all__ = ["Running", "SandboxConfig", "SandboxFailedError", "serve", "start"]

_STOP_WITHIN_S = 5
_BACKLOG = 2048


class SandboxFailedError(RuntimeError):
    """The sandbox did not start: its own last words."""


@dataclass(slots=True)
class Running:
    """A sandbox in a process of its own. `base_url` ends in /rest; `env` is what a client of it reads."""

    base_url: str
    env: dict[str, str] = field(repr=False)
    process: "subprocess.Popen[str]" = field(repr=False)

    @property
    def control_url(self) -> str:
        """Where the control API is: …/_sandbox/."""
        return self.base_url.removesuffix("/rest") + "/_sandbox/"

    def control(self, path: str, document: object = None, *, method: str | None = None) -> Any:
        """Ask the control API: GET, or POST where there is a document. Raises urllib's HTTPError for a refusal."""
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.control_url + path, data=body, method=method)  # noqa: S310 - our own URL
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own URL
            return json.load(answer)

    def stop(self) -> None:
        """End the process; harmless where it has ended."""
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def serve(config: SandboxConfig, announce: Callable[[str, dict[str, str]], None]) -> None:
    """Run a sandbox until SIGINT or SIGTERM. `announce(base_url, env)` is called as soon as it answers.

    Raises ValueError for a configuration that cannot be, OSError where the port is taken.
    """
    from dropship_pipeline.sandbox.assembly import assemble  # noqa: PLC0415 - only a server needs what this imports

    sandbox = assemble(config)
    listener = _listener(config.host, config.port)
    host, port = listener.getsockname()[:2]
    address = f"[{host}]" if ":" in host else host
    base_url = f"http://{address}:{port}/rest"
    try:
        _run(sandbox, listener, lambda: announce(base_url, environment(sandbox, base_url)))
    finally:
        sandbox.counters.close()


def environment(sandbox: "Sandbox", base_url: str) -> dict[str, str]:
    """The variables by which a client finds the sandbox and is known to it."""
    app, tokens = sandbox.accounts.default_app, sandbox.accounts.seeded()
    return {
        "ALIBABA_BASE_URL": base_url,
        "ALIBABA_AUTHORIZE_URL": base_url.removesuffix("/rest") + "/oauth/authorize",
        "ALIBABA_APP_KEY": app.key,
        "ALIBABA_APP_SECRET": app.secret,
        "ALIBABA_ACCESS_TOKEN": tokens.access_token,
        "ALIBABA_REFRESH_TOKEN": tokens.refresh_token,
    }


def start(config: SandboxConfig | None = None) -> Running:
    """Start a sandbox in a process of its own, and wait until it answers. Raises SandboxFailedError.

    The child reads its configuration from its standard input and ends when that closes: with this process, however
    it dies.
    """
    process = subprocess.Popen(  # noqa: S603 - this very module
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C at the terminal is for the parent, which then ends the child in its own time
    )
    if process.stdin is None or process.stdout is None:
        raise SandboxFailedError("the sandbox has no pipes")
    process.stdin.write(json.dumps(asdict(config or SandboxConfig())) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    told: dict[str, Any] = json.loads(line) if line else {"error": f"it ended with status {process.wait()}"}
    running = Running(told.get("base_url", ""), told.get("env", {}), process)
    if "error" in told:
        running.stop()
        raise SandboxFailedError(f"the simulated Alibaba.com did not start: {told['error']}")
    return running


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _run(sandbox: "Sandbox", listener: socket.socket, ready: Callable[[], None]) -> None:
    import uvicorn  # noqa: PLC0415 - only a server needs it

    from dropship_pipeline.sandbox.server import Application  # noqa: PLC0415 - likewise

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            self.pushing = asyncio.get_running_loop().create_task(sandbox.pushes.run())
            ready()

    config = uvicorn.Config(
        Application(sandbox),
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    # what lives now lives on, and calls leave little behind: collecting often would only cost
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        Server(config).run(sockets=[listener])


def _child() -> None:
    """The child of `start`: configuration in, announcement out, then serve until the parent closes the pipe."""
    settings = json.loads(sys.stdin.readline())
    settings["faults"] = tuple(settings["faults"])

    def watch_parent() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=watch_parent, daemon=True).start()

    def announce(base_url: str, env: dict[str, str]) -> None:
        sys.stdout.write(json.dumps({"base_url": base_url, "env": env}) + "\n")
        sys.stdout.flush()

    try:
        serve(SandboxConfig(**settings), announce)
    except (ValueError, OSError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _child()
