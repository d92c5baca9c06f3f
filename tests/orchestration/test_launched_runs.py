"""Runs that are launched in the UI: through the webserver's GraphQL, the queue, the daemon and the code server."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from dagster._core.launcher import WorkerStatus
from dagster_runs import ROOT, failures, materialised, metadata, succeeded
from dagster_runs import installed as installed_here
from deployment import Deployment, clean_environment

Deploy = Callable[..., Deployment]

AT_A_TERMINAL = """
import signal
from dagster.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""
LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
RELAUNCH = """
mutation ($params: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
STATE = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status startTime endTime } } }"


class Ui:
    """The webserver, as the pages in a browser ask it."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self._address, data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
        assert "errors" not in told, told
        return told["data"]

    def launch(self, job: str, config: dict[str, object], **tags: str) -> str:
        """Launch a job; its run ID."""
        params = {
            "selector": {
                "repositoryName": "__repository__",
                "repositoryLocationName": "dropship_pipeline",
                "jobName": job,
            },
            "runConfigData": config,
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        told = self.ask(LAUNCH, params=params)["launchRun"]
        assert told["__typename"] == "LaunchRunSuccess", told
        return str(told["run"]["runId"])

    def relaunch(self, run_id: str) -> str:
        """Press "Re-execute all" on a run's page; the new run's ID."""
        told = self.ask(RELAUNCH, params={"parentRunId": run_id, "strategy": "ALL_STEPS"})["launchRunReexecution"]
        assert told["__typename"] == "LaunchRunSuccess", told
        return str(told["run"]["runId"])

    def ended(self, run_id: str) -> dict[str, Any]:
        """Wait until a run has ended; its status and times."""
        give_up = time.monotonic() + 180
        while time.monotonic() < give_up:
            run: dict[str, Any] = self.ask(STATE, id=run_id)["runOrError"]
            if run["endTime"]:
                return run
            time.sleep(0.2)
        raise AssertionError(f"run {run_id} goes on and on")


@contextmanager
def dagster_dev(merchant: Deployment, cwd: Path) -> Iterator[Ui]:
    """The whole of Dagster, given a merchant's variables and DAGSTER_HOME and nothing else."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (cwd / "dagster.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", AT_A_TERMINAL, "dev", "-w", str(ROOT / "workspace.yaml"), "-p", str(port)],
            cwd=cwd,
            env={**clean_environment(), **merchant.environment, "DAGSTER_HOME": str(ROOT / "dagster_home")},
            stdout=log,
            stderr=log,
            process_group=0,
        )
        try:
            give_up = time.monotonic() + 180
            while process.poll() is None and time.monotonic() < give_up:
                try:
                    Ui(port).ask("{ version }")
                except (URLError, ConnectionError):
                    time.sleep(0.2)
                else:
                    break
            yield Ui(port)
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.mark.timeout(600)  # five processes of Dagster start, and share the machine with other tests
def test_a_run_launched_in_the_ui_succeeds_with_nothing_but_the_variables_set(deploy: Deploy, tmp_path: Path) -> None:
    merchant = deploy(products=60, drift=0)
    with dagster_dev(merchant, tmp_path) as ui:
        few = {"resources": {"options": {"config": {"limit": 5}}}}
        listing = ui.launch("catalogue_sync", few, **{"dagster/partition": "local_us"})
        merchant.dropship("sync", "--feed", "cross_border", "--limit", "0")
        assert ui.ended(listing)["status"] == "SUCCESS"
        assert merchant.value("SELECT count(*) FROM catalog.products") == 5

        # one at a time: the second waits in the queue
        chosen = [row["product_id"] for row in merchant.rows("SELECT product_id FROM catalog.products LIMIT 1")]
        refreshing = ui.launch("manual_refresh", {"ops": {"refresh": {"config": {"product_ids": chosen}}}})
        [of_the_terminal] = merchant.rows("SELECT run_id FROM dagster.run_tags WHERE value = 'cli'")
        again = ui.relaunch(of_the_terminal["run_id"])
        first, second = ui.ended(refreshing), ui.ended(again)
        assert first["status"] == second["status"] == "SUCCESS"
        assert second["startTime"] >= first["endTime"]
    with installed_here(merchant) as instance:
        run = instance.get_run_by_id(listing)
        executed_again = instance.get_run_by_id(again)
        assert run is not None
        assert executed_again is not None
        # it has the tags of the terminal's run, and is watched as the code server's own
        assert executed_again.tags["dropship/trigger"] == "cli"
        assert instance.run_launcher.check_run_worker_health(executed_again).status is WorkerStatus.RUNNING
        assert materialised(instance, run)["catalog/products"] == ["local_us"]
    # what Dagster keeps in files is where the rest of the data is, not in the repository
    assert list((merchant.home / "dagster" / "logs").iterdir())
    assert [path.name for path in (ROOT / "dagster_home").rglob("*") if path.is_file()] == ["dagster.yaml"]


def test_steps_that_are_processes_of_their_own_do_the_same_and_the_last_knows_what_the_first_left(
    deploy: Deploy, tmp_path: Path
) -> None:
    merchant = deploy(products=30, drift=0, variables={"DROPSHIP_EXECUTOR": "multiprocess"})
    merchant.sandbox.control("faults", {"fault": "refuse:code=300000:path=/eco/buyer/crossborder/product/check"})
    tags = {"dagster/asset_partition_range_start": "local_regular", "dagster/asset_partition_range_end": "cross_border"}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dagster", "job", "execute", "-m", "dropship_pipeline.definitions"),
            *("-j", "catalogue_sync", "--tags", json.dumps(tags)),
        ],
        cwd=tmp_path,
        env={**clean_environment(), **merchant.environment, "DAGSTER_HOME": str(ROOT / "dagster_home")},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 1
    with installed_here(merchant) as instance:
        [run] = instance.get_runs()
        assert "Feed cross_border could not be completed" in failures(instance, run)["publish"]
        assert succeeded(instance, run)[0] == "discover"
        assert sorted(succeeded(instance, run)) == ["describe", "discover", "quote", "take_stock"]
        assert metadata(instance, "lake/snapshot")["rows/catalog.products"] > 0
    assert merchant.value("SELECT outcome FROM ops.syncs") == "failed"
