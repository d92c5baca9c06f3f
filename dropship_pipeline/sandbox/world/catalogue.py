"""The catalogue: any product, page of a feed or freight quote of the world, at any moment, by computing it.

Its memory does not grow with its size: nothing is kept but the latest designs that were looked at and, for each
feed, the positions that are off the list in the current hour.
"""

from collections.abc import Mapping
from functools import lru_cache

from dropship_pipeline.sandbox.examples import EXAMPLE_PRODUCTS, EXAMPLE_QUOTES, example_design
from dropship_pipeline.sandbox.world.designs import Identity, draw_design, draw_seller
from dropship_pipeline.sandbox.world.drift import Life, Statuses
from dropship_pipeline.sandbox.world.feeds import FEEDS, PROFILES, Feed, Listing
from dropship_pipeline.sandbox.world.freight import FreightDesk, FreightOption
from dropship_pipeline.sandbox.world.pricing import price_factor
from dropship_pipeline.sandbox.world.products import Design, Product
from dropship_pipeline.sandbox.world.seeding import Permutation, Seed, permutation

LARGEST = 1_000_000
_FIRST_ID, _IDS = 1_600_000_000_000, 1_499_999_957  # the second a prime, as for SKUs: any factor permutes it
_FIRST_SKU_ID, _SKU_IDS = 100_000_000_000, 9_999_999_967
_SKUS_APART = 16  # SKU numbers of neighbouring products
_PRODUCTS_A_SELLER = 25
_DESIGNS_KEPT = 4096


class Catalogue:
    """All products of the simulated Alibaba.com. `size` counts the examples of the guide, which are always there."""

    def __init__(self, seed: int, size: int, drift: float) -> None:
        if size > LARGEST:
            raise ValueError(f"a catalogue has at most {LARGEST} products")
        self.life = Life(drift)
        self._seed = Seed(seed)
        self._drawn = max(0, size - len(EXAMPLE_PRODUCTS))
        self._ids = _ids_clear_of_examples(self._seed)
        self._sku_ids = permutation(self._seed, _SKU_IDS, "sku ids")
        self._sellers = max(4, self._drawn // _PRODUCTS_A_SELLER)
        self._examples = {example.product_id: number for number, example in enumerate(EXAMPLE_PRODUCTS)}
        self._statuses = Statuses(self._seed, self._drawn)
        self._away: tuple[int | None, list[int]] = (None, [])
        self._freight = FreightDesk(self._seed, EXAMPLE_QUOTES)
        self._seller = lru_cache(maxsize=1024)(lambda number: draw_seller(self._seed, number))
        self._design = lru_cache(maxsize=_DESIGNS_KEPT)(self._draw)
        self.listings: Mapping[str, Listing] = {feed.key: self._listing(feed) for feed in FEEDS}

    def __len__(self) -> int:
        return self._drawn + len(EXAMPLE_PRODUCTS)

    def product(self, product_id: str, now_ms: int) -> Product | None:
        """The product with that id as it is at `now_ms`, whatever its status; None if there never was one."""
        index = self._index(product_id)
        if index is None:
            return None
        design = self._design(index)
        days = self.life.days(now_ms)
        factor = 1.0 if index < 0 else price_factor(self._seed, index, design.price_rate, days)
        return Product(design, self._statuses.of(index, self.life.hour(now_ms)), factor, days)

    def page(self, feed_key: str, start: int, size: int, now_ms: int) -> list[int]:
        """At most `size` ids of the feed's list at `now_ms`, from the `start`-th on; beyond the end, none."""
        listing = self.listings[feed_key]
        absent = listing.absent(self.life.hour(now_ms), self._away_at(now_ms))
        leading = [int(product_id) for product_id in listing.examples[start : start + size]]
        rest = listing.page(max(0, start - len(listing.examples)), size - len(leading), absent)
        id_of = self._ids.of
        return leading + [_FIRST_ID + id_of(index) for index in rest]

    def total(self, feed_key: str, now_ms: int) -> int:
        """How many products the feed lists at `now_ms`."""
        listing = self.listings[feed_key]
        return listing.total(listing.absent(self.life.hour(now_ms), self._away_at(now_ms)))

    def ids(self, now_ms: int) -> list[str]:
        """The id of every product that is online at `now_ms`."""
        away = set(self._away_at(now_ms))
        drawn = (str(_FIRST_ID + self._ids.of(index)) for index in range(self._drawn) if index not in away)
        return [*self._examples, *drawn]

    def some_product_id(self, draw: int) -> str | None:
        """A product of the catalogue, the same for the same draw."""
        place = draw % len(self)
        if place < self._drawn:
            return str(_FIRST_ID + self._ids.of(place))
        return EXAMPLE_PRODUCTS[place - self._drawn].product_id

    def feeds_of(self, product_id: str, now_ms: int) -> list[str]:
        """The keys of the feeds that list the product at `now_ms`."""
        index = self._index(product_id)
        if index is None:
            return []
        if index < 0:
            return [key for key, listing in self.listings.items() if product_id in listing.examples]
        hour, away = self.life.hour(now_ms), self._away_at(now_ms)
        return [key for key, listing in self.listings.items() if listing.has(index, listing.absent(hour, away))]

    def freight(
        self,
        product: Product,
        quantity: int,
        destination: str,
        dispatch_location: str,
        advanced: bool,
        zip_code: str = "",
    ) -> list[FreightOption]:
        """The ways to ship a product (guide §6, §7 if `advanced`); raises a business Refusal where there is none."""
        return self._freight.quote(product, quantity, destination, dispatch_location, zip_code, advanced=advanced)

    def _index(self, product_id: str) -> int | None:
        number = self._examples.get(product_id)
        if number is not None:
            return -1 - number
        if not (product_id.isascii() and product_id.isdigit() and len(product_id) == len(str(_FIRST_ID))):
            return None
        offset = int(product_id) - _FIRST_ID
        if not 0 <= offset < _IDS:
            return None
        index = self._ids.back(offset)
        return index if index < self._drawn else None

    def _draw(self, index: int) -> Design:
        # the examples' numbers lie behind those of the largest catalogue
        first_sku = (index if index >= 0 else LARGEST - index) * _SKUS_APART

        def sku_id(number: int) -> str:
            return str(_FIRST_SKU_ID + self._sku_ids.of(first_sku + number))

        seller = self._seller(self._seed.below(self._sellers, "seller of", index))
        if index < 0:
            return example_design(self._seed, -1 - index, sku_id, seller)
        origins = PROFILES[index % len(PROFILES)].origins
        return draw_design(self._seed, index, Identity(str(_FIRST_ID + self._ids.of(index)), sku_id, origins, seller))

    def _away_at(self, now_ms: int) -> list[int]:
        hour = self.life.hour(now_ms)
        known, away = self._away
        if known != hour:
            away = sorted(self._statuses.away(hour))
            self._away = (hour, away)
        return away

    def _listing(self, feed: Feed) -> Listing:
        examples = [example.product_id for example in EXAMPLE_PRODUCTS if feed.key in example.feeds]
        return Listing(feed, self._seed, self._drawn, examples)


def _ids_clear_of_examples(seed: Seed) -> Permutation:
    """A permutation of ids that gives no product of any catalogue the id of an example."""
    taken = [int(example.product_id) - _FIRST_ID for example in EXAMPLE_PRODUCTS if int(example.product_id) > _FIRST_ID]
    attempt = 0
    while True:
        ids = permutation(seed, _IDS, f"product ids {attempt}")
        if all(ids.back(offset) >= LARGEST for offset in taken):
            return ids
        attempt += 1
