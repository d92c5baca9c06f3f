"""What the tables must hold, from what is true at the stranger's and from what it answered; and what they do hold."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hand_made_catalogue import NO_OPTIONS, Carrier, Catalogue, Product, Refusal
from server import FreightAnswer, freight_refusal
from sqlalchemy import text
from telling import fee

from dropship_pipeline.storage.server.database import Database

Rows = Counter[tuple[Any, ...]]

COMPARED = {
    "feed_products": "feed, product_id, position, delisted_at IS NULL",
    "products": "product_id, title, status, category_id, category, supplier, e_company_id, currency, "
    "min_order_quantity, wholesale_min_order_quantity, wholesale_price, unit_type, handling_time_days, mode_id, "
    "detail_url, main_image_url, delisted_at IS NULL",
    "product_descriptions": "product_id, html",
    "product_images": "product_id, position, url",
    "delivery_periods": "product_id, quantity, process_days",
    "skus": "sku_id, product_id, seller_sku_id, status, unit, image_url",
    "sku_attributes": "sku_id, position, product_id, attr_name_id, attr_value_id, name, value, value_image_url",
    "price_tiers": "sku_id, min_quantity, product_id, max_quantity, price, currency",
    "inventory_levels": "sku_id, shipping_from, product_id, quantity, unit",
    "freight_quotes": "product_id, destination_country, quantity, vendor_code, vendor_name, shipping_type, trade_term, "
    "solution_biz_type, dispatch_country, requested_dispatch, delivery_days_min, delivery_days_max, fee, currency",
    "freight_failures": "product_id, destination_country, quantity, dispatch_location, code, message",
}
# No other dispatch location mends these: restricted, offline, a country that is not served.
FINAL = {"120019", "130106", "4015"}


def expected_rows(
    catalogue: Catalogue, destinations: list[str], answers: list[FreightAnswer], formerly: dict[str, Rows] | None = None
) -> dict[str, Rows]:
    """The rows of every table, in the order of COMPARED's columns, after a sync that was given these freight answers.

    `formerly`: what was expected after the sync before; what is listed no longer stays as it was then.
    """
    rows: dict[str, Rows] = {table: Counter() for table in COMPARED}
    for feed, ids in catalogue.feeds.items():
        rows["feed_products"].update((feed, product_id, ids.index(product_id), True) for product_id in set(ids))
    for product in catalogue.listed.values():
        if not product.gone:
            _expect_product(product, rows)
            for destination in destinations:
                last = last_quote(product.product_id, destination, formerly)
                rows["freight_quotes"].update(expected_quotes(product, destination, *last))
    for answer in answers:
        if answer.refusal is not None:
            words = "no carrier offers to ship it" if answer.refusal.code == NO_OPTIONS else answer.refusal.words
            at = (answer.product_id, answer.destination, answer.units, answer.location)
            rows["freight_failures"][(*at, answer.refusal.code, words)] += 1
    if formerly:
        _expect_what_stays(catalogue, {answer.product_id for answer in answers}, formerly, rows)
    return rows


def _expect_what_stays(
    catalogue: Catalogue, quoted: set[str], formerly: dict[str, Rows], rows: dict[str, Rows]
) -> None:
    members = {row[:2] for row in rows["feed_products"]}
    ended = [row for row in formerly["feed_products"] if row[:2] not in members]
    rows["feed_products"].update((*row[:-1], False) for row in ended)
    for table in COMPARED.keys() - {"feed_products"}:
        at = COMPARED[table].split(", ").index("product_id")
        known = quoted if table.startswith("freight") else catalogue.listed.keys()
        stays = [row for row in formerly[table] if row[at] not in known]
        rows[table].update((*row[:-1], False) if table == "products" else row for row in stays)


def expected_changes(table: str, formerly: dict[str, Rows], rows: dict[str, Rows]) -> Rows:
    """What a change log must say, (key…, old value, new value): every value that differs of a product known before."""
    at = {"price_tiers": (0, 1, 2), "inventory_levels": (0, 1, 2)}[table]
    value = {"price_tiers": 4, "inventory_levels": 3}[table]
    old = {tuple(row[i] for i in at): row[value] for row in formerly[table]}
    new = {tuple(row[i] for i in at): row[value] for row in rows[table]}
    known = {row[0] for row in formerly["products"]}
    moved = [key for key in old.keys() | new.keys() if old.get(key) != new.get(key) and key[2] in known]
    return Counter((*key, old.get(key), new.get(key)) for key in moved)


def _expect_product(product: Product, rows: dict[str, Rows]) -> None:
    key, trade = product.product_id, product.trade
    rows["products"][
        (
            key, product.title, product.status, product.category_id, product.category, product.supplier,
            product.company, product.currency, product.minimum,
            *((trade.minimum, trade.price, trade.unit, trade.handling_days) if trade else (None,) * 4),
            product.model, product.url, product.main_image,
            product.status == "PRODUCT_ONLINE",
        )
    ] += 1  # fmt: skip
    rows["product_descriptions"].update([(key, product.html)] if product.html else [])
    rows["product_images"].update((key, at, url) for at, url in enumerate(product.images))
    rows["delivery_periods"].update((key, upto, days) for upto, days in (trade.periods if trade else ()))
    for sku in product.variants:
        rows["skus"][sku.sku_id, key, sku.seller_sku_id, sku.status, sku.unit, sku.image] += 1
        rows["sku_attributes"].update(
            (sku.sku_id, at, key, said.name_id, said.value_id, said.name, said.value, said.image)
            for at, said in enumerate(sku.attributes)
        )
        rows["price_tiers"].update((sku.sku_id, tier.at, key, tier.to, tier.price, tier.currency) for tier in sku.tiers)
    for origin, levels in product.stock.items():
        rows["inventory_levels"].update((sku_id, origin, key, units, unit) for sku_id, units, unit in levels)


def expected_quotes(product: Product, destination: str, location: str | None = None, units: int = 0) -> Rows:
    """What carriers take for the fewest units that can be ordered, from the first place that ships them.

    `location` and `units` worked last time, and are tried first.
    """
    if product.status != "PRODUCT_ONLINE":
        return Counter()
    ladder = min((tier.at for variant in product.variants for tier in variant.tiers), default=None)
    known = sorted({n for n in (product.minimum or ladder, product.trade and product.trade.minimum) if n})
    least = max(product.units_at_least, units if units in known else 1)
    units = next((n for n in known if n >= least), 1)
    stocked = sorted(product.stock, key=lambda origin: origin != "CN")
    for place in dict.fromkeys([*([location] if location else []), *stocked, "CN", "US", "MX"]):
        refusal = freight_refusal(product, destination, place, units)
        if refusal is None:
            carriers = product.freight[destination, place]
            assert not isinstance(carriers, Refusal)
            return Counter(_quote(product, destination, units, place, carrier) for carrier in carriers)
        if refusal.code in FINAL:
            break
    return Counter()


def _quote(product: Product, destination: str, units: int, place: str, carrier: Carrier) -> tuple[Any, ...]:
    told = (carrier.code, carrier.name, carrier.kind, carrier.term, carrier.business, carrier.dispatch)
    takes = (*(carrier.days or (None, None)), fee(carrier, units), carrier.currency)
    return (product.product_id, destination, units, *told, place, *takes)


def last_quote(product_id: str, destination: str, formerly: dict[str, Rows] | None) -> tuple[str | None, int]:
    """The place and the units of the quote before."""
    for row in (formerly or {}).get("freight_quotes", ()):
        if row[:2] == (product_id, destination):
            return row[9], row[2]
    return None, 0


def stored_rows(database: Database) -> dict[str, Rows]:
    """The same columns as they stand in Postgres."""
    with database.begin() as connection:
        return {
            table: Counter(tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM catalog.{table}")))
            for table, columns in COMPARED.items()
        }


def whole_tables(database: Database) -> dict[str, Rows]:
    """Every published table of the catalogue in Postgres, each row whole, as (column, value) pairs."""
    with database.begin() as connection:
        names = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'catalog'")).scalars().all()
        return {
            name: Counter(
                tuple(row.items()) for row in connection.execute(text(f"SELECT * FROM catalog.{name}")).mappings()
            )
            for name in names
        }


def parquet_tables(lake: Path) -> dict[str, Rows]:
    """Every table of the newest snapshot, in the same form."""
    return {
        file.stem: Counter(tuple(row.items()) for row in pq.read_table(file).to_pylist())
        for file in (lake / "latest" / "catalog").glob("*.parquet")
    }
