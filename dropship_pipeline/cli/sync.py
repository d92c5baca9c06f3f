"""`dropship sync`: the whole catalogue, a feed, or a few products, as a run of the Dagster job that the UI shows."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.options import AGE, FEED
from dropship_pipeline.cli.show import is_person, show_json, show_table

if TYPE_CHECKING:
    from dropship_pipeline.sync.summary import SyncSummary


@click.command()
@click.option("--feed", "feeds", type=FEED, multiple=True, metavar="KEY", help="Only this feed; may be repeated.")
@click.option(
    "--product", "products", multiple=True, metavar="ID", help="Only this product, whatever its age; may be repeated."
)
@click.option(
    "--max-age", type=AGE, metavar="AGE", help="Refresh what is older: 24h, 90m, 7d. Default: each kind's own age."
)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Refresh at most N products of each kind.")
@click.option("--force", is_flag=True, help="Refresh whatever its age.")
@click.option("--let-through", is_flag=True, help="End memberships although more than a fifth of a feed would go.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
def sync(
    feeds: tuple[str, ...],
    products: tuple[str, ...],
    max_age: timedelta | None,
    limit: int | None,
    force: bool,
    let_through: bool,
    as_json: bool,
) -> int:
    """Bring the tables up to date with the catalogue, and publish them.

    \b
    dropship sync                                  all feeds
    dropship sync --feed us_standard --max-age 6h  one feed, refreshing what is older than six hours
    dropship sync --product 1601206892606          one product, now
    """
    from dropship_pipeline.cli.bars import Lines, watcher  # noqa: PLC0415  Dagster takes a second to import
    from dropship_pipeline.orchestration.run import run_sync  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.request import SyncRequest, all_feeds  # noqa: PLC0415

    if feeds and products:
        raise click.UsageError("--feed and --product exclude each other: a product is refreshed wherever it is listed.")
    request = SyncRequest(
        feeds=() if products else feeds or all_feeds(),
        product_ids=products,
        max_age=max_age,
        limit=limit,
        force=force,
        let_through=let_through,
    )
    with Lines() if as_json else watcher() as progress:
        summary = run_sync(load_settings(), request, progress)
    if as_json:
        show_json(summary.as_json())
    else:
        show_summary(summary)
    for line in summary.problems:
        click.echo(f"dropship: {line}.", err=True)
    return 1 if summary.problems else 0


def show_summary(summary: "SyncSummary") -> None:
    """What the sync did: by feed, by stage, in calls; where the tables are; what to try next."""
    if summary.feeds_table:
        show_table(
            ("feed", "listed", "new", "changed", "delisted", "rejected", "state"),
            [(r.feed, r.listed, r.new, r.changed, r.delisted, r.rejected, r.state) for r in summary.feeds_table],
            title="Feeds",
        )
    show_table(
        ("stage", "due", "done", "changed", "refused", "rejected", "undone", "calls", "seconds"),
        [
            (s.stage, s.due, s.done, s.changed, s.refused, s.rejected, s.undone, s.calls.calls, f"{s.seconds:.1f}")
            for s in summary.stages
        ],
        title="Stages",
    )
    calls = summary.calls
    click.echo(
        f"{calls.calls:,} calls, {calls.throttles:,} throttles, {calls.retries:,} retries in {summary.seconds:.1f} s"
    )
    for name, place in summary.places.items():
        click.echo(f"{name}: {place}")
    if is_person() or summary.simulated:
        click.echo("Next:")
        for line in _NEXT:
            click.echo(f"  {line}")


_NEXT = (
    (
        'dropship sql "SELECT title, min(price) FROM catalog.products JOIN catalog.price_tiers USING (product_id) '
        'GROUP BY 1 ORDER BY 2 LIMIT 10"'
    ),
    "dropship status",
    "dropship sync                    again: only what is due is read, and nothing is rewritten",
)
