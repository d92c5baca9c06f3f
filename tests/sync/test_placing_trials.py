"""Whoever is killed, whatever is cut off, however many try: never two orders for a reference, never one lost.

Seeded trials: a few in each run of the tests, else as many as PLACING_TRIALS says.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from deployment import Deployment
from killed_placing import Workers, wait_for_end, workers
from order_steps import at_desk
from placing_steps import CREATE, HASTY, created, fault, no_faults, wanted

from dropship_pipeline.alibaba.errors import Transient
from dropship_pipeline.orders.placing import State, create_request
from dropship_pipeline.orders.placing_input import read_order_asked
from dropship_pipeline.sync.orders.placing import place
from dropship_pipeline.sync.orders.quoting import quote_order

TRIALS = int(os.environ.get("PLACING_TRIALS", "5"))

FAULTS: tuple[tuple[str, ...], ...] = (
    (),
    (f"slow:seconds=0.15:path={CREATE}",),
    (f"dropped:path={CREATE}:first=1",),
    (f"reset:path={CREATE}:first=1",),
    (f"http_500:path={CREATE}:first=1",),
    (f"truncated_json:path={CREATE}:first=1",),
    (f"reset:path={CREATE}:first=1", "orders_late:seconds=0.3"),
    (f"dropped:0.5:path={CREATE}", f"reset:0.5:path={CREATE}"),
)


def one_trial(merchant: Deployment, forked: Workers, number: int) -> str:
    """Some workers place one order, some of them are killed, somebody tries again; what became of it, in words."""
    draw = random.Random(number)
    reference = f"TRIAL-{number}"
    document = wanted(merchant, reference)
    faults, count = draw.choice(FAULTS), draw.choice((1, 2))
    for text in faults:
        fault(merchant, text)
    pids = [forked.start(merchant, document) for _ in range(count)]
    for _ in pids:
        forked.wait_until_one_is_open()
    kills = 0
    for pid in pids:
        if draw.random() < 0.75 and not wait_for_end(pid, draw.uniform(0, 0.7)):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
                kills += 1
    for pid in pids:
        assert wait_for_end(pid), f"{reference} is not done"
    no_faults(merchant)
    left = merchant.rows(f"SELECT state FROM orders.placements WHERE channel_refer_id = '{reference}'")
    there = len(created(merchant, reference))
    assert there <= 1, f"{reference}: {there} orders, {faults}"
    with at_desk(merchant) as desk:
        outcome = place(desk, reference, read_order_asked(document), HASTY)
    assert outcome.placement.state is State.PLACED, f"{reference}: {outcome.problem}, {faults}"
    [order] = created(merchant, reference)
    assert outcome.placement.trade_id == order["trade_id"], f"{reference}, {faults}"
    return f"{kills} of {count} killed, left {left[0]['state'] if left else 'nothing'}, {there} there"


@pytest.mark.timeout(120 + 10 * TRIALS)
def test_never_two_orders_for_a_reference_and_never_one_lost(deploy: Callable[..., Deployment]) -> None:
    merchant = deploy(products=60, drift=0.0, clock_speed=1.0)
    became: Counter[Any] = Counter()
    began = time.monotonic()
    with workers() as forked:
        for number in range(TRIALS):
            became[one_trial(merchant, forked, number)] += 1
    claims = merchant.rows("SELECT trade_id, count(*) AS n FROM orders.placements GROUP BY 1")
    assert len(created(merchant)) == len(claims) == TRIALS
    assert {row["n"] for row in claims} == {1}
    print(f"\n{TRIALS} trials in {time.monotonic() - began:.0f} s:")  # for whoever runs them all, with -s
    for what, times in sorted(became.items()):
        print(f"  {times:4} {what}")


def test_whoever_repeats_a_lost_call_blindly_is_found_out(deploy: Callable[..., Deployment]) -> None:
    """The twin of the above, which must find two: or it would find nothing."""
    merchant = deploy(products=60, drift=0.0, clock_speed=1.0)
    order = read_order_asked(wanted(merchant, "BLIND"))
    fault(merchant, f"reset:path={CREATE}:first=1")
    with at_desk(merchant) as desk:
        request = create_request(order, quote_order(desk, order).quote)
        with pytest.raises(Transient) as lost:
            desk.client.create_order(request)
        assert lost.value.outcome_unknown
        desk.client.create_order(request)
    assert len(created(merchant, "BLIND")) == 2
