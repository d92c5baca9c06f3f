"""What moves at Alibaba.com moves in the tables, once, with what it was before; what stands still is left alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from deployment import Deployment
from oracle import SELECTED, expected_feeds, expected_tables, stored_feeds, stored_tables, truth

from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.summary import SyncSummary

Deploy = Callable[..., Deployment]
Row = tuple[Any, ...]
DAY = 86_400
DESCRIPTION, INVENTORY, FREIGHT = (
    "/eco/buyer/product/description",
    "/eco/buyer/product/inventory",
    "/shipping/freight/calculate",
)


@dataclass
class Moment:
    """What was true at one time."""

    feeds: dict[str, set[str]]
    products: dict[str, dict[str, Any]]

    @property
    def listed(self) -> set[str]:
        return set().union(*self.feeds.values())

    def prices(self, product_ids: Iterable[str]) -> dict[Row, Row]:
        """(product, SKU, least quantity) -> (price, currency)."""
        rows = expected_tables({one: self.products[one] for one in product_ids})["price_tiers"]
        return {(product, sku, least): (price, currency) for sku, least, product, _, price, currency in rows}

    def stock(self, product_ids: Iterable[str]) -> dict[Row, int]:
        """(product, SKU, where) -> quantity."""
        rows = expected_tables({one: self.products[one] for one in product_ids})["inventory_levels"]
        return {(product, sku, where): quantity for sku, where, product, quantity, _ in rows}


def look(merchant: Deployment) -> Moment:
    return Moment({key: set(ids) for key, ids in expected_feeds(merchant).items()}, truth(merchant))


def memberships(merchant: Deployment, condition: str) -> set[tuple[str, str]]:
    rows = merchant.rows(f"SELECT feed, product_id FROM catalog.feed_products WHERE {condition}")
    return {(row["feed"], row["product_id"]) for row in rows}


def listing_changes(merchant: Deployment, condition: str) -> list[tuple[str | None, str, str]]:
    rows = merchant.rows(f"SELECT * FROM catalog.listing_changes WHERE {condition} ORDER BY observed_at")
    return [(row["feed"], row["product_id"], row["change"]) for row in rows]


def products(merchant: Deployment, condition: str) -> set[str]:
    return {row["product_id"] for row in merchant.rows(f"SELECT product_id FROM catalog.products WHERE {condition}")}


def test_a_catalogue_that_lives_is_followed_move_by_move(deploy: Deploy) -> None:
    merchant = deploy(products=300)
    assert merchant.sync().problems == []
    before = look(merchant)

    # first readings are no moves
    assert merchant.value("SELECT count(*) FROM catalog.price_changes") == 0
    assert merchant.value("SELECT count(*) FROM catalog.inventory_changes") == 0
    assert set(listing_changes(merchant, "true")) == {
        (feed, product, "listed") for feed, ids in before.feeds.items() for product in ids
    }

    merchant.sandbox.control("clock", {"advance_s": 3 * DAY})
    after = look(merchant)
    began = merchant.value("SELECT now()")
    assert merchant.sync(SyncRequest(force=True)).problems == []

    # each price and each stock level that moved is logged once, with what it was and what it is
    known = before.listed & after.listed
    old_prices, new_prices = before.prices(known), after.prices(known)
    expected: set[Row] = set()
    for key in old_prices.keys() | new_prices.keys():
        (old, old_currency), (new, currency) = old_prices.get(key, (None, None)), new_prices.get(key, (None, None))
        assert None in (old_currency, currency) or old_currency == currency
        if old != new:
            expected.add((*key, old, new, currency or old_currency))
    assert len(expected) > 20, "hardly a price moved in three days: the test shows nothing"
    logged = merchant.rows("SELECT * FROM catalog.price_changes")
    assert {
        (r["product_id"], r["sku_id"], r["min_quantity"], r["old_price"], r["new_price"], r["currency"]) for r in logged
    } == expected
    assert len(logged) == len(expected)
    assert all(row["observed_at"] > began for row in logged)

    old_stock, new_stock = before.stock(known), after.stock(known)
    moved = {
        (*key, old_stock.get(key), new_stock.get(key))
        for key in old_stock.keys() | new_stock.keys()
        if old_stock.get(key) != new_stock.get(key)
    }
    assert len(moved) > 20, "hardly a stock level moved in three days: the test shows nothing"
    noted = merchant.rows("SELECT * FROM catalog.inventory_changes")
    assert {
        (r["product_id"], r["sku_id"], r["shipping_from"], r["old_quantity"], r["new_quantity"]) for r in noted
    } == moved
    assert len(noted) == len(moved)

    # a product leaves the feeds that it left, and the market with the last of them
    left = {(feed, one) for feed, ids in before.feeds.items() for one in ids - after.feeds[feed]}
    assert memberships(merchant, "delisted_at IS NOT NULL") == left
    assert {one for _, one in left} & after.listed, "no product left one feed of several: the test shows nothing"
    assert before.listed - after.listed, "no product left its last feed: the test shows nothing"
    assert products(merchant, "delisted_at IS NOT NULL") == before.listed - after.listed
    stored, fresh = stored_tables(merchant), expected_tables({one: after.products[one] for one in after.listed})
    for table, rows in fresh.items():
        whose = SELECTED[table].split(", ").index("product_id")
        assert {row for row in stored[table] if row[whose] in after.listed} == rows, table

    # what comes back is listed again, in its old row, and on the market again
    merchant.sandbox.control("clock", {"advance_s": 11 * DAY})
    later = look(merchant)
    assert merchant.sync(SyncRequest(let_through=True)).problems == []
    back = {(feed, one) for feed, one in left if one in later.feeds[feed]}
    assert back, "nothing came back in eleven days: the test shows nothing"
    assert memberships(merchant, "delisted_at IS NULL AND last_listed_at > first_listed_at") == back
    listed_since = f"change = 'listed' AND observed_at > '{began}'"
    assert back <= {(feed, one) for feed, one, _ in listing_changes(merchant, listed_since)}
    assert {feed: set(ids) for feed, ids in stored_feeds(merchant).items()} == {
        k: v for k, v in later.feeds.items() if v
    }
    assert products(merchant, "delisted_at IS NULL") == later.listed


def test_a_product_that_says_it_is_offline_is_off_the_market_whatever_its_feeds_say_until_it_says_otherwise(
    deploy: Deploy,
) -> None:
    merchant = deploy(products=300)
    merchant.sync()
    listed = products(merchant, "true")

    def status(product_id: str) -> str:
        return str(merchant.truth(f"product?id={product_id}")["status"])

    gone = None
    for _ in range(40):
        merchant.sandbox.control("clock", {"advance_s": DAY // 4})
        gone = next((one for one in sorted(listed) if status(one) == "PRODUCT_OFFLINE"), None)
        if gone:
            break
    assert gone, "nothing went offline in ten days: the test shows nothing"
    of_it = f"product_id = '{gone}'"
    feeds = {feed for feed, _ in memberships(merchant, f"{of_it} AND delisted_at IS NULL")}
    assert merchant.sync(SyncRequest(feeds=(), product_ids=(gone,))).problems == []
    assert listing_changes(merchant, of_it)[-1] == (None, gone, "delisted")
    assert products(merchant, f"{of_it} AND delisted_at = described_at AND status = 'PRODUCT_OFFLINE'") == {gone}
    assert {feed for feed, _ in memberships(merchant, f"{of_it} AND delisted_at IS NULL")} == feeds

    while status(gone) != "PRODUCT_ONLINE":
        merchant.sandbox.control("clock", {"advance_s": DAY})
    assert merchant.sync(SyncRequest(feeds=(), product_ids=(gone,))).problems == []
    assert listing_changes(merchant, of_it)[-1] == (None, gone, "listed")
    assert products(merchant, f"{of_it} AND delisted_at IS NULL") == {gone}
    assert len(listing_changes(merchant, f"{of_it} AND feed IS NULL")) == 2


def first_of_each(told: Any) -> Any:
    """A payload of which only the first SKU, tier, attribute, image, period and level are left."""
    if isinstance(told, dict):
        lists = ("skus", "ladder_price", "sku_attr_list", "inventory_list", "images", "deliver_periods")
        return {key: first_of_each(value[:1] if key in lists else value) for key, value in told.items()}
    return [first_of_each(value) for value in told] if isinstance(told, list) else told


def test_children_that_a_fresh_payload_lacks_go_and_their_prices_and_stock_are_logged_as_gone(deploy: Deploy) -> None:
    merchant = deploy(products=60, drift=0)
    merchant.sync()
    whole, there = truth(merchant), stored_tables(merchant)
    for path in (DESCRIPTION, INVENTORY):
        merchant.sandbox.control("faults", {"fault": f"object_for_list:path={path}"})
    merchant.sync(SyncRequest(force=True))
    left = expected_tables({one: first_of_each(told) for one, told in whole.items()})
    assert stored_tables(merchant) == left
    for table in ("skus", "sku_attributes", "price_tiers", "inventory_levels", "product_images", "delivery_periods"):
        assert len(left[table]) < len(there[table]), f"nothing went from {table}: the test shows nothing"
    prices = merchant.rows("SELECT sku_id, min_quantity, old_price, new_price FROM catalog.price_changes")
    assert {(r["sku_id"], r["min_quantity"], r["old_price"], r["new_price"]) for r in prices} == {
        (sku, least, price, None) for sku, least, _, _, price, _ in there["price_tiers"] - left["price_tiers"]
        if (sku, least) not in {row[:2] for row in left["price_tiers"]}
    }  # fmt: skip
    stock = merchant.rows("SELECT sku_id, shipping_from, old_quantity, new_quantity FROM catalog.inventory_changes")
    assert {(r["sku_id"], r["shipping_from"], r["old_quantity"], r["new_quantity"]) for r in stock} == {
        (sku, where, quantity, None)
        for sku, where, _, quantity, _ in there["inventory_levels"] - left["inventory_levels"]
    }


def asked(merchant: Deployment, path: str) -> set[str]:
    """The products that were asked for since the last reset, each once."""
    calls = merchant.calls(path)
    assert set(calls.values()) <= {1}
    return set(calls)


def test_a_sync_does_what_it_is_asked_and_no_more(deploy: Deploy) -> None:
    merchant = deploy(products=150, drift=0)
    feeds = expected_feeds(merchant)
    listings = {merchant.truth("feeds")[key]["path"] for key in feeds}

    def sync(**scope: Any) -> SyncSummary:
        merchant.sandbox.control("stats/reset", {})
        summary = merchant.sync(SyncRequest(**scope))
        assert summary.problems == []
        return summary

    # a feed: its members are described, and no other feed is so much as read
    sync(feeds=("mx_dropship",))
    assert stored_feeds(merchant) == {"mx_dropship": feeds["mx_dropship"]}
    assert asked(merchant, DESCRIPTION) == asked(merchant, INVENTORY) == set(feeds["mx_dropship"])
    called = {path for path, outcomes in merchant.sandbox.control("stats")["endpoints"].items() if outcomes}
    assert called & listings == {"/eco/buyer/product/check"}

    # a limit: so many of each kind, in the order of the feed; the rest is due the next time
    first = sync(feeds=("local_us",), limit=7)
    new = [one for one in feeds["local_us"] if one not in feeds["mx_dropship"]]
    assert asked(merchant, DESCRIPTION) == set(new[:7])
    assert [stage.done for stage in first.stages] == [7, 7, 7]
    sync(feeds=("local_us",))
    assert asked(merchant, DESCRIPTION) == set(new[7:])
    sync()

    # nothing is older than an hour; everything is older than nothing
    sync(max_age=timedelta(hours=1))
    assert asked(merchant, DESCRIPTION) == asked(merchant, INVENTORY) == asked(merchant, FREIGHT) == set()
    sync(max_age=timedelta(0), feeds=("local_mx",))
    assert asked(merchant, DESCRIPTION) == asked(merchant, INVENTORY) == set(feeds["local_mx"])
    assert {key.partition("|")[0] for key in merchant.calls(FREIGHT)} == set(feeds["local_mx"])

    # a product: whatever its age, and no feed is read
    chosen = tuple(feeds["cross_border"][3:5])
    sync(feeds=(), product_ids=chosen)
    assert asked(merchant, DESCRIPTION) == asked(merchant, INVENTORY) == set(chosen)
    called = {path for path, outcomes in merchant.sandbox.control("stats")["endpoints"].items() if outcomes}
    assert not called & listings


def test_a_sync_of_one_feed_leaves_the_rows_of_all_others_as_they_are(deploy: Deploy) -> None:
    merchant = deploy(products=400)
    merchant.sync(SyncRequest(limit=0))
    merchant.sandbox.control("clock", {"advance_s": 3 * DAY})
    after = expected_feeds(merchant)

    def others() -> list[dict[str, Any]]:
        return merchant.rows("SELECT xmin, * FROM catalog.feed_products WHERE feed <> 'cross_border' ORDER BY 2, 3")

    before, missed = others(), merchant.rows("SELECT * FROM ops.missed_memberships WHERE feed <> 'cross_border'")
    stale = {key: ids for key, ids in stored_feeds(merchant).items() if key != "cross_border"}
    assert stale != {key: ids for key, ids in after.items() if key != "cross_border"}, "no other feed moved either"
    assert merchant.sync(SyncRequest(feeds=("cross_border",), limit=0)).problems == []
    assert stored_feeds(merchant)["cross_border"] == after["cross_border"]
    assert others() == before
    assert merchant.rows("SELECT * FROM ops.missed_memberships WHERE feed <> 'cross_border'") == missed
