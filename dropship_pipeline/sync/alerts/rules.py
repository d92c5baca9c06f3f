"""Which problems are new, which last, which are over, and when people are told: pure rules, no I/O, no Dagster.

Told once when it begins; again at most once a day, while it lasts; once when it is over. Of a problem that comes and
goes the end is told when it has been well for a day. What was over before anybody was told of it is not told at all.

News of watched products is no problem: it is told once, each time there is some, and nothing is ever over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dropship_pipeline.alibaba.tokens import login_command
from dropship_pipeline.catalog.feeds import FEEDS_BY_KEY
from dropship_pipeline.storage.ops.alerts import Alert, ClosedAccount, HeldFeed, Kind
from dropship_pipeline.sync.summary import FeedOutcome, FeedState, SyncSummary

AGAIN_AFTER = timedelta(days=1)
"""How long a problem that was told is left alone, and how long one that comes and goes has to stay away."""

FORGOTTEN_AFTER = timedelta(days=14)
"""When a failed run or check that nobody repeated is let go without a word."""

_STANDING = frozenset({Kind.HELD, Kind.ACCOUNT})  # states, not events: each lasts until somebody does something
# events that are seen once; a tick that failed is seen until another one ends
_ONCE = frozenset({Kind.RUN, Kind.CHECK})
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)

_RANGE = "..."
_FEED_ORDER = {key: position for position, key in enumerate(FEEDS_BY_KEY)}


@dataclass(frozen=True, slots=True)
class Sighting:
    """A problem was seen at `at` (UTC); the other columns are those of `ops.alerts`.

    `wait`: how long to hold it back, for what may mend itself.
    """

    kind: Kind
    key: str
    subject: str
    title: str
    detail: str
    at: datetime
    partitions: str = ""
    link: str = ""
    wait: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Success:
    """These subjects went well at `at` (UTC), for these partitions: what was wrong with them before is over."""

    subjects: frozenset[str]
    at: datetime
    partitions: str = ""


Observation = Sighting | Success


def partition_range(first: str, last: str) -> str:
    """The partitions from `first` to `last`, as the column `partitions` has them: `first...last`, or just one."""
    return first if first == last else f"{first}{_RANGE}{last}"


def standing(held: Sequence[HeldFeed], closed: Sequence[ClosedAccount]) -> list[Sighting]:
    """Held feeds and closed accounts, as problems that are seen now."""
    feeds = [
        Sighting(
            Kind.HELD,
            f"held:{feed.feed}",
            f"feed {feed.feed}",
            f"Feed {feed.feed} is held",
            f"{held_line(feed).removeprefix(f'Feed {feed.feed} is held: ')}.",
            feed.ended_at,
        )
        for feed in held
    ]
    accounts = [
        Sighting(
            Kind.ACCOUNT,
            f"account:{account.account}",
            f"account {account.account}",
            f"Account {account.account} has to be authorised again",
            f"{account.reason.rstrip('.') or 'Alibaba.com refuses its tokens'}. "
            f"Log in: {login_command(account.account)}.",
            account.since,
        )
        for account in closed
    ]
    return feeds + accounts


def held_line(feed: HeldFeed) -> str:
    """The line that a sync says of a held feed."""
    outcome = FeedOutcome(feed.feed, FeedState.HELD, 0, 0, 0, 0, 0, 0, reason=feed.reason)
    [line] = SyncSummary("", feeds=[outcome]).problems
    return line


def is_explained(words: str, lines: Iterable[str]) -> bool:
    """Whether `words`, several problems in a row, say nothing beyond these `lines`, of which people are told anyway."""
    left = words
    for line in sorted(lines, key=len, reverse=True):
        left = left.replace(line.rstrip("."), "")
    return bool(words) and not left.strip("; .")


def judged(
    alerts: Iterable[Alert], events: Iterable[Observation], states: Sequence[Sighting], now: datetime
) -> list[Alert]:
    """The alerts that are new or changed, given what was seen.

    `events`: what happened since the last time, in order; what is known already is passed over, so that it may be told
    twice. `states`: all standing problems as they are now; those that are not there any more are over.
    """
    before = {alert.key: alert for alert in alerts}
    found = dict(before)
    for event in (*events, *states):
        if isinstance(event, Sighting) and event.kind is Kind.WATCH:
            found[event.key] = _newest(found.get(event.key), event, now)
        elif isinstance(event, Sighting):
            found[event.key] = _seen(found.get(event.key), event, now)
        else:
            for key, alert in found.items():
                if alert.subject in event.subjects and _covers(event, alert) and event.at > alert.last_at:
                    found[key] = _over(alert, event.at, now)
    present = {state.key for state in states}
    for key, alert in found.items():
        if alert.kind in _STANDING and key not in present:
            found[key] = _over(alert, now, now)
        elif _is_forgotten(alert, now):
            found[key] = replace(alert, resolved_at=now, next_at=None)
    return [alert for key, alert in found.items() if alert != before.get(key)]


def _first(seen: Sighting, next_at: datetime) -> Alert:
    return Alert(
        key=seen.key,
        kind=seen.kind,
        subject=seen.subject,
        partitions=seen.partitions,
        title=seen.title,
        detail=seen.detail,
        link=seen.link,
        first_at=seen.at,
        last_at=seen.at,
        next_at=next_at,
    )


def _seen(alert: Alert | None, seen: Sighting, now: datetime) -> Alert:
    first_word = now + seen.wait
    if alert is None or (alert.resolved_at is not None and seen.at - alert.resolved_at > AGAIN_AFTER):
        return _first(seen, first_word)
    if _is_old_news(alert, seen):
        return alert
    again = replace(
        alert,
        title=seen.title,
        detail=seen.detail,
        link=seen.link,
        last_at=seen.at,
        count=alert.count + 1,
        resolved_at=None,
    )
    if alert.attempts:
        return again  # it waits to be delivered
    if alert.sent_at is None:
        return replace(again, next_at=first_word if alert.next_at is None else min(alert.next_at, first_word))
    reminder = alert.sent_at + AGAIN_AFTER
    if alert.resolved_at is None or alert.next_at is not None:
        return replace(again, next_at=reminder)
    # people were told that it was over
    return replace(again, returned=alert.returned + 1, next_at=first_word if alert.returned == 0 else reminder)


def _newest(alert: Alert | None, seen: Sighting, now: datetime) -> Alert:
    """News takes the place of what was told before, and of what was not told yet: the newest of a product wins."""
    if alert is None:
        return _first(seen, now)
    next_at = alert.next_at if alert.attempts and alert.next_at is not None else now
    return replace(_first(seen, next_at), first_at=alert.first_at, count=alert.count + 1, attempts=alert.attempts)


def _is_old_news(alert: Alert, seen: Sighting) -> bool:
    if alert.kind in _STANDING:  # as it is now, whatever the clocks of different machines say
        return alert.resolved_at is None and seen.at <= alert.last_at
    return seen.at <= max(alert.last_at, alert.resolved_at or alert.last_at)


def _over(alert: Alert, at: datetime, now: datetime) -> Alert:
    if alert.resolved_at is not None:
        return alert
    if not alert.told:
        next_at = None
    elif alert.attempts:
        next_at = alert.next_at
    else:
        next_at = now + AGAIN_AFTER if alert.returned else now
    return replace(alert, resolved_at=at, next_at=next_at)


def _is_forgotten(alert: Alert, now: datetime) -> bool:
    if alert.resolved_at is not None or alert.kind in _STANDING or alert.attempts:
        return False
    if alert.kind in _ONCE and not alert.told:  # seen that late, and told all the same
        return False
    return now - alert.last_at > FORGOTTEN_AFTER


def _covers(success: Success, alert: Alert) -> bool:
    """Whether what went well is at least what went wrong."""
    if not alert.partitions or success.partitions == alert.partitions:
        return True
    if not success.partitions:
        # a check that can be made without partitions is about the whole table
        return alert.kind is Kind.CHECK
    (first, last), (wrong_first, wrong_last) = (_ends(told.partitions) for told in (success, alert))
    return first <= wrong_first and wrong_last <= last


def _ends(partitions: str) -> tuple[tuple[int, str], tuple[int, str]]:
    """The first and last partition, comparable: feeds in their own order, days and the like by name."""
    first, _, last = partitions.partition(_RANGE)
    return (_FEED_ORDER.get(first, -1), first), (_FEED_ORDER.get(last or first, -1), last or first)


def due(alerts: Iterable[Alert], now: datetime) -> list[Alert]:
    """What is to be told now; once anything is, everything that could not be delivered before goes with it."""
    waiting = [alert for alert in alerts if alert.next_at is not None]
    if not any(alert.next_at is not None and alert.next_at <= now for alert in waiting):
        return []
    return [alert for alert in waiting if alert.attempts or (alert.next_at is not None and alert.next_at <= now)]


def delivered(alert: Alert, now: datetime) -> Alert:
    """The alert after it was told: a standing problem is told again in a day, another when it is seen again.

    News is done with when it was told.
    """
    if alert.kind is Kind.WATCH:
        return replace(alert, sent_at=now, attempts=0, next_at=None, resolved_at=now)
    lasts = alert.resolved_at is None and alert.kind in _STANDING
    return replace(alert, sent_at=now, attempts=0, next_at=now + AGAIN_AFTER if lasts else None)


def undelivered(alert: Alert, now: datetime) -> Alert:
    """The alert after telling it failed: tried again after a minute, then less and less often, hourly at last."""
    pause = min(_FIRST_PAUSE * 2 ** min(alert.attempts, 10), _LONGEST_PAUSE)
    return replace(alert, attempts=alert.attempts + 1, next_at=now + pause)
