"""The catalogue's answers, typed: listings and descriptions here, stock, freight and batches in the modules beside it.

`inventory.py`, `freight.py` and `batches.py` are reached through this one. These four alone know the field names.

Each reader takes what `protocol.unwrap` gives, the envelope removed, and is tolerant: a bad field is None and noted in
`nulled`, a bad child (a SKU without an ID, a tier without a quantity) is left out and noted, and only what is no record
at all is `Unreadable`. How one value is read is in `values.py`; what becomes of the records is in `catalog/`.

The small records are named tuples: there are tens in each product, they are made in a third of the time of a frozen
dataclass, and a column of them is one `zip`.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from dropship_pipeline.alibaba.batches import BatchAnswer, pictures, read_batch
from dropship_pipeline.alibaba.freight import FreightOption, read_freight_options
from dropship_pipeline.alibaba.inventory import Inventory, Level, read_inventory
from dropship_pipeline.alibaba.values import (
    MAX_INTEGER,
    Nulled,
    Unreadable,
    absent,
    as_list,
    as_object,
    count,
    currency_code,
    identifier,
    integer,
    note,
    price,
    shown,
    text,
)

__all__ = [
    "BatchAnswer",
    "DeliveryPeriod",
    "FreightOption",
    "Inventory",
    "Level",
    "PriceTier",
    "Product",
    "ProductPage",
    "Sku",
    "SkuAttribute",
    "read_batch",
    "read_freight_options",
    "read_inventory",
    "read_product",
    "read_product_page",
]


@dataclass(frozen=True, slots=True)
class ProductPage:
    """One page of a listing, in its order (guide §3). `total` is None where the endpoint gives none, or no number.

    `unreadable` entries were listed but are no product ID; `nulled` shows them.
    """

    product_ids: list[str]
    total: int | None
    unreadable: int = 0
    nulled: tuple[Nulled, ...] = ()


class DeliveryPeriod(NamedTuple):
    """Up to `quantity` units are ready to ship in `process_days` (guide §4 deliver_periods)."""

    quantity: int
    process_days: int | None


class SkuAttribute(NamedTuple):
    """What tells a SKU from its sisters (guide §4 sku_attr_list). In the order of catalog.sku_attributes."""

    attr_name_id: str | None
    attr_value_id: str | None
    name: str | None
    value: str | None
    value_image_url: str | None


class PriceTier(NamedTuple):
    """The unit price from `min_quantity` units on (guide §4 ladder_price). `max_quantity` None: no upper bound."""

    min_quantity: int
    max_quantity: int | None
    price: Decimal | None
    currency: str | None


class Sku(NamedTuple):
    """A variant that can be ordered (guide §4 skus)."""

    sku_id: str
    seller_sku_id: str | None
    status: str | None
    unit: str | None
    image_url: str | None
    attributes: tuple[SkuAttribute, ...]
    tiers: tuple[PriceTier, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A product as described (guide §4). Amounts are in `currency`; no SKU, tier or period is in it twice."""

    product_id: str
    title: str | None
    status: str | None
    category_id: str | None
    category: str | None
    supplier: str | None
    e_company_id: str | None
    currency: str | None
    min_order_quantity: int | None
    wholesale_min_order_quantity: int | None
    wholesale_price: Decimal | None
    unit_type: str | None
    handling_time_days: int | None
    mode_id: str | None
    detail_url: str | None
    main_image_url: str | None
    description: str | None
    images: tuple[str, ...]
    delivery_periods: tuple[DeliveryPeriod, ...]
    skus: tuple[Sku, ...]
    nulled: tuple[Nulled, ...]


def read_product_page(result: object) -> ProductPage:
    """A page of a listing from its `result` object (guide §3, §3a–c). Null for the list is an empty page.

    Raises Unreadable if `result` is no object, or holds entries of which not one is a product ID.
    """
    notes: list[Nulled] = []
    page = as_object(result, "result", notes)
    if page is None:
        raise Unreadable("not_an_object", f"a listing's result is {shown(result)}")
    entries = as_list(page.get("result_data"))
    product_ids = []
    for entry in entries:
        given = entry.get("product_id") if isinstance(entry, dict) else entry
        product_id = str(given) if type(given) is int and given > 0 else identifier(given, "result_data[]", notes)
        if product_id is not None:
            product_ids.append(product_id)
        elif absent(given):
            note(notes, "result_data[]", entry)
    if entries and not product_ids:
        raise Unreadable("no_product_ids", f"result_data holds {len(entries)} entries and no product ID")
    total = count(page.get("result_total"), "result_total", notes)
    return ProductPage(product_ids, total, len(entries) - len(product_ids), tuple(notes))


def read_product(payload: object, product_id: str) -> Product:
    """A product from `result_data` of its description (guide §4), or from an item of a batch answer.

    Raises Unreadable with code `not_an_object`, `no_product_id` or `other_product`.
    """
    notes: list[Nulled] = []
    raw = as_object(payload, "result_data", notes)
    if raw is None:
        raise Unreadable("not_an_object", f"the description of product {product_id} is {shown(payload)}")
    _expect_product(raw, product_id, notes)
    get = raw.get
    trade = as_object(get("wholesale_trade"), "wholesale_trade", notes) or {}
    currency = currency_code(get("currency"), "currency", notes)
    return Product(
        product_id=product_id,
        title=text(get("title"), "title", notes),
        status=text(get("status"), "status", notes),
        category_id=text(get("category_id"), "category_id", notes),
        category=text(get("category"), "category", notes),
        supplier=text(get("supplier"), "supplier", notes),
        e_company_id=text(get("eCompanyId"), "eCompanyId", notes),
        currency=currency,
        min_order_quantity=count(get("min_order_quantity"), "min_order_quantity", notes),
        wholesale_min_order_quantity=count(
            trade.get("min_order_quantity"), "wholesale_trade.min_order_quantity", notes
        ),
        wholesale_price=price(trade.get("price"), "wholesale_trade.price", notes),
        unit_type=text(trade.get("unit_type"), "wholesale_trade.unit_type", notes),
        handling_time_days=count(trade.get("handling_time"), "wholesale_trade.handling_time", notes, MAX_INTEGER),
        mode_id=text(get("mode_id"), "mode_id", notes),
        detail_url=text(get("detail_url"), "detail_url", notes),
        main_image_url=text(get("main_image"), "main_image", notes),
        description=text(get("description"), "description", notes),
        images=_images(get("images"), notes),
        delivery_periods=_delivery_periods(trade.get("deliver_periods"), notes),
        skus=_skus(get("skus"), currency, notes),
        nulled=tuple(notes),
    )


def _expect_product(raw: dict[str, object], product_id: str, notes: list[Nulled]) -> None:
    given = raw.get("product_id", raw.get("productId"))
    if given == product_id:
        return
    found = identifier(given, "product_id", notes)
    if found is None:
        raise Unreadable("no_product_id", f"the answer for product {product_id} names {shown(given)} as its product ID")
    if found != product_id:
        raise Unreadable("other_product", f"the answer for product {product_id} describes product {found}")


def _images(value: object, notes: list[Nulled]) -> tuple[str, ...]:
    if type(value) is str and "," in value and value[:1] != "[":  # batch samples give one string
        value = pictures(value)
    urls = [text(url, "images[]", notes) for url in as_list(value)]
    return tuple([url for url in urls if url is not None])


def _delivery_periods(value: object, notes: list[Nulled]) -> tuple[DeliveryPeriod, ...]:
    periods = {}
    for item in as_list(value):
        raw = as_object(item, "deliver_periods[]", notes)
        if raw is None:
            continue
        quantity = count(raw.get("quantity"), "deliver_periods[].quantity", notes)
        if quantity is None:
            note(notes, "deliver_periods[]", item)
            continue
        days = count(raw.get("process_period"), "deliver_periods[].process_period", notes, MAX_INTEGER)
        periods[quantity] = DeliveryPeriod(quantity, days)
    return tuple(periods.values())


def _skus(value: object, currency: str | None, notes: list[Nulled]) -> tuple[Sku, ...]:
    skus = {}
    for item in as_list(value):
        raw = as_object(item, "skus[]", notes)
        if raw is None:
            continue
        get = raw.get
        sku_id = identifier(get("sku_id"), "skus[].sku_id", notes)
        if sku_id is None:
            note(notes, "skus[]", item)
            continue
        skus[sku_id] = Sku(
            sku_id,
            text(get("seller_sku_id"), "skus[].seller_sku_id", notes),
            text(get("status"), "skus[].status", notes),
            text(get("unit"), "skus[].unit", notes),
            text(get("image"), "skus[].image", notes),
            _attributes(get("sku_attr_list"), notes),
            _tiers(get("ladder_price"), currency, notes),
        )
    return tuple(skus.values())


def _attributes(value: object, notes: list[Nulled]) -> tuple[SkuAttribute, ...]:
    attributes = []
    for item in as_list(value):
        raw = as_object(item, "skus[].sku_attr_list[]", notes)
        if raw is None:
            continue
        get = raw.get
        attributes.append(
            SkuAttribute(
                text(get("attr_name_id"), "skus[].sku_attr_list[].attr_name_id", notes),
                text(get("attr_value_id"), "skus[].sku_attr_list[].attr_value_id", notes),
                text(get("attr_name_desc"), "skus[].sku_attr_list[].attr_name_desc", notes),
                text(get("attr_value_desc"), "skus[].sku_attr_list[].attr_value_desc", notes),
                text(get("attr_value_image"), "skus[].sku_attr_list[].attr_value_image", notes),
            )
        )
    return tuple(attributes)


def _tiers(value: object, currency: str | None, notes: list[Nulled]) -> tuple[PriceTier, ...]:
    tiers = {}
    for item in as_list(value):
        raw = as_object(item, "skus[].ladder_price[]", notes)
        if raw is None:
            continue
        get = raw.get
        values = get("min_quantity"), get("max_quantity"), get("price"), get("currency"), currency
        try:
            tier = _plain_tier(*values)
        except TypeError:  # a list or an object where a text should be: it cannot be looked up
            tier = None
        if tier is None:
            tier = _tier(*values, notes)
        if tier is None:
            note(notes, "skus[].ladder_price[]", item)
            continue
        tiers[tier.min_quantity] = tier
    return tuple(tiers.values())


def _tier(
    least: object, most: object, amount: object, given: object, currency: str | None, notes: list[Nulled]
) -> PriceTier | None:
    """A tier from its fields, in the product's `currency` if it names none; None without a quantity to begin at."""
    begins = count(least, "skus[].ladder_price[].min_quantity", notes)
    if begins is None:
        return None
    ends = integer(most, "skus[].ladder_price[].max_quantity", notes)
    if ends is not None and ends < 0:  # -1: no upper bound (live facts: Answers)
        if ends != -1:
            note(notes, "skus[].ladder_price[].max_quantity", ends)
        ends = None
    return PriceTier(
        begins,
        ends,
        price(amount, "skus[].ladder_price[].price", notes),
        currency_code(given, "skus[].ladder_price[].currency", notes) or currency,
    )


# The SKUs of a product mostly share one ladder: reading a tier again costs a look-up. `typed`: 1 is not true.
@lru_cache(maxsize=1 << 12, typed=True)
def _plain_tier(least: object, most: object, amount: object, given: object, currency: str | None) -> PriceTier | None:
    """The tier of which nothing has to be noted; None for every other."""
    notes: list[Nulled] = []
    tier = _tier(least, most, amount, given, currency, notes)
    return None if notes else tier
