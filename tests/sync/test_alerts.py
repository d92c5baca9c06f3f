"""When people are told of a problem: once, daily while it lasts, once when it is over. No clock, no database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from dropship_pipeline.storage.ops.alerts import Alert, ClosedAccount, HeldFeed, Kind
from dropship_pipeline.sync.alerts.rules import (
    FORGOTTEN_AFTER,
    Observation,
    Sighting,
    Success,
    delivered,
    due,
    held_line,
    is_explained,
    judged,
    partition_range,
    standing,
    undelivered,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Watch:
    """Somebody who is told: keeps the alerts as the table would, and what was told when."""

    def __init__(self, *, delivers: bool = True) -> None:
        self.alerts: dict[str, Alert] = {}
        self.delivers = delivers

    def tick(self, after: timedelta, *events: Observation, states: Sequence[Sighting] = ()) -> list[str]:
        """What is told at this tick, as `new`, `still` and `over` with the key."""
        now = START + after
        self.alerts |= {alert.key: alert for alert in judged(self.alerts.values(), events, states, now)}
        told = []
        for alert in due(self.alerts.values(), now):
            what = "over" if alert.resolved_at else "new" if alert.sent_at is None else "still"
            told.append(f"{what} {alert.key}")
            self.alerts[alert.key] = delivered(alert, now) if self.delivers else undelivered(alert, now)
        return told


def failure(
    after: timedelta, step: str = "quote", partitions: str = "", wait: timedelta = timedelta(0), kind: Kind = Kind.RUN
) -> Sighting:
    subject = f"step {step}" if kind is Kind.RUN else f"{kind.value} {step}"
    key = f"{kind.value}:{step}:{partitions}"
    return Sighting(kind, key, subject, f"{step} fails", "why", START + after, partitions, wait=wait)


def success(after: timedelta, *subjects: str, partitions: str = "") -> Success:
    return Success(frozenset(subjects or ("step quote",)), START + after, partitions)


def held(after: timedelta) -> list[Sighting]:
    return standing([HeldFeed("local_us", START + after, "it would end 30 of 100 memberships")], [])


def test_a_failed_run_is_told_once_and_its_recovery_once() -> None:
    watch = Watch()
    assert watch.tick(MINUTE, failure(MINUTE)) == ["new run:quote:"]
    assert watch.tick(2 * MINUTE) == []
    assert watch.tick(HOUR, success(HOUR)) == ["over run:quote:"]
    assert watch.tick(2 * HOUR, success(2 * HOUR)) == []


def test_a_run_that_fails_every_hour_is_told_once_a_day_with_how_often() -> None:
    watch = Watch()
    told = {hour: watch.tick(hour * HOUR, failure(hour * HOUR)) for hour in range(60)}
    assert {hour: words for hour, words in told.items() if words} == {
        0: ["new run:quote:"],
        24: ["still run:quote:"],
        48: ["still run:quote:"],
    }
    [alert] = watch.alerts.values()
    assert (alert.count, alert.first_at, alert.last_at) == (60, START, START + 59 * HOUR)


def test_a_run_that_failed_and_is_not_repeated_is_told_once_and_forgotten_in_the_end() -> None:
    watch = Watch()
    watch.tick(MINUTE, failure(MINUTE))
    for day in range(1, 30):
        assert watch.tick(day * DAY) == []
    [alert] = watch.alerts.values()
    assert alert.resolved_at is not None
    assert alert.resolved_at - alert.last_at > FORGOTTEN_AFTER
    # and when it fails again it is new
    assert watch.tick(31 * DAY, failure(31 * DAY)) == ["new run:quote:"]


@pytest.mark.parametrize("kind", [Kind.RUN, Kind.CHECK])
def test_what_is_seen_very_late_is_told_and_then_let_go(kind: Kind) -> None:
    watch = Watch()
    assert watch.tick(15 * DAY, failure(MINUTE, kind=kind)) == [f"new {kind.value}:quote:"]
    assert watch.tick(16 * DAY) == []
    assert watch.alerts[f"{kind.value}:quote:"].resolved_at is not None


def test_what_was_over_before_anybody_was_told_is_not_told() -> None:
    watch = Watch()
    assert watch.tick(HOUR, failure(MINUTE), success(2 * MINUTE)) == []
    assert watch.tick(2 * HOUR, success(61 * MINUTE)) == []


def test_events_that_are_told_twice_change_nothing() -> None:
    watch = Watch()
    events = [failure(MINUTE), failure(2 * MINUTE), success(3 * MINUTE), failure(4 * MINUTE)]
    watch.tick(5 * MINUTE, *events)
    before = dict(watch.alerts)
    assert watch.tick(6 * MINUTE, *events) == []
    assert watch.alerts == before


def test_a_crash_that_dagster_repeats_by_itself_is_told_only_if_that_does_not_help() -> None:
    mended = Watch()
    assert mended.tick(MINUTE, failure(MINUTE, wait=15 * MINUTE)) == []
    assert mended.tick(20 * MINUTE, success(14 * MINUTE)) == []

    never_repeated = Watch()
    assert never_repeated.tick(MINUTE, failure(MINUTE, wait=15 * MINUTE)) == []
    assert never_repeated.tick(17 * MINUTE) == ["new run:quote:"]

    failed_again = Watch()
    failed_again.tick(MINUTE, failure(MINUTE, wait=15 * MINUTE))
    assert failed_again.tick(5 * MINUTE, failure(5 * MINUTE)) == ["new run:quote:"]


def test_a_held_feed_is_told_daily_until_it_is_let_through() -> None:
    watch = Watch()
    told = {minute: watch.tick(minute * MINUTE, states=held(MINUTE)) for minute in range(1, 3000, 10)}
    assert [minute for minute, words in told.items() if words] == [1, 1441, 2881]
    assert told[1441] == ["still held:local_us"]
    [alert] = watch.alerts.values()
    assert "dropship sync --feed local_us --let-through" in alert.detail
    assert watch.tick(3000 * MINUTE) == ["over held:local_us"]


def test_a_state_that_is_back_is_believed_whatever_another_machines_clock_says() -> None:
    watch = Watch()
    watch.tick(HOUR, states=held(MINUTE))
    assert watch.tick(2 * HOUR) == ["over held:local_us"]
    assert watch.tick(3 * HOUR, states=held(119 * MINUTE)) == ["still held:local_us"]


def test_an_account_is_named_as_it_is_named_here_with_what_to_do() -> None:
    [seen] = standing([], [ClosedAccount("default", START, "the refresh token has ended.")])
    assert seen.key == "account:default"
    assert seen.detail == "the refresh token has ended. Log in: dropship auth login."
    [other] = standing([], [ClosedAccount("shop", START, "")])
    assert other.detail == "Alibaba.com refuses its tokens. Log in: dropship auth login --account shop."


def test_a_problem_that_comes_and_goes_does_not_cry_each_time() -> None:
    watch = Watch()
    told = []
    for round_ in range(48):  # fails and recovers every hour for two days
        told += watch.tick(round_ * HOUR, failure(round_ * HOUR))
        told += watch.tick(round_ * HOUR + 30 * MINUTE, success(round_ * HOUR + 30 * MINUTE))
    assert told == ["new run:quote:", "over run:quote:", "still run:quote:", "still run:quote:"]
    # well for a day: that is worth telling
    assert watch.tick(60 * HOUR) == []
    assert watch.tick(72 * HOUR) == ["over run:quote:"]
    assert watch.tick(100 * HOUR) == []


@pytest.mark.parametrize(
    ("wrong", "well", "covered"),
    [
        ("us_fast_48h", "us_standard...cross_border", True),
        ("us_standard...us_fast_48h", "us_standard...us_fast_48h", True),
        ("us_standard...us_fast_48h", "us_fast_48h", False),
        # in the order of the feeds, not of the alphabet
        ("us_standard...cross_border", "cross_border_us...us_top_sellers", False),
        ("2026-02-27", "2026-02-01...2026-02-28", True),
        ("2026-02-27", "2026-02-28", False),
        ("us_standard", "", False),
        ("", "us_standard", True),
    ],
)
def test_a_run_is_over_when_its_step_went_well_for_all_partitions(wrong: str, well: str, *, covered: bool) -> None:
    watch = Watch()
    watch.tick(MINUTE, failure(MINUTE, partitions=wrong))
    told = watch.tick(HOUR, success(HOUR, "step quote", "step publish", partitions=well))
    assert told == ([f"over run:quote:{wrong}"] if covered else [])


def test_a_success_of_another_step_or_from_before_mends_nothing() -> None:
    watch = Watch()
    watch.tick(HOUR, failure(HOUR))
    assert watch.tick(2 * HOUR, success(2 * HOUR, "step publish")) == []
    assert watch.tick(3 * HOUR, success(MINUTE)) == []


def test_a_check_that_was_made_without_partitions_is_about_the_whole_table() -> None:
    watch = Watch()
    watch.tick(MINUTE, failure(MINUTE, "prices", "us_standard", kind=Kind.CHECK))
    assert watch.tick(HOUR, success(HOUR, "check prices")) == ["over check:prices:us_standard"]


def test_what_could_not_be_delivered_is_tried_less_and_less_often_and_never_given_up() -> None:
    watch = Watch(delivers=False)
    tries = [second for second in range(0, 6 * 3600, 30) if watch.tick(timedelta(seconds=second), failure(-MINUTE))]
    assert tries[:4] == [0, 60, 180, 420]
    assert all(later - earlier <= 3600 for earlier, later in pairwise(tries))
    assert 8 <= len(tries) <= 14
    watch.delivers = True
    assert watch.tick(7 * HOUR) == ["new run:quote:"]
    assert watch.tick(8 * HOUR) == []


def test_what_was_over_before_it_could_be_delivered_is_told_all_the_same() -> None:
    watch = Watch(delivers=False)
    watch.tick(MINUTE, failure(MINUTE))
    watch.tick(5 * MINUTE, success(5 * MINUTE))
    watch.delivers = True
    assert watch.tick(HOUR) == ["over run:quote:"]
    assert watch.tick(2 * HOUR) == []


def test_once_something_is_told_everything_that_could_not_be_delivered_goes_with_it() -> None:
    watch = Watch(delivers=False)
    for after in range(0, 120, 10):
        watch.tick(after * MINUTE, *([failure(timedelta(0))] if after == 0 else []))
    watch.delivers = True
    assert watch.tick(121 * MINUTE, failure(121 * MINUTE, "publish")) == ["new run:quote:", "new run:publish:"]


def test_only_what_changed_is_written() -> None:
    watch = Watch()
    watch.tick(MINUTE, failure(MINUTE), states=held(MINUTE))
    assert judged(watch.alerts.values(), [failure(MINUTE)], held(MINUTE), START + HOUR) == []


def test_words_that_other_alerts_say_already_are_no_alert_of_their_own() -> None:
    line = held_line(HeldFeed("local_us", START, "it would end 30 of 100 memberships"))
    other = "Feed cross_border could not be completed: Alibaba.com did not answer; it was down. Run the sync again"
    assert is_explained(line, [line])
    assert is_explained(f"{line}; {other}.", [line, other])
    assert not is_explained(f"{line}; {other}", [line])
    assert not is_explained("", [line])
    assert not is_explained(other, [])


def test_one_partition_is_no_range() -> None:
    assert partition_range("local_us", "local_us") == "local_us"
    assert partition_range("", "") == ""
    assert partition_range("us_standard", "local_us") == "us_standard...local_us"


def test_a_problem_that_is_seen_again_is_told_in_its_newest_words() -> None:
    watch = Watch()
    watch.tick(MINUTE, failure(MINUTE))
    watch.tick(HOUR, replace(failure(HOUR), detail="why now", link="/runs/2"))
    [alert] = watch.alerts.values()
    assert (alert.detail, alert.link, alert.count) == ("why now", "/runs/2", 2)
