"""Freight: quotes from where a product lies, and every refusal with the code that Alibaba.com gives."""

import json
from decimal import Decimal

import pytest

from dropship_pipeline.sandbox.api import Refusal
from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.freight import DISPATCH_LOCATIONS

NOW = 1_769_000_000_000
ADDRESS = {
    "zip": "10012",
    "country": {"code": "US", "name": "United States"},
    "province": {"code": "NY", "name": "New York"},
    "city": {"code": "", "name": "New York"},
    "address": "123 Main Street",
}


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue(1, 4000, drift=0)


@pytest.fixture(scope="module")
def products(catalogue):
    return [catalogue.product(product_id, NOW) for product_id in catalogue.ids(NOW) if len(product_id) == 13]


def code_of(catalogue, product, quantity, destination, dispatch, *, advanced=False):
    """The code of the refusal, or how many options there are."""
    try:
        return len(catalogue.freight(product, quantity, destination, dispatch, advanced))
    except Refusal as refusal:
        return refusal.code if refusal.shape == "business" else refusal


def is_plain(product):
    return not product.restricted_countries and not product.design.template_fails


def outcomes(catalogue, products, dispatch=None, *, quantity=None, destination="US"):
    return [
        code_of(catalogue, p, quantity or p.moq, destination, dispatch or p.dispatch_locations[0]) for p in products
    ]


def test_nearly_every_product_ships_from_where_it_lies_and_a_few_percent_are_refused(catalogue, products):
    found = outcomes(catalogue, products)
    shares = {code: found.count(code) / len(found) for code in set(found)}
    assert sum(share for code, share in shares.items() if isinstance(code, int) and code > 0) > 0.93
    for code in ("4016", "4015", "120019"):
        assert 0.002 < shares[code] < 0.04
    assert set(shares) <= {1, 2, 3, 4, "4016", "4015", "120019"}


def test_from_elsewhere_there_is_no_route_or_another_word_for_it_or_no_answer(catalogue, products):
    us_only = [p for p in products if p.dispatch_locations == ("US",) and is_plain(p)]
    found = outcomes(catalogue, us_only, "CN")
    assert set(found) <= {"10010", "10012", 0, "4015"}
    assert found.count("10010") > len(found) / 2
    assert found.count("10012") > 10
    assert found.count(0) > 10


def test_mexican_products_ask_for_their_dispatch_location(catalogue, products):
    mexican = [p for p in products if p.dispatch_locations == ("MX",) and is_plain(p)]
    assert set(outcomes(catalogue, mexican, "CN", destination="MX")) == {"130608"}
    assert all(isinstance(code, int) and code > 0 for code in outcomes(catalogue, mexican, "MX", destination="MX"))


def test_a_dispatch_location_that_does_not_exist_is_invalid(catalogue, products):
    cn_only = next(p for p in products if p.dispatch_locations == ("CN",) and is_plain(p))
    assert code_of(catalogue, cn_only, cn_only.moq, "US", "XX") == "10012"


def test_what_no_other_location_can_mend_is_refused_from_everywhere(catalogue, products):
    restricted = [p for p in products if "US" in p.restricted_countries]
    assert restricted
    for product in restricted[:20]:
        codes = {code_of(catalogue, product, product.moq, "US", place) for place in DISPATCH_LOCATIONS}
        assert codes in ({"120019"}, {"4015"})


def test_below_the_smallest_order_there_is_no_sku_cost(catalogue, products):
    several = [p for p in products if p.moq > 1 and is_plain(p)][:100]
    assert set(outcomes(catalogue, several, quantity=1)) <= {"4027", "4015"}
    assert all(code != "4027" for code in outcomes(catalogue, several))


def test_a_failing_template_fails_from_every_place_the_product_lies_in(catalogue, products):
    failing = [p for p in products if p.design.template_fails and not p.restricted_countries]
    assert failing
    for product in failing[:20]:
        codes = {code_of(catalogue, product, product.moq, "US", place) for place in product.dispatch_locations}
        assert codes in ({"4016"}, {"4015"})


def test_uk_is_no_country_and_gb_is(client):
    assert client.freight("1600124642247", 5, "UK")["code"] == "4015"
    assert client.freight("1600124642247", 5, "GB")["value"][0]["destination_country"] == "GB"
    assert client.freight("1600124642247", 5, "gb")["code"] == "0"


def test_more_pieces_farther_away_cost_more(catalogue, products):
    product = next(p for p in products if p.dispatch_locations == ("CN",) and is_plain(p) and p.moq == 1)

    def economy(quantity, destination):
        options = catalogue.freight(product, quantity, destination, "CN", False)
        return next(option.fee for option in options if option.vendor_code == "EX_ASP_Economy_Express_3C")

    assert economy(1, "JP") < economy(1, "US") < economy(10, "US") < economy(10, "BR")


def test_a_remote_zip_code_costs_more(catalogue, products):
    product = next(p for p in products if p.dispatch_locations == ("US",) and is_plain(p))
    near, far = (
        catalogue.freight(product, product.moq, "US", "US", False, zip_code)[0] for zip_code in ("90001", "99501")
    )
    assert near.fee < far.fee


def test_no_dispatch_location_means_china(client):
    answer = client.freight("1600124642247", 5)
    assert answer["value"][0]["dispatch_country"] == "CN"


def test_basic_estimates_and_orders_know_different_carriers(catalogue, products):
    for product in [p for p in products if is_plain(p)][:200]:
        for place in product.dispatch_locations:
            try:
                basic = catalogue.freight(product, product.moq, place, place, False)
                advanced = catalogue.freight(product, product.moq, place, place, True)
            except Refusal:
                continue
            assert not {o.vendor_code for o in basic} & {o.vendor_code for o in advanced}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"quantity": "5", "destination_country": "US"}, "MissingParameter"),
        ({"product_id": "1600124642247", "destination_country": "US"}, "MissingParameter"),
        ({"product_id": "1600124642247", "quantity": "5"}, "MissingParameter"),
        ({"product_id": "1600124642247", "quantity": "0", "destination_country": "US"}, "InvalidParameter"),
        ({"product_id": "1600124642247", "quantity": "five", "destination_country": "US"}, "InvalidParameter"),
        ({"product_id": "1", "quantity": "5", "destination_country": "US"}, "130106"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(client, params, code):
    assert client.call("/shipping/freight/calculate", params)["code"] == code


def test_what_the_truth_says_of_freight_is_what_is_answered(frozen, client):
    for product_id in frozen.control("truth/products")["product_ids"][::40]:
        truth = frozen.control(f"truth/freight?id={product_id}&destination=US")
        for place, expected in truth["answers"].items():
            answer = client.freight(product_id, truth["quantity"], "US", place)
            if "value" in expected:
                assert (answer["code"], answer["value"]) == ("0", expected["value"])
            else:
                assert (answer["code"], answer["message"]) == (expected["code"], expected["message"])


def advanced(client, product, skus, *, quantity="50", e_company_id=None, address=ADDRESS, dispatch="CN"):
    items = [{"product_id": product["product_id"], "sku_id": sku, "quantity": quantity} for sku in skus]
    params = {
        "e_company_id": e_company_id or product["eCompanyId"],
        "destination_country": "US",
        "dispatch_location": dispatch,
        "logistics_product_list": json.dumps(items),
    }
    if address is not None:
        params["address"] = json.dumps(address)
    return client.call("/order/freight/calculate", params)


@pytest.fixture
def described(client):
    return client.describe("1600124642247")["result"]["result_data"]


def test_the_freight_of_several_items_is_their_sum(client, described):
    sku = described["skus"][0]["sku_id"]
    one = {o["vendor_code"]: Decimal(o["fee"]["amount"]) for o in advanced(client, described, [sku])["value"]}
    two = {o["vendor_code"]: Decimal(o["fee"]["amount"]) for o in advanced(client, described, [sku, sku])["value"]}
    assert one
    assert two == {vendor: fee * 2 for vendor, fee in one.items()}


def test_a_sku_that_is_not_the_products_is_not_found(client, described):
    assert advanced(client, described, ["1"])["code"] == "10005"


def test_another_sellers_company_id_is_refused(client, described):
    sku = described["skus"][0]["sku_id"]
    assert advanced(client, described, [sku], e_company_id="AAAA")["code"] == "InvalidParameter"


def test_half_an_address_cannot_be_cleared_and_none_is_no_obstacle(client, described):
    sku = described["skus"][0]["sku_id"]
    assert advanced(client, described, [sku], address={"country": {"code": "US"}})["code"] == "800022"
    assert advanced(client, described, [sku], address=None)["code"] == "0"


def test_a_list_of_nothing_is_refused(client, described):
    assert advanced(client, described, [])["code"] == "InvalidParameter"
