"""The cursor of the orders goes forward and never past what was seen; what cannot be read starts over."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropship_pipeline.orders.cursor import (
    FIRST_LOOK_BACK,
    OVERLAP,
    SETTLED,
    SHORTEST_WINDOW,
    Cursor,
    read_cursor,
    write_cursor,
)

NOW = datetime(2026, 1, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis adds the zone
windows = st.none() | st.timedeltas(SHORTEST_WINDOW, timedelta(days=900))


@given(moments, windows)
def test_what_is_written_is_read_again(since: datetime, window: timedelta | None) -> None:
    cursor = Cursor(since, window)
    assert read_cursor(write_cursor(cursor), datetime(2030, 1, 2, tzinfo=UTC)) == cursor


@pytest.mark.parametrize(
    "text",
    [
        None, "", "null", "[]", "7", '"x"', "{}", "{", '{"since": "yesterday", "window_s": null}',
        '{"since": "2026-01-20T00:00:00+00:00"}', '{"since": 7, "window_s": null}',
        '{"since": "2026-01-20T00:00:00+00:00", "window_s": "long"}',
        '{"since": "2026-01-20T00:00:00+00:00", "window_s": 1e300}',
        '{"since": "2026-01-20T00:00:00+00:00", "window_s": 0}',
        '{"since": "2026-01-20T00:00:00+00:00", "window_s": NaN}',
        '{"since": "9999-01-01T00:00:00+00:00", "window_s": null}',
        '{"since": "0001-01-01T00:00:00+00:00", "window_s": null}',
    ],
)  # fmt: skip
def test_a_cursor_that_cannot_be_read_or_is_of_the_future_starts_over(text: str | None) -> None:
    assert read_cursor(text, NOW) == Cursor(NOW - FIRST_LOOK_BACK)


def test_starting_over_after_a_long_time_begins_where_the_tables_end() -> None:
    long_ago = NOW - timedelta(days=40)
    assert read_cursor(None, NOW, long_ago) == Cursor(long_ago)
    assert read_cursor(None, NOW, NOW - HOUR) == Cursor(NOW - FIRST_LOOK_BACK)


def test_the_list_is_asked_with_an_overlap_and_without_an_end() -> None:
    assert Cursor(NOW - HOUR).bounds(NOW) == (NOW - HOUR - OVERLAP, None)


def test_a_reading_that_saw_changes_begins_next_time_at_the_newest() -> None:
    assert Cursor(NOW - HOUR).after(NOW, NOW - HOUR / 2, complete=True) == Cursor(NOW - HOUR / 2)


def test_a_reading_that_saw_nothing_or_only_what_it_knew_stays_where_it_was() -> None:
    for newest in (None, NOW - 2 * HOUR):
        assert Cursor(NOW - HOUR).after(NOW, newest, complete=True) == Cursor(NOW - HOUR)


def test_a_time_of_change_in_the_far_future_does_not_carry_the_cursor_away() -> None:
    assert Cursor(NOW - HOUR).after(NOW, datetime(9999, 1, 1, tzinfo=UTC), complete=True) == Cursor(NOW)


def test_what_could_not_be_read_in_the_time_is_read_in_windows_until_it_is_caught_up() -> None:
    """A gateway that can show no more than half a day of changes at a time."""
    cursor, covered, looks = Cursor(NOW - timedelta(days=7)), NOW - timedelta(days=7), 0
    while cursor.window is not None or looks == 0:
        looks += 1
        assert looks < 60
        since, until = cursor.bounds(NOW)
        complete = (until or NOW) - since <= timedelta(hours=12) + OVERLAP
        if complete:
            assert since <= covered, "nothing is left out between two windows"
            covered = until or NOW
        cursor = cursor.after(NOW, NOW, complete=complete)
    assert covered == NOW
    assert cursor == Cursor(NOW)


@given(moments, windows, st.none() | moments, st.booleans(), moments)
def test_a_cursor_never_goes_back_nor_past_the_present(
    since: datetime, window: timedelta | None, newest: datetime | None, complete: bool, now: datetime
) -> None:
    cursor = read_cursor(write_cursor(Cursor(since, window)), now)
    after = cursor.after(now, newest, complete=complete)
    assert cursor.since <= after.since <= now
    assert after.window is None or after.window >= SHORTEST_WINDOW
    start, end = cursor.bounds(now)
    assert start < cursor.since
    assert end is None or cursor.since < end <= now - SETTLED
    if not complete:
        assert after.since == cursor.since
