"""Batch answers, taken apart by product (live facts: Requests). What an item holds is read by the other modules."""

from typing import NamedTuple

from dropship_pipeline.alibaba.values import Nulled, Unreadable, as_list, as_object, identifier, shown, text


class BatchAnswer(NamedTuple):
    """A batch answer by product: the payload of each that was answered, code and message of each that failed."""

    items: dict[str, object]
    failures: dict[str, tuple[str, str]]


def read_batch(payload: object) -> BatchAnswer:
    """The `data` of a batch answer by product (live facts: Requests). What names no product is in neither part.

    Items stand in `resultData` or `result_data`, failures in `failedItems` or `failed_items`; an item is what the
    single endpoint answers, except that stock is wrapped in an object with its product ID. Raises Unreadable with code
    `not_an_object`.
    """
    notes: list[Nulled] = []
    data = as_object(payload, "data", notes)
    if data is None:
        raise Unreadable("not_an_object", f"the data of a batch answer is {shown(payload)}")
    items: dict[str, object] = {}
    for item in as_list(data.get("resultData", data.get("result_data"))):
        product_id = _batch_product(item, notes)
        if product_id is not None:
            items[product_id] = item
    failures = {}
    for item in as_list(data.get("failedItems", data.get("failed_items"))):
        product_id = _batch_product(item, notes)
        if product_id is not None and isinstance(item, dict):
            code = text(item.get("errorCode", item.get("error_code")), "failedItems[].errorCode", notes)
            words = text(item.get("errorMsg", item.get("error_msg")), "failedItems[].errorMsg", notes)
            failures[product_id] = (code or "UNKNOWN", words or "")
    return BatchAnswer(items, failures)


def _batch_product(item: object, notes: list[Nulled]) -> str | None:
    if not isinstance(item, dict):
        return None
    return identifier(item.get("product_id", item.get("productId")), "product_id", notes)
