"""What every table definition must hold to, so that the DDL, the merges and the Arrow schemas from it are right."""

import pyarrow as pa
import pytest

from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.model import Type
from dropship_pipeline.tables.postgres import create_table, literal
from dropship_pipeline.tables.registry import ALL_TABLES, PUBLISHED, SCHEMAS, TABLES, VIEWS

every_table = pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.full_name)


@every_table
def test_keys_parents_observed_and_indexes_name_columns_of_the_table(table):
    named = {*table.key, *table.observed, *(name for columns in table.indexes for name in columns)}
    named |= {table.parent} - {""}
    assert named <= set(table.column_names)
    assert len(set(table.column_names)) == len(table.columns)


@every_table
def test_a_key_is_never_null_and_never_merely_observed(table):
    assert all(not table.column(name).nullable for name in table.key)
    assert not set(table.key) & set(table.observed)


@every_table
def test_a_table_of_children_can_be_replaced_parent_by_parent(table):
    if table.parent:
        assert not table.column(table.parent).nullable
        reachable = table.parent in {columns[0] for columns in (table.key, *table.indexes)}
        assert reachable, f"deleting by {table.parent} would read the whole of {table.full_name}"


@every_table
def test_money_stands_beside_its_currency(table):
    if any(column.type is Type.MONEY for column in table.columns):
        assert "currency" in table.column_names


@every_table
def test_what_is_named_as_a_time_is_one_and_in_utc(table):
    for column in table.columns:
        named_as_time = column.name.endswith("_at") and column.unit != "epoch seconds"
        assert column.type is Type.TIMESTAMP or not named_as_time
        if column.type is Type.TIMESTAMP:
            assert arrow_schema(table).field(column.name).type == pa.timestamp("us", tz="UTC")


@every_table
def test_the_arrow_schema_has_the_columns_in_order_with_their_nullability_and_comments(table):
    schema = arrow_schema(table)
    assert tuple(schema.names) == table.column_names
    for column, field in zip(table.columns, schema, strict=True):
        assert field.nullable == column.nullable
        assert field.metadata[b"comment"].decode() == column.comment
    assert schema.metadata[b"table"].decode() == table.full_name


@every_table
def test_the_ddl_names_every_column_and_comments_on_each(table):
    statements = create_table(table)
    assert statements[0].startswith(f"CREATE TABLE {table.full_name} (")
    for column in table.columns:
        assert f"    {column.name} {column.type.value}" in statements[0]
        assert any(s.startswith(f"COMMENT ON COLUMN {table.full_name}.{column.name} IS ") for s in statements)
    assert ("PRIMARY KEY" in statements[0]) == (not table.append_only)
    assert sum(s.startswith("CREATE INDEX") for s in statements) == len(table.indexes)


def test_a_quote_in_a_comment_does_not_end_the_literal():
    assert literal("the feed's key") == "'the feed''s key'"


def test_the_registry_holds_each_table_once_in_a_schema_that_is_described():
    assert len(TABLES) == len(ALL_TABLES)
    assert {one.schema for one in (*ALL_TABLES, *VIEWS)} == {schema for schema, _ in SCHEMAS}


def test_the_whole_catalogue_and_the_orders_are_published_and_neither_addresses_nor_our_book_keeping():
    public = {t.full_name for t in ALL_TABLES if t.schema in ("catalog", "orders")}
    assert {table.full_name for table in PUBLISHED} == public - {"orders.recipients", "orders.placements"}


def test_asking_for_a_column_that_is_not_there_names_table_and_column():
    with pytest.raises(KeyError, match=r"catalog\.products has no column colour"):
        TABLES["catalog.products"].column("colour")
