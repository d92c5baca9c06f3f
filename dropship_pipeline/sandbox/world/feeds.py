"""Which products each of the ten feeds lists, and in which order, computed from the product's number.

A product's number modulo 64 decides where it ships from and which feeds have it; so a feed's n-th product, and a
product's place in a feed, are arithmetic, and a catalogue of a million costs no memory and no start-up time.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from dropship_pipeline.sandbox.world.drift import FEED_SPELL, Rota
from dropship_pipeline.sandbox.world.seeding import Seed, permutation

LISTING, LOCAL = "/eco/buyer/product/check", "/eco/buyer/local/product/check"
LOCAL_REGULAR, CROSS_BORDER = "/eco/buyer/localregular/product/check", "/eco/buyer/crossborder/product/check"


class Feed(NamedTuple):
    """A product list of the guide (§3–§3c): the endpoint that gives it and what selects it there."""

    key: str
    path: str
    selector: str  # a scene id, a country, or "" where the endpoint has one list only


FEEDS = (
    Feed("us_standard", LISTING, "906124611"),
    Feed("cross_border_us", LISTING, "906168847"),
    Feed("us_fast_48h", LISTING, "907135637"),
    Feed("mx_dropship", LISTING, "907732810"),
    Feed("us_top_sellers", LISTING, "907180667"),
    Feed("mx_top_sellers", LISTING, "907180664"),
    Feed("local_us", LOCAL, "US"),
    Feed("local_mx", LOCAL, "MX"),
    Feed("local_regular", LOCAL_REGULAR, ""),
    Feed("cross_border", CROSS_BORDER, ""),
)

_STRIPES = 64


class Profile(NamedTuple):
    """Where a kind of product ships from, and the feeds that list it."""

    origins: tuple[str, ...]
    feeds: frozenset[str]


def _profiles() -> tuple[Profile, ...]:
    """64 profiles, mixed so that any run of them has every origin."""
    shares = (
        (7, "CN", "cross_border"),
        (24, "CN", "cross_border cross_border_us"),
        (3, "US", "us_standard local_us"),
        (4, "US", "us_standard local_us local_regular"),
        (3, "US", "us_standard us_fast_48h local_us"),
        (2, "US", "us_standard us_fast_48h local_us us_top_sellers"),
        (2, "MX", "mx_dropship local_mx"),
        (2, "MX", "mx_dropship local_mx local_regular"),
        (2, "MX", "mx_dropship local_mx mx_top_sellers"),
        (5, "CN US", "cross_border cross_border_us us_standard local_us"),
        (3, "CN US", "cross_border cross_border_us us_standard local_us local_regular"),
        (2, "CN US", "cross_border cross_border_us us_standard us_fast_48h local_us us_top_sellers"),
        (3, "CN MX", "cross_border mx_dropship local_mx"),
        (2, "US MX", "us_standard local_us mx_dropship local_mx local_regular mx_top_sellers"),
    )
    unmixed = [
        Profile(tuple(origins.split()), frozenset(feeds.split()))
        for share, origins, feeds in shares
        for _ in range(share)
    ]
    return tuple(unmixed[stripe * 27 % _STRIPES] for stripe in range(_STRIPES))


PROFILES = _profiles()


class Listing:
    """One feed: its members in their order, and who of them is on the list in a given hour.

    Positions count the members that the feed would have with nobody away; the examples come before position 0.
    """

    def __init__(self, feed: Feed, seed: Seed, products: int, examples: Sequence[str]) -> None:
        self.feed = feed
        self.examples = tuple(examples)
        self._stripes = [stripe for stripe, profile in enumerate(PROFILES) if feed.key in profile.feeds]
        self._rank_in_block = {stripe: rank for rank, stripe in enumerate(self._stripes)}
        blocks, rest = divmod(products, _STRIPES)
        self.count = blocks * len(self._stripes) + sum(stripe < rest for stripe in self._stripes)
        self._order = permutation(seed, self.count, f"order {feed.key}")
        self._rota = Rota(seed, FEED_SPELL, self.count, feed.key) if self.count else None
        self._absent: tuple[int | None, array[int]] = (None, array("q"))

    def index_at(self, position: int) -> int:
        """The number of the product at a position."""
        block, rank = divmod(self._order.of(position), len(self._stripes))
        return block * _STRIPES + self._stripes[rank]

    def position_of(self, index: int) -> int | None:
        """The position of product number `index`, or None where the feed does not have it."""
        block, stripe = divmod(index, _STRIPES)
        rank = self._rank_in_block.get(stripe)
        return None if rank is None else self._order.back(block * len(self._stripes) + rank)

    def absent(self, hour: int | None, away: Sequence[int]) -> "array[int]":
        """The positions off the list in that hour, ascending; `away` are the products that are not online then."""
        if hour is None or self._rota is None:
            return array("q")
        known, positions = self._absent
        if known != hour:
            off = set(self._rota.away(hour))
            off.update(position for index in away if (position := self.position_of(index)) is not None)
            positions = array("q", sorted(off))
            self._absent = (hour, positions)
        return positions

    def has(self, index: int, absent: Sequence[int]) -> bool:
        """Whether product number `index` is on the list."""
        position = self.position_of(index)
        if position is None:
            return False
        place = bisect_left(absent, position)
        return place == len(absent) or absent[place] != position

    def total(self, absent: Sequence[int]) -> int:
        """How many products are listed, examples included."""
        return len(self.examples) + self.count - len(absent)

    def page(self, start: int, size: int, absent: Sequence[int]) -> list[int]:
        """The numbers of the listed products from the `start`-th on (examples not counted), at most `size`."""
        # the start-th present position is the one with as many present before it: absent[m] - m never falls
        skipped = bisect_right(range(len(absent)), start, key=lambda m: absent[m] - m)
        position = start + skipped
        found: list[int] = []
        absent_at = bisect_left(absent, position)
        while len(found) < size and position < self.count:
            if absent_at < len(absent) and absent[absent_at] == position:
                absent_at += 1
            else:
                found.append(self.index_at(position))
            position += 1
        return found
