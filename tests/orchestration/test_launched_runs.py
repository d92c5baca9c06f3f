"""Runs that are launched: by a backfill, a schedule, a sensor, a click; with the whole of Dagster as processes.

All of them share one merchant and one Dagster, whose schedules and sensors are off until a test turns one on.
"""

import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickStatus,
)
from dagster_group import CODE, DAEMON, Group, dagster_running, impatient_home
from dagster_runs import fresh_database, installed, materialised, succeeded
from dagster_ui import LOCATION, Ui, wait_for
from deployment import Deployment

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.orchestration.abandoned import WORKER
from dropship_pipeline.orchestration.tags import TRIGGER
from dropship_pipeline.sandbox.launch import SandboxConfig, start
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.catalog import CATALOG_TABLES

# all in one worker: the processes take their time to start
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("launched-runs")]

TABLES = [f"{table.schema}/{table.name}" for table in CATALOG_TABLES]
LANDED = ["raw/listing", "raw/description", "raw/inventory", "raw/freight"]
ORDER = "/alibaba/order/get"
BREAKS = {"fault": "refuse:code=300000:path=/eco/buyer/crossborder/product/check"}
SLOW = {"fault": "slow:seconds=120:path=*description*"}
SENSOR, SCHEDULE = "order_status_sensor", "catalogue_sync_schedule"


@pytest.fixture(scope="module")
def group(server: Database, dagster_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Code server, webserver, daemon; a world of 40 products in which the orders go on and nothing else does."""
    folder = tmp_path_factory.mktemp("dagster")
    variables = {
        "DAGSTER_HOME": str(impatient_home(folder / "home")),
        "DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1",
        "DROPSHIP_SCHEDULES": "false",
    }
    config = SandboxConfig(products=40, orders=30, clock_speed=0.0, drift=0.0)
    with fresh_database(server, dagster_template) as database, start(config) as sandbox:
        merchant = Deployment(tmp_path_factory.mktemp("merchant"), database, sandbox, variables)
        with dagster_running(merchant, folder) as running:
            yield running


@pytest.fixture(scope="module")
def instance(group: Group) -> Iterator[dg.DagsterInstance]:
    with installed(group.merchant) as here:
        yield here


def state_of(kind: InstigatorType, name: str) -> InstigatorState:
    """A schedule or sensor that is on: a schedule since yesterday, so that its last tick is still to be made."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION), "__repository__")
    began = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    data = SensorInstigatorData() if kind is InstigatorType.SENSOR else ScheduleInstigatorData("15 3 * * *", began)
    return InstigatorState(RemoteInstigatorOrigin(repository, name), kind, InstigatorStatus.RUNNING, data)


def stored(instance: dg.DagsterInstance, name: str) -> InstigatorState:
    """How a schedule or sensor stands."""
    [found] = [state for state in instance.all_instigator_state() if state.instigator_name == name]
    return found


def turn_off(instance: dg.DagsterInstance, *names: str) -> None:
    for name in names:
        instance.update_instigator_state(stored(instance, name).with_status(InstigatorStatus.STOPPED))


def make_due(instance: dg.DagsterInstance, name: str) -> None:
    """Have a sensor forget when it last looked: it looks once a minute."""
    state = stored(instance, name)
    assert isinstance(state.instigator_data, SensorInstigatorData)
    assert state.instigator_data.cursor
    data = state.instigator_data._replace(last_tick_timestamp=0.0, last_tick_start_timestamp=0.0)
    instance.update_instigator_state(state.with_data(data))


def ticks(instance: dg.DagsterInstance, name: str) -> list[InstigatorTick]:
    """The ticks of a schedule or sensor that are over, the newest first."""
    state = stored(instance, name)
    made = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    return [tick for tick in made if tick.status is not TickStatus.STARTED]


def run_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


def test_backfilled_feeds_that_are_no_neighbours_go_one_after_the_other_and_one_that_breaks_is_done_alone_later(
    group: Group, instance: dg.DagsterInstance
) -> None:
    merchant, ui = group.merchant, group.ui
    feeds = [FEEDS[0].key, "local_mx", "local_regular", "cross_border"]
    merchant.sandbox.control("faults", BREAKS)
    broken = ui.backfill([*LANDED, *TABLES, "lake/snapshot"], feeds)
    assert ui.backfill_ended(broken) == "COMPLETED_FAILED"
    for asset in (*LANDED, *TABLES):
        assert ui.partitions(asset) == {"materialized": sorted(feeds[:-1]), "failed": ["cross_border"]}
    # the others were fanned out all the same
    assert merchant.value("SELECT count(*) FROM catalog.price_tiers") > 0
    apart, together = one_after_the_other(ui, broken)
    assert materialised(instance, run_of(instance, apart))["catalog/products"] == [FEEDS[0].key]
    assert materialised(instance, run_of(instance, together))["catalog/products"] == ["local_mx", "local_regular"]

    merchant.sandbox.control("faults", method="DELETE")
    before = dict(merchant.calls("/eco/buyer/local/product/check"))
    again = ui.reexecute_backfill(broken)
    assert ui.backfill_ended(again) == "COMPLETED_SUCCESS"
    for asset in (*LANDED, *TABLES):
        assert ui.partitions(asset) == {"materialized": sorted(feeds), "failed": []}, asset
    assert merchant.calls("/eco/buyer/local/product/check") == before
    repeated = [materialised(instance, run_of(instance, run)) for run in one_after_the_other(ui, again)]
    assert {asset: keys for found in repeated for asset, keys in found.items()} == {
        **{asset: ["cross_border"] for asset in (*LANDED, *TABLES)},
        "lake/snapshot": [None],
    }


def one_after_the_other(ui: Ui, backfill: str) -> list[str]:
    """The runs of a backfill in the order of their start, of which none began before the one before it had ended."""
    tagged = ui.runs(tags=[{"key": "dagster/backfill", "value": backfill}])
    runs = sorted([(run["runId"], ui.ended(run["runId"])) for run in tagged], key=lambda run: run[1]["startTime"])
    assert all(first["endTime"] <= second["startTime"] for (_, first), (_, second) in pairwise(runs))
    return [run_id for run_id, _ in runs]


def test_what_goes_waits_and_follows_survives_a_restart_and_a_run_whose_own_process_dies_is_started_again_once(
    group: Group, instance: dg.DagsterInstance
) -> None:
    merchant, ui = group.merchant, group.ui
    instance.add_instigator_state(state_of(InstigatorType.SENSOR, SENSOR))
    [asked] = wait_for(lambda: ui.runs(pipelineName="orders_refresh"), "the sensor has asked for nothing")
    assert ui.ended(asked["runId"])["status"] == "SUCCESS"
    orders_read = merchant.calls(ORDER)
    assert merchant.value("SELECT count(*) FROM orders.orders") == len(orders_read) > 0

    # a tick of the daemon has made a run; the command line does not wait for it, a launched one does
    merchant.sandbox.control("faults", SLOW)
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE ops.fetches SET fetched_at = fetched_at - interval '99 days'")  # all is due
    instance.add_instigator_state(state_of(InstigatorType.SCHEDULE, SCHEDULE))
    tagged = {"tags": [{"key": "dagster/schedule_name", "value": SCHEDULE}]}
    [scheduled] = [run["runId"] for run in wait_for(lambda: ui.runs(**tagged), "no tick has made a run")]
    turn_off(instance, SCHEDULE)
    wait_for(lambda: "discover" in succeeded(instance, run_of(instance, scheduled)), "it lists and lists")
    merchant.dropship("sync", "--feed", "cross_border", "--limit", "0")
    [of_the_terminal] = ui.runs(tags=[{"key": TRIGGER, "value": "cli"}])
    assert of_the_terminal["status"] == "SUCCESS"
    waiting = ui.relaunch(of_the_terminal["runId"])

    group.kill(CODE)
    group.end(DAEMON)
    looks = len(ticks(instance, SENSOR))
    make_due(instance, SENSOR)
    group.start(CODE, DAEMON)
    wait_for(lambda: len(ticks(instance, SENSOR)) > looks, "the sensor looks no more")
    # it went on from where it was: nothing had changed, so nothing is to be read
    turn_off(instance, SENSOR)
    assert ticks(instance, SENSOR)[0].status is TickStatus.SKIPPED
    assert [run["runId"] for run in ui.runs(pipelineName="orders_refresh")] == [asked["runId"]]
    assert merchant.calls(ORDER) == orders_read
    time.sleep(4)  # more looks than it takes to give a run up
    assert run_of(instance, scheduled).status is dg.DagsterRunStatus.STARTED
    assert run_of(instance, waiting).status is dg.DagsterRunStatus.QUEUED

    merchant.sandbox.control("faults", method="DELETE")
    host, _, worker = run_of(instance, scheduled).tags[WORKER].rpartition(":")
    assert host == socket.gethostname()
    os.kill(int(worker), signal.SIGKILL)
    assert ui.ended(scheduled)["status"] == "FAILURE"
    [end] = instance.all_logs(scheduled, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert f"{host}:{worker}, is gone" in end.get_dagster_event().message
    family = {"tags": [{"key": "dagster/parent_run_id", "value": scheduled}]}
    [again] = [run["runId"] for run in wait_for(lambda: ui.runs(**family), "it is not started again")]
    ended = [ui.ended(again), ui.ended(waiting)]
    assert [run["status"] for run in ended] == ["SUCCESS", "SUCCESS"]
    first, second = sorted(ended, key=lambda run: run["startTime"])
    assert second["startTime"] >= first["endTime"]
    assert len(ui.runs(**tagged)) == 2

    repeated, relaunched = run_of(instance, again), run_of(instance, waiting)
    assert "discover" not in succeeded(instance, repeated)
    assert "publish" in succeeded(instance, repeated)
    every_feed = sorted(feed.key for feed in FEEDS)
    assert materialised(instance, run_of(instance, scheduled))["catalog/feed_products"] == every_feed
    assert materialised(instance, repeated)["catalog/products"] == every_feed
    # it has the tags of the terminal's run, and is watched as the code server's own
    assert relaunched.tags[TRIGGER] == "cli"
    assert instance.run_launcher.check_run_worker_health(relaunched).status is WorkerStatus.RUNNING
    # what Dagster keeps in files is where the rest of the data is, not where its configuration is
    assert list((merchant.home / "dagster" / "logs").iterdir())
    home = Path(merchant.variables["DAGSTER_HOME"])
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["dagster.yaml"]
