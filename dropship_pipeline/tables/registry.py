"""Which tables there are. A new schema's definitions are added here and nowhere else."""

from collections.abc import Mapping
from types import MappingProxyType

from dropship_pipeline.tables.catalog import CATALOG_TABLES
from dropship_pipeline.tables.marts.offers import CURRENT_OFFERS, LANDED_COSTS
from dropship_pipeline.tables.marts.registry import MARTS, TIME_TRAVEL
from dropship_pipeline.tables.model import Table, View
from dropship_pipeline.tables.ops import OPS_TABLES
from dropship_pipeline.tables.orders import ORDER_TABLES

ALL_TABLES: tuple[Table, ...] = (*CATALOG_TABLES, *ORDER_TABLES, *OPS_TABLES)
TABLES: Mapping[str, Table] = MappingProxyType({table.full_name: table for table in ALL_TABLES})
PUBLISHED: tuple[Table, ...] = tuple(table for table in ALL_TABLES if table.published)
PUBLISHED_VIEWS: tuple[View, ...] = (CURRENT_OFFERS, LANDED_COSTS)
"""The marts that are in every Parquet snapshot too: what is asked for most, and cannot be had from one table."""

VIEWS: tuple[View, ...] = (*MARTS, *TIME_TRAVEL)
SCHEMAS: tuple[tuple[str, str], ...] = (
    ("catalog", "What is listed, what it costs, what is in stock, what it costs to ship"),
    ("orders", "What was ordered, how it stands, where its parcels are"),
    ("marts", "Answers to what merchants and analysts ask: views, true at the moment they are read"),
    ("ops", "The project's own book-keeping"),
)
