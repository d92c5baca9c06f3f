"""Maintenance deletes what nobody looks at any more, and nothing that Dagster's pages show of today."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_runs import failures, installed
from deployment import Deployment

from dropship_pipeline.orchestration.pruning import drop_check_results, drop_events, drop_runs, drop_step_logs
from dropship_pipeline.orchestration.resources import store_resource
from dropship_pipeline.orchestration.upkeep import MAINTENANCE_JOB
from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.storage.server.database import Database

Deploy = Callable[..., Deployment]

KEY = dg.AssetKey("goods")
CHECK = dg.AssetCheckKey(KEY, "all_there")


@dg.asset(
    name="goods",
    partitions_def=dg.StaticPartitionsDefinition(["north", "south", "west"]),
    check_specs=[dg.AssetCheckSpec("all_there", asset="goods")],
)
def goods(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """An asset that can be made to fail, and says something."""
    context.log.info("a word on the way")
    if "fail" in context.run.tags:
        raise dg.Failure("it was asked to")
    yield dg.MaterializeResult(
        metadata={"rows": 1}, check_results=[dg.AssetCheckResult(check_name="all_there", passed=True)]
    )


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def idle() -> None:
    """A job without assets."""
    nothing()


class History:
    """Runs of long ago, of which a test makes as many as it needs."""

    def __init__(self, instance: dg.DagsterInstance, database: Database) -> None:
        self.instance = instance
        self.database = database

    def goods(self, days: float, partition: str, *, tags: dict[str, str] | None = None) -> str:
        """A run of the asset, so many days ago; its ID."""
        done = dg.materialize([goods], partition_key=partition, tags=tags, instance=self.instance, raise_on_error=False)
        return self.aged(done.run_id, days)

    def idle(self, days: float, *, tags: dict[str, str] | None = None) -> str:
        """A run of the job, so many days ago; its ID."""
        return self.aged(idle.execute_in_process(instance=self.instance, tags=tags).run_id, days)

    def aged(self, run_id: str, days: float) -> str:
        ago = f"interval '{days} days'"
        with self.database.begin() as connection:
            for statement in (
                f"""UPDATE dagster.runs SET create_timestamp = create_timestamp - {ago},
                    update_timestamp = update_timestamp - {ago}, end_time = end_time - {days * 86400} WHERE""",
                f"UPDATE dagster.event_logs SET timestamp = timestamp - {ago} WHERE",
                f"UPDATE dagster.asset_check_executions SET create_timestamp = create_timestamp - {ago} WHERE",
            ):
                connection.exec_driver_sql(f"{statement} run_id = '{run_id}'")
        return run_id

    def kept(self) -> set[str]:
        """The runs that are there."""
        return {run.run_id for run in self.instance.get_runs()}

    def shown(self) -> dict[str, Any]:
        """What the pages of the asset show: its latest materialisations and checks, and how its partitions stand."""
        storage = self.instance.event_log_storage
        latest = self.instance.get_latest_materialization_event(KEY)
        check = storage.get_latest_asset_check_execution_by_key([CHECK])[CHECK]
        return {
            "latest": latest and (latest.run_id, latest.timestamp),
            "partitions": storage.get_latest_storage_id_by_partition(KEY, dg.DagsterEventType.ASSET_MATERIALIZATION),
            "attempts": storage.get_latest_asset_partition_materialization_attempts_without_materializations(KEY),
            "check": (check.run_id, check.status),
        }

    def steps(self, run_id: str) -> list[tuple[object, ...]]:
        """The steps of a run, as its page draws them: how they ended, from when until when."""
        stats = self.instance.get_run_step_stats(run_id)
        return [(step.step_key, step.status, step.start_time, step.end_time, step.attempts) for step in stats]

    def events(self, run_id: str) -> list[str]:
        """The types of what a run logged, sorted; words without a type are `logged`."""
        entries = self.instance.all_logs(run_id)
        return sorted(e.dagster_event.event_type_value if e.dagster_event else "logged" for e in entries)


@pytest.fixture
def merchant(deploy: Deploy, unasked: Running) -> Deployment:
    return deploy(sandbox=unasked)


@pytest.fixture
def history(merchant: Deployment) -> Iterator[History]:
    with installed(merchant) as instance:
        yield History(instance, merchant.database)


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def test_what_old_runs_logged_on_the_way_goes_and_what_pages_show_of_them_stays(history: History) -> None:
    failed = history.goods(50, "south", tags={"fail": "1"})
    first, second = history.goods(40, "north"), history.goods(40, "north")
    other_day = history.goods(38, "north")
    recent = history.goods(3, "north")
    shown = history.shown()
    steps = [history.steps(run) for run in (failed, first, recent)]
    events_of_recent = history.events(recent)

    freed = drop_events(history.database, ago(30))
    assert freed.removed > 0
    assert freed.bytes > 100 * freed.removed
    assert history.shown() == shown
    assert list(shown["attempts"]) == ["south"]
    assert [history.steps(run) for run in (failed, first, recent)] == steps
    assert history.events(recent) == events_of_recent
    assert {"logged", "ENGINE_EVENT"} <= set(events_of_recent)
    assert "STEP_FAILURE" in history.events(failed)
    for run, materialised in ((first, 0), (second, 1), (other_day, 1), (recent, 1)):
        assert history.events(run).count("ASSET_MATERIALIZATION") == materialised
    for run in (failed, first, second, other_day):
        assert not {"logged", "ENGINE_EVENT"} & set(history.events(run))
    assert drop_events(history.database, ago(30)).removed == 0


def test_old_runs_go_except_those_that_pages_still_show(history: History) -> None:
    needless = [history.goods(200, "north"), history.idle(200)]
    failed = history.goods(180, "west", tags={"fail": "1"})
    latest_of_a_partition = history.goods(170, "south")
    first = history.idle(160)
    family = {"dagster/root_run_id": first, "dagster/parent_run_id": first}
    again = history.idle(150, tags=family)
    needless.append(history.idle(140))
    in_time = [history.goods(80, "north"), history.goods(1, "north"), history.idle(10, tags=family)]
    shown = history.shown()
    assert len(shown["partitions"]) == 2

    assert drop_runs(history.instance, history.database, ago(90)).removed == len(needless)
    assert history.kept() == {failed, latest_of_a_partition, first, again, *in_time}
    assert history.shown() == shown
    assert drop_runs(history.instance, history.database, ago(90)).removed == 0

    assert drop_check_results(history.database, ago(90)).removed == 1, "that of the run which went"
    assert history.shown() == shown


def test_the_newest_run_of_a_job_stays_however_old(history: History) -> None:
    old, newest = history.idle(300), history.idle(200)
    assert drop_runs(history.instance, history.database, ago(90)).removed == 1
    assert history.kept() == {newest}
    assert old not in history.kept()


def test_runs_that_are_not_over_stay_however_old(history: History) -> None:
    going, _ = history.idle(300), history.idle(1)
    with history.database.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE dagster.runs SET status = 'STARTED', end_time = NULL WHERE run_id = '{going}'"
        )
    events = history.events(going)
    drop_events(history.database, ago(30))
    drop_runs(history.instance, history.database, ago(90))
    assert history.events(going) == events


def test_what_steps_printed_long_ago_goes_with_its_folder(history: History, merchant: Deployment) -> None:
    logs = merchant.home / "dagster" / "logs"
    for folder, days in (("old", 40), ("new", 1)):
        file = logs / folder / "compute_logs" / "abc.out"
        file.parent.mkdir(parents=True)
        file.write_text("words" * 100)
        then = time.time() - days * 86400
        for path in (file, file.parent, file.parent.parent):
            os.utime(path, (then, then))
    freed = drop_step_logs(history.instance, ago(30))
    assert (freed.removed, freed.bytes) == (1, 500)
    assert [path.name for path in logs.iterdir()] == ["new"]
    assert (logs / "new" / "compute_logs" / "abc.out").exists()


def maintained(instance: dg.DagsterInstance, **config: object) -> dg.DagsterRun:
    """The job, run with the resources that Dagster makes."""
    defs = dg.Definitions(jobs=[MAINTENANCE_JOB], resources={"store": store_resource})
    result = defs.resolve_job_def("maintenance").execute_in_process(
        instance=instance, run_config={"ops": {"tidy": {"config": config}}}, raise_on_error=False
    )
    return result.dagster_run


def told(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, Any]:
    """The metadata of the step, whether it succeeded or not."""
    [event] = [
        entry.get_dagster_event()
        for entry in instance.all_logs(
            run.run_id, of_type={dg.DagsterEventType.STEP_OUTPUT, dg.DagsterEventType.STEP_FAILURE}
        )
    ]
    if event.is_step_failure:
        failure = event.step_failure_data.user_failure_data
        assert failure is not None
        return {name: entry.value for name, entry in failure.metadata.items()}
    return {name: entry.value for name, entry in event.step_output_data.metadata.items()}


def land(lake: Path, day: str) -> Path:
    file = lake / "raw" / "description" / f"date={day}" / "1.parquet"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x" * 1000)
    return file


def test_the_job_tidies_everything_and_says_what_it_freed(history: History, merchant: Deployment) -> None:
    for days in (200, 199, 1):
        history.goods(days, "north")
    old, new = land(merchant.home / "lake", "2020-01-01"), land(merchant.home / "lake", f"{ago(1):%Y-%m-%d}")
    run = maintained(history.instance)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert not old.exists()
    assert new.exists()
    metadata = told(history.instance, run)
    assert metadata["removed/runs"] == 2
    assert metadata["removed/events"] > 0
    assert metadata["removed/raw"] == 1
    assert metadata["removed/vacuum"] > 0
    assert metadata["bytes"] >= 1000
    assert metadata["seconds"] > 0
    logged = [entry.user_message for entry in history.instance.all_logs(run.run_id)]
    assert any(line.startswith("raw: 1 day of answers, 0.0 MB") for line in logged)


def test_a_part_that_fails_does_not_stop_the_others_and_is_told_at_the_end(
    history: History, merchant: Deployment
) -> None:
    old = land(merchant.home / "lake", "2020-01-01")
    (merchant.home / "lake" / "snapshots").write_text("no folder")
    run = maintained(history.instance, raw_days=3, vacuum=False)
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert not old.exists()
    said = failures(history.instance, run)["tidy"]
    assert said.startswith("snapshots: ")
    assert str(merchant.home / "lake" / "snapshots") in said
    metadata = told(history.instance, run)
    assert metadata["removed/raw"] == 1
    assert "removed/vacuum" not in metadata
