"""How long orders are in which status, and which are stuck: computed by hand for a few of them."""

from collections.abc import Iterable

from dozen import Books

from dropship_pipeline.orders.statuses import FINAL, STATUSES


def write_orders(books: Books, orders: Iterable[tuple[str, str | None, float | None, float | None]]) -> None:
    """Orders: (trade_id, status, created and modified so many days ago)."""
    books.write(
        "orders.orders",
        "trade_id, account, status, created_at, modified_at, fetched_at",
        [
            (trade, "buyer", status, *(None if days is None else books.ago(days) for days in times), books.ago(0))
            for trade, status, *times in orders
        ],
    )


def write_changes(books: Books, changes: Iterable[tuple[str, str, str, float]]) -> None:
    """Changes of status: (trade_id, old, new, seen so many days ago)."""
    books.write(
        "orders.order_status_changes",
        "trade_id, old_status, new_status, observed_at",
        [(trade, old, new, books.ago(days)) for trade, old, new, days in changes],
    )


def write_a_few(books: Books) -> None:
    write_orders(
        books,
        [
            ("A", "undeliver", 10, 8.6),
            ("B", "undeliver", 10, 1.2),
            ("C", "unpay", 20, 20),
            ("D", "delivering", 9, 2),
            ("E", "trade_success", 150, 100),
            ("F", None, 1, 1),
            ("G", "relating", 1, None),
            ("H", "paid", 4, 3),
        ],
    )
    write_changes(
        books,
        [
            ("A", "unpay", "paid", 9),
            ("A", "paid", "undeliver", 8.5),
            ("B", "paid", "undeliver", 1),
            ("H", "unpay", "paying", 3),
            ("H", "paying", "paid", 3),  # of the same moment, written after
        ],
    )


def test_order_steps_are_the_stays_that_were_seen(empty_books: Books):
    write_a_few(empty_books)
    found = empty_books.ask("""
        SELECT trade_id, status, next_status, entered_at, left_at, hours
        FROM marts.order_steps ORDER BY trade_id, left_at NULLS LAST, entered_at""")
    ago = empty_books.ago
    assert found == [
        ("A", "unpay", "paid", ago(10), ago(9), 24.0),  # orders begin unpaid
        ("A", "paid", "undeliver", ago(9), ago(8.5), 12.0),
        ("A", "undeliver", None, ago(8.5), None, 204.0),
        ("B", "paid", "undeliver", None, ago(1), None),  # was paid when it was first read
        ("B", "undeliver", None, ago(1), None, 24.0),
        ("C", "unpay", None, ago(20), None, 480.0),
        ("D", "delivering", None, ago(2), None, 48.0),  # since it was modified, at the latest
        ("E", "trade_success", None, ago(100), None, 2400.0),
        ("G", "relating", None, None, None, None),  # a status nobody knows, never seen in a list
        ("H", "unpay", "paying", ago(4), ago(3), 24.0),
        ("H", "paying", "paid", ago(3), ago(3), 0.0),
        ("H", "paid", None, ago(3), None, 72.0),
    ]


def test_the_funnel_counts_who_moved_on_and_who_waits(empty_books: Books):
    write_a_few(empty_books)
    found = empty_books.ask("SELECT * FROM marts.order_funnel ORDER BY status, next_status NULLS LAST")
    ago = empty_books.ago
    assert found == [
        ("delivering", None, 1, 48.0, 48.0, 0, ago(2)),
        ("paid", "undeliver", 2, 12.0, 12.0, None, None),  # of one of the two is known how long
        ("paid", None, 1, 72.0, 72.0, 0, ago(3)),
        ("paying", "paid", 1, 0.0, 0.0, None, None),
        ("relating", None, 1, None, None, 0, None),
        ("trade_success", None, 1, 2400.0, 2400.0, 0, ago(100)),  # waits for nothing
        ("undeliver", None, 2, 114.0, 195.0, 0, ago(8.5)),  # of 24 and 204: 24 + 0.95 * 180
        ("unpay", "paid", 1, 24.0, 24.0, None, None),
        ("unpay", "paying", 1, 24.0, 24.0, None, None),
        ("unpay", None, 1, 480.0, 480.0, 1, ago(20)),
    ]


def test_the_funnel_of_the_dozen_knows_how_long_only_of_what_has_a_beginning(books: Books):
    found = books.ask("SELECT * FROM marts.order_funnel ORDER BY status, next_status NULLS LAST")
    # T4 has not been paid for twenty days; of the others nobody saw when they came to where they are
    assert found == [
        *[(status, None, 1, None, None, 0, None) for status in ("charge_back", "delivering", "frozen")],
        ("unpay", None, 1, 480.0, 480.0, 1, books.ago(20)),
    ]


def test_two_weeks_are_too_long_while_few_orders_tell_what_is_usual(empty_books: Books):
    write_a_few(empty_books)
    found = empty_books.ask(
        "SELECT trade_id, account, status, since, hours, usual_hours, limit_hours FROM marts.stuck_orders"
    )
    assert found == [("C", "buyer", "unpay", empty_books.ago(20), 480.0, 24.0, 336.0)]


def test_an_order_is_stuck_when_it_waits_longer_than_nineteen_of_twenty_did(empty_books: Books):
    # twenty were paid after 1 to 20 hours: half within 10.5, 95 of 100 within 1 + 0.95 * 19 = 19.05
    write_orders(empty_books, [(f"P{hours:02}", "trade_success", 10 + hours / 24, 9) for hours in range(1, 21)])
    write_changes(empty_books, [(f"P{hours:02}", "unpay", "trade_success", 10) for hours in range(1, 21)])
    write_orders(empty_books, [("patient", "unpay", 19 / 24, 19 / 24), ("stuck", "unpay", 19.5 / 24, 19.5 / 24)])
    found = empty_books.ask("SELECT trade_id, hours, usual_hours, limit_hours FROM marts.stuck_orders")
    assert found == [("stuck", 19.5, 10.5, 19.05)]


def test_orders_that_wait_for_nothing_are_those_whose_status_ends_them(empty_books: Books):
    """Of a status that this version does not know, nobody knows that it ends anything."""
    write_orders(empty_books, [(status, status, 90, 90) for status in (*STATUSES, "relating")])
    stuck = {trade for (trade,) in empty_books.ask("SELECT trade_id FROM marts.stuck_orders")}
    assert {*STATUSES, "relating"} - stuck == FINAL | {"trade_success"}
