"""The tables of schema `orders`: what was ordered, how it stands, where its parcels are, what paying for it cost.

What reading the orders needs to remember for itself (`order_fetches`, `order_days`) is in `ops`.
"""

from dropship_pipeline.tables.model import Column, Reference, Table, Type

_TEXT, _INT, _MONEY, _TIME = Type.TEXT, Type.INTEGER, Type.MONEY, Type.TIMESTAMP

_TRADE_ID = Column(
    "trade_id", _TEXT, "The Alibaba.com order ID", nullable=False, source="§11 trade_id", example="234193410001028893"
)
_CURRENCY = Column("currency", _TEXT, "ISO 4217 code of the amounts beside it", example="USD")
_TRACKING_NUMBER = Column(
    "tracking_number", _TEXT, "The parcel", nullable=False, source="§12 tracking_number, §13 voucher.tracking_number"
)

_OF_ORDER = (Reference(("trade_id",), "orders.orders"),)

ORDERS = Table(
    "orders",
    "orders",
    "One row an order of the accounts that the app acts for.",
    (
        _TRADE_ID,
        Column("account", _TEXT, "Whose order it is: see ops.accounts", nullable=False),
        Column(
            "status",
            _TEXT,
            "As answered: there are more than the guide lists, and an unknown one is kept",
            source="§11 trade_status",
            example="undeliver",
        ),
        Column("pay_step", _TEXT, "As answered", source="§11 pay_step", example="ADVANCE"),
        Column("fulfillment_channel", _TEXT, "As answered", source="§11 fulfillment_channel", example="TAD"),
        Column("dropshipping", Type.BOOLEAN, "Whether it is a dropshipping order", source="§11 dropshipping"),
        Column("created_at", _TIME, "When it was placed (UTC)", source="§11 create_date.timestamp"),
        Column(
            "modified_at",
            _TIME,
            "When it last changed, as the list said before it was read (UTC). NULL: no list has shown it yet",
            source="§10 modify_date.timestamp",
        ),
        Column("shipped_at", _TIME, "When the seller shipped it (UTC)", source="§13 shipment_date.timestamp"),
        Column("product_total", _MONEY, "All products, in `currency`", source="§11 product_total_amount"),
        Column("shipment_fee", _MONEY, "Freight, in `currency`", source="§11 shipment_fee"),
        Column("total", _MONEY, "What the buyer pays, in `currency`", source="§11 total_amount"),
        _CURRENCY,
        Column("carrier_code", _TEXT, "Carrier, as freight quotes name it (vendor_code)", source="§11 carrier.code"),
        Column("carrier_name", _TEXT, "Carrier, for people", source="§11 carrier.name"),
        Column("country_code", _TEXT, "Where it goes, ISO 3166", source="§11 shipping_address.country_code"),
        Column("fetched_at", _TIME, "When it was last read (UTC)", nullable=False),
    ),
    key=("trade_id",),
    observed=("fetched_at",),
    published=True,
    indexes=(("account", "created_at"), ("status",)),
)

ORDER_LINES = Table(
    "orders",
    "order_lines",
    "What was ordered, a row a variant.",
    (
        _TRADE_ID,
        Column("line", _INT, "Place in the order, from 1", nullable=False, source="§11 order_products[]"),
        Column("product_id", _TEXT, "The product", source="§11 order_products[].product_id"),
        Column("sku_id", _TEXT, "The variant", source="§11 order_products[].sku_id"),
        Column("name", _TEXT, "What the product was called", source="§11 order_products[].name"),
        Column("quantity", _MONEY, "How much of it", unit="units", source="§11 order_products[].quantity"),
        Column("unit", _TEXT, "What one unit is", source="§11 order_products[].unit", example="Pieces"),
        Column(
            "unit_price", _MONEY, "Price of one unit, in `currency`", source="§11 order_products[].unit_price.amount"
        ),
        _CURRENCY,
    ),
    key=("trade_id", "line"),
    parent="trade_id",
    published=True,
    indexes=(("product_id",),),
    references=_OF_ORDER,
)

ORDER_STATUS_CHANGES = Table(
    "orders",
    "order_status_changes",
    "Every change of an order's status between two readings. The first reading is none.",
    (
        _TRADE_ID,
        Column("old_status", _TEXT, "Status at the reading before", nullable=False),
        Column("new_status", _TEXT, "Status now", nullable=False),
        Column("observed_at", _TIME, "When the change was seen (UTC); it happened at or before", nullable=False),
        Column(
            "irregularity",
            _TEXT,
            "NULL: the new status follows the old one. `skipped`: others lie between, which no reading saw. "
            "`backwards`: the order was further before, or had ended. `unknown`: one of the two is none that we know",
        ),
    ),
    published=True,
    indexes=(("trade_id", "observed_at"), ("observed_at",)),
    references=_OF_ORDER,
)

SHIPMENTS = Table(
    "orders",
    "shipments",
    "The parcels of an order, from its logistics and from their tracking together. One that was named once stays.",
    (
        _TRADE_ID,
        _TRACKING_NUMBER,
        Column("carrier", _TEXT, "Who carries it", source="§12 carrier", example="FEDEX"),
        Column("service_provider", _TEXT, "The service", source="§13 voucher.service_provider"),
        Column("logistics_type", _TEXT, "As answered", source="§13 voucher.logistics_type", example="EXPRESS"),
        Column(
            "logistic_status",
            _TEXT,
            "How far the order's delivery is",
            source="§13 logistic_status",
            example="DELIVERED",
        ),
        Column(
            "current_event_code", _TEXT, "What last happened", source="§12 current_event_code", example="IN_TRANSIT"
        ),
        Column("tracking_url", _TEXT, "Where a person can follow it", source="§12 tracking_url"),
    ),
    key=("trade_id", "tracking_number"),
    parent="trade_id",
    published=True,
    references=_OF_ORDER,
)

TRACKING_EVENTS = Table(
    "orders",
    "tracking_events",
    "What happened to the parcels on their way. An event that was told once stays: carriers forget.",
    (
        _TRADE_ID,
        _TRACKING_NUMBER,
        Column("event_code", _TEXT, "As answered; '' where there is none", nullable=False, source="§12 event_code"),
        Column(
            "event_time",
            _TEXT,
            "As answered: the API gives no zone, so that it is no moment; sorts by time. '' where there is none",
            nullable=False,
            source="§12 event_time",
            example="2024-06-11 15:53:00",
        ),
        Column("event_name", _TEXT, "In words", source="§12 event_name", example="In Transit"),
        Column("event_location", _TEXT, "Where, in words", source="§12 event_location", example="US, TN, NASHVILLE"),
    ),
    key=("trade_id", "tracking_number", "event_code", "event_time"),
    parent="trade_id",
    published=True,
    references=(Reference(("trade_id", "tracking_number"), "orders.shipments"),),
)

PAYMENTS = Table(
    "orders",
    "payments",
    "What paying for an order cost. An order that is not paid has no row.",
    (
        _TRADE_ID,
        Column("transaction_fee", _MONEY, "Fee of the payment", source="§14 payment_transaction_fee.amount"),
        _CURRENCY,
    ),
    key=("trade_id",),
    parent="trade_id",
    published=True,
    references=_OF_ORDER,
)

RECIPIENTS = Table(
    "orders",
    "recipients",
    "To whom an order goes. Personal data: here and nowhere else. Row security shows no row to anybody but the owner "
    "of the table, whatever was granted, until a policy lets a role in.",
    (
        _TRADE_ID,
        Column("contact_person", _TEXT, "Name", source="§11 shipping_address.contact_person"),
        Column("country_code", _TEXT, "ISO 3166", source="§11 shipping_address.country_code", example="US"),
        Column("country", _TEXT, "Country", source="§11 shipping_address.country"),
        Column("province", _TEXT, "State or province", source="§11 shipping_address.province"),
        Column("city", _TEXT, "City", source="§11 shipping_address.city"),
        Column("zip", _TEXT, "Postal code", source="§11 shipping_address.zip"),
        Column("address", _TEXT, "Street and number", source="§11 shipping_address.address"),
        Column("alternate_address", _TEXT, "Second line", source="§11 shipping_address.alternate_address"),
        Column("mobile", _TEXT, "Country, area and number", source="§11 shipping_address.mobile"),
        Column("telephone", _TEXT, "Country, area and number", source="§11 shipping_address.telephone"),
    ),
    key=("trade_id",),
    parent="trade_id",
    references=_OF_ORDER,
)

PLACEMENTS = Table(
    "orders",
    "placements",
    "Orders that we place, by our own reference: written before Alibaba.com is asked, so that none is placed twice. "
    "Under row security as orders.recipients: it tells what was ordered, and where it can be paid.",
    (
        Column("channel_refer_id", _TEXT, "The merchant's own reference", nullable=False, source="§8 channel_refer_id"),
        Column("account", _TEXT, "Who orders: see ops.accounts", nullable=False),
        Column(
            "state",
            _TEXT,
            "`planned`: nothing was sent. `sending`: it is, or whoever sent it was killed. `placed`. `refused`: there "
            "is no order. `ambiguous`: the answer was lost, and an order may exist. `needs_person`: the account's "
            "orders do not tell whether it does. `cancelling`, `cancelled`",
            nullable=False,
        ),
        Column("trade_id", _TEXT, "The order that came of it", source="§8 trade_id"),
        Column("request", Type.JSON, "What was asked for, without the recipient", nullable=False),
        Column(
            "recipient",
            Type.BYTES,
            "Recipient, remark and customs details, encrypted with DROPSHIP_SECRET_KEY. NULL once the order is placed: "
            "see orders.recipients",
        ),
        Column("quote", Type.JSON, "Carrier, dispatch location and costs at which it is placed", source="§7"),
        Column(
            "fingerprint", _TEXT, "Hash of all that was asked for: a reference stands for one order", nullable=False
        ),
        Column("likeness", _TEXT, "Hash of what orders at Alibaba.com can be told apart by", nullable=False),
        Column("sends", _INT, "How often it was sent", nullable=False),
        Column("sent_at", _TIME, "When it was first sent (UTC), by the clock that signed"),
        Column(
            "orders_before",
            Type.TEXTS,
            "Orders that the account had when it was first sent, of the two hours before, and no placement of ours: it "
            "is none of these",
        ),
        Column(
            "pay_state",
            _TEXT,
            "`sending`, `ambiguous`: the answer was lost. `verifying`: by the bank. `by_hand`: a person has to pay "
            "first. `failed`, `paid`. NULL: nobody asked for it",
        ),
        Column("pay_url", _TEXT, "Where a person can pay for it", source="§8 pay_url"),
        Column("reason", _TEXT, "Why it is as it is, where that is not what was wanted"),
        Column("created_at", _TIME, "When it was first asked for (UTC)", nullable=False),
        Column("updated_at", _TIME, "When a state last changed (UTC)", nullable=False),
    ),
    key=("channel_refer_id",),
    indexes=(("trade_id",), ("likeness",)),
)

ORDER_TABLES = (
    ORDERS,
    ORDER_LINES,
    ORDER_STATUS_CHANGES,
    SHIPMENTS,
    TRACKING_EVENTS,
    PAYMENTS,
    RECIPIENTS,
    PLACEMENTS,
)
