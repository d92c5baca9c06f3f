"""Paying for orders and cancelling them: once, followed to the end, and told as it is."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from deployment import Deployment
from order_steps import at_desk
from placing_steps import (
    CANCEL,
    CREATE,
    HASTY,
    LIST,
    PAY,
    PAYER,
    asked,
    created,
    fault,
    lose_lock,
    no_faults,
    sent,
    settled_shop,
    wait_until_sent,
)

from dropship_pipeline.orders.placing import PayState, State
from dropship_pipeline.problem import Problem
from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage.orders.placements import Placement
from dropship_pipeline.sync.orders.cancelling import cancel
from dropship_pipeline.sync.orders.paying import pay, payment_problem
from dropship_pipeline.sync.orders.placing import place, plan

Deploy = Callable[..., Deployment]
RESULT, GET = "/alibaba/order/pay/result/query", "/alibaba/order/get"


@pytest.fixture(scope="module")
def shop() -> Iterator[Running]:
    with start(SandboxConfig(products=60, orders=0, drift=0.0)) as running:
        yield running


@pytest.fixture
def merchant(deploy: Deploy, shop: Running) -> Deployment:
    merchant = deploy(sandbox=settled_shop(shop))
    shop.control("accounts/payment", {"payment": "saved_method"})
    with at_desk(merchant) as desk:
        assert place(desk, "ORDER-1", asked(merchant), HASTY).problem is None
    return merchant


def try_to_pay(merchant: Deployment, name: str = "ORDER-1") -> Placement:
    with at_desk(merchant) as desk:
        return pay(desk, name, PAYER, HASTY).placement


def try_to_cancel(merchant: Deployment, name: str = "ORDER-1", reason: str | None = None) -> Placement:
    with at_desk(merchant) as desk:
        return cancel(desk, name, reason, HASTY).placement


def status(merchant: Deployment) -> Any:
    [order] = created(merchant)
    return order["status"]


def stored(merchant: Deployment) -> tuple[Any, ...]:
    [row] = merchant.rows("SELECT state, pay_state, pay_url, reason FROM orders.placements")
    return tuple(row.values())


def test_an_order_is_paid_once_and_read_into_the_tables(merchant: Deployment) -> None:
    placement = try_to_pay(merchant)
    assert (placement.pay_state, payment_problem(placement)) == (PayState.PAID, None)
    assert status(merchant) == merchant.value("SELECT status FROM orders.orders") == "paid"
    assert merchant.value("SELECT transaction_fee > 0 FROM orders.payments")
    assert try_to_pay(merchant, str(placement.trade_id)).pay_state is PayState.PAID
    assert sent(merchant, PAY) == 1


def test_an_order_that_somebody_paid_already_is_paid(merchant: Deployment) -> None:
    merchant.sandbox.control("accounts/pay_by_hand", {"trade_id": created(merchant)[0]["trade_id"]})
    assert try_to_pay(merchant).pay_state is PayState.PAID


@pytest.mark.parametrize("how", ["reset", "truncated_json"])
def test_a_payment_whose_answer_was_lost_is_found_out(merchant: Deployment, how: str) -> None:
    fault(merchant, f"{how}:path={PAY}:first=1")
    assert try_to_pay(merchant).pay_state is PayState.PAID
    assert sent(merchant, PAY) == 1


@pytest.mark.parametrize("how", ["dropped", "http_500"])
def test_a_payment_that_was_never_made_is_said_not_to_be_and_not_repeated_by_itself(
    merchant: Deployment, how: str
) -> None:
    fault(merchant, f"{how}:path={PAY}:first=1")
    placement = try_to_pay(merchant)
    assert (placement.pay_state, status(merchant)) == (None, "unpay")
    assert "not paid: nothing was paid" in str(payment_problem(placement))
    assert sent(merchant, PAY) == 1
    assert try_to_pay(merchant).pay_state is PayState.PAID


def test_a_payment_that_was_cut_short_is_looked_for_before_it_is_made_again(merchant: Deployment) -> None:
    fault(merchant, f"reset:path={PAY}:first=1")
    fault(merchant, f"refuse:code=InvalidParameter:path={RESULT}")
    with pytest.raises(Problem):
        try_to_pay(merchant)
    assert stored(merchant)[1] == "ambiguous"
    no_faults(merchant)
    assert try_to_pay(merchant).pay_state is PayState.PAID
    assert sent(merchant, PAY) == 1


def test_a_payment_of_which_the_result_cannot_be_read_is_asked_after_again_and_not_repeated(
    merchant: Deployment,
) -> None:
    fault(merchant, f"reset:path={PAY}:first=1")
    fault(merchant, f"order_garbled:path={RESULT}")
    with pytest.raises(Problem, match=r"the payment of order ORDER-1 cannot be read.*dropship orders pay ORDER-1"):
        try_to_pay(merchant)
    assert stored(merchant)[1] == "ambiguous"
    no_faults(merchant)
    assert try_to_pay(merchant).pay_state is PayState.PAID
    assert sent(merchant, PAY) == 1


def test_whoever_lost_the_lock_while_he_waited_for_his_turn_spends_no_money(merchant: Deployment) -> None:
    fault(merchant, f"throttle_body:ban=1:path={PAY}:first=1")
    with ThreadPoolExecutor(1) as pool, at_desk(merchant) as desk:
        sleeper = pool.submit(pay, desk, "ORDER-1", PAYER, replace(HASTY, send_within=10))
        wait_until_sent(merchant, PAY)  # and refused: it waits until it may call again
        lose_lock(merchant)
        placement = sleeper.result().placement
    assert (placement.pay_state, status(merchant), sent(merchant, PAY)) == (None, "unpay", 1)
    assert "ORDER-1 is not paid: The database" in str(payment_problem(placement))
    assert try_to_pay(merchant).pay_state is PayState.PAID


def test_the_first_payment_of_a_buyer_is_made_by_hand_where_the_address_leads(merchant: Deployment) -> None:
    merchant.sandbox.control("accounts/payment", {"payment": "never_paid"})
    placement = try_to_pay(merchant)
    assert placement.pay_state is PayState.BY_HAND
    assert placement.pay_url == f"https://biz.alibaba.com/ta/detail.htm?orderId={placement.trade_id}"
    problem = payment_problem(placement)
    assert "NEVER_PAY_SUCCESS_IN_DROPSHIPER" in str(problem)
    assert placement.pay_url not in f"{problem} {placement}"
    merchant.sandbox.control("accounts/pay_by_hand", {"trade_id": placement.trade_id})
    assert try_to_pay(merchant).pay_state is PayState.PAID


def test_a_payment_that_the_bank_verifies_is_asked_after(merchant: Deployment) -> None:
    merchant.sandbox.control("accounts/payment", {"payment": "verified_first"})
    placement = try_to_pay(merchant)
    assert placement.pay_state is PayState.VERIFYING
    assert "being verified" in str(payment_problem(placement))
    merchant.sandbox.control("clock", {"advance_s": 700})
    assert try_to_pay(merchant).pay_state is PayState.PAID
    assert sent(merchant, PAY) == 1


def test_a_declined_card_is_told_and_may_be_tried_again(merchant: Deployment) -> None:
    merchant.sandbox.control("accounts/payment", {"payment": "declined"})
    placement = try_to_pay(merchant)
    assert placement.pay_state is PayState.FAILED
    assert "50006, The payment was declined by the issuer of the card" in str(payment_problem(placement))
    merchant.sandbox.control("accounts/payment", {"payment": "saved_method"})
    assert try_to_pay(merchant).pay_state is PayState.PAID


def test_one_order_that_cannot_be_paid_leaves_the_others_alone(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        second = place(desk, "ORDER-2", asked(merchant, "ORDER-2"), HASTY).placement
        desk.client.cancel_order(str(second.trade_id))
    assert try_to_pay(merchant, "ORDER-2").pay_state is PayState.FAILED
    assert try_to_pay(merchant).pay_state is PayState.PAID


def test_only_what_was_placed_here_is_paid(merchant: Deployment) -> None:
    with pytest.raises(Problem, match="No order was placed here under '234193410001028893'"):
        try_to_pay(merchant, "234193410001028893")
    with at_desk(merchant) as desk:
        plan(desk, asked(merchant, "ORDER-2"))
    with pytest.raises(Problem, match="Order ORDER-2 is not placed"):
        try_to_pay(merchant, "ORDER-2")
    assert sent(merchant, PAY) == 0


def test_an_unpaid_order_is_cancelled_once_with_the_reason(merchant: Deployment) -> None:
    assert try_to_cancel(merchant, reason="ordered by mistake").state is State.CANCELLED
    assert (status(merchant), stored(merchant)[3]) == ("trade_close", "ordered by mistake")
    assert merchant.value("SELECT status FROM orders.orders") == "trade_close"
    assert try_to_cancel(merchant).state is State.CANCELLED
    assert sent(merchant, CANCEL) == 1
    with pytest.raises(Problem, match="is cancelled"):
        try_to_pay(merchant)


@pytest.mark.parametrize("how", ["reset", "truncated_json"])
def test_a_cancellation_whose_answer_was_lost_is_found_out(merchant: Deployment, how: str) -> None:
    fault(merchant, f"{how}:path={CANCEL}:first=1")
    assert try_to_cancel(merchant).state is State.CANCELLED


def test_a_cancellation_that_failed_is_said_to_have_and_may_be_tried_again(merchant: Deployment) -> None:
    fault(merchant, f"dropped:path={CANCEL}:first=1")
    with pytest.raises(Problem, match="Order ORDER-1 is not cancelled"):
        try_to_cancel(merchant)
    assert stored(merchant)[0] == "cancelling"
    assert try_to_cancel(merchant).state is State.CANCELLED


def test_an_order_that_cannot_be_read_is_not_cancelled_and_may_be_when_it_can_be(merchant: Deployment) -> None:
    fault(merchant, f"order_garbled:path={GET}:first=1")
    with pytest.raises(Problem, match=r"order ORDER-1 cannot be read.*dropship orders cancel ORDER-1"):
        try_to_cancel(merchant)
    assert (stored(merchant)[0], status(merchant)) == ("placed", "unpay")
    fault(merchant, f"dropped:path={CANCEL}:first=1")
    fault(merchant, f"order_garbled:path={GET}:after=1")
    with pytest.raises(Problem, match="Order ORDER-1 is not cancelled"):
        try_to_cancel(merchant)
    assert stored(merchant)[0] == "cancelling"
    with at_desk(merchant) as desk:
        assert "Find out: dropship orders cancel ORDER-1" in str(place(desk, "ORDER-1").problem)
    no_faults(merchant)
    assert try_to_cancel(merchant).state is State.CANCELLED


def test_a_paid_order_is_not_cancelled(merchant: Deployment) -> None:
    try_to_pay(merchant)
    with pytest.raises(Problem, match="Ask the seller for a refund"):
        try_to_cancel(merchant)
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE orders.placements SET pay_state = NULL")  # paid on the website
    with pytest.raises(Problem, match=r"is paid at Alibaba.com, and cannot be cancelled any more"):
        try_to_cancel(merchant)
    assert (sent(merchant, CANCEL), status(merchant)) == (0, "paid")


def test_what_was_only_planned_is_never_placed_once_it_is_cancelled(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        plan(desk, asked(merchant, "ORDER-2"))
        assert cancel(desk, "ORDER-2").placement.state is State.CANCELLED
        outcome = place(desk, "ORDER-2")
    assert (outcome.placement.state, outcome.sent) == (State.CANCELLED, False)
    assert "Order ORDER-2 is cancelled" in str(outcome.problem), "whoever places it again is told that it is not placed"
    assert merchant.value("SELECT recipient IS NULL FROM orders.placements WHERE channel_refer_id = 'ORDER-2'")
    assert created(merchant, "ORDER-2") == []


def test_an_order_of_which_nobody_knows_is_settled_before_it_is_cancelled(merchant: Deployment) -> None:
    fault(merchant, f"reset:path={CREATE}:first=1")
    fault(merchant, f"refuse:code=InvalidParameter:path={LIST}:after=1")
    with at_desk(merchant) as desk:
        place(desk, "ORDER-2", asked(merchant, "ORDER-2"), HASTY)
    with pytest.raises(Problem, match="what became of it is not known yet"):
        try_to_cancel(merchant, "ORDER-2")
