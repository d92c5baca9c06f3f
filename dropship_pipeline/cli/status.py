"""`dropship status`: how true the tables are."""

import click

from dropship_pipeline.cli.show import age, show_facts, show_json, show_table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
def status(as_json: bool) -> None:
    """How true the tables are: feeds, ages, last sync. Reads Postgres only, and makes no call.

    \b
    dropship status
    """
    from dataclasses import asdict  # noqa: PLC0415

    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.session import open_database  # noqa: PLC0415
    from dropship_pipeline.sync.status import read_status  # noqa: PLC0415

    found = read_status(open_database(load_settings()))
    if as_json:
        show_json(asdict(found))
        return
    show_table(
        ("feed", "listed", "last sweep", "when", "complete", "why"),
        [
            (f.feed, f.listed, f.last_sweep, age(f.last_swept_at, found.now), age(f.completed_at, found.now), f.reason)
            for f in found.feeds
        ],
        title="Feeds",
    )
    show_table(
        ("kind", "known", "due", "refused", "rejected", "oldest"),
        [(k.kind, k.known, k.due, k.refused, k.rejected, age(k.oldest_at, found.now)) for k in found.kinds],
        title="What is read of each product",
    )
    sync = found.last_sync
    show_facts(
        {
            "Products on offer": found.on_offer,
            "Rejected records": found.rejected_records,
            "Last sync": "never" if sync is None else f"{age(sync['started_at'], found.now)} ago, {sync['outcome']}",
            "Snapshot": "none" if found.snapshot is None else found.snapshot["snapshot"],
            "Calls a second": found.calls_per_second,
        }
    )
    if sync is None:
        click.echo("Nothing has been synced yet: dropship sync")
