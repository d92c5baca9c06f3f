"""All marts, in the order in which they can be made: a view comes after those that it reads."""

from dropship_pipeline.tables.marts.changes import PRICE_MOVES, PRICES_AS_OF, STOCK_AS_OF
from dropship_pipeline.tables.marts.holds import ON_HOLD, STOCKOUTS
from dropship_pipeline.tables.marts.offers import CURRENT_OFFERS, LANDED_COSTS
from dropship_pipeline.tables.marts.orders import ORDER_FUNNEL, ORDER_STEPS, STUCK_ORDERS
from dropship_pipeline.tables.marts.sources import FEED_OVERLAP, SUPPLIER_SCORECARD
from dropship_pipeline.tables.model import View

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
