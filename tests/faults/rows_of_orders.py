"""Rows of the orders: followed through lists that hide and statuses that go backwards; placed and paid without answers.

Of orders the oracle is the truth at the simulated Alibaba.com itself, read by `order_truth`.
"""

import os
import random
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import invariants
from invariants import Violation
from machine import Machine, Merchant, World
from order_truth import expected, moment, stored, true_orders
from placing_steps import CREATE, PAY, created, wanted
from points import Point
from trials import Row, Trial

from dropship_pipeline.sandbox.launch import SandboxConfig, start

WORLD = World(products=24, seed=21, orders=40)
_POINTS = {"commit": 6, "merge": 60, "load": 20}
"""Points that reading orders passes, and about how often."""


def _orders_are_true(trial: Trial, merchant: Merchant) -> None:
    """I1 and I2: each table of orders is what is true at Alibaba.com."""
    true, found = expected(true_orders(merchant)), stored(merchant)
    for name, rows in true.items():
        if rows - found[name]:
            trial.found([Violation("I1", f"orders.{name}", f"{len(rows - found[name])} rows lost")])
        if found[name] - rows:
            trial.found([Violation("I2", f"orders.{name}", f"{len(found[name] - rows)} rows too many")])


def _read(trial: Trial, merchant: Merchant) -> None:
    """Read orders until nothing is left to be done."""
    for _ in range(4):
        if trial.keep(merchant.run("orders")).is_done:
            return
    trial.found([Violation("I1", "recovery", "orders were not read in 4 runs")])


def reading(disturb: Callable[[Trial, Merchant, random.Random], None]) -> Callable[[Trial], None]:
    """A trial of somebody who reads orders, disturbed, and reads them again."""

    def play_it(trial: Trial) -> None:
        world = replace(WORLD, seed=WORLD.seed + trial.draw.randrange(2))
        with trial.machine.merchant(world, new=True) as merchant:
            disturb(trial, merchant, trial.draw)
            merchant.switch_off()
            _read(trial, merchant)
            _orders_are_true(trial, merchant)
            trial.found(invariants.leaks(merchant, trial.outputs))

    return play_it


def _killed(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 2))):
        name = draw.choice(sorted(_POINTS))
        trial.keep(
            merchant.run("orders", point=str(Point(name, draw.randint(1, _POINTS[name]), draw.random() < 0.5, "kill")))
        )


def _failing(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    merchant.switch_on(
        f"http_500:{draw.uniform(0.05, 0.3):.2f}", f"truncated_json:{draw.uniform(0.0, 0.1):.2f}", "reset:0.05"
    )
    trial.keep(merchant.run("orders"))


def _backwards(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    """A status that goes backwards is kept and flagged, and right again when it is."""
    _read(trial, merchant)
    later = [
        i
        for i, order in true_orders(merchant).items()
        if order["status"] in ("delivering", "completed", "trade_success")
    ]
    merchant.switch_on("order_status:status=unpay")
    merchant.days_pass(1.0)
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE ops.order_fetches SET due_since = now()")
    trial.keep(merchant.run("orders"))
    flagged = merchant.value("SELECT count(*) FROM orders.order_status_changes WHERE irregularity = 'backwards'")
    trial.require(flagged > 0 or not later, "I6", "orders.order_status_changes", "a status went backwards, unflagged")
    merchant.switch_off()
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE ops.order_fetches SET due_since = now()")


def _missing(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    """The list hides a third of the orders: none is taken for gone, and all are found when it hides them no more."""
    if draw.random() < 0.5:
        _read(trial, merchant)
    before = merchant.value("SELECT count(*) FROM orders.orders")
    merchant.switch_on(draw.choice(("orders_missing", "orders_missing:total=kept")))
    trial.keep(merchant.run("orders"))
    after = merchant.value("SELECT count(*) FROM orders.orders")
    trial.require(after >= before, "I1", "orders.orders", "an order that was missing from a page is gone")


def _day_edges(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    """Days are days of UTC, whatever day it is in Los Angeles: each order is reconciled on its own."""
    orders = true_orders(merchant)
    late = [order for order in orders.values() if (moment(order["created_ms"]) or datetime.now(UTC)).hour < 8]
    chosen = draw.choice(late or list(orders.values()))
    placed = moment(chosen["created_ms"])
    assert placed is not None
    trial.keep(merchant.run("reconcile", days=(placed.date().isoformat(),)))
    there = merchant.value(f"SELECT count(*) FROM orders.orders WHERE trade_id = '{chosen['trade_id']}'")
    trial.require(there == 1, "I1", "orders.orders", f"an order placed at {placed} was not read with its day")
    others = merchant.rows("SELECT created_at FROM orders.orders")
    wrong = [row for row in others if row["created_at"].astimezone(UTC).date() != placed.date()]
    trial.require(not wrong, "I2", "orders.orders", f"{len(wrong)} orders of other days were read with it")


# Placing and paying: these worlds are written to, so that each of these rows has its own, for all of its trials

LOST = (
    (f"reset:path={CREATE}:first=1",),  # created
    (f"truncated_json:path={CREATE}:first=1",),  # created
    (f"dropped:path={CREATE}:first=1",),  # not created
    (f"http_500:path={CREATE}:first=1",),  # not created
    (f"reset:path={CREATE}:first=1", "orders_late:seconds=0.3"),
)


def _shop(machine: Machine, name: str) -> Merchant:
    """A merchant who orders, at a sandbox of the row's own whose clock goes."""
    key = ("shop", name)
    if key not in machine.known:
        running = start(SandboxConfig(products=40, orders=0, drift=0.0))
        machine.at_the_end(running.stop)
        running.control("accounts/payment", {"payment": "saved_method"})
        database = machine.copy(machine.template, f"shop_{uuid.uuid4().hex[:12]}")
        machine.at_the_end(database.close)
        home = machine.folder / f"shop-{name}-{uuid.uuid4().hex[:6]}"
        machine.known[key] = Merchant(home, database, running, {}, machine=machine)
    found: Merchant = machine.known[key]
    found.switch_off()
    return found


def _placed_once(trial: Trial, merchant: Merchant, document: dict[str, Any]) -> str | None:
    """Place until it is placed: there is one order for the reference, and it is the one that we have."""
    reference = document["reference"]
    for _ in range(3):
        ended = trial.keep(merchant.run("place", order=document))
        if ended.is_done:
            break
    orders = created(merchant, reference)
    trial.require(
        len(orders) == 1,
        "I2" if orders else "I1",
        reference,
        f"{len(orders)} orders were created: {ended.output[-300:]}",
    )
    row = merchant.rows(f"SELECT state, trade_id FROM orders.placements WHERE channel_refer_id = '{reference}'")
    ours = row[0]["trade_id"] if row else None
    trial.require(bool(orders) and ours == orders[0]["trade_id"], "I1", reference, f"placements say {row}")
    return ours


def _new_order(trial: Trial, merchant: Merchant) -> dict[str, Any]:
    return wanted(merchant, f"TRIAL-{trial.seed}-{uuid.uuid4().hex[:6]}")


def _create_unanswered(trial: Trial) -> None:
    merchant = _shop(trial.machine, "create")
    document = _new_order(trial, merchant)
    faults = trial.draw.choice(LOST)
    trial.plan = str(faults)
    merchant.switch_on(*faults)
    trial.keep(merchant.run("place", order=document))
    merchant.switch_off()
    _placed_once(trial, merchant, document)
    trial.found(invariants.leaks(merchant, trial.outputs))


def _placing_killed(trial: Trial) -> None:
    """Killed at any moment of placing, once or twice, with or without lost answers."""
    merchant = _shop(trial.machine, "killed")
    document, draw = _new_order(trial, merchant), trial.draw
    merchant.switch_on(*draw.choice(((), *LOST)), f"slow:seconds=0.1:path={CREATE}")
    for _ in range(draw.choice((1, 2))):
        pid = trial.machine.forks.start(merchant.work("place", order=document))
        _kill_some_time(trial, pid, draw.uniform(0.0, 0.7))
    merchant.switch_off()
    _placed_once(trial, merchant, document)


def _second_worker(trial: Trial) -> None:
    merchant = _shop(trial.machine, "second")
    document, draw = _new_order(trial, merchant), trial.draw
    merchant.switch_on(*draw.choice(((), (f"slow:seconds=0.15:path={CREATE}",), (f"reset:path={CREATE}:first=1",))))
    pids = [trial.machine.forks.start(merchant.work("place", order=document)) for _ in range(2)]
    for pid in pids:
        if draw.random() < 0.4:
            _kill_some_time(trial, pid, draw.uniform(0.0, 0.5))
        else:
            trial.keep(trial.machine.forks.wait(pid))
    merchant.switch_off()
    _placed_once(trial, merchant, document)


def _pay_unanswered(trial: Trial) -> None:
    """A payment whose answer is lost was made or not: it is found out, and never made twice."""
    merchant = _shop(trial.machine, "pay")
    document, draw = _new_order(trial, merchant), trial.draw
    trade_id = _placed_once(trial, merchant, document)
    merchant.sandbox.control("stats/reset", {})
    merchant.switch_on(
        draw.choice([f"{how}:path={PAY}:first=1" for how in ("reset", "truncated_json", "dropped", "http_500")])
    )
    if draw.random() < 0.4:
        pid = trial.machine.forks.start(merchant.work("pay", order=document))
        _kill_some_time(trial, pid, draw.uniform(0.0, 0.4))
    for _ in range(3):
        ended = trial.keep(merchant.run("pay", order=document))
        if ended.is_done:
            break
    [order] = [order for order in created(merchant) if order["trade_id"] == trade_id]
    trial.require(
        order["status"] == "paid", "I1", document["reference"], f"is {order['status']}: {ended.output[-300:]}"
    )
    paid = merchant.sandbox.control("stats")["endpoints"].get(PAY, {})
    # what was done counts: an answer that is spoilt after the fact is a payment, one that was dropped before is none
    made = sum(times for outcome, times in paid.items() if outcome in ("ok", "fault:reset", "fault:truncated_json"))
    trial.require(made == 1, "I2", document["reference"], f"{made} payments were made: {paid}")


def _kill_some_time(trial: Trial, pid: int, seconds: float) -> None:
    """Kill it so long after it has opened what it needs, if it is not done by then."""
    until = time.monotonic() + 60
    while "open" not in trial.machine.forks.output_so_far(pid) and time.monotonic() < until:
        if not os.path.exists(f"/proc/{pid}"):  # noqa: PTH110  no path of ours
            break
        time.sleep(0.005)
    time.sleep(seconds)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    trial.keep(trial.machine.forks.wait(pid))


ROWS = (
    Row("orders.killed", "kill -9 while orders are read", reading(_killed)),
    Row("orders.failing", "half the answers fail while orders are read", reading(_failing)),
    Row("orders.backwards", "a status that goes backwards", reading(_backwards)),
    Row("orders.missing", "an order missing from a list page", reading(_missing)),
    Row("orders.day_edges", "day edges in Los Angeles", reading(_day_edges)),
    Row("orders.create_unanswered", "create answered by nothing (created, or not)", _create_unanswered),
    Row("orders.placing_killed", "kill -9 while an order is placed", _placing_killed),
    Row("orders.second_worker", "a second worker with the same reference", _second_worker),
    Row("orders.pay_unanswered", "pay answered by nothing", _pay_unanswered),
)
