"""What each order request says: the guide's examples, and what the live facts add."""

from datetime import UTC, datetime

import orjson

from dropship_pipeline.alibaba.dialect import Dialect
from dropship_pipeline.alibaba.order_requests import (
    Address,
    CalculateOrderFreight,
    CreateOrder,
    ListOrders,
    OfOrder,
    OrderItem,
    PayOrders,
    Phone,
)

GUIDE = Dialect.GUIDE
ADDRESS = Address(
    zip="10012",
    country_code="US",
    country="United States of America",
    province="New York",
    province_code="NY",
    city="New York",
    city_code="NYC",
    address="123 Main Street",
    alternate_address="Apt 4B",
    contact_person="John Doe",
    telephone=Phone("+1", "5551234567"),
)


def test_an_orders_freight_is_asked_for_with_address_and_items_as_json() -> None:
    address = Address("35022", "US", "United States", "Alabama", "Bessemer", "4595 Clubview Drive", province_code="AL")
    items = (OrderItem("1600191825486", "12321", 1), OrderItem("2", "3", 4, country_code="CN"))
    params = CalculateOrderFreight("cVmhg7/xG8q3UQgcH/5Fag==", "US", items, address, "CN").params(GUIDE)
    assert orjson.loads(params.pop("address")) == {
        "zip": "35022",
        "country": {"code": "US", "name": "United States"},
        "province": {"code": "AL", "name": "Alabama"},
        "city": {"code": "", "name": "Bessemer"},
        "address": "4595 Clubview Drive",
    }
    assert orjson.loads(params.pop("logistics_product_list")) == [
        {"product_id": "1600191825486", "sku_id": "12321", "quantity": "1"},
        {"product_id": "2", "sku_id": "3", "quantity": "4", "country_code": "CN"},
    ]
    assert params == {
        "e_company_id": "cVmhg7/xG8q3UQgcH/5Fag==",
        "destination_country": "US",
        "dispatch_location": "CN",
    }


def test_an_order_is_placed_as_the_guide_places_it() -> None:
    order = CreateOrder(
        "ORDER-2026-001",
        (OrderItem("100001", "200001", 10),),
        ADDRESS,
        "CN",
        "EX_ASP_JYC_FEDEX",
        properties={"platform": "Shopify", "orderId": "SH12345678"},
        remark="Please handle with care",
        enable_distribution_waybill=False,
    )
    params = order.params(GUIDE)
    assert orjson.loads(params.pop("logistics_detail")) == {
        "shipment_address": {
            "zip": "10012",
            "country": "United States of America",
            "country_code": "US",
            "province": "New York",
            "province_code": "NY",
            "city": "New York",
            "city_code": "NYC",
            "address": "123 Main Street",
            "alternate_address": "Apt 4B",
            "contact_person": "John Doe",
            "telephone": {"country": "+1", "area": "", "number": "5551234567"},
        },
        "dispatch_location": "CN",
        "carrier_code": "EX_ASP_JYC_FEDEX",
    }
    assert orjson.loads(params.pop("product_list")) == [{"product_id": "100001", "sku_id": "200001", "quantity": "10"}]
    assert orjson.loads(params.pop("properties")) == {"platform": "Shopify", "orderId": "SH12345678"}
    assert params == {
        "channel_refer_id": "ORDER-2026-001",
        "remark": "Please handle with care",
        "enable_distribution_waybill": "false",
    }


def test_attachments_and_customs_go_along_where_there_are_any() -> None:
    order = CreateOrder(
        "R",
        (OrderItem("1", "2", 3),),
        ADDRESS,
        "CN",
        "C",
        attachments=({"name": "w.pdf"},),
        clearance_detail={"ioss": "1"},
    )
    params = order.params(GUIDE)
    assert orjson.loads(params["attachments"]) == [{"name": "w.pdf"}]
    assert orjson.loads(params["clearance_detail"]) == {"ioss": "1"}


def test_uk_is_sent_as_gb() -> None:
    address = Address("SW1A", "UK", "United Kingdom", "London", "London", "10 Downing Street")
    assert address.for_order()["country_code"] == "GB"
    assert address.for_freight()["country"] == {"code": "GB", "name": "United Kingdom"}
    assert CalculateOrderFreight("e", "uk", ()).params(GUIDE)["destination_country"] == "GB"


def test_a_payment_is_asked_for_as_the_guide_asks() -> None:
    pay = PayOrders(("1234", "2234"), "10.11.102.11", "Mozilla/5.0", 1616595118627)
    assert orjson.loads(pay.params(GUIDE)["param_order_pay_request"]) == {
        "order_id_list": ["1234", "2234"],
        "payment_method": "CREDIT_CARD",
        "user_ip": "10.11.102.11",
        "user_agent": "Mozilla/5.0",
        "accept_language": "en-US,en;q=0.9",
        "screen_resolution": "1920*1080",
        "is_pc": True,
        "isv_drop_shipper_registration_time": 1616595118627,
    }


def test_bounds_of_the_order_list_are_epoch_milliseconds() -> None:
    listing = ListOrders(1, 20, status="unpay", modified_from=datetime(2024, 12, 10, 8, 30, 32, tzinfo=UTC))
    params = listing.params(GUIDE)
    assert orjson.loads(params.pop("modified_date_start")) == {"date_timestamp": "1733819432000"}
    assert params == {"role": "buyer", "start_page": "1", "page_size": "20", "status": "unpay"}


def test_calls_about_one_order_name_it_as_their_endpoint_does() -> None:
    assert OfOrder.details("7", language="en_US").params(GUIDE) == {"e_trade_id": "7", "language": "en_US"}
    assert OfOrder.fund("7").params(GUIDE) == {"e_trade_id": "7", "data_select": "fund_transaction_fee"}
    assert OfOrder.logistics("7").params(GUIDE) == {"trade_id": "7", "data_select": "logistic_order"}
    assert OfOrder.tracking("7").params(GUIDE) == OfOrder.pay_result("7").params(GUIDE) == {"trade_id": "7"}
    assert OfOrder.cancellation("7").params(GUIDE) == {"trade_id": "7"}
    assert OfOrder.tracking("7").key == "7"
