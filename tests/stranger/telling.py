"""How the stranger tells what is true: the manners of a gateway that speaks the API guide or the live dialect."""

import zlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hand_made_catalogue import Carrier, Product, Refusal, Variant

ABSENT = object()


@dataclass(frozen=True)
class Manner:
    """Every way in which servers of this API were seen to differ, and some in which the guide lets them."""

    dialect: str = "guide"  # or "live"
    strict: bool = False  # refuses what the guide does not name
    # listings
    total: str = "text"  # number, absent, zero, low (one less than the truth), high (one more)
    totals_everywhere: bool = False
    page_cap: int = 100
    largest_page: int = 100  # more is refused
    past_the_end: str = "list"  # null, absent, refused
    # values
    values: str = "text"  # native, drifting
    nothing: str = "absent"  # null, text ("null"), drifting
    single: str = "list"  # object (a list of one is told as the thing itself), drifting
    envelope: str = "result_data"  # data
    code: Any = "0"
    # the connection
    connection: str = "keep-alive"  # close (HTTP/1.0), one at a time (the same), hang up (unannounced, now and then)
    compressed: bool = False
    content_type: str = "application/json;charset=utf-8"
    # disturbances, by the number of the call
    throttled_at: tuple[int, ...] = ()
    fault_every: int = 0
    token_ends_at: tuple[int, ...] = ()
    # tokens
    expires_in: Any = "864000"
    rotates_refresh_token: bool = True


class Teller:
    """Puts what is true into words. Where the manner drifts, product and field decide: always the same way."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner

    # ---- one value

    def _one_of(self, seed: str, ways: list[Any]) -> Any:
        return ways[zlib.crc32(seed.encode()) % len(ways)]

    def nothing(self, seed: str) -> Any:
        ways = {"absent": ABSENT, "null": None, "text": "null"}
        return (
            self._one_of(seed, list(ways.values())) if self.manner.nothing == "drifting" else ways[self.manner.nothing]
        )

    def text(self, value: str | None, seed: str) -> Any:
        return self.nothing(seed) if value is None else value

    def number(self, value: int | None, seed: str) -> Any:
        if value is None:
            return self.nothing(seed)
        ways = {"text": str(value), "native": value}
        drifting = [str(value), value, f"{value:,}", f"{value}.0000"]
        return ways.get(self.manner.values) if self.manner.values in ways else self._one_of(seed, drifting)

    def upper_bound(self, value: int | None, seed: str) -> Any:
        if value is not None:
            return self.number(value, seed)
        ways = {"text": "-1", "native": -1}
        return (
            ways.get(self.manner.values)
            if self.manner.values in ways
            else self._one_of(seed, [ABSENT, -1, "-1", None, "null"])
        )

    def money(self, value: Decimal | None, seed: str) -> Any:
        if value is None:
            return self.nothing(seed)
        ways = {"text": str(value), "native": float(value)}
        drifting = [str(value), float(value), f"{value:.4f}", f"{value:,.4f}"]
        return ways.get(self.manner.values) if self.manner.values in ways else self._one_of(seed, drifting)

    def identity(self, value: str, seed: str) -> Any:
        ways = {"text": value, "native": int(value) if value.isdecimal() and value[0] != "0" else value}
        return ways.get(self.manner.values) if self.manner.values in ways else self._one_of(seed, list(ways.values()))

    def several(self, values: list[Any], seed: str) -> Any:
        single = self.manner.single == "object" or (self.manner.single == "drifting" and zlib.crc32(seed.encode()) % 2)
        if len(values) == 1 and single:
            return values[0]
        if not values and single:
            return self._one_of(seed, [None, ABSENT, []])
        return values

    def days(self, days: tuple[int, int] | None, seed: str) -> Any:
        if days is None:
            return self.nothing(seed)
        if days[0] == days[1]:
            return days[0] if self.manner.values == "native" else str(days[0])
        return f"{days[0]}{self._one_of(seed, ['~', '-'])}{days[1]}"

    # ---- products

    def description(self, product: Product) -> dict[str, Any]:
        def seed(field: str) -> str:
            return f"{product.product_id} {field}"

        trade: Any = self.nothing(seed("wholesale_trade"))
        if product.trade:
            periods = [
                {
                    "quantity": self.number(upto, seed(f"quantity {upto}")),
                    "process_period": self.number(days, seed(f"period {upto}")),
                }
                for upto, days in product.trade.periods
            ]
            trade = told(
                min_order_quantity=self.number(product.trade.minimum, seed("trade minimum")),
                unit_type=self.text(product.trade.unit, seed("unit_type")),
                handling_time=self.number(product.trade.handling_days, seed("handling_time")),
                price=self.money(product.trade.price, seed("trade price")),
                deliver_periods=self.several(periods, seed("periods")),
            )
            if self.manner.single == "drifting":
                trade = [trade]  # the batch samples have it so
        return told(
            product_id=self.identity(product.product_id, seed("product_id")),
            title=self.text(product.title, seed("title")),
            description=self.text(product.html, seed("description")),
            detail_url=self.text(product.url, seed("detail_url")),
            main_image=self.text(product.main_image, seed("main_image")),
            images=self.several(list(product.images), seed("images")),
            category_id=self.text(product.category_id, seed("category_id")),
            category=self.text(product.category, seed("category")),
            supplier=self.text(product.supplier, seed("supplier")),
            eCompanyId=self.text(product.company, seed("eCompanyId")),
            currency=self.text(product.currency, seed("currency")),
            min_order_quantity=self.number(product.minimum, seed("minimum")),
            status=self.text(product.status, seed("status")),
            mode_id=self.text(product.model, seed("mode_id")),
            wholesale_trade=trade,
            skus=self.several([self._variant(product, variant) for variant in product.variants], seed("skus")),
        )

    def _variant(self, product: Product, variant: Variant) -> dict[str, Any]:
        def seed(field: str) -> str:
            return f"{variant.sku_id} {field}"

        attributes = [
            told(
                attr_name_id=self.text(attribute.name_id, seed(f"name_id {at}")),
                attr_name_desc=self.text(attribute.name, seed(f"name {at}")),
                attr_value_id=self.text(attribute.value_id, seed(f"value_id {at}")),
                attr_value_desc=self.text(attribute.value, seed(f"value {at}")),
                attr_value_image=self.text(attribute.image, seed(f"image {at}")),
            )
            for at, attribute in enumerate(variant.attributes)
        ]
        ladder = [
            told(
                min_quantity=self.number(tier.at, seed(f"at {tier.at}")),
                max_quantity=self.upper_bound(tier.to, seed(f"to {tier.at}")),
                price=self.money(tier.price, seed(f"price {tier.at}")),
                currency=tier.currency,
            )
            for tier in variant.tiers
        ]
        return told(
            sku_id=self.identity(variant.sku_id, seed("sku_id")),
            product_id=self.identity(product.product_id, seed("product_id")),
            seller_sku_id=self.text(variant.seller_sku_id, seed("seller_sku_id")),
            status=self.text(variant.status, seed("status")),
            unit=self.text(variant.unit, seed("unit")),
            image=self.text(variant.image, seed("image")),
            sku_attr_list=self.several(attributes, seed("attributes")),
            ladder_price=self.several(ladder, seed("ladder")),
        )

    def stock(self, product: Product, only_from: str | None) -> Any:
        groups = []
        for origin, levels in product.stock.items():
            entries = [
                told(
                    product_id=self.identity(product.product_id, f"{sku_id} {origin} product"),
                    sku_id=self.identity(sku_id, f"{sku_id} {origin} sku"),
                    inventory_count=self.number(units, f"{sku_id} {origin} count"),
                    inventory_unit=self.text(unit, f"{sku_id} {origin} unit"),
                )
                for sku_id, units, unit in levels
            ]
            together = [[entry] for entry in entries] if self.manner.single == "drifting" else [entries]
            if only_from in (None, origin):
                groups += [
                    told(shipping_from=origin, inventory_list=self.several(some, f"{product.product_id} {origin} {at}"))
                    for at, some in enumerate(together)
                ]
        # an answer without any stock says so with an empty list; null would be no answer
        return self.several(groups, f"{product.product_id} stock") if groups else []

    def carriers(self, carriers: tuple[Carrier, ...], destination: str, units: int, seed: str) -> Any:
        if not carriers:
            return self._one_of(seed, [[], None, ABSENT]) if self.manner.nothing == "drifting" else []
        options = [
            told(
                shipping_type=self.text(carrier.kind, f"{seed} kind"),
                vendor_code=carrier.code,
                vendor_name=self.text(carrier.name, f"{seed} name"),
                trade_term=self.text(carrier.term, f"{seed} term"),
                dispatch_country=carrier.dispatch,
                destination_country=destination,
                delivery_time=self.days(carrier.days, f"{seed} {carrier.code} days"),
                solution_biz_type=self.text(carrier.business, f"{seed} business"),
                fee=self._fee(carrier, units, f"{seed} {carrier.code}"),
            )
            for carrier in carriers
        ]
        return self.several(options, f"{seed} options")

    def _fee(self, carrier: Carrier, units: int, seed: str) -> Any:
        one = told(amount=self.money(fee(carrier, units), seed), currency=carrier.currency)
        return self._one_of(seed, [one, [one]]) if self.manner.single == "drifting" else one

    # ---- envelopes

    def result(self, data: Any = ABSENT, **more: Any) -> dict[str, Any]:
        named = {"result_data": data, "result_code": "200", "result_msg": "request success"}
        if self.manner.envelope == "data":
            named = {"data": data, "code": "200", "success": "true", "message": "request success"}
        if self.manner.values == "native" and "result_code" in named:
            named["result_code"] = 200
        return told(result=told(**named, **more), code=self.manner.code)

    def listing(self, ids: list[str], total: int | None) -> dict[str, Any]:
        data: Any = [self.identity(product_id, product_id) for product_id in ids]
        if not ids:
            data = {"null": None, "absent": ABSENT}.get(self.manner.past_the_end, [])
        number: Any = ABSENT if total is None else total
        if total is not None:
            ways = {"text": str(total), "zero": 0, "low": max(total - 1, 0), "high": total + 1}
            number = ways.get(self.manner.total, total)
        return told(
            result=told(result_data=data, result_code="200", result_msg="request success", result_total=number),
            code=self.manner.code,
        )

    def refusal(self, refusal: Refusal, seed: str = "") -> dict[str, Any]:
        """An error in one of the shapes that were seen, all under HTTP 200."""
        code, words = refusal.code, refusal.words
        number = int(code) if code.isdecimal() else code
        shapes: list[dict[str, Any]] = [
            {"code": code, "message": words},
            {"code": number, "message": words},
            {"type": "ISV", "code": code, "message": words},
            {"error_response": {"type": "ISV", "code": code, "msg": words}},
            {"error_response": {"code": number, "msg": words, "sub_code": None}},
            {"code": code, "message": words, "sub_code": ""},
            {"code": number, "message": words, "value": None},
            {"result": {"result_code": code, "result_msg": words}, "code": "0"},
            {"result": {"result_code": number, "result_message": words, "result_data": None}, "code": 0},
        ]
        return dict(self._one_of(code + seed, shapes))


def told(**fields: Any) -> dict[str, Any]:
    """The fields that are told at all."""
    return {name: value for name, value in fields.items() if value is not ABSENT}


def fee(carrier: Carrier, units: int) -> Decimal | None:
    """What a carrier takes for so many units; None: it does not say."""
    return None if carrier.base is None else carrier.base + carrier.each * units
