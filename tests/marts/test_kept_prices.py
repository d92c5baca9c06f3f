"""`ops.sku_prices` is what the price tiers say, whoever writes to them and however."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from dozen import Books
from sqlalchemy import Connection

from dropship_pipeline.storage.server.database import Database

# told another way than the trigger does it
DERIVED = """
SELECT first.sku_id, first.product_id, currency.last, first.min_quantity, first.price, best.min_quantity, best.price
FROM (
    SELECT DISTINCT ON (sku_id, product_id) * FROM catalog.price_tiers ORDER BY sku_id, product_id, min_quantity
) first
LEFT JOIN (
    SELECT DISTINCT ON (sku_id, product_id) * FROM catalog.price_tiers WHERE price IS NOT NULL
    ORDER BY sku_id, product_id, price, min_quantity
) best USING (sku_id, product_id)
JOIN (SELECT sku_id, product_id, max(currency) AS last FROM catalog.price_tiers GROUP BY 1, 2) currency
    USING (sku_id, product_id)
ORDER BY 1, 2"""
KEPT = """
SELECT sku_id, product_id, currency, first_quantity, first_price, best_quantity, best_price
FROM ops.sku_prices ORDER BY 1, 2"""


def held_together(connection: Connection) -> int:
    """How many rows are kept, all of which are what the tiers say."""
    kept = connection.exec_driver_sql(KEPT).all()
    assert kept == connection.exec_driver_sql(DERIVED).all()
    return len(kept)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE catalog.price_tiers SET price = price * 2 WHERE min_quantity = 1",
        "UPDATE catalog.price_tiers SET price = NULL WHERE product_id = 'P01'",
        "UPDATE catalog.price_tiers SET currency = 'MXN' WHERE sku_id = 'S011'",
        "UPDATE catalog.price_tiers SET min_quantity = min_quantity + 1 WHERE product_id = 'P11'",
        "UPDATE catalog.price_tiers SET product_id = 'P02' WHERE sku_id = 'S011'",  # as a SKU moves to another product
        "UPDATE catalog.price_tiers SET sku_id = 'S999' WHERE sku_id = 'S011' AND min_quantity > 1",
        "DELETE FROM catalog.price_tiers WHERE min_quantity = 1",
        "DELETE FROM catalog.price_tiers WHERE product_id = 'P11'",
        """INSERT INTO catalog.price_tiers (sku_id, min_quantity, product_id, price, currency)
            SELECT sku_id, 7, product_id, 0.01, 'USD' FROM catalog.skus
            ON CONFLICT (sku_id, min_quantity) DO UPDATE SET price = excluded.price""",
        """WITH gone AS (DELETE FROM catalog.price_tiers WHERE min_quantity = 1 RETURNING *)
            INSERT INTO catalog.price_tiers SELECT sku_id, 3, product_id, max_quantity, price, currency FROM gone""",
    ],
)
def test_whatever_is_written_to_the_tiers_is_kept_in_the_same_transaction(books: Books, statement: str) -> None:
    before = books.ask(KEPT)
    assert held_together(books.connection)
    books.connection.exec_driver_sql(statement)
    assert held_together(books.connection)
    assert books.ask(KEPT) != before


def test_without_tiers_nothing_is_kept(books: Books) -> None:
    books.connection.exec_driver_sql("TRUNCATE catalog.price_tiers")
    assert books.ask(KEPT) == []


def test_what_the_tiers_said_already_is_not_written_again(books: Books) -> None:
    where = "SELECT ctid::text FROM ops.sku_prices ORDER BY sku_id"
    before = books.ask(where)
    books.connection.exec_driver_sql("UPDATE catalog.price_tiers SET max_quantity = 1000000")
    assert books.ask(where) == before


def test_two_who_change_different_tiers_of_one_sku_at_once_are_both_heard(database: Database) -> None:
    change = "UPDATE catalog.price_tiers SET price = %s WHERE sku_id = 'S1' AND min_quantity = %s"

    def cheaper_from_ten() -> None:
        with database.begin() as other:
            other.exec_driver_sql(change, (2, 10))

    with database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO catalog.price_tiers (sku_id, min_quantity, product_id, price, currency) "
            "VALUES ('S1', 1, 'P1', 5, 'USD'), ('S1', 10, 'P1', 4, 'USD')"
        )
    with ThreadPoolExecutor(1) as pool:
        with database.begin() as connection:
            connection.exec_driver_sql(change, (6, 1))
            second = pool.submit(cheaper_from_ten)
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while not connection.exec_driver_sql(waits).scalar_one():
                assert not second.done(), "the second did not wait for the first"
        second.result()
    with database.begin() as connection:
        assert held_together(connection) == 1
        assert connection.exec_driver_sql("SELECT first_price, best_price FROM ops.sku_prices").one() == (6, 2)
