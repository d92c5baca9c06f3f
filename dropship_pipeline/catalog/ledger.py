"""What a batch of answers came to, as rows: of the ledger of fetches, and of what could not be read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from dropship_pipeline.alibaba.exhibits import exhibit
from dropship_pipeline.alibaba.redaction import message
from dropship_pipeline.alibaba.values import Unreadable, clean
from dropship_pipeline.catalog.columns import arrow_table
from dropship_pipeline.catalog.fingerprint import payload_hash
from dropship_pipeline.tables import ops as tables

_OF_THE_MERGE = frozenset({"changed_at"})

OF_THE_STORE = frozenset({"attempts", "first_seen_at", "discarded_at", "discarded_by"})
"""Columns of a rejected record that the store adds."""


class Ledger:
    """The rows of one batch of one kind."""

    def __init__(self, kind: str, raw_file: str) -> None:
        self._kind = kind
        self._raw_file = raw_file
        self._fetches: list[tuple[Any, ...]] = []
        self._rejects: list[tuple[Any, ...]] = []
        self.refused = 0

    @property
    def rejected(self) -> int:
        """How many could not be read."""
        return len(self._rejects)

    def answered(self, product_id: str, at: datetime, payload: object, destination: str = "") -> None:
        """It was answered (at, UTC), with this payload."""
        self._note(product_id, destination, at, "answered", None, payload_hash(payload))

    def refuse(self, product_id: str, at: datetime, code: str, destination: str = "") -> None:
        """Alibaba.com said no, with this code."""
        self.refused += 1
        self._note(product_id, destination, at, "refused", clean(code), None)

    def reject(self, product_id: str, at: datetime, why: Unreadable, payload: object, destination: str = "") -> None:
        """It was answered, and the answer cannot be read: it is kept with the reason, fit to be shown."""
        self._note(product_id, destination, at, "rejected", why.code, None)
        self._rejects.append(
            rejected_row(self._kind, product_id, why, at, payload, destination=destination, raw_file=self._raw_file)
        )

    def fetches(self) -> pa.Table:
        """Rows of `ops.fetches`, without what the merge adds."""
        return arrow_table(tables.FETCHES, self._fetches, _OF_THE_MERGE)

    def rejects(self) -> pa.Table:
        """Rows of `ops.rejected_records`, without what the store counts."""
        return rejected_table(self._rejects)

    def _note(
        self, product_id: str, destination: str, at: datetime, outcome: str, code: str | None, hashed: int | None
    ) -> None:
        self._fetches.append((self._kind, product_id, destination, at, outcome, code, hashed, self._raw_file))


def rejected_row(
    kind: str,
    record_key: str,
    why: Unreadable,
    at: datetime,
    payload: object,
    *,
    destination: str = "",
    account: str | None = None,
    raw_file: str | None = None,
) -> tuple[Any, ...]:
    """A row of `rejected_table`: answered at `at` (UTC).

    Of an order (`account`), nothing but the hash of the payload is kept: it names people.
    """
    shown = None if account is not None else exhibit(payload)
    words = message(clean(why.words))
    return kind, record_key, destination, account, why.code, words, at, payload_hash(payload), raw_file, shown


def rejected_table(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows of `ops.rejected_records`, without what the store adds (`OF_THE_STORE`)."""
    return arrow_table(tables.REJECTED_RECORDS, rows, OF_THE_STORE)
