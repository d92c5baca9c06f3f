"""One Dagster with a synced catalogue and one headless Chromium, for all tests in a browser."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import chromium
import pytest
from dagster_group import dagster_running
from dagster_pages import DagsterPages
from dagster_runs import installed, run_job
from dagster_ui import Ui
from deployment import Deployment
from screenshots import save
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from sqlalchemy.engine import make_url

from dropship_pipeline.orchestration.orders import RECONCILIATION, lately
from dropship_pipeline.orchestration.partitions import ALL_FEEDS
from dropship_pipeline.sandbox.launch import SandboxConfig, start
from dropship_pipeline.storage.server.database import Database

collect_ignore_glob = [] if chromium.is_installed() else ["test_*.py"]

SCREENSHOTS = os.environ.get("SCREENSHOTS")
"""The folder that keeps the pictures; unset, they are taken all the same, and thrown away."""

SYNCS = 6 if SCREENSHOTS else 2  # two points make a chart, more make a picture of one
ONE_DAY = {"advance_s": 86_400}


@pytest.fixture(scope="module")
def merchant(server: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A catalogue that was synced on several days of a world that goes on; schedules are off."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE dropship_template")
    database = Database(make_url(server.libpq_url).set(database=name).render_as_string(hide_password=False))
    sizes = {"products": 300, "orders": 200} if SCREENSHOTS else {"products": 40, "orders": 0}
    try:
        with start(SandboxConfig(clock_speed=0.0, **sizes)) as sandbox:
            home = tmp_path_factory.mktemp("merchant")
            deployment = Deployment(home, database, sandbox, {"DROPSHIP_SCHEDULES": "false"})
            with installed(deployment) as instance:
                for _ in range(SYNCS):
                    sandbox.control("clock", ONE_DAY)
                    synced = run_job(instance, feeds=ALL_FEEDS, options={"force": True})
                    assert synced.is_success
                days = lately().values()
                reconciled = run_job(instance, RECONCILIATION, feeds=(min(days), max(days)))
                assert reconciled.is_success
            yield deployment
    finally:
        database.close()
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def ui(merchant: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The merchant's Dagster: code server, webserver and daemon."""
    with dagster_running(merchant, tmp_path_factory.mktemp("dagster")) as running:
        yield running.ui


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser without a window, which finds no host but this one."""
    options = ChromeOptions()
    assert chromium.BROWSER is not None
    options.binary_location = chromium.BROWSER
    for argument in (
        "--headless=new",
        "--no-sandbox",  # root may not have one
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1600,1000",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    browser = Chrome(options=options, service=ChromeService(chromium.DRIVER))
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def dagster(chrome: Chrome, ui: Ui) -> DagsterPages:
    """The pages, as a person at a browser has them."""
    return DagsterPages(chrome, ui.address)


@pytest.fixture
def photograph(dagster: DagsterPages, tmp_path: Path) -> Callable[[str], None]:
    """Takes a picture of what the page shows now, without the navigation beside it: `photograph("graph")`."""
    folder = Path(SCREENSHOTS) if SCREENSHOTS else tmp_path

    def take(name: str) -> None:
        picture = folder / f"{name}.png"
        save(dagster.page_alone(), picture)
        assert 10_000 < picture.stat().st_size < 150_000, picture

    return take
