"""How old each kind of answer may get before it is read again, and reading an age that a person typed."""

import re
from datetime import timedelta
from types import MappingProxyType

from dropship_pipeline.problem import Problem

MAX_AGES = MappingProxyType(
    {
        "description": timedelta(hours=24),
        "inventory": timedelta(hours=24),
        # rates move with carriers' tariffs, not with the product
        "freight": timedelta(days=7),
    }
)

# Before that, there was no Alibaba.com; and a moment so long ago is still one to every clock and store.
MAX_AGE = timedelta(days=36_500)

_AGE = re.compile(r"(\d{1,9})\s*([smhdw]?)", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str) -> timedelta:
    """Read `24h`, `90m`, `7d`, `30s`, `2w` or `0`. Raises `Problem` for anything else."""
    match = _AGE.fullmatch(text.strip().lower())
    if match is None or (not match[2] and int(match[1]) != 0):
        raise Problem(f"{text!r} is no age", "Write a number and a unit: 30s, 90m, 24h, 7d or 2w; or 0")
    count, unit = int(match[1]), _UNITS[match[2] or "s"]
    if count > MAX_AGE / timedelta(**{unit: 1}):
        raise Problem(f"{text!r} is longer than any age", "Write a shorter one, such as 7d")
    return timedelta(**{unit: count})
