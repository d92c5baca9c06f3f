"""However a catalogue is read, in one go or in pieces, in whatever order: the tables come out the same."""

import random
from collections.abc import Callable, Iterator

import pytest
from deployment import Deployment
from moment import THEN_MS
from oracle import stored_feeds, stored_tables

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.request import SyncRequest, all_feeds

QUOTES = """
    SELECT product_id, destination_country, quantity, vendor_code, dispatch_country, requested_dispatch, fee, currency,
        delivery_days_min, delivery_days_max
    FROM catalog.freight_quotes ORDER BY 1, 2, 3, 4
"""
REFUSED_QUOTES = """
    SELECT product_id, destination_country, quantity, dispatch_location, code
    FROM catalog.freight_failures ORDER BY 1, 2, 3, 4
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    """A simulated Alibaba.com whose clock stands still, with answers that overtake each other."""
    slow = "slow:0.1:seconds=0.05"
    with start(
        SandboxConfig(products=70, orders=0, clock_speed=0.0, faults=(slow,), clock_start_ms=THEN_MS)
    ) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def whole(
    sandbox: Running, make_shared_database: Callable[[], Database], tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    """A merchant that read all of it in one sync. Only looked at: a module shares it."""
    merchant = Deployment(tmp_path_factory.mktemp("whole"), make_shared_database(), sandbox)
    assert merchant.sync().problems == []
    return merchant


@pytest.mark.parametrize("seed", range(2))
def test_read_in_pieces_it_is_what_it_is_as_a_whole(
    whole: Deployment, deploy: Callable[..., Deployment], seed: int
) -> None:
    draw = random.Random(seed)
    merchant = deploy(sandbox=whole.sandbox, variables={"ALIBABA_CONCURRENCY": str(draw.choice([1, 3, 17]))})
    left = [*all_feeds()]
    draw.shuffle(left)
    while left:
        some = tuple(left.pop() for _ in range(min(len(left), draw.randint(2, 5))))
        assert merchant.sync(SyncRequest(feeds=some, limit=draw.randint(0, 20))).problems == []
    assert merchant.sync().problems == []
    assert stored_feeds(merchant) == stored_feeds(whole)
    for table, rows in stored_tables(whole).items():
        assert rows, table
        assert stored_tables(merchant)[table] == rows, table
    for query in (QUOTES, REFUSED_QUOTES):
        assert merchant.rows(query) == whole.rows(query) != []
    # nothing of it was a change: each product was read for the first time
    for log in ("price_changes", "inventory_changes"):
        assert merchant.value(f"SELECT count(*) FROM catalog.{log}") == 0
