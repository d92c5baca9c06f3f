"""Single reads of a product: description, inventory, key attributes (guide §4, §5); and a channel's events about it."""

from collections.abc import Mapping
from typing import Any

from dropship_pipeline.sandbox.api import Body, Call, Endpoint, Refusal
from dropship_pipeline.sandbox.endpoints.eco import (
    GET,
    LIVE,
    POST,
    Dialect,
    format_error,
    product_not_found,
    request_object,
    success,
    text_field,
)
from dropship_pipeline.sandbox.endpoints.payloads import attribute_groups, description_of, inventory_of
from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.products import Product

DESCRIPTION = "/eco/buyer/product/description"
INVENTORY = "/eco/buyer/product/inventory"
KEY_ATTRIBUTES = "/eco/buyer/product/keyattributes"
EVENTS = "/eco/buyer/product/events"
_EVENT_TYPES = frozenset({"PRODUCT_LISTED", "PRODUCT_DELISTED", "ORDER_PLACED"})


def endpoints(catalogue: Catalogue, dialect: Dialect) -> list[Endpoint]:
    """Description, inventory, key attributes and events."""
    live = dialect == LIVE

    def product_of(request: Mapping[str, Any], now_ms: int) -> Product:
        product_id = text_field(request, "product_id")
        if not product_id:
            raise format_error()
        product = catalogue.product(product_id, now_ms)
        if product is None:
            raise product_not_found()
        return product

    def description(call: Call) -> Body:
        request = request_object(call, "query_req")
        if live and not text_field(request, "country"):
            raise format_error()
        product = product_of(request, call.now_ms)
        return success(description_of(product, live=live, ship_to=text_field(request, "ship_to_country")))

    def inventory(call: Call) -> Body:
        request = request_object(call, "inv_req")
        product = product_of(request, call.now_ms)
        answer = success(inventory_of(product, text_field(request, "shipping_from"), text_field(request, "sku_id")))
        if live:
            answer["result"]["result_ship_from_list"] = list(product.dispatch_locations)  # type: ignore[index]
        return answer

    def key_attributes(call: Call) -> Body:
        request = request_object(call, "query_req")
        if live and not text_field(request, "country"):
            raise format_error()
        product = product_of(request, call.now_ms)
        return success({"attributes": attribute_groups(product, batch=False)})

    return [
        Endpoint(DESCRIPTION, GET, needs_token=True, handler=description),
        Endpoint(INVENTORY, GET, needs_token=True, handler=inventory),
        Endpoint(KEY_ATTRIBUTES, GET, needs_token=True, handler=key_attributes),
        Endpoint(EVENTS, POST, needs_token=True, handler=_events),
    ]


def _events(call: Call) -> Body:
    """Takes note of what happened to products on a sales channel (live facts: /eco/buyer/product/events)."""
    events = request_object(call, "query_req").get("events")
    if not isinstance(events, list) or not all(_is_event(event) for event in events):
        raise Refusal("400", "Parameter format is error!", shape="result_message")
    result = {"result_message": "request success", "result_data": {"total": len(events)}, "result_code": "200"}
    return {"result": result, "code": "0"}


def _is_event(event: object) -> bool:
    return (
        isinstance(event, dict)
        and bool(text_field(event, "ali_product_id"))
        and event.get("event_type") in _EVENT_TYPES
        and isinstance(event.get("body", {}), dict)
    )
