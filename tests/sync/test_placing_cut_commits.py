"""The database goes away at a COMMIT while an order is placed: tried again, it is one order all the same."""

import random
from collections.abc import Callable
from contextlib import closing

import pytest
from cutting_proxy import Cut, CuttingProxy
from deployment import Deployment
from order_steps import at_desk
from placing_steps import HASTY, asked, created

from dropship_pipeline.orders.placing import State
from dropship_pipeline.problem import Problem
from dropship_pipeline.sync.orders.placing import place


@pytest.mark.parametrize("seed", range(2))
def test_an_order_whose_steps_are_cut_at_commit_is_placed_once(deploy: Callable[..., Deployment], seed: int) -> None:
    draw = random.Random(seed)
    merchant = deploy(products=40)
    with closing(CuttingProxy(merchant.database)) as proxy:
        merchant.database = proxy.database
        disturbed = 0
        for number in range(4):
            reference = f"CUT-{seed}-{number}"
            # opening a desk commits too: what is cut is one of the steps of the placement, or the reading after it
            proxy.cuts = [*[None] * draw.randint(4, 14), draw.choice(list(Cut))]
            for _ in range(4):
                try:
                    with at_desk(merchant) as desk:
                        state = place(desk, reference, asked(merchant, reference), HASTY).placement.state
                    if state is State.PLACED:
                        break
                except Problem:  # which names the database, and what it knows of the order
                    disturbed += 1
            assert state is State.PLACED, reference
            assert len(created(merchant, reference)) == 1
        assert proxy.made == 4
        assert disturbed, "nothing that was cut was noticed: the test shows nothing"
