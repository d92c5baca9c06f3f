"""`dropship sql`: a question to the tables, in a transaction that cannot write."""

import sys

import click


@click.command()
@click.argument("query")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values, with a header.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of objects.")
def sql(query: str, as_csv: bool, as_json: bool) -> None:
    """Ask the tables a question: one statement, which cannot change anything. `-` reads it from standard input.

    Money is written as it is stored, times in UTC. In CSV a NULL is empty and an empty text is "", so that Postgres
    reads back what it wrote. JSON has money and times as text.

    \b
    dropship sql "SELECT feed, count(*) FROM catalog.feed_products WHERE delisted_at IS NULL GROUP BY 1"
    dropship sql --csv "TABLE catalog.price_changes" > moves.csv
    dropship sql --json - < question.sql
    """
    from dropship_pipeline.cli.answers import show_answer, write_csv, write_json  # noqa: PLC0415
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.questions import ask  # noqa: PLC0415

    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    write = write_csv if as_csv else write_json if as_json else show_answer
    with ask(open_tables(load_settings()), sys.stdin.read() if query == "-" else query) as answer:
        write(answer)
