"""A migrated database is what the definitions say, however and by however many it was migrated."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage import migrate
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.model import Table
from dropship_pipeline.tables.postgres import create_table
from dropship_pipeline.tables.registry import ALL_TABLES, SCHEMAS


@pytest.fixture
def empty(make_database: Callable[..., Database]) -> Database:
    """A database that was never migrated."""
    return make_database(template="template1")


@pytest.fixture(scope="module")
def migrated(make_shared_database: Callable[[], Database]) -> Database:
    """A migrated database, for tests that change no table of its own."""
    return make_shared_database()


def tables(connection: Connection) -> set[str]:
    found = connection.exec_driver_sql(
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('catalog', 'orders', 'ops')"
    )
    return set(found.scalars())


def columns(connection: Connection, table: Table) -> list[tuple[object, ...]]:
    """Name, type, nullable, comment: in order."""
    found = connection.exec_driver_sql(f"""
        SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, col_description(attrelid, attnum)
        FROM pg_attribute WHERE attrelid = '{table.full_name}'::regclass AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum""")
    return [tuple(row) for row in found]


def test_the_migrated_tables_are_those_of_the_definitions(database: Database) -> None:
    with database.begin() as connection:
        assert tables(connection) == {t.full_name for t in ALL_TABLES} | {"ops.alembic_version"}
        for schema, comment in SCHEMAS:
            found = f"SELECT obj_description('{schema}'::regnamespace)"
            assert connection.exec_driver_sql(found).scalar() == comment


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.full_name)
def test_a_migrated_table_is_what_its_definition_says(migrated: Database, table: Table) -> None:
    """Columns, types, nullability, comments, key and indexes, against a table made from the definition itself."""
    model_of = re.compile(rf"\b{table.schema}\.(?={table.name}\b)")
    with migrated.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS model CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA model")
        for statement in create_table(table):
            connection.connection.cursor().execute(model_of.sub("model.", statement))
        model = Table("model", table.name, table.comment, table.columns, table.key, indexes=table.indexes)
        assert columns(connection, table) == columns(connection, model)
        for described in (table, model):
            found = f"SELECT obj_description('{described.full_name}'::regclass)"
            assert connection.exec_driver_sql(found).scalar() == table.comment
        definitions = [
            sorted(
                connection.exec_driver_sql(
                    "SELECT replace(indexdef, schemaname || '.', '') FROM pg_indexes "
                    f"WHERE schemaname = '{schema}' AND tablename = '{table.name}'"
                ).scalars()
            )
            for schema in (table.schema, "model")
        ]
        assert definitions[0] == definitions[1]
        assert len(definitions[0]) == len(table.indexes) + bool(table.key)


def test_an_empty_database_is_pending_until_it_is_upgraded(empty: Database) -> None:
    assert migrate.pending(empty)
    assert migrate.upgrade(empty)
    assert not migrate.pending(empty)
    assert not migrate.upgrade(empty)


def test_several_processes_may_upgrade_at_once(empty: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: migrate.upgrade(Database(empty.libpq_url)), range(4)))
    assert any(done)
    assert not migrate.pending(empty)


def test_an_upgrade_that_fails_leaves_nothing_behind(empty: Database) -> None:
    with empty.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA ops")
        connection.exec_driver_sql("CREATE TABLE ops.syncs (mine int)")
    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(empty)
    with empty.begin() as connection:
        assert tables(connection) == {"ops.syncs"}


def test_nothing_pending_is_found_out_in_under_50_ms(database: Database) -> None:
    migrate.pending(database)

    def took() -> float:
        began = time.perf_counter()
        assert not migrate.upgrade(database)
        return time.perf_counter() - began

    assert min(took() for _ in range(20)) < 0.05  # what more some of them take is what else the machine does


def test_a_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE ops.alembic_version SET version_num = '9999'")
    with pytest.raises(Problem, match=r"revision 9999 .* Update dropship_pipeline"):
        migrate.upgrade(database)


def test_the_newest_revision_by_file_name_is_the_head_of_the_chain() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.head()]
