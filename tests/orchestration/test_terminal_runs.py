"""`dropship sync` is a run like any other, however its process ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
from dagster._core.launcher import WorkerStatus
from dagster_runs import installed
from deployment import Deployment, clean_environment

from dropship_pipeline.storage.server.database import Database

Deploy = Callable[..., Deployment]

DROPSHIP = [sys.executable, "-m", "dropship_pipeline.cli"]
# whoever runs the tests in the background ignores Ctrl-C, and so would the sync
AT_A_TERMINAL = """
import signal
from dropship_pipeline.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
SLOW = {"fault": "slow:seconds=20:path=*description*"}


@contextmanager
def syncing(variables: dict[str, str], home: Path) -> Iterator[subprocess.Popen[str]]:
    """A sync that has listed its feed and goes on for long, in a process group of its own as at a terminal."""
    home.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", AT_A_TERMINAL, "sync", "--feed", "local_us"],
        env={**clean_environment(), **variables},
        cwd=home,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.startswith("Listing"):
                break
        assert process.poll() is None
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


def wait_for_step(database: Database, step: str, times: int) -> None:
    """Wait until so many runs have come to this step."""
    query = f"SELECT count(*) FROM dagster.event_logs WHERE dagster_event_type = 'STEP_START' AND step_key = '{step}'"
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        with database.begin() as connection:
            if connection.exec_driver_sql(query).scalar() == times:
                break
        time.sleep(0.1)
    database.close()
    time.sleep(0.3)  # for it to wait for the API


def runs(merchant: Deployment) -> list[dg.DagsterRun]:
    """The runs that the UI shows, oldest first."""
    with installed(merchant) as instance:
        return list(reversed(instance.get_runs()))


def health(merchant: Deployment) -> WorkerStatus:
    """What the daemon's monitoring is told of the newest run."""
    with installed(merchant) as instance:
        assert instance.run_launcher.supports_check_run_worker_health
        return instance.run_launcher.check_run_worker_health(instance.get_runs(limit=1)[0]).status


def test_a_sync_is_a_run_that_the_ui_knows_by_its_job(deploy: Deploy) -> None:
    merchant = deploy(products=30)
    merchant.dropship("sync", "--feed", "us_standard", "--feed", "cross_border_us", "--feed", "local_mx")
    first, second = runs(merchant)
    for run in (first, second):
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert run.job_name == "catalogue_sync"
        assert run.tags["dropship/trigger"] == "cli"
        assert run.remote_job_origin is not None
        assert run.remote_job_origin.location_name == "dropship_pipeline"
    assert first.tags["dagster/asset_partition_range_end"] == "cross_border_us"
    assert second.tags["dagster/asset_partition_range_end"] == "local_mx"


def test_a_run_whose_process_was_killed_is_closed_by_the_next_sync_and_one_that_goes_is_not(deploy: Deploy) -> None:
    merchant = deploy(products=30)
    merchant.sandbox.control("faults", SLOW)
    with syncing(merchant.environment, merchant.home) as killed:
        killed.kill()
        killed.wait()
        assert health(merchant) is WorkerStatus.FAILED
    with syncing(merchant.environment, merchant.home):
        abandoned, going = runs(merchant)
        assert abandoned.status is dg.DagsterRunStatus.FAILURE
        assert going.status is dg.DagsterRunStatus.STARTED
        assert health(merchant) is WorkerStatus.RUNNING
        merchant.dropship("sync", "--feed", "mx_top_sellers", "--limit", "0")
        abandoned, going, beside = runs(merchant)
        assert going.status is dg.DagsterRunStatus.STARTED
        assert beside.status is dg.DagsterRunStatus.SUCCESS
    with installed(merchant) as instance:
        [end] = instance.all_logs(abandoned.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert "The process that ran it is gone" in end.get_dagster_event().message


def test_a_sync_that_is_told_to_stop_ends_its_run_and_leaves_no_process(tmp_path: Path) -> None:
    # everything that it can bring along: the simulated Alibaba.com and the embedded Postgres
    home = tmp_path / "a"  # short: the path of the socket of a server has at most 107 characters
    variables = {"DROPSHIP_HOME": str(home), "ALIBABA_CALLS_PER_SECOND": "5"}
    for times, stop in enumerate((signal.SIGINT, signal.SIGTERM), 1):
        with syncing(variables, home) as process:
            wait_for_step(Database(f"postgresql://postgres@/dropship?host={home / 'postgres'}"), "describe", times)
            brought = psutil.Process(process.pid).children(recursive=True)
            postgres = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))
            assert any("dropship_pipeline.sandbox" in " ".join(child.cmdline()) for child in brought)
            if stop is signal.SIGINT:
                os.killpg(process.pid, stop)  # as a terminal does
            else:
                process.send_signal(stop)
            assert process.stderr is not None
            last_words = process.stderr.read()
            assert process.wait(30) == 128 + stop
        assert "stopped" in last_words
        assert "Traceback" not in last_words
        gone_by = time.monotonic() + 60
        while time.monotonic() < gone_by and any(one.is_running() for one in [postgres, *brought]):
            time.sleep(0.1)
        assert [one.cmdline() for one in [postgres, *brought] if one.is_running()] == []

    ended = subprocess.run(
        [*DROPSHIP, "sql", "--csv", "SELECT status, outcome FROM dagster.runs JOIN ops.syncs USING (run_id)"],
        env={**clean_environment(), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == ["status,outcome", "CANCELED,failed", "CANCELED,failed"]
