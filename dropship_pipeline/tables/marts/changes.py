"""What moved, and how it stood: `price_moves`, `prices_as_of` and `stock_as_of`, from the change logs."""

from dropship_pipeline.tables.model import Column, Type, View, columns_of

_TEXT, _INT, _BIG, _DOUBLE, _MONEY, _TIME = (
    Type.TEXT,
    Type.INTEGER,
    Type.BIGINT,
    Type.DOUBLE,
    Type.MONEY,
    Type.TIMESTAMP,
)

_PRODUCTS, _TIERS, _LEVELS = "catalog.products", "catalog.price_tiers", "catalog.inventory_levels"
_PRICES, _STOCK = "catalog.price_changes", "catalog.inventory_changes"

PRICE_MOVES = View(
    "marts",
    "price_moves",
    "Every price that moved within the last day, week and month, from the change log: one row a window, SKU, tier and "
    "currency. A price that moved and came back has a change of 0.",
    (
        Column("days", _INT, "The window: 1, 7 or 30", unit="days"),
        Column("sku_id", _TEXT, "The variant", reads=columns_of(_PRICES, "sku_id")),
        Column("min_quantity", _BIG, "The price tier", unit="units", reads=columns_of(_PRICES, "min_quantity")),
        Column("currency", _TEXT, "ISO 4217 code of the amounts beside it", reads=columns_of(_PRICES, "currency")),
        Column("product_id", _TEXT, "The product", reads=columns_of(_PRICES, "product_id")),
        Column(
            "old_price",
            _MONEY,
            "Unit price when the window began; NULL: there was no such tier",
            reads=columns_of(_PRICES, "old_price"),
        ),
        Column("new_price", _MONEY, "Unit price now; NULL: the tier is gone", reads=columns_of(_PRICES, "new_price")),
        Column(
            "change",
            _MONEY,
            "What it rose by; NULL: a tier came or went",
            reads=columns_of(_PRICES, "old_price", "new_price"),
        ),
        Column(
            "change_percent",
            _DOUBLE,
            "What it rose by, of the old price; NULL also from a price of 0",
            unit="%",
            reads=columns_of(_PRICES, "old_price", "new_price"),
        ),
        Column("moves", _BIG, "How often it moved"),
        Column("last_moved_at", _TIME, "When its last move was seen (UTC)", reads=columns_of(_PRICES, "observed_at")),
    ),
    key=("days", "product_id", "sku_id", "min_quantity", "currency"),
    sources=(_PRICES,),
)

_AS_OF = (Column("as_of", _TIME, "The moment (UTC)"),)

PRICES_AS_OF = View(
    "marts",
    "prices_as_of",
    "The prices of every product known at a moment, as they stood then: "
    "`SELECT * FROM marts.prices_as_of('2026-11-01')`. From the change log backwards; a first price stands since its "
    "product was first described.",
    (
        Column("sku_id", _TEXT, "The variant", reads=(*columns_of(_PRICES, "sku_id"), *columns_of(_TIERS, "sku_id"))),
        Column(
            "min_quantity",
            _BIG,
            "The price tier",
            unit="units",
            reads=(*columns_of(_PRICES, "min_quantity"), *columns_of(_TIERS, "min_quantity")),
        ),
        Column(
            "product_id",
            _TEXT,
            "The product",
            reads=(*columns_of(_PRICES, "product_id"), *columns_of(_TIERS, "product_id")),
        ),
        Column(
            "price",
            _MONEY,
            "Unit price in `currency`; a tier without one has no row",
            reads=(*columns_of(_PRICES, "old_price"), *columns_of(_TIERS, "price")),
        ),
        Column(
            "currency",
            _TEXT,
            "ISO 4217 code of the price",
            reads=(*columns_of(_PRICES, "currency"), *columns_of(_TIERS, "currency")),
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
        Column("sku_id", _TEXT, "The variant", reads=(*columns_of(_STOCK, "sku_id"), *columns_of(_LEVELS, "sku_id"))),
        Column(
            "shipping_from",
            _TEXT,
            "Country of the warehouse",
            reads=(*columns_of(_STOCK, "shipping_from"), *columns_of(_LEVELS, "shipping_from")),
        ),
        Column(
            "product_id",
            _TEXT,
            "The product",
            reads=(*columns_of(_STOCK, "product_id"), *columns_of(_LEVELS, "product_id")),
        ),
        Column(
            "quantity",
            _BIG,
            "Units in stock; 0: none. A warehouse that did not stock it has no row",
            unit="units",
            reads=(*columns_of(_STOCK, "old_quantity"), *columns_of(_LEVELS, "quantity")),
        ),
    ),
    key=("product_id", "sku_id", "shipping_from"),
    sources=(_STOCK, _LEVELS, _PRODUCTS),
    arguments=_AS_OF,
)
