"""Steps that the tests of placing orders share: what a merchant wants, and what became of it at Alibaba.com."""

import time
from datetime import timedelta
from typing import Any

from deployment import Deployment

from dropship_pipeline.orders.placing import OrderAsked
from dropship_pipeline.orders.placing_input import read_order_asked
from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.sync.orders.paying import Payer
from dropship_pipeline.sync.orders.reconciling import Patience

CREATE, PAY, CANCEL = "/buynow/order/create", "/alibaba/dropshipping/order/pay", "/alibaba/order/cancel"
LIST, FREIGHT = "/alibaba/order/list", "/order/freight/calculate"

HASTY = Patience(send_within=2, settled=timedelta(seconds=0.6), looks=(0.1, 0.2), verifying=0.5)
"""Enough for a sandbox on this machine."""

PAYER = Payer("203.0.113.7")


def person(merchant: Deployment) -> dict[str, str]:
    """Somebody to whom nobody but this merchant sends anything: several share a simulated Alibaba.com."""
    mark = merchant.home.name[-6:]
    return {"name": f"Wilhelmina {mark}", "street": f"77 {mark} Crescent", "number": "2125550187"}


def recipient(merchant: Deployment, **changes: str) -> dict[str, str]:
    """Where the merchant's orders go."""
    to = person(merchant)
    return {
        "contact_person": to["name"],
        "country_code": "US",
        "province": "New York",
        "province_code": "NY",
        "city": "New York",
        "zip": "10012",
        "address": to["street"],
        "alternate_address": "Apt 4B",
        "telephone": f"+1 {to['number']}",
        **changes,
    }


def plain_products(merchant: Deployment) -> list[dict[str, Any]]:
    """Products at Alibaba.com that can be ordered to the United States from China, with nothing to trip over."""
    return [
        product
        for product in merchant.truth("catalogue")["products"]
        if product["status"] == "PRODUCT_ONLINE"
        and not product["freight_template_fails"]
        and "US" not in product["restricted_countries"]
        and product["description"]["currency"] == "USD"
        and product["order_minimum"] <= 3
        and stocked(product)
        and len(product["product_id"]) > 8
    ]


def stocked(product: dict[str, Any]) -> list[str]:
    """SKUs of which a hundred and more are in China."""
    return [
        level["sku_id"]
        for place in product["inventory"]
        if place["shipping_from"] == "CN"
        for level in place["inventory_list"]
        if int(level["inventory_count"]) >= 100
    ]


def wanted(merchant: Deployment, reference: str = "ORDER-1", **changes: Any) -> dict[str, Any]:
    """An order that Alibaba.com takes, as a document."""
    product = plain_products(merchant)[0]
    line = {"product_id": product["product_id"], "sku_id": stocked(product)[0], "quantity": 3}
    return {"reference": reference, "lines": [line], "recipient": recipient(merchant), **changes}


def asked(merchant: Deployment, reference: str = "ORDER-1", **changes: Any) -> OrderAsked:
    """The same, read."""
    return read_order_asked(wanted(merchant, reference, **changes))


def fault(merchant: Deployment, text: str) -> None:
    """Switch a fault on."""
    merchant.sandbox.control("faults", {"fault": text})


def no_faults(merchant: Deployment) -> None:
    """Switch all of them off."""
    merchant.sandbox.control("faults", method="DELETE")


def created(merchant: Deployment, reference: str | None = None) -> list[dict[str, Any]]:
    """The merchant's orders that were created at Alibaba.com under a reference, or any; whatever anybody was told."""
    orders = [order for order in merchant.truth("orders")["orders"] if order.get("channel_refer_id")]
    ours = [order for order in orders if order["recipient"]["contact_person"] == person(merchant)["name"]]
    return [order for order in ours if reference in (None, order["channel_refer_id"])]


def settled_shop(shop: Running) -> Running:
    """A shared sandbox as at its start, but for its orders."""
    shop.control("faults", method="DELETE")
    shop.control("stats/reset", {})
    return shop


def sent(merchant: Deployment, path: str = CREATE) -> int:
    """How often Alibaba.com was asked for this."""
    return sum(merchant.sandbox.control("stats")["endpoints"].get(path, {}).values())


def wait_until_sent(merchant: Deployment, path: str, times: int = 1) -> None:
    """Wait until Alibaba.com has been asked for this so often."""
    until = time.monotonic() + 20
    while sent(merchant, path) < times:
        assert time.monotonic() < until, f"{path} was not asked for {times} times"
        time.sleep(0.01)


def lose_lock(merchant: Deployment, reference: str = "ORDER-1") -> None:
    """Whoever works on this order loses the lock of it, as when a network drops a connection over which nothing is
    said: Postgres gives the lock to the next one."""
    with merchant.database.begin() as connection:
        ended = connection.exec_driver_sql(
            """
            SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND objid::bigint = hashtext(%s)::bigint & 4294967295
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
            (f"placement {reference}",),
        )
        assert ended.scalar() == 1
