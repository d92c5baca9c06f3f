"""The published tables for pandas: `from dropship_pipeline import lake`. For notebooks and scripts; nothing writes.

    lake.read("landed_costs", as_of="2026-11-01")
    lake.prices_as_of("2026-11-01T12:00:00Z")

Dtypes: money is an exact decimal (`decimal128(18, 4)[pyarrow]`), whole numbers are `Int64` or `Int32`, floats
`Float64`, texts `string`, times `datetime64[us, UTC]`, booleans `boolean`; lists of texts stay lists. A NULL is `<NA>`,
`NaT` or, in place of a list, None; it never turns a column of whole numbers into floats.

A moment is a datetime (without a zone: UTC), a date (its beginning, 00:00 UTC, as in SQL) or either as ISO 8601 text.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from os import PathLike, fspath

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import load_settings
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.lake.published import Published, SnapshotGone, find
from dropship_pipeline.storage.lake.published import snapshots as published

__all__ = ["prices_as_of", "read", "read_several", "snapshots", "stock_as_of"]

Moment = datetime | date | str
Where = pc.Expression

_DTYPES = {
    pa.string(): pd.StringDtype("pyarrow"),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
_TRIES = 5

_PRICE = ["product_id", "sku_id", "min_quantity"]
_STOCK = ["product_id", "sku_id", "shipping_from"]


def read(
    table: str,
    as_of: Moment | None = None,
    columns: Sequence[str] | None = None,
    where: Where | None = None,
    lake: str | PathLike[str] | None = None,
) -> pd.DataFrame:
    """A table of the newest snapshot, or of the newest that was taken at `as_of` or before.

    `table`: `products` or `catalog.products`; `columns`: only these, in this order; `where`: only such rows, as
    in `pyarrow.compute.field("stock") > 0`; `lake`: where it is, instead of DROPSHIP_LAKE_URL. Raises `Problem` for a
    table or column that there is not (with the nearest name), and where there is no snapshot of that moment.
    """
    return read_several([table], as_of, lake, {table: columns}, {table: where})[table]


def read_several(
    tables: Sequence[str],
    as_of: Moment | None = None,
    lake: str | PathLike[str] | None = None,
    columns: dict[str, Sequence[str] | None] | None = None,
    where: dict[str, Where | None] | None = None,
) -> dict[str, pd.DataFrame]:
    """Several tables of one snapshot, so that they fit together whatever is published meanwhile; by the names given.

    `columns` and `where` are by table. Raises as `read`.
    """
    moment = None if as_of is None else _moment(as_of)

    def of(snapshot: Published) -> dict[str, pd.DataFrame]:
        return {
            table: _frame(snapshot.read(table, (columns or {}).get(table), (where or {}).get(table)))
            for table in tables
        }

    place = _open(lake)
    for _ in range(_TRIES - 1):
        try:
            return of(find(place, moment))
        except SnapshotGone:  # newer ones are there: the next look finds one of them, or says what there is
            continue
    return of(find(place, moment))


def snapshots(lake: str | PathLike[str] | None = None) -> pd.DataFrame:
    """The snapshots that can be read, oldest first: `snapshot`, `taken_at` (UTC), `rows` in all tables together."""
    found = published(_open(lake))
    return pd.DataFrame(
        {
            "snapshot": pd.array([one.name for one in found], dtype=pd.StringDtype("pyarrow")),
            "taken_at": pd.Series([one.taken_at for one in found], dtype="datetime64[us, UTC]"),
            "rows": pd.array([sum(one.row_counts.values()) for one in found], dtype=pd.Int64Dtype()),
        }
    )


def prices_as_of(moment: Moment, lake: str | PathLike[str] | None = None) -> pd.DataFrame:
    """The prices of every product known at a moment, as they stood then: what `marts.prices_as_of` answers in SQL.

    Columns: sku_id, min_quantity, product_id, price, currency. From the change log of the newest snapshot backwards, so
    that it reaches back to the first sync; of what came after that snapshot it knows nothing.
    """
    then = _moment(moment)
    tables = read_several(["price_tiers", "price_changes", "products"], lake=lake, columns=_FIRST_SEEN)
    changes = tables["price_changes"].rename(columns={"old_price": "price"})
    found = _as_of(then, _PRICE, ["currency"], "price", tables["price_tiers"], changes, tables["products"])
    return found[["sku_id", "min_quantity", "product_id", "price", "currency"]]


def stock_as_of(moment: Moment, lake: str | PathLike[str] | None = None) -> pd.DataFrame:
    """The stock of every product known at a moment, as it stood then: what `marts.stock_as_of` answers in SQL.

    Columns: sku_id, shipping_from, product_id, quantity. As `prices_as_of` otherwise.
    """
    then = _moment(moment)
    tables = read_several(["inventory_levels", "inventory_changes", "products"], lake=lake, columns=_FIRST_SEEN)
    changes = tables["inventory_changes"].rename(columns={"old_quantity": "quantity"})
    found = _as_of(then, _STOCK, [], "quantity", tables["inventory_levels"], changes, tables["products"])
    return found[["sku_id", "shipping_from", "product_id", "quantity"]]


_FIRST_SEEN: dict[str, Sequence[str] | None] = {"products": ["product_id", "first_seen_at"]}


def _as_of(
    then: datetime,
    key: list[str],
    more: list[str],
    value: str,
    now: pd.DataFrame,
    changes: pd.DataFrame,
    products: pd.DataFrame,
) -> pd.DataFrame:
    """What stood before the first change after the moment; and of what has not changed since, what stands now.

    `key` and `more` tell two values apart. The rows of `changes` are in the order in which they were written.
    """
    later = changes[changes["observed_at"] > pd.Timestamp(then)]
    before = later.drop_duplicates([*key, *more])  # the first of each
    unchanged = now.merge(later[key].drop_duplicates(), on=key, how="left", indicator="found")
    unchanged = unchanged[unchanged["found"] == "left_only"]
    columns = [*key, *more, value]
    found = pd.concat([before[columns], unchanged[columns]], ignore_index=True)
    known = products.loc[products["first_seen_at"] <= pd.Timestamp(then), "product_id"]
    return found[found["product_id"].isin(known) & found[value].notna()].sort_values(key, ignore_index=True)


def _frame(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas(types_mapper=_dtype)


def _dtype(of: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    if pa.types.is_decimal(of):
        return pd.ArrowDtype(of)
    return _DTYPES.get(of)


def _open(lake: str | PathLike[str] | None) -> Lake:
    return Lake(load_settings().lake_url if lake is None else fspath(lake))


def _moment(given: Moment) -> datetime:
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given.strip())
        except ValueError:
            raise Problem(f"{given!r} is no moment", "Write 2026-11-01 or 2026-11-01T12:00:00Z") from None
    if not isinstance(given, datetime):
        given = datetime.combine(given, time())
    return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
