"""Rows as the normalising rooms hand them to a merge, made from few words; and reading tables back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from dropship_pipeline.storage.catalog.batches import FETCHES_SCHEMA, REJECTS_SCHEMA
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.registry import TABLES

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
OF_THE_MERGE = {"first_seen_at", "changed_at", "delisted_at"}


def at(hours: float) -> datetime:
    """So many hours after noon."""
    return NOON + timedelta(hours=hours)


def money(amount: str | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)


@dataclass(frozen=True)
class Goods:
    """A product as described: SKUs with their price by smallest quantity, pictures, delivery periods."""

    product_id: str
    skus: Mapping[str, Mapping[int, str | None]] = field(default_factory=dict)
    title: str | None = "Vacuum flask"
    status: str | None = "PRODUCT_ONLINE"
    currency: str | None = "USD"
    html: str | None = "<p>Keeps warm</p>"
    images: tuple[str, ...] = ("front.jpg", "back.jpg")
    periods: Mapping[int, int] = field(default_factory=lambda: {100: 7, 1000: 15})
    colours: tuple[str, ...] = ("Red",)


def rows_of(full_name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """An Arrow table in the schema of that table; what a row does not say is NULL."""
    left_out = OF_THE_MERGE if full_name == "catalog.products" else set()
    schema = pa.schema([f for f in arrow_schema(TABLES[full_name]) if f.name not in left_out])
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)


def descriptions(goods: Iterable[Goods], when: datetime) -> dict[str, pa.Table]:
    """The tables of a batch of descriptions, all read at the same time."""
    goods = list(goods)
    skus = [(g, sku_id, tiers) for g in goods for sku_id, tiers in g.skus.items()]
    return {
        "catalog.products": rows_of(
            "catalog.products",
            [
                {"product_id": g.product_id, "title": g.title, "status": g.status, "currency": g.currency,
                 "min_order_quantity": 2, "described_at": when}
                for g in goods
            ],
        ),
        "catalog.product_descriptions": rows_of(
            "catalog.product_descriptions",
            [{"product_id": g.product_id, "html": g.html} for g in goods if g.html is not None],
        ),
        "catalog.product_images": rows_of(
            "catalog.product_images",
            [
                {"product_id": g.product_id, "position": position, "url": url}
                for g in goods
                for position, url in enumerate(g.images)
            ],
        ),
        "catalog.delivery_periods": rows_of(
            "catalog.delivery_periods",
            [
                {"product_id": g.product_id, "quantity": quantity, "process_days": days}
                for g in goods
                for quantity, days in g.periods.items()
            ],
        ),
        "catalog.skus": rows_of(
            "catalog.skus", [{"sku_id": s, "product_id": g.product_id, "status": "NORMAL"} for g, s, _ in skus]
        ),
        "catalog.sku_attributes": rows_of(
            "catalog.sku_attributes",
            [
                {"sku_id": s, "position": position, "product_id": g.product_id, "name": "Color", "value": colour}
                for g, s, _ in skus
                for position, colour in enumerate(g.colours)
            ],
        ),
        "catalog.price_tiers": rows_of(
            "catalog.price_tiers",
            [
                {"sku_id": s, "min_quantity": quantity, "product_id": g.product_id, "price": money(price),
                 "currency": g.currency}
                for g, s, tiers in skus
                for quantity, price in tiers.items()
            ],
        ),
    }  # fmt: skip


def inventory(levels: Mapping[str, Mapping[tuple[str, str], int | None]], when: datetime) -> dict[str, pa.Table]:
    """product -> (SKU, warehouse) -> quantity."""
    rows = [
        {"sku_id": sku, "shipping_from": origin, "product_id": product_id, "quantity": quantity, "checked_at": when}
        for product_id, stock in levels.items()
        for (sku, origin), quantity in stock.items()
    ]
    return {"catalog.inventory_levels": rows_of("catalog.inventory_levels", rows)}


def freight(
    quotes: Iterable[tuple[str, str, int, str, str]],
    failures: Iterable[tuple[str, str, int, str, str]],
    when: datetime,
) -> dict[str, pa.Table]:
    """Quotes: (product, destination, quantity, vendor, fee). Failures: (product, destination, quantity, from, code)."""
    return {
        "catalog.freight_quotes": rows_of(
            "catalog.freight_quotes",
            [
                {"product_id": p, "destination_country": to, "quantity": q, "vendor_code": vendor, "fee": money(fee),
                 "currency": "USD", "requested_dispatch": "CN", "quoted_at": when}
                for p, to, q, vendor, fee in quotes
            ],
        ),
        "catalog.freight_failures": rows_of(
            "catalog.freight_failures",
            [
                {"product_id": p, "destination_country": to, "quantity": q, "dispatch_location": origin, "code": code,
                 "failed_at": when}
                for p, to, q, origin, code in failures
            ],
        ),
    }  # fmt: skip


def ledger(
    kind: str,
    product_ids: Iterable[str],
    when: datetime,
    outcome: str = "answered",
    destination: str = "",
    payload_hash: int | None = None,
    code: str | None = None,
) -> pa.Table:
    """One row of the ledger a product. An answered one without a hash gets one that differs at each time."""
    if payload_hash is None and outcome == "answered":
        payload_hash = int(when.timestamp())
    return pa.Table.from_pylist(
        [
            {"kind": kind, "product_id": product_id, "destination": destination, "fetched_at": when,
             "outcome": outcome, "code": code, "payload_hash": payload_hash, "raw_file": f"raw/{kind}/1.parquet"}
            for product_id in product_ids
        ],
        FETCHES_SCHEMA,
    )  # fmt: skip


def rejects(
    kind: str,
    keys: Iterable[str],
    when: datetime,
    reason: str = "not_an_object",
    destination: str = "",
    payload_hash: int | None = 1,
) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"kind": kind, "record_key": key, "destination": destination, "reason": reason, "message": "a list",
             "last_seen_at": when, "payload_hash": payload_hash, "raw_file": f"raw/{kind}/1.parquet", "payload": "[]"}
            for key in keys
        ],
        REJECTS_SCHEMA,
    )  # fmt: skip


@dataclass(frozen=True)
class Landed:
    """A raw file."""

    path: str
    kind: str = "description"
    run_id: str = "run-1"
    sweep_id: str | None = None
    answers: int = 1


def ask(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.begin() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def tell(database: Database, *statements: str) -> None:
    with database.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
