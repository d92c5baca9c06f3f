"""Where products come from: `feed_overlap`, `supplier_scorecard`."""

from dropship_pipeline.tables.model import Column, Type, View, columns_of

_TEXT, _BIG, _DOUBLE = Type.TEXT, Type.BIGINT, Type.DOUBLE

_PRODUCTS, _QUOTES, _PRICES = "catalog.products", "catalog.freight_quotes", "catalog.price_changes"
_FEEDS, _ORDERS, _LINES = "catalog.feed_products", "orders.orders", "orders.order_lines"

FEED_OVERLAP = View(
    "marts",
    "feed_overlap",
    "How much of a feed other feeds list too, now: one row for each feed and each other one, where both list anything.",
    (
        Column("feed", _TEXT, "The feed", reads=columns_of(_FEEDS, "feed")),
        Column("other_feed", _TEXT, "The other", reads=columns_of(_FEEDS, "feed")),
        Column("feed_products", _BIG, "Products in the feed", reads=columns_of(_FEEDS, "product_id")),
        Column(
            "feed_only_products", _BIG, "Products in the feed and in no other", reads=columns_of(_FEEDS, "product_id")
        ),
        Column("other_feed_products", _BIG, "Products in the other", reads=columns_of(_FEEDS, "product_id")),
        Column("shared_products", _BIG, "Products in both", reads=columns_of(_FEEDS, "product_id")),
        Column("shared_percent", _DOUBLE, "Those, of the feed's own", unit="%", reads=columns_of(_FEEDS, "product_id")),
    ),
    key=("feed", "other_feed"),
    sources=(_FEEDS,),
)

SUPPLIER_SCORECARD = View(
    "marts",
    "supplier_scorecard",
    "How far each supplier can be relied on: one row a supplier; the one without a name is all those that gave none.",
    (
        Column("supplier", _TEXT, "Supplier's company name", reads=columns_of(_PRODUCTS, "supplier")),
        Column("products", _BIG, "Products on offer", reads=columns_of(_PRODUCTS, "delisted_at")),
        Column(
            "delisted_30d",
            _BIG,
            "Products that left the market in the last 30 days",
            reads=columns_of(_PRODUCTS, "delisted_at"),
        ),
        Column("skus", _BIG, "Variants on offer", reads=columns_of("marts.current_offers", "sku_id")),
        Column("skus_in_stock", _BIG, "Those with stock anywhere", reads=columns_of("marts.current_offers", "stock")),
        Column(
            "in_stock_percent",
            _DOUBLE,
            "Those, of the variants whose stock is known; NULL: of none",
            unit="%",
            reads=columns_of("marts.current_offers", "stock"),
        ),
        Column(
            "price_rises_30d",
            _BIG,
            "Prices (of a SKU in a tier) that rose in the last 30 days, each time counted",
            reads=columns_of(_PRICES, "old_price", "new_price"),
        ),
        Column("price_falls_30d", _BIG, "Prices that fell", reads=columns_of(_PRICES, "old_price", "new_price")),
        Column(
            "median_handling_days",
            _DOUBLE,
            "Half of the products on offer ship within these, as the supplier says",
            unit="days",
            reads=columns_of(_PRODUCTS, "handling_time_days"),
        ),
        Column(
            "median_delivery_days",
            _DOUBLE,
            "Half of the products on offer arrive within these by their fastest carrier to any destination",
            unit="days",
            reads=columns_of(_QUOTES, "delivery_days_max"),
        ),
        Column(
            "orders_90d",
            _BIG,
            "Orders of the last 90 days with a product of theirs",
            reads=columns_of(_LINES, "product_id"),
        ),
        Column("disputed_90d", _BIG, "Those frozen or charged back", reads=columns_of(_ORDERS, "status")),
        Column(
            "median_days_to_ship",
            _DOUBLE,
            "Half of those that shipped did so within these, from the order on",
            unit="days",
            reads=columns_of(_ORDERS, "created_at", "shipped_at"),
        ),
    ),
    key=("supplier",),
    sources=(_PRODUCTS, "marts.current_offers", _PRICES, _QUOTES, _ORDERS, _LINES),
)
