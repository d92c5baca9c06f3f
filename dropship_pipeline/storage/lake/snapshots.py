"""Publishing: every public table as Parquet, and two marts, as they are at one moment, in a new folder.

`snapshots/<UTC time>/<schema>/<table>.parquet`, with a `snapshot.json` that says that the folder is whole and what it
holds. The newest is `latest/` (a symbolic link, local lakes only) and `latest.json` (a copy of its `snapshot.json`).
A file whose table was not written to since is that of the snapshot before; each other one is read back and held against
its table before the folder becomes `latest` in one step: `exports.py`, `verification.py`.

Who publishes holds a lock, and may lose it without noticing: a process that was stopped, say. So whoever gets it next
first discards what is unfinished, the pointer that is being made included, and an older publisher can finish nothing
that the newer one did not see (ADR 0016). A bucket has no such step: there the lock is confirmed just before.
"""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake.damage import (
    LATEST,
    LATEST_JSON,
    MANIFEST,
    ROOT,
    Damage,
    damaged,
    read_manifest,
    snapshot_names,
)
from dropship_pipeline.storage.lake.exports import export
from dropship_pipeline.storage.lake.place import Lake, LakeProblem
from dropship_pipeline.storage.lake.verification import Verified
from dropship_pipeline.storage.lake.writes import Standing, gather, settle
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import Held, hold

_NAME = "%Y-%m-%dT%H-%M-%SZ"  # no colons: not every file system and shell takes them
_WAIT = timedelta(minutes=15)

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

    `verified`: what was found equal in its files and in Postgres, table by table. `set_aside`: older ones that were
    found damaged, each in a line that says where it is now.
    """

    path: str
    row_counts: dict[str, int]
    verified: tuple[Verified, ...] = ()
    set_aside: tuple[str, ...] = ()


def publish(database: Database, lake: Lake, run_id: str, keep: int) -> Snapshot:
    """Make a snapshot of all public tables as they are at one moment the newest, and keep the last `keep`.

    What nobody wrote to since the snapshot before costs next to nothing, nor does a file of it take up room twice.
    All or nothing: what fails or is killed leaves the newest snapshot as it was. Readers of older ones are not
    disturbed until those are the oldest. Raises `DatabaseProblem`, `LakeProblem`, and `Mismatch` if a file that was
    written does not hold what its table holds.
    """
    with _alone(database, lake) as alone:
        _clean(lake, alone)
        names = snapshot_names(lake)
        damage = damaged(lake, names[-1:])
        if damage:
            damage = damaged(lake, names)  # older ones may have the same file
        name = _next_name(names)
        folder = f"{ROOT}/{name}"
        with _lock_first(alone), lake.new_folder(folder) as draft:
            found = dict.fromkeys(names[-1:], ()) | {one.snapshot: one.files for one in damage}
            exported = export(database, lake, draft, found)
            row_counts = {table.table: table.rows for table in exported.verified}
            said = {
                "snapshot": name,
                "path": folder,
                "run_id": run_id,
                "taken_at": exported.standing.taken_at.isoformat(),
                "row_counts": row_counts,
                "made_of": exported.made_of,
                "bytes": exported.sizes,
            }
            manifest = json.dumps(said, indent=2).encode()
            alone.confirm()  # somebody else may publish, and remove what is unfinished, since the lock was lost
            with draft.open_output(MANIFEST) as sink:
                sink.write(manifest)
        with _lock_first(alone):
            if lake.is_local:
                lake.point(LATEST_JSON, f"{LATEST}/{MANIFEST}", alone.confirm)
                lake.point(LATEST, folder, alone.confirm)  # switches both
            else:
                alone.confirm()
                lake.write(LATEST_JSON, manifest)
        set_aside = tuple(_set_aside(lake, one) for one in damage)
        _prune(lake, keep)
        _record(database, lake, (name, exported.standing))
    return Snapshot(lake.at(folder), row_counts, exported.verified, set_aside)


@contextmanager
def _lock_first(alone: Held) -> Iterator[None]:
    """Where the lake fails inside because somebody else publishes meanwhile, the lost lock is what is told."""
    try:
        yield
    except LakeProblem:
        alone.confirm()
        raise


def expired(lake: Lake, keep: int) -> list[str]:
    """The folders of the snapshots before the last `keep`."""
    return [f"{ROOT}/{name}" for name in snapshot_names(lake)[: -max(keep, 1)]]


def drop_expired(database: Database, lake: Lake, keep: int) -> int:
    """Delete the snapshots before the last `keep`, and what killed publishes left half made; how many snapshots went.

    A publish that is under way is waited for. Raises `DatabaseProblem`, `LakeProblem`.
    """
    with _alone(database, lake) as alone:
        _clean(lake, alone)
        found = len(expired(lake, keep))
        _prune(lake, keep)
        _record(database, lake)
    gather(database)
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
    try:
        return lake.at(json.loads(lake.read(LATEST_JSON).to_pybytes())["path"])
    except (ValueError, LookupError):
        raise LakeProblem(f"{lake.at(LATEST_JSON)} is damaged", "Publish anew: dropship publish") from None


def _next_name(names: list[str]) -> str:
    """The time, or the second after the newest snapshot: names sort by time even when the clock was set back."""
    now = datetime.now(UTC)
    if names:
        now = max(now, datetime.strptime(names[-1], _NAME).replace(tzinfo=UTC) + timedelta(seconds=1))
    return now.strftime(_NAME)


def _clean(lake: Lake, alone: Held) -> None:
    """Remove what killed publishes left unfinished.

    What is found while we hold the lock is nobody's any more, whenever we come to remove it: what others begin later,
    should we lose the lock here, is not on the list.
    """
    pointers = [path for path in lake.unfinished("") if path.startswith((f".{LATEST}.", f".{LATEST_JSON}."))]
    unfinished = [*pointers, *lake.unfinished(ROOT)]
    folders = [f"{ROOT}/{name}" for name in snapshot_names(lake) if not lake.exists(f"{ROOT}/{name}/{MANIFEST}")]
    alone.confirm()
    for path in unfinished:
        lake.discard(path)
    for folder in folders:
        lake.delete_folder(folder)


def _set_aside(lake: Lake, damage: Damage) -> str:
    if not lake.is_local:
        lake.set_aside(f"{ROOT}/{damage.snapshot}/{MANIFEST}")  # from here on it is unfinished, should we be killed
    aside = lake.set_aside(f"{ROOT}/{damage.snapshot}")
    return f"The snapshot {damage.snapshot} is damaged ({damage.said}): it was set aside as {lake.at(aside)}"


def _prune(lake: Lake, keep: int) -> None:
    for folder in expired(lake, keep):
        lake.delete(f"{folder}/{MANIFEST}")  # from here on it is unfinished, should we be killed
        lake.delete_folder(folder)


def _record(database: Database, lake: Lake, published: tuple[str, Standing] | None = None) -> None:
    """Make `ops.snapshots` say what is in the lake, also what a publish that was killed did not come to record.

    `published`: the snapshot that was published just now, and how the tables stood.
    """
    names = snapshot_names(lake)
    with database.autocommit() as connection:
        known = set(connection.execute(_KNOWN).scalars())
    unknown = {name: said for name in names if name not in known and (said := read_manifest(lake, name)) is not None}
    with database.begin() as connection:
        for name, said in unknown.items():
            counts = json.dumps(said["row_counts"])
            connection.execute(_RECORD, {"snapshot": name, "run_id": said["run_id"], "row_counts": counts})
        connection.execute(_FORGET, {"kept": names})
        if published is not None:
            settle(connection, published[1], published[0])
