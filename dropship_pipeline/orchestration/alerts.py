"""The sensor that tells people what needs them: in the log, and at DROPSHIP_ALERT_URL.

A plain sensor over the event log, not a run-status sensor, which would take five runs a tick. What was noticed is
committed to `ops.alerts` before it is posted, and marked as told after that: a crash in between posts one message
again, and none is lost. Nothing is decided here; see `sync.alerts`.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.counting import counted
from dropship_pipeline.orchestration.event_pages import Cursor, read_cursor, read_pages
from dropship_pipeline.orchestration.noticing import notice, notice_ticks
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import Settings, load_settings
from dropship_pipeline.storage.ops.alerts import Alert, Kind, closed_accounts, held_feeds, load_alerts, save_alerts
from dropship_pipeline.storage.ops.watched import differences, note_told
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import hold
from dropship_pipeline.storage.server.opening import open_database
from dropship_pipeline.sync.alerts.messages import fit, post, secrets_of, text_of
from dropship_pipeline.sync.alerts.rules import (
    AGAIN_AFTER,
    Observation,
    Sighting,
    delivered,
    due,
    held_line,
    judged,
    standing,
    undelivered,
)
from dropship_pipeline.sync.alerts.watching import news

_EVERY = 30  # seconds
_BUDGET = 30.0  # seconds for reading: posting may take 15 more, and a tick has 60
_TICKS_EVERY = timedelta(minutes=5)
_FEEDS = [feed.key for feed in FEEDS]


class _Busy(Problem):
    """Another process evaluates the sensor."""


def alert_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor, running from the start where the settings say that schedules and sensors do."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedules else dg.DefaultSensorStatus.STOPPED,
        description="Tells people of failed runs and checks, held feeds, accounts to authorise again, and schedules "
        "that fail: once when it begins, daily while it lasts, once when it is over; and of watched products whose "
        "cost moved, whose stock is low, or that are gone. To the log, and to DROPSHIP_ALERT_URL where that is set.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        deadline, now = time.monotonic() + _BUDGET, load_settings()
        busy = _Busy("Another process looks for alerts", "Wait for the next tick")
        with closing(open_database(now)) as database:
            try:
                with hold(database, "alerts", timedelta(seconds=1), busy):
                    return _tick(context, now, database, deadline)
            except _Busy as problem:
                return dg.SkipReason(str(problem))

    return alerts


def _tick(
    context: dg.SensorEvaluationContext, settings: Settings, database: Database, deadline: float
) -> dg.SkipReason:
    now = datetime.now(UTC)
    alerts = load_alerts(database, since=now - 2 * AGAIN_AFTER)
    held = held_feeds(database, _FEEDS)
    states = standing(held, closed_accounts(database))
    lines = [held_line(feed) for feed in held]
    events, cursor = _events(context, alerts, lines, now, deadline)
    found = differences(database)

    secrets = secrets_of(settings)
    changed = judged(
        alerts,
        [_fit(event, secrets) if isinstance(event, Sighting) else event for event in (*events, *news(found, now))],
        [_fit(state, secrets) for state in states],
        now,
    )
    save_alerts(database, changed)
    context.update_cursor(cursor.text())
    # after it is sure to be told: whoever is killed in between finds the same news again, which replaces itself
    note_told(database, found, now)

    by_key = {alert.key: alert for alert in (*alerts, *changed)}
    to_tell = due(by_key.values(), now)
    if not to_tell:
        lasting = sum(alert.resolved_at is None for alert in by_key.values())
        return dg.SkipReason(f"Nothing new to tell; {counted(lasting, 'known problem lasts', 'known problems last')}")
    return dg.SkipReason(_tell(context, settings, database, to_tell))


def _events(
    context: dg.SensorEvaluationContext, alerts: Sequence[Alert], lines: Sequence[str], now: datetime, deadline: float
) -> tuple[list[Observation], Cursor]:
    pages = read_pages(context.instance, read_cursor(context.cursor, now), now)
    watched = any(alert.kind is Kind.RUN and alert.resolved_at is None for alert in alerts)
    noticed = notice(context.instance, pages, runs_are_watched=watched, told_anyway=lines, deadline=deadline)
    cursor = pages.cursor(noticed.done)
    if now - cursor.ticks_at < _TICKS_EVERY:
        return noticed.observations, cursor
    return [*noticed.observations, *notice_ticks(context.instance, now)], replace(cursor, ticks_at=now)


def _fit(seen: Sighting, secrets: Sequence[str]) -> Sighting:
    return replace(seen, title=fit(seen.title, secrets), detail=fit(seen.detail, secrets))


def _tell(context: dg.SensorEvaluationContext, settings: Settings, database: Database, alerts: Sequence[Alert]) -> str:
    now = datetime.now(UTC)
    unheard = [alert for alert in alerts if not alert.attempts]
    if unheard:
        lasts = any(alert.resolved_at is None and alert.kind is not Kind.WATCH for alert in unheard)
        (context.log.error if lasts else context.log.info)(text_of(unheard, now, settings.ui_url))
    refused = None
    if settings.alert_url is not None:
        refused = post(settings.alert_url, text_of(alerts, now, settings.ui_url))
    if refused is None:
        save_alerts(database, [delivered(alert, now) for alert in alerts])
        return f"Told of {len(alerts):,} in one message"
    kept = [undelivered(alert, now) for alert in alerts]
    save_alerts(database, kept)
    next_try = min(alert.next_at for alert in kept if alert.next_at is not None)
    said = (
        f"{counted(len(alerts), 'alert')} could not be posted to DROPSHIP_ALERT_URL: {refused}. Kept, to be posted "
        f"again from {next_try:%H:%M} UTC on; if that goes on, correct DROPSHIP_ALERT_URL"
    )
    context.log.error(said)
    return said
