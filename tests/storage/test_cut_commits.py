"""A connection that breaks at COMMIT, or while rows come: what stands is asked for; nothing is lost, nothing twice."""

import random
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cutting_proxy import Cut, CuttingProxy
from merge_rows import Goods, Landed, ask, at, descriptions, inventory, ledger

from dropship_pipeline.storage.catalog.memberships import merge_sweep
from dropship_pipeline.storage.catalog.merge import Merger
from dropship_pipeline.storage.catalog.sweeps import SweepResult, open_sweep
from dropship_pipeline.storage.lake.damage import snapshot_names
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.lake.snapshots import latest_snapshot, publish
from dropship_pipeline.storage.server.database import CommitUnknown, Database, DatabaseDown
from dropship_pipeline.storage.server.transactions import Transactions

TABLES = (
    "catalog.products", "catalog.skus", "catalog.price_tiers", "catalog.price_changes", "catalog.inventory_levels",
    "catalog.inventory_changes", "ops.fetches",
)  # fmt: skip


@pytest.fixture
def proxy(database: Database) -> Iterator[CuttingProxy]:
    with closing(CuttingProxy(database)) as proxy:
        yield proxy


def merge_many(database: Database) -> None:
    """Prices and stock of five products, that move every hour."""
    with Merger(database) as merger:
        for hour in range(8):
            products = [f"P{number}" for number in range(5)]
            goods = [Goods(one, skus={f"S{one}": {1: f"{(hour * 3) % 5 + 1}.00"}}) for one in products]
            files = [Landed(f"raw/{hour}")]
            merger.merge_descriptions(
                descriptions(goods, at(hour)), ledger("description", products, at(hour)), None, files
            )
            stock = {one: {(f"S{one}", "CN"): (hour * 7) % 4} for one in products}
            merger.merge_inventory(inventory(stock, at(hour)), ledger("inventory", products, at(hour)))


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {table: ask(database, f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES}


@pytest.mark.parametrize("seed", range(2))
def test_merges_cut_at_commit_end_as_if_nothing_had_been_cut(
    database: Database, proxy: CuttingProxy, seed: int
) -> None:
    merge_many(database)
    undisturbed = rows(database)
    with database.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join((*TABLES, 'ops.raw_files'))}")
    proxy.cuts = random.Random(seed).choices([Cut.BEFORE, Cut.AFTER, None], k=12)
    merge_many(proxy.database)
    assert proxy.made > 3
    assert rows(database) == undisturbed
    assert ask(database, "SELECT count(*) FROM ops.raw_files") == [(8,)]


def test_a_connection_that_breaks_while_rows_are_loaded_is_opened_anew(database: Database, proxy: CuttingProxy) -> None:
    merge_many(database)
    undisturbed = rows(database)
    with database.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join((*TABLES, 'ops.raw_files'))}")
    proxy.cut_loads = 4
    merge_many(proxy.database)
    assert proxy.made == 4
    assert rows(database) == undisturbed


def never(active: int, would_end: int) -> bool:
    return False


def positions(seen: list[str]) -> pa.Table:
    return pa.table({"product_id": pa.array(seen, pa.string()), "position": pa.array(range(len(seen)), pa.int64())})


def sweep(database: Database, seen: list[str], cuts: CuttingProxy | None = None, cut: Cut | None = None) -> SweepResult:
    lease = open_sweep(database, "us_standard", "run", 100)
    through = database
    if cuts is not None:
        through, cuts.cuts = cuts.database, [cut]
    with closing(Transactions(through)) as transactions:
        return merge_sweep(
            transactions,
            lease,
            seen=positions(seen),
            pages=1,
            reported_total=None,
            complete=True,
            reason=None,
            is_held=never,
            let_through=False,
        )


@pytest.mark.parametrize("cut", list(Cut))
def test_a_sweep_cut_at_commit_counts_once(database: Database, proxy: CuttingProxy, cut: Cut) -> None:
    """One that was merged and is merged again would be two that miss the same product: it would be delisted."""
    sweep(database, ["A", "B"])
    first = sweep(database, ["A", "NEW"], proxy, cut)
    assert proxy.made == 1
    assert (first.new, first.missed_once, first.delisted) == (1, 1, 0)
    assert ask(database, "SELECT product_id FROM catalog.feed_products WHERE delisted_at IS NOT NULL") == []
    assert sweep(database, ["A", "NEW"], proxy, cut).delisted == 1
    assert ask(database, "SELECT product_id, change FROM catalog.listing_changes ORDER BY observed_at, 1") == [
        ("A", "listed"), ("B", "listed"), ("NEW", "listed"), ("B", "delisted"),
    ]  # fmt: skip


@pytest.mark.parametrize("cut", list(Cut))
def test_where_nobody_can_be_asked_the_outcome_is_said_to_be_unknown_and_repeating_does_no_harm(
    database: Database, proxy: CuttingProxy, cut: Cut
) -> None:
    def describe(through: Database, price: str, hour: int) -> None:
        with Merger(through) as merger:
            goods = [Goods("P1", skus={"S1": {1: price}})]
            merger.merge_descriptions(descriptions(goods, at(hour)), ledger("description", ["P1"], at(hour)))

    describe(database, "3.69", 0)
    proxy.cuts, proxy.silent_after_cuts = [cut], True
    with pytest.raises(CommitUnknown, match=r"nobody could be asked what became of it.*finds nothing to do"):
        describe(proxy.database, "3.00", 1)
    for _ in range(2):
        describe(database, "3.00", 1)
    assert ask(database, "SELECT old_price, new_price FROM catalog.price_changes") == [(Decimal("3.69"), Decimal(3))]


@pytest.mark.parametrize("cut", list(Cut))
@pytest.mark.parametrize("commit", range(2))
def test_a_publish_cut_at_a_commit_leaves_a_whole_newest_snapshot(
    database: Database, proxy: CuttingProxy, tmp_path: Path, cut: Cut, commit: int
) -> None:
    """The first COMMIT ends the reading of the tables, the second the record that it was published."""
    lake = Lake(str(tmp_path / "lake"))
    publish(database, lake, "before", keep=7)
    proxy.cuts = [*[None] * commit, cut]
    with pytest.raises(DatabaseDown, match="run the command again"):
        publish(proxy.database, lake, "cut", keep=7)
    assert len(snapshot_names(lake)) == 1 + commit
    assert latest_snapshot(lake) == lake.at(f"snapshots/{snapshot_names(lake)[-1]}")
    publish(proxy.database, lake, "after", keep=7)
    assert ask(database, "SELECT snapshot FROM ops.snapshots ORDER BY 1") == [(name,) for name in snapshot_names(lake)]
