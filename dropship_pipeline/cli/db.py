"""`dropship db`: psql on the tables, the database's address, the embedded server, migrations, roles, keys."""

from contextlib import suppress
from datetime import timedelta

import click

from dropship_pipeline.cli.options import AGE

LEFT_RUNNING = timedelta(minutes=10)
"""How long `db url` leaves the embedded server running for whoever uses the address that it printed."""

ROLES = ("analyst", "loader", "receiver", "recipients")
"""`storage.server.roles.Role`, which would take a tenth of a second to import."""


@click.group()
def db() -> None:
    """The database: psql, its address, its server, its migrations, who may read it, its keys."""


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PSQL-ARGUMENT]…")
def psql(arguments: tuple[str, ...]) -> int:
    """Open psql on the tables, whichever database they are in. It comes along: none needs to be installed.

    \b
    dropship db psql
    dropship db psql -c "\\d+ catalog.products"
    """
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.cli.psql import run_psql  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415

    return run_psql(open_tables(load_settings()), arguments)


@db.command()
def url() -> None:
    """Print the address, as psql and every other client takes it. It holds the password, if there is one.

    The embedded server is left running for this: it stops when nobody has been connected for ten minutes.

    \b
    psql "$(dropship db url)"
    """
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    if settings.database_url is not None:
        from dropship_pipeline.cli.database import connect  # noqa: PLC0415

        click.echo(connect(settings).libpq_url)
        return
    from dropship_pipeline.cli.server import keep_running  # noqa: PLC0415
    from dropship_pipeline.storage.server import embedded  # noqa: PLC0415

    address = embedded.start(settings.absolute_home)
    keep_running(settings.absolute_home, LEFT_RUNNING)
    click.echo(address)


@db.command()
@click.option("--idle", type=AGE, metavar="AGE", help="Stop when nobody has been connected for so long: 10m, 8h.")
def serve(idle: timedelta | None) -> None:
    """Keep the embedded server running until Ctrl-C, for notebooks and other clients. Prints its address.

    \b
    dropship db serve
    dropship db serve --idle 8h
    """
    from dropship_pipeline.problem import Problem  # noqa: PLC0415
    from dropship_pipeline.services.postgres import hold  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.server import embedded  # noqa: PLC0415

    settings = load_settings()
    if settings.database_url is not None:
        raise Problem(
            "DROPSHIP_DATABASE_URL names a server that runs without us",
            "Connect to it, or unset DROPSHIP_DATABASE_URL to use the embedded one",
        )
    address = embedded.start(settings.absolute_home)
    click.echo(address)
    click.echo("The server runs until Ctrl-C.", err=True)
    with suppress(KeyboardInterrupt):  # the way to end it
        hold(settings.absolute_home, address, idle)


@db.command()
def upgrade() -> None:
    """Bring the tables to this version. A sync does it by itself; this is for when it must be done at another time.

    \b
    dropship db upgrade
    """
    from dropship_pipeline.cli.database import connect  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage import migrate  # noqa: PLC0415

    database = connect(load_settings())
    before = migrate.current(database)
    if migrate.upgrade(database):
        click.echo(f"The tables of {database.address} went from revision {before or 'none'} to {migrate.head()}.")
    else:
        click.echo(f"Nothing to do: the tables of {database.address} are at revision {migrate.head()}, the newest.")


@db.command()
@click.argument("role", type=click.Choice(ROLES))
@click.argument("login")
def grant(role: str, login: str) -> None:
    """Let a login of the server into a role, so that it may do no more than it needs.

    analyst: reads the catalogue, the marts and the orders, without their recipients. loader: all that a sync does.
    receiver: stores push messages, and reads none. recipients: reads to whom orders go.

    \b
    dropship db psql -c "CREATE ROLE alice LOGIN PASSWORD '...'"
    dropship db grant analyst alice
    """
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.server import roles  # noqa: PLC0415

    database = open_tables(load_settings())
    chosen = roles.Role(role)
    roles.grant(database, chosen, login)
    click.echo(f"{login} is in role {chosen.in_postgres} now; REVOKE {chosen.in_postgres} FROM it takes that back.")


@db.command()
def rekey() -> None:
    """Encrypt the stored tokens, and what else is encrypted, with the newest key. May be run again at any time.

    Where the key is in DROPSHIP_HOME, a new one is generated. Where DROPSHIP_SECRET_KEY is set, put the new key before
    the old one, with a comma between, on every machine; start what runs there anew; run this; take the old one out.

    \b
    dropship db rekey
    """
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.ops import rekeying  # noqa: PLC0415
    from dropship_pipeline.storage.ops.secrets import KEY_FILE, Cipher  # noqa: PLC0415

    settings = load_settings()
    database = open_tables(settings)
    if settings.secret_key is None and settings.database_url is None:
        done = rekeying.rekey_with_new(database, settings.absolute_home)
        where = f"a new key, in {settings.absolute_home / KEY_FILE}"
    else:
        shared = settings.database_url is not None
        done = rekeying.rekey(
            database, Cipher.from_settings(settings.secret_key, settings.absolute_home, shared=shared)
        )
        where = "the first key of DROPSHIP_SECRET_KEY; no other is needed for what is in the tables"
    click.echo(f"{done:,} of the encrypted values were of an older key. All are encrypted with {where}.")
