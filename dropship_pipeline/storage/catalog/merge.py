"""Answers that were read and normalised, into the public tables: one transaction a batch, with the ledger in it.

What a batch changes, and the record that it did (`ops.fetches`, `ops.raw_files`, `ops.rejected_records`), commit
together or not at all. Every merge may be repeated: the second time it finds nothing to do. The statements are in
`merge_sql`, what a batch is in `batches`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc

from dropship_pipeline.alibaba.redaction import message
from dropship_pipeline.storage.catalog import fresh_sql, merge_sql, reject_sql
from dropship_pipeline.storage.catalog.batches import REJECTS_SCHEMA, Batch, LandedFile, latest, raw_file_rows
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import driver_error, in_our_words, is_bad_data, is_there_already
from dropship_pipeline.storage.server.locks import PATIENCE, Lock, take
from dropship_pipeline.storage.server.staging import Stage, staged
from dropship_pipeline.storage.server.transactions import Transactions
from dropship_pipeline.tables.catalog import (
    DELIVERY_PERIODS,
    FREIGHT_FAILURES,
    FREIGHT_QUOTES,
    INVENTORY_LEVELS,
    PRICE_TIERS,
    PRODUCT_DESCRIPTIONS,
    PRODUCT_IMAGES,
    PRODUCTS,
    SKU_ATTRIBUTES,
    SKUS,
)
from dropship_pipeline.tables.model import Table
from dropship_pipeline.tables.ops import FETCHES, RAW_FILES, REJECTED_RECORDS


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """What a merge did. Of freight, a product counts once a destination.

    `products` were merged: `new` ones for the first time, `changed` ones differed in some row, the rest is `unchanged`.
    `stale` answers were older than what is in the tables and left them alone. `rejected` products were read well and
    are more than Postgres can store. `rows_written` counts rows that were added, changed or removed, by table; a row
    that was merely seen again is none.
    """

    products: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    stale: int = 0
    rejected: int = 0
    rows_written: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How one kind of answer is merged. `scope`: the columns within which an answer is complete."""

    kind: str
    lock: Lock
    find_fresh: str
    settles: frozenset[str]  # the outcomes that say what the rows below a product are now
    children: tuple[Table, ...]
    scope: tuple[str, ...] = ("product_id",)
    root: Table | None = None

    @property
    def tables(self) -> tuple[Table, ...]:
        return (*self.children, *((self.root,) if self.root else ()))


# SKUs go first: which product owns one is settled before its attributes and prices are looked at
_DESCRIPTIONS = _Recipe(
    kind="description",
    lock=Lock.OFFER,
    find_fresh=fresh_sql.FIND_FRESH_DESCRIPTIONS,
    settles=frozenset({"answered"}),
    children=(SKUS, SKU_ATTRIBUTES, PRICE_TIERS, PRODUCT_DESCRIPTIONS, PRODUCT_IMAGES, DELIVERY_PERIODS),
    root=PRODUCTS,
)
_INVENTORY = _Recipe(
    kind="inventory",
    lock=Lock.INVENTORY,
    find_fresh=fresh_sql.FIND_FRESH_INVENTORY,
    settles=frozenset({"answered"}),
    children=(INVENTORY_LEVELS,),
)
_FREIGHT = _Recipe(
    kind="freight",
    lock=Lock.FREIGHT,
    find_fresh=fresh_sql.FIND_FRESH_FREIGHT,
    settles=frozenset({"answered", "refused"}),
    children=(FREIGHT_QUOTES, FREIGHT_FAILURES),
    scope=("product_id", "destination_country"),
)
_OF_A_SKU = (SKU_ATTRIBUTES, PRICE_TIERS, INVENTORY_LEVELS)


class Merger:
    """The writer of the public tables: one connection, kept over many batches. Not to be shared among threads.

    The rows handed over have the columns of `arrow_schema(table)`, in any order; those of `catalog.products` lack
    `first_seen_at`, `changed_at` and `delisted_at`, which are found out here. A key stands in them once.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._transactions = Transactions(database)

    def __enter__(self) -> "Merger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._transactions.close()

    def cancel(self) -> None:
        """From another thread: the merge under way is to fail and be undone. It may need to be told so again."""
        self._transactions.cancel()

    def merge_descriptions(
        self,
        tables: Mapping[str, pa.Table],
        fetches: pa.Table,
        rejects: pa.Table | None = None,
        raw_files: Sequence[LandedFile] = (),
    ) -> MergeCounts:
        """Make products, and all that hangs on them, what their answers say (guide §4).

        `fetches`: one row an answer, as `FETCHES_SCHEMA`. A product that was `refused` or `rejected` keeps its rows.
        An answer older than the one in the tables is skipped. Raises `DatabaseProblem`.
        """
        return self._merge(_DESCRIPTIONS, tables, fetches, rejects, raw_files)

    def merge_inventory(
        self,
        tables: Mapping[str, pa.Table],
        fetches: pa.Table,
        rejects: pa.Table | None = None,
        raw_files: Sequence[LandedFile] = (),
    ) -> MergeCounts:
        """Make the stock levels of products what their answers say (guide §5); see `merge_descriptions`."""
        return self._merge(_INVENTORY, tables, fetches, rejects, raw_files)

    def merge_freight(
        self,
        tables: Mapping[str, pa.Table],
        fetches: pa.Table,
        rejects: pa.Table | None = None,
        raw_files: Sequence[LandedFile] = (),
    ) -> MergeCounts:
        """Make the quotes and failures of (product, destination) what was answered (guide §6); `merge_descriptions`.

        One that was `refused` everywhere has no quotes any more.
        """
        return self._merge(_FREIGHT, tables, fetches, rejects, raw_files)

    def _merge(
        self,
        recipe: _Recipe,
        tables: Mapping[str, pa.Table],
        fetches: pa.Table,
        rejects: pa.Table | None,
        raw_files: Sequence[LandedFile],
    ) -> MergeCounts:
        _check(recipe, tables, fetches)
        if rejects is None:
            rejects = REJECTS_SCHEMA.empty_table()
        batch = Batch(tables, latest(fetches), rejects, raw_files)
        with in_our_words(self._database.address):
            try:
                return self._transact(recipe, batch)
            except Exception as error:
                if not is_bad_data(error):
                    raise
                reasons = self._find_unstorable(
                    recipe, batch, [str(product_id) for product_id in fetches["product_id"].unique()]
                )
                if not reasons:
                    raise
                return replace(self._transact(recipe, batch.rejecting(reasons)), rejected=len(reasons))

    def _find_unstorable(self, recipe: _Recipe, batch: Batch, product_ids: list[str]) -> dict[str, str]:
        """Which products Postgres will not take, and why: by trying halves. One bad product costs that product."""
        try:
            self._transact(recipe, batch.only(product_ids), commit=False)
        except Exception as error:
            if not is_bad_data(error):
                raise
            if len(product_ids) == 1:
                return {product_ids[0]: message(str(driver_error(error)).split("\n", 1)[0])}
            middle = len(product_ids) // 2
            return self._find_unstorable(recipe, batch, product_ids[:middle]) | self._find_unstorable(
                recipe, batch, product_ids[middle:]
            )
        return {}

    def _transact(self, recipe: _Recipe, batch: Batch, *, commit: bool = True) -> MergeCounts:
        run = partial(self._transactions.run, partial(_prepare, recipe), commit=commit)
        try:
            return run(partial(_apply, recipe, batch))
        except Exception as error:
            if not is_there_already(error):
                raise
            # a SKU of a product that nothing is known of is another product's, so far
            return run(partial(_apply, recipe, batch, compare=True))


def _prepare(recipe: _Recipe, stage: Stage) -> None:
    stage.make_staged(
        (*recipe.tables, FETCHES, REJECTED_RECORDS, RAW_FILES),
        {"fresh": fresh_sql.FRESH, "changed": merge_sql.CHANGED, "moved": merge_sql.MOVED},
    )


def _apply(recipe: _Recipe, batch: Batch, stage: Stage, *, compare: bool = False) -> MergeCounts:
    stage.load(staged(FETCHES), batch.fetches)
    stage.load(staged(REJECTED_RECORDS), batch.rejects)
    stage.load(staged(RAW_FILES), raw_file_rows(batch.raw_files))
    stage.run(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    stage.run(take(recipe.lock))
    stage.run(recipe.find_fresh)
    [(fresh, known)] = stage.run(merge_sql.count_known(recipe.children, recipe.scope))
    stale = _settling(recipe, batch.fetches) - fresh
    prune = stale > 0
    if recipe.root is not None:
        _load(recipe, recipe.root, batch, stage, prune=prune)
    if compare or stale or known or not all(map(stage.is_as_defined, recipe.children)):
        written = {
            table.full_name: _merge_children(recipe, table, batch, stage, prune=prune) for table in recipe.children
        }
    else:  # its rows are the tables'
        written = {table.full_name: batch.tables[table.full_name].num_rows for table in recipe.children}
        for table in recipe.children:
            stage.append(table, batch.tables[table.full_name])
    [(products, new, changed)] = stage.run(merge_sql.merge_products() if recipe.root else merge_sql.COUNT_FRESH)
    if recipe.root is not None:
        written[recipe.root.full_name] = new + changed
    stage.run(merge_sql.WRITE_LEDGER)
    if batch.rejects.num_rows:
        stage.run(reject_sql.WRITE_REJECTS)
    stage.run(reject_sql.RESOLVE_PRODUCTS)
    if batch.raw_files:
        stage.run(merge_sql.WRITE_RAW_FILES)
    return MergeCounts(
        products=products,
        new=new,
        changed=changed,
        unchanged=products - new - changed,
        stale=stale,
        rows_written=written,
    )


def _load(recipe: _Recipe, table: Table, batch: Batch, stage: Stage, *, prune: bool) -> None:
    stage.load(staged(table), batch.tables[table.full_name])
    if prune:
        stage.run(merge_sql.prune(table, recipe.scope))


def _merge_children(recipe: _Recipe, table: Table, batch: Batch, stage: Stage, *, prune: bool) -> int:
    _load(recipe, table, batch, stage, prune=prune)
    [(removed, written)] = stage.run(merge_sql.merge_children(table, recipe.scope))
    if table is SKUS and stage.run("SELECT 1 FROM moved LIMIT 1"):
        for child in _OF_A_SKU:
            stage.run(merge_sql.rehome(child))
    if table.observed:
        stage.run(merge_sql.look_again(table))
    return int(removed + written)


def _settling(recipe: _Recipe, fetches: pa.Table) -> int:
    return fetches.filter(pc.is_in(fetches["outcome"], pa.array(sorted(recipe.settles), pa.string()))).num_rows


def _check(recipe: _Recipe, tables: Mapping[str, pa.Table], fetches: pa.Table) -> None:
    """What would otherwise be a wrong table much later is a ValueError now."""
    expected = {table.full_name for table in recipe.tables}
    if set(tables) != expected:
        raise ValueError(f"a merge of {recipe.kind} takes {sorted(expected)}, not {sorted(tables)}")
    if set(fetches["kind"].unique().to_pylist()) - {recipe.kind}:
        raise ValueError(f"a merge of {recipe.kind} takes fetches of that kind alone")
