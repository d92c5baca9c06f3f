"""dlt, default configuration: its REST source, one parent and two children, to Postgres or to Parquet files.

    python peer_dlt.py postgres|parquet

The children run in dlt's own thread pool (`parallelized`), five workers, its default. Nested lists become child tables,
as dlt does by default; tables are merged by product id, since a repeated load must not double them.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import alibaba_calls as calls
import dlt
from dlt.sources.helpers import requests


def get(path: str, query: dict[str, str]) -> Any:
    """One call, through dlt's own session with its retries; what `result` holds."""
    answer = requests.get(calls.BASE_URL + path, params=calls.signed(path, query)).json()
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


def main(destination: str) -> None:
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
    pipeline.run([listing, products, stock], **options)


if __name__ == "__main__":
    main(sys.argv[1])
