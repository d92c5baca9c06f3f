"""The reading endpoints of orders: list, get, fund."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import orjson
import pytest
from order_desk import BUYER, DAY, NEVER_PAID, NOW, OTHER, Desk

from dropship_pipeline.sandbox.endpoints.order_documents import date
from dropship_pipeline.sandbox.order_examples import TRADE_IDS

LIST = "/alibaba/order/list"


def stamps(entries, name="create_date"):
    return [int(entry[name]["timestamp"]) for entry in entries]


def everything(desk, **params):
    """All pages of a list, read to the end."""
    entries, page = [], 0
    while found := desk.list(start_page=str(page), **params):
        entries, page = entries + found, page + 1
    return entries


def test_the_list_is_paged_from_zero_the_newest_first_and_counts_itself():
    desk = Desk(count=230)
    pages = [desk.list(start_page=str(page)) for page in range(4)]
    assert [len(page) for page in pages] == [100, 100, 32, 0]
    together = [entry for page in pages for entry in page]
    assert stamps(together) == sorted(stamps(together), reverse=True)
    assert len({entry["trade_id"] for entry in together}) == 232
    assert desk.ask(LIST, role="buyer")["value"]["total_count"] == "232"


def test_a_page_has_ten_orders_when_nothing_else_is_asked_for():
    assert len(Desk().ask(LIST, role="buyer")["value"]["order_list"]) == 10


def test_a_list_of_any_page_size_holds_the_same_orders():
    desk = Desk(count=45)
    by_seven = everything(desk, page_size="7")
    assert by_seven == everything(desk, page_size="100")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        ({"role": "admin"}, "InvalidParameter"),
        ({"role": "buyer", "page_size": "101"}, "InvalidParameter"),
        ({"role": "buyer", "page_size": "0"}, "InvalidParameter"),
        ({"role": "buyer", "start_page": "-1"}, "InvalidParameter"),
        ({"role": "buyer", "start_page": "one"}, "InvalidParameter"),
        ({"role": "buyer", "create_date_start": "yesterday"}, "InvalidParameter"),
        ({"role": "buyer", "create_date_start": '["2025"]'}, "InvalidParameter"),
        ({"role": "buyer", "modified_date_end": '{"date_str": "10.12.2025"}'}, "InvalidParameter"),
        ({"role": "buyer", "modified_date_end": '{"date_timestamp": "soon"}'}, "InvalidParameter"),
        ({"role": "buyer", "modified_date_end": "{}"}, "InvalidParameter"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(params, code):
    refusal = Desk(count=0).refused(LIST, **params)
    assert (refusal.code, refusal.shape) == (code, "flat")


def test_a_status_selects_and_an_unknown_one_selects_nothing():
    desk = Desk(count=300)
    found = desk.list(status="delivering")
    assert found
    assert {entry["trade_status"] for entry in found} == {"delivering"}
    assert desk.ask(LIST, role="buyer", status="pending")["value"] == {"total_count": "0", "order_list": []}


def test_a_buyer_has_sold_nothing():
    assert Desk().ask(LIST, role="seller")["value"] == {"total_count": "0", "order_list": []}


def test_creation_bounds_are_inclusive():
    desk = Desk(count=50)
    entries = desk.list()
    first, last = stamps(entries)[20], stamps(entries)[10]
    found = desk.list(create_date_start={"date_timestamp": str(first)}, create_date_end={"date_timestamp": str(last)})
    assert found == entries[10:21]
    inside = desk.list(create_date_start={"date_timestamp": first + 1}, create_date_end={"date_timestamp": last - 1})
    assert inside == entries[11:20]


def test_modification_bounds_select_what_changed_since():
    desk = Desk(count=300)
    before = {entry["trade_id"]: entry for entry in everything(desk)}
    desk.wait(2 * DAY)
    found = everything(desk, modified_date_start={"date_timestamp": str(NOW + 1)})
    changed = {e["trade_id"] for e in everything(desk) if e != before[e["trade_id"]]}
    assert {entry["trade_id"] for entry in found} == changed
    assert changed
    assert (
        everything(
            desk, modified_date_end={"date_timestamp": str(NOW)}, modified_date_start={"date_timestamp": str(NOW + 1)}
        )
        == []
    )


def test_a_date_text_is_in_los_angeles_time_on_both_sides_of_the_change_of_the_clocks():
    desk = Desk(count=2000, start_ms=int(datetime(2026, 3, 20, tzinfo=UTC).timestamp() * 1000))
    for day in ("2026-03-07", "2026-03-08", "2026-03-09"):
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=ZoneInfo("America/Los_Angeles"))
        end = start.replace(hour=23, minute=59, second=59)
        by_text = desk.list(
            create_date_start={"date_str": f"{day} 00:00:00"}, create_date_end={"date_str": f"{day} 23:59:59"}
        )
        by_number = desk.list(
            create_date_start={"date_timestamp": str(int(start.timestamp()) * 1000)},
            create_date_end={"date_timestamp": str(int(end.timestamp()) * 1000)},
        )
        assert by_text == by_number
        assert len(by_text) == pytest.approx(2000 / 90, rel=0.2)


def test_the_timestamp_wins_over_the_text_of_a_date():
    desk = Desk()
    bound = {"date_timestamp": str(NOW - 5 * DAY), "date_str": "2020-01-01 00:00:00"}
    assert desk.list(create_date_start=bound) == desk.list(create_date_start={"date_timestamp": str(NOW - 5 * DAY)})


def test_every_order_of_the_list_can_be_got_and_says_the_same():
    desk = Desk(count=40)
    for entry in desk.list()[:40]:
        order = desk.get(entry["trade_id"])
        assert (order["trade_status"], order["create_date"]) == (entry["trade_status"], entry["create_date"])


def test_an_order_has_every_field_of_the_guides_example():
    desk = Desk(count=5)
    example, order = desk.get("234193410001028893"), desk.get(desk.list()[0]["trade_id"])
    assert example.keys() <= order.keys()
    assert example["order_products"][0].keys() == order["order_products"][0].keys()
    assert example["shipping_address"].keys() <= order["shipping_address"].keys()
    assert order["fulfillment_channel"] == "TAD"
    assert order["dropshipping"] == "true"


def test_the_amounts_of_an_order_add_up():
    desk = Desk(count=60)
    several = 0
    for entry in desk.list()[:60]:
        order = desk.get(entry["trade_id"])
        lines = sum(Decimal(p["unit_price"]["amount"]) * Decimal(p["quantity"]) for p in order["order_products"])
        assert Decimal(order["product_total_amount"]["amount"]) == lines.quantize(Decimal("0.01"))
        amounts = [Decimal(order[name]["amount"]) for name in ("product_total_amount", "shipment_fee", "total_amount")]
        assert amounts[0] + amounts[1] == amounts[2]
        several += len(order["order_products"]) > 1
    assert several, "some orders have more than one line"


def test_more_is_told_of_an_order_when_it_is_selected():
    desk = Desk()
    trade_id = desk.list(status="unpay")[0]["trade_id"]
    assert "status_action" not in desk.get(trade_id)
    order = desk.get(trade_id, data_select="statusAction,draft_role", language="en_US")
    assert order["status_action"]["actions"][0]["value"].endswith(trade_id)
    assert order["draft_role"] == "buyer"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/alibaba/order/get", "e_trade_id"),
        ("/alibaba/order/fund/query", "e_trade_id"),
        ("/alibaba/order/cancel", "trade_id"),
        ("/alibaba/order/pay/result/query", "trade_id"),
        ("/order/logistics/query", "trade_id"),
        ("/order/logistics/tracking/get", "trade_id"),
    ],
)
def test_an_order_that_is_unknown_or_another_buyers_is_not_found(path, name):
    desk = Desk()
    for trade_id in ("1", "259999999001028893", desk.list(OTHER)[0]["trade_id"]):
        refusal = desk.refused(path, **{name: trade_id})
        assert (refusal.code, refusal.message, refusal.shape) == ("404", "order not found", "business")
    assert desk.refused(path).code == "MissingParameter"


def test_each_buyer_sees_its_own_orders():
    desk = Desk()
    assert len(desk.list(OTHER)) == 20
    assert desk.list(NEVER_PAID) == []
    trade_id = desk.create(OTHER)
    assert desk.list(OTHER)[0]["trade_id"] == trade_id
    assert trade_id not in [entry["trade_id"] for entry in everything(desk)]
    assert desk.refused("/alibaba/order/get", BUYER, e_trade_id=trade_id).code == "404"


def test_the_fee_of_a_payment_is_known_once_it_is_paid():
    desk = Desk()
    paid, unpaid = (desk.list(status=status)[0]["trade_id"] for status in ("trade_success", "unpay"))
    total = Decimal(desk.get(paid)["total_amount"]["amount"])
    fee = desk.fund(paid)["payment_transaction_fee"]
    assert (Decimal(fee["amount"]), fee["currency"]) == ((total * Decimal("0.0299")).quantize(Decimal("0.01")), "USD")
    assert desk.fund(unpaid) == {}
    assert desk.ask("/alibaba/order/fund/query", e_trade_id=paid, data_select="fund_pay")["value"] == {}
    assert desk.ask("/alibaba/order/fund/query", e_trade_id=paid)["value"] == {"payment_transaction_fee": fee}


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (1_754_021_376_000, "Jul. 31, 2025, 21:09:36 PDT."),
        (1_718_161_813_000, "Jun. 11, 2024, 20:10:13 PDT."),
        (1_733_821_832_000, "Dec. 10, 2024, 01:10:32 PST."),
        (1_767_254_400_000, "Jan. 1, 2026, 00:00:00 PST."),
    ],
)
def test_dates_read_as_in_the_guide(time_ms, text):
    assert date(time_ms) == {"format_date": text, "timestamp": str(time_ms)}


def test_every_answer_is_json_of_texts():
    desk = Desk(count=20)

    def texts(value):
        if isinstance(value, dict):
            return all(texts(item) for item in value.values())
        return all(texts(item) for item in value) if isinstance(value, list) else isinstance(value, str)

    trade_id = desk.list()[0]["trade_id"]
    for answer in (desk.get(trade_id), desk.list(), desk.logistics(trade_id), desk.tracking(trade_id)):
        assert texts(orjson.loads(orjson.dumps(answer)))


def test_every_order_endpoint_takes_get_and_post_and_needs_a_token():
    endpoints = Desk(count=0).endpoints
    assert len(endpoints) == 9
    assert all(endpoint.methods == {"GET", "POST"} and endpoint.needs_token for endpoint in endpoints.values())


def test_the_guides_orders_close_the_default_buyers_list_on_whichever_page_that_is():
    desk = Desk(count=19)
    assert [e["trade_id"] for e in desk.list(page_size="20", start_page="1")] == [TRADE_IDS[1]]
    assert [e["trade_id"] for e in desk.list(page_size="10", start_page="1")][-1] == TRADE_IDS[0]
    assert [e["trade_id"] for e in everything(desk, page_size="4")][-2:] == list(TRADE_IDS)
    assert desk.list(NEVER_PAID) == []
