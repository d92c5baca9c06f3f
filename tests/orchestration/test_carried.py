"""What a page shows: of rows that are the same it is told again with its time, of others it is made anew."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster_runs import installed, metadata
from deployment import Deployment

from dropship_pipeline.orchestration import carried
from dropship_pipeline.orchestration.carried import shown
from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.storage.reading.sameness import fingerprints
from dropship_pipeline.tables.marts.registry import MARTS

Deploy = Callable[..., Deployment]


class Page:
    """An asset that shows a count of how often it was looked at."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.looks = 0

    def look(self) -> Mapping[str, Any]:
        self.looks += 1
        return {"look": self.looks}

    def run(self, rows: str | None, *, looks: bool = True) -> Any:
        """What is shown after a run that finds these rows."""

        @dg.asset(name="page")
        def page(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
            return shown(context, dg.AssetKey("page"), rows, self.look if looks else None)

        assert dg.materialize([page], instance=self.instance).success
        return metadata(self.instance, "page").get("look")


@pytest.fixture
def page(deploy: Deploy, unasked: Running) -> Iterator[Page]:
    with installed(deploy(sandbox=unasked)) as instance:
        yield Page(instance)


def test_what_is_shown_of_the_same_rows_is_told_again_and_keeps_its_time(page: Page) -> None:
    assert page.run("a") == 1
    first = metadata(page.instance, "page")
    assert page.run("a") == 1
    assert page.run("a", looks=False) == 1
    assert metadata(page.instance, "page") == first
    assert page.run("b") == 2
    assert metadata(page.instance, "page")["looked_at"] > first["looked_at"]
    assert page.run("a") == 3  # what was shown last was of other rows


def test_what_nobody_is_sure_of_is_looked_at_each_time(page: Page) -> None:
    assert [page.run(None), page.run(None), page.run("a"), page.run(None), page.run("a")] == [1, 2, 3, 4, 5]


def test_a_run_that_does_not_look_leaves_nothing_that_the_next_takes_for_a_look(page: Page) -> None:
    assert page.run("a", looks=False) is None
    assert page.run("a") == 1
    assert page.run("b", looks=False) is None
    assert page.run("b") == 2


def test_after_some_hours_it_is_looked_at_again(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page.run("a") == 1
    monkeypatch.setattr(carried, "_FOR", timedelta(0))
    assert page.run("a") == 2


def test_a_mart_is_another_when_its_tables_are_or_the_merchants_rules(deploy: Deploy, unasked: Running) -> None:
    merchant = deploy(sandbox=unasked)
    before = fingerprints(merchant.database, MARTS)
    assert set(before) == {mart.full_name for mart in MARTS}

    def moved(statement: str) -> set[str]:
        with merchant.database.begin() as connection:
            connection.exec_driver_sql(statement)
        after = fingerprints(merchant.database, MARTS)
        different = {name for name in after if after[name] != before[name]}
        before.update(after)
        return different

    assert moved("SELECT 1") == set()
    assert moved("INSERT INTO ops.hold_rules (rule, minimum_stock) VALUES ('mine', 3)") == {"marts.on_hold"}
    prices = moved("INSERT INTO catalog.price_tiers VALUES ('11', 1, '1', NULL, 3.69, 'USD')")
    assert "marts.current_offers" in prices
    assert "marts.feed_overlap" not in prices
    orders = moved("INSERT INTO orders.order_status_changes VALUES ('1', 'a', 'b', now())")
    assert "marts.current_offers" not in orders
    assert moved("CREATE OR REPLACE VIEW marts.mine AS SELECT 1 AS one") == set(before)
