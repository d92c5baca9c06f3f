"""The guide's examples of products, stock and freight, sent as the guide sends them: the answers are the guide's."""

import json

SUCCESS = {"result_msg": "request success", "result_code": "200"}


def answered(answer):
    """An answer without its request id, which differs each time."""
    assert answer.pop("request_id")
    return answer


def test_the_example_products_lead_the_standard_us_list(client):
    query_req = json.dumps({"scene_id": "906124611", "page": 0, "page_size": 50})
    answer = answered(client.call("/eco/buyer/product/check", {"query_req": query_req}))
    ids = answer["result"].pop("result_data")
    total = answer["result"].pop("result_total")
    assert answer == {"result": SUCCESS, "code": "0"}
    assert ids[:3] == [1284823, 28743823, 1600124642247]
    assert len(ids) == 50
    assert isinstance(total, str)
    assert int(total) > 200


def test_the_example_products_lead_the_local_us_list_which_tells_no_total(client):
    req = json.dumps({"page": 0, "page_size": 50, "country": "US"})
    answer = answered(client.call("/eco/buyer/local/product/check", {"req": req}))
    assert answer["result"].pop("result_data")[:2] == [1284823, 28743823]
    assert answer == {"result": SUCCESS, "code": "0"}


def test_the_other_lists_answer_the_examples(client):
    for path, name in (
        ("/eco/buyer/localregular/product/check", "req"),
        ("/eco/buyer/crossborder/product/check", "param0"),
    ):
        answer = answered(client.call(path, {name: json.dumps({"page": 0, "page_size": 50})}))
        assert all(isinstance(product_id, int) for product_id in answer["result"].pop("result_data"))
        assert answer == {"result": SUCCESS, "code": "0"}


def test_the_description(client):
    query_req = json.dumps({"product_id": "1601206892606"})
    assert answered(client.call("/eco/buyer/product/description", {"query_req": query_req})) == {
        "result": {
            "result_msg": "request success",
            "result_data": {
                "product_id": "1601206892606",
                "title": "Sublimation Mug 40oz Tumbler Stainless Steel Double Wall",
                "description": "<html>Product description HTML</html>",
                "detail_url": "https://www.alibaba.com/product-detail/1601206892606.html",
                "main_image": "https://sc04.alicdn.com/kf/H223c0dee279948d3bbfeb813ab8fb58co.jpg",
                "images": ["https://sc04.alicdn.com/kf/image1.jpg", "https://sc04.alicdn.com/kf/image2.jpg"],
                "category_id": "100003291",
                "category": "Vacuum Flasks & Thermoses",
                "supplier": "Company Name",
                "eCompanyId": "xxxxxxxxx",
                "currency": "USD",
                "min_order_quantity": "50",
                "status": "PRODUCT_ONLINE",
                "mode_id": "AV.YW.DEP.103.L",
                "wholesale_trade": {
                    "min_order_quantity": "12",
                    "unit_type": "Piece",
                    "handling_time": "3",
                    "price": "12.34",
                    "deliver_periods": [{"quantity": "50", "process_period": "3"}],
                },
                "skus": [
                    {
                        "sku_id": "105613018158",
                        "product_id": "1601206892606",
                        "seller_sku_id": "1601206892606_107152354495",
                        "status": "NORMAL",
                        "unit": "Piece",
                        "image": "https://sc04.alicdn.com/kf/sku_image.jpg",
                        "sku_attr_list": [
                            {
                                "attr_name_id": "1111",
                                "attr_name_desc": "Color",
                                "attr_value_id": "-11",
                                "attr_value_desc": "40oz solid color tumbler 1.0",
                                "attr_value_image": "https://sc04.alicdn.com/kf/attr_image.jpg",
                            }
                        ],
                        "ladder_price": [
                            {"min_quantity": "50", "max_quantity": "499", "price": "3.69", "currency": "USD"}
                        ],
                    }
                ],
            },
            "result_code": "200",
        },
        "code": "0",
    }


def test_the_inventory(client):
    inv_req = json.dumps({"product_id": "1600927952535", "shipping_from": "CN"})
    assert answered(client.call("/eco/buyer/product/inventory", {"inv_req": inv_req})) == {
        "result": {
            "result_msg": "request success",
            "result_data": [
                {
                    "shipping_from": "CN",
                    "inventory_list": [
                        {
                            "product_id": "1600927952535",
                            "sku_id": "104536974925",
                            "inventory_count": "1196",
                            "inventory_unit": "Piece",
                        }
                    ],
                }
            ],
            "result_code": "200",
        },
        "code": "0",
    }


def test_the_basic_freight(client):
    params = {
        "product_id": "1600124642247",
        "quantity": "5",
        "destination_country": "US",
        "zip_code": "90001",
        "dispatch_location": "CN",
    }
    expected = {
        "code": "0",
        "value": [
            {
                "shipping_type": "EXPRESS",
                "vendor_code": "EX_ASP_Economy_Express_3C",
                "vendor_name": "Alibaba.com Economy Express (3C)",
                "trade_term": "DAP",
                "dispatch_country": "CN",
                "destination_country": "US",
                "delivery_time": "10~15",
                "solution_biz_type": "distributionWaybill",
                "fee": {"amount": "19.1", "currency": "USD"},
            }
        ],
    }
    for method in ("GET", "POST"):
        assert answered(client.call("/shipping/freight/calculate", params, method=method)) == expected


def test_the_advanced_freight(client):
    address = {
        "zip": "35022",
        "country": {"code": "US", "name": "United States"},
        "province": {"code": "AL", "name": "Alabama"},
        "city": {"code": "", "name": "Bessemer"},
        "address": "4595 Clubview Drive",
    }
    params = {
        "e_company_id": "cVmhg7/xG8q3UQgcH/5Fag==",
        "destination_country": "US",
        "dispatch_location": "CN",
        "address": json.dumps(address),
        "logistics_product_list": json.dumps([{"product_id": "1600191825486", "sku_id": "12321", "quantity": "1"}]),
    }
    expected = {
        "code": "0",
        "value": [
            {
                "vendor_code": "seller_oversea_distributor_sellers_shipping_method_1",
                "vendor_name": "Seller's Shipping Method 1",
                "shipping_type": "EXPRESS/MULTIMODAL_TRANSPORT",
                "trade_term": "DAP",
                "dispatch_country": "US",
                "destination_country": "US",
                "delivery_time": "3-9",
                "solution_biz_type": "distributionWaybill",
                "store_type": "CERTIFIED",
                "fee": {"amount": "3.0", "currency": "USD"},
            }
        ],
    }
    for method in ("GET", "POST"):
        assert answered(client.call("/order/freight/calculate", params, method=method)) == expected


def test_every_product_that_the_guide_names_can_be_described_and_has_stock(client):
    for product_id in (
        "1284823",
        "28743823",
        "1600124642247",
        "1601206892606",
        "1600927952535",
        "1600191825486",
        "100001",
        "1601314875038",
    ):
        description = client.describe(product_id)["result"]["result_data"]
        assert (description["product_id"], description["status"]) == (product_id, "PRODUCT_ONLINE")
        places = client.inventory(product_id)["result"]["result_data"]
        counted = [int(sku["inventory_count"]) for place in places for sku in place["inventory_list"]]
        assert counted
        assert min(counted) > 0


def test_the_examples_are_the_same_in_every_world_and_do_not_drift(own):
    _, first = own(products=50, seed=1, drift=1, clock_start_ms=1_769_000_000_000)
    running, second = own(products=50, seed=2, drift=50, clock_start_ms=1_795_000_000_000)
    mug = answered(first.describe("1601206892606"))
    assert answered(second.describe("1601206892606")) == mug
    running.control("clock", {"advance_s": 400 * 86_400})
    second.env["ALIBABA_ACCESS_TOKEN"] = running.control("accounts/issue", {})["access_token"]
    assert answered(second.describe("1601206892606")) == mug


def test_the_live_dialect_answers_the_examples_too_with_more_fields(live_client):
    told = live_client.describe("1601206892606", country="US", ship_to_country="US")["result"]["result_data"]
    (sku,) = told["skus"]
    assert sku["ladder_price"] == [{"min_quantity": "50", "max_quantity": "499", "price": "3.69", "currency": "USD"}]
    assert (sku["cost_origin_price"], sku["shipping_fee"], sku["total_discount_cost_price"]) == ("3.69", "1.10", "4.79")
