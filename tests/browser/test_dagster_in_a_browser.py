"""What people see and click in the Dagster UI, in a real browser."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from dagster_pages import DagsterPages
from dagster_runs import installed, materialised, run_job
from dagster_ui import LOCATION, Ui
from deployment import Deployment
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import alert_is_present

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.orchestration.jobs import REFRESH
from dropship_pipeline.orchestration.partitions import ALL_FEEDS

# one Dagster for all of them: it takes its time to start, and in parallel they are to stay together
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("browser")]

Photograph = Callable[[str], None]

PICTURES = ["price_distribution", "freight_by_origin", "staleness", "stock_by_origin", "feed_sizes"]
AUTOMATIONS = """
query ($of: RepositorySelector!) {
  schedulesOrError(repositorySelector: $of) { ... on Schedules { results { name scheduleState { status } } } }
  sensorsOrError(repositorySelector: $of) { ... on Sensors { results { name sensorState { status } } } }
}"""
RESOURCES = "return performance.getEntriesByType('resource').map(entry => entry.name)"


def test_the_graph_reads_from_left_to_right_and_its_groups_open_to_their_assets(
    dagster: DagsterPages, photograph: Photograph
) -> None:
    dagster.graph()
    in_line = [("alibaba", "discovery"), ("discovery", "products"), ("discovery", "inventory"), ("products", "freight"),
               ("inventory", "freight"), ("freight", "published"), ("alibaba", "orders")]  # fmt: skip
    groups = {group for pair in in_line for group in pair}
    at = dagster.wait(lambda: (seen := dagster.nodes()).keys() >= groups and seen, "the groups")
    for first, then in in_line:
        assert at[first]["x"] + at[first]["width"] < at[then]["x"], (first, then)
    photograph("graph")

    dagster.open_group("discovery")
    listed = {"listing", "feed_products", "listing_changes"}
    at = dagster.wait(lambda: (seen := dagster.nodes()).keys() >= listed and seen, "the assets of discovery")
    assert at["listing"]["x"] < at["feed_products"]["x"] < at["listing_changes"]["x"]

    dagster.graph("freight", "published")
    inside = {"inventory", "freight_quotes", "freight_failures", "snapshot"}
    at = dagster.wait(lambda: (seen := dagster.nodes()).keys() >= inside and seen, "the assets")
    assert at["inventory"]["x"] < at["freight_failures"]["x"] == at["freight_quotes"]["x"] < at["snapshot"]["x"]


def test_the_snapshots_page_has_its_pictures_and_a_chart_of_its_rows_over_time(
    dagster: DagsterPages, merchant: Deployment, photograph: Photograph
) -> None:
    dagster.asset("lake/snapshot")
    sizes = dagster.wait(lambda: len(seen := dagster.pictures()) >= len(PICTURES) and seen, "the pictures")
    assert all(width > 300 and height > 50 for width, height in sizes), sizes
    told = dagster.metadata()
    assert set(PICTURES) <= set(told)
    tiers = merchant.value("SELECT count(*) FROM catalog.price_tiers")
    assert told["rows/catalog.price_tiers"].replace(",", "") == str(tiers)
    dagster.scroll_to("price_distribution")
    photograph("snapshot")

    dagster.press("Plots")
    line = dagster.chart("dagster/row_count")
    (left, _), (right, _) = line[0], line[-1]
    assert right - left > 0.5, "one point is no chart over time"
    assert max(y for _, y in line) - min(y for _, y in line) > 0.1, "the world went on, the rows did not"
    photograph("plots")


def test_a_feeds_page_says_in_numbers_how_its_last_sweep_went(
    dagster: DagsterPages, merchant: Deployment, photograph: Photograph
) -> None:
    dagster.asset("catalog/feed_products", "partitions")
    dagster.shows(f"Materialized ({len(FEEDS)})", "Missing (0)")
    dagster.click("//*[@title='us_standard' or text()='us_standard']")
    told = dagster.wait(lambda: "state" in (seen := dagster.metadata()) and seen, "the figures")
    listed = merchant.truth("feed?key=us_standard")["product_ids"]
    assert (told["dagster/partition_row_count"], told["state"]) == (str(len(listed)), "complete")
    assert int(told["pages"]) >= int(told["sweeps"]) >= 1
    photograph("feed")


def test_a_backfill_of_three_feeds_is_launched_by_clicking_and_fills_just_those(
    dagster: DagsterPages, ui: Ui, merchant: Deployment, photograph: Photograph
) -> None:
    feeds = ["local_us", "local_mx", "local_regular"]
    count = "SELECT feed, count(*) AS sweeps FROM ops.sweeps WHERE state = 'complete' GROUP BY 1"
    before = {row["feed"]: row["sweeps"] for row in merchant.rows(count)}

    dagster.asset("catalog/feed_products", "partitions")
    dagster.shows(f"Materialized ({len(FEEDS)})")
    dagster.press("Materialize")
    dagster.shows("Additional assets will be materialized", "listing_changes")
    dagster.press("Confirm")
    dagster.click("//*[text()='Select a partition or create one']")
    for feed in feeds:
        dagster.click(f"//*[@role='menuitem'][.//*[@title='{feed}']]")
    dagster.click("//*[starts-with(text(), 'Launch runs to materialize')]")  # beside the list, which closes it
    dagster.shows("3 partitions")
    dagster.wait(lambda: len(dagster.all("//*[@role='dialog']")) == 1, "the list closed")
    photograph("backfill")
    dagster.press("Launch backfill")
    dagster.shows("Created backfill")
    dagster.click("//a[normalize-space(.)='View']")

    backfill = dagster.wait(lambda: dagster.browser.current_url.partition("/runs/b/")[2], "the backfill's page")
    assert ui.backfill_ended(backfill) == "COMPLETED_SUCCESS"
    dagster.shows("Succeeded", "100% completed", *feeds)
    runs = ui.runs(tags=[{"key": "dagster/backfill", "value": backfill}])
    with installed(merchant) as instance:
        run = instance.get_run_by_id(runs[0]["runId"])
        assert run is not None
        assert materialised(instance, run) == {
            asset: sorted(feeds) for asset in ("raw/listing", "catalog/feed_products", "catalog/listing_changes")
        }
    after = {row["feed"]: row["sweeps"] for row in merchant.rows(count)}
    assert {feed for feed in after if after[feed] > before[feed]} == set(feeds)
    dagster.asset("catalog/feed_products", "partitions", partition="local_mx")
    dagster.shows(run.run_id[:8], f"Materialized ({len(FEEDS)})")


def test_a_failed_checks_page_says_how_many_which_and_what_to_do(
    dagster: DagsterPages, merchant: Deployment, photograph: Photograph
) -> None:
    [tier] = merchant.rows("SELECT sku_id, min_quantity, price FROM catalog.price_tiers ORDER BY 1, 2 LIMIT 1")
    tiers = merchant.value("SELECT count(*) FROM catalog.price_tiers")
    where = f"WHERE sku_id = '{tier['sku_id']}' AND min_quantity = {tier['min_quantity']}"
    with merchant.database.begin() as connection:
        connection.exec_driver_sql(f"UPDATE catalog.price_tiers SET price = -1 {where}")
    try:
        dagster.asset("catalog/price_tiers", "checks", checkDetail="money_positive")
        dagster.shows("This is a blocking asset check", f"0 of {tiers:,} rows of catalog.price_tiers")
        dagster.press("Execute")
        dagster.shows(f"1 of {tiers:,} rows of catalog.price_tiers have a price of nothing or less", "Failed")
    finally:
        with merchant.database.begin() as connection:
            connection.exec_driver_sql(f"UPDATE catalog.price_tiers SET price = {tier['price']} {where}")
    dagster.shows("Read these products again with dropship sync --product ID", "count", tier["sku_id"], "-1.0000")
    photograph("failed_check")


def test_the_launchpad_of_a_manual_refresh_is_typed_and_refuses_a_feed_that_there_is_not(
    dagster: DagsterPages, ui: Ui
) -> None:
    dagster.open("/locations/dropship_pipeline/jobs/manual_refresh/playground")
    dagster.shows("No errors")
    dagster.wait(lambda: "feeds: []" in dagster.config(), "the defaults")
    dagster.click("//*[contains(@class, 'CodeMirror-code')]//*[text()='feeds']")
    dagster.shows(
        "feeds?: [FeedKey]", "product_ids?: [", "max_age?:", "limit?: Int", "force?: Bool", "let_through?: Bool",
        "Alibaba.com product IDs, refreshed whatever their age.",
    )  # fmt: skip
    before = ui.runs(pipelineName="manual_refresh")

    dagster.write_config("ops: {refresh: {config: {feeds: [nowhere]}}}")
    dagster.shows("not in enum type FeedKey got nowhere")
    launch = dagster.all("//button[normalize-space(.)='Launch Run']")
    assert [button.is_enabled() for button in launch] == [False]

    dagster.write_config("ops: {refresh: {config: {limit: many}}}")
    dagster.shows("ops:refresh:config:limit")
    dagster.write_config("ops: {refresh: {config: {feeds: [local_mx], max_age: 24h}}}")
    dagster.shows("No errors")
    dagster.wait(launch[0].is_enabled, "a button that launches")
    assert ui.runs(pipelineName="manual_refresh") == before


def test_schedules_and_sensors_are_on_one_page_and_switched_there(
    dagster: DagsterPages, ui: Ui, photograph: Photograph
) -> None:
    def states() -> dict[str, str]:
        told = ui.ask(AUTOMATIONS, of={"repositoryName": "__repository__", "repositoryLocationName": LOCATION})
        schedules, sensors = told["schedulesOrError"]["results"], told["sensorsOrError"]["results"]
        return {
            **{schedule["name"]: schedule["scheduleState"]["status"] for schedule in schedules},
            **{sensor["name"]: sensor["sensorState"]["status"] for sensor in sensors},
        }

    off = states()
    assert set(off.values()) == {"STOPPED"}
    dagster.open("/automation")
    dagster.shows(*off)
    dagster.shows("At 03:15 AM UTC", "At 45 minutes past the hour", "Standard sensor")
    assert {"catalogue_sync_schedule", "price_and_stock_refresh_schedule", "order_status_sensor", "alerts"} <= set(off)
    try:
        dagster.switch_all("Start")
        dagster.wait(lambda: set(states().values()) == {"RUNNING"}, "schedules and sensors that go")
        dagster.open("/automation")
        dagster.wait(lambda: len(dagster.all("//input[@type='checkbox'][@checked]")) == len(off), "every switch on")
        photograph("automation")
    finally:
        dagster.switch_all("Stop")
        dagster.wait(lambda: set(states().values()) == {"STOPPED"}, "the end of all ticks")


def test_a_hostile_title_is_a_text_in_the_preview(dagster: DagsterPages, ui: Ui, merchant: Deployment) -> None:
    with listening() as (foreign, heard):
        hostile = [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            f"![x]({foreign})",
            "[x](javascript:alert(1))",
        ]
        products = merchant.rows("SELECT product_id FROM catalog.products WHERE delisted_at IS NULL ORDER BY 1 LIMIT 4")
        with merchant.database.begin() as connection:
            for product, title in zip(products, hostile, strict=True):
                connection.exec_driver_sql(
                    "UPDATE catalog.products SET title = %s, changed_at = now() WHERE product_id = %s",
                    (title, product["product_id"]),
                )
        with installed(merchant) as instance:
            assert run_job(instance, REFRESH, feeds=ALL_FEEDS).is_success

        dagster.asset("lake/snapshot")
        dagster.click("//tr[td[normalize-space(.)='preview/catalog.products']]//a[contains(., 'Show Markdown')]")
        dialog = dagster.dialog()
        dagster.wait(lambda: all(title in dialog.text for title in hostile), "the titles")
        assert dialog.find_elements(By.CSS_SELECTOR, "td img, td script, td a") == []
        assert not alert_is_present()(dagster.browser)
        read = dagster.browser.execute_script(RESOURCES)
        assert [url for url in read if not url.startswith((ui.address, "data:"))] == []
        assert heard == []

        # a picture that is one would have been fetched
        dagster.browser.execute_script("document.body.append(Object.assign(new Image(), {src: arguments[0]}))", foreign)
        dagster.wait(lambda: heard, "what was asked of the other host")


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """Another host: a picture's address there, and the paths that it was asked for."""
    heard: list[str] = []

    class Host(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing on stderr."""

    with HTTPServer(("127.0.0.1", 0), Host) as host:
        thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{host.server_address[1]}/x", heard
        finally:
            host.shutdown()
            thread.join()
