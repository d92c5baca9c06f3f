"""`dropship orders`: what a person and a machine are told of orders, and what they are not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from deployment import Deployment
from typed import Type

Deploy = Callable[..., Deployment]


@pytest.fixture
def merchant(deploy: Deploy) -> Deployment:
    return deploy(products=60, orders=30)


def orders(merchant: Deployment) -> list[dict[str, object]]:
    """The merchant's own orders, the oldest first, without the guide's two."""
    (buyer, *_) = merchant.sandbox.control("accounts")["buyers"]
    return [o for o in merchant.truth("orders")["orders"][:-2] if o["buyer_id"] == buyer["user_id"]]


def test_an_order_that_was_read_is_shown_without_its_recipient_unless_that_is_asked_for(
    merchant: Deployment, type_command: Type
) -> None:
    order = orders(merchant)[0]
    trade_id, to = str(order["trade_id"]), order["recipient"]
    assert isinstance(to, dict)
    person = (to["contact_person"], to["address"], to["mobile"]["number"])
    done = type_command(["orders", "sync", "--order", trade_id], merchant.environment)
    assert done.status == 0, done.err
    assert "Orders read" in done.out
    shown = type_command(["orders", "show", trade_id], merchant.environment)
    assert shown.status == 0, shown.err
    assert trade_id in shown.out
    assert f"{order['status']}" in shown.out
    assert "Lines" in shown.out
    as_json = type_command(["orders", "show", trade_id, "--json"], merchant.environment)
    sheet = json.loads(as_json.out)
    assert (sheet["order"]["trade_id"], sheet["order"]["status"]) == (trade_id, order["status"])
    assert "recipient" not in sheet
    for typed in (done, shown, as_json):
        assert not [word for word in person if word in typed.out + typed.err]
    asked = type_command(["orders", "show", trade_id, "--recipient"], merchant.environment)
    assert all(word in asked.out for word in person)
    asked = type_command(["orders", "show", trade_id, "--recipient", "--json"], merchant.environment)
    assert json.loads(asked.out)["recipient"]["contact_person"] == to["contact_person"]


def test_what_changed_lately_is_read_and_counted(merchant: Deployment, type_command: Type) -> None:
    done = type_command(["orders", "sync", "--since", "100d", "--json"], merchant.environment)
    assert done.status == 0, done.err
    said = json.loads(done.out)
    assert (said["outcome"], said["problems"], said["asked"]) == ("done", [], 30)
    assert said["counts"]["new"] == merchant.value("SELECT count(*) FROM orders.orders") == 30
    again = json.loads(type_command(["orders", "sync", "--since", "36500d", "--json"], merchant.environment).out)
    assert (again["asked"], again["calls"]["calls"]) == (2, 1 + 2 * 4), "the guide's own two orders are years old"
    assert merchant.value("SELECT count(*) FROM ops.syncs") == 0, "`dropship status` speaks of the catalogue"


def test_days_are_days_of_utc_and_each_has_a_line(merchant: Deployment, type_command: Type) -> None:
    created = orders(merchant)[-1]["created_ms"]
    assert isinstance(created, int)
    day = datetime.fromtimestamp(created / 1000, UTC).date().isoformat()
    done = type_command(["orders", "sync", "--day", day, "--day", "2001-01-01"], merchant.environment)
    assert done.status == 0, done.err
    lines = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line[:2] == "20"}
    assert int(lines[day][0]) >= 1
    assert lines["2001-01-01"] == ["0", "0", "0", "0"]


def test_what_is_left_to_do_ends_1_with_the_remedy(merchant: Deployment, type_command: Type) -> None:
    merchant.sandbox.control("faults", {"fault": "refuse:code=MissingParameter:path=/alibaba/order/fund/query:first=1"})
    done = type_command(["orders", "sync", "--since", "100d"], merchant.environment)
    assert done.status == 1
    assert "1 order could not be read" in done.complaint
    assert "run the command again" in done.complaint
    assert "Orders not all done" in done.out
    assert type_command(["orders", "sync"], merchant.environment).status == 0


def test_an_order_that_the_tables_lack_is_named_with_the_remedy(merchant: Deployment, type_command: Type) -> None:
    typed = type_command(["orders", "show", "234193410001028893"], merchant.environment)
    assert typed.status == 1
    assert "The tables have no order '234193410001028893'" in typed.complaint
    assert "dropship orders sync --order" in typed.complaint


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--since", "7"], 2),
        (["--since", "0"], 1),
        (["--since", "7d", "--day", "2026-01-20"], 2),
        (["--day", "20.1.2026"], 2),
        (["--day", "9999-12-31"], 1),
        (["--order", "12 34"], 2),
        (["--order", ""], 2),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_opened(
    arguments: list[str], status: int, type_command: Type
) -> None:
    typed = type_command(["orders", "sync", *arguments], {"DROPSHIP_DATABASE_URL": "postgresql://nobody@nowhere/x"})
    assert typed.status == status
    assert typed.complaint
