"""Locks that all processes and machines of a deployment share: advisory locks of Postgres. They end with their holder.

Merges take a `Lock` and hold it until their transaction ends. Merges of one kind go one after the other: that makes
what two of them do to the same product obvious, and costs little, for a merge takes some tens of milliseconds and the
API grants far fewer answers than that would allow. Longer work is guarded by a name (`hold`, `Locks`).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import IntEnum

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import in_our_words, is_lost

OURS = 0x64726F70  # "drop": other applications in the same database choose their own
_TRY = text("SELECT pg_try_advisory_lock(:ours, hashtext(:name))")
_GIVE_BACK = text("SELECT pg_advisory_unlock(:ours, hashtext(:name))")
_STILL_CONNECTED = text("SELECT 1")
_FIRST_PAUSE = 0.01  # seconds, doubling
_LONGEST_PAUSE = 0.2

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


class Held:
    """An exclusive lock, as its holder has it."""

    def __init__(self, connection: Connection, address: str) -> None:
        self._connection = connection
        self._address = address

    def confirm(self) -> None:
        """Make sure that it is still ours: it went with its connection, if that was lost. Raises `DatabaseProblem`.

        To be asked before what must not be done twice; whoever waits may have begun meanwhile.
        """
        with in_our_words(self._address):
            self._connection.execute(_STILL_CONNECTED)


@contextmanager
def hold(database: Database, name: str, wait: timedelta, held: Problem) -> Iterator[Held]:
    """Inside, nobody else is inside under the same name. Raises `held` if others are for longer than `wait`.

    A connection of its own holds the lock: it is given back when that closes, however the process ends. It is asked
    for again and again: psycopg2 hears no Ctrl-C while it waits for Postgres.
    """
    with in_our_words(database.address), database.sqlalchemy.connect() as pooled:
        connection = pooled.execution_options(isolation_level="AUTOCOMMIT")  # no transaction stays open meanwhile
        connection.detach()  # closed at the end, not pooled
        give_up = time.monotonic() + wait.total_seconds()
        pause = _FIRST_PAUSE
        while not connection.execute(_TRY, {"ours": OURS, "name": name}).scalar_one():
            if time.monotonic() >= give_up:
                raise held
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        yield Held(connection, database.address)


class Locks:
    """Exclusive locks by name, several on one connection, none of them waited for. Not to be shared among threads.

    Who holds one is alive, or was a moment ago; who lost one with the connection is not told. What must not be done
    twice is to be fenced besides (ADR 0016).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._held: set[str] = set()

    def take(self, name: str) -> bool:
        """Whether it is ours now. Raises `DatabaseProblem`."""
        if name in self._held:
            return True
        with in_our_words(self._database.address):
            try:
                taken = self._ask(_TRY, name)
            except DBAPIError as error:
                if not is_lost(error):
                    raise
                self.close()  # and with it what we held
                taken = self._ask(_TRY, name)
        if taken:
            self._held.add(name)
        return taken

    def give_back(self, name: str) -> None:
        """Let others have it; fine if it is not ours. Raises `DatabaseProblem`."""
        if name in self._held:
            self._held.remove(name)
            with in_our_words(self._database.address):
                try:
                    self._ask(_GIVE_BACK, name)
                except DBAPIError as error:
                    if not is_lost(error):
                        raise
                    self.close()

    def close(self) -> None:
        """Give all of them back."""
        self._held.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, question: TextClause, name: str) -> bool:
        if self._connection is None:
            engine = self._database.sqlalchemy.execution_options(isolation_level="AUTOCOMMIT")
            self._connection = engine.connect()
            self._connection.detach()  # closed at the end, not pooled
        return bool(self._connection.execute(question, {"ours": OURS, "name": name}).scalar_one())
