"""After a bulk load the planner knows what is in the tables."""

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.statistics import look_again

_LISTED = """INSERT INTO catalog.feed_products (feed, product_id, position, first_listed_at, last_listed_at)
    SELECT 'local_us', n::text, n, now(), now() FROM generate_series({}, {}) n"""


def expected_rows(database: Database) -> float:
    """How many memberships the planner believes in."""
    with database.begin() as connection:
        query = "EXPLAIN (FORMAT json) SELECT * FROM catalog.feed_products WHERE feed = 'local_us'"
        [plan] = connection.exec_driver_sql(query).scalar_one()
        return float(plan["Plan"]["Plan Rows"])


def load(database: Database, first: int, last: int) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(_LISTED.format(first, last))


def test_a_table_that_has_grown_by_a_quarter_is_looked_at_again_and_no_other(database: Database) -> None:
    assert look_again(database) == []
    load(database, 1, 5_000)
    assert expected_rows(database) < 1_000
    assert look_again(database) == ["catalog.feed_products"]
    assert expected_rows(database) > 4_000
    assert look_again(database) == []
    load(database, 5_001, 6_000)
    assert look_again(database) == [], "a fifth more changes no plan"
    load(database, 6_001, 8_000)
    assert look_again(database) == ["catalog.feed_products"]
