"""Reports in the lake: `reports/<UTC time>.html`, the last of them kept, `reports/latest.html` the newest."""

import re
from dataclasses import dataclass
from datetime import UTC

from dropship_pipeline.report.numbers import gather
from dropship_pipeline.report.page import render
from dropship_pipeline.settings import Settings
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.server.database import Database

ROOT = "reports"
LATEST = f"{ROOT}/latest.html"
KEPT = 7

_NAME = "%Y-%m-%dT%H-%M-%SZ.html"
_NAMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.html")


@dataclass(frozen=True, slots=True)
class Written:
    """A report in the lake: where it is, where the newest is, and its size."""

    path: str
    latest: str
    size: int


def write(database: Database, lake: Lake, settings: Settings) -> Written:
    """Make the report of now, keep it with the last ones, and make it the newest.

    Whoever reads the newest meanwhile reads the one before, whole. Raises `DatabaseProblem`, `LakeProblem`.
    """
    numbers = gather(database, settings)
    page = render(numbers).encode()
    name = numbers.totals.taken_at.astimezone(UTC).strftime(_NAME)
    path = f"{ROOT}/{name}"
    lake.write(path, page)
    if lake.is_local:
        lake.point(LATEST, name)
    else:
        lake.write(LATEST, page)
    for old in _kept(lake)[:-KEPT]:
        lake.delete(old)
    return Written(lake.at(path), lake.at(LATEST), len(page))


def _kept(lake: Lake) -> list[str]:
    """The reports in the lake, oldest first; what else lies there is left alone."""
    return [path for path in lake.files(ROOT) if _NAMES.fullmatch(path.rpartition("/")[2])]
