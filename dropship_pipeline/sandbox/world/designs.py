"""Draws the lasting design of a product from the seed: names, variants, ladder, terms; nothing that changes in time."""

from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from math import exp
from typing import NamedTuple

from dropship_pipeline.sandbox.world import words
from dropship_pipeline.sandbox.world.pricing import change_rate
from dropship_pipeline.sandbox.world.products import Attribute, Design, Seller, Tier, Variant, Wholesale
from dropship_pipeline.sandbox.world.seeding import Seed, normal_quantiles
from dropship_pipeline.sandbox.world.stock import StockPlan
from dropship_pipeline.sandbox.world.words import Axis, Category

IMAGE_HOST = "https://sc04.alicdn.com/kf/"

# (from the first byte of entropy that is below, the least quantity of the ladder, where its further steps begin)
_LADDERS = (
    (110, 1, (10, 100, 500)),
    (170, 2, (20, 100, 500)),
    (190, 3, (30, 150, 600)),
    (215, 5, (50, 200, 1000)),
    (235, 10, (100, 500, 1000)),
    (256, 50, (500, 1000, 5000)),
)
_LADDER_OF_BYTE = tuple(
    next((least, further) for bound, least, further in _LADDERS if byte < bound) for byte in range(256)
)
# values of the first and of the second axis; most products come in a few variants, some in a dozen
_VARIANT_SHAPES = (
    *((1, 1), (1, 1), (1, 1), (2, 1), (2, 1), (2, 1), (3, 1), (3, 1), (4, 1), (2, 2), (5, 1), (6, 1)),
    *((3, 2), (4, 2), (5, 2), (3, 3), (4, 3), (6, 2)),
)
_CURRENCIES = {250: "EUR", 251: "EUR", 252: "GBP", 253: "CNY", 254: "CNY", 255: "MXN"}
_RESTRICTIONS = (
    ("US",), ("MX",), ("US", "CA"), ("DE", "FR"), ("GB",), ("AU", "NZ"), ("BR",), ("US", "MX", "CA", "GB", "DE", "FR"),
)  # fmt: skip
_MEDIAN_STOCK_CYCLES_PER_DAY = 1 / 24
_STOCK_STEPS = (6, 12, 24, 40)


class Identity(NamedTuple):
    """What a design is told rather than draws: who it is and where it ships from."""

    product_id: str
    sku_id: Callable[[int], str]  # of variant number 0, 1, …
    origins: tuple[str, ...]
    seller: Seller
    variants: int | None = None  # how many there must be; None: drawn


def draw_seller(seed: Seed, number: int) -> Seller:
    """Supplier `number` of the world."""
    entropy = seed.entropy("seller", number)
    name = (
        f"{words.CITIES[entropy[0] % len(words.CITIES)]} {words.FIRM_NAMES[entropy[1] % len(words.FIRM_NAMES)]} "
        f"{words.FIRM_TRADES[entropy[2] % len(words.FIRM_TRADES)]} Co., Ltd."
    )
    return Seller(b64encode(entropy[8:24]).decode(), name)


def draw_design(seed: Seed, index: int, identity: Identity) -> Design:
    """The design of product number `index`."""
    entropy = seed.entropy("design", index)
    category = words.CATEGORIES[entropy[0] % len(words.CATEGORIES)]
    material = category.materials[entropy[1] % len(category.materials)]
    feature = words.FEATURES[entropy[2] % len(words.FEATURES)]
    picture = entropy[32:].hex()
    tiers = _tiers(entropy)
    cents = _within(category.cents, entropy[3])
    return Design(
        number=index,
        product_id=identity.product_id,
        title=(
            f"{words.ADJECTIVES[entropy[4] % len(words.ADJECTIVES)]} {material} "
            f"{category.nouns[entropy[5] % len(category.nouns)]} {feature}"
        ),
        category=category,
        seller=identity.seller,
        currency=_CURRENCIES.get(entropy[6], "USD"),
        origins=identity.origins,
        restricted=frozenset(_RESTRICTIONS[entropy[8] % len(_RESTRICTIONS)]) if entropy[7] < 8 else frozenset(),
        min_order_quantity=tiers[0].min_quantity,
        tiers=tiers,
        wholesale=_wholesale(entropy, tiers[0].min_quantity, cents),
        unit=words.UNITS[entropy[9] % len(words.UNITS)],
        mode_id=words.MODES[entropy[10] % len(words.MODES)],
        material=material,
        feature=feature,
        main_image=f"{IMAGE_HOST}H{picture[:32]}o.jpg",
        images=tuple(f"{IMAGE_HOST}H{picture[turn : turn + 32]}{turn}.jpg" for turn in range(entropy[11] % 6)),
        grams=_within(category.grams, entropy[12]),
        template_fails=entropy[13] < 4,
        price_rate=change_rate(entropy[14]),
        variants=_variants(seed, index, identity, category, cents, entropy),
    )


def _within(bounds: tuple[int, int], byte: int) -> int:
    """A number between the bounds, small ones as likely as large ones in proportion: prices and weights lie so."""
    low, high = bounds
    return int(low * (high / low) ** (byte / 255))


def _tiers(entropy: bytes) -> tuple[Tier, ...]:
    least, further = _LADDER_OF_BYTE[entropy[15]]
    return _ladder(least, further[: entropy[16] % 4], 40 + entropy[17] % 60)


@lru_cache(maxsize=2048)
def _ladder(least: int, further: tuple[int, ...], fall: int) -> tuple[Tier, ...]:
    """The steps of a price ladder that falls by `fall` permille a step."""
    starts = (least, *further)
    return tuple(
        Tier(start, starts[step + 1] - 1 if step + 1 < len(starts) else -1, 1000 - step * fall)
        for step, start in enumerate(starts)
    )


def _wholesale(entropy: bytes, least: int, cents: int) -> Wholesale | None:
    """The wholesale terms; one product in eight has none."""
    if entropy[18] < 32:
        return None
    days = 1 + entropy[19] % 7
    periods = ((50, days), (500, days + 4), (2000, days + 11))[: entropy[20] % 4]
    return Wholesale(max(1, least // 4) if entropy[18] & 1 else least, cents + cents // 8, days, periods)


def _variants(
    seed: Seed, index: int, identity: Identity, category: Category, cents: int, entropy: bytes
) -> tuple[Variant, ...]:
    shape = _VARIANT_SHAPES[entropy[21] % len(_VARIANT_SHAPES)]
    if identity.variants is not None:
        shape = (identity.variants, 1)
    first, second = category.axes
    picture = f"{IMAGE_HOST}A{entropy[40:54].hex()}"
    across = _attributes(first, entropy[23], shape[0], picture)
    down = _attributes(second, entropy[24], shape[1], picture) if shape[1] > 1 else ()
    both = [(one, two) for one in across for two in down] if down else [(one,) for one in across]
    entropies = seed.entropy("variants", index)
    rate = exp(normal_quantiles()[entropy[22]]) * _MEDIAN_STOCK_CYCLES_PER_DAY
    places = range(len(identity.origins))
    variants = []
    for number, attributes in enumerate(both):
        bits = int.from_bytes(entropies[number * 5 : number * 5 + 5], "little")
        further = number % len(down) if down else 0
        sku_id = identity.sku_id(number)
        variants.append(
            Variant(
                sku_id,
                f"{identity.product_id}_{sku_id[-4:]}{entropy[25]:03d}{number:02d}",
                attributes[0].image,
                attributes,
                cents * (100 + (bits & 0x1F) * further) // 100 if further else cents,
                tuple([_stock(bits >> 8 + 8 * place, rate) for place in places]),
            )
        )
    return tuple(variants)


def _attributes(axis: Axis, first: int, wanted: int, picture: str) -> tuple[Attribute, ...]:
    """`wanted` attributes of an axis (or as many as it has), from the `first`-th value on."""
    name_id, name, values = axis
    choices = [(first + step) % len(values) for step in range(min(wanted, len(values)))]
    return tuple(
        [
            Attribute(
                name_id, name, name_id % 10_000 * 100 + choice, values[choice], f"{picture}{name_id + choice:x}.jpg"
            )
            for choice in choices
        ]
    )


def _stock(bits: int, rate: float) -> StockPlan:
    """A plan from at least 16 bits: one place in 25 is always empty, the rest hold up to some thousands."""
    steps = _STOCK_STEPS[bits & 3]
    capacity = 0 if bits % 25 == 0 else steps * (1 + (bits >> 2 & 0x7F))
    return StockPlan(capacity, steps, rate, (bits >> 5 & 0xFF) / 256, bits & 0x1C == 0)
