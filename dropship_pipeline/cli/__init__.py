"""The `dropship` command. This module only starts it: importing anything more belongs in the command that needs it."""

import os
import signal
import sys
from io import TextIOWrapper

from dropship_pipeline.garbage import allocate_plainly, collect_seldom, leave_what_is_there


def main() -> None:
    """Run the command line; exit 0 done, 1 something failed (one line on stderr), 2 usage, 130 or 143 stopped."""
    collect_seldom()
    allocate_plainly()
    from dropship_pipeline.stopping import SIGNALS, exit_status, terminate  # noqa: PLC0415  importing us costs nothing

    try:
        signal.signal(signal.SIGTERM, terminate)
        _open_what_is_closed()
        from dropship_pipeline.cli.commands import run  # noqa: PLC0415

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that cannot show a tick shows a question mark
        status = run(sys.argv[1:])
    except KeyboardInterrupt as stop:
        status = exit_status(stop)
        sys.stderr.write("dropship: stopped\n")
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # what was begun is put away now: a second Ctrl-C would leave it about
    # Python looks for garbage once more before it ends: among all of Dagster that takes a second. DuckDB takes what is
    # not looked through for leaked, and says so at length: no command needs both.
    if "dagster" in sys.modules:
        leave_what_is_there()
    sys.exit(status)


def _open_what_is_closed() -> None:
    """Have all three standard streams: in place of one that was closed the next file or socket would get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  open to the end
