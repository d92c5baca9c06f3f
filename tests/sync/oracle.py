"""What the tables must hold, worked out from what is true at the simulated Alibaba.com by code of its own."""

from decimal import Decimal
from typing import Any

from deployment import Deployment


def _money(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value)).quantize(Decimal("0.0001"))


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def truth(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Every product that is true now, by ID."""
    products: dict[str, dict[str, Any]] = {}
    while True:
        page = deployment.truth(f"catalogue?offset={len(products)}&limit=1000")["products"]
        products.update({product["product_id"]: product for product in page})
        if not page:
            return products


def expected_feeds(deployment: Deployment) -> dict[str, list[str]]:
    """The products of each feed, in its order."""
    keys = deployment.truth("feeds")
    return {key: deployment.truth(f"feed?key={key}")["product_ids"] for key in keys}


def expected_tables(products: dict[str, dict[str, Any]]) -> dict[str, set[tuple[Any, ...]]]:
    """The rows of each table that comes from descriptions and stock, without the times of observation."""
    rows: dict[str, set[tuple[Any, ...]]] = {name: set() for name in SELECTED}
    for product_id, true in products.items():
        told = true["description"]
        trade = told.get("wholesale_trade") or {}
        rows["products"].add(
            (
                product_id, told["title"], told["status"], told["category_id"], told["category"], told["supplier"],
                told["eCompanyId"], told["currency"], _whole(told.get("min_order_quantity")),
                _whole(trade.get("min_order_quantity")), _money(trade.get("price")), trade.get("unit_type"),
                _whole(trade.get("handling_time")), told.get("mode_id"), told.get("detail_url"), told.get("main_image"),
            )
        )  # fmt: skip
        rows["product_descriptions"].add((product_id, told["description"]))
        rows["product_images"] |= {(product_id, at, url) for at, url in enumerate(told["images"])}
        rows["delivery_periods"] |= {
            (product_id, int(period["quantity"]), int(period["process_period"]))
            for period in trade.get("deliver_periods", [])
        }
        for sku in told["skus"]:
            sku_id = sku["sku_id"]
            rows["skus"].add(
                (sku_id, product_id, sku.get("seller_sku_id"), sku.get("status"), sku.get("unit"), sku.get("image"))
            )
            rows["sku_attributes"] |= {
                (
                    sku_id, at, product_id, said.get("attr_name_id"), said.get("attr_value_id"),
                    said.get("attr_name_desc"), said.get("attr_value_desc"), said.get("attr_value_image"),
                )
                for at, said in enumerate(sku["sku_attr_list"])
            }  # fmt: skip
            rows["price_tiers"] |= {
                (
                    sku_id, int(tier["min_quantity"]), product_id,
                    None if int(tier.get("max_quantity", -1)) == -1 else int(tier["max_quantity"]),
                    _money(tier["price"]), tier["currency"],
                )
                for tier in sku["ladder_price"]
            }  # fmt: skip
        rows["inventory_levels"] |= {
            (
                level["sku_id"],
                origin["shipping_from"],
                product_id,
                int(level["inventory_count"]),
                level["inventory_unit"],
            )
            for origin in true["inventory"]
            for level in origin["inventory_list"]
        }  # fmt: skip
    return rows


SELECTED = {
    "products": (
        "product_id, title, status, category_id, category, supplier, e_company_id, currency, min_order_quantity, "
        "wholesale_min_order_quantity, wholesale_price, unit_type, handling_time_days, mode_id, detail_url, "
        "main_image_url"
    ),
    "product_descriptions": "product_id, html",
    "product_images": "product_id, position, url",
    "delivery_periods": "product_id, quantity, process_days",
    "skus": "sku_id, product_id, seller_sku_id, status, unit, image_url",
    "sku_attributes": "sku_id, position, product_id, attr_name_id, attr_value_id, name, value, value_image_url",
    "price_tiers": "sku_id, min_quantity, product_id, max_quantity, price, currency",
    "inventory_levels": "sku_id, shipping_from, product_id, quantity, unit",
}


def stored_tables(deployment: Deployment) -> dict[str, set[tuple[Any, ...]]]:
    """The same columns, as they stand in Postgres."""
    return {
        name: {tuple(row.values()) for row in deployment.rows(f"SELECT {columns} FROM catalog.{name}")}
        for name, columns in SELECTED.items()
    }


def stored_feeds(deployment: Deployment) -> dict[str, list[str]]:
    """The products listed now, by feed, in order of position."""
    feeds: dict[str, list[str]] = {}
    for row in deployment.rows(
        "SELECT feed, product_id FROM catalog.feed_products WHERE delisted_at IS NULL ORDER BY feed, position"
    ):
        feeds.setdefault(row["feed"], []).append(row["product_id"])
    return feeds
