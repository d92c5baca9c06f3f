"""Option types that several commands share: they read what a person typed, or say what is wrong with it (exit 2)."""

from datetime import timedelta
from math import isfinite
from typing import Any

import click

from dropship_pipeline.problem import Problem


class AgeType(click.ParamType[timedelta]):
    """An age such as 24h, 90m or 7d."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        from dropship_pipeline.catalog.freshness import parse_age  # noqa: PLC0415  --help must not wait for it

        if isinstance(value, timedelta):
            return value
        try:
            return parse_age(str(value))
        except Problem as problem:
            self.fail(str(problem), param, ctx)


class FeedType(click.ParamType[str]):
    """The key of a feed."""

    name = "feed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it."""
        from dropship_pipeline.catalog.feeds import feed  # noqa: PLC0415

        try:
            return feed(str(value)).key
        except Problem as problem:
            self.fail(str(problem), param, ctx)


class IdType(click.ParamType[str]):
    """The ID of a product or an order: one word."""

    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it."""
        words = str(value).replace(",", " ").split()
        if len(words) != 1 or words[0] != str(value).strip():
            self.fail(f"{str(value)[:60]!r} is no ID. Give one, such as 1601206892606; each by itself.", param, ctx)
        return words[0]


class WeightType(click.FloatRange):
    """A number of at least 0, and no more than a number: neither `nan` nor `inf`."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        weight = super().convert(value, param, ctx)
        if not isfinite(weight):
            self.fail(f"{value} is no weight. Give a number such as 5.", param, ctx)
        return weight


AGE = AgeType()
FEED = FeedType()
ID = IdType()
WEIGHT = WeightType()
