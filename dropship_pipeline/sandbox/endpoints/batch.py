"""Batch reads of products, which the guide lacks (live facts: Requests): items fail one by one inside a success."""

from collections.abc import Callable, Mapping
from typing import Any

from dropship_pipeline.sandbox.api import Body, Call, Endpoint
from dropship_pipeline.sandbox.endpoints.eco import (
    GET,
    LIVE,
    Dialect,
    batch_success,
    format_error,
    product_not_found,
    request_object,
    text_field,
)
from dropship_pipeline.sandbox.endpoints.payloads import Json, attribute_groups, batch_description_of, inventory_of
from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.products import Product

BATCH_DESCRIPTION = "/eco/buyer/product/batch/description"
BATCH_INVENTORY = "/eco/buyer/product/batch/inventory"
BATCH_KEY_ATTRIBUTES = "/eco/buyer/product/batch/keyattributes"
MOST_PRODUCTS = 100  # no limit is published; the batch import of the same family takes 100

_NOT_FOUND = product_not_found()  # as the single endpoints say it


def endpoints(catalogue: Catalogue, dialect: Dialect) -> list[Endpoint]:
    """The three batch reads. What an item holds is what the single endpoint of this dialect tells."""

    def read(
        call: Call, parameter: str, tell: Callable[[Product, Mapping[str, Any]], Json]
    ) -> tuple[list[Json], list[str]]:
        """What is told of each product that there is, and the ids of those that there are not."""
        request = request_object(call, parameter)
        product_ids = request.get("product_ids")
        if not isinstance(product_ids, list) or not 0 < len(product_ids) <= MOST_PRODUCTS:
            raise format_error()
        told, unknown = [], []
        for listed in product_ids:
            product_id = text_field({"product_id": listed}, "product_id")
            product = catalogue.product(product_id, call.now_ms)
            if product is None:
                unknown.append(product_id)
            else:
                told.append(tell(product, request))
        return told, unknown

    def describe(product: Product, request: Mapping[str, Any]) -> Json:
        ship_to = text_field(request, "ship_to_country")
        return batch_description_of(product, live=dialect == LIVE, ship_to=ship_to)

    def description(call: Call) -> Body:
        told, unknown = read(call, "param0", describe)
        return batch_success({"resultData": told, "failedItems": [_failed_item(product_id) for product_id in unknown]})

    def inventory(call: Call) -> Body:
        told, unknown = read(call, "query_req", _take_stock)
        failed = [
            {"product_id": product_id, "error_code": _NOT_FOUND.code, "error_msg": _NOT_FOUND.message}
            for product_id in unknown
        ]
        return batch_success({"result_data": told, "failed_items": failed})

    def key_attributes(call: Call) -> Body:
        told, unknown = read(call, "query_req", _tell_attributes)
        return batch_success({"resultData": told, "failedItems": [_failed_item(product_id) for product_id in unknown]})

    return [
        Endpoint(BATCH_DESCRIPTION, GET, needs_token=True, handler=description),
        Endpoint(BATCH_INVENTORY, GET, needs_token=True, handler=inventory),
        Endpoint(BATCH_KEY_ATTRIBUTES, GET, needs_token=True, handler=key_attributes),
    ]


def _failed_item(product_id: str) -> Json:
    return {"productId": product_id, "errorCode": _NOT_FOUND.code, "errorMsg": _NOT_FOUND.message}


def _take_stock(product: Product, request: Mapping[str, Any]) -> Json:
    return {
        "product_id": product.product_id,
        "ship_from_list": list(product.dispatch_locations),
        "inventory_list": inventory_of(product, text_field(request, "shipping_from")),
    }


def _tell_attributes(product: Product, _request: Mapping[str, Any]) -> Json:
    return {"productId": product.product_id, "attributes": attribute_groups(product, batch=True)}
