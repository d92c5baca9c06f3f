"""Landing: an answer into the raw lake as it came, before anybody interprets it; and out of it again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import orjson

from dropship_pipeline.alibaba.answers import unwrap
from dropship_pipeline.alibaba.dialect import Dialect
from dropship_pipeline.alibaba.errors import ApiError, Refused
from dropship_pipeline.alibaba.operations import Operation
from dropship_pipeline.alibaba.outcomes import Answered, Outcome
from dropship_pipeline.storage.lake.raw import RawAnswer


@dataclass(frozen=True, slots=True)
class Settled:
    """An answer that settles its request: a payload, or a refusal. Transient failures settle nothing."""

    key: str
    received_at: datetime
    body: bytes
    payload: object
    refusal: ApiError | None = None


def settled(outcomes: Iterable[Outcome]) -> tuple[list[Settled], list[ApiError], list[RawAnswer]]:
    """Sort outcomes: what settles its request, what failed and stays due, and what is to be landed of the first."""
    answers: list[Settled] = []
    failures: list[ApiError] = []
    raw: list[RawAnswer] = []
    for outcome in outcomes:
        request = outcome.request
        if isinstance(outcome, Answered):
            answer = outcome.answer
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
    answers = []
    for raw in landed:
        try:
            answers.append(Settled(raw.key, raw.received_at, raw.body, unwrap(operation, raw.body)))
        except Refused as refusal:
            answers.append(Settled(raw.key, raw.received_at, raw.body, None, refusal))
    return answers


def _shown(outcome: Outcome) -> str:
    """The business parameters, as JSON. Catalogue requests hold nothing secret; tokens are no business parameters."""
    return orjson.dumps(outcome.request.params(Dialect.GUIDE)).decode()
