"""The catalogue's answers are read as the guide and the live gateway tell them; what is bad costs little."""

import copy
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payloads import ANYTHING, DESCRIPTION, FREIGHT, INVENTORY, LISTING, PRODUCT_ID, damaged

from dropship_pipeline.alibaba.products import (
    DeliveryPeriod,
    FreightOption,
    Level,
    PriceTier,
    SkuAttribute,
    read_batch,
    read_freight_options,
    read_inventory,
    read_product,
    read_product_page,
)
from dropship_pipeline.alibaba.values import MAX_NOTES, Nulled, Unreadable


def changed(payload, *path_and_value):
    *path, name, value = path_and_value
    hurt = copy.deepcopy(payload)
    inner = hurt
    for step in path:
        inner = inner[step]
    inner[name] = value
    return hurt


def fields(record):
    return [noted.field for noted in record.nulled]


# ---- listings


def test_a_page_holds_ids_as_text_in_their_order_and_the_total():
    page = read_product_page(LISTING)
    assert page.product_ids == ["1284823", "28743823", "1600124642247"]
    assert (page.total, page.unreadable, page.nulled) == (100000, 0, ())


@pytest.mark.parametrize(
    ("result", "ids"),
    [
        ({"result_data": [{"product_id": 7}, {"product_id": "8"}]}, ["7", "8"]),
        ({"result_data": "[7, 8]"}, ["7", "8"]),
        ({"result_data": 7}, ["7"]),
        ({"result_data": []}, []),
        ({"result_data": None}, []),
        ({"result_data": "null"}, []),
        ({}, []),
        ([{"result_data": [7]}], ["7"]),
    ],
)
def test_a_list_of_ids_may_be_told_in_other_ways(result, ids):
    assert read_product_page(result).product_ids == ids


@pytest.mark.parametrize("total", [None, "null", "", "many", -1, {}, 2**70])
def test_a_total_that_is_none_is_no_total(total):
    assert read_product_page({"result_data": [7], "result_total": total}).total is None


def test_an_entry_that_is_no_id_is_counted_and_shown():
    page = read_product_page({"result_data": [7, None, {"x": 1}, True, "8"], "result_total": 5})
    assert page.product_ids == ["7", "8"]
    assert page.unreadable == 3
    assert fields(page) == ["result_data[]"] * 3


@pytest.mark.parametrize("result", [None, "word", 5, [], {"result_data": [None, {}]}, {"result_data": [True]}])
def test_a_page_that_is_not_understood_is_no_empty_page(result):
    with pytest.raises(Unreadable):
        read_product_page(result)


# ---- descriptions


def test_a_product_is_read_whole():
    product = read_product(DESCRIPTION, PRODUCT_ID)
    assert product.nulled == ()
    assert product.title == "Sublimation Mug 40oz Tumbler"
    assert product.e_company_id == "cVmhg7/xG8q3UQgcH/5Fag=="
    assert (product.min_order_quantity, product.wholesale_min_order_quantity) == (50, 12)
    assert product.wholesale_price == Decimal("12.34")
    assert product.handling_time_days == 3
    assert product.images == ("https://sc04.alicdn.com/kf/1.jpg", "https://sc04.alicdn.com/kf/2.jpg")
    assert product.delivery_periods == (DeliveryPeriod(50, 3), DeliveryPeriod(500, 9))
    first, second = product.skus
    assert first.sku_id == "105613018158"
    assert first.attributes[0] == SkuAttribute("1111", "-11", "Color", "solid", "https://sc04.alicdn.com/kf/attr.jpg")
    assert first.tiers == (
        PriceTier(50, 499, Decimal("3.69"), "USD"),
        PriceTier(500, None, Decimal("3.19"), "USD"),
    )
    assert second.attributes == ()
    assert second.seller_sku_id is None


def test_live_answers_hold_numbers_where_samples_hold_strings():
    told = copy.deepcopy(DESCRIPTION)
    told["product_id"] = int(PRODUCT_ID)
    told["category_id"] = 100003291
    told["min_order_quantity"] = 50
    told["wholesale_trade"] |= {"min_order_quantity": 12.0, "handling_time": 3, "price": 12.34}
    told["skus"][0]["sku_id"] = 105613018158
    told["skus"][0]["sku_attr_list"][0] |= {"attr_name_id": 1111, "attr_value_id": -11}
    told["skus"][0]["ladder_price"][0] = {"min_quantity": 50, "max_quantity": 499, "price": 3.69, "currency": "USD"}
    told["skus"][0]["ladder_price"][1]["max_quantity"] = -1
    assert read_product(told, PRODUCT_ID) == read_product(DESCRIPTION, PRODUCT_ID)


def test_batch_answers_box_objects_in_lists_and_give_one_picture_as_text():
    told = copy.deepcopy(DESCRIPTION)
    told["wholesale_trade"] = [told["wholesale_trade"]]
    told["wholesale_trade"][0]["deliver_periods"] = told["wholesale_trade"][0]["deliver_periods"]
    told["images"] = "https://sc04.alicdn.com/kf/1.jpg,https://sc04.alicdn.com/kf/2.jpg"
    told["skus"][1]["ladder_price"] = told["skus"][1]["ladder_price"][0]
    assert read_product([told], PRODUCT_ID) == read_product(DESCRIPTION, PRODUCT_ID)
    told["images"] = "https://sc04.alicdn.com/kf/only,one.jpg"
    assert read_product(told, PRODUCT_ID).images == ("https://sc04.alicdn.com/kf/only,one.jpg",)


@pytest.mark.parametrize("nothing", [None, "null", ""])
def test_a_field_without_a_value_is_null_and_no_fault(nothing):
    told = dict.fromkeys(DESCRIPTION, nothing) | {"product_id": PRODUCT_ID}
    product = read_product(told, PRODUCT_ID)
    assert product.nulled == ()
    assert (product.title, product.min_order_quantity, product.skus, product.images) == (None, None, (), ())
    assert read_product({"product_id": PRODUCT_ID}, PRODUCT_ID) == product


def test_fields_that_are_new_to_us_are_passed_over():
    told = changed(DESCRIPTION, "skus", 0, "shipping_fee", {"anything": [1]}) | {"video_url": 5}
    assert read_product(told, PRODUCT_ID) == read_product(DESCRIPTION, PRODUCT_ID)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("min_order_quantity",), "a dozen", "min_order_quantity"),
        (("title",), {"en": "Mug"}, "title"),
        (("wholesale_trade", "price"), "negotiable", "wholesale_trade.price"),
        (("wholesale_trade",), "word", "wholesale_trade"),
        (("wholesale_trade", "handling_time"), 2**31, "wholesale_trade.handling_time"),
        (("skus", 0, "ladder_price", 0, "price"), "-3.69", "skus[].ladder_price[].price"),
        (("skus", 0, "ladder_price", 0, "max_quantity"), "-7", "skus[].ladder_price[].max_quantity"),
        (("skus", 0, "image"), ["a", "b"], "skus[].image"),
        (("images", 0), {"url": "x"}, "images[]"),
    ],
)
def test_one_bad_field_costs_a_null_and_is_noted_with_its_value(path, value, field):
    product = read_product(changed(DESCRIPTION, *path, value), PRODUCT_ID)
    assert fields(product) == [field]
    assert len(product.skus) == 2
    assert len(product.skus[0].tiers) == 2


@pytest.mark.parametrize(
    ("path", "value", "fields_noted"),
    [
        (("skus", 0, "sku_id"), None, ["skus[]"]),
        (("skus", 0, "sku_id"), True, ["skus[].sku_id", "skus[]"]),
        (("skus", 0), "word", ["skus[]"]),
    ],
)
def test_a_sku_without_an_id_is_left_out_and_the_others_stay(path, value, fields_noted):
    product = read_product(changed(DESCRIPTION, *path, value), PRODUCT_ID)
    assert [sku.sku_id for sku in product.skus] == ["105613018159"]
    assert fields(product) == fields_noted


def test_a_tier_or_a_period_without_its_quantity_is_left_out():
    told = changed(DESCRIPTION, "skus", 0, "ladder_price", 0, "min_quantity", "few")
    told["wholesale_trade"]["deliver_periods"][0]["quantity"] = None
    product = read_product(told, PRODUCT_ID)
    assert [tier.min_quantity for tier in product.skus[0].tiers] == [500]
    assert product.delivery_periods == (DeliveryPeriod(500, 9),)
    assert fields(product) == ["deliver_periods[]", "skus[].ladder_price[].min_quantity", "skus[].ladder_price[]"]


@pytest.mark.parametrize(
    ("odd", "price"), [("-3.69", None), (["3.69", "4"], None), ([], None), (True, None), (1.5, Decimal("1.5000"))]
)
def test_what_is_odd_about_a_tier_is_noted_of_each_sku_that_has_it(odd, price):
    told = DESCRIPTION
    for sku in (0, 1):
        told = changed(told, "skus", sku, "ladder_price", 0, "price", odd)
    for _ in range(2):
        product = read_product(told, PRODUCT_ID)
        assert [sku.tiers[0].price for sku in product.skus] == [price, price]
        assert fields(product) == ([] if price else ["skus[].ladder_price[].price"] * 2)


def test_a_tier_is_never_taken_for_one_that_only_python_holds_for_the_same():
    def first_tier(name, value):
        told = changed(DESCRIPTION, "skus", 0, "ladder_price", 0, name, value)
        return read_product(told, PRODUCT_ID).skus[0].tiers[0]

    assert [first_tier("min_quantity", least).min_quantity for least in (1, 1.0, True)] == [1, 1, 500]
    told = changed(DESCRIPTION, "skus", 0, "ladder_price", 0, {"min_quantity": "1", "price": "2"})
    tiers = [read_product(changed(told, "currency", code), PRODUCT_ID).skus[0].tiers[0] for code in ("USD", "EUR")]
    assert [tier.currency for tier in tiers] == ["USD", "EUR"]


def test_a_sku_that_comes_twice_counts_as_it_came_last_children_and_all():
    told = changed(DESCRIPTION, "skus", 1, "sku_id", "105613018158")
    (sku,) = read_product(told, PRODUCT_ID).skus
    assert sku.attributes == ()
    assert [tier.price for tier in sku.tiers] == [Decimal("4.00")]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (None, "not_an_object"),
        ("gone", "not_an_object"),
        ([], "not_an_object"),
        ({}, "no_product_id"),
        ({"product_id": None}, "no_product_id"),
        ({"product_id": {"id": PRODUCT_ID}}, "no_product_id"),
        ({"product_id": "7"}, "other_product"),
        ({"product_id": 7.0}, "other_product"),
    ],
)
def test_what_is_no_answer_about_the_product_is_unreadable_and_says_which(payload, code):
    with pytest.raises(Unreadable, match=PRODUCT_ID) as raised:
        read_product(payload, PRODUCT_ID)
    assert raised.value.code == code


def test_a_description_of_four_megabytes_is_read():
    html = "<p>" + "x" * 4_000_000
    assert read_product(changed(DESCRIPTION, "description", html), PRODUCT_ID).description == html


# ---- stock


def test_stock_is_read_by_sku_and_country():
    inventory = read_inventory(INVENTORY, PRODUCT_ID)
    assert inventory.levels == (
        Level("105613018158", "CN", PRODUCT_ID, 1196, "Piece"),
        Level("105613018159", "CN", PRODUCT_ID, 0, "Piece"),
        Level("105613018158", "US", PRODUCT_ID, 7, None),
    )
    assert inventory.nulled == ()


def test_an_empty_list_says_that_nothing_is_stocked():
    assert read_inventory([], PRODUCT_ID).levels == ()
    assert read_inventory([{"shipping_from": "CN", "inventory_list": []}], PRODUCT_ID).levels == ()


@pytest.mark.parametrize(
    "payload",
    [
        *(None, "null", "none in stock", 0, ["CN"], {"error": "x"}, [{}], [{"shipping_from": "CN"}]),
        [{"shipping_from": "CN", "inventory_list": None}],
        [{"shipping_from": None, "inventory_list": [{"sku_id": "7", "inventory_count": 1}]}],
        [{"shipping_from": "CN", "inventory_list": ["7"]}],
        [{"shipping_from": "CN", "inventory_list": [{"sku_id": None, "inventory_count": 1}]}],
    ],
)
def test_an_answer_that_is_not_understood_never_passes_for_no_stock(payload):
    with pytest.raises(Unreadable, match=PRODUCT_ID):
        read_inventory(payload, PRODUCT_ID)


def test_bad_stock_costs_its_quantity_or_its_level():
    told = copy.deepcopy(INVENTORY)
    told[0]["inventory_list"][0]["inventory_count"] = "-3"
    told[0]["inventory_list"][1]["product_id"] = "7"
    inventory = read_inventory(told, PRODUCT_ID)
    assert inventory.levels == (
        Level("105613018158", "CN", PRODUCT_ID, None, "Piece"),
        Level("105613018158", "US", PRODUCT_ID, 7, None),
    )
    assert fields(inventory) == ["inventory_list[].inventory_count", "inventory_list[]"]


def test_one_group_one_level_and_a_lower_case_country_are_read():
    told = {"shipping_from": "us", "inventory_list": {"sku_id": 7, "inventory_count": "2.0000"}}
    assert read_inventory(told, PRODUCT_ID).levels == (Level("7", "US", PRODUCT_ID, 2, None),)


# ---- freight


def test_freight_options_are_read_in_their_order():
    economy, sellers = read_freight_options(FREIGHT)
    assert economy == FreightOption(
        vendor_code="EX_ASP_Economy_Express_3C",
        vendor_name="Alibaba.com Economy Express (3C)",
        shipping_type="EXPRESS",
        trade_term="DAP",
        solution_biz_type="distributionWaybill",
        dispatch_country="CN",
        destination_country="US",
        delivery_days_min=10,
        delivery_days_max=15,
        fee=Decimal("19.1"),
        currency="USD",
        store_type=None,
    )
    assert (sellers.delivery_days_min, sellers.delivery_days_max, sellers.fee) == (3, 9, Decimal(3))
    assert sellers.store_type == "CERTIFIED"


@pytest.mark.parametrize("nothing", [None, "null", [], {}])
def test_no_option_at_all_is_an_empty_list(nothing):
    assert read_freight_options(nothing) == []


def test_a_bad_option_costs_its_fields_or_itself():
    notes: list[Nulled] = []
    told = changed(changed(FREIGHT, 0, "fee", {"amount": "free", "currency": "USD"}), 1, "vendor_code", None)
    (option,) = read_freight_options(told, notes)
    assert (option.fee, option.currency) == (None, "USD")
    assert [noted.field for noted in notes] == ["value[].fee.amount", "value[]"]


@pytest.mark.parametrize("payload", ["word", 5, ["word"], [{"fee": 1}], [[]]])
def test_options_that_are_not_understood_are_no_refusal(payload):
    with pytest.raises(Unreadable):
        read_freight_options(payload)


# ---- batches


def test_a_batch_is_taken_apart_by_product_in_both_spellings():
    camel = {
        "resultData": [DESCRIPTION],
        "failedItems": [{"productId": 7, "errorCode": "PRODUCT_NOT_FOUND", "errorMsg": "gone"}],
    }
    items, failures = read_batch(camel)
    assert read_product(items[PRODUCT_ID], PRODUCT_ID) == read_product(DESCRIPTION, PRODUCT_ID)
    assert failures == {"7": ("PRODUCT_NOT_FOUND", "gone")}
    snake = {
        "result_data": [{"product_id": PRODUCT_ID, "ship_from_list": ["CN"], "inventory_list": INVENTORY}],
        "failed_items": [{"product_id": "8", "error_code": "2005", "error_msg": "query failed"}],
    }
    items, failures = read_batch(snake)
    assert read_inventory(items[PRODUCT_ID], PRODUCT_ID) == read_inventory(INVENTORY, PRODUCT_ID)
    assert failures == {"8": ("2005", "query failed")}


def test_an_item_of_a_batch_is_what_the_single_endpoint_answers():
    boxed = DESCRIPTION | {
        "images": ",".join(DESCRIPTION["images"]),
        "wholesale_trade": [DESCRIPTION["wholesale_trade"]],
    }
    assert read_batch({"resultData": [boxed]}).items == {PRODUCT_ID: DESCRIPTION}
    bare = {name: value for name, value in DESCRIPTION.items() if name != "wholesale_trade"} | {"images": []}
    assert read_batch({"resultData": [bare | {"images": "", "wholesale_trade": []}]}).items == {PRODUCT_ID: bare}
    assert read_batch({"resultData": [DESCRIPTION]}).items == {PRODUCT_ID: DESCRIPTION}
    assert boxed["wholesale_trade"] == [DESCRIPTION["wholesale_trade"]], "the answer itself is left as it came"


@pytest.mark.parametrize(
    "item",
    [{}, {"product": DESCRIPTION}, {"title": None, "skus": "null"}, {"inventory_list": None}, {"quantity": 3}],
    ids=str,
)
def test_an_item_that_tells_nothing_of_its_product_is_no_item(item):
    assert read_batch({"resultData": [{"product_id": PRODUCT_ID, **item}]}).items == {}


def test_a_failed_item_without_a_code_is_still_a_failure():
    assert read_batch({"failedItems": [{"productId": "7"}, "word", {}]}).failures == {"7": ("UNKNOWN", "")}


# ---- anything at all


@given(damaged(DESCRIPTION) | damaged([DESCRIPTION]) | ANYTHING)
@settings(max_examples=400, deadline=None)
def test_anything_in_any_field_of_a_description_is_read_or_unreadable(payload):
    try:
        product = read_product(payload, PRODUCT_ID)
    except Unreadable:
        return
    assert product.product_id == PRODUCT_ID
    assert len({sku.sku_id for sku in product.skus}) == len(product.skus)
    assert len(product.nulled) <= MAX_NOTES


@given(damaged(INVENTORY) | ANYTHING)
@settings(max_examples=250, deadline=None)
def test_anything_in_any_field_of_stock_is_read_or_unreadable(payload):
    try:
        inventory = read_inventory(payload, PRODUCT_ID)
    except Unreadable:
        return
    assert len({(level.sku_id, level.shipping_from) for level in inventory.levels}) == len(inventory.levels)
    assert all(level.quantity is None or 0 <= level.quantity < 2**63 for level in inventory.levels)


@given(damaged(FREIGHT) | ANYTHING)
@settings(max_examples=250, deadline=None)
def test_anything_in_any_field_of_freight_is_read_or_unreadable(payload):
    try:
        options = read_freight_options(payload)
    except Unreadable:
        return
    assert all(option.vendor_code for option in options)


@given(damaged(LISTING) | ANYTHING)
@settings(max_examples=250, deadline=None)
def test_anything_in_any_field_of_a_listing_is_read_or_unreadable(result):
    try:
        page = read_product_page(result)
    except Unreadable:
        return
    assert all(page.product_ids)
    assert page.total is None or page.total >= 0


@given(damaged({"resultData": [DESCRIPTION], "failedItems": [{"productId": 7, "errorCode": "1"}]}) | ANYTHING)
@settings(max_examples=150, deadline=None)
def test_anything_in_any_field_of_a_batch_is_read_or_unreadable(payload):
    try:
        items, failures = read_batch(payload)
    except Unreadable:
        return
    assert all(isinstance(product_id, str) for product_id in (*items, *failures))


@given(st.lists(st.sampled_from([100, 101, 102, 103]), max_size=8))
def test_every_sku_is_in_a_product_once_however_often_it_is_told(sku_ids):
    told = {"product_id": PRODUCT_ID, "skus": [{"sku_id": sku_id} for sku_id in sku_ids]}
    read = [sku.sku_id for sku in read_product(told, PRODUCT_ID).skus]
    assert read == [str(sku_id) for sku_id in dict.fromkeys(sku_ids)]
