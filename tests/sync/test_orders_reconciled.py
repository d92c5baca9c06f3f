"""Whole days of orders compared with the list: what following missed is found, and nothing is taken for gone."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from deployment import Deployment
from order_steps import THEN, at_desk, follow_until_quiet, time_passes
from order_truth import expected, moment, stored, true_orders

from dropship_pipeline.counting import counted
from dropship_pipeline.problem import Problem
from dropship_pipeline.sync.orders.following import OrdersRequest, reconcile_days, sync_orders
from dropship_pipeline.sync.orders.outcomes import DayOutcome, OrdersOutcome

Deploy = Callable[..., Deployment]


@pytest.fixture
def merchant(deploy: Deploy) -> Deployment:
    """Thirty orders of ninety days, the same ones each time; none of them is read yet."""
    return deploy(products=60, orders=30, **THEN)


def day_of(order: dict[str, Any]) -> date:
    placed = moment(order["created_ms"])
    assert placed is not None
    return placed.date()


def every_day(merchant: Deployment) -> list[date]:
    """Every day that an order was placed on, and one of which there is none."""
    return [date(2020, 2, 29), *sorted({day_of(order) for order in true_orders(merchant).values()})]


@pytest.fixture
def hiding(merchant: Deployment) -> Iterator[Callable[[str], None]]:
    """Makes the list hide a third of the orders until the end of the test."""

    def hide(options: str = "") -> None:
        merchant.sandbox.control("faults", {"fault": f"orders_missing{options}"})

    yield hide
    merchant.sandbox.control("faults", method="DELETE")


def test_every_day_reconciled_from_nothing_gives_the_tables_each_order_on_its_day_of_utc(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        outcome = reconcile_days(desk, every_day(merchant))
        orders = true_orders(merchant)
        assert stored(merchant) == expected(orders)
        placed = Counter(day_of(order) for order in orders.values())
        assert {day.day: day.listed for day in outcome.days if day.listed} == dict(placed)
        assert all(day.missing == day.listed and not day.reason for day in outcome.days)
        again = reconcile_days(desk, every_day(merchant))
    assert (again.asked, again.counts.rows_written, again.problems) == (0, 0, [])
    assert merchant.value("SELECT count(*) FROM ops.order_days WHERE reason IS NULL") == len(every_day(merchant))
    assert merchant.value("SELECT sum(listed) FROM ops.order_days") == len(orders)


def test_an_order_at_the_edge_of_a_day_belongs_to_the_day_of_utc_and_not_of_los_angeles(merchant: Deployment) -> None:
    orders = true_orders(merchant)
    late = [order for order in orders.values() if (moment(order["created_ms"]) or datetime.now(UTC)).hour < 7]
    assert late, "placed on the day before, as Los Angeles counts"
    with at_desk(merchant) as desk:
        reconcile_days(desk, [day_of(late[0])])
    assert merchant.value(f"SELECT count(*) FROM orders.orders WHERE trade_id = '{late[0]['trade_id']}'") == 1


def test_orders_that_the_list_hid_while_they_were_followed_are_found_by_reconciliation(
    merchant: Deployment, hiding: Callable[..., None]
) -> None:
    everything = OrdersRequest(since=timedelta(days=36_500))
    with at_desk(merchant) as desk:
        hiding()
        assert sync_orders(desk, everything).problems == [], "nothing tells that the list is not all"
        unread = len(true_orders(merchant)) - len(stored(merchant)["orders"])
        assert unread > 5
        merchant.sandbox.control("faults", method="DELETE")
        outcome = reconcile_days(desk, every_day(merchant))
        assert sum(day.missing for day in outcome.days) == outcome.counts.new == unread
        assert stored(merchant) == expected(true_orders(merchant))


def test_an_order_that_moved_on_unnoticed_is_found_by_reconciliation(
    merchant: Deployment, hiding: Callable[..., None]
) -> None:
    with at_desk(merchant) as desk:
        reconcile_days(desk, every_day(merchant))
        hiding()
        time_passes(merchant, 40 * 86_400)
        follow_until_quiet(desk, None)
        assert stored(merchant) != expected(true_orders(merchant))
        merchant.sandbox.control("faults", method="DELETE")
        outcome = reconcile_days(desk, every_day(merchant))
        assert sum(day.differing for day in outcome.days) == outcome.counts.changed > 0
        assert stored(merchant) == expected(true_orders(merchant))


def test_what_the_list_does_not_show_is_counted_read_and_kept(
    merchant: Deployment, hiding: Callable[..., None]
) -> None:
    with at_desk(merchant) as desk:
        reconcile_days(desk, every_day(merchant))
        before = stored(merchant)
        hiding()
        outcome = reconcile_days(desk, every_day(merchant))
    unlisted = sum(day.unlisted for day in outcome.days)
    assert unlisted > 5
    assert 0 < outcome.asked < unlisted, "those that have ended are not read again"
    assert stored(merchant) == before


def test_a_day_whose_list_does_not_hold_what_it_promises_says_so(
    merchant: Deployment, hiding: Callable[..., None]
) -> None:
    with at_desk(merchant) as desk:
        hiding(":total=kept")
        outcome = reconcile_days(desk, every_day(merchant))
    undone = [day for day in outcome.days if day.reason]
    assert undone
    assert undone[0].reason == (
        f"the order list promised {counted(undone[0].listed + 1, 'order')}, "
        f"{counted(undone[0].listed, 'different one was', 'different ones were')} listed"
    )
    assert f"dropship orders sync --day {undone[0].day}" in outcome.problems[0]
    assert merchant.value("SELECT count(*) FROM ops.order_days WHERE reason IS NOT NULL") == len(undone)


def test_days_add_up_and_what_is_undone_is_said_once() -> None:
    total = OrdersOutcome(undone=2, undone_reason="x.") + OrdersOutcome(undone=1, undone_reason="y.")
    said = "3 orders could not be read: y. Still due: run the command again"
    assert total.problems == [said]
    day = OrdersOutcome(days=(DayOutcome(date(2026, 1, 20), 3, 0, 0, 0),))
    assert (total + day).problems == [said], "single orders were asked for beside a day that is done"
    unread = "1 order could not be read: z"
    undone = OrdersOutcome(undone=1, undone_reason="z", days=(DayOutcome(date(2026, 1, 20), 3, 1, 0, 0, unread),))
    [line] = undone.problems
    assert line.startswith(f"Orders of 2026-01-20 could not be reconciled: {unread}")


@pytest.mark.parametrize("asked", [{"since": timedelta(0)}, {"trade_ids": ("12 34",)}, {"trade_ids": ("",)}])
def test_a_request_that_makes_no_sense_is_refused_with_a_remedy(asked: dict[str, Any]) -> None:
    with pytest.raises(Problem):
        OrdersRequest(**asked)
