"""`dropship orders quote|place|settle|pay|cancel`: what is asked, shown and spent, and what is not told."""

import json
import os
import pty
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment
from placing_steps import CREATE, LIST, PAY, created, fault, no_faults, person, sent, settled_shop, wanted
from typed import Type, Typed

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start

Deploy = Callable[..., Deployment]

pytestmark = pytest.mark.xdist_group("placing")  # what is set up once is set up once


@pytest.fixture(scope="module")
def market() -> Iterator[Running]:
    with start(SandboxConfig(products=60, orders=0, drift=0.0)) as running:
        yield running


@pytest.fixture
def merchant(deploy: Deploy, market: Running) -> Deployment:
    market.control("accounts/payment", {"payment": "saved_method"})
    return deploy(sandbox=settled_shop(market))


@pytest.fixture
def type_order(type_command: Type, merchant: Deployment) -> Callable[..., Typed]:
    """Types `dropship orders …`; nothing that was typed in a test may show who the recipient is."""

    def type_one(*arguments: str) -> Typed:
        return type_command(["orders", *arguments], merchant.environment)

    return type_one


@pytest.fixture
def order_file(tmp_path: Path, merchant: Deployment) -> str:
    path = tmp_path / "order.json"
    path.write_text(json.dumps(wanted(merchant)))
    return str(path)


def names_somebody(typed: Typed, merchant: Deployment) -> bool:
    return any(word in typed.out + typed.err for word in person(merchant).values())


def test_from_a_file_to_a_paid_order(
    merchant: Deployment, order_file: str, type_order: Callable[..., Typed], market: Running
) -> None:
    quoted = type_order("quote", "--file", order_file)
    assert quoted.status == 0, quoted.err
    assert "Order ORDER-1 comes to" in quoted.out
    assert "dropship orders place ORDER-1" in quoted.out
    assert created(merchant) == []

    dry = type_order("place", "ORDER-1", "--dry-run")
    assert json.loads(dry.out)["request"]["channel_refer_id"] == "ORDER-1"
    assert sent(merchant) == 0

    placed = type_order("place", "ORDER-1")
    assert placed.status == 0, placed.err
    [order] = created(merchant)
    assert order["trade_id"] in placed.out
    assert order["status"] == "unpay"
    assert "biz.alibaba.com" not in placed.out

    shown = type_order("show", "ORDER-1")
    assert order["trade_id"] in shown.out
    assert "Lines" in shown.out

    unpaid = type_order("pay", "ORDER-1", "--dry-run")
    assert json.loads(json.loads(unpaid.out)[0]["param_order_pay_request"])["order_id_list"] == [order["trade_id"]]
    assert sent(merchant, PAY) == 0
    paid = type_order("pay", "ORDER-1", "--yes")
    assert paid.status == 0, paid.err
    assert created(merchant)[0]["status"] == "paid"

    refused = type_order("cancel", "ORDER-1")
    assert (refused.status, "Ask the seller for a refund" in refused.complaint) == (1, True)
    for typed in (quoted, dry, placed, shown, unpaid, paid, refused):
        assert not names_somebody(typed, merchant)


def test_machines_are_told_in_json(merchant: Deployment, order_file: str, type_order: Callable[..., Typed]) -> None:
    quote = json.loads(type_order("quote", "--file", order_file, "--json").out)
    assert quote["quote"]["carrier_code"] in {option["carrier_code"] for option in quote["offered"]}
    placed = json.loads(type_order("place", "--file", order_file, "--json").out)
    [order] = created(merchant)
    assert (placed["state"], placed["trade_id"], placed["quote"]) == ("placed", order["trade_id"], quote["quote"])
    assert json.loads(type_order("show", "ORDER-1", "--json").out)["placement"]["sends"] == 1
    paid = json.loads(type_order("pay", "ORDER-1", order["trade_id"], "--yes", "--json").out)
    assert [entry["pay_state"] for entry in paid] == ["paid", "paid"]
    assert sent(merchant, PAY) == 1


def test_an_order_may_be_typed_but_for_its_recipient(
    merchant: Deployment, tmp_path: Path, type_order: Callable[..., Typed]
) -> None:
    order = wanted(merchant)
    to = tmp_path / "to.yaml"
    to.write_text("".join(f"{name}: {value}\n" for name, value in order["recipient"].items()))
    line = ":".join(str(value) for value in order["lines"][0].values())
    described = ["--reference", "TYPED-1", "--line", line, "--recipient", str(to), "--carrier", "fastest"]
    dry = type_order("place", *described, "--dry-run", "--show-recipient")
    assert dry.status == 0, dry.err
    address = json.loads(dry.out)["request"]["logistics_detail"]["shipment_address"]
    assert (address["address"], address["zip"]) == (person(merchant)["street"], "10012")
    assert merchant.value("SELECT count(*) FROM orders.placements") == 0
    assert type_order("place", *described).status == 0
    assert created(merchant, "TYPED-1")[0]["carrier_code"] == json.loads(dry.out)["quote"]["carrier_code"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reference: A\nlines: [", "is no YAML"),
        ('{"reference": "A",}', "Line 1 of"),
        ("- a\n- b\n", "The order is no object"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_without_what_is_in_it(
    tmp_path: Path, type_order: Callable[..., Typed], text: str, says: str
) -> None:
    path = tmp_path / "order"
    path.write_text(text)
    typed = type_order("quote", "--file", str(path))
    assert typed.status == 1
    assert says in typed.complaint
    assert "No such file" in type_order("quote", "--file", str(tmp_path / "none")).complaint


def test_yaml_keeps_texts_what_they_are(merchant: Deployment, tmp_path: Path, type_order: Callable[..., Typed]) -> None:
    path = tmp_path / "order.yaml"
    path.write_text(
        "reference: 0017\nlines:\n  - {product_id: 1600191825486, sku_id: 012, quantity: 0}\nremark: ~\n"
        "recipient: {country_code: NO, zip: 0150, city: Oslo, address: x, contact_person: y, telephone: +47 22334455}\n"
    )
    typed = type_order("quote", "--file", str(path))
    [line] = typed.err.splitlines()
    assert "Line 1 has no quantity" in line, "and nothing else: NO is Norway, 0150 a zip code"


def test_everything_that_is_wrong_has_a_line(
    merchant: Deployment, tmp_path: Path, type_order: Callable[..., Typed]
) -> None:
    order = wanted(merchant, carrier="no-such", adress="1")
    order["lines"][0]["quantity"] = "two"
    del order["recipient"]["city"]
    path = tmp_path / "order.json"
    path.write_text(json.dumps(order))
    typed = type_order("place", "--file", str(path), "--json")
    assert typed.status == 1
    assert len(typed.err.splitlines()) == len(json.loads(typed.out)["faults"]) == 3
    assert all(line.startswith("dropship: ") for line in typed.err.splitlines())
    assert sent(merchant) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["place"], "--file"),
        (["quote", "--reference", "A"], "--file"),
        (["quote", "--reference", "A", "--line", "1:2"], "PRODUCT:SKU:QUANTITY"),
        (["pay"], "REFERENCE"),
        (["pay", "A"], "--yes"),
        (["place", "A", "--pay"], "--yes"),
        (["settle", "A"], "--nothing-placed"),
        (["settle", "A", "--order", "1", "--nothing-placed"], "--nothing-placed"),
    ],
)
def test_what_was_typed_wrong_ends_with_2_before_anything_is_opened(
    type_command: Type, arguments: list[str], says: str
) -> None:
    typed = type_command(["orders", *arguments], {"DROPSHIP_DATABASE_URL": "postgresql://nobody@nowhere/x"})
    assert typed.status == 2
    assert says in typed.complaint


def test_an_unknown_reference_is_named(type_order: Callable[..., Typed]) -> None:
    for command in (["place", "NONE"], ["pay", "NONE", "--yes"], ["cancel", "NONE"], ["show", "NONE"]):
        typed = type_order(*command)
        assert (typed.status, "NONE" in typed.complaint) == (1, True), command


def test_the_address_to_pay_at_is_shown_to_who_has_to_pay_and_to_nobody_else(
    merchant: Deployment, order_file: str, type_order: Callable[..., Typed], market: Running
) -> None:
    market.control("accounts/payment", {"payment": "never_paid"})
    placed = type_order("place", "--file", order_file, "--pay", "--yes")
    assert placed.status == 1
    assert placed.out.count("https://biz.alibaba.com/") == 1
    assert "biz.alibaba.com" not in placed.err
    assert "by hand" in placed.complaint
    for command in (["show", "ORDER-1"], ["show", "ORDER-1", "--json"], ["place", "ORDER-1"]):
        assert "biz.alibaba.com" not in type_order(*command).out


def test_an_order_of_which_nobody_knows_is_said_to_be_and_settled_by_a_person(
    merchant: Deployment, order_file: str, type_order: Callable[..., Typed]
) -> None:
    assert type_order("quote", "--file", order_file).status == 0
    fault(merchant, f"reset:path={CREATE}:first=1")
    placed = type_order("place", "ORDER-1")
    assert placed.status == 0
    assert "found among the account's orders" in placed.out, "at the first look, without waiting"
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE orders.placements SET state = 'needs_person', trade_id = NULL")
    typed = type_order("settle", "ORDER-1", "--order", "1234567")
    assert (typed.status, "404" in typed.complaint) == (1, True)
    no_faults(merchant)
    [order] = created(merchant)
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE orders.placements SET state = 'needs_person', trade_id = NULL")
    type_order("settle", "ORDER-1", "--nothing-placed")
    assert merchant.value("SELECT state FROM orders.placements") == "planned"
    assert sent(merchant, LIST) >= 2
    assert order["status"] == "unpay"


def test_a_cancelled_order_is_told_with_its_reason(
    merchant: Deployment, order_file: str, type_order: Callable[..., Typed]
) -> None:
    type_order("place", "--file", order_file)
    dry = type_order("cancel", "ORDER-1", "--dry-run")
    assert json.loads(dry.out) == {"trade_id": created(merchant)[0]["trade_id"]}
    assert created(merchant)[0]["status"] == "unpay"
    cancelled = type_order("cancel", "ORDER-1", "--reason", "ordered by mistake")
    assert cancelled.status == 0, cancelled.err
    assert "cancelled" in cancelled.out
    assert "ordered by mistake" in cancelled.out
    assert created(merchant)[0]["status"] == "trade_close"
    assert type_order("pay", "ORDER-1", "--yes").status == 1


def test_an_order_whose_payment_cannot_be_asked_about_keeps_no_other_from_being_paid(
    merchant: Deployment, order_file: str, type_order: Callable[..., Typed]
) -> None:
    for reference in ("ORDER-1", "ORDER-2"):
        assert type_order("place", reference, "--file", order_file, "--reference", reference).status == 0
    with merchant.database.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE orders.placements SET pay_state = 'ambiguous' WHERE channel_refer_id = 'ORDER-1'"
        )
    fault(merchant, "refuse:code=InvalidParameter:path=/alibaba/order/pay/result/query")
    typed = type_order("pay", "ORDER-1", "ORDER-2", "--yes", "--json")
    first, second = json.loads(typed.out)
    assert (typed.status, first["pay_state"], second["pay_state"]) == (1, "ambiguous", "paid")
    assert first["remarks"] != []
    assert "Order ORDER-1 may be paid or not" in typed.complaint


def _type(keyboard: int, answer: bytes) -> None:
    os.write(keyboard, answer)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Somebody at a terminal, who has typed this."""
    keyboard, screen = pty.openpty()
    with os.fdopen(screen) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield partial(_type, keyboard)
    os.close(keyboard)


def test_a_person_is_asked_before_money_is_spent(
    merchant: Deployment, order_file: str, type_order: Callable[..., Typed], answering: Callable[[bytes], None]
) -> None:
    type_order("place", "--file", order_file)
    [order] = created(merchant)
    answering(b"n\n")
    typed = type_order("pay", "ORDER-1")
    assert typed.status == 130
    assert f"Pay {order['total']} USD for order ORDER-1 ({order['trade_id']})" in typed.out + typed.err
    assert order["carrier_name"] in typed.out + typed.err
    assert sent(merchant, PAY) == 0
    answering(b"y\n")
    assert type_order("pay", "ORDER-1").status == 0
    assert sent(merchant, PAY) == 1


def test_nobody_is_asked_to_pay_for_an_order_of_which_the_costs_cannot_be_read(
    merchant: Deployment, order_file: str, type_order: Callable[..., Typed], answering: Callable[[bytes], None]
) -> None:
    type_order("place", "--file", order_file)
    fault(merchant, "order_garbled:path=/alibaba/order/get")
    answering(b"y\n")
    typed = type_order("pay", "ORDER-1")
    assert typed.status == 1
    assert "What Alibaba.com says of order ORDER-1 cannot be read" in typed.complaint
    assert "dropship orders pay ORDER-1" in typed.complaint
    assert sent(merchant, PAY) == 0


def test_nothing_that_people_typed_reaches_a_log(
    merchant: Deployment, order_file: str, type_order: Callable[..., Typed], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    fault(merchant, f"refuse:code=800022:shape=business:message={person(merchant)['street']}:path={CREATE}:first=1")
    typed: list[Any] = [type_order("place", "--file", order_file), type_order("place", "--file", order_file)]
    assert [one.status for one in typed] == [1, 0]
    assert "***" in typed[0].complaint
    assert not any(names_somebody(one, merchant) for one in typed)
    told = caplog.text + str(merchant.rows("SELECT p::text FROM orders.placements p"))
    assert not any(word in told for word in (*person(merchant).values(), merchant.sandbox.env["ALIBABA_ACCESS_TOKEN"]))
    assert "biz.alibaba.com" not in caplog.text
