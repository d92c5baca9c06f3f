"""Freight: the estimate for one product (guide §6) and the calculation for an order (guide §7)."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from dropship_pipeline.sandbox.api import Body, Call, Endpoint
from dropship_pipeline.sandbox.endpoints.parameters import (
    flag,
    invalid,
    json_object,
    json_objects,
    required,
    text_of,
    whole_number,
)
from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.freight import FreightOption, refuse
from dropship_pipeline.sandbox.world.products import Product

BASIC, ADVANCED = "/shipping/freight/calculate", "/order/freight/calculate"
_METHODS = frozenset({"GET", "POST"})
_LARGEST_QUANTITY = 10_000_000
_DEFAULT_DISPATCH = "CN"


def endpoints(catalogue: Catalogue) -> list[Endpoint]:
    """Both freight endpoints."""

    def product_of(product_id: str, now_ms: int) -> Product:
        product = catalogue.product(product_id, now_ms)
        if product is None:
            raise refuse("130106", "The product has expired. Please select again.")
        return product

    def basic(call: Call) -> Body:
        flag(call.params.get("enable_distribution_waybill"), "enable_distribution_waybill")
        product_id = required(call, "product_id")
        quantity = whole_number(required(call, "quantity"), "quantity", 1, _LARGEST_QUANTITY)
        destination = required(call, "destination_country").upper()
        dispatch = (call.params.get("dispatch_location") or _DEFAULT_DISPATCH).upper()
        zip_code = call.params.get("zip_code", "")
        product = product_of(product_id, call.now_ms)
        options = catalogue.freight(product, quantity, destination, dispatch, False, zip_code)
        return {"code": "0", "value": told_options(options)}

    def advanced(call: Call) -> Body:
        flag(call.params.get("enable_distribution_waybill"), "enable_distribution_waybill")
        e_company_id = required(call, "e_company_id")
        destination = required(call, "destination_country").upper()
        dispatch = (call.params.get("dispatch_location") or _DEFAULT_DISPATCH).upper()
        zip_code = _zip_code(call, dispatch, destination)
        quotes = []
        for item in json_objects(required(call, "logistics_product_list"), "logistics_product_list"):
            product = product_of(text_of(item, "product_id"), call.now_ms)
            quantity = whole_number(text_of(item, "quantity"), "quantity", 1, _LARGEST_QUANTITY)
            _check_item(product, text_of(item, "sku_id"), e_company_id)
            quotes.append(catalogue.freight(product, quantity, destination, dispatch, True, zip_code))
        if not quotes:
            raise invalid("logistics_product_list", "it is empty")
        return {"code": "0", "value": told_options(_together(quotes))}

    return [
        Endpoint(BASIC, _METHODS, needs_token=True, handler=basic),
        Endpoint(ADVANCED, _METHODS, needs_token=True, handler=advanced),
    ]


def _check_item(product: Product, sku_id: str, e_company_id: str) -> None:
    if sku_id not in {variant.sku_id for variant in product.design.variants}:
        raise refuse("10005", "The SKU is not found.")
    if e_company_id != product.e_company_id:
        raise invalid("e_company_id", "it is not the supplier of the products")


def _zip_code(call: Call, dispatch: str, destination: str) -> str:
    """The zip code of the address; a cross-border parcel with half an address cannot be cleared (800022)."""
    text = call.params.get("address")
    if not text:
        return ""
    address: Mapping[str, Any] = json_object(text, "address")
    complete = all(address.get(part) for part in ("zip", "province", "city", "address"))
    if dispatch != destination and not complete:
        raise refuse("800022", "Unable to calculate tariff. Please provide complete address details.")
    return text_of(address, "zip")


def _together(quotes: list[list[FreightOption]]) -> list[FreightOption]:
    """What ships all products of an order: the carriers that every one of them has, at the sum of the fees."""
    first, *others = quotes
    fees = [{option.vendor_code: option.fee for option in quote} for quote in others]
    return [
        option._replace(fee=sum((known[option.vendor_code] for known in fees), option.fee))
        for option in first
        if all(option.vendor_code in known for known in fees)
    ]


def told_options(options: Iterable[FreightOption]) -> list[dict[str, object]]:
    """Freight options as the API tells them."""
    told = []
    for option in options:
        document: dict[str, object] = option._asdict()
        document["fee"] = {"amount": _amount(option.fee), "currency": document.pop("currency")}
        if option.store_type is None:
            del document["store_type"]
        told.append(document)
    return told


def _amount(fee: Decimal) -> str:
    """19.1 and 3.0, as the guide writes them: one decimal, or two where there is a second."""
    text = f"{fee:.2f}"
    return text.removesuffix("0")
