"""What carriers offer, typed (guide §6, §7)."""

from decimal import Decimal
from typing import NamedTuple

from dropship_pipeline.alibaba.values import (
    Nulled,
    Unreadable,
    as_list,
    as_object,
    charge,
    country,
    currency_code,
    day_range,
    identifier,
    note,
    shown,
    text,
)
from dropship_pipeline.counting import counted


class FreightOption(NamedTuple):
    """One carrier's offer (guide §6, §7). `fee` is for the whole quantity, in `currency`; days are calendar days."""

    vendor_code: str
    vendor_name: str | None
    shipping_type: str | None
    trade_term: str | None
    solution_biz_type: str | None
    dispatch_country: str | None
    destination_country: str | None
    delivery_days_min: int | None
    delivery_days_max: int | None
    fee: Decimal | None
    currency: str | None
    store_type: str | None


def read_freight_options(payload: object, notes: list[Nulled] | None = None) -> list[FreightOption]:
    """The carriers' offers from `value` (guide §6, §7), in their order; null or an empty list is no offer at all.

    `notes`, if given, gets what could not be read. Raises Unreadable with code `not_a_list`, or `no_options` where
    something is offered and none of it can be read.
    """
    notes = [] if notes is None else notes
    items = as_list(payload)
    if items and not any(isinstance(item, dict | list) for item in items):
        raise Unreadable("not_a_list", f"the freight options are {shown(payload)}")
    options = []
    for item in items:
        raw = as_object(item, "value[]", notes)
        if raw is None:
            continue
        option = _freight_option(raw, notes)
        if option is None:
            note(notes, "value[]", item)
        else:
            options.append(option)
    if items and not options:
        listed = counted(len(items), "freight option is", "freight options are")
        raise Unreadable("no_options", f"{listed} listed and none can be read")
    return options


def _freight_option(raw: dict[str, object], notes: list[Nulled]) -> FreightOption | None:
    get = raw.get
    vendor_code = identifier(get("vendor_code"), "value[].vendor_code", notes)
    if vendor_code is None:
        return None
    days = day_range(get("delivery_time"), "value[].delivery_time", notes)
    fee = as_object(get("fee"), "value[].fee", notes) or {}
    return FreightOption(
        vendor_code,
        text(get("vendor_name"), "value[].vendor_name", notes),
        text(get("shipping_type"), "value[].shipping_type", notes),
        text(get("trade_term"), "value[].trade_term", notes),
        text(get("solution_biz_type"), "value[].solution_biz_type", notes),
        country(get("dispatch_country"), "value[].dispatch_country", notes),
        country(get("destination_country"), "value[].destination_country", notes),
        *days,
        charge(fee.get("amount"), "value[].fee.amount", notes),
        currency_code(fee.get("currency"), "value[].fee.currency", notes),
        text(get("store_type"), "value[].store_type", notes),
    )
