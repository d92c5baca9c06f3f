"""Runs of the jobs as Dagster makes them: what they materialise, what their options do, what a fault looks like."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
import pytest
from dagster_runs import checks, failures, fresh_database, installed, materialised, metadata, run_job, succeeded
from deployment import SECRET_KEY, Deployment
from moment import THEN_MS
from sqlalchemy.engine import make_url

from dropship_pipeline.orchestration.assets import FAN_OUT
from dropship_pipeline.orchestration.stages import check_of, stage_metadata
from dropship_pipeline.sandbox.launch import SandboxConfig, start
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.summary import StageOutcome, SyncSummary
from dropship_pipeline.tables.catalog import CATALOG_TABLES
from dropship_pipeline.tables.marts.registry import MARTS

pytestmark = pytest.mark.xdist_group("runs")  # what is set up once is set up once

Deploy = Callable[..., Deployment]

STEPS = [
    *("discover", "audit_listing", "describe", "take_stock", "audit_products", "audit_stock", "quote", "audit_freight"),
    *("look_at_marts", "publish", "audit_snapshot"),
]
TABLES = {f"{table.schema}/{table.name}" for table in CATALOG_TABLES}
VIEWS = {view.full_name.replace(".", "/") for view in MARTS}
LANDED = {f"raw/{kind}" for kind in ("listing", "description", "inventory", "freight")}
PASSWORD = "a-password-of-postgres"
DESCRIPTIONS = "/eco/buyer/product/description"
CROSS_BORDER_BREAKS = {"fault": "refuse:code=300000:path=/eco/buyer/crossborder/product/check"}


def described(merchant: Deployment) -> int:
    return int(merchant.value("SELECT count(*) FROM catalog.products"))


def rows_read(merchant: Deployment, instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """How many rows of what a product has Postgres has read so far. It counts them when a connection ends."""
    instance.event_log_storage.dispose()
    others = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
    until = time.monotonic() + 30
    while merchant.value(others):
        assert time.monotonic() < until
        time.sleep(0.02)
    return merchant.rows(
        """SELECT relname, seq_tup_read, idx_tup_fetch FROM pg_stat_user_tables WHERE schemaname = 'catalog'
            AND relname IN ('skus', 'sku_attributes', 'price_tiers', 'inventory_levels', 'product_images',
                'product_descriptions', 'delivery_periods', 'price_changes', 'inventory_changes')
            ORDER BY relname"""
    )


@dataclass(frozen=True)
class Synced:
    """A merchant of whom a run has read a range of feeds; tests may leave runs behind, and nothing else."""

    merchant: Deployment
    instance: dg.DagsterInstance
    run: dg.DagsterRun


@pytest.fixture(scope="module")
def synced(server: Database, dagster_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    """His Postgres has a password in its address."""
    config = SandboxConfig(products=60, orders=0, clock_speed=0.0, drift=0.0, clock_start_ms=THEN_MS)
    with fresh_database(server, dagster_template) as database, start(config) as sandbox:
        url = make_url(database.libpq_url).set(password=PASSWORD).render_as_string(hide_password=False)
        merchant = Deployment(tmp_path_factory.mktemp("home"), Database(url), sandbox)
        with installed(merchant) as instance:
            yield Synced(merchant, instance, run_job(instance, feeds=("us_standard", "us_fast_48h")))
        merchant.database.close()


def test_a_range_of_feeds_is_one_run_that_materialises_each_of_them(synced: Synced) -> None:
    merchant, instance, run = synced.merchant, synced.instance, synced.run
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert succeeded(instance, run) == STEPS
    feeds = ("cross_border_us", "us_fast_48h", "us_standard")
    assert materialised(instance, run) == {
        **{asset: list(feeds) for asset in TABLES | LANDED},
        **{asset: [None] for asset in VIEWS | {"lake/snapshot"}},
    }
    assert all(check.passed for check in checks(instance, run).values())
    listed = merchant.value("SELECT count(*) FROM catalog.feed_products WHERE feed = 'us_standard'")
    assert metadata(instance, "catalog/feed_products", "us_standard")["dagster/partition_row_count"] == listed
    assert metadata(instance, "catalog/products", "us_standard")["dagster/partition_row_count"] == listed
    assert metadata(instance, "lake/snapshot")["rows/catalog.products"] == described(merchant)
    offers = merchant.value("SELECT count(*) FROM marts.current_offers")
    assert metadata(instance, "marts/current_offers")["dagster/row_count"] == offers > 0


def test_a_run_of_one_feed_touches_no_other_and_a_second_one_reads_only_the_listing(deploy: Deploy) -> None:
    merchant = deploy(products=60, drift=0)
    with installed(merchant) as instance:
        run = run_job(instance, feeds="local_us")
        assert run.status is dg.DagsterRunStatus.SUCCESS, failures(instance, run)
        assert materialised(instance, run) == {
            **{asset: ["local_us"] for asset in TABLES | LANDED},
            **{asset: [None] for asset in VIEWS | {"lake/snapshot"}},
        }
        first = metadata(instance, "catalog/products", "local_us")
        assert first["run/done"] == described(merchant) > 0
        assert first["run/calls"] >= first["run/done"]
        assert merchant.rows("SELECT DISTINCT feed FROM catalog.feed_products") == [{"feed": "local_us"}]

        read, shown = (
            rows_read(merchant, instance),
            {asset: metadata(instance, asset) for asset in VIEWS | {"lake/snapshot"}},
        )
        run_job(instance, feeds="local_us")
        second = metadata(instance, "catalog/products", "local_us")
        assert (second["run/due"], second["run/calls"], second["run/rows_written"], second["changed"]) == (0, 0, 0, 0)
        assert metadata(instance, "catalog/feed_products", "local_us")["pages"] > 0
        # nor does it read the rows of what each product has, neither to check nor to show them: they are the same
        assert rows_read(merchant, instance) == read
        for asset, before in shown.items():
            after = metadata(instance, asset)
            fresh = {"path", "read_with_pandas", "dagster/partition_row_count"}
            assert {name: value for name, value in after.items() if name not in fresh} == {
                name: value for name, value in before.items() if name not in fresh
            }
            assert "looked_at" in after
        assert metadata(instance, "lake/snapshot")["path"] != shown["lake/snapshot"]["path"]


def test_a_broken_feed_fails_the_run_in_one_line_with_all_else_done_and_published(deploy: Deploy) -> None:
    merchant = deploy(products=60, drift=0)
    merchant.sandbox.control("faults", CROSS_BORDER_BREAKS)
    with installed(merchant) as instance:
        run = run_job(instance, feeds=("local_mx", "cross_border"))
        assert run.status is dg.DagsterRunStatus.FAILURE
        [(step, line)] = failures(instance, run).items()
        assert step == "publish"
        assert "Feed cross_border could not be completed" in line
        assert len(line.splitlines()) == 1
        # all else is done, and published
        assert succeeded(instance, run) == STEPS[:-2]
        assert materialised(instance, run)["lake/snapshot"] == [None]
        assert metadata(instance, "lake/snapshot")["rows/catalog.products"] == described(merchant) > 0
        assert metadata(instance, "catalog/feed_products", "local_mx")["state"] == "complete"
        # what is left to do is the broken feed, and that alone, in every asset
        recorded = materialised(instance, run)
        assert all(recorded[asset] == ["local_mx", "local_regular"] for asset in TABLES | LANDED)
        # and the check names the feed
        made = checks(instance, run)
        graves = [name for name, c in made.items() if not c.passed and c.severity is dg.AssetCheckSeverity.ERROR]
        assert graves == ["sweeps_complete"]
        assert made["sweeps_complete"].severity is dg.AssetCheckSeverity.ERROR
        assert made["sweeps_complete"].description == line
        assert made["sweeps_complete"].metadata["unfinished"].value == 1

        merchant.sandbox.control("faults", method="DELETE")
        again = run_job(instance, feeds=("local_mx", "cross_border"))
        assert again.status is dg.DagsterRunStatus.SUCCESS
        assert checks(instance, again)["sweeps_complete"].passed


def test_products_that_could_not_be_read_fail_the_check_of_their_stage() -> None:
    outcome = StageOutcome("take stock", due=40, done=38, undone=2, undone_reason="Alibaba.com did not answer")
    all_stock_read = next(of.check for of in FAN_OUT if of.step == "take_stock")
    check = check_of(all_stock_read, SyncSummary("", stages=[outcome]), stage_metadata(outcome))
    assert not check.passed
    assert check.description is not None
    assert "2 products could not be read by take stock: Alibaba.com did not answer" in check.description
    assert check.metadata["undone"].value == 2
    assert check_of(all_stock_read, SyncSummary("", stages=[StageOutcome("take stock", due=40, done=40)]), {}).passed


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ALIBABA_APP_SECRET": "wrong"}, "ALIBABA_APP_SECRET"),
        ({"ALIBABA_ACCESS_TOKEN": "", "ALIBABA_REFRESH_TOKEN": ""}, "dropship auth login"),
        ({"DROPSHIP_DESTINATIONS": "Mars"}, "DROPSHIP_DESTINATIONS"),
    ],
)
def test_what_makes_every_call_fail_fails_the_first_step_in_one_line(
    deploy: Deploy, variables: dict[str, str], says: str
) -> None:
    merchant = deploy(products=20, variables=variables)
    with installed(merchant) as instance:
        run = run_job(instance, feeds="local_us")
        assert run.status is dg.DagsterRunStatus.FAILURE
        [(step, line)] = failures(instance, run).items()
        assert step == "discover"
        assert says in line
        assert len(line.splitlines()) == 1
        assert succeeded(instance, run) == []
        assert materialised(instance, run) == {}


@pytest.mark.parametrize(
    ("options", "says"), [({"max_age": "yesterday"}, "'yesterday'"), ({"limit": -1}, "The limit is -1")]
)
def test_an_option_that_cannot_be_is_named(synced: Synced, options: dict[str, object], says: str) -> None:
    run = run_job(synced.instance, feeds="local_us", options=options)
    assert says in failures(synced.instance, run)["discover"]


def test_the_options_of_a_run_reach_its_stages(deploy: Deploy) -> None:
    merchant = deploy(products=90, drift=0)
    with installed(merchant) as instance:
        run_job(instance, feeds="cross_border", options={"limit": 7})
        assert described(merchant) == 7
        everything = len(merchant.truth("feed?key=cross_border")["product_ids"])
        assert everything > 7
        for option in ({"force": True}, {"max_age": "0s"}):
            before = sum(merchant.calls(DESCRIPTIONS).values())
            run_job(instance, feeds="cross_border", options=option)
            assert sum(merchant.calls(DESCRIPTIONS).values()) - before == everything == described(merchant), option

        merchant.sandbox.control("faults", {"fault": "empty_listing:path=/eco/buyer/crossborder/product/check"})
        held = run_job(instance, feeds="cross_border")
        assert "--let-through" in failures(instance, held)["publish"]
        assert merchant.value("SELECT count(*) FROM catalog.feed_products WHERE delisted_at IS NOT NULL") == 0
        through = run_job(instance, feeds="cross_border", options={"let_through": True})
        assert through.status is dg.DagsterRunStatus.SUCCESS
        assert merchant.value("SELECT count(*) FROM catalog.feed_products WHERE delisted_at IS NULL") == 0


def test_a_handful_of_products_are_refreshed_by_id_and_published(synced: Synced) -> None:
    merchant, instance = synced.merchant, synced.instance
    chosen = [row["product_id"] for row in merchant.rows("SELECT product_id FROM catalog.products LIMIT 2")]
    before = merchant.calls(DESCRIPTIONS)
    run = run_job(instance, "manual_refresh", ops={"refresh": {"config": {"product_ids": chosen}}})
    assert run.status is dg.DagsterRunStatus.SUCCESS
    after = merchant.calls(DESCRIPTIONS)
    assert {key for key in after if after[key] != before.get(key)} == set(chosen)
    assert materialised(instance, run) == {"lake/snapshot": [None]}


def test_refreshing_no_product_in_particular_does_not_refresh_them_all(synced: Synced) -> None:
    before = synced.merchant.calls(DESCRIPTIONS)
    run = run_job(synced.instance, "manual_refresh", ops={"refresh": {"config": {"product_ids": []}}})
    assert "Nothing is named" in failures(synced.instance, run)["refresh"]
    assert synced.merchant.calls(DESCRIPTIONS) == before


def test_feeds_and_products_are_refreshed_by_hand_with_every_option_of_a_sync(deploy: Deploy) -> None:
    merchant = deploy(products=60, drift=0)
    with installed(merchant) as instance:
        asked = {"feeds": ["cross_border", "local_us"], "limit": 3}
        run = run_job(instance, "manual_refresh", ops={"refresh": {"config": asked}})
        assert run.status is dg.DagsterRunStatus.SUCCESS
        listed = {row["feed"] for row in merchant.rows("SELECT DISTINCT feed FROM catalog.feed_products")}
        assert listed == {"cross_border", "local_us"}
        assert described(merchant) == 3

        merchant.sandbox.control("faults", {"fault": "empty_listing:path=/eco/buyer/crossborder/product/check"})
        asked = {"feeds": ["cross_border"], "limit": 0}
        held = run_job(instance, "manual_refresh", ops={"refresh": {"config": asked}})
        assert "Feed cross_border is held" in failures(instance, held)["refresh"]
        let = run_job(instance, "manual_refresh", ops={"refresh": {"config": {**asked, "let_through": True}}})
        assert let.status is dg.DagsterRunStatus.SUCCESS
        assert {
            row["feed"] for row in merchant.rows("SELECT feed FROM catalog.feed_products WHERE delisted_at IS NULL")
        } == {"local_us"}


def test_a_feed_that_there_is_not_cannot_even_be_asked_for(synced: Synced) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="local_ca"):
        run_job(synced.instance, "manual_refresh", ops={"refresh": {"config": {"feeds": ["local_ca"]}}})


def test_a_replay_derives_the_tables_again_without_a_call(synced: Synced) -> None:
    merchant, instance = synced.merchant, synced.instance
    before = merchant.rows("SELECT * FROM catalog.price_tiers ORDER BY sku_id, min_quantity")
    calls = merchant.sandbox.control("log")["calls"]
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE catalog.price_tiers SET price = 0.01")
    run = run_job(instance, "replay_from_raw", ops={"replay_answers": {"config": {"kinds": ["description"]}}})
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert merchant.rows("SELECT * FROM catalog.price_tiers ORDER BY sku_id, min_quantity") == before
    assert metadata(instance, "lake/snapshot")["rows/catalog.price_tiers"] == len(before) > 0
    assert merchant.sandbox.control("log")["calls"] == calls != []


def test_the_log_of_a_run_tells_how_it_goes_a_few_lines_a_stage(synced: Synced) -> None:
    lines = [entry.user_message for entry in synced.instance.all_logs(synced.run.run_id) if not entry.is_dagster_event]
    assert [line.split(":")[0] for line in lines[:2]] == ["list", "list"]
    assert len(lines) <= 4 * len(STEPS)


def test_no_secret_is_in_anything_that_dagster_keeps(synced: Synced) -> None:
    merchant = synced.merchant
    refused = {f"ALIBABA_{name}_TOKEN": f"a-{name.lower()}-token-that-nobody-gave" for name in ("ACCESS", "REFRESH")}
    secrets = {PASSWORD, SECRET_KEY, *merchant.sandbox.env.values(), *refused.values()} - {
        merchant.sandbox.env[name] for name in ("ALIBABA_APP_KEY", "ALIBABA_BASE_URL")
    }
    with installed(replace(merchant, variables=refused)) as instance:
        assert run_job(instance, feeds="local_us").status is dg.DagsterRunStatus.FAILURE
    for table in ("event_logs", "runs", "snapshots", "asset_keys"):
        kept = " ".join(str(row) for row in merchant.rows(f"SELECT * FROM dagster.{table}"))
        assert len(kept) > 100, table
        assert [secret for secret in secrets if secret in kept] == [], table
