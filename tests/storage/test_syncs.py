"""Syncs in the ledger, and what a closing summary counts: from the tables, by feed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dropship_pipeline.storage.ops.syncs import FeedCounts, close_sync, feed_counts, last_syncs, open_sync, table_counts
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.registry import PUBLISHED

SINCE = datetime(2026, 1, 31, 12, tzinfo=UTC)
BEFORE, AFTER = SINCE - timedelta(hours=5), SINCE + timedelta(minutes=5)


class Tables:
    """Rows in few words."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, table: str, **row: Any) -> None:
        places = ", ".join("%s" for _ in row)
        with self._database.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))

    def member(
        self, feed: str, product_id: str, listed: datetime = BEFORE, again: datetime | None = None, **row: Any
    ) -> None:
        self.add(
            "catalog.feed_products",
            feed=feed,
            product_id=product_id,
            first_listed_at=listed,
            last_listed_at=again or listed,
            **row,
        )

    def product(self, product_id: str, seen: datetime = BEFORE, changed: datetime = BEFORE) -> None:
        self.add(
            "catalog.products", product_id=product_id, first_seen_at=seen, described_at=changed, changed_at=changed
        )

    def reject(self, kind: str, key: str, seen: datetime = AFTER, destination: str = "", **columns: Any) -> None:
        self.add(
            "ops.rejected_records",
            kind=kind,
            record_key=key,
            destination=destination,
            reason="no_product_id",
            message="it has no id",
            payload="{}",
            first_seen_at=BEFORE,
            last_seen_at=seen,
            attempts=2,
            **columns,
        )


@pytest.fixture
def tables(database: Database) -> Tables:
    return Tables(database)


def test_an_empty_feed_counts_nothing_and_the_order_is_the_callers(database: Database) -> None:
    assert feed_counts(database, SINCE, ["us_standard", "local_mx"]) == [
        FeedCounts("us_standard", 0, 0, 0, 0, 0),
        FeedCounts("local_mx", 0, 0, 0, 0, 0),
    ]
    assert feed_counts(database, SINCE, []) == []


def test_members_are_listed_new_or_delisted(database: Database, tables: Tables) -> None:
    tables.member("a", "old")
    tables.member("a", "new", AFTER)
    tables.member("a", "came back", BEFORE, AFTER)
    tables.member("a", "just gone", delisted_at=AFTER)
    tables.member("a", "long gone", delisted_at=BEFORE)
    tables.member("b", "old")
    assert feed_counts(database, SINCE, ["a", "b", "c"]) == [
        FeedCounts("a", listed=3, new=2, changed=0, delisted=1, rejected=0),
        FeedCounts("b", listed=1, new=0, changed=0, delisted=0, rejected=0),
        FeedCounts("c", 0, 0, 0, 0, 0),
    ]


def test_what_differs_since_then_is_changed_and_what_is_seen_for_the_first_time_is_not(
    database: Database, tables: Tables
) -> None:
    change = {"sku_id": "1", "observed_at": AFTER}
    for product_id in ("same", "described", "priced", "stocked", "quoted", "all of it", "gone"):
        tables.product(product_id, changed=AFTER if product_id in {"described", "all of it", "gone"} else BEFORE)
        tables.member("a", product_id, delisted_at=AFTER if product_id == "gone" else None)
    tables.member("b", "priced")
    tables.product("new", seen=AFTER, changed=AFTER)
    tables.member("a", "new", AFTER)
    for product_id in ("priced", "all of it", "new"):
        tables.add("catalog.price_changes", product_id=product_id, min_quantity=1, **change)
    for product_id in ("stocked", "all of it"):
        tables.add("catalog.inventory_changes", product_id=product_id, shipping_from="CN", **change)
    for product_id in ("quoted", "all of it", "new"):
        for destination in ("US", "MX"):
            tables.add(
                "ops.fetches",
                kind="freight",
                product_id=product_id,
                destination=destination,
                fetched_at=AFTER,
                outcome="answered",
                changed_at=AFTER,
            )
    assert feed_counts(database, SINCE, ["a", "b"]) == [
        FeedCounts("a", listed=7, new=1, changed=5, delisted=1, rejected=0),
        FeedCounts("b", listed=1, new=0, changed=1, delisted=0, rejected=0),
    ]
    assert [counts.changed for counts in feed_counts(database, AFTER + timedelta(hours=1), ["a", "b"])] == [0, 0]


def test_a_product_that_was_rejected_in_two_ways_is_one_rejected_product(database: Database, tables: Tables) -> None:
    for product_id in ("1", "2", "3"):
        tables.member("a", product_id)
    tables.reject("description", "1")
    tables.reject("freight", "1", destination="US:90001")
    tables.reject("freight", "2", destination="MX")
    tables.reject("description", "3", seen=BEFORE)
    tables.reject("inventory", "3", discarded_at=AFTER)
    tables.reject("listing", "3")
    tables.reject("description", "a product of no feed")
    assert feed_counts(database, SINCE, ["a"]) == [FeedCounts("a", 3, 0, 0, 0, rejected=2)]


def test_a_sync_is_running_until_it_is_closed(database: Database) -> None:
    open_sync(database, "one")
    (row,) = last_syncs(database, 5)
    assert (row.run_id, row.outcome, row.ended_at, row.summary) == ("one", "running", None, None)
    close_sync(database, "one", "failed", {"problems": ["a feed is held"], "rows": {"catalog.products": 3}})
    (row,) = last_syncs(database, 5)
    assert row.outcome == "failed"
    assert row.ended_at is not None
    assert row.ended_at >= row.started_at
    assert row.summary == {"problems": ["a feed is held"], "rows": {"catalog.products": 3}}


def test_a_run_that_goes_on_in_another_process_keeps_its_start(database: Database) -> None:
    open_sync(database, "one")
    (before,) = last_syncs(database, 1)
    close_sync(database, "one", "done", {})
    open_sync(database, "one")
    (row,) = last_syncs(database, 1)
    assert (row.started_at, row.outcome, row.ended_at) == (before.started_at, "running", None)


def test_the_last_syncs_come_newest_first(database: Database) -> None:
    for run_id in ("b", "a", "c"):
        open_sync(database, run_id)
    assert [row.run_id for row in last_syncs(database, 2)] == ["c", "a"]


def test_whatever_is_in_a_summary_it_is_kept(database: Database) -> None:
    close_sync(
        database,
        "one",
        "done",
        {
            "reason": "NUL \0, half a pair \ud83d, café",
            "rate": float("inf"),
            "price": Decimal("1.50"),
            "at": SINCE,
            "done": True,
            "nothing": None,
            "feeds": ({"seconds": 0.5},),
        },
    )
    (row,) = last_syncs(database, 1)
    assert row.summary == {
        "reason": "NUL , half a pair \ufffd, café",
        "rate": None,
        "price": "1.50",
        "at": str(SINCE),
        "done": True,
        "nothing": None,
        "feeds": [{"seconds": 0.5}],
    }


def test_every_public_table_is_counted(database: Database, tables: Tables) -> None:
    tables.product("1")
    tables.product("2")
    tables.member("a", "1")
    counts = table_counts(database)
    assert list(counts) == [table.full_name for table in PUBLISHED]
    assert {name: count for name, count in counts.items() if count} == {
        "catalog.products": 2,
        "catalog.feed_products": 1,
    }
