"""A push message, read: what it is about and what it says has happened (guide: Push Notifications).

A message is a hint. What is true of the product or the order it names is fetched; a price or a status in it is not
believed. Whether it is genuine is `signing`'s; what becomes of it is `sync.inbox`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dropship_pipeline.alibaba.values import Nulled, as_object, decoded, epoch_ms, identifier, text

_PRODUCT_FIELDS = ("productId", "product_id")
_ORDER_FIELDS = ("trade_id_str", "trade_id")
_PRODUCT_EVENTS = frozenset({"ADD", "DELETE", "PRICE_CHANGE"})
_LONGEST_EVENT = 60


class PushKind(StrEnum):
    """What a message is about."""

    PRODUCT = "product"
    ORDER = "order"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Push:
    """One message. `subject`: the ID of the product or the order; None where there is none that could be one.

    `event`: an option (`ADD`), a status of an order, or the message's type. `sent_at`: UTC; None if it does not say.
    """

    kind: PushKind
    subject: str | None
    event: str
    sent_at: datetime | None


def read_push(body: bytes) -> Push:
    """Read the body of a message. Raises ValueError for what is no JSON object.

    `message_type` 1 means several things: the keys of `data` decide (live facts: Push messages). A product with an
    option that nobody knows is of an unknown kind, as is everything else.
    """
    document = decoded(body)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  whatever is no message is one error
    notes: list[Nulled] = []
    sent_at = epoch_ms(document.get("timestamp"), "timestamp", notes)
    data = as_object(document.get("data"), "data", notes) or {}
    if any(name in data for name in _ORDER_FIELDS):
        event = text(data.get("status"), "data.status", notes) or ""
        return Push(PushKind.ORDER, _subject(data, _ORDER_FIELDS, notes), event[:_LONGEST_EVENT], sent_at)
    option = (text(data.get("option"), "data.option", notes) or "").upper()
    if option in _PRODUCT_EVENTS and any(name in data for name in _PRODUCT_FIELDS):
        return Push(PushKind.PRODUCT, _subject(data, _PRODUCT_FIELDS, notes), option, sent_at)
    told = text(document.get("message_type"), "message_type", notes) or "none"
    return Push(PushKind.UNKNOWN, None, f"message_type {told} {option}".strip()[:_LONGEST_EVENT], sent_at)


def _subject(data: Mapping[str, object], names: tuple[str, ...], notes: list[Nulled]) -> str | None:
    found = next((found for name in names if (found := identifier(data.get(name), name, notes))), None)
    return found if found and found.isascii() and found.isalnum() else None
