"""From every revision of the chain to the newest with rows in the tables: each is there afterwards, as it was."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from dropship_pipeline.storage import migrate
from dropship_pipeline.storage.server.database import Database

CONFIG = Config()
CONFIG.set_main_option("script_location", str(migrate.MIGRATIONS))
REVISIONS = [step.revision for step in reversed(list(ScriptDirectory.from_config(CONFIG).walk_revisions()))]

RENAMED: dict[str, str] = {}
"""`schema.table.column` of an old revision -> what it is called now. A release that drops one on purpose says so."""

ROWS = 7
# a value of each type for row n; text that would be torn by a wrong encoding or quoting
VALUES = {
    "text": "'ä''{name} ' || n",
    "text[]": "ARRAY['a', n::text]",
    "boolean": "mod(n, 2) = 0",
    "integer": "n",
    "bigint": "n * 1000000007",
    "double precision": "n / 3.0",
    "numeric(18,4)": "n * 12345678.1234",
    "timestamp with time zone": "timestamptz '2026-03-29 00:59:59.999999+00' + n * interval '1 hour'",
    "jsonb": "jsonb_build_object('n', n)",
    "bytea": "decode('00ff' || lpad(n::text, 2, '0'), 'hex')",
}

_COLUMNS = """
    SELECT n.nspname || '.' || c.relname AS name, a.attname, format_type(a.atttypid, a.atttypmod) AS type
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND n.nspname IN ('catalog', 'orders', 'ops') AND c.relname <> 'alembic_version'
        AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY 1, a.attnum
"""


@pytest.fixture
def empty(make_database: Callable[..., Database]) -> Database:
    """A database that was never migrated."""
    return make_database(template="template1")


def columns(connection: Connection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, column, kind in connection.exec_driver_sql(_COLUMNS):
        found.setdefault(name, {})[column] = kind
    return found


def upgrade_to(database: Database, revision: str) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS ops")
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, revision)


def fill(connection: Connection) -> None:
    for name, kinds in columns(connection).items():
        values = ", ".join(VALUES[kind].format(name=column) for column, kind in kinds.items())
        rows = 1 if name == "ops.origin" else ROWS
        if name != "ops.sku_prices":  # triggers of catalog.price_tiers fill it
            connection.exec_driver_sql(f"INSERT INTO {name} SELECT {values} FROM generate_series(1::bigint, {rows}) n")


def rows(connection: Connection, tables: dict[str, dict[str, str]]) -> dict[str, list[tuple[Any, ...]]]:
    """What every column of an older revision holds, under the name that it has now."""
    now = columns(connection)
    held = {}
    for name, kinds in tables.items():
        called = [RENAMED.get(f"{name}.{column}", column) for column in kinds]
        lost = set(called) - now.get(name, {}).keys()
        assert not lost, f"{name} lost {lost}: say in RENAMED where they went"
        selected = ", ".join(f"{column}::text" for column in called)
        held[name] = sorted(connection.exec_driver_sql(f"SELECT {selected} FROM {name}").all(), key=repr)
    return {name: [tuple(row) for row in found] for name, found in held.items()}


@pytest.mark.parametrize("revision", REVISIONS)
def test_data_of_every_revision_is_there_after_the_upgrade(empty: Database, revision: str) -> None:
    upgrade_to(empty, revision)
    with empty.begin() as connection:
        fill(connection)
        tables = columns(connection)
        before = rows(connection, tables)
    assert len(before) > 10
    assert migrate.upgrade(empty) == (revision != REVISIONS[-1])
    with empty.begin() as connection:
        assert rows(connection, tables) == before
        assert len(columns(connection)) >= len(tables)


def test_an_upgrade_killed_in_the_middle_leaves_the_old_version_whole(empty: Database) -> None:
    upgrade_to(empty, "0001")
    with empty.begin() as connection:
        fill(connection)
        tables = columns(connection)
        before = rows(connection, tables)
    code = (
        "import sys; from dropship_pipeline.storage import migrate\n"
        "from dropship_pipeline.storage.server.database import Database\n"
        "migrate.upgrade(Database(sys.argv[1]))"
    )
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with empty.sqlalchemy.connect() as in_the_way:
        in_the_way.exec_driver_sql("LOCK TABLE catalog.products")  # the views of a later step read it
        process = subprocess.Popen([sys.executable, "-c", code, empty.libpq_url])
        with empty.autocommit() as connection:
            while not connection.exec_driver_sql(waits).first():
                assert process.poll() is None, "it ended: the test shows nothing"
                time.sleep(0.02)
        process.kill()
        process.wait()
        in_the_way.rollback()
    with empty.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE catalog.products")  # given when Postgres has noticed the kill
        assert columns(connection) == tables
        assert rows(connection, tables) == before
    assert migrate.current(empty) == "0001"
    assert migrate.upgrade(empty)
    with empty.begin() as connection:
        assert rows(connection, tables) == before
