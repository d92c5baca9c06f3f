"""What an order that we place is: who asked for what, what it was quoted at, the request that is sent, how it is told.

How an order is read from a file is in `placing_input`, what must be true of it in `placing_checks`, how it is known
again among the account's orders in `placing_match`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from dropship_pipeline.alibaba.dialect import Dialect
from dropship_pipeline.alibaba.order_requests import Address, CreateOrder, OrderItem, Phone
from dropship_pipeline.problem import Problem

QUOTE_LASTS = timedelta(minutes=30)
"""How long a quote is placed as it is. Alibaba.com names no time; its prices move a few times a day at most."""

CHEAPEST, FASTEST = "cheapest", "fastest"

_HIDDEN = "***"


class State(StrEnum):
    """How far a placement is: `orders.placements.state`."""

    PLANNED = "planned"  # nothing was sent, or what was sent is known not to have been carried out
    SENDING = "sending"  # written before the call; found like this, whoever sent it was killed
    PLACED = "placed"
    REFUSED = "refused"  # Alibaba.com said no: there is no order
    AMBIGUOUS = "ambiguous"  # the answer was lost: an order may exist
    NEEDS_PERSON = "needs_person"  # the account's orders do not tell
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class PayState(StrEnum):
    """How far the payment of a placement is: `orders.placements.pay_state`; none: nobody asked for it."""

    SENDING = "sending"
    AMBIGUOUS = "ambiguous"  # the answer was lost: it may be paid
    VERIFYING = "verifying"  # the bank looks at it
    BY_HAND = "by_hand"  # a person has to pay at `pay_url` first
    FAILED = "failed"
    PAID = "paid"


REPLACEABLE = frozenset({State.PLANNED, State.REFUSED})
"""No order exists: the same reference may ask for something else."""

UNSETTLED = frozenset({State.SENDING, State.AMBIGUOUS, State.NEEDS_PERSON})
"""An order may exist or not."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing for which an order cannot be placed as it is. Names no person, no street, no number."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return str(Problem(self.what, self.remedy))


class OrderFaults(Problem):
    """Everything for which an order cannot be placed, found before anything was sent."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(" ".join(str(fault) for fault in faults))

    def __str__(self) -> str:
        return self.what + "."


@dataclass(frozen=True, slots=True)
class OrderAsked:
    """An order that somebody wants: `reference` is the merchant's own (`channel_refer_id`), once for ever.

    `carrier`: `cheapest`, `fastest` or a vendor code. `dispatch_location`: CN, US or MX; None: wherever it is best.
    """

    reference: str
    items: tuple[OrderItem, ...]
    recipient: Address
    carrier: str = CHEAPEST
    dispatch_location: str | None = None
    remark: str | None = field(default=None, repr=False)
    properties: Mapping[str, str] | None = None
    clearance_detail: Mapping[str, object] | None = field(default=None, repr=False)
    attachments: tuple[Mapping[str, object], ...] = field(default=(), repr=False)
    enable_distribution_waybill: bool | None = None

    def fingerprint(self, account: str) -> str:
        """The same for the same order, whoever asks for it: a hash, of which no address can be told."""
        return _hash([account, self.reference, self.told(), asdict(self.recipient), self._personal()])

    def likeness(self, account: str) -> str:
        """The same for orders of which `placing_match` may take the one for the other, whatever their references."""
        lines = sorted([item.product_id, item.sku_id, item.quantity] for item in self.items)
        return _hash([account, lines, plain(self.recipient.contact_person), plain(self.recipient.address)])

    def told(self) -> dict[str, object]:
        """What may be kept and shown in the clear: nothing of the recipient, and nothing that people wrote."""
        return {
            "items": [item.told() for item in self.items],
            "country_code": self.recipient.country_code,
            "carrier": self.carrier,
            "dispatch_location": self.dispatch_location,
            "properties": None if self.properties is None else dict(self.properties),
            "enable_distribution_waybill": self.enable_distribution_waybill,
        }

    def sealed(self) -> str:
        """The rest, which is personal, as JSON: to be encrypted."""
        return json.dumps({"recipient": asdict(self.recipient), **self._personal()}, sort_keys=True)

    def _personal(self) -> dict[str, object]:
        return {
            "remark": self.remark,
            "clearance_detail": None if self.clearance_detail is None else dict(self.clearance_detail),
            "attachments": [dict(attachment) for attachment in self.attachments],
        }

    @classmethod
    def opened(cls, reference: str, told: Mapping[str, object], sealed: str) -> "OrderAsked":
        """The order that `told` and `sealed` are of."""
        hidden, clear = json.loads(sealed), dict(told)
        recipient = hidden.pop("recipient")
        telephone, mobile = recipient.pop("telephone"), recipient.pop("mobile")
        clear.pop("country_code", None)
        items = clear.pop("items")
        assert isinstance(items, list)  # noqa: S101 - for the type checker: `told` wrote it
        return cls(
            reference=reference,
            items=tuple(OrderItem(item["product_id"], item["sku_id"], int(item["quantity"])) for item in items),
            recipient=Address(
                **recipient, telephone=telephone and Phone(**telephone), mobile=mobile and Phone(**mobile)
            ),
            **{**hidden, "attachments": tuple(hidden["attachments"])},
            **clear,  # type: ignore[arg-type]  # `told` wrote it
        )


@dataclass(frozen=True, slots=True)
class Quote:
    """What an order costs, by the advanced freight calculation (guide §7) and the prices of that moment (UTC).

    `fee` is the freight of the whole order in `fee_currency`, `product_total` is in `currency`. Days are calendar days.
    """

    dispatch_location: str
    carrier_code: str
    carrier_name: str | None
    fee: Decimal
    fee_currency: str
    delivery_days_min: int | None
    delivery_days_max: int | None
    product_total: Decimal
    currency: str
    quoted_at: datetime

    @property
    def total(self) -> Decimal | None:
        """What the order comes to, in `currency`; None where freight is in another one."""
        return self.product_total + self.fee if self.currency == self.fee_currency else None

    def in_words(self) -> str:
        """`12.40 USD: products 9.40 USD, freight 3.00 USD by FedEx IE from CN`."""
        parts = (
            f"products {self.product_total:,.2f} {self.currency}, freight {self.fee:,.2f} {self.fee_currency} "
            f"by {self.carrier_name or self.carrier_code} from {self.dispatch_location}"
        )
        return parts if self.total is None else f"{self.total:,.2f} {self.currency}: {parts}"

    def expired(self, now: datetime) -> bool:
        """Whether it has to be asked for again."""
        return now >= self.quoted_at + QUOTE_LASTS

    def moved_since(self, before: "Quote") -> str | None:
        """What differs from an earlier quote, in words; None: nothing that costs."""
        was, now = before.in_words(), self.in_words()
        return None if was == now else f"The quote has moved: it was {was}; it is {now}"

    def as_json(self) -> dict[str, object]:
        """For `orders.placements.quote`: money and times as text."""
        return {name: str(v) if isinstance(v, Decimal | datetime) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> "Quote":
        """What `as_json` wrote."""
        read: dict[str, Callable[[str], object]] = {
            "fee": Decimal,
            "product_total": Decimal,
            "quoted_at": datetime.fromisoformat,
        }
        return cls(**{name: read[name](str(v)) if name in read else v for name, v in document.items()})  # type: ignore[arg-type]  # `as_json` wrote it


def create_request(asked: OrderAsked, quote: Quote) -> CreateOrder:
    """The request that places the order at its quote (guide §8)."""
    return CreateOrder(
        channel_refer_id=asked.reference,
        items=asked.items,
        address=asked.recipient,
        dispatch_location=quote.dispatch_location,
        carrier_code=quote.carrier_code,
        properties=asked.properties,
        remark=asked.remark,
        attachments=asked.attachments,
        enable_distribution_waybill=asked.enable_distribution_waybill,
        clearance_detail=asked.clearance_detail,
    )


def shown_request(request: CreateOrder, *, recipient: bool) -> dict[str, object]:
    """The parameters of the request as people may see them; without `recipient`, all that is personal is `***`."""
    params = request.params(Dialect.GUIDE)
    shown: dict[str, Any] = {
        name: json.loads(value) if value[:1] in ("{", "[") else value for name, value in params.items()
    }
    if not recipient:
        shown["logistics_detail"]["shipment_address"] = {
            name: value if name == "country_code" else _HIDDEN
            for name, value in shown["logistics_detail"]["shipment_address"].items()
        }
        shown |= {name: _HIDDEN for name in ("remark", "clearance_detail", "attachments") if name in shown}
    return shown


def plain(written: str) -> str:
    """A name or an address, however it is written: its letters and digits alone, in lower case."""
    return re.sub(r"[\W_]+", "", written).casefold()


def _hash(document: object) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
