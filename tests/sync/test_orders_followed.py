"""Orders that move on at the simulated Alibaba.com, followed: the tables are what is true, the log what was seen."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from deployment import Deployment, clean_environment
from order_steps import DAY, HOUR, THEN, Noting, at_desk, follow_until_quiet, status_log, time_passes
from order_truth import expected, stored, true_orders

from dropship_pipeline.sync.orders.following import OrdersRequest, follow, refresh_orders, sync_orders

Deploy = Callable[..., Deployment]
EVERYTHING = OrdersRequest(since=timedelta(days=36_500))
SCRIPT = Path(__file__).with_name("killed_orders.py")
GET = "/alibaba/order/get"


@pytest.fixture
def merchant(deploy: Deploy) -> Deployment:
    """A hundred and twenty orders of ninety days, the same ones each time; none of them is read yet."""
    return deploy(products=60, orders=120, **THEN)


@pytest.fixture
def today(deploy: Deploy) -> Deployment:
    """A hundred and twenty orders of the last ninety days, none of them read yet."""
    return deploy(products=60, orders=120)


def statuses(merchant: Deployment) -> dict[str, str]:
    return {trade_id: order["status"] for trade_id, order in true_orders(merchant).items()}


def test_two_hundred_orders_followed_through_sixty_days_are_what_is_true_and_each_change_is_logged_once(
    deploy: Deploy,
) -> None:
    merchant = deploy(products=60, orders=200, **THEN)
    observed = []
    with at_desk(merchant) as desk:
        assert sync_orders(desk, EVERYTHING).problems == []
        assert stored(merchant) == expected(true_orders(merchant))
        observed.append(statuses(merchant))
        assert status_log(merchant) == [], "a first reading is no change"
        cursor = follow(desk, None, seconds=30).cursor
        for seconds in (6 * HOUR, DAY, 3 * DAY, 12 * DAY, 44 * DAY):
            time_passes(merchant, seconds)
            looks, outcome = follow_until_quiet(desk, cursor)
            cursor = looks[-1].cursor
            assert outcome.problems == []
            assert len(looks) == 2, "one look finds it all, the next one nothing"
            assert stored(merchant) == expected(true_orders(merchant))
            observed.append(statuses(merchant))
    seen = [
        (trade_id, before[trade_id], after[trade_id])
        for before, after in pairwise(observed)
        for trade_id in before
        if before[trade_id] != after[trade_id]
    ]
    assert status_log(merchant) == sorted(seen)
    assert len(seen) > 40
    odd = merchant.rows("SELECT DISTINCT irregularity FROM orders.order_status_changes")
    assert {row["irregularity"] for row in odd} == {None, "skipped"}


def test_what_did_not_change_is_not_read_again(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        sync_orders(desk, EVERYTHING)
        before = merchant.sandbox.control("stats")["answered"]
        looks, outcome = follow_until_quiet(desk, None)
        again = sync_orders(desk, EVERYTHING)
    assert (len(looks), outcome.asked, again.asked) == (1, 0, 0)
    assert merchant.sandbox.control("stats")["answered"] - before == looks[0].calls.calls + again.calls.calls <= 4


def test_parcels_that_move_while_the_order_does_not_are_looked_at_all_the_same(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        sync_orders(desk, EVERYTHING)
        on_their_way = {trade_id for trade_id, status in statuses(merchant).items() if status == "delivering"}
        assert on_their_way
        cursor = follow(desk, None, seconds=30).cursor
        time_passes(merchant, 7 * HOUR)
        still = {i for i, status in statuses(merchant).items() if status == "delivering"} & on_their_way
        look = follow(desk, cursor, seconds=30)
        assert still <= set(look.changed)
        refresh_orders(desk, look.changed)
    assert stored(merchant)["tracking_events"] == expected(true_orders(merchant))["tracking_events"]


def test_what_was_handed_out_and_not_read_is_handed_out_again_later_and_at_once_when_it_changed_again(
    merchant: Deployment,
) -> None:
    with at_desk(merchant) as desk:
        sync_orders(desk, EVERYTHING)
        cursor = follow(desk, None, seconds=30).cursor
        time_passes(merchant, 2 * DAY)
        first = follow(desk, cursor, seconds=30)
        assert len(first.changed) > 3
        assert follow(desk, first.cursor, seconds=30).changed == (), "its run may be under way"
        with merchant.database.begin() as connection:
            connection.exec_driver_sql("UPDATE ops.order_fetches SET requested_at = requested_at - interval '11 min'")
        assert set(follow(desk, first.cursor, seconds=30).changed) == set(first.changed), "its run has failed"
        before = statuses(merchant)
        merchant.sandbox.control("clock", {"advance_s": DAY})
        moved = {i for i, status in statuses(merchant).items() if status != before[i]}
        assert moved
        assert set(follow(desk, first.cursor, seconds=30).changed) == moved


@pytest.mark.parametrize("cursor", [None, "", "not a cursor", '{"since": "9999-01-01T00:00:00+00:00", "window_s": 7}'])
def test_a_cursor_that_cannot_be_read_starts_over(today: Deployment, cursor: str | None) -> None:
    with at_desk(today) as desk:
        look = follow(desk, cursor, seconds=30)
        week_ago = (datetime.now(UTC) - timedelta(days=7)).timestamp() * 1000
        fresh = {i for i, order in true_orders(today).items() if order["modified_ms"] >= week_ago}
        assert fresh <= set(look.changed)
        assert json.loads(look.cursor)["since"] < datetime.now(UTC).isoformat()


def test_a_slow_list_ends_the_look_in_time_and_the_next_one_begins_where_it_did(today: Deployment) -> None:
    with at_desk(today) as desk:
        start = json.dumps({"since": (datetime.now(UTC) - timedelta(days=110)).isoformat(), "window_s": None})
        today.sandbox.control("faults", {"fault": "slow:path=/alibaba/order/list:seconds=20:after=1"})
        began = time.monotonic()
        look = follow(desk, start, seconds=1)
        assert time.monotonic() - began < 5, "it waited for the slow page"
        assert not look.complete
        assert look.reason == "could not be read to its end within 1 s"
        assert len(look.changed) == look.listed == 100, "what was seen is handed out"
        today.sandbox.control("faults", method="DELETE")
        refresh_orders(desk, look.changed)
        cursor, looks = look.cursor, 0
        while json.loads(cursor)["window_s"] is not None:  # caught up window by window
            look = follow(desk, cursor, seconds=30)
            refresh_orders(desk, look.changed)
            cursor, looks = look.cursor, looks + 1
            assert look.complete
            assert looks < 10
    since = datetime.now(UTC) - timedelta(days=109)
    orders = true_orders(today)
    recent = {i: order for i, order in orders.items() if order["modified_ms"] > since.timestamp() * 1000}
    assert expected(recent)["orders"] <= stored(today)["orders"]


def test_an_unknown_status_is_kept_logged_and_told(merchant: Deployment) -> None:
    progress = Noting()
    with at_desk(merchant, progress) as desk:
        sync_orders(desk, EVERYTHING)
        trade_id = next(i for i, status in statuses(merchant).items() if status == "unpay")
        merchant.sandbox.control("faults", {"fault": "order_status:status=intention_processing"})
        outcome = refresh_orders(desk, [trade_id])
        assert (outcome.counts.status_changes, outcome.counts.unknown) == (1, 1)
        assert outcome.unknown_statuses == {"intention_processing": 1}
        assert refresh_orders(desk, [trade_id]).counts.status_changes == 0, "it is logged once"
    assert progress.notes[0] == "Status 'intention_processing' of 1 order is not among those known; it is kept"
    assert merchant.value(f"SELECT status FROM orders.orders WHERE trade_id = '{trade_id}'") == "intention_processing"
    assert merchant.rows("SELECT old_status, new_status, irregularity FROM orders.order_status_changes") == [
        {"old_status": "unpay", "new_status": "intention_processing", "irregularity": "unknown"}
    ]


def test_a_status_that_goes_backwards_is_kept_flagged_and_counted(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        sync_orders(desk, EVERYTHING)
        trade_id = next(i for i, status in statuses(merchant).items() if status == "delivering")
        merchant.sandbox.control("faults", {"fault": "order_status:status=unpay"})
        assert refresh_orders(desk, [trade_id]).counts.backwards == 1
        merchant.sandbox.control("faults", method="DELETE")
        assert refresh_orders(desk, [trade_id]).counts.skipped == 1
    assert merchant.rows(
        "SELECT old_status, new_status, irregularity FROM orders.order_status_changes ORDER BY observed_at"
    ) == [
        {"old_status": "delivering", "new_status": "unpay", "irregularity": "backwards"},
        {"old_status": "unpay", "new_status": "delivering", "irregularity": "skipped"},
    ]


def test_an_order_that_cannot_be_found_is_remembered_as_refused_and_not_asked_for_for_ever(
    today: Deployment,
) -> None:
    with at_desk(today) as desk:
        today.sandbox.control("faults", {"fault": f"refuse:code=404:shape=business:path={GET}:first=1"})
        look = follow(desk, None, seconds=30)
        outcome = refresh_orders(desk, look.changed)
        assert (outcome.refused, outcome.undone, outcome.problems) == (1, 0, [])
        with today.database.begin() as connection:
            connection.exec_driver_sql("UPDATE ops.order_fetches SET requested_at = requested_at - interval '1 hour'")
        assert follow(desk, look.cursor, seconds=30).changed == ()
    assert today.rows("SELECT outcome, code FROM ops.order_fetches WHERE outcome <> 'answered'") == [
        {"outcome": "refused", "code": "404"}
    ]


def test_an_order_of_which_a_part_cannot_be_asked_for_stays_as_it_was_and_due(today: Deployment) -> None:
    fault = "refuse:code=MissingParameter:path=/order/logistics/tracking/get:first=1"
    with at_desk(today) as desk:
        look = follow(desk, None, seconds=30)
        today.sandbox.control("faults", {"fault": fault})
        outcome = refresh_orders(desk, look.changed)
        assert outcome.undone == 1
        assert "MissingParameter" in outcome.problems[0]
        assert "Still due" in outcome.problems[0]
        assert outcome.counts.orders == len(look.changed) - 1
        assert today.value("SELECT count(*) FROM ops.order_fetches WHERE due_since IS NOT NULL") == 1
        assert sync_orders(desk, OrdersRequest()).counts.new == 1


def test_reading_that_is_killed_anywhere_and_repeated_ends_with_the_same_tables(deploy: Deploy) -> None:
    merchant = deploy(products=60, orders=300)
    for kill_after in sorted(random.Random(4).sample(range(1, 1_600), 2)):
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            env={**clean_environment(), "PYTHONPATH": str(SCRIPT.parents[1]), **merchant.environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        while process.poll() is None and merchant.sandbox.control("stats")["answered"] < kill_after:
            time.sleep(0.005)
        process.kill()
        process.wait()
        process.stdout.close()
    with at_desk(merchant) as desk:
        assert sync_orders(desk, EVERYTHING).problems == []
        assert stored(merchant) == expected(true_orders(merchant))
        assert status_log(merchant) == []
        assert sync_orders(desk, EVERYTHING).asked == 0
