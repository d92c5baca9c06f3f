"""What things cost at a moment: a price level that steps now and then, and the arithmetic of cents."""

from math import exp, floor

from dropship_pipeline.sandbox.world.seeding import Seed, normal_quantiles

_MEDIAN_DAYS_BETWEEN_CHANGES = 20
_SIGMA_OF_RATES = 1.5  # log-normal: some prices move daily, some never in a year
_SPREAD_OF_LEVELS = 0.07  # a level lies within about ±15 % of the undrifted price


def change_rate(byte: int) -> float:
    """Price changes a day of a product that drew `byte`: log-normal, median one in 20 days."""
    return exp(_SIGMA_OF_RATES * normal_quantiles()[byte]) / _MEDIAN_DAYS_BETWEEN_CHANGES


def price_version(index: int, rate: float, days: float) -> int:
    """How often the price of product `index` has changed by day `days`: steps at irregular moments, never backwards."""
    progress = rate * days + (index * 0.7548776662) % 1
    whole = floor(progress)
    moment = ((whole * 2654435761 + index * 40503) >> 7 & 0xFFF) / 0x1000
    return whole + (progress - whole >= moment)


def price_factor(seed: Seed, index: int, rate: float, days: float | None) -> float:
    """What multiplies the undrifted prices of product `index` on day `days`; 1 where time stands still (None)."""
    if days is None:
        return 1.0
    byte = seed.entropy("price level", index, price_version(index, rate, days))[0]
    return exp(_SPREAD_OF_LEVELS * normal_quantiles()[byte])


def scaled_cents(cents: int, permille: int, factor: float) -> int:
    """The price in cents of a ladder step at a price level; at least one cent."""
    return int(cents * permille * factor / 1000 + 0.5) or 1


def text_of_cents(cents: int) -> str:
    """'3.69' for 369: prices are told with two decimals."""
    return f"{cents // 100}.{cents % 100:02d}"
