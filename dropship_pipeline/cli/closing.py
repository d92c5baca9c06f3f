"""The closing summary of `dropship sync`: what it did by feed and by stage, where the tables are, how to go on."""

from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.show import is_person, show_line, show_table
from dropship_pipeline.counting import counted

if TYPE_CHECKING:
    from dropship_pipeline.sync.summary import SyncSummary

_NEXT = (
    'dropship sql "SELECT title, wholesale_price, currency FROM catalog.products LIMIT 10"',
    "dropship status    # how true the tables are",
    "dropship sync      # again: only what is due is read, and nothing is rewritten",
)
_MEANINGS = {
    "refused": "Alibaba.com said no to these products: see catalog.freight_failures and ops.fetches",
    "rejected": "answers that cannot be read: dropship rejected list",
    "undone": "not read this time; still due",
}
_REAL = (
    "export ALIBABA_APP_KEY=… ALIBABA_APP_SECRET=… DROPSHIP_HOME=.dropship-live",
    "dropship auth login",
    "dropship sync",
)


def show_summary(summary: "SyncSummary") -> None:
    """Print it."""
    if summary.feeds_table:
        show_table(
            ("feed", "listed", "new", "changed", "delisted", "rejected", "state"),
            [(r.feed, r.listed, r.new, r.changed, r.delisted, r.rejected, r.state) for r in summary.feeds_table],
            title="Feeds",
        )
    if summary.stages:
        show_table(
            ("stage", "due", "done", "changed", "refused", "rejected", "undone", "calls", "seconds"),
            [
                (s.stage, s.due, s.done, s.changed, s.refused, s.rejected, s.undone, s.calls.calls, s.seconds)
                for s in summary.stages
            ],
            title="Stages",
        )
        _explain(summary)
    calls = summary.calls
    state = "not all done" if summary.problems else "done"
    show_line(
        f"Sync {state} in {summary.seconds:.1f} s: {calls.in_words()}",
        "bold yellow" if summary.problems else "bold green",
    )
    _show_places(summary)
    if summary.simulated:
        _show_block(
            "This is the simulated Alibaba.com: no product in these tables exists. With an app of your own:", _REAL
        )
    if is_person() or summary.simulated:
        _show_block("Next:", _NEXT)


def _explain(summary: "SyncSummary") -> None:
    """What the columns mean that hold anything that a person may wonder about."""
    for column, meaning in _MEANINGS.items():
        if any(getattr(stage, column) for stage in summary.stages):
            click.echo(f"{column}: {meaning}")


def _show_places(summary: "SyncSummary") -> None:
    """Where the tables are, as lines to paste."""
    _show_block("The tables, in schema catalog of Postgres:", ["dropship db psql", 'psql "$(dropship db url)"'])
    if summary.snapshot:
        rows = f"{counted(sum(summary.rows.values()), 'row')} in {counted(len(summary.rows), 'table')}"
        _show_block(f"The same as Parquet, a file a table, {rows}:", [summary.places["Parquet"]])
    else:
        _show_block("No Parquet snapshot was published this time.", [])


def _show_block(title: str, lines: "list[str] | tuple[str, ...]") -> None:
    click.echo()
    click.echo(title)
    for line in lines:
        click.echo(f"  {line}")
