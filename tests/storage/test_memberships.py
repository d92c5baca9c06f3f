"""What sweeps do to the memberships of feeds, and to whether a product is on offer."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from merge_rows import Goods, ask, at, descriptions, ledger, tell

from dropship_pipeline.storage.catalog.memberships import merge_sweep
from dropship_pipeline.storage.catalog.merge import Merger
from dropship_pipeline.storage.catalog.sweeps import (
    LeaseLost,
    SweepLease,
    SweepResult,
    finished_sweep,
    open_sweep,
    take_over,
)
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import Lock, take
from dropship_pipeline.storage.server.transactions import Transactions

FEED, OTHER = "us_standard", "local_us"
HOUR = timedelta(hours=1)
NOT_YET = datetime(2999, 1, 1, tzinfo=UTC)
Breaker = Callable[[int, int], bool]


def never(active: int, would_end: int) -> bool:
    return False


def over_a_fifth(active: int, would_end: int) -> bool:
    return would_end * 5 > active


def positions(seen: Iterable[str]) -> pa.Table:
    seen = list(seen)
    return pa.table({"product_id": pa.array(seen, pa.string()), "position": pa.array(range(len(seen)), pa.int64())})


def merge(database: Database, lease: SweepLease, seen: Iterable[str], **named: Any) -> SweepResult:
    rows = positions(seen)
    given = {
        "pages": 1,
        "reported_total": rows.num_rows,
        "complete": True,
        "reason": None,
        "is_held": never,
        "let_through": False,
    }
    with closing(Transactions(database)) as transactions:
        return merge_sweep(transactions, lease, seen=rows, **{**given, **named})  # type: ignore[arg-type]


def sweep(database: Database, seen: Iterable[str], feed: str = FEED, **named: Any) -> SweepResult:
    return merge(database, open_sweep(database, feed, "run-1", 100), seen, **named)


def members(database: Database, feed: str = FEED) -> list[str]:
    return [
        row[0]
        for row in ask(
            database,
            "SELECT product_id FROM catalog.feed_products "
            f"WHERE feed = '{feed}' AND delisted_at IS NULL ORDER BY position, product_id",
        )
    ]


def missed(database: Database) -> list[tuple[Any, ...]]:
    return ask(database, "SELECT feed, product_id FROM ops.missed_memberships ORDER BY 1, 2")


def changes(database: Database) -> list[tuple[Any, ...]]:
    return ask(database, "SELECT feed, product_id, change FROM catalog.listing_changes ORDER BY observed_at, 1, 2, 3")


def describe(database: Database, *goods: Goods, hours: int = 0) -> None:
    with Merger(database) as merger:
        merger.merge_descriptions(
            descriptions(goods, at(hours)), ledger("description", [g.product_id for g in goods], at(hours))
        )


def delisted(database: Database) -> list[str]:
    return [
        row[0]
        for row in ask(database, "SELECT product_id FROM catalog.products WHERE delisted_at IS NOT NULL ORDER BY 1")
    ]


def test_a_first_sweep_begins_memberships_in_order(database: Database) -> None:
    result = sweep(database, ["B", "A"])
    assert (result.state, result.listed, result.new, result.missing, result.delisted) == ("complete", 2, 2, 0, 0)
    assert members(database) == ["B", "A"]
    assert changes(database) == [(FEED, "A", "listed"), (FEED, "B", "listed")]
    [(first, last)] = ask(database, "SELECT DISTINCT first_listed_at, last_listed_at FROM catalog.feed_products")
    assert first == last
    assert ask(database, "SELECT state, listed, reported_total, new, ended_at >= started_at FROM ops.sweeps") == [
        ("complete", 2, 2, 2, True)
    ]


def test_an_unchanged_feed_touches_no_row_and_a_moved_product_only_its_own(database: Database) -> None:
    sweep(database, ["A", "B", "C"])
    rows = "SELECT product_id, xmin::text, ctid::text, f::text FROM catalog.feed_products f ORDER BY 1"
    before = ask(database, rows)
    assert sweep(database, ["A", "B", "C"]).new == 0
    assert ask(database, rows) == before
    sweep(database, ["A", "C", "B"])
    assert {row[0] for row in set(ask(database, rows)) - set(before)} == {"B", "C"}
    assert members(database) == ["A", "C", "B"]
    assert len(changes(database)) == 3


def test_two_complete_sweeps_in_a_row_end_a_membership_and_one_does_not(database: Database) -> None:
    sweep(database, ["A", "B"])
    once = sweep(database, ["A"])
    assert (once.missing, once.missed_once, once.delisted) == (1, 1, 0)
    assert members(database) == ["A", "B"]
    assert missed(database) == [(FEED, "B")]
    twice = sweep(database, ["A"])
    assert (twice.missing, twice.missed_once, twice.delisted) == (1, 0, 1)
    assert members(database) == ["A"]
    assert missed(database) == []
    assert changes(database)[-1] == (FEED, "B", "delisted")
    assert sweep(database, ["A"]).missing == 0


def test_a_miss_in_one_feed_is_none_in_another(database: Database) -> None:
    for feed in (FEED, OTHER):
        sweep(database, ["A", "B"], feed)
    for feed in (FEED, OTHER):
        assert sweep(database, ["A"], feed).delisted == 0
    assert missed(database) == [(OTHER, "B"), (FEED, "B")]


def test_a_product_that_is_seen_between_two_misses_stays(database: Database) -> None:
    sweep(database, ["A", "B"])
    for seen in (["A"], ["A", "B"], ["A"]):
        assert sweep(database, seen).delisted == 0
    assert members(database) == ["A", "B"]


def test_an_incomplete_sweep_begins_memberships_and_ends_none(database: Database) -> None:
    sweep(database, ["A", "B"])
    for _ in range(3):
        result = sweep(database, ["C"], complete=False, reason="page 3 failed", reported_total=None)
        assert (result.state, result.reason, result.delisted, result.missing) == ("incomplete", "page 3 failed", 0, 0)
    assert sorted(members(database)) == ["A", "B", "C"]
    assert missed(database) == []
    assert ask(database, "SELECT DISTINCT reason FROM ops.sweeps WHERE state = 'incomplete'") == [("page 3 failed",)]


def test_an_incomplete_sweep_that_sees_a_missed_product_speaks_for_it(database: Database) -> None:
    sweep(database, ["A", "B"])
    sweep(database, ["A"])
    sweep(database, ["B"], complete=False, reason="page 3 failed")
    assert missed(database) == []
    assert sweep(database, ["A"]).delisted == 0


def test_what_comes_back_is_listed_again_since_then(database: Database) -> None:
    for seen in (["A", "B"], ["A"], ["A"]):
        sweep(database, seen)
    assert sweep(database, ["B", "A"]).new == 1
    assert members(database) == ["B", "A"]
    assert changes(database)[-1] == (FEED, "B", "listed")
    [(first, last)] = ask(
        database, "SELECT first_listed_at, last_listed_at FROM catalog.feed_products WHERE product_id = 'B'"
    )
    assert first < last


def test_an_empty_complete_sweep_ends_everything_at_the_second_time_unless_it_is_held(database: Database) -> None:
    sweep(database, ["A", "B"])
    assert sweep(database, []).delisted == 0
    assert sweep(database, [], is_held=over_a_fifth).state == "held"
    assert members(database) == ["A", "B"]
    assert sweep(database, []).delisted == 2
    assert members(database) == []


def test_a_held_sweep_ends_nothing_until_a_person_lets_it_through(database: Database) -> None:
    ten = [f"P{number}" for number in range(10)]
    sweep(database, ten)
    sweep(database, ten[:7], is_held=over_a_fifth)
    for _ in range(2):
        held = sweep(database, ten[:7], is_held=over_a_fifth)
        assert (held.state, held.missing, held.missed_once, held.delisted) == ("held", 3, 0, 3)
        assert held.reason == "it would end 3 of 10 memberships"
        assert members(database) == ten
    let = sweep(database, [*ten[:7], "NEW"], is_held=over_a_fifth, let_through=True)
    assert (let.state, let.delisted) == ("complete", 3)
    assert members(database) == [*ten[:7], "NEW"]


def test_what_a_held_sweep_sees_is_still_listed_and_what_it_misses_first_is_remembered(database: Database) -> None:
    sweep(database, ["A", "B", "C"])
    sweep(database, ["B", "C"])
    result = sweep(database, ["C", "NEW"], is_held=over_a_fifth)
    assert (result.state, result.new, result.delisted) == ("held", 1, 1)
    assert missed(database) == [(FEED, "A"), (FEED, "B")]
    assert changes(database)[-1] == (FEED, "NEW", "listed")


def test_the_breaker_is_asked_with_the_members_before_the_sweep_and_those_that_would_end(database: Database) -> None:
    asked: list[tuple[int, int]] = []

    def listen(active: int, would_end: int) -> bool:
        asked.append((active, would_end))
        return False

    for seen in (["A", "B", "C"], ["A"], ["A", "NEW"]):
        sweep(database, seen, is_held=listen)
    assert asked == [(0, 0), (3, 0), (3, 2)]


def test_a_product_is_off_the_market_when_the_last_feed_drops_it_and_back_with_the_first(database: Database) -> None:
    describe(database, Goods("A"), Goods("B"))
    sweep(database, ["A", "B"])
    sweep(database, ["A", "B"], OTHER)
    for _ in range(2):
        sweep(database, ["B"])
    assert delisted(database) == []
    for _ in range(2):
        sweep(database, ["B"], OTHER)
    assert delisted(database) == ["A"]
    sweep(database, ["B", "A"], OTHER)
    assert delisted(database) == []


def test_a_product_that_says_it_is_offline_stays_off_the_market_whatever_feeds_say(database: Database) -> None:
    offline = Goods("A", status="PRODUCT_OFFLINE")
    describe(database, offline)
    sweep(database, ["A"])
    assert delisted(database) == ["A"]
    for _ in range(2):
        sweep(database, [])
    describe(database, replace(offline, status="PRODUCT_ONLINE"), hours=1)
    assert delisted(database) == ["A"], "no feed lists it"
    sweep(database, ["A"])
    assert delisted(database) == []


def test_a_product_without_a_status_comes_back_too(database: Database) -> None:
    describe(database, Goods("A", status=None))
    for seen in (["A"], [], [], ["A"]):
        sweep(database, seen)
    assert delisted(database) == []


# --- two at once, twice, too late


def test_merging_the_same_sweep_twice_is_not_two_sweeps(database: Database) -> None:
    sweep(database, ["A", "B"])
    lease = open_sweep(database, FEED, "run-2", 100)
    first = merge(database, lease, ["A", "NEW"])
    again = merge(database, lease, ["A", "NEW"])
    assert again == first
    assert (again.missed_once, again.delisted, again.new) == (1, 0, 1)
    assert members(database) == ["A", "B", "NEW"]


def nothing_is_merged(database: Database, lease: SweepLease, seen: Iterable[str]) -> None:
    tables = ("catalog.feed_products", "catalog.listing_changes", "ops.missed_memberships", "ops.sweeps")
    before = [ask(database, f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]
    with pytest.raises(LeaseLost, match=f"Another run has taken over the reading of feed {FEED}"):
        merge(database, lease, seen)
    assert [ask(database, f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables] == before


def test_of_two_sweeps_under_way_the_one_that_began_last_is_merged(database: Database) -> None:
    sweep(database, ["A", "B"])
    mine = open_sweep(database, FEED, "run-1", 100)
    yours = open_sweep(database, FEED, "run-2", 100)
    nothing_is_merged(database, mine, ["A"])
    assert merge(database, yours, ["A"]).delisted == 0
    nothing_is_merged(database, mine, ["A"])  # whatever hid B from one may have hidden it from the other
    assert sweep(database, ["A"]).delisted == 1


def test_whoever_lost_a_sweep_to_another_merges_nothing_before_or_after_him(database: Database) -> None:
    sweep(database, ["A", "B"])
    late = open_sweep(database, FEED, "run-0", 100)
    mine = take_over(database, FEED, HOUR)
    assert mine is not None
    nothing_is_merged(database, late, [])
    merge(database, mine, ["B", "C"])
    nothing_is_merged(database, late, ["A", "OLD"])
    for _ in range(2):
        sweep(database, ["A"])
    nothing_is_merged(database, late, ["A", "B"])
    assert members(database) == ["A"]


def test_of_many_that_begin_at_once_one_has_the_feed(database: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        leases = list(pool.map(lambda number: open_sweep(database, FEED, f"run-{number}", 100), range(6)))
    assert ask(database, "SELECT count(*) FROM ops.sweeps WHERE state = 'running'") == [(1,)]
    [(last,)] = ask(database, "SELECT sweep_id FROM ops.sweeps WHERE state = 'running'")
    for lease in leases:
        if lease.sweep_id != last:
            nothing_is_merged(database, lease, ["A"])


def test_a_sweep_that_nobody_opened_is_a_mistake(database: Database) -> None:
    with pytest.raises(ValueError, match="no sweep"):
        merge(database, SweepLease("20260131T000000.000000Z-us_standard", FEED, 1, 100), ["A"])
    assert members(database) == []


def test_a_sweep_waits_for_whoever_decides_what_is_on_offer(database: Database) -> None:
    """Two feeds that drop a product at the same moment must each see what the other did: so must a description."""
    done = threading.Event()

    def sweep_it() -> None:
        sweep(database, ["A"])
        done.set()

    thread = threading.Thread(target=sweep_it)
    with database.begin() as connection:
        connection.exec_driver_sql(take(Lock.OFFER))
        thread.start()
        assert not done.wait(0.5)
    assert done.wait(60)
    thread.join()


def test_feeds_that_drop_a_product_at_the_same_moment_still_delist_it(database: Database) -> None:
    describe(database, *(Goods(f"P{number}") for number in range(20)))
    feeds = [FEED, OTHER, "local_mx", "cross_border"]
    for feed in feeds:
        sweep(database, [f"P{number}" for number in range(20)], feed)
        sweep(database, [], feed)
    with ThreadPoolExecutor(len(feeds)) as pool:
        list(pool.map(lambda feed: sweep(database, [], feed), feeds))
    assert len(delisted(database)) == 20


# --- taking up what was cut short


def test_a_running_sweep_can_be_taken_over_for_a_while_and_is_given_up_by_the_next(database: Database) -> None:
    assert take_over(database, FEED, HOUR) is None
    cut_short = open_sweep(database, FEED, "run-1", 100)
    assert take_over(database, FEED, HOUR) == replace(cut_short, fence=2)
    assert take_over(database, OTHER, HOUR) is None
    tell(database, "UPDATE ops.sweeps SET started_at = started_at - interval '2 hours'")
    assert take_over(database, FEED, HOUR) is None
    newer = open_sweep(database, FEED, "run-2", 100)
    assert newer.sweep_id > cut_short.sweep_id, "sweep IDs sort by time"
    assert ask(database, "SELECT sweep_id, state, reason FROM ops.sweeps ORDER BY 1") == [
        (cut_short.sweep_id, "incomplete", "cut short"),
        (newer.sweep_id, "running", None),
    ]
    merge(database, newer, ["A"])
    assert take_over(database, FEED, HOUR) is None


def test_a_sweep_that_ended_in_a_sync_that_did_not_is_taken_over(database: Database) -> None:
    assert finished_sweep(database, FEED, HOUR, NOT_YET) is None
    result = sweep(database, ["A", "B"])
    assert finished_sweep(database, FEED, HOUR, NOT_YET) == result
    assert finished_sweep(database, OTHER, HOUR, NOT_YET) is None
    assert finished_sweep(database, FEED, timedelta(0), NOT_YET) is None
    tell(database, "INSERT INTO ops.syncs (run_id, started_at, ended_at, outcome) VALUES ('r', now(), now(), 'done')")
    assert finished_sweep(database, FEED, HOUR, NOT_YET) is None
    [(ended_at,)] = ask(database, "SELECT ended_at FROM ops.sweeps")
    assert finished_sweep(database, FEED, HOUR, since=ended_at) == result, "it is of just now, whosever it is"


def test_a_sweep_that_missed_something_once_is_not_the_last_word(database: Database) -> None:
    sweep(database, ["A", "B"])
    sweep(database, ["A"])
    assert finished_sweep(database, FEED, HOUR, NOT_YET) is None
    second = sweep(database, ["A"])
    assert finished_sweep(database, FEED, HOUR, NOT_YET) == second


def test_an_incomplete_sweep_is_not_taken_over_and_a_held_one_is(database: Database) -> None:
    sweep(database, ["A"], complete=False, reason="page 3 failed")
    assert finished_sweep(database, FEED, HOUR, NOT_YET) is None
    for seen in (["A", "B"], [], []):
        result = sweep(database, seen, is_held=over_a_fifth)
    assert result.state == "held"
    assert finished_sweep(database, FEED, HOUR, NOT_YET) == result
