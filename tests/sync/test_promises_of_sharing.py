"""Several processes at once: one call budget, one pair of tokens, one catalogue that is read twice and stored once."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deployment import Deployment, clean_environment
from oracle import expected_feeds, expected_tables, stored_feeds, stored_tables, truth

from dropship_pipeline.sync.session import open_vault

Deploy = Callable[..., Deployment]
SCRIPT = Path(__file__).with_name("killed_sync.py")
DESCRIPTION = "/eco/buyer/product/description"
REFRESH = "/auth/token/refresh"


def syncs_at_once(merchant: Deployment, how_many: int) -> None:
    """As many processes, each of which syncs the whole catalogue; they begin within a moment of each other."""
    environment = {**clean_environment(), "PYTHONPATH": str(SCRIPT.parents[1]), **merchant.environment}
    going = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(how_many)
    ]
    for process in going:
        said, complained = process.communicate(timeout=120)
        assert process.returncode == 0, complained
        assert said == "open\n"
        assert "Traceback" not in complained


def the_tables_are_true(merchant: Deployment) -> None:
    listed = expected_feeds(merchant)
    assert stored_feeds(merchant) == {key: ids for key, ids in listed.items() if ids}
    reachable = set().union(*listed.values())
    assert stored_tables(merchant) == expected_tables(
        {k: told for k, told in truth(merchant).items() if k in reachable}
    )


def outcomes(merchant: Deployment) -> dict[str, int]:
    """How often each outcome was answered, over all endpoints."""
    total: dict[str, int] = {}
    for counted in merchant.sandbox.control("stats")["endpoints"].values():
        for outcome, count in counted.items():
            total[outcome] = total.get(outcome, 0) + count
    return total


def test_two_syncs_at_once_share_one_budget_and_one_refresh_and_end_with_true_tables(deploy: Deploy) -> None:
    limit = 100
    merchant = deploy(products=150, calls_per_second=limit, variables={"ALIBABA_CALLS_PER_SECOND": str(limit)})
    merchant.sandbox.control("faults", {"fault": f"token_expired:first=1:path={DESCRIPTION}:after=60"})
    merchant.sandbox.control("faults", {"fault": f"slow:seconds=2:path={REFRESH}"})  # both notice before one is done
    began = time.monotonic()
    syncs_at_once(merchant, 2)
    took = time.monotonic() - began

    # the gateway bans whoever calls too often, and had no reason to; a budget for each would call twice as often
    answered = outcomes(merchant)
    calls = sum(answered.values())
    assert calls > 6 * limit, "both together hardly called: the test shows nothing"
    assert answered.get("ApiCallLimit", 0) == 0
    assert calls / took < 1.2 * limit

    # the token that ran out half-way was renewed by one of them, for both
    assert merchant.sandbox.control("stats")["endpoints"][REFRESH] == {"fault:slow": 1}
    with_what_it_began = merchant.sandbox.env["ALIBABA_ACCESS_TOKEN"]
    pair = open_vault(merchant.settings, merchant.database).load("default")
    assert pair is not None
    assert pair.access_token != with_what_it_began
    assert merchant.value("SELECT state FROM ops.accounts") == "active"

    # read twice, stored once
    the_tables_are_true(merchant)
    assert merchant.value("SELECT count(*) FROM catalog.listing_changes") == merchant.value(
        "SELECT count(*) FROM catalog.feed_products"
    )
    assert merchant.value("SELECT count(*) FROM catalog.price_changes") == 0
    assert merchant.value("SELECT count(*) FROM catalog.inventory_changes") == 0


def test_a_limit_that_nobody_was_told_of_is_found_and_kept(deploy: Deploy) -> None:
    merchant = deploy(products=120, calls_per_second=50, variables={"ALIBABA_CALLS_PER_SECOND": "2000"})
    summary = merchant.sync()
    assert summary.problems == []
    assert summary.calls.calls > 300
    assert 0 < summary.calls.throttles < 0.1 * summary.calls.calls
    assert merchant.value("SELECT limit_seen FROM ops.call_budget") < 2_000
    the_tables_are_true(merchant)
