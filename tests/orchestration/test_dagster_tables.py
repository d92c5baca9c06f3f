import time
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._core.events.log import EventLogEntry
from dagster_postgres import PostgresEventLogStorage
from dagster_runs import installed
from deployment import Deployment
from sqlalchemy import Engine, event

from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.storage.dagster_schema import dagster_url

Deploy = Callable[..., Deployment]

PLANNED = ("ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED")
NAMES = [f"one_of_{number}" for number in range(12)]


@dg.multi_asset(
    specs=[dg.AssetSpec(name) for name in NAMES], check_specs=[dg.AssetCheckSpec("sound", asset=name) for name in NAMES]
)
def twelve() -> Iterator[Any]:
    for name in NAMES:
        yield dg.MaterializeResult(asset_key=name)
        yield dg.AssetCheckResult(asset_key=name, check_name="sound", passed=True)


@pytest.fixture
def merchant(deploy: Deploy, unasked: Running) -> Deployment:
    return deploy(sandbox=unasked)


class Asked:
    """What Postgres is asked while this listens: statements, and how many connections are made."""

    def __init__(self) -> None:
        self.connections = 0
        self.statements: list[str] = []

    def __enter__(self) -> "Asked":
        event.listen(Engine, "connect", self._connect)
        event.listen(Engine, "before_cursor_execute", self._execute)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "connect", self._connect)
        event.remove(Engine, "before_cursor_execute", self._execute)

    def _connect(self, *_: Any) -> None:
        self.connections += 1

    def _execute(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements.append(statement)


def test_a_run_of_many_events_takes_a_few_connections_and_asks_once_which_tables_there_are(
    merchant: Deployment,
) -> None:
    with installed(merchant) as instance, Asked() as asked:
        done = dg.materialize([twelve], instance=instance)
        events = len(instance.all_logs(done.run_id))
    assert done.success
    assert events > 80
    assert asked.connections <= 12  # two that are kept, each for a second; one an event would be 80
    of_the_catalogue = [statement for statement in asked.statements if "pg_catalog.pg_class" in statement]
    assert 0 < len(of_the_catalogue) <= 20
    inserted = [statement for statement in asked.statements if statement.startswith("INSERT INTO event_logs")]
    assert len(inserted) <= events - 2 * len(NAMES) + 1  # what was planned came in one


def test_what_a_run_plans_is_written_as_dagster_writes_it(merchant: Deployment) -> None:
    with installed(merchant) as instance:
        done = dg.materialize([twelve], instance=instance)
        planned = [entry for entry in instance.all_logs(done.run_id) if entry.dagster_event_type.value in PLANNED]
        assert len(planned) == 2 * len(NAMES)
        ours = instance.event_log_storage
        theirs = PostgresEventLogStorage(dagster_url(merchant.database))
        ours.store_event_batch([entry._replace(run_id="ours") for entry in planned])
        keys = _asset_keys(merchant)
        for entry in planned:
            theirs.store_event(entry._replace(run_id="theirs"))
    assert _events(merchant, "ours") == _events(merchant, "theirs") != []
    assert _checks(merchant, "ours") == _checks(merchant, "theirs") != []
    assert set(keys.values()) == {"ours"}
    assert _asset_keys(merchant) == dict.fromkeys(keys, "theirs")


def test_what_happens_in_a_run_is_written_as_dagster_writes_it(merchant: Deployment) -> None:
    with installed(merchant) as instance:
        done = dg.materialize([twelve], instance=instance)
        happened = [entry for entry in instance.all_logs(done.run_id) if entry.dagster_event_type.value not in PLANNED]
        said = EventLogEntry(None, "INFO", "a line that a step logged", done.run_id, time.time(), job_name="a job")
        theirs = PostgresEventLogStorage(dagster_url(merchant.database))
        for entry in [*happened, said]:
            instance.event_log_storage.store_event(entry._replace(run_id="ours"))
            theirs.store_event(entry._replace(run_id="theirs"))
    assert {"STEP_OUTPUT", "ASSET_MATERIALIZATION", "ASSET_CHECK_EVALUATION", None} <= {
        event["dagster_event_type"] for event in _events(merchant, "ours")
    }
    assert _events(merchant, "ours") == _events(merchant, "theirs")
    assert len(_checks(merchant, "ours")) == len(NAMES)
    assert _checks(merchant, "ours") == _checks(merchant, "theirs")


def test_plans_that_cannot_all_be_written_are_not_written_in_part(merchant: Deployment) -> None:
    with installed(merchant) as instance:
        done = dg.materialize([twelve], instance=instance)
        planned = [entry for entry in instance.all_logs(done.run_id) if entry.dagster_event_type.value in PLANNED]
        with merchant.database.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE dagster.asset_check_executions ADD CHECK (run_id <> 'broken')")
        with pytest.raises(Exception, match="violates check constraint"):
            instance.event_log_storage.store_event_batch([entry._replace(run_id="broken") for entry in planned])
    assert _events(merchant, "broken") == []


def _events(merchant: Deployment, run: str) -> list[dict[str, Any]]:
    return merchant.rows(
        f"""SELECT replace(event, '{run}', '') AS event, dagster_event_type, timestamp, step_key, asset_key, partition
            FROM dagster.event_logs WHERE run_id = '{run}' ORDER BY id"""
    )


def _checks(merchant: Deployment, run: str) -> list[dict[str, Any]]:
    return merchant.rows(
        f"""SELECT c.asset_key, check_name, c.partition, execution_status, evaluation_event_timestamp,
                replace(evaluation_event, '{run}', '') AS event, e.asset_key AS of_event
            FROM dagster.asset_check_executions c
            LEFT JOIN dagster.event_logs e ON e.id = c.evaluation_event_storage_id AND e.run_id = c.run_id
            WHERE c.run_id = '{run}' ORDER BY c.asset_key, check_name"""
    )


def _asset_keys(merchant: Deployment) -> dict[str, str]:
    rows = merchant.rows("SELECT asset_key, last_run_id FROM dagster.asset_keys")
    return {row["asset_key"]: row["last_run_id"] for row in rows}
