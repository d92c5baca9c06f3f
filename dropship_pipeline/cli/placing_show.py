"""How quotes and placements are shown: to a person in a few lines, to a machine as one JSON document."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.show import show_facts, show_json, show_line, show_table

if TYPE_CHECKING:
    from dropship_pipeline.orders.placing import OrderAsked, Quote
    from dropship_pipeline.storage.orders.placements import Placement
    from dropship_pipeline.sync.orders.placing import PlaceOutcome
    from dropship_pipeline.sync.orders.quoting import Quoted
    from dropship_pipeline.sync.session import Desk


def show_quoted(asked: "OrderAsked", quoted: "Quoted", *, kept: bool, as_json: bool) -> None:
    """What an order would cost, and every carrier that offers to ship it."""
    options = [(d.dispatch_location, o) for d in quoted.offered for o in d.options]
    if as_json:
        offered = [
            {
                "dispatch_location": location,
                "carrier_code": option.vendor_code,
                "carrier_name": option.vendor_name,
                "fee": option.fee,
                "currency": option.currency,
                "delivery_days_min": option.delivery_days_min,
                "delivery_days_max": option.delivery_days_max,
            }
            for location, option in options
        ]
        show_json(
            {
                "reference": asked.reference,
                "quote": _quote(quoted.quote),
                "offered": offered,
                "remarks": quoted.remarks,
                "kept": kept,
            }
        )
        return
    chosen = quoted.quote.dispatch_location, quoted.quote.carrier_code
    show_table(
        ("from", "carrier", "name", "days", "freight", "currency", "chosen"),
        [
            (
                location,
                o.vendor_code,
                o.vendor_name,
                None if o.delivery_days_max is None else f"{o.delivery_days_min}-{o.delivery_days_max}",
                o.fee,
                o.currency,
                "yes" if (location, o.vendor_code) == chosen else None,
            )
            for location, o in options
        ],
        title="Carriers",
    )
    _remark(quoted.remarks)
    show_line(f"Order {asked.reference} comes to {quoted.quote.in_words()}", "bold green")
    if kept:
        click.echo(f"Place it within half an hour: dropship orders place {asked.reference}")


def show_asked(desk: "Desk", reference: str, asked: "OrderAsked | None", *, recipient: bool) -> None:
    """The request that would place an order, as it would be sent, and what became of it if it was."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from dropship_pipeline.orders.placing import create_request, shown_request  # noqa: PLC0415
    from dropship_pipeline.sync.orders.placing import placement_store  # noqa: PLC0415
    from dropship_pipeline.sync.orders.quoting import quote_order  # noqa: PLC0415

    store = placement_store(desk)
    placement = store.find(reference) if asked is not None else store.get(reference)
    wanted = asked or store.asked(reference)
    quote = placement.quote if placement is not None and asked is None else None
    if quote is None or quote.expired(datetime.now(UTC)):
        quote = quote_order(desk, wanted).quote
    request = create_request(wanted, quote)
    show_json(
        {
            "state": placement and placement.state,
            "quote": _quote(quote),
            "request": {"path": request.operation.path, **shown_request(request, recipient=recipient)},
        }
    )


def show_outcomes(outcomes: "Sequence[PlaceOutcome]", *, payment: bool = False, as_json: bool = False) -> None:
    """What became of orders, or of paying for them."""
    if as_json:
        told = [{**placement_document(o.placement, payment=payment), "remarks": o.remarks} for o in outcomes]
        show_json(told[0] if len(told) == 1 else told)
        return
    for outcome in outcomes:
        _remark(outcome.remarks)
        show_facts(placement_facts(outcome.placement, payment=payment))
        if len(outcomes) > 1:
            click.echo()


def placement_facts(placement: "Placement", *, payment: bool = False) -> dict[str, object]:
    """A placement, for people. With `payment` the address where it has to be paid by hand."""
    facts = {
        "Reference": placement.reference,
        "Account": placement.account,
        "Placing": placement.state.value,
        "Order": placement.trade_id,
        "Quote": placement.quote and placement.quote.in_words(),
        "Payment": placement.pay_state and placement.pay_state.value,
        "Pay at": _pay_url(placement, payment=payment),
        "Because": placement.reason,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def placement_document(placement: "Placement", *, payment: bool = False) -> dict[str, object]:
    """A placement, for machines."""
    return {
        "reference": placement.reference,
        "account": placement.account,
        "state": placement.state,
        "trade_id": placement.trade_id,
        "quote": placement.quote and _quote(placement.quote),
        "sends": placement.sends,
        "sent_at": placement.sent_at,
        "pay_state": placement.pay_state,
        "pay_url": _pay_url(placement, payment=payment),
        "reason": placement.reason,
        "updated_at": placement.updated_at,
    }


def _pay_url(placement: "Placement", *, payment: bool) -> str | None:
    """Shown when it was asked to pay and a person has to: not else."""
    return placement.pay_url if payment and placement.pay_state == "by_hand" else None


def _quote(quote: "Quote") -> dict[str, object]:
    return {**quote.as_json(), "total": quote.total}


def _remark(remarks: Sequence[str]) -> None:
    for remark in remarks:
        click.echo(f"{remark.rstrip('.')}.", err=True)
