"""Freight quotes and refusals into rows (guide §6)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from dropship_pipeline.alibaba.products import FreightOption
from dropship_pipeline.alibaba.values import clean
from dropship_pipeline.catalog.columns import arrow_table
from dropship_pipeline.catalog.dispatch import Refusal
from dropship_pipeline.tables import catalog as tables


class FreightRows:
    """The rows of a batch of quotes. A product that is quoted twice to one destination counts as it was quoted last."""

    def __init__(self) -> None:
        self._quotes: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        self._failures: dict[tuple[str, str], list[tuple[Any, ...]]] = {}

    def add(
        self,
        product_id: str,
        destination_country: str,
        quantity: int,
        requested_dispatch: str,
        options: Sequence[FreightOption],
        refusals: Iterable[Refusal],
        quoted_at: datetime,
    ) -> None:
        """Take what came of quoting one product to one destination; `quoted_at` is when it was answered (UTC)."""
        quoted = product_id, destination_country
        self._quotes[quoted] = [
            (
                *quoted,
                quantity,
                option.vendor_code,
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
            for option in _one_a_carrier(options)
        ]
        self._failures[quoted] = [
            (
                *quoted,
                refused.quantity,
                refused.dispatch_location,
                clean(refused.code),
                clean(refused.message),
                quoted_at,
            )
            for refused in {(refusal.quantity, refusal.dispatch_location): refusal for refusal in refusals}.values()
        ]

    def tables(self) -> dict[str, pa.Table]:
        """The rows by full table name."""
        return {
            tables.FREIGHT_QUOTES.full_name: arrow_table(
                tables.FREIGHT_QUOTES, [row for rows in self._quotes.values() for row in rows]
            ),
            tables.FREIGHT_FAILURES.full_name: arrow_table(
                tables.FREIGHT_FAILURES, [row for rows in self._failures.values() for row in rows]
            ),
        }


def _one_a_carrier(options: Iterable[FreightOption]) -> Iterable[FreightOption]:
    """The cheapest offer of each carrier; one without a fee only where there is no other."""
    cheapest: dict[str, FreightOption] = {}
    for option in options:
        known = cheapest.get(option.vendor_code)
        if known is None or known.fee is None or (option.fee is not None and option.fee < known.fee):
            cheapest[option.vendor_code] = option
    return cheapest.values()
