"""The job that places an order. It is told a reference and nothing else: what is ordered, and for whom, was written
down by `dropship orders quote`, because Dagster keeps the config of a run for ever and shows it to everybody.

It may be run again, retried, and run twice at once: the order is placed once. It never pays.
"""

import dagster as dg
from pydantic import Field

from dropship_pipeline.orchestration.instance import ORDERS_POOL
from dropship_pipeline.orchestration.resources import RunDesk
from dropship_pipeline.orchestration.stages import work
from dropship_pipeline.sync.orders.placing import place, placement_store


class Quoted(dg.Config):
    """Which order to place."""

    reference: str = Field(description="The reference of an order that was quoted: dropship orders quote.")


@dg.op(pool=ORDERS_POOL)
def place_quoted_order(context: dg.OpExecutionContext, config: Quoted, desk: dg.ResourceParam[RunDesk]) -> None:
    """Place the order of this reference, or find out what became of it."""
    with work(desk) as opened, opened.of(placement_store(opened).get(config.reference).account) as own:
        outcome = place(own, config.reference)
    placement = outcome.placement
    told = {
        "reference": placement.reference,
        "state": placement.state.value,
        "order": placement.trade_id,
        "quote": placement.quote and placement.quote.in_words(),
        "sends": placement.sends,
        "remarks": " ".join(outcome.remarks) or None,
    }
    context.add_output_metadata({name: value for name, value in told.items() if value is not None})
    if outcome.problem is not None:
        raise dg.Failure(description=str(outcome.problem), allow_retries=False)


@dg.job
def place_order() -> None:
    """Place an order that was quoted, once. Nothing is paid: that is for dropship orders pay."""
    place_quoted_order()
