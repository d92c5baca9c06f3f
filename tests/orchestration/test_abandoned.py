"""A launched run whose process dies is noticed, started again once, and goes on from where it was."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import grpc
import pytest
import yaml
from dagster._core.launcher import WorkerStatus
from dagster_runs import ROOT, installed, succeeded
from deployment import Deployment, clean_environment

from dropship_pipeline.orchestration.abandoned import WORKER, RunLauncher, going

Deploy = Callable[..., Deployment]

SLOW = {"fault": "slow:seconds=120:path=*description*"}
DONE = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def impatient_home(folder: Path) -> str:
    """A DAGSTER_HOME like the project's own, where the monitoring looks every second and gives up at the third."""
    told = yaml.safe_load((ROOT / "dagster_home" / "dagster.yaml").read_text())
    told["run_monitoring"]["poll_interval_seconds"] = 1
    told["run_launcher"]["config"] = {"missed_looks": 3}
    folder.mkdir()
    (folder / "dagster.yaml").write_text(yaml.safe_dump(told))
    return str(folder)


@contextmanager
def dagster(merchant: Deployment, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A part of Dagster, as a process of its own in the merchant's home."""
    merchant.home.mkdir(exist_ok=True)
    with (merchant.home / f"{arguments[0]}.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=merchant.home,
            env={**clean_environment(), **merchant.environment},
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def code_server(merchant: Deployment, port: int) -> Iterator[subprocess.Popen[str]]:
    """The code server, when it answers."""
    module = ("-m", "dropship_pipeline.definitions")
    with (
        dagster(merchant, "dagster", "api", "grpc", *module, "-p", str(port)) as server,
        grpc.insecure_channel(f"localhost:{port}") as channel,
    ):
        grpc.channel_ready_future(channel).result(timeout=120)
        yield server


def until(seen: Callable[[], object], seconds: float = 90) -> None:
    """Wait until it is so."""
    give_up = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < give_up, "it never came about"
        time.sleep(0.2)


@pytest.mark.timeout(600)  # four processes of Dagster start, one of them twice
def test_a_run_goes_on_without_its_code_server_and_when_its_own_process_dies_it_is_started_again_once(
    deploy: Deploy, tmp_path: Path
) -> None:
    merchant = deploy(
        products=30,
        drift=0,
        variables={
            "DAGSTER_HOME": impatient_home(tmp_path / "impatient"),
            "DROPSHIP_SCHEDULES": "false",
            "DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1",
        },
    )
    merchant.sandbox.control("faults", SLOW)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    workspace = tmp_path / "workspace.yaml"
    served = {"host": "localhost", "port": port, "location_name": "dropship_pipeline"}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": served}]}))
    with installed(merchant) as instance, dagster(merchant, "dagster._daemon", "run", "-w", str(workspace)):

        def run() -> dg.DagsterRun:
            [oldest, *_] = reversed(instance.get_runs())
            return oldest

        with code_server(merchant, port) as server:
            feed = '{"dagster/partition": "local_us"}'
            launching = ("job", "launch", "-w", str(workspace), "-j", "catalogue_sync", "--tags", feed)
            with dagster(merchant, "dagster", *launching) as launch:
                assert launch.wait(120) == 0
            until(lambda: "discover" in succeeded(instance, run()))
            server.kill()
            server.wait()
        with code_server(merchant, port):
            time.sleep(5)  # more looks than it takes to give a run up
            assert run().status is dg.DagsterRunStatus.STARTED
            host, _, worker = run().tags[WORKER].rpartition(":")
            assert host == socket.gethostname()

            merchant.sandbox.control("faults", method="DELETE")
            os.kill(int(worker), signal.SIGKILL)
            until(lambda: run().status is dg.DagsterRunStatus.FAILURE)
            [end] = instance.all_logs(run().run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
            assert f"{host}:{worker}, is gone" in end.get_dagster_event().message

            until(lambda: len(instance.get_runs()) == 2 and instance.get_runs(limit=1)[0].status in DONE)
            again, first = instance.get_runs()
            assert again.status is dg.DagsterRunStatus.SUCCESS
            assert again.parent_run_id == first.run_id
            assert "discover" not in succeeded(instance, again)
            assert "publish" in succeeded(instance, again)
    assert merchant.value("SELECT count(*) FROM catalog.products") > 0


def test_a_run_that_is_missed_now_and_then_is_not_given_up_and_one_that_nobody_claimed_is_not_judged(
    deploy: Deploy,
) -> None:
    merchant = deploy()
    with installed(merchant):
        launcher = RunLauncher(missed_looks=3)

        def looks(run: dg.DagsterRun, n: int) -> list[WorkerStatus]:
            return [launcher.check_run_worker_health(run).status for _ in range(n)]

        unclaimed = dg.DagsterRun("catalogue_sync", run_id="1")
        assert looks(unclaimed, 9) == [WorkerStatus.RUNNING] * 9
        claimed = dg.DagsterRun("catalogue_sync", run_id="2", tags={WORKER: "elsewhere:1"})
        assert looks(claimed, 2) == [WorkerStatus.RUNNING] * 2
        with going(merchant.database, "2"):
            assert looks(claimed, 4) == [WorkerStatus.RUNNING] * 4
        until(lambda: looks(claimed, 1) == [WorkerStatus.FAILED], 10)
