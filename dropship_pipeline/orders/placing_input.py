"""An order as people and machines write it down, read into `OrderAsked`: every mistake at once, each with its remedy.

What the order asks for is looked at in `placing_checks`, for which the products must be known. No message repeats what
stands in a recipient's field.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import pycountry

from dropship_pipeline.alibaba.order_requests import Address, OrderItem, Phone
from dropship_pipeline.alibaba.requests import iso_country
from dropship_pipeline.catalog.dispatch import LOCATIONS
from dropship_pipeline.orders.placing import CHEAPEST, Fault, OrderAsked, OrderFaults

FIELDS = (
    "reference", "lines", "recipient", "carrier", "dispatch_location", "remark", "properties", "clearance_detail",
    "attachments", "enable_distribution_waybill",
)  # fmt: skip
LINE_FIELDS = ("product_id", "sku_id", "quantity")
RECIPIENT_FIELDS = (
    "contact_person", "country_code", "country", "province", "province_code", "city", "city_code", "zip", "address",
    "alternate_address", "telephone", "mobile",
)  # fmt: skip

WITH_PROVINCES = frozenset({"US", "CA", "MX", "AU", "BR"})
"""Where a tariff cannot be told without the state or province (guide: 800022)."""

CLEARED_BY_CODE = {"KR": "the recipient's personal customs clearance code, P and twelve digits"}
"""Where customs wants to know who imports, and what `clearance_detail` then holds (guide §8)."""

_REFERENCE = re.compile(r"[A-Za-z0-9._:#/@+-]{1,64}")
_MOST_LINES, _MOST_UNITS = 50, 1_000_000
_PHONE = re.compile(r"\s*(\+\d{1,4})[\s-]*([\d\s().-]{3,})")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def read_order_asked(document: object) -> OrderAsked:
    """The order that a document describes: an object as JSON or YAML has it, its scalars as text or numbers.

    Raises `OrderFaults` with everything that is missing or cannot be read.
    """
    reader = _Reader()
    asked = reader.order(document)
    if reader.faults or asked is None:
        raise OrderFaults(reader.faults)
    return asked


class _Reader:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def order(self, document: object) -> OrderAsked | None:
        if not isinstance(document, Mapping):
            self._fault("The order is no object", f"Give one with the fields {', '.join(FIELDS[:3])}")
            return None
        self._known(document, FIELDS, "the order")
        reference = _text(document, "reference")
        if not _REFERENCE.fullmatch(reference):
            self._fault(
                "The reference is missing" if not reference else "The reference cannot be used",
                "Give the order a name of your own, once for ever: 1 to 64 letters, digits or . _ : # / @ + -",
            )
        dispatch = _text(document, "dispatch_location").upper()
        if dispatch and dispatch not in LOCATIONS:
            self._fault(f"Nothing is dispatched from {dispatch[:20]!r}", f"Give one of {', '.join(LOCATIONS)}, or none")
        recipient = self._recipient(document.get("recipient"))
        clearance = self._object(document, "clearance_detail")
        if recipient is not None and recipient.country_code in CLEARED_BY_CODE and not clearance:
            self._fault(
                f"Customs of {recipient.country_code} want clearance_detail",
                f"Add it, with {CLEARED_BY_CODE[recipient.country_code]}",
            )
        properties = self._object(document, "properties")
        items = self._items(document.get("lines"))
        waybill = self._boolean(document, "enable_distribution_waybill")
        attachments = self._attachments(document.get("attachments"))
        if recipient is None or self.faults:
            return None
        return OrderAsked(
            reference=reference,
            items=items,
            recipient=recipient,
            carrier=_text(document, "carrier") or CHEAPEST,
            dispatch_location=dispatch or None,
            remark=_text(document, "remark") or None,
            properties=None if properties is None else {name: str(value) for name, value in properties.items()},
            clearance_detail=clearance,
            attachments=attachments,
            enable_distribution_waybill=waybill,
        )

    def _items(self, lines: object) -> tuple[OrderItem, ...]:
        if not isinstance(lines, list) or not 1 <= len(lines) <= _MOST_LINES:
            self._fault("The order has no lines", f"Give lines, 1 to {_MOST_LINES}: {', '.join(LINE_FIELDS)} of each")
            return ()
        items = []
        for number, line in enumerate(lines, 1):
            if not isinstance(line, Mapping):
                self._fault(f"Line {number} is no object", f"Give its {', '.join(LINE_FIELDS)}")
                continue
            self._known(line, LINE_FIELDS, f"line {number}")
            ids = [_text(line, name) for name in ("product_id", "sku_id")]
            for name, value in zip(("product_id", "sku_id"), ids, strict=True):
                if not value.isascii() or not value.isdigit():
                    self._fault(f"Line {number} has no {name}", "Give the number as the catalogue has it")
            quantity = _text(line, "quantity")
            whole = quantity.isascii() and quantity.isdigit() and len(quantity) < 10
            if not whole or not 1 <= int(quantity) <= _MOST_UNITS:
                self._fault(f"Line {number} has no quantity", f"Give a whole number from 1 to {_MOST_UNITS:,}")
                continue
            items.append(OrderItem(ids[0], ids[1], int(quantity)))
        twice = {item.sku_id for item in items if sum(other.sku_id == item.sku_id for other in items) > 1}
        for sku_id in sorted(twice):
            self._fault(f"SKU {sku_id[:40]} is in two lines", "Put both quantities into one line")
        return tuple(items)

    def _recipient(self, given: object) -> Address | None:
        if not isinstance(given, Mapping):
            self._fault("The order has no recipient", "Give recipient, with name, address and telephone number")
            return None
        self._known(given, RECIPIENT_FIELDS, "the recipient")
        code = iso_country(_text(given, "country_code"))
        country = pycountry.countries.get(alpha_2=code) if code else None
        needed = ["contact_person", "zip", "city", "address", *(["province"] if code in WITH_PROVINCES else [])]
        for name in needed:
            if not _text(given, name):
                self._fault(f"The recipient's {name} is missing", "Alibaba.com ships to complete addresses: add it")
        if country is None:
            self._fault(
                "The recipient's country_code is missing" if not code else f"There is no country {code[:20]!r}",
                "Give the two letters of ISO 3166, such as US, MX or GB",
            )
        phones = {name: self._phone(given.get(name), name) for name in ("telephone", "mobile")}
        if not any(phones.values()) and not any(given.get(name) for name in phones):
            self._fault("The recipient's telephone number is missing", "Add telephone or mobile, such as +1 2125550123")
        texts = {name: _text(given, name) for name in RECIPIENT_FIELDS if name not in phones}
        name = texts["country"] or (country.name if country is not None else "")
        return Address(**{**texts, "country_code": code, "country": name}, **phones)  # type: ignore[arg-type]  # phones

    def _phone(self, given: object, name: str) -> Phone | None:
        if not given:
            return None
        if isinstance(given, Mapping):
            phone = Phone(_text(given, "country"), _text(given, "number"), _text(given, "area"))
            if phone.number:
                return phone
        elif found := _PHONE.fullmatch(str(given)):
            return Phone(found[1], re.sub(r"\D", "", found[2]))
        self._fault(f"The recipient's {name} cannot be read", "Give it with the country's code, such as +1 2125550123")
        return None

    def _object(self, document: Mapping[str, object], name: str) -> Mapping[str, object] | None:
        given = document.get(name)
        if given in (None, ""):
            return None
        if isinstance(given, Mapping):
            return {str(key): value for key, value in given.items()}
        self._fault(f"{name} is no object", "Give names and values")
        return None

    def _attachments(self, given: object) -> tuple[Mapping[str, object], ...]:
        if given in (None, ""):
            return ()
        if isinstance(given, list) and all(isinstance(entry, Mapping) for entry in given):
            return tuple(dict(entry) for entry in given)
        self._fault("attachments are no list of objects", "Give file_path, file_name and file_usage of each")
        return ()

    def _boolean(self, document: Mapping[str, object], name: str) -> bool | None:
        given = _text(document, name).lower()
        if given not in ("", *_TRUE, *_FALSE):
            self._fault(f"{name} is neither true nor false", "Give one of them, or leave it out")
        return None if not given else given in _TRUE

    def _known(self, given: Mapping[str, object], known: Iterable[str], where: str) -> None:
        for name in given:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                meant = f"It is called {near[0]}" if near else f"There are {', '.join(known)}"
                self._fault(f"{str(name)[:40]!r} is no field of {where}", meant)

    def _fault(self, what: str, remedy: str) -> None:
        self.faults.append(Fault(what, remedy))


def _text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    return "" if value is None or isinstance(value, Mapping | list) else str(value).strip()
