"""Opening the database for a command that only looks: it makes no server, no database and no table.

What a sync opens, made and migrated where need be, is `storage.server.opening.open_database`.
"""

from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import Settings
from dropship_pipeline.storage import migrate
from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.database import Database


class NothingYet(Problem):
    """No sync has made any tables here."""


def open_tables(settings: Settings) -> Database:
    """The database that the settings name, or the embedded one. Raises `NothingYet`, and `Problem` for older tables."""
    require_server(settings)
    database = connect(settings)
    if migrate.current(database) is None:
        raise NothingYet(f"The database {database.address} has no tables yet", "Make them: dropship sync")
    if migrate.pending(database):
        raise Problem(
            f"The tables of {database.address} are of an older version", "Bring them to this one: dropship db upgrade"
        )
    return database


def require_server(settings: Settings) -> None:
    """Raise `NothingYet` where an embedded server would have to be made first: most often this is the wrong folder."""
    if settings.database_url is None and not (settings.absolute_home / "postgres").exists():
        raise NothingYet(
            f"There are no tables in {settings.absolute_home} yet",
            "Make them: dropship sync. If they are elsewhere, set DROPSHIP_HOME or go to the folder of the first sync",
        )


def connect(settings: Settings) -> Database:
    """The database, whatever is in it; the embedded server is started, and made where there is none."""
    if settings.database_url is not None:
        return Database(settings.database_url.get_secret_value())
    return Database(embedded.start(settings.absolute_home))
