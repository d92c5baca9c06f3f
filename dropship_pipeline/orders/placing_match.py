"""Whether an order at Alibaba.com is the one that was asked for here, from its contents: its lines and its recipient.

The list of orders tells no reference, and the details need not (live facts: Requests). An order whose answer was lost
is found again by what is in it; what cannot be told is said to be so, and never guessed.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum

from dropship_pipeline.alibaba.order_requests import Address
from dropship_pipeline.alibaba.orders import Order, Recipient
from dropship_pipeline.orders.placing import OrderAsked, plain

CLOCKS_APART = timedelta(hours=2)
"""By how much the clock that signed may differ from the gateway's, which refuses signatures of others (live facts:
Signing). An order may so seem to be older than its request."""


class Match(Enum):
    """What an order is to a request."""

    SAME = "same"
    OTHER = "other"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order of the account that may be the one. `reference`: the merchant's own, where Alibaba.com tells it."""

    order: Order
    reference: str | None = None


def match(asked: OrderAsked, candidate: Candidate) -> Match:
    """Whether an order that did not exist before is the one that was asked for."""
    if candidate.reference is not None:
        return Match.SAME if candidate.reference == asked.reference else Match.OTHER
    order = candidate.order
    return min(_lines(asked, order), _recipient(asked.recipient, order.recipient), key=_CERTAINTY.__getitem__)


_CERTAINTY = {Match.OTHER: 0, Match.UNSURE: 1, Match.SAME: 2}


def _lines(asked: OrderAsked, order: Order) -> Match:
    wanted: Counter[tuple[str, str]] = Counter()
    for item in asked.items:
        wanted[item.product_id, item.sku_id] += item.quantity
    told: dict[tuple[str, str], Decimal] = {}
    for line in order.lines:
        if line.product_id is None or line.sku_id is None or line.quantity is None:
            return Match.UNSURE
        key = line.product_id, line.sku_id
        told[key] = told.get(key, Decimal(0)) + line.quantity
    if not told:
        return Match.UNSURE
    return Match.SAME if told == dict(wanted) else Match.OTHER


def _recipient(wanted: Address, told: Recipient | None) -> Match:
    """Alibaba.com may hide, cut or respell what it was told: only what is plainly another place is another one."""
    if told is None:
        return Match.UNSURE
    if _differ(wanted.country_code, told.country_code) or _differ(wanted.zip, told.zip, cut=True):
        return Match.OTHER
    name, street = _differ(wanted.contact_person, told.contact_person), _differ(wanted.address, told.address)
    if name and street:
        return Match.OTHER
    flat = _differ(wanted.alternate_address, told.alternate_address)
    return Match.SAME if name is False and street is False and not flat else Match.UNSURE


def _differ(wanted: str, told: str | None, *, cut: bool = False) -> bool | None:
    """None: what is told is hidden, or nothing. `cut`: one may be the beginning of the other, 10012 of 10012-1234."""
    if told is None or "*" in told:
        return None
    ours, theirs = plain(wanted), plain(told)
    return ours != theirs and not (cut and (ours.startswith(theirs) or theirs.startswith(ours)))
