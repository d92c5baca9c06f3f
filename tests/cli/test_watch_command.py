"""`dropship watch`: the merchant's list is written, shown as it stands, and forgotten."""

import json
from collections.abc import Callable

import pytest
from deployment import Deployment
from typed import Type

from dropship_pipeline.storage.server.database import Database

pytestmark = pytest.mark.xdist_group("watch-command")


def test_products_are_watched_shown_and_watched_no_more(synced: Deployment, type_command: Type) -> None:
    [first, second] = [row["product_id"] for row in synced.rows("SELECT product_id FROM catalog.products LIMIT 2")]

    def dropship(*arguments: str) -> str:
        typed = type_command(["watch", *arguments], synced.environment)
        assert typed.status == 0, typed.err
        return typed.out

    assert dropship("list") == "No product is watched. Watch one: dropship watch add PRODUCT\n"
    said = dropship("add", first, second, "1", first, "--importance", "5", "--note", "spring")
    assert said == "3 products watched\nNothing is known yet of 1. Read it: dropship sync --product 1\n"
    dropship("add", first, "--importance", "7")
    shown = json.loads(dropship("list", "--json"))
    assert (shown[0]["product_id"], shown[0]["importance"], shown[0]["note"]) == (first, 7.0, "spring")
    assert {one["product_id"]: one["state"] for one in shown} == {
        first: "on offer",
        second: "on offer",
        "1": "not read yet",
    }
    price = synced.value(f"SELECT min(first_tier_price) FROM marts.current_offers WHERE product_id = '{first}'")
    assert shown[0]["price"] == str(price)
    table = dropship("list")
    assert first in table
    assert "spring" in table

    assert dropship("remove", second, "1") == "2 products watched no more\n"
    typed = type_command(["watch", "remove", first, second], synced.environment)
    assert (typed.status, typed.out) == (1, "1 product watched no more\n")
    assert typed.complaint == f"dropship: Not watched: {second}. See which are: dropship watch list."
    assert json.loads(dropship("list", "--json")) == []


def test_a_product_can_be_watched_before_the_first_sync(
    type_command: Type, make_database: Callable[..., Database]
) -> None:
    variables = {"DROPSHIP_DATABASE_URL": make_database().libpq_url}
    assert type_command(["watch", "add", "1601206892606"], variables).status == 0
    assert "not read yet" in type_command(["watch", "list"], variables).out


@pytest.mark.parametrize("arguments", [["add"], ["add", " "], ["add", "1", "--importance", "-1"], ["remove"]])
def test_what_names_no_product_is_a_usage_error(type_command: Type, arguments: list[str]) -> None:
    assert type_command(["watch", *arguments]).status == 2
