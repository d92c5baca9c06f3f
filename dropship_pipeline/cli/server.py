"""Leaving the embedded server running for whoever uses an address that was printed. How it is held is `services`'."""

import fcntl
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from dropship_pipeline.problem import Problem
from dropship_pipeline.services.postgres import SERVED


def keep_running(home: Path, idle: timedelta) -> None:
    """Have a process of its own hold the embedded server of `home`, until nobody has been connected for `idle`.

    The server runs already. Raises `Problem` if it cannot be held.
    """
    served = home / SERVED
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
