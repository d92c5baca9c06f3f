"""Checking everything that a sync needs, in the order in which a sync would miss it. Each finding has its remedy."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum

from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.products import read_product_page
from dropship_pipeline.catalog.destinations import parse_destinations
from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import Settings
from dropship_pipeline.storage.database import Database
from dropship_pipeline.storage.lake import Lake
from dropship_pipeline.sync.discover import page_request
from dropship_pipeline.sync.place import Place, find_place
from dropship_pipeline.sync.session import open_database, open_gateway

LEAST_FREE_BYTES = 1_000_000_000


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
    yield _checked("Destinations", lambda: ", ".join(str(d) for d in parse_destinations(settings.destinations)))
    yield _disk(settings)
    yield _checked("Lake", lambda: _write_to(Lake(settings.lake_url)))
    database: Database | None = None
    with ExitStack() as stack:
        try:
            database = open_database(settings)
            stack.callback(database.close)
        except Problem as problem:
            yield Finding("Database", Verdict.FAILED, problem.what, problem.remedy)
            return
        embedded = "" if settings.database_url else ", embedded"
        yield Finding("Database", Verdict.OK, f"{database.address}{embedded}, tables of this version")
        try:
            place = stack.enter_context(find_place(settings))
        except Problem as problem:
            yield Finding("Alibaba.com", Verdict.FAILED, problem.what, problem.remedy)
            return
        yield _checked("Alibaba.com", lambda: _ask(settings, place, database))


def _checked(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, Verdict.OK, look())
    except Problem as problem:
        return Finding(check, Verdict.FAILED, problem.what, problem.remedy)


def _disk(settings: Settings) -> Finding:
    folder = settings.absolute_home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if free < LEAST_FREE_BYTES:
        return Finding("Disk", Verdict.WARNING, found, "Free some: raw answers and snapshots need room")
    return Finding("Disk", Verdict.OK, found)


def _write_to(lake: Lake) -> str:
    path = "doctor.tmp"
    lake.write(path, b"dropship doctor")
    lake.delete(path)
    return f"{lake.location} can be written"


def _ask(settings: Settings, place: Place, database: Database) -> str:
    """One real call: reaches the host, and has the key, the secret, the clock, the token and the dialect checked."""
    with open_gateway(settings, place, database) as gateway, Client(gateway) as client:
        page = read_product_page(client.call(page_request(FEEDS[0], 0, 1)).payload)
    whose = "the simulated Alibaba.com, as no app is named" if place.simulated else gateway.host
    return (
        f"{whose} answers; dialect {gateway.dialect.current}; feed {FEEDS[0].key} has {page.total or 'some'} products"
    )
