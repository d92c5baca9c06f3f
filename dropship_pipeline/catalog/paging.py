"""One pass over the pages of a feed: which pages next, where the feed ends. No I/O; what it proves is in `sweep.py`.

A pass is a generator that yields pages to read, all at once and in any order, and is sent their readings. It finds the
end of the feed, reads every page before it, and reads once more what looks wrong. The end is found in one of two ways.

- With a `result_total` the last page is computed. If it is short, or the page behind it empty, it is the last indeed.
- Without one, pages 1, 2, 4, 8, … are probed until one is empty, and the end is searched between the last two. So the
  feed's length is known *before* its pages are read. It is measured again after, with the empty page read a second time
  and the one behind it: the two lengths stand for the total that the gateway does not give.
"""

from collections.abc import Collection, Generator
from dataclasses import dataclass, field

import pyarrow as pa

# Two million products at ten a page: a feed that has not ended there never will.
MAX_PAGES = 200_000
# What a total claims is believed once its last page was seen; until then no more pages than this are asked for on it.
AHEAD = 64
# One page like another may be chance. A gateway that ignores the page number answers nothing else.
MAX_REPEATS = 3
# The client has tried several times before a page counts as failed; after so many pages the gateway is down.
MAX_LOST = 20
# Where more than a tenth of the pages look wrong, that is how the feed is: reading them again tells nothing.
MENDED_SHARE = 10
# A feed whose end is elsewhere each time it is looked at cannot be read.
MAX_ENDS = 10


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer to a page: its IDs, how many entries it listed, the total that it gave, and its place in time."""

    ids: pa.StringArray
    entries: int
    total: int | None
    moment: int
    digest: int  # of the set of IDs; holds within a process

    @property
    def unreadable(self) -> int:
        """Entries that are no product ID."""
        return self.entries - len(self.ids)


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that could not be read, and why."""

    reason: str


Asking = Generator[list[int], dict[int, Reading | Failure], None]


class _Hopeless(Exception):
    """There is no point in reading on, and why."""


@dataclass(slots=True)
class Pass:
    """One reading of a feed: its pages, and what was noticed on the way. `hint` is the last page of an earlier pass."""

    page_size: int
    hint: int = 0
    readings: dict[int, Reading] = field(default_factory=dict)
    superseded: list[tuple[int, Reading]] = field(default_factory=list)
    low: int = -1  # the highest page that brought anything
    size: int = 0  # the most entries on a page: what the gateway makes of the page size asked for
    total: int = 0  # the highest that the gateway gave; 0: none
    lengths: list[int] = field(default_factory=list)  # totals, or measured lengths, in time; repetitions left out
    measured: bool = False  # the lengths were measured, for want of a total or of a true one
    shuffled: bool = False  # the last page changed while the length did not
    lost: dict[int, str] = field(default_factory=dict)
    hopeless: str = ""  # why it was given up
    _probe: int = -1  # a page that was read to measure the length, and has yet to be read for what it lists
    _repeats: dict[int, int] = field(default_factory=dict)
    _page_of: dict[int, int] = field(default_factory=dict)

    def run(self) -> Asking:
        """Reads the feed. Yields pages that may be read at once; is sent the answer to each of them."""
        try:
            yield from self._ask([0])
            if self.total:
                yield from self._read_by_total()
            if self._total_is_refuted():
                yield from self._read_by_measuring()
        except _Hopeless as reason:
            self.hopeless = str(reason)

    @property
    def gaps(self) -> list[int]:
        """Pages without products before the last page with some."""
        return [page for page in range(self.low) if self._is_void(page)]

    @property
    def page_length(self) -> int:
        """How many products a full page holds, as far as was seen."""
        return self.size or self.page_size

    @property
    def moved(self) -> bool:
        """Whether the feed was seen to change during the pass."""
        return len(self.lengths) > 1 or self.shuffled

    @property
    def entries(self) -> int:
        """Entries on all pages together."""
        return sum(reading.entries for reading in self.readings.values())

    # ---- ways through a feed

    def _read_by_total(self) -> Asking:
        mended: set[int] = set()
        while not self._total_is_refuted():
            last = self._claimed_pages() - 1
            if not self._is_seen(last):
                behind = [last + 1] if last and self.total % self.page_length == 0 else []
                pages = [last, *behind, *self._missing(last)[:AHEAD]]
            elif self._is_void(last) and last in mended:
                yield from self._search()  # a total too high: what there is, is read all the same
                pages = self._missing(self.low)
            elif self._is_void(last):
                pages = [last]
            else:
                pages = self._missing(last) or self._suspects(mended, self.total)
                if not pages and self._may_go_on_behind(last):
                    pages = [last + 1]
            if not pages:
                return
            mended |= {page for page in pages if self._is_seen(page)}
            yield from self._ask(pages)

    def _read_by_measuring(self) -> Asking:
        self.measured = True
        self.lengths.clear()
        yield from self._search()
        # What was read before the length was known proves nothing about the time since: from here all is read again.
        self.readings = {page: reading for page, reading in self.readings.items() if page >= self.low}
        self.superseded.clear()
        self._probe = self.low
        self._measure()
        mended: set[int] = set()
        for _ in range(MAX_ENDS):
            while pages := self._missing(self.low) or self._suspects(mended, None):
                mended |= {page for page in pages if self._is_seen(page)}
                yield from self._ask(pages)
            low, tail = self.low, self.readings.get(self.low)
            yield from self._look_behind(low)
            if self.low == low:
                now = self.readings.get(low)
                if tail and now:
                    self.shuffled = tail.entries == now.entries and tail.digest != now.digest
                self._measure()
                return
            yield from self._search()
        raise _Hopeless(f"the end of the feed moved {MAX_ENDS} times while it was looked for")

    def _search(self) -> Asking:
        """Finds the last page: doubling until a page is empty, then halving."""
        while (high := self._first_void_behind()) != self.low + 1:
            if high is not None:
                probe = (self.low + high) // 2
            elif self.low < self.hint:
                probe = self.hint
            elif self.low < 1 or self.readings[self.low].entries < self.size:
                probe = self.low + 1
            else:
                probe = self.low * 2
            if probe > MAX_PAGES:
                raise _Hopeless(f"page {self.low} still lists products: the feed does not end")
            yield from self._ask([probe])

    def _look_behind(self, low: int) -> Asking:
        """The empty page once more and the one behind it; the last page too, to measure the length again."""
        yield from self._ask([*range(max(low, 0), low + 1), low + 1, low + 2])
        if self._repeats.keys() & {low + 1, low + 2}:
            self._turn_in_circles()

    # ---- asking, and what the answers tell

    def _ask(self, pages: list[int]) -> Asking:
        """Has the pages read. One that fails is asked for once more; then it is lost."""
        if not pages:
            return
        answers = yield pages
        failed = [page for page in pages if isinstance(answers[page], Failure)]
        if failed:
            answers |= yield failed
        in_time = []
        for page, answer in answers.items():
            if isinstance(answer, Reading):
                in_time.append((answer.moment, page, answer))
            else:
                self.lost[page] = answer.reason
        for _, page, reading in sorted(in_time, key=lambda item: item[0]):
            self._keep(page, reading)
        if len(self.lost) >= MAX_LOST:
            page, reason = min(self.lost.items())
            raise _Hopeless(f"{len(self.lost)} pages could not be read; page {page}: {reason}")

    def _keep(self, page: int, reading: Reading) -> None:
        self.size = max(self.size, reading.entries)
        if reading.total:
            self.total = max(self.total, reading.total)
            if not self.measured:
                self._observe_length(reading.total)
        known = self.readings.get(page)
        if page == self._probe:
            self._probe = -1
        elif known is not None and known.digest != reading.digest:
            self.superseded.append((page, known))
        self.readings[page] = reading
        self._note_repeat(page, reading)
        if not self._is_void(page):
            self.low = max(self.low, page)
        elif page == self.low:
            self.low = max((other for other in self.readings if not self._is_void(other)), default=-1)

    def _note_repeat(self, page: int, reading: Reading) -> None:
        self._repeats.pop(page, None)
        if not len(reading.ids):
            return
        other = self._page_of.setdefault(reading.digest, page)
        known = self.readings.get(other)
        if other == page or known is None or known.digest != reading.digest:
            self._page_of[reading.digest] = page
            return
        first, second = min(page, other), max(page, other)
        self._page_of[reading.digest] = first
        self._repeats[second] = first
        if len(self._repeats) >= MAX_REPEATS:
            self._turn_in_circles()

    def _turn_in_circles(self) -> None:
        second, first = min(self._repeats.items())
        raise _Hopeless(f"page {second} repeats page {first}, and so on: the feed turns in circles")

    def _observe_length(self, length: int) -> None:
        if not self.lengths or self.lengths[-1] != length:
            self.lengths.append(length)

    def _measure(self) -> None:
        self._observe_length(0 if self.low < 0 else self.low * self.size + self.readings[self.low].entries)

    # ---- what is known

    def _is_seen(self, page: int) -> bool:
        return page in self.readings or page in self.lost

    def _is_void(self, page: int) -> bool:
        """Whether the page brought nothing: empty, a double of an earlier page, or lost."""
        reading = self.readings.get(page)
        return reading is None or not reading.entries or page in self._repeats

    def _first_void_behind(self) -> int | None:
        """The lowest page seen behind all that brought anything."""
        return min((page for page in (*self.readings, *self.lost) if page > self.low), default=None)

    def _missing(self, end: int) -> list[int]:
        return [page for page in range(end) if not self._is_seen(page)]

    def _claimed_pages(self) -> int:
        return -(-self.total // self.page_length)

    def _total_is_refuted(self) -> bool:
        """Whether there is no total, or one that cannot be true: more was listed, or it is past all bounds."""
        return not self.total or self._claimed_pages() > MAX_PAGES or self.entries > self.total

    def _may_go_on_behind(self, last: int) -> bool:
        """Whether the last page does not show by being short that it is the last. A single page may be capped."""
        full = last == 0 or self.readings[last].entries >= self.size
        return full and not self._is_seen(last + 1)

    def _suspects(self, mended: Collection[int], total: int | None) -> list[int]:
        """Pages to read once more: with less on them than they should have, or with what is no product ID."""
        suspects = []
        for page in range(self.low + 1):
            if page in mended or page in self.lost:
                continue
            reading = self.readings[page]
            expected = self.size if page < self.low else 0
            if total:
                expected = min(self.size, total - page * self.size)
            if reading.entries < expected or reading.unreadable:
                suspects.append(page)
        return suspects if len(suspects) <= max(3, self.low // MENDED_SHARE) else []
