"""Running the job in this process: a person sees progress at once, and the UI sees the run like any other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob  # `execute_in_process` gives a run no origin
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from dropship_pipeline.orchestration.abandoned import close_abandoned, going
from dropship_pipeline.orchestration.by_hand import REFRESH as BY_HAND_REFRESH
from dropship_pipeline.orchestration.instance import open_instance
from dropship_pipeline.orchestration.jobs import SYNC
from dropship_pipeline.orchestration.partitions import range_tags, ranges
from dropship_pipeline.orchestration.resources import opened, options_config
from dropship_pipeline.orchestration.stages import STOPPED
from dropship_pipeline.orchestration.tags import TRIGGER
from dropship_pipeline.orchestration.wiring import build_defs
from dropship_pipeline.settings import Executor, Settings
from dropship_pipeline.stopping import noted, sigterm_raises
from dropship_pipeline.sync.progress import Progress
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import open_session
from dropship_pipeline.sync.summary import SyncSummary, combined

_TAGS = {
    TRIGGER: "cli",
    # the daemon does not start again what belongs to a terminal: the next sync goes on from there
    "dagster/max_retries": "0",
}

# where the UI finds the job of such a run: among the job's runs, and to execute it again
_REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("dropship_pipeline"), "__repository__")

# the terminal shows our own progress; Dagster's events are stored all the same
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class _Run:
    job: str
    tags: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)


def run_sync(settings: Settings, request: SyncRequest, progress: Progress) -> SyncSummary:
    """Run what is asked as Dagster runs, one for each range of neighbouring feeds, and add up what they did.

    Raises `Problem` for what prevents a run: settings, a database that is down. What fails in a run is in the summary.
    Raises KeyboardInterrupt when the process was told to stop (`stopping.Terminated` by SIGTERM), after closing
    everything.
    """
    with sigterm_raises(), noted() as stop_came:
        try:
            return combined([_execute(settings, run, progress, stop_came) for run in _runs(request)])
        except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
            raise stop_came() or KeyboardInterrupt from None  # Dagster's handler does not say which signal it met


def _runs(request: SyncRequest) -> Iterator[_Run]:
    options = options_config(request)
    if request.product_ids:
        by_hand = {**options, "product_ids": list(request.product_ids)}
        yield _Run(BY_HAND_REFRESH, config={"ops": {"refresh": {"config": by_hand}}})
        return
    for keys in ranges(request.feeds):
        yield _Run(SYNC, range_tags(*keys), {"resources": {"options": {"config": options}}})


def _execute(
    settings: Settings, run: _Run, progress: Progress, stop_came: Callable[[], KeyboardInterrupt | None]
) -> SyncSummary:
    run_id = str(uuid4())
    with (
        open_session(settings, run_id, progress) as session,
        open_instance(settings) as instance,
        going(session.database, run_id),
    ):
        close_abandoned(instance, session.database)
        job = build_defs(executor=Executor.IN_PROCESS, **opened(session)).resolve_job_def(run.job)
        with _stopped_is_canceled(instance, run_id):
            created = instance.create_run_for_job(
                job,
                run_id=run_id,
                run_config={**run.config, **_QUIET},
                tags={**job.run_tags, **run.tags, **_TAGS},
                remote_job_origin=RemoteJobOrigin(_REPOSITORY, job.name),
            )
            result = execute_run(InMemoryJob(job), created, instance)
            stop = stop_came()  # between two steps, too, or behind the last: Dagster forgets it there
            if stop is not None or _was_stopped(result.dagster_run):
                raise stop or KeyboardInterrupt
        if not result.success and not session.summary.problems:
            session.failed(f"Run {run_id} failed unexpectedly: see it in the Dagster UI")
    return session.summary


@contextmanager
def _stopped_is_canceled(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Show a run that a signal stops as canceled, wherever it stood, unless it had ended well before."""
    try:
        yield
    except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
        run = instance.get_run_by_id(run_id)
        if run is not None and run.status not in (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS):
            instance.report_run_canceled(run, STOPPED)
        raise


def _was_stopped(run: dg.DagsterRun) -> bool:
    """Whether somebody ended the run: Dagster catches it, and tells it so."""
    return (
        run.status is dg.DagsterRunStatus.CANCELED or run.tags.get("dagster/failure_reason") == "UNEXPECTED_TERMINATION"
    )
