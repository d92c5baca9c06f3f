"""Raw answers: landed as they came, found again after a kill, set aside when torn, dropped when old."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dropship_pipeline.storage.lake.place import Lake, LakeProblem
from dropship_pipeline.storage.lake.raw import (
    RawAnswer,
    RawFile,
    RawWriter,
    TornRawFile,
    by_sweep,
    drop_expired,
    read_raw,
    record_landed,
    sweep_files,
    unmerged,
)
from dropship_pipeline.storage.server.database import Database

DAY = timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def answers(count: int = 3) -> list[RawAnswer]:
    now = datetime.now(UTC)
    return [
        RawAnswer(
            f"{number}", '{"product_id":"1"}', now + timedelta(microseconds=number), 200, b'{"code":"0"}' * number
        )
        for number in range(count)
    ]


def paths(files: list[RawFile]) -> list[str]:
    return [file.path for file in files]


def recorded(database: Database) -> list[str]:
    with database.begin() as connection:
        return list(connection.exec_driver_sql("SELECT path FROM ops.raw_files ORDER BY path").scalars())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    landed=st.lists(
        st.builds(
            RawAnswer,
            key=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
            request=st.just("{}"),
            received_at=st.datetimes(timezones=st.just(UTC)),
            status=st.integers(100, 599),
            body=st.binary(max_size=200),
            code=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
        ),
        max_size=20,
    )
)
def test_what_is_landed_is_read_back_byte_for_byte(lake: Lake, landed: list[RawAnswer]) -> None:
    file = RawWriter(lake).land("description", "run", landed)
    assert read_raw(lake, file.path) == landed
    assert file.answers == len(landed)


def test_a_raw_file_lies_under_its_kind_and_day_and_tells_of_its_run(lake: Lake) -> None:
    file = RawWriter(lake).land("listing", "0a1b2c3d-4e5f-6789", answers(), sweep_id="sweep-1")
    today = datetime.now(UTC).date()
    assert Path(file.path).match(f"raw/listing/date={today}/????????T??????.??????Z-0a1b2c3d-1.parquet")
    table = pq.ParquetFile(Path(lake.location) / file.path).read()
    assert table["run_id"].to_pylist() == ["0a1b2c3d-4e5f-6789"] * 3
    assert table["sweep_id"].to_pylist() == ["sweep-1"] * 3
    assert pq.ParquetFile(Path(lake.location) / file.path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_files_of_one_writer_never_meet(lake: Lake) -> None:
    writer = RawWriter(lake)
    assert len({writer.land("inventory", "run", answers(1)).path for _ in range(20)}) == 20
    assert len(lake.files("raw")) == 20


def test_a_run_with_an_odd_name_lands_in_the_lake_all_the_same(lake: Lake) -> None:
    file = RawWriter(lake).land("inventory", "../../etc/passwd", answers(1))
    assert lake.files("raw/inventory") == [file.path]
    assert "-etcpassw-" in file.path


def test_what_no_merge_recorded_is_found_oldest_first(lake: Lake, database: Database) -> None:
    writer = RawWriter(lake)
    files = [writer.land("description", "run", answers(number)) for number in range(1, 5)]
    writer.land("inventory", "run", answers())
    record_landed(database, files[1])
    assert unmerged(database, lake, "description", DAY) == [files[0], files[2], files[3]]
    assert unmerged(database, lake, "freight", DAY) == []


def test_what_was_landed_too_long_ago_is_not_taken_up(lake: Lake, database: Database) -> None:
    file = RawWriter(lake).land("description", "run", answers())
    old = file.path.replace(f"date={datetime.now(UTC).date()}", f"date={datetime.now(UTC).date() - 5 * DAY}")
    lake.write(old, lake.read(file.path))
    assert paths(unmerged(database, lake, "description", 2 * DAY)) == [file.path]
    assert sorted(paths(unmerged(database, lake, "description", 5 * DAY))) == sorted([old, file.path])


def test_a_run_that_was_killed_leaves_what_it_landed_and_nothing_half_written(lake: Lake, database: Database) -> None:
    code = (
        "import sys; from datetime import datetime, UTC; from dropship_pipeline.storage.lake.place import Lake\n"
        "from dropship_pipeline.storage.lake.raw import RawAnswer, RawWriter\n"
        "writer = RawWriter(Lake(sys.argv[1])); body = bytes(range(256)) * 2000\n"
        "while True:\n"
        "    file = writer.land('description', 'killed', [RawAnswer('1', '{}', datetime.now(UTC), 200, body)] * 20)\n"
        "    print(file.path, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, lake.location], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        promised = [process.stdout.readline().strip() for _ in range(5)]
        os.kill(process.pid, signal.SIGKILL)
        promised += process.stdout.read().split()
    found = unmerged(database, lake, "description", DAY)
    assert set(promised) <= set(paths(found))
    assert len(found) <= len(promised) + 1
    for file in found:
        assert (file.run_id, file.answers) == ("killed", 20)
        assert len(read_raw(lake, file.path)) == 20


@pytest.mark.parametrize("damage", ["cut off", "empty", "not parquet", "other columns"])
def test_a_torn_file_is_set_aside_and_named(lake: Lake, database: Database, damage: str) -> None:
    file = RawWriter(lake).land("description", "run", answers(50))
    whole = lake.read(file.path).to_pybytes()
    other = Path(lake.location) / "other.parquet"
    pq.write_table(pq.ParquetFile(Path(lake.location) / file.path).read(columns=["key"]), other)
    broken = {
        "cut off": whole[: len(whole) // 2],
        "empty": b"",
        "not parquet": b"<html>" * 100,
        "other columns": other.read_bytes(),
    }[damage]
    (Path(lake.location) / file.path).write_bytes(broken)
    assert paths(unmerged(database, lake, "description", DAY)) == [file.path]
    with pytest.raises(TornRawFile, match=r"raw/description/date=.*set aside.*run the sync again"):
        read_raw(lake, file.path)
    assert unmerged(database, lake, "description", DAY) == []
    assert lake.read(file.path + ".torn").to_pybytes() == broken


def test_no_flipped_bit_makes_an_answer_that_was_not_given(lake: Lake) -> None:
    landed = answers(30)
    file = RawWriter(lake).land("description", "run", landed)
    whole = lake.read(file.path).to_pybytes()
    noticed = 0
    for position in range(0, len(whole), 11):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        lake.write(file.path, bytes(flipped))
        try:
            assert read_raw(lake, file.path) == landed, f"byte {position} of {len(whole)}"
        except TornRawFile:
            noticed += 1
    assert noticed > 50


def test_an_unbroken_file_is_not_taken_for_a_torn_one(lake: Lake) -> None:
    """The twin of the test above: it must be the damage that is noticed."""
    file = RawWriter(lake).land("description", "run", answers(50))
    assert len(read_raw(lake, file.path)) == 50
    assert lake.files("raw") == [file.path]


def test_a_file_that_cannot_be_reached_is_not_taken_for_a_torn_one(lake: Lake) -> None:
    with pytest.raises(LakeProblem, match="is missing"):
        read_raw(lake, "raw/description/date=2024-01-01/gone.parquet")


def test_the_pages_of_a_sweep_are_found_recorded_or_not(lake: Lake, database: Database) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO ops.sweeps SELECT 'mine', 'us_standard', 'run', 'running', now(), NULL, 0, 0, NULL, 0, 0, 0, "
            "NULL, 3"
        )
    writer = RawWriter(lake)
    first = writer.land("listing", "run", answers(2), sweep_id="mine", fence=1)
    other = writer.land("listing", "run", answers(2), sweep_id="other", fence=1)
    late = writer.land("listing", "late", answers(2), sweep_id="mine", fence=1)
    second = writer.land("listing", "run", answers(4), sweep_id="mine", fence=2)
    gone = writer.land("listing", "run", answers(4), sweep_id="mine", fence=2)
    for file in (first, other, gone):
        record_landed(database, file)
    lake.delete(gone.path)
    assert paths(sweep_files(database, lake, "mine", fence=3)) == [first.path, second.path]
    assert sweep_files(database, lake, "nobody's", fence=3) == []
    record_landed(database, second)
    landed = [file.path for file in (first, late, second)]
    assert by_sweep(database, lake, landed) == {"mine": [first.path, second.path]}, "what came too late is left out"


def test_recording_twice_is_recording_once(lake: Lake, database: Database) -> None:
    file = RawWriter(lake).land("listing", "run", answers(), sweep_id="sweep")
    record_landed(database, file)
    record_landed(database, file)
    with database.begin() as connection:
        row = connection.exec_driver_sql("SELECT path, kind, run_id, sweep_id, answers FROM ops.raw_files").one()
    assert tuple(row) == (file.path, "listing", "run", "sweep", 3)


def test_what_is_past_its_days_goes_with_its_records(lake: Lake, database: Database) -> None:
    today = datetime.now(UTC).date()
    kept = RawWriter(lake).land("description", "run", answers())
    days = {age: f"raw/description/date={today - age * DAY}/x.parquet" for age in (29, 30, 31, 400)}
    for path in days.values():
        lake.write(path, b"x")
        record_landed(database, RawFile(path, "description", "run", 1))
    record_landed(database, kept)
    lake.write("raw/description/notes.txt", b"not ours to delete")
    assert drop_expired(lake, database, days=30) == 2
    left = sorted([days[29], days[30], kept.path])
    assert recorded(database) == left
    assert lake.files("raw/description") == sorted([*left, "raw/description/notes.txt"])
    assert drop_expired(lake, database, days=30) == 0


def test_records_of_files_that_a_killed_run_deleted_go_with_the_next(lake: Lake, database: Database) -> None:
    record_landed(database, RawFile("raw/description/date=2020-01-01/x.parquet", "description", "run", 1))
    drop_expired(lake, database, days=30)
    assert recorded(database) == []
