"""The views of schema `marts`: answers to what merchants and analysts ask of the tables. Their queries are in `sql/`.

A view is as true as the tables at the moment it is read. Ask for one product by `product_id`: each mart then reads the
rows of that product alone. Those that look back do so from now, in days of 24 hours.
"""

from dropship_pipeline.tables.model import Column, Type, View

_TEXT, _INT, _BIG, _DOUBLE = Type.TEXT, Type.INTEGER, Type.BIGINT, Type.DOUBLE
_MONEY, _TIME = Type.MONEY, Type.TIMESTAMP

_PRODUCTS, _SKUS, _TIERS = "catalog.products", "catalog.skus", "catalog.price_tiers"
_LEVELS, _QUOTES, _FAILURES = "catalog.inventory_levels", "catalog.freight_quotes", "catalog.freight_failures"
_PRICES, _STOCK, _FEEDS = "catalog.price_changes", "catalog.inventory_changes", "catalog.feed_products"
_FETCHES, _RULES = "ops.fetches", "ops.hold_rules"
_ORDERS, _LINES, _STATUSES = "orders.orders", "orders.order_lines", "orders.order_status_changes"


def _of(table: str, *columns: str) -> tuple[str, ...]:
    return tuple(f"{table}.{column}" for column in columns)


CURRENT_OFFERS = View(
    "marts",
    "current_offers",
    "What is on offer now: one row a SKU of a product that is not delisted.",
    (
        Column("sku_id", _TEXT, "The variant", reads=_of(_SKUS, "sku_id")),
        Column("product_id", _TEXT, "The product", reads=_of(_SKUS, "product_id")),
        Column("title", _TEXT, "Title of the product", reads=_of(_PRODUCTS, "title")),
        Column("category_id", _TEXT, "Category ID", reads=_of(_PRODUCTS, "category_id")),
        Column("category", _TEXT, "Category name", reads=_of(_PRODUCTS, "category")),
        Column("supplier", _TEXT, "Supplier's company name", reads=_of(_PRODUCTS, "supplier")),
        Column("seller_sku_id", _TEXT, "The seller's own ID of it", reads=_of(_SKUS, "seller_sku_id")),
        Column("status", _TEXT, "Of the variant, as answered", reads=_of(_SKUS, "status")),
        Column(
            "min_order_quantity",
            _BIG,
            "Minimum order quantity",
            unit="units",
            reads=_of(_PRODUCTS, "min_order_quantity"),
        ),
        Column(
            "currency",
            _TEXT,
            "ISO 4217 code of the prices beside it",
            reads=(*_of(_TIERS, "currency"), *_of(_PRODUCTS, "currency")),
        ),
        Column(
            "first_tier_quantity",
            _BIG,
            "Where the price tiers begin; NULL: it has none",
            unit="units",
            reads=_of(_TIERS, "min_quantity"),
        ),
        Column(
            "first_tier_price",
            _MONEY,
            "Unit price in the first tier, in `currency`; NULL: not known",
            reads=_of(_TIERS, "min_quantity", "price"),
        ),
        Column(
            "best_tier_quantity",
            _BIG,
            "Fewest units that get the lowest price",
            unit="units",
            reads=_of(_TIERS, "min_quantity", "price"),
        ),
        Column("best_tier_price", _MONEY, "The lowest unit price, in `currency`", reads=_of(_TIERS, "price")),
        Column(
            "wholesale_min_order_quantity",
            _BIG,
            "Minimum order quantity of the ready-to-ship trade",
            unit="units",
            reads=_of(_PRODUCTS, "wholesale_min_order_quantity"),
        ),
        Column(
            "wholesale_price",
            _MONEY,
            "Unit price of the ready-to-ship trade, in the product's currency",
            reads=_of(_PRODUCTS, "wholesale_price"),
        ),
        Column(
            "stock",
            _BIG,
            "Units in all warehouses; 0: read, and none; NULL: not known",
            unit="units",
            reads=(*_of(_LEVELS, "quantity"), *_of(_FETCHES, "outcome")),
        ),
        *(
            Column(
                f"stock_{country.lower()}",
                _BIG,
                f"Units that ship from {country}; NULL: it is not stocked there",
                unit="units",
                reads=_of(_LEVELS, "shipping_from", "quantity"),
            )
            for country in ("CN", "US", "MX")
        ),
        Column("feeds", Type.TEXTS, "The feeds that list it now, by name; NULL: none", reads=_of(_FEEDS, "feed")),
        Column("described_at", _TIME, "When its description was last read (UTC)", reads=_of(_PRODUCTS, "described_at")),
        Column(
            "stock_checked_at",
            _TIME,
            "When its stock was last read (UTC); NULL: never",
            reads=(*_of(_LEVELS, "checked_at"), *_of(_FETCHES, "outcome", "fetched_at")),
        ),
        Column(
            "changed_at", _TIME, "When anything of the product last differed (UTC)", reads=_of(_PRODUCTS, "changed_at")
        ),
    ),
    key=("sku_id",),
    sources=(_SKUS, _PRODUCTS, _TIERS, _LEVELS, _FEEDS, _FETCHES),
)


def _carrier(which: str, meaning: str, landed: str) -> tuple[Column, ...]:
    """The columns that say how one carrier delivers, and what a unit costs with it: `landed`."""
    return (
        Column(f"{which}_vendor_code", _TEXT, f"The carrier that {meaning}", reads=_of(_QUOTES, "vendor_code")),
        Column(
            f"{which}_fee",
            _MONEY,
            f"Its freight for `quantity` units, in `{which}_fee_currency`",
            reads=_of(_QUOTES, "fee"),
        ),
        Column(
            f"{which}_fee_currency",
            _TEXT,
            "ISO 4217 code of that freight",
            reads=_of(_QUOTES, "currency"),
        ),
        Column(f"{which}_days_min", _INT, "Its fastest delivery", unit="days", reads=_of(_QUOTES, "delivery_days_min")),
        Column(f"{which}_days_max", _INT, "Its slowest delivery", unit="days", reads=_of(_QUOTES, "delivery_days_max")),
        Column(
            f"{which}_dispatch_country",
            _TEXT,
            "Where it takes it from, as answered",
            reads=_of(_QUOTES, "dispatch_country"),
        ),
        Column(
            landed,
            _MONEY,
            "Unit price and freight of one unit, in `currency`; NULL: one of them is not known, or in another currency",
            reads=(
                *_of(_TIERS, "price", "currency"),
                *_of(_PRODUCTS, "wholesale_price"),
                *_of(_QUOTES, "fee", "quantity", "currency"),
            ),
        ),
    )


LANDED_COSTS = View(
    "marts",
    "landed_costs",
    "What a unit costs at the buyer's door: one row a SKU on offer, destination and quantity that freight was quoted "
    "for. A SKU that no carrier takes there has no row: see on_hold. Duty and tax are not in it.",
    (
        Column("sku_id", _TEXT, "The variant", reads=_of(_SKUS, "sku_id")),
        Column("destination_country", _TEXT, "ISO country code", reads=_of(_QUOTES, "destination_country")),
        Column("quantity", _BIG, "Units ordered together", unit="units", reads=_of(_QUOTES, "quantity")),
        Column("product_id", _TEXT, "The product", reads=_of(_SKUS, "product_id")),
        Column(
            "unit_price",
            _MONEY,
            "Unit price in the tier that `quantity` is in; below the first tier, that of the ready-to-ship trade. "
            "NULL: not sold in this quantity, or not known",
            reads=(
                *_of(_TIERS, "price", "min_quantity", "max_quantity"),
                *_of(_PRODUCTS, "wholesale_price", "wholesale_min_order_quantity"),
            ),
        ),
        Column(
            "currency",
            _TEXT,
            "ISO 4217 code of unit price and landed cost",
            reads=(*_of(_TIERS, "currency"), *_of(_PRODUCTS, "currency")),
        ),
        *_carrier(
            "cheapest",
            "asks least; of equals the faster, then by code. A fee in the product's currency goes first",
            "landed_unit_cost",
        ),
        *_carrier(
            "fastest",
            "delivers soonest at its slowest; of equals the cheaper, then by code",
            "fastest_landed_unit_cost",
        ),
        Column("quoted_at", _TIME, "When the cheapest was quoted (UTC)", reads=_of(_QUOTES, "quoted_at")),
    ),
    key=("sku_id", "destination_country", "quantity"),
    sources=(_SKUS, _PRODUCTS, _TIERS, _QUOTES),
)

PRICE_MOVES = View(
    "marts",
    "price_moves",
    "Every price that moved within the last day, week and month, from the change log: one row a window, SKU, tier and "
    "currency. A price that moved and came back has a change of 0.",
    (
        Column("days", _INT, "The window: 1, 7 or 30", unit="days"),
        Column("sku_id", _TEXT, "The variant", reads=_of(_PRICES, "sku_id")),
        Column("min_quantity", _BIG, "The price tier", unit="units", reads=_of(_PRICES, "min_quantity")),
        Column("currency", _TEXT, "ISO 4217 code of the amounts beside it", reads=_of(_PRICES, "currency")),
        Column("product_id", _TEXT, "The product", reads=_of(_PRICES, "product_id")),
        Column(
            "old_price",
            _MONEY,
            "Unit price when the window began; NULL: there was no such tier",
            reads=_of(_PRICES, "old_price"),
        ),
        Column("new_price", _MONEY, "Unit price now; NULL: the tier is gone", reads=_of(_PRICES, "new_price")),
        Column(
            "change", _MONEY, "What it rose by; NULL: a tier came or went", reads=_of(_PRICES, "old_price", "new_price")
        ),
        Column(
            "change_percent",
            _DOUBLE,
            "What it rose by, of the old price; NULL also from a price of 0",
            unit="%",
            reads=_of(_PRICES, "old_price", "new_price"),
        ),
        Column("moves", _BIG, "How often it moved"),
        Column("last_moved_at", _TIME, "When its last move was seen (UTC)", reads=_of(_PRICES, "observed_at")),
    ),
    key=("days", "product_id", "sku_id", "min_quantity", "currency"),
    sources=(_PRICES,),
)

STOCKOUTS = View(
    "marts",
    "stockouts",
    "Warehouses that have none of a SKU on offer, or will have none within 30 days if it sells as in the last seven: "
    "one row a SKU and warehouse. What was filled up in between does not make the sales fewer.",
    (
        Column("sku_id", _TEXT, "The variant", reads=_of(_LEVELS, "sku_id")),
        Column("shipping_from", _TEXT, "Country of the warehouse", reads=_of(_LEVELS, "shipping_from")),
        Column("product_id", _TEXT, "The product", reads=_of(_LEVELS, "product_id")),
        Column("title", _TEXT, "Title of the product", reads=_of(_PRODUCTS, "title")),
        Column("state", _TEXT, "`out` or `expected`", reads=_of(_LEVELS, "quantity")),
        Column("quantity", _BIG, "Units left here", unit="units", reads=_of(_LEVELS, "quantity")),
        Column("elsewhere", _BIG, "Units in the other warehouses", unit="units", reads=_of(_LEVELS, "quantity")),
        Column(
            "daily_sales",
            _DOUBLE,
            "Units that went a day, over the last seven, or over as many as the product is known for; NULL: none",
            unit="units/day",
            reads=(*_of(_STOCK, "old_quantity", "new_quantity"), *_of(_PRODUCTS, "first_seen_at")),
        ),
        Column(
            "days_left",
            _DOUBLE,
            "How long it lasts at that; NULL: it is out",
            unit="days",
            reads=(*_of(_LEVELS, "quantity"), *_of(_STOCK, "old_quantity", "new_quantity")),
        ),
        Column(
            "out_since",
            _TIME,
            "When it was seen to run out (UTC); NULL: it never had any while we looked, or it is not out",
            reads=_of(_STOCK, "observed_at"),
        ),
        Column(
            "expected_at",
            _TIME,
            "When it will have run out (UTC); NULL: it is out",
            reads=(*_of(_LEVELS, "checked_at", "quantity"), *_of(_STOCK, "old_quantity", "new_quantity")),
        ),
        Column("checked_at", _TIME, "When it was last read (UTC)", reads=_of(_LEVELS, "checked_at")),
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
        Column("product_id", _TEXT, "The product", reads=_of(_PRODUCTS, "product_id")),
        Column("sku_id", _TEXT, "The variant; NULL: all of the product", reads=_of("marts.current_offers", "sku_id")),
        Column("destination_country", _TEXT, "To there; NULL: anywhere", reads=_of(_QUOTES, "destination_country")),
        Column(
            "quantity",
            _BIG,
            "In this quantity, or at the tier that begins with it; NULL: in any",
            unit="units",
            reads=(*_of(_QUOTES, "quantity"), *_of("marts.price_moves", "min_quantity")),
        ),
        Column(
            "reason",
            _TEXT,
            "`offline`, `unshippable`, `low_stock`, `slow`, `dear` or `price_moved`",
        ),
        Column("rule", _TEXT, "The rule that it breaks; NULL: it needs none", reads=_of(_RULES, "rule")),
        Column(
            "measured",
            _MONEY,
            "What was found, in `unit`: stock, days, landed cost of a unit, how far the price moved",
            reads=(
                *_of("marts.current_offers", "stock"),
                *_of(_QUOTES, "delivery_days_max", "fee"),
                *_of("marts.landed_costs", "unit_price"),
                *_of("marts.price_moves", "change_percent"),
            ),
        ),
        Column(
            "allowed",
            _MONEY,
            "What the rule allows, in `unit`",
            reads=_of(_RULES, "minimum_stock", "maximum_days", "maximum_landed_cost", "maximum_move"),
        ),
        Column("unit", _TEXT, "`units`, `days`, `%` or a currency", reads=_of("marts.landed_costs", "currency")),
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

FEED_OVERLAP = View(
    "marts",
    "feed_overlap",
    "How much of a feed other feeds list too, now: one row for each feed and each other one, where both list anything.",
    (
        Column("feed", _TEXT, "The feed", reads=_of(_FEEDS, "feed")),
        Column("other_feed", _TEXT, "The other", reads=_of(_FEEDS, "feed")),
        Column("feed_products", _BIG, "Products in the feed", reads=_of(_FEEDS, "product_id")),
        Column("feed_only_products", _BIG, "Products in the feed and in no other", reads=_of(_FEEDS, "product_id")),
        Column("other_feed_products", _BIG, "Products in the other", reads=_of(_FEEDS, "product_id")),
        Column("shared_products", _BIG, "Products in both", reads=_of(_FEEDS, "product_id")),
        Column("shared_percent", _DOUBLE, "Those, of the feed's own", unit="%", reads=_of(_FEEDS, "product_id")),
    ),
    key=("feed", "other_feed"),
    sources=(_FEEDS,),
)

SUPPLIER_SCORECARD = View(
    "marts",
    "supplier_scorecard",
    "How far each supplier can be relied on: one row a supplier; the one without a name is all those that gave none.",
    (
        Column("supplier", _TEXT, "Supplier's company name", reads=_of(_PRODUCTS, "supplier")),
        Column("products", _BIG, "Products on offer", reads=_of(_PRODUCTS, "delisted_at")),
        Column(
            "delisted_30d",
            _BIG,
            "Products that left the market in the last 30 days",
            reads=_of(_PRODUCTS, "delisted_at"),
        ),
        Column("skus", _BIG, "Variants on offer", reads=_of("marts.current_offers", "sku_id")),
        Column("skus_in_stock", _BIG, "Those with stock anywhere", reads=_of("marts.current_offers", "stock")),
        Column(
            "in_stock_percent",
            _DOUBLE,
            "Those, of the variants whose stock is known; NULL: of none",
            unit="%",
            reads=_of("marts.current_offers", "stock"),
        ),
        Column(
            "price_rises_30d",
            _BIG,
            "Prices (of a SKU in a tier) that rose in the last 30 days, each time counted",
            reads=_of(_PRICES, "old_price", "new_price"),
        ),
        Column("price_falls_30d", _BIG, "Prices that fell", reads=_of(_PRICES, "old_price", "new_price")),
        Column(
            "median_handling_days",
            _DOUBLE,
            "Half of the products on offer ship within these, as the supplier says",
            unit="days",
            reads=_of(_PRODUCTS, "handling_time_days"),
        ),
        Column(
            "median_delivery_days",
            _DOUBLE,
            "Half of the products on offer arrive within these by their fastest carrier to any destination",
            unit="days",
            reads=_of(_QUOTES, "delivery_days_max"),
        ),
        Column(
            "orders_90d", _BIG, "Orders of the last 90 days with a product of theirs", reads=_of(_LINES, "product_id")
        ),
        Column("disputed_90d", _BIG, "Those frozen or charged back", reads=_of(_ORDERS, "status")),
        Column(
            "median_days_to_ship",
            _DOUBLE,
            "Half of those that shipped did so within these, from the order on",
            unit="days",
            reads=_of(_ORDERS, "created_at", "shipped_at"),
        ),
    ),
    key=("supplier",),
    sources=(_PRODUCTS, "marts.current_offers", _PRICES, _QUOTES, _ORDERS, _LINES),
)

_STATUS = Column("status", _TEXT, "The status", reads=(*_of(_STATUSES, "old_status"), *_of(_ORDERS, "status")))
_NEXT_STATUS = Column("next_status", _TEXT, "What came after it; NULL: nothing yet", reads=_of(_STATUSES, "new_status"))
_ENTERED_AT_FROM = (*_of(_STATUSES, "observed_at"), *_of(_ORDERS, "created_at", "modified_at"))

ORDER_STEPS = View(
    "marts",
    "order_steps",
    "Every stay of an order in a status that was seen, the one that it is in now included: one row each.",
    (
        Column("trade_id", _TEXT, "The order", reads=_of(_ORDERS, "trade_id")),
        Column("account", _TEXT, "Whose order it is", reads=_of(_ORDERS, "account")),
        _STATUS,
        _NEXT_STATUS,
        Column(
            "entered_at",
            _TIME,
            "When it was seen to begin (UTC), at the latest; NULL: it was in it when it was first read",
            reads=_ENTERED_AT_FROM,
        ),
        Column(
            "left_at", _TIME, "When it was seen to end (UTC); NULL: it has not", reads=_of(_STATUSES, "observed_at")
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
        Column("trade_id", _TEXT, "The order", reads=_of("marts.order_steps", "trade_id")),
        Column("account", _TEXT, "Whose order it is", reads=_of("marts.order_steps", "account")),
        Column("status", _TEXT, "Where it is stuck", reads=_of("marts.order_steps", "status")),
        Column("since", _TIME, "Since when, at the latest (UTC)", reads=_of("marts.order_steps", "entered_at")),
        Column("hours", _DOUBLE, "How long that is", unit="hours", reads=_of("marts.order_steps", "hours")),
        Column(
            "usual_hours",
            _DOUBLE,
            "How long it takes half of the orders; NULL: none has left it",
            unit="hours",
            reads=_of("marts.order_steps", "hours"),
        ),
        Column(
            "limit_hours", _DOUBLE, "From when on it is stuck", unit="hours", reads=_of("marts.order_steps", "hours")
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
        Column("status", _TEXT, "The status", reads=_of("marts.order_steps", "status")),
        Column(
            "next_status",
            _TEXT,
            "What came after it; NULL: the orders that are in it now",
            reads=_of("marts.order_steps", "next_status"),
        ),
        Column("orders", _BIG, "How many"),
        Column(
            "median_hours",
            _DOUBLE,
            "Half took (or have waited) no longer; NULL: of none is known how long",
            unit="hours",
            reads=_of("marts.order_steps", "hours"),
        ),
        Column("p95_hours", _DOUBLE, "95 of 100 took no longer", unit="hours", reads=_of("marts.order_steps", "hours")),
        Column(
            "stuck_orders",
            _BIG,
            "How many of those that wait are stuck; NULL: they moved on",
            reads=_of("marts.stuck_orders", "trade_id"),
        ),
        Column(
            "oldest_since",
            _TIME,
            "Since when the one waits that waits longest (UTC); NULL: they moved on",
            reads=_of("marts.order_steps", "entered_at"),
        ),
    ),
    key=("status", "next_status"),
    sources=("marts.order_steps", "marts.stuck_orders"),
)

_AS_OF = (Column("as_of", _TIME, "The moment (UTC)"),)

PRICES_AS_OF = View(
    "marts",
    "prices_as_of",
    "The prices of every product known at a moment, as they stood then: "
    "`SELECT * FROM marts.prices_as_of('2026-11-01')`. From the change log backwards; a first price stands since its "
    "product was first described.",
    (
        Column("sku_id", _TEXT, "The variant", reads=(*_of(_PRICES, "sku_id"), *_of(_TIERS, "sku_id"))),
        Column(
            "min_quantity",
            _BIG,
            "The price tier",
            unit="units",
            reads=(*_of(_PRICES, "min_quantity"), *_of(_TIERS, "min_quantity")),
        ),
        Column("product_id", _TEXT, "The product", reads=(*_of(_PRICES, "product_id"), *_of(_TIERS, "product_id"))),
        Column(
            "price",
            _MONEY,
            "Unit price in `currency`; a tier without one has no row",
            reads=(*_of(_PRICES, "old_price"), *_of(_TIERS, "price")),
        ),
        Column(
            "currency",
            _TEXT,
            "ISO 4217 code of the price",
            reads=(*_of(_PRICES, "currency"), *_of(_TIERS, "currency")),
        ),
    ),
    key=("product_id", "sku_id", "min_quantity"),
    sources=(_PRICES, _TIERS, _PRODUCTS),
    arguments=_AS_OF,
)

STOCK_AS_OF = View(
    "marts",
    "stock_as_of",
    "The stock of every product known at a moment, as it stood then: `SELECT * FROM marts.stock_as_of('2026-11-01')`. "
    "From the change log backwards; a first reading stands since its product was first described.",
    (
        Column("sku_id", _TEXT, "The variant", reads=(*_of(_STOCK, "sku_id"), *_of(_LEVELS, "sku_id"))),
        Column(
            "shipping_from",
            _TEXT,
            "Country of the warehouse",
            reads=(*_of(_STOCK, "shipping_from"), *_of(_LEVELS, "shipping_from")),
        ),
        Column("product_id", _TEXT, "The product", reads=(*_of(_STOCK, "product_id"), *_of(_LEVELS, "product_id"))),
        Column(
            "quantity",
            _BIG,
            "Units in stock; 0: none. A warehouse that did not stock it has no row",
            unit="units",
            reads=(*_of(_STOCK, "old_quantity"), *_of(_LEVELS, "quantity")),
        ),
    ),
    key=("product_id", "sku_id", "shipping_from"),
    sources=(_STOCK, _LEVELS, _PRODUCTS),
    arguments=_AS_OF,
)

# in the order in which they can be made: a view comes after those that it reads
MARTS: tuple[View, ...] = (
    CURRENT_OFFERS,
    LANDED_COSTS,
    PRICE_MOVES,
    STOCKOUTS,
    ON_HOLD,
    FEED_OVERLAP,
    SUPPLIER_SCORECARD,
    ORDER_STEPS,
    STUCK_ORDERS,
    ORDER_FUNNEL,
)
TIME_TRAVEL: tuple[View, ...] = (PRICES_AS_OF, STOCK_AS_OF)
