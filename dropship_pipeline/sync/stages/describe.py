"""Describing: each product that is new or due, once, however many feeds list it (guide §4)."""

from dataclasses import replace
from functools import partial

from dropship_pipeline.alibaba.operations import OPERATIONS
from dropship_pipeline.alibaba.products import read_product
from dropship_pipeline.alibaba.requests import DescribeProduct
from dropship_pipeline.catalog.describe import DescriptionRows
from dropship_pipeline.storage.catalog.merge import Merger
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages.pipeline import Kind, run_stage
from dropship_pipeline.sync.summary import StageOutcome

DESCRIPTION = Kind(
    name="description",
    stage="describe",
    operation=OPERATIONS["describe_product"],
    ask=DescribeProduct,
    read=read_product,
    rows=DescriptionRows,
    merge=Merger.merge_descriptions,
)


def describe(session: Session, request: SyncRequest) -> StageOutcome:
    """Read the descriptions that are due, and merge them."""
    # the live gateway wants to know for which country: the first one that the merchant ships to
    countries = [destination.country for destination in session.destinations]
    ask = partial(DescribeProduct, country=countries[0]) if countries else DescribeProduct
    return run_stage(session, replace(DESCRIPTION, ask=ask), request)
