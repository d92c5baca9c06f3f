"""`dropship replay`: the tables derived again from the landed answers."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.options import AGE, FEED
from dropship_pipeline.cli.show import show_json, show_line, show_table
from dropship_pipeline.counting import counted

if TYPE_CHECKING:
    from dropship_pipeline.sync.replay.summary import ReplaySummary


class KindType(click.ParamType[str]):
    """A kind of landed answer."""

    name = "kind"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it."""
        from dropship_pipeline.sync.replay.run import KINDS  # noqa: PLC0415  --help must not wait for it

        if str(value) not in KINDS:
            self.fail(f"There is no kind of answer {str(value)!r}. Choose among {', '.join(KINDS)}.", param, ctx)
        return str(value)


KIND = KindType()


@click.command()
@click.option("--since", type=AGE, metavar="AGE", help="Only what was landed in this time: 24h, 7d. Default: all.")
@click.option(
    "--kind",
    "kinds",
    type=KIND,
    multiple=True,
    metavar="KIND",
    help="Only these answers: listing, description, inventory or freight; may be repeated.",
)
@click.option(
    "--feed", "feeds", type=FEED, multiple=True, metavar="KEY", help="Only what this feed lists; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def replay(since: timedelta | None, kinds: tuple[str, ...], feeds: tuple[str, ...], as_json: bool) -> None:
    """Derive the tables again from the landed answers, without reading anything from the API.

    For when a table was altered or emptied by hand, an older backup was restored, or an answer is read better by this
    version than by the one before. What is in order is left alone, so that it may be repeated, and stopped at any time.

    \b
    dropship replay                                    everything that is kept
    dropship replay --since 7d --feed us_standard      a feed, from the answers of a week
    dropship replay --kind description --kind freight  some kinds of answers
    """
    from dropship_pipeline.cli.bars import watcher  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    with watcher(plain=as_json) as progress:
        from dropship_pipeline.sync.replay.run import replay as replay_answers  # noqa: PLC0415
        from dropship_pipeline.sync.session import open_store  # noqa: PLC0415

        with open_store(settings, "cli", progress) as store:
            summary = replay_answers(store, since, kinds, feeds)
    if as_json:
        show_json(summary.as_json())
    else:
        _show(summary)


def _show(summary: "ReplaySummary") -> None:
    show_table(
        (
            "kind",
            "files",
            "answers",
            "passed over",
            "derived",
            "rows written",
            "refused",
            "rejected",
            "unsettled",
            "torn",
        ),
        [
            (
                kind.kind,
                kind.files,
                kind.answers,
                kind.passed_over,
                kind.rederived,
                kind.rows_written,
                kind.refused,
                kind.rejected,
                kind.unsettled,
                len(kind.torn),
            )
            for kind in summary.kinds
        ],
        title="Landed answers",
    )
    for path in summary.torn:
        click.echo(f"Torn, and set aside: {path}")
    written = counted(summary.rows_written, "row")
    show_line(f"Replay done in {summary.seconds:.1f} s: {written} written, 0 calls", "bold green")
    if summary.rows_written:
        click.echo("Next: dropship publish")
