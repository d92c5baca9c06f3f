"""Batch answers, taken apart by product (live facts: Requests). What an item holds is read by the other modules."""

from typing import NamedTuple

from dropship_pipeline.alibaba.values import Nulled, Unreadable, absent, as_list, as_object, identifier, shown, text


class BatchAnswer(NamedTuple):
    """A batch answer by product: the payload of each that was answered, code and message of each that failed.

    A payload is what the single endpoint answers. `code` is UNKNOWN where none is given.
    """

    items: dict[str, object]
    failures: dict[str, tuple[str, str]]


def read_batch(payload: object) -> BatchAnswer:
    """The `data` of a batch answer by product (live facts: Requests). What is no item of a product is in neither part.

    Items stand in `resultData` or `result_data`, failures in `failedItems` or `failed_items`. No gateway was seen to
    answer this: an item that names a product and tells nothing that is known of one is left out. Raises Unreadable with
    code `not_an_object`.
    """
    notes: list[Nulled] = []
    data = as_object(payload, "data", notes)
    if data is None:
        raise Unreadable("not_an_object", f"the data of a batch answer is {shown(payload)}")
    items: dict[str, object] = {}
    for item in as_list(data.get("resultData", data.get("result_data"))):
        product_id = _batch_product(item, notes)
        if product_id is not None and isinstance(item, dict):
            single = _as_alone(item)
            if not absent(single):
                items[product_id] = single
    failures = {}
    for item in as_list(data.get("failedItems", data.get("failed_items"))):
        product_id = _batch_product(item, notes)
        if product_id is not None and isinstance(item, dict):
            code = text(item.get("errorCode", item.get("error_code")), "failedItems[].errorCode", notes)
            words = text(item.get("errorMsg", item.get("error_msg")), "failedItems[].errorMsg", notes)
            failures[product_id] = (code or "UNKNOWN", words or "")
    return BatchAnswer(items, failures)


def pictures(value: str) -> list[str]:
    """The addresses in a text of several, as batch samples give `images`. Commas part them, and may be in them too."""
    first, *others = value.split(",http")
    return [url.strip() for url in (first, *(f"http{other}" for other in others)) if url.strip()]


def _as_alone(item: dict[str, object]) -> object:
    """An item as the single endpoint would answer it, so that it reads as one and its hash is the same.

    Null where it is none: what says nothing must not pass for a product that has nothing.
    """
    if "inventory_list" in item:
        return item["inventory_list"]
    if all(absent(item.get(name)) for name in ("title", "skus", "attributes")):
        return None
    images, trade = item.get("images"), item.get("wholesale_trade")
    boxed = isinstance(trade, list) and len(trade) <= 1
    if not boxed and not isinstance(images, str):
        return item
    alone = dict(item)
    if isinstance(images, str) and images != "null":
        alone["images"] = pictures(images)
    if isinstance(trade, list) and len(trade) == 1:
        alone["wholesale_trade"] = trade[0]
    elif isinstance(trade, list) and not trade:
        del alone["wholesale_trade"]
    return alone


def _batch_product(item: object, notes: list[Nulled]) -> str | None:
    if not isinstance(item, dict):
        return None
    return identifier(item.get("product_id", item.get("productId")), "product_id", notes)
