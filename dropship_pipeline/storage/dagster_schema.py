"""Where Dagster keeps its own tables: a schema of the catalogue's database. What is in them is its own business."""

from sqlalchemy import text

from dropship_pipeline.storage.server.database import Database

SCHEMA = "dagster"

_LOCK = 0x64616773  # "dags": CREATE SCHEMA IF NOT EXISTS fails where two do it at once


def dagster_url(database: Database) -> str:
    """The SQLAlchemy address whose tables are those of schema `dagster`, which is made if need be. Secret.

    Everything else of the database's address stays: a socket's directory, TLS, other options.
    """
    with database.begin() as connection:
        found = connection.execute(text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": SCHEMA}).scalar()
        if not found:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.exec_driver_sql(
                f"COMMENT ON SCHEMA {SCHEMA} IS 'Dagster''s own tables: runs, events, schedules'"
            )
    url = database.connection_url.set(drivername="postgresql+psycopg2")
    others = url.query.get("options", "")
    options = [*([others] if isinstance(others, str) else others), f"-csearch_path={SCHEMA}"]
    return url.update_query_dict({"options": " ".join(filter(None, options))}).render_as_string(hide_password=False)
