"""A sync that is killed anywhere and started again ends with the same tables, having repeated at most one batch.

Two kills each of a few seeds in each run of the tests, else of as many as KILLED_SYNCS says; some of them read twenty
products a call.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from deployment import Deployment, clean_environment
from oracle import expected_feeds, expected_tables, stored_feeds, stored_tables, truth

from dropship_pipeline.sync.stages.pipeline import HAND_OVER

BATCH = 2 * HAND_OVER
PRODUCTS = 700
SEEDS = int(os.environ.get("KILLED_SYNCS", "2"))
SCRIPT = Path(__file__).with_name("killed_sync.py")
PATHS = {
    "description": "/eco/buyer/product/description",
    "inventory": "/eco/buyer/product/inventory",
    "freight": "/shipping/freight/calculate",
}


def run_and_kill(merchant: Deployment, after_calls: int) -> None:
    """Start a sync, and kill it with SIGKILL when the server has answered so many calls."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT)],
        env={**clean_environment(), "PYTHONPATH": str(SCRIPT.parents[1]), **merchant.environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    while process.poll() is None and merchant.sandbox.control("stats")["answered"] < after_calls:
        time.sleep(0.005)
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize(
    ("seed", "together"), [*((seed, 1) for seed in range(SEEDS)), *((seed, 20) for seed in range(max(1, SEEDS // 2)))]
)
def test_a_killed_sync_goes_on_where_it_was(deploy: Callable[..., Deployment], seed: int, together: int) -> None:
    merchant = deploy(products=PRODUCTS, variables={"ALIBABA_BATCH_SIZE": str(together)})
    draw = random.Random(seed)
    kills = 0
    # so many calls does such a sync make: of those that are for several products there are few, and it dies among them
    for kill_after in sorted(draw.sample(range(1, 2_800) if together == 1 else range(20, 110), 2)):
        run_and_kill(merchant, kill_after)
        kills += 1
    summary = merchant.sync()
    assert summary.problems == []
    listed = expected_feeds(merchant)
    assert stored_feeds(merchant) == {key: ids for key, ids in listed.items() if ids}
    expected = expected_tables({k: v for k, v in truth(merchant).items() if any(k in ids for ids in listed.values())})
    assert stored_tables(merchant) == expected
    for path in (PATHS["description"], PATHS["inventory"]):
        calls = merchant.calls(path if together == 1 else path.replace("product/", "product/batch/"))
        assert calls, path
        assert sum(calls.values()) - len(calls) <= kills * BATCH, path
    quoted = merchant.value("SELECT count(*) FROM ops.fetches WHERE kind = 'freight'")
    assert quoted == merchant.value("SELECT count(*) FROM catalog.products WHERE delisted_at IS NULL")
    unrecorded = merchant.value(
        "SELECT count(DISTINCT raw_file) FROM ops.fetches WHERE raw_file NOT IN (SELECT path FROM ops.raw_files)"
    )
    assert unrecorded == 0


def test_answers_that_a_killed_sync_landed_are_merged_without_a_call(deploy: Callable[..., Deployment]) -> None:
    merchant = deploy(products=PRODUCTS)
    merchant.sync()
    described = merchant.value("SELECT count(*) FROM catalog.products")
    calls = sum(merchant.calls(PATHS["description"]).values())
    # what a kill between landing and merging leaves: the raw files, and nothing of them in Postgres
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ops.raw_files WHERE kind = 'description'")
        connection.exec_driver_sql("DELETE FROM ops.fetches WHERE kind = 'description'")
        connection.exec_driver_sql("TRUNCATE catalog.products, catalog.skus, catalog.price_tiers")
    summary = merchant.sync()
    assert summary.problems == []
    assert merchant.value("SELECT count(*) FROM catalog.products") == described
    assert sum(merchant.calls(PATHS["description"]).values()) == calls
    assert next(stage for stage in summary.stages if stage.stage == "describe").recovered == described
