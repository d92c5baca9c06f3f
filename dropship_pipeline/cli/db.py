"""`dropship db`: the database's address and its migrations."""

import click


@click.group()
def db() -> None:
    """The database: its address, its migrations."""


@db.command()
def url() -> None:
    """Print the address, as psql takes it. It holds the password, if there is one.

    \b
    psql "$(dropship db url)"
    """
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.session import open_database  # noqa: PLC0415

    click.echo(open_database(load_settings()).libpq_url)


@db.command()
def upgrade() -> None:
    """Bring the tables to this version. A sync does it by itself; this is for when it must be done at another time."""
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.session import open_database  # noqa: PLC0415

    database = open_database(load_settings())
    click.echo(f"The tables of {database.address} are of this version.")
