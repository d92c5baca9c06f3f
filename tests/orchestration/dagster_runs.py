"""Runs of the pipeline's jobs on a real instance in Postgres, and what Dagster remembers of them."""

import os
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
from deployment import Deployment, clean_environment
from sqlalchemy.engine import make_url

from dropship_pipeline.orchestration.instance import open_instance
from dropship_pipeline.orchestration.wiring import build_defs
from dropship_pipeline.settings import find_dagster_home, load_settings
from dropship_pipeline.storage.server.database import Database

ROOT = Path(__file__).parents[2]
"""The repository."""


@contextmanager
def installed(merchant: Deployment) -> Iterator[dg.DagsterInstance]:
    """This process with a merchant's variables and nothing else that the pipeline reads; its instance."""
    home = str(find_dagster_home(merchant.settings))
    variables = {**clean_environment(), **merchant.environment, "DAGSTER_HOME": home}
    with mock.patch.dict(os.environ, variables, clear=True), open_instance(merchant.settings) as instance:
        yield instance


def set_up(database_url: str, folder: Path) -> None:
    """Have Dagster make its tables in this database."""
    variables = {"DROPSHIP_DATABASE_URL": database_url, "DROPSHIP_HOME": str(folder), "DAGSTER_HOME": ""}
    with (
        mock.patch.dict(os.environ, {**clean_environment(), **variables}, clear=True),
        open_instance(load_settings()) as instance,
    ):
        assert instance.get_runs() == []


@contextmanager
def fresh_database(server: Database, template: str) -> Iterator[Database]:
    """A copy of this template, for as long as this goes: for what a whole module shares."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    database = Database(make_url(server.libpq_url).set(database=name).render_as_string(hide_password=False))
    try:
        yield database
    finally:
        database.close()
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def run_job(
    instance: dg.DagsterInstance,
    job: str = "catalogue_sync",
    *,
    feeds: tuple[str, str] | str | None = None,
    options: dict[str, object] | None = None,
    ops: dict[str, object] | None = None,
) -> dg.DagsterRun:
    """Run a job in this process with the resources that Dagster makes: for a feed, or from one feed to another."""
    tags = {}
    if isinstance(feeds, tuple):
        tags = dict(
            zip(("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"), feeds, strict=True)
        )
    config: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if options:
        config["resources"] = {"options": {"config": options}}
    if ops:
        config["ops"] = ops
    result = (
        build_defs()
        .resolve_job_def(job)
        .execute_in_process(
            instance=instance,
            run_config=config,
            tags=tags,
            partition_key=feeds if isinstance(feeds, str) else None,
            raise_on_error=False,
        )
    )
    return result.dagster_run


def materialised(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, list[str | None]]:
    """The partitions that a run materialised, by asset, sorted."""
    found = defaultdict(list)
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        event = entry.get_dagster_event()
        assert event.asset_key is not None
        found[event.asset_key.to_user_string()].append(event.partition)
    return {asset: sorted(partitions, key=str) for asset, partitions in found.items()}


def checks(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, dg.AssetCheckEvaluation]:
    """The checks that a run made, by name."""
    entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [entry.get_dagster_event().asset_check_evaluation_data for entry in entries]
    return {evaluation.check_name: evaluation for evaluation in evaluations}


def failures(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, str]:
    """What each step that failed says, by step: what the UI shows first."""
    said = {}
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.get_dagster_event()
        data = event.step_failure_data
        assert event.step_key is not None
        said[event.step_key] = (
            data.user_failure_data.description or ""
            if data.user_failure_data
            else f"{data.error.cls_name}: {data.error.message}"
            if data.error
            else ""
        )
    return said


def succeeded(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """The steps that succeeded, in order."""
    entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
    return [entry.step_key for entry in entries if entry.step_key]


def metadata(instance: dg.DagsterInstance, asset: str, partition: str | None = None) -> dict[str, Any]:
    """The metadata of the latest materialisation of this asset and partition."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset.split("/")), asset_partitions=[partition] if partition else None)
    [latest] = instance.fetch_materializations(wanted, limit=1).records
    assert latest.asset_materialization is not None
    return {name: entry.value for name, entry in latest.asset_materialization.metadata.items()}
