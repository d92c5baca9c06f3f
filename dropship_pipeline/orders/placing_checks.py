"""What must be true of an order before anything is sent, from what its products are and what is in stock just now.

Every fault at once, each with its remedy; the codes with which Alibaba.com would refuse stand beside the rules (guide:
Common Error Codes, Known Limitations). Whether freight takes it is asked of Alibaba.com itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dropship_pipeline.alibaba.freight import FreightOption
from dropship_pipeline.alibaba.inventory import Inventory
from dropship_pipeline.alibaba.order_requests import OrderItem
from dropship_pipeline.alibaba.products import PriceTier, Product, Sku
from dropship_pipeline.catalog.dispatch import LOCATIONS
from dropship_pipeline.orders.placing import CHEAPEST, FASTEST, Fault, OrderAsked, Quote

LEAST_TOTAL, LARGEST_TOTAL = Decimal("0.30"), Decimal(5000)  # US dollars, freight included (430013, 480006)
LIMITS_CURRENCY = "USD"

WITH_EPR = frozenset({"DE", "FR"})
"""Where the seller needs an EPR number, which nothing tells before the order is placed (400007)."""

_ONLINE = "PRODUCT_ONLINE"
_ENDLESS = 10_000  # days: of a carrier that names none


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as it is just now; `refused`: why Alibaba.com does not tell, in its words. `stock` None: not told."""

    product: Product | None
    stock: Inventory | None
    refused: str = ""


Offers = Mapping[str, Offer]
"""By product ID."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """Shipping options from one dispatch location."""

    dispatch_location: str
    options: Sequence[FreightOption]


def minimum(product: Product) -> int:
    """The fewest units of a variant that can be ordered: those of the ready-to-ship trade, where there is one."""
    return product.wholesale_min_order_quantity or product.min_order_quantity or 1


def find_faults(asked: OrderAsked, offers: Offers) -> list[Fault]:
    """Everything that is wrong with the products, variants and quantities of an order."""
    faults = [fault for item in asked.items for fault in _faults_of(item, offers[item.product_id])]
    products = [offer.product for offer in offers.values() if offer.product is not None]
    if len({product.e_company_id for product in products}) > 1:
        faults.append(Fault("The products are of several suppliers", "Place one order for each supplier"))
    if not faults and len({price.currency for price in _prices(asked, offers)}) > 1:
        faults.append(Fault("The products are priced in several currencies", "Place one order for each currency"))
    if not faults and not dispatch_locations(asked, offers):
        faults += _out_of_stock(asked, offers)
    return faults


def _faults_of(item: OrderItem, offer: Offer) -> list[Fault]:
    product, of = offer.product, f"Product {item.product_id}"
    if product is None:
        return [Fault(f"{of} cannot be ordered: {offer.refused}", "Choose another product")]
    faults = []
    if product.status != _ONLINE:  # 130106
        faults.append(Fault(f"{of} is not on offer: {product.status}", "Choose another product"))
    if product.e_company_id is None:
        faults.append(Fault(f"{of} names no supplier, without whom freight cannot be calculated", "Try again later"))
    if item.quantity < minimum(product):  # 410006, 10007
        faults.append(
            Fault(
                f"{item.quantity:,} of SKU {item.sku_id} are fewer than can be ordered",
                f"Order at least {minimum(product):,}",
            )
        )
    sku = _sku(product, item.sku_id)
    if sku is None:  # 10005
        known = ", ".join(sku.sku_id for sku in product.skus[:5])
        faults.append(Fault(f"{of} has no SKU {item.sku_id}", f"It has {known}" if known else "Choose another product"))
    elif _price(product, sku, item.quantity) is None:
        faults.append(
            Fault(f"SKU {item.sku_id} has no price for {item.quantity:,} units", "Order another quantity or SKU")
        )
    if offer.stock is None:
        faults.append(Fault(f"The stock of product {item.product_id} is not told: {offer.refused}", "Try again later"))
    return faults


def dispatch_locations(asked: OrderAsked, offers: Offers) -> tuple[str, ...]:
    """From where the whole order can ship: the places where every line is in stock, CN first; or the one asked for."""
    wanted = (asked.dispatch_location,) if asked.dispatch_location else LOCATIONS
    return tuple(
        location
        for location in wanted
        if all(_available(item, offers).get(location, 0) >= item.quantity for item in asked.items)
    )


def _available(item: OrderItem, offers: Offers) -> dict[str, int]:
    """Units in stock by dispatch location; a count that could not be read is none."""
    stock = offers[item.product_id].stock
    levels = stock.levels if stock is not None else ()
    return {level.shipping_from: level.quantity or 0 for level in levels if level.sku_id == item.sku_id}


def _out_of_stock(asked: OrderAsked, offers: Offers) -> list[Fault]:
    """Which lines are not in stock (130703, 140004); or that no single place has them all (10012)."""
    faults = []
    for item in asked.items:
        available = _available(item, offers)
        wanted = [asked.dispatch_location] if asked.dispatch_location else list(LOCATIONS)
        if all(available.get(location, 0) < item.quantity for location in wanted):
            there = ", ".join(f"{location} {units:,}" for location, units in sorted(available.items())) or "none"
            faults.append(
                Fault(
                    f"SKU {item.sku_id} is not in stock: {item.quantity:,} wanted"
                    + (f" from {asked.dispatch_location}" if asked.dispatch_location else "")
                    + f", there are: {there}",
                    "Reduce the quantity, or choose another SKU or dispatch location",
                )
            )
    return faults or [Fault("No single place has all lines in stock", "Place an order for each dispatch location")]


def product_total(asked: OrderAsked, offers: Offers) -> tuple[Decimal, str]:
    """What the products come to, and its currency; for an order without faults."""
    prices = _prices(asked, offers)
    total = sum((price.price or Decimal(0)) * i.quantity for price, i in zip(prices, asked.items, strict=True))
    return Decimal(total), str(prices[0].currency)


def _prices(asked: OrderAsked, offers: Offers) -> list[PriceTier]:
    found = []
    for item in asked.items:
        product = offers[item.product_id].product
        sku = product and _sku(product, item.sku_id)
        tier = product and sku and _price(product, sku, item.quantity)
        found += [tier] if tier else []
    return found


def _sku(product: Product, sku_id: str) -> Sku | None:
    return next((sku for sku in product.skus if sku.sku_id == sku_id), None)


def _price(product: Product, sku: Sku, quantity: int) -> PriceTier | None:
    """The step of the ladder that the quantity reaches; below the first one, the ready-to-ship price (guide §4)."""
    reached = [tier for tier in sku.tiers if tier.min_quantity <= quantity]
    best = max(reached, key=lambda tier: tier.min_quantity, default=None)
    if best is None and product.wholesale_price is not None:
        best = PriceTier(minimum(product), None, product.wholesale_price, product.currency)
    return best if best is not None and best.price is not None and best.currency else None


def choose(
    asked: OrderAsked, offered: Iterable[Dispatched], total: tuple[Decimal, str], now: datetime
) -> Quote | list[Fault]:
    """The option that the order asks for, as a quote; or why there is none. `now` is UTC."""
    found = [
        Quote(
            dispatched.dispatch_location, option.vendor_code, option.vendor_name, option.fee, option.currency,
            option.delivery_days_min, option.delivery_days_max, *total, now,
        )
        for dispatched in offered
        for option in dispatched.options
        if option.fee is not None and option.currency is not None
    ]  # fmt: skip
    if not found:
        return [Fault("No carrier offers to ship the order", "Choose another product, country or dispatch location")]
    if asked.carrier not in (CHEAPEST, FASTEST):
        named = [quote for quote in found if quote.carrier_code == asked.carrier]
        if not named:  # 4028, 130602
            codes = ", ".join(sorted({quote.carrier_code for quote in found}))
            return [Fault(f"Carrier {asked.carrier[:60]} does not offer to ship the order", f"Choose among {codes}")]
        found = named
    chosen = min(found, key=_speed if asked.carrier == FASTEST else _cost)
    return _beyond_limits(chosen) or chosen


def _cost(quote: Quote) -> tuple[Decimal, int, int]:
    return quote.fee, *_speed(quote)[:2]


def _speed(quote: Quote) -> tuple[int, int, Decimal]:
    longest = _ENDLESS if quote.delivery_days_max is None else quote.delivery_days_max
    return longest, _ENDLESS if quote.delivery_days_min is None else quote.delivery_days_min, quote.fee


def _beyond_limits(quote: Quote) -> list[Fault]:
    if quote.total is None or quote.currency != LIMITS_CURRENCY:
        return []  # see `remarks`: Alibaba.com converts at a rate of its own
    if quote.total < LEAST_TOTAL:
        return [Fault(f"The order comes to {quote.total:,.2f} USD, under the least of $0.30", "Order more units")]
    if quote.total > LARGEST_TOTAL:
        return [Fault(f"The order comes to {quote.total:,.2f} USD, over the limit of $5,000", "Split the order")]
    return []


def remarks(asked: OrderAsked, quote: Quote) -> list[str]:
    """What cannot be known before the order is placed, for a person to know that."""
    found = []
    if asked.recipient.country_code in WITH_EPR:
        found.append(
            f"Orders to {asked.recipient.country_code} need a seller with an EPR number; Alibaba.com refuses others "
            "(400007), and tells only then"
        )
    if quote.total is None or quote.currency != LIMITS_CURRENCY:
        found.append(
            f"Prices are in {quote.currency}, freight in {quote.fee_currency}: the limits of $0.30 and $5,000 are "
            "checked by Alibaba.com, at its own rate"
        )
    return found
