"""The vocabulary of the catalogue, read from `sandbox/data`: categories, the axes their variants differ in, names.

How it is combined into products is the business of `designs.py`.
"""

from importlib.resources import files
from typing import NamedTuple


class Axis(NamedTuple):
    """A dimension in which the variants of a product differ, such as Color."""

    name_id: int
    name: str
    values: tuple[str, ...]


class Category(NamedTuple):
    """A leaf category: what is sold in it, in which variants, at which prices and weights."""

    category_id: str
    name: str
    nouns: tuple[str, ...]
    materials: tuple[str, ...]
    axes: tuple[Axis, Axis]
    cents: tuple[int, int]  # cheapest and dearest unit price
    grams: tuple[int, int]  # lightest and heaviest, packed


def _rows(name: str) -> list[list[str]]:
    text = (files("dropship_pipeline.sandbox") / "data" / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()[1:]]


_AXES = {key: Axis(int(name_id), name, tuple(values.split("|"))) for key, name_id, name, values in _rows("axes.tsv")}

CATEGORIES: tuple[Category, ...] = tuple(
    Category(
        category_id=row[0],
        name=row[1],
        nouns=tuple(row[2].split("|")),
        materials=tuple(row[3].split("|")),
        axes=(_AXES[row[4]], _AXES[row[5]]),
        cents=(int(row[6]), int(row[7])),
        grams=(int(row[8]), int(row[9])),
    )
    for row in _rows("categories.tsv")
)

_NAMES = {kind: tuple(words.split("|")) for kind, words in _rows("names.tsv")}

ADJECTIVES = _NAMES["adjectives"]
FEATURES = _NAMES["features"]
CITIES = _NAMES["cities"]
FIRM_NAMES = _NAMES["firm_names"]
FIRM_TRADES = _NAMES["firm_trades"]
MODES = _NAMES["modes"]
UNITS = _NAMES["units"]
