"""A feed that lies, breaks and moves while it is read: what a sweep is tested against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from dropship_pipeline.alibaba.products import ProductPage
from dropship_pipeline.catalog.sweep import Running, Sweep

MANY_CALLS = 5_000


def ids(count: int, first: int = 0) -> list[str]:
    return [str(1_600_000_000_000 + number) for number in range(first, first + count)]


@dataclass
class SimulatedFeed:
    """`products` in order. `total` says what result_total is, from the products of the moment; None gives none.

    `cap`: the most that a page may hold, whatever is asked for. `empty_at`, `failing_at`: numbers of reads (from 0)
    that answer an empty page, or nothing. `holes`, `broken`: pages that always do. `changes`: what happens to the
    products before the read of that number.
    """

    products: list[str]
    total: Callable[[Sequence[str]], int | None] = len
    cap: int = 100
    empty_at: frozenset[int] = frozenset()
    failing_at: frozenset[int] = frozenset()
    holes: frozenset[int] = frozenset()
    broken: frozenset[int] = frozenset()
    changes: dict[int, Callable[[list[str]], None]] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)
    ever: set[str] = field(default_factory=set)
    always: set[str] = field(default_factory=set)

    def __post_init__(self):
        self.ever = set(self.products)
        self.always = set(self.products)

    def read(self, page: int, asked: int) -> ProductPage | None:
        number = len(self.calls)
        self.calls.append(page)
        assert number < MANY_CALLS, "the sweep does not end"
        if number in self.changes:
            self.changes[number](self.products)
            self.ever |= set(self.products)
            self.always &= set(self.products)
        if number in self.failing_at or page in self.broken:
            return None
        size = min(self.cap, asked)
        listed = self.products[page * size : (page + 1) * size]
        if number in self.empty_at or page in self.holes:
            listed = []
        return ProductPage(listed, self.total(self.products))


def sweep_over(feed: SimulatedFeed, page_size: int = 100, shuffled: Random | None = None, **options) -> Sweep:
    """A sweep of the feed from end to end, each round of pages in order or shuffled."""
    sweep = Sweep(page_size, **options)
    while pages := sweep.wanted():
        assert isinstance(sweep.verdict(), Running)
        if shuffled:
            shuffled.shuffle(pages)
        for page in pages:
            answer = feed.read(page, page_size)
            if answer is None:
                sweep.failed(page, "HTTP 503")
            else:
                sweep.read(page, answer)
    assert not isinstance(sweep.verdict(), Running)
    return sweep


def swept(sweep: Sweep) -> list[str]:
    return sweep.table()["product_id"].to_pylist()
