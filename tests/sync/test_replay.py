"""What a replay derives from the landed answers is what the syncs had made of them, without a call."""

import random
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment, clean_environment
from moment import THEN_MS
from sqlalchemy.engine import make_url

from dropship_pipeline.problem import Problem
from dropship_pipeline.sandbox.launch import SandboxConfig, start
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.replay.run import KINDS, replay
from dropship_pipeline.sync.replay.summary import ReplaySummary
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session, open_store
from dropship_pipeline.sync.stages.describe import describe
from dropship_pipeline.sync.stages.discover import discover
from dropship_pipeline.sync.stages.quote import quote
from dropship_pipeline.sync.stages.stock import take_stock
from dropship_pipeline.tables.catalog import CATALOG_TABLES

pytestmark = pytest.mark.xdist_group("replay")  # what is set up once is set up once

DAY = 86_400
SCRIPT = Path(__file__).with_name("killed_replay.py")
TABLES = tuple(table.full_name for table in CATALOG_TABLES)
Rows = dict[str, list[str]]


@dataclass
class History:
    """A merchant who synced over many days of a catalogue that lives; the simulated Alibaba.com is gone since."""

    home: Path
    template: str
    after_four_days: str
    deployment: Deployment


@pytest.fixture(scope="module")
def history(server: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Syncs of three days within two weeks. Only copied from: a module shares it."""
    home = tmp_path_factory.mktemp("home")
    name, earlier = (f"test_{uuid.uuid4().hex[:12]}" for _ in range(2))
    _create(server, name, "dropship_template")
    database = Database(make_url(server.libpq_url).set(database=name).render_as_string(hide_password=False))
    with start(SandboxConfig(products=80, orders=0, clock_speed=0.0, clock_start_ms=THEN_MS)) as sandbox:
        merchant = Deployment(home, database, sandbox, {"DROPSHIP_DESTINATIONS": "US:90001,MX"})
        for days in (0, 4, 11):
            sandbox.control("clock", {"advance_s": days * DAY})
            merchant.sync(SyncRequest(force=True, let_through=days == 11), stages=all_but_publishing)
            # those that have left all feeds, too: some say by now that they are offline, some are unknown
            ever = tuple(row["product_id"] for row in merchant.rows("SELECT product_id FROM catalog.products"))
            merchant.sync(SyncRequest(feeds=(), product_ids=ever), stages=all_but_publishing)
            if days == 4:
                database.close()
                _create(server, earlier, name)
    database.close()
    yield History(home, name, earlier, merchant)
    for made in (name, earlier):
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {made} WITH (FORCE)")


def all_but_publishing(session: Session, request: SyncRequest) -> None:
    """What is landed, and nothing of what is published."""
    if not request.product_ids:
        discover(session, request)
    describe(session, request)
    take_stock(session, request)
    quote(session, request)


def _create(server: Database, name: str, template: str) -> None:
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")


@pytest.fixture
def merchant(history: History, make_database: Callable[..., Database], tmp_path: Path) -> Deployment:
    """A copy of that merchant, for one test to harm: database and landed answers."""
    shutil.copytree(history.home / "lake" / "raw", tmp_path / "home" / "lake" / "raw")
    told = history.deployment
    return Deployment(tmp_path / "home", make_database(history.template), told.sandbox, told.variables)


def replayed(merchant: Deployment, **options: Any) -> ReplaySummary:
    with open_store(merchant.settings, "replay", Silent()) as store:
        return replay(store, **options)


def rows(merchant: Deployment, columns: str = "*") -> Rows:
    return {table: sorted(map(repr, merchant.rows(f"SELECT {columns} FROM {table}"))) for table in TABLES}


def harm(merchant: Deployment, *statements: str) -> None:
    with merchant.database.begin() as connection:
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount, f"nothing to harm: {statement}"


def truncate(merchant: Deployment, *others: str) -> None:
    with merchant.database.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join((*TABLES, *others))}")


def assert_equal(after: Rows, before: Rows) -> None:
    for table in TABLES:
        assert after[table] == before[table], table


def test_the_history_has_all_that_a_replay_must_tell_again(history: History, merchant: Deployment) -> None:
    with pytest.raises(OSError, match="refused"):
        merchant.sandbox.control("stats")
    for question in (
        "catalog.price_changes",
        "catalog.inventory_changes",
        "catalog.freight_quotes",
        "catalog.freight_failures",
        "catalog.feed_products WHERE delisted_at IS NOT NULL",
        "catalog.feed_products WHERE last_listed_at > first_listed_at",
        "catalog.products WHERE delisted_at IS NOT NULL",
        "catalog.products WHERE changed_at < described_at",
        "catalog.products WHERE changed_at > first_seen_at",
        "catalog.listing_changes WHERE feed IS NULL",
        "ops.fetches WHERE outcome = 'refused'",
    ):
        assert merchant.value(f"SELECT count(*) FROM {question}"), f"there is none: {question}"


def test_a_replay_over_tables_that_are_in_order_writes_no_row(merchant: Deployment) -> None:
    before, ledger = rows(merchant, "xmin, *"), merchant.rows("SELECT xmin, * FROM ops.fetches ORDER BY 2, 3, 4")
    summary = replayed(merchant)
    assert_equal(rows(merchant, "xmin, *"), before)
    assert merchant.rows("SELECT xmin, * FROM ops.fetches ORDER BY 2, 3, 4") == ledger
    assert summary.rows_written == 0
    assert summary.answers > summary.rederived > 0


def test_all_of_it_is_derived_again_when_tables_and_ledger_are_emptied(merchant: Deployment) -> None:
    before = rows(merchant)
    truncate(merchant, "ops.fetches")
    summary = replayed(merchant)
    assert_equal(rows(merchant), before)
    assert summary.notes == []


@pytest.mark.parametrize("logs", ["kept", "emptied"])
def test_the_tables_may_be_emptied_while_the_ledger_says_that_all_is_there(merchant: Deployment, logs: str) -> None:
    before = rows(merchant)
    if logs == "emptied":
        truncate(merchant)
    else:
        harm(merchant, *(f"DELETE FROM {table}" for table in TABLES if not table.endswith("_changes")))
    replayed(merchant)
    assert_equal(rows(merchant), before)
    assert replayed(merchant).rows_written == 0


def test_when_the_ledger_is_lost_no_older_answer_overwrites_what_the_tables_hold(merchant: Deployment) -> None:
    before, ledger = rows(merchant, "xmin, *"), "SELECT kind, product_id, destination, fetched_at FROM ops.fetches"
    known = {tuple(row.values()) for row in merchant.rows(f"{ledger} WHERE outcome = 'answered'")}
    harm(merchant, "DELETE FROM ops.fetches")
    replayed(merchant)
    assert_equal(rows(merchant, "xmin, *"), before)
    assert {tuple(row.values()) for row in merchant.rows(f"{ledger} WHERE outcome = 'answered'")} == known


ALTERED = (
    "UPDATE catalog.products SET title = 'altered', status = 'PRODUCT_OFFLINE', wholesale_price = 1",
    "UPDATE catalog.products SET described_at = described_at - interval '1 day' WHERE right(product_id, 1) = '1'",
    "UPDATE catalog.products SET delisted_at = now() WHERE right(product_id, 1) IN ('2', '3')",
    "UPDATE catalog.products SET delisted_at = NULL WHERE right(product_id, 1) IN ('4', '5')",
    "UPDATE catalog.skus SET status = NULL, seller_sku_id = 'altered'",
    "UPDATE catalog.price_tiers SET price = price + 1, max_quantity = 0",
    "UPDATE catalog.inventory_levels SET quantity = quantity + 1, checked_at = now()",
    "UPDATE catalog.freight_quotes SET fee = 0, currency = 'XXX'",
    "UPDATE catalog.freight_failures SET code = 'altered'",
    "UPDATE catalog.product_descriptions SET html = NULL",
    "UPDATE catalog.feed_products SET position = 0, first_listed_at = now(), last_listed_at = now()",
    "UPDATE catalog.feed_products SET delisted_at = now() WHERE right(product_id, 1) IN ('1', '2')",
    "UPDATE catalog.feed_products SET delisted_at = NULL WHERE right(product_id, 1) IN ('3', '4')",
)
TAKEN_OUT = tuple(
    f"DELETE FROM catalog.{table} WHERE right(product_id, 1) IN ('5', '6')"
    for table in (
        "feed_products", "products", "product_descriptions", "product_images", "delivery_periods", "skus",
        "sku_attributes", "price_tiers", "inventory_levels", "freight_quotes", "freight_failures",
    )
)  # fmt: skip


@pytest.mark.parametrize("statements", [ALTERED, TAKEN_OUT, (*ALTERED, *TAKEN_OUT)], ids=["altered", "gone", "both"])
def test_what_was_altered_or_taken_out_by_hand_is_as_before_and_no_change_is_logged(
    merchant: Deployment, statements: tuple[str, ...]
) -> None:
    before = rows(merchant)
    harm(merchant, *statements)
    harmed = rows(merchant)
    assert sum(harmed[table] != before[table] for table in TABLES) >= 8
    replayed(merchant)
    assert_equal(rows(merchant), before)


def test_a_replay_that_is_killed_anywhere_and_repeated_ends_with_the_same_tables(merchant: Deployment) -> None:
    before = rows(merchant)
    truncate(merchant, "ops.fetches")
    steps = 1 + sum(len(raw_files(merchant, kind)) for kind in KINDS if kind != "listing")
    for done in (random.Random(3).randrange(1, steps // 2), random.Random(4).randrange(steps // 2, steps)):
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            env={**clean_environment(), "PYTHONPATH": str(SCRIPT.parents[1]), **merchant.environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for _ in range(done):
            assert process.stdout.readline(), "it ended before it was killed: the test shows nothing"
        process.kill()
        process.wait()
        process.stdout.close()
    assert rows(merchant) != before
    replayed(merchant)
    assert_equal(rows(merchant), before)


def raw_files(merchant: Deployment, kind: str) -> list[Path]:
    return sorted((merchant.home / "lake" / "raw" / kind).rglob("*.parquet"))


def test_a_torn_file_is_set_aside_and_named_and_all_others_are_replayed(merchant: Deployment) -> None:
    before = rows(merchant)
    torn = [raw_files(merchant, "description")[0], raw_files(merchant, "listing")[-1]]
    for file in torn:
        file.write_bytes(file.read_bytes()[:-7])
    assert replayed(merchant).torn, "it was not noticed"
    assert_equal(rows(merchant), before)
    for file in torn:
        file.with_name(f"{file.name}.torn").rename(file)
    harm(merchant, "UPDATE catalog.products SET title = 'altered'")
    summary = replayed(merchant)
    assert sorted(summary.torn) == sorted(str(file.relative_to(merchant.home / "lake")) for file in torn)
    assert all(file.with_name(f"{file.name}.torn").exists() and not file.exists() for file in torn)
    assert_equal(rows(merchant), before)
    assert any("landed pages tell of" in note for note in summary.notes)
    assert replayed(merchant).torn == []


def test_a_torn_page_of_an_emptied_feed_is_named_and_makes_no_product_leave(merchant: Deployment) -> None:
    listed = merchant.rows("SELECT feed, product_id FROM catalog.feed_products WHERE delisted_at IS NULL ORDER BY 1, 2")
    file = raw_files(merchant, "listing")[0]
    file.write_bytes(b"")
    truncate(merchant)
    summary = replayed(merchant)
    assert len(summary.torn) == 1
    assert merchant.rows(
        "SELECT feed, product_id FROM catalog.feed_products WHERE delisted_at IS NULL ORDER BY 1, 2"
    ) == listed  # fmt: skip


def test_an_older_backup_is_brought_up_to_what_is_landed(
    history: History, merchant: Deployment, make_database: Callable[..., Database]
) -> None:
    before = rows(merchant)
    sweeps = "SELECT sweep_id, run_id, state, pages, listed, new, missing, delisted FROM ops.sweeps ORDER BY 1"
    swept = merchant.rows(sweeps)
    # when a sweep was merged is not landed: what it changed is dated by its last page
    dated = {
        "catalog.feed_products": "feed, product_id, position, delisted_at IS NULL",
        "catalog.listing_changes": "feed, product_id, change",
    }
    asked = {table: f"SELECT {columns} FROM {table}" for table, columns in dated.items()}
    listings = {table: sorted(map(repr, merchant.rows(query))) for table, query in asked.items()}
    merchant.database = make_database(history.after_four_days)
    assert rows(merchant) != before
    replayed(merchant)
    after = rows(merchant)
    for table in set(TABLES) - dated.keys() - {"catalog.products"}:
        assert after[table] == before[table], table
    assert {table: sorted(map(repr, merchant.rows(query))) for table, query in asked.items()} == listings
    assert merchant.rows(sweeps) == swept
    assert replayed(merchant).rows_written == 0


def test_an_answer_that_could_not_be_read_before_and_can_be_now_is_merged_and_is_no_reject_any_more(
    merchant: Deployment,
) -> None:
    before, logged = rows(merchant), merchant.value("SELECT count(*) FROM catalog.price_changes")
    # what a sync leaves whose parser could not read some answers: the rows of before, and a reject
    some = "right(product_id, 1) IN ('1', '2')"
    harm(
        merchant,
        f"""
        INSERT INTO ops.rejected_records
            (kind, record_key, destination, reason, message, first_seen_at, last_seen_at, attempts)
        SELECT kind, product_id, '', 'not_a_list', 'odd', fetched_at, fetched_at, 1 FROM ops.fetches
        WHERE kind = 'description' AND outcome = 'answered' AND {some}
        """,
        f"""
        UPDATE ops.fetches SET outcome = 'rejected', code = 'not_a_list', payload_hash = NULL
        WHERE kind = 'description' AND outcome = 'answered' AND {some}
        """,
        f"""
            UPDATE catalog.products SET title = 'of before', described_at = described_at - interval '1 microsecond'
            WHERE {some}
        """,
    )
    replayed(merchant)
    assert merchant.value("SELECT count(*) FROM ops.rejected_records") == 0
    assert merchant.value("SELECT count(*) FROM ops.fetches WHERE outcome = 'rejected'") == 0
    assert merchant.value("SELECT count(*) FROM catalog.products WHERE title = 'of before'") == 0
    assert merchant.value("SELECT count(*) FROM catalog.price_changes") == logged
    after = rows(merchant)
    for table in set(TABLES) - {"catalog.products"}:  # where it changed just then
        assert after[table] == before[table], table


def test_only_the_kinds_the_feeds_and_the_time_that_were_asked_for_are_replayed(merchant: Deployment) -> None:
    altered = "SELECT DISTINCT product_id FROM catalog.{} WHERE {} = 'altered'"
    titles, units = altered.format("products", "title"), altered.format("inventory_levels", "unit")
    harm(
        merchant,
        "UPDATE catalog.products SET title = 'altered'",
        "UPDATE catalog.inventory_levels SET unit = 'altered'",
    )
    everything = {row["product_id"] for row in merchant.rows(titles)}

    assert [kind.kind for kind in replayed(merchant, kinds=["inventory"]).kinds] == ["inventory"]
    assert merchant.rows(units) == []
    assert {row["product_id"] for row in merchant.rows(titles)} == everything

    feeds = ["local_us", "mx_dropship"]
    theirs = {
        row["product_id"]
        for row in merchant.rows(f"SELECT product_id FROM catalog.feed_products WHERE feed IN {tuple(feeds)}")
    }
    assert theirs & everything
    assert everything - theirs
    replayed(merchant, feeds=feeds)
    assert {row["product_id"] for row in merchant.rows(titles)} == everything - theirs

    with pytest.raises(Problem, match="of that time"):
        replayed(merchant, since=timedelta(0))
    files = [file for kind in KINDS for file in raw_files(merchant, kind)]
    assert sum(kind.files for kind in replayed(merchant, since=timedelta(hours=1)).kinds) == len(files)
    assert merchant.rows(titles) == []


def test_what_a_killed_sync_landed_is_merged_and_recorded_unless_only_some_feeds_are_asked_for(
    merchant: Deployment,
) -> None:
    before = rows(merchant)
    orphan = "SELECT max(path) FROM ops.raw_files WHERE kind = 'description'"
    harm(
        merchant,
        f"DELETE FROM ops.fetches WHERE raw_file = ({orphan})",
        f"DELETE FROM ops.raw_files WHERE path = ({orphan})",
    )
    recorded = merchant.value("SELECT count(*) FROM ops.raw_files")
    replayed(merchant, feeds=["local_us"])
    assert merchant.value("SELECT count(*) FROM ops.raw_files") == recorded
    replayed(merchant)
    assert merchant.value("SELECT count(*) FROM ops.raw_files") == recorded + 1
    assert_equal(rows(merchant), before)


def test_where_nothing_is_landed_and_what_there_is_not_is_said(merchant: Deployment) -> None:
    with pytest.raises(Problem, match="no kind of answer 'orderz'"):
        replayed(merchant, kinds=["orderz"])
    with pytest.raises(Problem, match="nowhere"):
        replayed(merchant, feeds=["nowhere"])
    shutil.rmtree(merchant.home / "lake")
    with pytest.raises(Problem, match="No answers are landed in"):
        replayed(merchant)
