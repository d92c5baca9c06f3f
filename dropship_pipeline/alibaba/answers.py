"""An answer of the gateway, as bytes, told apart: the payload out of its envelope, or the error that it is.

No proof of success is enough by itself: `code` "0" stands above refused results (live facts: Answers). What the
payload's fields mean is in `products` and `orders`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from dropship_pipeline.alibaba.errors import CODES, ApiError, Family, api_error
from dropship_pipeline.alibaba.operations import Envelope, Operation
from dropship_pipeline.alibaba.values import decoded

_SUCCESS_CODES = frozenset({"", "0", "00", "200", "null", "success", "SUCCESS"})
_BAN = re.compile(r"last\s+(\d{1,9})\s*second", re.IGNORECASE)
_LONGEST_WAIT = 1e9  # seconds, as many digits as a ban may have; who waits so long is not decided here
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Success:
    """What a call asked for, and the gateway's name of the call."""

    payload: object
    request_id: str | None


def unwrap(operation: Operation, body: bytes) -> object:
    """The payload of an answer, envelope removed: see `operations.Envelope`. Raises the `ApiError` that it is.

    Also what replays answers out of the raw lake.
    """
    return read_answer(operation, 200, body).payload


def read_answer(operation: Operation, status: int, body: bytes, retry_after: str | None = None) -> Success:
    """Like `unwrap`, with the HTTP status and the Retry-After header taken into account."""
    try:
        document = decoded(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        error: ApiError | None = _not_an_answer(operation, status, body)
    else:
        error = _error_of(operation, document)
        if error is None and 200 <= status < 300:
            return Success(_payload(operation, document), _first(document, "request_id") or None)
    if error is None:
        error = api_error(f"HTTP {status}", path=operation.path)
    if error.family in (Family.THROTTLED, Family.TRANSIENT):
        error.wait_seconds = max(error.wait_seconds, retry_after_seconds(retry_after))
    raise error


def retry_after_seconds(header: str | None) -> float:
    """Seconds from a Retry-After header, given as seconds or as a date; 0 where there is none or it is past."""
    if header is None:
        return 0.0
    told = header.strip()
    if told.isascii() and told.isdigit():
        return min(float(told), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _not_an_answer(operation: Operation, status: int, body: bytes) -> ApiError:
    words = f"HTTP {status}, {len(body)} bytes, beginning {body[:40]!r}" if body else f"HTTP {status}, an empty body"
    code = "NotJson" if 200 <= status < 300 else f"HTTP {status}"
    return api_error(code, words, path=operation.path)


def _error_of(operation: Operation, document: dict[str, object]) -> ApiError | None:
    """The error that a decoded answer is, whichever shape it has; None if it is none."""
    nested = document.get("error_response")
    if isinstance(nested, dict):
        return _error(operation, nested, document)
    code = _code(document.get("code"))
    if code not in _SUCCESS_CODES or _is_false(document.get("success")):
        return _error(operation, document, document)
    result = _object(document.get("result"))
    if result is None:
        return None
    code = _code(result.get("result_code", result.get("code")))
    if code not in _SUCCESS_CODES or _is_false(result.get("success")):
        return _error(operation, result, document)
    return None


def _error(operation: Operation, said: dict[str, object], document: dict[str, object]) -> ApiError:
    code = _first(said, "result_code", "code", "error_code")
    sub_code = _first(said, "sub_code")
    words = [_first(said, *names) for names in (("result_msg", "result_message", "message", "msg"), ("sub_msg",))]
    message = "; ".join(word for word in words if word)
    error = api_error(
        _telling(code, sub_code),
        message,
        path=operation.path,
        error_type=_first(said, "type"),
        sub_code=sub_code or None,
        request_id=_first(said, "request_id") or _first(document, "request_id") or None,
    )
    if error.family is Family.THROTTLED and (ban := _BAN.search(message)):
        error.wait_seconds = float(ban.group(1))
    return error


def _telling(code: str, sub_code: str) -> str:
    """The more telling of the two codes: `15` only says that something behind failed, `isv.…` says what."""
    if sub_code and (sub_code in CODES or code not in CODES or (code == "15" and sub_code.lower().startswith("isv."))):
        return sub_code
    return code if code not in _SUCCESS_CODES else "UNSUCCESSFUL"


def _payload(operation: Operation, document: dict[str, object]) -> object:
    if operation.envelope is Envelope.FLAT:
        return _token_document(document)
    if operation.envelope is Envelope.TRACKING_LIST:
        return (
            document["tracking_list"] if "tracking_list" in document else _under(document.get("value"), "tracking_list")
        )
    if operation.envelope is Envelope.VALUE:
        return (
            document["value"] if "value" in document else _under(document.get("result"), "result_data", "data", "value")
        )
    result = _object(document.get("result"))
    if result is None:
        raise api_error("EmptyAnswer", path=operation.path, request_id=_first(document, "request_id") or None)
    if operation.envelope is Envelope.RESULT:
        return result
    return _under(result, "result_data", "data")


def _token_document(document: dict[str, object]) -> object:
    for name in ("result", "value", "data"):
        inner = _object(document.get(name))
        if inner is not None and "access_token" in inner:
            return inner
    return document


def _under(value: object, *names: str) -> object:
    """The first of the fields that an object has; the value itself where it is no object or has none of them."""
    inner = _object(value)
    if inner is None:
        return value
    for name in names:
        if name in inner:
            return inner[name]
    return None


def _object(value: object) -> dict[str, object] | None:
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0]
    return None


def _code(value: object) -> str:
    if value is None or value is True:
        return ""
    return str(value).strip()


def _first(values: dict[str, object], *names: str) -> str:
    for name in names:
        value = values.get(name, _MISSING)
        if isinstance(value, str | int) and not isinstance(value, bool) and value not in ("", "null"):
            return str(value).strip()
    return ""


def _is_false(value: object) -> bool:
    return value is False or (isinstance(value, str) and value.strip().lower() == "false")
