"""The history of a feed told again from its landed sweeps: which memberships began and ended when, where they stood.

Where the log lacks something that the sweeps did, they are gone through one by one, by the rules of `memberships`, and
what is missing is added, dated as it was when it was first seen. The memberships follow from the log, by `listing_log`.
"""

# ruff: noqa: S608  what is put into these texts is a time of ours or a quoted literal

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing

from sqlalchemy import text

from dropship_pipeline.storage.catalog.listing_log import (
    PastSweep,
    ToldSweep,
    count,
    mend_from_log,
    prepare_places,
    wait_for_turn,
)
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import in_our_words
from dropship_pipeline.storage.server.staging import Stage
from dropship_pipeline.storage.server.transactions import Transactions
from dropship_pipeline.tables.postgres import literal

_RECORDED = text("""
    SELECT sweep_id, feed, run_id, state, started_at, coalesce(ended_at, started_at), pages, listed FROM ops.sweeps
    WHERE sweep_id = ANY (:sweep_ids)
""")
# What each sweep did, by its own count, against what the log says of that moment; and rows that the log knows of
_LACKS = text("""
    SELECT EXISTS (
        SELECT FROM ops.sweeps s, LATERAL (
            SELECT count(*) FILTER (WHERE l.change = 'listed') AS began,
                count(*) FILTER (WHERE l.change = 'delisted') AS ended
            FROM catalog.listing_changes l WHERE l.feed = s.feed AND l.observed_at = s.ended_at
        ) log
        WHERE s.sweep_id = ANY (:sweep_ids) AND s.state IN ('complete', 'incomplete', 'held')
            AND (s.new <> log.began OR (s.state = 'complete' AND s.delisted <> log.ended))
    ) OR EXISTS (
        SELECT FROM catalog.listing_changes l WHERE l.feed = :feed AND NOT EXISTS (
            SELECT FROM catalog.feed_products t WHERE t.feed = l.feed AND t.product_id = l.product_id
        )
    )
""")


def recorded_sweeps(database: Database, sweep_ids: Sequence[str]) -> dict[str, PastSweep]:
    """Those of the sweeps that `ops.sweeps` has, ended or not."""
    with database.begin() as connection:
        rows = connection.execute(_RECORDED, {"sweep_ids": list(sweep_ids)})
        return {row.sweep_id: PastSweep(*row) for row in rows}


def lacks_something(database: Database, feed: str, sweep_ids: Sequence[str]) -> bool:
    """Whether the log or the memberships of a feed lack anything that these sweeps did."""
    with database.begin() as connection:
        return bool(connection.execute(_LACKS, {"feed": feed, "sweep_ids": list(sweep_ids)}).scalar_one())


def tell_again(
    database: Database,
    feed: str,
    sweeps: Callable[[], Iterable[ToldSweep]],
    is_held: Callable[[int, int], bool],
) -> int:
    """Go through the sweeps of a feed, oldest first, and add to the log and the memberships what they lack.

    `sweeps` is called again if the transaction has to be. Gives how many rows were written. Raises `DatabaseProblem`.
    """

    def work(stage: Stage) -> int:
        names = {"feed": literal(feed)}
        before: str | None = None
        for told in sweeps():
            at = literal(told.sweep.ended_at.isoformat())
            names |= {"at": at, "started": literal(told.sweep.started_at.isoformat()), "before": before or at}
            stage.run((_BASE if before is None else _CATCH_UP).format(**names))
            _take_sweep(stage, told, names, is_held)
            before = at
        wait_for_turn(stage)
        stage.run(_PLACES.format(**names))
        return count(stage, _LOG.format(**names)) + mend_from_log(stage, feed)

    with in_our_words(database.address), closing(Transactions(database)) as transactions:
        return transactions.run(_prepare, work)


def _prepare(stage: Stage) -> None:
    prepare_places(stage)
    stage.make("events", "product_id text, change text, observed_at timestamptz")
    stage.make(
        "members",
        "product_id text PRIMARY KEY, position bigint, listed boolean, ended_at timestamptz, missed_at timestamptz",
    )


def _take_sweep(stage: Stage, told: ToldSweep, names: dict[str, str], is_held: Callable[[int, int], bool]) -> None:
    stage.run("DELETE FROM seen")
    stage.load("seen", told.seen)
    stage.run("ANALYZE seen")
    state = told.sweep.state
    active = count(stage, "SELECT count(*) FROM members WHERE listed")
    new = count(stage, _BEGIN.format(**names))
    stage.run(_ENTER.format(**names))
    missing = would_end = 0
    if state != "incomplete":
        stage.run(_MOVE)
        [(missing, would_end)] = stage.run(_ABSENT.format(**names))
        if not told.recorded and is_held(active, would_end):
            state = "held"
        if state == "complete":
            for statement in _END:
                stage.run(statement.format(**names))
        stage.run(_MISS.format(**names))
    stage.run(_SEE)
    if not told.recorded:
        stage.run(_record(told.sweep, state, new, missing, would_end, names))


# As the log has it, else as the rows have it, just before the first sweep
_BASE = """
    INSERT INTO members (product_id, position, listed, ended_at)
    SELECT product_id, r.position, coalesce(l.change = 'listed', r.listed),
        CASE WHEN l.change = 'delisted' THEN l.observed_at ELSE r.ended_at END
    FROM (
        SELECT DISTINCT ON (product_id) product_id, change, observed_at FROM catalog.listing_changes
        WHERE feed = {feed} AND observed_at < {at} ORDER BY product_id, observed_at DESC
    ) l
    FULL JOIN (
        SELECT product_id, position, last_listed_at < {at} AND coalesce(delisted_at >= {at}, true) AS listed,
            CASE WHEN delisted_at < {at} THEN delisted_at END AS ended_at
        FROM catalog.feed_products WHERE feed = {feed} AND first_listed_at < {at}
    ) r USING (product_id)
"""

# What sweeps did that are not landed any more
_CATCH_UP = """
    INSERT INTO members AS m (product_id, listed, ended_at)
    SELECT DISTINCT ON (product_id) product_id, change = 'listed', CASE WHEN change = 'delisted' THEN observed_at END
    FROM catalog.listing_changes
    WHERE feed = {feed} AND observed_at >= {before} AND observed_at < {at}
    ORDER BY product_id, observed_at DESC
    ON CONFLICT (product_id) DO UPDATE SET listed = excluded.listed, ended_at = excluded.ended_at, missed_at = NULL
    WHERE m.listed <> excluded.listed
"""

_BEGIN = """
    WITH began AS (
        INSERT INTO events (product_id, change, observed_at)
        SELECT s.product_id, 'listed', {at} FROM seen s LEFT JOIN members m USING (product_id)
        WHERE m.product_id IS NULL OR (NOT m.listed AND coalesce(m.ended_at < {started}, true))
        RETURNING 1
    )
    SELECT count(*) FROM began
"""
_ENTER = """
    INSERT INTO members (product_id, position, listed)
    SELECT s.product_id, s.position, true FROM seen s JOIN events e USING (product_id)
    WHERE e.observed_at = {at} AND e.change = 'listed'
    ON CONFLICT (product_id) DO UPDATE SET position = excluded.position, listed = true, ended_at = NULL
"""
_MOVE = "UPDATE members m SET position = s.position FROM seen s WHERE s.product_id = m.product_id"

_GONE = "m.listed AND NOT EXISTS (SELECT FROM seen s WHERE s.product_id = m.product_id)"
_ABSENT = f"SELECT count(*), count(*) FILTER (WHERE m.missed_at < {{started}}) FROM members m WHERE {_GONE}"
_END = (
    f"""
    INSERT INTO events (product_id, change, observed_at)
    SELECT m.product_id, 'delisted', {{at}} FROM members m WHERE m.missed_at < {{started}} AND {_GONE}
    """,
    f"""
    UPDATE members m SET listed = false, ended_at = {{at}}, missed_at = NULL
    WHERE m.missed_at < {{started}} AND {_GONE}
    """,
)
_MISS = f"UPDATE members m SET missed_at = {{at}} WHERE m.missed_at IS NULL AND {_GONE}"
_SEE = "UPDATE members m SET missed_at = NULL FROM seen s WHERE s.product_id = m.product_id AND m.missed_at IS NOT NULL"

_PLACES = """
    INSERT INTO places (product_id, position)
    SELECT product_id, position FROM members m
    WHERE NOT EXISTS (SELECT FROM catalog.feed_products t WHERE t.feed = {feed} AND t.product_id = m.product_id)
"""

_LOG = """
    WITH added AS (
        INSERT INTO catalog.listing_changes (feed, product_id, change, observed_at)
        SELECT {feed}, e.product_id, e.change, e.observed_at FROM events e
        WHERE NOT EXISTS (
            SELECT FROM catalog.listing_changes l
            WHERE l.feed = {feed} AND l.product_id = e.product_id AND l.observed_at = e.observed_at
                AND l.change = e.change
        )
        RETURNING 1
    )
    SELECT count(*) FROM added
"""


def _record(sweep: PastSweep, state: str, new: int, missing: int, would_end: int, names: dict[str, str]) -> str:
    ids = ", ".join(literal(value) for value in (sweep.sweep_id, sweep.feed, sweep.run_id, state))
    counts = f"{sweep.pages}, {sweep.listed}, {new}, {missing}, {would_end}"
    return f"""
        INSERT INTO ops.sweeps
            (sweep_id, feed, run_id, state, started_at, ended_at, pages, listed, new, missing, delisted, reason)
        VALUES ({ids}, {names["started"]}, {names["at"]}, {counts}, 'told again from its landed pages')
        ON CONFLICT (sweep_id) DO NOTHING
    """
