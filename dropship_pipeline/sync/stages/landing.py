"""Landing: an answer into the raw lake as it came, before anybody interprets it; and out of it again.

An answer about several products is landed once, under all their IDs, and is taken apart whenever it is read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from dropship_pipeline.alibaba.answers import unwrap
from dropship_pipeline.alibaba.batches import read_batch
from dropship_pipeline.alibaba.dialect import Dialect
from dropship_pipeline.alibaba.errors import CODES, ApiError, Refused, api_error
from dropship_pipeline.alibaba.operations import OPERATIONS, Operation
from dropship_pipeline.alibaba.outcomes import Answered, Outcome
from dropship_pipeline.alibaba.requests import BatchRead
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.storage.lake.raw import RawAnswer

_BATCH_WRAPPERS = {str(operation.wrapper) for operation in OPERATIONS.values() if operation.batch}


@dataclass(frozen=True, slots=True)
class Settled:
    """An answer that settles its request: a payload, or a refusal. Transient failures settle nothing.

    `together`: the product was asked for with others. If it cannot be read it settles nothing: asked for alone, it may.
    """

    key: str
    received_at: datetime
    body: bytes
    payload: object
    refusal: ApiError | None = None
    together: bool = False


def settled(outcomes: Iterable[Outcome]) -> tuple[list[Settled], list[ApiError], list[RawAnswer]]:
    """Sort outcomes: what settles its request, what failed and stays due, and what is to be landed of the first.

    What a batch answer leaves unsettled is among neither.
    """
    answers: list[Settled] = []
    failures: list[ApiError] = []
    raw: list[RawAnswer] = []
    for outcome in outcomes:
        request = outcome.request
        if isinstance(outcome, Answered):
            answer = outcome.answer
            if isinstance(request, BatchRead):
                answers += _each(request.product_ids, answer.payload, answer.received_at, answer.body)
            else:
                answers.append(Settled(request.key, answer.received_at, answer.body, answer.payload))
            raw.append(RawAnswer(request.key, _shown(outcome), answer.received_at, answer.status, answer.body, None))
        elif isinstance(outcome.error, Refused) and outcome.answer_body is not None and outcome.received_at is not None:
            answers.append(Settled(request.key, outcome.received_at, outcome.answer_body, None, outcome.error))
            status = outcome.error.status or 200
            raw.append(
                RawAnswer(
                    request.key, _shown(outcome), outcome.received_at, status, outcome.answer_body, outcome.error.code
                )
            )
        else:
            failures.append(outcome.error)
    return answers, failures, raw


def read_again(operation: Operation, landed: Iterable[RawAnswer]) -> list[Settled]:
    """Landed answers, as if they came just now; their times are those at which they came."""
    answers: list[Settled] = []
    for raw in landed:
        product_ids = products_of(raw)
        try:
            payload = unwrap(operation, raw.body)
        except Refused as refusal:
            if len(product_ids) == 1:
                answers.append(Settled(raw.key, raw.received_at, raw.body, None, refusal))
        else:
            if len(product_ids) == 1:
                answers.append(Settled(raw.key, raw.received_at, raw.body, payload))
            else:
                answers += _each(product_ids, payload, raw.received_at, raw.body)
    return answers


def products_of(raw: RawAnswer) -> tuple[str, ...]:
    """What a landed answer was asked about: several products, or else its key alone."""
    if "," in raw.key:
        asked = orjson.loads(raw.request)
        for wrapper in _BATCH_WRAPPERS & asked.keys():
            query = orjson.loads(asked[wrapper])
            if "product_ids" in query:
                return tuple(query["product_ids"])
    return (raw.key,)


def _each(product_ids: Sequence[str], payload: object, received_at: datetime, body: bytes) -> list[Settled]:
    """What a batch answer settles: products that it tells of, and those that it refuses for a reason that is known.

    A code that nobody knows may be the backend's: no product is given up for it.
    """
    try:
        items, failures = read_batch(payload)
    except Unreadable:
        return []
    answers = []
    for product_id in product_ids:
        if product_id in items:
            if product_id not in failures:
                answers.append(Settled(product_id, received_at, body, items[product_id], None, together=True))
        elif product_id in failures:
            code, words = failures[product_id]
            if code in CODES and isinstance(refusal := api_error(code, words), Refused):
                answers.append(Settled(product_id, received_at, body, None, refusal, together=True))
    return answers


def _shown(outcome: Outcome) -> str:
    """The business parameters, as JSON. Catalogue requests hold nothing secret; tokens are no business parameters."""
    return orjson.dumps(outcome.request.params(Dialect.GUIDE)).decode()
