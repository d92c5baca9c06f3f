"""Quoting freight with fallback: which dispatch location and which quantity to try next, and what ends the tries.

Guide: Dispatch Location Fallback, Common Error Codes. The decisions are a generator: it yields a request and is sent
what became of it, so that thousands of quotes go on side by side and each is tested without a socket.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dropship_pipeline.alibaba.errors import ApiError, Refused
from dropship_pipeline.alibaba.outcomes import Answered, Flow
from dropship_pipeline.alibaba.products import FreightOption, read_freight_options
from dropship_pipeline.alibaba.requests import EstimateFreight
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.destinations import Destination

LOCATIONS = ("CN", "US", "MX")  # guide §6 dispatch_location
NO_OPTIONS = "NO_OPTIONS"
UNREADABLE = "UNREADABLE"


@dataclass(frozen=True, slots=True)
class QuoteTarget:
    """What to quote: a product, its dispatch locations in the order of the tries, its quantities from the smallest."""

    product_id: str
    locations: tuple[str, ...]
    quantities: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A dispatch location that was tried in vain, and the gateway's code and words."""

    dispatch_location: str
    quantity: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class QuoteResult:
    """What came of a quote. Without options it was refused everywhere; with `fault` it is undecided and stays due.

    `answered_at`: when the last answer came (UTC). `unreadable`: why that one cannot be read, where it cannot: then
    nothing is known of a refusal either.
    """

    quantity: int
    requested_dispatch: str
    options: tuple[FreightOption, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    answered_at: datetime | None = None
    fault: ApiError | None = None
    unreadable: Unreadable | None = None


def quote_target(
    product_id: str,
    origins: Sequence[str],
    min_order_quantity: int | None,
    wholesale_min_order_quantity: int | None,
    last_dispatch: str | None = None,
) -> QuoteTarget:
    """Plan a quote. `origins`: where the product has stock. `last_dispatch`: what worked last time, tried first.

    The quantity is the fewest units that can be ordered; a larger known minimum is kept for a gateway that asks for it.
    Whatever was quoted before, the smallest comes first: a minimum that was misread once is not remembered.
    """
    minimums = {quantity for quantity in (wholesale_min_order_quantity, min_order_quantity) if quantity}
    quantities = sorted(minimums) or [1]
    suggested = [last_dispatch, "CN" if "CN" in origins else None, *origins, *LOCATIONS]
    locations = tuple(dict.fromkeys(location for location in suggested if location))
    return QuoteTarget(product_id, locations, tuple(quantities))


def quote_flow(target: QuoteTarget, destination: Destination) -> Flow[QuoteResult]:
    """Try one location after the other, and larger quantities where the gateway wants them."""
    refusals: list[Refusal] = []
    answered_at: datetime | None = None
    unreadable: Unreadable | None = None
    quantities = list(target.quantities)
    for location in target.locations:
        while True:
            quantity, unreadable = quantities[0], None
            outcome = yield EstimateFreight(
                target.product_id,
                quantity,
                destination.country,
                zip_code=destination.zip_code,
                dispatch_location=location,
            )
            if isinstance(outcome, Answered):
                answered_at = outcome.answer.received_at
                try:
                    options = tuple(read_freight_options(outcome.answer.payload))
                except Unreadable as why:
                    unreadable = why
                    refusals.append(Refusal(location, quantity, UNREADABLE, str(why)))
                    break
                if options:
                    return QuoteResult(quantity, location, options, tuple(refusals), answered_at)
                refusals.append(Refusal(location, quantity, NO_OPTIONS, "no carrier offers to ship it"))
                break
            if not isinstance(outcome.error, Refused):
                return QuoteResult(quantity, location, (), tuple(refusals), answered_at, outcome.error)
            answered_at = outcome.received_at or answered_at
            refusals.append(Refusal(location, quantity, outcome.error.code, outcome.error.message))
            if outcome.error.mend == "quantity" and len(quantities) > 1:
                quantities.pop(0)  # for the locations after this one too: the minimum is the product's
                continue
            if outcome.error.mend != "dispatch":
                return QuoteResult(quantity, location, (), tuple(refusals), answered_at)
            break
    return QuoteResult(quantities[0], target.locations[-1], (), tuple(refusals), answered_at, unreadable=unreadable)
