"""Dagster's storage in Postgres, asked less: one small pool of connections, and no question twice whose answer stays.

A run writes some 250 events. Left to itself Dagster opens a connection for each, one or two more inside it, and asks
the system catalogue each time which tables there are: that took Postgres longer than the sync of an unchanged
catalogue. What is written is what Dagster writes. Where the tables are is in `instance.py`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dagster import DagsterEventType
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData, serialize_value
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage, PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_postgres.utils import create_pg_engine
from sqlalchemy import Connection, Engine, text

_TABLES = text("SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(CAST(:names AS text[])) name")
_FIRST_OF_EACH = ["runs", "instance_info", "event_logs", "jobs"]  # what its three storages look for
_PLANNED = {DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED}


def pooled(url: str) -> Engine:
    """An engine that keeps two connections, each for a second, as long as it is not asked for more at once.

    No longer, so that a Postgres that restarts meanwhile goes unnoticed, as it does without a pool.
    """
    return create_pg_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=2,
        max_overflow=-1,
        pool_recycle=1,
        pool_use_lifo=True,
        use_native_hstore=False,
    )


class _Runs(PostgresRunStorage):
    def __init__(self, url: str, engine: Engine, *, create: bool) -> None:
        super().__init__(url, create)
        self._engine = engine


class _Schedules(PostgresScheduleStorage):
    def __init__(self, url: str, engine: Engine, *, create: bool) -> None:
        super().__init__(url, create)
        self._engine = engine


class _Events(PostgresEventLogStorage):
    def __init__(self, url: str, engine: Engine, *, create: bool) -> None:
        super().__init__(url, create)
        self._engine = engine
        self._there: set[str] = set()

    def has_table(self, table_name: str) -> bool:
        """Whether there is such a table; one that there is stays."""
        return self._remembered(table_name) or self._remember(table_name, there=super().has_table(table_name))

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        name = f"asset_keys.{column_name}"
        if self._remembered(name):
            return True
        return self._remember(name, there=super()._has_asset_key_col_on_connection(conn, column_name))

    def _remembered(self, name: str) -> bool:
        return name in self._there

    def _remember(self, name: str, *, there: bool) -> bool:
        if there:
            self._there.add(name)
        return there

    def store_event(self, event: EventLogEntry) -> None:
        """Store the event. Nobody is notified of it, for nobody listens: Dagster asks what is new."""
        kind = event.dagster_event_type
        if kind in ASSET_EVENTS:
            super().store_event(event)
            return
        with self._connect() as connection:
            statement = self.prepare_insert_event(event).returning(SqlEventLogStorageTable.c.id)
            event_id = int(connection.execute(statement).scalar_one())
        if kind in ASSET_CHECK_EVENTS:
            self.store_asset_check_event(event, event_id)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store the events together; what a run plans, too, in one transaction: Dagster would go one by one."""
        if not {event.dagster_event_type for event in events} <= _PLANNED:
            super().store_event_batch(events)
            return
        with self.index_transaction() as connection:
            statement = self.prepare_insert_event_batch(events).returning(SqlEventLogStorageTable.c.id)
            ids = [int(row[0]) for row in connection.execute(statement)]
            checks: list[dict[str, Any]] = []
            for event, event_id in zip(events, ids, strict=True):
                if event.dagster_event_type is DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
                    checks += self._planned_checks(event, event_id)
                else:
                    self._store_asset_event(connection, event, event_id)
            if checks:
                connection.execute(AssetCheckExecutionsTable.insert(), checks)

    def _planned_checks(self, event: EventLogEntry, event_id: int) -> list[dict[str, Any]]:
        planned = event.get_dagster_event().asset_check_planned_data
        partitions = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [None]
        return [
            {
                "asset_key": planned.asset_key.to_string(),
                "check_name": planned.check_name,
                "partition": partition,
                "run_id": event.run_id,
                "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
                "evaluation_event": serialize_value(event),
                "evaluation_event_timestamp": datetime.fromtimestamp(event.timestamp, UTC).replace(tzinfo=None),
                "evaluation_event_storage_id": event_id,
            }
            for partition in partitions
        ]

    def dispose(self) -> None:
        """Let go of the connections, too."""
        super().dispose()
        self._engine.dispose()


class PooledStorage(DagsterPostgresStorage):
    """Dagster's three storages over one pool. `optimize_for_webserver` gives each a pool of its own, as ever."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super(DagsterPostgresStorage, self).__init__()  # type: ignore[no-untyped-call]  # Dagster's
        engine = pooled(postgres_url)
        with engine.connect() as connection:
            create = not connection.execute(_TABLES, {"names": _FIRST_OF_EACH}).scalar_one()
        self.postgres_url = postgres_url
        self.should_autocreate_tables = create
        self._inst_data = inst_data
        self._run_storage = _Runs(postgres_url, engine, create=create)
        self._event_log_storage = _Events(postgres_url, engine, create=create)
        self._schedule_storage = _Schedules(postgres_url, engine, create=create)
