"""Reading what was published: which snapshots there are, the one of a moment, its tables. Writing is in `snapshots.py`.

A snapshot is read by its own name and never through `latest`, so that a publish in the middle changes nothing; when it
is one of those that are thrown away, reading it says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake.damage import MANIFEST, ROOT, read_manifest, snapshot_names
from dropship_pipeline.storage.lake.place import Lake, LakeProblem

if TYPE_CHECKING:
    import pyarrow.dataset as ds

_PUBLISH = "Publish one: dropship sync, or dropship publish"


class NoSnapshot(Problem):
    """There is no snapshot of that moment."""


class SnapshotGone(Problem):
    """The snapshot was thrown away while it was read: newer ones have taken its place."""


@dataclass(frozen=True, slots=True)
class Published:
    """One snapshot. `taken_at` (UTC): the moment that all of its tables show; `row_counts`: by `schema.table`."""

    lake: Lake
    name: str
    taken_at: datetime
    row_counts: Mapping[str, int]

    @property
    def tables(self) -> tuple[str, ...]:
        """What is in it, `schema.table`, sorted."""
        return tuple(sorted(self.row_counts))

    def full_name(self, table: str) -> str:
        """`products` or `catalog.products` as `schema.table`. Raises `Problem` with the names that come near."""
        wanted = table.strip().lower()
        for name in self.tables:
            if wanted in (name, name.partition(".")[2]):
                return name
        known = [*self.tables, *(name.partition(".")[2] for name in self.tables)]
        near = get_close_matches(wanted, known, 1) or list(self.tables)
        raise Problem(f"The snapshot of {_said(self.taken_at)} has no table {table!r}", f"Read {', '.join(near)}")

    def dataset(self, table: str) -> "ds.Dataset":
        """A table of it (`schema.table`), not read yet. Raises `SnapshotGone`, `LakeProblem`."""
        path = f"{ROOT}/{self.name}/{table.replace('.', '/')}.parquet"
        try:
            return self.lake.dataset(path)
        except LakeProblem:
            self.require_there()
            raise

    def read(self, table: str, columns: Sequence[str] | None = None, where: pc.Expression | None = None) -> pa.Table:
        """A table of it. Raises `Problem` for a table or column that it lacks, `SnapshotGone`, `LakeProblem`."""
        name = self.full_name(table)
        found = self.dataset(name)
        for column in columns or ():
            if column not in found.schema.names:
                near = get_close_matches(column, found.schema.names, 1) or found.schema.names
                raise Problem(f"{name} has no column {column!r}", f"Read {', '.join(near)}")
        try:
            with self.lake.in_our_words(name):
                return found.to_table(columns=None if columns is None else list(columns), filter=where)
        except LakeProblem:
            self.require_there()
            raise

    def require_there(self) -> None:
        """Raises `SnapshotGone` if it was thrown away."""
        if not self.lake.exists(f"{ROOT}/{self.name}/{MANIFEST}"):
            raise SnapshotGone(
                f"The snapshot of {_said(self.taken_at)} was thrown away while it was read",
                "Read a newer one, or keep more: DROPSHIP_SNAPSHOTS_KEPT",
            )


def snapshots(lake: Lake) -> list[Published]:
    """The snapshots that can be read, oldest first. Raises `LakeProblem`."""
    return [found for name in snapshot_names(lake) if (found := _open(lake, name))]


def find(lake: Lake, as_of: datetime | None = None) -> Published:
    """The newest snapshot, or the newest that was taken at `as_of` or before. Raises `NoSnapshot`, `LakeProblem`."""
    oldest = None
    for name in reversed(snapshot_names(lake)):
        found = _open(lake, name)
        if found and (as_of is None or found.taken_at <= as_of):
            return found
        oldest = found or oldest
    if oldest is None or as_of is None:
        raise NoSnapshot(f"Nothing was published to {lake.location} yet", _PUBLISH)
    raise NoSnapshot(
        f"There is no snapshot as old as {_said(as_of)} in {lake.location}",
        f"The oldest that was kept is of {_said(oldest.taken_at)}; prices and stock are known further back: "
        "marts.prices_as_of, marts.stock_as_of",
    )


def _open(lake: Lake, name: str) -> Published | None:
    """The snapshot of that name; None for one that is half written, or half thrown away."""
    said = read_manifest(lake, name)
    return None if said is None else Published(lake, name, datetime.fromisoformat(said["taken_at"]), said["row_counts"])


def _said(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
