"""Runs of the command line whose process is gone: a lock that Postgres lets go with the process tells them.

A process number would not do: another process has it by and by, in a restarted container at once. The daemon's run
monitoring knows nothing of runs that it did not start.
"""

from contextlib import AbstractContextManager
from datetime import timedelta

import dagster as dg

from dropship_pipeline.orchestration.stages import TRIGGER
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.database import Database
from dropship_pipeline.storage.locks import exclusive

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
    return exclusive(database, f"run {run_id}", timedelta(seconds=1), _Going(f"Run {run_id} goes in another process"))


def close_abandoned(instance: dg.DagsterInstance, database: Database) -> None:
    """Say in the UI that a run whose process is gone will never end."""
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_UNFINISHED, tags={TRIGGER: "cli"})):
        try:
            with going(database, run.run_id):
                instance.report_run_failed(run, "The process that ran it is gone; the next sync went on from there")
        except _Going:
            continue
