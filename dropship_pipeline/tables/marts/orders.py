"""How orders go from status to status: `order_steps`, `stuck_orders`, `order_funnel`."""

from dropship_pipeline.tables.model import Column, Type, View, columns_of

_TEXT, _BIG, _DOUBLE, _TIME = Type.TEXT, Type.BIGINT, Type.DOUBLE, Type.TIMESTAMP

_ORDERS, _STATUSES = "orders.orders", "orders.order_status_changes"

_STATUS = Column(
    "status", _TEXT, "The status", reads=(*columns_of(_STATUSES, "old_status"), *columns_of(_ORDERS, "status"))
)
_NEXT_STATUS = Column(
    "next_status", _TEXT, "What came after it; NULL: nothing yet", reads=columns_of(_STATUSES, "new_status")
)
_ENTERED_AT_FROM = (*columns_of(_STATUSES, "observed_at"), *columns_of(_ORDERS, "created_at", "modified_at"))

ORDER_STEPS = View(
    "marts",
    "order_steps",
    "Every stay of an order in a status that was seen, the one that it is in now included: one row each.",
    (
        Column("trade_id", _TEXT, "The order", reads=columns_of(_ORDERS, "trade_id")),
        Column("account", _TEXT, "Whose order it is", reads=columns_of(_ORDERS, "account")),
        _STATUS,
        _NEXT_STATUS,
        Column(
            "entered_at",
            _TIME,
            "When it was seen to begin (UTC), at the latest; NULL: it was in it when it was first read",
            reads=_ENTERED_AT_FROM,
        ),
        Column(
            "left_at",
            _TIME,
            "When it was seen to end (UTC); NULL: it has not",
            reads=columns_of(_STATUSES, "observed_at"),
        ),
        Column("hours", _DOUBLE, "From the one to the other, or until now", unit="hours", reads=_ENTERED_AT_FROM),
    ),
    key=("trade_id", "status", "next_status", "left_at"),
    sources=(_ORDERS, _STATUSES),
)

STUCK_ORDERS = View(
    "marts",
    "stuck_orders",
    "Orders that have been in a status longer than 95 of 100 that left it; longer than two weeks where fewer than "
    "twenty did. Orders that succeeded, were closed or charged back wait for nothing.",
    (
        Column("trade_id", _TEXT, "The order", reads=columns_of("marts.order_steps", "trade_id")),
        Column("account", _TEXT, "Whose order it is", reads=columns_of("marts.order_steps", "account")),
        Column("status", _TEXT, "Where it is stuck", reads=columns_of("marts.order_steps", "status")),
        Column("since", _TIME, "Since when, at the latest (UTC)", reads=columns_of("marts.order_steps", "entered_at")),
        Column("hours", _DOUBLE, "How long that is", unit="hours", reads=columns_of("marts.order_steps", "hours")),
        Column(
            "usual_hours",
            _DOUBLE,
            "How long it takes half of the orders; NULL: none has left it",
            unit="hours",
            reads=columns_of("marts.order_steps", "hours"),
        ),
        Column(
            "limit_hours",
            _DOUBLE,
            "From when on it is stuck",
            unit="hours",
            reads=columns_of("marts.order_steps", "hours"),
        ),
    ),
    key=("trade_id",),
    sources=("marts.order_steps",),
)

ORDER_FUNNEL = View(
    "marts",
    "order_funnel",
    "From which status orders go to which, how long that takes, and how many wait: one row for each pair that was "
    "seen, and one without a next status for those that are in it now.",
    (
        Column("status", _TEXT, "The status", reads=columns_of("marts.order_steps", "status")),
        Column(
            "next_status",
            _TEXT,
            "What came after it; NULL: the orders that are in it now",
            reads=columns_of("marts.order_steps", "next_status"),
        ),
        Column("orders", _BIG, "How many"),
        Column(
            "median_hours",
            _DOUBLE,
            "Half took (or have waited) no longer; NULL: of none is known how long",
            unit="hours",
            reads=columns_of("marts.order_steps", "hours"),
        ),
        Column(
            "p95_hours",
            _DOUBLE,
            "95 of 100 took no longer",
            unit="hours",
            reads=columns_of("marts.order_steps", "hours"),
        ),
        Column(
            "stuck_orders",
            _BIG,
            "How many of those that wait are stuck; NULL: they moved on",
            reads=columns_of("marts.stuck_orders", "trade_id"),
        ),
        Column(
            "oldest_since",
            _TIME,
            "Since when the one waits that waits longest (UTC); NULL: they moved on",
            reads=columns_of("marts.order_steps", "entered_at"),
        ),
    ),
    key=("status", "next_status"),
    sources=("marts.order_steps", "marts.stuck_orders"),
)
