"""Airbyte's CDK, a declarative source: one parent stream and two substreams, its records written to standard output.

It extracts only: loading is another container's work at Airbyte, which does not run here. 20 threads, as its
connectors' template has it.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import alibaba_calls as calls
import requests
from airbyte_cdk.entrypoint import launch
from airbyte_cdk.sources.declarative.auth.declarative_authenticator import NoAuth
from airbyte_cdk.sources.declarative.yaml_declarative_source import YamlDeclarativeSource


class Signed(NoAuth):
    """Signs each request with its parameters."""

    def __init__(self, **_: Any) -> None:
        pass

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The same request, signed."""
        url = urlsplit(str(request.url))
        path = url.path.removeprefix("/rest")
        query = dict(parse_qsl(url.query))
        request.prepare_url(calls.BASE_URL + path, calls.signed(path, query))
        return request


def requester(path: str, parameter: str, value: str) -> str:
    """A retriever of one endpoint, whose query is the JSON of one parameter."""
    return f"""
        type: SimpleRetriever
        requester:
          type: HttpRequester
          url_base: {calls.BASE_URL}
          path: {path}
          http_method: GET
          authenticator: {{type: CustomAuthenticator, class_name: peer_airbyte.Signed}}
          request_parameters:
            {parameter}: >-
              {value}"""


SCHEMA = "{type: InlineSchemaLoader, schema: {type: object, additionalProperties: true, properties: {}}}"
RECORDS = "record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: [{path}]}}}}"


def stream(name: str, retriever: str, more: str = "") -> str:
    """A stream."""
    return f"""
    {name}:
      type: DeclarativeStream
      name: {name}
      primary_key: []
      schema_loader: {SCHEMA}
      retriever:{retriever}{more}"""


def child(name: str, path: str, parameter: str, value: str) -> str:
    """A stream that makes one call for each product of the listing."""
    more = f"""
        {RECORDS.format(path="result")}
        partition_router:
          type: SubstreamPartitionRouter
          parent_stream_configs:
            - type: ParentStreamConfig
              stream: "#/definitions/listing"
              parent_key: product_id
              partition_field: product_id"""
    return stream(name, requester(path, parameter, value), more)


LISTING = stream(
    "listing",
    requester(
        calls.LISTING,
        "param0",
        '{"page": {{ (next_page_token or {}).get("next_page_token") or 0 }}, "page_size": ' + f"{calls.PAGE_SIZE}}}",
    ),
    f"""
        record_selector:
          type: RecordSelector
          extractor: {{type: CustomRecordExtractor, class_name: peer_airbyte.Ids}}
        paginator:
          type: DefaultPaginator
          pagination_strategy: {{type: PageIncrement, start_from_page: 0, page_size: {calls.PAGE_SIZE}}}""",
)


class Ids:
    """A record an id: the listing holds bare numbers."""

    def __init__(self, **_: Any) -> None:
        pass

    def extract_records(self, response: requests.Response) -> Any:
        """The records of a page."""
        return ({"product_id": str(one)} for one in response.json()["result"]["result_data"])


MANIFEST = f"""
version: 7.0.0
type: DeclarativeSource
check: {{type: CheckStream, stream_names: [listing]}}
concurrency_level: {{type: ConcurrencyLevel, default_concurrency: 20}}
definitions:{LISTING}
{child("products", calls.DESCRIPTION, "query_req", '{"product_id": "{{ stream_partition.product_id }}"}')}
{child("stock", calls.STOCK, "inv_req", '{"product_id": "{{ stream_partition.product_id }}"}')}
streams:
  - "#/definitions/products"
  - "#/definitions/stock"
spec: {{type: Spec, connection_specification: {{type: object, properties: {{}}}}}}
"""


def selected(*names: str) -> str:
    """The catalogue that asks for these streams, whole."""
    streams = [
        {
            "stream": {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
        }
        for name in names
    ]
    return json.dumps({"streams": streams})


def main() -> None:
    """One extraction."""
    sys.modules["peer_airbyte"] = sys.modules["__main__"]
    with tempfile.TemporaryDirectory() as folder:
        manifest, config, catalog = (Path(folder, name) for name in ("manifest.yaml", "config.json", "catalog.json"))
        manifest.write_text(MANIFEST)
        config.write_text("{}")
        catalog.write_text(selected("products", "stock"))
        os.environ["AIRBYTE_ENABLE_UNSAFE_CODE"] = "true"
        arguments = ["read", "--config", str(config), "--catalog", str(catalog)]
        launch(YamlDeclarativeSource(str(manifest)), arguments)


if __name__ == "__main__":
    main()
