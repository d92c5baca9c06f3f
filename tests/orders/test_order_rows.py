"""Readings become rows: what the API told, in the tables' own types, and nothing that it did not tell."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dropship_pipeline.alibaba.fulfilment import read_fund, read_logistics, read_tracking
from dropship_pipeline.alibaba.orders import OrderSummary, read_order
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.fingerprint import payload_hash
from dropship_pipeline.orders.rows import OrderBatch, OrderReading, sighting_rows
from dropship_pipeline.sandbox import order_examples
from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.registry import TABLES

TRADE_ID = order_examples.DETAILED
READ_AT = datetime(2026, 1, 21, 12, tzinfo=UTC)
LISTED = OrderSummary(TRADE_ID, "unpay", READ_AT - timedelta(days=2), READ_AT - timedelta(days=1))
DETAILS: Any = order_examples.get_answer(TRADE_ID)["value"]


def reading(**changes: object) -> OrderReading:
    """The guide's order (guide §11–§14), with other details."""
    return OrderReading(
        order=read_order(DETAILS | changes, TRADE_ID),
        logistics=read_logistics(order_examples.logistics_answer(TRADE_ID)["value"]),
        tracking=read_tracking(order_examples.tracking_answer(TRADE_ID)["tracking_list"]),
        fund=read_fund(order_examples.fund_answer(TRADE_ID)["value"]),
        read_at=READ_AT,
    )


def rows(read: OrderReading, listed: OrderSummary | None = LISTED) -> dict[str, list[dict[str, Any]]]:
    batch = OrderBatch("default")
    batch.read(read, listed)
    return {name.split(".")[1]: table.to_pylist() for name, table in batch.tables().items()}


def test_the_guides_order_becomes_rows_of_every_table() -> None:
    found = rows(reading())
    assert found["orders"] == [
        {
            "trade_id": TRADE_ID, "account": "default", "status": "unpay", "pay_step": "ADVANCE",
            "fulfillment_channel": "TAD", "dropshipping": True,
            "created_at": datetime(2024, 12, 10, 9, 10, 32, tzinfo=UTC), "modified_at": LISTED.modified_at,
            "shipped_at": datetime(2024, 6, 12, 3, 10, 13, tzinfo=UTC), "product_total": Decimal("0.2000"),
            "shipment_fee": Decimal("4.6700"), "total": Decimal("4.8700"), "currency": "USD",
            "carrier_code": "SEMI_MANAGED_CARRIER_CODE_CHEAPEST", "carrier_name": "Standard", "country_code": "US",
            "fetched_at": READ_AT,
        }
    ]  # fmt: skip
    assert found["order_lines"] == [
        {
            "trade_id": TRADE_ID, "line": 1, "product_id": "1601314875038", "sku_id": "106117950042",
            "name": "Product Name", "quantity": Decimal("2.0000"), "unit": "Pieces", "unit_price": Decimal("0.1000"),
            "currency": "USD",
        }
    ]  # fmt: skip
    assert {row["tracking_number"]: (row["carrier"], row["service_provider"]) for row in found["shipments"]} == {
        "123432": (None, "EX_ASP_OCEAN_EXPRESS"),
        "776705370628": ("FEDEX", None),
    }
    assert [(row["event_code"], row["event_time"]) for row in found["tracking_events"]] == [
        ("DELIVERED", "2024-06-11 15:53:00"),
        ("IN_TRANSIT", "2024-06-10 08:23:00"),
    ]
    assert found["payments"] == [{"trade_id": TRADE_ID, "transaction_fee": Decimal("11.0000"), "currency": "USD"}]
    assert found["recipients"][0]["contact_person"] == "John Doe"
    assert found["order_fetches"][0]["outcome"] == "answered"
    assert found["rejected_records"] == []


def test_tables_have_the_schemas_of_their_definitions() -> None:
    batch = OrderBatch("default")
    batch.read(reading(), LISTED)
    for name, table in batch.tables().items():
        assert [field for field in arrow_schema(TABLES[name]) if field.name in table.schema.names] == list(table.schema)


def test_what_the_details_do_not_tell_is_as_the_list_says() -> None:
    (found,) = rows(reading(create_date=None))["orders"]
    assert (found["created_at"], found["modified_at"]) == (LISTED.created_at, LISTED.modified_at)
    (found,) = rows(reading(create_date=None), None)["orders"]
    assert (found["created_at"], found["modified_at"]) == (None, None)


def test_a_time_of_change_in_the_details_goes_before_the_lists() -> None:
    told = {"timestamp": str(int(READ_AT.timestamp() * 1000))}
    found = rows(reading(modify_date=told))
    assert found["orders"][0]["modified_at"] == READ_AT
    assert found["order_fetches"][0]["listed_modified_at"] == LISTED.modified_at, "what the list had said is settled"


def test_details_that_are_behind_the_list_do_not_settle_what_it_said() -> None:
    told = {"timestamp": str(int((READ_AT - timedelta(days=5)).timestamp() * 1000))}
    assert rows(reading(modify_date=told))["order_fetches"][0]["listed_modified_at"] is None


def test_an_amount_in_another_currency_is_null_beside_the_orders_own() -> None:
    (found,) = rows(reading(shipment_fee={"amount": "4.67", "currency": "EUR"}))["orders"]
    assert (found["currency"], found["shipment_fee"], found["total"]) == ("USD", None, Decimal("4.87"))


def test_what_was_refused_makes_no_rows() -> None:
    found = rows(replace(reading(), logistics=None, tracking=None, fund=None))
    assert (found["shipments"], found["tracking_events"], found["payments"]) == ([], [], [])
    assert found["orders"][0]["shipped_at"] is None


def test_an_event_that_is_told_twice_is_one_row_and_one_without_a_code_or_time_is_kept() -> None:
    event = {"event_code": "IN_TRANSIT", "event_time": "2024-06-10 08:23:00", "event_name": "In Transit"}
    tracking = read_tracking([{"tracking_number": "1", "event_list": [event, event | {"event_name": "Moving"}, {}]}])
    found = rows(replace(reading(), tracking=tracking))["tracking_events"]
    assert [(row["event_code"], row["event_time"], row["event_name"]) for row in found] == [
        ("IN_TRANSIT", "2024-06-10 08:23:00", "Moving"),
        ("", "", None),
    ]


def test_keys_are_cut_to_what_an_index_holds() -> None:
    event = {"event_code": "C" * 9000, "event_time": "T" * 9000}
    tracking = read_tracking([{"tracking_number": "1", "event_list": event}])
    found = rows(replace(reading(trade_status="s" * 9000), tracking=tracking))
    assert len(found["tracking_events"][0]["event_code"]) == len(found["tracking_events"][0]["event_time"]) == 200
    assert len(found["orders"][0]["status"]) == 200


def test_only_an_order_that_moves_without_being_modified_is_looked_at_again() -> None:
    assert rows(reading())["order_fetches"][0]["look_again_at"] is None
    for status in ("delivering", "a_status_of_tomorrow"):
        assert rows(reading(trade_status=status))["order_fetches"][0]["look_again_at"] > READ_AT


def test_unknown_statuses_are_counted_by_orders() -> None:
    batch = OrderBatch("default")
    batch.read(reading(trade_status="relating"), LISTED)
    batch.read(reading(trade_status="wait_confirm_modify"), LISTED)
    assert batch.unknown_statuses == {"wait_confirm_modify": 1}, "an order that came twice counts as it came last"


def test_of_an_answer_that_cannot_be_read_the_reason_is_kept_and_not_the_answer() -> None:
    batch = OrderBatch("default")
    payload = ["Ada Lovelace", "+44 20 7946 0001"]
    batch.reject(TRADE_ID, READ_AT, Unreadable("not_an_object", "it is a list"), payload, LISTED)
    tables = batch.tables()
    assert tables["ops.rejected_records"].to_pylist() == [
        {
            "kind": "order", "record_key": TRADE_ID, "destination": "", "account": "default",
            "reason": "not_an_object", "message": "it is a list", "last_seen_at": READ_AT,
            "payload_hash": payload_hash(payload), "raw_file": None, "payload": None,
        }
    ]  # fmt: skip
    assert tables["ops.order_fetches"].to_pylist()[0]["outcome"] == "rejected"
    assert tables["orders.orders"].num_rows == 0


def test_a_refusal_is_remembered_with_its_code() -> None:
    batch = OrderBatch("default")
    batch.refuse(TRADE_ID, READ_AT, "404", LISTED)
    (found,) = batch.tables()["ops.order_fetches"].to_pylist()
    assert (found["outcome"], found["code"], found["look_again_at"], batch.refused) == ("refused", "404", None, 1)


def test_sightings_are_rows_of_the_ledger() -> None:
    (found,) = sighting_rows("default", [LISTED]).to_pylist()
    assert (found["trade_id"], found["listed_status"]) == (TRADE_ID, "unpay")
    assert (found["listed_modified_at"], found["fetched_at"]) == (LISTED.modified_at, None)


NAMES = [*DETAILS, "timestamp", "amount", "currency", "tracking_number", "event_list", "voucher", "shipping_order_list"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(list(DETAILS)), JSON), JSON, JSON, JSON)
def test_whatever_is_answered_becomes_rows_that_the_tables_can_hold(
    details: dict[str, object], logistics: object, tracking: object, fund: object
) -> None:
    read = OrderReading(
        order=read_order({"order_products": DETAILS["order_products"], **details, "trade_id": TRADE_ID}, TRADE_ID),
        logistics=read_logistics(logistics),
        tracking=read_tracking(tracking),
        fund=read_fund(fund),
        read_at=READ_AT,
    )
    for name, found in rows(read).items():
        if found and name not in ("order_fetches", "rejected_records"):
            table = TABLES[f"orders.{name}"]
            keys = [tuple(row[column] for column in table.key) for row in found]
            assert len(set(keys)) == len(keys)
            assert all(part is not None for key in keys for part in key)
