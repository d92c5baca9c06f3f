"""The webserver of Dagster, asked as the pages in a browser ask it. What starts one is in `dagster_group.py`."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

LOCATION = "dropship_pipeline"

_LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
_RELAUNCH = """
mutation ($params: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
_RUN = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status startTime endTime } } }"
_RUNS = """
query ($filter: RunsFilter) {
  runsOrError(filter: $filter) { ... on Runs { results { runId status jobName tags { key value } } } }
}"""
_BACKFILL = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""
_REEXECUTE_BACKFILL = """
mutation ($params: ReexecutionParams) {
  reexecutePartitionBackfill(reexecutionParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""
_BACKFILL_STATE = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status endTimestamp }
    ... on PythonError { message }
  }
}"""
_PARTITIONS = """
query ($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      assetPartitionStatuses {
        ... on DefaultPartitionStatuses { materializedPartitions failedPartitions }
      }
    }
  }
}"""


class Ui:
    """The webserver, as the pages in a browser ask it."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/graphql", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
        assert "errors" not in told, told
        return told["data"]

    def _did(self, told: dict[str, Any], success: str) -> dict[str, Any]:
        assert told["__typename"] == success, told
        return told

    def launch(self, job: str, config: dict[str, object], **tags: str) -> str:
        """Launch a job; its run ID."""
        params = {
            "selector": {"repositoryName": "__repository__", "repositoryLocationName": LOCATION, "jobName": job},
            "runConfigData": config,
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        told = self._did(self.ask(_LAUNCH, params=params)["launchRun"], "LaunchRunSuccess")
        return str(told["run"]["runId"])

    def relaunch(self, run_id: str) -> str:
        """Press "Re-execute all" on a run's page; the new run's ID."""
        params = {"parentRunId": run_id, "strategy": "ALL_STEPS"}
        told = self._did(self.ask(_RELAUNCH, params=params)["launchRunReexecution"], "LaunchRunSuccess")
        return str(told["run"]["runId"])

    def ended(self, run_id: str) -> dict[str, Any]:
        """Wait until a run has ended; its status and times."""

        def looked() -> dict[str, Any] | None:
            run: dict[str, Any] = self.ask(_RUN, id=run_id)["runOrError"]
            return run if run["endTime"] else None

        return wait_for(looked, f"run {run_id} goes on and on")

    def runs(self, **wanted: object) -> list[dict[str, Any]]:
        """The runs that a filter finds, newest first; their tags as a dict."""
        found = self.ask(_RUNS, filter=wanted)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def backfill(self, assets: list[str], partitions: list[str], config: dict[str, object] | None = None) -> str:
        """Launch a backfill of these assets (`schema/name`) for these partitions; its ID."""
        params = {
            "assetSelection": [{"path": asset.split("/")} for asset in assets],
            "partitionNames": partitions,
            **({"runConfigData": config} if config else {}),
        }
        told = self._did(self.ask(_BACKFILL, params=params)["launchPartitionBackfill"], "LaunchBackfillSuccess")
        return str(told["backfillId"])

    def reexecute_backfill(self, backfill: str) -> str:
        """Choose "Re-execute from failure" on a backfill's page; the new backfill's ID."""
        params = {"parentRunId": backfill, "strategy": "FROM_FAILURE"}
        told = self.ask(_REEXECUTE_BACKFILL, params=params)["reexecutePartitionBackfill"]
        return str(self._did(told, "LaunchBackfillSuccess")["backfillId"])

    def backfill_ended(self, backfill: str) -> str:
        """Wait until a backfill has ended; its status."""

        def looked() -> str | None:
            told = self.ask(_BACKFILL_STATE, id=backfill)["partitionBackfillOrError"]
            return str(told["status"]) if told["endTimestamp"] else None

        return wait_for(looked, f"backfill {backfill} goes on and on")

    def partitions(self, asset: str) -> dict[str, list[str]]:
        """The partitions of an asset that its page shows as `materialized` and as `failed`, sorted by name."""
        told = self.ask(_PARTITIONS, key={"path": asset.split("/")})["assetNodeOrError"]["assetPartitionStatuses"]
        return {state: sorted(told[f"{state}Partitions"]) for state in ("materialized", "failed")}


def wait_for(look: Callable[[], Any], else_say: str, seconds: float = 180) -> Any:
    """What `look` gives when it first gives something."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        seen = look()
        if seen:
            return seen
        time.sleep(0.5)  # the webserver works for each answer
    raise AssertionError(else_say)
