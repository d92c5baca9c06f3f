"""What Dagster loads: an asset for every table, told by its definition; jobs, partitions, the instance."""

import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import dagster as dg
import pytest
from dagster_runs import ROOT, installed
from deployment import Deployment, clean_environment

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.orchestration.abandoned import RunLauncher
from dropship_pipeline.orchestration.jobs import CATALOGUE
from dropship_pipeline.orchestration.partitions import ranges
from dropship_pipeline.orchestration.schema import ALIBABA, SNAPSHOT, asset_key
from dropship_pipeline.orchestration.wiring import build_defs
from dropship_pipeline.problem import Problem
from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.settings import find_dagster_home, load_settings
from dropship_pipeline.tables.catalog import CATALOG_TABLES
from dropship_pipeline.tables.model import Table
from dropship_pipeline.tables.registry import PUBLISHED

Deploy = Callable[..., Deployment]


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs()


def test_every_public_table_is_an_asset_and_so_is_the_snapshot_of_them_all(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    keys = {asset_key(table) for table in CATALOG_TABLES}
    landed = {dg.AssetKey(["raw", kind]) for kind in ("listing", "description", "inventory", "freight")}
    assert set(graph.get_all_asset_keys()) >= keys | landed | {SNAPSHOT, ALIBABA}
    assert graph.get(SNAPSHOT).parent_keys == {asset_key(table) for table in PUBLISHED}


@pytest.mark.parametrize("table", CATALOG_TABLES, ids=lambda table: table.name)
def test_an_asset_says_what_the_tables_definition_says(defs: dg.Definitions, table: Table) -> None:
    spec = next(spec for spec in defs.resolve_all_asset_specs() if spec.key == asset_key(table))
    assert spec.description == table.comment
    assert spec.group_name in {"discovery", "products", "inventory", "freight"}
    assert spec.kinds == {"postgres"}
    assert spec.metadata["dagster/table_name"] == table.full_name
    schema = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [(column.name, column.type, column.constraints.nullable) for column in schema.columns] == [
        (column.name, column.type.value, column.nullable) for column in table.columns
    ]
    assert all(column.description for column in schema.columns)
    assert [column.name for column in schema.columns if "primary key" in column.constraints.other] == sorted(
        table.key, key=table.column_names.index
    )


def test_the_tables_are_partitioned_by_feed_in_the_order_of_the_feeds(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for table in CATALOG_TABLES:
        node = graph.get(asset_key(table))
        assert node.partitions_def is not None
        assert list(node.partitions_def.get_partition_keys()) == [feed.key for feed in FEEDS]
        assert node.backfill_policy == dg.BackfillPolicy.single_run()
    assert graph.get(SNAPSHOT).partitions_def is None


def test_each_stage_has_a_check_that_tells_what_it_left_undone(defs: dg.Definitions) -> None:
    checks = {key.to_user_string() for key in defs.resolve_asset_graph().asset_check_keys}
    assert checks >= {
        "catalog/feed_products:sweeps_complete",
        "catalog/products:all_described",
        "catalog/inventory_levels:all_stock_read",
        "catalog/freight_quotes:all_quoted",
    }


def test_the_page_about_the_ui_names_every_job_schedule_sensor_and_check(defs: dg.Definitions) -> None:
    page = (ROOT / "docs" / "dagster-ui.md").read_text()
    repository = defs.get_repository_def()
    named = {
        *(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        *(schedule.name for schedule in repository.schedule_defs),
        *(sensor.name for sensor in repository.sensor_defs),
        *(key.name for key in defs.resolve_asset_graph().asset_check_keys),
    }
    assert {name for name in named if f"`{name}`" not in page and f"`{name}_schedule`" not in page} == set()


def test_feeds_that_are_no_neighbours_take_a_run_each() -> None:
    keys = [feed.key for feed in FEEDS]
    assert ranges(tuple(keys)) == [(keys[0], keys[-1])]
    assert ranges((keys[4], keys[0], keys[1], keys[4])) == [(keys[0], keys[1]), (keys[4], keys[4])]
    assert ranges(()) == []


def test_the_runs_that_use_the_api_go_one_at_a_time(defs: dg.Definitions, deploy: Deploy, unasked: Running) -> None:
    with installed(deploy(sandbox=unasked)) as instance:
        queue = instance.get_concurrency_config().run_queue_config
        pools = {limit.name: limit.limit for limit in instance.event_log_storage.get_pool_limits()}
    assert pools == {"alibaba_api": 1, "alibaba_orders": 1}
    assert queue is not None
    [limit] = queue.tag_concurrency_limits
    assert (limit["key"], limit["value"], limit["limit"]) == ("dropship/uses_api", "catalogue", 1)
    for job in ("catalogue_sync", "price_and_stock_refresh", "manual_refresh"):
        assert defs.resolve_job_def(job).run_tags == CATALOGUE == {limit["key"]: limit["value"]}


def test_the_instance_watches_its_runs_and_keeps_its_tables_apart(deploy: Deploy, unasked: Running) -> None:
    merchant = deploy(sandbox=unasked)
    with installed(merchant) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds > 0
        assert isinstance(instance.run_launcher, RunLauncher)
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure  # a failed step said why: again would say the same
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.root_directory.startswith(str(merchant.home))
    schemas = merchant.rows("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename IN ('runs', 'event_logs')")
    assert [row["schemaname"] for row in schemas] == ["dagster"]


def test_a_postgres_that_restarts_while_a_run_works_goes_unnoticed(deploy: Deploy, unasked: Running) -> None:
    merchant = deploy(sandbox=unasked)
    with installed(merchant) as instance:
        assert instance.get_runs() == []
        ended = merchant.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert ended > 0
        time.sleep(1.1)  # a restart takes longer
        assert instance.get_runs() == []


def test_a_dagster_home_without_dagster_yaml_is_named(tmp_path: Path) -> None:
    assert (find_dagster_home(load_settings({})) / "dagster.yaml").is_file()
    with pytest.raises(Problem, match=f"There is no dagster.yaml in {tmp_path}"):
        find_dagster_home(load_settings({"DAGSTER_HOME": str(tmp_path)}))


def test_dagsters_own_command_validates_the_workspace(deploy: Deploy, unasked: Running) -> None:
    merchant = deploy(sandbox=unasked)
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=ROOT,
        env={**clean_environment(), **merchant.environment, "DAGSTER_HOME": str(ROOT / "dagster_home")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All code locations passed validation" in done.stdout + done.stderr


def test_dg_finds_the_definitions_where_pyproject_says() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]
    assert tool["directory_type"] == "project"
    assert (ROOT / tool["project"]["root_module"]).is_dir()
    assert isinstance(import_module(tool["project"]["code_location_target_module"]).defs, dg.Definitions)
