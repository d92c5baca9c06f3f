"""An order as it is written down: read whole, or every mistake told at once, and nothing of the recipient repeated."""

from typing import Any

import pytest

from dropship_pipeline.alibaba.order_requests import OrderItem, Phone
from dropship_pipeline.orders.placing import OrderAsked, OrderFaults
from dropship_pipeline.orders.placing_input import read_order_asked

RECIPIENT = {
    "contact_person": "Jane Roe",
    "country_code": "UK",
    "city": "London",
    "zip": "N1 9GU",
    "address": "12 Secret Street",
    "telephone": {"country": "+44", "area": "", "number": "2079460123"},
}
LINE = {"product_id": "1600191825486", "sku_id": "12321", "quantity": "2"}
ORDER: dict[str, Any] = {"reference": "ORDER-1", "lines": [LINE], "recipient": RECIPIENT}


def faults(document: object) -> list[str]:
    with pytest.raises(OrderFaults) as caught:
        read_order_asked(document)
    return [str(fault) for fault in caught.value.faults]


def test_an_order_is_read_with_what_goes_without_saying() -> None:
    order = read_order_asked(ORDER)
    assert order.items == (OrderItem("1600191825486", "12321", 2),)
    assert (order.recipient.country_code, order.recipient.country) == ("GB", "United Kingdom")
    assert order.recipient.telephone == Phone("+44", "2079460123")
    assert (order.carrier, order.dispatch_location, order.attachments) == ("cheapest", None, ())


def test_numbers_and_texts_are_the_same() -> None:
    numbers = {"product_id": 1600191825486, "sku_id": 12321, "quantity": 2}
    assert read_order_asked({**ORDER, "lines": [numbers]}) == read_order_asked(ORDER)


@pytest.mark.parametrize("told", ["+44 20 7946 0123", "+44-2079460123", "+44 (20) 7946.0123"])
def test_a_telephone_number_is_read_as_people_write_it(told: str) -> None:
    order = read_order_asked({**ORDER, "recipient": {**RECIPIENT, "telephone": told}})
    assert order.recipient.telephone == Phone("+44", "2079460123")


def test_every_mistake_is_told_at_once() -> None:
    said = faults(
        {
            "reference": "two words",
            "lines": [{"product_id": "x", "sku_id": "1", "quantity": 0}, 5],
            "recipient": {"country_code": "US", "zip": "10012", "telefone": "1"},
            "dispatch_location": "DE",
            "enable_distribution_waybill": "perhaps",
        }
    )
    for word in (
        "reference", "Line 1 has no product_id", "Line 1 has no quantity", "Line 2 is no object", "contact_person",
        "city", "address is missing", "province", "telephone number is missing", "It is called telephone", "'DE'",
        "neither true nor false",
    ):  # fmt: skip
        assert any(word in line for line in said), word


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lines": []}, "1 to 50"),
        ({"lines": [LINE, LINE]}, "SKU 12321 is in two lines"),
        ({"recipient": None}, "no recipient"),
        ({"reference": ""}, "The reference is missing"),
        ({"reference": "x" * 65}, "cannot be used"),
        ({"shipping": "fast"}, "'shipping' is no field of the order"),
        ({"clearance_detail": "P1"}, "clearance_detail is no object"),
        ({"attachments": "a.jpg"}, "no list of objects"),
        ({"recipient": {**RECIPIENT, "country_code": "XX"}}, "There is no country 'XX'"),
        ({"recipient": {**RECIPIENT, "country_code": "KR"}}, "Customs of KR want clearance_detail"),
        ({"recipient": {**RECIPIENT, "country_code": "BR"}}, "province is missing"),
        ({"recipient": {**RECIPIENT, "telephone": "secret 12"}}, "telephone cannot be read"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(change: dict[str, Any], says: str) -> None:
    [line] = faults({**ORDER, **change})
    assert says in line
    assert ". " in line, "what is wrong, and what to do"


@pytest.mark.parametrize("document", [None, [], "order", 3])
def test_what_is_no_order_is_said_to_be_none(document: object) -> None:
    assert "The order is no object" in faults(document)[0]


def test_no_message_and_no_repr_repeats_the_recipient() -> None:
    wrong = {**ORDER, "lines": [], "recipient": {**RECIPIENT, "country_code": "Jane Roe's", "city": ""}}
    told = " ".join(faults(wrong)).replace("There is no country", "")
    assert "Secret" not in told
    assert "2079460123" not in told
    whole = read_order_asked({**ORDER, "remark": "for Jane"})
    assert not any(word in repr(whole) for word in ("Jane", "Secret", "2079460123"))


def test_what_is_kept_in_the_clear_and_what_is_sealed_make_the_order_again() -> None:
    order = read_order_asked(
        {
            **ORDER,
            "remark": "with care",
            "properties": {"platform": "Shopify"},
            "clearance_detail": {"clearance_code": "P123456789012"},
            "attachments": [{"file_name": "waybill.jpg"}],
            "carrier": "fastest",
            "dispatch_location": "cn",
            "enable_distribution_waybill": "true",
        }
    )
    clear = order.told()
    assert OrderAsked.opened("ORDER-1", clear, order.sealed()) == order
    assert not any(word in str(clear) for word in ("Jane", "Secret", "2079460123", "care", "P1234", "waybill.jpg"))


def test_the_fingerprint_is_of_everything_and_the_likeness_of_what_orders_are_told_apart_by() -> None:
    order, other = read_order_asked(ORDER), read_order_asked({**ORDER, "reference": "ORDER-2", "carrier": "fastest"})
    assert order.fingerprint("a") == read_order_asked(dict(ORDER)).fingerprint("a")
    assert order.fingerprint("a") != other.fingerprint("a") != order.fingerprint("b")
    assert order.likeness("a") == other.likeness("a") != order.likeness("b")
    moved = read_order_asked({**ORDER, "recipient": {**RECIPIENT, "address": "13 Secret Street"}})
    assert moved.likeness("a") != order.likeness("a")
    # Alibaba.com may not tell the rest, or tell it otherwise
    respelt = {**RECIPIENT, "address": "12, secret street", "alternate_address": "Flat 9", "zip": "N1 9GU"}
    assert read_order_asked({**ORDER, "recipient": respelt}).likeness("a") == order.likeness("a")
