"""Dead letters of real syncs: kept, tried again, settled by landed answers without a call, and by syncs."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployment import Deployment
from test_promises_of_the_lake import Witness

from dropship_pipeline.storage.catalog.rejects import Chosen, Reject, list_rejects, rejected_payload
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.rejected import landed_payload, retry_landed
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Store, open_store

Deploy = Callable[..., Deployment]
OF_PRODUCTS = ("/product/description", "/product/inventory")
OF_FREIGHT = ("/freight/calculate",)
OF_A_LISTING = ("/crossborder/product/check",)


@pytest.fixture
def merchant(deploy: Deploy) -> Deployment:
    """Twelve products, all of which were read well."""
    merchant = deploy(products=12, drift=0)
    assert merchant.sync().problems == []
    return merchant


@pytest.fixture
def store(merchant: Deployment) -> Iterator[Store]:
    with open_store(merchant.settings, "test", Silent()) as store:
        yield store


def rejects(merchant: Deployment, **chosen: tuple[str, ...]) -> list[Reject]:
    return list_rejects(merchant.database, Chosen(**chosen))  # type: ignore[arg-type]  any part of it


def forget_how_to_read(merchant: Deployment) -> None:
    """What a version leaves that could not read the last answers: dead letters, and the rows of before."""
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("""
            INSERT INTO ops.rejected_records (kind, record_key, destination, reason, message, attempts, first_seen_at,
                last_seen_at, raw_file)
            SELECT kind, product_id, destination, 'not_a_list', 'odd', 3, fetched_at, fetched_at, raw_file
            FROM ops.fetches WHERE outcome = 'answered'""")
        connection.exec_driver_sql("""
            UPDATE ops.fetches SET outcome = 'rejected', code = 'not_a_list', payload_hash = NULL
            WHERE outcome = 'answered'""")
        connection.exec_driver_sql("""
            UPDATE catalog.products SET title = 'of before', described_at = described_at - interval '1 microsecond'""")
        connection.exec_driver_sql("UPDATE catalog.inventory_levels SET checked_at = checked_at - interval '1 day'")
        connection.exec_driver_sql("DELETE FROM catalog.freight_quotes")


@pytest.fixture
def witnessed(deploy: Deploy) -> Iterator[tuple[Deployment, Witness]]:
    """Twelve products, and somebody who stands between them and the merchant."""
    merchant = deploy(products=12, drift=0)
    witness = Witness(merchant.sandbox.base_url)
    threading.Thread(target=witness.serve_forever, daemon=True).start()
    merchant.variables.update(ALIBABA_BASE_URL=witness.base_url, ALIBABA_DIALECT="guide")
    yield merchant, witness
    witness.shutdown()
    witness.server_close()


def odd_answers(*paths: str, odd: object = "odd") -> Callable[[str, bytes], bytes]:
    """Answers of these endpoints hold something odd, a word mostly, where an object or a list is due."""

    def change(path: str, body: bytes) -> bytes:
        if not path.endswith(paths):
            return body
        answer = json.loads(body)
        if "value" in answer:
            return json.dumps(answer | {"value": odd}).encode()
        return json.dumps(answer | {"result": answer["result"] | {"result_data": odd}}).encode()

    return change


def test_what_this_version_can_read_is_settled_by_landed_answers_without_a_call(
    merchant: Deployment, store: Store
) -> None:
    tables = {
        table: f"SELECT {columns} FROM catalog.{table} ORDER BY {columns}"
        for table, columns in {
            "products": "product_id, title, described_at",
            "inventory_levels": "sku_id, shipping_from, quantity, checked_at",
            "freight_quotes": "product_id, destination_country, vendor_code, fee, quoted_at",
        }.items()
    }
    before = {table: merchant.rows(query) for table, query in tables.items()}
    forget_how_to_read(merchant)
    asked = rejects(merchant)
    assert {one.kind for one in asked} == {"description", "inventory", "freight"}
    assert retry_landed(store, asked) == []
    assert rejects(merchant) == []
    assert {table: merchant.rows(query) for table, query in tables.items()} == before
    assert merchant.value("SELECT count(*) FROM ops.fetches WHERE outcome = 'rejected'") == 0


def test_only_what_is_asked_for_is_read_again(merchant: Deployment, store: Store) -> None:
    forget_how_to_read(merchant)
    [asked] = rejects(merchant, kinds=("description",))[:1]
    others = len(rejects(merchant)) - 1
    assert retry_landed(store, [asked]) == []
    assert len(rejects(merchant)) == others
    assert merchant.value("SELECT count(*) FROM catalog.products WHERE title <> 'of before'") == 1


def test_what_is_not_landed_any_more_or_torn_is_left_to_be_asked_for(merchant: Deployment, store: Store) -> None:
    forget_how_to_read(merchant)
    landed = {
        kind: sorted(Path(merchant.home, "lake", "raw", kind).rglob("*.parquet")) for kind in ("inventory", "freight")
    }
    for file in landed["inventory"]:
        file.unlink()
    for file in landed["freight"]:
        file.write_bytes(file.read_bytes()[:-100])
    left = retry_landed(store, rejects(merchant))
    assert {one.kind for one in left} == {"inventory", "freight"}
    assert [one.attempts for one in left] == [3] * len(left)
    assert sorted(Path(merchant.home, "lake", "raw", "freight").rglob("*.torn")) != []


def test_what_cannot_be_read_is_kept_with_its_reason_counted_once_an_answer_and_gone_when_it_is_read(
    witnessed: tuple[Deployment, Witness],
) -> None:
    merchant, witness = witnessed
    as_it_is, witness.change = witness.change, odd_answers(*OF_PRODUCTS)
    assert merchant.sync().problems == []
    first = rejects(merchant)
    assert {(one.kind, one.reason, one.attempts) for one in first} == {
        ("description", "not_an_object", 1),
        ("inventory", "not_a_list", 1),
    }
    assert rejected_payload(merchant.database, first[0]) == '"odd"'
    assert all((merchant.home / "lake" / str(one.raw_file)).is_file() for one in first)

    # nothing is due: nothing is asked, and nothing is counted; nor is it when a killed run is taken up
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ops.raw_files WHERE kind <> 'listing'")
    assert merchant.sync().stages[0].recovered > 0
    assert rejects(merchant) == first
    with open_store(merchant.settings, "test", Silent()) as store:
        assert retry_landed(store, first) == first

    # due: asked again, each answer counts
    merchant.sync(SyncRequest(force=True))
    second = rejects(merchant)
    assert {one.attempts for one in second} == {2}
    assert {one.name: one.first_seen_at for one in second} == {one.name: one.first_seen_at for one in first}

    # what is described now can be quoted, and that cannot be read
    witness.change = odd_answers(*OF_FREIGHT)
    merchant.sync(SyncRequest(force=True))
    quotes = rejects(merchant)
    assert {(one.kind, one.destination, one.reason) for one in quotes} == {("freight", "US", "not_a_list")}
    assert merchant.value("SELECT count(*) FROM ops.fetches WHERE outcome = 'rejected'") == len(quotes)

    witness.change = as_it_is
    merchant.sync(SyncRequest(force=True))
    assert rejects(merchant) == []


def test_a_page_of_a_listing_is_a_dead_letter_until_its_feed_was_read_to_the_end(
    witnessed: tuple[Deployment, Witness],
) -> None:
    merchant, witness = witnessed
    feed = SyncRequest(feeds=("cross_border",))
    as_it_is, witness.change = witness.change, odd_answers(*OF_A_LISTING, odd=[{"odd": 1}])
    assert "cross_border" in merchant.sync(feed).problems[0]
    first = {one.record_key: one for one in rejects(merchant)}
    assert {(one.kind, one.reason) for one in first.values()} == {("listing", "no_product_ids")}
    page = first["cross_border:1"]
    assert (merchant.home / "lake" / str(page.raw_file)).is_file()
    merchant.sync(feed)
    again = {one.record_key: one for one in rejects(merchant)}["cross_border:1"]
    assert again.attempts > page.attempts
    assert again.first_seen_at == page.first_seen_at
    witness.change = as_it_is
    assert merchant.sync(feed).problems == []
    assert rejects(merchant) == []


def test_the_answer_that_could_not_be_stored_is_shown_from_where_it_was_landed(merchant: Deployment) -> None:
    forget_how_to_read(merchant)
    lake = Path(merchant.home, "lake")
    with open_store(merchant.settings, "test", Silent()) as store:
        for one in [rejects(merchant, kinds=(kind,))[0] for kind in ("description", "inventory", "freight")]:
            assert rejected_payload(merchant.database, one) is None
            assert json.loads(landed_payload(store.lake, one) or "")
        [described] = rejects(merchant, kinds=("description",))[:1]
        assert json.loads(landed_payload(store.lake, described) or "")["product_id"] == described.record_key
        (lake / str(described.raw_file)).unlink()
        assert landed_payload(store.lake, described) is None
