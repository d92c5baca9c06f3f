"""Reading the order list through the fan-out: every page of a selection, as far as the time allows (guide §10)."""

import time
from dataclasses import dataclass, replace

from dropship_pipeline.alibaba.fanout import OutOfTime
from dropship_pipeline.alibaba.order_requests import ListOrders
from dropship_pipeline.alibaba.orders import OrderSummary, read_order_page
from dropship_pipeline.alibaba.outcomes import Answered, Outcome
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.orders.listing import AHEAD, OrderListing
from dropship_pipeline.sync.session import Desk


@dataclass(frozen=True, slots=True)
class Listed:
    """Orders as the list shows them. `reason`: why they may not be all, in words after "the order list"; "": all."""

    orders: list[OrderSummary]
    reason: str = ""

    @property
    def complete(self) -> bool:
        """Whether every order of the selection was seen."""
        return not self.reason


def list_orders(desk: Desk, selection: ListOrders, seconds: float | None = None) -> Listed:
    """Read the list from end to end, or for at most `seconds`. Raises what makes every call fail."""
    until = None if seconds is None else time.monotonic() + seconds
    listing = OrderListing(selection.page_size)
    while pages := listing.wanted():
        asked = {replace(selection, start_page=page): page for page in pages}
        left = None if until is None else until - time.monotonic()
        try:
            for outcomes in desk.fanout.batches(asked, AHEAD, left):
                for outcome in outcomes:
                    _take(listing, asked[outcome.request], outcome)  # type: ignore[index]  # they are those asked for
        except OutOfTime:
            return Listed(listing.orders, f"could not be read to its end within {seconds:g} s")
    return Listed(listing.orders, listing.verdict.reason)


def _take(listing: OrderListing, page: int, outcome: Outcome) -> None:
    if not isinstance(outcome, Answered):
        listing.failed(page, outcome.error.what)
        return
    try:
        listing.read(page, read_order_page(outcome.answer.payload))
    except Unreadable as why:
        listing.failed(page, str(why))
