"""The files of a snapshot: each written from its table, all at one moment, and verified; or taken over as it is.

Two connections that see the same moment write at once: while one waits for Postgres, the other packs. A file is taken
over from the snapshot that was published last where nobody wrote to the table since, what it is made of
is what it was, and the file is sound: see `writes.py`, ADR 0018. Which snapshots there are is in `snapshots.py`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue

import adbc_driver_manager

from dropship_pipeline.storage.lake.damage import ROOT, damaged, read_manifest
from dropship_pipeline.storage.lake.place import Draft, Lake
from dropship_pipeline.storage.lake.table_file import path, write_verified
from dropship_pipeline.storage.lake.verification import Verified, count_measures
from dropship_pipeline.storage.lake.writes import Standing, look
from dropship_pipeline.storage.server.arrow_connection import ArrowConnection
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.model import Table, View
from dropship_pipeline.tables.postgres import literal
from dropship_pipeline.tables.registry import PUBLISHED, PUBLISHED_VIEWS

_SETTINGS = (
    # a table that is read without an order comes from its beginning to its end
    "synchronize_seqscans = off",
    "max_parallel_workers_per_gather = 0",
    # a REINDEX locks what LOCK TABLE does not: the circle of `_of_one_moment` would go round over it
    "lock_timeout = '30s'",
)
_NOT_AT_ONCE = "55P03"
_CANCEL_AGAIN = 0.1  # seconds: Postgres ignores a request that comes between two statements


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
    with database.adbc() as connection:
        # not READ ONLY: a view is evaluated once, into a temporary table
        connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        standing = look(connection)
        published: tuple[Table | View, ...] = (*PUBLISHED, *PUBLISHED_VIEWS)
        made_of = {table.full_name: standing.made_of(table) for table in published}
        kept = _unchanged(lake, standing, made_of, published, looked_at)
        found = {}
        for table in published:
            if (as_it_is := kept.get(table.full_name)) is not None:
                draft.take_over(f"{ROOT}/{as_it_is.snapshot}/{path(table)}", path(table))
                found[table.full_name] = Verified(table.full_name, as_it_is.rows, count_measures(table))
        to_write = [table for table in published if table.full_name not in kept]
        if to_write:
            found |= _write(database, connection, to_write, draft)
        connection.run("COMMIT")
    sizes = draft.sizes()
    return Exported(
        standing,
        tuple(found[table.full_name] for table in published),
        made_of,
        {table.full_name: sizes[path(table)] for table in published},
    )


def _write(
    database: Database, connection: ArrowConnection, tables: Sequence[Table | View], draft: Draft
) -> dict[str, Verified]:
    """Write and verify the files of these tables as the transaction of the connection sees them."""
    with _of_one_moment(database, connection, tables) as readers:
        idle: SimpleQueue[ArrowConnection] = SimpleQueue()
        for each in readers:
            for setting in _SETTINGS:
                each.run(f"SET LOCAL {setting}")
            idle.put(each)

        def write(table: Table | View) -> Verified:
            mine = idle.get()
            try:
                return write_verified(mine, table, draft)
            finally:
                idle.put(mine)

        with ThreadPoolExecutor(max_workers=len(readers), thread_name_prefix="export") as workers:
            under_way = [workers.submit(write, table) for table in _longest_first(connection, tables)]
            try:
                done, _ = wait(under_way, return_when=FIRST_EXCEPTION)
                verified = [one.result() for one in under_way if one in done]
            except BaseException:
                for one in under_way:
                    one.cancel()
                while running := [one for one in under_way if not one.done()]:
                    for each in readers:
                        each.cancel()
                    wait(running, _CANCEL_AGAIN)
                raise
    return {one.table: one for one in verified}


@contextmanager
def _of_one_moment(
    database: Database, connection: ArrowConnection, tables: Sequence[Table | View]
) -> Iterator[tuple[ArrowConnection, ...]]:
    """The connection, and a second one whose transaction sees what it sees, both with locks on all that they read.

    Had they their locks one after another, somebody's ALTER TABLE could wait for one of them, the other behind it in
    the queue, and the first for the other: of that circle Postgres sees no more than a part. So the second one takes
    its locks at once or not at all; then the first goes on alone.
    """
    lock = f"LOCK TABLE {', '.join(table.full_name for table in tables)} IN ACCESS SHARE MODE"
    connection.run(lock)
    [(moment,)] = connection.run("SELECT pg_export_snapshot()")
    with database.adbc() as other:
        other.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.run(f"SET TRANSACTION SNAPSHOT {literal(moment)}")
        try:
            other.run(f"{lock} NOWAIT")
        except adbc_driver_manager.Error as error:
            if error.sqlstate != _NOT_AT_ONCE:
                raise
            other.run("ROLLBACK")
            yield (connection,)
        else:
            yield connection, other
            other.run("COMMIT")


def _longest_first(connection: ArrowConnection, tables: Sequence[Table | View]) -> list[Table | View]:
    """In the order in which the two end together: views, then tables by their size."""
    names = ", ".join(literal(table.full_name) for table in tables)
    sizes = dict(connection.run(f"SELECT name, pg_table_size(to_regclass(name)) FROM unnest(ARRAY[{names}]) name"))  # noqa: S608  our own names
    return sorted(tables, key=lambda table: (isinstance(table, Table), -sizes[table.full_name]))


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
        and sizes_then.get(table.full_name) == sizes.get(path(table))
        and not standing.is_written(table)
        and path(table) not in broken
    }
