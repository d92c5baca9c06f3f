"""`dropship` with a stopwatch: the command as it is, and a file that tells when its stages began and ended.

    python benchmarks/stopwatch.py FILE BEGAN sync --json

`BEGAN` is what `time.monotonic()` of the parent was when it started this. The file: seconds from then on, in order, as
`[[stage, begun, ended], …]`; what lies before the first is start-up (Python, Dagster, the database), what lies behind
the last is the end of the run. Stages are told apart by what a person sees of them: nothing of the work is touched.
"""

import json
import sys
import time
from pathlib import Path
from typing import TextIO

from dropship_pipeline.cli import bars, main

FILE, BEGAN = Path(sys.argv[1]), float(sys.argv[2])
STAGES: list[list[str | float]] = []


def now() -> float:
    """Seconds since the parent started this."""
    return round(time.monotonic() - BEGAN, 3)


class Stopwatch(bars.Lines):
    """What shows the progress, and notes it."""

    def begin(self, stage: str, total: int | None) -> None:
        """A stage begins."""
        super().begin(stage, total)
        STAGES.append([stage, now(), now()])

    def finish(self) -> None:
        """It has ended."""
        super().finish()
        STAGES[-1][2] = now()


def watcher(*, plain: bool) -> Stopwatch:
    """Instead of the one of the command line."""
    del plain
    stream: TextIO = sys.stderr
    return Stopwatch(stream)


if __name__ == "__main__":
    bars.watcher = watcher
    sys.argv = ["dropship", *sys.argv[3:]]
    try:
        main()
    finally:
        FILE.write_text(json.dumps(STAGES))
