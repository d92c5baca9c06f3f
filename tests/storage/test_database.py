"""Reaching Postgres: addresses, drivers, and what a person reads when it fails."""

import pytest

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.server.database import Database, DatabaseDown, DatabaseProblem

SECRET = "k33p-th1s"


def run(database: Database, *statements: str) -> None:
    with database.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://{user}@/{name}?host={socket}",
        "postgres://{user}@/{name}?host={socket}",
        "postgresql+psycopg2://{user}@/{name}?host={socket}",
    ],
)
def test_every_spelling_of_an_address_reaches_the_database_with_both_drivers(database: Database, url: str) -> None:
    parsed = database._url
    same = Database(url.format(user=parsed.username, name=parsed.database, socket=parsed.query["host"]))
    with same.begin() as connection:
        assert connection.exec_driver_sql("SELECT current_database()").scalar() == parsed.database
    with same.adbc() as bulk_connection:
        assert bulk_connection.run("SELECT current_database()") == [(parsed.database,)]
    same.close()


def test_a_password_is_never_shown() -> None:
    database = Database(f"postgresql://me:{SECRET}@127.0.0.1:1/shop?sslpassword={SECRET}&sslmode=prefer")
    shown = [repr(database), database.safe_url, database.address]
    with pytest.raises(DatabaseDown) as sync, database.begin():
        pass
    with pytest.raises(DatabaseDown) as bulk, database.adbc():
        pass
    shown += [str(sync.value), str(bulk.value)]
    assert not [text for text in shown if SECRET in text]
    assert database.safe_url == "postgresql://me@127.0.0.1:1/shop?sslmode=prefer"


def test_a_server_that_is_down_is_named_with_a_remedy() -> None:
    with pytest.raises(DatabaseDown, match=r"shop at 127\.0\.0\.1:1 is not reachable .* Start Postgres or correct"):
        run(Database("postgresql://me@127.0.0.1:1/shop"))


def test_a_socket_where_no_server_listens_is_named(tmp_path: object) -> None:
    with pytest.raises(DatabaseDown, match=f"shop at {tmp_path} is not reachable"):
        run(Database(f"postgresql://me@/shop?host={tmp_path}"))


def test_a_host_that_nobody_knows_is_told_apart_from_a_server_that_is_down() -> None:
    with pytest.raises(DatabaseDown, match="a host that nobody knows"):
        run(Database("postgresql://me@nowhere.invalid/shop"))


def test_a_database_that_does_not_exist_is_told_apart(database: Database) -> None:
    absent = Database(database.libpq_url.replace("/test_", "/absent_"))
    for way in (absent.begin, absent.adbc):
        with pytest.raises(DatabaseProblem, match=r"does not exist .* Create it"), way():
            pass


@pytest.mark.parametrize("address", ["mysql://me@host/db", "nonsense", f"postgresql://me:{SECRET}@a:1,b:2/db"])
def test_an_address_that_is_not_of_postgres_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(Problem, match=r"DROPSHIP_DATABASE_URL to postgresql://") as raised:
        Database(address)
    assert SECRET not in str(raised.value)


def test_a_missing_table_says_to_look_at_the_migrations(database: Database) -> None:
    with pytest.raises(DatabaseProblem, match=r"lacks a table .*catalog\.nothing.* Run `dropship db upgrade`"):
        run(database, "SELECT * FROM catalog.nothing")


def test_a_read_only_server_says_so(database: Database) -> None:
    with pytest.raises(DatabaseProblem, match=r"is read-only .* primary"):
        run(database, "SET TRANSACTION READ ONLY", "DELETE FROM ops.syncs")


def test_a_mistake_of_ours_is_not_dressed_up_as_a_fault_of_the_database(database: Database) -> None:
    with pytest.raises(Exception, match="syntax error") as raised:
        run(database, "SELEC 1")
    assert not isinstance(raised.value, Problem)


def test_a_pooled_connection_that_the_server_dropped_is_replaced_unnoticed(database: Database) -> None:
    with database.begin() as connection:
        first = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    with database.adbc() as other:
        assert other.run(f"SELECT pg_terminate_backend({first}, 5000)") == [(True,)]
    with database.begin() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != first


def bulk(database: Database, statement: str) -> None:
    with database.adbc() as connection:
        connection.run(statement)


def test_a_connection_that_breaks_in_the_middle_is_a_database_that_is_down(database: Database) -> None:
    suicide = "SELECT pg_terminate_backend(pg_backend_pid(), 5000)"
    with pytest.raises(DatabaseDown, match=r"was shut down|broke the connection"):
        run(database, suicide)
    with pytest.raises(DatabaseDown):
        bulk(database, suicide)
