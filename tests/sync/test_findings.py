"""From which number on something is a fault: shares, ages, sweeps and moves, over tables with just that wrong."""

import pytest
from deployment import SECRET_KEY

from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import Settings, load_settings
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.checks.audit import Stage, audit, audit_snapshot, checks_of, require_sound, tables_of
from dropship_pipeline.sync.checks.findings import SNAPSHOT_CHECK, Finding
from dropship_pipeline.tables.registry import ALL_TABLES

KINDS = {Stage.PRODUCTS: "description", Stage.STOCK: "inventory", Stage.FREIGHT: "freight"}


def tell(database: Database, *statements: str) -> None:
    with database.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def settings(**variables: str) -> Settings:
    return load_settings({"DROPSHIP_SECRET_KEY": SECRET_KEY, **variables})


def listed(database: Database, products: int) -> None:
    """Products that are listed since a month, described, and read in every way just now."""
    numbers = f"generate_series(1, {products}) n"
    since = "now() - interval '30 days'"
    tell(
        database,
        "INSERT INTO catalog.feed_products (feed, product_id, first_listed_at, last_listed_at) "
        f"SELECT feed, n, {since}, {since} FROM {numbers}, unnest(ARRAY['a', 'b']) feed",
        "INSERT INTO catalog.products (product_id, first_seen_at, described_at, changed_at) "
        f"SELECT n, now(), now(), now() FROM {numbers}",
        "INSERT INTO ops.fetches (kind, product_id, destination, fetched_at, outcome, changed_at) "
        f"SELECT kind, n, destination, now(), 'answered', now() FROM {numbers}, (VALUES "
        "('description', ''), ('inventory', ''), ('freight', 'US'), ('freight', 'MX:01000')) k (kind, destination)",
    )


def rejected(database: Database, stage: Stage, products: int) -> None:
    tell(
        database,
        "UPDATE ops.fetches SET outcome = 'rejected', code = 'NOT_AN_OBJECT' "
        f"WHERE kind = '{KINDS[stage]}' AND product_id::int <= {products}",
    )


def found(database: Database, stage: Stage, name: str, **variables: str) -> Finding:
    [finding] = [one for one in audit(database, settings(**variables), stage) if one.check.name == name]
    return finding


def test_every_table_is_audited_once_and_every_finding_is_of_a_check(database: Database) -> None:
    assert sorted(table.full_name for stage in Stage for table in tables_of(stage)) == sorted(
        table.full_name for table in ALL_TABLES if table.published
    )
    for stage in Stage:
        assert tuple(finding.check for finding in audit(database, settings(), stage)) == checks_of(stage)
        assert all(finding.passed and not finding.grave for finding in audit(database, settings(), stage))
    require_sound(database, settings())


@pytest.mark.parametrize("stage", KINDS)
def test_too_many_answers_that_could_not_be_read_forbid_publishing(database: Database, stage: Stage) -> None:
    listed(database, 200)
    rejected(database, stage, 10)
    few = found(database, stage, "rejected_share")
    assert few.passed
    assert few.count == 10
    assert few.figures["share"] == 0.05
    rejected(database, stage, 11)
    many = found(database, stage, "rejected_share")
    assert not many.passed
    assert many.grave
    assert many.line.startswith(f"11 of 200 last answers ({KINDS[stage]}) could not be read; 5% may. ")
    assert f"dropship rejected list --kind {KINDS[stage]}" in many.line
    assert "dropship publish --let-through" in many.line
    assert "DROPSHIP_MAX_REJECTED_SHARE" in many.line
    assert many.sample[0]["code"] == "NOT_AN_OBJECT"
    assert len(many.sample) == 10
    assert found(database, stage, "rejected_share", DROPSHIP_MAX_REJECTED_SHARE="0.1").passed
    with pytest.raises(Problem, match=r"Nothing is published. 11 of 200 last answers"):
        require_sound(database, settings())
    require_sound(database, settings(), let_through=True)


def test_what_is_wrong_in_the_rows_is_not_let_through_with_what_could_not_be_read(database: Database) -> None:
    listed(database, 200)
    rejected(database, Stage.PRODUCTS, 200)
    tell(
        database,
        "INSERT INTO catalog.price_tiers (sku_id, min_quantity, product_id, price, currency) "
        "VALUES ('S', 1, '1', -1, 'USD')",
    )
    with pytest.raises(Problem) as problem:
        require_sound(database, settings(), let_through=True)
    assert "catalog.price_tiers" in str(problem.value)
    assert "could not be read" not in str(problem.value)


def test_what_a_person_discarded_is_not_counted_among_the_rejected(database: Database) -> None:
    listed(database, 200)
    rejected(database, Stage.FREIGHT, 11)
    tell(
        database,
        "INSERT INTO ops.rejected_records (kind, record_key, destination, reason, message, attempts, first_seen_at, "
        "last_seen_at, discarded_at) SELECT kind, product_id, destination, 'not_a_list', 'a word', 2, now(), now(), "
        "CASE WHEN product_id = '7' THEN now() END FROM ops.fetches WHERE kind = 'freight' AND outcome = 'rejected'",
    )
    finding = found(database, Stage.FREIGHT, "rejected_share")
    assert (finding.count, finding.passed) == (10, True)
    assert finding.sample[0]["message"] == "a word"
    assert finding.sample[0]["attempts"] == 2
    assert "7" not in {row["product_id"] for row in finding.sample}


def test_one_bad_product_of_ten_stops_nothing_unless_none_may_be(database: Database) -> None:
    listed(database, 10)
    rejected(database, Stage.PRODUCTS, 5)
    assert found(database, Stage.PRODUCTS, "rejected_share").passed
    rejected(database, Stage.PRODUCTS, 6)
    assert not found(database, Stage.PRODUCTS, "rejected_share").passed
    tell(database, "UPDATE ops.fetches SET outcome = 'answered' WHERE product_id <> '1'")
    assert found(database, Stage.PRODUCTS, "rejected_share").passed
    assert not found(database, Stage.PRODUCTS, "rejected_share", DROPSHIP_MAX_REJECTED_SHARE="0").passed


def test_what_left_the_market_is_not_counted_among_the_rejected(database: Database) -> None:
    listed(database, 200)
    rejected(database, Stage.PRODUCTS, 50)
    tell(database, "UPDATE catalog.feed_products SET delisted_at = now() WHERE product_id::int <= 50")
    finding = found(database, Stage.PRODUCTS, "rejected_share")
    assert (finding.count, finding.figures["of"]) == (0, 150)


def test_destinations_that_are_none_any_more_do_not_count(database: Database) -> None:
    listed(database, 200)
    tell(database, "UPDATE ops.fetches SET outcome = 'rejected' WHERE destination = 'MX:01000'")
    assert found(database, Stage.FREIGHT, "rejected_share").count == 0
    both = found(database, Stage.FREIGHT, "rejected_share", DROPSHIP_DESTINATIONS="US,MX:01000")
    assert (both.count, both.figures["of"]) == (200, 400)


@pytest.mark.parametrize(("stage", "days"), [(Stage.PRODUCTS, 2), (Stage.STOCK, 2), (Stage.FREIGHT, 14)])
def test_what_was_not_read_for_twice_its_age_is_a_warning(database: Database, stage: Stage, days: int) -> None:
    listed(database, 200)

    def age(products: int, by: str) -> None:
        tell(database, f"UPDATE ops.fetches SET fetched_at = now() - ({by}) WHERE product_id::int <= {products}")

    age(200, f"interval '{days} days' + interval '1 minute'")
    age(190, f"interval '{days} days' - interval '1 minute'")
    assert found(database, stage, "stale_share").count == 10
    assert found(database, stage, "stale_share").passed
    age(11, f"interval '{days} days' + interval '1 hour'")
    stale = found(database, stage, "stale_share")
    assert stale.count == 21
    assert not stale.passed
    assert not stale.grave
    assert stale.sample[0]["product_id"] == "1"
    assert "are older than 2 times the age at which they are due" in stale.line
    assert "ALIBABA_CALLS_PER_SECOND" in stale.line
    # listed again an hour ago: it could not be read before
    tell(database, "UPDATE catalog.feed_products SET last_listed_at = now() - interval '1 hour' WHERE feed = 'b'")
    assert found(database, stage, "stale_share").count == 0


def test_what_was_never_read_is_as_old_as_its_listing(database: Database) -> None:
    listed(database, 200)
    tell(database, "DELETE FROM ops.fetches WHERE kind = 'inventory' AND product_id::int <= 20")
    finding = found(database, Stage.STOCK, "stale_share")
    assert (finding.count, finding.passed, finding.figures["of"]) == (20, False, 200)
    assert finding.sample[0]["fetched_at"] is None


def test_quotes_from_elsewhere_than_was_asked_first_are_a_warning(database: Database) -> None:
    listed(database, 200)
    tell(
        database,
        "INSERT INTO catalog.freight_quotes "
        "(product_id, destination_country, quantity, vendor_code, requested_dispatch, quoted_at) "
        "SELECT n, 'US', 1, vendor, 'US', now() FROM generate_series(1, 200) n, unnest(ARRAY['x', 'y']) vendor",
        "INSERT INTO catalog.freight_failures SELECT n, 'US', 1, 'CN', 'NOT_SUPPORTED', '', now() "
        "FROM generate_series(1, 50) n",
        # refused for the quantity, then quoted from the same place; and refused from everywhere: no fallback
        "INSERT INTO catalog.freight_failures SELECT n, 'US', 2, 'US', 'MOQ', '', now() FROM generate_series(51, 90) n",
        "INSERT INTO catalog.freight_failures SELECT n, 'MX', 1, 'CN', 'NO', '', now() FROM generate_series(1, 90) n",
    )
    some = found(database, Stage.FREIGHT, "fallback_share")
    assert (some.count, some.passed, some.figures["share"]) == (50, True, 0.25)
    tell(database, "INSERT INTO catalog.freight_failures VALUES ('199', 'US', 1, 'MX', 'NOT_SUPPORTED', '', now())")
    many = found(database, Stage.FREIGHT, "fallback_share")
    assert (many.count, many.passed, many.grave) == (51, False, False)
    assert many.sample[0] == {
        "product_id": "1", "destination_country": "US", "refused": "CN", "code": "NOT_SUPPORTED"
    }  # fmt: skip
    assert "catalog.freight_failures" in many.line


def swept(database: Database, feed: str, state: str, hours: float) -> None:
    at = f"now() - interval '{hours} hours'"
    reason = "NULL" if state == "complete" else "'because'"
    sweep = f"'{feed}-{hours}', '{feed}', 'run', '{state}', {at}, {at}, 1, 10, NULL, 0, 5, 5, {reason}"
    tell(database, f"INSERT INTO ops.sweeps VALUES ({sweep})")


def test_a_sweep_that_is_held_or_did_not_end_is_a_warning_until_one_is_complete(database: Database) -> None:
    swept(database, "us_standard", "complete", 50)
    swept(database, "us_standard", "held", 2)
    swept(database, "local_us", "incomplete", 3)
    swept(database, "local_mx", "running", 1)
    swept(database, "mx_dropship", "running", 30)
    swept(database, "cross_border", "incomplete", 20)
    swept(database, "cross_border", "complete", 10)
    held = found(database, Stage.LISTING, "held_sweeps")
    assert (held.count, held.passed, held.grave) == (1, False, False)
    assert held.line.startswith("The last sweep of us_standard is held. ")
    assert "--let-through" in held.line
    assert held.sample[0]["reason"] == "because"
    unfinished = found(database, Stage.LISTING, "unfinished_sweeps")
    assert unfinished.line.startswith("The last sweep of local_us, mx_dropship is not complete. ")
    assert unfinished.figures == {"feeds": 5, "never_complete": 3, "oldest_complete_hours": 50.0}
    for feed in ("us_standard", "local_us", "mx_dropship"):
        swept(database, feed, "complete", 0)
    assert found(database, Stage.LISTING, "held_sweeps").passed
    assert found(database, Stage.LISTING, "unfinished_sweeps").passed


def published(database: Database, second: int, counts: str) -> None:
    tell(database, f"INSERT INTO ops.snapshots VALUES ('2026-01-01T00-00-0{second}Z', 'run', now(), '{counts}')")


def test_a_table_that_has_many_more_or_fewer_rows_than_it_had_is_a_warning(database: Database) -> None:
    assert audit_snapshot(database).passed
    published(database, 1, '{"catalog.skus": 9, "catalog.products": 1000, "catalog.price_changes": 0}')
    assert audit_snapshot(database).passed
    published(database, 2, '{"catalog.skus": 29, "catalog.products": 800, "catalog.price_changes": 9000}')
    assert audit_snapshot(database).passed
    published(database, 3, '{"catalog.skus": 50, "catalog.products": 639, "catalog.gone": 1}')
    moved = audit_snapshot(database)
    assert (moved.check, moved.count, moved.passed, moved.grave) == (SNAPSHOT_CHECK, 2, False, False)
    assert moved.figures["largest_move"] == 0.21
    assert {"table": "catalog.products", "before": 800, "now": 639, "moved": "-20.1%"} in moved.sample
    assert moved.line.startswith("The rows of catalog.skus, catalog.products moved by more than 20%")
