"""`dropship sql`: a question to the tables, or to a published snapshot of them, that cannot change anything."""

import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dropship_pipeline.storage.reading.questions import Answer


@click.command()
@click.argument("query")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values, with a header.")
@click.option("--excel", "as_excel", is_flag=True, help="CSV for Excel and its like: no cell is a formula.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of objects.")
@click.option("--lake", is_flag=True, help="Ask the newest Parquet snapshot (DuckDB), not Postgres.")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]),
    metavar="TIME",
    help="Ask the newest snapshot of then or before (UTC): 2026-11-01T12:00.",
)
def sql(query: str, as_csv: bool, as_excel: bool, as_json: bool, lake: bool, as_of: datetime | None) -> None:
    """Ask the tables a question: one statement, which cannot change anything. `-` reads it from standard input.

    Money is written as it is stored, times in UTC. In CSV a NULL is empty and an empty text is "", so that Postgres
    reads back what it wrote. JSON has money and times as text. With --lake, the published tables and the marts
    current_offers and landed_costs are there by the same names; no server is needed.

    \b
    dropship sql "SELECT feed, count(*) FROM catalog.feed_products WHERE delisted_at IS NULL GROUP BY 1"
    dropship sql --csv "TABLE catalog.price_changes" > moves.csv
    dropship sql --excel "TABLE marts.landed_costs" > landed.csv
    dropship sql --json - < question.sql
    dropship sql --lake --as-of 2026-11-01 "SELECT count(*) FROM catalog.products"
    """
    from dropship_pipeline.cli.answers import show_answer, write_csv, write_excel, write_json  # noqa: PLC0415

    if as_csv + as_excel + as_json > 1:
        raise click.UsageError("--csv, --excel and --json exclude each other.")
    if as_of is not None and not lake:
        raise click.UsageError("--as-of is of snapshots: give --lake too. In SQL, see marts.prices_as_of.")
    write = write_csv if as_csv else write_excel if as_excel else write_json if as_json else show_answer
    question = sys.stdin.read() if query == "-" else query
    with _asked_of_the_lake(question, as_of) if lake else _asked_of_the_tables(question) as answer:
        write(answer)


def _asked_of_the_tables(question: str) -> AbstractContextManager["Answer"]:
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.reading.questions import ask  # noqa: PLC0415

    return ask(open_tables(load_settings()), question)


def _asked_of_the_lake(question: str, as_of: datetime | None) -> AbstractContextManager["Answer"]:
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.lake.place import Lake  # noqa: PLC0415
    from dropship_pipeline.storage.lake.published import find  # noqa: PLC0415
    from dropship_pipeline.storage.reading.lake_questions import ask_snapshot  # noqa: PLC0415

    snapshot = find(Lake(load_settings().lake_url), None if as_of is None else as_of.replace(tzinfo=UTC))
    return ask_snapshot(snapshot, question)
