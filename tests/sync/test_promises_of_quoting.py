"""Freight is asked for where the product's own stock is first, and the rest of the way only where that may help."""

from collections.abc import Callable
from typing import Any

from deployment import Deployment
from oracle import truth

Deploy = Callable[..., Deployment]
FREIGHT = "/shipping/freight/calculate"
NO_OTHER_LOCATION_MENDS = {"120019", "4015", "130106", "400007", "110001"}
"""Restricted, not served, offline, no EPR number, no foreign buyer (guide: Common Error Codes; live facts)."""


def where_to_try(told: dict[str, Any]) -> list[str]:
    """China first where it has stock, then the other origins by how much they have; then the rest of the three."""
    units = {
        origin["shipping_from"]: sum(int(level["inventory_count"]) for level in origin["inventory_list"])
        for origin in told["inventory"]
    }
    by_stock = sorted(units, key=lambda origin: (-(units[origin] > 0), -units[origin], origin))
    first = ["CN"] if "CN" in units else []
    return list(dict.fromkeys([*first, *by_stock, "CN", "US", "MX"]))


def test_quotes_are_asked_for_where_the_stock_is_and_no_longer_than_it_may_help(
    deploy: Deploy,
) -> None:
    merchant = deploy(products=250, drift=0)
    products = truth(merchant)
    merchant.sync()
    tried: dict[str, list[tuple[str, str]]] = {}
    for call in merchant.sandbox.control(f"log?path={FREIGHT}")["calls"]:
        product_id, _, _, location = call["key"].split("|")
        tried.setdefault(product_id, []).append((location, call["outcome"]))
    assert set(tried) == set(products)
    not_china_first = fell_back = ended = 0
    for product_id, tries in tried.items():
        order = where_to_try(products[product_id])
        locations = list(dict.fromkeys(location for location, _ in tries))
        assert locations == order[: len(locations)], product_id
        not_china_first += order[0] != "CN"
        fell_back += len(locations) > 1
        outcomes = [outcome for _, outcome in tries]
        assert "ok" not in outcomes[:-1], "it was asked on after an answer"
        assert not NO_OTHER_LOCATION_MENDS & set(outcomes[:-1]), "it was asked on although no location can help"
        if outcomes[-1] != "ok":
            ended += 1
            assert locations == order or outcomes[-1] in NO_OTHER_LOCATION_MENDS
    assert not_china_first > 10
    assert fell_back
    assert ended

    # for as many units as can be ordered
    quoted = merchant.rows("SELECT DISTINCT product_id, quantity FROM catalog.freight_quotes")
    assert all(row["quantity"] >= products[row["product_id"]]["order_minimum"] for row in quoted)
    assert sum(row["quantity"] > 1 for row in quoted) > 10
