"""The tables of schema `catalog`: what is listed, what it is, what it costs, what is in stock, what shipping costs."""

from dropship_pipeline.tables.model import Column, Reference, Table, Type

_TEXT, _INT, _BIG, _MONEY, _TIME = Type.TEXT, Type.INTEGER, Type.BIGINT, Type.MONEY, Type.TIMESTAMP

_PRODUCT_ID = Column(
    "product_id", _TEXT, "The Alibaba.com product ID", nullable=False, source="§4 product_id", example="1601206892606"
)
_SKU_ID = Column(
    "sku_id", _TEXT, "The variant, as orders name it", nullable=False, source="§4 skus[].sku_id", example="105613018158"
)
_SKU_PRODUCT = Column(
    "product_id", _TEXT, "The product that the SKU belongs to", nullable=False, source="§4 product_id"
)
_CURRENCY = Column("currency", _TEXT, "ISO 4217 code of the amounts beside it", example="USD")
_OBSERVED_AT = Column("observed_at", _TIME, "When the change was seen (UTC); it happened at or before", nullable=False)

_OF_PRODUCT = (Reference(("product_id",), "catalog.products"),)
_OF_SKU = (Reference(("sku_id", "product_id"), "catalog.skus"),)

FEED_PRODUCTS = Table(
    "catalog",
    "feed_products",
    "Which product is listed in which feed, now and before. A row is never removed: `delisted_at` ends it.",
    (
        Column(
            "feed", _TEXT, "The feed's key", nullable=False, source="§3 scene_id, §3a, §3b, §3c", example="us_standard"
        ),
        _PRODUCT_ID,
        Column("position", _BIG, "Place in the feed at its last change, from 0: popularity in a top-seller feed"),
        Column("first_listed_at", _TIME, "When the feed was first seen to list the product (UTC)", nullable=False),
        Column(
            "last_listed_at",
            _TIME,
            "When the feed last began to list it (UTC): later than first_listed_at if it went and came back",
            nullable=False,
        ),
        Column(
            "delisted_at", _TIME, "When the membership ended: two complete sweeps in a row missed it. NULL: listed now"
        ),
    ),
    key=("feed", "product_id"),
    published=True,
    indexes=(("product_id", "feed"),),
    included=(("delisted_at",),),
)

PRODUCTS = Table(
    "catalog",
    "products",
    "One row a product that was ever described.",
    (
        _PRODUCT_ID,
        Column("title", _TEXT, "Title", source="§4 title"),
        Column("status", _TEXT, "PRODUCT_ONLINE, PRODUCT_OFFLINE or PRODUCT_DELETE, as answered", source="§4 status"),
        Column("category_id", _TEXT, "Category ID", source="§4 category_id", example="100003291"),
        Column("category", _TEXT, "Category name", source="§4 category", example="Vacuum Flasks & Thermoses"),
        Column("supplier", _TEXT, "Supplier's company name", source="§4 supplier"),
        Column("e_company_id", _TEXT, "Supplier ID, as the advanced freight takes it", source="§4 eCompanyId"),
        _CURRENCY,
        Column("min_order_quantity", _BIG, "Minimum order quantity", unit="units", source="§4 min_order_quantity"),
        Column(
            "wholesale_min_order_quantity",
            _BIG,
            "Minimum order quantity of the ready-to-ship trade",
            unit="units",
            source="§4 wholesale_trade.min_order_quantity",
        ),
        Column(
            "wholesale_price",
            _MONEY,
            "Unit price of the ready-to-ship trade, in `currency`",
            source="§4 wholesale_trade.price",
        ),
        Column("unit_type", _TEXT, "What one unit is", source="§4 wholesale_trade.unit_type", example="Piece"),
        Column(
            "handling_time_days", _INT, "Days until it ships", unit="days", source="§4 wholesale_trade.handling_time"
        ),
        Column("mode_id", _TEXT, "Model number", source="§4 mode_id"),
        Column("detail_url", _TEXT, "The product's page", source="§4 detail_url"),
        Column("main_image_url", _TEXT, "The first picture", source="§4 main_image"),
        Column("first_seen_at", _TIME, "When it was first described here (UTC)", nullable=False),
        Column("described_at", _TIME, "When its description was last read (UTC)", nullable=False),
        Column("changed_at", _TIME, "When anything in this row or its children last differed (UTC)", nullable=False),
        Column(
            "delisted_at",
            _TIME,
            "When no feed had it any more, or its own payload said offline or deleted (UTC). NULL: on offer",
        ),
    ),
    key=("product_id",),
    observed=("described_at",),
    published=True,
)

PRODUCT_DESCRIPTIONS = Table(
    "catalog",
    "product_descriptions",
    "The description's HTML, apart because it is long. Foreign text: escape or sandbox it before it is shown.",
    (_PRODUCT_ID, Column("html", _TEXT, "HTML as the supplier wrote it", source="§4 description")),
    key=("product_id",),
    parent="product_id",
    published=True,
    references=_OF_PRODUCT,
)

PRODUCT_IMAGES = Table(
    "catalog",
    "product_images",
    "Pictures of a product, in order.",
    (
        _PRODUCT_ID,
        Column("position", _INT, "Order, from 0", nullable=False),
        Column("url", _TEXT, "Address of the picture", nullable=False, source="§4 images[]"),
    ),
    key=("product_id", "position"),
    parent="product_id",
    published=True,
    references=_OF_PRODUCT,
)

DELIVERY_PERIODS = Table(
    "catalog",
    "delivery_periods",
    "How long the supplier needs before shipping, by quantity.",
    (
        _PRODUCT_ID,
        Column(
            "quantity",
            _BIG,
            "Up to so many units",
            nullable=False,
            unit="units",
            source="§4 deliver_periods[].quantity",
        ),
        Column("process_days", _INT, "Days needed", unit="days", source="§4 deliver_periods[].process_period"),
    ),
    key=("product_id", "quantity"),
    parent="product_id",
    published=True,
    references=_OF_PRODUCT,
)

SKUS = Table(
    "catalog",
    "skus",
    "One row a variant that can be ordered.",
    (
        _SKU_ID,
        _SKU_PRODUCT,
        Column("seller_sku_id", _TEXT, "The seller's own ID of it", source="§4 skus[].seller_sku_id"),
        Column("status", _TEXT, "As answered", source="§4 skus[].status", example="NORMAL"),
        Column("unit", _TEXT, "What one unit is", source="§4 skus[].unit", example="Piece"),
        Column("image_url", _TEXT, "Picture of the variant", source="§4 skus[].image"),
    ),
    key=("sku_id",),
    parent="product_id",
    published=True,
    indexes=(("product_id", "sku_id"),),
    included=(("seller_sku_id", "status"),),
    references=_OF_PRODUCT,
)

SKU_ATTRIBUTES = Table(
    "catalog",
    "sku_attributes",
    "What tells a variant from its sisters: colour, size, plug.",
    (
        _SKU_ID,
        Column("position", _INT, "Order, from 0", nullable=False),
        _SKU_PRODUCT,
        Column("attr_name_id", _TEXT, "ID of the attribute", source="§4 sku_attr_list[].attr_name_id"),
        Column("attr_value_id", _TEXT, "ID of the value", source="§4 sku_attr_list[].attr_value_id"),
        Column("name", _TEXT, "The attribute", source="§4 sku_attr_list[].attr_name_desc", example="Color"),
        Column("value", _TEXT, "Its value", source="§4 sku_attr_list[].attr_value_desc"),
        Column("value_image_url", _TEXT, "Picture of the value", source="§4 sku_attr_list[].attr_value_image"),
    ),
    key=("sku_id", "position"),
    parent="product_id",
    published=True,
    indexes=(("product_id",),),
    references=_OF_SKU,
)

PRICE_TIERS = Table(
    "catalog",
    "price_tiers",
    "The price of a variant by quantity ordered.",
    (
        _SKU_ID,
        Column(
            "min_quantity",
            _BIG,
            "From so many units",
            nullable=False,
            unit="units",
            source="§4 ladder_price[].min_quantity",
        ),
        _SKU_PRODUCT,
        Column(
            "max_quantity",
            _BIG,
            "Up to so many units; NULL: no upper bound",
            unit="units",
            source="§4 ladder_price[].max_quantity",
        ),
        Column("price", _MONEY, "Unit price in `currency`", source="§4 ladder_price[].price", example="3.6900"),
        _CURRENCY,
    ),
    key=("sku_id", "min_quantity"),
    parent="product_id",
    published=True,
    indexes=(("product_id", "sku_id", "min_quantity"),),
    included=(("max_quantity", "price", "currency"),),
    references=_OF_SKU,
)

INVENTORY_LEVELS = Table(
    "catalog",
    "inventory_levels",
    "Stock of a variant by the country it ships from. Only the inventory endpoint counts as stock.",
    (
        _SKU_ID,
        Column(
            "shipping_from",
            _TEXT,
            "ISO country code of the warehouse",
            nullable=False,
            source="§5 shipping_from",
            example="CN",
        ),
        _SKU_PRODUCT,
        Column("quantity", _BIG, "Units in stock; 0: none", unit="units", source="§5 inventory_list[].inventory_count"),
        Column("unit", _TEXT, "What one unit is", source="§5 inventory_list[].inventory_unit"),
        Column("checked_at", _TIME, "When it was last read (UTC)", nullable=False),
    ),
    key=("sku_id", "shipping_from"),
    parent="product_id",
    observed=("checked_at",),
    published=True,
    indexes=(("product_id", "sku_id"),),
    # not checked_at: each look would have to write it into the index
    included=(("shipping_from", "quantity"),),
)

FREIGHT_QUOTES = Table(
    "catalog",
    "freight_quotes",
    "What it costs to ship a product, by destination and carrier. "
    "Estimates: an order takes its carrier from the advanced freight.",
    (
        _PRODUCT_ID,
        Column(
            "destination_country",
            _TEXT,
            "ISO country code",
            nullable=False,
            source="§6 destination_country",
            example="US",
        ),
        Column(
            "quantity",
            _BIG,
            "Units that the quote is for: the fewest that can be ordered",
            nullable=False,
            unit="units",
        ),
        Column("vendor_code", _TEXT, "The carrier's code", nullable=False, source="§6 vendor_code"),
        Column("vendor_name", _TEXT, "The carrier's name", source="§6 vendor_name"),
        Column("shipping_type", _TEXT, "EXPRESS, …", source="§6 shipping_type"),
        Column("trade_term", _TEXT, "Incoterm", source="§6 trade_term", example="DAP"),
        Column("solution_biz_type", _TEXT, "As answered", source="§6 solution_biz_type"),
        Column("dispatch_country", _TEXT, "Where the carrier takes it from, as answered", source="§6 dispatch_country"),
        Column("requested_dispatch", _TEXT, "The dispatch location asked for when this was answered", nullable=False),
        Column("delivery_days_min", _INT, "Fastest delivery", unit="days", source="§6 delivery_time"),
        Column("delivery_days_max", _INT, "Slowest delivery", unit="days", source="§6 delivery_time"),
        Column("fee", _MONEY, "Freight for `quantity` units, in `currency`", source="§6 fee.amount"),
        _CURRENCY,
        Column("quoted_at", _TIME, "When it was quoted (UTC)", nullable=False),
    ),
    key=("product_id", "destination_country", "quantity", "vendor_code"),
    parent="product_id",
    observed=("quoted_at",),
    published=True,
    references=_OF_PRODUCT,
)

FREIGHT_FAILURES = Table(
    "catalog",
    "freight_failures",
    "Which dispatch location was refused at the last quote, and why.",
    (
        _PRODUCT_ID,
        Column("destination_country", _TEXT, "ISO country code", nullable=False),
        Column("quantity", _BIG, "Units asked for", nullable=False, unit="units"),
        Column("dispatch_location", _TEXT, "The location asked for", nullable=False, source="§6 dispatch_location"),
        Column("code", _TEXT, "The gateway's code; NO_OPTIONS: it answered, with an empty list", nullable=False),
        Column("message", _TEXT, "The gateway's words"),
        Column("failed_at", _TIME, "When (UTC)", nullable=False),
    ),
    key=("product_id", "destination_country", "quantity", "dispatch_location"),
    parent="product_id",
    observed=("failed_at",),
    published=True,
    references=_OF_PRODUCT,
)

PRICE_CHANGES = Table(
    "catalog",
    "price_changes",
    "Every price that moved. "
    "A product's first description is not a move: its prices stand since products.first_seen_at.",
    (
        _SKU_ID,
        _SKU_PRODUCT,
        Column("min_quantity", _BIG, "The price tier", nullable=False, unit="units"),
        Column("old_price", _MONEY, "Unit price before; NULL: there was no such tier, or no price in it"),
        Column("new_price", _MONEY, "Unit price after; NULL: the tier is gone, or has no price"),
        _CURRENCY,
        _OBSERVED_AT,
    ),
    published=True,
    indexes=(
        ("product_id", "sku_id", "min_quantity", "currency", "observed_at"),
        ("sku_id", "observed_at"),
        ("observed_at",),
    ),
    included=(("old_price", "new_price"),),
    references=_OF_PRODUCT,
)

INVENTORY_CHANGES = Table(
    "catalog",
    "inventory_changes",
    "Every stock level that moved. A product's first stock reading is not a move.",
    (
        _SKU_ID,
        _SKU_PRODUCT,
        Column("shipping_from", _TEXT, "ISO country code of the warehouse", nullable=False),
        Column("old_quantity", _BIG, "Units before; NULL: not stocked there", unit="units"),
        Column("new_quantity", _BIG, "Units after; NULL: not stocked there any more", unit="units"),
        _OBSERVED_AT,
    ),
    published=True,
    indexes=(("product_id", "sku_id", "observed_at"), ("sku_id", "observed_at"), ("observed_at",)),
)

LISTING_CHANGES = Table(
    "catalog",
    "listing_changes",
    "Every product that entered or left a feed, or the whole catalogue.",
    (
        Column(
            "feed", _TEXT, "The feed; NULL: the product itself, whose payload says that it is offline, or online again"
        ),
        _PRODUCT_ID,
        Column("change", _TEXT, "`listed` or `delisted`", nullable=False),
        _OBSERVED_AT,
    ),
    published=True,
    indexes=(("product_id", "observed_at"), ("observed_at",)),
    references=(Reference(("feed", "product_id"), "catalog.feed_products"),),
)

CATALOG_TABLES = (
    FEED_PRODUCTS,
    PRODUCTS,
    PRODUCT_DESCRIPTIONS,
    PRODUCT_IMAGES,
    DELIVERY_PERIODS,
    SKUS,
    SKU_ATTRIBUTES,
    PRICE_TIERS,
    INVENTORY_LEVELS,
    FREIGHT_QUOTES,
    FREIGHT_FAILURES,
    PRICE_CHANGES,
    INVENTORY_CHANGES,
    LISTING_CHANGES,
)
