"""One bad field costs a NULL, one bad product costs that product; the run goes on, and what is mended is read again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from deployment import Deployment, name_of
from moment import THEN_MS
from oracle import expected_tables, stored_tables, truth

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages.describe import describe
from dropship_pipeline.sync.stages.discover import discover
from dropship_pipeline.sync.stages.quote import quote
from dropship_pipeline.sync.stages.stock import take_stock

Deploy = Callable[..., Deployment]

# the fault, and whether it leaves every value as it is: shapes that drift are read all the same
FAULTS = {
    "null_fields": False,
    "null_text": False,
    "missing_fields": False,
    "new_fields": True,
    "ids_as_numbers": True,
    "numbers_for_strings": True,
    "object_for_list": False,
    "list_for_object": True,
    "minus_one": False,
    "thousands_price": False,
    "word_price": False,
    "nul_text": False,
    "lone_surrogate": False,
    "sku_twice": True,
    "currency_change": False,
}


@dataclass(frozen=True)
class Listed:
    """A simulated Alibaba.com, and a database that knows which products it lists and nothing of them."""

    shop: Running
    template: str


@pytest.fixture(scope="module")
def listed(make_shared_database: Callable[[], Database], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listed]:
    """Only copied from: a module shares it."""
    database = make_shared_database()
    with start(SandboxConfig(products=40, orders=0, clock_speed=0.0, drift=0.0, clock_start_ms=THEN_MS)) as shop:
        Deployment(tmp_path_factory.mktemp("home"), database, shop).sync(stages=discover)
        database.close()
        yield Listed(shop, name_of(database))


@pytest.fixture
def merchant(listed: Listed, make_database: Callable[..., Database], tmp_path: Path) -> Iterator[Deployment]:
    """One whose products are listed, and not described yet."""
    yield Deployment(tmp_path / "home", make_database(listed.template), listed.shop)
    listed.shop.control("faults", method="DELETE")


def details(session: Session, request: SyncRequest) -> None:
    """Of what is listed, all that there is to know."""
    describe(session, request)
    take_stock(session, request)
    quote(session, request)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_sync_survives_payloads_that_are_odd_and_makes_them_good_when_they_are(
    merchant: Deployment, fault: str
) -> None:
    merchant.sandbox.control("faults", {"fault": f"{fault}:path=*/product/description"})
    merchant.sandbox.control("faults", {"fault": f"{fault}:path=*/product/inventory"})
    summary = merchant.sync(stages=details)
    assert summary.problems == []
    stored = merchant.value("SELECT count(*) FROM catalog.products")
    rejected = merchant.value("SELECT count(*) FROM ops.rejected_records WHERE kind = 'description'")
    assert stored + rejected == 40
    if FAULTS[fault]:
        assert rejected == 0
        assert stored_tables(merchant) == expected_tables(truth(merchant))
    merchant.sandbox.control("faults", method="DELETE")
    assert merchant.sync(SyncRequest(force=True), stages=details).problems == []
    assert stored_tables(merchant) == expected_tables(truth(merchant))


def test_a_product_gone_between_listing_and_description_is_not_asked_for_at_every_sync(deploy: Deploy) -> None:
    merchant = deploy(products=40, drift=0)
    merchant.sandbox.control("faults", {"fault": "detail_gone:0.5"})
    summary = merchant.sync()
    assert summary.problems == []
    refused = merchant.value("SELECT count(*) FROM ops.fetches WHERE kind = 'description' AND outcome = 'refused'")
    assert 0 < refused < 40
    assert merchant.value("SELECT count(*) FROM catalog.feed_products WHERE delisted_at IS NOT NULL") == 0
    merchant.sandbox.control("stats/reset", {})
    merchant.sync()
    assert merchant.calls("/eco/buyer/product/description") == {}


def test_a_throttled_gateway_slows_the_sync_down_and_loses_nothing(deploy: Deploy) -> None:
    merchant = deploy(products=40, drift=0)
    merchant.sandbox.control("faults", {"fault": "throttle_body:0.1:ban=0"})
    merchant.sandbox.control("faults", {"fault": "http_500:0.1"})
    merchant.sandbox.control("faults", {"fault": "truncated_json:0.05"})
    summary = merchant.sync()
    assert summary.problems == []
    assert summary.calls.throttles > 0
    assert summary.calls.retries > 0
    assert stored_tables(merchant) == expected_tables(truth(merchant))
