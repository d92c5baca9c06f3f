"""Orders, payments and parcels out of the guide's examples, and out of what the live API makes of them."""

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropship_pipeline.alibaba import fulfilment, orders
from dropship_pipeline.alibaba.orders import Money
from dropship_pipeline.alibaba.values import Unreadable

ORDER = {
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


def test_the_guides_order_is_read_whole() -> None:
    order = orders.read_order(ORDER, "234193410001028893")
    assert (order.status, order.pay_step, order.fulfillment_channel, order.dropshipping) == (
        "unpay",
        "ADVANCE",
        "TAD",
        True,
    )
    assert order.created_at == datetime(2024, 12, 10, 9, 10, 32, tzinfo=UTC), "the timestamp counts, not the text"
    assert order.total == Money(Decimal("4.87"), "USD")
    assert order.product_total == Money(Decimal("0.20"), "USD")
    assert order.shipment_fee == Money(Decimal("4.67"), "USD")
    assert (order.carrier_code, order.carrier_name) == ("SEMI_MANAGED_CARRIER_CODE_CHEAPEST", "Standard")
    line = order.lines[0]
    assert (line.line, line.product_id, line.sku_id, line.quantity) == (1, "1601314875038", "106117950042", Decimal(2))
    assert (line.unit_price, line.attributes) == (Money(Decimal("0.1"), "USD"), (("Color", "Red"),))
    assert order.recipient is not None
    assert (order.recipient.contact_person, order.recipient.mobile) == ("John Doe", "+1 5551234567")
    assert order.nulled == ()


def test_what_the_live_api_makes_of_types_is_read_as_well() -> None:
    drifted = ORDER | {
        "trade_id": 234193410001028893,
        "dropshipping": True,
        "trade_status": "wait_confirm_modify",
        "create_date": [{"format_date": "yyyy-MM-dd", "timestamp": 1733821832000}],
        "order_products": ORDER["order_products"][0],  # type: ignore[index] - an object where a list should be
        "total_amount": {"amount": 4.87, "currency": "USD"},
        "shipment_fee": "null",
        "carrier": None,
        "seller": "null",
    }
    order = orders.read_order(drifted, "234193410001028893")
    assert (order.status, order.dropshipping, len(order.lines)) == ("wait_confirm_modify", True, 1)
    assert order.total == Money(Decimal("4.87"), "USD")
    assert (order.shipment_fee, order.carrier_code, order.seller_eid, order.nulled) == (None, None, None, ())


def test_a_word_for_an_amount_costs_that_amount_and_is_noted() -> None:
    order = orders.read_order(ORDER | {"total_amount": {"amount": "a lot", "currency": "USD"}}, "234193410001028893")
    assert order.total is None
    assert order.nulled[0].field == "total_amount.amount"


def test_an_address_never_gets_into_a_note_or_a_repr() -> None:
    strange = ORDER | {"shipping_address": {"address": ["12 Secret Street", "x"], "contact_person": "John Doe"}}
    order = orders.read_order(strange, "234193410001028893")
    assert order.nulled == (("shipping_address", "***"),)
    for shown in (repr(order), repr(orders.read_order(ORDER, "234193410001028893"))):
        assert not any(word in shown for word in ("Secret", "John", "Main Street", "5551234567", "10012", "Buyer Name"))


def test_another_order_or_none_is_not_taken_for_the_one_asked_for() -> None:
    with pytest.raises(Unreadable, match="other_order"):
        orders.read_order(ORDER, "1")
    for payload in (None, [], "x", 7):
        with pytest.raises(Unreadable, match="not_an_object"):
            orders.read_order(payload, "1")


def test_an_order_that_is_no_object_is_refused_without_a_word_of_it() -> None:
    with pytest.raises(Unreadable) as caught:
        orders.read_order('{"shipping_address": {"address": "12 Secret Street"', "1")
    assert str(caught.value) == "not_an_object: order 1 is no object but a str"


def test_the_guides_order_list_is_read() -> None:
    entry = {
        "trade_id": "271207727001028893",
        "trade_status": "unpay",
        "create_date": {"format_date": "Jul. 31, 2025, 21:09:36 PDT.", "timestamp": "1754021376000"},
        "modify_date": {"format_date": "Jul. 31, 2025, 21:09:37 PDT.", "timestamp": "1754021377000"},
    }
    page = orders.read_order_page({"total_count": "264930", "order_list": [entry, {"trade_status": "unpay"}, "x"]})
    assert (page.total, page.unreadable, len(page.orders)) == (264930, 2, 1)
    assert page.orders[0].trade_id == "271207727001028893"
    assert page.orders[0].modified_at == datetime(2025, 8, 1, 4, 9, 37, tzinfo=UTC)
    assert orders.read_order_page({"total_count": 0, "order_list": None}).orders == ()
    with pytest.raises(Unreadable):
        orders.read_order_page(None)


def test_a_created_order_has_its_number_and_where_to_pay() -> None:
    created = fulfilment.read_created_order({"trade_id": "234193410001028893", "pay_url": "https://biz.alibaba.com/ta"})
    assert (created.trade_id, created.pay_url) == ("234193410001028893", "https://biz.alibaba.com/ta")
    for payload in (None, {}, {"trade_id": "null"}, []):
        with pytest.raises(Unreadable, match="no_order_id"):
            fulfilment.read_created_order(payload)


def test_a_payment_is_paid_also_where_it_was_paid_before() -> None:
    assert fulfilment.read_pay_result({"status": "PAY_SUCCESS"}).paid
    assert fulfilment.read_pay_result({"status": "PAY_FAILED", "reason_code": "ORDER_HAVE_PAID"}).paid
    manual = fulfilment.read_pay_result(
        {
            "status": "PAY_FAILED",
            "reason_code": "NEVER_PAY_SUCCESS_IN_DROPSHIPER",
            "reason_message": "needs to visit payUrl to pay.",
            "pay_url": "https://biz.alibaba.com/...",
        }
    )
    assert not manual.paid
    assert (manual.reason_code, manual.pay_url) == ("NEVER_PAY_SUCCESS_IN_DROPSHIPER", "https://biz.alibaba.com/...")
    with pytest.raises(Unreadable, match="no_status"):
        fulfilment.read_pay_result({})


def test_the_fee_of_a_payment_is_money() -> None:
    fee = fulfilment.read_fund({"payment_transaction_fee": {"amount": "11", "currency": "USD"}}).transaction_fee
    assert fee == Money(Decimal(11), "USD")
    assert fulfilment.read_fund({}).transaction_fee is None


def test_the_guides_logistics_are_read() -> None:
    logistics = fulfilment.read_logistics(
        {
            "logistic_status": "CONFIRM_RECEIPT",
            "shipment_date": {"format_date": "Jun. 11, 2024, 20:10:13 PDT.", "timestamp": "1718161813000"},
            "shipping_order_list": [
                {
                    "voucher": {
                        "tracking_number": "123432",
                        "service_provider": "EX_ASP_OCEAN_EXPRESS",
                        "logistics_type": "EXPRESS",
                    }
                },
                {"voucher": "null"},
            ],
        }
    )
    assert logistics.status == "CONFIRM_RECEIPT"
    assert logistics.shipped_at == datetime(2024, 6, 12, 3, 10, 13, tzinfo=UTC)
    assert logistics.parcels == (fulfilment.Parcel("123432", "EX_ASP_OCEAN_EXPRESS", "EXPRESS"),)
    assert fulfilment.read_logistics(None).parcels == ()


def test_the_guides_tracking_is_read_in_its_order() -> None:
    event = {
        "event_code": "DELIVERED",
        "event_name": "Delivered",
        "event_location": "US",
        "event_time": "2024-06-11 15:53:00",
    }
    (parcel,) = fulfilment.read_tracking(
        [
            {
                "carrier": "FEDEX",
                "tracking_number": 776705370628,
                "current_event_code": "DELIVERED",
                "tracking_url": "https://sale.alibaba.com/...",
                "event_list": [event, event | {"event_code": "IN_TRANSIT"}],
            },
            {"carrier": "FEDEX"},
        ]
    )
    assert (parcel.tracking_number, parcel.carrier) == ("776705370628", "FEDEX")
    assert [event.code for event in parcel.events] == ["DELIVERED", "IN_TRANSIT"]
    assert parcel.events[0].time == "2024-06-11 15:53:00"
    assert fulfilment.read_tracking(None) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ORDER, "voucher", "amount"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_payload_crashes_a_reader(payload: object) -> None:
    for read in (
        orders.read_order_page,
        lambda value: orders.read_order(value, "1"),
        fulfilment.read_created_order,
        fulfilment.read_pay_result,
        fulfilment.read_fund,
        fulfilment.read_logistics,
        fulfilment.read_tracking,
    ):
        with suppress(Unreadable):
            read(payload)
