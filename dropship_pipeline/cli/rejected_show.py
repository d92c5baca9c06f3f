"""Records that could not be read, as people and machines are shown them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.show import show_facts, show_table

if TYPE_CHECKING:
    from dropship_pipeline.storage.catalog.rejects import Reject

_COLUMNS = ("kind", "record", "account", "reason", "attempts", "first", "last", "discarded by", "message")


def show_records(records: "Sequence[Reject]", title: str = "Records") -> None:
    """A table, a record a row."""
    show_table(
        _COLUMNS,
        [
            (
                one.kind,
                one.name,
                one.account,
                one.reason,
                one.attempts,
                one.first_seen_at,
                one.last_seen_at,
                one.discarded_by,
                one.message,
            )
            for one in records
        ],
        title=title,
    )


def show_record(one: "Reject", landed_at: str | None, payload: str | None) -> None:
    """All of one record, its payload indented. `landed_at`: where its answer lies."""
    show_facts(
        {
            "Record": f"{one.kind} {one.name}",
            "Account": one.account,
            "Reason": one.reason,
            "Message": one.message,
            "Attempts": one.attempts,
            "First": one.first_seen_at,
            "Last": one.last_seen_at,
            "Landed in": landed_at,
            "Discarded": one.discarded_at,
            "Discarded by": one.discarded_by,
        }
    )
    if payload is None:
        click.echo("The answer is not kept\n")
    else:
        click.echo(f"\n{json.dumps(decoded(payload), indent=2, ensure_ascii=False)}\n")


def document(one: "Reject") -> dict[str, object]:
    """For machines."""
    return {"record": one.name, **asdict(one)}


def decoded(payload: str) -> object:
    """The JSON of a payload; one that had to be cut off is a text."""
    try:
        return json.loads(payload)
    except ValueError:
        return payload
