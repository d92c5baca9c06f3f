"""What is on offer, and what a unit of it costs at the buyer's door: `current_offers`, `landed_costs`.

Offers take what they say of price tiers from `ops.sku_prices`, which is kept with each write to the tiers: these are
named as what it is made of, in lineage as in what makes a snapshot stale.
"""

from dropship_pipeline.tables.model import Column, Type, View, columns_of

_TEXT, _INT, _BIG, _MONEY, _TIME = Type.TEXT, Type.INTEGER, Type.BIGINT, Type.MONEY, Type.TIMESTAMP

_PRODUCTS, _SKUS, _TIERS = "catalog.products", "catalog.skus", "catalog.price_tiers"
_LEVELS, _QUOTES, _FEEDS = "catalog.inventory_levels", "catalog.freight_quotes", "catalog.feed_products"
_FETCHES = "ops.fetches"

CURRENT_OFFERS = View(
    "marts",
    "current_offers",
    "What is on offer now: one row a SKU of a product that is not delisted.",
    (
        Column("sku_id", _TEXT, "The variant", reads=columns_of(_SKUS, "sku_id")),
        Column("product_id", _TEXT, "The product", reads=columns_of(_SKUS, "product_id")),
        Column("title", _TEXT, "Title of the product", reads=columns_of(_PRODUCTS, "title")),
        Column("category_id", _TEXT, "Category ID", reads=columns_of(_PRODUCTS, "category_id")),
        Column("category", _TEXT, "Category name", reads=columns_of(_PRODUCTS, "category")),
        Column("supplier", _TEXT, "Supplier's company name", reads=columns_of(_PRODUCTS, "supplier")),
        Column("seller_sku_id", _TEXT, "The seller's own ID of it", reads=columns_of(_SKUS, "seller_sku_id")),
        Column("status", _TEXT, "Of the variant, as answered", reads=columns_of(_SKUS, "status")),
        Column(
            "min_order_quantity",
            _BIG,
            "Minimum order quantity",
            unit="units",
            reads=columns_of(_PRODUCTS, "min_order_quantity"),
        ),
        Column(
            "currency",
            _TEXT,
            "ISO 4217 code of the prices beside it",
            reads=(*columns_of(_TIERS, "currency"), *columns_of(_PRODUCTS, "currency")),
        ),
        Column(
            "first_tier_quantity",
            _BIG,
            "Where the price tiers begin; NULL: it has none",
            unit="units",
            reads=columns_of(_TIERS, "min_quantity"),
        ),
        Column(
            "first_tier_price",
            _MONEY,
            "Unit price in the first tier, in `currency`; NULL: not known",
            reads=columns_of(_TIERS, "min_quantity", "price"),
        ),
        Column(
            "best_tier_quantity",
            _BIG,
            "Fewest units that get the lowest price",
            unit="units",
            reads=columns_of(_TIERS, "min_quantity", "price"),
        ),
        Column("best_tier_price", _MONEY, "The lowest unit price, in `currency`", reads=columns_of(_TIERS, "price")),
        Column(
            "wholesale_min_order_quantity",
            _BIG,
            "Minimum order quantity of the ready-to-ship trade",
            unit="units",
            reads=columns_of(_PRODUCTS, "wholesale_min_order_quantity"),
        ),
        Column(
            "wholesale_price",
            _MONEY,
            "Unit price of the ready-to-ship trade, in the product's currency",
            reads=columns_of(_PRODUCTS, "wholesale_price"),
        ),
        Column(
            "stock",
            _BIG,
            "Units in all warehouses; 0: read, and none; NULL: not known",
            unit="units",
            reads=(*columns_of(_LEVELS, "quantity"), *columns_of(_FETCHES, "outcome")),
        ),
        *(
            Column(
                f"stock_{country.lower()}",
                _BIG,
                f"Units that ship from {country}; NULL: it is not stocked there",
                unit="units",
                reads=columns_of(_LEVELS, "shipping_from", "quantity"),
            )
            for country in ("CN", "US", "MX")
        ),
        Column(
            "feeds", Type.TEXTS, "The feeds that list it now, by name; NULL: none", reads=columns_of(_FEEDS, "feed")
        ),
        Column(
            "described_at",
            _TIME,
            "When its description was last read (UTC)",
            reads=columns_of(_PRODUCTS, "described_at"),
        ),
        Column(
            "stock_checked_at",
            _TIME,
            "When its stock was last read (UTC); NULL: never",
            reads=(*columns_of(_LEVELS, "checked_at"), *columns_of(_FETCHES, "outcome", "fetched_at")),
        ),
        Column(
            "changed_at",
            _TIME,
            "When anything of the product last differed (UTC)",
            reads=columns_of(_PRODUCTS, "changed_at"),
        ),
    ),
    key=("sku_id",),
    sources=(_SKUS, _PRODUCTS, _TIERS, _LEVELS, _FEEDS, _FETCHES),
)


def _carrier(which: str, meaning: str, landed: str) -> tuple[Column, ...]:
    """The columns that say how one carrier delivers, and what a unit costs with it: `landed`."""
    return (
        Column(f"{which}_vendor_code", _TEXT, f"The carrier that {meaning}", reads=columns_of(_QUOTES, "vendor_code")),
        Column(
            f"{which}_fee",
            _MONEY,
            f"Its freight for `quantity` units, in `{which}_fee_currency`",
            reads=columns_of(_QUOTES, "fee"),
        ),
        Column(
            f"{which}_fee_currency",
            _TEXT,
            "ISO 4217 code of that freight",
            reads=columns_of(_QUOTES, "currency"),
        ),
        Column(
            f"{which}_days_min",
            _INT,
            "Its fastest delivery",
            unit="days",
            reads=columns_of(_QUOTES, "delivery_days_min"),
        ),
        Column(
            f"{which}_days_max",
            _INT,
            "Its slowest delivery",
            unit="days",
            reads=columns_of(_QUOTES, "delivery_days_max"),
        ),
        Column(
            f"{which}_dispatch_country",
            _TEXT,
            "Where it takes it from, as answered",
            reads=columns_of(_QUOTES, "dispatch_country"),
        ),
        Column(
            landed,
            _MONEY,
            "Unit price and freight of one unit, in `currency`; NULL: one of them is not known, or in another currency",
            reads=(
                *columns_of(_TIERS, "price", "currency"),
                *columns_of(_PRODUCTS, "wholesale_price"),
                *columns_of(_QUOTES, "fee", "quantity", "currency"),
            ),
        ),
    )


LANDED_COSTS = View(
    "marts",
    "landed_costs",
    "What a unit costs at the buyer's door: one row a SKU on offer, destination and quantity that freight was quoted "
    "for. A SKU that no carrier takes there has no row: see on_hold. Duty and tax are not in it.",
    (
        Column("sku_id", _TEXT, "The variant", reads=columns_of(_SKUS, "sku_id")),
        Column("destination_country", _TEXT, "ISO country code", reads=columns_of(_QUOTES, "destination_country")),
        Column("quantity", _BIG, "Units ordered together", unit="units", reads=columns_of(_QUOTES, "quantity")),
        Column("product_id", _TEXT, "The product", reads=columns_of(_SKUS, "product_id")),
        Column(
            "unit_price",
            _MONEY,
            "Unit price in the tier that `quantity` is in; below the first tier, that of the ready-to-ship trade. "
            "NULL: not sold in this quantity, or not known",
            reads=(
                *columns_of(_TIERS, "price", "min_quantity", "max_quantity"),
                *columns_of(_PRODUCTS, "wholesale_price", "wholesale_min_order_quantity"),
            ),
        ),
        Column(
            "currency",
            _TEXT,
            "ISO 4217 code of unit price and landed cost",
            reads=(*columns_of(_TIERS, "currency"), *columns_of(_PRODUCTS, "currency")),
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
        Column("quoted_at", _TIME, "When the cheapest was quoted (UTC)", reads=columns_of(_QUOTES, "quoted_at")),
    ),
    key=("sku_id", "destination_country", "quantity"),
    sources=(_SKUS, _PRODUCTS, _TIERS, _QUOTES),
)
