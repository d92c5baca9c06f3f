"""Publishing: every public table as Parquet, and two marts, from one transaction, in a new folder.

`snapshots/<UTC time>/<schema>/<table>.parquet`, with a `snapshot.json` that says that the folder is whole and what it
holds. The newest is `latest/` (a symbolic link, local lakes only) and `latest.json` (a copy of its `snapshot.json`).
Each file is read back and held against its table before the folder becomes `latest` in one step: `verification.py`.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import text

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake.place import Draft, Lake
from dropship_pipeline.storage.lake.verification import (
    Measures,
    Verified,
    compare,
    measure_in_parquet,
    measure_in_postgres,
)
from dropship_pipeline.storage.server.arrow_connection import ArrowConnection
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import Held, hold
from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.model import Table, View
from dropship_pipeline.tables.registry import PUBLISHED, PUBLISHED_VIEWS

ROOT = "snapshots"
LATEST = "latest"
LATEST_JSON = "latest.json"
MANIFEST = "snapshot.json"

_NAME = "%Y-%m-%dT%H-%M-%SZ"  # no colons: not every file system and shell takes them
_NAMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ")
_WAIT = timedelta(minutes=15)
_BATCH_BYTES = 8_000_000  # as Postgres sends them; a batch becomes a row group: some 100,000 price tiers

_KNOWN = text("SELECT snapshot FROM ops.snapshots")
_RECORD = text("""
    INSERT INTO ops.snapshots (snapshot, run_id, published_at, row_counts)
    VALUES (:snapshot, :run_id, clock_timestamp(), CAST(:row_counts AS jsonb))
    ON CONFLICT (snapshot) DO NOTHING
""")
_FORGET = text("DELETE FROM ops.snapshots WHERE snapshot <> ALL (:kept)")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot: where it is, to be shown and opened, and the rows of each table by `schema.table`.

    `verified`: what was found equal in its files and in Postgres, table by table.
    """

    path: str
    row_counts: dict[str, int]
    verified: tuple[Verified, ...] = ()


def publish(database: Database, lake: Lake, run_id: str, keep: int) -> Snapshot:
    """Write all public tables as they are at one moment, make that the newest snapshot, and keep the last `keep`.

    All or nothing: what fails or is killed leaves the newest snapshot as it was. Readers of older ones are not
    disturbed until those are the oldest. Raises `DatabaseProblem`, `LakeProblem`, and `Mismatch` if a file that was
    written does not hold what its table holds.
    """
    with _alone(database, lake) as alone:
        _clean(lake)
        name = _next_name(snapshot_names(lake))
        folder = f"{ROOT}/{name}"
        with lake.new_folder(folder) as draft:
            taken_at, verified = _write_tables(database, draft)
            row_counts = {table.table: table.rows for table in verified}
            said = {
                "snapshot": name,
                "path": folder,
                "run_id": run_id,
                "taken_at": taken_at.astimezone(UTC).isoformat(),
                "row_counts": row_counts,
            }
            manifest = json.dumps(said, indent=2).encode()
            alone.confirm()  # somebody else may publish, and remove what is unfinished, since the lock was lost
            with draft.open_output(MANIFEST) as sink:
                sink.write(manifest)
        if lake.is_local:
            lake.point(LATEST_JSON, f"{LATEST}/{MANIFEST}")
            lake.point(LATEST, folder)  # switches both
        else:
            lake.write(LATEST_JSON, manifest)
        _prune(lake, keep)
        _record(database, lake)
    return Snapshot(lake.at(folder), row_counts, verified)


def expired(lake: Lake, keep: int) -> list[str]:
    """The folders of the snapshots before the last `keep`."""
    return [f"{ROOT}/{name}" for name in snapshot_names(lake)[: -max(keep, 1)]]


def drop_expired(database: Database, lake: Lake, keep: int) -> int:
    """Delete the snapshots before the last `keep`, and what killed publishes left half made; how many snapshots went.

    A publish that is under way is waited for. Raises `DatabaseProblem`, `LakeProblem`.
    """
    with _alone(database, lake):
        _clean(lake)
        found = len(expired(lake, keep))
        _prune(lake, keep)
        _record(database, lake)
    return found


def _alone(database: Database, lake: Lake) -> AbstractContextManager[Held]:
    """Inside, nobody else publishes or prunes."""
    held = Problem(
        f"Another process has been publishing to {lake.location} for {_WAIT}",
        "Wait for it, then run the command again",
    )
    return hold(database, "publish", _WAIT, held)


def latest_snapshot(lake: Lake) -> str | None:
    """Where the newest snapshot is; None if nothing was published yet."""
    if not lake.exists(LATEST_JSON):
        return None
    return lake.at(json.loads(lake.read(LATEST_JSON).to_pybytes())["path"])


def _write_tables(database: Database, draft: Draft) -> tuple[datetime, tuple[Verified, ...]]:
    """Write every public table from one transaction, and verify it; the moment that it sees, and what was verified."""
    # files are read back beside, while Postgres measures and sends the next table
    with (
        database.adbc() as connection,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="read back") as beside,
    ):
        connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        [(taken_at,)] = connection.run("SELECT now()")
        sides = []
        published: tuple[Table | View, ...] = (*PUBLISHED, *PUBLISHED_VIEWS)
        for table in published:
            _write_table(connection, table, draft)
            in_parquet = beside.submit(_read_back, table, draft)
            sides.append((table, measure_in_postgres(connection, table), in_parquet))
        connection.run("COMMIT")
        return taken_at, tuple(compare(table, ours, theirs.result()) for table, ours, theirs in sides)


def _write_table(connection: ArrowConnection, table: Table | View, draft: Draft) -> None:
    schema = arrow_schema(table)
    with (
        draft.open_output(_path(table)) as sink,
        pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer,
        closing(connection.batches(_select(table), _BATCH_BYTES)) as batches,
    ):
        for batch in batches:
            writer.write_batch(_pinned(batch, schema))


def _read_back(table: Table | View, draft: Draft) -> Measures:
    with draft.open_input(_path(table)) as source:
        return measure_in_parquet(source, table)


def _path(table: Table | View) -> str:
    return f"{table.schema}/{table.name}.parquet"


def _select(table: Table | View) -> str:
    """The rows in the order of the key; those of a change log as they happened, and of one moment as written."""
    order = table.key or ("observed_at", "ctid")
    return f"SELECT {', '.join(table.column_names)} FROM {table.full_name} ORDER BY {', '.join(order)}"  # noqa: S608  our own names


def _pinned(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in the table's own types: ADBC gives numbers of arbitrary precision as text."""
    columns = [
        (column.storage if isinstance(column, pa.ExtensionArray) else column).cast(field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def snapshot_names(lake: Lake) -> list[str]:
    """The snapshots in the lake, whole or not, oldest first."""
    names = (folder.rpartition("/")[2] for folder in lake.folders(ROOT))
    return [name for name in names if _NAMES.fullmatch(name)]


def _next_name(names: list[str]) -> str:
    """The time, or the second after the newest snapshot: names sort by time even when the clock was set back."""
    now = datetime.now(UTC)
    if names:
        now = max(now, datetime.strptime(names[-1], _NAME).replace(tzinfo=UTC) + timedelta(seconds=1))
    return now.strftime(_NAME)


def _clean(lake: Lake) -> None:
    """Remove what killed publishes left unfinished: none is at work, for we hold the lock."""
    lake.delete_unfinished(ROOT)
    for name in snapshot_names(lake):
        if not lake.exists(f"{ROOT}/{name}/{MANIFEST}"):
            lake.delete_folder(f"{ROOT}/{name}")


def _prune(lake: Lake, keep: int) -> None:
    for folder in expired(lake, keep):
        lake.delete(f"{folder}/{MANIFEST}")  # from here on it is unfinished, should we be killed
        lake.delete_folder(folder)


def _record(database: Database, lake: Lake) -> None:
    """Make `ops.snapshots` say what is in the lake, also what a publish that was killed did not come to record."""
    names = snapshot_names(lake)
    with database.begin() as connection:
        known = set(connection.execute(_KNOWN).scalars())
        for name in names:
            if name not in known:
                said = json.loads(lake.read(f"{ROOT}/{name}/{MANIFEST}").to_pybytes())
                counts = json.dumps(said["row_counts"])
                connection.execute(_RECORD, {"snapshot": name, "run_id": said["run_id"], "row_counts": counts})
        connection.execute(_FORGET, {"kept": names})
