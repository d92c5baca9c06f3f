"""The seeded orders of one buyer: computed from (seed, buyer, number), never stored.

The orders of the last 90 days before the sandbox started lie in equal slots on an absolute grid of time. An order's
number is its slot, so that the same slot holds the same order with the same id whenever the sandbox starts: a restart
next week has dropped a week of the oldest ones and shows a week of newer ones. What was ordered is a product of the
catalogue as it was on that day.
"""

from dropship_pipeline.sandbox.api import Refusal
from dropship_pipeline.sandbox.world import lifecycle, recipients
from dropship_pipeline.sandbox.world.buyers import Buyer
from dropship_pipeline.sandbox.world.catalogue_view import CatalogueView, ProductView
from dropship_pipeline.sandbox.world.lifecycle import Timeline
from dropship_pipeline.sandbox.world.order_freight import ways_to_send
from dropship_pipeline.sandbox.world.order_model import CENT, LARGEST_TOTAL, LEAST_TOTAL, Draft, order_line
from dropship_pipeline.sandbox.world.products import ONLINE
from dropship_pipeline.sandbox.world.recipients import Recipient
from dropship_pipeline.sandbox.world.seeding import Seed, permutation

SPAN_MS = 90 * 86_400_000
MOST_ORDERS = 1_000_000
_SERIALS = 10**7  # serial numbers of seeded trade ids: 25 0000000 to 25 9999999
_ATTEMPTS = 40  # products looked at until one can be ordered


class History:
    """One buyer's `count` orders of the 90 days before `start_ms`, oldest first: order 0 to `count` - 1."""

    def __init__(self, seed: Seed, catalogue: CatalogueView, buyer: Buyer, count: int, start_ms: int) -> None:
        if not 0 <= count <= MOST_ORDERS:
            raise ValueError(f"a history holds 0 to {MOST_ORDERS:,} orders, not {count:,}")
        self.buyer = buyer
        self.count = count if catalogue.some_product_id(0) is not None else 0
        self._seed = seed
        self._catalogue = catalogue
        self._slot_ms = SPAN_MS // max(1, count)
        self._first_slot = start_ms // self._slot_ms - count
        self._account = int(buyer.user_id)
        self._serials = permutation(seed, _SERIALS, "order serials")

    def created_ms(self, number: int) -> int:
        """When the order was created; never later than the next order."""
        slot = self._first_slot + number
        within = self._seed.below(self._slot_ms, "order time", self._account, slot)
        return lifecycle.whole_second(slot * self._slot_ms + within)

    def timeline(self, number: int) -> Timeline:
        """The order's life, payments and cancellations through the API aside."""
        entropy = self._seed.entropy("order life", self._account, self._first_slot + number)
        return lifecycle.seeded(self.created_ms(number), entropy)

    def trade_id(self, number: int) -> str:
        """The order's id: 18 digits, of which the last nine are the buyer's."""
        return f"25{self._serials.of((self._first_slot + number) % _SERIALS):07d}{self.buyer.trade_suffix}"

    def number_of(self, trade_id: str) -> int | None:
        """The number of the order with this id, or None."""
        if len(trade_id) != 18 or not trade_id.isdecimal() or not trade_id.startswith("25"):
            return None
        number = (self._serials.back(int(trade_id[2:9])) - self._first_slot) % _SERIALS
        return number if number < self.count and trade_id == self.trade_id(number) else None

    def draft(self, number: int) -> Draft:
        """What was ordered: a product that could be ordered and sent on that day."""
        slot = self._first_slot + number
        recipient = recipients.drawn(self._seed.entropy("order recipient", self._account, slot))
        drafts = (
            self._attempt(self._seed.entropy("order product", self._account, slot, attempt), recipient, number)
            for attempt in range(_ATTEMPTS)
        )
        draft = next(filter(None, drafts), None)
        if draft is None:
            raise LookupError(f"none of {_ATTEMPTS} products of the catalogue can be ordered")
        return draft

    def _attempt(self, entropy: bytes, recipient: Recipient, number: int) -> Draft | None:
        """The order that this entropy draws, or None where it could not have been placed."""
        product_id = self._catalogue.some_product_id(int.from_bytes(entropy[:8], "little"))
        product = product_id and self._catalogue.product(product_id, self.created_ms(number))
        if not product or product.status != ONLINE:
            return None
        parts = _parts(product, entropy)
        locations = product.dispatch_locations
        location = recipient.country_code if recipient.country_code in locations else locations[0]
        try:
            ways = ways_to_send(
                self._catalogue,
                [(product, part) for part in parts],
                recipient.country_code,
                location,
                recipient.zip,
            )
        except Refusal:
            return None
        if not ways:
            return None
        way = list(ways.values())[entropy[9] % len(ways)]
        draft = Draft(
            lines=tuple(
                order_line(product, product.skus[(entropy[10] + turn) % len(product.skus)], part)
                for turn, part in enumerate(parts)
            ),
            recipient=recipient,
            dispatch_location=location,
            carrier_code=way.carrier.vendor_code,
            carrier_name=way.carrier.vendor_name,
            shipping_type=way.carrier.shipping_type,
            shipment_fee=way.fee.quantize(CENT),
            seller_eid=product.e_company_id,
            seller_name=product.seller_name,
        )
        return draft if LEAST_TOTAL <= draft.total <= LARGEST_TOTAL else None


def _parts(product: ProductView, entropy: bytes) -> list[int]:
    """The quantities of the order's lines: mostly the least that can be ordered, sometimes a few more."""
    extra = (0, 0, 0, 0, 0, 1, 1, 2, 3, 5)[entropy[8] % 10]
    second_variant = entropy[11] < 40 and len(product.skus) > 1
    return [product.moq + extra, product.moq] if second_variant else [product.moq + extra]
