"""What was answered: counts by endpoint and outcome, counts by what was asked for, the latest calls, a log file.

Nothing secret is kept: of a call's parameters only those named in `KEY_PARAMETERS`.
"""

from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

OK = "ok"
_CALLS_KEPT = 20_000
_KEYS_KEPT = 300_000  # for each endpoint: a quarter of a gigabyte at worst, and more than a test asks for

# Which parameters say what a call was about.
KEY_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "/eco/buyer/product/check": ("query_req",),
    "/eco/buyer/local/product/check": ("req",),
    "/eco/buyer/localregular/product/check": ("req",),
    "/eco/buyer/crossborder/product/check": ("param0",),
    "/eco/buyer/product/description": ("query_req",),
    "/eco/buyer/product/inventory": ("inv_req",),
    "/eco/buyer/product/keyattributes": ("query_req",),
    "/eco/buyer/product/batch/description": ("param0",),
    "/eco/buyer/product/batch/inventory": ("query_req",),
    "/eco/buyer/product/batch/keyattributes": ("query_req",),
    "/shipping/freight/calculate": ("product_id", "quantity", "destination_country", "dispatch_location"),
    "/order/freight/calculate": ("logistics_product_list", "destination_country", "dispatch_location"),
    "/buynow/order/create": ("channel_refer_id",),
    "/alibaba/dropshipping/order/pay": (),
    "/alibaba/order/pay/result/query": ("trade_id",),
    "/alibaba/order/cancel": ("trade_id",),
    "/alibaba/order/list": ("start_page", "page_size", "status", "modified_date_start", "create_date_start"),
    "/alibaba/order/get": ("e_trade_id",),
    "/alibaba/order/fund/query": ("e_trade_id",),
    "/order/logistics/query": ("trade_id",),
    "/order/logistics/tracking/get": ("trade_id",),
}


class Answered(NamedTuple):
    """One answered call. `outcome` is "ok", or the code that it was refused with, or the fault that spoilt it."""

    sequence: int
    at_ms: int
    method: str
    path: str
    key: tuple[str, ...]
    outcome: str
    http_status: int

    def told(self) -> dict[str, object]:
        """The call as the log tells it."""
        told = self._asdict()
        told["key"] = readable_key(self.key)
        return told


class Counters:
    """Counts every answered call; `log_file` gets a JSON line for each."""

    def __init__(self, log_file: Path | None = None) -> None:
        self.answered = 0
        self.outcomes: dict[str, Counter[str]] = {}
        self._by_key: dict[str, Counter[tuple[str, ...]]] = {}
        self._overflowed: set[str] = set()
        self._latest: deque[Answered] = deque(maxlen=_CALLS_KEPT)
        # unbuffered: the log is read while the sandbox runs, and after it was killed
        self._log: IO[bytes] | None = log_file.open("ab", buffering=0) if log_file else None

    def count(
        self, method: str, path: str, params: Mapping[str, str], outcome: str, http_status: int, at_ms: int
    ) -> None:
        """Note one answered call."""
        self.answered += 1
        outcomes = self.outcomes.get(path)
        if outcomes is None:
            outcomes = self.outcomes[path] = Counter()
        outcomes[outcome] += 1
        key = tuple([params.get(name, "") for name in KEY_PARAMETERS.get(path, ())])
        if outcome == OK and key:
            self._count_key(path, key)
        answered = Answered(self.answered, at_ms, method, path, key, outcome, http_status)
        self._latest.append(answered)
        if self._log:
            self._log.write(orjson.dumps(answered.told(), option=orjson.OPT_APPEND_NEWLINE))

    def by_key(self, path: str) -> tuple[dict[str, int], bool]:
        """How often each thing was asked for with success at an endpoint, and whether nothing was left out of that."""
        told: Counter[str] = Counter()
        for key, times in self._by_key.get(path, Counter()).items():
            for part in _subjects(readable_key(key)):
                told[part] += times
        return dict(told), path not in self._overflowed

    def since(self, sequence: int) -> list[Answered]:
        """The calls after `sequence` that are still remembered, oldest first."""
        return [call for call in self._latest if call.sequence > sequence]

    def reset(self) -> None:
        """Forget everything but the running number of calls."""
        self.outcomes.clear()
        self._by_key.clear()
        self._overflowed.clear()
        self._latest.clear()

    def close(self) -> None:
        """Close the log file."""
        if self._log:
            self._log.close()

    def _count_key(self, path: str, key: tuple[str, ...]) -> None:
        counts = self._by_key.get(path)
        if counts is None:
            counts = self._by_key[path] = Counter()
        if key in counts or len(counts) < _KEYS_KEPT:
            counts[key] += 1
        else:
            self._overflowed.add(path)


def readable_key(key: tuple[str, ...]) -> Any:
    """A call's key as JSON: what the JSON parameter held, or the parameters as they came."""
    if len(key) == 1:
        try:
            return orjson.loads(key[0])
        except orjson.JSONDecodeError:
            return key[0]
    return "|".join(key)


def _subjects(key: Any) -> list[str]:
    """What a call was about: a product, each product of a batch, or its parameters."""
    if isinstance(key, dict):
        if "product_id" in key:
            return [str(key["product_id"])]
        if isinstance(key.get("product_ids"), list):
            return [str(product_id) for product_id in key["product_ids"]]
        return [orjson.dumps(key, option=orjson.OPT_SORT_KEYS).decode()]
    return [str(key)]
