"""Files in the lake that are cut off or altered, and a disk that is full: named, set aside, nothing torn."""

import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from merge_rows import tell

from dropship_pipeline.storage.lake.damage import damaged, snapshot_names
from dropship_pipeline.storage.lake.place import Lake, LakeProblem
from dropship_pipeline.storage.lake.published import find, snapshots
from dropship_pipeline.storage.lake.raw import RawAnswer, RawWriter, read_raw
from dropship_pipeline.storage.lake.snapshots import latest_snapshot, publish
from dropship_pipeline.storage.server.database import Database

FILE = "catalog/product_descriptions.parquet"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def described(database: Database) -> Database:
    """Rows that fill some pages of a file, and cannot be made much smaller."""
    tell(
        database,
        "INSERT INTO catalog.product_descriptions SELECT n::text, "
        "(SELECT string_agg(md5((n * 31 + k)::text), '') FROM generate_series(1, 30) k) FROM generate_series(1, 400) n",
    )
    return database


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 16
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def rewrite(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(1), path)


@pytest.mark.parametrize("spoil", [cut_off, empty, rewrite, Path.unlink])
def test_a_damaged_snapshot_is_set_aside_and_named_by_the_next_publish(
    described: Database, lake: Lake, spoil: Callable[[Path], None]
) -> None:
    publish(described, lake, "old", keep=7)
    tell(described, "UPDATE catalog.product_descriptions SET html = html WHERE product_id = '1'")
    newest = publish(described, lake, "damaged", keep=7)
    old, name = snapshot_names(lake)
    assert damaged(lake, [old, name], every_page=True) == []
    spoil(Path(newest.path) / FILE)
    [damage] = damaged(lake, [old, name])
    assert (damage.snapshot, damage.said) == (name, FILE)
    left = sorted(file.relative_to(newest.path).as_posix() for file in Path(newest.path).rglob("*.*"))

    [line] = (done := publish(described, lake, "new", keep=7)).set_aside
    aside = Path(lake.location) / "quarantine" / "snapshots" / name
    assert line == f"The snapshot {name} is damaged ({FILE}): it was set aside as {aside}"
    assert sorted(file.relative_to(aside).as_posix() for file in aside.rglob("*.*")) == left, "nothing was deleted"
    assert latest_snapshot(lake) == done.path
    assert snapshot_names(lake) == [old, Path(done.path).name]
    assert damaged(lake, snapshot_names(lake), every_page=True) == []
    assert publish(described, lake, "again", keep=7).set_aside == ()


def test_a_flipped_bit_is_found_by_reading_every_page(described: Database, lake: Lake) -> None:
    newest = publish(described, lake, "run", keep=7)
    flip_a_bit(Path(newest.path) / FILE)
    assert damaged(lake, snapshot_names(lake)) == [], "its footer is whole"
    assert [one.files for one in damaged(lake, snapshot_names(lake), every_page=True)] == [(FILE,)]


def test_a_snapshot_whose_manifest_is_damaged_is_not_read_and_set_aside(described: Database, lake: Lake) -> None:
    first = publish(described, lake, "first", keep=7)
    second = publish(described, lake, "second", keep=7)
    cut_off(Path(second.path) / "snapshot.json")
    assert find(lake).lake.at(f"snapshots/{find(lake).name}") == first.path
    assert len(snapshots(lake)) == 1
    with pytest.raises(LakeProblem, match=r"latest.json is damaged. Publish anew"):
        latest_snapshot(lake)
    [line] = publish(described, lake, "third", keep=7).set_aside
    assert "(snapshot.json)" in line
    assert len(snapshots(lake)) == 2


@contextmanager
def disk() -> Iterator[Path]:
    """A disk of its own, of a megabyte."""
    with tempfile.TemporaryDirectory(prefix="dropship-disk-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True, capture_output=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def may_mount() -> bool:
    """Whether this user may: root may, except in most containers."""
    try:
        with disk():
            return True
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False


@contextmanager
def somebody_fills(place: Path) -> Iterator[None]:
    """Inside, there is no byte left on the disk."""
    filler = place / "somebody else's"
    filler.write_bytes(bytes(shutil.disk_usage(place).free))
    yield
    filler.unlink()


@contextmanager
def limited(_: Path) -> Iterator[None]:
    """Inside, no file may grow: what a user meets who may not mount a disk of his own."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("without_room", [limited, *([somebody_fills] if may_mount() else [])])
def test_a_full_disk_stops_landing_and_publishing_cleanly_and_they_go_on_when_there_is_room(
    described: Database, tmp_path: Path, without_room: Callable[[Path], AbstractContextManager[None]]
) -> None:
    with disk() if without_room is somebody_fills else nullcontext(tmp_path) as place:
        lake = Lake(str(place / "lake"))
        writer = RawWriter(lake)
        answers = [RawAnswer("1", "{}", datetime.now(UTC), 200, bytes(range(256)) * 8)] * 3
        kept = writer.land("description", "run", answers)
        before = publish(described, lake, "before", keep=7).path
        everything = sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))

        with without_room(place):
            with pytest.raises(LakeProblem, match=r"disk is full|limit on the size of a file") as stopped:
                publish(described, lake, "full", keep=7)
            assert "then run the command again" in stopped.value.remedy
            with pytest.raises(LakeProblem, match=r"disk is full|limit on the size of a file"):
                writer.land("description", "run", answers)
        assert sorted(path.relative_to(place).as_posix() for path in place.rglob("*")) == everything
        assert latest_snapshot(lake) == before
        assert damaged(lake, snapshot_names(lake), every_page=True) == []
        assert read_raw(lake, kept.path) == answers

        assert read_raw(lake, writer.land("description", "run", answers).path) == answers
        assert publish(described, lake, "after", keep=1).path == latest_snapshot(lake)
