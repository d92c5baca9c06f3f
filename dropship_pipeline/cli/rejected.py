"""`dropship rejected`: the records that could not be read, looked at, read again, given up."""

import getpass
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.options import AGE
from dropship_pipeline.cli.rejected_show import decoded, document, show_record, show_records
from dropship_pipeline.cli.show import show_json, show_line, show_table
from dropship_pipeline.counting import counted
from dropship_pipeline.problem import Problem

if TYPE_CHECKING:
    from dropship_pipeline.storage.catalog.rejects import Chosen, Reject

KINDS = ("description", "inventory", "freight", "listing", "order")


class ReasonType(click.ParamType[str]):
    """The code of a reason."""

    name = "reason"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it."""
        from dropship_pipeline.alibaba.reasons import REASONS  # noqa: PLC0415  --help must not wait for it

        if str(value) not in REASONS:
            self.fail(f"There is no reason {str(value)!r}. Choose among {', '.join(REASONS)}.", param, ctx)
        return str(value)


_keys = click.argument("keys", nargs=-1, metavar="[KEY]...")
_kind = click.option(
    "--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only records of this kind; may be repeated."
)
_reason = click.option(
    "--reason",
    "reasons",
    type=ReasonType(),
    multiple=True,
    metavar="CODE",
    help="Only records with this reason; may be repeated.",
)
_all = click.option("--all", "everything", is_flag=True, help="Every record that is not discarded.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")


@click.group()
def rejected() -> None:
    """Records that could not be read: list, show, retry, discard.

    Each is a product's description, stock or freight, a page of a listing, or an order, whose last answer could not be
    read. What the tables knew of it stands. It is read again when it is due or Alibaba.com says that it changed, and is
    gone from here once that went well. Push messages have a list of their own: `dropship webhooks dead`.

    The reasons, which stay as they are:

    \b
    not_an_object   something else stands where an object is due
    not_a_list      something else stands where a list is due
    no_product_id   a description does not say of which product it is
    other_product   a description is of another product than was asked for
    no_product_ids  a page of a listing has entries, and no product ID in any
    no_levels       stock lists levels, and none can be read
    no_options      freight lists options, and none can be read
    other_order     an order is another one than was asked for
    not_storable    it was read well, and is more than Postgres can store
    """


@rejected.command("list")
@_kind
@_reason
@click.option("--since", type=AGE, metavar="AGE", help="Only records that were answered in this time: 24h, 7d.")
@click.option("--discarded", is_flag=True, help="Those that were discarded, instead of those that were not.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Show at most so many.")
@_json
def list_(
    kinds: tuple[str, ...],
    reasons: tuple[str, ...],
    since: timedelta | None,
    discarded: bool,
    limit: int,
    as_json: bool,
) -> None:
    """How many there are of which reason, and those whose last answer is newest.

    \b
    dropship rejected list
    dropship rejected list --kind freight --since 24h
    dropship rejected list --reason other_product --json
    """
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.catalog.rejects import Chosen, count_rejects, list_rejects  # noqa: PLC0415

    database = open_tables(load_settings())
    after = None if since is None else datetime.now(UTC) - since
    chosen = Chosen(kinds=kinds, reasons=reasons, since=after, discarded=discarded)
    counts, found = count_rejects(database, chosen), list_rejects(database, chosen, limit)
    if as_json:
        show_json({"reasons": [asdict(count) for count in counts], "records": [document(one) for one in found]})
        return
    if not found:
        show_line("No record is discarded" if discarded else "Every record could be read", "bold green")
        return
    show_table(
        ("kind", "reason", "records", "attempts", "first", "last"),
        [(c.kind, c.reason, c.records, c.attempts, c.first_seen_at, c.last_seen_at) for c in counts],
        title="Reasons",
    )
    show_records(found)
    more = sum(count.records for count in counts) - len(found)
    if more:
        click.echo(f"{more:,} more: --limit shows them")
    click.echo("Next: dropship rejected show KEY, or dropship rejected retry --all")


@rejected.command()
@click.argument("key")
@_kind
@_json
def show(key: str, kinds: tuple[str, ...], as_json: bool) -> None:
    """All that is known of one record, with what was answered: without secrets, and shortened where it is long.

    KEY is as `list` shows it: a product ID, which stands for every kind and destination, `ID to US`, an order ID, or
    feed:page. Of an order the answer is not kept: it names people.

    \b
    dropship rejected show 1601206892606
    dropship rejected show "1601206892606 to US" --json
    """
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.catalog.rejects import Chosen, list_rejects, rejected_payload  # noqa: PLC0415
    from dropship_pipeline.storage.lake.place import Lake  # noqa: PLC0415
    from dropship_pipeline.sync.rejected import landed_payload  # noqa: PLC0415

    settings = load_settings()
    database, lake = open_tables(settings), Lake(settings.lake_url)
    found = list_rejects(database, Chosen(keys=(key,), kinds=kinds, discarded=None))
    if not found:
        raise _unknown([key])
    payloads = [rejected_payload(database, one) or landed_payload(lake, one) for one in found]
    if as_json:
        show_json([
            document(one) | {"payload": None if payload is None else decoded(payload)}
            for one, payload in zip(found, payloads, strict=True)
        ])  # fmt: skip
        return
    for one, payload in zip(found, payloads, strict=True):
        show_record(one, None if one.raw_file is None else lake.at(one.raw_file), payload)


@rejected.command()
@_keys
@_kind
@_reason
@_all
@click.option("--landed", is_flag=True, help="From the landed answers alone: ask nothing of the API.")
@_json
def retry(
    keys: tuple[str, ...],
    kinds: tuple[str, ...],
    reasons: tuple[str, ...],
    everything: bool,
    landed: bool,
    as_json: bool,
) -> int:
    """Read records again: their landed answers first, and from the API what those do not settle.

    For after an upgrade, which may read what the version before could not, and for when Alibaba.com has mended
    something. A record that was discarded is retried when it is named, and counts again if it still cannot be read.

    \b
    dropship rejected retry 1601206892606
    dropship rejected retry --reason not_a_list --landed
    dropship rejected retry --all
    """
    from dropship_pipeline.cli.bars import watcher  # noqa: PLC0415
    from dropship_pipeline.cli.database import require_server  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    chosen = _chosen(keys, kinds, reasons, everything=everything)
    require_server(settings)
    with watcher(plain=as_json) as progress:
        from dropship_pipeline.storage.catalog.rejects import list_rejects, take_back  # noqa: PLC0415
        from dropship_pipeline.sync.rejected import retry_landed  # noqa: PLC0415
        from dropship_pipeline.sync.session import open_store  # noqa: PLC0415

        with open_store(settings, "cli", progress) as store:
            asked = list_rejects(store.database, chosen)
            _require_all(keys, asked)
            take_back(store.database, chosen)
            left = retry_landed(store, asked)
    from_landed = len(asked) - len(left)
    problems: list[str] = []
    if left and not landed:
        from dropship_pipeline.cli.rejected_retry import ask_again  # noqa: PLC0415

        left, problems = ask_again(settings, left, as_json=as_json)
    from_api = len(asked) - from_landed - len(left)
    if as_json:
        counts = {"asked": len(asked), "from_landed": from_landed, "from_api": from_api}
        show_json(counts | {"left": [document(one) for one in left], "problems": problems})
    else:
        if left:
            show_records(left, title="Still not read")
        show_line(
            f"{len(asked):,} retried: {from_landed:,} settled by landed answers, {from_api:,} by the API, "
            f"{len(left):,} left",
            "bold yellow" if left else "bold green",
        )
        for feed in dict.fromkeys(one.record_key.partition(":")[0] for one in left if one.kind == "listing"):
            click.echo(f"Pages of {feed} are read again with the feed: dropship sync --feed {feed}")
        if from_landed:
            click.echo("Next: dropship publish")
    for line in problems:
        click.echo(f"dropship: {' '.join(line.split())}.", err=True)
    return 1 if problems else 0


@rejected.command()
@_keys
@_kind
@_reason
@_all
@click.option("--by", metavar="NAME", help="Who gives them up. Default: the user of this computer.")
def discard(
    keys: tuple[str, ...], kinds: tuple[str, ...], reasons: tuple[str, ...], everything: bool, by: str | None
) -> None:
    """Give records up: they count for nothing until their payload changes.

    They are left out of the figures and of the share that forbids publishing; `list --discarded` shows them, with who
    discarded them and when. `retry KEY` takes it back.

    \b
    dropship rejected discard 1601206892606
    dropship rejected discard --reason no_levels --by anna
    """
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.catalog.rejects import discard_rejects, list_rejects  # noqa: PLC0415

    chosen = _chosen(keys, kinds, reasons, everything=everything)
    database = open_tables(load_settings())
    if keys:
        _require_all(keys, list_rejects(database, chosen))
    count = discard_rejects(database, chosen, _user() if by is None else by)
    show_line(f"{counted(count, 'record is', 'records are')} discarded")


def _chosen(
    keys: tuple[str, ...],
    kinds: tuple[str, ...],
    reasons: tuple[str, ...],
    *,
    everything: bool,
) -> "Chosen":
    """What is named. Discarded records are meant only where a key names them."""
    from dropship_pipeline.storage.catalog.rejects import Chosen  # noqa: PLC0415

    if everything and (keys or kinds or reasons):
        raise click.UsageError("--all is every record: name nothing else.")
    if not (everything or keys or kinds or reasons):
        raise click.UsageError("Name records, --kind or --reason, or give --all.")
    return Chosen(keys=keys, kinds=kinds, reasons=reasons, discarded=None if keys else False)


def _require_all(keys: Sequence[str], found: "Sequence[Reject]") -> None:
    names = {name for one in found for name in (one.name, one.record_key)}
    unknown = [key for key in keys if key not in names]
    if unknown:
        raise _unknown(unknown)


def _unknown(keys: Sequence[str]) -> Problem:
    return Problem(
        f"No rejected record is called {', '.join(key[:60] for key in keys[:5])}",
        "See dropship rejected list; what was read well since is gone from it",
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"
