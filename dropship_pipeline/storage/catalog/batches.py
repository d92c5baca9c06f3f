"""A batch on its way into the tables: rows, ledger, rejects, and the raw files they come from. Arrow only, no SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from dropship_pipeline.alibaba.reasons import ReasonCode
from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.ops import FETCHES, RAW_FILES, REJECTED_RECORDS

FETCHES_SCHEMA = pa.schema([field for field in arrow_schema(FETCHES) if field.name != "changed_at"])
"""What a merge is told of each answer: a row of `ops.fetches`; `changed_at` follows from the answer before."""

_OF_THE_STORE = ("attempts", "first_seen_at", "discarded_at", "discarded_by")
REJECTS_SCHEMA = pa.schema([f for f in arrow_schema(REJECTED_RECORDS) if f.name not in _OF_THE_STORE])
"""What a merge is told of each record that could not be read: `last_seen_at` is when it was answered."""

_NOT_STORABLE: ReasonCode = "not_storable"
_RAW_FILES_SCHEMA = pa.schema([f for f in arrow_schema(RAW_FILES) if f.name != "merged_at"])


class LandedFile(Protocol):
    """A raw file as `ops.raw_files` records it."""

    @property
    def path(self) -> str:
        """Path in the lake, from its root."""

    @property
    def kind(self) -> str:
        """`listing`, `description`, `inventory` or `freight`."""

    @property
    def run_id(self) -> str:
        """The run that landed it."""

    @property
    def sweep_id(self) -> str | None:
        """The sweep that its pages belong to, if it is a listing's."""

    @property
    def answers(self) -> int:
        """How many it holds."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is merged together: `tables` by full name, a row of `fetches` an answer, where they were landed."""

    tables: Mapping[str, pa.Table]
    fetches: pa.Table
    rejects: pa.Table
    raw_files: Sequence[LandedFile] = ()

    def only(self, product_ids: Sequence[str]) -> "Batch":
        """The rows of these products alone, to try whether they can be stored."""
        chosen = pa.array(product_ids, pa.string())
        return Batch(
            {name: rows.filter(pc.is_in(rows["product_id"], chosen)) for name, rows in self.tables.items()},
            self.fetches.filter(pc.is_in(self.fetches["product_id"], chosen)),
            REJECTS_SCHEMA.empty_table(),
        )

    def rejecting(self, reasons: Mapping[str, str]) -> "Batch":
        """The batch without the rows of some products, which become rejected records; `reasons`: words by product."""
        bad = pa.array(list(reasons), pa.string())
        is_bad = pc.and_(
            pc.is_in(self.fetches["product_id"], bad), pc.not_equal(self.fetches["outcome"], pa.scalar("rejected"))
        )
        reject_rows = [
            {"kind": row["kind"], "record_key": row["product_id"], "destination": row["destination"],
             "reason": _NOT_STORABLE, "message": reasons[row["product_id"]], "last_seen_at": row["fetched_at"],
             "payload_hash": row["payload_hash"], "raw_file": row["raw_file"]}
            for row in self.fetches.filter(is_bad).to_pylist()
        ]  # fmt: skip
        named = self.fetches.schema.get_field_index
        fetches = self.fetches.set_column(
            named("outcome"), "outcome", pc.if_else(is_bad, "rejected", self.fetches["outcome"])
        )
        # no rows of it are in the tables: the next answer is not to be taken for the same again
        no_hash = pa.scalar(None, pa.int64())
        fetches = fetches.set_column(
            named("payload_hash"), "payload_hash", pc.if_else(is_bad, no_hash, fetches["payload_hash"])
        )
        code = pa.scalar(_NOT_STORABLE)
        fetches = fetches.set_column(named("code"), "code", pc.if_else(is_bad, code, fetches["code"]))
        return replace(
            self,
            tables={n: rows.filter(pc.invert(pc.is_in(rows["product_id"], bad))) for n, rows in self.tables.items()},
            fetches=fetches,
            rejects=pa.concat_tables([self.rejects, pa.Table.from_pylist(reject_rows, REJECTS_SCHEMA)]),
        )


def latest(fetches: pa.Table) -> pa.Table:
    """One row a product and destination: the last, where a raw file holds two answers."""
    if fetches.group_by(["product_id", "destination"]).aggregate([]).num_rows == fetches.num_rows:
        return fetches
    latest = {(row["product_id"], row["destination"]): row for row in fetches.sort_by("fetched_at").to_pylist()}
    return pa.Table.from_pylist(list(latest.values()), fetches.schema)


def raw_file_rows(raw_files: Sequence[LandedFile]) -> pa.Table:
    """Rows of `ops.raw_files`; when they are merged is said by the database's clock."""
    rows = [{name: getattr(file, name) for name in _RAW_FILES_SCHEMA.names} for file in raw_files]
    return pa.Table.from_pylist(rows, _RAW_FILES_SCHEMA)
