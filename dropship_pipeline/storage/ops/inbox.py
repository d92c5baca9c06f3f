"""The inbox of push messages, `ops.webhook_inbox`: storing them, handing them over to runs, settling them.

Rows and statements. Which message is taken in is decided in `webhooks`, what becomes of a run that failed in
`sync.inbox`. All times are UTC.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import text

from dropship_pipeline.alibaba.pushes import PushKind
from dropship_pipeline.storage.ops.upkeep import Freed, delete
from dropship_pipeline.storage.server.database import Database

_ROWS_TOGETHER = 10_000


class State(StrEnum):
    """What became of a message so far."""

    WAITING = "waiting"
    HANDED_OVER = "handed_over"
    DONE = "done"
    UNKNOWN = "unknown"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is stored: see the columns of `ops.webhook_inbox`. `state`: waiting, unknown or dead."""

    message_key: str
    received_at: datetime
    sent_at: datetime | None
    kind: PushKind
    subject: str | None
    event: str
    body: str
    state: State = State.WAITING
    reason: str | None = None
    deliveries: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that were handed over together. `subjects`: products or orders, each once, the one told first first."""

    batch: str
    kind: PushKind
    handed_over_at: datetime
    subjects: tuple[str, ...] = ()
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of the messages of a batch."""

    done: int = 0
    dead: int = 0
    again: int = 0


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that could not be worked on, or is of an unknown kind, for a person. No body: it may name a buyer."""

    message_key: str
    received_at: datetime
    kind: PushKind
    subject: str | None
    event: str
    state: State
    deliveries: int
    reason: str


# Keys in order: two receivers that store the same messages never wait for each other in a circle.
_STORE = text("""
    WITH stored AS (
        INSERT INTO ops.webhook_inbox AS m (message_key, received_at, sent_at, kind, subject, event, body, deliveries,
            state, attempts, reason, settled_at)
        SELECT message_key, received_at, sent_at, kind, subject, event, body, deliveries, state, 0, reason,
            CASE WHEN state = 'dead' THEN received_at END
        FROM jsonb_populate_recordset(NULL::ops.webhook_inbox, CAST(:rows AS jsonb)) ORDER BY message_key
        ON CONFLICT (message_key) DO UPDATE SET deliveries = m.deliveries + excluded.deliveries
        RETURNING message_key, xmax = 0 AS is_new
    )
    SELECT message_key FROM stored WHERE is_new
""")

_OPEN = text("""
    SELECT batch, kind, min(handed_over_at) AS handed_over_at, count(*) AS messages
    FROM ops.webhook_inbox WHERE state = 'handed_over' GROUP BY batch, kind ORDER BY 3
""")

# Everything that waits for a subject goes with it: it is fetched once, whatever was told of it and in which order.
_HAND_OVER = text("""
    WITH subjects AS (
        SELECT subject, min(received_at) AS first_at FROM ops.webhook_inbox
        WHERE state = 'waiting' AND kind = :kind AND (not_before IS NULL OR not_before <= :now)
        GROUP BY subject ORDER BY 2, 1 LIMIT :most
    ), taken AS (
        UPDATE ops.webhook_inbox m
        SET state = 'handed_over', batch = :batch, handed_over_at = :now, attempts = attempts + 1, not_before = NULL
        FROM subjects s WHERE m.subject = s.subject AND m.kind = :kind AND m.state = 'waiting'
        RETURNING m.subject
    )
    SELECT s.subject, count(*) FROM subjects s JOIN taken t USING (subject)
    GROUP BY s.subject, s.first_at ORDER BY s.first_at, s.subject
""")

# how the last reading of each subject ended, if there was one
_LEDGERS: Mapping[PushKind, str] = {
    PushKind.PRODUCT: """
        SELECT product_id AS subject, outcome, code, fetched_at FROM ops.fetches
        WHERE kind = 'description' AND destination = ''""",
    PushKind.ORDER: "SELECT trade_id AS subject, outcome, code, fetched_at FROM ops.order_fetches",
}

# A product that was deleted and is refused is as the message says.
_SETTLE = """
    WITH batch AS (
        SELECT m.message_key, m.attempts, f.outcome, f.code,
            coalesce(f.outcome IN ('refused', 'rejected'), false) AS refused
        FROM ops.webhook_inbox m
        LEFT JOIN ({ledger}) f ON f.subject = m.subject AND f.fetched_at >= m.handed_over_at
        WHERE m.batch = :batch AND m.state = 'handed_over'
    ), verdicts AS (
        SELECT b.message_key, b.attempts, b.outcome, b.code,
            CASE WHEN b.refused AND m.event <> 'DELETE' THEN 'dead'
                WHEN b.refused OR :succeeded THEN 'done' ELSE 'waiting' END AS state
        FROM batch b JOIN ops.webhook_inbox m USING (message_key)
    ), settled AS (
        UPDATE ops.webhook_inbox m SET
            state = v.state,
            reason = CASE
                WHEN v.state = 'waiting' THEN :reason
                WHEN v.outcome = 'refused' THEN 'Alibaba.com refuses it' || coalesce(' (code ' || v.code || ')', '')
                WHEN v.outcome = 'rejected' THEN 'The answer about it cannot be read: dropship rejected list' END,
            settled_at = CASE WHEN v.state <> 'waiting' THEN CAST(:now AS timestamptz) END,
            not_before = CASE WHEN v.state = 'waiting' THEN CAST(:now AS timestamptz)
                + least(:first_pause * 2 ^ least(v.attempts - 1, 20), :longest_pause) * interval '1 second' END,
            batch = CASE WHEN v.state <> 'waiting' THEN m.batch END
        FROM verdicts v WHERE m.message_key = v.message_key
        RETURNING m.state
    )
    SELECT count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'dead') AS dead,
        count(*) FILTER (WHERE state = 'waiting') AS again
    FROM settled
"""
_SETTLE_OF = {kind: text(_SETTLE.format(ledger=ledger)) for kind, ledger in _LEDGERS.items()}

_NOTICE_UNKNOWN = text("""
    WITH noticed AS (
        UPDATE ops.webhook_inbox SET settled_at = :now WHERE state = 'unknown' AND settled_at IS NULL RETURNING event
    )
    SELECT n.event, count(*) AS messages FROM noticed n
    WHERE NOT EXISTS (
        SELECT FROM ops.webhook_inbox known
        WHERE known.state = 'unknown' AND known.settled_at IS NOT NULL AND known.event = n.event
    )
    GROUP BY n.event ORDER BY n.event
""")

_COUNTS = text("""
    SELECT kind, state, count(*) AS messages, sum(deliveries) AS deliveries, min(received_at) AS oldest,
        max(received_at) AS newest
    FROM ops.webhook_inbox GROUP BY kind, state ORDER BY kind, state
""")

_DEAD = text("""
    SELECT message_key, received_at, kind, subject, event, state, deliveries,
        coalesce(reason, 'Messages of this kind are not known') AS reason
    FROM ops.webhook_inbox WHERE state IN ('dead', 'unknown') ORDER BY received_at DESC, message_key LIMIT :most
""")

_REPLAYABLE = text("""
    SELECT message_key, body FROM ops.webhook_inbox
    WHERE state IN ('dead', 'unknown', 'done') AND message_key > :after
        AND ((:all_dead AND state = 'dead') OR EXISTS (
            SELECT FROM unnest(CAST(:prefixes AS text[])) p (prefix) WHERE starts_with(message_key, p.prefix)))
    ORDER BY message_key LIMIT :most
""")

_REPLAY = text("""
    UPDATE ops.webhook_inbox m SET kind = r.kind, subject = r.subject, event = r.event, state = r.state,
        reason = r.reason, attempts = 0, batch = NULL, handed_over_at = NULL, not_before = NULL,
        settled_at = CASE WHEN r.state = 'dead' THEN clock_timestamp() END
    FROM jsonb_populate_recordset(NULL::ops.webhook_inbox, CAST(:rows AS jsonb)) r
    WHERE m.message_key = r.message_key AND m.state IN ('dead', 'unknown', 'done')
""")

_DROP = """
    DELETE FROM ops.webhook_inbox past
    WHERE message_key IN (
        SELECT message_key FROM ops.webhook_inbox
        WHERE (state IN ('done', 'unknown') AND settled_at < :before) OR (state = 'dead' AND settled_at < :dead_before)
        LIMIT :rows
    ) AND state IN ('done', 'unknown', 'dead')
    RETURNING pg_column_size(past.*)
"""


def store_messages(database: Database, messages: Sequence[Message]) -> set[str]:
    """Store them in one transaction; the keys of those that were not there before. One that was is counted.

    No two of `messages` have the same key. Raises `DatabaseProblem`; then none is stored, or all are.
    """
    with database.begin() as connection:
        return set(connection.execute(_STORE, {"rows": _as_json(messages)}).scalars())


def can_store(database: Database) -> None:
    """Raises `DatabaseProblem` where messages could not be stored now."""
    with database.begin() as connection:
        connection.execute(text("SELECT FROM ops.webhook_inbox LIMIT 0"))


def open_batches(database: Database) -> list[Batch]:
    """The batches whose runs have not been settled, the oldest first; without their subjects."""
    with database.begin() as connection:
        return [
            Batch(row.batch, PushKind(row.kind), row.handed_over_at, messages=row.messages)
            for row in connection.execute(_OPEN)
        ]


def hand_over(database: Database, kind: PushKind, batch: str, now: datetime, most: int) -> Batch | None:
    """Mark what waits for at most `most` products or orders as handed over in `batch`; None where nothing waits."""
    with database.begin() as connection:
        taken = connection.execute(_HAND_OVER, {"kind": kind, "batch": batch, "now": now, "most": most}).all()
    if not taken:
        return None
    return Batch(batch, kind, now, tuple(subject for subject, _ in taken), sum(count for _, count in taken))


def settle_batch(
    database: Database, batch: Batch, *, succeeded: bool, reason: str, now: datetime, pauses: tuple[float, float]
) -> Settled:
    """Settle the messages of a batch whose run has ended, or never came.

    What Alibaba.com refused meanwhile, or answered unreadably, is dead, whatever the run came to. Of the others, all
    are done where it `succeeded`; otherwise they wait, for `reason`, a pause of the first of `pauses` seconds that
    doubles with each attempt up to the second.
    """
    asked: dict[str, Any] = {"batch": batch.batch, "succeeded": succeeded, "reason": reason, "now": now}
    asked |= {"first_pause": pauses[0], "longest_pause": pauses[1]}
    with database.begin() as connection:
        return Settled(**connection.execute(_SETTLE_OF[batch.kind], asked).mappings().one())


def notice_unknown(database: Database, now: datetime) -> dict[str, int]:
    """The events of messages of unknown kinds that came for the first time since this was last asked, and how many."""
    with database.begin() as connection:
        return {row.event: row.messages for row in connection.execute(_NOTICE_UNKNOWN, {"now": now})}


def inbox_counts(database: Database) -> list[Mapping[str, Any]]:
    """For each kind and state: messages, deliveries, and when (UTC) the oldest and the newest came."""
    with database.begin() as connection:
        return [dict(row) for row in connection.execute(_COUNTS).mappings()]


def dead_messages(database: Database, most: int) -> list[DeadMessage]:
    """The newest messages that nothing is done about: dead, or of unknown kinds."""
    with database.begin() as connection:
        rows = connection.execute(_DEAD, {"most": most})
        return [
            DeadMessage(**{**row, "kind": PushKind(row["kind"]), "state": State(row["state"])})
            for row in rows.mappings()
        ]


def replayable(database: Database, prefixes: Sequence[str], *, all_dead: bool, after: str, most: int) -> dict[str, str]:
    """The bodies, by key, of settled messages whose keys begin so; and of every dead one, if `all_dead`.

    In the order of their keys, from the first behind `after` on.
    """
    asked = {"prefixes": list(prefixes), "all_dead": all_dead, "after": after, "most": most}
    with database.begin() as connection:
        return {row.message_key: row.body for row in connection.execute(_REPLAYABLE, asked)}


def put_back(database: Database, messages: Iterable[Message]) -> int:
    """Let settled messages begin anew, as they are read now; how many did."""
    with database.begin() as connection:
        return connection.execute(_REPLAY, {"rows": _as_json(messages)}).rowcount


def drop_settled(database: Database, before: datetime, dead_before: datetime) -> Freed:
    """Delete what was done, or of an unknown kind, before `before`, and what was dead before `dead_before` (UTC)."""
    freed = Freed()
    while True:
        asked = {"before": before, "dead_before": dead_before, "rows": _ROWS_TOGETHER}
        batch = delete(database, _DROP, asked)
        freed += batch
        if batch.removed < _ROWS_TOGETHER:
            return freed


def _as_json(messages: Iterable[Message]) -> str:
    return orjson.dumps([*messages]).decode()
