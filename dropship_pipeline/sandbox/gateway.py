"""The gateway: from an HTTP request to an authenticated call, to the endpoint, and to the answer in its envelope.

In this order: path, method, system parameters, app, timestamp, signature, call limit, token, endpoint (live facts:
Signing, Answers). The time of a signature is checked against the real time, because clients sign with their own clocks;
everything else runs on the sandbox clock.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import count

from dropship_pipeline.sandbox.accounts import Accounts, illegal_access_token
from dropship_pipeline.sandbox.answers import Answer, encode, refusal_answer
from dropship_pipeline.sandbox.api import Call, Endpoint, Refusal
from dropship_pipeline.sandbox.clock import Clock, real_now_ms
from dropship_pipeline.sandbox.counters import Counters
from dropship_pipeline.sandbox.endpoints.parameters import invalid, missing
from dropship_pipeline.sandbox.faults import ActiveFault, FaultBoard
from dropship_pipeline.sandbox.limits import CallLimit
from dropship_pipeline.sandbox.parameters import Headers, merge
from dropship_pipeline.sandbox.signature import SIGN_METHODS, is_signed

PREFIX = "/rest"
_METHOD_ENTRIES = frozenset({"/rest", "/rest/", "/sync", "/sync/", "", "/"})
TIMESTAMP_TOLERANCE_MS = 7_200_000
UNKNOWN_PATH = "(unknown path)"  # where calls of paths that do not exist are counted


class Gateway:
    """Answers API calls. Not safe for threads: one event loop calls it."""

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        accounts: Accounts,
        clock: Clock,
        limit: CallLimit,
        counters: Counters,
        faults: FaultBoard,
    ) -> None:
        self._endpoints = {endpoint.path: endpoint for endpoint in endpoints}
        self._accounts = accounts
        self._clock = clock
        self._limit = limit
        self._counters = counters
        self._faults = faults
        self._sequence = count(1)

    @property
    def paths(self) -> list[str]:
        """Every API path that is served."""
        return sorted(self._endpoints)

    def answer(self, method: str, raw_path: str, query: bytes, headers: Headers, body: bytes) -> Answer:
        """The answer to one HTTP request, counted."""
        now_ms = self._clock.now_ms()
        request_id = f"0ba28873{now_ms}{next(self._sequence) % 10_000:04d}"
        params = merge(query, headers, body)
        # the newest official SDKs call one address and name the API path in `method`
        style = "error_response" if raw_path.startswith("/sync") else None
        path = params.get("method", "") if raw_path in _METHOD_ENTRIES else raw_path.removeprefix(PREFIX)
        try:
            endpoint = self._route(method, path)
            if self._faults.active:
                answer = self._answer_with_faults(endpoint, method, params, request_id, now_ms, style)
            else:
                answer = Answer(self._serve(endpoint, method, params, request_id, now_ms))
        except Refusal as refusal:
            answer = refusal_answer(refusal, request_id, style=style)
        counted = path if path in self._endpoints else UNKNOWN_PATH
        self._counters.count(method, counted, params, answer.outcome, answer.status, now_ms)
        return answer

    def _route(self, method: str, path: str) -> Endpoint:
        endpoint = self._endpoints.get(path)
        if endpoint is None:
            raise Refusal("InvalidApiPath", "The specified API path is invalid")
        if method not in endpoint.methods:
            text = f"The HTTP method {method} is not supported by this API"
            raise Refusal("UnsupportedHttpMethod", text, http_status=405)
        return endpoint

    def _serve(
        self,
        endpoint: Endpoint,
        method: str,
        params: Mapping[str, str],
        request_id: str,
        now_ms: int,
        faults: Iterable[ActiveFault] = (),
    ) -> bytes:
        app_key = self._authenticate(endpoint.path, params)
        self._limit.take(app_key)
        buyer_id = None
        if endpoint.needs_token:
            buyer_id = self._buyer(params, now_ms)
        call = Call(endpoint.path, params, now_ms, request_id, buyer_id, method)
        body = endpoint.handler(call)
        for fault in faults:
            body = self._faults.spoil_body(fault, call, body)
        return encode(body, request_id)

    def _answer_with_faults(
        self,
        endpoint: Endpoint,
        method: str,
        params: Mapping[str, str],
        request_id: str,
        now_ms: int,
        style: str | None,
    ) -> Answer:
        call = Call(endpoint.path, params, now_ms, request_id, None, method)
        chosen = self._faults.choose(call)
        for fault in chosen:
            instead = self._faults.instead(fault, call)
            if instead is not None:
                return instead
        try:
            answer = Answer(self._serve(endpoint, method, params, request_id, now_ms, chosen))
        except Refusal as refusal:
            answer = refusal_answer(refusal, request_id, style=style)
        for fault in chosen:
            answer = self._faults.spoil_answer(fault, answer)
        return answer

    def _authenticate(self, path: str, params: Mapping[str, str]) -> str:
        """The key of the app that signed. Raises the refusal that names what is wrong first."""
        for name in ("app_key", "timestamp", "sign_method", "sign"):
            if not params.get(name):
                raise missing(name)
        app = self._accounts.app(params["app_key"])
        if app is None:
            raise Refusal("InvalidAppKey", "The specified App Key is invalid")
        if abs(_epoch_ms(params["timestamp"]) - real_now_ms()) > TIMESTAMP_TOLERANCE_MS:
            raise Refusal("IllegalTimestamp", "The specified timestamp is more than 7200 seconds off the server's time")
        if params["sign_method"] not in SIGN_METHODS:
            raise invalid("sign_method", "sha256 is expected")
        if not is_signed(path, params, app.secret):
            raise Refusal("IncompleteSignature", "The request signature does not conform to platform standards")
        return app.key

    def _buyer(self, params: Mapping[str, str], now_ms: int) -> str:
        # `session` is what the method-style SDKs call the token
        token = params.get("access_token") or params.get("session")
        if not token:
            raise illegal_access_token()
        return self._accounts.buyer_of(token, now_ms)


def _epoch_ms(timestamp: str) -> int:
    """The time of a call, told in milliseconds or as 2017-11-11T12:00:00Z."""
    try:
        if timestamp.isdigit():
            return int(timestamp)
        told = datetime.fromisoformat(timestamp)
        return int((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Refusal("IllegalTimestamp", "The specified timestamp cannot be read") from None
