"""Placing orders in processes of their own, to be killed: each is forked from one that has imported everything."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployment import Deployment, clean_environment
from placing_steps import HASTY

from dropship_pipeline.orders.placing_input import read_order_asked
from dropship_pipeline.settings import load_settings
from dropship_pipeline.sync.orders.placing import place
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.session import open_desk


class Workers:
    """Starts processes that place an order, and tells when they are about to."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._told: dict[str, list[int]] = {"forked": [], "open": []}

    def start(self, merchant: Deployment, document: object) -> int:
        """The ID of a process that places this order."""
        assert self._process.stdin is not None
        print(json.dumps([merchant.environment, document]), file=self._process.stdin, flush=True)
        return self._hear("forked")

    def wait_until_one_is_open(self) -> None:
        """Until one more of them has opened what it needs."""
        self._hear("open")

    def _hear(self, what: str) -> int:
        """The next process of which this is said; what is said of others meanwhile is kept."""
        assert self._process.stdout is not None
        while not self._told[what]:
            said, _, number = self._process.stdout.readline().partition(" ")
            self._told[said].append(int(number))
        return self._told[what].pop(0)


def is_alive(pid: int) -> bool:
    """Whether the process goes on."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_end(pid: int, seconds: float = 60.0) -> bool:
    """Wait so long; whether it has ended."""
    until = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() >= until:
            return False
        time.sleep(0.005)
    return True


@contextmanager
def workers() -> Iterator[Workers]:
    """Where they are forked; it ends with the with block."""
    folder = Path(__file__).parent
    paths = os.pathsep.join(map(str, (folder, folder.parent)))
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**clean_environment(), "PYTHONPATH": paths},
    )
    with process:
        yield Workers(process)


def _place(environment: dict[str, str], document: object) -> None:
    asked = read_order_asked(document)
    with open_desk(load_settings(environment), str(uuid.uuid4()), Silent()) as desk:
        _tell("open")
        place(desk, asked.reference, asked, HASTY)


def _tell(what: str, number: int | None = None) -> None:
    os.write(1, f"{what} {os.getpid() if number is None else number}\n".encode())


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        forked = os.fork()
        if not forked:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _place(*json.loads(line))
            finally:
                os._exit(0)
        _tell("forked", forked)
