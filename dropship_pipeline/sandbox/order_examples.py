"""The two orders of the guide's examples, as the guide prints them: they answer word for word and never change.

They are no part of the order book: nothing that is asked of them has an effect, and every buyer may ask. The
default buyer's list shows them after all others, being the oldest. The products of the guide's examples are in
`examples.py`.
"""

from collections.abc import Mapping

from dropship_pipeline.sandbox.api import Body

DETAILED, LISTED = "234193410001028893", "271207727001028893"
TRADE_IDS = (LISTED, DETAILED)  # the newest first

# The line and the carrier of the guide's create example (guide §8), which gets the order of its example answer.
CREATE_LINE = ("100001", "200001", 10)  # product, SKU, quantity
CREATE_CARRIER = "EX_ASP_JYC_FEDEX"

_CREATED: Mapping[str, Mapping[str, str]] = {
    # the guide's own text and timestamp of this date are a year apart: clients are to trust the timestamp
    DETAILED: {"format_date": "Dec. 10, 2025, 10:30:32 PST.", "timestamp": "1733821832000"},
    LISTED: {"format_date": "Jul. 31, 2025, 21:09:36 PDT.", "timestamp": "1754021376000"},
}
_MODIFIED: Mapping[str, Mapping[str, str]] = {
    DETAILED: _CREATED[DETAILED],
    LISTED: {"format_date": "Jul. 31, 2025, 21:09:37 PDT.", "timestamp": "1754021377000"},
}
STATUS = "unpay"


def pay_url(trade_id: str) -> str:
    """Where a buyer pays an order by hand (guide §8)."""
    return f"https://biz.alibaba.com/ta/detail.htm?orderId={trade_id}"


def created_answer() -> Body:
    """The answer of /buynow/order/create (guide §8)."""
    return {"value": {"trade_id": DETAILED, "pay_url": pay_url(DETAILED)}}


def paid_answer() -> Body:
    """The answer of /alibaba/dropshipping/order/pay (guide §9)."""
    return {"value": {"status": "PAY_SUCCESS"}}


def created_ms(trade_id: str) -> int:
    """When the order was created, epoch milliseconds."""
    return int(_CREATED[trade_id]["timestamp"])


def modified_ms(trade_id: str) -> int:
    """When the order last changed, epoch milliseconds."""
    return int(_MODIFIED[trade_id]["timestamp"])


def list_entry(trade_id: str) -> Mapping[str, object]:
    """The order in the answer of /alibaba/order/list (guide §10)."""
    return {
        "trade_id": trade_id,
        "trade_status": STATUS,
        "create_date": _CREATED[trade_id],
        "modify_date": _MODIFIED[trade_id],
    }


def get_answer(trade_id: str) -> Body:
    """The answer of /alibaba/order/get (guide §11)."""
    return {
        "value": {
            "trade_id": trade_id,
            "trade_status": STATUS,
            "pay_step": "ADVANCE",
            "fulfillment_channel": "TAD",
            "dropshipping": "true",
            "create_date": _CREATED[trade_id],
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
    }


def tracking_answer(trade_id: str) -> Body:
    """The answer of /order/logistics/tracking/get (guide §12)."""
    if trade_id != DETAILED:
        return {"tracking_list": []}
    return {
        "tracking_list": [
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
    }


def logistics_answer(trade_id: str) -> Body:
    """The answer of /order/logistics/query (guide §13)."""
    if trade_id != DETAILED:
        return {"value": {"logistic_status": "UNDELIVERED"}}
    return {
        "value": {
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
    }


def fund_answer(trade_id: str) -> Body:
    """The answer of /alibaba/order/fund/query (guide §14)."""
    if trade_id != DETAILED:
        return {"value": {}}
    return {"value": {"payment_transaction_fee": {"amount": "11", "currency": "USD"}}}


def truths(buyer_id: str) -> list[dict[str, object]]:
    """What is true of both orders, in the shape of `world/order_truth.py`; they are put down to `buyer_id`."""
    return [_truth(trade_id, buyer_id) for trade_id in TRADE_IDS]


def _truth(trade_id: str, buyer_id: str) -> dict[str, object]:
    detailed = trade_id == DETAILED
    parcel = {
        "tracking_number": "776705370628",
        "carrier": "FEDEX",
        "events": [
            {
                "code": "IN_TRANSIT",
                "name": "In Transit",
                "location": "US, TN, NASHVILLE",
                "at_ms": 1_718_032_980_000,
            },
            {
                "code": "DELIVERED",
                "name": "Delivered",
                "location": "US, TN, HENDERSONVILLE",
                "at_ms": 1_718_146_380_000,
            },
        ],
    }
    line = {
        "product_id": "1601314875038",
        "sku_id": "106117950042",
        "name": "Product Name",
        "quantity": 2,
        "unit": "Pieces",
        "unit_price": "0.1000",
        "image": "https://sc04.alicdn.com/kf/product.jpg",
        "attributes": [["Color", "Red"]],
    }
    recipient = {
        "contact_person": "John Doe",
        "address": "123 Main Street",
        "city": "New york",
        "province": "New York",
        "zip": "10012",
        "country": "United States of America",
        "country_code": "US",
        "mobile": {"country": "+1", "area": "", "number": "5551234567"},
    }
    return {
        "trade_id": trade_id,
        "buyer_id": buyer_id,
        "status": STATUS,
        "created_ms": created_ms(trade_id),
        "modified_ms": modified_ms(trade_id),
        "paid_ms": None,
        "shipped_ms": 1_718_161_813_000 if detailed else None,
        "statuses": [[created_ms(trade_id), STATUS]],
        "carrier_code": "SEMI_MANAGED_CARRIER_CODE_CHEAPEST",
        "carrier_name": "Standard",
        "seller_eid": "kx++Dlfuw+osaJiw08no/A==",
        "seller_name": "Seller Name",
        "product_total": "0.20",
        "shipment_fee": "4.67",
        "total": "4.87",
        "transaction_fee": "11" if detailed else None,
        "currency": "USD",
        "recipient": recipient,
        "lines": [line],
        "parcels": [parcel] if detailed else [],
    }
