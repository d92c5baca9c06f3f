"""A process that holds the embedded Postgres: as one of the services, and for `dropship db serve`. Lean: for days.

What starts the server is `storage.server.embedded`; it stops with the last process that holds it.
`python -m dropship_pipeline.services.postgres` prints the address, and ends when the server is gone.
"""

import fcntl
import signal
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import FrameType

import psutil
import psycopg2

from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import load_settings
from dropship_pipeline.storage.server import embedded

SERVED = "postgres.served"
"""In DROPSHIP_HOME: locked by the processes that hold the server; touched by whoever gave its address away."""

_LOOK_EVERY = 0.5  # seconds between two looks at whether the server lives
_COUNT_EVERY = 5.0  # seconds between two looks at who is connected

_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


def hold(home: Path, url: str, idle: timedelta | None) -> None:
    """Return when nobody has been connected for `idle`; on SIGINT and SIGTERM, raise what ends a program.

    The server runs already. Raises `Problem` when it is gone.
    """
    signal.signal(signal.SIGTERM, _end)
    served = home / SERVED
    with served.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # several may hold it
        server = _server(home)
        last_seen = last_counted = time.time()
        while idle is None or time.time() - last_seen < idle.total_seconds():
            pause = _LOOK_EVERY if idle is None else min(_LOOK_EVERY, idle.total_seconds() / 4)
            time.sleep(pause)
            if not _lives(server):
                raise _gone(home)
            if idle is not None and time.time() - last_counted >= min(_COUNT_EVERY, idle.total_seconds() / 2):
                last_counted = time.time()
                last_seen = max(last_seen, _given_away(served), last_counted if _is_used(home, url) else 0.0)


def _server(home: Path) -> psutil.Process:
    try:
        return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0]))
    except (OSError, ValueError, psutil.NoSuchProcess):
        raise _gone(home) from None


def _lives(server: psutil.Process) -> bool:
    try:
        return server.is_running() and server.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_used(home: Path, url: str) -> bool:
    try:
        with closing(psycopg2.connect(url, connect_timeout=10)) as connection, connection.cursor() as cursor:
            cursor.execute(_OTHERS)
            return cursor.fetchone() != (0,)
    except psycopg2.OperationalError:
        raise _gone(home) from None


def _given_away(served: Path) -> float:
    try:
        return served.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _gone(home: Path) -> Problem:
    return Problem(f"The embedded Postgres of {home} is gone", "Start it again: dropship db serve")


def _end(_: int, __: FrameType | None) -> None:
    sys.exit(0)


def main() -> int:
    """Start the server of DROPSHIP_HOME and hold it until SIGTERM; the exit status."""
    home = load_settings().absolute_home
    try:
        address = embedded.start(home)
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        hold(home, address, None)
    except Problem as problem:
        sys.stderr.write(f"{problem.what}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
