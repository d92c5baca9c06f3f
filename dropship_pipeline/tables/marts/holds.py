"""What should not be sold, or soon cannot be: `stockouts`, `on_hold`."""

from dropship_pipeline.tables.model import Column, Type, View, columns_of

_TEXT, _BIG, _DOUBLE, _MONEY, _TIME = Type.TEXT, Type.BIGINT, Type.DOUBLE, Type.MONEY, Type.TIMESTAMP

_PRODUCTS, _LEVELS, _QUOTES = "catalog.products", "catalog.inventory_levels", "catalog.freight_quotes"
_FAILURES, _STOCK, _RULES = "catalog.freight_failures", "catalog.inventory_changes", "ops.hold_rules"

STOCKOUTS = View(
    "marts",
    "stockouts",
    "Warehouses that have none of a SKU on offer, or will have none within 30 days if it sells as in the last seven: "
    "one row a SKU and warehouse. What was filled up in between does not make the sales fewer.",
    (
        Column("sku_id", _TEXT, "The variant", reads=columns_of(_LEVELS, "sku_id")),
        Column("shipping_from", _TEXT, "Country of the warehouse", reads=columns_of(_LEVELS, "shipping_from")),
        Column("product_id", _TEXT, "The product", reads=columns_of(_LEVELS, "product_id")),
        Column("title", _TEXT, "Title of the product", reads=columns_of(_PRODUCTS, "title")),
        Column("state", _TEXT, "`out` or `expected`", reads=columns_of(_LEVELS, "quantity")),
        Column("quantity", _BIG, "Units left here", unit="units", reads=columns_of(_LEVELS, "quantity")),
        Column("elsewhere", _BIG, "Units in the other warehouses", unit="units", reads=columns_of(_LEVELS, "quantity")),
        Column(
            "daily_sales",
            _DOUBLE,
            "Units that went a day, over the last seven, or over as many as the product is known for; NULL: none",
            unit="units/day",
            reads=(*columns_of(_STOCK, "old_quantity", "new_quantity"), *columns_of(_PRODUCTS, "first_seen_at")),
        ),
        Column(
            "days_left",
            _DOUBLE,
            "How long it lasts at that; NULL: it is out",
            unit="days",
            reads=(*columns_of(_LEVELS, "quantity"), *columns_of(_STOCK, "old_quantity", "new_quantity")),
        ),
        Column(
            "out_since",
            _TIME,
            "When it was seen to run out (UTC); NULL: it never had any while we looked, or it is not out",
            reads=columns_of(_STOCK, "observed_at"),
        ),
        Column(
            "expected_at",
            _TIME,
            "When it will have run out (UTC); NULL: it is out",
            reads=(*columns_of(_LEVELS, "checked_at", "quantity"), *columns_of(_STOCK, "old_quantity", "new_quantity")),
        ),
        Column("checked_at", _TIME, "When it was last read (UTC)", reads=columns_of(_LEVELS, "checked_at")),
    ),
    key=("sku_id", "shipping_from"),
    sources=(_LEVELS, _PRODUCTS, _STOCK),
)

ON_HOLD = View(
    "marts",
    "on_hold",
    "What should not be sold now, and why: products off the market, what no carrier takes to a destination, and what "
    "breaks a rule of ops.hold_rules. One row a reason; what is unknown breaks no rule.",
    (
        Column("product_id", _TEXT, "The product", reads=columns_of(_PRODUCTS, "product_id")),
        Column(
            "sku_id", _TEXT, "The variant; NULL: all of the product", reads=columns_of("marts.current_offers", "sku_id")
        ),
        Column(
            "destination_country", _TEXT, "To there; NULL: anywhere", reads=columns_of(_QUOTES, "destination_country")
        ),
        Column(
            "quantity",
            _BIG,
            "In this quantity, or at the tier that begins with it; NULL: in any",
            unit="units",
            reads=(*columns_of(_QUOTES, "quantity"), *columns_of("marts.price_moves", "min_quantity")),
        ),
        Column(
            "reason",
            _TEXT,
            "`offline`, `unshippable`, `low_stock`, `slow`, `dear` or `price_moved`",
        ),
        Column("rule", _TEXT, "The rule that it breaks; NULL: it needs none", reads=columns_of(_RULES, "rule")),
        Column(
            "measured",
            _MONEY,
            "What was found, in `unit`: stock, days, landed cost of a unit, how far the price moved",
            reads=(
                *columns_of("marts.current_offers", "stock"),
                *columns_of(_QUOTES, "delivery_days_max", "fee"),
                *columns_of("marts.landed_costs", "unit_price"),
                *columns_of("marts.price_moves", "change_percent"),
            ),
        ),
        Column(
            "allowed",
            _MONEY,
            "What the rule allows, in `unit`",
            reads=columns_of(_RULES, "minimum_stock", "maximum_days", "maximum_landed_cost", "maximum_move"),
        ),
        Column("unit", _TEXT, "`units`, `days`, `%` or a currency", reads=columns_of("marts.landed_costs", "currency")),
        Column("why", _TEXT, "In words"),
    ),
    key=("product_id", "sku_id", "destination_country", "quantity", "reason", "rule"),
    sources=(
        _PRODUCTS,
        _QUOTES,
        _FAILURES,
        _RULES,
        "marts.current_offers",
        "marts.landed_costs",
        "marts.price_moves",
    ),
)
