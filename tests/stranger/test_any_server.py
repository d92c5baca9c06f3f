"""Whatever server speaks the guide or the live dialect: after a sync the tables are its catalogue, value for value."""

import atexit
import dataclasses
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment, clean_environment
from expectation import Rows, expected_changes, expected_rows, parquet_tables, stored_rows, whole_tables
from hand_made_catalogue import hand_made
from next_day import next_day
from server import APP_SECRET, LISTINGS, REFRESH_TOKEN_BEGINS, SCENES, TOKEN_BEGINS, Stranger
from telling import ABSENT, Manner

from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.summary import FeedState

Install = Callable[..., tuple[Stranger, Deployment]]

DESTINATIONS = "US:90001,MX,UK:SW1A 1AA"
COUNTRIES = ["US", "MX", "GB"]

TO_THE_LETTER = Manner(strict=True)
THRIFTY = Manner(
    total="number",
    page_cap=20,
    past_the_end="null",
    values="native",
    nothing="null",
    single="object",
    code=0,
    connection="close",
)
DRIFTING = Manner(
    total="absent",
    page_cap=20,
    past_the_end="absent",
    values="drifting",
    nothing="drifting",
    single="drifting",
    code=ABSENT,
    connection="hang up",
    compressed=True,
    content_type="text/html;charset=UTF-8",
)
LIVE = Manner(
    dialect="live",
    total="number",
    totals_everywhere=True,
    largest_page=300,
    page_cap=300,
    values="native",
    nothing="null",
    code=None,
    compressed=True,
)
LIVE_AND_UNWELL = Manner(
    dialect="live",
    total="zero",
    totals_everywhere=True,
    largest_page=300,
    page_cap=50,
    past_the_end="null",
    values="drifting",
    nothing="text",
    single="drifting",
    envelope="data",
    code=ABSENT,
    throttled_at=(60, 300),
    fault_every=17,
    token_ends_at=(30, 200),
    expires_in=864000,
    rotates_refresh_token=False,
)
SHORT_TOKENS = Manner(
    total="low",
    totals_everywhere=True,
    page_cap=7,
    values="drifting",
    envelope="data",
    token_ends_at=(20,),
    expires_in="900",
)
ONE_AT_A_TIME = Manner(page_cap=50, connection="one at a time")


@pytest.fixture
def install(tmp_path: Path, make_database: Callable[..., Database]) -> Iterator[Install]:
    """A stranger's server, and a merchant who knows of it what the environment can say."""
    with ExitStack() as stack:

        def one(manner: Manner, destinations: str = DESTINATIONS) -> tuple[Stranger, Deployment]:
            stranger = stack.enter_context(Stranger(hand_made(), manner))
            sandbox: Any = stranger  # it too says what to set
            variables = {"DROPSHIP_DESTINATIONS": destinations}
            if manner.connection == "one at a time":  # who has to knock again does so after 1, 3, 7 seconds
                variables["ALIBABA_CONCURRENCY"] = "6"
            return stranger, Deployment(tmp_path / "home", make_database(), sandbox, variables)

        yield one


def check_tables(expected: dict[str, Rows], database: Database, lake: Path) -> None:
    """Every table is as expected, and the snapshot is what is in Postgres."""
    stored = stored_rows(database)
    for table, rows in expected.items():
        assert rows, f"nothing is expected in {table}: the test shows nothing"
        assert (table, stored[table] - rows, rows - stored[table]) == (table, {}, {})
    in_postgres = whole_tables(database)
    assert len(in_postgres) == 14
    assert parquet_tables(lake) == in_postgres


def check_manners(stranger: Stranger) -> None:
    """Nothing was asked that the guide does not allow, and no detail more than once."""
    assert stranger.ledger.objections == []
    for kind in ("description", "inventory"):
        asked = {key: times for (path, key), times in stranger.ledger.answered.items() if path == kind}
        assert asked == dict.fromkeys(stranger.catalogue.listed, 1), kind
    quoted = [dataclasses.replace(answer, refusal=None) for answer in stranger.ledger.freight]
    assert len(set(quoted)) == len(quoted)


def test_the_command_line_ends_with_the_tables_of_a_server_that_is_unwell(install: Install) -> None:
    stranger, merchant = install(LIVE_AND_UNWELL)
    done = merchant.dropship("sync", "--json")
    summary = json.loads(done.stdout)
    assert summary["outcome"] == "done"
    listed = {feed: len(set(ids)) for feed, ids in stranger.catalogue.feeds.items()}
    assert {feed["feed"]: feed["listed"] for feed in summary["feeds"]} == listed
    expected = expected_rows(stranger.catalogue, COUNTRIES, stranger.ledger.freight)
    check_tables(expected, merchant.database, merchant.home / "lake")
    check_manners(stranger)
    happened = stranger.ledger.outcomes
    assert happened["refreshed"] == 2
    assert happened["throttled"]
    assert len([kind for kind in happened if kind.startswith("fault")]) == 8
    for secret in (APP_SECRET, TOKEN_BEGINS, REFRESH_TOKEN_BEGINS):
        assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("manner", "destinations"),
    [
        (THRIFTY, DESTINATIONS),
        (DRIFTING, DESTINATIONS),
        (LIVE, DESTINATIONS),
        (SHORT_TOKENS, DESTINATIONS),
        (ONE_AT_A_TIME, "US:90001"),
    ],
    ids=["thrifty", "drifting", "live", "short tokens", "one at a time"],
)
def test_a_sync_ends_with_the_tables_of_any_server(install: Install, manner: Manner, destinations: str) -> None:
    stranger, merchant = install(manner, destinations)
    assert merchant.sync().problems == []
    countries = COUNTRIES[: destinations.count(",") + 1]
    expected = expected_rows(stranger.catalogue, countries, stranger.ledger.freight)
    check_tables(expected, merchant.database, merchant.home / "lake")
    check_manners(stranger)
    assert merchant.rows("SELECT * FROM ops.rejected_records") == []
    assert stranger.ledger.outcomes["refreshed"] == len(manner.token_ends_at)
    asked_for = {(answer.destination, answer.zip_code) for answer in stranger.ledger.freight}
    assert asked_for <= {("US", "90001"), ("MX", None), ("GB", "SW1A 1AA")}


def test_a_server_of_the_guide_has_no_batches_and_its_tables_are_the_same(install: Install) -> None:
    stranger, merchant = install(THRIFTY, "US:90001")
    merchant.variables["ALIBABA_BATCH_SIZE"] = "20"
    assert merchant.sync().problems == []
    expected = expected_rows(stranger.catalogue, COUNTRIES[:1], stranger.ledger.freight)
    check_tables(expected, merchant.database, merchant.home / "lake")
    # it was asked for each kind of batch once, and objects to nothing else
    objections, stranger.ledger.objections[:] = stranger.ledger.objections[:], []
    assert [objection.partition(":")[0] for objection in objections] == [
        "GET /eco/buyer/product/batch/description",
        "GET /eco/buyer/product/batch/inventory",
    ]
    check_manners(stranger)


def test_the_next_sync_ends_with_the_tables_of_the_next_day(install: Install) -> None:
    stranger, merchant = install(DRIFTING)
    merchant.sync()
    today = expected_rows(stranger.catalogue, COUNTRIES, stranger.ledger.freight)
    asked = stranger.ledger.answered.copy()
    assert merchant.sync().problems == []
    assert {path for path, _ in stranger.ledger.answered - asked} == set(LISTINGS), "the second sync asked for details"
    quoted = len(stranger.ledger.freight)
    stranger.catalogue = next_day(stranger.catalogue)
    assert merchant.sync(SyncRequest(max_age=timedelta(0))).problems == []
    assert stranger.ledger.objections == []
    expected = expected_rows(stranger.catalogue, COUNTRIES, stranger.ledger.freight[quoted:], today)
    check_tables(expected, merchant.database, merchant.home / "lake")
    for table, log, columns in (
        ("price_tiers", "price_changes", "sku_id, min_quantity, product_id, old_price, new_price"),
        ("inventory_levels", "inventory_changes", "sku_id, shipping_from, product_id, old_quantity, new_quantity"),
    ):
        moved = [tuple(row.values()) for row in merchant.rows(f"SELECT {columns} FROM catalog.{log}")]
        assert sorted(moved, key=repr) == sorted(expected_changes(table, today, expected).elements(), key=repr)
        assert moved


@pytest.mark.parametrize(
    ("manner", "unproved"),
    [
        (Manner(total="high", page_cap=20), set(SCENES.values())),
        (Manner(past_the_end="refused", page_cap=39), {"local_us", "local_mx", "local_regular", "cross_border"}),
    ],
    ids=["one more is promised than there is", "an error stands behind the end"],
)
def test_feeds_whose_end_cannot_be_proved_are_named_and_all_that_they_list_is_there(
    install: Install, manner: Manner, unproved: set[str]
) -> None:
    stranger, merchant = install(manner)
    summary = merchant.sync()
    incomplete = {feed.feed for feed in summary.feeds if feed.state is FeedState.INCOMPLETE}
    assert incomplete >= unproved
    assert len(summary.problems) == len(incomplete)
    expected = expected_rows(stranger.catalogue, COUNTRIES, stranger.ledger.freight)
    check_tables(expected, merchant.database, merchant.home / "lake")
    check_manners(stranger)


@pytest.fixture
def empty_folder() -> Path:
    """A folder that a server of another user may enter, whatever other test sessions do; gone when that has stopped."""
    folder = Path(tempfile.mkdtemp(prefix="dropship-stranger-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # what stops the server is registered later, runs before
    return folder


def test_five_variables_are_enough(empty_folder: Path) -> None:
    with Stranger(hand_made(), TO_THE_LETTER) as stranger:
        done = subprocess.run(
            [sys.executable, "-m", "dropship_pipeline.cli", "sync", "--json"],
            env={**clean_environment(), **stranger.env},
            cwd=empty_folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        home = empty_folder / ".dropship"
        database = Database(embedded.start(home))
        try:
            check_tables(expected_rows(stranger.catalogue, ["US"], stranger.ledger.freight), database, home / "lake")
        finally:
            database.close()
        check_manners(stranger)
        assert {answer.zip_code for answer in stranger.ledger.freight} == {None}
