"""Placing an order, and every refusal that the guide names."""

import json
from decimal import Decimal

import pytest
from order_desk import (
    CNFM,
    DAY,
    NOW,
    OTHER,
    Desk,
    carriers,
    catalogue,
    creation,
    in_stock,
    ordinary,
    product_where,
    products,
)

from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.order_rules import lacks_epr, promotion_unavailable
from dropship_pipeline.sandbox.world.products import ONLINE

CREATE = "/buynow/order/create"


@pytest.fixture
def desk():
    return Desk(count=0)


def line(product, sku, quantity):
    return {"product_id": product.product_id, "sku_id": sku.sku_id, "quantity": quantity}


def test_a_placed_order_is_unpaid_and_tells_what_was_ordered(desk):
    product = ordinary()
    answer = desk.ask(CREATE, **creation(product, 3))
    trade_id = answer["value"]["trade_id"]
    assert answer["value"]["pay_url"] == f"https://biz.alibaba.com/ta/detail.htm?orderId={trade_id}"
    order = desk.get(trade_id)
    assert (order["trade_status"], order["remark"]) == ("unpay", "Please handle with care")
    assert order["create_date"]["timestamp"] == str(NOW)
    bought = order["order_products"][0]
    sku = next(sku for sku in product.skus if sku.sku_id == bought["sku_id"])
    assert (bought["product_id"], bought["quantity"]) == (product.product_id, "3.0000")
    assert Decimal(bought["unit_price"]["amount"]) == sku.unit_price(3)
    assert order["seller"] == {"immutable_eid": product.e_company_id, "full_name": product.seller_name}


def test_a_placed_order_keeps_the_address_it_was_given(desk):
    address = desk.get(desk.create())["shipping_address"]
    assert (address["contact_person"], address["zip"], address["alternate_address"]) == ("John Doe", "10012", "Apt 4B")
    assert address["mobile"]["number"] == address["telephone"]["number"] == "5551234567"


def test_the_shipment_costs_what_the_advanced_freight_calculation_says(desk):
    product = ordinary()
    option = catalogue().freight(product, 3, "US", "CN", True, "10012")[0]
    order = desk.get(desk.create(product=product, quantity=3, carrier=option.vendor_code))
    assert Decimal(order["shipment_fee"]["amount"]) == option.fee
    assert order["carrier"] == {"code": option.vendor_code, "name": option.vendor_name}


def test_an_order_of_two_products_costs_both_fees(desk):
    first, second = next(
        (a, b)
        for a in products()
        for b in products()
        if a.product_id < b.product_id
        and a.e_company_id == b.e_company_id
        and all("CN" in p.dispatch_locations and in_stock(p) for p in (a, b))
        and carriers(a, a.moq, "US", "CN")[0] in carriers(b, b.moq, "US", "CN")
    )
    items = [line(product, in_stock(product), product.moq) for product in (first, second)]
    order = desk.get(desk.create(product=first, items=items))
    fees = [catalogue().freight(p, p.moq, "US", "CN", True, "10012") for p in (first, second)]
    code = order["carrier"]["code"]
    expected = sum(next(option.fee for option in options if option.vendor_code == code) for options in fees)
    assert Decimal(order["shipment_fee"]["amount"]) == expected
    assert len(order["order_products"]) == 2


def test_creating_twice_makes_two_orders_because_the_reference_is_no_idempotency_key(desk):
    first, second = desk.create(), desk.create()
    assert first != second
    assert {first, second} <= {entry["trade_id"] for entry in desk.list()}


def test_placed_orders_lead_the_list_and_survive_the_history():
    desk = Desk(count=50)
    desk.wait(1000)
    trade_id = desk.create()
    assert desk.list()[0]["trade_id"] == trade_id
    assert len(desk.list()) == 53


def test_all_optional_parameters_are_understood(desk):
    trade_id = desk.create(
        attachments=[{"file_path": "a/b", "file_usage": "DISTRIBUTION_WAY_BILL", "file_name": "waybill.jpg"}],
        enable_distribution_waybill="true",
        clearance_detail={"clearance_type": "PERSONAL", "clearance_code": "P123456789012"},
    )
    order = desk.get(trade_id)
    assert order["attachments"][0]["file_name"] == "waybill.jpg"
    assert "ds_waybill" in order["tags"]
    assert desk.orders.orders_truth(NOW)[0]["properties"] == {"platform": "Shopify", "orderId": "SH12345678"}


def test_an_order_that_nobody_pays_is_closed_after_fifteen_days(desk):
    trade_id = desk.create()
    desk.wait(15 * DAY - 1)
    assert desk.status(trade_id) == "unpay"
    desk.wait(1)
    assert desk.status(trade_id) == "trade_close"


@pytest.mark.parametrize("name", ["channel_refer_id", "product_list", "logistics_detail"])
def test_a_required_parameter_that_is_missing_is_named(desk, name):
    refusal = desk.refused(CREATE, **{**creation(), name: ""})
    assert refusal.code == "MissingParameter"
    assert f'"{name}"' in refusal.message


@pytest.mark.parametrize(
    "changes",
    [
        {"product_list": "none"},
        {"product_list": "{}"},
        {"product_list": "[]"},
        {"product_list": '["100001"]'},
        {"logistics_detail": "[]"},
        {"properties": "Shopify 1"},
        {"properties": "[1]"},
        {"attachments": '"waybill.jpg"'},
        {"clearance_detail": "[]"},
        {"enable_distribution_waybill": "yes"},
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(desk, changes):
    refusal = desk.refused(CREATE, **{**creation(), **changes})
    assert (refusal.code, refusal.shape) == ("InvalidParameter", "flat")
    assert next(iter(changes)) in refusal.message


@pytest.mark.parametrize("quantity", ["0", "-1", "1.5", "1_0", "٣", "many", "1000001", "9" * 5000, True])
def test_a_quantity_is_a_whole_number_above_zero(desk, quantity):
    product = ordinary()
    refusal = desk.creation_refused(product=product, items=[line(product, product.skus[0], quantity)])
    assert (refusal.code, "product_list[0].quantity" in refusal.message) == ("InvalidParameter", True)


@pytest.mark.parametrize("lacking", ["product_id", "sku_id", "quantity"])
def test_a_line_names_a_product_a_variant_and_a_quantity(desk, lacking):
    product = ordinary()
    items = [{**line(product, product.skus[0], 1), lacking: None}]
    assert f"product_list[0].{lacking}" in desk.creation_refused(product=product, items=items).message


def test_an_order_without_carrier_recipient_or_telephone_is_refused_as_incomplete(desk):
    detail = creation()["logistics_detail"]
    assert desk.creation_refused(logistics_detail={**detail, "carrier_code": ""}).code == "MissingParameter"
    assert desk.creation_refused(logistics_detail={"carrier_code": "X"}).code == "MissingParameter"
    assert "contact_person" in desk.creation_refused(address={"contact_person": ""}).message
    assert "telephone" in desk.creation_refused(address={"telephone": {"country": "+1", "number": "null"}}).message


def test_110001_an_account_registered_in_china_may_not_order(desk):
    assert desk.creation_refused(CNFM).code == "110001"


@pytest.mark.parametrize("lacking", ["zip", "city", "province", "address", "country_code"])
def test_800022_the_tariff_needs_the_complete_address(desk, lacking):
    refusal = desk.creation_refused(address={lacking: ""})
    assert (refusal.code, refusal.shape) == ("800022", "business")
    assert lacking in refusal.message


def test_800022_korea_wants_to_know_who_clears_the_customs(desk):
    product = product_where(
        lambda p: "CN" in p.dispatch_locations and in_stock(p) and "4015" not in freight_codes(p, "KR", "CN")
    )
    assert desk.creation_refused(product=product, country="KR").code == "800022"
    assert desk.create(product=product, country="KR", clearance_detail={"clearance_code": "P123456789012"})


def freight_codes(product, country, location):
    """What freight refuses with; empty where it does not."""
    from dropship_pipeline.sandbox.api import Refusal

    try:
        catalogue().freight(product, product.moq, country, location, True, "")
    except Refusal as refusal:
        return {refusal.code}
    return set()


def test_130106_a_product_that_is_unknown_or_offline_cannot_be_ordered():
    shop = Catalogue(7, 3000, 1.0)
    gone = next(
        product
        for product_id in catalogue().ids(NOW)
        if (product := shop.product(product_id, NOW)) and product.status != ONLINE
    )
    desk = Desk(count=0, shop=shop)
    for product_id in ("1", "1999999999999", gone.product_id):
        items = [{"product_id": product_id, "sku_id": "1", "quantity": 1}]
        refusal = desk.creation_refused(items=items)
        assert (refusal.code, refusal.message) == ("130106", "The product has expired. Please select again.")


def test_10005_a_variant_of_another_product_is_not_found(desk):
    first, second = products()[:2]
    assert desk.creation_refused(items=[line(first, second.skus[0], 500)]).code == "10005"


def test_an_order_has_one_supplier(desk):
    first = ordinary()
    second = product_where(lambda p: p.e_company_id != first.e_company_id)
    items = [line(product, product.skus[0], product.moq) for product in (first, second)]
    assert desk.creation_refused(items=items).code == "InvalidParameter"


def test_410006_less_than_the_minimum_is_refused(desk):
    product = product_where(lambda p: p.moq > 1 and "CN" in p.dispatch_locations)
    assert desk.creation_refused(product=product, quantity=product.moq - 1).code == "410006"


def test_10007_the_minimum_spread_over_variants_has_no_price_for_each(desk):
    product = product_where(lambda p: p.moq > 1 and len(p.skus) > 1 and "CN" in p.dispatch_locations)
    items = [line(product, sku, product.moq - 1) for sku in product.skus[:2]]
    assert desk.creation_refused(product=product, items=items).code == "10007"


def test_140004_a_variant_of_which_there_is_none_is_out_of_stock(desk):
    product = product_where(
        lambda p: (
            "CN" in p.dispatch_locations
            and any(sku.stock("CN") == 0 for sku in p.skus)
            and carriers(p, p.moq, "US", "CN")
        )
    )
    empty = next(sku for sku in product.skus if sku.stock("CN") == 0)
    assert desk.creation_refused(product=product, sku=empty.sku_id).code == "140004"


def test_130703_more_than_there_is_is_refused_however_it_is_spread(desk):
    product, scarce = next(
        (product, sku)
        for product in products()
        if "CN" in product.dispatch_locations
        for sku in product.skus
        if 2 * product.moq < sku.stock("CN") < 300
    )
    too_many = scarce.stock("CN") + 1
    assert desk.creation_refused(product=product, sku=scarce.sku_id, quantity=too_many).code == "130703"
    halves = [line(product, scarce, too_many - product.moq), line(product, scarce, product.moq)]
    assert desk.creation_refused(product=product, items=halves).code == "130703"


def test_10010_a_dispatch_location_that_is_none_has_no_route(desk):
    detail = creation()["logistics_detail"]
    refusal = desk.creation_refused(logistics_detail={**detail, "dispatch_location": "Default as CN"})
    assert refusal.code == "10010"


def test_10012_a_dispatch_location_where_the_product_is_not_is_invalid(desk):
    product = product_where(lambda p: p.dispatch_locations == ("CN",))
    code = carriers(product, product.moq, "US", "CN")[0]
    assert desk.creation_refused(product=product, location="US", carrier=code).code == "10012"


def test_130608_a_mexican_product_asks_for_its_dispatch_location(desk):
    product = product_where(lambda p: p.dispatch_locations == ("MX",) and in_stock(p, "MX"))
    code = carriers(product, product.moq, "MX", "MX")[0]
    detail = creation(product, location="MX", country="MX")["logistics_detail"]
    del detail["dispatch_location"]
    changes = {"product": product, "country": "MX", "carrier": code}
    assert desk.creation_refused(**changes, logistics_detail=detail).code == "130608"
    assert desk.create(**changes, location="MX")


def test_an_american_product_without_its_dispatch_location_is_refused(desk):
    codes = set()
    for product in [p for p in products() if p.dispatch_locations == ("US",)][:60]:
        detail = creation(product, location="US")["logistics_detail"]
        del detail["dispatch_location"]
        codes.add(desk.creation_refused(product=product, location="US", logistics_detail=detail).code)
    assert codes == {"10010", "10012"}


def test_120019_a_restricted_product_is_not_sent_there(desk):
    product = next(
        product
        for product_id in catalogue().ids(NOW)
        if "US" in (product := catalogue().product(product_id, NOW)).restricted_countries
        and "CN" in product.dispatch_locations
        and not product.design.template_fails
    )
    assert desk.creation_refused(product=product, carrier="EX_ASP_JYC_FEDEX").code == "120019"


def test_4015_a_country_that_nobody_ships_to_is_refused_and_so_is_uk(desk):
    assert desk.creation_refused(address={"country_code": "AQ"}).code == "4015"
    assert desk.creation_refused(address={"country_code": "UK"}).code == "4015"


@pytest.mark.parametrize("country", ["DE", "FR"])
def test_400007_some_sellers_have_no_epr_number_for_germany_and_france(desk, country):
    product = product_where(lambda p: lacks_epr(p.e_company_id, country) and "CN" in p.dispatch_locations)
    address = {"country_code": country}
    assert desk.creation_refused(product=product, address=address, carrier="X").code == "400007"
    sellers = {p.e_company_id for p in products()}
    assert 0 < sum(lacks_epr(seller, country) for seller in sellers) < len(sellers) / 2
    assert not any(lacks_epr(seller, "US") for seller in sellers)


def test_4028_a_code_of_the_basic_estimate_does_not_match_an_order(desk):
    product = ordinary()
    basic = carriers(product, product.moq, "US", "CN", advanced=False)
    refusal = desk.creation_refused(product=product, carrier=basic[0])
    assert (refusal.code, refusal.message) == ("4028", "order vendor code not match")


def test_130602_a_carrier_that_does_not_exist_has_no_route(desk):
    assert desk.creation_refused(carrier="EX_ASP_PIGEON").code == "130602"


def test_130704_a_stale_promotion_is_refused_on_that_day_only(desk):
    product = ordinary()
    days = [NOW + number * DAY for number in range(4000)]
    stale = next(day for day in days if promotion_unavailable(product.product_id, day))
    desk.time_ms = stale
    assert desk.creation_refused(product=product).code == "130704"
    desk.wait(DAY)
    assert desk.create(product=product)


def test_480006_an_order_of_more_than_5000_dollars_is_refused(desk):
    product, sku, quantity = next(
        (product, sku, quantity)
        for product in products()
        if "CN" in product.dispatch_locations
        for sku in product.skus
        if sku.stock("CN") * sku.unit_price(sku.stock("CN") or 1) > 6000
        for quantity in [int(5000 / sku.unit_price(sku.stock("CN"))) + 1]
        if product.moq <= quantity <= sku.stock("CN")
    )
    assert desk.creation_refused(product=product, sku=sku.sku_id, quantity=quantity).code == "480006"


def test_430013_an_order_of_less_than_30_cents_is_refused():
    class GivenAway(Catalogue):
        """A catalogue that ships for nothing, so that an order can be as small as its products."""

        def freight(self, *question, **options):
            return [option._replace(fee=Decimal(0)) for option in super().freight(*question, **options)]

    shop = GivenAway(7, 30, 0.0)
    product = shop.product("1601314875038", NOW)
    desk = Desk(count=0, shop=shop)
    code = shop.freight(product, 3, "US", product.dispatch_locations[0], True, "10012")[0].vendor_code
    changes = {"product": product, "location": product.dispatch_locations[0], "carrier": code}
    sku = product.skus[0].sku_id
    assert product.skus[0].unit_price(2) == Decimal("0.10")
    assert desk.creation_refused(**changes, sku=sku, quantity=2).code == "430013"
    assert desk.create(**changes, sku=sku, quantity=3), "30 cents are enough"


def test_a_refused_order_leaves_nothing_behind(desk):
    desk.creation_refused(carrier="EX_ASP_PIGEON")
    assert [entry["trade_id"] for entry in desk.list(OTHER)] == []
    assert len(desk.list()) == 2, "only the guide's own"


def test_a_refusal_names_no_person(desk):
    refusal = desk.creation_refused(address={"zip": ""})
    assert "John" not in refusal.message
    assert json.dumps(refusal.message)
