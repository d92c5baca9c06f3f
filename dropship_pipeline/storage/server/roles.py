"""Who may do what in the database: four roles without logins, and letting logins into them (docs/security.md).

What each role may do is in the migrations, in `ops.grant_roles()`: nothing about a table is in here.
"""

import logging
from enum import StrEnum
from typing import Any

from psycopg2 import sql
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import sqlstate

_log = logging.getLogger(__name__)

_FORBIDDEN = "42501"

_MISSING = text("SELECT r FROM unnest(CAST(:roles AS text[])) r WHERE to_regrole(r) IS NULL ORDER BY 1")
_KNOWN = text("SELECT to_regrole(quote_ident(:login)) IS NOT NULL")


class Role(StrEnum):
    """The roles of a server with a database of ours, by what `dropship db grant` calls them."""

    ANALYST = "analyst"
    LOADER = "loader"
    RECEIVER = "receiver"
    RECIPIENTS = "recipients"

    @property
    def in_postgres(self) -> str:
        """Its name in Postgres."""
        return f"dropship_{self}"


def missing_roles(connection: Connection) -> list[str]:
    """The roles that the server lacks, by their names in Postgres."""
    return list(connection.execute(_MISSING, {"roles": [role.in_postgres for role in Role]}).scalars())


def warn_of_missing_roles(connection: Connection, address: str) -> None:
    """Log what an administrator has to run where this user may not create roles. All works without them too."""
    missing = missing_roles(connection)
    if missing:
        _log.warning(
            "This user may not create roles on the server of %s, so that nobody but the owner reads its tables. Where "
            "others are to, an administrator runs: %s Then run: dropship db grant ROLE LOGIN",
            address,
            " ".join(_creation(missing)),
        )


def grant(database: Database, role: Role, login: str) -> None:
    """Let a login of the server into the role. Roles and what they may do are made good first, where need be.

    Raises `Problem` for a login that there is not, and where this user may not grant that.
    """
    with database.begin() as connection:
        if not connection.execute(_KNOWN, {"login": login}).scalar_one():
            raise Problem(
                f"The server of {database.address} has no login {login[:63]!r}",
                "Create it: dropship db psql -c \"CREATE ROLE name LOGIN PASSWORD '…'\"",
            )
        try:
            missing = connection.execute(text("SELECT ops.grant_roles()")).scalar_one()
            if role.in_postgres in missing:
                raise Problem(
                    f"The server of {database.address} has no role {role.in_postgres}, and this user may not create it",
                    f"Have an administrator run: {' '.join(_creation(missing))} Then run this again",
                )
            driver: Any = connection.connection.dbapi_connection
            statement = sql.SQL("GRANT {} TO {}").format(sql.Identifier(role.in_postgres), sql.Identifier(login))
            connection.exec_driver_sql(statement.as_string(driver))
        except ProgrammingError as error:
            if sqlstate(error) != _FORBIDDEN:
                raise
            raise Problem(
                f"This user may not grant {role.in_postgres} on the server of {database.address}",
                f"Run this as the owner of the tables; or have an administrator run: GRANT {role.in_postgres} TO …;",
            ) from None


def _creation(missing: list[str]) -> list[str]:
    return [f"CREATE ROLE {role} NOLOGIN;" for role in missing]
