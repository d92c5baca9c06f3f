"""Quoting an order that is to be placed: its products and stock read afresh, its freight calculated (guide §4, §5, §7).

Only reads. What must be true of the order is in `orders.placing_checks`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from dropship_pipeline.alibaba.errors import Refused
from dropship_pipeline.alibaba.order_requests import CalculateOrderFreight
from dropship_pipeline.alibaba.products import Product
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.orders.placing import Fault, OrderAsked, OrderFaults, Quote
from dropship_pipeline.orders.placing_checks import (
    Dispatched,
    Offer,
    choose,
    dispatch_locations,
    find_faults,
    product_total,
    remarks,
)
from dropship_pipeline.sync.session import Desk


@dataclass(frozen=True, slots=True)
class Quoted:
    """What an order costs: the option that was asked for, all that were offered, and what cannot be known before."""

    quote: Quote
    offered: tuple[Dispatched, ...]
    remarks: tuple[str, ...]


def quote_order(desk: Desk, asked: OrderAsked) -> Quoted:
    """Look whether the order can be placed, and at what it would be.

    Raises `OrderFaults` with all that is wrong, and what makes every call fail.
    """
    offers = {product_id: _offer(desk, product_id, asked) for product_id in dict.fromkeys(_product_ids(asked))}
    faults = find_faults(asked, offers)
    if faults:
        raise OrderFaults(faults)
    product = offers[asked.items[0].product_id].product
    assert product is not None  # noqa: S101 - for the type checker: else there was a fault
    offered, refused = _calculate(desk, asked, product, dispatch_locations(asked, offers))
    if refused and not any(dispatched.options for dispatched in offered):
        raise OrderFaults([Fault(refused[-1].what, refused[-1].remedy)])
    chosen = choose(asked, offered, product_total(asked, offers), datetime.now(UTC))
    if not isinstance(chosen, Quote):
        raise OrderFaults(chosen)
    return Quoted(chosen, tuple(offered), tuple(remarks(asked, chosen)))


def _product_ids(asked: OrderAsked) -> list[str]:
    return [item.product_id for item in asked.items]


def _offer(desk: Desk, product_id: str, asked: OrderAsked) -> Offer:
    product = None
    try:
        product = desk.client.describe_product(product_id, asked.recipient.country_code)
        return Offer(product, desk.client.read_inventory(product_id))
    except Refused as refused:
        return Offer(product, None, refused.what)
    except Unreadable as why:
        return Offer(product, None, str(why))


def _calculate(
    desk: Desk, asked: OrderAsked, product: Product, locations: tuple[str, ...]
) -> tuple[list[Dispatched], list[Refused]]:
    """What each dispatch location offers; a refusal of one says nothing of the next."""
    offered, refused = [], []
    for location in locations:
        request = CalculateOrderFreight(
            e_company_id=str(product.e_company_id),
            destination_country=asked.recipient.country_code,
            items=asked.items,
            address=asked.recipient,
            dispatch_location=location,
            enable_distribution_waybill=asked.enable_distribution_waybill,
        )
        try:
            offered.append(Dispatched(location, desk.client.calculate_order_freight(request)))
        except Refused as refusal:
            refused.append(refusal)
        except Unreadable as why:
            raise OrderFaults([Fault(f"The freight from {location} cannot be read: {why}", "Try again later")]) from why
    return offered, refused
