"""The folder in DROPSHIP_HOME that is there only while `dropship up` runs, and the lock that makes it the only one."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from dropship_pipeline.problem import Problem
from dropship_pipeline.sync.place import ANNOUNCEMENT, UP_FOLDER, UP_LOCK

_LONGEST_SOCKET_PATH = 100  # bytes; the least of the systems takes 103
_CLEANING_UP_TAKES = 60.0  # seconds, at most

_WORKSPACE = """\
# What the webserver and the daemon load, while `dropship up` runs: the code server that they share.
load_from:
  - grpc_server:
      socket: {socket}
      location_name: {location}
"""

LOCATION = "dropship_pipeline"
"""The code location's name, the same as in `workspace.yaml`."""


@dataclass(frozen=True, slots=True)
class UpPlace:
    """Where the services of one DROPSHIP_HOME meet. `lock` is the descriptor of the locked file."""

    home: Path
    sockets: Path
    lock: int

    @property
    def folder(self) -> Path:
        """What is there only while it runs."""
        return self.home / UP_FOLDER

    @property
    def folders(self) -> tuple[Path, ...]:
        """What is to be removed at the end."""
        return (self.folder,) if self.sockets == self.folder else (self.folder, self.sockets)

    @property
    def announcement(self) -> Path:
        """Where the simulated Alibaba.com is announced."""
        return self.home / ANNOUNCEMENT

    @property
    def code_socket(self) -> Path:
        """Where the code server listens."""
        return self.sockets / "code.sock"

    @property
    def workspace(self) -> Path:
        """What the webserver and the daemon are given."""
        return self.folder / "workspace.yaml"


@contextmanager
def claim(home: Path) -> Iterator[UpPlace]:
    """The place, made anew. Raises `Problem` if another `dropship up` has it, or it cannot be made."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = os.open(home / UP_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(lock, home)
            place = _make(home, lock)
            yield place
            os.ftruncate(lock, 0)
        finally:
            os.close(lock)
    except OSError as error:
        raise Problem(
            f"{error.filename or home} cannot be written: {error.strerror}",
            "Let this user write there, or set DROPSHIP_HOME elsewhere",
        ) from error


def _lock(lock: int, home: Path) -> None:
    give_up = time.monotonic() + _CLEANING_UP_TAKES
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
            # one that was killed has a watcher, which holds the lock until it has cleaned up
            if time.monotonic() > give_up or (holder.isdigit() and psutil.pid_exists(int(holder))):
                raise Problem(
                    f"`dropship up` runs already for {home}{f', as process {holder}' if holder else ''}",
                    "Stop it with Ctrl-C in its terminal, or set DROPSHIP_HOME to another folder for a second one",
                ) from None
            time.sleep(0.1)
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            return


def _make(home: Path, lock: int) -> UpPlace:
    folder = home / UP_FOLDER
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)  # of one that was cut off with the whole machine
    folder.mkdir(mode=0o700)
    sockets = folder
    if len(os.fsencode(folder / "code.sock")) > _LONGEST_SOCKET_PATH:
        sockets = Path(tempfile.mkdtemp(prefix="dropship-"))
    place = UpPlace(home, sockets, lock)
    place.workspace.write_text(_WORKSPACE.format(socket=place.code_socket, location=LOCATION))
    return place
