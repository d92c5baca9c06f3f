"""What people are told of problems: one bounded message, in words, and posting it to DROPSHIP_ALERT_URL.

That address is a secret, for whoever has it can post there: it is never in a result, an exception or a log.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import requests
from pydantic import SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from dropship_pipeline.alibaba.redaction import blot, message
from dropship_pipeline.alibaba.transport import words_about
from dropship_pipeline.counting import counted
from dropship_pipeline.settings import Settings
from dropship_pipeline.storage.ops.alerts import Alert, Kind

LONGEST = 3500  # characters: Slack advises against more than 4,000
_CONNECT, _ANSWER = 5.0, 10.0  # seconds: a tick of a sensor has 60

_COUNTED = frozenset({Kind.RUN, Kind.CHECK})  # the others are looked at now and then: how often nobody knows

_MANY = {
    Kind.RUN: "failed runs",
    Kind.CHECK: "failed checks",
    Kind.HELD: "held feeds",
    Kind.ACCOUNT: "accounts",
    Kind.TICK: "failing schedules or sensors",
    Kind.WATCH: "watched products",
}


def fit(words: str, secrets: Iterable[str]) -> str:
    """Words of others, fit to be sent: one line, shortened, without any of `secrets` or what looks like one."""
    return message(blot(words, secrets))


def secrets_of(settings: Settings) -> list[str]:
    """Every secret that the settings hold."""
    found = [
        value.get_secret_value()
        for value in (getattr(settings, name) for name in type(settings).model_fields)
        if isinstance(value, SecretStr)
    ]
    if settings.database_url is not None:
        try:
            password = make_url(settings.database_url.get_secret_value()).password
        except ArgumentError:
            password = None
        found += [password] if password else []
    return found


def text_of(alerts: Sequence[Alert], now: datetime, ui_url: str) -> str:
    """The message: a headline, then a line each, what is new first, until it is long enough; then how many more."""
    groups = {
        "new": [
            alert for alert in alerts if alert.sent_at is None and alert.resolved_at is None and not _is_news(alert)
        ],
        "of watched products": [alert for alert in alerts if _is_news(alert)],
        "still there": [alert for alert in alerts if alert.sent_at is not None and alert.resolved_at is None],
        "over": [alert for alert in alerts if alert.resolved_at is not None],
    }
    counts = ", ".join(f"{len(group):,} {name}" for name, group in groups.items() if group)
    lines = [f"dropship_pipeline: {counts}"]
    length = len(lines[0])
    ordered = [alert for group in groups.values() for alert in group]
    for position, alert in enumerate(ordered):
        line = _line(alert, now, ui_url)
        length += len(line) + 1
        if length > LONGEST and position:
            lines.append(_more(ordered[position:], ui_url))
            break
        lines.append(line)
    return "\n".join(lines)


def _is_news(alert: Alert) -> bool:
    return alert.kind is Kind.WATCH


def _line(alert: Alert, now: datetime, ui_url: str) -> str:
    if _is_news(alert):
        return f"• {alert.title}: {alert.detail}"
    if alert.resolved_at is not None:
        return f"• Over after {_long(alert.resolved_at - alert.first_at)}{_often(alert)}: {alert.title}"
    link = f" → {ui_url.rstrip('/')}{alert.link}" if alert.link else ""
    told = f"{alert.title}: {alert.detail}{link}" if alert.detail else f"{alert.title}{link}"
    if alert.sent_at is None:
        return f"• New: {told}"
    how = "Comes and goes" if alert.returned else "Still"
    return f"• {how}, for {_long(now - alert.first_at)}{_often(alert)}: {told}"


def _more(left: Sequence[Alert], ui_url: str) -> str:
    kinds = Counter("over" if alert.resolved_at is not None else _MANY[alert.kind] for alert in left)
    what = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    where = [f"{ui_url.rstrip('/')}/runs"] if any(not _is_news(alert) for alert in left) else []
    where += ["dropship watch list"] if any(_is_news(alert) for alert in left) else []
    return f"… and {len(left):,} more ({what}): {', '.join(where)}"


def _often(alert: Alert) -> str:
    return f", {alert.count:,} times" if alert.count > 1 and alert.kind in _COUNTED else ""


def _long(lasted: timedelta) -> str:
    minutes = max(1, round(lasted.total_seconds() / 60))
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            return counted(minutes // size, unit)
    raise AssertionError  # a minute is the least


def post(url: SecretStr, text: str) -> str | None:
    """Post the text as Slack's incoming webhooks take it: `{"text": …}`. None, or why it was not taken.

    Certificates are checked, redirects are not followed: the address is to be what it says.
    """
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    try:
        with (
            _unlogged(),
            requests.post(
                url.get_secret_value(),
                json={"text": escaped},
                timeout=(_CONNECT, _ANSWER),
                allow_redirects=False,
                stream=True,  # what it says does not matter, and might have no end
            ) as response,
        ):
            status = response.status_code
    # neither the exceptions nor what caused them may be shown: they hold the address
    except requests.Timeout:
        return f"it did not answer within {_ANSWER:g} seconds"
    except requests.exceptions.SSLError:
        return "its certificate cannot be verified"
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
        return "it is no address of the kind https://host/path"
    except requests.RequestException as error:
        return f"it cannot be reached: {words_about(error)}"
    return None if 200 <= status < 300 else f"it answers with status {status}"


@contextmanager
def _unlogged() -> Iterator[None]:
    """Inside, this thread's requests are not logged: urllib3 tells the path at level DEBUG, here the secret part."""
    mine = threading.get_ident()

    def others(record: logging.LogRecord) -> bool:
        return record.thread != mine

    logger = logging.getLogger("urllib3.connectionpool")
    logger.addFilter(others)
    try:
        yield
    finally:
        logger.removeFilter(others)
