"""`dropship report`: the catalogue on one page, for people."""

import sys
import webbrowser
from pathlib import Path

import click

from dropship_pipeline.cli.show import show_line


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Write it there; - is standard output. Default: reports/ in the lake, where the last seven are kept.",
)
@click.option("--open", "open_it", is_flag=True, help="Open it in the browser.")
def report(out: Path | None, open_it: bool) -> None:
    """Make the report: one HTML page with feeds, prices, freight, stock, moves, holds, orders and data quality.

    All of its numbers are of one moment. It needs no network and no other file: send it to whoever should read it.

    \b
    dropship report --open
    dropship report --out catalogue.html
    """
    to_stdout = out == Path("-")
    if to_stdout and open_it:
        raise click.UsageError("What goes to standard output cannot be opened: give --out FILE.")
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.report import archive  # noqa: PLC0415
    from dropship_pipeline.report.numbers import gather  # noqa: PLC0415
    from dropship_pipeline.report.page import render  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.lake.place import Lake  # noqa: PLC0415

    settings = load_settings()
    lake = Lake(settings.lake_url)
    if open_it and out is None and not lake.is_local:
        raise click.UsageError("A report in a bucket cannot be opened: give --out FILE.")
    database = open_tables(settings)
    if out is None:
        place = archive.write(database, lake, settings).path
    else:
        page = render(gather(database, settings))
        if to_stdout:
            sys.stdout.write(page)
            return
        out.write_text(page, encoding="utf-8")
        place = str(out.absolute())
    show_line(place)
    if open_it:
        webbrowser.open(Path(place).as_uri())
