"""`dropship watch`: the products that the merchant wants to be told of."""

import click

from dropship_pipeline.cli.options import ID, WEIGHT
from dropship_pipeline.cli.show import show_json, show_line, show_table
from dropship_pipeline.counting import counted


@click.group()
def watch() -> None:
    """Products to be told of: add, remove, list.

    They are refreshed before others. When the cost of a variant moves, its stock gets low, or it or the product is
    gone, people are told once, in the log and at DROPSHIP_ALERT_URL, while `dropship up` runs. How far is too far, and
    how few too few, the rows of ops.hold_rules say.
    """


@watch.command()
@click.argument("products", nargs=-1, required=True, type=ID, metavar="PRODUCT...")
@click.option(
    "--importance",
    type=WEIGHT,
    help="Weight against others; 1 is a product like any other. Default: 1.",
)
@click.option("--note", help="Whatever you want to remember.")
def add(products: tuple[str, ...], importance: float | None, note: str | None) -> None:
    """Watch these products, by ID. One that is watched already keeps what is not given anew.

    \b
    dropship watch add 1601206892606
    dropship watch add 1601206892606 1601206892607 --importance 5 --note "in the shop since May"
    """
    from contextlib import closing  # noqa: PLC0415  --help must not wait for it

    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.ops import watched  # noqa: PLC0415
    from dropship_pipeline.storage.server.opening import open_database  # noqa: PLC0415

    with closing(open_database(load_settings())) as database:
        watched.watch(database, products, importance, note)
        with database.begin() as connection:
            unread = [one.product_id for one in watched.watched(connection) if one.state == "not read yet"]
    show_line(f"{counted(len(set(products)), 'product')} watched")
    new = [product_id for product_id in dict.fromkeys(products) if product_id in unread]
    if new:
        show_line(f"Nothing is known yet of {', '.join(new)}. Read it: dropship sync --product {new[0]}")


@watch.command()
@click.argument("products", nargs=-1, required=True, type=ID, metavar="PRODUCT...")
def remove(products: tuple[str, ...]) -> None:
    """Watch these products no more. Their data stays.

    \b
    dropship watch remove 1601206892606
    """
    from contextlib import closing  # noqa: PLC0415

    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.problem import Problem  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.ops.watched import unwatch  # noqa: PLC0415

    with closing(open_tables(load_settings())) as database:
        removed = unwatch(database, products)
    unknown = [product_id for product_id in dict.fromkeys(products) if product_id not in removed]
    if removed:
        show_line(f"{counted(len(removed), 'product')} watched no more")
    if unknown:
        raise Problem(f"Not watched: {', '.join(unknown)}", "See which are: dropship watch list")


@watch.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def list_watched(as_json: bool) -> None:
    """The watched products as they stand, those of the newest news first.

    price: that of the cheapest variant, in its first tier. stock: units of all variants; empty: not known.

    \b
    dropship watch list
    """
    from contextlib import closing  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.ops.watched import watched  # noqa: PLC0415

    with closing(open_tables(load_settings())) as database, database.begin() as connection:
        found = watched(connection)
    if as_json:
        show_json([asdict(one) for one in found])
    elif found:
        columns = ("product", "title", "state", "price", "currency", "stock", "news", "when", "importance", "note")
        show_table(columns, [tuple(asdict(one).values()) for one in found])
    else:
        show_line("No product is watched. Watch one: dropship watch add PRODUCT")
