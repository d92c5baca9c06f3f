"""Reading the order list from end to end: which pages next, when all was seen. Pure: no I/O.

Pages shift while they are read, for orders are placed and modified meanwhile: one comes twice, another never. What was
seen is therefore held against the total that each page tells (guide §10), and the list is read again where that is
more; bounded, for a list whose total is wrong never gets there.
"""

from dataclasses import dataclass

from dropship_pipeline.alibaba.orders import OrderPage, OrderSummary
from dropship_pipeline.counting import counted

PAGE_SIZE = 100
"""The largest that the list gives (live facts: Requests)."""

AHEAD = 32
"""Pages that are asked for at once."""

PASSES = 3
"""So often the list is read until all was seen."""

MOST_PAGES = 20_000
"""Two million orders: a list that has not ended there never will."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the reading ended. `reason`: why it is not complete, in words that follow "the order list"."""

    complete: bool
    reason: str = ""


class OrderListing:
    """One reading of one selection of orders. Drive it so::

        while pages := listing.wanted():
            for page in pages: listing.read(page, …) or listing.failed(page, …)

    Pages may be answered in any order; what was wanted and not answered is wanted still.
    """

    def __init__(self, page_size: int = PAGE_SIZE) -> None:
        self._page_size = page_size
        self._orders: dict[str, OrderSummary] = {}
        self._passes_left = PASSES
        self._total: int | None = None  # the highest of this pass
        self._most = 0  # the highest of all passes
        self._verdict: Verdict | None = None
        self._begin_pass()

    @property
    def verdict(self) -> Verdict:
        """How it ended, or that it has not."""
        return self._verdict or Verdict(complete=False, reason="was not read to its end")

    @property
    def orders(self) -> list[OrderSummary]:
        """Every order that was seen, each as it was listed last."""
        return list(self._orders.values())

    def wanted(self) -> list[int]:
        """The pages that may be asked for now; empty once the reading has ended."""
        return [] if self._verdict else list(self._outstanding)

    def read(self, page: int, answer: OrderPage) -> None:
        """Take the answer to a page that was wanted."""
        if page not in self._outstanding:
            return
        del self._outstanding[page]
        self._entries[page] = len(answer.orders) + answer.unreadable
        self._unreadable += answer.unreadable
        if answer.total is not None:
            self._total = max(self._total or 0, answer.total)
        for order in answer.orders:
            self._take(order)
        self._go_on()

    def failed(self, page: int, reason: str) -> None:
        """Take note that a wanted page could not be read. It is wanted once more; then the reading is incomplete."""
        if page not in self._outstanding:
            return
        if page not in self._failures:
            self._failures[page] = reason
            return
        self._verdict = Verdict(complete=False, reason=f"could not be read: page {page}: {reason}")

    def _take(self, order: OrderSummary) -> None:
        known = self._orders.get(order.trade_id)
        self._new_in_pass += known is None
        self._seen_in_pass.add(order.trade_id)
        # of two sights the later change counts: pages are not answered in the order in which they were asked for
        if known is None or known.modified_at is None or (order.modified_at or known.modified_at) >= known.modified_at:
            self._orders[order.trade_id] = order

    def _begin_pass(self) -> None:
        self._passes_left -= 1
        self._entries: dict[int, int] = {}
        self._failures: dict[int, str] = {}
        self._seen_in_pass: set[str] = set()
        self._new_in_pass = 0
        self._unreadable = 0
        self._total = None
        self._want([0])

    def _want(self, pages: list[int]) -> None:
        self._round = pages
        self._outstanding = dict.fromkeys(pages)

    def _go_on(self) -> None:
        if self._outstanding or self._verdict:
            return
        last = max(self._entries)
        wanted = self._missing() or self._behind(last)
        if not wanted or self._is_past_the_end():
            self._end_pass()
        elif wanted[0] > MOST_PAGES:
            self._verdict = Verdict(complete=False, reason=f"does not end: page {last} still lists orders")
        elif self._turns_in_circles(last):
            self._verdict = Verdict(complete=False, reason=f"repeats itself: page {last} has nothing new")
        else:
            self._want(wanted[:AHEAD])

    def _pages_promised(self) -> int:
        return -(-(self._total or 0) // self._page_size)

    def _missing(self) -> list[int]:
        """Pages that the total promises."""
        return [page for page in range(min(self._pages_promised(), MOST_PAGES + 1)) if page not in self._entries]

    def _behind(self, last: int) -> list[int]:
        """The page behind the last, unless that one shows by being short, and the total, that it is the last."""
        entries = self._entries[last]
        return [last + 1] if entries >= self._page_size or (entries and not self._is_all_seen()) else []

    def _is_past_the_end(self) -> bool:
        """Whether several pages at once had nothing: a total that promises more is wrong."""
        return len(self._round) > 1 and not any(self._entries[page] for page in self._round)

    def _is_all_seen(self) -> bool:
        if self._total is None:
            return False
        self._most = max(self._most, self._total)
        seen = len(self._seen_in_pass) + self._unreadable
        return seen >= self._total or len(self._orders) + self._unreadable >= self._most

    def _turns_in_circles(self, last: int) -> bool:
        """Whether a list that ought to have ended goes on with what it listed before."""
        listed = sum(self._entries.values())
        return last > 0 and last >= self._pages_promised() and listed >= 2 * len(self._seen_in_pass)

    def _end_pass(self) -> None:
        proved = self._is_all_seen() if self._total is not None else not self._new_in_pass
        if self._unreadable:
            entries = counted(self._unreadable, "entry", "entries")
            self._verdict = Verdict(complete=False, reason=f"has {entries} without an order ID")
        elif proved:
            self._verdict = Verdict(complete=True)
        elif self._passes_left:
            self._begin_pass()
        elif self._total is None:
            self._verdict = Verdict(complete=False, reason=f"listed other orders each of {PASSES} times")
        else:
            listed = counted(len(self._orders), "different one was", "different ones were")
            said = f"promised {counted(self._total, 'order')}, {listed} listed"
            self._verdict = Verdict(complete=False, reason=said)
