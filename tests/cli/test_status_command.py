"""`dropship status`, `doctor` and `publish`: what they say is what is so."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deployment import Deployment, name_of
from oracle import expected_feeds
from typed import Type

from dropship_pipeline.alibaba.tokens import LOGIN
from dropship_pipeline.catalog.freshness import MAX_AGES
from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.storage.catalog.fetches import due, due_quotes
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.request import SyncRequest

pytestmark = pytest.mark.xdist_group("status-command")  # what is set up once is set up once

Deploy = Callable[..., Deployment]


def test_status_says_what_is_in_the_tables_without_a_call(synced: Deployment, type_command: Type) -> None:
    before = synced.sandbox.control("stats")["answered"]
    typed = type_command(["status"], synced.environment)
    assert typed.status == 0
    for key, product_ids in expected_feeds(synced).items():
        assert re.search(rf"^{key} +{len(product_ids)}  complete", typed.out, re.MULTILINE), key
    products = synced.value("SELECT count(*) FROM catalog.products")
    for kind in ("description", "inventory", "freight to US"):
        assert re.search(rf"^{kind} +{products} +0 +0 ", typed.out, re.MULTILINE), kind
    assert re.search(r"^Catalogue of +Alibaba.com$", typed.out, re.MULTILINE)
    assert re.search(r"^Last sync +done, \d+ (s|min) ago$", typed.out, re.MULTILINE)
    assert re.search(r"^default +active", typed.out, re.MULTILINE)
    assert synced.sandbox.control("stats")["answered"] == before


def test_status_as_json_is_one_document(synced: Deployment, type_command: Type) -> None:
    document = json.loads(type_command(["status", "--json"], synced.environment).out)
    assert document["origin"] == "alibaba"
    assert document["last_sync"]["outcome"] == "done"
    assert {feed["feed"]: feed["listed"] for feed in document["feeds"]} == {
        key: len(product_ids) for key, product_ids in expected_feeds(synced).items()
    }
    assert datetime.fromisoformat(document["now"]).tzinfo == UTC


@pytest.fixture(scope="module")
def of_twenty(
    shop: Running, make_shared_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    """A merchant with twenty products. Only copied from: a module shares it."""
    variables = {"DROPSHIP_DESTINATIONS": "US:90001,MX"}
    merchant = Deployment(tmp_path_factory.mktemp("home"), make_shared_database(), shop, variables)
    merchant.sync()
    merchant.database.close()
    return merchant


@pytest.fixture
def merchant(of_twenty: Deployment, make_database: Callable[..., Database], tmp_path: Path) -> Deployment:
    """A copy of that merchant, for a test that changes the tables."""
    return of_twenty.copied(tmp_path / "home", make_database(name_of(of_twenty.database)))


def test_what_status_counts_as_due_is_what_the_next_sync_would_read(merchant: Deployment, type_command: Type) -> None:
    with merchant.database.begin() as connection:
        for kind, share in (("description", 2), ("inventory", 3), ("freight", 4)):
            chosen = f"WHERE kind = '{kind}' AND mod(hashtext(product_id), {share}) = 0"
            connection.exec_driver_sql(f"UPDATE ops.fetches SET fetched_at = now() - interval '30 days' {chosen}")
        connection.exec_driver_sql("DELETE FROM ops.fetches WHERE mod(hashtext(product_id), 5) = 0")
        connection.exec_driver_sql("UPDATE catalog.feed_products SET delisted_at = now() WHERE mod(position, 7) = 0")
        connection.exec_driver_sql(
            "UPDATE catalog.products SET delisted_at = now() WHERE mod(hashtext(product_id), 6) = 0"
        )
    kinds = {
        kind["kind"]: kind for kind in json.loads(type_command(["status", "--json"], merchant.environment).out)["kinds"]
    }
    counted = {kind: row["unread"] + row["stale"] for kind, row in kinds.items()}
    would_read = {
        "description": due(merchant.database, "description", max_age=MAX_AGES["description"]).count,
        "inventory": due(merchant.database, "inventory", max_age=MAX_AGES["inventory"]).count,
    }
    with merchant.database.begin() as connection:
        connection.exec_driver_sql(  # a sync quotes when it has taken stock
            "INSERT INTO ops.fetches (kind, product_id, destination, fetched_at, outcome, changed_at) "
            "SELECT 'inventory', product_id, '', now(), 'answered', now() FROM catalog.products ON CONFLICT DO NOTHING"
        )
    assert counted == would_read | {
        "freight to US:90001": due_quotes(merchant.database, "US:90001", max_age=MAX_AGES["freight"]).count,
        "freight to MX": due_quotes(merchant.database, "MX", max_age=MAX_AGES["freight"]).count,
    }
    assert min(counted.values()) > 0


def test_status_says_what_the_last_sync_left_to_do_and_who_has_to_log_in(
    merchant: Deployment, type_command: Type
) -> None:
    merchant.sandbox.control("faults", {"fault": "same_page:path=/eco/buyer/crossborder/product/check"})
    merchant.sync(SyncRequest(feeds=("cross_border",), limit=0))
    merchant.sandbox.control("faults", method="DELETE")
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE ops.accounts SET state = 'reauthorise', reason = 'the token is refused'")
    typed = type_command(["status"], merchant.environment)
    assert typed.status == 0
    assert re.search(r"^cross_border +\d+  incomplete", typed.out, re.MULTILINE)
    assert re.search(r"^Left to do: Feed cross_border could not be completed: .+$", typed.out, re.MULTILINE)
    assert re.search(r"^default +reauthorise +the token is refused$", typed.out, re.MULTILINE)
    assert LOGIN.rpartition(": ")[2] in typed.out


def test_a_sync_that_never_ended_is_not_said_to_be_done(merchant: Deployment, type_command: Type) -> None:
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE ops.syncs SET ended_at = NULL, outcome = 'running'")
    assert "has not ended" in type_command(["status"], merchant.environment).out


def test_where_nothing_was_synced_status_says_so_and_makes_nothing(type_command: Type, tmp_path: Path) -> None:
    typed = type_command(["status"])
    assert typed.status == 0
    assert "dropship sync" in typed.out
    assert json.loads(type_command(["status", "--json"]).out)["last_sync"] is None
    assert list((tmp_path / "folder").iterdir()) == []


def test_doctor_finds_everything_well(synced: Deployment, type_command: Type) -> None:
    typed = type_command(["doctor"], synced.environment)
    assert typed.status == 0, typed.out
    checks = [line.split()[1] for line in typed.out.splitlines()[:-1]]
    assert checks == [
        "Settings:", "Destinations:", "Disk:", "Lake:", "Database:", "Snapshots:", "Tables:", "Catalogue:", "Secret",
        "Alibaba.com:", "Dagster:",
    ]  # fmt: skip
    assert {line.split()[0] for line in typed.out.splitlines()[:-1]} == {"ok"}
    assert "Everything that a sync needs is there" in typed.out
    findings = json.loads(type_command(["doctor", "--json"], synced.environment).out)
    assert {finding["verdict"] for finding in findings} == {"ok"}


def test_doctor_names_a_table_that_was_altered_by_hand_and_a_snapshot_that_is_damaged(
    synced: Deployment, type_command: Type
) -> None:
    def doctor_says(check: str) -> str:
        typed = type_command(["doctor"], synced.environment)
        assert typed.status == 0, "a sync needs neither"
        return next(line for line in typed.out.splitlines() if line.split()[1] == f"{check}:")

    with synced.database.begin() as connection:
        connection.exec_driver_sql("UPDATE catalog.products SET min_order_quantity = min_order_quantity + 1")
    said = doctor_says("Tables")
    with synced.database.begin() as connection:
        connection.exec_driver_sql("UPDATE catalog.products SET min_order_quantity = min_order_quantity - 1")
    assert "altered by hand: catalog.products: min_order_quantity: sum is " in said
    assert "dropship replay" in said
    assert doctor_says("Tables").startswith("ok")

    [file] = (synced.home / "lake" / "latest" / "catalog").glob("price_tiers.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    said = doctor_says("Snapshots")
    file.write_bytes(whole)
    assert "is damaged: catalog/price_tiers.parquet. Publish anew: dropship publish" in said
    assert doctor_says("Snapshots").startswith("ok")


@pytest.mark.parametrize(
    ("variables", "check", "says"),
    [
        ({"ALIBABA_APP_SECRET": "wrong"}, "Alibaba.com", "ALIBABA_APP_SECRET"),
        ({"ALIBABA_BASE_URL": "http://127.0.0.1:9/rest"}, "Alibaba.com", "ALIBABA_BASE_URL"),
        ({"DROPSHIP_DESTINATIONS": "USA"}, "Destinations", "'USA'"),
        ({"DROPSHIP_SECRET_KEY": "quite another passphrase"}, "Secret key", "DROPSHIP_SECRET_KEY"),
        ({"DROPSHIP_DATABASE_URL": "postgresql://127.0.0.1:9/x"}, "Database", "127.0.0.1:9"),
        ({"DROPSHIP_LAKE_URL": "/proc/nowhere"}, "Lake", "DROPSHIP_LAKE_URL"),
        ({"DAGSTER_HOME": "/nowhere"}, "Dagster", "DAGSTER_HOME"),
        ({"ALIBABA_APP_KEY": "", "ALIBABA_APP_SECRET": ""}, "Catalogue", "DROPSHIP_HOME"),
    ],
)
def test_doctor_names_what_is_wrong_with_its_remedy(
    synced: Deployment, type_command: Type, variables: dict[str, str], check: str, says: str
) -> None:
    typed = type_command(["doctor"], {**synced.environment, **variables})
    assert typed.status == 1
    [line] = [line for line in typed.out.splitlines() if line.startswith(f"failed  {check}: ")]
    assert says in line
    assert "Everything that a sync needs" not in typed.out


def test_doctor_warns_of_variables_that_nobody_reads(synced: Deployment, type_command: Type) -> None:
    typed = type_command(["doctor"], {**synced.environment, "ALIBABA_APPKEY": "1"})
    assert typed.status == 0
    assert "warning Settings: not known: ALIBABA_APPKEY (meant: ALIBABA_APP_KEY?)" in typed.out


def test_doctor_leaves_nothing_behind(merchant: Deployment, type_command: Type) -> None:
    before = merchant.rows("SELECT * FROM ops.syncs"), sorted(path for path in merchant.home.rglob("*"))
    type_command(["doctor"], merchant.environment)
    assert before == (merchant.rows("SELECT * FROM ops.syncs"), sorted(path for path in merchant.home.rglob("*")))


def test_doctor_of_an_empty_database_claims_it_for_nobody(deploy: Deploy, shop: Running, type_command: Type) -> None:
    merchant = deploy(sandbox=shop)
    typed = type_command(["doctor"], merchant.environment)
    assert typed.status == 0, typed.out
    assert "is empty" in typed.out
    assert merchant.rows("SELECT * FROM ops.origin") == []


def test_publishing_writes_what_is_in_the_tables_without_a_call(merchant: Deployment, type_command: Type) -> None:
    before = merchant.sandbox.control("stats")["answered"]
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE catalog.products SET title = 'another title'")
    typed = type_command(["publish"], merchant.environment)
    assert typed.status == 0, typed.err
    products = merchant.value("SELECT count(*) FROM catalog.products")
    assert re.search(rf"^catalog\.products +{products}$", typed.out, re.MULTILINE)
    latest = re.search(r"^Latest +(.+)$", typed.out, re.MULTILINE)
    assert latest is not None
    published = pq.read_table(Path(latest[1]) / "catalog" / "products.parquet")
    assert published["title"].unique().to_pylist() == ["another title"]
    document = json.loads(type_command(["publish", "--json"], merchant.environment).out)
    assert document["rows"]["catalog.products"] == products
    assert Path(document["path"]).is_dir()
    assert merchant.sandbox.control("stats")["answered"] == before


def test_ages_are_said_in_words() -> None:
    from dropship_pipeline.cli.show import age

    now = datetime(2026, 3, 1, tzinfo=UTC)
    ages = [timedelta(seconds=-5), timedelta(seconds=59), timedelta(minutes=3), timedelta(hours=47), timedelta(days=9)]
    assert [age(now - past, now) for past in ages] == ["0 s", "59 s", "3 min", "2 d", "9 d"]
    assert age(None, now) == "never"
