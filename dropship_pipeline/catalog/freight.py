"""Freight quotes and refusals into rows (guide §6)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from dropship_pipeline.alibaba.products import FreightOption
from dropship_pipeline.catalog.columns import arrow_table
from dropship_pipeline.catalog.dispatch import Refusal
from dropship_pipeline.tables import catalog as tables


class FreightRows:
    """The rows of a batch of quotes. A carrier that offers twice for the same counts with its cheapest offer."""

    def __init__(self) -> None:
        self._quotes: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self._failures: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def add(
        self,
        product_id: str,
        destination_country: str,
        quantity: int,
        requested_dispatch: str | None,
        options: Sequence[FreightOption],
        refusals: Iterable[Refusal],
        quoted_at: datetime,
    ) -> None:
        """Take what came of quoting one product to one destination; `quoted_at` is when it was answered (UTC)."""
        for option in options:
            key = (product_id, destination_country, quantity, option.vendor_code)
            known = self._quotes.get(key)
            if known is None or _dearer(known[_FEE], option.fee):
                self._quotes[key] = (
                    *key,
                    option.vendor_name,
                    option.shipping_type,
                    option.trade_term,
                    option.solution_biz_type,
                    option.dispatch_country,
                    requested_dispatch,
                    option.delivery_days_min,
                    option.delivery_days_max,
                    option.fee,
                    option.currency,
                    quoted_at,
                )
        for refusal in refusals:
            failed = (product_id, destination_country, refusal.quantity, refusal.dispatch_location)
            self._failures[failed] = (*failed, refusal.code, refusal.message, quoted_at)

    def tables(self) -> dict[str, pa.Table]:
        """The rows by full table name."""
        return {
            tables.FREIGHT_QUOTES.full_name: arrow_table(tables.FREIGHT_QUOTES, list(self._quotes.values())),
            tables.FREIGHT_FAILURES.full_name: arrow_table(tables.FREIGHT_FAILURES, list(self._failures.values())),
        }


_FEE = tables.FREIGHT_QUOTES.column_names.index("fee")


def _dearer(known: Any, offered: Any) -> bool:
    return offered is not None and (known is None or offered < known)
