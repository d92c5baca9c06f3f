"""`dropship orders quote|place|settle|pay|cancel`: ordering, from a file to a paid order. `orders.py` lists them.

What is shown of an order names no person unless that is asked for. A pay address is shown to who has to pay there, and
nowhere else.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dropship_pipeline.cli.order_files import TypedOrder, read_order
from dropship_pipeline.cli.placing_show import show_asked, show_outcomes, show_quoted
from dropship_pipeline.cli.show import show_json
from dropship_pipeline.problem import Problem

if TYPE_CHECKING:
    from dropship_pipeline.storage.orders.placements import Placement
    from dropship_pipeline.sync.orders.placing import PlaceOutcome
    from dropship_pipeline.sync.session import Desk

F = TypeVar("F", bound=Callable[..., object])

_DESCRIBED = (
    click.option("--file", metavar="FILE", help="The order, as YAML or JSON; - for standard input."),
    click.option("--reference", metavar="TEXT", help="Your own name of the order, once for ever."),
    click.option("--line", "lines", multiple=True, metavar="PRODUCT:SKU:QUANTITY", help="A line; may be repeated."),
    click.option(
        "--recipient", metavar="FILE", help="The recipient, as YAML or JSON. Never typed: others see what is typed."
    ),
    click.option("--carrier", metavar="CODE", help="cheapest, fastest or a carrier's code. Default: cheapest."),
    click.option("--dispatch", metavar="COUNTRY", help="Ship from CN, US or MX. Default: from where it is best."),
)
_account = click.option("--account", metavar="NAME", help="Who orders. Default: the default account.")
_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
_dry_run = click.option("--dry-run", is_flag=True, help="Show everything, and do not make the call.")
_show_recipient = click.option("--show-recipient", is_flag=True, help="Show the recipient too.")
_yes = click.option("--yes", is_flag=True, help="Pay without asking first.")
_user_ip = click.option("--user-ip", metavar="ADDRESS", help="Your IP address, which is told to Alibaba.com.")


def _describing(command: F) -> F:
    for option in reversed(_DESCRIBED):
        command = option(command)
    return command


@click.command()
@_describing
@_account
@_dry_run
@_as_json
def quote(account: str | None, dry_run: bool, as_json: bool, **described: Any) -> int:
    """Say what an order would cost and whether it can be placed, and keep it, to be placed by its reference.

    Looks at the products and their stock, and asks for the freight of the very order. Everything that is wrong is said
    at once. Nothing is ordered. A quote is placed as it is within half an hour; later it is asked for again.

    \b
    dropship orders quote --file order.yaml
    dropship orders quote --reference ORDER-1 --line 1601206892606:105613018158:2 --recipient to.yaml --carrier fastest
    """
    from dropship_pipeline.sync.orders.placing import plan  # noqa: PLC0415
    from dropship_pipeline.sync.orders.quoting import quote_order  # noqa: PLC0415

    def work() -> int:
        asked = read_order(TypedOrder(**described))
        if asked is None:
            raise click.UsageError("Describe the order: --file, or --reference, --line and --recipient.")
        with _at_desk(account) as desk:
            quoted = quote_order(desk, asked) if dry_run else plan(desk, asked)[1]
        show_quoted(asked, quoted, kept=not dry_run, as_json=as_json)
        return 0

    return _saying_faults(as_json, work)


@click.command()
@click.argument("quoted", required=False, metavar="[REFERENCE]")
@_describing
@_account
@_dry_run
@_show_recipient
@click.option("--pay", "and_pay", is_flag=True, help="Pay it too: spends money.")
@_yes
@_user_ip
@_as_json
def place(
    quoted: str | None, account: str | None, dry_run: bool, show_recipient: bool, and_pay: bool, yes: bool,
    user_ip: str | None, as_json: bool, **described: Any,
) -> int:  # fmt: skip
    """Place an order, once, however often this is run and whatever happens on the way. Nothing is paid without --pay.

    Give the order, or the reference of one that was quoted. Run again with the same reference it says what became of
    the order, and goes on where it was. Where an answer was lost, it looks for the order for some minutes before
    anything is sent again; what it cannot decide is left to you. Ends 1 unless the order is placed.

    \b
    dropship orders place --file order.yaml
    dropship orders place ORDER-1
    dropship orders place ORDER-1 --dry-run     the request, without the recipient
    """
    from dropship_pipeline.sync.orders.placing import place as place_order  # noqa: PLC0415

    def work() -> int:
        typed = TypedOrder(**{**described, "reference": described["reference"] or quoted})
        asked = read_order(typed)
        name = asked.reference if asked is not None else typed.reference
        if name is None:
            raise click.UsageError("Give the reference of a quoted order, or describe one with --file.")
        _ask_for_yes(and_pay and not dry_run, yes)
        if asked is None:
            _require_orders()
        with _at_desk(account) as desk:
            if dry_run:
                show_asked(desk, name, asked, recipient=show_recipient)
                return 0
            outcome = place_order(desk, name, asked)
            paid = and_pay and outcome.problem is None
            outcomes = _pay(desk, [name], yes, user_ip) if paid else [outcome]
        show_outcomes(outcomes, payment=paid, as_json=as_json)
        return _complain([_payment_problem(o) if paid else o.problem for o in outcomes])

    return _saying_faults(as_json, work)


@click.command()
@click.argument("reference")
@click.option("--order", "trade_id", metavar="ID", help="This is the order that came of it.")
@click.option("--nothing-placed", is_flag=True, help="No order came of it: it may be sent again.")
@_account
@_as_json
def settle(reference: str, trade_id: str | None, nothing_placed: bool, account: str | None, as_json: bool) -> int:
    """Say what became of an order of which that could not be found out: look at your orders on Alibaba.com first.

    \b
    dropship orders settle ORDER-1 --order 234193410001028893
    dropship orders settle ORDER-1 --nothing-placed
    """
    from dropship_pipeline.sync.orders.placing import PlaceOutcome  # noqa: PLC0415
    from dropship_pipeline.sync.orders.placing import settle as settle_order  # noqa: PLC0415

    if (trade_id is None) == (not nothing_placed):
        raise click.UsageError("Give either --order or --nothing-placed.")
    _require_orders()
    with _at_desk(account) as desk:
        placement = settle_order(desk, reference, trade_id)
    show_outcomes([PlaceOutcome(placement)], as_json=as_json)
    return 0


@click.command()
@click.argument("orders", nargs=-1, required=True, metavar="REFERENCE...")
@_account
@_yes
@_user_ip
@_dry_run
@_as_json
def pay(
    orders: tuple[str, ...], account: str | None, yes: bool, user_ip: str | None, dry_run: bool, as_json: bool
) -> int:
    """Pay for orders that were placed here, by their references or order IDs. Spends money; asks first.

    An order that is paid is not paid again. Each is paid by itself: one that cannot be leaves the others alone. Where
    the first payment has to be made by hand, the address to pay at is shown. Ends 1 unless all are paid.

    \b
    dropship orders pay ORDER-1
    dropship orders pay ORDER-1 ORDER-2 --yes
    """
    from dropship_pipeline.alibaba.dialect import Dialect  # noqa: PLC0415
    from dropship_pipeline.sync.orders.paying import Payer, own_address, pay_request, payable  # noqa: PLC0415
    from dropship_pipeline.sync.orders.placing import placement_store  # noqa: PLC0415

    _ask_for_yes(not dry_run, yes)
    _require_orders()
    with _at_desk(account) as desk:
        if dry_run:
            payer, store = Payer(user_ip or own_address(desk)), placement_store(desk)
            requests = [pay_request(store, payable(desk, name), payer) for name in dict.fromkeys(orders)]
            show_json([request.params(Dialect.GUIDE) for request in requests])
            return 0
        outcomes = _pay(desk, list(dict.fromkeys(orders)), yes, user_ip)
    show_outcomes(outcomes, payment=True, as_json=as_json)
    return _complain([_payment_problem(outcome) for outcome in outcomes])


@click.command()
@click.argument("order", metavar="REFERENCE")
@click.option("--reason", metavar="TEXT", help="Why; it is kept.")
@_account
@_dry_run
@_as_json
def cancel(order: str, reason: str | None, account: str | None, dry_run: bool, as_json: bool) -> int:
    """Cancel an order that was placed here and is not paid, by its reference or order ID.

    One that was only quoted will not be placed any more. Ends 1 unless it is cancelled.

    \b
    dropship orders cancel ORDER-1 --reason "ordered by mistake"
    """
    from dropship_pipeline.sync.orders.cancelling import cancel as cancel_order  # noqa: PLC0415
    from dropship_pipeline.sync.orders.cancelling import cancellable  # noqa: PLC0415

    _require_orders()
    with _at_desk(account) as desk:
        if dry_run:
            placement = cancellable(desk, order)
            show_json({"trade_id": placement.trade_id} if placement.trade_id else {})
            return 0
        outcome = cancel_order(desk, order, reason)
    show_outcomes([outcome], as_json=as_json)
    return 0


def _pay(desk: "Desk", names: Sequence[str], yes: bool, user_ip: str | None) -> list["PlaceOutcome"]:
    """Ask, where that is wanted, and pay each; of several, one that cannot be keeps none of the others from it."""
    from dropship_pipeline.storage.orders.placements import find_placement  # noqa: PLC0415
    from dropship_pipeline.sync.orders.paying import Payer, own_address, pay, payable  # noqa: PLC0415
    from dropship_pipeline.sync.orders.placing import PlaceOutcome  # noqa: PLC0415

    placements = [payable(desk, name) for name in names]
    if not yes:
        for placement in placements:
            _confirm(desk, placement)
    payer = Payer(user_ip or own_address(desk))
    outcomes = []
    for placement in placements:
        try:
            outcomes.append(pay(desk, placement.reference, payer))
        except Problem as problem:
            if len(placements) == 1:
                raise
            stands = find_placement(desk.database, placement.reference) or placement
            outcomes.append(PlaceOutcome(stands, (str(problem),)))
    return outcomes


def _confirm(desk: "Desk", placement: "Placement") -> None:
    """Ask for each order, with what it costs just now."""
    from dropship_pipeline.sync.orders.reconciling import legible  # noqa: PLC0415

    with legible(f"order {placement.reference}", f"dropship orders pay {placement.reference}"):
        order = desk.client.get_order(str(placement.trade_id))
    amount = (
        "an amount that is not told" if order.total is None else f"{order.total.amount:,.2f} {order.total.currency}"
    )
    carrier = order.carrier_name or order.carrier_code or "a carrier that is not told"
    click.confirm(
        f"Pay {amount} for order {placement.reference} ({placement.trade_id}), shipped by {carrier}?",
        abort=True,
        err=True,
    )


def _ask_for_yes(pays: bool, yes: bool) -> None:
    if pays and not yes and not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here whether to pay: say --yes.")


def _payment_problem(outcome: "PlaceOutcome") -> Problem | None:
    from dropship_pipeline.sync.orders.paying import payment_problem  # noqa: PLC0415

    return payment_problem(outcome.placement)


def _complain(problems: Sequence[Problem | None]) -> int:
    for problem in problems:
        if problem is not None:
            click.echo(f"dropship: {' '.join(str(problem).split())}", err=True)
    return 1 if any(problem is not None for problem in problems) else 0


def _saying_faults(as_json: bool, work: Callable[[], int]) -> int:
    """Do it; where something is wrong with the order, say all of it, a line each."""
    from dropship_pipeline.orders.placing import OrderFaults  # noqa: PLC0415

    try:
        return work()
    except OrderFaults as found:
        if as_json:
            told = [{"what": fault.what, "remedy": fault.remedy} for fault in found.faults]
            show_json({"outcome": "failed", "faults": told})
        for fault in found.faults:
            click.echo(f"dropship: {' '.join(str(fault).split())}", err=True)
        return 1


def _require_orders() -> None:
    """Raise `NothingYet` where nothing can have been quoted or placed: most often this is the wrong folder."""
    from dropship_pipeline.cli.database import require_server  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415

    require_server(load_settings())


@contextmanager
def _at_desk(account: str | None) -> "Iterator[Desk]":
    from uuid import uuid4  # noqa: PLC0415

    from dropship_pipeline.cli.bars import watcher  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.session import open_desk  # noqa: PLC0415

    settings = load_settings()
    if not settings.has_credentials:
        click.echo("ALIBABA_APP_KEY is not set: these are orders of the simulated Alibaba.com.", err=True)
    with watcher(plain=True) as progress, open_desk(settings, str(uuid4()), progress, account) as desk:
        yield desk
