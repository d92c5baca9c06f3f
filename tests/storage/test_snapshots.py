"""Publishing: Parquet equals Postgres row for row, a snapshot is all or nothing, and readers are left in peace."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dropship_pipeline.storage.lake import snapshots
from dropship_pipeline.storage.lake.place import Draft, Lake, LakeProblem
from dropship_pipeline.storage.lake.snapshots import latest_snapshot, publish
from dropship_pipeline.storage.lake.verification import Mismatch
from dropship_pipeline.storage.server.arrow_connection import ArrowConnection
from dropship_pipeline.storage.server.database import Database, DatabaseDown, DatabaseProblem
from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.catalog import PRICE_TIERS, PRODUCTS
from dropship_pipeline.tables.model import Table
from dropship_pipeline.tables.registry import PUBLISHED, PUBLISHED_VIEWS

MANY = 100_000
KILLS = int(os.environ.get("PUBLISH_KILLS", "3"))
EVERYTHING = [one.full_name for one in (*PUBLISHED, *PUBLISHED_VIEWS)]

# a value of each type from the row's number; text that sorts unlike the numbers, and is not ASCII alone
_VALUES = {
    pa.string(): "'ä\t''\n' || mod(n * 7919, 1000003)",
    pa.bool_(): "mod(n, 2) = 0",
    pa.int32(): "(n - 50)::int",
    pa.int64(): "n * 1000000007",
    pa.decimal128(18, 4): "(n - 50) * 12345678.1234",
    pa.timestamp("us", tz="UTC"): "timestamptz '2026-03-29 00:59:59.999999+00' + n * interval '1 hour'",
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def fill(database: Database, table: Table, rows: int) -> None:
    """Rows of every type; every third value that may be NULL is."""
    values = []
    for place, field in enumerate(arrow_schema(table)):
        value = _VALUES[field.type]
        values.append(f"CASE WHEN mod(n + {place}, 3) > 0 THEN {value} END" if field.nullable else value)
    numbers = f"generate_series(1::bigint, {rows}) n"
    with database.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO {table.full_name} SELECT {', '.join(values)} FROM {numbers}")


def write_to_a_tier(database: Database) -> None:
    """Have the price tiers published anew, with the rows that they have."""
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE catalog.price_tiers SET price = price WHERE sku_id LIKE '%%7919'")


def in_postgres(database: Database, table: Table) -> list[tuple[Any, ...]]:
    columns, order = ", ".join(table.column_names), ", ".join(table.key) or "observed_at"
    with database.begin() as connection:
        found = connection.exec_driver_sql(f"SELECT {columns} FROM {table.full_name} ORDER BY {order}")
        return [tuple(row) for row in found]


def recorded(database: Database) -> list[str]:
    with database.begin() as connection:
        return list(connection.exec_driver_sql("SELECT snapshot FROM ops.snapshots ORDER BY snapshot").scalars())


def in_parquet(path: Path, table: Table) -> list[tuple[Any, ...]]:
    columns = pq.ParquetFile(path / table.schema / f"{table.name}.parquet").read().to_pydict()
    return list(zip(*columns.values(), strict=True))


def names(lake: Lake) -> list[str]:
    return [Path(folder).name for folder in lake.folders("snapshots")]


def hidden(lake: Lake) -> list[str]:
    return [path.name for path in Path(lake.location).rglob(".*")]


def test_parquet_and_postgres_hold_the_same_rows(database: Database, lake: Lake) -> None:
    for table in PUBLISHED:
        fill(database, table, 100)
    snapshot = publish(database, lake, "run", keep=7)
    assert list(snapshot.row_counts) == EVERYTHING
    assert {snapshot.row_counts[table.full_name] for table in PUBLISHED} == {100}
    for table in PUBLISHED:
        rows = in_parquet(Path(snapshot.path), table)
        assert rows == in_postgres(database, table)
        assert any(None in row for row in rows) == any(column.nullable for column in table.columns)


def test_money_stays_exact_at_its_limits(database: Database, lake: Lake) -> None:
    most = Decimal("99999999999999.9999")
    prices = [most, -most, Decimal("0.0001"), Decimal("0.0000"), None]
    with database.begin() as connection:
        for number, price in enumerate(prices):
            connection.exec_driver_sql(
                "INSERT INTO catalog.price_tiers VALUES ('1', %s, '1', NULL, %s, 'USD')", (number, price)
            )
    rows = in_parquet(Path(publish(database, lake, "run", keep=7).path), PRICE_TIERS)
    assert [row[4] for row in rows] == prices


def test_what_belongs_to_a_product_is_together_in_each_file(database: Database, lake: Lake) -> None:
    """SKUs are numbered across all products here, and came in another order still."""
    of_skus = {
        "skus": ("status", "'y'"),
        "sku_attributes": ("position, name, value", "0, 'x', 'y'"),
        "price_tiers": ("min_quantity, price, currency", "1, 2, 'USD'"),
        "inventory_levels": ("shipping_from, quantity, checked_at", "'CN', 1, now()"),
    }
    with database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO catalog.products (product_id, title, status, first_seen_at, described_at, changed_at) "
            "SELECT n, 'x', 'y', now(), now(), now() FROM generate_series(1, 40) n"
        )
        for table, (columns, values) in of_skus.items():
            connection.exec_driver_sql(
                f"INSERT INTO catalog.{table} (sku_id, product_id, {columns}) "
                f"SELECT lpad(mod(n * 7919, 4001)::text, 4, '0'), mod(n * 31, 40) + 1, {values} "
                "FROM generate_series(1, 4000) n"
            )
    snapshot = Path(publish(database, lake, "run", keep=7).path)
    for name in [*(f"catalog/{table}" for table in of_skus), "marts/current_offers"]:
        frame = pd.read_parquet(snapshot / f"{name}.parquet")
        places = list(zip(frame["product_id"], frame["sku_id"], strict=True))
        assert len(places) == 4000, name
        assert places == sorted(places), name


def test_a_change_log_is_in_the_order_in_which_it_was_written(database: Database, lake: Lake) -> None:
    """Not in that of its times: what one transaction saw last it may have seen first."""
    with database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO catalog.listing_changes SELECT 'local_us', mod(n * 7919, 1000)::text, 'listed', "
            "now() - mod(n * 31, 100) * interval '1 second' FROM generate_series(1, 1000) n"
        )
    frame = pd.read_parquet(Path(publish(database, lake, "run", keep=7).path) / "catalog" / "listing_changes.parquet")
    assert list(frame["product_id"]) == [str(n * 7919 % 1000) for n in range(1, 1001)]


def test_a_file_has_the_tables_own_types_and_explains_itself(database: Database, lake: Lake) -> None:
    snapshot = publish(database, lake, "run", keep=7)
    for table in PUBLISHED:
        schema = pq.read_schema(Path(snapshot.path) / table.schema / f"{table.name}.parquet")
        assert schema.equals(arrow_schema(table), check_metadata=False)
        for column in table.columns:
            assert (schema.field(column.name).metadata or {})[b"comment"].decode() == column.comment
        assert (schema.metadata or {})[b"comment"].decode() == table.comment


def test_plain_tools_follow_the_pointer(database: Database, lake: Lake) -> None:
    fill(database, PRODUCTS, 3)
    snapshot = publish(database, lake, "run", keep=7)
    latest = Path(lake.location) / "latest"
    assert len(pd.read_parquet(latest / "catalog" / "products.parquet")) == 3
    said = json.loads((Path(lake.location) / "latest.json").read_text())
    assert str(Path(lake.location) / said["path"]) == snapshot.path == latest_snapshot(lake)
    assert said["row_counts"] == snapshot.row_counts
    assert datetime.fromisoformat(said["taken_at"]).tzinfo is not None


class _Spoilt(Draft):
    """A folder in which something happens to one file between its writing and its reading back."""

    spoil: Callable[[Path], None]

    @contextmanager
    def open_input(self, path: str) -> Iterator[pa.NativeFile]:
        if path.endswith("price_tiers.parquet"):
            self.spoil(Path(self._folder, path))
        with super().open_input(path) as source:
            yield source


class SpoilingLake(Lake):
    """A lake whose disk does that to the file of the price tiers."""

    def __init__(self, url: str, spoil: Callable[[Path], None]) -> None:
        super().__init__(url)
        self.spoil = spoil

    @contextmanager
    def new_folder(self, path: str) -> Iterator[Draft]:
        with super().new_folder(path) as draft:
            spoilt = _Spoilt(self, draft._fs, draft._folder)
            spoilt.spoil = self.spoil
            yield spoilt


def _flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)


def _cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _rewritten(change: Callable[[pd.DataFrame], pd.DataFrame | None]) -> Callable[[Path], None]:
    def rewrite(file: Path) -> None:
        rows = pq.read_table(file)
        frame = rows.to_pandas(types_mapper=pd.ArrowDtype)
        changed = change(frame)
        frame = frame if changed is None else changed
        pq.write_table(pa.Table.from_pandas(frame, rows.schema, preserve_index=False), file)

    return rewrite


def _set(column: str, value: object) -> Callable[[pd.DataFrame], None]:
    def change(frame: pd.DataFrame) -> None:
        frame.loc[frame[column].first_valid_index(), column] = value

    return change


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_flip_a_bit, "it cannot be read back (could not verify page integrity"),
        (_cut_short, "it cannot be read back ("),
        (_rewritten(lambda frame: frame.iloc[1:]), "rows is 100 in Postgres and 99 in Parquet"),
        (_rewritten(lambda frame: pd.concat([frame, frame.iloc[:1]])), "rows is 100 in Postgres and 101 in Parquet"),
        (_rewritten(_set("price", Decimal("0.0001"))), "price: sum is "),
        (_rewritten(_set("max_quantity", None)), "max_quantity: values is 67 in Postgres and 66 in Parquet"),
        (_rewritten(_set("currency", "USDollar")), "currency: bytes is "),
        (_rewritten(lambda frame: frame.drop(columns="currency").assign(currency="x")), "currency: "),
    ],
)
def test_a_file_that_is_not_what_was_written_never_becomes_the_newest(
    database: Database, lake: Lake, spoil: Callable[[Path], None], says: str
) -> None:
    fill(database, PRICE_TIERS, 100)
    before = publish(database, lake, "before", keep=7).path
    write_to_a_tier(database)
    line = re.escape(f"catalog.price_tiers does not hold what the table holds: {says}")
    with pytest.raises(Mismatch, match=line) as told:
        publish(database, SpoilingLake(lake.location, spoil), "run", keep=7)
    assert told.value.table == "catalog.price_tiers"
    assert "newest snapshot is left as it was" in told.value.remedy
    assert latest_snapshot(lake) == before
    assert len(names(lake)) == 1
    assert hidden(lake) == []
    assert recorded(database) == names(lake)
    assert publish(database, lake, "after", keep=7).path == latest_snapshot(lake)


def test_what_was_verified_is_told_table_by_table(database: Database, lake: Lake) -> None:
    fill(database, PRICE_TIERS, 100)
    verified = publish(database, lake, "run", keep=7).verified
    assert [table.table for table in verified] == EVERYTHING
    [tiers] = [table for table in verified if table.table == "catalog.price_tiers"]
    assert tiers.rows == 100
    assert tiers.measures == 1 + 6 + 3  # rows, a sum or bytes a column, and the values of each that may be NULL


def test_numbers_too_large_to_be_added_up_are_verified_all_the_same(database: Database, lake: Lake) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO catalog.inventory_levels "
            "SELECT n, 'CN', n, CASE WHEN n < 50 THEN -9223372036854775808 ELSE 9223372036854775807 END, NULL, now() "
            "FROM generate_series(1, 200) n"
        )
    assert publish(database, lake, "run", keep=7).row_counts["catalog.inventory_levels"] == 200


def test_nothing_was_published_to_an_empty_lake(lake: Lake) -> None:
    assert latest_snapshot(lake) is None


def test_a_snapshot_shows_one_moment_of_all_tables(database: Database, lake: Lake) -> None:
    """Rows come in pairs, in two tables, while snapshots are taken: no snapshot has half a pair."""
    stop = threading.Event()

    def write() -> None:
        number = 1
        while not stop.is_set():
            with database.begin() as connection:
                connection.exec_driver_sql(f"INSERT INTO catalog.product_descriptions VALUES ('{number}', 'x')")
                connection.exec_driver_sql(f"INSERT INTO catalog.product_images VALUES ('{number}', 0, 'x')")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    taken = [publish(database, lake, "run", keep=7).row_counts for _ in range(5)]
    stop.set()
    writer.join()
    counts = [counts["catalog.product_images"] for counts in taken]
    assert counts == [counts["catalog.product_descriptions"] for counts in taken]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_the_last_ones_are_kept_and_the_ledger_says_so(database: Database, lake: Lake) -> None:
    published = [Path(publish(database, lake, f"run-{number}", keep=3).path).name for number in range(5)]
    assert names(lake) == published[-3:]
    assert latest_snapshot(lake) == lake.at(f"snapshots/{published[-1]}")
    with database.begin() as connection:
        rows = connection.exec_driver_sql("SELECT snapshot, run_id, row_counts FROM ops.snapshots ORDER BY 1").all()
    assert [row.snapshot for row in rows] == published[-3:]
    assert [row.run_id for row in rows] == ["run-2", "run-3", "run-4"]
    assert rows[0].row_counts == dict.fromkeys(EVERYTHING, 0)


def test_names_sort_by_time_even_when_the_clock_was_set_back(database: Database, lake: Lake) -> None:
    publish(database, lake, "run", keep=7)
    (first,) = names(lake)
    ahead = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC).strftime(snapshots._NAME)
    (Path(lake.location) / "snapshots" / first).rename(Path(lake.location) / "snapshots" / ahead)
    publish(database, lake, "run", keep=7)
    assert names(lake) == [ahead, "2100-01-01T00-00-00Z"]
    publish(database, lake, "run", keep=1)
    assert latest_snapshot(lake) == lake.at("snapshots/2100-01-01T00-00-01Z")


def test_whoever_reads_an_old_snapshot_is_not_disturbed(database: Database, lake: Lake) -> None:
    fill(database, PRODUCTS, 10)
    with pq.ParquetFile(Path(publish(database, lake, "run", keep=1).path) / "catalog" / "products.parquet") as reader:
        publish(database, lake, "run", keep=1)
        assert reader.read().num_rows == 10


def test_something_else_among_the_snapshots_is_left_alone(database: Database, lake: Lake) -> None:
    lake.write("snapshots/for the audit/notes.txt", b"keep")
    for _ in range(3):
        publish(database, lake, "run", keep=1)
    assert lake.exists("snapshots/for the audit/notes.txt")


def _killed_publish(database: Database, lake: Lake, seconds: float) -> None:
    code = (
        "import sys; from dropship_pipeline.storage.server.database import Database\n"
        "from dropship_pipeline.storage.lake.place import Lake\n"
        "from dropship_pipeline.storage.lake.snapshots import publish\n"
        "print('go', flush=True); publish(Database(sys.argv[1]), Lake(sys.argv[2]), 'killed', keep=2)"
    )
    arguments = [sys.executable, "-c", code, database.libpq_url, lake.location]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)


def test_a_publish_killed_at_any_moment_leaves_a_whole_newest_snapshot(database: Database, lake: Lake) -> None:
    fill(database, PRICE_TIERS, MANY)
    began = time.monotonic()
    publish(database, lake, "before", keep=2)
    took = time.monotonic() - began
    for step in range(KILLS):
        write_to_a_tier(database)
        _killed_publish(database, lake, took * (0.2 + step / KILLS))
        latest = latest_snapshot(lake)
        assert latest is not None
        assert pq.ParquetFile(Path(latest) / "catalog" / "price_tiers.parquet").metadata.num_rows == MANY
        for name in names(lake):
            assert len(list((Path(lake.location) / "snapshots" / name).glob("*/*.parquet"))) == len(EVERYTHING)
    publish(database, lake, "after", keep=2)
    assert hidden(lake) == []
    assert len(names(lake)) == 2
    assert recorded(database) == names(lake)


def test_a_publish_that_was_not_recorded_is_recorded_by_the_next(database: Database, lake: Lake) -> None:
    publish(database, lake, "first", keep=7)
    with database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ops.snapshots")
        connection.exec_driver_sql("INSERT INTO ops.snapshots VALUES ('2001-01-01T00-00-00Z', 'gone', now(), '{}')")
    publish(database, lake, "second", keep=7)
    with database.begin() as connection:
        found = connection.exec_driver_sql("SELECT snapshot, run_id FROM ops.snapshots ORDER BY snapshot").all()
    assert [tuple(row) for row in found] == list(zip(names(lake), ["first", "second"], strict=True))


def test_two_publishes_at_once_make_two_snapshots(database: Database, lake: Lake) -> None:
    fill(database, PRICE_TIERS, MANY // 10)
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(publish(Database(database.libpq_url), lake, "run", keep=7).path))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [lake.at(f"snapshots/{name}") for name in names(lake)]
    assert latest_snapshot(lake) == max(made)
    assert len(made) == 3


def test_a_disk_that_is_full_leaves_the_newest_snapshot_and_no_rest(database: Database, lake: Lake) -> None:
    publish(database, lake, "before", keep=7)
    before = latest_snapshot(lake)
    fill(database, PRICE_TIERS, MANY)
    code = (
        "import resource, sys; from dropship_pipeline.storage.server.database import Database\n"
        "from dropship_pipeline.storage.lake.place import Lake\n"
        "from dropship_pipeline.storage.lake.snapshots import publish\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "publish(Database(sys.argv[1]), Lake(sys.argv[2]), 'full', keep=7)"
    )
    arguments = [sys.executable, "-c", code, database.libpq_url, lake.location]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert "LakeProblem" in ended.stderr
    assert "catalog/price_tiers.parquet does not fit" in ended.stderr
    assert latest_snapshot(lake) == before
    assert len(names(lake)) == 1
    assert hidden(lake) == []


def test_a_database_that_breaks_in_the_middle_is_named_and_leaves_no_rest(
    database: Database, server: Database, lake: Lake
) -> None:
    fill(database, PRICE_TIERS, 2 * MANY)  # long enough to be caught in the middle
    before = publish(database, lake, "before", keep=7).path
    write_to_a_tier(database)

    with database.begin() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()

    def kill_the_reader() -> None:
        with server.autocommit() as connection:
            while not connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE '%%price_tiers ORDER%%' "
                f"AND pid <> pg_backend_pid() AND state = 'active' AND datname = '{name}'"
            ).first():
                time.sleep(0.002)

    killer = threading.Thread(target=kill_the_reader)
    killer.start()
    with pytest.raises(DatabaseDown, match="DROPSHIP_DATABASE_URL"):
        publish(database, lake, "run", keep=7)
    killer.join()
    assert latest_snapshot(lake) == before
    assert len(names(lake)) == 1
    assert hidden(lake) == []


_HELD_UP = """SELECT count(*) FROM pg_locks
    WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def _until_held_up(database: Database, sessions: int) -> None:
    with database.autocommit() as connection:
        until = time.monotonic() + 30
        while connection.exec_driver_sql(_HELD_UP).scalar_one() < sessions and time.monotonic() < until:
            time.sleep(0.01)


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_whoever_interrupts_an_export_waits_for_neither_of_its_connections(database: Database, lake: Lake) -> None:
    """Both wait in statements that would not end, each at an index that somebody makes anew."""
    seen: list[int] = []

    def interrupt() -> None:
        _until_held_up(database, 2)
        with database.autocommit() as connection:
            seen.append(connection.exec_driver_sql(_HELD_UP).scalar_one())
        os.kill(os.getpid(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    with database.sqlalchemy.connect() as holder:
        indexes = "SELECT schemaname || '.' || indexname FROM pg_indexes WHERE schemaname = 'orders'"
        for index in holder.exec_driver_sql(indexes).scalars().all():
            holder.exec_driver_sql(f"REINDEX INDEX {index}")
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            publish(database, lake, "run", keep=7)
        interrupter.join()
        assert seen == [2]
        with database.autocommit() as connection:
            assert connection.exec_driver_sql(_HELD_UP).scalar_one() == 0
    assert names(lake) == hidden(lake) == []
    assert publish(database, lake, "after", keep=7).path == latest_snapshot(lake)


class _InBetween(Database):
    """A database in which something is done before the export's second connection is opened."""

    def __init__(self, url: str, then: Callable[[], None]) -> None:
        super().__init__(url)
        self.then, self.opened = then, 0

    @contextmanager
    def adbc(self) -> Iterator[ArrowConnection]:
        self.opened += 1
        if self.opened == 2:
            self.then()
        with super().adbc() as connection:
            yield connection


@pytest.mark.parametrize("when", ["before the second connection", "while files are written"])
def test_an_export_and_somebody_who_alters_a_table_do_not_wait_for_each_other(
    when: str, database: Database, lake: Lake
) -> None:
    fill(database, PRICE_TIERS, 100)

    def alter() -> None:
        with database.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE catalog.products ADD COLUMN note text")

    alterer = threading.Thread(target=alter)

    def begin_to_alter(_: Path | None = None) -> None:
        alterer.start()
        _until_held_up(database, 1)

    spoil = begin_to_alter if when == "while files are written" else lambda _: None
    then = begin_to_alter if when == "before the second connection" else lambda: None
    between = _InBetween(database.libpq_url, then)
    published = publish(between, SpoilingLake(lake.location, spoil), "run", keep=7)
    alterer.join(60)
    assert not alterer.is_alive()
    between.close()
    assert published.row_counts[PRICE_TIERS.full_name] == 100
    with database.autocommit() as connection:
        assert connection.exec_driver_sql("SELECT note FROM catalog.products").all() == []


def test_a_table_altered_by_hand_is_named(database: Database, lake: Lake) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE catalog.skus DROP COLUMN unit")
    with pytest.raises(DatabaseProblem, match=r"lacks a column .*unit.*dropship db upgrade"):
        publish(database, lake, "run", keep=7)
    assert names(lake) == hidden(lake) == []


def test_a_folder_in_the_place_of_the_pointer_is_named(database: Database, lake: Lake) -> None:
    lake.write("latest/mine.txt", b"1")
    with pytest.raises(LakeProblem, match="latest is a folder where"):
        publish(database, lake, "run", keep=7)
    assert lake.exists("latest/mine.txt")


def test_memory_does_not_grow_with_the_tables(database: Database, tmp_path: Path) -> None:
    """Peak memory of a publish of 20 MB of descriptions, and of 100 MB: a batch is the same in both."""
    code = (
        "import resource, sys; from dropship_pipeline.storage.server.database import Database\n"
        "from dropship_pipeline.storage.lake.place import Lake\n"
        "from dropship_pipeline.storage.lake.snapshots import publish\n"
        "publish(Database(sys.argv[1]), Lake(sys.argv[2]), 'run', keep=1)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )

    def peak(first: int, last: int) -> int:
        with database.begin() as connection:
            rows = "SELECT n, repeat('x', 4000) || n FROM generate_series(%s, %s) n"
            connection.exec_driver_sql(f"INSERT INTO catalog.product_descriptions {rows}", (first, last))
        arguments = [sys.executable, "-c", code, database.libpq_url, str(tmp_path / "lake")]
        return int(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)

    little = peak(1, MANY // 20)
    assert peak(MANY // 20 + 1, MANY // 4) - little < 40
