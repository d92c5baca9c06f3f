"""What becomes of descriptions in the tables: what is written, what is left alone, what goes, what is logged."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from merge_rows import Goods, Landed, ask, at, descriptions, ledger, rejects, tell

from dropship_pipeline.storage.catalog.merge import MergeCounts, Merger
from dropship_pipeline.storage.server.database import Database

FLASK = Goods("P1", skus={"S1": {1: "3.69", 100: "3.10"}, "S2": {1: "4.00"}})
MUG = Goods("P2", skus={"S3": {1: "2.00"}}, title="Mug")
CHILDREN = ("product_descriptions", "product_images", "delivery_periods", "skus", "sku_attributes", "price_tiers")


@pytest.fixture
def merger(database: Database) -> Iterator[Merger]:
    with Merger(database) as merger:
        yield merger


def describe(merger: Merger, goods: Iterable[Goods], when: datetime, **named: Any) -> MergeCounts:
    goods = list(goods)
    return merger.merge_descriptions(
        descriptions(goods, when), ledger("description", [g.product_id for g in goods], when), **named
    )


def versions(database: Database, table: str) -> list[tuple[Any, ...]]:
    """Every row with the transaction that wrote it: equal means that nobody touched it."""
    return ask(database, f"SELECT xmin::text, ctid::text, t::text FROM catalog.{table} t ORDER BY t::text")


def prices(database: Database) -> list[tuple[Any, ...]]:
    return ask(database, "SELECT sku_id, min_quantity, price FROM catalog.price_tiers ORDER BY 1, 2")


def moves(database: Database) -> list[tuple[Any, ...]]:
    return ask(
        database,
        "SELECT sku_id, min_quantity, old_price, new_price, currency, observed_at FROM catalog.price_changes "
        "ORDER BY observed_at, sku_id, min_quantity, new_price",
    )


def test_a_new_product_is_in_every_table_since_the_time_at_which_it_was_read(
    database: Database, merger: Merger
) -> None:
    counts = describe(merger, [FLASK], at(0))
    assert (counts.products, counts.new, counts.changed, counts.unchanged) == (1, 1, 0, 0)
    assert counts.rows_written == {
        "catalog.products": 1,
        "catalog.product_descriptions": 1,
        "catalog.product_images": 2,
        "catalog.delivery_periods": 2,
        "catalog.skus": 2,
        "catalog.sku_attributes": 2,
        "catalog.price_tiers": 3,
    }
    assert ask(
        database,
        "SELECT product_id, title, status, first_seen_at, described_at, changed_at, delisted_at FROM catalog.products",
    ) == [("P1", "Vacuum flask", "PRODUCT_ONLINE", at(0), at(0), at(0), None)]
    assert prices(database) == [
        ("S1", 1, Decimal("3.6900")),
        ("S1", 100, Decimal("3.1000")),
        ("S2", 1, Decimal("4.0000")),
    ]
    assert ask(database, "SELECT product_id, html FROM catalog.product_descriptions") == [("P1", "<p>Keeps warm</p>")]


def test_reading_an_unchanged_product_again_touches_nothing_but_when_it_was_read(
    database: Database, merger: Merger
) -> None:
    describe(merger, [FLASK, MUG], at(0))
    before = {table: versions(database, table) for table in CHILDREN}
    counts = describe(merger, [FLASK, MUG], at(1))
    assert (counts.new, counts.changed, counts.unchanged) == (0, 0, 2)
    assert not any(counts.rows_written.values())
    assert {table: versions(database, table) for table in CHILDREN} == before
    assert ask(database, "SELECT DISTINCT first_seen_at, described_at, changed_at FROM catalog.products") == [
        (at(0), at(1), at(0))
    ]


def test_only_the_row_that_differs_is_written_and_the_product_is_changed_by_it(
    database: Database, merger: Merger
) -> None:
    describe(merger, [FLASK, MUG], at(0))
    before = {table: versions(database, table) for table in CHILDREN}
    counts = describe(merger, [replace(FLASK, images=("front.jpg", "side.jpg")), MUG], at(1))
    after = {table: versions(database, table) for table in CHILDREN}
    assert [table for table in CHILDREN if before[table] != after[table]] == ["product_images"]
    assert len(set(after["product_images"]) - set(before["product_images"])) == 1
    assert (counts.changed, counts.unchanged) == (1, 1)
    assert {name: rows for name, rows in counts.rows_written.items() if rows} == {
        "catalog.product_images": 1,
        "catalog.products": 1,
    }
    assert ask(database, "SELECT product_id, first_seen_at, changed_at FROM catalog.products ORDER BY 1") == [
        ("P1", at(0), at(1)),
        ("P2", at(0), at(0)),
    ]


def test_a_product_whose_own_row_differs_is_changed(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK], at(0))
    counts = describe(merger, [replace(FLASK, title=None)], at(1))
    assert (counts.changed, counts.rows_written["catalog.products"]) == (1, 1)
    assert ask(database, "SELECT title, first_seen_at, changed_at FROM catalog.products") == [(None, at(0), at(1))]


def test_what_a_fresh_payload_lacks_goes_and_other_products_keep_theirs(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK, MUG], at(0))
    counts = describe(
        merger, [replace(FLASK, skus={"S1": {1: "3.69"}}, images=(), html=None, periods={}, colours=())], at(1)
    )
    left = {table: ask(database, f"SELECT count(*) FROM catalog.{table} WHERE product_id = 'P1'") for table in CHILDREN}
    assert left == {table: [(1 if table in ("skus", "price_tiers") else 0,)] for table in CHILDREN}
    assert prices(database) == [("S1", 1, Decimal("3.6900")), ("S3", 1, Decimal("2.0000"))]
    assert ask(database, "SELECT count(*) FROM catalog.product_images WHERE product_id = 'P2'") == [(2,)]
    assert sum(counts.rows_written.values()) == 1 + 2 + 2 + 2 + 2 + 1 + 1


def test_the_first_description_of_a_product_is_not_a_move(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK], at(0))
    describe(merger, [FLASK, MUG], at(1))
    assert moves(database) == []


def test_prices_that_moved_arrived_or_went_are_logged_once_and_others_are_not(
    database: Database, merger: Merger
) -> None:
    describe(merger, [FLASK], at(0))
    moved = replace(FLASK, skus={"S1": {1: "3.50", 500: "2.90"}, "S2": {1: "4.00"}, "S9": {1: "1.00"}})
    describe(merger, [moved], at(1))
    describe(merger, [moved], at(2))
    assert moves(database) == [
        ("S1", 1, Decimal("3.6900"), Decimal("3.5000"), "USD", at(1)),
        ("S1", 100, Decimal("3.1000"), None, "USD", at(1)),
        ("S1", 500, None, Decimal("2.9000"), "USD", at(1)),
        ("S9", 1, None, Decimal("1.0000"), "USD", at(1)),
    ]


def test_a_price_that_cannot_be_read_any_more_and_comes_back_is_logged_both_ways(
    database: Database, merger: Merger
) -> None:
    for hours, price in enumerate(("3.69", None, "3.70")):
        describe(merger, [Goods("P1", skus={"S1": {1: price}})], at(hours))
    assert [(old, new) for _, _, old, new, _, _ in moves(database)] == [
        (Decimal("3.6900"), None),
        (None, Decimal("3.7000")),
    ]


def test_a_price_in_another_currency_is_another_price_even_if_the_number_is_the_same(
    database: Database, merger: Merger
) -> None:
    describe(merger, [MUG], at(0))
    describe(merger, [replace(MUG, currency="EUR")], at(1))
    assert moves(database) == [
        ("S3", 1, None, Decimal("2.0000"), "EUR", at(1)),
        ("S3", 1, Decimal("2.0000"), None, "USD", at(1)),
    ]


def test_a_price_that_moves_costs_the_same_however_long_the_log_is(database: Database) -> None:
    """It is looked up there, by an index, whether it was logged already: the log is not read for that."""
    tell(
        database,
        "INSERT INTO catalog.price_changes (sku_id, product_id, min_quantity, new_price, currency, observed_at) "
        f"SELECT 'Q' || n, 'Q' || n, 1, 1, 'USD', timestamptz '{at(0)}' FROM generate_series(1, 20000) n",
        "ANALYZE catalog.price_changes",
    )

    def scans() -> tuple[int, int]:
        [counts] = ask(
            database,
            "SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relid = 'catalog.price_changes'::regclass",
        )
        return counts[0], counts[1]

    read, looked_up = scans()
    with Merger(database) as merger:
        describe(merger, [FLASK], at(0))
        describe(merger, [replace(FLASK, skus={"S1": {1: "3.50", 100: "3.10"}, "S2": {1: "4.00"}})], at(1))
    give_up = time.monotonic() + 30
    while scans() == (read, looked_up) and time.monotonic() < give_up:  # its session tells it when it ends
        time.sleep(0.02)
    assert scans() == (read, looked_up + 1)


def test_a_tier_whose_price_stands_is_no_move_whatever_else_of_it_differs(database: Database, merger: Merger) -> None:
    describe(merger, [replace(MUG, currency=None)], at(0))
    counts = describe(merger, [MUG], at(1))
    assert counts.rows_written["catalog.price_tiers"] == 1
    assert moves(database) == []


@pytest.mark.parametrize("outcome", ["refused", "rejected"])
def test_an_answer_that_is_no_description_leaves_the_product_as_it_was(
    database: Database, merger: Merger, outcome: str
) -> None:
    describe(merger, [FLASK], at(0))
    before = {table: versions(database, table) for table in (*CHILDREN, "products")}
    counts = merger.merge_descriptions(
        descriptions([], at(1)), ledger("description", ["P1"], at(1), outcome, code="400")
    )
    assert counts == MergeCounts(rows_written=dict.fromkeys(counts.rows_written, 0))
    assert {table: versions(database, table) for table in (*CHILDREN, "products")} == before
    assert ask(database, "SELECT outcome, code, fetched_at FROM ops.fetches") == [(outcome, "400", at(1))]


def test_an_answer_older_than_what_is_in_the_tables_changes_nothing(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK], at(5))
    before = {table: versions(database, table) for table in (*CHILDREN, "products")}
    older = replace(FLASK, skus={"S1": {1: "9.99"}, "S8": {1: "8.00"}}, title="Old", images=())
    counts = describe(merger, [older, MUG], at(1), raw_files=[Landed("raw/description/late.parquet")])
    assert (counts.products, counts.new, counts.stale) == (1, 1, 1)
    kept = {table: [row for row in versions(database, table) if "P1" in row[2]] for table in before}
    assert kept == before
    assert moves(database) == []
    assert ask(database, "SELECT product_id, fetched_at FROM ops.fetches ORDER BY 1") == [("P1", at(5)), ("P2", at(1))]
    assert ask(database, "SELECT path FROM ops.raw_files") == [("raw/description/late.parquet",)]


def test_merging_the_same_batch_again_changes_nothing(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK], at(0))
    moved = replace(FLASK, skus={"S1": {1: "1.00"}})
    for _ in range(2):
        counts = describe(
            merger,
            [moved],
            at(1),
            rejects=rejects("description", ["P7"], at(1)),
            raw_files=[Landed("raw/description/1.parquet")],
        )
        state = [versions(database, table) for table in (*CHILDREN, "products", "price_changes")]
        ops = (
            ask(database, "SELECT record_key, attempts FROM ops.rejected_records"),
            ask(database, "SELECT path, merged_at FROM ops.raw_files"),
        )
        if counts.changed:
            first = state, ops
    assert counts.unchanged == 1
    assert (state, ops) == first


def test_a_batch_that_holds_two_answers_of_a_product_counts_the_later(database: Database, merger: Merger) -> None:
    import pyarrow as pa

    fetches = pa.concat_tables([ledger("description", ["P1"], at(1)), ledger("description", ["P1"], at(0))])
    merger.merge_descriptions(descriptions([FLASK], at(1)), fetches)
    assert ask(database, "SELECT fetched_at FROM ops.fetches") == [(at(1),)]


def test_a_row_that_was_altered_by_hand_is_put_right_by_the_next_reading(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK], at(0))
    tell(database, "UPDATE catalog.price_tiers SET price = 0", "DELETE FROM catalog.skus WHERE sku_id = 'S2'")
    describe(merger, [FLASK], at(1))
    assert ask(database, "SELECT count(*) FROM catalog.skus") == [(2,)]
    assert prices(database)[0] == ("S1", 1, Decimal("3.6900"))


# --- on offer or not


def listing_changes(database: Database) -> list[tuple[Any, ...]]:
    return ask(database, "SELECT feed, product_id, change, observed_at FROM catalog.listing_changes ORDER BY 4, 2")


def delisted_at(database: Database, product_id: str = "P1") -> Any:
    return ask(database, f"SELECT delisted_at FROM catalog.products WHERE product_id = '{product_id}'")[0][0]


@pytest.mark.parametrize("status", ["PRODUCT_OFFLINE", "PRODUCT_DELETE"])
def test_a_product_that_says_it_is_offline_is_delisted_until_it_says_otherwise(
    database: Database, merger: Merger, status: str
) -> None:
    describe(merger, [FLASK], at(0))
    describe(merger, [replace(FLASK, status=status)], at(1))
    assert delisted_at(database) == at(1)
    describe(merger, [replace(FLASK, status=status, title="Still gone")], at(2))
    assert delisted_at(database) == at(1)
    describe(merger, [FLASK], at(3))
    assert delisted_at(database) is None
    assert listing_changes(database) == [(None, "P1", "delisted", at(1)), (None, "P1", "listed", at(3))]


def test_a_product_that_is_offline_when_it_is_first_described_is_delisted_and_says_so(
    database: Database, merger: Merger
) -> None:
    describe(merger, [replace(FLASK, status="PRODUCT_OFFLINE"), MUG], at(0))
    assert delisted_at(database) == at(0)
    assert delisted_at(database, "P2") is None
    assert listing_changes(database) == [(None, "P1", "delisted", at(0))]


def test_a_status_that_nobody_knows_is_not_offline(database: Database, merger: Merger) -> None:
    describe(merger, [replace(FLASK, status=None), replace(MUG, status="PRODUCT_AUDITING")], at(0))
    assert ask(database, "SELECT DISTINCT delisted_at FROM catalog.products") == [(None,)]


def member(database: Database, product_id: str, feed: str, ended: datetime | None) -> None:
    until = f"'{ended.isoformat()}'" if ended else "NULL"
    tell(
        database,
        "INSERT INTO catalog.feed_products (feed, product_id, position, first_listed_at, last_listed_at, delisted_at) "
        f"VALUES ('{feed}', '{product_id}', 0, '{at(-9)}', '{at(-9)}', {until})",
    )


def test_being_described_does_not_bring_back_what_no_feed_lists_any_more(database: Database, merger: Merger) -> None:
    member(database, "P1", "us_standard", at(-2))
    member(database, "P1", "local_us", at(-1))
    member(database, "P2", "us_standard", None)
    member(database, "P2", "local_us", at(-1))
    describe(merger, [FLASK, MUG, Goods("P3")], at(0))
    assert delisted_at(database, "P1") == at(-1), "since its last membership ended"
    assert delisted_at(database, "P2") is None, "one feed still lists it"
    assert delisted_at(database, "P3") is None, "no feed ever listed it: it was asked for by its ID"


def test_a_product_that_comes_online_while_no_feed_lists_it_stays_delisted(database: Database, merger: Merger) -> None:
    member(database, "P1", "us_standard", at(-1))
    describe(merger, [replace(FLASK, status="PRODUCT_OFFLINE")], at(0))
    describe(merger, [FLASK], at(1))
    assert delisted_at(database) == at(0)


# --- SKUs that move


def test_a_sku_that_moves_to_another_product_takes_everything_with_it(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK, MUG], at(0))
    tell(
        database,
        "INSERT INTO catalog.inventory_levels (sku_id, shipping_from, product_id, quantity, checked_at) "
        f"VALUES ('S1', 'CN', 'P1', 5, '{at(0)}')",
    )
    describe(merger, [replace(MUG, skus={"S3": {1: "2.00"}, "S1": {1: "3.50"}})], at(1))
    for table in ("skus", "sku_attributes", "price_tiers", "inventory_levels"):
        assert ask(database, f"SELECT DISTINCT product_id FROM catalog.{table} WHERE sku_id = 'S1'") == [("P2",)]
    assert moves(database) == [
        ("S1", 1, Decimal("3.6900"), Decimal("3.5000"), "USD", at(1)),
        ("S1", 100, Decimal("3.1000"), None, "USD", at(1)),
    ], "the SKU's price moved: that it is another product's now is no reason to forget the old one"
    describe(merger, [replace(FLASK, skus={"S2": {1: "4.00"}})], at(2))
    assert [row[0] for row in prices(database)] == ["S1", "S2", "S3"], "what is not its own any more is not its to end"


# --- the ledger and the rejects


def test_the_ledger_knows_when_an_answer_last_differed(database: Database, merger: Merger) -> None:
    def read(hours: int, **named: Any) -> tuple[Any, ...]:
        answered = named.get("outcome", "answered") == "answered"
        merger.merge_descriptions(
            descriptions([FLASK] if answered else [], at(hours)), ledger("description", ["P1"], at(hours), **named)
        )
        [row] = ask(database, "SELECT fetched_at, changed_at, payload_hash, outcome FROM ops.fetches")
        return row

    assert read(0, payload_hash=7) == (at(0), None, 7, "answered")
    assert read(1, payload_hash=7) == (at(1), None, 7, "answered")
    assert read(2, payload_hash=8) == (at(2), at(2), 8, "answered")
    assert read(3, outcome="refused", code="X") == (at(3), at(3), 8, "refused")
    assert read(4, outcome="refused", code="X") == (at(4), at(3), 8, "refused")
    assert read(5, payload_hash=8) == (at(5), at(5), 8, "answered")


def test_the_wrong_tables_or_fetches_are_a_mistake_that_is_told_at_once(merger: Merger) -> None:
    with pytest.raises(ValueError, match=r"description takes .*catalog\.skus"):
        merger.merge_descriptions({}, ledger("description", ["P1"], at(0)))
    with pytest.raises(ValueError, match="fetches of that kind"):
        merger.merge_descriptions(descriptions([FLASK], at(0)), ledger("inventory", ["P1"], at(0)))
