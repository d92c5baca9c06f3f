"""One bad field costs a NULL, one bad product costs that product; the run goes on, and what is mended is read again."""

from collections.abc import Callable

import pytest
from deployment import Deployment
from oracle import expected_tables, stored_tables, truth

from dropship_pipeline.sync.request import SyncRequest

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


@pytest.mark.parametrize("fault", FAULTS)
def test_a_sync_survives_payloads_that_are_odd_and_makes_them_good_when_they_are(deploy: Deploy, fault: str) -> None:
    merchant = deploy(products=40, drift=0)
    merchant.sandbox.control("faults", {"fault": f"{fault}:path=*/product/description"})
    merchant.sandbox.control("faults", {"fault": f"{fault}:path=*/product/inventory"})
    summary = merchant.sync()
    assert summary.problems == []
    stored = merchant.value("SELECT count(*) FROM catalog.products")
    rejected = merchant.value("SELECT count(*) FROM ops.rejected_records WHERE kind = 'description'")
    assert stored + rejected == 40
    if FAULTS[fault]:
        assert rejected == 0
        assert stored_tables(merchant) == expected_tables(truth(merchant))
    merchant.sandbox.control("faults", method="DELETE")
    assert merchant.sync(SyncRequest(force=True)).problems == []
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
