"""The stock of a product, typed (guide §5). Descriptions are in `products.py`."""

from dataclasses import dataclass
from typing import NamedTuple

from dropship_pipeline.alibaba.values import (
    Nulled,
    Unreadable,
    absent,
    as_list,
    as_object,
    count,
    country,
    identifier,
    note,
    shown,
    text,
)


class Level(NamedTuple):
    """Units of a SKU in one country (guide §5). `quantity` None: it could not be read."""

    sku_id: str
    shipping_from: str
    product_id: str
    quantity: int | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Inventory:
    """The stock of a product; a SKU is in it once for each country that it ships from."""

    product_id: str
    levels: tuple[Level, ...]
    nulled: tuple[Nulled, ...]


def read_inventory(payload: object, product_id: str) -> Inventory:
    """The stock of a product from `result_data` (guide §5). An empty list is an answer: nothing is stocked anywhere.

    Raises Unreadable with code `not_a_list`, or `no_levels` where something is listed and none of it can be read: an
    answer that is not understood must never pass for "no stock".
    """
    if isinstance(payload, dict) and "inventory_list" in payload and "shipping_from" not in payload:
        payload = payload["inventory_list"]  # an item of a batch answer
    groups = as_list(payload)
    if absent(payload) or (groups and not any(isinstance(group, dict | list) for group in groups)):
        raise Unreadable("not_a_list", f"the stock of product {product_id} is {shown(payload)}")
    notes: list[Nulled] = []
    levels: dict[tuple[str, str], Level] = {}
    listed = 0
    for item in groups:
        group = as_object(item, "[]", notes)
        if group is None:
            listed += 1
            continue
        origin = country(group.get("shipping_from"), "shipping_from", notes)
        entries = as_list(group.get("inventory_list"))
        listed += max(1, len(entries)) if origin is None or absent(group.get("inventory_list")) else len(entries)
        if origin is None:
            note(notes, "[]", item)
            continue
        for entry in entries:
            level = _level(entry, origin, product_id, notes)
            if level is not None:
                levels[level.sku_id, origin] = level
    if listed and not levels:
        raise Unreadable("no_levels", f"the stock of product {product_id} lists {listed} levels and none can be read")
    return Inventory(product_id, tuple(levels.values()), tuple(notes))


def _level(entry: object, origin: str, product_id: str, notes: list[Nulled]) -> Level | None:
    raw = as_object(entry, "inventory_list[]", notes)
    if raw is None:
        return None
    sku_id = identifier(raw.get("sku_id"), "inventory_list[].sku_id", notes)
    owner = identifier(raw.get("product_id"), "inventory_list[].product_id", notes)
    if sku_id is None or (owner is not None and owner != product_id):
        note(notes, "inventory_list[]", entry)
        return None
    quantity = count(raw.get("inventory_count"), "inventory_list[].inventory_count", notes)
    return Level(
        sku_id, origin, product_id, quantity, text(raw.get("inventory_unit"), "inventory_list[].inventory_unit", notes)
    )
