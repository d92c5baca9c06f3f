"""Faults of payloads: answers that are well-formed and not what the guide says: types, nulls, odd numbers, odd text.

Each hits the same products again as long as it is on: what is asked for decides, not chance.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from dropship_pipeline.sandbox.api import Body, Call
from dropship_pipeline.sandbox.faults import ActiveFault, FaultKind, Json, Scene

_PRODUCTS = "/eco/buyer/product/[dib]*"  # description, inventory and their batches
_DESCRIPTIONS = "/eco/buyer/product/*description"
_HUGE = 4 * 1024 * 1024
_SURROGATE_MARK = "lone-surrogate-goes-here"
_COUNTS = frozenset({"inventory_count", "min_order_quantity", "quantity"})
_IDS = frozenset(
    {"product_id", "sku_id", "category_id", "attr_name_id", "attr_value_id", "min_quantity", "max_quantity"}
)

Change = Callable[[Json], None]


def _each_object(value: Any, change: Change) -> None:
    """Apply `change` to every JSON object within `value`, innermost first: what a change adds is left alone."""
    if isinstance(value, dict):
        for inner in value.values():
            _each_object(inner, change)
        change(value)
    elif isinstance(value, list):
        for inner in value:
            _each_object(inner, change)


def _data(body: Json) -> Any:
    result = body["result"]
    return result["result_data"] if "result_data" in result else result["data"]


def _changing(change: Change) -> Callable[[ActiveFault, Call, Json, Scene], Body]:
    def spoil(_fault: ActiveFault, _call: Call, body: Json, _scene: Scene) -> Body:
        _each_object(_data(body), change)
        return body

    return spoil


def _setting(names: frozenset[str], value: object) -> Change:
    def change(document: Json) -> None:
        for name in names & document.keys():
            if not isinstance(document[name], dict | list):
                document[name] = value

    return change


def _ids_as_numbers(document: Json) -> None:
    for name in _IDS & document.keys():
        if str(document[name]).lstrip("-").isdigit():
            document[name] = int(document[name])


def _numbers_for_strings(document: Json) -> None:
    for name in ({"price", "handling_time", *_COUNTS}) & document.keys():
        text = str(document[name])
        document[name] = float(text) if "." in text else int(text)


def _missing_fields(document: Json) -> None:
    for name in ("title", "category", "images", "unit", "inventory_unit", "currency", "deliver_periods"):
        document.pop(name, None)


def _new_fields(document: Json) -> None:
    document["brand_new_field"] = {"nested": ["of", "a", "kind", None, 1.5]}


def _object_for_list(document: Json) -> None:
    for name in ("skus", "ladder_price", "sku_attr_list", "inventory_list", "images", "deliver_periods"):
        if isinstance(document.get(name), list) and document[name]:
            document[name] = document[name][0]


def _list_for_object(document: Json) -> None:
    if isinstance(document.get("wholesale_trade"), dict):
        document["wholesale_trade"] = [document["wholesale_trade"]]


def _sku_twice(document: Json) -> None:
    if isinstance(document.get("skus"), list):
        document["skus"] = [*document["skus"], *document["skus"][:1]]


def _other_currency(document: Json) -> None:
    if "currency" in document:
        document["currency"] = "EUR" if document["currency"] == "USD" else "USD"


def _appending(text: str) -> Change:
    def change(document: Json) -> None:
        for name in ("title", "attr_value_desc", "inventory_unit"):
            if isinstance(document.get(name), str):
                document[name] += text

    return change


def _huge_description(document: Json) -> None:
    if "description" in document:
        document["description"] = "<p>" + "x" * _HUGE + "</p>"


def _lone_surrogate(fault: ActiveFault, call: Call, body: Json, scene: Scene) -> bytes:
    """A half of a surrogate pair as a JSON escape: no encoder writes it, so it is put into the encoded answer."""
    spoilt = _changing(_appending(_SURROGATE_MARK))(fault, call, body, scene)
    encoded = orjson.dumps({**spoilt, "request_id": call.request_id})
    return encoded.replace(_SURROGATE_MARK.encode(), rb"\ud83d")


def _kind(description: str, change: Change, path: str = _PRODUCTS) -> FaultKind:
    return FaultKind(description, path, by_key=True, body=_changing(change))


_PRICE = frozenset({"price"})
_SCALARS = frozenset({"title", "supplier", "category", "main_image", "unit", "price", "image", "inventory_count"})

PAYLOAD_FAULTS: Mapping[str, FaultKind] = {
    "null_fields": _kind("null where values should be", _setting(_SCALARS, None)),
    "null_text": _kind('the text "null" where values should be', _setting(_SCALARS, "null")),
    "missing_fields": _kind("fields that are not there", _missing_fields),
    "new_fields": _kind("fields that nobody knows", _new_fields),
    "ids_as_numbers": _kind("ids and quantities as numbers", _ids_as_numbers),
    "numbers_for_strings": _kind("prices and counts as numbers", _numbers_for_strings),
    "object_for_list": _kind("the object itself for a list of one", _object_for_list),
    "list_for_object": _kind("a list of one for an object", _list_for_object, _DESCRIPTIONS),
    "minus_one": _kind("-1 for counts", _setting(_COUNTS, "-1")),
    "thousands_price": _kind('a price of "1,234.50"', _setting(_PRICE, "1,234.50"), _DESCRIPTIONS),
    "word_price": _kind('a price of "negotiable"', _setting(_PRICE, "negotiable"), _DESCRIPTIONS),
    "nul_text": _kind("NUL in texts", _appending("\x00 NUL")),
    "lone_surrogate": FaultKind("half a surrogate pair in texts", _PRODUCTS, by_key=True, body=_lone_surrogate),
    "huge_description": _kind("a description of 4 MB", _huge_description, _DESCRIPTIONS),
    "sku_twice": _kind("an SKU that is there twice", _sku_twice, _DESCRIPTIONS),
    "currency_change": _kind("prices in another currency", _other_currency, _DESCRIPTIONS),
}
