"""The points of a sync at which a trial can end it, cut its connections or stop it; and how often each is passed.

A point is a method of the pipeline that is wrapped in the process that is to be disturbed, and in no other. What is
done there is done for real: SIGKILL to oneself, the server told to end one's sessions.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import wraps
from typing import Any

import psycopg2

from dropship_pipeline.storage.lake import place
from dropship_pipeline.storage.server import staging
from dropship_pipeline.sync.stages import asking, discover


@dataclass(frozen=True)
class Point:
    """The `nth` time (from 1) that a run passes the point `name`: before it is done, or after."""

    name: str
    nth: int
    after: bool
    action: str

    def __str__(self) -> str:
        return f"{self.name}:{self.nth}:{'after' if self.after else 'before'}:{self.action}"

    @classmethod
    def read(cls, text: str) -> "Point":
        """The point that is written so."""
        name, nth, when, action = text.split(":")
        return cls(name, int(nth), when == "after", action)


def _statement(*arguments: Any) -> bool:
    return arguments[1] not in ("BEGIN", "COMMIT", "ROLLBACK")


def _commit(*arguments: Any) -> bool:
    return bool(arguments[1] == "COMMIT")


def _any(*_: Any) -> bool:
    return True


# name: where the method is, what it is called, which of its calls are meant
PLACES: dict[str, tuple[Any, str, Callable[..., bool]]] = {
    "listing": (discover._Reading, "take", _any),
    "details": (asking, "settled", _any),
    "landing": (place.Lake, "write", _any),
    "half_written": (place.os, "fsync", _any),
    "load": (staging.Stage, "load", _any),
    "merge": (staging.Stage, "run", _statement),
    "commit": (staging.Stage, "run", _commit),
    "publish": (place.Draft, "open_output", _any),
    "pointer": (place.Lake, "point", _any),
}


class Points:
    """Counts how often each point is passed, and acts at one of them."""

    def __init__(self, chosen: Point | None, database_url: str) -> None:
        self.passed: Counter[str] = Counter()
        self._chosen = chosen
        self._url = database_url

    def install(self) -> None:
        """Wrap every place, in this process."""
        for name, (owner, attribute, is_meant) in PLACES.items():
            setattr(owner, attribute, self._watched(name, getattr(owner, attribute), is_meant))

    def _watched(self, name: str, original: Callable[..., Any], is_meant: Callable[..., bool]) -> Callable[..., Any]:
        @wraps(original)
        def passing(*arguments: Any, **named: Any) -> Any:
            if not is_meant(*arguments):
                return original(*arguments, **named)
            self.passed[name] += 1
            here = self._chosen is not None and (name, self.passed[name]) == (self._chosen.name, self._chosen.nth)
            if here and self._chosen is not None and not self._chosen.after:
                self._act(self._chosen)
            done = original(*arguments, **named)
            if here and self._chosen is not None and self._chosen.after:
                self._act(self._chosen)
                if self._chosen.action == "cut" and name == "commit":
                    arguments[0].run("SELECT 1")  # the answer to the COMMIT never came: the driver's own error
            return done

        return passing

    def _act(self, point: Point) -> None:
        match point.action:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "term":
                os.kill(os.getpid(), signal.SIGTERM)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "cut":
                end_sessions(self._url)
            case other:
                raise ValueError(f"nobody knows what {other!r} means")


def end_sessions(url: str) -> None:
    """Have the server end every session of this database but the one that says so."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
