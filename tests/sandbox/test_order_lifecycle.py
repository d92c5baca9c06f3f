"""What becomes of an order, and that it is the same whenever one looks."""

from collections import Counter
from itertools import pairwise

import pytest
from order_desk import BUYER, DAY, NOW, OTHER, SECOND, Desk, catalogue

from dropship_pipeline.sandbox.world import lifecycle
from dropship_pipeline.sandbox.world.buyers import BUYERS
from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.lifecycle import OrderStatus, Step
from dropship_pipeline.sandbox.world.orders import OrderFilter, Orders

EVERY = OrderFilter()


def told(orders: Orders, now_ms: int, buyer: str = BUYER):
    return orders.listed(buyer, EVERY, now_ms)


def test_the_ways_through_the_statuses_are_a_thousand_of_a_thousand_and_reach_all_twelve():
    assert sum(weight for weight, _ in lifecycle.PATHS) == 1000
    assert {stage.status for _, stages in lifecycle.PATHS for stage in stages} == set(OrderStatus)


def test_an_order_history_has_as_many_orders_as_were_asked_for_all_of_the_last_ninety_days():
    entries = told(Desk(count=350).orders, NOW)
    assert len(entries) == 350
    assert all(NOW - 91 * DAY < entry.created_ms <= entry.modified_ms <= NOW for entry in entries)
    assert len({entry.trade_id for entry in entries}) == 350


def test_a_large_history_shows_every_status_of_the_guide():
    statuses = Counter(entry.status for entry in told(Desk(count=20_000).orders, NOW))
    assert set(statuses) == set(OrderStatus)
    assert 0.5 < statuses[OrderStatus.TRADE_SUCCESS] / 20_000 < 0.8


def test_times_are_on_whole_seconds():
    assert all(entry.created_ms % 1000 == entry.modified_ms % 1000 == 0 for entry in told(Desk().orders, NOW))


def test_the_same_seed_gives_the_same_orders_and_another_seed_others():
    first, again, other = Desk().orders, Desk().orders, Desk(seed=8).orders
    assert told(first, NOW) == told(again, NOW)
    assert first.orders_truth(NOW) == again.orders_truth(NOW)
    assert [entry.created_ms for entry in told(other, NOW)] != [entry.created_ms for entry in told(first, NOW)]


def test_a_sandbox_that_starts_a_week_later_tells_the_same_of_the_orders_that_both_know():
    monday, next_monday = Desk(count=300).orders, Desk(count=300, start_ms=NOW + 7 * DAY).orders
    later = NOW + 7 * DAY
    before = {entry.trade_id: entry for entry in told(monday, later)}
    after = {entry.trade_id: entry for entry in told(next_monday, later)}
    shared = before.keys() & after.keys()
    assert len(shared) == pytest.approx(300 * 83 / 90, abs=2)
    assert {trade_id: before[trade_id] for trade_id in shared} == {trade_id: after[trade_id] for trade_id in shared}
    some = min(shared)
    assert monday.find(some, BUYER, later) == next_monday.find(some, BUYER, later)


def test_orders_move_on_with_the_clock_and_every_order_comes_to_an_end():
    orders = Desk().orders
    ended = {OrderStatus.TRADE_SUCCESS, OrderStatus.TRADE_CLOSE, OrderStatus.CHARGE_BACK}
    assert not {entry.status for entry in told(orders, NOW)} <= ended
    assert {entry.status for entry in told(orders, NOW + 120 * DAY)} <= ended


def test_how_the_clock_got_there_makes_no_difference():
    stepwise, at_once = Desk(count=500).orders, Desk(count=500).orders
    for hours in range(0, 240, 7):
        told(stepwise, NOW + hours * 3_600_000)
    assert told(stepwise, NOW + 10 * DAY) == told(at_once, NOW + 10 * DAY)
    assert told(stepwise, NOW) == told(Desk(count=500).orders, NOW), "the clock may be set back"


def test_an_order_that_does_not_exist_yet_is_not_there():
    desk = Desk()
    youngest = desk.list()[0]
    desk.time_ms = int(youngest["create_date"]["timestamp"]) - 1
    assert youngest["trade_id"] not in [entry["trade_id"] for entry in desk.list()]
    assert desk.refused("/alibaba/order/get", e_trade_id=youngest["trade_id"]).code == "404"


def test_the_changes_of_a_time_are_what_the_lists_before_and_after_it_differ_by():
    orders = Desk(count=400).orders
    since, until = NOW, NOW + 5 * DAY
    changes = orders.changes_between(since, until)
    assert [change.at_ms for change in changes] == sorted(change.at_ms for change in changes)
    assert all(since < change.at_ms <= until for change in changes)
    standing = {e.trade_id: e.status for buyer in BUYERS for e in told(orders, since, buyer.user_id)}
    for change in changes:
        assert standing.get(change.trade_id) == change.old_status
        standing[change.trade_id] = change.new_status
    assert standing == {e.trade_id: e.status for buyer in BUYERS for e in told(orders, until, buyer.user_id)}
    assert changes, "five days in which nothing happens would show nothing"


def test_changes_can_be_read_in_parts_without_losing_or_doubling_one():
    desk = Desk(count=400)
    trade_id = desk.create()
    desk.wait(90 * SECOND)
    desk.pay(trade_id)
    edges = [NOW - DAY, NOW, NOW + 1, NOW + DAY, NOW + 30 * DAY]
    parts = [change for edge in pairwise(edges) for change in desk.orders.changes_between(*edge)]
    assert parts == desk.orders.changes_between(edges[0], edges[-1])
    assert [change.new_status for change in parts if change.trade_id == trade_id][:2] == ["unpay", "paid"]


def test_what_was_ordered_is_a_product_of_the_catalogue_at_the_price_of_that_day():
    shop = Catalogue(7, 3000, 1.0)
    desk = Desk(count=60, shop=shop)
    for entry in told(desk.orders, NOW):
        order = desk.orders.find(entry.trade_id, BUYER, NOW)
        product = shop.product(order.draft.lines[0].product_id, order.created_ms)
        skus = {sku.sku_id: sku for sku in product.skus}
        for line in order.draft.lines:
            assert line.quantity >= product.moq
            assert line.name == product.title
            if product.currency == "USD":
                assert line.unit_price == skus[line.sku_id].unit_price(line.quantity)
        assert order.draft.recipient.country_code not in product.restricted_countries
        assert order.draft.dispatch_location in product.dispatch_locations
        assert 0 < order.draft.total <= 5000


def test_buyers_have_histories_of_their_own():
    orders = Desk(count=200).orders
    assert [len(told(orders, NOW, buyer.user_id)) for buyer in BUYERS] == [200, 20, 0, 0, 0, 0]
    assert {e.trade_id for e in told(orders, NOW)}.isdisjoint(e.trade_id for e in told(orders, NOW, OTHER))


def test_a_catalogue_can_be_without_orders():
    assert told(Desk(count=0).orders, NOW) == []


def test_more_orders_than_ids_are_no_configuration():
    with pytest.raises(ValueError, match="1,000,000"):
        Desk(count=1_000_001)


def test_an_order_is_found_by_its_id_and_by_nothing_like_it():
    orders = Desk().orders
    trade_id = told(orders, NOW)[0].trade_id
    assert orders.find(trade_id, BUYER, NOW).trade_id == trade_id
    for wrong in ("", "25", trade_id[:-1], trade_id + "0", trade_id.replace("25", "26", 1), "25" + "x" * 16, "٢" * 18):
        assert orders.find(wrong, BUYER, NOW) is None


def test_a_step_counts_from_its_own_millisecond_on():
    timeline = (Step(1000, OrderStatus.UNPAY), Step(5000, OrderStatus.PAID), Step(5000, OrderStatus.CAPTURED))
    at = [lifecycle.current(timeline, now_ms).status for now_ms in (0, 1000, 4999, 5000)]
    assert at == ["unpay", "unpay", "unpay", "captured"]


def test_the_truth_names_every_order_of_every_buyer_and_the_guides_two():
    desk = Desk(count=100)
    trade_id = desk.create()
    truth = {row["trade_id"]: row for row in desk.orders.orders_truth(NOW)}
    assert len(truth) == 100 + 10 + 1 + 2
    assert {e["trade_id"]: e["trade_status"] for e in desk.list()}.items() <= {
        key: row["status"] for key, row in truth.items()
    }.items()
    assert truth[trade_id]["channel_refer_id"] == "ORDER-2026-001"
    assert catalogue().product(truth[trade_id]["lines"][0]["product_id"], NOW)
