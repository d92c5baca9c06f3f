"""Orders into the tables, and the ledger of what the order list says more than they do. The statements: `order_sql`.

What a batch of readings changes and the record that it did commit together or not at all. Every merge may be repeated:
the second time it finds nothing to do. What is read out for people is in `sheets`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import TypeVar

import pyarrow as pa
from sqlalchemy import text

from dropship_pipeline.alibaba.orders import OrderSummary
from dropship_pipeline.alibaba.redaction import message
from dropship_pipeline.orders.rows import only, rejecting, trade_ids
from dropship_pipeline.storage.catalog.reject_sql import RESOLVE_ORDERS, WRITE_REJECTS
from dropship_pipeline.storage.orders import order_sql
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import (
    driver_error,
    in_our_words,
    is_bad_data,
    primary_message,
    without_the_row,
)
from dropship_pipeline.storage.server.locks import PATIENCE, Lock, take
from dropship_pipeline.storage.server.staging import Stage, staged
from dropship_pipeline.storage.server.transactions import Transactions
from dropship_pipeline.tables.model import Table
from dropship_pipeline.tables.ops import ORDER_FETCHES, REJECTED_RECORDS
from dropship_pipeline.tables.orders import ORDERS

T = TypeVar("T")

_NOW = text("SELECT clock_timestamp()")

_NEWEST = text("SELECT max(listed_modified_at) FROM ops.order_fetches WHERE account = :account")

# Due: the list says more than the tables, or it is time to look again. One that was handed out and is still due was
# not read, or its run has not come to it: it waits, unless the list has said something new since.
_HAND_OUT = text("""
    WITH due AS (
        SELECT trade_id FROM ops.order_fetches
        WHERE account = :account AND (due_since IS NOT NULL OR look_again_at <= clock_timestamp())
            AND (requested_at IS NULL OR requested_at < :requested_before OR requested_at < due_since)
        ORDER BY coalesce(due_since, look_again_at), trade_id LIMIT :limit
        FOR UPDATE SKIP LOCKED
    )
    UPDATE ops.order_fetches f SET requested_at = clock_timestamp() FROM due WHERE due.trade_id = f.trade_id
    RETURNING f.trade_id
""")

_LISTED = text("""
    SELECT trade_id, listed_status, listed_created_at, listed_modified_at FROM ops.order_fetches
    WHERE trade_id = ANY (:trade_ids) AND (listed_status, listed_modified_at) IS DISTINCT FROM (NULL, NULL)
""")

_OF_DAY = text("""
    SELECT trade_id, status FROM orders.orders
    WHERE account = :account AND created_at >= :since AND created_at < :before ORDER BY trade_id
""")

# one that was refused, and of which the tables know nothing else, may as well be another account's
_OWNERS = text("""
    SELECT trade_id, coalesce(o.account, f.account) AS account
    FROM ops.order_fetches f FULL JOIN orders.orders o USING (trade_id)
    WHERE trade_id = ANY (:trade_ids) AND (o.trade_id IS NOT NULL OR f.outcome IS DISTINCT FROM 'refused')
""")

_RECORD_DAY = text("""
    INSERT INTO ops.order_days (account, day, listed, missing, differing, unlisted, reason, reconciled_at)
    VALUES (:account, :day, :listed, :missing, :differing, :unlisted, :reason, clock_timestamp())
    ON CONFLICT (account, day) DO UPDATE SET
        listed = excluded.listed, missing = excluded.missing, differing = excluded.differing,
        unlisted = excluded.unlisted, reason = excluded.reason, reconciled_at = excluded.reconciled_at
""")


@dataclass(frozen=True, slots=True)
class OrderCounts:
    """What a merge of readings did.

    `orders` were merged: `new` ones for the first time, `changed` ones differed. `stale` readings were older than what
    is in the tables and left it alone. `rejected` orders were read well and are more than Postgres can store.
    `status_changes` were logged, of which some `skipped` statuses, went `backwards`, or are of a status that is
    `unknown`. `rows_written` were added, changed or removed.
    """

    orders: int = 0
    new: int = 0
    changed: int = 0
    stale: int = 0
    rejected: int = 0
    status_changes: int = 0
    skipped: int = 0
    backwards: int = 0
    unknown: int = 0
    rows_written: int = 0

    def __add__(self, other: "OrderCounts") -> "OrderCounts":
        return OrderCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the list shows and the tables lack, or have otherwise. Trade IDs."""

    missing: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)


class OrderStore:
    """The writer of the order tables: one connection, kept over many batches. Not to be shared among threads.

    Every method raises `DatabaseProblem`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._transactions = Transactions(database)

    def __enter__(self) -> "OrderStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._transactions.close()

    def merge(self, tables: Mapping[str, pa.Table]) -> OrderCounts:
        """Make orders, and all that hangs on them, what their readings say; the tables of `orders.rows.OrderBatch`.

        An order that Postgres refuses is rejected and stays as it was. Where it refuses every one, the tables are to
        blame and not the orders: that is raised, and all are still due.
        """
        with self._in_our_words():
            try:
                return self._transact(tables)
            except Exception as error:
                if not is_bad_data(error):
                    raise
                reasons = self._find_unstorable(tables, trade_ids(tables[ORDER_FETCHES.full_name]))
                if not reasons or reasons.keys() >= set(trade_ids(tables[ORDERS.full_name])):
                    raise
                return replace(self._transact(rejecting(tables, reasons)), rejected=len(reasons))

    def note_listed(self, sightings: pa.Table) -> int:
        """Note what the list says (`orders.rows.sighting_rows`); of how many orders that is news: they are due."""
        return self._run(_prepare_sightings, partial(_note_listed, sightings))

    def compare(self, sightings: pa.Table) -> Comparison:
        """Like `note_listed`, and which of these orders the tables lack, or have otherwise."""

        def work(stage: Stage) -> Comparison:
            _note_listed(sightings, stage)
            found = stage.run(order_sql.COMPARE)
            return Comparison([i for i, missing in found if missing], [i for i, missing in found if not missing])

        return self._run(_prepare_sightings, work)

    def now(self) -> datetime:
        """The time (UTC) by the clock of the ledger."""
        with self._database.begin() as connection:
            now: datetime = connection.execute(_NOW).scalar_one()
            return now

    def newest_listed(self, account: str) -> datetime | None:
        """The latest time of change (UTC) that the list has shown of the account's orders."""
        with self._database.begin() as connection:
            newest: datetime | None = connection.execute(_NEWEST, {"account": account}).scalar_one()
            return newest

    def hand_out(self, account: str, requested_before: datetime, limit: int) -> list[str]:
        """At most `limit` of the account's orders that are due, those that are it longest, noted as handed out.

        Not those that were handed out since `requested_before` (UTC) and of which the list has told nothing new.
        """
        asked = {"account": account, "requested_before": requested_before, "limit": limit}
        with self._database.begin() as connection:
            return sorted(connection.execute(_HAND_OUT, asked).scalars())

    def listed(self, trade_ids: Sequence[str]) -> dict[str, OrderSummary]:
        """What the list last said of these orders; without those that no list has shown."""
        with self._database.begin() as connection:
            rows = connection.execute(_LISTED, {"trade_ids": list(trade_ids)})
            return {row.trade_id: OrderSummary(*row) for row in rows}

    def owners(self, trade_ids: Sequence[str]) -> dict[str, str]:
        """Whose orders these are, by trade ID; without those of which nobody knows."""
        with self._database.begin() as connection:
            rows = connection.execute(_OWNERS, {"trade_ids": list(trade_ids)})
            return {row.trade_id: row.account for row in rows}

    def of_day(self, account: str, since: datetime, before: datetime) -> dict[str, str | None]:
        """The statuses of the account's orders in the tables that were placed then (UTC), by trade ID."""
        with self._database.begin() as connection:
            rows = connection.execute(_OF_DAY, {"account": account, "since": since, "before": before})
            return {row.trade_id: row.status for row in rows}

    def record_day(self, account: str, day: str, **counts: int | str | None) -> None:
        """Note in `ops.order_days` what comparing a day came to."""
        with self._database.begin() as connection:
            connection.execute(_RECORD_DAY, {"account": account, "day": day, **counts})

    def _transact(self, tables: Mapping[str, pa.Table], *, commit: bool = True) -> OrderCounts:
        return self._transactions.run(_prepare_merge, partial(_merge, tables), commit=commit)

    def _find_unstorable(self, tables: Mapping[str, pa.Table], tried: Sequence[str]) -> dict[str, str]:
        """Which orders Postgres will not take, and why, without what is in them: by trying halves."""
        try:
            self._transact(only(tables, tried), commit=False)
        except Exception as error:
            if not is_bad_data(error):
                raise
            if len(tried) == 1:
                return {tried[0]: message(primary_message(driver_error(error)))}
            middle = len(tried) // 2
            return self._find_unstorable(tables, tried[:middle]) | self._find_unstorable(tables, tried[middle:])
        return {}

    def _run(self, prepare: Callable[[Stage], None], work: Callable[[Stage], T]) -> T:
        with self._in_our_words():
            return self._transactions.run(prepare, work)

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        with in_our_words(self._database.address), without_the_row(self._database.address):
            yield


def _prepare_merge(stage: Stage) -> None:
    for table in (ORDERS, *order_sql.CHILDREN, ORDER_FETCHES, REJECTED_RECORDS):
        _make(stage, table)
    stage.make("fresh", order_sql.FRESH)
    stage.make("changed", order_sql.CHANGED)


def _prepare_sightings(stage: Stage) -> None:
    _make(stage, ORDER_FETCHES)


def _make(stage: Stage, table: Table) -> None:
    """`Stage.make_staged` for texts that are short: it spends a statement a column on long ones."""
    stage.make(staged(table), ", ".join(f"{column.name} {column.type.value}" for column in table.columns))


def _merge(tables: Mapping[str, pa.Table], stage: Stage) -> OrderCounts:
    for table in (ORDERS, *order_sql.CHILDREN, ORDER_FETCHES, REJECTED_RECORDS):
        stage.load(staged(table), tables[table.full_name])
    _take_turn(stage)
    stage.run(order_sql.FILL_IN)
    stage.run(order_sql.FIND_FRESH)
    [(changes, skipped, backwards, unknown)] = stage.run(order_sql.log_changes())
    written = sum(int(stage.run(order_sql.merge_children(table))[0][0]) for table in order_sql.CHILDREN)
    [(orders, new, changed)] = stage.run(order_sql.merge_orders())
    stage.run(order_sql.WRITE_LEDGER)
    stage.run(WRITE_REJECTS)
    stage.run(RESOLVE_ORDERS)
    return OrderCounts(
        orders=orders,
        new=new,
        changed=changed,
        stale=tables[ORDERS.full_name].num_rows - orders,
        status_changes=changes,
        skipped=skipped,
        backwards=backwards,
        unknown=unknown,
        rows_written=written + new + changed + changes,
    )


def _note_listed(sightings: pa.Table, stage: Stage) -> int:
    stage.load(staged(ORDER_FETCHES), sightings)
    _take_turn(stage)
    return int(stage.run(order_sql.WRITE_SIGHTINGS)[0][0])


def _take_turn(stage: Stage) -> None:
    stage.run(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    stage.run(take(Lock.ORDERS))
