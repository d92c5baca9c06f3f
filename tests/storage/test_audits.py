"""What rows must be: every fault that is planted is found, told apart and sampled, and a sound catalogue has none."""

from typing import Any

import pytest
from merge_rows import tell

from dropship_pipeline.storage.reading import audits
from dropship_pipeline.storage.reading.audits import CURRENCIES, KEYS, MONEY, REFERENCES, Answer, ask, asked
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.catalog import CATALOG_TABLES
from dropship_pipeline.tables.model import Column, Reference, Table, Type
from dropship_pipeline.tables.registry import TABLES

# Two products, the second with nothing to it; a row or more in every table, with what may be NULL left out.
SOUND = """
    INSERT INTO catalog.feed_products (feed, product_id, first_listed_at, last_listed_at)
        VALUES ('us_standard', '1', now(), now()), ('us_standard', '2', now(), now()),
            ('cross_border', '3', now(), now());
    INSERT INTO catalog.products (product_id, currency, wholesale_price, first_seen_at, described_at, changed_at)
        VALUES ('1', 'USD', 3.5, now(), now(), now()), ('2', NULL, NULL, now(), now(), now());
    INSERT INTO catalog.product_descriptions VALUES ('1', '<p>Keeps warm</p>');
    INSERT INTO catalog.product_images VALUES ('1', 0, 'a.jpg'), ('1', 1, 'b.jpg');
    INSERT INTO catalog.delivery_periods VALUES ('1', 100, 7);
    INSERT INTO catalog.skus (sku_id, product_id) VALUES ('11', '1'), ('12', '1');
    INSERT INTO catalog.sku_attributes (sku_id, position, product_id) VALUES ('11', 0, '1'), ('12', 0, '1');
    INSERT INTO catalog.price_tiers VALUES
        ('11', 1, '1', 99, 3.69, 'USD'), ('11', 100, '1', NULL, 0.0001, 'USD'), ('12', 1, '1', NULL, NULL, NULL);
    INSERT INTO catalog.inventory_levels VALUES ('11', 'CN', '1', 7, NULL, now()), ('99', 'CN', '9', 7, NULL, now());
    INSERT INTO catalog.freight_quotes
        (product_id, destination_country, quantity, vendor_code, requested_dispatch, fee, currency, quoted_at)
        VALUES ('1', 'US', 1, 'FREE', 'CN', 0, 'USD', now()), ('1', 'US', 1, 'FAST', 'CN', 4.2, 'MXN', now());
    INSERT INTO catalog.freight_failures VALUES ('1', 'US', 1, 'US', 'NO_OPTIONS', NULL, now());
    INSERT INTO catalog.price_changes VALUES ('gone', '1', 1, 3.7, NULL, 'USD', now());
    INSERT INTO catalog.inventory_changes VALUES ('gone', 'gone', 'CN', 3, 4, now());
    INSERT INTO catalog.listing_changes VALUES ('us_standard', '1', 'listed', now()), (NULL, '9', 'delisted', now());
"""


@pytest.fixture
def sound(database: Database) -> Database:
    """A database with a catalogue that nothing is wrong with."""
    tell(database, SOUND)
    return database


def answers(database: Database, *tables: str) -> dict[str, Answer]:
    with database.begin() as connection:
        audits.read_only(connection)
        found = ask(connection, [TABLES[name] for name in tables])
    return {answer.question: answer for answer in found}


def test_a_sound_catalogue_has_no_fault(sound: Database) -> None:
    with sound.begin() as connection:
        audits.read_only(connection)
        found = ask(connection, CATALOG_TABLES)
    assert [answer for answer in found if answer.faulty or answer.grave or answer.lost or answer.sample] == []
    assert [(a.table, a.question) for a in found] == [(t.full_name, name) for t in CATALOG_TABLES for name in asked(t)]
    assert all(answer.rows > 0 for answer in found)


def test_what_is_asked_follows_from_the_definition() -> None:
    assert asked(TABLES["catalog.price_tiers"]) == (KEYS, REFERENCES, MONEY, CURRENCIES)
    assert asked(TABLES["catalog.feed_products"]) == (KEYS,)
    assert asked(TABLES["catalog.price_changes"]) == (REFERENCES, MONEY, CURRENCIES)
    assert asked(TABLES["catalog.inventory_changes"]) == ()


@pytest.mark.parametrize("table", [t for t in CATALOG_TABLES if t.key], ids=lambda table: table.name)
def test_a_table_without_its_key_is_found_and_so_is_what_came_twice(sound: Database, table: Table) -> None:
    tell(sound, f"ALTER TABLE {table.full_name} DROP CONSTRAINT {table.name}_pkey")
    lost = answers(sound, table.full_name)[KEYS]
    assert (lost.faulty, lost.lost, lost.sample) == (0, f"PRIMARY KEY ({', '.join(table.key)})", ())

    tell(sound, f"INSERT INTO {table.full_name} SELECT * FROM {table.full_name} ORDER BY {table.key[0]} LIMIT 1")
    doubled = answers(sound, table.full_name)[KEYS]
    assert (doubled.faulty, doubled.grave) == (1, 1)
    [sample] = doubled.sample
    assert set(sample) == {*table.key, "rows"}
    assert sample["rows"] == 2


def test_a_key_of_other_columns_is_not_the_key(sound: Database) -> None:
    tell(
        sound,
        "ALTER TABLE catalog.price_tiers DROP CONSTRAINT price_tiers_pkey",
        "ALTER TABLE catalog.price_tiers ADD PRIMARY KEY (sku_id, product_id, min_quantity)",
    )
    assert answers(sound, "catalog.price_tiers")[KEYS].lost == "PRIMARY KEY (sku_id, min_quantity)"


def test_a_required_column_that_is_null_is_found(sound: Database) -> None:
    tell(
        sound,
        "ALTER TABLE catalog.products ALTER changed_at DROP NOT NULL",
        "UPDATE catalog.products SET changed_at = NULL WHERE product_id = '2'",
    )
    found = answers(sound, "catalog.products")[KEYS]
    assert (found.rows, found.faulty, found.lost) == (2, 1, "")
    assert found.sample == ({"product_id": "2", "rows": 1},)


@pytest.mark.parametrize(
    ("table", "fault", "sample"),
    [
        ("product_descriptions", "UPDATE {} SET product_id = '9'", {"product_id": "9"}),
        ("product_images", "INSERT INTO {} VALUES ('9', 0, 'x')", {"product_id": "9", "position": 0}),
        ("delivery_periods", "UPDATE {} SET product_id = '9'", {"product_id": "9", "quantity": 100}),
        ("skus", "INSERT INTO {} VALUES ('91', '9')", {"sku_id": "91", "product_id": "9"}),
        (
            "sku_attributes",
            "DELETE FROM catalog.skus WHERE sku_id = '12'",
            {"sku_id": "12", "position": 0, "product_id": "1"},
        ),
        (
            "price_tiers",
            "UPDATE catalog.skus SET product_id = '2' WHERE sku_id = '12'",
            {"sku_id": "12", "min_quantity": 1, "product_id": "1"},
        ),
        (
            "freight_failures",
            "UPDATE {} SET product_id = '9'",
            {"product_id": "9", "destination_country": "US", "quantity": 1, "dispatch_location": "US"},
        ),
    ],
)
def test_what_refers_to_nothing_is_found(sound: Database, table: str, fault: str, sample: dict[str, Any]) -> None:
    tell(sound, fault.format(f"catalog.{table}"))
    found = answers(sound, f"catalog.{table}")[REFERENCES]
    assert (found.faulty, found.grave, found.sample) == (1, 1, (sample,))


@pytest.mark.parametrize("log", ["price_changes", "listing_changes"])
def test_a_change_of_what_was_never_there_is_found(sound: Database, log: str) -> None:
    tell(sound, f"UPDATE catalog.{log} SET product_id = '9'")
    found = answers(sound, f"catalog.{log}")[REFERENCES]
    assert found.faulty == 1  # and not the change of a product that says itself that it is offline
    assert found.sample[0]["product_id"] == "9"
    assert "observed_at" in found.sample[0]


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("products", "UPDATE {} SET wholesale_price = 0 WHERE product_id = '1'"),
        ("price_tiers", "UPDATE {} SET price = 0 WHERE min_quantity = 100"),
        ("price_tiers", "UPDATE {} SET price = -1 WHERE min_quantity = 100"),
        ("price_changes", "UPDATE {} SET old_price = -0.01"),
        ("price_changes", "UPDATE {} SET new_price = 0"),
        ("freight_quotes", "UPDATE {} SET fee = -0.0001 WHERE vendor_code = 'FREE'"),
    ],
)
def test_a_price_of_nothing_and_a_fee_of_less_are_found(sound: Database, table: str, fault: str) -> None:
    tell(sound, fault.format(f"catalog.{table}"))
    found = answers(sound, f"catalog.{table}")[MONEY]
    assert (found.faulty, found.grave, len(found.sample)) == (1, 1, 1)
    assert {*TABLES[f"catalog.{table}"].key} <= set(found.sample[0])


@pytest.mark.parametrize("table", ["products", "price_tiers", "freight_quotes", "price_changes"])
def test_a_currency_that_iso_4217_does_not_know_is_found(sound: Database, table: str) -> None:
    before = "USD"
    for currency in ("usd", "US$", "DEM", "XXX", "", "USDT"):
        tell(sound, f"UPDATE catalog.{table} SET currency = '{currency}' WHERE currency = '{before}'")
        found = answers(sound, f"catalog.{table}")[CURRENCIES]
        assert found.faulty == found.grave > 0
        assert found.sample[0]["currency"] == currency
        before = currency


def test_an_amount_in_no_currency_is_a_fault_that_is_not_grave(sound: Database) -> None:
    tell(sound, "UPDATE catalog.price_tiers SET currency = NULL WHERE min_quantity = 100")
    found = answers(sound, "catalog.price_tiers")[CURRENCIES]
    assert (found.faulty, found.grave) == (1, 0)


def test_a_sample_has_ten_rows_the_grave_ones_first(sound: Database) -> None:
    tell(
        sound,
        "INSERT INTO catalog.price_tiers SELECT '11', n, '1', NULL, 1, NULL FROM generate_series(1000, 1030) n",
        "INSERT INTO catalog.price_tiers VALUES ('12', 9999, '1', NULL, 1, 'ZZZ')",
    )
    found = answers(sound, "catalog.price_tiers")[CURRENCIES]
    assert (found.rows, found.faulty, found.grave, len(found.sample)) == (35, 32, 1, 10)
    assert [row["currency"] for row in found.sample] == ["ZZZ"] + [None] * 9


def test_a_row_may_refer_to_several_tables_and_to_nothing_where_it_is_null(sound: Database) -> None:
    column = Column("product_id", Type.TEXT, "")
    table = Table(
        "public",
        "notes",
        "",
        (Column("note", Type.TEXT, "", nullable=False), column, Column("sku_id", Type.TEXT, "")),
        key=("note",),
        references=(Reference(("product_id",), "catalog.products"), Reference(("sku_id",), "catalog.skus")),
    )
    tell(
        sound,
        "CREATE TABLE notes (note text PRIMARY KEY, product_id text, sku_id text)",
        "INSERT INTO notes VALUES ('both', '1', '11'), ('one', '2', NULL), ('none', NULL, NULL), "
        "('no product', '9', '11'), ('no SKU', '1', '99'), ('neither', '9', '99')",
    )
    with sound.begin() as connection:
        keys, references = ask(connection, [table])
    assert (keys.faulty, references.rows, references.faulty) == (0, 6, 3)
    assert [row["note"] for row in references.sample] == ["neither", "no SKU", "no product"]


def test_asking_writes_nothing_and_sees_one_moment(sound: Database) -> None:
    with sound.begin() as connection:
        audits.read_only(connection)
        ask(connection, CATALOG_TABLES)
        said = [connection.exec_driver_sql(f"SHOW transaction_{name}").scalar() for name in ("isolation", "read_only")]
    assert said == ["repeatable read", "on"]
