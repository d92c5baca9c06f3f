"""What runs by itself: a tick makes a run that succeeds; a second one does not pile on a run that still goes."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest import mock

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster_runs import fresh_database, installed
from deployment import Deployment

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.orchestration.wiring import build_defs
from dropship_pipeline.problem import Problem
from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.storage.server.database import Database

pytestmark = pytest.mark.xdist_group("schedules")  # what is set up once is set up once

NOW = datetime(2026, 11, 23, 3, 15, tzinfo=UTC)
EVERY_FEED = {
    "dagster/asset_partition_range_start": FEEDS[0].key,
    "dagster/asset_partition_range_end": FEEDS[-1].key,
    "dropship/trigger": "schedule",
}


@pytest.fixture(scope="module")
def shared(
    server: Database, dagster_template: str, unasked: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dg.DagsterInstance]:
    home = tmp_path_factory.mktemp("home")
    with fresh_database(server, dagster_template) as database, installed(Deployment(home, database, unasked)) as here:
        yield here


@pytest.fixture
def instance(shared: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    """An instance without runs."""
    yield shared
    for run in shared.get_runs():
        shared.delete_run(run.run_id)


def tick(instance: dg.DagsterInstance, name: str) -> dg.RunRequest | dg.SkipReason:
    """What one tick of a schedule asks for."""
    defs = build_defs()
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=NOW, repository_def=defs.get_repository_def(), resources={}
    )
    told = defs.get_repository_def().get_schedule_def(name).evaluate_tick(context)
    if told.run_requests:
        [asked] = told.run_requests
        return asked
    return dg.SkipReason(told.skip_message)


def add_run(instance: dg.DagsterInstance, job: str, status: dg.DagsterRunStatus) -> None:
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("dropship_pipeline"), "__repository__")
    origin = RemoteJobOrigin(repository, job)
    instance.create_run_for_job(build_defs().resolve_job_def(job), status=status, remote_job_origin=origin)


def test_the_full_sync_is_asked_for_once_a_day_over_every_feed(instance: dg.DagsterInstance) -> None:
    asked = tick(instance, "catalogue_sync_schedule")
    assert isinstance(asked, dg.RunRequest)
    assert EVERY_FEED.items() <= asked.tags.items()


def test_the_refresh_asks_for_its_own_age(instance: dg.DagsterInstance) -> None:
    with mock.patch.dict(os.environ, {"DROPSHIP_REFRESH_MAX_AGE": "2h"}):
        asked = tick(instance, "price_and_stock_refresh_schedule")
    assert isinstance(asked, dg.RunRequest)
    assert asked.run_config == {"resources": {"options": {"config": {"max_age": "2h"}}}}
    assert EVERY_FEED.items() <= asked.tags.items()


@pytest.mark.parametrize(
    ("schedule", "going"),
    [
        ("catalogue_sync_schedule", "catalogue_sync"),
        ("price_and_stock_refresh_schedule", "price_and_stock_refresh"),
        ("price_and_stock_refresh_schedule", "catalogue_sync"),  # does the same and more
    ],
)
@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED])
def test_a_tick_does_not_pile_on_a_run_that_still_goes(
    instance: dg.DagsterInstance, schedule: str, going: str, status: dg.DagsterRunStatus
) -> None:
    add_run(instance, going, dg.DagsterRunStatus.SUCCESS)
    assert isinstance(tick(instance, schedule), dg.RunRequest)
    add_run(instance, going, status)
    told = tick(instance, schedule)
    assert isinstance(told, dg.SkipReason)
    assert f"of {going} is not over: {status.value.lower()}" in told.skip_message


def test_a_refresh_that_goes_does_not_keep_the_full_sync_from_its_place_in_the_queue(
    instance: dg.DagsterInstance,
) -> None:
    add_run(instance, "price_and_stock_refresh", dg.DagsterRunStatus.STARTED)
    assert isinstance(tick(instance, "catalogue_sync_schedule"), dg.RunRequest)


def test_schedules_are_on_unless_the_settings_say_otherwise() -> None:
    for said, status in (("true", dg.DefaultScheduleStatus.RUNNING), ("false", dg.DefaultScheduleStatus.STOPPED)):
        with mock.patch.dict(os.environ, {"DROPSHIP_SCHEDULES": said}):
            schedules = build_defs().get_repository_def().schedule_defs
        assert {schedule.default_status for schedule in schedules} == {status}
        assert {schedule.execution_timezone for schedule in schedules} == {"UTC"}


def test_a_cron_that_is_none_is_named_with_its_variable() -> None:
    with (
        mock.patch.dict(os.environ, {"DROPSHIP_SYNC_CRON": "every day"}),
        pytest.raises(Problem, match="DROPSHIP_SYNC_CRON is 'every day'"),
    ):
        build_defs()
