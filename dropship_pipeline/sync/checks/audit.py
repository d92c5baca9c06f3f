"""Whether the tables may be published, and what a person should look at: which checks there are, and making them.

Which questions the rows are asked follows from the table definitions (`storage/reading/audits.py`), how the readings
stand is counted in `storage/reading/standing.py`, what that means is in `findings.py`. Dagster shows findings as asset
checks, and what publishes without it stops at them: nothing here knows either.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import Connection

from dropship_pipeline.catalog.destinations import parse_destinations
from dropship_pipeline.catalog.freshness import MAX_AGES
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import Settings
from dropship_pipeline.storage.reading import audits, soundness, standing
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.checks import findings
from dropship_pipeline.sync.checks.findings import Check, Finding
from dropship_pipeline.tables import catalog as tables
from dropship_pipeline.tables.model import Table
from dropship_pipeline.tables.orders import ORDER_TABLES


class Stage(StrEnum):
    """The stages whose tables are audited when they are done."""

    LISTING = "listing"
    PRODUCTS = "products"
    STOCK = "stock"
    FREIGHT = "freight"
    ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class _Audited:
    """What a stage writes, the first table being what it is about; the kind of its readings, and how they stand."""

    tables: tuple[Table, ...]
    kind: str
    standing: tuple[str, ...]


_STAGES: Mapping[Stage, _Audited] = MappingProxyType(
    {
        Stage.LISTING: _Audited(
            (tables.FEED_PRODUCTS, tables.LISTING_CHANGES), "", (findings.HELD_SWEEPS, findings.UNFINISHED_SWEEPS)
        ),
        Stage.PRODUCTS: _Audited(
            (
                tables.PRODUCTS,
                tables.PRODUCT_DESCRIPTIONS,
                tables.PRODUCT_IMAGES,
                tables.DELIVERY_PERIODS,
                tables.SKUS,
                tables.SKU_ATTRIBUTES,
                tables.PRICE_TIERS,
                tables.PRICE_CHANGES,
            ),
            "description",
            (findings.REJECTED_SHARE, findings.STALE_SHARE),
        ),
        Stage.STOCK: _Audited(
            (tables.INVENTORY_LEVELS, tables.INVENTORY_CHANGES),
            "inventory",
            (findings.REJECTED_SHARE, findings.STALE_SHARE),
        ),
        Stage.FREIGHT: _Audited(
            (tables.FREIGHT_QUOTES, tables.FREIGHT_FAILURES),
            "freight",
            (findings.REJECTED_SHARE, findings.STALE_SHARE, findings.FALLBACK_SHARE),
        ),
        Stage.ORDERS: _Audited(tuple(table for table in ORDER_TABLES if table.published), "", ()),
    }
)


def tables_of(stage: Stage) -> tuple[Table, ...]:
    """The tables that a stage writes."""
    return _STAGES[stage].tables


def checks_of(stage: Stage) -> tuple[Check, ...]:
    """What is checked when a stage is done, in the order of its findings."""
    audited = _STAGES[stage]
    names = [(name, table) for table in audited.tables for name in audits.asked(table)]
    names += [(name, audited.tables[0]) for name in audited.standing]
    return tuple(findings.check(name, table.full_name) for name, table in names)


def audit(database: Database, settings: Settings, stage: Stage) -> list[Finding]:
    """Make the checks of a stage, at one moment. Raises `DatabaseProblem`.

    Tables that are found sound are remembered: until somebody writes to them their rows are not read again.
    """
    with database.begin() as connection:
        audits.read_only(connection)
        asked = soundness.ask(connection, tables_of(stage))
        found = _look(connection, settings, stage, asked)
    soundness.remember(database, asked.found)
    return found


def look(connection: Connection, settings: Settings, stage: Stage) -> list[Finding]:
    """Make the checks of a stage in a transaction that sees a single moment: see `audits.read_only`."""
    return _look(connection, settings, stage, soundness.ask(connection, tables_of(stage)))


def _look(connection: Connection, settings: Settings, stage: Stage, asked: soundness.Asked) -> list[Finding]:
    audited = _STAGES[stage]
    found = [findings.of_rows(answer) for answer in asked.answers]
    if audited.kind:
        found += _of_readings(connection, settings, audited)
    if stage is Stage.LISTING:
        found += findings.of_sweeps(standing.last_sweeps(connection))
    return found


def audit_snapshot(database: Database) -> Finding:
    """Check whether the newest snapshot has about as many rows as the one before: nothing is counted again."""
    with database.begin() as connection:
        return findings.of_row_counts(standing.last_row_counts(connection))


def require_sound(
    database: Database, settings: Settings, stages: Sequence[Stage] = tuple(Stage), *, let_through: bool = False
) -> None:
    """For whoever publishes what no asset check has looked at. Raises a `Problem` with the findings that forbid it.

    `let_through`: publish although too many answers could not be read. What is wrong in the rows forbids it still.
    """
    grave = [
        found
        for stage in stages
        for found in audit(database, settings, stage)
        if found.grave and not (let_through and found.check.name == findings.REJECTED_SHARE)
    ]
    if grave:
        raise Problem("Nothing is published. " + " ".join(found.line for found in grave))


def _of_readings(connection: Connection, settings: Settings, audited: _Audited) -> Iterator[Finding]:
    kind, table = audited.kind, audited.tables[0].full_name
    of_freight = kind == "freight"
    destinations = [str(to) for to in parse_destinations(settings.destinations)] if of_freight else [""]
    readings = standing.readings(connection, kind, destinations, MAX_AGES[kind] * findings.STALE_AFTER)
    yield findings.of_rejects(table, kind, readings, settings.max_rejected_share)
    yield findings.of_ages(table, kind, readings)
    if of_freight:
        yield findings.of_fallbacks(table, readings, *standing.fallen_back(connection))
