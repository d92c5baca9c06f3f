"""A process whose clock is ahead: what the pipeline reads of the time, in a process that was forked for a trial."""

import datetime as dt
import sys
import time


def shift_clock(seconds: float) -> None:
    """From now on it is so many seconds later (negative: earlier), for `time.time` and every `datetime.now`."""
    real_time = time.time
    time.time = lambda: real_time() + seconds
    ahead = dt.timedelta(seconds=seconds)

    class Shifted(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]  # not our own class
            return dt.datetime.now(tz) + ahead

    for name, module in list(sys.modules.items()):
        if name.startswith("dropship_pipeline") and getattr(module, "datetime", None) is dt.datetime:
            module.datetime = Shifted
