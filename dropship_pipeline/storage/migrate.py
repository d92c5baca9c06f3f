"""Bringing a database to the tables of this version. What the steps are is in `migrations/versions`, one file each.

A step is frozen once it is released: its SQL says what it did then, whatever the definitions in `tables/` say today.
The tests hold the sum of all steps against the definitions.
"""

from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import ProgrammingError

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import sqlstate
from dropship_pipeline.storage.server.locks import Lock, take
from dropship_pipeline.storage.server.roles import warn_of_missing_roles

MIGRATIONS = Path(__file__).parent / "migrations"
OLDEST_SERVER = 14

_UNDEFINED_TABLE = "42P01"


def head() -> str:
    """The newest revision that this version knows. Read from the file names: Alembic takes 0.2 s to say the same."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def current(database: Database) -> str | None:
    """The revision that the database is at; None for one that was never migrated."""
    with database.autocommit() as connection:
        try:
            return connection.exec_driver_sql("SELECT version_num FROM ops.alembic_version").scalar()
        except ProgrammingError as error:
            if sqlstate(error) == _UNDEFINED_TABLE:
                return None
            raise


def pending(database: Database) -> bool:
    """Whether `upgrade` has anything to do. Raises `Problem` for a database of a newer version than this one."""
    at = current(database)
    if at is not None and at > head():
        raise Problem(
            f"The database {database.address} is at revision {at} and this version knows none after {head()}",
            "Update dropship_pipeline on this machine too",
        )
    return at != head()


def upgrade(database: Database) -> bool:
    """Run the missing steps, all in one transaction; whether there were any. Safe when several do it at once."""
    if not pending(database):
        return False
    with database.begin() as connection:
        _check_server(connection, database)
        connection.exec_driver_sql(take(Lock.MIGRATION))
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS ops")
        _run_alembic(connection)
        warn_of_missing_roles(connection, database.address)
    return True


def _check_server(connection: Connection, database: Database) -> None:
    number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    if number < OLDEST_SERVER * 10_000:
        raise Problem(
            f"The server of the database {database.address} is Postgres {number // 10_000}",
            f"Use Postgres {OLDEST_SERVER} or newer",
        )


def _run_alembic(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  0.2 s, and hardly ever needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
