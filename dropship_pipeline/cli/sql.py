"""`dropship sql`: a question to the tables, in a transaction that cannot write."""

import csv
import sys

import click

from dropship_pipeline.cli.show import show_json, show_table

SHOWN_AT_MOST = 1_000  # rows of a table that a person looks at; CSV and JSON have them all


@click.command()
@click.argument("query")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values, with a header.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of objects.")
def sql(query: str, as_csv: bool, as_json: bool) -> None:
    """Ask the tables a question. Nothing can be changed by it.

    \b
    dropship sql "SELECT feed, count(*) FROM catalog.feed_products WHERE delisted_at IS NULL GROUP BY 1"
    dropship sql --csv "TABLE catalog.price_changes" > moves.csv
    """
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.questions import ask  # noqa: PLC0415
    from dropship_pipeline.sync.session import open_database  # noqa: PLC0415

    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    with ask(open_database(load_settings()), query) as (columns, rows):
        if as_csv:
            writer = csv.writer(sys.stdout)
            writer.writerow(columns)
            writer.writerows(rows)
        elif as_json:
            show_json([dict(zip(columns, row, strict=True)) for row in rows])
        else:
            shown = [row for _, row in zip(range(SHOWN_AT_MOST), rows, strict=False)]
            show_table(columns, shown)
            if next(rows, None) is not None:
                click.echo(f"These are the first {SHOWN_AT_MOST:,} rows; --csv or --json gives them all.", err=True)
