"""Alerts as rows: what is written is read again, and what shows problems is read cheaply."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.storage.ops.alerts import (
    _HELD,
    Alert,
    ClosedAccount,
    HeldFeed,
    Kind,
    closed_accounts,
    held_feeds,
    load_alerts,
    save_alerts,
)
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.ops import ALERTS

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
NEW = Alert("run:a", Kind.RUN, "step a", "x...y", "a fails", "why", "/runs/1", NOW - DAY, NOW, next_at=NOW)
TOLD = replace(NEW, key="run:b", sent_at=NOW, next_at=None, count=7, returned=2)
OVER = replace(TOLD, key="held:c", kind=Kind.HELD, resolved_at=NOW)
FEED_KEYS = [feed.key for feed in FEEDS]


def run(database: Database, statement: str) -> None:
    with database.begin() as connection:
        connection.execute(text(statement))


def sweep(database: Database, feed: str, state: str, hour: int, reason: str = "") -> None:
    run(
        database,
        f"""INSERT INTO ops.sweeps VALUES ('{feed}-{hour}', '{feed}', 'run', '{state}', '2026-03-01 {hour}:00+00',
            '2026-03-01 {hour}:30+00', 1, 1, NULL, 0, 0, 0, NULLIF('{reason}', ''))""",
    )


def test_an_alert_has_the_columns_of_its_table() -> None:
    assert tuple(Alert.__dataclass_fields__) == ALERTS.column_names


def test_what_was_written_is_read_again_to_the_microsecond(database: Database) -> None:
    save_alerts(database, [NEW, TOLD, OVER])
    assert load_alerts(database, since=NOW - DAY) == [OVER, NEW, TOLD]
    save_alerts(database, [replace(NEW, count=2, attempts=3), replace(OVER, resolved_at=None)])
    assert {alert.key: (alert.count, alert.attempts) for alert in load_alerts(database, since=NOW)} == {
        "run:a": (2, 3),
        "run:b": (7, 0),
        "held:c": (7, 0),
    }


def test_what_is_over_and_told_is_left_alone_after_a_while(database: Database) -> None:
    to_be_told = replace(OVER, key="run:d", next_at=NOW)
    save_alerts(database, [NEW, OVER, to_be_told])
    assert {alert.key for alert in load_alerts(database, since=NOW + DAY)} == {"run:a", "run:d"}


def test_nothing_to_write_writes_nothing(database: Database) -> None:
    save_alerts(database, [])
    assert load_alerts(database, since=NOW) == []


def test_what_cannot_be_written_whole_is_not_written_in_part(database: Database) -> None:
    run(database, "ALTER TABLE ops.alerts ADD CHECK (count < 5)")
    with pytest.raises(Exception, match="violates check constraint"):
        save_alerts(database, [NEW, TOLD])
    assert load_alerts(database, since=NOW) == []


def test_letters_that_postgres_cannot_hold_do_not_stop_an_alert(database: Database) -> None:
    save_alerts(database, [replace(NEW, detail="a\0b \ud800 'quoted' é")])
    [alert] = load_alerts(database, since=NOW)
    assert alert.detail == "ab � 'quoted' é"


def test_a_feed_is_held_until_a_later_sweep_is_complete(database: Database) -> None:
    assert held_feeds(database, FEED_KEYS) == []
    sweep(database, "local_us", "held", 9, "it would end 30 of 100 memberships")
    sweep(database, "us_standard", "complete", 8)
    sweep(database, "us_standard", "held", 9)
    # neither one that goes on nor one that was cut short says anything of the delisting that is held
    sweep(database, "local_us", "incomplete", 10)
    sweep(database, "local_us", "running", 11)
    assert held_feeds(database, FEED_KEYS) == [
        HeldFeed("us_standard", datetime(2026, 3, 1, 9, 30, tzinfo=UTC), ""),
        HeldFeed("local_us", datetime(2026, 3, 1, 9, 30, tzinfo=UTC), "it would end 30 of 100 memberships"),
    ]
    sweep(database, "local_us", "complete", 12)
    assert [held.feed for held in held_feeds(database, FEED_KEYS)] == ["us_standard"]


def test_held_feeds_are_found_by_the_index_however_many_sweeps_there_were(database: Database) -> None:
    run(
        database,
        """INSERT INTO ops.sweeps
           SELECT 's' || i, 'local_us', 'run', 'complete', timestamptz '2026-01-01' + i * interval '1 minute', now(),
                  1, 1, NULL, 0, 0, 0, NULL FROM generate_series(1, 20000) i""",
    )
    run(database, "ANALYZE ops.sweeps")
    with database.begin() as connection:
        explained = connection.execute(text(f"EXPLAIN {_HELD.text}"), {"feeds": FEED_KEYS})
        plan = "\n".join(explained.scalars())
    assert "sweeps_feed_started_at" in plan
    assert held_feeds(database, FEED_KEYS) == []


def test_accounts_to_authorise_again_are_named_without_who_is_behind_them(database: Database) -> None:
    run(
        database,
        """INSERT INTO ops.accounts (account, alibaba_user_id, state, reason, updated_at) VALUES
           ('shop', '200042362', 'reauthorise', 'the refresh token has ended', '2026-03-01 09:00+00'),
           ('other', '200042363', 'active', NULL, '2026-03-01 09:00+00')""",
    )
    since = datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert closed_accounts(database) == [ClosedAccount("shop", since, "the refresh token has ended")]
