"""One order as the tables have it, to be shown to a person. Nothing is written here."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text

from dropship_pipeline.storage.server.database import Database

_ORDER = text("""
    SELECT o.trade_id, o.account, o.status, o.pay_step, o.fulfillment_channel, o.dropshipping, o.created_at,
        o.modified_at, o.shipped_at, o.product_total, o.shipment_fee, o.total, o.currency, o.carrier_code,
        o.carrier_name, o.country_code, o.fetched_at, f.due_since, p.transaction_fee
    FROM orders.orders o
    LEFT JOIN ops.order_fetches f USING (trade_id)
    LEFT JOIN orders.payments p USING (trade_id)
    WHERE o.trade_id = :trade_id
""")

_LINES = text("""
    SELECT line, product_id, sku_id, name, quantity, unit, unit_price, currency FROM orders.order_lines
    WHERE trade_id = :trade_id ORDER BY line
""")

_CHANGES = text("""
    SELECT old_status, new_status, observed_at, irregularity FROM orders.order_status_changes
    WHERE trade_id = :trade_id ORDER BY observed_at
""")

_SHIPMENTS = text("""
    SELECT tracking_number, carrier, service_provider, logistics_type, logistic_status, current_event_code, tracking_url
    FROM orders.shipments WHERE trade_id = :trade_id ORDER BY tracking_number
""")

_EVENTS = text("""
    SELECT tracking_number, event_time, event_code, event_name, event_location FROM orders.tracking_events
    WHERE trade_id = :trade_id ORDER BY tracking_number, event_time, event_code
""")

_RECIPIENT = text("""
    SELECT contact_person, address, alternate_address, city, province, zip, country, country_code, mobile, telephone
    FROM orders.recipients WHERE trade_id = :trade_id
""")


@dataclass(frozen=True, slots=True)
class OrderRow:
    """The order itself. Times are UTC; amounts in `currency`. `due_since`: the list has told more since then."""

    trade_id: str
    account: str
    status: str | None
    pay_step: str | None
    fulfillment_channel: str | None
    dropshipping: bool | None
    created_at: datetime | None
    modified_at: datetime | None
    shipped_at: datetime | None
    product_total: Decimal | None
    shipment_fee: Decimal | None
    total: Decimal | None
    currency: str | None
    carrier_code: str | None
    carrier_name: str | None
    country_code: str | None
    fetched_at: datetime
    due_since: datetime | None
    transaction_fee: Decimal | None


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of the order."""

    line: int
    product_id: str | None
    sku_id: str | None
    name: str | None
    quantity: Decimal | None
    unit: str | None
    unit_price: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change of status that was seen (UTC)."""

    old_status: str
    new_status: str
    observed_at: datetime
    irregularity: str | None


@dataclass(frozen=True, slots=True)
class ShipmentRow:
    """A parcel."""

    tracking_number: str
    carrier: str | None
    service_provider: str | None
    logistics_type: str | None
    logistic_status: str | None
    current_event_code: str | None
    tracking_url: str | None


@dataclass(frozen=True, slots=True)
class EventRow:
    """What happened to a parcel. `event_time` is as answered, without a zone."""

    tracking_number: str
    event_time: str
    event_code: str
    event_name: str | None
    event_location: str | None


@dataclass(frozen=True, slots=True, repr=False)
class RecipientRow:
    """To whom it goes. Personal data: no repr shows it."""

    contact_person: str | None
    address: str | None
    alternate_address: str | None
    city: str | None
    province: str | None
    zip: str | None
    country: str | None
    country_code: str | None
    mobile: str | None
    telephone: str | None

    def __repr__(self) -> str:
        return "RecipientRow(***)"


@dataclass(frozen=True, slots=True)
class OrderSheet:
    """An order with all that hangs on it. `recipient`: None where it was not asked for, or is not known."""

    order: OrderRow
    lines: list[LineRow]
    status_changes: list[ChangeRow]
    shipments: list[ShipmentRow]
    tracking_events: list[EventRow]
    recipient: RecipientRow | None = None


def read_order_sheet(database: Database, trade_id: str) -> OrderSheet | None:
    """The order as it is at one moment, without its recipient; None if the tables do not have it."""
    of = {"trade_id": trade_id}
    with database.begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        order = connection.execute(_ORDER, of).one_or_none()
        if order is None:
            return None
        return OrderSheet(
            order=OrderRow(*order),
            lines=[LineRow(*row) for row in connection.execute(_LINES, of)],
            status_changes=[ChangeRow(*row) for row in connection.execute(_CHANGES, of)],
            shipments=[ShipmentRow(*row) for row in connection.execute(_SHIPMENTS, of)],
            tracking_events=[EventRow(*row) for row in connection.execute(_EVENTS, of)],
        )


def read_recipient(database: Database, trade_id: str) -> RecipientRow | None:
    """To whom an order goes; None if that is not known."""
    with database.begin() as connection:
        row = connection.execute(_RECIPIENT, {"trade_id": trade_id}).one_or_none()
        return None if row is None else RecipientRow(*row)
