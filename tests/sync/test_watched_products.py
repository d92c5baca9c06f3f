"""What people are told of watched products: four things, once each, and nothing of what was never read before."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from marts.dozen import open_books, write_the_dozen

from dropship_pipeline.storage.ops.watched import differences, note_told, unwatch, watch, watched
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.alerts.watching import news


class Watcher:
    """Somebody who watches some of the dozen. The rule that comes along: at least 1 in stock, moves of 20 % at most."""

    def __init__(self, database: Database, products: Iterable[str] = ()) -> None:
        self.database = database
        with database.begin() as connection:
            write_the_dozen(open_books(connection))
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        watch(database, list(products))

    def hears(self, *statements: str) -> list[str]:
        """What is told after these statements, a minute later; and nothing more right after that."""
        with self.database.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        self.now += timedelta(minutes=1)
        found = differences(self.database)
        told = [f"{one.title}: {one.detail}" for one in news(found, self.now)]
        note_told(self.database, found, self.now)
        assert differences(self.database) == [], "what was told is known"
        return told


@pytest.fixture
def watcher(database: Database) -> Watcher:
    """Of one with two variants, one whose numbers could not be read, one never in stock, and one not described yet."""
    return Watcher(database, ["P01", "P05", "P10", "P99"])


PLAIN = "Watched product P01 “plain”: "


def test_the_first_reading_of_anything_is_no_news(watcher: Watcher) -> None:
    assert watcher.hears() == []
    # a stock and a price that could not be read before, a variant that is new, a product described for the first time
    assert (
        watcher.hears(
            "UPDATE catalog.inventory_levels SET quantity = 0 WHERE sku_id = 'S051'",
            "UPDATE catalog.price_tiers SET price = 3 WHERE sku_id = 'S051'",
            "INSERT INTO catalog.skus (sku_id, product_id) VALUES ('S013', 'P01'), ('S991', 'P99')",
            "INSERT INTO catalog.products (product_id, title, first_seen_at, described_at, changed_at) "
            "VALUES ('P99', 'new', now(), now(), now())",
        )
        == []
    )


def test_a_cost_that_moved_too_far_is_told_and_small_steps_add_up(watcher: Watcher) -> None:
    assert watcher.hears() == []
    price = "UPDATE catalog.price_tiers SET price = {} WHERE sku_id = 'S011' AND min_quantity = 1"
    assert watcher.hears(price.format("6")) == [], "20 % is not more than 20 %"
    assert watcher.hears(price.format("6.05")) == [
        f"{PLAIN}cost moved of 1 variant: S011 from 5 to 6.05 USD (+21.0 %) since 2026-03-01"
    ]
    assert watcher.hears(price.format("NULL")) == [], "a price that could not be read"
    assert watcher.hears(price.format("6.05")) == []
    unread = [
        f"UPDATE catalog.{table} SET currency = NULL WHERE product_id = 'P01'" for table in ("price_tiers", "products")
    ]
    assert watcher.hears(*unread) == [], "a currency that could not be read"
    assert watcher.hears(*(statement.replace("NULL", "'USD'") for statement in unread)) == []
    assert watcher.hears("UPDATE catalog.price_tiers SET price = 9 WHERE sku_id = 'S011' AND min_quantity = 50") == []
    assert watcher.hears(price.format("4.5")) == [
        f"{PLAIN}cost moved of 1 variant: S011 from 6.05 to 4.5 USD (-25.6 %) since 2026-03-01"
    ]
    [other_money] = watcher.hears("UPDATE catalog.price_tiers SET currency = 'MXN' WHERE sku_id = 'S011'")
    assert other_money == f"{PLAIN}cost moved of 1 variant: S011 from 4.5 USD to 4.5 MXN since 2026-03-01"


def test_the_strictest_rule_that_applies_says_what_is_too_far_and_too_few(watcher: Watcher) -> None:
    rules = """INSERT INTO ops.hold_rules (rule, product_id, category_id, minimum_stock, maximum_move) VALUES
        ('close', 'P01', NULL, 4, 5), ('another product', 'P02', NULL, 1000, 0), ('other kinds', NULL, 'c2', 1000, 0)"""
    assert watcher.hears(rules) == []
    [told] = watcher.hears(
        "UPDATE catalog.price_tiers SET price = price * 1.06 WHERE product_id = 'P01'",
        "UPDATE catalog.inventory_levels SET quantity = 1 WHERE sku_id = 'S011'",
    )
    assert told.startswith(
        f"{PLAIN}stock low in 1 variant: S011 has 2 of at least 4; cost moved of 2 variants: S011 from"
    )
    assert watcher.hears("UPDATE catalog.price_tiers SET price = 6.01 WHERE sku_id = 'S101'") == [
        (
            "Watched product P10 “stock read, and none”: cost moved of 1 variant: S101 from 6 to 6.01 USD (+0.2 %) "
            "since 2026-03-01"
        )
    ]
    assert watcher.hears("DELETE FROM ops.hold_rules", "UPDATE catalog.price_tiers SET price = 100") == [], "no rule"


def test_a_stock_that_gets_low_is_told_once_until_there_is_plenty(watcher: Watcher) -> None:
    stock = "UPDATE catalog.inventory_levels SET quantity = {} WHERE sku_id = 'S011' AND shipping_from = 'CN'"
    assert watcher.hears("UPDATE ops.hold_rules SET minimum_stock = 10") == []
    assert watcher.hears(stock.format(4)) == [f"{PLAIN}stock low in 1 variant: S011 has 9 of at least 10"]
    for quantity in (0, 5, 14, 4, "NULL", 2):  # and 5 in the other warehouse: never twenty
        assert watcher.hears(stock.format(quantity)) == [], quantity
    assert watcher.hears(stock.format(15)) == []
    assert watcher.hears("DELETE FROM catalog.inventory_levels WHERE sku_id = 'S011'") == [
        f"{PLAIN}stock low in 1 variant: S011 has 0 of at least 10"
    ], "it was read, and is in no warehouse"


def test_a_variant_that_is_gone_is_told_once_and_is_no_news_when_it_is_back(watcher: Watcher) -> None:
    assert watcher.hears() == []
    assert watcher.hears("DELETE FROM catalog.skus WHERE sku_id = 'S012'") == [f"{PLAIN}1 variant gone: S012"]
    assert watcher.hears("INSERT INTO catalog.skus (sku_id, product_id) VALUES ('S012', 'P01')") == []
    assert watcher.hears("UPDATE catalog.skus SET product_id = 'P10' WHERE sku_id = 'S012'") == [
        f"{PLAIN}1 variant gone: S012"
    ], "another product's now"


def test_a_product_that_is_gone_is_told_once_whatever_else_happened_to_it(watcher: Watcher) -> None:
    assert watcher.hears() == []
    gone = "UPDATE catalog.products SET delisted_at = now() WHERE product_id = 'P01'"
    assert watcher.hears(
        gone,
        "DELETE FROM catalog.skus WHERE sku_id = 'S012'",
        "UPDATE catalog.price_tiers SET price = 90 WHERE product_id = 'P01'",
    ) == [f"{PLAIN}it is gone from the market"]
    assert watcher.hears("UPDATE catalog.products SET delisted_at = NULL WHERE product_id = 'P01'") == []
    assert watcher.hears(gone) == [f"{PLAIN}it is gone from the market"]


def test_what_nobody_watches_any_more_is_forgotten(watcher: Watcher) -> None:
    assert watcher.hears() == []
    assert unwatch(watcher.database, ["P01", "P02"]) == ["P01"]
    assert watcher.hears("UPDATE catalog.products SET delisted_at = now() WHERE product_id = 'P01'") == []
    watch(watcher.database, ["P01"])
    assert watcher.hears() == []


def test_many_variants_are_counted_and_a_long_title_is_cut(database: Database) -> None:
    watcher = Watcher(database, ["P11", "P12"])
    assert watcher.hears("UPDATE catalog.products SET title = repeat('long ', 40) WHERE product_id = 'P12'") == []
    assert watcher.hears(
        "DELETE FROM catalog.skus WHERE sku_id = 'S111'",
        "INSERT INTO catalog.skus (sku_id, product_id) VALUES ('S124', 'P12')",
        "UPDATE catalog.price_tiers SET price = price * 2 WHERE product_id = 'P12'",
        "UPDATE catalog.price_tiers SET price = price * 3 WHERE sku_id = 'S113' AND min_quantity = 1",
    ) == [
        ("Watched product P11 “prices that moved”: 1 variant gone: S111; "
        "cost moved of 1 variant: S113 from 2.2 to 6.6 USD (+200.0 %) since 2026-03-01"),
        f"Watched product P12 “{('long ' * 40)[:60]}…”: cost moved of 3 variants: "
        + ", ".join(f"S12{n} from 2 to 4 USD (+100.0 %) since 2026-03-01" for n in (1, 2))
        + " and 1 more",
    ]  # fmt: skip


def test_the_list_shows_how_each_stands(watcher: Watcher) -> None:
    watch(watcher.database, ["P10"], importance=3, note="spring")
    watch(watcher.database, ["P08"])
    with watcher.database.begin() as connection:
        found = {one.product_id: one for one in watched(connection)}
        assert [one.product_id for one in watched(connection, limit=1)] == ["P10"], "the most important first"
    shown = {key: (one.state, one.stock, one.importance, one.note) for key, one in found.items()}
    assert shown == {
        "P01": ("on offer", 15, 1.0, None),
        "P05": ("on offer", None, 1.0, None),
        "P08": ("gone", None, 1.0, None),
        "P10": ("on offer", 0, 3.0, "spring"),
        "P99": ("not read yet", None, 1.0, None),
    }
    assert (str(found["P01"].price), found["P01"].currency) == ("4.5000", "USD")
