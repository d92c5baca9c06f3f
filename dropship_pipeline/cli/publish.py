"""`dropship publish`: a new Parquet snapshot of the public tables."""

import click

from dropship_pipeline.cli.show import show_json, show_table


@click.command()
@click.option(
    "--let-through", is_flag=True, help="Publish although too many answers could not be read: see `dropship rejected`."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def publish(let_through: bool, as_json: bool) -> None:
    """Write the public tables as a new Parquet snapshot, without reading anything from the API.

    Nothing is published while a check forbids it: the one line of the error says what is wrong and what to do.

    \b
    dropship publish
    dropship publish --let-through   although more answers than DROPSHIP_MAX_REJECTED_SHARE could not be read
    """
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.lake.place import Lake  # noqa: PLC0415
    from dropship_pipeline.storage.lake.snapshots import publish as publish_snapshot  # noqa: PLC0415
    from dropship_pipeline.sync.checks.audit import require_sound  # noqa: PLC0415

    settings = load_settings()
    lake = Lake(settings.lake_url)
    database = open_tables(settings)
    require_sound(database, settings, let_through=let_through)
    snapshot = publish_snapshot(database, lake, run_id="cli", keep=settings.snapshots_kept)
    latest = lake.at("latest" if lake.is_local else "latest.json")
    if as_json:
        show_json({"path": snapshot.path, "latest": latest, "rows": snapshot.row_counts})
        return
    show_table(("table", "rows"), sorted(snapshot.row_counts.items()), title="Published")
    click.echo(f"Snapshot  {snapshot.path}")
    click.echo(f"Latest    {latest}")
