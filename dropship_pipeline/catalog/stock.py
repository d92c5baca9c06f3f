"""Stock into rows (guide §5)."""

from datetime import datetime

import pyarrow as pa

from dropship_pipeline.alibaba.products import Inventory, Level
from dropship_pipeline.catalog.columns import arrow_table
from dropship_pipeline.tables import catalog as tables


class StockRows:
    """The rows of a batch of stock readings. A product or a level that comes twice counts as it came last."""

    def __init__(self) -> None:
        self._products: dict[str, tuple[Inventory, datetime]] = {}

    def __len__(self) -> int:
        return len(self._products)

    def add(self, inventory: Inventory, checked_at: datetime) -> None:
        """Take a product's stock in; `checked_at` is when it was answered (UTC)."""
        self._products.pop(inventory.product_id, None)
        self._products[inventory.product_id] = inventory, checked_at

    def tables(self) -> dict[str, pa.Table]:
        """The rows by full table name."""
        levels: dict[tuple[str, str], tuple[Level, datetime]] = {}
        for inventory, checked_at in self._products.values():
            for level in inventory.levels:
                levels[level.sku_id, level.shipping_from] = level, checked_at
        return {
            tables.INVENTORY_LEVELS.full_name: arrow_table(
                tables.INVENTORY_LEVELS, [(*level, checked_at) for level, checked_at in levels.values()]
            )
        }
