"""The rows of placements: a step is made once, an order is one placement's, and nobody reads who the recipient is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dropship_pipeline.alibaba.order_requests import Address, OrderItem, Phone
from dropship_pipeline.orders.placing import OrderAsked, PayState, Quote, State
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.secrets import Cipher, WrongKey
from dropship_pipeline.storage.orders.placements import Placement, PlacementStore, find_placement
from dropship_pipeline.storage.server.database import Database

NOON = datetime(2026, 1, 21, 12, tzinfo=UTC)
ASKED = OrderAsked(
    "R1",
    (OrderItem("100", "1", 5),),
    Address(
        "10012", "US", "United States", "New York", "New York", "12 Secret Street",
        contact_person="Jane Roe", telephone=Phone("+1", "2125550123"),
    ),
    remark="for Jane",
)  # fmt: skip
QUOTE = Quote("CN", "EX", "Express", Decimal("3.00"), "USD", 3, 9, Decimal("10.00"), "USD", NOON)


@pytest.fixture
def store(database: Database) -> PlacementStore:
    return PlacementStore(database, Cipher(["a passphrase that is long enough"]))


def sending(store: PlacementStore, reference: str = "R1") -> Placement:
    placement = store.plan(replace(ASKED, reference=reference), "default")
    return store.sending(store.quoted(placement, QUOTE), NOON, {"OLD"})


def test_what_is_planned_is_kept_whole_and_nobody_reads_the_recipient(
    store: PlacementStore, database: Database
) -> None:
    store.plan(ASKED, "default")
    assert store.asked("R1") == ASKED
    with database.begin() as connection:
        row = str(connection.exec_driver_sql("SELECT p::text FROM orders.placements p").scalar_one())
    assert not any(word in row for word in ("Jane", "Secret", "2125550123"))
    with pytest.raises(WrongKey):
        PlacementStore(database, Cipher(["another passphrase altogether"])).asked("R1")


def test_a_placement_is_found_by_its_reference_and_by_its_order(store: PlacementStore, database: Database) -> None:
    placed = store.placed(sending(store), "T1", "https://pay")
    assert find_placement(database, "R1") == find_placement(database, "T1") == placed
    assert (placed.state, placed.quote, placed.pay_url) == (State.PLACED, QUOTE, "https://pay")
    assert "https://pay" not in repr(placed)
    assert find_placement(database, "R2") is None
    with pytest.raises(Problem, match="Nothing is known of an order with reference 'R2'"):
        store.get("R2")
    with pytest.raises(Problem, match="is not kept here any more"):
        store.asked("R1")


def test_another_order_takes_a_reference_only_where_no_order_exists(store: PlacementStore) -> None:
    other = replace(ASKED, items=(OrderItem("200", "2", 1),))
    store.quoted(store.plan(ASKED, "default"), QUOTE)
    assert store.plan(ASKED, "default").quote == QUOTE
    replaced = store.plan(other, "default")
    assert (replaced.fingerprint, replaced.quote) == (other.fingerprint("default"), None)
    sent = store.sending(store.quoted(replaced, QUOTE), NOON, [])
    assert store.plan(ASKED, "default") == sent
    refused = store.move(sent, [State.SENDING], State.REFUSED, "no")
    again = store.plan(other, "default")
    assert (again.state, again.quote, again.sent_at, again.sends) == (State.PLANNED, None, None, refused.sends)


def test_what_was_so_when_it_was_first_sent_stays(store: PlacementStore) -> None:
    first = sending(store)
    back = store.move(first, [State.SENDING], State.PLANNED, "not there")
    second = store.sending(back, datetime.now(UTC), {"OLD", "NEW"})
    assert (second.sends, second.sent_at, second.orders_before) == (2, NOON, ("OLD",))
    forgotten = store.never_sent(second, "a person looked")
    assert (forgotten.state, forgotten.sent_at, forgotten.orders_before) == (State.PLANNED, None, ())


@pytest.mark.parametrize(
    "step",
    [
        lambda store, old: store.sending(old, NOON, []),
        lambda store, old: store.quoted(old, QUOTE),
        lambda store, old: store.move(old, [State.PLANNED], State.CANCELLED, None),
        lambda store, old: store.pay(old, PayState.SENDING),
    ],
)
def test_a_step_from_a_state_that_is_no_more_is_not_made(store: PlacementStore, step: Callable[..., Any]) -> None:
    old = store.plan(ASKED, "default")
    current = store.sending(store.quoted(old, QUOTE), NOON, [])
    with pytest.raises(Problem, match="became sending meanwhile"):
        step(store, old)
    assert store.get("R1") == current


def test_an_order_is_one_placements(store: PlacementStore) -> None:
    store.placed(sending(store, "R1"), "T1")
    second = store.placed(sending(store, "R2"), "T1")
    assert (second.state, second.trade_id) == (State.NEEDS_PERSON, None)
    assert second.reason == "Alibaba.com names order T1, which is that of reference R1"
    assert store.claimed(["T1", "T2"]) == {"T1"}


def test_an_answer_that_comes_after_all_is_not_lost(store: PlacementStore) -> None:
    stale = sending(store)
    looked = store.placed(store.move(stale, [State.SENDING], State.AMBIGUOUS, "lost"), "T1")
    assert store.placed(stale, "T1") == looked
    torn = store.placed(stale, "T2")
    assert torn.state is State.NEEDS_PERSON
    assert torn.reason == "Alibaba.com names order T2, and meanwhile it became T1"


def test_rivals_are_the_unsettled_orders_that_could_not_be_told_apart(store: PlacementStore) -> None:
    placement = sending(store)
    sending(store, "R2")
    store.placed(sending(store, "R3"), "T3")
    store.plan(replace(ASKED, reference="R4"), "default")
    store.plan(replace(ASKED, reference="R5", items=(OrderItem("200", "2", 1),)), "default")
    assert store.rivals(placement) == ["R2"]


def test_a_payment_goes_from_the_state_that_was_seen(store: PlacementStore) -> None:
    placed = store.placed(sending(store), "T1", "https://pay")
    paying = store.pay(placed, PayState.SENDING)
    with pytest.raises(Problem):
        store.pay(placed, PayState.SENDING)
    assert store.pay(paying, PayState.PAID).pay_url == "https://pay"
