"""Orders as the guide writes them: dates, money, addresses, the list entry and the whole document (guide §10, §11).

Numbers are text, as in the guide's samples; what is not known is the literal "null" where the official samples have it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from dropship_pipeline.sandbox.order_examples import pay_url
from dropship_pipeline.sandbox.world import lifecycle
from dropship_pipeline.sandbox.world.buyers import Buyer
from dropship_pipeline.sandbox.world.lifecycle import OrderStatus
from dropship_pipeline.sandbox.world.order_model import CURRENCY, Order, OrderLine
from dropship_pipeline.sandbox.world.orders import OrderEntry
from dropship_pipeline.sandbox.world.recipients import Phone, Recipient

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def local(time_ms: int) -> datetime:
    """A time as the platform writes it: America/Los_Angeles."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(LOS_ANGELES)


def date(time_ms: int) -> dict[str, str]:
    """A date both as text ("Jul. 31, 2025, 21:09:36 PDT.") and as epoch milliseconds."""
    return {"format_date": _format_date(time_ms), "timestamp": str(time_ms)}


@lru_cache(maxsize=16_384)
def _format_date(time_ms: int) -> str:
    # kept, because whoever polls the list reads the same dates again and again
    at = local(time_ms)
    return f"{_MONTHS[at.month - 1]}. {at.day}, {at.year}, {at:%H:%M:%S} {at.tzname()}."


def money(amount: Decimal) -> dict[str, str]:
    """An amount of US dollars."""
    return {"amount": str(amount), "currency": CURRENCY}


def list_entry(entry: OrderEntry) -> Mapping[str, object]:
    """An order in the answer of /alibaba/order/list (guide §10)."""
    return {
        "trade_id": entry.trade_id,
        "trade_status": entry.status,
        "create_date": date(entry.created_ms),
        "modify_date": date(entry.modified_ms),
    }


def document(order: Order, buyer: Buyer, now_ms: int, selected: frozenset[str]) -> Mapping[str, object]:
    """An order in the answer of /alibaba/order/get (guide §11); `selected` is what `data_select` names."""
    draft, status = order.draft, lifecycle.current(order.timeline, now_ms).status
    return {
        "trade_id": order.trade_id,
        "trade_status": status,
        "pay_step": "ADVANCE",
        "fulfillment_channel": "TAD",
        "dropshipping": "true",
        "create_date": date(order.created_ms),
        "shipping_address": _address(draft.recipient),
        "order_products": [_line(line) for line in draft.lines],
        "product_total_amount": money(draft.product_total),
        "shipment_fee": money(draft.shipment_fee),
        "total_amount": money(draft.total),
        "advance_amount": money(draft.total),
        "balance_amount": money(Decimal("0.0000")),
        "discount_amount": money(Decimal("0.0000")),
        "carrier": {"code": draft.carrier_code, "name": draft.carrier_name},
        "shipment_method": draft.shipping_type,
        "trade_term": "DAP",
        "remark": draft.remark or "null",
        "tags": '["dropshipping","ds_waybill"]' if draft.enable_distribution_waybill else '["dropshipping"]',
        "attachments": list(draft.attachments),
        "buyer": {"immutable_eid": buyer.immutable_eid, "full_name": buyer.full_name},
        "seller": {"immutable_eid": draft.seller_eid, "full_name": draft.seller_name},
        **({"draft_role": "buyer"} if "draft_role" in selected else {}),
        **({"status_action": _status_action(order.trade_id, status)} if "statusAction" in selected else {}),
    }


def _line(line: OrderLine) -> Mapping[str, object]:
    return {
        "product_id": line.product_id,
        "sku_id": line.sku_id,
        "name": line.name,
        "quantity": f"{line.quantity}.0000",
        "unit": line.unit,
        "unit_price": money(line.unit_price),
        "product_image": line.image,
        "sku_attributes": [{"key": key, "value": value} for key, value in line.attributes],
    }


def _address(recipient: Recipient) -> Mapping[str, object]:
    texts = {
        "zip": recipient.zip,
        "country": recipient.country,
        "country_code": recipient.country_code,
        "province": recipient.province,
        "province_code": recipient.province_code,
        "city": recipient.city,
        "city_code": recipient.city_code,
        "address": recipient.address,
        "alternate_address": recipient.alternate_address,
        "contact_person": recipient.contact_person,
        "port": recipient.port or "null",
        "port_code": recipient.port_code,
    }
    return {
        **{name: text for name, text in texts.items() if text},
        "mobile": _phone(recipient.mobile),
        "telephone": _phone(recipient.telephone),
    }


def _phone(phone: Phone) -> Mapping[str, str]:
    return {"country": phone.country or "null", "area": phone.area or "null", "number": phone.number or "null"}


def _status_action(trade_id: str, status: OrderStatus) -> Mapping[str, object]:
    payable = {"name": "view_payment_link", "value": pay_url(trade_id), "render_name": "View payment link"}
    return {"status": status, "actions": [payable] if status in lifecycle.PAYABLE else []}
