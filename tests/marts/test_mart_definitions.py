"""A migrated view is what its definition says, its columns are described truly, and it is asked by product at once."""

from collections.abc import Iterator
from typing import Any

import pytest
from dozen import Books
from sqlalchemy import Connection

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.model import View
from dropship_pipeline.tables.postgres import create_view
from dropship_pipeline.tables.registry import TABLES, VIEWS

every_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
BY_NAME = {view.full_name: view for view in VIEWS}


def made(connection: Connection) -> list[tuple[object, ...]]:
    """Every view and function of the schema: what it does, its comment, its columns with their types and comments."""
    found = connection.exec_driver_sql("""
        SELECT c.relname, pg_get_viewdef(c.oid), obj_description(c.oid, 'pg_class'),
            (SELECT array_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), col_description(c.oid, attnum))
                ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid)
        FROM pg_class c WHERE c.relnamespace = 'marts'::regnamespace AND c.relkind = 'v'
        UNION ALL
        SELECT p.proname, pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc'), NULL
        FROM pg_proc p WHERE p.pronamespace = 'marts'::regnamespace
        ORDER BY 1""")
    return [tuple(row) for row in found]


def test_the_migrated_views_are_those_of_the_definitions(database: Database):
    with database.begin() as connection:
        migrated = made(connection)
        connection.exec_driver_sql("DROP SCHEMA marts CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA marts")
        for view in VIEWS:
            for statement in create_view(view):
                connection.connection.cursor().execute(statement)
        assert migrated == made(connection)
    assert [row[0] for row in migrated] == sorted(view.name for view in VIEWS)


def test_each_view_gives_the_columns_of_its_definition_and_names_what_it_is_made_of(database: Database):
    names = {"timestamp with time zone": "timestamptz", "numeric": "numeric(18,4)"}
    with database.begin() as connection:
        for view in VIEWS:
            connection.exec_driver_sql(f"CREATE TEMPORARY VIEW asked_{view.name} AS SELECT * FROM {called(view)}")
            columns = connection.exec_driver_sql(f"""
                SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
                WHERE attrelid = 'pg_temp.asked_{view.name}'::regclass ORDER BY attnum""")
            found = [(name, names.get(kind, kind)) for name, kind in columns]
            assert found == [(column.name, column.type.value) for column in view.columns]
            assert made_of(connection, view) == set(view.sources)


# a table that triggers of another keep true (test_kept_prices.py) -> that other one
KEPT_WITH = {"ops.sku_prices": "catalog.price_tiers"}


def called(view: View) -> str:
    """The view as a query names it; one with arguments, as of four days ago."""
    return f"{view.full_name}(now() - interval '4 days')" if view.arguments else view.full_name


def made_of(connection: Connection, view: View) -> set[str]:
    """What Postgres noted that the view, or the function, depends on."""
    found = connection.exec_driver_sql(f"""
        SELECT DISTINCT n.nspname || '.' || c.relname
        FROM pg_depend d
        JOIN pg_class c ON c.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
        LEFT JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
        WHERE r.ev_class = to_regclass('{view.full_name}')
            OR p.pronamespace = '{view.schema}'::regnamespace AND p.proname = '{view.name}'""")
    return {KEPT_WITH.get(name, name) for name in found.scalars()} - {view.full_name}


@every_view
def test_a_column_is_made_of_columns_that_there_are_in_tables_that_the_view_reads(view: View):
    for column in view.columns:
        for name in column.reads:
            table, _, read = name.rpartition(".")
            assert table in view.sources, f"{view.full_name}.{column.name} reads {name}"
            source = TABLES.get(table) or BY_NAME[table]
            assert read in source.column_names, f"{view.full_name}.{column.name} reads {name}"


@every_view
def test_a_view_is_described_as_a_table_is(view: View):
    assert set(view.key) <= set(view.column_names)
    assert len(set(view.column_names)) == len(view.columns)
    assert arrow_schema(view).names == list(view.column_names)
    assert all(column.comment and column.nullable for column in view.columns)


def test_no_two_rows_share_a_key(books: Books):
    for view in VIEWS:
        key = ", ".join(view.key)
        assert books.ask(f"SELECT count(*) > 0 FROM {called(view)}") == [(True,)], view.name
        assert books.ask(f"SELECT {key} FROM {called(view)} GROUP BY {key} HAVING count(*) > 1") == [], view.name


def test_a_question_about_one_product_reads_the_rows_of_that_product(books: Books):
    """With an index at hand for each table: a dozen products alone would be read as fast from end to end."""
    books.ask("SELECT set_config('enable_seqscan', 'off', true)")
    by_product = [view for view in VIEWS if "product_id" in view.column_names]
    assert len(by_product) > 5
    for view in by_product:
        [(plan,)] = books.ask(f"EXPLAIN (FORMAT JSON) SELECT * FROM {called(view)} WHERE product_id = 'P01'")
        scans = [node for node in nodes(plan[0]["Plan"]) if node.get("Relation Name", "hold_rules") != "hold_rules"]
        assert scans, view.name
        for scan in scans:
            condition = scan.get("Index Cond") or scan.get("Recheck Cond") or ""
            assert any(known in condition for known in ("P01", "product_id", "sku_id")), (view.name, scan)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)
