"""Taking stock: what is in which warehouse, of each product whose stock is unknown or due (guide §5)."""

from dropship_pipeline.alibaba.operations import OPERATIONS
from dropship_pipeline.alibaba.products import read_inventory
from dropship_pipeline.alibaba.requests import BatchRead, ReadInventory
from dropship_pipeline.catalog.stock import StockRows
from dropship_pipeline.storage.catalog.merge import Merger
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages.pipeline import Kind, run_stage
from dropship_pipeline.sync.summary import StageOutcome

STOCK = Kind(
    name="inventory",
    stage="take stock",
    operation=OPERATIONS["read_inventory"],
    ask=ReadInventory,
    ask_together=BatchRead.inventories,
    read=read_inventory,
    rows=StockRows,
    merge=Merger.merge_inventory,
)


def take_stock(session: Session, request: SyncRequest) -> StageOutcome:
    """Read the stock that is due, and merge it."""
    return run_stage(session, STOCK, request)
