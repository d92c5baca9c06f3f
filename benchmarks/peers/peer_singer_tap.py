"""A tap on the Singer SDK, default configuration: one parent stream and two children, to be piped into a target."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import alibaba_calls as calls
import requests
from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BasePageNumberPaginator
from singer_sdk.streams import RESTStream


def texts(names: str) -> list[Any]:
    """Properties that are strings."""
    return [th.Property(name, th.StringType) for name in names.split()]


def rows(name: str, *properties: Any) -> Any:
    """A property that is a list of objects."""
    return th.Property(name, th.ArrayType(th.ObjectType(*properties)))


PRODUCT = [
    *texts("product_id title description detail_url main_image category_id category supplier eCompanyId currency"),
    *texts("min_order_quantity status mode_id"),
    th.Property("images", th.ArrayType(th.StringType)),
    rows(
        "skus",
        *texts("sku_id product_id seller_sku_id status unit image"),
        rows("sku_attr_list", *texts("attr_name_id attr_name_desc attr_value_id attr_value_desc attr_value_image")),
        rows("ladder_price", *texts("min_quantity max_quantity price currency")),
    ),
]
STOCK = [
    *texts("product_id"),
    rows(
        "locations",
        *texts("shipping_from"),
        rows("inventory_list", *texts("product_id sku_id inventory_count inventory_unit")),
    ),
]


class Signed(requests.auth.AuthBase):
    """Signs each request with its parameters."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The same request, signed."""
        query = dict(parse_qsl(urlsplit(str(request.url)).query))
        request.prepare_url(calls.BASE_URL + self._path, calls.signed(self._path, query))
        return request


class Pages(BasePageNumberPaginator):
    """Pages from 0 until one is empty."""

    def has_more(self, response: requests.Response) -> bool:
        """Whether this page held anything."""
        return bool(response.json()["result"]["result_data"])


class AlibabaStream(RESTStream[int]):
    """What the streams share."""

    url_base = calls.BASE_URL

    @property
    def authenticator(self) -> Signed:
        """Signs the calls of this stream."""
        return Signed(self.path)

    def post_process(self, row: dict[str, Any], context: Any = None) -> dict[str, Any]:
        """Each row with its product: the streams keep no state a product, which would grow with the catalogue."""
        return {**row, **(context or {})}


class Listing(AlibabaStream):
    """Every product of the feed."""

    name = "listing"
    path = calls.LISTING
    primary_keys = ("product_id",)
    schema = th.PropertiesList(th.Property("product_id", th.StringType)).to_dict()

    def get_new_paginator(self) -> Pages:
        """From page 0."""
        return Pages(0)

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:  # noqa: ARG002
        """The page."""
        return calls.listing_query(next_page_token or 0)

    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        """A record an id."""
        for product_id in response.json()["result"]["result_data"]:
            yield {"product_id": str(product_id)}

    def get_child_context(self, record: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG002
        """Children are read a product."""
        return {"product_id": record["product_id"]}


class Products(AlibabaStream):
    """The description of each product."""

    name = "products"
    path = calls.DESCRIPTION
    primary_keys = ("product_id",)
    parent_stream_type = Listing
    state_partitioning_keys = ()
    schema = th.PropertiesList(*PRODUCT).to_dict()

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:  # noqa: ARG002
        """The product."""
        return calls.description_query(context["product_id"])

    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        """One record."""
        yield response.json()["result"]["result_data"]


class Stock(AlibabaStream):
    """The stock of each product."""

    name = "stock"
    path = calls.STOCK
    primary_keys = ("product_id",)
    parent_stream_type = Listing
    state_partitioning_keys = ()
    schema = th.PropertiesList(*STOCK).to_dict()

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:  # noqa: ARG002
        """The product."""
        return calls.stock_query(context["product_id"])

    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        """One record."""
        yield {"locations": response.json()["result"]["result_data"]}


class AlibabaTap(Tap):
    """The three streams."""

    name = "tap-peer"
    config_jsonschema = th.PropertiesList().to_dict()

    def discover_streams(self) -> list[Any]:
        """Parent first."""
        return [Listing(self), Products(self), Stock(self)]


if __name__ == "__main__":
    AlibabaTap.cli()
