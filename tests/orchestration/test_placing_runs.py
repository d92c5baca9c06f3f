"""Placing an order as a run: by its reference alone, once, and with nothing of the recipient in Dagster."""

import json
from collections.abc import Callable

import dagster as dg
from dagster_runs import failures, installed, run_job
from deployment import Deployment
from order_steps import at_desk
from placing_steps import CREATE, asked, created, fault, person, sent

from dropship_pipeline.sync.orders.placing import plan


def place(instance: dg.DagsterInstance, reference: str) -> dg.DagsterRun:
    ops: dict[str, object] = {"place_quoted_order": {"config": {"reference": reference}}}
    return run_job(instance, "place_order", ops=ops)


def test_an_order_that_was_quoted_is_placed_once_however_often_the_job_is_run(
    deploy: Callable[..., Deployment],
) -> None:
    merchant = deploy(products=60, drift=0.0, clock_speed=1.0)
    with at_desk(merchant) as desk:
        plan(desk, asked(merchant))
    with installed(merchant) as instance:
        fault(merchant, f"refuse:code=140004:shape=business:message={person(merchant)['street']}:path={CREATE}:first=1")
        refused = place(instance, "ORDER-1")
        assert refused.status is dg.DagsterRunStatus.FAILURE
        [line] = failures(instance, refused).values()
        assert "Order ORDER-1 was refused" in line
        assert "***" in line

        fault(merchant, f"reset:path={CREATE}:first=1")
        runs = [refused, place(instance, "ORDER-1"), place(instance, "ORDER-1")]
        assert [run.status.value for run in runs] == ["FAILURE", "SUCCESS", "SUCCESS"]
        assert (len(created(merchant)), sent(merchant)) == (1, 2)
        told = json.dumps([entry.to_json() for run in runs for entry in instance.all_logs(run.run_id)], default=str)
        assert created(merchant)[0]["trade_id"] in told
        assert not any(word in told for word in (*person(merchant).values(), "biz.alibaba.com"))

        unknown = place(instance, "NONE")
        [line] = failures(instance, unknown).values()
        assert "Nothing is known of an order with reference 'NONE'" in line
