"""Whatever is sent to the order endpoints is answered or refused in the gateway's words: nothing falls over."""

import json

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from order_desk import BUYER, Desk, creation

from dropship_pipeline.sandbox.api import Refusal

NAMES = sorted(
    {"product_id", "sku_id", "quantity", "shipment_address", "country_code", "zip", "telephone", "number", "mobile"}
    | {"order_id_list", "date_timestamp", "date_str", "carrier_code", "dispatch_location", "contact_person", "city"}
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
PARAMETERS = sorted(
    {"e_trade_id", "trade_id", "role", "start_page", "page_size", "status"}
    | {"create_date_start", "modified_date_end", "data_select", "param_order_pay_request", "product_list"}
    | {"logistics_detail", "properties", "attachments", "clearance_detail", "remark"}
    | {"enable_distribution_waybill", "channel_refer_id"}
)
VALUES = st.text(max_size=20) | JSON.map(lambda value: json.dumps(value, ensure_ascii=False))
DESK = Desk(count=3)
TRADE_ID = DESK.list()[0]["trade_id"]
PATHS = sorted(DESK.endpoints)


def answered_or_refused(path, params):
    refusal = None
    try:
        answer = DESK.ask(path, BUYER, **params)
    except Refusal as caught:
        refusal, answer = caught, {}
    assert refusal is None or (refusal.code and refusal.shape in {"flat", "business"})
    assert orjson.dumps(answer)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PATHS), st.dictionaries(st.sampled_from(PARAMETERS), VALUES, max_size=5))
def test_any_parameters_get_an_answer(path, params):
    answered_or_refused(path, params)
    answered_or_refused(path, {"e_trade_id": TRADE_ID, "trade_id": TRADE_ID, "role": "buyer", **params})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(NAMES), JSON)
def test_a_right_order_with_one_value_replaced_gets_an_answer(name, value):
    def replaced(node):
        if isinstance(node, dict):
            return {key: value if key == name else replaced(item) for key, item in node.items()}
        return [replaced(item) for item in node] if isinstance(node, list) else node

    answered_or_refused("/buynow/order/create", replaced(creation()))
