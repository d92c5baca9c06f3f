"""What becomes of watched products, in words: cost moved, stock low, variant gone, product gone. Pure, no I/O.

Only what was read of the API and merged into the tables counts: a push that names a price has it fetched, and is no
news itself; a product is gone when its own payload or two complete sweeps say so. One line a product: what was found
last replaces what was not told yet.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from dropship_pipeline.counting import counted
from dropship_pipeline.storage.ops.alerts import Kind
from dropship_pipeline.storage.ops.watched import Difference
from dropship_pipeline.sync.alerts.rules import Sighting

_TITLE_LENGTH = 60  # characters
_SHOWN = 2  # variants of each kind: the rest is counted


def news(found: Iterable[Difference], now: datetime) -> list[Sighting]:
    """What is news in these differences (by product, as `differences` gives them): one a product, or none."""
    sightings = []
    for product_id, of_product in groupby(found, lambda row: row.product_id):
        rows = list(of_product)
        said = _said(rows)
        if said:
            title = f"Watched product {product_id}{_quoted(rows[0].title)}"
            sightings.append(
                Sighting(Kind.WATCH, f"watch:{product_id}", f"product {product_id}", title, "; ".join(said), now)
            )
    return sightings


def _said(rows: Sequence[Difference]) -> list[str]:
    """The gravest first. A variant or product that is new, or was never read before, is none."""
    known = [row for row in rows if row.was_known and row.is_watched]
    if any(not row.sku_id and not row.is_there for row in known):
        return ["it is gone from the market"]
    variants = [row for row in known if row.sku_id]
    gone = [row.sku_id for row in variants if not row.is_there]
    low = [row for row in variants if row.is_there and row.was_low is False and row.is_low]
    moved = [row for row in variants if row.is_there and row.has_moved]
    said = []
    if gone:
        said.append(f"{_count(gone)} gone: {_some(gone)}")
    if low:
        words = [f"{row.sku_id} has {row.stock:,} of at least {row.minimum_stock:,}" for row in low]
        said.append(f"stock low in {_count(low)}: {_some(words)}")
    if moved:
        furthest = sorted(moved, key=lambda row: -abs(_percent(row) or Decimal("Infinity")))
        said.append(f"cost moved of {_count(moved)}: {_some([_move(row) for row in furthest])}")
    return said


def _move(row: Difference) -> str:
    percent = _percent(row)
    share = f" ({percent:+.1f} %)" if percent is not None else ""
    old, new = (f"{amount.normalize():f}" for amount in (row.old_price, row.new_price) if amount is not None)
    before = f"{old} {row.old_currency}" if row.old_currency != row.new_currency else old
    since = f" since {row.priced_at:%Y-%m-%d}" if row.priced_at is not None else ""
    return f"{row.sku_id} from {before} to {new} {row.new_currency}{share}{since}"


def _percent(row: Difference) -> Decimal | None:
    """How far the price moved, of the old one; None where the two cannot be compared."""
    if not row.old_price or row.new_price is None or row.old_currency != row.new_currency:
        return None
    return 100 * (row.new_price - row.old_price) / row.old_price


def _count(variants: Sequence[object]) -> str:
    return counted(len(variants), "variant")


def _some(words: Sequence[str]) -> str:
    more = len(words) - _SHOWN
    return ", ".join(words[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _quoted(title: str | None) -> str:
    if not title:
        return ""
    line = " ".join(title.split())
    return f" “{line if len(line) <= _TITLE_LENGTH else line[:_TITLE_LENGTH] + '…'}”"
