"""Tidying up the database: book-keeping that is past its time, and the space that changed rows left behind.

What is deleted goes in batches, each a short transaction of its own: a sync beside it does not wait, and one that is
cut short goes on the next time. What analysts read is not touched. Dagster's own tables: `orchestration/pruning.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from dropship_pipeline.storage.dagster_schema import SCHEMA as DAGSTER
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.registry import SCHEMAS

_ROWS_TOGETHER = 10_000

# what of each table is of no use any more when it is older than `before`, by the columns of its key
_PAST = {
    # the newest of each feed and outcome stays, however old: it says how the feed stands
    "ops.sweeps": (
        "sweep_id",
        """started_at < :before AND EXISTS (
            SELECT FROM ops.sweeps newer
            WHERE newer.feed = past.feed AND newer.state = past.state AND newer.started_at > past.started_at)""",
    ),
    "ops.syncs": (
        "run_id",
        "started_at < :before AND EXISTS (SELECT FROM ops.syncs newer WHERE newer.started_at > past.started_at)",
    ),
    "ops.alerts": ("key", "resolved_at < :before"),
    "ops.order_days": ("account, day", "reconciled_at < :before"),
    "ops.rejected_records": ("kind, record_key, destination", "last_seen_at < :before"),
    # products that somebody asked for by ID and that Alibaba.com does not know
    "ops.fetches": (
        "kind, product_id, destination",
        """fetched_at < :before
            AND NOT EXISTS (SELECT FROM catalog.products p WHERE p.product_id = past.product_id)
            AND NOT EXISTS (SELECT FROM catalog.feed_products m WHERE m.product_id = past.product_id)
            AND NOT EXISTS (SELECT FROM ops.watched_products w WHERE w.product_id = past.product_id)""",
    ),
}
HISTORY = tuple(_PAST)
"""The tables of which `drop_history` deletes what is old."""

_CHANGED = text("""
    SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables
    WHERE schemaname = ANY (:schemas) AND (n_dead_tup > 0 OR n_mod_since_analyze > 0)
    ORDER BY 1
""")
_SIZE = text("SELECT pg_database_size(current_database())")  # unlike the size of a table, waits for no lock


@dataclass(frozen=True, slots=True)
class Freed:
    """How many things were removed, and their bytes, where those are known: Postgres uses its own again."""

    removed: int = 0
    bytes: int = 0

    def __add__(self, other: "Freed") -> "Freed":
        return Freed(self.removed + other.removed, self.bytes + other.bytes)


def drop_history(database: Database, table: str, before: datetime) -> Freed:
    """Delete the rows of a table of `HISTORY` that are older than `before` (UTC) and say nothing of today."""
    key, past = _PAST[table]
    # the condition is asked again where it is deleted: a sync may have touched the row since
    statement = f"""
        DELETE FROM {table} past
        WHERE ({key}) IN (SELECT {key} FROM {table} past WHERE {past} LIMIT :rows) AND {past}
        RETURNING pg_column_size(past.*)
    """  # noqa: S608  our own names
    freed = Freed()
    while True:
        batch = delete(database, statement, {"before": before, "rows": _ROWS_TOGETHER})
        freed += batch
        if batch.removed < _ROWS_TOGETHER:
            return freed


def delete(database: Database, statement: str, parameters: Mapping[str, Any]) -> Freed:
    """Run a DELETE that returns the bytes of each row, as one transaction."""
    counted = text(f"WITH gone (bytes) AS ({statement}) SELECT count(*), coalesce(sum(bytes), 0) FROM gone")  # noqa: S608  ours
    with database.begin() as connection:
        rows, size = connection.execute(counted, parameters).one()
    return Freed(int(rows), int(size))


def changed_tables(database: Database) -> list[str]:
    """The tables of ours and of Dagster's that were changed since they were last vacuumed and analysed."""
    schemas = [*(name for name, _ in SCHEMAS), DAGSTER]
    with database.begin() as connection:
        return list(connection.execute(_CHANGED, {"schemas": schemas}).scalars())


def vacuum(database: Database) -> Freed:
    """Make the space of rows that are gone usable again, and tell the planner what the tables hold now.

    Nobody waits for it; a table that another session locks is left for the next time. Counts tables, and the bytes
    that went back to the disk.
    """
    tables = changed_tables(database)
    with database.autocommit() as connection:
        before = connection.execute(_SIZE).scalar_one()
        for table in tables:
            connection.exec_driver_sql(f"VACUUM (ANALYZE, SKIP_LOCKED) {table}")
        after = connection.execute(_SIZE).scalar_one()
    return Freed(len(tables), max(0, before - after))
