"""The sections of the report, in the order of the page. Each has a picture, and the numbers behind it in a table."""

from collections.abc import Callable

from dropship_pipeline.report import attention, offers
from dropship_pipeline.report.numbers import Numbers
from dropship_pipeline.report.parts import Section


def sections(numbers: Numbers) -> list[Section]:
    """All sections, in the order of the page."""
    return [make(numbers) for make in _SECTIONS]


_SECTIONS: tuple[Callable[[Numbers], Section], ...] = (
    offers.feeds,
    attention.moves,
    attention.watched,
    attention.holds,
    offers.landed,
    offers.prices,
    offers.freight,
    offers.stock,
    offers.freshness,
    attention.orders,
    attention.quality,
)
