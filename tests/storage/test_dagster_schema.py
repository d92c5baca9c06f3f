"""Dagster's tables stay in a schema of their own, whatever the address of the database looks like."""

from concurrent.futures import ThreadPoolExecutor

from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from dropship_pipeline.storage.dagster_schema import dagster_url
from dropship_pipeline.storage.server.database import Database


def test_dagster_makes_its_tables_in_its_own_schema(database: Database) -> None:
    storage = DagsterPostgresStorage(dagster_url(database), should_autocreate_tables=True)
    assert storage.run_storage.get_runs() == []
    with database.begin() as connection:
        found = connection.exec_driver_sql("SELECT schemaname FROM pg_tables WHERE tablename IN ('runs', 'event_logs')")
        assert found.scalars().all() == ["dagster", "dagster"]


def test_everything_else_of_the_address_stays(database: Database) -> None:
    url = make_url(database.libpq_url).update_query_dict({"options": "-cwork_mem=5MB", "application_name": "mine"})
    engine = create_engine(dagster_url(Database(url.render_as_string(hide_password=False))))
    with engine.connect() as connection:
        shown = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("work_mem", "application_name", "search_path")
        ]
    engine.dispose()
    assert shown == ["5MB", "mine", "dagster"]
    assert make_url(dagster_url(database)).query["host"] == make_url(database.libpq_url).query["host"]


def test_dagster_too_notices_a_server_that_vanished(database: Database) -> None:
    assert make_url(dagster_url(database)).query["tcp_user_timeout"] == "60000"


def test_a_password_is_kept_whatever_is_in_it(database: Database) -> None:
    secret = "p@ss/w:rd%&"
    url = make_url(database.libpq_url).set(password=secret).render_as_string(hide_password=False)
    assert make_url(dagster_url(Database(url))).password == secret


def test_processes_may_ask_at_once(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        urls = set(pool.map(lambda _: dagster_url(Database(database.libpq_url)), range(8)))
    assert len(urls) == 1
