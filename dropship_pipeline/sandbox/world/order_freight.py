"""What it costs to send an order: the carriers that take every part of it, at the sum of their fees (guide §7)."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from dropship_pipeline.sandbox.world.catalogue_view import CatalogueView, FreightView, ProductView


class Way(NamedTuple):
    """A carrier for a whole order, and its fee for all of it in US dollars."""

    carrier: FreightView
    fee: Decimal


def ways_to_send(
    catalogue: CatalogueView,
    parts: Iterable[tuple[ProductView, int]],
    country_code: str,
    dispatch_location: str,
    zip_code: str,
    *,
    advanced: bool = True,
) -> dict[str, Way]:
    """The ways to send all parts (product, quantity) together, by carrier code.

    Raises what freight refuses one of them with (`world/freight.py`).
    """
    common: dict[str, Way] | None = None
    for product, quantity in parts:
        options = catalogue.freight(product, quantity, country_code, dispatch_location, advanced, zip_code)
        ways = {option.vendor_code: Way(option, option.fee) for option in options}
        if common is not None:
            ways = {code: Way(way.carrier, way.fee + common[code].fee) for code, way in ways.items() if code in common}
        common = ways
    return common or {}
