"""What each catalogue and token request says, in which dialect."""

import orjson
import pytest

from dropship_pipeline.alibaba.dialect import Dialect, DialectMemory
from dropship_pipeline.alibaba.operations import OPERATIONS
from dropship_pipeline.alibaba.requests import (
    BatchRead,
    CreateToken,
    DescribeProduct,
    EstimateFreight,
    ListProducts,
    ProductEvent,
    ReadInventory,
    RefreshToken,
    Request,
    SendProductEvents,
)

GUIDE, LIVE = Dialect.GUIDE, Dialect.LIVE

WRAPPED = [
    (
        ListProducts("scene", 0, 50, "906124611"),
        GUIDE,
        "query_req",
        {"scene_id": "906124611", "page": 0, "page_size": 50},
    ),
    (
        ListProducts("scene", 2, 50, "906124611"),
        LIVE,
        "query_req",
        {"scene_id": "906124611", "index": 2, "size": 50, "product_type": "common"},
    ),
    (ListProducts("local", 0, 50, country="US"), GUIDE, "req", {"page": 0, "page_size": 50, "country": "US"}),
    (ListProducts("local", 0, 50, country="MX"), LIVE, "req", {"index": 0, "size": 50, "country": "MX"}),
    (ListProducts("localregular", 1, 50), GUIDE, "req", {"page": 1, "page_size": 50}),
    (ListProducts("crossborder", 1, 50), GUIDE, "param0", {"page": 1, "page_size": 50}),
    (ListProducts("crossborder", 1, 50), LIVE, "param0", {"index": 1, "size": 50}),
    (DescribeProduct("1601206892606"), GUIDE, "query_req", {"product_id": "1601206892606"}),
    (DescribeProduct("1", "MX"), LIVE, "query_req", {"product_id": "1", "country": "MX"}),
    (
        DescribeProduct("1", ship_to_country="DE"),
        LIVE,
        "query_req",
        {"product_id": "1", "country": "US", "ship_to_country": "DE"},
    ),
    (
        ReadInventory("1600927952535", shipping_from="CN"),
        GUIDE,
        "inv_req",
        {"product_id": "1600927952535", "shipping_from": "CN"},
    ),
    (ReadInventory("1", "2"), LIVE, "inv_req", {"product_id": "1", "sku_id": "2"}),
    (BatchRead.descriptions(["1", "2"]), GUIDE, "param0", {"product_ids": ["1", "2"]}),
    (BatchRead.descriptions(["1"]), LIVE, "param0", {"product_ids": ["1"], "country": "US"}),
    (BatchRead.inventories(["1", "2"]), GUIDE, "query_req", {"product_ids": ["1", "2"]}),
    (BatchRead.key_attributes(["1"]), LIVE, "query_req", {"product_ids": ["1"]}),
    (
        SendProductEvents((ProductEvent("1", "PRODUCT_LISTED", "shopify", "store-1", {"price": "3"}),)),
        GUIDE,
        "query_req",
        {
            "events": [
                {
                    "ali_product_id": "1",
                    "event_type": "PRODUCT_LISTED",
                    "channel": "shopify",
                    "channel_store_id": "store-1",
                    "body": {"price": "3"},
                }
            ]
        },
    ),
]


@pytest.mark.parametrize(("request_", "dialect", "wrapper", "content"), WRAPPED)
def test_a_wrapped_request_is_one_parameter_of_json(
    request_: Request, dialect: Dialect, wrapper: str, content: dict[str, object]
) -> None:
    params = request_.params(dialect)
    assert list(params) == [wrapper] == [request_.operation.wrapper]
    assert orjson.loads(params[wrapper]) == content


def test_each_listing_has_its_endpoint() -> None:
    assert {
        kind: ListProducts(kind, 0, 1).operation.path for kind in ("scene", "local", "localregular", "crossborder")
    } == {
        "scene": "/eco/buyer/product/check",
        "local": "/eco/buyer/local/product/check",
        "localregular": "/eco/buyer/localregular/product/check",
        "crossborder": "/eco/buyer/crossborder/product/check",
    }


@pytest.mark.parametrize(("dialect", "name", "size"), [(GUIDE, "page_size", 100), (LIVE, "size", 300)])
def test_a_page_is_no_larger_than_the_dialect_allows(dialect: Dialect, name: str, size: int) -> None:
    assert orjson.loads(ListProducts("local", 0, 1000).params(dialect)["req"])[name] == size


def test_freight_is_asked_for_as_the_guide_asks() -> None:
    full = EstimateFreight("1600124642247", 5, "uk", "90001", "CN", enable_distribution_waybill=True)
    assert full.params(GUIDE) == {
        "product_id": "1600124642247",
        "quantity": "5",
        "destination_country": "GB",
        "zip_code": "90001",
        "dispatch_location": "CN",
        "enable_distribution_waybill": "true",
    }
    assert EstimateFreight("1", 1, "US").params(LIVE) == {
        "product_id": "1",
        "quantity": "1",
        "destination_country": "US",
    }


def test_token_requests_carry_the_code_or_the_refresh_token() -> None:
    assert CreateToken("3_500102_x").params(GUIDE) == {"code": "3_500102_x"}
    assert CreateToken("3_500102_x", "u-1").params(GUIDE) == {"code": "3_500102_x", "uuid": "u-1"}
    assert RefreshToken("r").params(GUIDE) == {"refresh_token": "r"}


def test_keys_name_what_was_asked_for() -> None:
    assert ListProducts("scene", 3, 50, "906124611", label="us_standard").key == "us_standard:3"
    assert ListProducts("local", 0, 50).key == "local:0"
    assert [DescribeProduct("7").key, ReadInventory("7").key, EstimateFreight("7", 1, "US").key] == ["7", "7", "7"]
    assert BatchRead.inventories(["1", "2"]).key == "1,2"


def test_only_what_differs_between_the_dialects_is_said_to() -> None:
    requests: list[Request] = [request for request, *_ in WRAPPED] + [EstimateFreight("1", 1, "US")]
    for request in requests:
        differs = request.params(GUIDE) != request.params(LIVE)
        assert request.operation.speaks_dialect == (differs and request.operation.name != "describe_products")


def test_every_endpoint_of_the_guide_and_of_the_live_facts_has_its_row() -> None:
    assert {row.path for row in OPERATIONS.values()} == {
        "/auth/token/create",
        "/auth/token/refresh",
        "/eco/buyer/product/check",
        "/eco/buyer/local/product/check",
        "/eco/buyer/localregular/product/check",
        "/eco/buyer/crossborder/product/check",
        "/eco/buyer/product/description",
        "/eco/buyer/product/inventory",
        "/shipping/freight/calculate",
        "/order/freight/calculate",
        "/buynow/order/create",
        "/alibaba/dropshipping/order/pay",
        "/alibaba/order/list",
        "/alibaba/order/get",
        "/alibaba/order/fund/query",
        "/order/logistics/query",
        "/order/logistics/tracking/get",
        "/eco/buyer/product/batch/description",
        "/eco/buyer/product/batch/inventory",
        "/eco/buyer/product/batch/keyattributes",
        "/eco/buyer/product/events",
        "/alibaba/order/cancel",
        "/alibaba/order/pay/result/query",
    }


def test_what_changes_something_is_not_repeatable_and_secrets_are_not_put_into_urls() -> None:
    assert {row.name for row in OPERATIONS.values() if not row.repeatable} == {
        "create_token",
        "create_order",
        "pay_orders",
        "cancel_order",
        "send_product_events",
    }
    posted = {row.name for row in OPERATIONS.values() if row.methods[0] == "POST"}
    assert {"create_token", "refresh_token", "create_order", "calculate_order_freight"} <= posted


def test_the_first_decision_about_the_dialect_stands() -> None:
    memory = DialectMemory()
    assert memory.undecided
    assert memory.current is GUIDE
    memory.decide(LIVE)
    memory.decide(GUIDE)
    assert not memory.undecided
    assert memory.current is LIVE
    assert DialectMemory(LIVE).current is LIVE
