"""Calls over `requests`, one at a time a thread, on pooled connections. The endpoints' methods are in `client`.

Only carries bytes and sleeps; what is to be done next is decided in `protocol`.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import requests
import urllib3

from dropship_pipeline.alibaba import transport
from dropship_pipeline.alibaba.gateway import Gateway, HttpRequest
from dropship_pipeline.alibaba.protocol import (
    Answer,
    Fault,
    GiveUpToken,
    HttpAnswer,
    NeedToken,
    RenewToken,
    ReportThrottle,
    Send,
    Step,
    StepResult,
    TakeTurn,
    Wait,
    call,
)
from dropship_pipeline.alibaba.requests import Request
from dropship_pipeline.alibaba.transport import FORM, HEADERS, AnswerTooLarge, words_about
from dropship_pipeline.problem import Problem

_CHUNK = 1 << 16


class TooLate(Problem):
    """A call's turn came later than it was to be sent: it was not sent."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"Alibaba.com {path}: not sent, for its turn came too late",
            "Try again when fewer calls are made; see ALIBABA_CALLS_PER_SECOND",
        )


class BlockingCalls:
    """Single calls to one gateway; each waits for its answer."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._timeouts = gateway.timeouts
        self._session = requests.Session()
        self._session.headers.update(HEADERS)
        # A proxy is for the way out; and no entry of a .netrc file is ever to be added to a signed request.
        self._session.trust_env = not gateway.on_this_machine
        self._session.auth = lambda prepared: prepared

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def answer(
        self, request: Request, send_until: float | None = None, confirm: Callable[[], None] | None = None
    ) -> Answer:
        """Do what the flow of the call asks for until it has an answer. Raises ApiError.

        Before each time that it leaves, `confirm` is asked, and stops it by raising. After `send_until` (epoch seconds)
        nothing is sent any more: raises TooLate. Of a call that may not be repeated nothing was carried out then.
        """
        flow = call(request, self._gateway)
        try:
            step = next(flow)
            while True:
                if isinstance(step, Send):
                    if confirm is not None:
                        confirm()
                    # by the wall clock: a machine that was asleep must notice
                    if send_until is not None and time.time() > send_until:
                        raise TooLate(request.operation.path)
                step = flow.send(self._do(step))
        except StopIteration as stop:
            found: Answer = stop.value
            return found
        finally:
            flow.close()

    def _do(self, step: Step) -> StepResult:
        gateway = self._gateway
        match step:
            case Send(request):
                return self._send(request)
            case TakeTurn():
                gateway.tally.waited(gateway.pacer.wait_turn())
            case NeedToken():
                return gateway.tokens.access_token()
            case Wait(seconds):
                time.sleep(seconds)
            case RenewToken(stale):
                return gateway.tokens.renew(stale)
            case GiveUpToken(refused, reason):
                gateway.tokens.give_up(refused, reason)
            case ReportThrottle(wait_seconds, sent_at):
                gateway.pacer.throttled(wait_seconds, sent_at)
        return None

    def _send(self, request: HttpRequest) -> HttpAnswer | Fault:
        started = time.monotonic()
        try:
            return self._exchange(request, started)
        except AnswerTooLarge as error:
            return Fault("AnswerTooLarge", str(error), False, time.monotonic() - started)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            took = time.monotonic() - started
            code, never_sent = _kind_of(error)
            return Fault(code, words_about(error), never_sent, took)

    def _exchange(self, request: HttpRequest, started: float) -> HttpAnswer:
        response = self._session.request(
            request.method,
            request.url,
            data=request.form,
            headers={"Content-Type": FORM} if request.form is not None else None,
            timeout=(self._timeouts.connect, self._timeouts.answer),
            allow_redirects=False,  # a signed request goes nowhere else
            stream=True,
        )
        with response:
            body = bytearray()
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                body += chunk
                if len(body) > transport.LARGEST_ANSWER:
                    raise AnswerTooLarge
                if time.monotonic() - started > self._timeouts.connect + self._timeouts.answer:
                    raise requests.ReadTimeout
            received = time.monotonic()
            return HttpAnswer(
                response.status_code,
                bytes(body),
                response.headers.get("Retry-After"),
                datetime.now(UTC),
                started,
                received - started,
            )


def _kind_of(error: Exception) -> tuple[str, bool]:
    """Our code for a fault of `requests`, and whether the request certainly never left."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return "ConnectionFailed", True
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "Timeout", False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return "ConnectionFailed", True
    return "ConnectionLost", False
