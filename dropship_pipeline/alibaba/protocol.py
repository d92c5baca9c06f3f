"""The flow of one call, without a socket: a generator that yields what is to be done next and is sent what came of it.

Whatever decides (sign, wait, repeat, renew the token, change the dialect, give up) is here, once. The transports in
`client` and `fanout` only carry bytes and sleep. What an answer means is in `answers`, what a code means in `errors`.
"""

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime

from dropship_pipeline.alibaba.answers import Success, read_answer, unwrap
from dropship_pipeline.alibaba.dialect import Dialect
from dropship_pipeline.alibaba.errors import ApiError, Family, Unreachable, api_error
from dropship_pipeline.alibaba.gateway import Gateway, HttpRequest
from dropship_pipeline.alibaba.redaction import blot_bytes
from dropship_pipeline.alibaba.requests import Request

__all__ = [
    "Answer",
    "Fault",
    "GiveUpToken",
    "HttpAnswer",
    "NeedToken",
    "RenewToken",
    "ReportThrottle",
    "Send",
    "Step",
    "StepResult",
    "TakeTurn",
    "Wait",
    "call",
    "unwrap",
]

MOST_ATTEMPTS = 6
BACKEND_PATIENCE = 60.0  # seconds of failed attempts and of waiting between them
THROTTLE_PATIENCE = 300.0  # seconds of waiting because of throttles
FIRST_CONTACT_PATIENCE = 5.0  # seconds for a host that was never reached: probably a wrong address
FIRST_CONTACT_ATTEMPTS = 3
_BACKOFF_BASE, _BACKOFF_FACTOR = 0.3, 3.0


@dataclass(frozen=True, slots=True)
class NeedToken:
    """Send back the access token to use."""


@dataclass(frozen=True, slots=True)
class TakeTurn:
    """Wait for a slot of the call budget."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request; send back an HttpAnswer or a Fault."""

    request: HttpRequest


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RenewToken:
    """Send back another access token than this refused one."""

    stale: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GiveUpToken:
    """Even a renewed token was refused: the account has to be authorised again."""

    refused: str = field(repr=False)
    reason: str


@dataclass(frozen=True, slots=True)
class ReportThrottle:
    """Tell the call budget. `sent_at`: monotonic clock, seconds."""

    wait_seconds: float
    sent_at: float


_NEED_TOKEN, _TAKE_TURN = NeedToken(), TakeTurn()

Step = NeedToken | TakeTurn | Send | Wait | RenewToken | GiveUpToken | ReportThrottle


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back, whole. `sent_at` (monotonic clock) and `took` in seconds; `received_at` in UTC."""

    status: int
    body: bytes
    retry_after: str | None
    received_at: datetime
    sent_at: float
    took: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Nothing whole came back. `code` is one of ours (`errors.CODES`); `never_sent`: no connection was made."""

    code: str
    words: str
    never_sent: bool
    took: float


StepResult = HttpAnswer | Fault | str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A call that succeeded. `payload` is out of its envelope, `body` as it came, `received_at` in UTC."""

    request: Request
    payload: object
    body: bytes = field(repr=False)
    received_at: datetime
    request_id: str | None
    attempts: int
    status: int


def call(
    request: Request, gateway: Gateway, uniform: Callable[[float, float], float] = random.uniform
) -> Generator[Step, StepResult, Answer]:
    """The flow of a call: yields steps, is sent their results, returns the answer or raises an ApiError.

    `uniform` draws the jitter.
    """
    operation = request.operation
    retries = _Retries(request, gateway, uniform)
    token: str | None = None
    if operation.needs_token:
        token = _text(_NEED_TOKEN, (yield _NEED_TOKEN))
    while True:
        yield _TAKE_TURN
        dialect = retries.dialect()
        retries.attempts += 1
        gateway.tally.sent(operation.name)
        reply = yield Send(gateway.sign(request, dialect, token))
        if isinstance(reply, HttpAnswer):
            gateway.reached = True
        try:
            success = _read(request, reply)
        except ApiError as error:
            failure = error
        else:
            assert isinstance(reply, HttpAnswer)  # noqa: S101 - for the type checker: `_read` raises for all else
            if operation.speaks_dialect:
                gateway.dialect.decide(dialect)
            return Answer(
                request,
                success.payload,
                # within its success a batch answer may tell of refusals: see `ApiError.hide`
                blot_bytes(reply.body, gateway.secrets(request, token)) if operation.batch else reply.body,
                reply.received_at,
                success.request_id,
                retries.attempts,
                reply.status,
            )
        token = yield from retries.after(failure, reply, token)


class _Retries:
    """Whether, and after what, a failed call is sent again."""

    def __init__(self, request: Request, gateway: Gateway, uniform: Callable[[float, float], float]) -> None:
        self.attempts = 0
        self._request = request
        self._operation = request.operation
        self._gateway = gateway
        self._uniform = uniform
        self._backend_faults = 0
        self._backend_seconds = 0.0
        self._throttles = 0
        self._throttle_seconds = 0.0
        self._renewed = False
        self._refused_dialects: set[Dialect] = set()
        self._dialect = Dialect.GUIDE

    def dialect(self) -> Dialect:
        """The one that the gateway speaks; while nobody knows, the guide's, then the live one."""
        memory = self._gateway.dialect
        untried = memory.undecided and Dialect.GUIDE in self._refused_dialects
        self._dialect = Dialect.LIVE if untried else memory.current
        return self._dialect

    def after(self, error: ApiError, reply: StepResult, token: str | None) -> Generator[Step, StepResult, str | None]:
        """Do what the failure asks for and return the token to repeat the call with, or raise."""
        if isinstance(reply, HttpAnswer):
            error.body, error.status, error.received_at = reply.body, reply.status, reply.received_at
        error.attempts = self.attempts
        error.hide(self._gateway.secrets(self._request, token))
        if error.family is Family.THROTTLED and isinstance(reply, HttpAnswer):
            yield from self._throttled(error, reply)
        elif error.family is Family.TOKEN and token is not None:
            token = yield from self._token_refused(error, token)
        elif error.family is Family.TRANSIENT:
            yield from self._backend_failed(error, reply)
        elif self._in_the_wrong_dialect(error):
            self._refused_dialects.add(self._dialect)
        else:
            raise self._final(error)
        self._gateway.tally.retried()
        return token

    def _throttled(self, error: ApiError, reply: HttpAnswer) -> Generator[Step, StepResult, None]:
        # A throttle is the gateway's, in front of whatever the call would have done: nothing was done, so that even a
        # call that changes something may be sent again.
        self._gateway.tally.throttled()
        yield ReportThrottle(error.wait_seconds, reply.sent_at)
        patience = min(1.5**self._throttles, 8.0)
        seconds = max(error.wait_seconds, self._uniform(1.0, 2.0) * patience)
        if self._throttle_seconds + seconds > THROTTLE_PATIENCE:
            raise self._final(error)
        self._throttles += 1
        self._throttle_seconds += seconds
        yield from self._wait(seconds)

    def _token_refused(self, error: ApiError, token: str) -> Generator[Step, StepResult, str]:
        if self._renewed:
            yield GiveUpToken(token, f"{error.code} {error.message}".strip())
            raise self._final(error)
        self._renewed = True
        return _text(RenewToken(token), (yield RenewToken(token)))

    def _backend_failed(self, error: ApiError, reply: StepResult) -> Generator[Step, StepResult, None]:
        never_sent = isinstance(reply, Fault) and reply.never_sent
        if not self._operation.repeatable and not never_sent:
            error.outcome_unknown = True
            raise self._final(error)
        if error.code == "AnswerTooLarge" and self._operation.batch:  # of fewer products it is not
            raise self._final(error)
        self._backend_seconds += reply.took if isinstance(reply, Fault | HttpAnswer) else 0.0
        self._backend_faults += 1
        if never_sent and not self._gateway.reached and self._first_contact_failed():
            raise self._final(Unreachable(self._gateway.host, error.message))
        backoff = _BACKOFF_BASE * _BACKOFF_FACTOR ** (self._backend_faults - 1)
        seconds = max(backoff * self._uniform(0.5, 1.5), error.wait_seconds)
        if self._backend_faults >= MOST_ATTEMPTS or self._backend_seconds + seconds > BACKEND_PATIENCE:
            raise self._final(error)
        self._backend_seconds += seconds
        yield from self._wait(seconds)

    def _first_contact_failed(self) -> bool:
        return self._backend_faults >= FIRST_CONTACT_ATTEMPTS or self._backend_seconds > FIRST_CONTACT_PATIENCE

    def _in_the_wrong_dialect(self, error: ApiError) -> bool:
        refused = error.code in ("MissingParameter", "InvalidParameter")
        refused = refused or (error.code == "400" and "param" in error.message.lower())
        if not refused or not self._operation.speaks_dialect:
            return False
        memory = self._gateway.dialect
        if memory.undecided:
            return not self._refused_dialects
        return memory.current is not self._dialect  # another call found out while this one was under way

    def _wait(self, seconds: float) -> Generator[Step, StepResult, None]:
        self._gateway.tally.waited(seconds)
        yield Wait(seconds)

    def _final(self, error: ApiError) -> ApiError:
        error.attempts = self.attempts
        self._gateway.tally.failed(error.code)
        return error


def _read(request: Request, reply: StepResult) -> Success:
    if isinstance(reply, HttpAnswer):
        return read_answer(request.operation, reply.status, reply.body, reply.retry_after)
    assert isinstance(reply, Fault), f"a transport answered Send with {type(reply)}"  # noqa: S101 - a bug of ours
    raise api_error(reply.code, reply.words, path=request.operation.path)


def _text(step: Step, result: StepResult) -> str:
    assert isinstance(result, str), f"a transport answered {step} with {type(result)}"  # noqa: S101 - a bug of ours
    return result
