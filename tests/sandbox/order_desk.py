"""What the tests of orders share: a sandbox without a socket, a clock that one moves, and orders that are right."""

import json
from functools import cache

import pytest

from dropship_pipeline.sandbox.accounts import Accounts
from dropship_pipeline.sandbox.api import Call, Refusal
from dropship_pipeline.sandbox.endpoints import logistics, orders
from dropship_pipeline.sandbox.endpoints.payments import Payments
from dropship_pipeline.sandbox.examples import EXAMPLE_PRODUCTS
from dropship_pipeline.sandbox.world.buyers import BUYERS
from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.order_rules import lacks_epr, promotion_unavailable
from dropship_pipeline.sandbox.world.orders import Orders

NOW = 1_769_000_000_000  # 2026-01-21T12:53:20Z
GUIDES_PRODUCTS = {example.product_id for example in EXAMPLE_PRODUCTS}
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
BUYER, OTHER, NEVER_PAID, VERIFIED, DECLINED, CNFM = (buyer.user_id for buyer in BUYERS)


@cache
def catalogue(drift: float = 0.0) -> Catalogue:
    """3,000 products; with a drift of 0 all of them are online and nothing moves."""
    return Catalogue(7, 3000, drift)


@cache
def products():
    """Every drawn product that can be ordered with no surprise but the one that a test looks for."""
    shop = catalogue()
    found = [shop.product(product_id, NOW) for product_id in shop.ids(NOW)]
    return [
        product
        for product in found
        if product.product_id not in GUIDES_PRODUCTS
        and not product.design.template_fails
        and not product.restricted_countries
        and product.currency == "USD"
        and not promotion_unavailable(product.product_id, NOW)
    ]


def product_where(condition):
    """The first product that fulfils the condition."""
    return next(product for product in products() if condition(product))


def in_stock(product, location="CN", quantity=None):
    """The first variant with enough units in that place, or None."""
    wanted = quantity or product.moq
    return next((sku for sku in product.skus if sku.stock(location) >= wanted), None)


def ordinary():
    """A product that ships from China to the United States, in stock, by a seller with an EPR number."""
    return product_where(
        lambda product: (
            "CN" in product.dispatch_locations
            and product.moq <= 3
            and in_stock(product, quantity=50)
            and not lacks_epr(product.e_company_id, "DE")
        )
    )


class Desk:
    """The endpoints of one sandbox, called directly; `now_ms` is its clock."""

    def __init__(self, count=200, seed=7, start_ms=NOW, shop=None):
        self.time_ms = start_ms
        self.catalogue = shop or catalogue()
        self.orders = Orders(self.catalogue, self, seed, count, BUYERS)
        self.accounts = Accounts(seed, start_ms)
        self.payments = Payments(self.orders, self.accounts)
        served = orders.endpoints(self.orders, self.accounts, self.catalogue, self.payments)
        self.endpoints = {endpoint.path: endpoint for endpoint in served + logistics.endpoints(self.orders)}

    def now_ms(self):
        return self.time_ms

    def wait(self, milliseconds):
        self.time_ms += milliseconds

    def ask(self, path, buyer=BUYER, **params):
        """The answer; parameters that are not text are sent as JSON."""
        sent = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
        return self.endpoints[path].handler(Call(path, sent, self.time_ms, "0ba2", buyer, "POST"))

    def refused(self, path, buyer=BUYER, **params):
        """The refusal that the call gets."""
        with pytest.raises(Refusal) as caught:
            self.ask(path, buyer, **params)
        return caught.value

    def create(self, buyer=BUYER, **changes):
        """The id of a new order."""
        return self.ask("/buynow/order/create", buyer, **creation(**changes))["value"]["trade_id"]

    def creation_refused(self, buyer=BUYER, **changes):
        return self.refused("/buynow/order/create", buyer, **creation(**changes))

    def pay(self, *trade_ids, buyer=BUYER):
        request = {"order_id_list": list(trade_ids), "payment_method": "CREDIT_CARD", "is_pc": True}
        return self.ask("/alibaba/dropshipping/order/pay", buyer, param_order_pay_request=request)["value"]

    def pay_result(self, trade_id, buyer=BUYER):
        return self.ask("/alibaba/order/pay/result/query", buyer, trade_id=trade_id)["value"]

    def get(self, trade_id, buyer=BUYER, **params):
        return self.ask("/alibaba/order/get", buyer, e_trade_id=trade_id, **params)["value"]

    def status(self, trade_id, buyer=BUYER):
        return self.get(trade_id, buyer)["trade_status"]

    def list(self, buyer=BUYER, **params):
        value = self.ask("/alibaba/order/list", buyer, **{"role": "buyer", "page_size": "100", **params})["value"]
        return value["order_list"]

    def tracking(self, trade_id, buyer=BUYER):
        return self.ask("/order/logistics/tracking/get", buyer, trade_id=trade_id)["tracking_list"]

    def logistics(self, trade_id, buyer=BUYER):
        return self.ask("/order/logistics/query", buyer, trade_id=trade_id, data_select="logistic_order")["value"]

    def fund(self, trade_id, buyer=BUYER):
        params = {"e_trade_id": trade_id, "data_select": "fund_transaction_fee"}
        return self.ask("/alibaba/order/fund/query", buyer, **params)["value"]


ADDRESS = {
    "zip": "10012",
    "country": "United States of America",
    "country_code": "US",
    "province": "New York",
    "province_code": "NY",
    "city": "New York",
    "city_code": "NYC",
    "address": "123 Main Street",
    "alternate_address": "Apt 4B",
    "contact_person": "John Doe",
    "telephone": {"country": "+1", "area": "", "number": "5551234567"},
}
PLACES = {
    "US": ADDRESS,
    "MX": {**ADDRESS, "country_code": "MX", "country": "Mexico", "zip": "44100", "province": "Jalisco"},
    "DE": {**ADDRESS, "country_code": "DE", "country": "Germany", "zip": "04109", "province": ""},
    "KR": {**ADDRESS, "country_code": "KR", "country": "Korea", "zip": "04524", "province": ""},
}


def carriers(product, quantity, country, location, *, advanced=True, zip_code="10012"):
    """The carrier codes that freight offers."""
    options = catalogue().freight(product, quantity, country, location, advanced, zip_code)
    return [option.vendor_code for option in options]


def creation(
    product=None,
    quantity=None,
    sku=None,
    country="US",
    location="CN",
    carrier=None,
    address=None,
    items=None,
    **changes,
):
    """The parameters of an order that is placed, but for what the test changes."""
    product = product or ordinary()
    quantity = quantity or product.moq
    sku_id = sku or (in_stock(product, location, quantity) or product.skus[0]).sku_id
    logistics_detail = {
        "shipment_address": {**PLACES[country], **(address or {})},
        "carrier_code": carrier or carriers(product, product.moq, country, location)[0],
    }
    if location:
        logistics_detail["dispatch_location"] = location
    line = {"product_id": product.product_id, "sku_id": sku_id, "quantity": str(quantity)}
    return {
        "channel_refer_id": "ORDER-2026-001",
        "product_list": [line] if items is None else items,
        "logistics_detail": logistics_detail,
        "properties": {"platform": "Shopify", "orderId": "SH12345678"},
        "remark": "Please handle with care",
        **changes,
    }
