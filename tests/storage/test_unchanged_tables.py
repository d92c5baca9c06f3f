"""A publish writes anew what was written to, takes over every other file, and is never wrong about which is which."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from merge_rows import ask, tell
from sqlalchemy.engine import make_url

from dropship_pipeline.storage.lake.damage import damaged, snapshot_names
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.lake.published import find
from dropship_pipeline.storage.lake.snapshots import Snapshot, drop_expired, publish
from dropship_pipeline.storage.lake.writes import look, settle, tables_of
from dropship_pipeline.storage.reading.alterations import since_snapshot
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.model import Table, View
from dropship_pipeline.tables.registry import PUBLISHED, PUBLISHED_VIEWS

EVERYTHING: tuple[Table | View, ...] = (*PUBLISHED, *PUBLISHED_VIEWS)
TITLES = "catalog.product_descriptions"
FILL = f"INSERT INTO {TITLES} SELECT n::text, 'x' || n FROM generate_series(1, 50) n"
WRITE = f"UPDATE {TITLES} SET html = html || '!' WHERE product_id = '1'"
READ_AND_NONE_THERE = """
    INSERT INTO ops.fetches (kind, product_id, destination, fetched_at, outcome)
    VALUES ('inventory', '2', '', now(), 'answered')
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def filled(database: Database) -> Database:
    tell(
        database,
        FILL,
        "INSERT INTO catalog.products (product_id, title, first_seen_at, described_at, changed_at) "
        "SELECT n::text, 'Flask ' || n, now(), now(), now() FROM generate_series(1, 50) n",
        "INSERT INTO catalog.skus (sku_id, product_id) SELECT 'S' || n, n::text FROM generate_series(1, 50) n",
    )
    return database


def files(snapshot: Snapshot | str) -> dict[str, int]:
    """Which file of the disk each table's is."""
    folder = Path(snapshot if isinstance(snapshot, str) else snapshot.path)
    return {one.full_name: (folder / one.schema / f"{one.name}.parquet").stat().st_ino for one in EVERYTHING}


def written(before: Snapshot, after: Snapshot) -> set[str]:
    """The tables whose file in the later snapshot is not that of the earlier one."""
    old, new = files(before), files(after)
    return {name for name in new if new[name] != old[name]}


def rows(path: Path | str, table: str) -> list[tuple[Any, ...]]:
    file = Path(path) / f"{table.replace('.', '/')}.parquet"
    return sorted(zip(*pq.read_table(file).to_pydict().values(), strict=True), key=repr)


def holds_the_tables(snapshot: Snapshot, database: Database) -> bool:
    """Whether the snapshot is what the database holds now, in the tables of these tests."""
    return all(
        rows(snapshot.path, name) == sorted(ask(database, f"SELECT {columns} FROM {name}"), key=repr)
        for name, columns in (
            (TITLES, "product_id, html"),
            ("catalog.product_images", "product_id, position, url"),
        )
    )


def marks(database: Database) -> list[str]:
    return [name for (name,) in ask(database, "SELECT table_name FROM ops.table_writes ORDER BY 1")]


def test_what_nobody_wrote_to_is_taken_over_and_what_somebody_wrote_to_is_written_anew(
    filled: Database, lake: Lake
) -> None:
    first = publish(filled, lake, "first", keep=7)
    assert marks(filled) == []
    second = publish(filled, lake, "second", keep=7)
    assert written(first, second) == set()
    assert second.row_counts == first.row_counts
    assert [one.table for one in second.verified] == [one.full_name for one in EVERYTHING]
    assert second.verified == first.verified
    tell(filled, WRITE)
    third = publish(filled, lake, "third", keep=7)
    assert written(second, third) == {TITLES}
    assert holds_the_tables(third, filled)
    assert rows(second.path, TITLES) != rows(third.path, TITLES)


def test_a_mart_is_evaluated_again_when_one_of_the_tables_that_it_reads_was_written_to(
    filled: Database, lake: Lake
) -> None:
    before = publish(filled, lake, "run", keep=20)
    for write, reads in (
        ("UPDATE catalog.skus SET unit = 'Piece'", {"marts.current_offers", "marts.landed_costs"}),
        ("INSERT INTO catalog.inventory_levels VALUES ('S1', 'CN', '1', 7, NULL, now())", {"marts.current_offers"}),
        (READ_AND_NONE_THERE, {"marts.current_offers"}),
        ("INSERT INTO catalog.product_images VALUES ('1', 0, 'x')", set()),
    ):
        tell(filled, write)
        after = publish(filled, lake, "run", keep=20)
        assert {name for name in written(before, after) if name.startswith("marts.")} == reads, write
        before = after
    offers = pq.read_table(Path(before.path) / "marts" / "current_offers.parquet").to_pylist()
    assert {one["sku_id"]: one["stock"] for one in offers if one["stock"] is not None} == {"S1": 7, "S2": 0}


def test_everything_that_a_published_file_is_made_of_has_its_writes_noted(database: Database) -> None:
    with database.adbc() as connection:
        connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        standing = look(connection)
    assert [one.full_name for one in EVERYTHING if standing.is_written(one)] == []
    assert tables_of(PUBLISHED_VIEWS[0]) > {"catalog.skus", "ops.fetches"}
    for view in PUBLISHED_VIEWS:  # what depends on the time must be evaluated each time
        [(query,)] = ask(database, f"SELECT pg_get_viewdef('{view.full_name}'::regclass)")
        assert "now()" not in query.lower()
        assert "current_" not in query.lower()


def test_each_kind_of_write_is_noted_and_one_that_touches_no_row_is_not(filled: Database) -> None:
    tell(filled, "DELETE FROM ops.table_writes")
    for statement in (
        f"UPDATE {TITLES} SET html = '' WHERE product_id = 'nobody'",
        f"DELETE FROM {TITLES} WHERE product_id = 'nobody'",
        f"INSERT INTO {TITLES} SELECT 'nobody', '' WHERE false",
        f"INSERT INTO {TITLES} VALUES ('1', '') ON CONFLICT DO NOTHING",
    ):
        tell(filled, statement)
        assert marks(filled) == [], statement
    for statement in (
        f"INSERT INTO {TITLES} VALUES ('51', '')",
        f"INSERT INTO {TITLES} VALUES ('51', '') ON CONFLICT (product_id) DO UPDATE SET html = 'y'",
        WRITE,
        f"DELETE FROM {TITLES} WHERE product_id = '51'",
        f"TRUNCATE {TITLES}",
        f"SET LOCAL session_replication_role = replica; {FILL}",
    ):
        tell(filled, statement)
        assert marks(filled) == [TITLES], statement
        tell(filled, "DELETE FROM ops.table_writes")
    tell(filled, *[WRITE] * 3)
    assert marks(filled) == [TITLES], "one transaction, one mark"
    tell(filled, WRITE)
    assert marks(filled) == [TITLES] * 2


def test_whoever_may_write_to_a_table_leaves_a_mark_whatever_else_he_may_not(
    filled: Database, server: Database
) -> None:
    login = f"hand_{os.getpid()}"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {login} LOGIN")
    hand = Database(make_url(filled.libpq_url).set(username=login).render_as_string(hide_password=False))
    try:
        tell(
            filled,
            f"GRANT USAGE ON SCHEMA catalog TO {login}; GRANT SELECT, UPDATE ON {TITLES} TO {login}",
            "DELETE FROM ops.table_writes",
        )
        tell(hand, WRITE)
        assert marks(filled) == [TITLES]
    finally:
        hand.close()
        tell(filled, f"DROP OWNED BY {login}")
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"DROP ROLE {login}")


def test_writers_of_one_table_do_not_wait_for_each_other_nor_a_publish_for_them(filled: Database, lake: Lake) -> None:
    before = publish(filled, lake, "before", keep=7)
    with filled.sqlalchemy.connect() as one, filled.sqlalchemy.connect() as other:
        one.exec_driver_sql(WRITE)
        other.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
        other.exec_driver_sql(WRITE.replace("'1'", "'2'"))
        assert written(before, publish(filled, lake, "beside", keep=7)) == set()
        other.commit()
        after_one = publish(filled, lake, "one", keep=7)
        assert holds_the_tables(after_one, filled)
        one.commit()  # began before two publishes, and is in neither
    after_both = publish(filled, lake, "both", keep=7)
    assert written(after_one, after_both) == {TITLES}
    assert holds_the_tables(after_both, filled)
    assert written(after_both, publish(filled, lake, "again", keep=7)) == set()


class _MeanwhileLake(Lake):
    """Something happens just before the snapshot becomes the newest."""

    meanwhile: Callable[[], None]

    def point(self, name: str, target: str, confirm: Callable[[], None] = lambda: None) -> None:
        if name == "latest":
            self.meanwhile()
        super().point(name, target, confirm)


def test_what_commits_while_a_publish_is_under_way_is_in_the_next_one(filled: Database, lake: Lake) -> None:
    """Also that of a transaction which began, and wrote, before others that are in this one."""
    with filled.sqlalchemy.connect() as early:
        early.exec_driver_sql(WRITE)
        tell(filled, WRITE.replace("'1'", "'2'"))
        slow = _MeanwhileLake(lake.location)
        slow.meanwhile = early.commit
        under_way = publish(filled, slow, "under way", keep=7)
    assert not holds_the_tables(under_way, filled)
    assert marks(filled) == [TITLES]
    assert holds_the_tables(publish(filled, lake, "next", keep=7), filled)


@pytest.mark.parametrize("seed", range(2))
def test_every_snapshot_is_what_the_tables_are_however_transactions_and_publishes_overlap(
    filled: Database, tmp_path: Path, seed: int
) -> None:
    """Transactions begin, write, commit and roll back between publishes to two lakes, at random."""
    draw = random.Random(seed)
    lakes = [Lake(str(tmp_path / name)) for name in ("one", "other")]
    opened = [filled.sqlalchemy.connect() for _ in range(3)]
    taken_over = 0
    try:
        for step in range(60):
            here = draw.choice(opened)
            match draw.randrange(6):
                case 0 | 1:
                    at = opened.index(here)  # rows of its own: it waits for nobody
                    table = draw.choice([TITLES, "catalog.product_images"])
                    value = f"'{step}'" if table == TITLES else f"0, '{step}'"
                    here.exec_driver_sql(f"DELETE FROM {table} WHERE product_id = 'own {at}'")
                    here.exec_driver_sql(f"INSERT INTO {table} VALUES ('own {at}', {value})")
                case 2:
                    here.commit()
                case 3:
                    here.rollback()
                case 4 if draw.random() < 0.3:
                    drop_expired(filled, draw.choice(lakes), 3)
                case _:
                    lake = lakes[draw.random() < 0.2]
                    names = snapshot_names(lake)
                    snapshot = publish(filled, lake, str(step), keep=3)
                    assert holds_the_tables(snapshot, filled), (seed, step)
                    if names:
                        before = (
                            files(lake.at(f"snapshots/{names[-1]}")) if lake.exists(f"snapshots/{names[-1]}") else {}
                        )
                        taken_over += len(set(before.values()) & set(files(snapshot).values()))
    finally:
        for connection in opened:
            connection.close()
    assert taken_over > 100, "it shows nothing if nothing was taken over"


class _Late:
    """A process that publishes, and falls asleep when its snapshot is the newest and not recorded yet."""

    def __init__(self, database: Database, lake: Lake) -> None:
        script = Path(__file__).with_name("late_publisher.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), database.libpq_url, lake.location],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdin is not None
        self.process.stdin.write("while old ones are thrown away\n")
        self.process.stdin.flush()
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def wake(self) -> None:
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGCONT)
        assert [self.process.stdout.readline() for _ in range(2)] == ["ready\n", "done\n"]

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def _old_ones(database: Database, lake: Lake) -> None:
    """So many snapshots that the next publish has one to throw away."""
    for _ in range(2):
        publish(database, lake, "old", keep=2)


def test_a_publish_that_is_killed_before_it_is_recorded_costs_a_needless_export_and_no_row(
    filled: Database, lake: Lake
) -> None:
    _old_ones(filled, lake)
    tell(filled, WRITE)
    late = _Late(filled, lake)
    late.end()
    assert len(snapshot_names(lake)) == 3
    assert marks(filled) == [TITLES]
    tell(filled, WRITE.replace("'1'", "'2'"))
    after = publish(filled, lake, "after", keep=7)
    assert holds_the_tables(after, filled)
    assert marks(filled) == []
    assert written(after, publish(filled, lake, "again", keep=7)) == set()


def test_a_publish_that_is_recorded_too_late_is_not_what_the_next_one_goes_by(filled: Database, lake: Lake) -> None:
    """Its files are older than the marks that the newer one removed: taken over from there, the write would be lost."""
    _old_ones(filled, lake)
    late = _Late(filled, lake)
    try:
        tell(
            filled,
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            WRITE,
        )
        newer = publish(filled, Lake(lake.location), "newer", keep=7)
        late.wake()
    finally:
        late.end()
    assert ask(filled, "SELECT snapshot FROM ops.publishes") == [(Path(newer.path).name,)]
    after = publish(filled, lake, "after", keep=7)
    assert written(newer, after) == set()
    assert holds_the_tables(after, filled)


def test_marks_that_were_gathered_stay_until_a_publish_saw_them(filled: Database, lake: Lake) -> None:
    publish(filled, lake, "before", keep=7)
    for _ in range(3):
        tell(filled, WRITE)
    with filled.adbc() as connection:
        connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        seen = look(connection)
        tell(filled, WRITE)
        drop_expired(filled, lake, 7)
        assert marks(filled) == [TITLES]
    with filled.begin() as in_passing:
        settle(in_passing, seen, "its own")
    assert marks(filled) == [TITLES], "it stands for a write that was not seen"
    tell(filled, "DELETE FROM ops.publishes")
    assert holds_the_tables(publish(filled, lake, "after", keep=7), filled)
    assert marks(filled) == []


def _delete_the_snapshot(database: Database, lake: Lake) -> None:
    lake.delete_folder(f"snapshots/{snapshot_names(lake)[-1]}")


def _another_moment(database: Database, lake: Lake) -> None:
    """The snapshot of another database, of the same name."""
    manifest = Path(lake.location) / "snapshots" / snapshot_names(lake)[-1] / "snapshot.json"
    said = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(said | {"taken_at": "2026-01-01T00:00:00+00:00"}))


def _forget(database: Database, lake: Lake) -> None:
    tell(database, "DELETE FROM ops.publishes")


@pytest.mark.parametrize("lose", [_delete_the_snapshot, _another_moment, _forget])
def test_all_is_written_anew_where_the_snapshot_that_was_published_last_is_not_there(
    filled: Database, lake: Lake, lose: Callable[[Database, Lake], None]
) -> None:
    before = publish(filled, lake, "before", keep=7)
    old = files(before)
    kept = [(Path(before.path) / f"{name.replace('.', '/')}.parquet").open() for name in old]  # no number comes again
    lose(filled, lake)
    after = publish(filled, lake, "after", keep=7)
    assert not set(files(after).values()) & set(old.values())
    assert len(kept) == len(EVERYTHING)
    for file in kept:
        file.close()
    assert written(after, publish(filled, lake, "again", keep=7)) == set()


ENABLE = ", ".join(f"ENABLE ALWAYS TRIGGER note_{what}" for what in ("insert", "update", "delete", "truncate"))
SWAP = f"""
    CREATE TABLE catalog.other (LIKE {TITLES} INCLUDING ALL);
    INSERT INTO catalog.other VALUES ('1', 'other');
    DROP TABLE {TITLES};
    ALTER TABLE catalog.other RENAME TO product_descriptions
"""
ALTERED = (
    (f"ALTER TABLE {TITLES} ADD mine int", TITLES),
    (f"ALTER TABLE {TITLES} DISABLE TRIGGER ALL; {WRITE}; ALTER TABLE {TITLES} {ENABLE}", TITLES),
    (f"DROP TRIGGER note_update ON {TITLES}; {WRITE}", TITLES),
    (SWAP, TITLES),
    ("CREATE OR REPLACE VIEW marts.landed_costs AS SELECT * FROM ({query}) l WHERE quantity > 0", "marts.landed_costs"),
)


@pytest.mark.parametrize(("alteration", "anew"), ALTERED)
def test_a_table_whose_writes_may_have_gone_unnoticed_is_written_anew(
    filled: Database, lake: Lake, alteration: str, anew: str
) -> None:
    [(query,)] = ask(filled, "SELECT rtrim(pg_get_viewdef('marts.landed_costs'::regclass), ';')")
    before = publish(filled, lake, "before", keep=7)
    tell(filled, alteration.format(query=query))
    after = publish(filled, lake, "after", keep=7)
    assert written(before, after) == {anew}
    assert holds_the_tables(after, filled)
    tell(filled, WRITE)  # as long as nobody notes it, the table is written anew each time
    assert holds_the_tables(publish(filled, lake, "later", keep=7), filled)


def test_databases_that_publish_to_one_lake_take_over_their_own_files_alone(
    filled: Database, server: Database, lake: Lake
) -> None:
    """A copy, as of a backup, goes on from where it was copied, and so does the original."""
    publish(filled, lake, "before", keep=20)
    filled.close()
    name = f"{make_url(filled.libpq_url).database}_copy"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {make_url(filled.libpq_url).database}")
    copy = Database(make_url(filled.libpq_url).set(database=name).render_as_string(hide_password=False))
    try:
        for turn in range(2):
            for number, one in enumerate((filled, copy)):
                tell(one, f"UPDATE {TITLES} SET html = 'turn {turn} of {number}' WHERE product_id = '{turn}'")
                if turn:
                    drop_expired(one, lake, 20)  # records what the other one published
                assert holds_the_tables(publish(one, lake, "run", keep=20), one)
                assert holds_the_tables(publish(one, lake, "again", keep=20), one)
    finally:
        copy.close()
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def _cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def test_every_snapshot_that_has_the_torn_file_is_set_aside_and_the_file_is_written_anew(
    filled: Database, lake: Lake
) -> None:
    oldest = publish(filled, lake, "oldest", keep=7)
    tell(filled, WRITE)
    torn = [publish(filled, lake, "torn", keep=7) for _ in range(2)]
    _cut_off(Path(torn[-1].path) / f"{TITLES.replace('.', '/')}.parquet")
    after = publish(filled, lake, "after", keep=7)
    assert len(after.set_aside) == 2
    assert snapshot_names(lake) == [Path(oldest.path).name, Path(after.path).name]
    assert damaged(lake, snapshot_names(lake), every_page=True) == []
    assert holds_the_tables(after, filled)
    assert files(after)["catalog.products"] == files(oldest)["catalog.products"], "what is sound is taken over"


def test_a_file_that_was_altered_is_named_by_a_look_at_the_tables_and_not_taken_over(
    filled: Database, lake: Lake
) -> None:
    newest = publish(filled, lake, "run", keep=7)
    assert since_snapshot(filled, find(lake)) == []
    file = Path(newest.path) / f"{TITLES.replace('.', '/')}.parquet"
    table = pq.read_table(file)
    pq.write_table(table.set_column(1, table.schema.field(1), [["y" * 40] * table.num_rows]), file)
    assert damaged(lake, snapshot_names(lake), every_page=True) == [], "as a file it is whole"
    tell(filled, "INSERT INTO ops.raw_files VALUES ('raw/1', 'description', 'run', NULL, 1, now())")
    assert [one.table for one in since_snapshot(filled, find(lake))] == [TITLES], "though we might have written to it"
    assert holds_the_tables(publish(filled, lake, "after", keep=7), filled)


def test_where_a_disk_knows_no_hard_links_files_are_copied(
    filled: Database, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    before = publish(filled, lake, "before", keep=7)
    tell(filled, "DELETE FROM catalog.skus")
    after = publish(filled, lake, "after", keep=7)
    assert not set(files(before).values()) & set(files(after).values())
    assert holds_the_tables(after, filled)
    assert damaged(lake, snapshot_names(lake), every_page=True) == []
