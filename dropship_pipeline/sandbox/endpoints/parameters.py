"""How a call's text parameters are read, and the gateway's own words where they are missing or cannot be read.

Only the order, logistics and token endpoints read through this; the `/eco` endpoints answer a bad request in an
envelope of their own ("Parameter format is error!").
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from dropship_pipeline.sandbox.api import Call, Refusal

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*", re.ASCII)


def missing(name: str) -> Refusal:
    """The refusal of a call that lacks a required parameter."""
    return Refusal(
        "MissingParameter",
        f'The input parameter "{name}" that is mandatory for processing this request is not supplied',
    )


def invalid(name: str, why: str) -> Refusal:
    """The refusal of a call with a parameter that cannot be read."""
    return Refusal("InvalidParameter", f'The specified value of parameter "{name}" is not valid: {why}')


def required(call: Call, name: str) -> str:
    """A parameter that has to be there; blank counts as missing."""
    value = call.params.get(name, "").strip()
    if not value:
        raise missing(name)
    return value


def buyer_id(call: Call) -> str:
    """The account behind the call; the gateway lets no call of a token endpoint through without one."""
    if call.buyer_id is None:
        raise missing("access_token")
    return call.buyer_id


def whole_number(value: object, name: str, least: int, most: int) -> int:
    """A whole number in [least, most], told as a number or as text."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not _WHOLE.fullmatch(str(value)):
        raise invalid(name, "a whole number is expected")
    number = int(value)
    if not least <= number <= most:
        raise invalid(name, f"it must be between {least} and {most}")
    return number


def json_value(text: str, name: str) -> Any:
    """What a JSON parameter holds."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise invalid(name, "it is not JSON") from None


def json_object(text: str, name: str) -> Mapping[str, Any]:
    """A JSON parameter that must be an object."""
    value = json_value(text, name)
    if not isinstance(value, dict):
        raise invalid(name, "a JSON object is expected")
    return value


def json_objects(text: str, name: str) -> list[Mapping[str, Any]]:
    """A JSON parameter that must be a list of objects."""
    value = json_value(text, name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise invalid(name, "a JSON array of objects is expected")
    return value


def flag(text: str | None, name: str) -> bool:
    """A boolean parameter as the SDKs send it ("true", "false"); absent is false."""
    word = (text or "false").strip().lower()
    if word not in {"true", "false"}:
        raise invalid(name, "true or false is expected")
    return word == "true"


def text_of(item: Mapping[str, Any], key: str) -> str:
    """A member of a JSON object as stripped text; absent, null and the literal "null" are all empty."""
    value = item.get(key)
    if value is None or isinstance(value, dict | list):
        return ""
    text = str(value).strip()
    return "" if text == "null" else text
