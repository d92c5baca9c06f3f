"""The `dropship` command. This module only starts it: importing anything more belongs in the command that needs it."""

import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line; exit 0 done, 1 something failed (one line on stderr), 2 usage."""
    from dropship_pipeline.cli.commands import run  # noqa: PLC0415  so that importing the package costs nothing

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a tick shows a question mark
    sys.exit(run(sys.argv[1:]))
