"""The invariants of a trial, I1 to I7: questions to what a trial left, each answered with the violations that it found.

I1 nothing lost, I2 nothing doubled, I3 nothing torn, I4 refetches bounded, I5 nothing falsely delisted, I6 the finding
was raised, I7 no secret in any output. Reads Postgres, the lake and the simulated Alibaba.com's call log by means of
its own; `test_invariants.py` plants a violation for each.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from forked_syncs import BATCH
from lake_reader import look
from machine import Merchant
from sqlalchemy import text

from dropship_pipeline.tables.model import Table, Type
from dropship_pipeline.tables.registry import PUBLISHED, TABLES

DESCRIPTION, INVENTORY = "/eco/buyer/product/description", "/eco/buyer/product/inventory"
FREIGHT = "/shipping/freight/calculate"
TOGETHER = tuple(path.replace("product/", "product/batch/") for path in (DESCRIPTION, INVENTORY))
READ = (DESCRIPTION, INVENTORY, *TOGETHER, FREIGHT)

_LEDGERS = {
    "ops.fetches": "kind, product_id, destination, outcome, code, payload_hash",
    "ops.rejected_records": "kind, record_key, destination, reason",
    "ops.missed_memberships": "feed, product_id",
}
_TOLD_BY_THE_API = {"created_at", "modified_at", "shipped_at", "event_time"}

Rows = dict[str, Counter[tuple[Any, ...]]]


@dataclass(frozen=True)
class Violation:
    """A promise that was broken: which, of what, how."""

    invariant: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.where}: {self.what}"


def _shown(name: str, table: Table) -> str:
    """The columns that two runs must agree in: of a time of reading, only whether there is one."""
    return ", ".join(
        f"{column.name} IS NULL"
        if column.type is Type.TIMESTAMP and column.name not in _TOLD_BY_THE_API
        else column.name
        for column in table.columns
    )


def contents(merchant: Merchant) -> Rows:
    """Every row of the public tables and of the ledger, without the times at which things were read, with its count."""
    found: Rows = {}
    with merchant.database.begin() as connection:
        for table in (*PUBLISHED, TABLES["orders.recipients"]):
            found[table.full_name] = Counter(
                map(tuple, connection.execute(text(f"SELECT {_shown(table.full_name, table)} FROM {table.full_name}")))
            )
        for name, columns in _LEDGERS.items():
            found[name] = Counter(map(tuple, connection.execute(text(f"SELECT {columns} FROM {name}"))))
    return found


def compare(undisturbed: Rows, found: Rows, apart_from: Iterable[str] = ()) -> list[Violation]:
    """I1 and I2: what the undisturbed run has and this one has not, and the other way round."""
    violations = []
    for name, rows in undisturbed.items():
        if name in set(apart_from):
            continue
        for invariant, difference, words in (
            ("I1", rows - found[name], "lost"),
            ("I2", found[name] - rows, "too many"),
        ):
            if difference:
                sample = next(iter(difference))
                violations.append(Violation(invariant, name, f"{difference.total()} rows {words}, such as {sample}"))
    return violations


def nothing_torn(merchant: Merchant, looks: Mapping[str, Any] | None = None) -> list[Violation]:
    """I3: the newest snapshot is whole and is what Postgres holds; every raw file can be read, and is accounted for."""
    violations = [Violation("I3", "lake", what) for what in (looks or {}).get("wrong", ())]
    wrong = look(merchant.lake)
    if wrong:
        violations.append(Violation("I3", "lake", wrong))
    latest = merchant.lake / "latest"
    if not latest.exists():
        return [*violations, Violation("I3", "lake", "nothing is published")]
    for table in PUBLISHED:
        file = latest / table.schema / f"{table.name}.parquet"
        try:
            there = Counter(_plain(pq.read_table(file).to_pylist()))
        except (OSError, ValueError) as error:
            violations.append(Violation("I3", str(file.name), f"cannot be read: {error}"))
            continue
        columns = ", ".join(table.column_names)
        ours = Counter(_plain(merchant.rows(f"SELECT {columns} FROM {table.full_name}")))
        if there != ours:
            difference = next(iter((there - ours) + (ours - there)))
            violations.append(Violation("I3", table.full_name, f"Parquet and Postgres differ, as in {difference}"))
    recorded = {row["path"] for row in merchant.rows("SELECT path FROM ops.raw_files")}
    for file in sorted((merchant.lake / "raw").rglob("*.parquet")):
        path = file.relative_to(merchant.lake).as_posix()
        if path not in recorded and not file.name.startswith("."):
            violations.append(Violation("I3", path, "was landed, and nobody knows whether it was merged"))
    return violations


_TORN = {
    "catalog.skus": "SELECT count(*) FROM catalog.skus c LEFT JOIN catalog.products p USING (product_id) "
    "WHERE p.product_id IS NULL",
    "catalog.price_tiers": "SELECT count(*) FROM catalog.price_tiers c LEFT JOIN catalog.skus s USING (sku_id) "
    "WHERE s.sku_id IS NULL",
    "ops.fetches": "SELECT count(*) FROM ops.fetches f LEFT JOIN catalog.products p USING (product_id) "
    "WHERE f.kind = 'description' AND f.outcome = 'answered' AND p.product_id IS NULL",
}


def torn_in_postgres(merchant: Merchant) -> list[Violation]:
    """I3, at any moment: what is committed of a batch is all of it."""
    found = [(name, merchant.value(question)) for name, question in _TORN.items()]
    return [Violation("I3", name, f"{count} rows of half a batch") for name, count in found if count]


def _plain(rows: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Any, ...]]:
    for row in rows:
        yield tuple(value.normalize() if isinstance(value, Decimal) else value for value in row.values())


def refetches(merchant: Merchant, losses: int) -> tuple[list[Violation], int, int]:
    """I4: the violations, how many reads were made of single products, and how many of these again.

    `losses`: runs that ended without landing what they had in flight: one batch each, and the one being read beside.
    """
    violations, reads, again = [], 0, 0
    for path in READ:
        calls = merchant.calls(path)
        reads += sum(calls.values())
        repeated = sum(calls.values()) - len(calls)
        again += repeated
        most = max(calls.values(), default=0)
        # of freight, a product in flight may have been asked for from each place that ships it
        allowed = losses * 2 * BATCH * (4 if path == FREIGHT else 1)
        if repeated > allowed:
            violations.append(Violation("I4", path, f"{repeated} repeated, {allowed} were in flight"))
        if most > 1 + losses:
            violations.append(Violation("I4", path, f"one was read {most} times, with {losses} losses"))
    return violations, reads, again


def falsely_delisted(merchant: Merchant) -> list[Violation]:
    """I5: memberships that ended though the feed lists the product now."""
    ended = merchant.rows("SELECT feed, product_id FROM catalog.feed_products WHERE delisted_at IS NOT NULL")
    violations = []
    for feed in {row["feed"] for row in ended}:
        listed = set(map(str, merchant.truth(f"feed?key={feed}")["product_ids"]))
        wrong = [row["product_id"] for row in ended if row["feed"] == feed and row["product_id"] in listed]
        if wrong:
            violations.append(Violation("I5", feed, f"{len(wrong)} memberships ended that go on, such as {wrong[0]}"))
    return violations


def finding_raised(told: Iterable[str], *words: str) -> list[Violation]:
    """I6: one of the lines says all of the words."""
    lines = list(told)
    if any(all(word in line for word in words) for line in lines):
        return []
    return [Violation("I6", "findings", f"nobody was told of {', '.join(words)}: {lines[:3]}")]


def secrets_of(merchant: Merchant) -> list[str]:
    """What must not be seen anywhere: of these every text is searched for."""
    named = ("ALIBABA_APP_SECRET", "ALIBABA_ACCESS_TOKEN", "ALIBABA_REFRESH_TOKEN", "DROPSHIP_SECRET_KEY")
    return [merchant.environment[name] for name in named if merchant.environment.get(name)]


def leaks(merchant: Merchant, outputs: Iterable[str]) -> list[Violation]:
    """I7: secrets in what was printed, in the book-keeping, in the raw files and their names."""
    secrets = secrets_of(merchant)
    violations = []

    def search(where: str, content: str) -> None:
        if any(secret in content for secret in secrets):
            violations.append(Violation("I7", where, "holds a secret"))

    for number, output in enumerate(outputs):
        search(f"output {number}", output)
    for name in ("ops.syncs", "ops.rejected_records", "ops.accounts", "ops.alerts", "ops.webhook_inbox", "ops.fetches"):
        search(name, "\n".join(row["it"] for row in merchant.rows(f"SELECT t::text AS it FROM {name} t")))
    for file in sorted(merchant.lake.rglob("*.parquet")):
        if "raw" in file.relative_to(merchant.lake).parts and file.is_file():
            search(file.name, _texts(file))
    return violations


def _texts(file: Path) -> str:
    try:
        rows = pq.read_table(file, columns=["request", "body"])
    except (OSError, ValueError):
        return file.read_bytes().decode("latin-1")
    return "\n".join([*rows["request"].to_pylist(), *(body.decode("latin-1") for body in rows["body"].to_pylist())])
