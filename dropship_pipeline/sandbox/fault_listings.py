"""Faults of the product lists, and of single products: what a listing says that is not so."""

from collections.abc import Mapping
from zlib import crc32

from dropship_pipeline.sandbox.api import Body, Call, Refusal
from dropship_pipeline.sandbox.endpoints.eco import product_not_found
from dropship_pipeline.sandbox.endpoints.listing import PageRequest, page_request
from dropship_pipeline.sandbox.faults import ActiveFault, FaultKind, Json, Scene

LISTINGS = "/eco/buyer/*product/check"
_DETAILS = "/eco/buyer/product/[di]*"  # description and inventory
_BATCHES = "/eco/buyer/product/batch/*"


def _total_of(asked: PageRequest, call: Call, scene: Scene) -> int:
    return scene.catalogue.total(asked.feed_key, call.now_ms)


def _set_total(body: Json, total: int) -> Json:
    """Say another total, where the endpoint says one."""
    if "result_total" in body["result"]:
        body["result"]["result_total"] = str(total)
    return body


def _empty_page(fault: ActiveFault, call: Call, body: Json, scene: Scene) -> Body:
    if page_request(call, scene.dialect).page == int(fault.number("page", 1)):
        body["result"]["result_data"] = []
    return body


def _empty_listing(_fault: ActiveFault, _call: Call, body: Json, _scene: Scene) -> Body:
    body["result"]["result_data"] = []
    return _set_total(body, 0)


def _is_missing(product_id: object) -> bool:
    return crc32(str(product_id).encode()) % 3 == 0


def _missing_third(fault: ActiveFault, call: Call, body: Json, scene: Scene) -> Body:
    asked = page_request(call, scene.dialect)
    body["result"]["result_data"] = [item for item in body["result"]["result_data"] if not _is_missing(item)]
    if fault.options.get("total") != "kept" and "result_total" in body["result"]:
        everything = scene.catalogue.page(asked.feed_key, 0, len(scene.catalogue), call.now_ms)
        _set_total(body, sum(not _is_missing(item) for item in everything))
    return body


def _total_wrong(fault: ActiveFault, call: Call, body: Json, scene: Scene) -> Body:
    return _set_total(body, _total_of(page_request(call, scene.dialect), call, scene) + int(fault.number("by", 17)))


def _total_zero(_fault: ActiveFault, _call: Call, body: Json, _scene: Scene) -> Body:
    return _set_total(body, 0)


def _total_moving(fault: ActiveFault, call: Call, body: Json, scene: Scene) -> Body:
    return _set_total(body, _total_of(page_request(call, scene.dialect), call, scene) + fault.luck.randint(-5, 5))


def _shifting_pages(fault: ActiveFault, call: Call, body: Json, scene: Scene) -> Body:
    """Every page after the first is read from a list that has moved: entries come twice, or are skipped."""
    asked = page_request(call, scene.dialect)
    way = {"insert": -1, "remove": 1}.get(fault.options.get("way", ""), fault.luck.choice((-1, 1)))
    start = max(0, asked.page * asked.size + way * asked.page * int(fault.number("by", 2)))
    body["result"]["result_data"] = scene.catalogue.page(asked.feed_key, start, asked.size, call.now_ms)
    return body


def _same_page(_fault: ActiveFault, call: Call, body: Json, scene: Scene) -> Body:
    asked = page_request(call, scene.dialect)
    body["result"]["result_data"] = scene.catalogue.page(asked.feed_key, 0, asked.size, call.now_ms)
    return body


def _moves(product_id: object) -> bool:
    return crc32(str(product_id).encode()) % 4 == 0


def _moved_between(fault: ActiveFault, call: Call, body: Json, scene: Scene) -> Body:
    """Some products of one feed are in another one instead: both lists say so from now on."""
    asked = page_request(call, scene.dialect)
    here, there = fault.options.get("from", "us_standard"), fault.options.get("to", "cross_border")
    if asked.feed_key not in (here, there):
        return body
    everything = scene.catalogue.page(asked.feed_key, 0, len(scene.catalogue), call.now_ms)
    if asked.feed_key == here:
        listed = [product_id for product_id in everything if not _moves(product_id)]
    else:
        others = scene.catalogue.page(here, 0, len(scene.catalogue), call.now_ms)
        listed = everything + [one for one in others if _moves(one) and one not in set(everything)]
    start = asked.page * asked.size
    body["result"]["result_data"] = listed[start : start + asked.size]
    return _set_total(body, len(listed))


def _detail_gone(_fault: ActiveFault, _call: Call, _body: Json, _scene: Scene) -> Body:
    raise product_not_found()


def _wrong_result_code(fault: ActiveFault, _call: Call, _body: Json, _scene: Scene) -> Body:
    raise Refusal(fault.options.get("code", "500"), "system error", shape="result")


def _batch_partial(fault: ActiveFault, _call: Call, body: Json, _scene: Scene) -> Body:
    """Some items of a batch fail, in the shape that the endpoint has for it."""
    data = body["result"]["data"]
    camel = "resultData" in data
    items, failed = ("resultData", "failedItems") if camel else ("result_data", "failed_items")
    code, words = fault.options.get("code", "2005"), fault.options.get("message", "query failed")
    kept = []
    for item in data[items]:
        product_id = item.get("product_id") or item.get("productId")
        if fault.luck.random() >= fault.number("share", 0.3):
            kept.append(item)
        elif camel:
            data[failed].append({"productId": product_id, "errorCode": code, "errorMsg": words})
        else:
            data[failed].append({"product_id": product_id, "error_code": code, "error_msg": words})
    data[items] = kept
    return body


def _batch_missing(fault: ActiveFault, _call: Call, body: Json, _scene: Scene) -> Body:
    """Some items of a batch are not there, and nothing is said of them."""
    data = body["result"]["data"]
    items = "resultData" if "resultData" in data else "result_data"
    data[items] = [item for item in data[items] if fault.luck.random() >= fault.number("share", 0.3)]
    return body


LISTING_FAULTS: Mapping[str, FaultKind] = {
    "empty_page": FaultKind(
        "an empty page in the middle of a list", LISTINGS, body=_empty_page, options={"page": "which one, 1"}
    ),
    "empty_listing": FaultKind("lists that have nothing, with a total of 0", LISTINGS, body=_empty_listing),
    "missing_third": FaultKind(
        "lists that lack a third of their products, always the same",
        LISTINGS,
        body=_missing_third,
        options={"total": "kept: result_total counts the missing ones; otherwise it does not"},
    ),
    "total_wrong": FaultKind(
        "a result_total that is off", LISTINGS, body=_total_wrong, options={"by": "by how much, 17"}
    ),
    "total_zero": FaultKind("a result_total of 0", LISTINGS, body=_total_zero),
    "total_moving": FaultKind("a result_total that differs a little each time", LISTINGS, body=_total_moving),
    "shifting_pages": FaultKind(
        "insertions and removals that shift pages while they are read",
        LISTINGS,
        body=_shifting_pages,
        options={"by": "products a page, 2", "way": "insert or remove; otherwise either"},
    ),
    "same_page": FaultKind("the first page for ever", LISTINGS, body=_same_page),
    "moved_between": FaultKind(
        "a quarter of one feed's products are in another feed instead, always the same",
        LISTINGS,
        body=_moved_between,
        options={"from": "the feed that they left, us_standard", "to": "the feed that has them, cross_border"},
    ),
    "detail_gone": FaultKind("listed products that cannot be found", _DETAILS, by_key=True, body=_detail_gone),
    "wrong_result_code": FaultKind(
        'a failure in result_code under code "0"', "/eco/*", body=_wrong_result_code, options={"code": "which, 500"}
    ),
    "batch_partial": FaultKind(
        "batches of which some items fail",
        _BATCHES,
        body=_batch_partial,
        options={"share": "how many of them, 0.3", "code": "their code, 2005", "message": "its text"},
    ),
    "batch_missing": FaultKind(
        "batches that pass over some products",
        _BATCHES,
        body=_batch_missing,
        options={"share": "how many of them, 0.3"},
    ),
}
