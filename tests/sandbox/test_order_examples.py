"""The guide's own order examples work word for word, whoever asks and however often."""

import json

import pytest
from order_desk import BUYER, CNFM, NOW, OTHER, Desk

# Guide §8, the example request as it is printed.
GUIDE_CREATE = {
    "channel_refer_id": "ORDER-2026-001",
    "product_list": '[{"product_id": "100001", "sku_id": "200001", "quantity": "10"}]',
    "logistics_detail": json.dumps(
        {
            "shipment_address": {
                "zip": "10012",
                "country": "United States of America",
                "country_code": "US",
                "province": "New York",
                "province_code": "NY",
                "city": "New York",
                "address": "123 Main Street",
                "contact_person": "John Doe",
                "telephone": {"country": "+1", "number": "5551234567"},
            },
            "dispatch_location": "CN",
            "carrier_code": "EX_ASP_JYC_FEDEX",
        }
    ),
    "properties": '{"platform": "Shopify", "orderId": "SH12345678"}',
    "remark": "Please handle with care",
}
GUIDE_PAY = {
    "param_order_pay_request": json.dumps(
        {
            "order_id_list": ["234193410001028893"],
            "payment_method": "CREDIT_CARD",
            "user_ip": "192.168.1.1",
            "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
            "accept_language": "en-US,en;q=0.9",
            "screen_resolution": "1920*1080",
            "is_pc": True,
            "isv_drop_shipper_registration_time": 1616595118627,
        }
    )
}
GUIDE_ORDER = {
    "trade_id": "234193410001028893",
    "trade_status": "unpay",
    "pay_step": "ADVANCE",
    "fulfillment_channel": "TAD",
    "dropshipping": "true",
    "create_date": {"format_date": "Dec. 10, 2025, 10:30:32 PST.", "timestamp": "1733821832000"},
    "shipping_address": {
        "zip": "10012",
        "country": "United States of America",
        "country_code": "US",
        "province": "New York",
        "city": "New york",
        "address": "123 Main Street",
        "contact_person": "John Doe",
        "mobile": {"country": "+1", "number": "5551234567"},
    },
    "order_products": [
        {
            "product_id": "1601314875038",
            "sku_id": "106117950042",
            "name": "Product Name",
            "quantity": "2.0000",
            "unit": "Pieces",
            "unit_price": {"amount": "0.1000", "currency": "USD"},
            "product_image": "https://sc04.alicdn.com/kf/product.jpg",
            "sku_attributes": [{"key": "Color", "value": "Red"}],
        }
    ],
    "product_total_amount": {"amount": "0.20", "currency": "USD"},
    "shipment_fee": {"amount": "4.67", "currency": "USD"},
    "total_amount": {"amount": "4.87", "currency": "USD"},
    "carrier": {"code": "SEMI_MANAGED_CARRIER_CODE_CHEAPEST", "name": "Standard"},
    "buyer": {"immutable_eid": "8s0vvDIbRvbS9hSAK4bUtw==", "full_name": "Buyer Name"},
    "seller": {"immutable_eid": "kx++Dlfuw+osaJiw08no/A==", "full_name": "Seller Name"},
}
GUIDE_TRACKING = [
    {
        "carrier": "FEDEX",
        "tracking_number": "776705370628",
        "current_event_code": "DELIVERED",
        "tracking_url": "https://sale.alibaba.com/...",
        "event_list": [
            {
                "event_code": "DELIVERED",
                "event_name": "Delivered",
                "event_location": "US, TN, HENDERSONVILLE",
                "event_time": "2024-06-11 15:53:00",
            },
            {
                "event_code": "IN_TRANSIT",
                "event_name": "In Transit",
                "event_location": "US, TN, NASHVILLE",
                "event_time": "2024-06-10 08:23:00",
            },
        ],
    }
]
GUIDE_LOGISTICS = {
    "logistic_status": "CONFIRM_RECEIPT",
    "shipment_date": {"format_date": "Jun. 11, 2024, 20:10:13 PDT.", "timestamp": "1718161813000"},
    "shipping_order_list": [
        {
            "voucher": {
                "tracking_number": "123432",
                "service_provider": "EX_ASP_OCEAN_EXPRESS",
                "logistics_type": "EXPRESS",
            }
        }
    ],
}
GUIDE_ENTRY = {
    "trade_id": "271207727001028893",
    "trade_status": "unpay",
    "create_date": {"format_date": "Jul. 31, 2025, 21:09:36 PDT.", "timestamp": "1754021376000"},
    "modify_date": {"format_date": "Jul. 31, 2025, 21:09:37 PDT.", "timestamp": "1754021377000"},
}


@pytest.mark.parametrize("buyer", [BUYER, OTHER])
def test_creating_the_guides_order_gives_its_trade_id_each_time(buyer):
    desk = Desk(count=3)
    for _ in range(2):
        assert desk.ask("/buynow/order/create", buyer, **GUIDE_CREATE) == {
            "value": {
                "trade_id": "234193410001028893",
                "pay_url": "https://biz.alibaba.com/ta/detail.htm?orderId=234193410001028893",
            }
        }
    assert len(desk.orders.changes_between(NOW - 1, NOW)) == 0, "the example leaves no order behind"


def test_the_guides_order_is_refused_to_an_account_that_may_not_order():
    assert Desk(count=0).refused("/buynow/order/create", CNFM, **GUIDE_CREATE).code == "110001"


def test_the_guides_line_with_a_carrier_of_todays_freight_makes_an_ordinary_order():
    desk = Desk(count=0)
    changed = {**GUIDE_CREATE, "product_list": '[{"product_id": "100001", "sku_id": "200001", "quantity": "11"}]'}
    options = desk.catalogue.freight(desk.catalogue.product("100001", NOW), 11, "US", "CN", True, "10012")
    changed["logistics_detail"] = changed["logistics_detail"].replace("EX_ASP_JYC_FEDEX", options[-1].vendor_code)
    trade_id = desk.ask("/buynow/order/create", **changed)["value"]["trade_id"]
    assert desk.get(trade_id)["order_products"][0]["sku_id"] == "200001"


@pytest.mark.parametrize(
    ("path", "params", "answer"),
    [
        ("/alibaba/dropshipping/order/pay", GUIDE_PAY, {"value": {"status": "PAY_SUCCESS"}}),
        ("/alibaba/order/get", {"e_trade_id": "234193410001028893", "language": "en_US"}, {"value": GUIDE_ORDER}),
        ("/order/logistics/tracking/get", {"trade_id": "234193410001028893"}, {"tracking_list": GUIDE_TRACKING}),
        (
            "/order/logistics/query",
            {"trade_id": "234193410001028893", "data_select": "logistic_order"},
            {"value": GUIDE_LOGISTICS},
        ),
        (
            "/alibaba/order/fund/query",
            {"e_trade_id": "234193410001028893", "data_select": "fund_transaction_fee"},
            {"value": {"payment_transaction_fee": {"amount": "11", "currency": "USD"}}},
        ),
    ],
)
@pytest.mark.parametrize("buyer", [BUYER, OTHER])
def test_the_guides_requests_get_the_guides_answers(path, params, answer, buyer):
    desk = Desk(count=3)
    assert desk.ask(path, buyer, **params) == answer
    assert desk.ask(path, buyer, **params) == answer


def test_the_guides_list_request_shows_the_guides_entry():
    desk = Desk(count=0)
    params = {"role": "buyer", "start_page": "0", "page_size": "20", "status": "unpay"}
    value = desk.ask("/alibaba/order/list", **params)["value"]
    assert value["order_list"][0] == GUIDE_ENTRY
    assert value["total_count"] == "2"


def test_both_orders_of_the_guide_can_be_asked_for_everything():
    desk = Desk(count=0)
    trade_id = GUIDE_ENTRY["trade_id"]
    assert desk.get(trade_id)["create_date"] == GUIDE_ENTRY["create_date"]
    assert desk.tracking(trade_id) == []
    assert desk.logistics(trade_id) == {"logistic_status": "UNDELIVERED"}
    assert desk.fund(trade_id) == {}
    assert desk.pay_result(trade_id)["status"] == "UNPAID"
    assert desk.ask("/alibaba/order/cancel", trade_id=trade_id) == {"value": {}}


def test_the_truth_of_the_guides_orders_says_what_their_answers_say():
    desk = Desk(count=0)
    rows = {row["trade_id"]: row for row in desk.orders.orders_truth(NOW)}
    for entry in desk.list():
        row, order = rows[entry["trade_id"]], desk.get(entry["trade_id"])
        assert row["buyer_id"] == BUYER
        assert [str(row["created_ms"]), str(row["modified_ms"])] == [
            entry["create_date"]["timestamp"],
            entry["modify_date"]["timestamp"],
        ]
        assert [row["status"], row["total"], row["shipment_fee"], row["product_total"]] == [
            entry["trade_status"],
            order["total_amount"]["amount"],
            order["shipment_fee"]["amount"],
            order["product_total_amount"]["amount"],
        ]
        assert row["lines"][0]["sku_id"] == order["order_products"][0]["sku_id"]
        assert [p["tracking_number"] for p in row["parcels"]] == [
            t["tracking_number"] for t in desk.tracking(row["trade_id"])
        ]
