"""A publisher that was suspended and wakes up too late changes nothing that a newer one has done."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from merge_rows import tell

from dropship_pipeline.storage.lake.damage import snapshot_names
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.lake.snapshots import latest_snapshot, publish
from dropship_pipeline.storage.server.database import Database

PLACES = (
    "cleaning",
    "before the folder gets its name",
    "before the pointer",
    "between the last look and the pointer",
    "while old ones are thrown away",
)
LOSE_EVERY_CONNECTION = """
    SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def late(database: Database, lake: Lake) -> Iterator["subprocess.Popen[str]"]:
    script = Path(__file__).with_name("late_publisher.py")
    with subprocess.Popen(
        [sys.executable, str(script), database.libpq_url, lake.location],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def falls_asleep(process: "subprocess.Popen[str]", place: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{place}\n")
    process.stdin.flush()
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)


def wakes_up(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    process.send_signal(signal.SIGCONT)
    return process.stdout.readline().strip()


def test_whoever_wakes_up_too_late_leaves_the_newest_snapshot_alone(
    database: Database, lake: Lake, late: "subprocess.Popen[str]"
) -> None:
    """The pointer never goes back, no file of the newer snapshot is touched, and nothing is left lying about."""
    for number, place in enumerate(PLACES):
        tell(database, f"INSERT INTO catalog.product_descriptions VALUES ('{place}', 'before')")
        publish(database, lake, "old", keep=2)
        time.sleep(
            1.1 if place == PLACES[0] else 0
        )  # once with another name for the late one's snapshot, else the same
        falls_asleep(late, place)
        tell(database, LOSE_EVERY_CONNECTION, f"INSERT INTO catalog.product_descriptions VALUES ('{place} ', 'after')")
        newest = publish(database, lake, "new", keep=2)
        said = wakes_up(late)
        assert latest_snapshot(lake) == newest.path, place
        assert os.path.realpath(Path(lake.location) / "latest") == newest.path, place
        rows = pq.read_table(Path(newest.path) / "catalog" / "product_descriptions.parquet").num_rows
        assert rows == newest.row_counts["catalog.product_descriptions"] == 2 * number + 2, place
        # whoever had nothing left to do but to throw away old ones may do that at any time
        assert (said == "done") == (place == PLACES[-1]), (place, said)
    publish(database, lake, "last", keep=2)
    assert len(snapshot_names(lake)) == 2
    assert [path.name for path in Path(lake.location).rglob(".*")] == []


def test_a_draft_that_somebody_makes_meanwhile_is_not_thrown_away_as_unfinished(database: Database, lake: Lake) -> None:
    """The twin of the cleaning above: what is found unfinished by whoever has the lock is."""
    for path in ("snapshots/.2026-01-01T00-00-00Z.0123abcd.new/x", ".latest.0123abcd.new", "snapshots/.mine"):
        lake.write(path, b"1")
    publish(database, lake, "run", keep=2)
    assert [path.name for path in Path(lake.location).rglob(".*")] == [".mine"]
