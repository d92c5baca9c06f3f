"""One log of many services: each line with its time (UTC) and the name of who said it; colours on a terminal only."""

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from pydantic import SecretStr

from dropship_pipeline.alibaba.redaction import blot
from dropship_pipeline.settings import Settings

WIDTH = 10
_COLOURS = ("36", "33", "35", "34", "32", "96", "93", "95")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# how Dagster begins a line, and then one of a run
_OPENING = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} - [\w.]+ - (\w+) - ")
_RUN = re.compile(r"^[\w:]+ - ([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} - ")


class Output:
    """Standard output, shared by the threads that read what the services say. Secrets are blotted out."""

    def __init__(self, names: Sequence[str], settings: Settings, gone: Callable[[], None]) -> None:
        """`names`: who speaks. `settings`: whose secrets are blotted out. `gone` is called when nobody reads it."""
        self._colours = {name: _COLOURS[position % len(_COLOURS)] for position, name in enumerate(names)}
        self._secrets = tuple(_secrets_of(settings))
        self._gone = gone
        self._read = True
        self._lock = threading.Lock()
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._coloured = sys.stdout.isatty() and not plain

    def write(self, name: str, line: str) -> None:
        """A line of a service, or of `dropship` itself; those for the makers of Dagster are left out."""
        if line.startswith("DEBUG "):
            return
        for part in blot(line, self._secrets).splitlines() or [""]:
            self._put(name, part)

    def _put(self, name: str, line: str) -> None:
        opening = f"{time.strftime('%H:%M:%SZ', time.gmtime())} {name:<{WIDTH}} | "
        if self._coloured:
            opening = f"\x1b[{self._colours.get(name, '1')}m{opening}\x1b[0m"
            if line.startswith(("ERROR", "CRITICAL")):
                line = f"\x1b[31m{line}\x1b[0m"
        self.plain(opening + line)

    def plain(self, line: str) -> None:
        """A line as it is."""
        try:
            with self._lock:
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
        except OSError:
            if self._read:
                self._read = False
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what comes is for nobody
                self._gone()


def _secrets_of(settings: Settings) -> Iterator[str]:
    for _, value in settings:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
    if settings.database_url is not None:
        with suppress(ValueError):
            yield urlsplit(settings.database_url.get_secret_value()).password or ""


def tidy(line: str) -> str:
    """A line that a service said, without its colours and its own time; the level stays where it means trouble."""
    bare = _ESCAPES.sub("", line).rstrip()
    opening = _OPENING.match(bare)
    if opening is None:
        return bare
    level = opening.group(1)
    rest = _RUN.sub(r"run \1: ", bare[opening.end() :])
    return rest if level == "INFO" else f"{level} {rest}"


_CAUSE = re.compile(r"^(?:[\w.]*(?:Error|Exception|Problem|Failed|Down|Gone)): .+|^dropship: .+|^ERROR .+")
_CHAINED = ("The above exception was the direct cause", "During handling of the above exception")


def last_words(lines: Sequence[str]) -> str:
    """What a process died of: the first cause in its last traceback, else the last line that it said."""
    cause, linked = "", False
    for line in lines:
        if line.startswith("Traceback") and not linked:
            cause = ""
        linked = line.startswith(_CHAINED) or (linked and not line.strip())
        if not cause and _CAUSE.match(line):
            cause = line
    return (cause or next((line for line in reversed(lines) if line.strip()), "it said nothing")).strip()
