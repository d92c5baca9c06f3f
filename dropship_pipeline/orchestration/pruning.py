"""What Dagster remembers and never forgets by itself: events, runs, check results, what steps printed.

Where Dagster has a call for it, that is used; for single events and check results it has none, and their rows are
deleted in its tables. What asset pages, partitions and checks show stays: see `drop_runs`.
"""

from datetime import datetime
from pathlib import Path

import dagster as dg
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from sqlalchemy import text

from dropship_pipeline.storage.ops.upkeep import Freed, delete
from dropship_pipeline.storage.server.database import Database

_RUNS_TOGETHER = 20
_EVENTS_TOGETHER = 10_000

_OF_THE_MOMENT = [
    kind.value
    for kind in (
        dg.DagsterEventType.ENGINE_EVENT,
        dg.DagsterEventType.LOGS_CAPTURED,
        dg.DagsterEventType.STEP_INPUT,
        dg.DagsterEventType.LOADED_INPUT,
        dg.DagsterEventType.HANDLED_OUTPUT,
        dg.DagsterEventType.STEP_WORKER_STARTING,
        dg.DagsterEventType.STEP_WORKER_STARTED,
        dg.DagsterEventType.RESOURCE_INIT_STARTED,
        dg.DagsterEventType.RESOURCE_INIT_SUCCESS,
    )
]
"""Events that nothing but the log of their own run shows. What is logged in words has no type at all."""

_OF_ASSETS = [
    kind.value
    for kind in (
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        dg.DagsterEventType.ASSET_FAILED_TO_MATERIALIZE,
        dg.DagsterEventType.ASSET_OBSERVATION,
    )
]

_PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value

_FINISHED = [status.value for status in FINISHED_STATUSES]

_OLD_RUNS = text("""
    SELECT run_id FROM dagster.runs
    WHERE status = ANY (:finished) AND coalesce(end_time, extract(epoch FROM update_timestamp)) < :before
    ORDER BY id
""")

_DELETE_EVENTS = """
    DELETE FROM dagster.event_logs
    WHERE run_id = ANY (:runs) AND (dagster_event_type IS NULL OR dagster_event_type = ANY (:types))
    RETURNING octet_length(event)
"""

# They are nine tenths of the log: a refresh each hour materialises every table for every feed. Charts keep a point a
# day; of what was planned, only the newest says whether a partition failed.
_SUPERSEDED = text("""
    SELECT id FROM (
        SELECT id, run_id, dagster_event_type, timestamp::date AS day, lead(timestamp::date) OVER later AS later_day
        FROM dagster.event_logs WHERE asset_key IS NOT NULL AND dagster_event_type = ANY (:of_assets)
        WINDOW later AS (PARTITION BY asset_key, dagster_event_type, partition ORDER BY id)
    ) events
    WHERE later_day IS NOT NULL AND (dagster_event_type = :planned OR later_day = day) AND run_id = ANY (:runs)
""")

_DELETE_BY_ID = "DELETE FROM dagster.event_logs WHERE id = ANY (:ids) RETURNING octet_length(event)"

_DELETE_TAGS = """
    DELETE FROM dagster.asset_event_tags t
    WHERE NOT EXISTS (SELECT FROM dagster.event_logs e WHERE e.id = t.event_id)
    RETURNING pg_column_size(t.*)
"""

_NEEDLESS_RUNS = text("""
    WITH families AS (
        SELECT r.run_id, r.id, coalesce(t.value, r.run_id) AS family, r.status = ANY (:finished)
            AND coalesce(r.end_time, extract(epoch FROM r.update_timestamp)) < :before AS old
        FROM dagster.runs r LEFT JOIN dagster.run_tags t ON t.run_id = r.run_id AND t.key = 'dagster/root_run_id'
    ), newest_events AS (
        SELECT max(id) AS id FROM dagster.event_logs
        WHERE asset_key IS NOT NULL AND dagster_event_type = ANY (:of_assets)
        GROUP BY asset_key, dagster_event_type, partition
    ), needed AS (
        SELECT run_id FROM dagster.event_logs JOIN newest_events USING (id)
        UNION
        SELECT run_id FROM dagster.asset_check_executions WHERE id IN (
            SELECT max(id) FROM dagster.asset_check_executions
            GROUP BY asset_key, check_name, partition, execution_status)
        UNION
        SELECT last_run_id FROM dagster.asset_keys
        UNION
        SELECT run_id FROM dagster.runs WHERE id IN (
            SELECT max(id) FROM dagster.runs GROUP BY pipeline_name, status)
        UNION
        SELECT run_id FROM dagster.runs JOIN dagster.bulk_actions ON key = backfill_id
        WHERE bulk_actions.status <> ALL (:ended_backfills)
    )
    SELECT run_id FROM families
    WHERE NOT EXISTS (
        SELECT FROM families relative
        WHERE relative.family = families.family
            AND (NOT relative.old OR EXISTS (SELECT FROM needed WHERE needed.run_id = relative.run_id)))
    ORDER BY id
""")

_DELETE_CHECKS = """
    DELETE FROM dagster.asset_check_executions e
    WHERE run_id <> '' AND extract(epoch FROM create_timestamp) < :before
        AND NOT EXISTS (SELECT FROM dagster.runs r WHERE r.run_id = e.run_id)
    RETURNING coalesce(octet_length(evaluation_event), 0)
"""


def drop_events(database: Database, before: datetime) -> Freed:
    """Delete what the runs that ended before then (UTC) logged on the way, and thin out what they materialised.

    Of each asset and partition, the newest materialisation of each day stays, and the newest one that was planned. The
    pages of those runs still show each step, why it failed, and what it checked.
    """
    with database.begin() as connection:
        runs = list(connection.execute(_OLD_RUNS, {"finished": _FINISHED, "before": before.timestamp()}).scalars())
    freed = Freed()
    for start in range(0, len(runs), _RUNS_TOGETHER):
        together = runs[start : start + _RUNS_TOGETHER]
        freed += delete(database, _DELETE_EVENTS, {"runs": together, "types": _OF_THE_MOMENT})
    parameters = {"runs": runs, "of_assets": _OF_ASSETS, "planned": _PLANNED}
    with database.begin() as connection:
        superseded = list(connection.execute(_SUPERSEDED, parameters).scalars())
    for start in range(0, len(superseded), _EVENTS_TOGETHER):
        freed += delete(database, _DELETE_BY_ID, {"ids": superseded[start : start + _EVENTS_TOGETHER]})
    delete(database, _DELETE_TAGS, {})
    return freed


def drop_runs(instance: dg.DagsterInstance, database: Database, before: datetime) -> Freed:
    """Delete the runs that ended before then (UTC), with all that they logged.

    However old, these stay: the newest run of each job and outcome; one with the newest materialisation (planned,
    done or failed) of an asset or a partition, or the newest result of a check; those of a backfill that goes on; and
    with a run those that it was executed again from, or as.
    """
    parameters = {
        "finished": _FINISHED,
        "before": before.timestamp(),
        "of_assets": _OF_ASSETS,
        "ended_backfills": [status.value for status in BULK_ACTION_TERMINAL_STATUSES],
    }
    with database.begin() as connection:
        runs = list(connection.execute(_NEEDLESS_RUNS, parameters).scalars())
    for run_id in runs:
        instance.delete_run(run_id)
    return Freed(len(runs))


def drop_check_results(database: Database, before: datetime) -> Freed:
    """Delete the results of checks from before then (UTC) whose runs are deleted; Dagster forgets these."""
    return delete(database, _DELETE_CHECKS, {"before": before.timestamp()})


def drop_step_logs(instance: dg.DagsterInstance, before: datetime) -> Freed:
    """Delete what steps printed before then (UTC). Only files of this machine: a bucket has a life cycle of its own."""
    manager = instance.compute_log_manager
    if not isinstance(manager, LocalComputeLogManager):
        return Freed()
    folder = Path(manager.get_captured_local_path(["any"], "out")).parent
    return sum((_drop_old(path, before) for path in _inside(folder)), Freed())


def _drop_old(path: Path, before: datetime) -> Freed:
    """A file, if it is old; of a folder the old files, and itself if it is old and nothing is left in it."""
    found = path.stat()
    old = found.st_mtime < before.timestamp()
    if not path.is_dir():
        if old:
            path.unlink()
        return Freed(1, found.st_size) if old else Freed()
    freed = sum((_drop_old(entry, before) for entry in _inside(path)), Freed())
    if old and not _inside(path):
        path.rmdir()
    return freed


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
