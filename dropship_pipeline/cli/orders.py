"""`dropship orders`: keeping the order tables true, looking at one order; and ordering, which is in `placing.py`."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.options import AGE, ID
from dropship_pipeline.cli.placing import cancel, pay, place, quote, settle
from dropship_pipeline.cli.placing_show import placement_document, placement_facts
from dropship_pipeline.cli.show import show_facts, show_json, show_line, show_table
from dropship_pipeline.problem import Problem

if TYPE_CHECKING:
    from dropship_pipeline.storage.orders.sheets import OrderSheet
    from dropship_pipeline.sync.orders.following import OrdersRequest
    from dropship_pipeline.sync.orders.outcomes import OrdersOutcome


@click.group()
def orders() -> None:
    """Orders: sync, show, quote, place, settle, pay, cancel."""


for command in (quote, place, settle, pay, cancel):
    orders.add_command(command)


@orders.command()
@click.option("--since", type=AGE, metavar="AGE", help="Read what changed in this time: 7d, 24h, 90m. Default: 7d.")
@click.option(
    "--day",
    "days",
    type=click.DateTime(["%Y-%m-%d"]),
    multiple=True,
    metavar="YYYY-MM-DD",
    help="Compare all orders placed on this day (UTC) with the list; may be repeated.",
)
@click.option("--order", "trade_ids", type=ID, multiple=True, metavar="ID", help="Read this order; may be repeated.")
@click.option("--account", metavar="NAME", help="Only orders of this account. Default: of every account.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
def sync(
    since: timedelta | None, days: tuple[datetime, ...], trade_ids: tuple[str, ...], account: str | None, as_json: bool
) -> int:
    """Bring the order tables up to date: status, lines, parcels, tracking, payments.

    Reads the orders that changed since some time ago and those that are still due; or every order of some days, by the
    day on which they were placed; or some orders. An account that has to be authorised again does not hold up the
    others. It may be stopped at any time and run again. Ends 1 when something is left to do, and says what.

    \b
    dropship orders sync                                     what changed in the last seven days
    dropship orders sync --day 2026-01-20 --day 2026-01-21   all orders of two days
    dropship orders sync --order 234193410001028893          one order, now
    """
    from dropship_pipeline.sync.orders.following import OrdersRequest  # noqa: PLC0415  --help must not wait for it

    if since is not None and (days or trade_ids):
        raise click.UsageError("--since excludes --day and --order: it says which changes to look for.")
    asked = {"since": since} if since is not None else {}
    request = OrdersRequest(days=tuple(day.date() for day in days), trade_ids=trade_ids, **asked)
    outcome = _run(request, account, as_json)
    if as_json:
        show_json(outcome.as_json())
    else:
        _show_outcome(outcome)
    lines = [*outcome.problems, *outcome.to_authorise]
    for line in lines:
        click.echo(f"dropship: {' '.join(line.split())}.", err=True)
    return 1 if lines else 0


@orders.command()
@click.argument("name", metavar="ORDER")
@click.option("--recipient", is_flag=True, help="Show the recipient's name, address and telephone number too.")
@click.option("--account", metavar="NAME", help="Only if it is an order of this account.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
def show(name: str, recipient: bool, account: str | None, as_json: bool) -> None:
    """Show an order as the tables have it: how it stands, its lines, its parcels. Makes no call.

    ORDER is an order ID, or the reference of an order that is placed here: then what became of that is shown too.

    \b
    dropship orders show 234193410001028893
    dropship orders show ORDER-1
    dropship orders show 234193410001028893 --recipient
    """
    from dataclasses import asdict, replace  # noqa: PLC0415

    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.orders.placements import find_placement  # noqa: PLC0415
    from dropship_pipeline.storage.orders.sheets import read_order_sheet, read_recipient  # noqa: PLC0415

    database = open_tables(load_settings())
    placement = find_placement(database, name)
    trade_id = name if placement is None else placement.trade_id
    sheet = None if trade_id is None else read_order_sheet(database, trade_id)
    if sheet is None and placement is None:
        raise Problem(
            f"The tables have no order {name[:40]!r}", "Read it from Alibaba.com: dropship orders sync --order ID"
        )
    of = sheet.order.account if sheet is not None else placement and placement.account
    if account not in (None, of):
        raise Problem(f"Order {name} is not of account {account}", f"It is of account {of}")
    if recipient and sheet is not None:
        sheet = replace(sheet, recipient=read_recipient(database, sheet.order.trade_id))
    if as_json:
        document: dict[str, object] = {} if sheet is None else asdict(sheet)
        if not recipient:
            document.pop("recipient", None)
        if placement is not None:
            document["placement"] = placement_document(placement)
        show_json(document)
        return
    if placement is not None:
        show_facts(placement_facts(placement))
        click.echo()
    if sheet is not None:
        _show_sheet(sheet)


def _run(request: "OrdersRequest", account: str | None, as_json: bool) -> "OrdersOutcome":
    from uuid import uuid4  # noqa: PLC0415

    from dropship_pipeline.cli.bars import watcher  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.orders.accounts import sync_all  # noqa: PLC0415
    from dropship_pipeline.sync.session import open_desk  # noqa: PLC0415

    settings = load_settings()
    if not settings.has_credentials:
        click.echo("ALIBABA_APP_KEY is not set: these are orders of the simulated Alibaba.com.", err=True)
    with watcher(plain=as_json) as progress, open_desk(settings, str(uuid4()), progress) as desk:
        return sync_all(desk, request, account)


def _show_outcome(outcome: "OrdersOutcome") -> None:
    if outcome.days:
        several = len({day.account for day in outcome.days}) > 1
        show_table(
            ("day", "account", "listed", "missing", "differing", "unlisted", "why not done"),
            [
                (
                    day.day,
                    day.account if several else None,
                    day.listed,
                    day.missing,
                    day.differing,
                    day.unlisted,
                    day.reason or None,
                )
                for day in outcome.days
            ],
            title="Days",
        )
    counts = outcome.counts
    show_facts(
        {
            "Orders read": counts.orders,
            "New": counts.new,
            "Changed": counts.changed,
            "Changes of status": counts.status_changes,
            "Statuses skipped": counts.skipped,
            "Statuses that went backwards": counts.backwards,
            "Refused": outcome.refused,
            "Rejected": outcome.rejected,
            "Undone": outcome.undone,
            "Of accounts to be authorised again": outcome.waiting,
        }
    )
    all_done = not outcome.problems and not outcome.closed
    state = "done" if all_done else "not all done"
    show_line(
        f"Orders {state} in {outcome.seconds:.1f} s: {outcome.calls.in_words()}",
        "bold green" if all_done else "bold yellow",
    )


def _show_sheet(sheet: "OrderSheet") -> None:
    order, currency = sheet.order, sheet.order.currency or ""
    facts: dict[str, object] = {
        "Order": order.trade_id,
        "Account": order.account,
        "Status": order.status,
        "Placed": order.created_at,
        "Last changed": order.modified_at,
        "Shipped": order.shipped_at,
        "Products": order.product_total is not None and f"{order.product_total:,.2f} {currency}",
        "Freight": order.shipment_fee is not None and f"{order.shipment_fee:,.2f} {currency}",
        "Total": order.total is not None and f"{order.total:,.2f} {currency}",
        "Fee of the payment": order.transaction_fee is not None and f"{order.transaction_fee:,.2f} {currency}",
        "Carrier": order.carrier_name or order.carrier_code,
        "To": order.country_code,
        "Read": order.fetched_at,
        "The list has told more since": order.due_since,
    }
    show_facts({name: fact for name, fact in facts.items() if fact not in (None, False)})
    click.echo()
    show_table(
        ("line", "product", "SKU", "name", "quantity", "unit", "price", "currency"),
        [(r.line, r.product_id, r.sku_id, r.name, r.quantity, r.unit, r.unit_price, r.currency) for r in sheet.lines],
        title="Lines",
    )
    if sheet.status_changes:
        show_table(
            ("seen", "from", "to", "odd"),
            [(r.observed_at, r.old_status, r.new_status, r.irregularity) for r in sheet.status_changes],
            title="Changes of status",
        )
    if sheet.shipments:
        show_table(
            ("parcel", "carrier", "service", "status", "last event", "where to follow it"),
            [
                (
                    r.tracking_number,
                    r.carrier,
                    r.service_provider,
                    r.logistic_status,
                    r.current_event_code,
                    r.tracking_url,
                )
                for r in sheet.shipments
            ],
            title="Parcels",
        )
    if sheet.tracking_events:
        show_table(
            ("parcel", "time, of no zone", "event", "where"),
            [
                (r.tracking_number, r.event_time, r.event_name or r.event_code, r.event_location)
                for r in sheet.tracking_events
            ],
            title="Tracking",
        )
    if sheet.recipient is not None:
        to = sheet.recipient
        show_facts(
            {
                "Recipient": to.contact_person,
                "Address": ", ".join(filter(None, (to.address, to.alternate_address, to.city, to.province, to.zip))),
                "Country": to.country or to.country_code,
                "Telephone": ", ".join(filter(None, (to.mobile, to.telephone))),
            }
        )
