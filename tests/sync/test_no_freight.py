"""A merchant who wants no freight quoted."""

from collections.abc import Callable

from deployment import Deployment


def test_without_a_destination_all_but_freight_is_read_and_nothing_is_left_to_do(
    deploy: Callable[..., Deployment],
) -> None:
    merchant = deploy(products=20, variables={"DROPSHIP_DESTINATIONS": "none"})
    summary = merchant.sync()
    assert summary.problems == []
    assert summary.rows["catalog.products"] == summary.rows["catalog.product_descriptions"] > 0
    assert summary.rows["catalog.freight_quotes"] == 0
    asked = merchant.sandbox.control("stats")["endpoints"]
    assert not [path for path in asked if "freight" in path]
    assert "freight" not in merchant.dropship("status", "--json").stdout
