"""The book-keeping forgets what is past its time, without forgetting how things stand; one part never stops another."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deployment import Deployment
from sqlalchemy import text

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.upkeep import HISTORY, Freed, changed_tables, drop_history, vacuum
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.session import Store, open_store
from dropship_pipeline.sync.upkeep import Part, parts_of_the_store, tidy_up

Deploy = Callable[..., Deployment]

BEFORE = datetime(2026, 1, 31, tzinfo=UTC)
OLD, NEW = BEFORE - timedelta(days=1), BEFORE + timedelta(days=1)


class Books:
    """The book-keeping in few words."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, table: str, **row: object) -> None:
        names = ", ".join(row)
        with self.database.begin() as connection:
            connection.execute(
                text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})"), row
            )

    def keys(self, table: str, key: str) -> set[str]:
        with self.database.begin() as connection:
            return set(connection.exec_driver_sql(f"SELECT {key} FROM {table}").scalars())

    def sweep(self, name: str, feed: str, state: str, at: datetime) -> None:
        counts = dict.fromkeys(("pages", "listed", "new", "missing", "delisted"), 0)
        self.add("ops.sweeps", sweep_id=name, feed=feed, run_id="r", state=state, started_at=at, **counts)

    def fetched(self, product_id: str, at: datetime) -> None:
        self.add(
            "ops.fetches",
            kind="description",
            product_id=product_id,
            destination="",
            fetched_at=at,
            outcome="refused",
            code="404",
        )


@pytest.fixture
def books(database: Database) -> Books:
    return Books(database)


def test_the_newest_sweep_of_each_feed_and_outcome_stays_however_old(books: Books) -> None:
    books.sweep("1", "a", "complete", OLD - timedelta(days=9))
    books.sweep("2", "a", "complete", OLD)
    books.sweep("3", "a", "held", OLD - timedelta(days=9))
    books.sweep("4", "b", "complete", OLD - timedelta(days=9))
    books.sweep("5", "b", "complete", NEW)
    books.sweep("6", "b", "complete", NEW + timedelta(days=1))
    assert drop_history(books.database, "ops.sweeps", BEFORE).removed == 2
    assert books.keys("ops.sweeps", "sweep_id") == {"2", "3", "5", "6"}
    assert drop_history(books.database, "ops.sweeps", BEFORE) == Freed()


def test_the_last_sync_stays_however_old(books: Books) -> None:
    for name, at in (("first", OLD - timedelta(days=1)), ("last", OLD)):
        books.add("ops.syncs", run_id=name, started_at=at, outcome="done")
    assert drop_history(books.database, "ops.syncs", BEFORE).removed == 1
    assert books.keys("ops.syncs", "run_id") == {"last"}


def test_alerts_that_last_stay_and_those_that_are_over_go(books: Books) -> None:
    texts = dict.fromkeys(("subject", "partitions", "title", "detail", "link"), "")
    numbers = dict.fromkeys(("count", "returned", "attempts"), 1)
    for key, resolved_at in (("lasts", None), ("over", OLD), ("over lately", NEW)):
        row = {**texts, **numbers, "kind": "run", "first_at": OLD, "last_at": OLD, "resolved_at": resolved_at}
        books.add("ops.alerts", key=key, **row)
    assert drop_history(books.database, "ops.alerts", BEFORE).removed == 1
    assert books.keys("ops.alerts", "key") == {"lasts", "over lately"}


def test_rejected_records_that_did_not_come_again_go(books: Books) -> None:
    for key, at in (("once", OLD), ("again", NEW)):
        row = {"kind": "freight", "reason": "X", "message": "x", "first_seen_at": OLD, "attempts": 1}
        books.add("ops.rejected_records", record_key=key, destination="US", last_seen_at=at, **row)
    assert drop_history(books.database, "ops.rejected_records", BEFORE).removed == 1
    assert books.keys("ops.rejected_records", "record_key") == {"again"}


def test_when_products_that_are_known_were_read_is_not_forgotten(books: Books) -> None:
    described = {"first_seen_at": OLD, "described_at": OLD, "changed_at": OLD}
    books.add("catalog.products", product_id="described", **described)
    books.add("catalog.feed_products", feed="a", product_id="listed", first_listed_at=OLD, last_listed_at=OLD)
    books.add("ops.watched_products", product_id="watched", importance=1)
    for product_id in ("described", "listed", "watched", "unknown"):
        books.fetched(product_id, OLD)
    books.fetched("asked for lately", NEW)
    assert drop_history(books.database, "ops.fetches", BEFORE).removed == 1
    assert books.keys("ops.fetches", "product_id") == {"described", "listed", "watched", "asked for lately"}


def test_more_than_a_batch_goes_and_its_bytes_are_counted(books: Books) -> None:
    with books.database.begin() as connection:
        connection.exec_driver_sql(f"""
            INSERT INTO ops.fetches (kind, product_id, destination, fetched_at, outcome)
            SELECT 'description', n::text, '', '{OLD}', 'refused' FROM generate_series(1, 25000) n""")
    freed = drop_history(books.database, "ops.fetches", BEFORE)
    assert freed.removed == 25_000
    assert freed.bytes > 25_000 * 40
    assert "ops.fetches" in HISTORY


def test_what_changed_is_vacuumed_and_then_is_not_changed_any_more(books: Books) -> None:
    with books.database.begin() as connection:
        connection.exec_driver_sql(f"""
            INSERT INTO ops.fetches (kind, product_id, destination, fetched_at, outcome)
            SELECT 'description', n::text, '', '{OLD}', 'refused' FROM generate_series(1, 25000) n""")
    drop_history(books.database, "ops.fetches", BEFORE)
    books.database.close()  # what a session changed is counted when it has ended
    give_up = time.monotonic() + 60
    while "ops.fetches" not in changed_tables(books.database):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    freed = vacuum(books.database)
    assert freed.removed >= 1
    assert freed.bytes > 1_000_000, "nothing is left in the table: all of it goes back to the disk"
    assert "ops.fetches" not in changed_tables(books.database)


def test_a_table_that_others_lock_is_left_for_the_next_time(database: Database) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE catalog.locked AS SELECT generate_series(1, 1000) n")
        connection.exec_driver_sql("CREATE TABLE catalog.free AS SELECT generate_series(1, 1000) n")
    database.close()
    with database.begin() as other:
        other.exec_driver_sql("LOCK TABLE catalog.locked IN ACCESS EXCLUSIVE MODE")
        vacuum(database)
        left = changed_tables(database)
    assert "catalog.locked" in left
    assert "catalog.free" not in left


@contextmanager
def opened(merchant: Deployment) -> Iterator[Store]:
    with open_store(merchant.settings, "maintenance", Silent()) as store:
        yield store


def test_raw_answers_and_snapshots_that_are_past_their_time_go_with_their_bytes(deploy: Deploy) -> None:
    merchant = deploy(products=1)
    lake = merchant.home / "lake"
    for day in ("2020-01-01", "2020-01-02", f"{datetime.now(UTC):%Y-%m-%d}"):
        put(lake / "raw" / "description" / f"date={day}" / "1.parquet", 1000)
    for second in range(5):
        folder = lake / "snapshots" / f"2026-01-31T12-00-0{second}Z"
        put(folder / "catalog" / "products.parquet", 500)
        said = {"run_id": "r", "taken_at": "2026-01-31T12:00:00+00:00", "row_counts": {}}
        (folder / "snapshot.json").write_text(json.dumps(said))
    put(lake / "snapshots" / "2026-01-31T12-00-09Z" / "catalog" / "products.parquet", 500)  # of a publish that died
    with opened(merchant) as store:
        parts = parts_of_the_store(store, raw_days=30, snapshots_kept=2, history_days=365)
        done = {tidied.part.name: tidied for tidied in tidy_up(store, parts)}
    assert [tidied.problem for tidied in done.values() if tidied.problem] == []
    assert done["raw"].freed == Freed(2, 2000)
    assert done["snapshots"].freed.removed == 3
    assert done["snapshots"].freed.bytes > 1500
    assert sorted(path.name for path in (lake / "snapshots").iterdir()) == [
        "2026-01-31T12-00-03Z",
        "2026-01-31T12-00-04Z",
    ]
    assert {row["snapshot"] for row in merchant.rows("SELECT snapshot FROM ops.snapshots")} == {
        "2026-01-31T12-00-03Z",
        "2026-01-31T12-00-04Z",
    }


def put(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * size)


def test_a_part_that_fails_however_it_does_leaves_the_others_to_be_done(deploy: Deploy) -> None:
    def a_problem() -> Freed:
        raise Problem("The disk is full", "Free space")

    def a_fault() -> Freed:
        raise ZeroDivisionError("division\nby zero")

    with opened(deploy(products=1)) as store:
        parts = [
            Part("one", "things", "thing", a_problem),
            Part("two", "things", "thing", a_fault),
            Part("three", "things", "thing", lambda: Freed(1_000, 2_500_000)),
        ]
        first, second, third = tidy_up(store, parts)
    assert str(first) == "one: The disk is full. Free space"
    assert str(second) == "two: failed unexpectedly: ZeroDivisionError: division by zero"
    assert str(third).startswith("three: 1,000 things, 2.5 MB, 0.")


def test_two_do_not_tidy_at_once(deploy: Deploy) -> None:
    with opened(deploy(products=1)) as store:
        meanwhile = Part("one", "things", "thing", lambda: next(iter(tidy_up(store, []))).freed)
        [tidied] = tidy_up(store, [meanwhile])
    assert tidied.problem is not None
    assert "Another maintenance is at work" in tidied.problem
