"""The seam between the server and what it serves: a call that has been authenticated, and the ways to answer it.

Nothing here knows HTTP or the catalogue: an endpoint gets a `Call`, and gives a `Body`, encoded bytes or a `Refusal`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One API call that the gateway let through: who calls, what, with which parameters, at what sandbox time."""

    path: str  # "/eco/buyer/product/check"
    params: Mapping[str, str]  # query + form + header parameters merged, system parameters included
    now_ms: int  # the sandbox clock, epoch milliseconds
    request_id: str
    buyer_id: str | None  # the account behind the access token; None where the endpoint needs no token
    method: str


@dataclass(eq=False, slots=True)
class Refusal(Exception):
    """An error answer.

    `shape` picks the envelope: "flat" {"type","code","message","request_id"}; "error_response"; "result"
    {"result":{"result_code","result_msg"},"code":"0"}; "business" {"code","message","sub_code"?}.
    """

    code: str
    message: str
    shape: str = "flat"
    type: str = "ISV"
    sub_code: str | None = None
    http_status: int = 200


# What is encoded with orjson; the gateway adds "code":"0" (unless present) and "request_id".
Body = Mapping[str, object]
# Bytes are an already encoded complete JSON answer.
Handler = Callable[[Call], "Body | bytes"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One API path: the methods it takes, whether a buyer must be behind the call, and what answers it."""

    path: str
    methods: frozenset[str]
    needs_token: bool
    handler: Handler
