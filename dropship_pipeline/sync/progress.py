"""Telling whoever watches how a long piece of work goes. The work calls these; it never prints."""

import logging
import time
from typing import Protocol


class Progress(Protocol):
    """What a watcher implements: a bar on a terminal, lines in a log, nothing at all."""

    def begin(self, stage: str, total: int | None) -> None:
        """A stage begins; `total` items are to be done, None where nobody can know."""

    def advance(self, count: int, total: int | None = None) -> None:
        """`count` more items are done; `total` corrects what `begin` said."""

    def finish(self) -> None:
        """The stage that began last has ended."""

    def note(self, line: str) -> None:
        """One line that a person should see now."""


class Silent:
    """Nobody watches."""

    def begin(self, stage: str, total: int | None) -> None:
        """Not shown."""

    def advance(self, count: int, total: int | None = None) -> None:
        """Not shown."""

    def finish(self) -> None:
        """Not shown."""

    def note(self, line: str) -> None:
        """Not shown."""


class Logged:
    """Lines in a log: one when a stage begins and ends, and one every `every` seconds between.

    Never one an item: Dagster keeps each line as an event for ever.
    """

    def __init__(self, logger: logging.Logger, every: float = 15.0) -> None:
        self._logger = logger
        self._every = every
        self._stage = ""
        self._total: int | None = None
        self._done = 0
        self._began = 0.0
        self._said = 0.0

    def begin(self, stage: str, total: int | None) -> None:
        """Say that the stage begins."""
        self._stage, self._total, self._done = stage, total, 0
        self._began = self._said = time.monotonic()
        self._logger.info("%s: %s to do", stage, "an unknown number" if total is None else f"{total:,}")

    def advance(self, count: int, total: int | None = None) -> None:
        """Count, and say so when it has been quiet for long enough."""
        self._done += count
        self._total = total if total is not None else self._total
        if time.monotonic() - self._said >= self._every:
            self._said = time.monotonic()
            of = "" if self._total is None else f" of {self._total:,}"
            self._logger.info("%s: %s%s done", self._stage, f"{self._done:,}", of)

    def finish(self) -> None:
        """Say how much was done, in how long."""
        self._logger.info("%s: %s done in %.1f s", self._stage, f"{self._done:,}", time.monotonic() - self._began)

    def note(self, line: str) -> None:
        """Log the line as a warning: somebody should read it."""
        self._logger.warning("%s", line)
