"""The checks in Dagster: a sound catalogue passes them all, a fault stops the publish, a warning stops nothing."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest
from dagster_runs import checks, failures, installed, materialised, run_job, succeeded
from deployment import Deployment

from dropship_pipeline.orchestration.checks import (
    BLOCKING_CHECKS,
    FAILED_PARTITIONS,
    NO_FAILED_PARTITIONS,
    PARQUET_EQUALS_POSTGRES,
    WARNING_CHECKS,
    equality,
    result,
)
from dropship_pipeline.orchestration.schema import SNAPSHOT, asset_key
from dropship_pipeline.orchestration.wiring import build_defs
from dropship_pipeline.storage.lake.snapshots import Snapshot
from dropship_pipeline.storage.lake.verification import Mismatch, Verified
from dropship_pipeline.sync.checks.audit import Stage, checks_of
from dropship_pipeline.sync.checks.findings import Finding, check
from dropship_pipeline.tables.catalog import CATALOG_TABLES, PRICE_TIERS
from dropship_pipeline.tables.registry import PUBLISHED, PUBLISHED_VIEWS

Deploy = Callable[..., Deployment]

FEEDS = ("us_standard", "us_fast_48h")
WARNINGS = {"stale_share", "fallback_share", "held_sweeps", "unfinished_sweeps", "row_count_moved"}
BREAKS = {"fault": "refuse:code=300000:path=/eco/buyer/crossborder/product/check"}


def newest(merchant: Deployment) -> Path:
    return (merchant.home / "lake" / "latest").resolve()


def evaluations(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.AssetCheckEvaluation]:
    entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return [entry.get_dagster_event().asset_check_evaluation_data for entry in entries]


def every_spec() -> list[dg.AssetCheckSpec]:
    return [spec for step in [*BLOCKING_CHECKS, *WARNING_CHECKS, NO_FAILED_PARTITIONS] for spec in step.check_specs]


def test_each_table_is_guarded_on_its_own_page_and_warnings_stop_nothing() -> None:
    specs = every_spec()
    assert {spec.asset_key for spec in specs} >= {
        asset_key(table) for table in CATALOG_TABLES if table.name != "inventory_changes"
    }
    guards = {(spec.asset_key.to_user_string(), spec.name) for spec in specs if spec.blocking}
    assert {("catalog/skus", "keys_unique"), ("catalog/skus", "references_whole")} <= guards
    assert {("catalog/freight_quotes", "money_positive"), ("catalog/price_tiers", "currencies_known")} <= guards
    assert {spec.name for spec in specs if not spec.blocking} == {*WARNINGS, FAILED_PARTITIONS.name}
    assert all(spec.description for spec in specs)
    known = build_defs().resolve_asset_graph().asset_check_keys
    assert {spec.key for spec in [*specs, PARQUET_EQUALS_POSTGRES]} <= known


def test_a_sound_catalogue_is_published_a_faulty_one_is_not_and_a_warning_stops_nothing(deploy: Deploy) -> None:
    merchant = deploy(products=20, drift=0)
    with installed(merchant) as instance:
        run = run_job(instance, feeds=FEEDS)
        assert run.status is dg.DagsterRunStatus.SUCCESS
        made = checks(instance, run)
        expected = {check.name for of in Stage for check in checks_of(of)}
        assert expected | {"row_count_moved", "parquet_equals_postgres"} <= set(made)
        assert [(name, made[name].description) for name in made if not made[name].passed] == []
        assert made["parquet_equals_postgres"].metadata["rows"].value == sum(
            merchant.value(f"SELECT count(*) FROM {one.full_name}") for one in (*PUBLISHED, *PUBLISHED_VIEWS)
        )
        assert made["rejected_share"].metadata["share"].value == 0
        before = newest(merchant)

        [fault] = merchant.rows(
            "SELECT sku_id, min_quantity, product_id, price FROM catalog.price_tiers ORDER BY 1, 2 LIMIT 1"
        )
        where = f"WHERE sku_id = '{fault['sku_id']}' AND min_quantity = {fault['min_quantity']}"
        with merchant.database.begin() as connection:
            connection.exec_driver_sql(f"UPDATE catalog.price_tiers SET price = -1 {where}")
        said = merchant.dropship("sync", "--feed", FEEDS[0], check=False)
        [stopped] = instance.get_runs(limit=1)
        assert stopped.status is dg.DagsterRunStatus.FAILURE
        [(step, line)] = failures(instance, stopped).items()
        assert step == "audit_products"
        tiers = merchant.value("SELECT count(*) FROM catalog.price_tiers")
        assert line.startswith(
            f"Nothing is published: 1 of {tiers:,} rows of catalog.price_tiers have a price of nothing or less"
        )
        assert "dropship sync --product ID" in line
        assert said.returncode == 1
        assert line.rstrip(".") in " ".join(said.stderr.split())
        assert not {"quote", "publish"} & set(succeeded(instance, stopped))
        assert SNAPSHOT.to_user_string() not in materialised(instance, stopped)
        assert newest(merchant) == before
        [evaluation] = [made for made in evaluations(instance, stopped) if not made.passed]
        assert (evaluation.asset_key, evaluation.check_name) == (asset_key(PRICE_TIERS), "money_positive")
        assert evaluation.severity is dg.AssetCheckSeverity.ERROR
        assert evaluation.metadata["count"].value == 1
        sample = evaluation.metadata["sample"]
        assert isinstance(sample, dg.TableMetadataValue)
        assert [dict(row.data) for row in sample.records] == [
            {name: fault[name] for name in ("sku_id", "min_quantity", "product_id")} | {"price": "-1.0000"}
        ]

        # mended, and with things that are worth a look, it is published
        with merchant.database.begin() as connection:
            connection.exec_driver_sql(f"UPDATE catalog.price_tiers SET price = {fault['price']} {where}")
            connection.exec_driver_sql(f"UPDATE catalog.price_tiers SET currency = NULL {where}")
            connection.exec_driver_sql(
                "INSERT INTO ops.sweeps SELECT 'z', 'local_us', run_id, 'held', started_at, ended_at, 1, 0, 0, 0, 9, "
                "9, 'too many' FROM ops.sweeps LIMIT 1"
            )
        mended = run_job(instance, feeds=FEEDS)
        assert mended.status is dg.DagsterRunStatus.SUCCESS
        assert newest(merchant) != before
        warnings = [made for made in evaluations(instance, mended) if not made.passed]
        assert {made.check_name for made in warnings} == {"currencies_known", "held_sweeps"}
        assert {made.severity for made in warnings} == {dg.AssetCheckSeverity.WARN}
        assert any("--let-through" in (made.description or "") for made in warnings)


def test_a_partition_that_is_left_failed_is_named_until_it_is_materialised(deploy: Deploy) -> None:
    merchant = deploy(products=20, drift=0)
    with installed(merchant) as instance:
        merchant.sandbox.control("faults", BREAKS)
        assert run_job(instance, feeds=("local_regular", "cross_border")).status is dg.DagsterRunStatus.FAILURE

        found = checks(instance, run_job(instance, "daily_audit"))[FAILED_PARTITIONS.name]
        assert not found.passed
        assert found.severity is dg.AssetCheckSeverity.ERROR
        count, assets = found.metadata["count"].value, found.metadata["assets"].value
        assert (found.description or "").startswith(
            f"{count} partitions are left failed: cross_border of raw/listing and {assets - 1} assets more. Materialise"
        )
        sample = found.metadata["sample"]
        assert isinstance(sample, dg.TableMetadataValue)
        assert {row.data["partitions"] for row in sample.records} == {"cross_border"}
        assert len(sample.records) == assets == count

        merchant.sandbox.control("faults", method="DELETE")
        run_job(instance, feeds="cross_border")
        mended = checks(instance, run_job(instance, "daily_audit"))[FAILED_PARTITIONS.name]
        assert (mended.passed, mended.metadata["count"].value) == (True, 0)


def test_a_finding_is_told_with_its_figures_and_its_sample() -> None:
    told = result(
        Finding(
            check("money_positive", "catalog.price_tiers"),
            "1 of 9 rows is wrong",
            1,
            grave=True,
            passed=False,
            remedy="Mend it",
            figures={"rows": 9},
            sample=[{"sku_id": "1", "price": Decimal("-1.0000"), "at": datetime(2026, 1, 2, tzinfo=UTC), "none": None}],
        )
    )
    assert (told.passed, told.severity, told.description) == (
        False, dg.AssetCheckSeverity.ERROR, "1 of 9 rows is wrong. Mend it."
    )  # fmt: skip
    assert (told.metadata["count"].value, told.metadata["rows"].value) == (1, 9)
    sample = told.metadata["sample"]
    assert isinstance(sample, dg.TableMetadataValue)
    assert dict(sample.records[0].data) == {
        "sku_id": "1", "price": "-1.0000", "at": "2026-01-02T00:00:00+00:00", "none": None
    }  # fmt: skip


def test_a_sample_of_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="a sample holds bytes"):
        result(Finding(check("money_positive", "catalog.price_tiers"), "", sample=[{"token": b"secret"}]))


def test_what_was_verified_of_a_snapshot_and_what_was_not_are_results_of_one_check() -> None:
    equal = equality(Snapshot("path", {}, (Verified("catalog.skus", 7, 15), Verified("catalog.products", 3, 42))))
    assert (equal.passed, equal.asset_key, equal.check_name) == (True, SNAPSHOT, "parquet_equals_postgres")
    assert (equal.metadata["rows"].value, equal.metadata["measures"].value) == (10, 57)
    differs = equality(Mismatch(PRICE_TIERS, "price: sum is 2 in Postgres and 3 in Parquet"))
    assert (differs.passed, differs.metadata["table"].value) == (False, "catalog.price_tiers")
    assert "price: sum is 2 in Postgres and 3 in Parquet" in (differs.description or "")
