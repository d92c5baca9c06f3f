"""The inbox drained: what is handed over when, and what becomes of it however its run ends. Real Postgres, no runs."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from posting import APP, body_of, signature
from sqlalchemy import text

from dropship_pipeline.cli.commands import run
from dropship_pipeline.storage.ops.inbox import Message, State, drop_settled, store_messages
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.inbox import COMES_WITHIN, MOST_AT_ONCE, Drained, RunState, drain
from dropship_pipeline.webhooks.intake import Intake

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTAKE = Intake(APP["ALIBABA_APP_KEY"], APP["ALIBABA_APP_SECRET"], max_age=timedelta(days=100_000))


def message(seconds: float = 0.0, **data: object) -> Message:
    body = json.dumps({**json.loads(body_of(**data)), "timestamp": 1_772_366_400, "nth": seconds}).encode()
    return INTAKE.take(body, signature(body), NOW + timedelta(seconds=seconds))


def product(product_id: str, seconds: float = 0.0, option: str = "ADD") -> Message:
    return message(seconds, productId=product_id, option=option)


def order(trade_id: str, seconds: float = 0.0) -> Message:
    return message(seconds, trade_id_str=trade_id, status="paid")


def told(database: Database, state: RunState, now: datetime) -> Drained:
    """A look at the inbox when every run stands like this."""
    return drain(database, lambda _: state, now)


def states(database: Database) -> dict[str, str]:
    with database.begin() as connection:
        rows = connection.execute(text("SELECT subject, state FROM ops.webhook_inbox ORDER BY received_at"))
        return {row.subject: row.state for row in rows}


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def test_what_waits_is_handed_over_in_the_order_in_which_it_came_each_subject_once(database: Database) -> None:
    store_messages(
        database,
        [product("3", 3), order("9", 0), product("1", 1), product("1", 9, "PRICE_CHANGE"), product("2", 2)],
    )
    drained = told(database, RunState.MISSING, at(1))
    assert [(batch.kind, batch.subjects, batch.messages) for batch in drained.to_run] == [
        ("product", ("1", "2", "3"), 4),
        ("order", ("9",), 1),
    ]
    assert len({batch.batch for batch in drained.to_run}) == 2


def test_what_comes_while_a_run_goes_waits_for_the_next_one_even_of_the_same_product(database: Database) -> None:
    store_messages(database, [product("1")])
    told(database, RunState.MISSING, at(1))
    store_messages(database, [product("1", 70, "PRICE_CHANGE"), order("9", 70)])
    meanwhile = told(database, RunState.GOING, at(2))
    assert [batch.kind for batch in meanwhile.to_run] == ["order"]  # the runs of the other kind do not hold it up
    assert [batch.kind for batch in meanwhile.going] == ["product"]

    after = told(database, RunState.SUCCEEDED, at(30))
    assert after.settled.done == 2
    assert [batch.subjects for batch in after.to_run] == [("1",)]
    assert after.to_run[0].messages == 1


def test_after_a_run_that_failed_messages_wait_longer_each_time_and_are_never_given_up(database: Database) -> None:
    store_messages(database, [order("9")])
    now, pauses = at(1), []
    for _ in range(12):
        [batch] = told(database, RunState.MISSING, now).to_run
        assert batch.subjects == ("9",)
        failed = told(database, RunState.FAILED, now)
        assert failed.settled.again == 1
        assert not failed.to_run
        began = now
        while not _due(database, now):
            now += timedelta(seconds=10)
        pauses.append((now - began).total_seconds())
    assert pauses[:4] == [30, 60, 120, 240]
    assert max(pauses) == pauses[-1] == 1_800
    told(database, RunState.MISSING, now)
    assert told(database, RunState.SUCCEEDED, now).settled.done == 1


def _due(database: Database, now: datetime) -> bool:
    with database.begin() as connection:
        found = connection.execute(text("SELECT bool_and(not_before <= :now) FROM ops.webhook_inbox"), {"now": now})
        return bool(found.scalar_one())


def test_a_run_that_never_comes_is_asked_for_again_and_one_that_is_only_late_is_not(database: Database) -> None:
    store_messages(database, [order("9")])
    [first] = told(database, RunState.MISSING, at(0)).to_run
    assert told(database, RunState.MISSING, at(0) + COMES_WITHIN / 2).going
    vanished = told(database, RunState.MISSING, at(0) + COMES_WITHIN)
    assert vanished.settled.again == 1
    [second] = told(database, RunState.MISSING, at(0) + COMES_WITHIN + timedelta(seconds=31)).to_run
    assert second.batch != first.batch
    assert second.subjects == first.subjects


def test_no_run_gets_more_than_it_can_do_in_minutes_and_the_rest_follows(database: Database) -> None:
    count = MOST_AT_ONCE[order("1").kind] + 200
    store_messages(database, [order(f"{number:05d}", number / 1000) for number in range(count)])
    [first] = told(database, RunState.MISSING, at(1)).to_run
    assert first.subjects == tuple(f"{number:05d}" for number in range(1_000))
    [second] = told(database, RunState.SUCCEEDED, at(2)).to_run
    assert second.subjects == tuple(f"{number:05d}" for number in range(1_000, count))


@pytest.mark.parametrize("run_state", [RunState.SUCCEEDED, RunState.FAILED])
def test_what_alibaba_refused_since_it_was_handed_over_is_dead_and_holds_nothing_up(
    database: Database, run_state: RunState
) -> None:
    store_messages(database, [order("1", 1), order("2", 2), order("3", 3), order("4", 4)])
    told(database, RunState.MISSING, at(1))
    with database.begin() as connection:
        for trade_id, outcome, minutes in (("1", "refused", 2), ("2", "rejected", 2), ("3", "refused", 0)):
            connection.execute(
                text(
                    "INSERT INTO ops.order_fetches (trade_id, account, fetched_at, outcome, code) "
                    "VALUES (:trade_id, 'default', :at, :outcome, '404')"
                ),
                {"trade_id": trade_id, "outcome": outcome, "at": at(minutes)},
            )
    told(database, run_state, at(3))
    other = "done" if run_state is RunState.SUCCEEDED else "waiting"
    assert states(database) == {"1": "dead", "2": "dead", "3": other, "4": other}  # 3 was refused before


def test_two_looks_at_once_never_hand_over_the_same_message(database: Database) -> None:
    from concurrent.futures import ThreadPoolExecutor

    store_messages(database, [order(f"{number:03d}", number) for number in range(300)])
    with ThreadPoolExecutor(6) as several:
        looks = list(several.map(lambda _: told(database, RunState.MISSING, at(10)), range(6)))
    handed = [subject for look in looks for batch in look.to_run for subject in batch.subjects]
    assert sorted(handed) == [f"{number:03d}" for number in range(300)]


@pytest.fixture
def dropship(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any]]:
    """The command line in this process: its status, and what it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DROPSHIP_HOME", str(tmp_path))
    monkeypatch.setenv("DROPSHIP_DATABASE_URL", database.libpq_url)

    def type_it(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        status = run(["webhooks", *arguments])
        said = capsys.readouterr()
        return status, json.loads(said.out) if "--json" in arguments else said.out + said.err

    return type_it


def test_dead_messages_are_shown_with_their_reason_and_begin_anew_when_told(
    database: Database, dropship: Callable[..., tuple[int, Any]]
) -> None:
    assert dropship("status") == (0, "No push message has come\n")
    assert dropship("dead")[0] == 0
    refused, nameless = product("1"), message(5, productId="no, none", option="ADD")
    store_messages(database, [refused, nameless, message(9, something="else"), order("9", 10)])
    told(database, RunState.MISSING, at(1))
    with database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ops.fetches (kind, product_id, destination, fetched_at, outcome, code) "
                "VALUES ('description', '1', '', :at, 'refused', '130106')"
            ),
            {"at": at(2)},
        )
    told(database, RunState.SUCCEEDED, at(3))
    status, shown = dropship("dead", "--json")
    assert status == 0
    assert {(one["subject"], one["state"], one["reason"]) for one in shown} == {
        ("1", "dead", "Alibaba.com refuses it (code 130106)"),
        (None, "dead", "It names no product that there could be"),
        (None, "unknown", "Messages of this kind are not known"),
    }
    assert refused.message_key[:12] in dropship("dead")[1]
    assert {(row["kind"], row["state"]): row["messages"] for row in dropship("status", "--json")[1]} == {
        ("product", "dead"): 2, ("unknown", "unknown"): 1, ("order", "done"): 1
    }  # fmt: skip

    assert dropship("replay")[0] == 2
    assert dropship("replay", "abc")[0] == 2
    assert dropship("replay", "f" * 12)[0] == 1
    assert dropship("replay", refused.message_key[:12]) == (0, "1 message begins anew\n")
    assert dropship("replay", refused.message_key[:12])[0] == 1  # it waits already
    assert dropship("replay", "--all-dead")[0] == 0
    assert {(one["subject"], one["state"]) for one in dropship("dead", "--json")[1]} == {
        (None, "dead"),
        (None, "unknown"),
    }  # fmt: skip  it still names nothing
    [batch] = told(database, RunState.MISSING, at(4)).to_run
    assert batch.subjects == ("1",)


def test_what_is_done_goes_after_its_time_and_what_waits_never(database: Database) -> None:
    store_messages(database, [order("1", 1), order("2", 2), message(3, productId="x y", option="ADD")])
    told(database, RunState.MISSING, at(1))
    told(database, RunState.SUCCEEDED, at(2))
    store_messages(database, [order("3", 200)])
    later = at(0) + timedelta(days=40)
    assert drop_settled(database, at(0), at(0)).removed == 0
    assert drop_settled(database, before=later, dead_before=at(0)).removed == 2
    assert drop_settled(database, before=later, dead_before=later).removed == 1
    assert states(database) == {"3": "waiting"}


def test_a_key_is_the_hash_of_the_raw_body() -> None:
    one = order("1")
    assert one.message_key == hashlib.sha256(one.body.encode()).hexdigest()
    assert one.state is State.WAITING
    assert "helloworld" not in repr(INTAKE)
