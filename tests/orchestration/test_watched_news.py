"""What becomes of watched products reaches people: from a shop that drifts, through the sensor, to a real listener."""

import re
from collections.abc import Callable

import pytest
from alert_bell import lines, ringing
from deployment import Deployment, all_stages

from dropship_pipeline.orchestration import alerts
from dropship_pipeline.storage.ops.watched import watch
from dropship_pipeline.sync.request import SyncRequest

Deploy = Callable[..., Deployment]

CROSS_BORDER = "/eco/buyer/crossborder/product/check"
ALL_AGAIN = SyncRequest(force=True)

FIRST_PRICES = """
    SELECT DISTINCT ON (t.sku_id) t.sku_id, t.product_id, t.price
    FROM catalog.price_tiers t JOIN catalog.products p ON p.product_id = t.product_id AND p.delisted_at IS NULL
    ORDER BY t.sku_id, t.min_quantity"""


def product_of(line: str) -> str:
    found = re.match(r"• Watched product (\d+)", line)
    assert found, line
    return found[1]


def test_people_hear_what_became_of_watched_products_and_of_no_other(deploy: Deploy) -> None:
    with ringing(deploy, products=24, drift=3.0) as (bell, server):
        merchant = bell.merchant
        merchant.sync()
        ids = [row["product_id"] for row in merchant.rows("SELECT product_id FROM catalog.products ORDER BY 1")]
        watch(merchant.database, ids[:12])
        with merchant.database.begin() as connection:
            connection.exec_driver_sql("UPDATE ops.hold_rules SET maximum_move = 0, minimum_stock = 20")
        assert bell.tick() == "Nothing new to tell; 0 known problems last", "what was found is no news"

        # a feed that is empty for once, and is held: its products are not gone
        merchant.sandbox.control("faults", {"fault": f"empty_listing:path={CROSS_BORDER}"})
        merchant.sync()
        merchant.sandbox.control("faults", method="DELETE")
        bell.tick()
        assert [line for line in lines(server) if "Watched" in line] == []

        before = {row["sku_id"]: row for row in merchant.rows(FIRST_PRICES)}
        merchant.sandbox.control("clock", {"advance_s": 20 * 86_400})
        for _ in range(2):  # who is in no feed any more is gone when a second sweep has missed it too
            merchant.sync(ALL_AGAIN, stages=all_stages)
        bell.tick()
        told = {
            row["key"].removeprefix("watch:"): row["detail"]
            for row in merchant.rows("SELECT key, detail FROM ops.alerts WHERE kind = 'watch'")
        }
        assert f"{len(told)} of watched products" in server.texts[-1].split("\n")[0]
        shown = [product_of(line) for line in lines(server) if "Watched" in line]
        assert 3 < len(shown) <= len(told)
        assert set(shown) <= set(told)

        watched = set(ids[:12])
        gone = {
            row["product_id"]
            for row in merchant.rows("SELECT product_id FROM catalog.products WHERE delisted_at IS NOT NULL")
        }
        after = {row["sku_id"]: row for row in merchant.rows(FIRST_PRICES)}
        moved = {
            was["product_id"] for sku, was in before.items() if sku in after and after[sku]["price"] != was["price"]
        }
        assert set(told) <= watched
        assert {product for product, line in told.items() if "gone from the market" in line} == gone & watched
        assert {product for product, line in told.items() if "cost moved" in line} == moved & watched - gone != set()
        requests = server.requests
        bell.tick()
        assert server.requests == requests, "told once"


@pytest.fixture
def reprice() -> Callable[[Deployment, int], None]:
    """Gives every price of the shop, as it was read, so many times what it is."""

    def times(merchant: Deployment, factor: int) -> None:
        with merchant.database.begin() as connection:
            connection.exec_driver_sql("UPDATE catalog.price_tiers SET price = price * %s", (factor,))

    return times


def test_the_newest_of_a_product_wins_where_the_last_was_not_delivered_and_a_crash_loses_nothing(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, reprice: Callable[[Deployment, int], None]
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with ringing(deploy, products=12, drift=0) as (bell, server):
        merchant = bell.merchant
        merchant.sync()
        [product] = [
            row["product_id"] for row in merchant.rows("SELECT min(product_id) AS product_id FROM catalog.skus")
        ]
        watch(merchant.database, [product])
        bell.tick()

        reprice(merchant, 2)
        with monkeypatch.context() as killed:
            killed.setattr(alerts, "note_told", crash)
            with pytest.raises(KeyboardInterrupt):
                bell.tick()
        server.status = 503
        assert "could not be posted" in bell.tick()
        reprice(merchant, 3)
        bell.tick()
        server.status = 200
        bell.later(hours=1)
        bell.tick()
        [line] = lines(server)
        assert product_of(line) == product
        assert "(+200.0 %)" in line
        assert "(+100.0 %)" not in line
        assert bell.tick() == "Nothing new to tell; 0 known problems last"

        reprice(merchant, 2)
        bell.tick()
        assert server.texts[-1].startswith("dropship_pipeline: 1 of watched products\n• Watched product")
        assert len(server.texts) == 2
