"""Orders in the tables: what a reading writes, what it leaves alone, and what the ledger makes due."""

import traceback
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dropship_pipeline.alibaba.fulfilment import Fund, Logistics, Parcel, Tracking, TrackingEvent
from dropship_pipeline.alibaba.orders import OrderSummary, read_order
from dropship_pipeline.orders.rows import OrderBatch, OrderReading, sighting_rows
from dropship_pipeline.storage.orders.store import OrderCounts, OrderStore
from dropship_pipeline.storage.server.database import Database, DatabaseProblem

NOON = datetime(2026, 1, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
PAYLOAD: dict[str, Any] = {
    "trade_status": "unpay",
    "create_date": {"timestamp": "1768900000000"},
    "shipping_address": {"country_code": "US", "address": "12 Secret Street", "contact_person": "Jane Roe"},
    "order_products": [{"product_id": "1", "name": "Mug"}, {"product_id": "2", "name": "Cup"}],
    "total_amount": {"amount": "4.87", "currency": "USD"},
}
PARCEL = Parcel("P1", "EX_ASP", "EXPRESS")
TRACKED = Tracking("P1", "FEDEX", "PICKED_UP", "https://…", (TrackingEvent("PICKED_UP", "Picked Up", "CN", "2026"),))


@pytest.fixture
def store(database: Database) -> Iterator[OrderStore]:
    with OrderStore(database) as store:
        yield store


def reading(trade_id: str = "T1", at: datetime = NOON, **changes: object) -> OrderReading:
    order = read_order(PAYLOAD | changes, trade_id)
    return OrderReading(order, Logistics("DELIVERING", NOON, (PARCEL,), ()), (TRACKED,), Fund(order.total, ()), at)


def listed(trade_id: str = "T1", status: str = "unpay", modified_at: datetime | None = NOON) -> OrderSummary:
    return OrderSummary(trade_id, status, NOON, modified_at)


def merge(store: OrderStore, *readings: OrderReading, said: OrderSummary | None = None) -> OrderCounts:
    batch = OrderBatch("default")
    for one in readings:
        batch.read(one, said)
    return store.merge(batch.tables())


def note(store: OrderStore, *orders: OrderSummary) -> int:
    return store.note_listed(sighting_rows("default", list(orders)))


def ask(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.begin() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def due(database: Database) -> list[str]:
    found = ask(database, "SELECT trade_id FROM ops.order_fetches WHERE due_since IS NOT NULL ORDER BY trade_id")
    return [trade_id for (trade_id,) in found]


def test_a_reading_is_new_the_first_time_and_nothing_the_second(store: OrderStore, database: Database) -> None:
    first = merge(store, reading(), reading("T2"))
    assert (first.orders, first.new, first.changed) == (2, 2, 0)
    assert first.rows_written == 2 * (1 + 2 + 1 + 1 + 1 + 1)  # order, lines, parcel, event, payment, recipient
    again = merge(store, reading(at=NOON + HOUR), reading("T2", at=NOON + HOUR))
    assert again == OrderCounts(orders=2)
    assert ask(database, "SELECT DISTINCT fetched_at FROM orders.orders") == [(NOON + HOUR,)]


def test_a_reading_older_than_the_tables_leaves_them_alone(store: OrderStore, database: Database) -> None:
    merge(store, reading(at=NOON, trade_status="paid"))
    late = merge(store, reading(at=NOON - HOUR), reading("T2", at=NOON - HOUR))
    assert (late.orders, late.stale, late.status_changes) == (1, 1, 0)
    assert ask(database, "SELECT trade_id, status FROM orders.orders ORDER BY 1") == [("T1", "paid"), ("T2", "unpay")]


def test_a_change_older_than_the_one_in_the_tables_is_stale_however_late_it_was_read(
    store: OrderStore, database: Database
) -> None:
    merge(store, reading(trade_status="paid"), said=listed(status="paid", modified_at=NOON))
    late = merge(store, reading(at=NOON + HOUR), said=listed(modified_at=NOON - HOUR))
    assert (late.orders, late.stale) == (0, 1)
    assert ask(database, "SELECT status, modified_at FROM orders.orders") == [("paid", NOON)]


def test_lines_that_a_reading_no_longer_names_go_and_none_at_all_is_no_answer(
    store: OrderStore, database: Database
) -> None:
    merge(store, reading())
    changed = merge(store, reading(at=NOON + HOUR, order_products=[{"product_id": "1", "name": "Big mug"}]))
    assert (changed.changed, changed.rows_written) == (1, 1 + 2)
    merge(store, reading(at=NOON + 2 * HOUR, order_products=None))
    assert ask(database, "SELECT line, name FROM orders.order_lines") == [(1, "Big mug")]


def test_what_an_answer_does_not_tell_is_as_it_was_told_before(store: OrderStore, database: Database) -> None:
    merge(store, reading(), said=listed())
    silent = replace(
        reading(at=NOON + HOUR, trade_status=None, create_date=None, shipping_address=None),
        logistics=None,
        tracking=(Tracking("P1", None, "DELIVERED", None, ()),),
        fund=None,
    )
    assert merge(store, silent).status_changes == 0
    assert ask(database, "SELECT status, created_at IS NOT NULL, modified_at, shipped_at FROM orders.orders") == [
        ("unpay", True, NOON, NOON)
    ]
    assert ask(database, "SELECT carrier, service_provider, current_event_code FROM orders.shipments") == [
        ("FEDEX", "EX_ASP", "DELIVERED")
    ]
    for table in ("tracking_events", "payments", "recipients"):
        assert ask(database, f"SELECT count(*) FROM orders.{table}") == [(1,)]


def test_a_change_of_status_is_logged_once_and_judged(store: OrderStore, database: Database) -> None:
    ways = ["unpay", "paying", "paid", "paid", "delivering", "unpay", "relating", "paid"]
    counts = [merge(store, reading(at=NOON + n * HOUR, trade_status=status)) for n, status in enumerate(ways)]
    total = sum(counts, OrderCounts())
    assert (total.status_changes, total.skipped, total.backwards, total.unknown) == (6, 1, 1, 2)
    columns = "old_status, new_status, irregularity, observed_at"
    log = ask(database, f"SELECT {columns} FROM orders.order_status_changes ORDER BY observed_at")
    assert log == [
        ("unpay", "paying", None, NOON + HOUR),
        ("paying", "paid", None, NOON + 2 * HOUR),
        ("paid", "delivering", "skipped", NOON + 4 * HOUR),
        ("delivering", "unpay", "backwards", NOON + 5 * HOUR),
        ("unpay", "relating", "unknown", NOON + 6 * HOUR),
        ("relating", "paid", "unknown", NOON + 7 * HOUR),
    ]


def test_what_the_list_says_for_the_first_time_is_due_until_it_is_read(store: OrderStore, database: Database) -> None:
    assert note(store, listed(), listed("T2")) == 2
    assert note(store, listed(), listed("T2")) == 0
    assert due(database) == ["T1", "T2"]
    merge(store, reading(), said=listed())
    assert due(database) == ["T2"]
    assert note(store, listed(status="paid", modified_at=NOON + HOUR)) == 1
    assert due(database) == ["T1", "T2"]


def test_what_the_list_says_while_an_order_is_read_stays_due(store: OrderStore, database: Database) -> None:
    note(store, listed())
    before = store.listed(["T1"])["T1"]
    note(store, listed(status="paid", modified_at=NOON + HOUR))
    merge(store, reading(), said=before)
    assert due(database) == ["T1"]


def test_a_list_that_is_behind_is_not_believed(store: OrderStore) -> None:
    note(store, listed(status="paid", modified_at=NOON))
    assert note(store, listed(status="unpay", modified_at=NOON - HOUR)) == 0
    assert store.listed(["T1", "T9"]) == {"T1": listed(status="paid", modified_at=NOON)}
    assert store.newest_listed("default") == NOON
    assert store.newest_listed("another") is None


def test_each_order_is_handed_out_to_one_and_to_its_own_account(store: OrderStore, database: Database) -> None:
    note(store, *(listed(f"T{number}") for number in range(5)))
    store.note_listed(sighting_rows("another", [listed("A1")]))
    began = store.now()
    with OrderStore(database) as other:
        first, second = store.hand_out("default", began, 3), other.hand_out("default", began, 3)
    assert (len(first), len(second)) == (3, 2)
    assert sorted(first + second) == [f"T{number}" for number in range(5)]
    assert store.hand_out("default", began, 3) == []
    assert store.hand_out("another", began, 3) == ["A1"]
    assert len(store.hand_out("default", store.now(), 9)) == 5, "what was not read since then"


def test_an_order_on_its_way_is_handed_out_when_it_is_time_to_look_again(store: OrderStore) -> None:
    merge(store, reading(at=store.now() - timedelta(hours=7), trade_status="delivering"))
    merge(store, reading("T2", at=store.now(), trade_status="delivering"))
    merge(store, reading("T3", at=store.now() - timedelta(days=90), trade_status="trade_success"))
    assert store.hand_out("default", LONG_AGO, 9) == ["T1"]


def test_a_day_is_compared_with_what_the_list_shows(store: OrderStore) -> None:
    for trade_id in ("T1", "T2", "T3"):
        merge(store, reading(trade_id), said=listed(trade_id))
    shown = [listed("T1"), listed("T2", "paid", NOON + HOUR), listed("T3", "paid", NOON - HOUR), listed("T4")]
    compared = store.compare(sighting_rows("default", shown))
    assert (compared.missing, compared.differing) == (["T4"], ["T2"])
    placed = datetime.fromtimestamp(1768900000, UTC)
    assert store.of_day("default", placed, placed + HOUR) == {"T1": "unpay", "T2": "unpay", "T3": "unpay"}
    assert store.of_day("default", placed - HOUR, placed) == {}


def test_a_day_is_noted_as_it_was_compared_last(store: OrderStore, database: Database) -> None:
    for reason in ("the list failed", None):
        store.record_day("default", "2026-01-20", listed=4, missing=1, differing=2, unlisted=0, reason=reason)
    assert ask(database, "SELECT day, listed, missing, differing, reason FROM ops.order_days") == [
        ("2026-01-20", 4, 1, 2, None)
    ]


def test_nobody_but_the_owner_sees_recipients_until_a_policy_lets_him_in(store: OrderStore, database: Database) -> None:
    merge(store, reading())
    with database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO orders.placements (channel_refer_id, account, state, request, fingerprint, likeness, sends, "
            "created_at, updated_at) VALUES ('R1', 'default', 'planned', '{}', '', '', 0, now(), now())"
        )
    role = f"analyst_{uuid.uuid4().hex[:8]}"
    with database.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role}")
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA orders TO {role}")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA orders TO {role}")

    def seen(table: str) -> int:
        with database.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL ROLE {role}")
            return int(connection.exec_driver_sql(f"SELECT count(*) FROM orders.{table}").scalar_one())

    try:
        assert (seen("orders"), seen("recipients"), seen("placements")) == (1, 0, 0)
        with database.begin() as connection:
            connection.exec_driver_sql(f"CREATE POLICY packers ON orders.recipients FOR SELECT TO {role} USING (true)")
        assert seen("recipients") == 1
    finally:
        with database.begin() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")


def test_an_order_that_the_database_refuses_is_rejected_and_the_others_are_merged(
    store: OrderStore, database: Database
) -> None:
    merge(store, reading("BAD"))
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders.order_lines ADD CONSTRAINT small CHECK (quantity < 9)")
    bad = reading("BAD", NOON + HOUR, trade_status="paid", order_products=[{"product_id": "1", "quantity": "9"}])
    others = [reading(f"T{number}", NOON + HOUR) for number in range(6)]
    counts = merge(store, *others[:4], bad, *others[4:], said=listed("BAD"))
    assert (counts.orders, counts.new, counts.rejected, counts.stale) == (6, 6, 1, 0)
    columns = "kind, record_key, account, reason, message, payload, attempts, last_seen_at"
    [(kind, key, account, reason, message, *kept)] = ask(database, f"SELECT {columns} FROM ops.rejected_records")
    assert (kind, key, account, reason, *kept) == ("order", "BAD", "default", "not_storable", None, 1, NOON + HOUR)
    assert 'violates check constraint "small"' in message
    assert "BAD" not in message
    ledger = ask(database, "SELECT outcome, code, look_again_at FROM ops.order_fetches WHERE trade_id = 'BAD'")
    assert ledger == [("rejected", "not_storable", None)]
    bad_order = "SELECT status, fetched_at FROM orders.orders WHERE trade_id = 'BAD'"
    assert ask(database, bad_order) == [("unpay", NOON)], "it stays as it was"
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders.order_lines DROP CONSTRAINT small")
    merge(store, replace(bad, read_at=NOON + 2 * HOUR))
    assert ask(database, bad_order) == [("paid", NOON + 2 * HOUR)]
    assert ask(database, "SELECT count(*) FROM ops.rejected_records") == [(0,)]


def test_a_row_that_the_database_refuses_is_not_repeated_in_the_error(store: OrderStore, database: Database) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders.recipients ADD CONSTRAINT nobody CHECK (false)")
    with pytest.raises(DatabaseProblem, match=r'refuses a row .*violates check constraint "nobody"') as refused:
        merge(store, reading())
    assert "Secret Street" not in "".join(traceback.format_exception(refused.value))
    assert ask(database, "SELECT count(*) FROM orders.orders") == [(0,)]
