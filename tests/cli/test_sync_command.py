"""`dropship sync`: what a person and a machine are told of it."""

import json
import re
from collections.abc import Callable

import pytest
from deployment import Deployment
from oracle import expected_feeds
from typed import Type, Typed, assert_the_tables_are_true

from dropship_pipeline.cli.closing import show_summary
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.summary import CallCounts, FeedRow, StageOutcome, SyncSummary

pytestmark = pytest.mark.xdist_group("sync-command")  # what is set up once is set up once

Deploy = Callable[..., Deployment]


@pytest.fixture
def merchant(deploy: Deploy, dagster_template: str, make_database: Callable[..., Database]) -> Deployment:
    """A merchant with an empty database, in which Dagster has its tables already."""
    merchant = deploy(products=40, drift=0.0)
    merchant.database = make_database(dagster_template)
    return merchant


def table(typed: Typed, title: str) -> dict[str, dict[str, str]]:
    """The rows of one of the summary's tables, by their first cell."""
    lines = typed.out.split(f"{title}\n", 1)[1].split("\n\n", 1)[0].splitlines()
    head, *rows = [re.split(r"\s{2,}", line) for line in lines]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def test_the_closing_summary_says_what_was_done_and_where_the_tables_are(
    merchant: Deployment, type_command: Type
) -> None:
    typed = type_command(["sync"], merchant.environment)
    assert typed.status == 0, typed.err
    feeds = table(typed, "Feeds")
    listed = expected_feeds(merchant)
    assert list(feeds) == list(listed)
    for key, product_ids in listed.items():
        assert feeds[key] == {
            "listed": str(len(product_ids)), "new": str(len(product_ids)), "changed": "0", "delisted": "0",
            "rejected": "0", "state": "complete",
        }  # fmt: skip
    stages = table(typed, "Stages")
    assert list(stages) == ["describe", "take stock", "quote"]
    assert stages["describe"]["done"] == str(merchant.value("SELECT count(*) FROM catalog.products"))
    answered = merchant.sandbox.control("stats")["answered"]
    assert re.search(rf"^Sync done in \d+\.\d s: {answered:,} calls, 0 throttles, 0 retries$", typed.out, re.MULTILINE)
    assert "\n  dropship db psql\n" in typed.out
    assert f"\n  {merchant.home}/lake/latest\n" in typed.out
    assert (merchant.home / "lake" / "latest" / "catalog" / "products.parquet").is_file()
    assert "simulated" not in typed.out + typed.err
    assert_the_tables_are_true(merchant)
    # to a pipe, progress is a line a stage
    assert [re.sub(r"\d+(\.\d+)?", "N", line) for line in typed.err.splitlines()] == [
        "Listing feeds: N pages in N s",
        "Describing products: N products in N s",
        "Reading stock: N products in N s",
        "Quoting freight to US: N products in N s",
        "Publishing tables: N tables in N s",
    ]
    assert "\x1b" not in typed.out + typed.err


def test_what_changed_is_counted_by_feed(merchant: Deployment, type_command: Type) -> None:
    merchant.sync()
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE catalog.price_tiers SET price = price + 1")
    again = type_command(["sync", "--force"], merchant.environment)
    assert again.status == 0, again.err
    for row in table(again, "Feeds").values():
        assert (row["new"], row["changed"], row["delisted"]) == ("0", row["listed"], "0")
    assert table(again, "Stages")["describe"]["changed"] == table(again, "Stages")["describe"]["done"]


def test_json_is_one_document_with_all_of_it(merchant: Deployment, type_command: Type) -> None:
    merchant.sync()
    before = merchant.sandbox.control("stats")["answered"]
    typed = type_command(["sync", "--json", "--feed", "local_us", "--feed", "local_mx"], merchant.environment)
    assert typed.status == 0
    document = json.loads(typed.out)
    assert document["outcome"] == "done"
    assert document["problems"] == []
    assert [feed["feed"] for feed in document["feeds_table"]] == ["local_us", "local_mx"]
    assert {stage["due"] for stage in document["stages"]} == {0}
    answered = merchant.sandbox.control("stats")["answered"] - before
    assert document["calls"] == {"calls": answered, "throttles": 0, "retries": 0}
    assert document["rows"]["catalog.products"] == merchant.value("SELECT count(*) FROM catalog.products")
    assert document["snapshot"].startswith(str(merchant.home))


def test_a_sync_that_left_something_undone_ends_with_1_and_says_what(merchant: Deployment, type_command: Type) -> None:
    merchant.sandbox.control("faults", {"fault": "same_page:path=/eco/buyer/crossborder/product/check"})
    typed = type_command(["sync"], merchant.environment)
    assert typed.status == 1
    assert "cross_border" in typed.complaint
    assert "Run the sync again" in typed.complaint
    assert "not all done" in typed.out
    assert table(typed, "Feeds")["cross_border"]["state"] == "incomplete"
    assert table(typed, "Feeds")["local_us"]["state"] == "complete"
    in_json = type_command(["sync", "--feed", "cross_border", "--json"], merchant.environment)
    assert in_json.status == 1
    document = json.loads(in_json.out)
    assert document["outcome"] == "failed"
    assert in_json.complaint == f"dropship: {document['problems'][0]}."


def test_a_sync_that_could_not_begin_gives_a_document_as_well(type_command: Type) -> None:
    typed = type_command(["sync", "--json"], {"DROPSHIP_DATABASE_URL": "postgresql://127.0.0.1:9/x"})
    assert typed.status == 1
    document = json.loads(typed.out)
    assert document["outcome"] == "failed"
    assert "127.0.0.1:9" in document["problems"][0]
    assert "127.0.0.1:9" in typed.complaint


def test_without_an_app_it_says_first_and_last_that_alibaba_is_simulated(
    merchant: Deployment, type_command: Type
) -> None:
    nobody = {name: value for name, value in merchant.environment.items() if not name.startswith("ALIBABA_")}
    typed = type_command(["sync", "--feed", "us_top_sellers"], nobody)
    assert typed.status == 0, typed.err
    assert "simulated Alibaba.com" in typed.err.splitlines()[0]
    last = typed.out.split("This is the simulated Alibaba.com", 1)[1]
    for word in ("ALIBABA_APP_KEY", "ALIBABA_APP_SECRET", "DROPSHIP_HOME", "dropship auth login", "dropship status"):
        assert word in last
    assert merchant.sandbox.control("stats")["answered"] == 0


def test_a_product_is_refreshed_whatever_its_age_and_one_that_nobody_knows_counts_as_refused(
    merchant: Deployment, type_command: Type
) -> None:
    merchant.sync()
    known = merchant.value("SELECT min(product_id) FROM catalog.products")
    typed = type_command(["sync", "--product", known, "--product", "1"], merchant.environment)
    assert typed.status == 0, typed.err
    row = table(typed, "Stages")["describe"]
    assert (row["due"], row["done"], row["refused"]) == ("2", "1", "1")
    assert "refused: Alibaba.com said no" in typed.out
    assert merchant.calls("/eco/buyer/product/description")[known] == 2


def test_every_count_of_a_feed_has_its_column(capsys: pytest.CaptureFixture[str]) -> None:
    summary = SyncSummary("run", calls=CallCounts(12_345, 6, 7), seconds=8.9, places={"Parquet": "s3://bucket/latest"})
    summary.snapshot, summary.rows = "s3://bucket/snapshots/1", {"catalog.products": 1_000, "catalog.skus": 2_000}
    summary.feeds_table = [FeedRow("local_us", 1_000, 200, 30, 4, 5, "held")]
    summary.stages = [StageOutcome("describe", done=1, rejected=5, undone=2)]
    show_summary(summary)
    out = capsys.readouterr().out
    shown = table(Typed(0, out, ""), "Feeds")["local_us"]
    assert shown == {
        "listed": "1,000", "new": "200", "changed": "30", "delisted": "4", "rejected": "5", "state": "held"
    }  # fmt: skip
    assert "12,345 calls, 6 throttles, 7 retries" in out
    assert "rejected: answers that cannot be read: dropship rejected list" in out
    assert "undone: not read this time; still due" in out
    assert "3,000 rows in 2 tables:\n  s3://bucket/latest\n" in out
    summary.snapshot = ""
    show_summary(summary)
    assert "No Parquet snapshot was published this time" in capsys.readouterr().out
