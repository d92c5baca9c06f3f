"""Paying, the result of paying, cancelling, and what follows: from an order to a delivered parcel."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from order_desk import DAY, DECLINED, HOUR, MINUTE, NEVER_PAID, NOW, VERIFIED, Desk, in_stock, product_where

PAY = "/alibaba/dropshipping/order/pay"


@pytest.fixture
def desk():
    return Desk(count=200)


def test_a_buyer_who_has_paid_before_pays_at_once(desk):
    trade_id = desk.create()
    assert desk.pay_result(trade_id)["status"] == "UNPAID"
    assert desk.pay(trade_id) == {"status": "PAY_SUCCESS"}
    assert desk.status(trade_id) == "paid"
    assert desk.pay_result(trade_id) == {"status": "PAY_SUCCESS", "trade_id": trade_id}


def test_several_orders_are_paid_in_one_call(desk):
    trade_ids = [desk.create(), desk.create()]
    assert desk.pay(*trade_ids, trade_ids[0])["status"] == "PAY_SUCCESS"
    assert {desk.status(trade_id) for trade_id in trade_ids} == {"paid"}


def test_an_order_that_is_paid_already_says_so(desk):
    paid, unpaid = desk.create(), desk.create()
    desk.pay(paid)
    answer = desk.pay(unpaid, paid)
    assert (answer["status"], answer["reason_code"]) == ("PAY_FAILED", "ORDER_HAVE_PAID")
    assert desk.status(unpaid) == "unpay", "all are paid or none"


def test_a_buyer_who_never_paid_is_sent_to_the_pay_url(desk):
    trade_id = desk.create(NEVER_PAID)
    assert desk.pay(trade_id, buyer=NEVER_PAID) == {
        "status": "PAY_FAILED",
        "reason_code": "NEVER_PAY_SUCCESS_IN_DROPSHIPER",
        "reason_message": (
            "The buyer has never paid for a successful dropshipping order and needs to visit payUrl to pay."
        ),
        "pay_url": f"https://biz.alibaba.com/ta/detail.htm?orderId={trade_id}",
    }
    assert desk.status(trade_id, NEVER_PAID) == "unpay"
    assert desk.pay_result(trade_id, NEVER_PAID)["reason_code"] == "NEVER_PAY_SUCCESS_IN_DROPSHIPER"


def test_after_one_payment_by_hand_the_api_may_pay(desk):
    first, second = desk.create(NEVER_PAID), desk.create(NEVER_PAID)
    assert desk.payments.pay_by_hand(first, NEVER_PAID, NOW)
    assert not desk.payments.pay_by_hand(first, NEVER_PAID, NOW)
    assert desk.status(first, NEVER_PAID) == "paid"
    assert desk.pay(second, buyer=NEVER_PAID) == {"status": "PAY_SUCCESS"}


def test_a_declined_card_leaves_the_order_unpaid_with_a_reason(desk):
    trade_id = desk.create(DECLINED)
    answer = desk.pay(trade_id, buyer=DECLINED)
    assert (answer["status"], answer["reason_code"]) == ("PAY_FAILED", "50006")
    assert desk.status(trade_id, DECLINED) == "unpay"
    assert desk.pay_result(trade_id, DECLINED)["status"] == "PAY_FAILED"


def test_a_payment_that_the_bank_verifies_comes_through_after_a_while(desk):
    trade_id = desk.create(VERIFIED)
    assert desk.pay(trade_id, buyer=VERIFIED)["status"] == "PAYING"
    assert desk.status(trade_id, VERIFIED) == "paying"
    assert desk.pay(trade_id, buyer=VERIFIED)["status"] == "PAYING", "paying again changes nothing"
    assert desk.pay_result(trade_id, VERIFIED)["status"] == "PAYING"
    desk.wait(10 * MINUTE)
    assert desk.status(trade_id, VERIFIED) == "paid"
    assert desk.pay_result(trade_id, VERIFIED)["status"] == "PAY_SUCCESS"


def test_a_seeded_order_can_be_paid_too_and_its_list_entry_moves(desk):
    trade_id = desk.list(status="unpay")[0]["trade_id"]
    assert desk.pay(trade_id)["status"] == "PAY_SUCCESS"
    entry = next(e for e in desk.list(modified_date_start={"date_timestamp": NOW}) if e["trade_id"] == trade_id)
    assert (entry["trade_status"], entry["modify_date"]["timestamp"]) == ("paid", str(NOW))
    desk.wait(60 * DAY)
    assert desk.status(trade_id) == "trade_success"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("", "MissingParameter"),
        ("{}", "MissingParameter"),
        ('{"order_id_list": []}', "MissingParameter"),
        ("[]", "InvalidParameter"),
        ('{"order_id_list": "1"}', "InvalidParameter"),
        ('{"order_id_list": [["1"]]}', "InvalidParameter"),
        ('{"order_id_list": ["1"], "isv_drop_shipper_registration_time": "long ago"}', "InvalidParameter"),
        ('{"order_id_list": ["1"]}', "404"),
    ],
)
def test_a_payment_that_cannot_be_read_or_found_is_refused(desk, request_, code):
    assert desk.refused(PAY, param_order_pay_request=request_).code == code


def test_more_orders_than_a_call_takes_are_refused(desk):
    assert desk.refused(PAY, param_order_pay_request={"order_id_list": list(range(101))}).code == "InvalidParameter"


def test_an_unpaid_order_can_be_cancelled_once(desk):
    trade_id = desk.create()
    assert desk.ask("/alibaba/order/cancel", trade_id=trade_id) == {"value": {}}
    assert desk.status(trade_id) == "trade_close"
    assert desk.refused("/alibaba/order/cancel", trade_id=trade_id).code == "ORDER_STATUS_ERROR"
    assert desk.pay(trade_id)["reason_code"] == "ORDER_STATUS_ERROR"
    assert desk.pay_result(trade_id)["status"] == "CLOSED"


def test_a_paid_order_cannot_be_cancelled(desk):
    trade_id = desk.create()
    desk.pay(trade_id)
    assert desk.refused("/alibaba/order/cancel", trade_id=trade_id).code == "ORDER_STATUS_ERROR"
    assert desk.status(trade_id) == "paid"


def test_a_cancelled_order_stays_closed_whatever_it_would_have_become(desk):
    trade_id = desk.list(status="unpay")[0]["trade_id"]
    desk.ask("/alibaba/order/cancel", trade_id=trade_id)
    for _ in range(20):
        desk.wait(3 * DAY)
        assert desk.status(trade_id) == "trade_close"


def test_a_paid_order_goes_its_way_to_the_recipient(desk):
    trade_id = desk.create()
    desk.pay(trade_id)
    seen, logistic = [], []
    for _ in range(45 * 24):
        seen.append(desk.status(trade_id))
        logistic.append(desk.logistics(trade_id)["logistic_status"])
        desk.wait(HOUR)
    in_order = list(dict.fromkeys(seen))
    assert [status for status in in_order if status not in {"captured", "undeliver"}] == [
        "paid",
        "delivering",
        "wait_confirm_receipt",
        "trade_success",
    ]
    assert list(dict.fromkeys(logistic)) == ["UNDELIVERED", "DELIVERING", "DELIVERED", "CONFIRM_RECEIPT"]


def test_before_an_order_is_shipped_there_is_nothing_to_track(desk):
    trade_id = desk.create()
    assert desk.tracking(trade_id) == []
    assert desk.logistics(trade_id) == {"logistic_status": "UNDELIVERED", "shipping_order_list": []}


def test_a_parcel_is_tracked_to_the_recipients_city(desk):
    trade_id = desk.list(status="trade_success")[0]["trade_id"]
    (parcel,) = desk.tracking(trade_id)[:1]
    city = desk.get(trade_id)["shipping_address"]["city"].upper()
    assert parcel["current_event_code"] == parcel["event_list"][0]["event_code"] == "DELIVERED"
    assert parcel["event_list"][0]["event_location"].endswith(city)
    times = [event["event_time"] for event in parcel["event_list"]]
    assert times == sorted(times, reverse=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", time) for time in times), "no zone"


def test_tracking_grows_event_by_event_and_never_tells_the_future(desk):
    trade_id = desk.create()
    desk.pay(trade_id)
    known = 0
    for _ in range(40):
        desk.wait(DAY)
        events = [event for parcel in desk.tracking(trade_id) for event in parcel["event_list"]]
        assert len(events) >= known
        known = len(events)
        zone = ZoneInfo("America/Los_Angeles")
        for event in events:
            at = datetime.strptime(event["event_time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
            assert at.timestamp() * 1000 <= desk.time_ms
    assert known >= 5


def test_the_logistics_query_and_the_tracking_name_the_same_parcels(desk):
    for entry in desk.list(status="trade_success")[:20]:
        trade_id = entry["trade_id"]
        vouchers = [order["voucher"] for order in desk.logistics(trade_id)["shipping_order_list"]]
        assert [v["tracking_number"] for v in vouchers] == [p["tracking_number"] for p in desk.tracking(trade_id)]
        assert {v["service_provider"] for v in vouchers} == {desk.get(trade_id)["carrier"]["code"]}
        assert {v["logistics_type"] for v in vouchers} == {"EXPRESS"}


def test_vouchers_are_told_only_when_they_are_selected(desk):
    trade_id = desk.list(status="trade_success")[0]["trade_id"]
    value = desk.ask("/order/logistics/query", trade_id=trade_id)["value"]
    assert set(value) == {"logistic_status", "shipment_date"}


def test_a_large_order_travels_in_two_parcels(desk):
    product = product_where(lambda p: "CN" in p.dispatch_locations and p.moq <= 20 and in_stock(p, quantity=20))
    trade_id = desk.create(product=product, quantity=20)
    desk.pay(trade_id)
    desk.wait(40 * DAY)
    numbers = [parcel["tracking_number"] for parcel in desk.tracking(trade_id)]
    assert len(set(numbers)) == 2
