"""Orders and tokens over real HTTP: a sandbox in a process of its own, and a client that knows only the guide."""

import hashlib
import hmac
import json
import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from moment import THEN_MS

from dropship_pipeline.sandbox.launch import SandboxConfig, start

DAY_S = 86_400


@pytest.fixture(scope="module")
def sandbox():
    with start(
        SandboxConfig(products=400, orders=60, seed=11, drift=0.0, clock_speed=0.0, clock_start_ms=THEN_MS)
    ) as running:
        yield running


@pytest.fixture
def sandbox_of_its_own():
    """For a test that moves the clock."""
    with start(SandboxConfig(products=400, orders=10, seed=12, drift=0.0, clock_start_ms=THEN_MS)) as running:
        yield running


class Client:
    """Signs as the guide says (guide: Request Signing) and sends with `requests`."""

    def __init__(self, sandbox, token=None):
        self.sandbox = sandbox
        self.token = token or sandbox.env["ALIBABA_ACCESS_TOKEN"]
        self.session = requests.Session()

    def ask(self, path, method="GET", *, signed_in=True, **params):
        sent = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
        sent |= {
            "app_key": self.sandbox.env["ALIBABA_APP_KEY"],
            "sign_method": "sha256",
            "timestamp": str(int(time.time() * 1000)),
        }
        if signed_in:
            sent["access_token"] = self.token
        text = path + "".join(f"{name}{sent[name]}" for name in sorted(sent))
        secret = self.sandbox.env["ALIBABA_APP_SECRET"].encode()
        sent["sign"] = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest().upper()
        url = self.sandbox.base_url + path
        if method == "GET":
            answer = self.session.get(url, params=sent, timeout=10)
        else:
            answer = self.session.post(url, data=sent, timeout=10)
        assert answer.status_code == 200
        return answer.json()


@pytest.fixture
def client(sandbox):
    api = Client(sandbox)
    yield api
    api.session.close()


def authorise(sandbox, buyer, decision="authorize"):
    """Click through the page as a browser would; where the buyer ends up."""
    root = sandbox.base_url.removesuffix("/rest")
    query = {
        "response_type": "code",
        "client_id": sandbox.env["ALIBABA_APP_KEY"],
        "redirect_uri": "http://127.0.0.1:8799/callback",
        "state": "é&1",
        "force_auth": "true",
    }
    page = requests.get(f"{root}/oauth/authorize", params=query, timeout=10)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f'value="{buyer}"' in page.text
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
    form["state"] = form["state"].replace("&amp;", "&")
    answer = requests.post(
        f"{root}/oauth/authorize",
        data={**form, "buyer": buyer, "decision": decision},
        allow_redirects=False,
        timeout=10,
    )
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("http://127.0.0.1:8799/callback?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def test_from_the_page_to_a_token_that_works_and_is_refreshed(sandbox, client):
    back = authorise(sandbox, "200057718")
    assert back["state"] == "é&1"
    document = client.ask("/auth/token/create", signed_in=False, code=back["code"])
    assert (document["code"], document["user_info"]["user_id"]) == ("0", "200057718")
    buyer = Client(sandbox, document["access_token"])
    orders = buyer.ask("/alibaba/order/list", role="buyer")
    assert orders["value"]["total_count"] == "6"

    refreshed = client.ask("/auth/token/refresh", "POST", signed_in=False, refresh_token=document["refresh_token"])
    assert refreshed["access_token"] != document["access_token"]
    refused = buyer.ask("/alibaba/order/list", role="buyer")
    assert (refused["type"], refused["code"]) == ("ISV", "IllegalAccessToken")
    assert refused["message"] == "The specified access token is invalid or expired"
    buyer.token = refreshed["access_token"]
    assert buyer.ask("/alibaba/order/list", role="buyer") | {"request_id": ""} == orders | {"request_id": ""}
    buyer.session.close()


def test_a_code_serves_once_and_a_cancelled_page_gives_none(sandbox, client):
    code = authorise(sandbox, "200042362")["code"]
    client.ask("/auth/token/create", signed_in=False, code=code)
    again = client.ask("/auth/token/create", signed_in=False, code=code)
    assert (again["code"], again["message"]) == ("InvalidCode", "Invalid authorization code")
    assert authorise(sandbox, "200042362", "cancel") == {
        "error": "access_denied",
        "error_description": "The buyer did not authorize the application.",
        "state": "é&1",
    }


def test_an_authorisation_that_leads_elsewhere_is_an_error_page(sandbox):
    answer = requests.get(
        sandbox.base_url.removesuffix("/rest") + "/oauth/authorize",
        params={"response_type": "code", "client_id": "12345678", "redirect_uri": "https://evil.example/"},
        allow_redirects=False,
        timeout=10,
    )
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert "not registered" in answer.text


def offers(client, sandbox):
    """Products that ship from China, each with a variant and how many to order; asked for through the API alone."""
    for product_id in sandbox.control("truth/products")["product_ids"][20:]:
        stock = client.ask("/eco/buyer/product/inventory", inv_req={"product_id": product_id, "shipping_from": "CN"})
        counted = [row for place in stock["result"].get("result_data") or [] for row in place["inventory_list"]]
        found = client.ask("/eco/buyer/product/description", query_req={"product_id": product_id})
        product = found["result"]["result_data"]
        quantity = int(product["min_order_quantity"])
        sku_id = next((row["sku_id"] for row in counted if int(row["inventory_count"]) >= quantity), None)
        if sku_id:
            yield product, sku_id, quantity


def test_an_order_is_quoted_created_paid_shipped_and_tracked(sandbox_of_its_own):
    sandbox = sandbox_of_its_own
    client = Client(sandbox)
    address = {
        "zip": "10012",
        "country": {"code": "US", "name": "United States"},
        "province": {"code": "NY", "name": "New York"},
        "city": {"code": "", "name": "New York"},
        "address": "123 Main Street",
    }
    for product, sku_id, quantity in offers(client, sandbox):
        line = {"product_id": product["product_id"], "sku_id": sku_id, "quantity": str(quantity)}
        quote = client.ask(
            "/order/freight/calculate",
            "POST",
            e_company_id=product["eCompanyId"],
            destination_country="US",
            dispatch_location="CN",
            address=address,
            logistics_product_list=[line],
        )
        if quote.get("value"):
            break
    way = quote["value"][0]
    created = client.ask(
        "/buynow/order/create",
        "POST",
        channel_refer_id="ORDER-7",
        product_list=[line],
        logistics_detail={
            "shipment_address": {
                "zip": "10012",
                "country": "United States of America",
                "country_code": "US",
                "province": "New York",
                "city": "New York",
                "address": "123 Main Street",
                "contact_person": "Zoë Ørsted – Test",
                "telephone": {"country": "+1", "number": "5551234567"},
            },
            "dispatch_location": "CN",
            "carrier_code": way["vendor_code"],
        },
        remark="Bitte mit Sorgfalt behandeln – 你好 & <ok>",
    )
    trade_id = created["value"]["trade_id"]
    order = client.ask("/alibaba/order/get", e_trade_id=trade_id)["value"]
    assert order["remark"] == "Bitte mit Sorgfalt behandeln – 你好 & <ok>"
    assert order["shipping_address"]["contact_person"] == "Zoë Ørsted – Test"
    assert float(order["shipment_fee"]["amount"]) == float(way["fee"]["amount"])

    request = {"order_id_list": [trade_id], "payment_method": "CREDIT_CARD", "is_pc": True}
    paid = client.ask("/alibaba/dropshipping/order/pay", "POST", param_order_pay_request=request)
    assert paid["value"] == {"status": "PAY_SUCCESS"}
    assert client.ask("/order/logistics/tracking/get", trade_id=trade_id)["tracking_list"] == []

    sandbox.control("clock", {"advance_s": 40 * DAY_S})
    assert client.ask("/order/logistics/query", trade_id=trade_id)["code"] == "IllegalAccessToken", "tokens age as well"
    refresh_token = sandbox.env["ALIBABA_REFRESH_TOKEN"]
    client.token = client.ask("/auth/token/refresh", signed_in=False, refresh_token=refresh_token)["access_token"]
    query = {"trade_id": trade_id, "data_select": "logistic_order"}
    shipped = client.ask("/order/logistics/query", "POST", **query)["value"]
    assert shipped["logistic_status"] == "CONFIRM_RECEIPT"
    tracked = client.ask("/order/logistics/tracking/get", trade_id=trade_id)["tracking_list"]
    assert tracked[0]["current_event_code"] == "DELIVERED"
    assert tracked[0]["event_list"][0]["event_location"] == "US, NEW YORK, NEW YORK"
    assert client.ask("/alibaba/order/fund/query", e_trade_id=trade_id)["value"]["payment_transaction_fee"]
    client.session.close()


def test_the_list_over_http_is_the_truth_of_the_control_api(sandbox, client):
    truth = {
        row["trade_id"]: row for row in sandbox.control("truth/orders")["orders"] if row["buyer_id"] == "200042362"
    }
    pages = [
        client.ask("/alibaba/order/list", role="buyer", start_page=str(page), page_size="25")["value"]
        for page in range(4)
    ]
    assert {page["total_count"] for page in pages} == {str(len(truth))}
    entries = [entry for page in pages for entry in page["order_list"]]
    assert {entry["trade_id"]: entry["trade_status"] for entry in entries} == {
        trade_id: row["status"] for trade_id, row in truth.items()
    }
    for entry in entries[:15]:
        order = client.ask("/alibaba/order/get", e_trade_id=entry["trade_id"])["value"]
        row = truth[entry["trade_id"]]
        assert order["total_amount"] == {"amount": row["total"], "currency": "USD"}
        assert [line["sku_id"] for line in order["order_products"]] == [line["sku_id"] for line in row["lines"]]


def test_an_order_that_is_unknown_is_a_business_error_in_a_200(client):
    answer = client.ask("/alibaba/order/get", e_trade_id="1")
    assert (answer["code"], answer["message"]) == ("404", "order not found")
    assert answer["request_id"]


def test_the_guides_order_works_over_http_with_get_and_post(client):
    for method in ("GET", "POST"):
        answer = client.ask("/alibaba/order/get", method, e_trade_id="234193410001028893", language="en_US")
        assert answer["code"] == "0"
        assert answer["value"]["create_date"]["timestamp"] == "1733821832000"
