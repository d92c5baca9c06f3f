"""Running the job in this process: a person sees progress at once, and the UI sees the run like any other."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import dagster as dg

from dropship_pipeline.orchestration.instance import open_instance
from dropship_pipeline.orchestration.partitions import ranges
from dropship_pipeline.orchestration.resources import opened, options_config
from dropship_pipeline.orchestration.wiring import build_defs
from dropship_pipeline.settings import Settings
from dropship_pipeline.sync.progress import Progress
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import open_session
from dropship_pipeline.sync.summary import SyncSummary, combined

# How the run was started, on which machine and by which process: a run of a process that is gone can be closed
_HOST_TAG, _PROCESS_TAG = "dropship/host", "dropship/process"
_RANGE_START, _RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class _Run:
    job: str
    tags: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)


def run_sync(settings: Settings, request: SyncRequest, progress: Progress) -> SyncSummary:
    """Run what is asked as Dagster runs, one for each range of neighbouring feeds, and add up what they did.

    Raises `Problem` for what prevents a run: settings, a database that is down. What fails in a run is in the summary.
    """
    return combined([_execute(settings, run, progress) for run in _runs(request)])


def _runs(request: SyncRequest) -> Iterator[_Run]:
    options = {"resources": {"options": {"config": options_config(request)}}}
    if request.product_ids:
        products = {"ops": {"refresh": {"config": {"product_ids": list(request.product_ids)}}}}
        yield _Run("refresh_products", config={**options, **products})
        return
    for start, end in ranges(request.feeds):
        yield _Run("catalogue_sync", {_RANGE_START: start, _RANGE_END: end}, options)


def _execute(settings: Settings, run: _Run, progress: Progress) -> SyncSummary:
    run_id = str(uuid4())
    with open_session(settings, run_id, progress) as session, open_instance(settings) as instance:
        _close_abandoned(instance)
        job = build_defs(session=opened(session), quiet=True).resolve_job_def(run.job)
        result = job.execute_in_process(
            # the logger that says nothing: see `build_defs(quiet=True)`
            run_config={**run.config, "loggers": {"console": {}}},
            instance=instance,
            run_id=run_id,
            tags={
                **run.tags,
                "dropship/trigger": "cli",
                _HOST_TAG: socket.gethostname(),
                _PROCESS_TAG: str(os.getpid()),
            },
            raise_on_error=False,
        )
        if not result.success and not session.summary.problems:
            session.failed(_first_failure(result))
    return session.summary


def _first_failure(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error is not None:
            cause = event.step_failure_data.error
            while cause.cause is not None:
                cause = cause.cause
            return f"Step {event.step_key} failed unexpectedly: {cause.cls_name}: {cause.message}".strip()
    return "The run failed unexpectedly: see it in the Dagster UI"


def _close_abandoned(instance: dg.DagsterInstance) -> None:
    """Say in the UI that a run whose process is gone will never end."""
    going = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING], tags={_HOST_TAG: socket.gethostname()}
    )
    for abandoned in instance.get_runs(filters=going):
        if not _is_alive(int(abandoned.tags[_PROCESS_TAG])):
            instance.report_run_failed(abandoned, "The process that ran it is gone; the next sync went on from there")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
