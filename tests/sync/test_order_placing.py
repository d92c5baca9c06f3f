"""An order is placed exactly once: whatever the way there and back does, and however often it is asked for."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from deployment import Deployment
from order_steps import Noting, at_desk
from placing_steps import (
    CREATE,
    FREIGHT,
    HASTY,
    LIST,
    asked,
    created,
    fault,
    lose_lock,
    no_faults,
    person,
    plain_products,
    recipient,
    sent,
    settled_shop,
    stocked,
    wait_until_sent,
)

from dropship_pipeline.alibaba.errors import ApiError
from dropship_pipeline.orders.placing import OrderAsked, OrderFaults, State
from dropship_pipeline.problem import Problem
from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.sync.orders.placing import PlaceOutcome, place, placement_store, plan, settle

Deploy = Callable[..., Deployment]


@pytest.fixture(scope="module")
def shop() -> Iterator[Running]:
    with start(SandboxConfig(products=60, orders=0, drift=0.0)) as running:
        yield running


@pytest.fixture
def merchant(deploy: Deploy, shop: Running) -> Deployment:
    return deploy(sandbox=settled_shop(shop))


def try_to_place(merchant: Deployment, order: OrderAsked) -> PlaceOutcome:
    with at_desk(merchant) as desk:
        return place(desk, order.reference, order, HASTY)


def standing(merchant: Deployment, reference: str = "ORDER-1") -> tuple[str, str | None, str | None]:
    [row] = merchant.rows(
        f"SELECT state, trade_id, reason FROM orders.placements WHERE channel_refer_id = '{reference}'"
    )
    return row["state"], row["trade_id"], row["reason"]


def test_an_order_is_placed_as_it_was_asked_for_and_read_into_the_tables(merchant: Deployment) -> None:
    order = asked(merchant, properties={"platform": "Shopify"}, remark="Leave it with the neighbour")
    outcome = try_to_place(merchant, order)
    assert outcome.problem is None
    assert outcome.remarks == ()
    [truth] = created(merchant, "ORDER-1")
    quote = outcome.placement.quote
    assert quote is not None
    assert (truth["carrier_code"], truth["dispatch_location"]) == (quote.carrier_code, quote.dispatch_location)
    assert (Decimal(truth["shipment_fee"]), Decimal(truth["total"])) == (quote.fee, quote.total)
    assert (truth["remark"], truth["properties"]) == ("Leave it with the neighbour", {"platform": "Shopify"})
    assert truth["recipient"]["address"] == person(merchant)["street"]
    assert truth["recipient"]["country"] == "United States"
    assert truth["status"] == "unpay"
    assert standing(merchant) == ("placed", truth["trade_id"], None)
    assert merchant.value("SELECT status FROM orders.orders") == "unpay"
    assert merchant.value("SELECT address FROM orders.recipients") == person(merchant)["street"]


def test_what_was_placed_is_not_placed_again(merchant: Deployment) -> None:
    first = try_to_place(merchant, asked(merchant))
    again = try_to_place(merchant, asked(merchant))
    assert (again.placement.trade_id, again.sent) == (first.placement.trade_id, False)
    with at_desk(merchant) as desk:
        assert place(desk, "ORDER-1").placement.trade_id == first.placement.trade_id
    assert sent(merchant) == 1


def test_a_reference_stands_for_one_order(merchant: Deployment) -> None:
    try_to_place(merchant, asked(merchant))
    moved = asked(merchant, recipient=recipient(merchant, address="2 Other Street"))
    with pytest.raises(Problem, match="Reference ORDER-1 stands for another order, which is placed"):
        try_to_place(merchant, moved)
    assert sent(merchant) == 1


@pytest.mark.parametrize("fault_of_creation", ["reset", "truncated_json", "bad_gzip"])
def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(
    merchant: Deployment, fault_of_creation: str
) -> None:
    fault(merchant, f"{fault_of_creation}:path={CREATE}:first=1")
    outcome = try_to_place(merchant, asked(merchant))
    [truth] = created(merchant)
    assert outcome.placement.trade_id == truth["trade_id"]
    assert outcome.placement.reason is not None
    assert "found among the account's orders" in outcome.placement.reason
    assert sent(merchant) == 1


@pytest.mark.parametrize("fault_of_creation", ["dropped", "http_500", "html_page", "refuse:code=ServiceTimeout"])
def test_an_order_that_never_came_to_be_is_sent_again_when_it_would_have_shown(
    merchant: Deployment, fault_of_creation: str
) -> None:
    fault(merchant, f"{fault_of_creation}:path={CREATE}:first=1")
    outcome = try_to_place(merchant, asked(merchant))
    [truth] = created(merchant)
    assert outcome.placement.trade_id == truth["trade_id"]
    assert (sent(merchant), outcome.placement.sends) == (2, 2)


def test_an_order_that_shows_late_is_waited_for(merchant: Deployment) -> None:
    fault(merchant, f"reset:path={CREATE}:first=1")
    fault(merchant, "orders_late:seconds=2")
    with at_desk(merchant) as desk:
        patient = replace(HASTY, settled=timedelta(seconds=4))
        assert place(desk, "ORDER-1", asked(merchant), patient).problem is None
    assert len(created(merchant)) == sent(merchant) == 1


def test_nothing_is_sent_again_while_the_list_cannot_be_read_to_its_end(merchant: Deployment) -> None:
    fault(merchant, f"reset:path={CREATE}:first=1")
    fault(merchant, f"refuse:code=InvalidParameter:path={LIST}:after=1")
    outcome = try_to_place(merchant, asked(merchant))
    assert outcome.placement.state is State.AMBIGUOUS
    assert "looks for the order before it sends anything" in str(outcome.problem)
    no_faults(merchant)
    assert try_to_place(merchant, asked(merchant)).problem is None
    assert len(created(merchant)) == sent(merchant) == 1


def test_an_order_is_not_sent_when_it_could_not_be_looked_for(merchant: Deployment) -> None:
    fault(merchant, f"refuse:code=InvalidParameter:path={LIST}")
    outcome = try_to_place(merchant, asked(merchant))
    assert (outcome.placement.state, outcome.sent, sent(merchant)) == (State.PLANNED, False, 0)
    assert "The order list" in str(outcome.problem)


def place_elsewhere(merchant: Deployment) -> str:
    """The same order, placed on the website or by another program; its ID."""
    with at_desk(merchant) as desk:
        placement = place(desk, "ELSEWHERE", asked(merchant, "ELSEWHERE"), HASTY).placement
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM orders.placements WHERE channel_refer_id = 'ELSEWHERE'")
    assert placement.trade_id is not None
    return placement.trade_id


def test_an_order_that_was_there_before_is_not_taken_for_the_lost_one(merchant: Deployment) -> None:
    elsewhere = place_elsewhere(merchant)
    fault(merchant, f"dropped:path={CREATE}:first=1")
    outcome = try_to_place(merchant, asked(merchant))
    [truth] = created(merchant, "ORDER-1")
    assert outcome.placement.trade_id == truth["trade_id"] != elsewhere


def lost(merchant: Deployment, how: str) -> None:
    """ORDER-1 is sent, and nobody can look what became of it; then the same order is placed elsewhere."""
    fault(merchant, f"{how}:path={CREATE}:first=1")
    fault(merchant, f"refuse:code=InvalidParameter:path={LIST}:after=1")
    assert try_to_place(merchant, asked(merchant)).placement.state is State.AMBIGUOUS
    no_faults(merchant)


def test_an_order_that_cannot_be_told_from_another_is_left_for_a_person(merchant: Deployment) -> None:
    lost(merchant, "reset")
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE orders.placements SET likeness = 'apart'")
    elsewhere = place_elsewhere(merchant)
    outcome = try_to_place(merchant, asked(merchant))
    assert outcome.placement.state is State.NEEDS_PERSON
    [ours] = created(merchant, "ORDER-1")
    assert elsewhere in str(outcome.problem)
    assert ours["trade_id"] in str(outcome.problem)
    assert "dropship orders settle ORDER-1 --order ID" in str(outcome.problem)
    assert try_to_place(merchant, asked(merchant)).placement.state is State.NEEDS_PERSON
    assert sent(merchant) == 2
    with at_desk(merchant) as desk:
        assert settle(desk, "ORDER-1", ours["trade_id"]).state is State.PLACED
    assert standing(merchant)[1] == ours["trade_id"]


def test_a_person_may_find_that_nothing_was_placed(merchant: Deployment) -> None:
    lost(merchant, "dropped")
    for number in (1, 2):
        assert place_elsewhere(merchant), number
    assert try_to_place(merchant, asked(merchant)).placement.state is State.NEEDS_PERSON
    with at_desk(merchant) as desk:
        assert settle(desk, "ORDER-1", None).state is State.PLANNED
        outcome = place(desk, "ORDER-1", patience=HASTY)
    assert outcome.placement.trade_id == created(merchant, "ORDER-1")[0]["trade_id"]


def test_what_a_person_finds_must_be_that_order(merchant: Deployment) -> None:
    lost(merchant, "reset")
    with at_desk(merchant) as desk:
        other = asked(merchant, "OTHER", recipient=recipient(merchant, zip="10013"))
        placed = place(desk, "OTHER", other, HASTY).placement
        with pytest.raises(Problem, match="holds something else"):
            settle(desk, "ORDER-1", placed.trade_id)
        with pytest.raises(Problem, match="there is nothing to settle"):
            settle(desk, "OTHER", None)


def test_what_a_person_finds_and_cannot_be_read_settles_nothing(merchant: Deployment) -> None:
    lost(merchant, "reset")
    [ours] = created(merchant)
    fault(merchant, "order_garbled")
    with at_desk(merchant) as desk:
        with pytest.raises(Problem, match=r"order \d+ cannot be read.*dropship orders settle ORDER-1 --order \d+"):
            settle(desk, "ORDER-1", ours["trade_id"])
        assert standing(merchant)[:2] == ("ambiguous", None)
        no_faults(merchant)
        assert settle(desk, "ORDER-1", ours["trade_id"]).state is State.PLACED


def test_two_orders_of_one_content_are_both_placed(merchant: Deployment) -> None:
    fault(merchant, f"reset:path={CREATE}:first=2")
    first = try_to_place(merchant, asked(merchant, "ORDER-1"))
    second = try_to_place(merchant, asked(merchant, "ORDER-2"))
    assert first.placement.trade_id == created(merchant, "ORDER-1")[0]["trade_id"]
    assert second.placement.trade_id == created(merchant, "ORDER-2")[0]["trade_id"]


def test_two_lost_orders_of_one_content_are_not_taken_for_each_other(merchant: Deployment) -> None:
    fault(merchant, f"reset:path={CREATE}:first=1")
    for reference in ("ORDER-1", "ORDER-2"):
        fault(merchant, f"refuse:code=InvalidParameter:path={LIST}:after=1")
        assert try_to_place(merchant, asked(merchant, reference)).placement.state is State.AMBIGUOUS
        merchant.sandbox.control("faults", method="DELETE")
        fault(merchant, f"reset:path={CREATE}:first=1")
    no_faults(merchant)
    outcome = try_to_place(merchant, asked(merchant, "ORDER-1"))
    assert outcome.placement.state is State.NEEDS_PERSON
    assert "ORDER-2" in str(outcome.problem)
    assert sent(merchant) == 2


def test_two_lost_orders_to_two_flats_of_one_house_are_not_taken_for_each_other(merchant: Deployment) -> None:
    flats = [
        asked(merchant, reference, recipient=recipient(merchant, alternate_address=flat))
        for reference, flat in (("ORDER-1", "Apt 4B"), ("ORDER-2", "Apt 5C"))
    ]
    for order, how in zip(flats, ("dropped", "reset"), strict=True):
        fault(merchant, f"{how}:path={CREATE}:first=1")
        fault(merchant, f"refuse:code=InvalidParameter:path={LIST}:after=1")
        assert try_to_place(merchant, order).placement.state is State.AMBIGUOUS
        no_faults(merchant)
    [second] = created(merchant)
    for order in flats:
        assert try_to_place(merchant, order).placement.state is State.NEEDS_PERSON
    with at_desk(merchant) as desk:
        assert settle(desk, "ORDER-2", second["trade_id"]).state is State.PLACED
        settle(desk, "ORDER-1", None)
    assert try_to_place(merchant, flats[0]).problem is None
    assert sent(merchant) == len(created(merchant)) + 1 == 3


@pytest.mark.parametrize("delay", ["slow:seconds=0.5", "throttle_body:ban=1:first=1"])
def test_several_who_place_one_reference_at_once_send_it_once(merchant: Deployment, delay: str) -> None:
    order = asked(merchant)
    fault(merchant, f"{delay}:path={CREATE}")

    def try_it(_: int) -> PlaceOutcome:
        with at_desk(merchant) as desk:
            # whoever is held up longer than an order takes to show is not taken for dead
            return place(desk, order.reference, order, replace(HASTY, send_within=10))

    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(try_it, range(3)))
    assert len({outcome.placement.trade_id for outcome in outcomes}) == len(created(merchant)) == 1
    assert sorted(outcome.sent for outcome in outcomes) == [False, False, True]


def test_whoever_lost_the_lock_while_he_waited_for_his_turn_sends_nothing_any_more(merchant: Deployment) -> None:
    fault(merchant, f"throttle_body:ban=1:path={CREATE}:first=1")
    with ThreadPoolExecutor(1) as pool, at_desk(merchant) as desk:
        sleeper = pool.submit(place, desk, "ORDER-1", asked(merchant), replace(HASTY, send_within=10))
        wait_until_sent(merchant, CREATE)  # and refused: it waits until it may call again
        lose_lock(merchant)
        outcome = sleeper.result()
    assert (outcome.placement.state, sent(merchant), created(merchant)) == (State.PLANNED, 1, [])
    assert "broke the connection" in str(outcome.problem) or "was shut down" in str(outcome.problem)
    assert try_to_place(merchant, asked(merchant)).problem is None
    assert len(created(merchant)) == 1


def test_whoever_got_the_lock_meanwhile_places_the_order_and_the_other_one_does_not(merchant: Deployment) -> None:
    fault(merchant, f"throttle_body:ban=2:path={CREATE}:first=1")
    order, patient = asked(merchant), replace(HASTY, send_within=10)
    with ThreadPoolExecutor(1) as pool, at_desk(merchant) as desk, at_desk(merchant) as other_desk:
        sleeper = pool.submit(place, desk, order.reference, order, patient)
        wait_until_sent(merchant, CREATE)
        lose_lock(merchant)
        outcome = place(other_desk, order.reference, order, patient)
        with suppress(Problem):  # where the order moved on before the sleeper noticed
            assert (sleeper.result().placement.state, sleeper.result().sent) == (State.PLANNED, False)
    [truth] = created(merchant)
    assert standing(merchant)[:2] == ("placed", truth["trade_id"]) == ("placed", outcome.placement.trade_id)


@pytest.mark.parametrize(
    ("code", "shape"), [("140004", "business"), ("4028", "business"), ("InvalidParameter", "flat")]
)
def test_a_refusal_is_final_until_the_order_is_placed_again(merchant: Deployment, code: str, shape: str) -> None:
    fault(merchant, f"refuse:code={code}:shape={shape}:path={CREATE}:first=1")
    outcome = try_to_place(merchant, asked(merchant))
    assert outcome.placement.state is State.REFUSED
    assert code in str(outcome.problem)
    assert (sent(merchant), created(merchant)) == (1, [])
    corrected = asked(merchant, recipient=recipient(merchant, address="2 Other Street"))
    assert try_to_place(merchant, corrected).problem is None
    assert [order["recipient"]["address"] for order in created(merchant)] == ["2 Other Street"]


@pytest.mark.parametrize("code", ["999123", "UNSUCCESSFUL"])
def test_a_refusal_that_nobody_knows_is_not_taken_at_its_word(merchant: Deployment, code: str) -> None:
    fault(merchant, f"refuse:code={code}:shape=business:path={CREATE}:first=1")
    outcome = try_to_place(merchant, asked(merchant))
    assert outcome.placement.state is State.REFUSED
    assert code in str(outcome.problem)
    assert sent(merchant, LIST) >= 1
    assert sent(merchant) == 1


def test_a_throttled_order_is_sent_when_it_may_be(merchant: Deployment) -> None:
    fault(merchant, f"throttle_body:ban=0:path={CREATE}:first=1")
    with at_desk(merchant) as desk:
        assert place(desk, "ORDER-1", asked(merchant), replace(HASTY, send_within=10)).problem is None
    assert len(created(merchant)) == 1


def test_an_order_whose_turn_comes_too_late_is_not_sent(merchant: Deployment) -> None:
    fault(merchant, f"throttle_body:ban=3:path={CREATE}:first=1")
    outcome = try_to_place(merchant, asked(merchant))
    assert outcome.placement.state is State.PLANNED
    assert "its turn came too late" in str(outcome.problem)
    assert (sent(merchant), created(merchant)) == (1, [])
    assert try_to_place(merchant, asked(merchant)).problem is None


def test_what_makes_every_call_fail_leaves_the_order_as_it_was(deploy: Deploy, merchant: Deployment) -> None:
    order = asked(merchant)
    merchant.variables["ALIBABA_BASE_URL"] = "http://127.0.0.1:1/rest"
    with pytest.raises(ApiError):
        try_to_place(merchant, order)
    assert standing(merchant)[0] == "planned"


def test_a_quote_is_kept_and_the_order_placed_at_it(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        placement, quoted = plan(desk, asked(merchant, carrier="fastest"))
        assert (placement.state, placement.quote) == (State.PLANNED, quoted.quote)
        asked_before = sent(merchant, FREIGHT)
        outcome = place(desk, "ORDER-1", patience=HASTY)
    assert outcome.placement.quote == quoted.quote
    assert sent(merchant, FREIGHT) == asked_before
    assert created(merchant)[0]["carrier_code"] == quoted.quote.carrier_code


def test_an_expired_quote_is_asked_for_again_and_its_move_told(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        _, quoted = plan(desk, asked(merchant))
        with merchant.database.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE orders.placements SET quote = quote || "
                """'{"quoted_at": "2026-01-01T00:00:00+00:00", "fee": "0.01"}'"""
            )
        outcome = place(desk, "ORDER-1", patience=HASTY)
    [moved] = outcome.remarks
    assert "The quote has moved" in moved
    assert "freight 0.01 USD" in moved
    assert f"freight {quoted.quote.fee:,.2f} USD" in moved
    assert outcome.placement.quote is not None
    assert outcome.placement.quote.fee == quoted.quote.fee


def test_everything_wrong_is_told_at_once_and_nothing_sent(merchant: Deployment) -> None:
    product = plain_products(merchant)[0]
    lines = [
        {"product_id": product["product_id"], "sku_id": "1", "quantity": 3},
        {"product_id": product["product_id"], "sku_id": stocked(product)[0], "quantity": 900_000},
        {"product_id": "999", "sku_id": "2", "quantity": 1},
    ]
    with at_desk(merchant) as desk, pytest.raises(OrderFaults) as caught:
        place(desk, "ORDER-1", asked(merchant, lines=lines), HASTY)
    said = [str(told) for told in caught.value.faults]
    assert any("has no SKU 1" in line for line in said)
    assert any("Product 999 cannot be ordered" in line for line in said)
    assert sent(merchant) == 0


def test_recipients_are_encrypted_until_the_order_is_placed_and_gone_then(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        plan(desk, asked(merchant, remark="Ring twice"))
        stored = str(merchant.rows("SELECT p::text FROM orders.placements p"))
        assert person(merchant)["street"] not in stored
        assert "Ring twice" not in stored
        known = placement_store(desk).asked("ORDER-1")
        assert (known.recipient.address, known.remark) == (person(merchant)["street"], "Ring twice")
        assert known == asked(merchant, remark="Ring twice")
        place(desk, "ORDER-1", patience=HASTY)
        assert merchant.value("SELECT recipient IS NULL FROM orders.placements")


def test_somebody_who_waits_is_told_what_for(merchant: Deployment) -> None:
    fault(merchant, f"dropped:path={CREATE}:first=1")
    progress = Noting()
    with at_desk(merchant, progress) as desk:
        place(desk, "ORDER-1", asked(merchant), HASTY)
    assert any("was lost: looking for it among the account's orders" in line for line in progress.notes)
