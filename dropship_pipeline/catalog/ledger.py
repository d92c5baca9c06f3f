"""What a batch of answers came to, as rows: of the ledger of fetches, and of what could not be read."""

from datetime import datetime
from typing import Any

import pyarrow as pa

from dropship_pipeline.alibaba.values import Unreadable, clean
from dropship_pipeline.catalog.columns import arrow_table
from dropship_pipeline.catalog.fingerprint import payload_hash
from dropship_pipeline.tables import ops as tables

LONGEST_PAYLOAD = 100_000  # characters of a rejected answer that are kept; the whole of it is in the raw lake

_OF_THE_MERGE = frozenset({"changed_at"})
_OF_THE_STORE = frozenset({"first_seen_at", "count"})


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

    def reject(self, product_id: str, at: datetime, why: Unreadable, body: bytes, destination: str = "") -> None:
        """It was answered, and the answer cannot be read: it is kept with the reason."""
        self._note(product_id, destination, at, "rejected", why.code, None)
        key = f"{product_id} to {destination}" if destination else product_id
        shown = clean(body[: LONGEST_PAYLOAD * 4].decode("utf-8", "replace"))[:LONGEST_PAYLOAD]
        self._rejects.append((self._kind, key, f"{why.code}: {clean(why.words)}", shown, at))

    def fetches(self) -> pa.Table:
        """Rows of `ops.fetches`, without what the merge adds."""
        return arrow_table(tables.FETCHES, self._fetches, _OF_THE_MERGE)

    def rejects(self) -> pa.Table:
        """Rows of `ops.rejected_records`, without what the store counts."""
        return arrow_table(tables.REJECTED_RECORDS, self._rejects, _OF_THE_STORE)

    def _note(
        self, product_id: str, destination: str, at: datetime, outcome: str, code: str | None, hashed: int | None
    ) -> None:
        self._fetches.append((self._kind, product_id, destination, at, outcome, code, hashed, self._raw_file))
