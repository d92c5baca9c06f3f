"""A sweep: a feed read until it is proved that every product was seen, or given up with the reason. No I/O.

Pages shift while they are read. A product added or gone before the page being read moves the others by one: one of them
comes twice, or is never seen. What a pass saw is therefore held against how long the feed was. Its lengths (totals that
the gateway gave with each page, or measured, see `paging.py`) give the least number of products that it can have had
since the first: that length, and each rise after it. Who has seen so many distinct products has seen them all. If one
pass has not, the feed is read again, and what the passes saw together is counted; bounded, for a feed whose total is
wrong never gets there.

What no count can show is an addition and a removal between two lengths that cancel each other out. That is why a
membership ends only when two complete sweeps in a row miss it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from dropship_pipeline.alibaba.products import ProductPage
from dropship_pipeline.catalog.paging import Failure, Pass, Reading
from dropship_pipeline.counting import counted

_SWEPT: "list[pa.Field[Any]]" = [pa.field("product_id", pa.string()), pa.field("position", pa.int64())]
SWEPT = pa.schema(_SWEPT)


@dataclass(frozen=True, slots=True)
class Running:
    """There are pages to read."""


@dataclass(frozen=True, slots=True)
class Complete:
    """Every product of the feed was seen."""


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Some may be missing; `reason` says what is wrong with the feed, in words that follow its name."""

    reason: str


Verdict = Running | Complete | Incomplete


class Sweep:
    """The reading of one feed from end to end. Drive it so::

        while pages := sweep.wanted():
            for page in pages: sweep.read(page, …) or sweep.failed(page, …)

    Pages may be read in any order and all at once; what was wanted and not answered is wanted still. An interrupted
    sweep is resumed by giving a new one the pages that were landed, in the order in which they were.
    """

    def __init__(self, page_size: int, max_resweeps: int = 2) -> None:
        """`page_size` is what is asked for; the gateway may give less. At most `1 + max_resweeps` passes are made."""
        self.pages_read = 0
        self.reported_total: int | None = None
        self._page_size = page_size
        self._passes_left = max_resweeps
        self._verdict: Verdict = Running()
        self._lengths: list[int] = []
        self._seen = SWEPT.empty_table()
        self._before: Pass | None = None
        self._flaw_before = ""
        self._unasked: dict[int, list[Reading]] = {}
        self._outstanding: dict[int, None] = {}
        self._answers: dict[int, Reading | Failure] = {}
        self._begin_pass()

    def wanted(self) -> list[int]:
        """The pages that may be read now; empty once there is a verdict. Each is answered by `read` or by `failed`."""
        return list(self._outstanding)

    def verdict(self) -> Verdict:
        """What is known so far."""
        return self._verdict

    def read(self, page: int, answer: ProductPage) -> None:
        """Takes a page that was read. One that is not wanted (yet) is kept for when it is."""
        if not isinstance(self._verdict, Running):
            return
        self.pages_read += 1
        if answer.total is not None:
            self.reported_total = answer.total
        ids = answer.product_ids
        reading = Reading(
            ids=pa.array(ids, pa.string()),
            entries=len(ids) + answer.unreadable,
            total=answer.total,
            moment=self.pages_read,
            digest=hash(frozenset(ids)),
        )
        if page in self._outstanding:
            self._take(page, reading)
        else:
            self._unasked.setdefault(page, []).append(reading)

    def failed(self, page: int, reason: str) -> None:
        """Takes note that a wanted page could not be read. It is wanted once more; then the sweep is incomplete."""
        if page in self._outstanding:
            self._take(page, Failure(reason))

    def table(self) -> pa.Table:
        """The distinct products seen so far: product_id, position (of the first sight, from 0)."""
        return _distinct([*_sightings(self._pass), self._seen])

    # ---- passes

    def _begin_pass(self, hint: int = 0) -> None:
        self._pass = Pass(self._page_size, hint)
        self._asking = self._pass.run()
        self._want(next(self._asking))

    def _want(self, pages: list[int]) -> None:
        self._outstanding = dict.fromkeys(pages)
        self._answers = {}

    def _take(self, page: int, answer: Reading | Failure) -> None:
        del self._outstanding[page]
        self._answers[page] = answer
        while not self._outstanding and isinstance(self._verdict, Running):
            try:
                self._want(self._asking.send(self._answers))
            except StopIteration:
                self._end_pass()
            self._take_unasked()

    def _take_unasked(self) -> None:
        for page in [page for page in self._outstanding if page in self._unasked]:
            del self._outstanding[page]
            self._answers[page] = self._unasked[page].pop(0)
            if not self._unasked[page]:
                del self._unasked[page]

    def _end_pass(self) -> None:
        ended, before = self._pass, self._before
        by_itself = _distinct(_sightings(ended))
        self._lengths += ended.lengths
        self._seen = _distinct([by_itself, self._seen])
        flaw = _flaw(ended, by_itself.num_rows)
        if not flaw and by_itself.num_rows >= least_products(ended.lengths):
            self._seen = by_itself
            self._verdict = Complete()
        elif not flaw and before and not self._flaw_before and self._seen.num_rows >= least_products(self._lengths):
            self._verdict = Complete()
        elif ended.lost or (ended.hopeless and not (ended.moved and self._passes_left)):
            self._verdict = Incomplete(flaw)
        elif before and _same_pages(before, ended):
            # Without a total the end is all that the gateway tells: it lists a product twice, or short pages.
            listed_twice = ended.measured and not flaw
            self._verdict = Complete() if listed_twice else Incomplete(flaw or self._shortfall(ended))
        elif not self._passes_left:
            self._verdict = Incomplete(flaw or self._shortfall(ended))
        else:
            self._passes_left -= 1
            self._before, self._flaw_before = ended, flaw
            self._begin_pass(hint=max(ended.low, 0))
            return
        self._before = None

    def _shortfall(self, ended: Pass) -> str:
        known, seen = "measured" if ended.measured else "promised", self._seen.num_rows
        if ended.moved:
            low, high = min(ended.lengths), max(ended.lengths)
            return f"moved while it was read: {known} {low:,} to {high:,} products, {counted(seen, 'was', 'were')} seen"
        return f"{known} {_promised(max(ended.lengths, default=0), seen)}"


def least_products(lengths: Iterable[int]) -> int:
    """The least number of products that a feed with these lengths, one after the other, can have had in all."""
    lengths = list(lengths)
    rises = sum(max(0, later - earlier) for earlier, later in pairwise(lengths))
    return lengths[0] + rises if lengths else 0


def _promised(products: int, listed: int) -> str:
    return f"{counted(products, 'product')}, {counted(listed, 'different one was', 'different ones were')} listed"


def _flaw(ended: Pass, distinct: int) -> str:
    """What keeps a pass from proving anything, however many products it saw; "" if there is nothing."""
    if ended.hopeless or not (ended.lost or ended.measured):
        return ended.hopeless  # the total counts, whatever is on the pages
    if ended.lost:
        page, reason = min(ended.lost.items())
        return f"page {page} could not be read: {reason}"
    if distinct < ended.total:
        return f"promised {_promised(ended.total, distinct)}"
    if ended.gaps:
        return f"page {ended.gaps[0]} is empty, and page {ended.low} is not"
    unreadable = [page for page, reading in ended.readings.items() if reading.unreadable]
    if unreadable:
        return f"page {min(unreadable)} lists what is no product ID"
    return "the last page changed while the feed was read" if ended.shuffled else ""


def _same_pages(one: Pass, other: Pass) -> bool:
    """Whether two passes saw the same on every page."""
    return one.lengths == other.lengths and {page: r.digest for page, r in one.readings.items() if r.entries} == {
        page: r.digest for page, r in other.readings.items() if r.entries
    }


def _sightings(reading_pass: Pass) -> list[pa.Table]:
    """All that a pass listed, page by page, and then what was on pages that changed when they were read again."""
    pages = sorted(reading_pass.readings.items())
    tables = []
    for page, reading in [*pages, *reading_pass.superseded]:
        first = page * reading_pass.size
        positions = pa.array(np.arange(first, first + len(reading.ids), dtype=np.int64))
        tables.append(pa.Table.from_arrays([reading.ids, positions], schema=SWEPT))
    return tables


def _distinct(tables: list[pa.Table]) -> pa.Table:
    """The first row of each product."""
    rows = pa.concat_tables([*tables, SWEPT.empty_table()]).combine_chunks()
    column = rows["product_id"].combine_chunks()
    codes = column.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(codes, return_index=True)
    return rows if len(first) == rows.num_rows else rows.take(np.sort(first))
