"""`dropship status`: how true the tables are."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.show import age, show_facts, show_json, show_table

if TYPE_CHECKING:
    from dropship_pipeline.sync.checks.status import Status

UNLIMITED = 100_000.0  # calls a second that nobody reaches: the simulated Alibaba.com has no limit

_ORIGINS = {"simulated": "the simulated Alibaba.com", "alibaba": "Alibaba.com"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
def status(as_json: bool) -> None:
    """How true the tables are: feeds, ages, accounts, last sync. Reads Postgres only, and makes no call.

    \b
    dropship status
    dropship status --json | jq .last_sync.outcome
    """
    from dataclasses import asdict  # noqa: PLC0415
    from datetime import UTC  # noqa: PLC0415

    from dropship_pipeline.catalog.destinations import parse_destinations  # noqa: PLC0415
    from dropship_pipeline.cli.database import NothingYet, open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.checks.status import Status, read_status  # noqa: PLC0415

    settings = load_settings()
    destinations = parse_destinations(settings.destinations)
    try:
        found = read_status(open_tables(settings), destinations)
    except NothingYet as nothing:
        found = Status(now=datetime.now(UTC))
        if not as_json:
            click.echo(str(nothing))
            return
    if as_json:
        show_json(asdict(found))
    else:
        _show(found)


def _show(found: "Status") -> None:
    from dropship_pipeline.alibaba.tokens import login_command  # noqa: PLC0415

    show_table(
        ("feed", "listed", "last sweep", "when", "complete", "why not"),
        [
            (f.feed, f.listed, f.last_sweep, age(f.last_swept_at, found.now), age(f.completed_at, found.now), f.reason)
            for f in found.feeds
        ],
        title="Feeds",
    )
    show_table(
        ("kind", "on offer", "never read", "due again", "refused", "rejected", "oldest"),
        [
            (k.kind, k.on_offer, k.unread, k.stale, k.refused, k.rejected, age(k.oldest_at, found.now))
            for k in found.kinds
        ],
        title="What is read of each product",
    )
    if found.accounts:
        show_table(
            ("account", "state", "access token until", "refresh token until", "why"),
            [
                (a.account, a.state, a.access_token_expires_at, a.refresh_token_expires_at, a.reason)
                for a in found.accounts
            ],
            title="Accounts",
        )
    rate = found.calls_per_second
    published = "none" if found.snapshot is None else f"{found.snapshot}, {age(found.published_at, found.now)} ago"
    show_facts(
        {
            "Catalogue of": _ORIGINS.get(found.origin or "", found.origin),
            "Products on offer": found.products,
            "Rejected records": found.rejected_records,
            "Last sync": _last_sync(found),
            "Snapshot": published,
            "Calls a second": None if rate is None else "no limit" if rate >= UNLIMITED else rate,
        }
    )
    for problem in found.last_sync.problems if found.last_sync else ():
        click.echo(f"Left to do: {problem}.")
    for account in found.accounts:
        if account.state != "active":
            click.echo(f"Account {account.account} has to be authorised again: {login_command(account.account)}")
    if found.last_sync is None:
        click.echo("Nothing has been synced yet: dropship sync")


def _last_sync(found: "Status") -> str:
    last = found.last_sync
    if last is None:
        return "never"
    if last.ended_at is None:
        return f"began {age(last.started_at, found.now)} ago and has not ended; if it was killed, the next one goes on"
    return f"{last.outcome}, {age(last.ended_at, found.now)} ago"
