"""What is due, in which order, and what a quote is told of its product."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from merge_rows import ask, tell

from dropship_pipeline.storage.catalog.fetches import Due, QuoteDue, due, due_quotes
from dropship_pipeline.storage.server.database import Database, DatabaseDown

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


def hours_ago(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat()


def listed(database: Database, feed: str, *product_ids: str, ended: bool = False) -> None:
    until = f"'{hours_ago(1)}'" if ended else "NULL"
    for position, product_id in enumerate(product_ids):
        tell(
            database,
            "INSERT INTO catalog.feed_products VALUES "
            f"('{feed}', '{product_id}', {position}, '{hours_ago(99)}', '{hours_ago(99)}', {until})",
        )


def read(
    database: Database,
    product_id: str,
    hours: float,
    kind: str = "description",
    outcome: str = "answered",
    to: str = "",
) -> None:
    tell(
        database,
        "INSERT INTO ops.fetches (kind, product_id, destination, fetched_at, outcome, changed_at) VALUES "
        f"('{kind}', '{product_id}', '{to}', '{hours_ago(hours)}', '{outcome}', '{hours_ago(hours)}')",
    )


def described(database: Database, product_id: str, delisted: bool = False, **columns: int) -> None:
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    tell(
        database,
        f"INSERT INTO catalog.products (product_id, first_seen_at, described_at, changed_at, delisted_at{names}) "
        f"VALUES ('{product_id}', now(), now(), now(), {'now()' if delisted else 'NULL'}{values})",
    )


def ids(database: Database, kind: str = "description", **named: object) -> list[str]:
    found = due(database, kind, **{"max_age": DAY, **named})  # type: ignore[arg-type]  the names are due's own
    listed_ids = [product.product_id for product in found]
    assert found.count == len(listed_ids)
    return listed_ids


def looks_through_the_listings(database: Database) -> int:
    """How often somebody read all memberships so far."""
    [(count,)] = ask(database, "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'feed_products'")
    return int(count)


def test_what_was_never_read_is_due_and_what_was_read_lately_is_not(database: Database) -> None:
    listed(database, "us_standard", "new", "fresh", "old")
    read(database, "fresh", hours=23)
    read(database, "old", hours=25)
    assert ids(database) == ["new", "old"]
    assert ids(database, max_age=timedelta(hours=30)) == ["new"]
    assert ids(database, max_age=timedelta(0)) == ["new", "old", "fresh"]


def test_each_kind_and_destination_has_its_own_age(database: Database) -> None:
    listed(database, "us_standard", "A")
    described(database, "A")
    read(database, "A", hours=1)
    read(database, "A", hours=1, kind="freight", to="US")
    read(database, "A", hours=25, kind="inventory")
    assert ids(database) == []
    assert ids(database, "inventory") == ["A"]
    assert due_quotes(database, "US", max_age=DAY).count == 0
    assert due_quotes(database, "US:90001", max_age=DAY).count == 1


@pytest.mark.parametrize("outcome", ["refused", "rejected"])
def test_a_no_settles_it_until_it_is_old(database: Database, outcome: str) -> None:
    listed(database, "us_standard", "lately", "long_ago")
    read(database, "lately", hours=1, outcome=outcome)
    read(database, "long_ago", hours=30, outcome=outcome)
    assert ids(database) == ["long_ago"]


def test_a_product_in_three_feeds_is_due_once(database: Database) -> None:
    for feed in ("us_standard", "local_us", "cross_border"):
        listed(database, feed, "A")
    assert ids(database) == ["A"]


def test_only_what_is_listed_now_in_the_feeds_asked_for_is_due(database: Database) -> None:
    listed(database, "us_standard", "A")
    listed(database, "local_us", "B")
    listed(database, "local_mx", "C")
    listed(database, "local_us", "gone", ended=True)
    assert ids(database) == ["A", "B", "C"]
    assert ids(database, feeds=["local_us", "local_mx"]) == ["B", "C"]
    assert ids(database, feeds=[]) == []


def test_a_product_that_one_feed_dropped_is_due_for_the_other(database: Database) -> None:
    listed(database, "local_us", "A", ended=True)
    listed(database, "us_standard", "A")
    assert ids(database) == ["A"]
    assert ids(database, feeds=["local_us"]) == []


def test_products_asked_for_by_id_need_no_feed_and_stand_alone(database: Database) -> None:
    listed(database, "us_standard", "A")
    listed(database, "us_standard", "gone", ended=True)
    hostile = "it's; DROP TABLE ops.fetches --"
    assert ids(database, product_ids=["gone", "unknown", hostile, "gone"]) == sorted(["gone", hostile, "unknown"])
    read(database, "gone", hours=1)
    assert ids(database, product_ids=["gone"]) == []
    assert ids(database, product_ids=["gone"], force=True) == ["gone"]


def test_force_makes_everything_due(database: Database) -> None:
    listed(database, "us_standard", "A")
    read(database, "A", hours=0)
    assert ids(database) == []
    assert ids(database, force=True) == ["A"]


def test_new_products_come_first_then_the_oldest_and_watched_ones_lead_both(database: Database) -> None:
    listed(database, "us_standard", "front", "middle", "watched_new", "older", "old", "watched_old", "dear_old")
    for product_id, hours in (("older", 90), ("old", 50), ("watched_old", 30), ("dear_old", 26)):
        read(database, product_id, hours=hours)
    for product_id, importance in (("watched_new", 2), ("watched_old", 2), ("dear_old", 5)):
        tell(database, f"INSERT INTO ops.watched_products VALUES ('{product_id}', {importance}, NULL)")
    assert ids(database) == ["watched_new", "front", "middle", "dear_old", "watched_old", "older", "old"]
    assert ids(database, limit=2) == ["watched_new", "front"]
    assert ids(database, limit=0) == []


def test_batches_hold_everything_once_and_need_no_connection(database: Database) -> None:
    listed(database, "us_standard", *(f"P{number:04}" for number in range(1_000)))
    with due(database, "inventory", max_age=DAY) as products:
        sessions = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        database.close()
        deadline = time.monotonic() + 60  # a session ends a moment after its connection was closed
        while ask(database, sessions) != [(0,)]:
            assert time.monotonic() < deadline, "hours may pass until the last one is read"
            time.sleep(0.05)
        batches = list(products.batches(300))
        assert [len(batch) for batch in batches] == [300, 300, 300, 100]
        assert len({product for batch in batches for product in batch}) == 1_000
        assert list(products)[:2] == [Due("P0000"), Due("P0001")]


def test_a_product_is_quoted_once_it_is_described_and_its_stock_was_read_and_while_it_is_on_offer(
    database: Database,
) -> None:
    everything = ["known", "no_stock_told", "stock_unknown", "undescribed", "delisted"]
    listed(database, "us_standard", *everything)
    for product_id in ("known", "no_stock_told", "stock_unknown"):
        described(database, product_id)
    described(database, "delisted", delisted=True)
    for product_id in ("known", "undescribed", "delisted"):
        read(database, product_id, hours=99, kind="inventory")
    read(database, "no_stock_told", hours=99, kind="inventory", outcome="refused")
    for asked in (None, everything):
        found = due_quotes(database, "US", max_age=DAY, product_ids=asked)
        assert sorted(quote.product_id for quote in found) == ["known", "no_stock_told"]


def test_a_quote_is_told_the_minimums_the_origins_by_stock_and_what_was_asked_for_last(database: Database) -> None:
    listed(database, "us_standard", "A", "B")
    described(database, "A", min_order_quantity=10, wholesale_min_order_quantity=2)
    described(database, "B")
    for product_id in ("A", "B"):
        read(database, product_id, hours=1, kind="inventory")
    stock = "S1 CN 0, S2 CN 0, S1 MX NULL, S1 US 3, S2 US 1, S1 DE 9"
    for sku, origin, quantity in (level.split() for level in stock.split(", ")):
        tell(
            database, f"INSERT INTO catalog.inventory_levels VALUES ('{sku}', '{origin}', 'A', {quantity}, NULL, now())"
        )
    for country, dispatch, quantity in (("US", "MX", 2), ("GB", "CN", 10)):
        tell(
            database,
            "INSERT INTO catalog.freight_quotes (product_id, destination_country, quantity, vendor_code, "
            f"requested_dispatch, quoted_at) VALUES ('A', '{country}', {quantity}, 'V', '{dispatch}', now())",
        )
    assert list(due_quotes(database, "US:90001", max_age=DAY)) == [
        QuoteDue("A", 10, 2, ("DE", "US", "CN", "MX"), "MX"),
        QuoteDue("B", None, None, (), None),
    ]
    assert next(iter(due_quotes(database, "FR", max_age=DAY))).last_dispatch is None


def test_what_the_planner_does_not_know_of_is_no_reason_to_go_through_the_listings_once_a_product(
    database: Database,
) -> None:
    [(name,)] = ask(database, "SELECT current_database()")
    tell(
        database,
        f"ALTER DATABASE {name} SET work_mem = '64kB'",
        "ALTER TABLE ops.fetches SET (autovacuum_enabled = off)",
    )
    tell(
        database,
        f"""INSERT INTO catalog.feed_products (feed, product_id, position, first_listed_at, last_listed_at)
        SELECT feed, n::text, n, '{hours_ago(9)}', '{hours_ago(9)}'
        FROM generate_series(1, 20000) n, unnest(ARRAY['local_us', 'us_standard', 'mx_dropship']) feed""",
        """INSERT INTO catalog.products (product_id, first_seen_at, described_at, changed_at)
        SELECT n::text, now(), now(), now() FROM generate_series(1, 400) n""",
    )
    note = """INSERT INTO ops.fetches (kind, product_id, destination, fetched_at, outcome, changed_at)
        SELECT '{}', n::text, '', now(), 'answered', now() FROM generate_series(1, 400) n"""
    tell(database, note.format("description"), "ANALYZE catalog.feed_products, catalog.products, ops.fetches")
    tell(database, note.format("inventory"))
    before = looks_through_the_listings(database)
    assert due_quotes(database, "US", max_age=DAY, feeds=["local_us", "us_standard", "mx_dropship"]).count == 400
    assert looks_through_the_listings(database) - before <= 2


def test_a_product_that_leaves_the_tables_before_its_turn_is_left_out(database: Database) -> None:
    listed(database, "us_standard", "A", "B")
    described(database, "A")
    described(database, "B")
    for product_id in ("A", "B"):
        read(database, product_id, hours=1, kind="inventory")
    found = due_quotes(database, "US", max_age=DAY)
    tell(database, "DELETE FROM catalog.products WHERE product_id = 'A'")
    assert [quote.product_id for quote in found] == ["B"]


def test_a_database_that_is_down_is_named() -> None:
    with pytest.raises(DatabaseDown, match="is not reachable"):
        due(Database("postgresql://me@127.0.0.1:1/shop"), "description", max_age=DAY)
