"""Opening the database that the settings name. Lean: Dagster's webserver and daemon need it, and no more of us."""

from dropship_pipeline.settings import Settings
from dropship_pipeline.storage import migrate
from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.database import Database


def open_database(settings: Settings) -> Database:
    """The database that the settings name, or the embedded one, started if need be; migrated to this version."""
    url = settings.database_url.get_secret_value() if settings.database_url else embedded.start(settings.absolute_home)
    database = Database(url)
    migrate.upgrade(database)
    return database
