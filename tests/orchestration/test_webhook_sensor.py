"""Push messages in Dagster: what they name is fetched by runs; whatever goes wrong, the tables end as they should."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import dagster as dg
import pytest
from dagster_runs import failures, installed
from deployment import Deployment
from posting import body_of, price_change, receiving
from sensor_ticks import run_asked, tick
from sqlalchemy import text
from two_buyers import OTHER, let_in, ordered, stored_statuses, true_statuses

from dropship_pipeline.sync.orders.accounts import sync_all
from dropship_pipeline.sync.orders.following import OrdersRequest
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.session import open_desk

Deploy = Callable[..., Deployment]

DESCRIPTION = "/eco/buyer/product/description"


def inbox(merchant: Deployment) -> dict[tuple[str | None, str], str]:
    """What became of each message: (subject, event) -> state."""
    rows = merchant.rows("SELECT subject, event, state FROM ops.webhook_inbox")
    return {(row["subject"], row["event"]): row["state"] for row in rows}


def drain(merchant: Deployment, instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """A tick, the runs it asked for, and the tick that sees how they ended."""
    runs = run_asked(instance, tick(instance, "webhook_sensor").run_requests or [])
    assert tick(instance, "webhook_sensor").run_requests in (None, [])
    return runs


def test_products_that_are_named_are_fetched_in_one_run_and_the_price_in_a_message_is_not_believed(
    deploy: Deploy,
) -> None:
    merchant = deploy(products=40, drift=0)
    first, second, third = merchant.truth("products")["product_ids"][:3]
    with installed(merchant) as instance, receiving(merchant.environment) as receiver:
        for body in (
            body_of(productId=first, option="ADD"),
            *[price_change(first, "999.99")] * 12,
            price_change(first, "999.98"),
            body_of(productId=second, option="DELETE"),
            body_of(productId=second, option="ADD"),
            body_of(productId=third, option="DELETE"),
            body_of(productId="1600000000000", option="ADD"),
            body_of(productId="1600000000001", option="DELETE"),
        ):
            assert receiver.post(body).status == 200
        asked = tick(instance, "webhook_sensor").run_requests
        assert [request.job_name for request in asked] == ["manual_refresh"]
        assert asked[0].tags["dropship/messages"] == "8"
        again = tick(instance, "webhook_sensor")
        assert not again.run_requests  # its run may be on its way
        assert "8 push messages are with runs" in (again.skip_message or "")

        [done] = run_asked(instance, asked)
        assert done.status is dg.DagsterRunStatus.SUCCESS, failures(instance, done)
        assert tick(instance, "webhook_sensor").run_requests in (None, [])
    assert merchant.calls(DESCRIPTION) == dict.fromkeys((first, second, third), 1)
    known = merchant.rows("SELECT product_id FROM catalog.products ORDER BY 1")
    assert [row["product_id"] for row in known] == sorted((first, second, third))
    assert merchant.value("SELECT count(*) FROM catalog.price_tiers WHERE price >= 999") == 0
    assert merchant.value("SELECT count(*) FROM ops.snapshots") == 0
    assert set(inbox(merchant).items()) == {
        ((first, "ADD"), "done"),
        ((first, "PRICE_CHANGE"), "done"),
        ((second, "DELETE"), "done"),
        ((second, "ADD"), "done"),
        ((third, "DELETE"), "done"),
        (("1600000000000", "ADD"), "dead"),  # Alibaba.com knows no such product
        (("1600000000001", "DELETE"), "done"),  # and this one is as the message says
    }
    assert "Alibaba.com refuses it" in merchant.value("SELECT reason FROM ops.webhook_inbox WHERE state = 'dead'")


def test_a_message_is_done_only_when_a_run_has_succeeded(deploy: Deploy) -> None:
    merchant = deploy(products=30, drift=0)
    product = merchant.truth("products")["product_ids"][0]
    with installed(merchant) as instance, receiving(merchant.environment) as receiver:
        receiver.post(body_of(productId=product, option="ADD"))
        merchant.sandbox.control("faults", {"fault": f"refuse:code=IllegalAccessToken:path={DESCRIPTION}"})
        [failed] = drain(merchant, instance)
        assert failed.status is dg.DagsterRunStatus.FAILURE
        [row] = merchant.rows("SELECT state, reason, attempts, not_before > now() AS later FROM ops.webhook_inbox")
        assert row == {
            "state": "waiting", "reason": "Its run failed: it is handed over again", "attempts": 1, "later": True
        }  # fmt: skip

        merchant.sandbox.control("faults", method="DELETE")
        account = "UPDATE ops.accounts SET state = 'active', reason = NULL"
        with merchant.database.begin() as connection:
            connection.execute(text("UPDATE ops.webhook_inbox SET not_before = now()"))
            connection.execute(text(account))
        [done] = drain(merchant, instance)
        assert done.status is dg.DagsterRunStatus.SUCCESS, failures(instance, done)
    assert inbox(merchant) == {(product, "ADD"): "done"}
    assert merchant.value("SELECT count(*) FROM catalog.products") == 1


def test_unknown_kinds_are_warned_about_once_and_left_alone(deploy: Deploy, capfd: pytest.CaptureFixture[str]) -> None:
    merchant = deploy(products=1)
    with installed(merchant) as instance, receiving(merchant.environment) as receiver:
        warned = []
        for number in range(3):
            receiver.post(json.dumps({"message_type": 77, "data": {"n": number}}).encode())
            capfd.readouterr()
            assert not tick(instance, "webhook_sensor").run_requests
            warned.append("message_type 77" in capfd.readouterr().err)
    assert warned == [True, False, False]
    assert merchant.value("SELECT count(*) FROM ops.webhook_inbox WHERE state = 'unknown'") == 3


def test_a_message_is_worked_on_for_the_buyer_whose_order_it_names_and_dead_where_he_is_nobody_here(
    deploy: Deploy,
) -> None:
    merchant = deploy(products=30, orders=30)
    let_in(merchant)
    mine, others = (next(iter(ordered(merchant, buyer))) for buyer in (0, 1))
    strangers = "255201166009999999"
    with installed(merchant) as instance, receiving(merchant.environment) as receiver:
        for trade_id in (mine, others, strangers):  # of which no list has told yet
            assert receiver.post(body_of(trade_id_str=trade_id, status="paid")).status == 200
        [done] = drain(merchant, instance)
        assert done.status is dg.DagsterRunStatus.SUCCESS, failures(instance, done)
    true = true_statuses(merchant)
    assert stored_statuses(merchant) == {mine: true[mine], others: true[others]}
    assert {account for account, _ in stored_statuses(merchant).values()} == {"default", OTHER}
    assert inbox(merchant) == {(mine, "paid"): "done", (others, "paid"): "done", (strangers, "paid"): "dead"}


PLANS = {
    "some lost, doubled and late": {"drop": 0.3, "duplicate": 0.3, "reorder": 0.5},
    "nobody receives": None,
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
def test_whatever_becomes_of_the_messages_two_ticks_later_the_orders_are_those_of_alibaba(
    deploy: Deploy, plan: dict[str, float] | None
) -> None:
    merchant = deploy(products=30, orders=200)
    let_in(merchant)
    cursor: str | None = None

    def ticks() -> None:
        """Each of the two sensors once, and the runs that they ask for."""
        nonlocal cursor
        polled = tick(instance, "order_status_sensor", cursor)
        cursor = polled.cursor
        pushed = tick(instance, "webhook_sensor")
        run_asked(instance, [*(pushed.run_requests or []), *(polled.run_requests or [])])

    with installed(merchant) as instance, receiving(merchant.environment) as receiver:
        with open_desk(merchant.settings, "before", Silent()) as desk:
            sync_all(desk, OrdersRequest(since=timedelta(days=3_000)))
        before = {trade_id: status for trade_id, (_, status) in stored_statuses(merchant).items()}
        assert len(before) > 200
        if plan is not None:
            merchant.sandbox.control("pushes", {"url": receiver.address, "retry_s": 0.05, **plan})
        for _ in range(3):
            merchant.sandbox.control("clock", {"advance_s": 18 * 3_600})
            told = merchant.sandbox.control("pushes", {})
            ticks()  # while some are still under way
        while (told := merchant.sandbox.control("pushes"))["waiting"]:
            time.sleep(0.05)
        ticks()
        ticks()
    assert stored_statuses(merchant) == true_statuses(merchant)
    after = {trade_id: status for trade_id, (_, status) in true_statuses(merchant).items()}
    # from what was seen first to what is true now, each change is in the log once, and none is missing
    seen: dict[str, list[tuple[str, str]]] = {}
    log = "SELECT trade_id, old_status, new_status FROM orders.order_status_changes ORDER BY observed_at"
    for row in merchant.rows(log):
        seen.setdefault(row["trade_id"], []).append((row["old_status"], row["new_status"]))
    assert set(seen) == {trade_id for trade_id, status in before.items() if after[trade_id] != status}
    for trade_id, steps in seen.items():
        path = [before[trade_id], *(new for _, new in steps)]
        assert steps == list(pairwise(path))
        assert path[-1] == after[trade_id]
    assert len(seen) > 5
    messages = merchant.rows("SELECT subject, state, deliveries FROM ops.webhook_inbox")
    if plan is None:
        assert messages == []
        return
    assert len(messages) == told["found"] - told["dropped"] > 10
    assert told["dropped"] > 0
    assert sum(row["deliveries"] for row in messages) == told["acknowledged"] > len(messages)
    assert "done" in {row["state"] for row in messages}
    assert {row["state"] for row in messages} <= {"done", "handed_over"}  # its run has ended: the next look sees it
