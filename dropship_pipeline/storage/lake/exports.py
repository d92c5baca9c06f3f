"""The files of a snapshot: each written from its table, all in one transaction, and verified; or taken over as it is.

A file is taken over from the snapshot that was published last where nobody wrote to the table since, what it is made of
is what it was, and the file is sound: see `writes.py`, ADR 0018. Which snapshots there are is in `snapshots.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from dropship_pipeline.storage.lake.damage import ROOT, damaged, read_manifest
from dropship_pipeline.storage.lake.place import Draft, Lake
from dropship_pipeline.storage.lake.verification import (
    Measures,
    Verified,
    compare,
    count_measures,
    measure_in_parquet,
    measure_in_postgres,
)
from dropship_pipeline.storage.lake.writes import Standing, look
from dropship_pipeline.storage.server.arrow_connection import ArrowConnection
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.model import Table, View
from dropship_pipeline.tables.registry import PUBLISHED, PUBLISHED_VIEWS

_BATCH_BYTES = 8_000_000  # as Postgres sends them; a batch becomes a row group: some 100,000 price tiers


@dataclass(frozen=True, slots=True)
class Exported:
    """What was put into a draft: how the tables stood, what is in their files, what each is made of, and its bytes."""

    standing: Standing
    verified: tuple[Verified, ...]
    made_of: Mapping[str, str]
    sizes: Mapping[str, int]


def export(database: Database, lake: Lake, draft: Draft, looked_at: Mapping[str, Sequence[str]]) -> Exported:
    """Fill the draft with a file of each published table and view, all as they are at one moment.

    `looked_at`: snapshots, and the files of each that were found damaged. Raises `DatabaseProblem`, `LakeProblem`, and
    `Mismatch`.
    """
    # files are read back beside, while Postgres measures and sends the next table
    with (
        database.adbc() as connection,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="read back") as beside,
    ):
        # not READ ONLY: a view is evaluated once, into a temporary table
        connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        standing = look(connection)
        published: tuple[Table | View, ...] = (*PUBLISHED, *PUBLISHED_VIEWS)
        made_of = {table.full_name: standing.made_of(table) for table in published}
        kept = _unchanged(lake, standing, made_of, published, looked_at)
        written = {}
        for table in published:
            if table.full_name in kept:
                draft.take_over(f"{ROOT}/{kept[table.full_name].snapshot}/{_path(table)}", _path(table))
                continue
            source = table.full_name if isinstance(table, Table) else _evaluate(connection, table)
            _write_table(connection, table, source, draft)
            in_parquet = beside.submit(_read_back, table, draft)
            written[table.full_name] = (measure_in_postgres(connection, table, source), in_parquet)
        connection.run("COMMIT")
        verified = []
        for table in published:
            if table.full_name in kept:
                verified.append(Verified(table.full_name, kept[table.full_name].rows, count_measures(table)))
            else:
                ours, theirs = written[table.full_name]
                verified.append(compare(table, ours, theirs.result()))
        sizes = draft.sizes()
        return Exported(
            standing, tuple(verified), made_of, {table.full_name: sizes[_path(table)] for table in published}
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    """A file that was published, and is to be published as it is."""

    snapshot: str
    rows: int


def _unchanged(
    lake: Lake,
    standing: Standing,
    made_of: Mapping[str, str],
    published: Iterable[Table | View],
    looked_at: Mapping[str, Sequence[str]],
) -> dict[str, _Kept]:
    """The tables whose file in the snapshot that was published last holds what they hold still."""
    base = standing.base
    manifest = read_manifest(lake, base.snapshot) if base else None
    if base is None or manifest is None or datetime.fromisoformat(manifest["taken_at"]) != base.taken_at:
        return {}  # it is another lake, or it was thrown away
    broken = looked_at.get(base.snapshot)
    if broken is None:
        broken = [file for one in damaged(lake, [base.snapshot]) for file in one.files]
    sizes = lake.sizes(f"{ROOT}/{base.snapshot}")
    made_then, sizes_then = manifest.get("made_of", {}), manifest.get("bytes", {})
    return {
        table.full_name: _Kept(base.snapshot, manifest["row_counts"][table.full_name])
        for table in published
        if made_then.get(table.full_name) == made_of[table.full_name]
        and sizes_then.get(table.full_name) == sizes.get(_path(table))
        and not standing.is_written(table)
        and _path(table) not in broken
    }


def _evaluate(connection: ArrowConnection, view: View) -> str:
    """Put the rows of the view into a table that goes with the transaction: they are read twice. Gives its name."""
    name = f"pg_temp.{view.name}"
    connection.run(f"CREATE TEMPORARY TABLE {view.name} ON COMMIT DROP AS SELECT * FROM {view.full_name}")  # noqa: S608  our own names
    return name


def _write_table(connection: ArrowConnection, table: Table | View, source: str, draft: Draft) -> None:
    schema = arrow_schema(table)
    with (
        draft.open_output(_path(table)) as sink,
        pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer,
        closing(connection.batches(_select(table, source), _BATCH_BYTES)) as batches,
    ):
        for batch in batches:
            writer.write_batch(_pinned(batch, schema))


def _read_back(table: Table | View, draft: Draft) -> Measures:
    with draft.open_input(_path(table)) as source:
        return measure_in_parquet(source, table)


def _path(table: Table | View) -> str:
    return f"{table.schema}/{table.name}.parquet"


def _select(table: Table | View, source: str) -> str:
    """The rows in the order of the key; those of a change log as they happened, and of one moment as written."""
    order = table.key or ("observed_at", "ctid")
    return f"SELECT {', '.join(table.column_names)} FROM {source} ORDER BY {', '.join(order)}"  # noqa: S608  our own names


def _pinned(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in the table's own types: ADBC gives numbers of arbitrary precision as text."""
    columns = [
        (column.storage if isinstance(column, pa.ExtensionArray) else column).cast(field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
