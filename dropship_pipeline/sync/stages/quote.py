"""Quoting: what it costs to ship each product to each destination, with dispatch-location fallback (guide §6).

Which location and quantity to try next is in `catalog.dispatch`. Every answer of every try is landed; a quote that was
cut short by a fault of the way there and back stays due.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from dropship_pipeline.alibaba.answers import unwrap
from dropship_pipeline.alibaba.errors import Refused
from dropship_pipeline.alibaba.operations import OPERATIONS
from dropship_pipeline.alibaba.outcomes import Answered, Failed, Flow, Outcome
from dropship_pipeline.alibaba.protocol import Answer
from dropship_pipeline.alibaba.requests import EstimateFreight
from dropship_pipeline.catalog.destinations import Destination
from dropship_pipeline.catalog.dispatch import QuoteResult, QuoteTarget, quote_flow, quote_target
from dropship_pipeline.catalog.freight import FreightRows
from dropship_pipeline.catalog.freshness import MAX_AGES
from dropship_pipeline.catalog.ledger import Ledger
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.catalog.fetches import QuoteDue, due_quotes
from dropship_pipeline.storage.catalog.merge import MergeCounts, Merger
from dropship_pipeline.storage.lake.raw import RawAnswer, RawFile
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages.landing import settled
from dropship_pipeline.sync.stages.merging import Merging, Normalised
from dropship_pipeline.sync.stages.pipeline import HAND_OVER, Counter, lost_and_found
from dropship_pipeline.sync.summary import StageOutcome

KIND = "freight"

QuoteAsked = tuple[str, Destination]
"""Which product, and where to."""


class CutShort(Problem):
    """Landed answers that do not add up to a quote."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """What came of one product and one destination, with every answer on the way."""

    product_id: str
    destination: Destination
    result: QuoteResult
    outcomes: Sequence[Outcome]


def quote(session: Session, request: SyncRequest) -> StageOutcome:
    """Quote every destination for each product on offer whose quote is missing or due."""
    counter = Counter(session, "quote")
    _recover(session, counter)
    for destination in session.destinations:
        with due_quotes(
            session.database,
            str(destination),
            max_age=request.max_age if request.max_age is not None else MAX_AGES[KIND],
            feeds=request.feeds or None,
            product_ids=request.product_ids or None,
            limit=request.limit,
            force=request.force or bool(request.product_ids),
        ) as quotes:
            counter.add(due=quotes.count)
            session.progress.begin(f"quote to {destination.country}", quotes.count)
            flows = (_watched(quote_due, destination) for quote_due in quotes)
            with Merging(session.merger, counter.merged) as merging:
                for batch in session.fanout.run_flows(flows, HAND_OVER):
                    # what a quote that was cut short had seen is not landed: it is asked again, from the first location
                    whole = [quoted for quoted in batch if quoted.result.fault is None]
                    raw = settled(outcome for quoted in whole for outcome in quoted.outcomes)[2]
                    if raw:
                        file = session.raw.land(KIND, session.run_id, raw)
                        normalised, fallbacks = normalise_quotes(whole, file.path, [file])
                        merging.start(normalised)
                        counter.add(fallbacks=fallbacks)
                    counter.failed([quoted.result.fault for quoted in batch if quoted.result.fault is not None])
                    session.progress.advance(len(batch))
        session.progress.finish()
    return counter.finish()


def _watched(quote_due: QuoteDue, destination: Destination) -> Flow[Quoted]:
    """The flow of a quote, with all that it was sent on the way."""
    target = quote_target(
        quote_due.product_id,
        quote_due.origins,
        quote_due.min_order_quantity,
        quote_due.wholesale_min_order_quantity,
        quote_due.last_dispatch,
    )
    outcomes: list[Outcome] = []
    result = yield from _recording(quote_flow(target, destination), outcomes)
    return Quoted(target.product_id, destination, result, outcomes)


def _recording(flow: Flow[QuoteResult], outcomes: list[Outcome]) -> Flow[QuoteResult]:
    try:
        request = next(flow)
        while True:
            outcome = yield request
            outcomes.append(outcome)
            request = flow.send(outcome)
    except StopIteration as stop:
        result: QuoteResult = stop.value
        return result


def normalise_quotes(batch: Iterable[Quoted], landed_in: str, done: Sequence[RawFile]) -> tuple[Normalised, int]:
    """The rows of quotes and refusals that were landed in this file; `done` files are merged with them.

    Gives how many of the quotes needed a second dispatch location or quantity, too.
    """
    ledger = Ledger(KIND, landed_in)
    rows = FreightRows()
    fallbacks = 0
    for quoted in batch:
        result, destination = quoted.result, str(quoted.destination)
        if result.answered_at is None:
            continue
        last = quoted.outcomes[-1]
        if result.unreadable is not None and isinstance(last, Answered):
            # an answer that nobody can read is no refusal: the quotes of before stand
            why, payload = result.unreadable, last.answer.payload
            ledger.reject(quoted.product_id, result.answered_at, why, payload, destination)
            continue
        rows.add(
            quoted.product_id,
            quoted.destination.country,
            result.quantity,
            result.requested_dispatch,
            result.options,
            result.refusals,
            result.answered_at,
        )
        if result.options and isinstance(last, Answered):
            fallbacks += bool(result.refusals)
            ledger.answered(quoted.product_id, result.answered_at, last.answer.payload, destination)
        else:
            ledger.refuse(quoted.product_id, result.answered_at, result.refusals[-1].code, destination)
    return Normalised(rows.tables(), [ledger], Merger.merge_freight, done), fallbacks


def settle_quotes(
    merger: Merger, batch: Iterable[Quoted], landed_in: str, done: Sequence[RawFile]
) -> tuple[MergeCounts, Ledger, int]:
    """Normalise quotes that were landed in a file, and merge them; `done` files are recorded as merged."""
    normalised, fallbacks = normalise_quotes(batch, landed_in, done)
    return normalised.merge(merger), normalised.ledgers[0], fallbacks


def _recover(session: Session, counter: Counter) -> None:
    """Take up the answers that a killed run landed and did not merge: the same decisions, without a call."""
    for file, landed in lost_and_found(session, KIND):
        batch = [quoted_again(asked, answers) for asked, answers in by_quote(landed).items()]
        counts, ledger, fallbacks = settle_quotes(session.merger, batch, file.path, [file])
        counter.merged(counts, [ledger])
        counter.add(recovered=len(batch), fallbacks=fallbacks)


def by_quote(landed: Iterable[RawAnswer]) -> dict[QuoteAsked, list[RawAnswer]]:
    """Landed answers by the quote that they were tries of, in the order in which they came."""
    tries: dict[QuoteAsked, list[RawAnswer]] = defaultdict(list)
    for raw in landed:
        asked = orjson.loads(raw.request)
        tries[raw.key, Destination(asked["destination_country"], asked.get("zip_code"))].append(raw)
    return tries


def quoted_again(asked: QuoteAsked, landed: Sequence[RawAnswer]) -> Quoted:
    """The quote that these answers, in the order in which they came, add up to. Raises `CutShort` if they do not."""
    product_id, destination = asked
    outcomes = [_outcome_again(raw) for raw in landed]
    requests = [outcome.request for outcome in outcomes if isinstance(outcome.request, EstimateFreight)]
    locations = tuple(dict.fromkeys(request.dispatch_location or "CN" for request in requests))
    quantities = tuple(dict.fromkeys(request.quantity for request in requests))
    flow = quote_flow(QuoteTarget(product_id, locations, quantities), destination)
    next(flow)
    for outcome in outcomes:
        try:
            flow.send(outcome)
        except StopIteration as stop:
            return Quoted(product_id, destination, stop.value, outcomes)
    raise CutShort(
        f"The landed freight answers of product {product_id} to {destination} end in the middle of a quote",
        "This is a fault of ours: report it with the raw file",
    )


def _outcome_again(raw: RawAnswer) -> Outcome:
    asked = orjson.loads(raw.request)
    request = EstimateFreight(
        asked["product_id"],
        int(asked["quantity"]),
        asked["destination_country"],
        asked.get("zip_code"),
        asked.get("dispatch_location"),
    )
    try:
        payload = unwrap(OPERATIONS["estimate_freight"], raw.body)
    except Refused as refusal:
        refusal.body, refusal.received_at, refusal.status = raw.body, raw.received_at, raw.status
        return Failed(request, refusal)
    return Answered(Answer(request, payload, raw.body, raw.received_at, None, 1, raw.status))
