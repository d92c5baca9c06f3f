"""The call budget that all processes and machines share: a row of `ops.call_budget`, locked while it is changed.

The arithmetic is in `alibaba.rate`; how a process spends what it leased is in `alibaba.pacing`. The clock is that of
Postgres, so that machines agree.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, replace
from typing import Any, TypeVar

from dropship_pipeline.alibaba import rate
from dropship_pipeline.alibaba.rate import UNLIMITED, Grant, RateState, grant
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import in_our_words, is_lost

# A process that is stopped (a debugger, a laptop's lid) while it holds the row must not stop all others for long. The
# budget is worth no wait for the disk: what a crash of the server loses is a fraction of a second of leases.
_SESSION = "SET idle_in_transaction_session_timeout = '5s'; SET lock_timeout = '30s'; SET synchronous_commit = off"

# The columns are the fields of RateState, in order. The clock is read outside of the CTE: when the lock is there.
_LOCK = """
    BEGIN;
    WITH locked AS MATERIALIZED (
        SELECT rate, ceiling, limit_seen, next_free, blocked_until, changed_at
        FROM ops.call_budget WHERE app = %s FOR UPDATE
    )
    SELECT extract(epoch FROM clock_timestamp())::float8, locked.* FROM locked
"""
_STORE = """
    UPDATE ops.call_budget
    SET (rate, ceiling, limit_seen, next_free, blocked_until, changed_at) = ROW (%s, %s, %s, %s, %s, %s) WHERE app = %s;
    COMMIT
"""
_NEW_ROW = """
    INSERT INTO ops.call_budget (app, rate, ceiling, limit_seen, next_free, blocked_until, changed_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (app) DO NOTHING;
    COMMIT
"""

_T = TypeVar("_T")


class PostgresCallBudget:
    """Implements `alibaba.rate.CallBudget` for one app. Threads may share it; it has one connection of its own."""

    def __init__(self, database: Database, app: str, ceiling: float) -> None:
        """`app`: which app and host, a hash; `ceiling`: calls per second, for every process of the app from now on."""
        self._database = database
        self._app = app
        self._fresh = _fresh(ceiling)
        self._mutex = threading.Lock()
        self._connection: Any = None
        self._change(lambda state, _: (_under(state, ceiling), None))

    def lease(self, wanted: int) -> Grant:
        """See `CallBudget`. Raises `DatabaseProblem`."""
        return self._change(lambda state, now: grant(state, now, wanted))

    def throttled(self, wait_seconds: float, sent_at: float) -> None:
        """See `CallBudget`. Raises `DatabaseProblem`."""
        self._change(lambda state, now: (rate.throttled(state, now, wait_seconds, sent_at), None))

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        with self._mutex:
            self._disconnect()

    def _change(self, change: Callable[[RateState, float], tuple[RateState, _T]]) -> _T:
        """Lock the row, change it by `change(state, now)`, store it, and give what `change` gave besides."""
        with self._mutex, in_our_words(self._database.address):
            try:
                return self._attempt(change)
            except Exception as error:
                self._disconnect()  # a transaction that failed half-way must not keep the row locked
                if not is_lost(error):
                    raise
            try:  # the server was restarted, or closed the session: a lease that was lost with it is none
                return self._attempt(change)
            except Exception:
                self._disconnect()
                raise

    def _attempt(self, change: Callable[[RateState, float], tuple[RateState, _T]]) -> _T:
        with self._connected().cursor() as cursor:
            cursor.execute(_LOCK, (self._app,))
            row = cursor.fetchone()
            while row is None:  # the first call of this app, or somebody emptied the table
                cursor.execute(_NEW_ROW, (self._app, *astuple(self._fresh)))
                cursor.execute(_LOCK, (self._app,))
                row = cursor.fetchone()
            now, *state = row
            changed, result = change(RateState(*state), now)
            cursor.execute(_STORE, (*astuple(changed), self._app))
            return result

    def _connected(self) -> Any:
        if self._connection is None:
            pooled = self._database.sqlalchemy.raw_connection()
            pooled.detach()  # of its own, not the pool's
            connection: Any = pooled.dbapi_connection
            connection.rollback()
            connection.autocommit = True  # BEGIN and COMMIT travel with the statements
            self._connection = connection
            with connection.cursor() as cursor:
                cursor.execute(_SESSION)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(Exception):  # it may be gone already, and is of no use either way
                self._connection.close()
            self._connection = None


def _fresh(ceiling: float) -> RateState:
    state = RateState.fresh(ceiling)
    return _at_once(state) if ceiling >= UNLIMITED else state


def _under(state: RateState, ceiling: float) -> RateState:
    """The state under this ceiling; one without a limit is granted at once, not crept up to."""
    state = rate.with_ceiling(state, ceiling)
    return _at_once(state) if ceiling >= UNLIMITED and state.limit_seen is None else state


def _at_once(state: RateState) -> RateState:
    return replace(state, rate=state.ceiling)
