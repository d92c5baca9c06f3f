"""What a section of the report is made of: words, a picture, and the numbers behind it in tables.

Texts of the API are handed on as `Foreign`; the page shows them so that they stay texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dropship_pipeline.report.drawing import Picture


@dataclass(frozen=True, slots=True)
class Foreign:
    """A text that the API gave, or a person wrote."""

    text: str | None


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, in percent."""

    percent: float


Cell = Foreign | Share | str | int | float | Decimal | datetime | None


@dataclass(frozen=True, slots=True)
class Numbered:
    """A table of numbers. `caption`: what it lists; `is_open`: shown without being asked for."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page: what it is about in a line or two, a picture, tables. `nothing`: why there is none yet."""

    key: str
    title: str
    lede: str = ""
    picture: Picture | None = None
    tables: Sequence[Numbered] = ()
    nothing: str = ""


def empty(section: Section, why: str) -> Section:
    """The section, of which there is nothing yet."""
    return Section(section.key, section.title, section.lede, nothing=f"Nothing yet: {why}.")


def full(section: Section, drawn: Picture | None, *tables: Numbered) -> Section:
    """The section with its picture, and those of its tables that have rows."""
    kept = [table for table in tables if table.rows]
    return Section(section.key, section.title, section.lede, drawn, kept)
