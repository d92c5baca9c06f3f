"""A table that was found sound is not read again, and one that may have changed since always is."""

import pytest
from merge_rows import tell

from dropship_pipeline.storage.lake.writes import gather, look, settle
from dropship_pipeline.storage.reading import audits
from dropship_pipeline.storage.reading.audits import Answer
from dropship_pipeline.storage.reading.soundness import Asked, ask, remember
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.catalog import CATALOG_TABLES
from dropship_pipeline.tables.registry import TABLES

PRODUCTS, SKUS, TIERS = (TABLES[f"catalog.{name}"] for name in ("products", "skus", "price_tiers"))
FILL = """
    INSERT INTO catalog.products (product_id, currency, first_seen_at, described_at, changed_at)
        VALUES ('1', 'USD', now(), now(), now());
    INSERT INTO catalog.skus (sku_id, product_id) VALUES ('11', '1'), ('12', '1');
    INSERT INTO catalog.price_tiers VALUES ('11', 1, '1', NULL, 3.69, 'USD'), ('12', 1, '1', NULL, 3.69, 'USD');
"""
CHEAPER = "UPDATE catalog.price_tiers SET price = 3.5 WHERE sku_id = '11'"
_READ = """
    SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_user_tables
    WHERE schemaname IN ('catalog', 'orders')
"""


@pytest.fixture
def filled(database: Database) -> Database:
    tell(database, FILL)
    return database


def looked(database: Database) -> tuple[Asked, int]:
    """What asking all of the catalogue comes to, and how many of its rows Postgres reads for it."""
    with database.begin() as connection:
        audits.read_only(connection)
        before = connection.exec_driver_sql(_READ).scalar_one()
        asked = ask(connection, CATALOG_TABLES)
        rows = int(connection.exec_driver_sql(_READ).scalar_one() - before)
    remember(database, asked.found)
    return asked, rows


def read_again(database: Database) -> set[str]:
    """The tables that are not known to be sound still."""
    asked, _ = looked(database)
    return {answer.table.removeprefix("catalog.") for answer in asked.answers if answer.unchanged_since is None}


def publish(database: Database) -> None:
    """Record what a publish records of the tables as they are."""
    with database.adbc() as rows:
        rows.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        standing = look(rows)
        rows.run("ROLLBACK")
    with database.begin() as connection:
        name = f"number {standing.number + 1}"
        settle(connection, standing, name)
        connection.exec_driver_sql(f"INSERT INTO ops.snapshots VALUES ('{name}', 'run', now(), '{{}}')")


def plain(answers: list[Answer]) -> list[tuple[str, str, int, int]]:
    return [(answer.question, answer.table, answer.rows, answer.faulty) for answer in answers]


def test_of_tables_that_were_found_sound_and_not_written_to_no_row_is_read(filled: Database) -> None:
    publish(filled)
    first, rows = looked(filled)
    assert rows > 0
    again, rows = looked(filled)
    assert rows == 0
    assert plain(again.answers) == plain(first.answers)
    assert {answer.unchanged_since for answer in again.answers} == {one.sound.asked_at for one in first.found}
    assert again.found == []


def test_what_a_sync_checks_before_it_publishes_the_next_need_not_check_again(filled: Database) -> None:
    assert {"products", "skus", "price_tiers"} <= read_again(filled)
    publish(filled)  # the first ever: it removes the marks of what was checked
    assert read_again(filled).isdisjoint({"products", "skus", "price_tiers"})
    tell(filled, CHEAPER)
    assert read_again(filled) & {"products", "skus", "price_tiers"} == {"price_tiers"}
    publish(filled)
    publish(filled)
    assert read_again(filled) == set()


def test_what_was_written_between_a_check_and_the_publish_is_checked_again(filled: Database) -> None:
    publish(filled)
    assert read_again(filled) != set()
    tell(filled, CHEAPER)
    publish(filled)  # no mark is left of it
    assert read_again(filled) == {"price_tiers"}


@pytest.mark.parametrize(
    "how",
    [
        CHEAPER,
        "INSERT INTO catalog.price_tiers VALUES ('12', 5, '1', NULL, 3, 'USD')",
        "DELETE FROM catalog.price_tiers WHERE sku_id = '11'",
        "TRUNCATE catalog.price_tiers",
        "ALTER TABLE catalog.price_tiers ADD COLUMN mine text DEFAULT 'x'",
        (
            "ALTER TABLE catalog.price_tiers DISABLE TRIGGER note_update; UPDATE catalog.price_tiers SET price = 0; "
            "ALTER TABLE catalog.price_tiers ENABLE ALWAYS TRIGGER note_update"
        ),
        "INSERT INTO ops.table_writes VALUES ('catalog.price_tiers', 1, now())",
        "DELETE FROM ops.sound_tables WHERE table_name = 'catalog.price_tiers'",
    ],
)
def test_a_table_is_read_again_whoever_wrote_to_it_and_however(filled: Database, how: str) -> None:
    publish(filled)
    read_again(filled)
    assert read_again(filled) == set()
    tell(filled, how)
    assert read_again(filled) == {"price_tiers"}


def test_a_table_is_read_again_when_what_it_refers_to_was_written_to(filled: Database) -> None:
    publish(filled)
    read_again(filled)
    tell(filled, "DELETE FROM catalog.skus WHERE sku_id = '12'")
    asked, _ = looked(filled)
    [references] = [a for a in asked.answers if a.table == TIERS.full_name and a.question == audits.REFERENCES]
    assert (references.faulty, references.unchanged_since) == (1, None)


def test_a_table_with_a_fault_is_read_each_time_until_it_has_none(filled: Database) -> None:
    publish(filled)
    read_again(filled)
    tell(filled, "UPDATE catalog.price_tiers SET price = 0 WHERE sku_id = '11'")
    for _ in range(2):
        asked, rows = looked(filled)
        [money] = [a for a in asked.answers if a.table == TIERS.full_name and a.question == audits.MONEY]
        assert (money.faulty, money.grave) == (1, 1)
        assert rows > 0
    tell(filled, CHEAPER)
    assert read_again(filled) == {"price_tiers"}
    assert read_again(filled) == set()


def test_a_key_that_is_gone_is_noticed_though_nobody_wrote_to_the_table(filled: Database) -> None:
    publish(filled)
    read_again(filled)
    tell(filled, "ALTER TABLE catalog.skus DROP CONSTRAINT skus_pkey")
    asked, _ = looked(filled)
    [keys] = [a for a in asked.answers if a.table == SKUS.full_name and a.question == audits.KEYS]
    assert (keys.lost, keys.unchanged_since) == ("PRIMARY KEY (sku_id)", None)


def test_what_commits_after_a_check_is_not_taken_for_checked(filled: Database) -> None:
    publish(filled)
    read_again(filled)
    with filled.begin() as writer:
        writer.exec_driver_sql(CHEAPER)
        assert read_again(filled) == set()  # nobody sees it yet
    assert read_again(filled) == {"price_tiers"}


def test_marks_that_upkeep_gathers_still_stand_for_what_was_written(filled: Database) -> None:
    publish(filled)
    read_again(filled)
    tell(filled, CHEAPER)
    gather(filled)
    assert read_again(filled) == {"price_tiers"}


def test_a_database_that_forgot_what_it_published_is_read_again(filled: Database) -> None:
    publish(filled)
    read_again(filled)
    tell(filled, "DELETE FROM ops.publishes")
    assert {"products", "skus", "price_tiers"} <= read_again(filled)
    assert PRODUCTS.full_name not in {answer.table for answer in looked(filled)[0].answers if answer.unchanged_since}
