"""Option types that several commands share: they read what a person typed, or say what is wrong with it (exit 2)."""

from datetime import timedelta

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


AGE = AgeType()
FEED = FeedType()
