"""`dropship sync`: the whole catalogue, a feed, or a few products, as a run of the Dagster job that the UI shows."""

from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.exits import debugging
from dropship_pipeline.cli.options import AGE, FEED, ID
from dropship_pipeline.cli.show import show_json
from dropship_pipeline.problem import Problem
from dropship_pipeline.stopping import exit_status

if TYPE_CHECKING:
    from dropship_pipeline.settings import Settings
    from dropship_pipeline.sync.request import SyncRequest
    from dropship_pipeline.sync.summary import SyncSummary


@click.command()
@click.option("--feed", "feeds", type=FEED, multiple=True, metavar="KEY", help="Only this feed; may be repeated.")
@click.option(
    "--product",
    "products",
    type=ID,
    multiple=True,
    metavar="ID",
    help="Only this product, whatever its age; may be repeated.",
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

    Reads the feeds, describes the products that are new or due, takes their stock, quotes their freight, and writes a
    Parquet snapshot. It may be stopped at any time: what was done is kept, and the next sync goes on from there.
    Without ALIBABA_APP_KEY it reads a simulated Alibaba.com. Ends 1 when something is left to do, and says what.

    \b
    dropship sync                                  all feeds
    dropship sync --feed us_standard --max-age 6h  one feed, refreshing what is older than six hours
    dropship sync --product 1601206892606          one product, now
    dropship sync --json > summary.json            for machines
    """
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415  Dagster takes a second to import
    from dropship_pipeline.sync.request import SyncRequest, all_feeds  # noqa: PLC0415
    from dropship_pipeline.sync.summary import SyncSummary  # noqa: PLC0415

    if feeds and products:
        raise click.UsageError("--feed and --product exclude each other: a product is refreshed wherever it is listed.")
    settings = load_settings()
    request = SyncRequest(
        feeds=() if products else feeds or all_feeds(),
        product_ids=products,
        max_age=max_age,
        limit=limit,
        force=force,
        let_through=let_through,
    )
    if not settings.has_credentials:
        click.echo(
            "ALIBABA_APP_KEY is not set: this reads the simulated Alibaba.com, which is started for it.", err=True
        )
    try:
        summary = run_watched(settings, request, as_json)
    except KeyboardInterrupt as stop:
        click.echo("dropship: stopped; what was done is kept, and the next sync goes on from there", err=True)
        return exit_status(stop)
    except Problem as problem:
        if as_json:  # whoever reads it gets a document whatever happens
            show_json(
                SyncSummary("", failure=str(problem).rstrip("."), simulated=not settings.has_credentials).as_json()
            )
        raise
    if as_json:
        show_json(summary.as_json())
    else:
        from dropship_pipeline.cli.closing import show_summary  # noqa: PLC0415

        show_summary(summary)
    for line in summary.problems:
        click.echo(f"dropship: {' '.join(line.split())}.", err=True)
    return 1 if summary.problems else 0


def run_watched(settings: "Settings", request: "SyncRequest", as_json: bool) -> "SyncSummary":
    """Run what is asked while a person watches its progress, in lines where `as_json`. Raises as `run_sync`."""
    from dropship_pipeline.cli.bars import quiet, watcher  # noqa: PLC0415

    # the bars come first: a person sees that something happens while Dagster is imported
    with watcher(plain=as_json) as progress, nullcontext() if debugging() else quiet():
        if settings.database_url is None:
            from dropship_pipeline.storage.server import embedded  # noqa: PLC0415

            embedded.start(settings.absolute_home)  # what fails here fails before the second that Dagster takes
        from dropship_pipeline.orchestration.run import run_sync  # noqa: PLC0415
        from dropship_pipeline.storage.server.failures import in_our_words  # noqa: PLC0415

        # Dagster keeps its own tables in the same database, and meets the same failures without our words for them
        with in_our_words("of Dagster's tables"):
            return run_sync(settings, request, progress)
