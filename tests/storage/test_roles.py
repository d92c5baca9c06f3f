"""Roles without a right too many, tried with logins of their own: what each may do, and what it must not."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from deployment import SECRET_KEY, Deployment
from posting import price_change, receiving
from sqlalchemy import text
from sqlalchemy.engine import make_url

from dropship_pipeline.alibaba.tokens import TokenPair
from dropship_pipeline.cli.db import ROLES
from dropship_pipeline.problem import Problem
from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.storage import migrate
from dropship_pipeline.storage.ops.accounts import AccountVault
from dropship_pipeline.storage.ops.secrets import Cipher
from dropship_pipeline.storage.ops.upkeep import vacuum
from dropship_pipeline.storage.server.database import Database, DatabaseProblem
from dropship_pipeline.storage.server.roles import Role, grant
from dropship_pipeline.tables.registry import ALL_TABLES, PUBLISHED, VIEWS

SETTINGS_OF_ANALYSTS = {"ops.hold_rules", "ops.watched_products", "ops.alembic_version"}


def as_login(database: Database, login: str) -> Database:
    return Database(make_url(database.libpq_url).set(username=login).render_as_string(hide_password=False))


@pytest.fixture(scope="module")
def make_login(server: Database) -> Iterator[Callable[..., str]]:
    """Makes logins that may do nothing yet; they are gone after the module, with all that is theirs."""
    made: list[str] = []

    def make(options: str = "") -> str:
        made.append(f"test-{uuid.uuid4().hex[:10]}")  # a name that must be quoted
        with server.autocommit() as connection:
            connection.exec_driver_sql(f'CREATE ROLE "{made[-1]}" LOGIN {options}')
        return made[-1]

    yield make
    with server.autocommit() as connection:
        for login in made:
            connection.exec_driver_sql(f'DROP ROLE "{login}"')


@pytest.fixture
def member(database: Database, make_login: Callable[..., str]) -> Iterator[Callable[[Role], Database]]:
    """The database as a login sees it that is in this role and in no other."""
    opened: list[Database] = []

    def let_in(role: Role) -> Database:
        login = make_login()
        grant(database, role, login)
        opened.append(as_login(database, login))
        return opened[-1]

    yield let_in
    for one in opened:
        one.close()


def allowed(database: Database, right: str) -> set[str]:
    """The tables and views on which whoever is connected has this right, on all their columns or some."""
    with database.begin() as connection:
        found = connection.execute(
            text("""
                SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname IN ('catalog', 'orders', 'marts', 'ops') AND c.relkind IN ('r', 'v', 'm', 'p')
                    AND has_schema_privilege(n.oid, 'USAGE')
                    AND (has_table_privilege(c.oid, :right)
                        OR (:right IN ('SELECT', 'INSERT', 'UPDATE') AND has_any_column_privilege(c.oid, :right)))"""),
            {"right": right},
        )
        return set(found.scalars())


def run(database: Database, statement: str) -> int:
    with database.begin() as connection:
        return connection.exec_driver_sql(statement).rowcount


def refuses(database: Database, statement: str) -> None:
    with pytest.raises(DatabaseProblem, match="permission denied"):
        run(database, statement)


def test_an_analyst_reads_what_is_published_and_the_marts_and_can_write_nothing(
    member: Callable[[Role], Database],
) -> None:
    analyst = member(Role.ANALYST)
    marts = {view.full_name for view in VIEWS if not view.arguments}
    assert allowed(analyst, "SELECT") == {table.full_name for table in PUBLISHED} | marts | SETTINGS_OF_ANALYSTS
    for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER"):
        assert allowed(analyst, right) == set()
    for view in VIEWS:
        given = "(now())" if view.arguments else ""
        assert run(analyst, f"SELECT * FROM {view.full_name}{given}") == 0
    for statement in (
        "TABLE orders.recipients",
        "TABLE orders.placements",
        "SELECT access_token FROM ops.accounts",
        "SELECT body FROM ops.webhook_inbox",
        "SELECT payload FROM ops.rejected_records",
        "INSERT INTO ops.hold_rules (rule) VALUES ('mine')",
        "UPDATE catalog.products SET title = ''",
        "CREATE TABLE catalog.mine (a int)",
        "CREATE SCHEMA mine",
        "SELECT ops.grant_roles()",
    ):
        refuses(analyst, statement)


def test_whoever_packs_parcels_reads_recipients_and_nothing_else(
    database: Database, member: Callable[[Role], Database]
) -> None:
    run(database, "INSERT INTO orders.recipients (trade_id, city) VALUES ('1', 'Bessemer')")
    packer = member(Role.RECIPIENTS)
    assert run(packer, "SELECT city FROM orders.recipients") == 1
    assert allowed(packer, "SELECT") == {"orders.recipients"}
    for right in ("INSERT", "UPDATE", "DELETE"):
        assert allowed(packer, right) == set()


def test_a_loader_may_change_every_table_but_owns_none(member: Callable[[Role], Database], database: Database) -> None:
    loader = member(Role.LOADER)
    everything = {table.full_name for table in ALL_TABLES}
    for right in ("INSERT", "UPDATE", "DELETE"):
        assert allowed(loader, right) == everything
    assert allowed(loader, "TRUNCATE") == set()
    for statement in (
        "UPDATE ops.alembic_version SET version_num = '9999'",
        "CREATE TABLE catalog.mine (a int)",
        "SELECT ops.grant_roles()",
    ):
        refuses(loader, statement)
    with pytest.raises(DatabaseProblem, match="must be owner"):
        run(loader, "DROP TABLE catalog.products")
    run(database, "INSERT INTO orders.recipients (trade_id, city) VALUES ('1', 'Bessemer')")
    assert run(loader, "UPDATE orders.recipients SET city = NULL") == 1  # row security lets it in


def test_a_table_of_a_later_version_is_the_loaders_too_and_the_analysts_where_no_personal_data_are(
    member: Callable[[Role], Database], database: Database
) -> None:
    loader, analyst = member(Role.LOADER), member(Role.ANALYST)
    for schema in ("catalog", "orders", "ops", "marts"):
        run(database, f"CREATE TABLE {schema}.later (a int)")
    assert {name for name in allowed(loader, "SELECT") if name.endswith("later")} == {
        "catalog.later", "orders.later", "ops.later", "marts.later"
    }  # fmt: skip
    assert {name for name in allowed(loader, "INSERT") if name.endswith("later")} == {
        "catalog.later", "orders.later", "ops.later"
    }  # fmt: skip
    assert {name for name in allowed(analyst, "SELECT") if name.endswith("later")} == {"catalog.later", "marts.later"}


def test_the_receiver_runs_as_a_login_that_can_store_messages_and_read_none(
    member: Callable[[Role], Database], database: Database, tmp_path: Path
) -> None:
    storing = member(Role.RECEIVER)
    with receiving({"DROPSHIP_HOME": str(tmp_path), "DROPSHIP_DATABASE_URL": storing.libpq_url}) as receiver:
        message = price_change("1601206892606")
        assert [receiver.post(message).status for _ in range(2)] == [200, 200]
        assert receiver.request("GET", "/health").status == 200
    with database.begin() as connection:
        found = connection.exec_driver_sql("SELECT subject, deliveries FROM ops.webhook_inbox").all()
    assert found == [("1601206892606", 2)]
    assert allowed(storing, "SELECT") == {"ops.webhook_inbox", "ops.alembic_version"}
    assert allowed(storing, "INSERT") == allowed(storing, "UPDATE") == {"ops.webhook_inbox"}
    assert allowed(storing, "DELETE") == set()
    for statement in ("SELECT body FROM ops.webhook_inbox", "UPDATE ops.webhook_inbox SET state = 'done'"):
        refuses(storing, statement)


def test_a_loader_syncs_by_the_command_line_with_dagsters_tables_made_by_itself(
    member: Callable[[Role], Database],
    database: Database,
    start_sandbox: Callable[..., Running],
    tmp_path: Path,
) -> None:
    merchant = Deployment(tmp_path / "home", member(Role.LOADER), start_sandbox(products=12, orders=12))
    merchant.dropship("sync")
    merchant.dropship("orders", "sync", "--since", "36500d")
    assert vacuum(merchant.database).removed
    assert merchant.value("SELECT count(*) FROM catalog.products") == 12
    assert merchant.value("SELECT count(*) FROM orders.recipients") > 0
    owner = replace(merchant, database=database)
    assert owner.value("SELECT count(*) FROM dagster.runs") >= 1
    vacuumed = "SELECT count(*) FROM pg_stat_all_tables WHERE schemaname = 'catalog' AND last_vacuum IS NOT NULL"
    assert owner.value(vacuumed) > 0
    with database.begin() as connection:  # so that the login can be dropped
        login = make_url(merchant.database.libpq_url).username
        connection.exec_driver_sql(f'DROP OWNED BY "{login}"')


def test_a_login_of_a_managed_server_that_may_not_create_roles_migrates_with_a_warning(
    server: Database, make_login: Callable[..., str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The roles are there, made by other tests: under names of its own this test lacks them."""
    versions = migrate.MIGRATIONS / "versions" / "0006_roles.sql"
    prefix = f"later{uuid.uuid4().hex[:8]}_"
    statements = versions.read_text().replace("dropship_", prefix)
    owner = make_login("CREATEDB")
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE {name} OWNER "{owner}"')
    own = make_url(server.libpq_url).set(database=name, username=owner)
    database = Database(own.render_as_string(hide_password=False))
    monkeypatch.setattr(Role, "in_postgres", property(lambda role: f"{prefix}{role}"))
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, **how: statements if path == versions else read(path, **how))
    try:
        assert migrate.upgrade(database)
        [record] = [record for record in caplog.records if "roles" in record.message]
        creation = [f"CREATE ROLE {prefix}{role} NOLOGIN;" for role in sorted(ROLES)]
        assert " ".join(creation) in record.message
        assert run(database, "SELECT * FROM catalog.products") == 0

        reader = make_login()
        with pytest.raises(Problem, match=f"no role {prefix}analyst.*CREATE ROLE {prefix}analyst NOLOGIN"):
            grant(database, Role.ANALYST, reader)
        with server.autocommit() as connection:  # what the administrator was asked to run
            for statement in creation:
                connection.exec_driver_sql(statement)
        with pytest.raises(Problem, match=f"GRANT {prefix}analyst TO"):
            grant(database, Role.ANALYST, reader)
        with server.autocommit() as connection:
            connection.exec_driver_sql(f'GRANT {prefix}analyst TO "{owner}" WITH ADMIN OPTION')
        grant(database, Role.ANALYST, reader)
        assert run(as_login(database, reader), "SELECT * FROM catalog.products") == 0
    finally:
        database.close()
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
            for role in ROLES:
                connection.exec_driver_sql(f"DROP ROLE IF EXISTS {prefix}{role}")


def migrated(url: str) -> bool:
    return migrate.upgrade(Database(url))


def test_databases_of_one_server_may_make_the_roles_at_the_same_time(make_database: Callable[..., Database]) -> None:
    made = [make_database(template="template1") for _ in range(3)]
    with ProcessPoolExecutor(3) as pool:
        assert list(pool.map(migrated, [database.libpq_url for database in made])) == [True] * 3
    with made[0].begin() as connection:
        assert connection.exec_driver_sql("SELECT ops.grant_roles(), ops.grant_roles()").one() == ([], [])


def test_a_login_that_there_is_not_is_named_and_never_taken_for_sql(database: Database) -> None:
    for login in ("nobody", 'x"; DROP TABLE catalog.products; --', "x'); --", ""):
        with pytest.raises(Problem, match="has no login"):
            grant(database, Role.ANALYST, login)
    assert run(database, "SELECT * FROM catalog.products") == 0


def test_the_command_knows_the_roles_that_there_are() -> None:
    assert list(ROLES) == [role.value for role in Role]


def test_tokens_are_of_no_use_to_whoever_reads_the_tables(database: Database) -> None:
    token = "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg"
    AccountVault(database, Cipher([SECRET_KEY])).save("default", TokenPair(token, f"{token}r"), {})
    with database.begin() as connection:
        stored = connection.exec_driver_sql("SELECT access_token, refresh_token FROM ops.accounts").one()
    assert not [column for column in stored if token.encode() in bytes(column)]
