"""Locks that all processes and machines of a deployment share: advisory locks of Postgres. They end with their holder.

Merges take a `Lock` and hold it until their transaction ends. Merges of one kind go one after the other: that makes
what two of them do to the same product obvious, and costs little, for a merge takes some tens of milliseconds and the
API grants far fewer answers than that would allow. Longer work is guarded by a name (`exclusive`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import IntEnum

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.database import Database
from dropship_pipeline.storage.failures import in_our_words, sqlstate

OURS = 0x64726F70  # "drop": other applications in the same database choose their own
_LOCK_NOT_AVAILABLE = "55P03"

_PATIENCE = text("SELECT set_config('lock_timeout', :wait, false)")
_LOCK = text("SELECT pg_advisory_lock(:ours, hashtext(:name))")

PATIENCE = "5min"
"""How long a merge waits for its turn. A sweep of a million products takes some ten seconds."""


class Lock(IntEnum):
    """One number a piece of work."""

    MIGRATION = 1
    # descriptions and sweeps both decide whether a product is on the market, each from what the other wrote
    OFFER = 2
    INVENTORY = 3
    FREIGHT = 4
    ORDERS = 5


def take(lock: Lock) -> str:
    """The statement that waits for the lock and keeps it until the transaction ends."""
    return f"SELECT pg_advisory_xact_lock({OURS}, {lock.value})::text"


@contextmanager
def exclusive(database: Database, name: str, wait: timedelta, held: Problem) -> Iterator[None]:
    """Inside, nobody else is inside under the same name. Raises `held` if others are for longer than `wait`.

    A connection of its own holds the lock: it is given back when that closes, however the process ends.
    """
    with in_our_words(database.address), database.sqlalchemy.connect() as connection:
        connection.detach()  # closed at the end, not pooled
        try:
            connection.execute(_PATIENCE, {"wait": f"{max(1, round(wait.total_seconds() * 1000))}ms"})
            connection.execute(_LOCK, {"ours": OURS, "name": name})
            connection.commit()  # the lock is the session's: no transaction stays open meanwhile
        except DBAPIError as error:
            if sqlstate(error) == _LOCK_NOT_AVAILABLE:
                raise held from error
            raise
        yield
