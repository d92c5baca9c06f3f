"""Who is at work, as others see it: a shared advisory lock, which Postgres lets go with the process that holds it.

Asking takes no lock, so that nobody who asks is ever in the way; who must not be at work at once is in `locks.py`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import in_our_words
from dropship_pipeline.storage.server.locks import OURS

_LOOKED_AFTER_EVERY = 2.0  # seconds
_FAREWELL = 1.0  # seconds that the end waits for the connection to be closed: a network that hangs keeps nobody

_HOLD = text("SELECT pg_advisory_lock_shared(:ours, hashtext(:name))")
_STILL_THERE = text("SELECT 1")
_IS_HELD = text("""
    SELECT EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 2
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid::bigint = :ours AND objid::bigint = hashtext(:name)::bigint & 4294967295
    )
""")


@contextmanager
def present(database: Database, name: str) -> Iterator[None]:
    """Inside, every process and machine of this deployment sees `name` as present. Any number may be, at once.

    Postgres may restart meanwhile: within seconds of its return `name` is seen again. Raises `DatabaseProblem` where
    the beginning cannot be told.
    """
    with in_our_words(database.address):
        keeper = _Keeper(database, name)
    keeper.start()
    try:
        yield
    finally:
        keeper.dismiss()


def is_present(database: Database, name: str) -> bool:
    """Whether anybody is inside `present` with this name, in any process of this deployment."""
    with database.begin() as connection:
        return bool(connection.execute(_IS_HELD, {"ours": OURS, "name": name}).scalar_one())


class _Keeper(threading.Thread):
    """Holds the lock on a connection of its own, and takes it again on another one when that is lost."""

    def __init__(self, database: Database, name: str) -> None:
        super().__init__(name=f"present: {name}", daemon=True)
        self._database = database
        self._lock_name = name
        self._dismissed = threading.Event()
        self._connection: Connection | None = self._hold()

    def run(self) -> None:
        """Until dismissed. What fails on the way is the database's failure: whoever needs it will say so."""
        while not self._dismissed.wait(_LOOKED_AFTER_EVERY):
            try:
                if self._connection is None:
                    self._connection = self._hold()
                else:
                    self._connection.execute(_STILL_THERE)
            except DBAPIError:
                self._let_go()
        self._let_go()

    def dismiss(self) -> None:
        """Let the lock go."""
        self._dismissed.set()
        self.join(_FAREWELL)

    def _hold(self) -> Connection:
        connection = self._database.sqlalchemy.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # closed at the end, not pooled
        try:
            connection.execute(_HOLD, {"ours": OURS, "name": self._lock_name})
        except BaseException:
            connection.close()
            raise
        return connection

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
