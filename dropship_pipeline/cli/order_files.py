"""An order as it is typed or kept in a file, JSON or YAML, into the document that `orders.placing_input` reads.

Every scalar of YAML is text here: a zip code that begins with 0, an ID, `NO` for Norway stay what they are.
"""

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dropship_pipeline.problem import Problem

if TYPE_CHECKING:
    from dropship_pipeline.orders.placing import OrderAsked

_NOTHING = ("", "~", "null")
_LARGEST = 1_000_000  # characters: orders have some thousand


@dataclass(frozen=True, slots=True)
class TypedOrder:
    """What was typed of an order: `file` and `recipient` name files, `lines` are PRODUCT:SKU:QUANTITY."""

    file: str | None
    reference: str | None
    lines: tuple[str, ...]
    recipient: str | None
    carrier: str | None
    dispatch: str | None


def read_order(typed: TypedOrder) -> "OrderAsked | None":
    """The order of a file, with what was typed in place of what it says; None where nothing says what to order.

    Raises Problem for a file that cannot be read, `OrderFaults` for an order that cannot be.
    """
    from dropship_pipeline.orders.placing_input import read_order_asked  # noqa: PLC0415  --help must not wait for it

    if typed.file is None and not typed.lines and typed.recipient is None:
        return None
    document = {} if typed.file is None else read_document(typed.file)
    if not isinstance(document, dict):
        return read_order_asked(document)
    fields = {"reference": typed.reference, "carrier": typed.carrier, "dispatch_location": typed.dispatch}
    document |= {name: value for name, value in fields.items() if value is not None}
    if typed.lines:
        document["lines"] = [_line(line) for line in typed.lines]
    if typed.recipient is not None:
        document["recipient"] = read_document(typed.recipient)
    return read_order_asked(document)


def read_document(file: str) -> object:
    """What a file holds, `-` being standard input. Raises Problem; no message repeats what is in it."""
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415  it has no types; only who orders waits for it

    name = "Standard input" if file == "-" else file
    try:
        if file == "-":
            text = sys.stdin.read(_LARGEST + 1)
        else:
            with click.open_file(file, encoding="utf-8-sig") as stream:
                text = stream.read(_LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Problem(f"{name} cannot be read: {why}", "Give a file that describes an order") from None
    if len(text) > _LARGEST:
        raise Problem(f"{name} is longer than any order", "Give a file that describes one order")
    try:
        if text.lstrip()[:1] in ("{", "["):
            return json.loads(text, parse_int=str, parse_float=str)
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.BaseLoader)):
            # nine lines of them can stand for a thousand million values
            raise Problem(f"{name} repeats a part of itself with *", "Write that part out")
        return _absent_as_none(yaml.load(text, Loader=yaml.BaseLoader))  # noqa: S506  it makes texts, lists and dicts
    except json.JSONDecodeError as error:
        raise Problem(f"Line {error.lineno} of {name} is no JSON", "Mend it") from None
    except RecursionError:
        raise Problem(f"{name} is nested too deeply to be an order", "Give a file that describes one order") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"Line {mark.line + 1} of {name}" if mark is not None else name
        raise Problem(f"{where} is no YAML", "Mend it: names and values are parted by a colon and a space") from None


def _line(typed: str) -> dict[str, str]:
    parts = typed.split(":")
    if len(parts) != 3:
        raise click.BadParameter(f"{typed!r} is not PRODUCT:SKU:QUANTITY.", param_hint="--line")
    return dict(zip(("product_id", "sku_id", "quantity"), parts, strict=True))


def _absent_as_none(value: object) -> object:
    if isinstance(value, dict):
        return {name: _absent_as_none(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_absent_as_none(inner) for inner in value]
    return None if value in _NOTHING else value
