"""Descriptions, inventories, key attributes, batches and events over HTTP, against the truth of the sandbox."""

import json
from decimal import Decimal

import pytest

from dropship_pipeline.sandbox.endpoints.payloads import description_of, inventory_of
from dropship_pipeline.sandbox.world.catalogue import Catalogue

NOW = 1_769_000_000_000


def some_ids(running, step=23):
    return running.control("truth/products")["product_ids"][::step]


def test_descriptions_and_inventories_are_what_is_true(frozen, client):
    for product_id in some_ids(frozen):
        product = frozen.control(f"truth/product?id={product_id}")
        assert client.describe(product_id)["result"]["result_data"] == product["description"]
        assert client.inventory(product_id)["result"]["result_data"] == product["inventory"]


def test_every_value_of_a_payload_is_text(frozen, client):
    def leaves(value):
        if isinstance(value, dict):
            value = list(value.values())
        return [leaf for inner in value for leaf in leaves(inner)] if isinstance(value, list) else [value]

    for product_id in some_ids(frozen, 70):
        answers = client.describe(product_id), client.inventory(product_id)
        assert all(isinstance(leaf, str) for answer in answers for leaf in leaves(answer))


def test_what_a_payload_tells_is_what_an_order_is_charged_and_can_have():
    catalogue = Catalogue(4, 400, drift=1)
    for product_id in catalogue.ids(NOW)[::11]:
        product = catalogue.product(product_id, NOW)
        told = description_of(product, live=False, ship_to="")
        for sku, document in zip(product.skus, told["skus"], strict=True):
            assert document["sku_id"] == sku.sku_id
            for tier in document["ladder_price"]:
                assert Decimal(tier["price"]) == sku.unit_price(int(tier["min_quantity"]))
        for place in inventory_of(product):
            counts = [int(item["inventory_count"]) for item in place["inventory_list"]]
            assert counts == [sku.stock(place["shipping_from"]) for sku in product.skus]


def test_some_products_have_no_wholesale_terms_and_some_of_those_no_periods(frozen):
    told = [product["description"] for product in frozen.control("truth/catalogue")["products"]]
    terms = [description.get("wholesale_trade") for description in told]
    assert None in terms
    assert any(term and not term["deliver_periods"] for term in terms)
    assert any(term and len(term["deliver_periods"]) > 1 for term in terms)


def test_a_product_id_may_be_a_number(client):
    assert client.describe(1601206892606)["result"]["result_data"]["product_id"] == "1601206892606"


@pytest.mark.parametrize("read", ["describe", "inventory"])
@pytest.mark.parametrize("product_id", ["1", "1600000000001", "abc", "99999999999999999999"])
def test_a_product_that_never_was_is_not_found(client, read, product_id):
    result = getattr(client, read)(product_id)["result"]
    assert result == {"result_code": "404", "result_msg": "product not found"}


def test_an_inventory_can_be_asked_for_one_place_and_one_sku(frozen, client):
    product = next(
        product
        for product in frozen.control("truth/catalogue")["products"]
        if product["dispatch_locations"] == ["CN", "US"] and len(product["description"]["skus"]) > 1
    )
    product_id, sku_id = product["product_id"], product["description"]["skus"][1]["sku_id"]
    (place,) = client.inventory(product_id, shipping_from="US")["result"]["result_data"]
    assert place["shipping_from"] == "US"
    assert len(place["inventory_list"]) == len(product["description"]["skus"])
    places = client.inventory(product_id, sku_id=sku_id)["result"]["result_data"]
    assert [p["shipping_from"] for p in places] == ["CN", "US"]
    assert {sku["sku_id"] for p in places for sku in p["inventory_list"]} == {sku_id}
    assert client.inventory(product_id, shipping_from="MX")["result"]["result_data"] == []
    assert client.inventory(product_id, sku_id="1")["result"]["result_data"] == []


def test_the_live_dialect_wants_a_country_for_a_description(live_client):
    result = live_client.describe("1601206892606")["result"]
    assert result == {"result_msg": "Parameter format is error!", "result_code": "400"}
    assert live_client.describe("1601206892606", country="US")["result"]["result_code"] == "200"


def test_costs_are_told_only_by_the_live_dialect_and_only_where_a_country_to_ship_to_is_named(client, live_client):
    def cost_fields(answer):
        return set(answer["result"]["result_data"]["skus"][0]) & {"cost_origin_price", "total_origin_cost_price"}

    assert not cost_fields(client.describe("1601206892606", country="US", ship_to_country="US"))
    assert not cost_fields(live_client.describe("1601206892606", country="US"))
    assert cost_fields(live_client.describe("1601206892606", country="US", ship_to_country="US"))


def test_the_live_inventory_also_lists_where_a_product_ships_from(live_client):
    result = live_client.inventory("1600124642247", shipping_from="CN")["result"]
    assert result["result_ship_from_list"] == ["CN", "US"]


def test_key_attributes_come_in_groups(client):
    path, query_req = "/eco/buyer/product/keyattributes", json.dumps({"product_id": "1601206892606"})
    groups = client.call(path, {"query_req": query_req})["result"]["result_data"]["attributes"]
    assert [group["type"] for group in groups] == ["Industry-specific attributes", "Other attributes"]
    named = {attribute["name"]: attribute["values"] for group in groups for attribute in group["attributes"]}
    assert named["Color"] == [{"value": "40oz solid color tumbler 1.0"}]


def test_a_batch_of_descriptions_tells_each_product_and_fails_the_unknown_one_by_one(frozen, client):
    ids = [*some_ids(frozen, 80), "1"]
    param0 = json.dumps({"product_ids": [int(product_id) for product_id in ids]})
    answer = client.call("/eco/buyer/product/batch/description", {"param0": param0})
    assert (answer["code"], answer["result"]["code"], answer["result"]["success"]) == ("0", "200", "true")
    data = answer["result"]["data"]
    assert data["failedItems"] == [{"productId": "1", "errorCode": "404", "errorMsg": "product not found"}]
    assert [item["product_id"] for item in data["resultData"]] == ids[:-1]
    for item in data["resultData"]:
        single = client.describe(item["product_id"])["result"]["result_data"]
        assert item["skus"] == single["skus"]
        assert isinstance(item["wholesale_trade"], list)
        assert item["images"] == ",".join(single["images"])


def test_a_batch_of_inventories_tells_each_product_and_fails_the_unknown_one_by_one(frozen, client):
    ids = [*some_ids(frozen, 80), "1"]
    answer = client.call("/eco/buyer/product/batch/inventory", {"query_req": json.dumps({"product_ids": ids})})
    data = answer["result"]["data"]
    assert data["failed_items"] == [{"product_id": "1", "error_code": "404", "error_msg": "product not found"}]
    for item in data["result_data"]:
        assert item["inventory_list"] == client.inventory(item["product_id"])["result"]["result_data"]
        assert item["ship_from_list"] == [place["shipping_from"] for place in item["inventory_list"]]


def test_a_batch_of_key_attributes(client):
    query_req = json.dumps({"product_ids": ["1601206892606", "2"]})
    data = client.call("/eco/buyer/product/batch/keyattributes", {"query_req": query_req})["result"]["data"]
    (item,) = data["resultData"]
    assert item["productId"] == "1601206892606"
    assert set(item["attributes"][0]["attributes"][0]["values"][0]) == {"id", "name", "verified"}
    assert [failed["productId"] for failed in data["failedItems"]] == ["2"]


@pytest.mark.parametrize("ids", [[], "1601206892606", [str(n) for n in range(101)], [{}]])
def test_a_batch_of_nothing_of_too_many_or_of_no_ids_is_a_format_error(client, ids):
    answer = client.call("/eco/buyer/product/batch/description", {"param0": json.dumps({"product_ids": ids})})
    assert answer["result"]["result_code"] == "400"


def test_events_of_a_channel_are_taken_note_of(client):
    event = {"ali_product_id": 1601206892606, "event_type": "PRODUCT_LISTED", "channel": "SHOPIFY", "body": {}}
    query_req = json.dumps({"events": [event, {**event, "event_type": "ORDER_PLACED"}]})
    answer = client.call("/eco/buyer/product/events", {"query_req": query_req}, method="POST")
    del answer["request_id"]
    result = {"result_message": "request success", "result_data": {"total": 2}, "result_code": "200"}
    assert answer == {"result": result, "code": "0"}


@pytest.mark.parametrize(
    "event", [{}, {"ali_product_id": 1}, {"ali_product_id": 1, "event_type": "SOLD"}, {"event_type": "PRODUCT_LISTED"}]
)
def test_an_event_that_is_none_is_a_format_error(client, event):
    query_req = json.dumps({"events": [event]})
    answer = client.call("/eco/buyer/product/events", {"query_req": query_req}, method="POST")
    assert answer["result"]["result_code"] == "400"
