"""Orders in Dagster: the sensor finds what changed and has it read; days are reconciled, and recorded one by one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster_runs import checks, failures, installed, materialised, metadata, run_job
from deployment import Deployment
from order_steps import THEN, at_desk
from two_buyers import OTHER, let_in, state_of, stored_statuses, throw_out, true_statuses

from dropship_pipeline.orchestration.orders import DAYS, lately
from dropship_pipeline.orchestration.wiring import build_defs
from dropship_pipeline.sync.orders.accounts import sync_all
from dropship_pipeline.sync.orders.following import OrdersRequest

Deploy = Callable[..., Deployment]

LIST = "/alibaba/order/list"
TODAY = datetime.now(UTC).date()


def reading(trade_ids: list[str]) -> dict[str, object]:
    """The config of a run that reads these orders."""
    return {"ops": {"read_orders": {"config": {"trade_ids": trade_ids}}}}


def look(instance: dg.DagsterInstance, cursor: str | None) -> tuple[dg.RunRequest | None, str | None, str]:
    """One tick of the sensor: what it asks for, its cursor, what it says."""
    sensor = build_defs().get_repository_def().get_sensor_def("order_status_sensor")
    with dg.build_sensor_context(instance=instance, cursor=cursor, sensor_name=sensor.name) as context:
        told = sensor.evaluate_tick(context)
    requests = told.run_requests or [None]
    return requests[0], told.cursor, told.skip_message or ""


def read(instance: dg.DagsterInstance, asked: dg.RunRequest) -> dg.DagsterRun:
    """The run that a tick asked for."""
    return run_job(instance, "orders_refresh", ops=asked.run_config["ops"])


def orders(merchant: Deployment) -> dict[str, str]:
    return {row["trade_id"]: row["status"] for row in merchant.rows("SELECT trade_id, status FROM orders.orders")}


def truth(merchant: Deployment) -> dict[str, str]:
    (buyer, *_) = merchant.sandbox.control("accounts")["buyers"]
    told = merchant.truth("orders")["orders"]
    return {order["trade_id"]: order["status"] for order in told if order["buyer_id"] == buyer["user_id"]}


def test_the_sensor_has_what_changed_read_in_one_run_and_goes_on_from_its_cursor(deploy: Deploy) -> None:
    merchant = deploy(products=30, orders=400)  # about twenty change in a day, whichever it is
    with installed(merchant) as instance:
        asked, cursor, _ = look(instance, None)
        assert asked is not None
        assert asked.tags["dropship/trigger"] == "sensor"
        assert read(instance, asked).status is dg.DagsterRunStatus.SUCCESS
        first = orders(merchant)
        assert len(first) == int(asked.tags["dropship/orders"])

        merchant.sandbox.control("clock", {"advance_s": 86_400})
        asked, cursor, _ = look(instance, cursor)
        assert asked is not None
        read(instance, asked)
        moved = {trade_id for trade_id, status in orders(merchant).items() if first.get(trade_id) != status}
        assert moved
        assert {trade_id: orders(merchant)[trade_id] for trade_id in moved} == {
            trade_id: truth(merchant)[trade_id] for trade_id in moved
        }

        asked, _, says = look(instance, cursor)
        assert asked is None
        assert "to be read" in says


def test_the_sensor_follows_every_account_and_passes_over_one_that_must_be_authorised_again(deploy: Deploy) -> None:
    merchant = deploy(products=60, orders=100, **THEN)
    let_in(merchant)
    with at_desk(merchant) as desk:
        sync_all(desk, OrdersRequest(since=timedelta(days=36_500)))
    with installed(merchant) as instance:
        _, cursor, _ = look(instance, None)
        merchant.sandbox.control("clock", {"advance_s": 86_400})
        asked, cursor, _ = look(instance, cursor)
        assert asked is not None
        run = read(instance, asked)
        assert run.status is dg.DagsterRunStatus.SUCCESS
        true = true_statuses(merchant)
        assert stored_statuses(merchant) == true

        throw_out(merchant)
        merchant.sandbox.control("clock", {"advance_s": 9 * 86_400})
        mine = [i for i, (account, _) in true.items() if account == "default"]
        others = [i for i, (account, _) in true.items() if account == OTHER]
        run = read(instance, dg.RunRequest(run_config=reading([*mine[:2], *others[:2]])))
        assert run.status is dg.DagsterRunStatus.SUCCESS, "those of the other account were read"
        assert state_of(merchant) == "reauthorise"
        asked, cursor, _ = look(instance, cursor)
        assert asked is not None
        assert not set(asked.run_config["ops"]["read_orders"]["config"]["trade_ids"]) & set(others)
        read(instance, asked)

        run = run_job(instance, "orders_reconciliation", feeds=TODAY.isoformat())
        assert run.status is dg.DagsterRunStatus.SUCCESS
        reconciled = checks(instance, run)["orders_reconciled"]
        assert (reconciled.passed, reconciled.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert f"dropship auth login --account {OTHER}" in (reconciled.description or "")

        let_in(merchant)
        asked, _, _ = look(instance, cursor)
        assert asked is not None
        assert set(asked.run_config["ops"]["read_orders"]["config"]["trade_ids"]) <= set(others)
        read(instance, asked)
        assert stored_statuses(merchant) == true_statuses(merchant)
        moved = merchant.rows("SELECT account FROM orders.order_status_changes JOIN orders.orders USING (trade_id)")
        assert {row["account"] for row in moved} == {"default", OTHER}


def test_days_of_which_no_account_could_be_asked_are_not_recorded(deploy: Deploy) -> None:
    merchant = deploy(products=30, orders=20)
    today = datetime.now(UTC).date().isoformat()
    with installed(merchant) as instance:
        look(instance, None)
        throw_out(merchant, "default")
        run = run_job(instance, "orders_reconciliation", feeds=today)
        assert run.status is dg.DagsterRunStatus.FAILURE
        [line] = failures(instance, run).values()
        assert line.startswith("Account default has to be authorised again")
        assert materialised(instance, run) == {}
        asked, _, says = look(instance, None)
        assert asked is None
        assert "dropship auth login" in says


def test_the_sensor_waits_where_nobody_has_authorised_the_app(deploy: Deploy) -> None:
    merchant = deploy(products=1, variables={"ALIBABA_ACCESS_TOKEN": "", "ALIBABA_REFRESH_TOKEN": ""})
    with installed(merchant) as instance:
        asked, _, says = look(instance, None)
    assert asked is None
    assert "dropship auth login" in says


def test_a_cursor_that_nobody_can_read_starts_over(deploy: Deploy) -> None:
    merchant = deploy(products=30, orders=10)
    with installed(merchant) as instance:
        asked, _, _ = look(instance, "not a cursor")
        assert asked is not None


def test_each_day_is_reconciled_and_recorded_by_itself(deploy: Deploy) -> None:
    merchant = deploy(products=30, orders=40)
    today = datetime.now(UTC).date()
    first, last = (today - timedelta(days=9)).isoformat(), today.isoformat()
    with installed(merchant) as instance:
        run = run_job(instance, "orders_reconciliation", feeds=(first, last))
        assert run.status is dg.DagsterRunStatus.SUCCESS
        recorded = materialised(instance, run)
        assert recorded["orders/orders"] == [(today - timedelta(days=back)).isoformat() for back in range(9, -1, -1)]
        assert recorded["orders/tracking_events"] == recorded["orders/orders"]
        counted = merchant.rows("SELECT created_at::date AS day, count(*) AS n FROM orders.orders GROUP BY 1")
        assert counted
        for row in counted:
            assert (
                metadata(instance, "orders/orders", row["day"].isoformat())["dagster/partition_row_count"] == row["n"]
            )
        assert checks(instance, run)["orders_reconciled"].passed


def test_a_day_that_cannot_be_reconciled_fails_in_one_line_and_is_not_recorded(deploy: Deploy) -> None:
    merchant = deploy(products=30, orders=20)
    merchant.sandbox.control("faults", {"fault": f"refuse:code=300000:path={LIST}"})
    today = datetime.now(UTC).date().isoformat()
    with installed(merchant) as instance:
        run = run_job(instance, "orders_reconciliation", feeds=today)
        assert run.status is dg.DagsterRunStatus.FAILURE
        [line] = failures(instance, run).values()
        assert f"Orders of {today} could not be reconciled" in line
        assert materialised(instance, run) == {}
        assert not checks(instance, run)["orders_reconciled"].passed

        merchant.sandbox.control("faults", method="DELETE")
        again = run_job(instance, "orders_reconciliation", feeds=today)
        assert materialised(instance, again)["orders/orders"] == [today]


def test_the_daily_reconciliation_covers_the_last_seven_whole_days() -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert lately() == {
        "dagster/asset_partition_range_start": (yesterday - timedelta(days=6)).isoformat(),
        "dagster/asset_partition_range_end": yesterday.isoformat(),
    }
    assert DAYS.has_partition_key(datetime.now(UTC).date().isoformat())
