"""What can go wrong with a call: five families, and the one table of codes, what each means and what to do about it.

How an answer is found to be an error is in `answers`; what is done about a family (wait, renew the token, give up) is
in `protocol`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

from dropship_pipeline.alibaba import redaction
from dropship_pipeline.problem import Problem

Mend = Literal["dispatch", "quantity", "none"]


class Family(StrEnum):
    """How a failed call is treated."""

    TRANSIENT = "transient"  # the backend or the network: read again
    THROTTLED = "throttled"  # too many calls: slow down and repeat
    TOKEN = "token"  # noqa: S105 - the name of a family; renew the token once, then a person has to authorise again
    PERMANENT = "permanent"  # ours to mend: repeating changes nothing
    BUSINESS = "business"  # Alibaba.com says no to this product, quantity, address: an answer, and kept as one


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """What is known of a code.

    `mend`: what might turn a refused freight quote into one: another dispatch location, a larger quantity, nothing.
    `fatal`: every other call of the same kind would fail the same way.
    """

    family: Family
    meaning: str
    remedy: str
    mend: Mend = "none"
    fatal: bool = False


def _business(meaning: str, remedy: str, mend: Mend = "none") -> CodeEntry:
    return CodeEntry(Family.BUSINESS, meaning, remedy, mend)


def _ours(meaning: str, remedy: str, *, fatal: bool = True) -> CodeEntry:
    return CodeEntry(Family.PERMANENT, meaning, remedy, fatal=fatal)


_THROTTLED = CodeEntry(
    Family.THROTTLED,
    "too many calls",
    "The rate adapts by itself; lower ALIBABA_CALLS_PER_SECOND if others use the same app",
)
_BACKEND = CodeEntry(Family.TRANSIENT, "Alibaba.com's backend failed", "Try again later")
_TOKEN = CodeEntry(
    Family.TOKEN, "the token is not accepted", "Authorise the account again: dropship auth login", fatal=True
)
_SIGNATURE = _ours("the signature is wrong", "Check ALIBABA_APP_SECRET: it must belong to ALIBABA_APP_KEY")
_CLOCK = _ours("the timestamp is refused", "Set this machine's clock: it must be within two hours of the true time")

REMEDY_UNREACHABLE = "Check the network, a proxy, and ALIBABA_BASE_URL"

CODES: dict[str, CodeEntry] = {
    # guide: Common Error Codes
    "110001": _business("unauthorized buyer", "Use a buyer account registered overseas, not one of China"),
    "10010": _business("logistics route not found", "Check the dispatch location", "dispatch"),
    "130602": _business("invalid logistics route", "Quote again: the carrier may be gone", "dispatch"),
    "130608": _business("missing dispatch location", "Products of Mexico need dispatch location MX", "dispatch"),
    "480006": _business("order amount exceeds the limit", "Keep a BuyNow order under $5,000: split it"),
    "10007": _business("cannot find the SKU's cost", "Check the product's minimum order quantity", "quantity"),
    "410006": _business("quantity below the minimum", "Order at least the minimum order quantity", "quantity"),
    "130704": _business("promotion unavailable", "Ask Alibaba.com to refresh its inventory cache"),
    "130106": _business("product invalid or expired", "The product is offline: choose another"),
    "130703": _business("insufficient inventory", "Reduce the quantity or choose another SKU", "dispatch"),
    "120019": _business("product restricted", "The product cannot be shipped to this country"),
    "800022": _business("unable to calculate the tariff", "Give the complete address"),
    "10012": _business("dispatch location invalid", "Dispatch from where the product has stock", "dispatch"),
    "4015": _business("cannot ship to the country", "The seller does not ship there"),
    "140004": _business("insufficient inventory", "The product is out of stock", "dispatch"),
    "10005": _business("SKU not found", "The SKU may have been deleted: sync the product"),
    "400007": _business("EPR required", "The seller needs a valid EPR number for Germany and France"),
    "430013": _business("order amount too small", "Order for at least $0.30", "quantity"),
    # live facts: Errors beyond the guide's table
    "4016": _business("the supplier's freight template fails", "Try another dispatch location or supplier", "dispatch"),
    "4027": _business("quantity below the minimum", "Quote at the minimum order quantity", "quantity"),
    "4028": _business("the carrier does not match", "Use a carrier of the order's own freight calculation"),
    "300000": _business("a test account may only order from test sellers", "Use a live account"),
    "404": _business("not found", "Check the number of the order or product"),
    "ORDER_HAVE_PAID": _business("the order is paid already", "Nothing to do"),
    "400": _business("the parameters' format is refused", "Check ALIBABA_DIALECT: guide, live or auto"),
    "NO_OPTIONS": _business("no shipping option was offered", "Try another dispatch location", "dispatch"),
    "ApiCallLimit": _THROTTLED,
    "SellerCallLimit": _THROTTLED,
    "AppCallLimit": _THROTTLED,
    "7": _THROTTLED,
    "901": _THROTTLED,
    "HTTP 429": _THROTTLED,
    "15": _BACKEND,
    "1000": _BACKEND,
    "500": _BACKEND,
    "ServiceTimeout": _BACKEND,
    "ServiceUnavailable": _BACKEND,
    "IllegalAccessToken": _TOKEN,
    "InvalidAccessToken": _TOKEN,
    "AccessTokenExpired": _TOKEN,
    "IllegalRefreshToken": _TOKEN,
    "InvalidRefreshToken": _TOKEN,
    "InvalidCode": _business(
        "the authorisation code is unknown, used, or older than 30 minutes", "Start again: dropship auth login"
    ),
    "IncompleteSignature": _SIGNATURE,
    "InvalidSignature": _SIGNATURE,
    "IllegalTimestamp": _CLOCK,
    "InvalidTimestamp": _CLOCK,
    "InvalidAppKey": _ours("the app key is unknown", "Check ALIBABA_APP_KEY and that the app is online"),
    "InvalidApiPath": _ours("this gateway has no such endpoint", "Check ALIBABA_BASE_URL: it ends in /rest"),
    "UnsupportedHttpMethod": _ours("this gateway wants another HTTP method", "Report it: the guide allows this one"),
    "InsufficientPermission": _ours("the app may not call this", "Ask for the permission in the App Console"),
    "AppWhiteIpLimit": _ours(
        "this machine's IP address is not on the app's white list",
        "Add the address in the App Console; it is no login failure",
    ),
    "MissingParameter": _ours("a parameter is missing", "This is a fault of ours: report it", fatal=False),
    "InvalidParameter": _ours("a parameter is invalid", "Check what was asked for", fatal=False),
    # ours: faults of the way there and back
    "Timeout": CodeEntry(Family.TRANSIENT, "no answer in time", "Try again later"),
    "ConnectionFailed": CodeEntry(Family.TRANSIENT, "no connection", REMEDY_UNREACHABLE),
    "ConnectionLost": CodeEntry(
        Family.TRANSIENT, "the connection broke before the answer was whole", "Try again later"
    ),
    "NotJson": CodeEntry(Family.TRANSIENT, "the answer is no JSON", "Try again later, and check ALIBABA_BASE_URL"),
    "AnswerTooLarge": CodeEntry(
        Family.TRANSIENT, "the answer is too large to be one", "Try again later, and check ALIBABA_BASE_URL"
    ),
    "EmptyAnswer": CodeEntry(Family.TRANSIENT, "the answer holds no result", "Try again later"),
    "UNSUCCESSFUL": _business("refused without a code", "See the gateway's words"),
    "NoToken": CodeEntry(Family.TOKEN, "no access token is known", "Authorise: dropship auth login", fatal=True),
}

_UNKNOWN_BACKEND = CodeEntry(
    Family.TRANSIENT, "a code not in our table, of the backend's kind", "Try again later; report it if it stays"
)
# The guide's own fallback tries the next dispatch location after any failure.
_UNKNOWN_REFUSAL = CodeEntry(
    Family.BUSINESS,
    "a code not in our table, taken for a refusal of this request",
    "See the gateway's words",
    "dispatch",
)
_ISV_PERMISSION = CODES["InsufficientPermission"]
_NOT_THE_GATEWAY = _ours("something else than the gateway answered", "Check ALIBABA_BASE_URL, and a proxy")
_TRANSIENT_STATUSES = frozenset({408, 425})


def entry(code: str, error_type: str | None = None) -> CodeEntry:
    """What is known of a code; for one not in the table, what its prefix and `error_type` (ISV, ISP, SYSTEM) say."""
    known = CODES.get(code)
    if known is not None:
        return known
    if code.startswith("HTTP "):
        status = int(code[5:])
        return _BACKEND if status >= 500 or status in _TRANSIENT_STATUSES else _NOT_THE_GATEWAY
    lower = code.lower()
    if lower.startswith("isp.") or (error_type or "").upper() in ("ISP", "SYSTEM"):
        return _UNKNOWN_BACKEND
    if lower.startswith("isv.permission"):
        return _ISV_PERMISSION
    return _UNKNOWN_REFUSAL


class ApiError(Problem):
    """A call failed. `code` is the API's (or one of ours), `message` its words, redacted; both are safe to show.

    `request_id` is the gateway's name of the call, to quote to its support. `fatal`: other calls would fail likewise.
    `wait_seconds` is what the gateway asked for; 0 if it named nothing. `body`, `status` and `received_at` are of the
    answer that said so, where there was one, and not part of what is shown. `attempts`: how often the call was sent.
    """

    family: ClassVar[Family]

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        path: str = "",
        error_type: str | None = None,
        sub_code: str | None = None,
        request_id: str | None = None,
        remedy: str | None = None,
    ) -> None:
        known = entry(code, error_type)
        self.code = code = redaction.label(code)
        self.sub_code = sub_code and redaction.label(sub_code)
        self.message = redaction.message(message)
        self.path = path
        self.request_id = request_id = request_id and redaction.label(request_id)
        self.mend: Mend = known.mend
        self.fatal = known.fatal
        self.wait_seconds = 0.0
        self.body: bytes | None = None
        self.status: int | None = None
        self.received_at: datetime | None = None
        self.attempts = 1
        self.outcome_unknown = False
        words = f' ("{self.message}")' if self.message else ""
        quoted = f" [request {request_id}]" if request_id else ""
        super().__init__(
            f"Alibaba.com{f' {path}' if path else ''}: {code}, {known.meaning}{words}{quoted}",
            known.remedy if remedy is None else remedy,
        )

    def hide(self, secrets: Iterable[str]) -> None:
        """Blot `secrets` out of everything that is shown or kept: a refusal is landed, and may repeat what was sent."""
        known = list(secrets)
        self.body = self.body and redaction.blot_bytes(self.body, known)
        self.code = redaction.blot(self.code, known)
        self.sub_code = self.sub_code and redaction.blot(self.sub_code, known)
        self.request_id = self.request_id and redaction.blot(self.request_id, known)
        self.message = redaction.blot(self.message, known)
        self.what = redaction.blot(self.what, known)
        self.args = (str(self),)


class Transient(ApiError):
    """The backend or the network failed, and kept failing as often as we repeated the call.

    `outcome_unknown`: the call changes something and may have been carried out; it was not repeated.
    """

    family = Family.TRANSIENT


class Unreachable(Transient):
    """No connection to the host could be made, not once since the start."""

    def __init__(self, host: str, message: str) -> None:
        super().__init__("ConnectionFailed", message, path=f"at {host}", remedy=REMEDY_UNREACHABLE)
        self.fatal = True


class Outage(Transient):
    """Call after call failed, whatever was tried: the rest would fail likewise. `last` is the last one's error."""

    def __init__(self, failures: int, last: ApiError) -> None:
        words = f"{failures} calls in a row failed; the last words were: {last.message}"
        super().__init__(
            last.code,
            words,
            path=last.path,
            request_id=last.request_id,
            remedy="What was read is kept: run it again when Alibaba.com is well",
        )
        self.last = last
        self.fatal = True


class Throttled(ApiError):
    """Too many calls, and waiting as long as we are patient did not help."""

    family = Family.THROTTLED


class TokenRefused(ApiError):
    """The access token is not accepted and could not be renewed."""

    family = Family.TOKEN


class Permanent(ApiError):
    """The request itself is refused: repeating it cannot help."""

    family = Family.PERMANENT


class Refused(ApiError):
    """A business refusal: the answer about this product, quantity, address or order. `mend`: see `CodeEntry`."""

    family = Family.BUSINESS


FAMILIES: dict[Family, type[ApiError]] = {
    Family.TRANSIENT: Transient,
    Family.THROTTLED: Throttled,
    Family.TOKEN: TokenRefused,
    Family.PERMANENT: Permanent,
    Family.BUSINESS: Refused,
}


def api_error(
    code: str,
    message: str = "",
    *,
    path: str = "",
    error_type: str | None = None,
    sub_code: str | None = None,
    request_id: str | None = None,
) -> ApiError:
    """The error of the family that the table gives for `code`; to be raised by the caller."""
    kind = FAMILIES[entry(code, error_type).family]
    return kind(code, message, path=path, error_type=error_type, sub_code=sub_code, request_id=request_id)
