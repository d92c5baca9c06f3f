"""With ALIBABA_BATCH_SIZE products are read several a call; the tables are those of a call each, whatever happens."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deployment import SECRET_KEY, Deployment, name_of
from moment import THEN_MS
from oracle import expected_tables, stored_tables, truth

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage.catalog.rejects import Chosen, list_rejects
from dropship_pipeline.storage.lake.raw import read_raw
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.rejected import landed_payload, retry_landed
from dropship_pipeline.sync.replay.run import replay
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session, open_session, open_store
from dropship_pipeline.sync.stages.describe import describe
from dropship_pipeline.sync.stages.discover import discover
from dropship_pipeline.sync.stages.landing import products_of
from dropship_pipeline.sync.stages.stock import take_stock

SINGLE = {"description": "/eco/buyer/product/description", "inventory": "/eco/buyer/product/inventory"}
BATCH = {kind: path.replace("product/", "product/batch/") for kind, path in SINGLE.items()}
PRODUCTS = 50
OF_BOTH = (
    "products", "product_descriptions", "product_images", "delivery_periods", "skus", "sku_attributes", "price_tiers",
    "inventory_levels", "price_changes", "inventory_changes",
)  # fmt: skip
BOTH_DIALECTS = pytest.mark.parametrize("shop", ["guide", "live"], indirect=True)
LEDGER = "SELECT kind, product_id, outcome, code, payload_hash FROM ops.fetches WHERE kind <> 'freight'"

pytestmark = pytest.mark.xdist_group("products together")


@dataclass(frozen=True)
class Shop:
    """A simulated Alibaba.com, a database that knows what it lists, and what a sync of a call each makes of it."""

    sandbox: Running
    dialect: str
    listed: str
    tables: dict[str, list[str]]
    ledger: list[str]


def details(session: Session, request: SyncRequest) -> None:
    """What is read several products a call."""
    describe(session, request)
    take_stock(session, request)


def told(merchant: Deployment) -> dict[str, list[str]]:
    """Every row of the public tables that come from descriptions and stock, without the times of reading."""
    found = {}
    for table in OF_BOTH:
        rows = merchant.rows(f"SELECT * FROM catalog.{table}")
        found[table] = sorted(
            repr([value for name, value in row.items() if not name.endswith(("_at", "change_id"))]) for row in rows
        )
    return found


def ledger(merchant: Deployment) -> list[str]:
    return sorted(repr(list(row.values())) for row in merchant.rows(LEDGER))


@pytest.fixture(scope="module")
def shop(
    request: pytest.FixtureRequest,
    make_shared_database: Callable[..., Database],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    """Only copied from, and read a product a call: a module shares it."""
    home, dialect = tmp_path_factory.mktemp("home"), getattr(request, "param", "guide")
    with start(
        SandboxConfig(products=PRODUCTS, orders=0, clock_speed=0.0, drift=0.0, dialect=dialect, clock_start_ms=THEN_MS)
    ) as it:
        database = make_shared_database()
        Deployment(home, database, it).sync(stages=discover)
        database.close()
        alone = Deployment(home, make_shared_database(name_of(database)), it)
        assert alone.sync(stages=details).problems == []
        yield Shop(it, dialect, name_of(database), told(alone), ledger(alone))
        alone.database.close()


@pytest.fixture
def merchant(shop: Shop, make_database: Callable[..., Database], tmp_path: Path) -> Iterator[Deployment]:
    """One who asks for twenty products a call, and has not begun."""
    shop.sandbox.control("stats/reset", {})
    variables = {"ALIBABA_BATCH_SIZE": "20", "ALIBABA_DIALECT": shop.dialect}
    yield Deployment(tmp_path / "home", make_database(shop.listed), shop.sandbox, variables)
    shop.sandbox.control("faults", method="DELETE")


def calls(merchant: Deployment, *paths: str) -> int:
    """How often these endpoints were called, whatever came of it."""
    endpoints = merchant.sandbox.control("stats")["endpoints"]
    return sum(sum(endpoints.get(path, {}).values()) for path in paths)


def check_tables(merchant: Deployment, shop: Shop) -> None:
    assert told(merchant) == shop.tables
    assert ledger(merchant) == shop.ledger


@BOTH_DIALECTS
def test_tables_logs_and_hashes_are_those_of_a_call_each_for_a_twentieth_of_the_calls(
    merchant: Deployment, shop: Shop
) -> None:
    summary = merchant.sync(stages=details)
    assert summary.problems == []
    check_tables(merchant, shop)
    assert calls(merchant, *BATCH.values()) == 6
    assert calls(merchant, *SINGLE.values()) == 0
    assert [stage.calls.calls for stage in summary.stages] == [3, 3]
    assert [(stage.due, stage.done, stage.new) for stage in summary.stages] == [(PRODUCTS, PRODUCTS, PRODUCTS)] * 2
    landed = [answer for file in raw_files(merchant, "description") for answer in file]
    assert [len(products_of(answer)) for answer in landed] == [20, 20, 10]
    assert len({one for answer in landed for one in products_of(answer)}) == PRODUCTS


def raw_files(merchant: Deployment, kind: str) -> list[list[Any]]:
    with open_store(merchant.settings, "test", Silent()) as store:
        paths = sorted((merchant.home / "lake" / "raw" / kind).rglob("*.parquet"))
        return [read_raw(store.lake, str(path.relative_to(merchant.home / "lake"))) for path in paths]


@BOTH_DIALECTS
@pytest.mark.parametrize(("before", "after"), [("1", "20"), ("20", "1")])
def test_switching_from_one_to_the_other_changes_no_row_and_logs_no_change(
    merchant: Deployment, shop: Shop, before: str, after: str
) -> None:
    merchant.variables["ALIBABA_BATCH_SIZE"] = before
    merchant.sync(stages=details)
    changed = merchant.rows("SELECT kind, product_id, changed_at FROM ops.fetches ORDER BY 1, 2")
    merchant.variables["ALIBABA_BATCH_SIZE"] = after
    summary = merchant.sync(SyncRequest(force=True), stages=details)
    assert [(stage.done, stage.changed, stage.rows_written) for stage in summary.stages] == [(PRODUCTS, 0, 0)] * 2
    check_tables(merchant, shop)
    assert merchant.rows("SELECT kind, product_id, changed_at FROM ops.fetches ORDER BY 1, 2") == changed


@pytest.mark.parametrize(
    "faults",
    [
        ("batch_partial:share=0.4",),
        ("batch_partial:share=0.4:code=ServiceTimeout",),
        ("batch_missing:share=0.4",),
        ("batch_missing:share=1",),
        ("html_page:0.5:path=*batch*",),
        ("refuse:path=*batch*:code=400:shape=result",),
        ("throttle_body:first=1:ban=0", "truncated_json:first=2:after=1", "batch_partial:0.5", "batch_missing:0.5"),
    ],
    ids=" ".join,
)
def test_whatever_fails_in_a_batch_the_tables_are_those_of_a_call_each(
    merchant: Deployment, shop: Shop, faults: tuple[str, ...]
) -> None:
    for fault in faults:
        merchant.sandbox.control("faults", {"fault": fault})
    assert merchant.sync(stages=details).problems == []
    check_tables(merchant, shop)


def test_a_product_that_is_gone_is_refused_as_by_a_call_of_its_own(merchant: Deployment) -> None:
    ids = merchant.rows("SELECT product_id FROM catalog.feed_products LIMIT 3")
    named = SyncRequest(product_ids=(*{row["product_id"] for row in ids}, "1"))
    merchant.sync(named, stages=details)
    assert merchant.value("SELECT code FROM ops.fetches WHERE product_id = '1' AND kind = 'description'") == "404"
    assert calls(merchant, *SINGLE.values()) == 0
    merchant.sandbox.control("faults", {"fault": "batch_partial:share=1:code=130106"})
    merchant.sync(named, stages=details)
    assert merchant.value("SELECT count(*) FROM ops.fetches WHERE code = '130106'") == 2 * (len(named.product_ids) - 1)
    assert calls(merchant, *SINGLE.values()) == 0


class Notes(Silent):
    """What a person is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


def test_a_gateway_without_batches_costs_one_call_an_endpoint_and_a_line(merchant: Deployment, shop: Shop) -> None:
    merchant.sandbox.control("faults", {"fault": "refuse:path=*batch*:code=InvalidApiPath"})
    progress = Notes()
    with open_session(merchant.settings, "test", progress) as session:
        details(session, SyncRequest())
    assert session.summary.problems == []
    check_tables(merchant, shop)
    assert [calls(merchant, path) for path in BATCH.values()] == [1, 1]
    assert calls(merchant, *SINGLE.values()) == 2 * PRODUCTS
    assert [path in line for path, line in zip(BATCH.values(), progress.lines, strict=True)] == [True, True]


def test_what_a_killed_sync_landed_is_merged_without_a_call(merchant: Deployment, shop: Shop) -> None:
    merchant.sandbox.control("faults", {"fault": "batch_missing:share=0.3"})
    merchant.sync(stages=details)
    forget(merchant, "ops.fetches", "ops.raw_files", *(f"catalog.{table}" for table in OF_BOTH))
    merchant.sandbox.control("stats/reset", {})
    summary = merchant.sync(stages=details)
    assert [(stage.recovered, stage.calls.calls) for stage in summary.stages] == [(PRODUCTS, 0)] * 2
    check_tables(merchant, shop)


def forget(merchant: Deployment, *tables: str) -> None:
    """What a kill between landing and merging leaves, or a backup that lacks them."""
    with merchant.database.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(tables)}")


def test_a_replay_takes_the_answers_apart_again(merchant: Deployment, shop: Shop) -> None:
    merchant.sandbox.control("faults", {"fault": "batch_partial:share=0.3:code=2005"})
    merchant.sync(stages=details)
    with open_store(merchant.settings, "replay", Silent()) as store:
        nothing = replay(store, kinds=("description", "inventory"))
        assert nothing.rows_written == 0
        assert nothing.rejected == 0
        forget(merchant, "ops.fetches", *(f"catalog.{table}" for table in OF_BOTH))
        found = replay(store, kinds=("description", "inventory"))
    assert {kind.rederived for kind in found.kinds} == {PRODUCTS}
    check_tables(merchant, shop)


def test_a_dead_letter_is_shown_and_read_again_from_the_answer_that_it_shared(merchant: Deployment, shop: Shop) -> None:
    merchant.sync(stages=details)
    with merchant.database.begin() as connection:  # what a version leaves that could not read these answers
        connection.exec_driver_sql("""
            INSERT INTO ops.rejected_records (kind, record_key, destination, reason, message, attempts, first_seen_at,
                last_seen_at, raw_file)
            SELECT kind, product_id, '', 'not_an_object', 'odd', 1, fetched_at, fetched_at, raw_file
            FROM ops.fetches WHERE product_id IN (SELECT min(product_id) FROM catalog.products)""")
        connection.exec_driver_sql(
            "UPDATE ops.fetches SET outcome = 'rejected', code = 'not_an_object', payload_hash = NULL "
            "WHERE product_id IN (SELECT min(product_id) FROM catalog.products)"
        )
    asked = sorted(list_rejects(merchant.database, Chosen()), key=lambda one: one.kind)
    assert [one.kind for one in asked] == ["description", "inventory"]
    with open_store(merchant.settings, "test", Silent()) as store:
        shown = landed_payload(store.lake, asked[0])
        assert shown is not None
        assert asked[0].record_key in shown
        assert "resultData" not in shown
        assert retry_landed(store, asked) == []
    check_tables(merchant, shop)


def test_no_secret_that_a_failed_item_repeats_is_landed(merchant: Deployment) -> None:
    token = merchant.environment["ALIBABA_ACCESS_TOKEN"]
    merchant.sandbox.control("faults", {"fault": f"batch_partial:share=0.3:message=no {token}"})
    merchant.sync(stages=details)
    bodies = [answer.body for kind in BATCH for file in raw_files(merchant, kind) for answer in file]
    assert any(b"no ***" in body for body in bodies)
    assert not any(token.encode() in body or SECRET_KEY.encode() in body for body in bodies)


def test_the_tables_are_the_truth(merchant: Deployment) -> None:
    merchant.variables["ALIBABA_BATCH_SIZE"] = "50"
    merchant.sync(stages=details)
    assert calls(merchant, *BATCH.values()) == 2
    assert stored_tables(merchant) == expected_tables(truth(merchant))
