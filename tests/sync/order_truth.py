"""What the order tables must hold, worked out from what is true at the simulated Alibaba.com by code of its own."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from deployment import Deployment

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
GUIDES = {"234193410001028893", "271207727001028893"}
"""The two orders of the guide's examples, which answer word for word as the guide prints them."""


def moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def money(amount: str | None) -> Decimal | None:
    return None if amount is None else Decimal(amount).quantize(Decimal("0.0001"))


def phone(parts: dict[str, str]) -> str | None:
    return " ".join(filter(None, (parts["country"], parts["area"], parts["number"]))) or None


def true_orders(merchant: Deployment) -> dict[str, dict[str, Any]]:
    """The orders of the buyer whose token the merchant has, by trade ID, without the guide's own two."""
    (buyer, *_) = merchant.sandbox.control("accounts")["buyers"]
    orders = merchant.truth("orders")["orders"]
    return {
        order["trade_id"]: order
        for order in orders
        if order["buyer_id"] == buyer["user_id"] and order["trade_id"] not in GUIDES
    }


def expected(orders: dict[str, dict[str, Any]]) -> dict[str, set[tuple[Any, ...]]]:
    """The rows of each table."""
    rows: dict[str, set[tuple[Any, ...]]] = {name: set() for name in SELECTED}
    for trade_id, order in orders.items():
        to, currency = order["recipient"], order["currency"]
        rows["orders"].add(
            (
                trade_id, "default", order["status"], True, moment(order["created_ms"]), moment(order["modified_ms"]),
                moment(order["shipped_ms"]), money(order["product_total"]), money(order["shipment_fee"]),
                money(order["total"]), currency, order["carrier_code"], order["carrier_name"], to["country_code"],
            )
        )  # fmt: skip
        rows["order_lines"] |= {
            (
                trade_id, number, line["product_id"], line["sku_id"], line["name"], Decimal(line["quantity"]),
                line["unit"], money(line["unit_price"]), currency,
            )
            for number, line in enumerate(order["lines"], 1)
        }  # fmt: skip
        for parcel in order["parcels"]:
            number = parcel["tracking_number"]
            rows["shipments"].add((trade_id, number, parcel["carrier"], parcel["events"][-1]["code"]))
            rows["tracking_events"] |= {
                (
                    trade_id, number, event["code"],
                    f"{datetime.fromtimestamp(event['at_ms'] / 1000, LOS_ANGELES):%Y-%m-%d %H:%M:%S}",
                    event["name"], event["location"],
                )
                for event in parcel["events"]
            }  # fmt: skip
        if order["transaction_fee"] is not None:
            rows["payments"].add((trade_id, money(order["transaction_fee"]), currency))
        texts = [
            to[name] or None
            for name in (
                "contact_person", "country_code", "country", "province", "city", "zip", "address", "alternate_address"
            )
        ]  # fmt: skip
        rows["recipients"].add((trade_id, *texts, phone(to["mobile"]), phone(to["telephone"])))
    return rows


SELECTED = {
    "orders": (
        "trade_id, account, status, dropshipping, created_at, modified_at, shipped_at, product_total, shipment_fee, "
        "total, currency, carrier_code, carrier_name, country_code"
    ),
    "order_lines": "trade_id, line, product_id, sku_id, name, quantity, unit, unit_price, currency",
    "shipments": "trade_id, tracking_number, carrier, current_event_code",
    "tracking_events": "trade_id, tracking_number, event_code, event_time, event_name, event_location",
    "payments": "trade_id, transaction_fee, currency",
    "recipients": (
        "trade_id, contact_person, country_code, country, province, city, zip, address, alternate_address, mobile, "
        "telephone"
    ),
}


def stored(merchant: Deployment) -> dict[str, set[tuple[Any, ...]]]:
    """The same columns, as they stand in Postgres."""
    guides = ", ".join(f"'{trade_id}'" for trade_id in GUIDES)
    return {
        name: {
            tuple(row.values())
            for row in merchant.rows(f"SELECT {columns} FROM orders.{name} WHERE trade_id NOT IN ({guides})")
        }
        for name, columns in SELECTED.items()
    }
