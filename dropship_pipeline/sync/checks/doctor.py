"""Checking everything that a sync needs, in the order in which a sync would miss it. Each finding has its remedy.

What needs Dagster is checked by the command line: nothing here imports it.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.products import read_product_page
from dropship_pipeline.catalog.destinations import parse_destinations
from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.counting import counted
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import Settings, unknown_variables
from dropship_pipeline.storage.lake.damage import ROOT as SNAPSHOTS
from dropship_pipeline.storage.lake.damage import damaged, snapshot_names
from dropship_pipeline.storage.lake.place import QUARANTINE, Lake
from dropship_pipeline.storage.lake.published import snapshots as published_snapshots
from dropship_pipeline.storage.lake.raw import torn_files
from dropship_pipeline.storage.ops.origin import claim_origin
from dropship_pipeline.storage.reading import alterations
from dropship_pipeline.storage.reading.audits import read_only
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.opening import open_database
from dropship_pipeline.sync.checks.status import read_status
from dropship_pipeline.sync.place import Place, find_place
from dropship_pipeline.sync.session import open_gateway, open_vault
from dropship_pipeline.sync.stages.discover import page_request

LEAST_FREE_BYTES = 1_000_000_000

_SHOWN = 5  # of what is wrong, in one line


class Verdict(StrEnum):
    """What a check found."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what it looked at, what it found, and what to do about it where something is wrong."""

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Check one thing after the other; what needs something that failed is not tried."""
    yield _settings()
    yield checked("Destinations", lambda: ", ".join(str(d) for d in parse_destinations(settings.destinations)))
    yield _disk(settings)
    yield checked("Lake", lambda: _write_to(Lake(settings.lake_url)))
    with ExitStack() as stack:
        try:
            database = open_database(settings)
        except Problem as problem:
            yield Finding("Database", Verdict.FAILED, problem.what, problem.remedy)
            return
        stack.callback(database.close)
        embedded = "" if settings.database_url else ", embedded"
        yield Finding("Database", Verdict.OK, f"{database.address}{embedded}, tables of this version")
        yield _snapshots(Lake(settings.lake_url))
        yield _tables(database, Lake(settings.lake_url))
        try:
            place = stack.enter_context(find_place(settings))
        except Problem as problem:
            yield Finding("Alibaba.com", Verdict.FAILED, problem.what, problem.remedy)
            return
        yield checked("Catalogue", lambda: _origin(database, place))
        yield checked("Secret key", lambda: _tokens(settings, place, database))
        yield checked("Alibaba.com", lambda: _ask(settings, place, database))


def checked(check: str, look: Callable[[], str]) -> Finding:
    """The finding of a look that says what it found, or raises the `Problem` that it found."""
    try:
        return Finding(check, Verdict.OK, look())
    except Problem as problem:
        return Finding(check, Verdict.FAILED, problem.what, problem.remedy)


def _settings() -> Finding:
    slips = unknown_variables()
    if not slips:
        return Finding("Settings", Verdict.OK, "every variable is known")
    meant = [f"{name} (meant: {near}?)" if near else name for name, near in slips.items()]
    return Finding(
        "Settings", Verdict.WARNING, f"not known: {', '.join(meant)}", "Correct the names: the README lists them"
    )


def _disk(settings: Settings) -> Finding:
    folder = settings.absolute_home
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        return Finding("Disk", Verdict.FAILED, f"{folder} is no folder", "Move it away, or set DROPSHIP_HOME elsewhere")
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if not _is_writable(folder):
        return Finding(
            "Disk",
            Verdict.FAILED,
            f"{folder} cannot be written",
            "Let this user write there, or set DROPSHIP_HOME elsewhere",
        )
    if free < LEAST_FREE_BYTES:
        return Finding("Disk", Verdict.WARNING, found, "Free some: raw answers and snapshots need room")
    return Finding("Disk", Verdict.OK, found)


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _write_to(lake: Lake) -> str:
    path = "doctor.tmp"
    lake.write(path, b"dropship doctor")
    lake.delete(path)
    return f"{lake.location} can be written"


def _snapshots(lake: Lake) -> Finding:
    """Whether every snapshot is whole, all of the newest one read; and what was found damaged before."""
    try:
        names = snapshot_names(lake)
        damage = [*damaged(lake, names[:-1]), *damaged(lake, names[-1:], every_page=True)]
        aside = [*lake.folders(f"{QUARANTINE}/{SNAPSHOTS}"), *torn_files(lake)]
    except Problem as problem:
        return Finding("Snapshots", Verdict.FAILED, problem.what, problem.remedy)
    if damage:
        said = "; ".join(f"{one.snapshot} is damaged: {one.said}" for one in damage)
        remedy = "Publish anew: dropship publish. It sets a damaged newest one aside; others may be removed"
        return Finding("Snapshots", Verdict.WARNING, said, remedy)
    said = f"{len(names)} in {lake.location}, all of them whole"
    if aside:
        shown = ", ".join(aside[:_SHOWN]) + (f" and {len(aside) - _SHOWN} more" if len(aside) > _SHOWN else "")
        remedy = "They are not used any more: look at the disk or bucket, then remove them"
        return Finding("Snapshots", Verdict.WARNING, f"{said}; set aside because damaged: {shown}", remedy)
    return Finding("Snapshots", Verdict.OK, said)


def _tables(database: Database, lake: Lake) -> Finding:
    """Whether the tables are what their definitions, their change logs and the newest snapshot say."""
    try:
        with database.begin() as connection:
            read_only(connection)
            found = alterations.in_definition(connection)
            if not found:
                found = alterations.in_log(connection)
        newest = published_snapshots(lake)[-1:]
        found += [one for snapshot in newest if not found for one in alterations.since_snapshot(database, snapshot)]
    except Problem as problem:
        return Finding("Tables", Verdict.FAILED, problem.what, problem.remedy)
    if not found:
        return Finding("Tables", Verdict.OK, "as their definitions, their change logs and the newest snapshot say")
    grave = any(one.grave for one in found)
    return Finding(
        "Tables",
        Verdict.FAILED if grave else Verdict.WARNING,
        "altered by hand: " + "; ".join(one.said for one in found[:_SHOWN]),
        "Undo that, or restore a backup of the database"
        if grave
        else "`dropship replay` makes rows what was answered again; if they are meant to be so: dropship publish",
    )


def _origin(database: Database, place: Place) -> str:
    held = read_status(database, ()).origin
    if held is None:
        return f"{database.address} is empty"
    claim_origin(database, place.origin)  # raises where it holds the other one, and changes nothing where it does not
    return f"{database.address} holds {'the simulated one' if place.simulated else 'one of Alibaba.com'}, as it should"


def _tokens(settings: Settings, place: Place, database: Database) -> str:
    vault = open_vault(settings, database)
    kept = vault.load(place.account)
    return "no tokens are kept yet" if kept is None else f"fits the tokens of account {place.account}"


def _ask(settings: Settings, place: Place, database: Database) -> str:
    """One real call: reaches the host, and has the key, the secret, the clock, the token and the dialect checked."""
    with open_gateway(settings, place, database) as gateway, Client(gateway) as client:
        page = read_product_page(client.call(page_request(FEEDS[0], 0, 1)).payload)
    whose = "the simulated one (ALIBABA_APP_KEY is not set)" if place.simulated else gateway.host
    listed = "products" if page.total is None else counted(page.total, "product")
    return f"{whose} answers, in dialect {gateway.dialect.current}; feed {FEEDS[0].key} lists {listed}"
