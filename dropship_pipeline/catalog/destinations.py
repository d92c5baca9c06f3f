"""Where freight is quoted to: `US:90001,MX,GB`, read and checked (guide: Country Code Mapping)."""

import re
from dataclasses import dataclass

from dropship_pipeline.alibaba.requests import iso_country
from dropship_pipeline.problem import Problem

NOWHERE = "none"
_DESTINATION = re.compile(r"([A-Z]{2})(?::([A-Z0-9][A-Z0-9 -]{1,11}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Destination:
    """An ISO country code and, where rates depend on it, a postal code."""

    country: str
    zip_code: str | None = None

    def __str__(self) -> str:
        return self.country if self.zip_code is None else f"{self.country}:{self.zip_code}"


def parse_destinations(text: str) -> tuple[Destination, ...]:
    """Read a list such as `US:90001,MX,GB`; `none` is an empty one. Raises `Problem` naming what it cannot read."""
    if text.strip().lower() == NOWHERE:
        return ()
    found: dict[str, Destination] = {}
    for part in (piece.strip() for piece in text.split(",")):
        match = _DESTINATION.fullmatch(part.upper())
        if match is None:
            raise Problem(
                f"DROPSHIP_DESTINATIONS: {part!r} is no destination",
                f"Write countries, as in US:90001,MX,GB, or {NOWHERE}",
            )
        country = iso_country(match[1])
        if country in found:
            raise Problem(f"DROPSHIP_DESTINATIONS names {country} twice", "Name each country once")
        found[country] = Destination(country, match[2])
    return tuple(found.values())
