"""Descriptions into rows: a product and everything that hangs on it (guide §4)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pyarrow as pa

from dropship_pipeline.alibaba.products import PriceTier, Product, Sku, SkuAttribute
from dropship_pipeline.catalog.columns import arrow_columns, arrow_table, transposed
from dropship_pipeline.tables import catalog as tables

# What the merge knows and a payload does not: see `storage.catalog.merge`
MERGED = frozenset({"first_seen_at", "changed_at", "delisted_at"})


class DescriptionRows:
    """The rows of a batch of descriptions. A product or a SKU that comes twice counts as it came last."""

    def __init__(self) -> None:
        self._products: dict[str, tuple[Product, datetime]] = {}

    def __len__(self) -> int:
        return len(self._products)

    def add(self, product: Product, described_at: datetime) -> None:
        """Take a product in; `described_at` is when it was answered (UTC)."""
        self._products.pop(product.product_id, None)
        self._products[product.product_id] = product, described_at

    def tables(self) -> dict[str, pa.Table]:
        """The rows by full table name, those of a product without what the merge adds (`MERGED`)."""
        products: list[tuple[Any, ...]] = []
        descriptions: list[tuple[Any, ...]] = []
        images: list[tuple[Any, ...]] = []
        periods: list[tuple[Any, ...]] = []
        skus: dict[str, tuple[str, Sku]] = {}
        for product_id, (product, described_at) in self._products.items():
            products.append(_product_row(product, described_at))
            if product.description is not None:
                descriptions.append((product_id, product.description))
            images.extend((product_id, position, url) for position, url in enumerate(product.images))
            periods.extend((product_id, *period) for period in product.delivery_periods)
            for sku in product.skus:
                skus[sku.sku_id] = product_id, sku
        return {
            tables.PRODUCTS.full_name: arrow_table(tables.PRODUCTS, products, MERGED),
            tables.PRODUCT_DESCRIPTIONS.full_name: arrow_table(tables.PRODUCT_DESCRIPTIONS, descriptions),
            tables.PRODUCT_IMAGES.full_name: arrow_table(tables.PRODUCT_IMAGES, images),
            tables.DELIVERY_PERIODS.full_name: arrow_table(tables.DELIVERY_PERIODS, periods),
            tables.SKUS.full_name: arrow_table(
                tables.SKUS,
                [(s.sku_id, owner, s.seller_sku_id, s.status, s.unit, s.image_url) for owner, s in skus.values()],
            ),
            tables.SKU_ATTRIBUTES.full_name: _attributes(skus.values()),
            tables.PRICE_TIERS.full_name: _tiers(skus.values()),
        }


def _attributes(skus: Iterable[tuple[str, Sku]]) -> pa.Table:
    # there are ten of these in a product: no row is made of them, they go into columns as they are
    owners: list[str] = []
    sku_ids: list[str] = []
    positions: list[int] = []
    attributes: list[SkuAttribute] = []
    for owner, sku in skus:
        several = len(sku.attributes)
        owners += [owner] * several
        sku_ids += [sku.sku_id] * several
        positions += range(several)
        attributes += sku.attributes
    return arrow_columns(tables.SKU_ATTRIBUTES, [sku_ids, positions, owners, *transposed(attributes, 5)])


def _tiers(skus: Iterable[tuple[str, Sku]]) -> pa.Table:
    owners: list[str] = []
    sku_ids: list[str] = []
    tiers: list[PriceTier] = []
    for owner, sku in skus:
        several = len(sku.tiers)
        owners += [owner] * several
        sku_ids += [sku.sku_id] * several
        tiers += sku.tiers
    least, most, price, currency = transposed(tiers, 4)
    return arrow_columns(tables.PRICE_TIERS, [sku_ids, least, owners, most, price, currency])


def _product_row(product: Product, described_at: datetime) -> tuple[Any, ...]:
    return (
        product.product_id,
        product.title,
        product.status,
        product.category_id,
        product.category,
        product.supplier,
        product.e_company_id,
        product.currency,
        product.min_order_quantity,
        product.wholesale_min_order_quantity,
        product.wholesale_price,
        product.unit_type,
        product.handling_time_days,
        product.mode_id,
        product.detail_url,
        product.main_image_url,
        described_at,
    )
