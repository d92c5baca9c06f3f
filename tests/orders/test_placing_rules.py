"""What must be true of an order before it is sent, which offer is taken, and whether an order is the one asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dropship_pipeline.alibaba.freight import FreightOption
from dropship_pipeline.alibaba.inventory import Inventory, Level
from dropship_pipeline.alibaba.order_requests import Address, OrderItem, Phone
from dropship_pipeline.alibaba.orders import read_order
from dropship_pipeline.alibaba.products import Product, read_product
from dropship_pipeline.orders.placing import Fault, OrderAsked, Quote, create_request, shown_request
from dropship_pipeline.orders.placing_checks import (
    Dispatched,
    Offer,
    choose,
    dispatch_locations,
    find_faults,
    product_total,
    remarks,
)
from dropship_pipeline.orders.placing_match import Candidate, Match, match

NOON = datetime(2026, 1, 21, 12, tzinfo=UTC)
PERSON = Address(
    "10012", "US", "United States", "New York", "New York", "12 Secret Street",
    contact_person="Jane Roe", telephone=Phone("+1", "2125550123"),
)  # fmt: skip
ASKED = OrderAsked("ORDER-1", (OrderItem("100", "1", 5),), PERSON)


def product(product_id: str = "100", **changes: Any) -> Product:
    payload = {
        "product_id": product_id,
        "status": "PRODUCT_ONLINE",
        "eCompanyId": "seller",
        "currency": "USD",
        "min_order_quantity": "20",
        "wholesale_trade": {"min_order_quantity": "2", "price": "3.00"},
        "skus": [
            {
                "sku_id": "1",
                "ladder_price": [
                    {"min_quantity": "5", "max_quantity": "9", "price": "2.00", "currency": "USD"},
                    {"min_quantity": "10", "max_quantity": "-1", "price": "1.50", "currency": "USD"},
                ],
            }
        ],
        **changes,
    }
    return read_product(payload, product_id)


def offer(product_id: str = "100", stock: dict[str, int] | None = None, sku_id: str = "1", **changes: Any) -> Offer:
    levels = [Level(sku_id, place, product_id, units, None) for place, units in (stock or {"CN": 50}).items()]
    return Offer(product(product_id, **changes), Inventory(product_id, tuple(levels), ()))


def faults(asked: OrderAsked, **offers: Offer) -> str:
    return " ".join(map(str, find_faults(asked, {name.removeprefix("p"): offer for name, offer in offers.items()})))


def of(quantity: int, sku_id: str = "1") -> OrderAsked:
    return replace(ASKED, items=(OrderItem("100", sku_id, quantity),))


def option(code: str, fee: str | None, days: tuple[int, int] | None = (5, 9), currency: str = "USD") -> FreightOption:
    low, high = days or (None, None)
    amount = None if fee is None else Decimal(fee)
    return FreightOption(code, code.title(), None, None, None, "CN", "US", low, high, amount, currency, None)


@pytest.mark.parametrize(("quantity", "total"), [(2, "6.00"), (5, "10.00"), (9, "18.00"), (10, "15.00"), (50, "75.00")])
def test_the_price_is_that_of_the_step_which_the_quantity_reaches(quantity: int, total: str) -> None:
    assert product_total(of(quantity), {"100": offer()}) == (Decimal(total), "USD")


@pytest.mark.parametrize(
    ("asked", "told", "says"),
    [
        (of(1), offer(), "1 of SKU 1 are fewer than can be ordered. Order at least 2."),
        (of(5, "7"), offer(), "Product 100 has no SKU 7. It has 1."),
        (of(5), offer(status="PRODUCT_OFFLINE"), "not on offer: PRODUCT_OFFLINE"),
        (of(5), offer(eCompanyId=None), "names no supplier"),
        (of(5), offer(skus=[{"sku_id": "1"}], wholesale_trade=None, min_order_quantity="1"), "no price for 5 units"),
        (of(51), offer(), "SKU 1 is not in stock: 51 wanted, there are: CN 50."),
        (of(5), offer(sku_id="2"), "there are: none"),
        (replace(of(5), dispatch_location="US"), offer(), "5 wanted from US, there are: CN 50."),
        (of(5), Offer(None, None, "130106, product invalid or expired"), "cannot be ordered: 130106"),
        (of(5), Offer(product(), None, "no answer"), "The stock of product 100 is not told: no answer"),
    ],
)
def test_a_fault_is_named_with_its_remedy(asked: OrderAsked, told: Offer, says: str) -> None:
    assert says in faults(asked, p100=told)


def test_an_order_without_faults_has_none() -> None:
    assert find_faults(ASKED, {"100": offer()}) == []


EUROS = {"min_quantity": "1", "price": "1", "currency": "EUR"}
TWO = replace(ASKED, items=(OrderItem("100", "1", 5), OrderItem("200", "1", 5)))


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (offer("200", eCompanyId="another"), "several suppliers"),
        (offer("200", {"US": 50}), "No single place has all lines in stock"),
        (offer("200", skus=[{"sku_id": "1", "ladder_price": [EUROS]}]), "several currencies"),
    ],
)  # fmt: skip
def test_an_order_is_of_one_supplier_one_place_and_one_currency(second: Offer, says: str) -> None:
    assert says in faults(TWO, p100=offer(), p200=second)


def test_it_ships_from_where_everything_is_in_stock_china_first() -> None:
    offers = {"100": offer(stock={"US": 50, "CN": 50}), "200": offer("200", {"CN": 5, "US": 9, "MX": 9})}
    assert dispatch_locations(TWO, offers) == ("CN", "US")
    assert dispatch_locations(replace(TWO, dispatch_location="US"), offers) == ("US",)


OFFERED = [
    Dispatched("CN", [option("dear", "9.00", (2, 3)), option("cheap", "3.00", (9, 12)), option("free?", None)]),
    Dispatched("US", [option("cheap", "3.00", (3, 6)), option("vague", "4.00", None)]),
]


@pytest.mark.parametrize(
    ("carrier", "location", "code"), [("cheapest", "US", "cheap"), ("fastest", "CN", "dear"), ("vague", "US", "vague")]
)
def test_the_carrier_is_chosen_over_all_places(carrier: str, location: str, code: str) -> None:
    chosen = choose(replace(ASKED, carrier=carrier), OFFERED, (Decimal(10), "USD"), NOON)
    assert isinstance(chosen, Quote)
    assert (chosen.dispatch_location, chosen.carrier_code) == (location, code)
    assert chosen.total == 10 + chosen.fee


@pytest.mark.parametrize(
    ("carrier", "offered", "total", "says"),
    [
        ("none-such", OFFERED, "10", "Carrier none-such does not offer to ship the order. Choose among cheap, dear"),
        ("cheapest", [], "10", "No carrier offers to ship the order"),
        ("cheapest", [Dispatched("CN", [option("a", "0.10")])], "0.19", "0.29 USD, under the least of $0.30"),
        ("cheapest", [Dispatched("CN", [option("a", "0.01")])], "5000", "5,000.01 USD, over the limit of $5,000"),
    ],
)
def test_what_cannot_be_shipped_or_paid_is_a_fault(
    carrier: str, offered: list[Dispatched], total: str, says: str
) -> None:
    [fault] = choose(replace(ASKED, carrier=carrier), offered, (Decimal(total), "USD"), NOON)  # type: ignore[misc]
    assert isinstance(fault, Fault)
    assert says in str(fault)


@pytest.mark.parametrize(("fee", "total"), [("0.10", "0.20"), ("0.00", "5000")])
def test_the_limits_themselves_may_be_ordered(fee: str, total: str) -> None:
    chosen = choose(ASKED, [Dispatched("CN", [option("a", fee)])], (Decimal(total), "USD"), NOON)
    assert isinstance(chosen, Quote)


def test_what_nobody_can_know_before_is_said() -> None:
    to_germany = replace(ASKED, recipient=replace(PERSON, country_code="DE"))
    quote = choose(to_germany, [Dispatched("CN", [option("a", "3.00")])], (Decimal(1), "EUR"), NOON)
    assert isinstance(quote, Quote)
    assert quote.total is None
    epr, limits = remarks(to_germany, quote)
    assert "EPR number" in epr
    assert "Prices are in EUR, freight in USD" in limits


def test_a_quote_expires_and_its_moves_are_told() -> None:
    quote = choose(ASKED, OFFERED, (Decimal(10), "USD"), NOON)
    assert isinstance(quote, Quote)
    assert Quote.from_json(quote.as_json()) == quote
    assert not quote.expired(NOON + timedelta(minutes=29))
    assert quote.expired(NOON + timedelta(minutes=30))
    assert quote.moved_since(replace(quote, quoted_at=NOON - timedelta(days=1))) is None
    moved = quote.moved_since(replace(quote, fee=Decimal("2.50"))) or ""
    assert "freight 2.50 USD" in moved
    assert "freight 3.00 USD" in moved


def test_a_request_is_shown_without_the_recipient_unless_that_is_asked_for() -> None:
    quote = choose(ASKED, OFFERED, (Decimal(10), "USD"), NOON)
    assert isinstance(quote, Quote)
    request = create_request(replace(ASKED, remark="for Jane"), quote)
    told = str(shown_request(request, recipient=False))
    assert not any(word in told for word in ("Jane", "Secret", "2125550123", "10012", "New York"))
    assert all(word in told for word in ("ORDER-1", "US", "cheap", "'quantity': '5'"))
    whole = shown_request(request, recipient=True)
    assert whole["logistics_detail"]["shipment_address"]["address"] == "12 Secret Street"  # type: ignore[index]


DETAILS: dict[str, Any] = {
    "order_products": [{"product_id": "100", "sku_id": "1", "quantity": "5.0000"}],
    "shipping_address": {
        "country_code": "US", "zip": "10012", "address": "12 secret  street.", "contact_person": "JANE ROE",
    },
}  # fmt: skip


def verdict(reference: str | None = None, **changes: Any) -> Match:
    return match(ASKED, Candidate(read_order(DETAILS | changes, "T1"), reference))


def address(**changes: Any) -> dict[str, Any]:
    return {"shipping_address": {**DETAILS["shipping_address"], **changes}}


def test_an_order_of_the_same_lines_to_the_same_person_is_the_one() -> None:
    assert verdict() is Match.SAME
    assert (
        verdict(order_products=[*({**DETAILS["order_products"][0], "quantity": q} for q in ("2", "3"))]) is Match.SAME
    )


def test_a_postal_code_that_is_cut_is_no_other_place() -> None:
    whole = replace(ASKED, recipient=replace(PERSON, zip="10012-1234"))
    assert match(whole, Candidate(read_order(DETAILS, "T1"))) is Match.SAME
    assert verdict(**address(zip="10012 1234")) is Match.SAME


@pytest.mark.parametrize(
    "changes",
    [
        {"order_products": [{"product_id": "100", "sku_id": "1", "quantity": "6"}]},
        {"order_products": [{"product_id": "100", "sku_id": "2", "quantity": "5"}]},
        {"order_products": DETAILS["order_products"] + [{"product_id": "9", "sku_id": "9", "quantity": "1"}]},
        address(country_code="CA"),
        address(zip="10013"),
        address(address="9 Other Street", contact_person="John Doe"),
    ],
)  # fmt: skip
def test_what_plainly_differs_is_another_order(changes: dict[str, Any]) -> None:
    assert verdict(**changes) is Match.OTHER


@pytest.mark.parametrize(
    "changes",
    [
        {"order_products": []},
        {"order_products": [{"product_id": "100", "sku_id": "1", "quantity": "many"}]},
        {"shipping_address": None},
        address(address="12 S***"),
        address(contact_person="J*** R**"),
        address(contact_person="J. Roe"),
        address(alternate_address="Flat 9"),
        address(zip="***", contact_person=None),
    ],
)
def test_what_cannot_be_told_is_not_guessed(changes: dict[str, Any]) -> None:
    assert verdict(**changes) is Match.UNSURE


def test_a_reference_that_is_given_back_decides() -> None:
    assert verdict("ORDER-1", shipping_address=None) is Match.SAME
    assert verdict("ORDER-2") is Match.OTHER
