"""What becomes of stock readings and freight quotes in the tables."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from merge_rows import Goods, ask, at, descriptions, freight, inventory, ledger, tell

from dropship_pipeline.storage.catalog.merge import MergeCounts, Merger
from dropship_pipeline.storage.ops.syncs import feed_counts
from dropship_pipeline.storage.server.database import Database

Stock = Mapping[tuple[str, str], int | None]


@pytest.fixture
def merger(database: Database) -> Iterator[Merger]:
    with Merger(database) as merger:
        yield merger


def count_stock(merger: Merger, levels: Mapping[str, Stock], when: datetime, **named: Any) -> MergeCounts:
    return merger.merge_inventory(inventory(levels, when), ledger("inventory", levels, when, **named))


def stock(database: Database) -> list[tuple[Any, ...]]:
    return ask(
        database,
        "SELECT product_id, sku_id, shipping_from, quantity, checked_at FROM catalog.inventory_levels ORDER BY 1, 2, 3",
    )


def moves(database: Database) -> list[tuple[Any, ...]]:
    return ask(
        database,
        "SELECT sku_id, shipping_from, old_quantity, new_quantity, observed_at FROM catalog.inventory_changes "
        "ORDER BY observed_at, sku_id, shipping_from",
    )


def test_the_first_stock_reading_is_not_a_move(database: Database, merger: Merger) -> None:
    counts = count_stock(merger, {"P1": {("S1", "CN"): 5, ("S1", "US"): 0}}, at(0))
    assert (counts.products, counts.new, counts.changed) == (1, 1, 0)
    assert counts.rows_written == {"catalog.inventory_levels": 2}
    assert stock(database) == [("P1", "S1", "CN", 5, at(0)), ("P1", "S1", "US", 0, at(0))]
    assert moves(database) == []


def test_stock_that_moved_arrived_or_went_is_logged_and_the_rest_is_merely_seen_again(
    database: Database, merger: Merger
) -> None:
    count_stock(merger, {"P1": {("S1", "CN"): 5, ("S1", "US"): 7, ("S2", "CN"): 1}, "P2": {("S9", "CN"): 3}}, at(0))
    counts = count_stock(merger, {"P1": {("S1", "CN"): 4, ("S2", "CN"): 1, ("S2", "MX"): 2}}, at(1))
    assert (counts.changed, counts.rows_written) == (1, {"catalog.inventory_levels": 3})
    assert moves(database) == [
        ("S1", "CN", 5, 4, at(1)),
        ("S1", "US", 7, None, at(1)),
        ("S2", "MX", None, 2, at(1)),
    ]
    assert stock(database) == [
        ("P1", "S1", "CN", 4, at(1)),
        ("P1", "S2", "CN", 1, at(1)),
        ("P1", "S2", "MX", 2, at(1)),
        ("P2", "S9", "CN", 3, at(0)),
    ]


def test_unchanged_stock_says_when_it_was_checked_and_counts_as_nothing_written(
    database: Database, merger: Merger
) -> None:
    count_stock(merger, {"P1": {("S1", "CN"): 5}}, at(0))
    counts = count_stock(merger, {"P1": {("S1", "CN"): 5}}, at(1))
    assert (counts.unchanged, counts.rows_written) == (1, {"catalog.inventory_levels": 0})
    assert stock(database) == [("P1", "S1", "CN", 5, at(1))]


def test_stock_after_an_empty_reading_is_a_move(database: Database, merger: Merger) -> None:
    count_stock(merger, {"P1": {}}, at(0))
    count_stock(merger, {"P1": {("S1", "CN"): 5}}, at(1))
    assert moves(database) == [("S1", "CN", None, 5, at(1))]


def test_stock_after_nothing_but_refusals_is_a_first_reading(database: Database, merger: Merger) -> None:
    count_stock(merger, {"P1": {}}, at(0), outcome="refused", code="404")
    count_stock(merger, {"P1": {("S1", "CN"): 5}}, at(1))
    assert moves(database) == []
    count_stock(merger, {"P1": {}}, at(2), outcome="refused", code="404")
    assert stock(database) == [("P1", "S1", "CN", 5, at(1))], "a refusal is not an empty warehouse"
    count_stock(merger, {"P1": {("S1", "CN"): 6}}, at(3))
    assert moves(database) == [("S1", "CN", 5, 6, at(3))]


def test_a_quantity_that_cannot_be_read_is_no_stock_that_went(database: Database, merger: Merger) -> None:
    count_stock(merger, {"P1": {("S1", "CN"): None}}, at(0))
    count_stock(merger, {"P1": {}}, at(1))
    assert stock(database) == []
    assert moves(database) == [], "from unknown to absent, no quantity moved"


def test_an_older_stock_reading_changes_nothing(database: Database, merger: Merger) -> None:
    count_stock(merger, {"P1": {("S1", "CN"): 5}}, at(2))
    counts = count_stock(merger, {"P1": {("S1", "CN"): 9}}, at(1))
    assert (counts.products, counts.stale) == (0, 1)
    assert stock(database) == [("P1", "S1", "CN", 5, at(2))]
    assert moves(database) == []


# --- freight


def quotes(database: Database) -> list[tuple[Any, ...]]:
    return ask(
        database,
        "SELECT product_id, destination_country, quantity, vendor_code, fee, quoted_at FROM catalog.freight_quotes "
        "ORDER BY 1, 2, 3, 4",
    )


def failures(database: Database) -> list[tuple[Any, ...]]:
    return ask(
        database,
        "SELECT product_id, destination_country, dispatch_location, code, failed_at FROM catalog.freight_failures "
        "ORDER BY 1, 2, 3",
    )


def test_a_quote_replaces_the_one_before_for_its_destination_alone(database: Database, merger: Merger) -> None:
    merger.merge_freight(
        freight([("P1", "US", 1, "UPS", "9.10"), ("P1", "US", 1, "DHL", "12")], [("P1", "US", 1, "CN", "4016")], at(0)),
        ledger("freight", ["P1"], at(0), destination="US:90001"),
    )
    merger.merge_freight(
        freight([("P1", "MX", 1, "UPS", "20"), ("P2", "US", 1, "UPS", "5")], [], at(0)),
        _both(ledger("freight", ["P1"], at(0), destination="MX"), ledger("freight", ["P2"], at(0), destination="US")),
    )
    counts = merger.merge_freight(
        freight([("P1", "US", 1, "UPS", "9.10"), ("P1", "US", 1, "FEDEX", "8")], [], at(1)),
        ledger("freight", ["P1"], at(1), destination="US:90001"),
    )
    assert counts.rows_written == {"catalog.freight_quotes": 2, "catalog.freight_failures": 1}
    assert (counts.products, counts.changed) == (1, 1)
    assert quotes(database) == [
        ("P1", "MX", 1, "UPS", Decimal("20.0000"), at(0)),
        ("P1", "US", 1, "FEDEX", Decimal("8.0000"), at(1)),
        ("P1", "US", 1, "UPS", Decimal("9.1000"), at(1)),
        ("P2", "US", 1, "UPS", Decimal("5.0000"), at(0)),
    ]
    assert failures(database) == []


def test_quotes_for_another_quantity_go_when_the_quantity_changes(database: Database, merger: Merger) -> None:
    for hours, quantity in enumerate((1, 10)):
        merger.merge_freight(
            freight([("P1", "US", quantity, "UPS", "9")], [], at(hours)),
            ledger("freight", ["P1"], at(hours), destination="US"),
        )
    assert [row[2] for row in quotes(database)] == [10]


def test_what_every_location_refuses_has_no_quote_any_more_and_says_why(database: Database, merger: Merger) -> None:
    merger.merge_freight(
        freight([("P1", "US", 1, "UPS", "9")], [], at(0)), ledger("freight", ["P1"], at(0), destination="US")
    )
    merger.merge_freight(
        freight([], [("P1", "US", 1, "CN", "10010"), ("P1", "US", 1, "US", "NO_OPTIONS")], at(1)),
        ledger("freight", ["P1"], at(1), "refused", destination="US", code="10010"),
    )
    assert quotes(database) == []
    assert failures(database) == [("P1", "US", "CN", "10010", at(1)), ("P1", "US", "US", "NO_OPTIONS", at(1))]
    assert ask(database, "SELECT destination, outcome, code FROM ops.fetches") == [("US", "refused", "10010")]


def test_an_unchanged_quote_is_merely_seen_again(database: Database, merger: Merger) -> None:
    for hours in (0, 1):
        counts = merger.merge_freight(
            freight([("P1", "US", 1, "UPS", "9")], [("P1", "US", 1, "CN", "4016")], at(hours)),
            ledger("freight", ["P1"], at(hours), destination="US"),
        )
    assert (counts.unchanged, sum(counts.rows_written.values())) == (1, 0)
    assert quotes(database)[0][-1] == at(1)
    assert failures(database)[0][-1] == at(1)


def test_a_first_quote_changes_no_product_and_one_that_differs_does(database: Database, merger: Merger) -> None:
    def quote(fee: str, when: datetime, destination: str = "US") -> int:
        rows = freight([("P1", destination, 1, "DHL", fee)], [], when)
        told = ledger("freight", ["P1"], when, destination=destination, payload_hash=int(Decimal(fee) * 100))
        merger.merge_freight(rows, told)
        [counts] = feed_counts(database, when, ["local_us"])
        return counts.changed

    merger.merge_descriptions(descriptions([Goods("P1")], at(0)), ledger("description", ["P1"], at(0)))
    tell(
        database,
        "INSERT INTO catalog.feed_products (feed, product_id, first_listed_at, last_listed_at) "
        f"VALUES ('local_us', 'P1', '{at(0)}', '{at(0)}')",
    )
    assert quote("9.10", at(1)) == 0
    assert quote("9.10", at(2)) == 0
    assert quote("9.90", at(3)) == 1
    assert quote("9.90", at(4), destination="MX") == 0


def test_an_older_quote_changes_nothing_and_one_of_another_destination_is_not_held_up_by_it(
    database: Database, merger: Merger
) -> None:
    merger.merge_freight(
        freight([("P1", "US", 1, "UPS", "9")], [], at(2)), ledger("freight", ["P1"], at(2), destination="US")
    )
    counts = merger.merge_freight(
        freight([("P1", "US", 1, "UPS", "1"), ("P1", "MX", 1, "UPS", "2")], [], at(1)),
        _both(ledger("freight", ["P1"], at(1), destination="US"), ledger("freight", ["P1"], at(1), destination="MX")),
    )
    assert (counts.products, counts.stale) == (1, 1)
    assert [(row[1], row[4]) for row in quotes(database)] == [("MX", Decimal("2.0000")), ("US", Decimal("9.0000"))]


def _both(*tables: Any) -> Any:
    import pyarrow as pa

    return pa.concat_tables(tables)


def test_a_first_quote_costs_the_same_however_many_others_were_quoted(database: Database, merger: Merger) -> None:
    """The bar is far above what was measured: it is to catch a plan that reads the quotes of all products for each."""
    filled = (
        "INSERT INTO ops.fetches (kind, product_id, destination, fetched_at, outcome) "
        f"SELECT '{{kind}}', 'Q' || n, '{{to}}', timestamptz '{at(0)}', 'answered' FROM generate_series(1, 20000) n"
    )
    # as a first sync has it: the planner looked at the ledger before there was a quote
    tell(
        database, filled.format(kind="inventory", to=""), "ANALYZE ops.fetches", filled.format(kind="freight", to="US")
    )
    seconds = []
    for turn in range(3):
        quotes = [(f"P{turn}-{n}", "US", 1, "DHL", "9.90") for n in range(250)]
        rows, fetches = freight(quotes, [], at(1)), ledger("freight", [q[0] for q in quotes], at(1), destination="US")
        began = time.perf_counter()
        assert merger.merge_freight(rows, fetches).new == 250
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.3
