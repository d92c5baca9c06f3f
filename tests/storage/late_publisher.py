"""A process that publishes, and stops itself where it is told: as one does that is suspended and wakes up too late.

Arguments: the database's address, the lake's. Each line of standard input is a place to stop at; after each publish it
writes a line: `done`, or the name of what was raised.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake.place import Draft, Lake
from dropship_pipeline.storage.lake.snapshots import publish
from dropship_pipeline.storage.server.database import Database


class SleepyLake(Lake):
    """Falls asleep once, at `place`."""

    place = ""

    def sleep_at(self, place: str) -> None:
        if self.place == place:
            self.place = ""
            os.kill(os.getpid(), signal.SIGSTOP)

    def unfinished(self, under: str) -> list[str]:
        found = super().unfinished(under)
        if under:
            self.sleep_at("cleaning")
        return found

    @contextmanager
    def new_folder(self, path: str) -> Iterator[Draft]:
        with super().new_folder(path) as draft:
            yield draft
            self.sleep_at("before the folder gets its name")

    def point(self, name: str, target: str, confirm: Callable[[], None] = lambda: None) -> None:
        def confirm_and_sleep() -> None:
            confirm()
            self.sleep_at("between the last look and the pointer")

        self.sleep_at("before the pointer")
        super().point(name, target, confirm_and_sleep)

    def delete(self, path: str) -> None:
        self.sleep_at("while old ones are thrown away")
        super().delete(path)


if __name__ == "__main__":
    database, lake = Database(sys.argv[1]), SleepyLake(sys.argv[2])
    print("ready", flush=True)
    for line in sys.stdin:
        lake.place = line.strip()
        try:
            publish(database, lake, "late", keep=2)
            print("done", flush=True)
        except Problem as problem:
            print(type(problem).__name__, flush=True)
