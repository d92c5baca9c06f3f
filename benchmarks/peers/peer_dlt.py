"""dlt, default configuration: one parent and two children, to Postgres or to Parquet files.

    python peer_dlt.py postgres|parquet [--by-hand]

By its declarative REST source, `rest_api`, as dlt recommends; `--by-hand`: by resources of our own, each call deferred,
as one writes them where the declarative source is too slow. Either way the children run in dlt's own thread pool
(`parallelized`, `defer`), five workers, its default. Nested lists become child tables, as dlt does by default; tables
are merged by product id, since a repeated load must not double them.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import alibaba_calls as calls
import dlt
import requests
from dlt.common.configuration import configspec
from dlt.sources.helpers import requests as with_retries
from dlt.sources.helpers.rest_client.auth import AuthConfigBase
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator
from dlt.sources.rest_api import rest_api_resources

RESULT = "result.result_data"


@configspec
class Signed(AuthConfigBase):
    """Signs each request with its parameters."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The same request, signed."""
        url = urlsplit(str(request.url))
        path = url.path.removeprefix("/rest")
        request.prepare_url(calls.BASE_URL + path, calls.signed(path, dict(parse_qsl(url.query))))
        return request


class Pages(PageNumberPaginator):
    """Pages from 0 on until one is empty; their number is in the JSON of one parameter."""

    def __init__(self) -> None:
        super().__init__(base_page=0, total_path=None)

    def init_request(self, request: requests.Request) -> None:
        """Ask for the first page."""
        super().init_request(request)
        self.update_request(request)

    def update_request(self, request: requests.Request) -> None:
        """Ask for the next page."""
        request.params = {**request.params, **calls.listing_query(self.current_value)}


def declared() -> list[Any]:
    """The resources of the declarative source."""

    def child(name: str, path: str, parameter: str, **endpoint: Any) -> dict[str, Any]:
        params = {parameter: '{{"product_id": "{resources.listing.product_id}"}}'}
        return {
            "name": name,
            "primary_key": "product_id",
            "write_disposition": "merge",
            "parallelized": True,
            "endpoint": {"path": path, "params": params, "paginator": "single_page", **endpoint},
        }

    return rest_api_resources(
        {
            "client": {"base_url": calls.BASE_URL, "auth": Signed()},
            "resources": [
                {
                    "name": "listing",
                    "write_disposition": "replace",
                    "endpoint": {"path": calls.LISTING, "paginator": Pages(), "data_selector": RESULT},
                    "processing_steps": [{"map": lambda product_id: {"product_id": str(product_id)}}],
                },
                child("products", calls.DESCRIPTION, "query_req", data_selector=RESULT),
                {
                    **child("stock", calls.STOCK, "inv_req", data_selector="result"),
                    "include_from_parent": ["product_id"],
                    "processing_steps": [
                        {
                            "map": lambda result: {
                                "product_id": result["_listing_product_id"],
                                "locations": result["result_data"],
                            }
                        }
                    ],
                },
            ],
        }
    )


def get(path: str, query: dict[str, str]) -> Any:
    """One call, through dlt's own session with its retries; what `result` holds."""
    answer = with_retries.get(calls.BASE_URL + path, params=calls.signed(path, query)).json()
    return answer["result"]["result_data"]


@dlt.resource(name="listing", write_disposition="replace")
def listing() -> Iterator[list[dict[str, str]]]:
    """Every page of the feed."""
    page = 0
    while ids := get(calls.LISTING, calls.listing_query(page)):
        yield [{"product_id": str(product_id)} for product_id in ids]
        page += 1


@dlt.transformer(data_from=listing, name="products", primary_key="product_id", write_disposition="merge")
def products(rows: list[dict[str, str]]) -> Iterator[Any]:
    """The description of each product."""
    for row in rows:

        @dlt.defer
        def described(product_id: str = row["product_id"]) -> Any:
            return get(calls.DESCRIPTION, calls.description_query(product_id))

        yield described()


@dlt.transformer(data_from=listing, name="stock", primary_key="product_id", write_disposition="merge")
def stock(rows: list[dict[str, str]]) -> Iterator[Any]:
    """The stock of each product."""
    for row in rows:

        @dlt.defer
        def taken(product_id: str = row["product_id"]) -> Any:
            return {"product_id": product_id, "locations": get(calls.STOCK, calls.stock_query(product_id))}

        yield taken()


def main(destination: str, *, by_hand: bool) -> None:
    """One load."""
    if destination == "postgres":
        target: Any = dlt.destinations.postgres(
            # dlt wants a host in the address, though the one in the query, a socket's folder, goes before it
            os.environ["PEER_DATABASE_URL"].replace("@/", "@localhost/")
        )
        options = {}
    else:
        target = dlt.destinations.filesystem(bucket_url="file://" + os.environ["PEER_FOLDER"] + "/tables")
        options = {"loader_file_format": "parquet"}
    assert urlsplit(calls.BASE_URL).hostname == "127.0.0.1", "a benchmark asks the simulated Alibaba.com only"
    pipeline = dlt.pipeline(
        "peer", destination=target, dataset_name="peer", pipelines_dir=os.environ["PEER_FOLDER"] + "/state"
    )
    pipeline.run([listing, products, stock] if by_hand else declared(), **options)


if __name__ == "__main__":
    main(sys.argv[1], by_hand="--by-hand" in sys.argv)
