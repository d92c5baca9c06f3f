"""How the `/eco/buyer` endpoints are asked and refuse: one JSON object in one parameter, errors under `result`.

The two dialects differ only here and in what the payloads add: `guide` is the API as its guide tells it, `live` as the
live gateway was seen to behave (live facts: Requests).
"""

from collections.abc import Mapping
from typing import Any, Literal

import orjson

from dropship_pipeline.sandbox.api import Body, Call, Refusal
from dropship_pipeline.sandbox.endpoints.parameters import missing

Dialect = Literal["guide", "live"]
GUIDE: Dialect = "guide"
LIVE: Dialect = "live"
GET = frozenset({"GET"})
POST = frozenset({"POST"})


def format_error() -> Refusal:
    """The answer to a request object that lacks something or cannot be read."""
    return Refusal("400", "Parameter format is error!", shape="result")


def product_not_found() -> Refusal:
    """The answer to the id of no product."""
    return Refusal("404", "product not found", shape="result")


def request_object(call: Call, parameter: str) -> Mapping[str, Any]:
    """The object in the JSON parameter of an `/eco` call."""
    text = call.params.get(parameter)
    if not text:
        raise missing(parameter)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise format_error() from None
    if not isinstance(value, dict):
        raise format_error()
    return value


def text_field(request: Mapping[str, Any], name: str) -> str:
    """A field as text, told as text or number; "" where it is missing or null."""
    value = request.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise format_error()
    return str(value).strip()


def number_field(request: Mapping[str, Any], name: str, default: int | None, most: int | None = None) -> int:
    """A whole number from 0 (to `most`), told as number or text. Without a default it has to be there."""
    text = text_field(request, name)
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise format_error()
    number = int(text)
    if most is not None and number > most:
        raise format_error()
    return number


def success(data: object) -> dict[str, object]:
    """The envelope around the data of an `/eco` answer."""
    return {"result": {"result_msg": "request success", "result_data": data, "result_code": "200"}, "code": "0"}


def batch_success(data: Body) -> Body:
    """The envelope of the batch reads, which is another one (live facts: Requests)."""
    return {"result": {"code": "200", "data": data, "success": "true", "message": "success"}, "code": "0"}
