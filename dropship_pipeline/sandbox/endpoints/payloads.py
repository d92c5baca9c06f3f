"""Products as the API tells them (guide §4, §5; live facts: Answers): every value a text.

`live` adds the fields that the live gateway has and the guide lacks. Nothing here decides what is true of a
product.
"""

from collections.abc import Sequence
from typing import Any

from dropship_pipeline.sandbox.world.pricing import scaled_cents, text_of_cents
from dropship_pipeline.sandbox.world.products import ONLINE, Design, Product, Variant, Wholesale
from dropship_pipeline.sandbox.world.stock import level

Json = dict[str, Any]
_COST_SHARE_OF_SHIPPING = 30  # percent of the unit price, where a country to ship to is named


def description_of(product: Product, *, live: bool, ship_to: str) -> Json:
    """The `result_data` of a description."""
    design = product.design
    told: Json = {
        "product_id": design.product_id,
        "title": design.title,
        "description": design.html or _html(design),
        "detail_url": f"https://www.alibaba.com/product-detail/{design.product_id}.html",
        "main_image": design.main_image,
        "images": list(design.images),
        "category_id": design.category.category_id,
        "category": design.category.name,
        "supplier": design.seller.name,
        "eCompanyId": design.seller.e_company_id,
        "currency": design.currency,
        "min_order_quantity": str(design.min_order_quantity),
        "status": product.status,
        "mode_id": design.mode_id,
    }
    if design.wholesale:
        told["wholesale_trade"] = _wholesale(design, design.wholesale, product.price_factor, live=live)
    told["skus"] = _skus(product, ship_to if live else "")
    if live:
        told["video_url"] = f"https://play.video.alibaba.com/global/play/{design.product_id}.mp4"
    return told


def batch_description_of(product: Product, *, live: bool, ship_to: str) -> Json:
    """An item of a batch of descriptions: there `wholesale_trade` is a list and `images` a text (live facts)."""
    told = description_of(product, live=live, ship_to=ship_to)
    told["images"] = ",".join(told["images"])
    told["wholesale_trade"] = [told["wholesale_trade"]] if "wholesale_trade" in told else []
    return told


def inventory_of(product: Product, shipping_from: str = "", sku_id: str = "") -> list[Json]:
    """The `result_data` of an inventory: a group for each place, of all SKUs or the one that is asked for."""
    design, days, online = product.design, product.days, product.status == ONLINE
    variants = [variant for variant in design.variants if not sku_id or variant.sku_id == sku_id]
    if not variants:
        return []
    return [
        {
            "shipping_from": origin,
            "inventory_list": [
                {
                    "product_id": design.product_id,
                    "sku_id": variant.sku_id,
                    "inventory_count": str(level(variant.stock[place], days) if online else 0),
                    "inventory_unit": design.unit,
                }
                for variant in variants
            ],
        }
        for place, origin in enumerate(design.origins)
        if not shipping_from or origin == shipping_from
    ]


def key_attributes_of(product: Product) -> list[tuple[str, list[tuple[int, str, list[str]]]]]:
    """Groups of attributes: (kind of group, [(attribute id, name, values)])."""
    design = product.design
    axes: dict[tuple[int, str], list[str]] = {}
    for variant in design.variants:
        for attribute in variant.attributes:
            values = axes.setdefault((attribute.name_id, attribute.name), [])
            if attribute.value not in values:
                values.append(attribute.value)
    return [
        (
            "Industry-specific attributes",
            [(10, "Material", [design.material]), (191284141, "Feature", [design.feature])],
        ),
        (
            "Other attributes",
            [
                (1, "Place of Origin", ["China"]),
                (3, "Model Number", [design.mode_id]),
                *((name_id, name, values) for (name_id, name), values in axes.items()),
            ],
        ),
    ]


def _wholesale(design: Design, terms: Wholesale, factor: float, *, live: bool) -> Json:
    told: Json = {
        "min_order_quantity": str(terms.min_order_quantity),
        "unit_type": design.unit,
        "handling_time": str(terms.handling_days),
        "price": text_of_cents(scaled_cents(terms.cents, 1000, factor)),
        "deliver_periods": [
            {"quantity": str(quantity), "process_period": str(days)} for quantity, days in terms.deliver_periods
        ],
    }
    if live:
        told["sale_type"] = "normal"
        told["weight"] = f"{design.grams / 1000:.3f}"
        told["shipping_line_template_id"] = design.product_id[-6:]
    return told


def _skus(product: Product, ship_to: str) -> list[Json]:
    design, factor = product.design, product.price_factor
    steps = [(str(tier.min_quantity), str(tier.max_quantity), tier.permille) for tier in design.tiers]
    told = []
    for variant in design.variants:
        sku: Json = {
            "sku_id": variant.sku_id,
            "product_id": design.product_id,
            "seller_sku_id": variant.seller_sku_id,
            "status": "NORMAL",
            "unit": design.unit,
            "image": variant.image,
            "sku_attr_list": [
                {
                    "attr_name_id": str(attribute.name_id),
                    "attr_name_desc": attribute.name,
                    "attr_value_id": str(attribute.value_id),
                    "attr_value_desc": attribute.value,
                    "attr_value_image": attribute.image,
                }
                for attribute in variant.attributes
            ],
            "ladder_price": [
                {
                    "min_quantity": least,
                    "max_quantity": most,
                    "price": text_of_cents(scaled_cents(variant.cents, permille, factor)),
                    "currency": design.currency,
                }
                for least, most, permille in steps
            ],
        }
        if ship_to:
            sku.update(_costs(design, variant, factor))
        told.append(sku)
    return told


def _costs(design: Design, variant: Variant, factor: float) -> dict[str, str]:
    """The extra SKU cost fields that a country to ship to brings."""
    cents = scaled_cents(variant.cents, 1000, factor)
    shipping = cents * _COST_SHARE_OF_SHIPPING // 100
    return {
        "cost_origin_price": text_of_cents(cents),
        "cost_discount_price": text_of_cents(cents),
        "shipping_fee": text_of_cents(shipping),
        "total_origin_cost_price": text_of_cents(cents + shipping),
        "total_discount_cost_price": text_of_cents(cents + shipping),
        "cost_price_currency": design.currency,
    }


_ABOUT_US = (
    "We accept small orders, custom packaging and logo printing; samples are ready in three days. Every piece is "
    "inspected before shipment.</p><h3>FAQ</h3><p><b>Q: Are you a manufacturer?</b><br>A: Yes, welcome to visit us.</p>"
    "<p><b>Q: How about after-sales service?</b><br>A: Please contact us within 30 days, we will make it good.</p>"
    "</div></html>"
)


def _html(design: Design) -> str:
    """A supplier's idea of a product page."""
    subject = design.category.name
    pictures = "".join([f'<p><img src="{image}" alt="{subject}" width="750"></p>' for image in design.images])
    options = "".join([f"<li>{_option_text(variant)}</li>" for variant in design.variants])
    return (
        f'<html><div class="detail"><h2>{design.title}</h2>'
        f"<table><tr><td>Material</td><td>{design.material}</td></tr><tr><td>Model</td><td>{design.mode_id}</td></tr>"
        f"<tr><td>Weight</td><td>{design.grams} g</td></tr><tr><td>Ships from</td><td>{' / '.join(design.origins)}</td>"
        f"</tr></table><ul>{options}</ul>{pictures}<h3>About us</h3><p>{design.seller.name} is a factory with more "
        f"than ten years of experience in {subject.lower()}. {_ABOUT_US}"
    )


def _option_text(variant: Variant) -> str:
    return ", ".join(f"{attribute.name}: {attribute.value}" for attribute in variant.attributes)


def attribute_groups(product: Product, *, batch: bool) -> Sequence[Json]:
    """Key attributes as a single read tells them, or, richer, as a batch does."""
    groups = []
    for kind, attributes in key_attributes_of(product):
        if batch:
            told: list[Json] = [
                {
                    "id": str(name_id),
                    "name": name,
                    "values": [
                        {"id": str(name_id + place), "name": value, "verified": "null"}
                        for place, value in enumerate(values)
                    ],
                }
                for name_id, name, values in attributes
            ]
        else:
            told = [{"name": name, "values": [{"value": value} for value in values]} for _, name, values in attributes]
        groups.append({"type": kind, "attributes": told})
    return groups
