"""`dropship rejected`: what people and machines are shown of what could not be read, and can do about it."""

import json
from collections.abc import Callable

import pytest
from deployment import Deployment
from typed import Type, Typed

from dropship_pipeline.alibaba.reasons import REASONS
from dropship_pipeline.storage.server.database import Database

pytestmark = pytest.mark.xdist_group("rejected-command")  # what is set up once is set up once


def harm(database: Database, *statements: str) -> None:
    with database.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def unread(synced: Deployment) -> Deployment:
    """Some answers of a merchant could not be read by an older version; this one can, but for what was not landed."""
    harm(
        synced.database,
        "DELETE FROM ops.rejected_records",
        "UPDATE ops.fetches SET outcome = 'answered', code = NULL WHERE outcome = 'rejected'",
        """
        INSERT INTO ops.rejected_records (kind, record_key, destination, reason, message, attempts, first_seen_at,
            last_seen_at, raw_file, payload)
        SELECT kind, product_id, destination, CASE kind WHEN 'freight' THEN 'not_a_list' ELSE 'no_product_id' END,
            'it is a word', 2, fetched_at - interval '1 day', fetched_at, raw_file, '{"product_id": null}'
        FROM ops.fetches WHERE outcome = 'answered' AND product_id IN (
            SELECT product_id FROM ops.fetches WHERE kind = 'freight' AND outcome = 'answered'
            ORDER BY product_id LIMIT 3)
            AND kind <> 'inventory'
        """,
        """
        UPDATE ops.fetches f SET outcome = 'rejected', code = r.reason FROM ops.rejected_records r
        WHERE (f.kind, f.product_id, f.destination) = (r.kind, r.record_key, r.destination)
        """,
    )
    return synced


def products(merchant: Deployment) -> list[str]:
    return [row["record_key"] for row in merchant.rows(
        "SELECT record_key FROM ops.rejected_records WHERE kind = 'description' ORDER BY record_key"
    )]  # fmt: skip


def left(merchant: Deployment) -> set[tuple[str, str]]:
    rows = merchant.rows("SELECT kind, record_key FROM ops.rejected_records WHERE discarded_at IS NULL")
    return {(row["kind"], row["record_key"]) for row in rows}


def typing(merchant: Deployment, type_command: Type) -> Callable[..., Typed]:
    def type_one(*arguments: str, status: int = 0) -> Typed:
        typed: Typed = type_command(["rejected", *arguments], merchant.environment)
        assert typed.status == status, typed.err
        return typed

    return type_one


def test_the_list_has_counts_by_reason_on_top_and_then_the_records(unread: Deployment, type_command: Type) -> None:
    rejected = typing(unread, type_command)
    reasons, records, rest = rejected("list").out.split("\n\n", 2)
    assert reasons.splitlines()[0] == "Reasons"
    assert [line.split()[:4] for line in reasons.splitlines()[2:]] == [
        ["description", "no_product_id", "3", "6"],
        ["freight", "not_a_list", "3", "6"],
    ]
    assert f"{products(unread)[0]} to US" in records
    assert "it is a word" in records
    assert "dropship rejected retry" in rest
    assert "4 more" in rejected("list", "--limit", "2").out
    assert "freight" not in rejected("list", "--kind", "description").out
    assert "description" not in rejected("list", "--reason", "not_a_list", "--since", "1d").out
    assert rejected("list", "--discarded").out == "No record is discarded\n"
    document = json.loads(rejected("list", "--json", "--kind", "freight").out)
    assert [(row["reason"], row["records"]) for row in document["reasons"]] == [("not_a_list", 3)]
    assert document["records"][0]["record"].endswith(" to US")
    assert document["records"][0]["attempts"] == 2


def test_one_record_is_shown_with_its_payload_and_where_it_was_landed(unread: Deployment, type_command: Type) -> None:
    rejected = typing(unread, type_command)
    key = products(unread)[0]
    shown = rejected("show", key).out
    assert shown.count("Reason ") == 2, "a product ID stands for every kind and destination"
    assert '{\n  "product_id": null\n}' in shown
    assert str(unread.home / "lake" / "raw") in shown
    [one] = json.loads(rejected("show", f"{key} to US", "--json").out)
    assert (one["kind"], one["reason"], one["payload"]) == ("freight", "not_a_list", {"product_id": None})
    harm(unread.database, "UPDATE ops.rejected_records SET payload = NULL")
    [one] = json.loads(rejected("show", key, "--kind", "description", "--json").out)
    assert one["payload"]["product_id"] == key
    assert "No rejected record is called 404" in rejected("show", "404", status=1).complaint


def test_a_retry_reads_what_it_can_from_landed_answers(unread: Deployment, type_command: Type) -> None:
    rejected = typing(unread, type_command)
    first, second, third = products(unread)
    done = rejected("retry", first)
    assert "2 retried: 2 settled by landed answers, 0 by the API, 0 left" in done.out
    assert "dropship publish" in done.out
    assert left(unread) == {(kind, key) for kind in ("description", "freight") for key in (second, third)}
    document = json.loads(rejected("retry", "--reason", "not_a_list", "--landed", "--json").out)
    assert document == {"asked": 2, "from_landed": 2, "from_api": 0, "left": [], "problems": []}
    assert left(unread) == {("description", key) for key in (second, third)}
    harm(unread.database, "UPDATE ops.rejected_records SET raw_file = 'raw/description/gone.parquet'")
    done = rejected("retry", "--all", "--landed")
    assert "2 retried: 0 settled by landed answers, 0 by the API, 2 left" in done.out
    assert "Still not read" in done.out


def test_what_landed_answers_do_not_settle_is_asked_of_the_api(unread: Deployment, type_command: Type) -> None:
    rejected = typing(unread, type_command)
    first, second, _ = products(unread)
    harm(unread.database, "UPDATE ops.rejected_records SET raw_file = NULL")
    done = rejected("retry", first, second, "--kind", "description")
    assert "2 retried: 0 settled by landed answers, 2 by the API, 0 left" in done.out
    read = f"SELECT count(*) FROM ops.fetches WHERE outcome = 'answered' AND product_id IN ('{first}', '{second}')"
    assert unread.value(read) == 6, "freight too: a product is read again whole"


def test_an_order_is_read_again_and_a_listing_with_its_feed(unread: Deployment, type_command: Type) -> None:
    rejected = typing(unread, type_command)
    harm(
        unread.database,
        "DELETE FROM ops.rejected_records",
        "INSERT INTO ops.rejected_records (kind, record_key, destination, reason, message, attempts, first_seen_at, "
        "last_seen_at) VALUES ('order', '404', '', 'other_order', 'told of 7', 1, now(), now()), "
        "('listing', 'us_standard:3', '', 'no_product_ids', 'none', 1, now(), now())",
        "INSERT INTO ops.order_fetches (trade_id, account, fetched_at, outcome) "
        "VALUES ('404', 'simulated', now() - interval '1 hour', 'rejected')",
    )
    done = rejected("retry", "--all")
    assert "2 retried: 0 settled by landed answers, 1 by the API, 1 left" in done.out
    assert unread.value("SELECT outcome FROM ops.order_fetches WHERE trade_id = '404'") == "refused"
    assert "dropship sync --feed us_standard" in done.out


def test_a_discarded_record_counts_for_nothing_until_it_is_retried(unread: Deployment, type_command: Type) -> None:
    rejected = typing(unread, type_command)
    first, second, third = products(unread)
    assert rejected("discard", first, "--by", "anna").out == "2 records are discarded\n"
    assert rejected("discard", "--reason", "not_a_list", "--by", "ben").out == "2 records are discarded\n"
    assert left(unread) == {("description", second), ("description", third)}
    shown = rejected("list", "--discarded").out
    assert "anna" in shown
    assert "ben" in shown
    status = json.loads(type_command(["status", "--json"], unread.environment).out)
    assert status["rejected_records"] == 2
    assert {kind["kind"]: kind["rejected"] for kind in status["kinds"]} == {
        "description": 2, "inventory": 0, "freight to US": 0
    }  # fmt: skip
    harm(unread.database, "UPDATE ops.rejected_records SET raw_file = NULL")
    assert "2 retried" in rejected("retry", "--all", "--landed").out
    assert "2 retried" in rejected("retry", first, "--landed").out
    assert ("description", first) in left(unread)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["retry"], "Name records"),
        (["retry", "--all", "1"], "--all is every record"),
        (["discard"], "Name records"),
        (["list", "--reason", "odd"], "There is no reason 'odd'. Choose among not_an_object"),
        (["list", "--kind", "push"], "'push' is not one of"),
    ],
)
def test_a_mistake_is_told_before_anything_is_done(type_command: Type, arguments: list[str], complaint: str) -> None:
    typed = type_command(["rejected", *arguments])
    assert typed.status == 2
    assert complaint in typed.err


def test_records_that_are_not_there_are_named(unread: Deployment, type_command: Type) -> None:
    rejected = typing(unread, type_command)
    for command in ("retry", "discard"):
        assert "No rejected record is called 404" in rejected(command, "404", products(unread)[0], status=1).complaint
    assert len(left(unread)) == 6


def test_a_retry_that_names_what_is_not_there_takes_nothing_back(unread: Deployment, type_command: Type) -> None:
    rejected = typing(unread, type_command)
    first = products(unread)[0]
    rejected("discard", first)
    rejected("retry", first, "404", status=1)
    assert ("description", first) not in left(unread)


def test_the_help_explains_every_reason(type_command: Type) -> None:
    told = type_command(["rejected", "--help"]).out
    for code, words in REASONS.items():
        if not words.endswith("never kept"):
            assert f"{code} {words}" in " ".join(told.split())


def test_nothing_is_published_while_too_much_cannot_be_read_unless_a_person_lets_it_through(
    unread: Deployment, type_command: Type
) -> None:
    def publish(share: str, *options: str) -> Typed:
        variables = unread.environment | {"DROPSHIP_MAX_REJECTED_SHARE": share}
        typed: Typed = type_command(["publish", *options], variables)
        return typed

    assert publish("0.03").status == 0, "3 in 100 may be"
    refused = publish("0.029")
    assert refused.status == 1
    assert "dropship rejected list --kind description" in refused.complaint
    assert publish("0.029", "--let-through").status == 0
    assert typing(unread, type_command)("discard", "--all", "--by", "anna").out == "6 records are discarded\n"
    assert publish("0").status == 0
