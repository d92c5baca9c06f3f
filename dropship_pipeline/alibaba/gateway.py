"""What every call to one gateway shares: the address, the app, the dialect, the tokens, the budget, the tally.

Signs requests. Sends nothing: the transports are `client` and `fanout`, the flow of a call is `protocol`.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from dropship_pipeline.alibaba.dialect import Dialect, DialectMemory
from dropship_pipeline.alibaba.pacing import Pacer
from dropship_pipeline.alibaba.rate import CallBudget
from dropship_pipeline.alibaba.redaction import secrets_of
from dropship_pipeline.alibaba.requests import Request
from dropship_pipeline.alibaba.signing import signature
from dropship_pipeline.alibaba.tokens import TokenSource
from dropship_pipeline.problem import Problem

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect`: until connected; `answer`: from then to the last byte, however slowly they drip."""

    connect: float = 4.0
    answer: float = 40.0


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A signed request, ready to be sent as it is. Its URL and form hold the token: neither is ever shown."""

    method: str
    url: str = field(repr=False)
    form: bytes | None = field(repr=False)
    path: str


@dataclass(frozen=True, slots=True)
class TallySnapshot:
    """What was counted so far: calls by operation name, failed calls by code, seconds that calls waited."""

    calls: Mapping[str, int]
    throttles: int
    retries: int
    errors: Mapping[str, int]
    seconds_waited: float

    @property
    def total_calls(self) -> int:
        """All requests that were sent."""
        return sum(self.calls.values())


class Tally:
    """Counts what is sent and what comes of it. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._throttles = 0
        self._retries = 0
        self._seconds_waited = 0.0

    def sent(self, operation: str) -> None:
        """A request went out."""
        with self._lock:
            self._calls[operation] += 1

    def retried(self) -> None:
        """A request is about to be sent again."""
        with self._lock:
            self._retries += 1

    def throttled(self) -> None:
        """The gateway throttled a request."""
        with self._lock:
            self._throttles += 1

    def failed(self, code: str) -> None:
        """A call ended in an error."""
        with self._lock:
            self._errors[code] += 1

    def waited(self, seconds: float) -> None:
        """A call waited: for its turn, or before it was repeated."""
        if seconds > 0:
            with self._lock:
                self._seconds_waited += seconds

    def snapshot(self) -> TallySnapshot:
        """A copy of the counts."""
        with self._lock:
            return TallySnapshot(
                dict(self._calls), self._throttles, self._retries, dict(self._errors), self._seconds_waited
            )


def _quoted(value: str) -> str:
    # most of what is sent are letters and digits, and to look for what is to be quoted costs as much as the signature
    return value if value.isalnum() and value.isascii() else quote(value, safe="")


class Gateway:
    """One gateway for one app and one account (of another: `with_tokens`). Shared by all transports of a process.

    `base_url` includes `/rest` where the gateway has it. Raises Problem for an address that is none.
    """

    def __init__(
        self,
        base_url: str,
        app_key: str,
        app_secret: str,
        dialect: DialectMemory,
        tokens: TokenSource,
        budget: CallBudget,
        tally: Tally | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Problem(
                "ALIBABA_BASE_URL is not an http(s) address", "It looks like https://openapi-api.alibaba.com/rest"
            )
        self.base_url = base_url.rstrip("/")
        self.host = parts.netloc.rpartition("@")[2]
        self.on_this_machine = parts.hostname in _LOOPBACK
        self.dialect = dialect
        self.tokens = tokens
        self.pacer = Pacer(budget)
        self.tally = tally or Tally()
        self.timeouts = timeouts or Timeouts()
        self.reached = False
        self._app_key = app_key
        self._app_secret = app_secret

    def __repr__(self) -> str:
        return f"Gateway({self.host!r})"

    def with_tokens(self, tokens: TokenSource) -> "Gateway":
        """The same gateway for another account of the app: budget, dialect and tally are one."""
        other = copy(self)
        other.tokens = tokens
        return other

    def sign(self, request: Request, dialect: Dialect, token: str | None) -> HttpRequest:
        """The request as it is sent, signed for now. Empty values are left out: they are not signed either."""
        operation = request.operation
        params = {name: value for name, value in request.params(dialect).items() if value}
        params["app_key"] = self._app_key
        params["sign_method"] = "sha256"
        params["timestamp"] = str(time.time_ns() // 1_000_000)
        if token:
            params["access_token"] = token
        params["sign"] = signature(operation.path, params, self._app_secret)
        encoded = "&".join([f"{name}={_quoted(value)}" for name, value in params.items()])
        url = self.base_url + operation.path
        method = operation.methods[0]
        if method == "POST":
            return HttpRequest(method, url, encoded.encode(), operation.path)
        return HttpRequest(method, f"{url}?{encoded}", None, operation.path)

    def secrets(self, request: Request, token: str | None) -> list[str]:
        """What an error about this request must not repeat, even if the gateway did."""
        return [self._app_secret, token or "", *secrets_of(request.params(Dialect.GUIDE))]
