"""Describing: each product that is new or due, once, however many feeds list it (guide §4)."""

from dataclasses import replace
from functools import partial

from dropship_pipeline.alibaba.operations import OPERATIONS
from dropship_pipeline.alibaba.products import read_product
from dropship_pipeline.alibaba.requests import BatchRead, DescribeProduct
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
    ask_together=BatchRead.descriptions,
    read=read_product,
    rows=DescriptionRows,
    merge=Merger.merge_descriptions,
)


def describe(session: Session, request: SyncRequest) -> StageOutcome:
    """Read the descriptions that are due, and merge them."""
    # the live gateway wants to know for which country: the first one that the merchant ships to
    if not session.destinations:
        return run_stage(session, DESCRIPTION, request)
    country = session.destinations[0].country
    kind = replace(
        DESCRIPTION,
        ask=partial(DescribeProduct, country=country),
        ask_together=partial(BatchRead.descriptions, country=country),
    )
    return run_stage(session, kind, request)
