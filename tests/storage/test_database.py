"""Reaching Postgres: addresses, drivers, and what a person reads when it fails."""

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

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


def test_what_was_to_be_written_is_not_repeated_in_an_error(database: Database) -> None:
    with pytest.raises(SQLAlchemyError, match="division by zero") as raised, database.begin() as connection:
        connection.execute(text("SELECT 1 / 0, :street"), {"street": SECRET})
    assert SECRET not in str(raised.value)


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


@contextmanager
def relayed(database: Database) -> Iterator[Database]:
    """The same database over TCP: by way of a relay to the server's Unix socket."""
    url = database._url
    folder, port = str(url.query["host"]), url.query.get("port", "5432")

    def carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near = listener.accept()[0]
                far = socket.socket(socket.AF_UNIX)
                far.connect(f"{folder}/.s.PGSQL.{port}")
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=accept, daemon=True).start()
        over_tcp = Database(f"postgresql://{url.username}@127.0.0.1:{listener.getsockname()[1]}/{url.database}")
        yield over_tcp
        over_tcp.close()


def test_a_server_that_vanished_without_a_word_is_noticed_within_a_minute(database: Database) -> None:
    wanted = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
    wanted = {name: value for name, value in wanted.items() if hasattr(socket, name)}  # not each system has them all
    with relayed(database) as over_tcp, over_tcp.begin() as connection:
        number = connection.connection.fileno()
        used = socket.socket(fileno=number)
        try:
            assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert {n: used.getsockopt(socket.IPPROTO_TCP, getattr(socket, n)) for n in wanted} == wanted
        finally:
            used.detach()  # it is psycopg2 that closes it


def test_a_machine_of_ours_that_vanished_does_not_keep_its_locks_for_hours(database: Database) -> None:
    asked = "SELECT name FROM pg_settings WHERE starts_with(name, 'tcp_') AND source = 'session' ORDER BY 1"
    with database.begin() as connection:
        assert list(connection.exec_driver_sql(asked).scalars()) == [
            "tcp_keepalives_count", "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_user_timeout"
        ]  # fmt: skip


def test_what_the_address_says_of_the_connection_goes_before_our_defaults() -> None:
    told = Database("postgresql://me@shop/db?tcp_user_timeout=5000&keepalives_idle=7").connection_url.query
    assert (told["tcp_user_timeout"], told["keepalives_idle"], told["keepalives_count"]) == ("5000", "7", "3")


def wait_until_gone(connection: Connection, user: str) -> None:
    """Wait until the server has no process of this user left."""
    for _ in range(1_000):
        left = connection.execute(text("SELECT count(*) FROM pg_stat_activity WHERE usename = :user"), {"user": user})
        if not left.scalar_one():
            return
        time.sleep(0.01)
    raise AssertionError(f"a process of {user} is left")


def test_a_server_without_a_connection_left_says_so_by_both_drivers(database: Database) -> None:
    name = f"busy_{uuid.uuid4().hex[:8]}"
    with database.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 1")
    address = make_url(database.libpq_url).set(username=name).render_as_string(hide_password=False)
    busy, late = Database(address), Database(address)
    try:
        with busy.autocommit():
            for connect in (late.autocommit, late.adbc):
                with pytest.raises(DatabaseDown, match=r"has no connection left .* Raise max_connections"), connect():
                    pass
        busy.close()
        with database.autocommit() as connection:  # a server process that ends still counts for a moment
            wait_until_gone(connection, name)
        with late.autocommit() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    finally:
        busy.close()
        late.close()
        with database.autocommit() as connection:
            connection.exec_driver_sql(f"DROP ROLE {name}")
