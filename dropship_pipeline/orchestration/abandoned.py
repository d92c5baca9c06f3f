"""Runs of the command line whose process is gone: a lock that Postgres lets go with the process tells them.

A process number would not do: another process has it by and by, in a restarted container at once. Both the next sync
and the daemon's run monitoring look, for such a run would keep others waiting in the queue.
"""

from contextlib import AbstractContextManager
from datetime import timedelta
from functools import cached_property

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus  # as the monitoring takes them

from dropship_pipeline.orchestration.stages import TRIGGER, is_of_the_terminal
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import load_settings
from dropship_pipeline.storage.database import Database
from dropship_pipeline.storage.locks import exclusive
from dropship_pipeline.sync.session import open_database

_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class _Going(Problem):
    """Somebody holds the lock of a run."""


def going(database: Database, run_id: str) -> AbstractContextManager[None]:
    """Inside, the run with this ID is seen to go, by every process and machine of this deployment."""
    # others hold the lock for the moment that it takes to see that nobody does
    wait = timedelta(milliseconds=200)
    return exclusive(database, f"run {run_id}", wait, _Going(f"Run {run_id} goes in another process"))


def is_abandoned(database: Database, run: dg.DagsterRun) -> bool:
    """Whether this is a run of the command line whose process is gone."""
    if not is_of_the_terminal(run):
        return False
    try:
        with going(database, run.run_id):
            return True
    except _Going:
        return False


def close_abandoned(instance: dg.DagsterInstance, database: Database) -> None:
    """Say in the UI that a run whose process is gone will never end."""
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_UNFINISHED, tags={TRIGGER: "cli"})):
        if is_abandoned(database, run):
            instance.report_run_failed(run, "The process that ran it is gone; the next sync went on from there")


class RunLauncher(dg.DefaultRunLauncher):
    """Dagster's own launcher, whose runs the code server watches; the monitoring asks it about all runs."""

    @cached_property
    def _database(self) -> Database:
        return open_database(load_settings())

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: `dagster_home/dagster.yaml` names this class for it."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run is known to be gone."""
        if is_abandoned(self._database, run):
            return CheckRunHealthResult(WorkerStatus.FAILED, "The process that ran it on the command line is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)
