"""Payloads as the API answers them, and the same with anything in any field: what must be survived."""

import copy
from collections.abc import Iterator

from hypothesis import strategies as st

PRODUCT_ID = "1601206892606"

DESCRIPTION = {
    "product_id": PRODUCT_ID,
    "title": "Sublimation Mug 40oz Tumbler",
    "description": "<html>Double wall, <b>40oz</b></html>",
    "detail_url": "https://www.alibaba.com/product-detail/1601206892606.html",
    "main_image": "https://sc04.alicdn.com/kf/main.jpg",
    "images": ["https://sc04.alicdn.com/kf/1.jpg", "https://sc04.alicdn.com/kf/2.jpg"],
    "category_id": "100003291",
    "category": "Vacuum Flasks & Thermoses",
    "supplier": "Company Name",
    "eCompanyId": "cVmhg7/xG8q3UQgcH/5Fag==",
    "currency": "USD",
    "min_order_quantity": "50",
    "status": "PRODUCT_ONLINE",
    "mode_id": "AV.YW.DEP.103.L",
    "wholesale_trade": {
        "min_order_quantity": "12",
        "unit_type": "Piece",
        "handling_time": "3",
        "price": "12.34",
        "deliver_periods": [{"quantity": "50", "process_period": "3"}, {"quantity": "500", "process_period": "9"}],
    },
    "skus": [
        {
            "sku_id": "105613018158",
            "product_id": PRODUCT_ID,
            "seller_sku_id": "1601206892606_107152354495",
            "status": "NORMAL",
            "unit": "Piece",
            "image": "https://sc04.alicdn.com/kf/sku.jpg",
            "sku_attr_list": [
                {
                    "attr_name_id": "1111",
                    "attr_name_desc": "Color",
                    "attr_value_id": "-11",
                    "attr_value_desc": "solid",
                    "attr_value_image": "https://sc04.alicdn.com/kf/attr.jpg",
                },
                {"attr_name_id": "2222", "attr_name_desc": "Size", "attr_value_id": "7", "attr_value_desc": "40oz"},
            ],
            "ladder_price": [
                {"min_quantity": "50", "max_quantity": "499", "price": "3.69", "currency": "USD"},
                {"min_quantity": "500", "max_quantity": "-1", "price": "3.19", "currency": "USD"},
            ],
        },
        {
            "sku_id": "105613018159",
            "status": "NORMAL",
            "ladder_price": [{"min_quantity": "50", "max_quantity": "-1", "price": "4.00", "currency": "USD"}],
        },
    ],
}

INVENTORY = [
    {
        "shipping_from": "CN",
        "inventory_list": [
            {
                "product_id": PRODUCT_ID,
                "sku_id": "105613018158",
                "inventory_count": "1196",
                "inventory_unit": "Piece",
            },
            {"product_id": PRODUCT_ID, "sku_id": "105613018159", "inventory_count": 0, "inventory_unit": "Piece"},
        ],
    },
    {
        "shipping_from": "US",
        "inventory_list": [{"product_id": PRODUCT_ID, "sku_id": "105613018158", "inventory_count": "7"}],
    },
]

FREIGHT = [
    {
        "shipping_type": "EXPRESS",
        "vendor_code": "EX_ASP_Economy_Express_3C",
        "vendor_name": "Alibaba.com Economy Express (3C)",
        "trade_term": "DAP",
        "dispatch_country": "CN",
        "destination_country": "US",
        "delivery_time": "10~15",
        "solution_biz_type": "distributionWaybill",
        "fee": {"amount": "19.1", "currency": "USD"},
    },
    {
        "shipping_type": "EXPRESS/MULTIMODAL_TRANSPORT",
        "vendor_code": "seller_oversea_distributor",
        "vendor_name": "Seller's Shipping Method 1",
        "trade_term": "DAP",
        "dispatch_country": "US",
        "destination_country": "US",
        "delivery_time": "3-9",
        "store_type": "CERTIFIED",
        "fee": {"amount": 3.0, "currency": "USD"},
    },
]

LISTING = {
    "result_msg": "request success",
    "result_data": [1284823, 28743823, "1600124642247"],
    "result_code": "200",
    "result_total": "100000",
}

_HOSTILE_TEXT = st.text(st.characters(), max_size=20)  # NUL and lone surrogates included
_HOSTILE_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | _HOSTILE_TEXT
    | st.sampled_from(
        ["null", "", "-1", -1, "1,234.50", "negotiable", "9" * 30, 2**63, 2**31, 10**400, "x" * 500, "\0", "\ud800"]
    )
)
ANYTHING = st.recursive(
    _HOSTILE_SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_HOSTILE_TEXT, inner, max_size=3),
    max_leaves=6,
)

_GONE = object()


def places(payload: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The path of every field and element, the payload itself included."""
    yield path
    if isinstance(payload, dict):
        for name, inner in payload.items():
            yield from places(inner, (*path, name))
    elif isinstance(payload, list):
        for position, inner in enumerate(payload):
            yield from places(inner, (*path, position))


def _put(payload: object, path: tuple[object, ...], value: object) -> object:
    if not path:
        return None if value is _GONE else value
    container = payload
    for step in path[:-1]:
        try:
            container = container[step]
        except (KeyError, IndexError, TypeError):
            return payload  # an earlier change took this place away
    last = path[-1]
    fits = isinstance(container, dict) or (
        isinstance(container, list) and isinstance(last, int) and last < len(container)
    )
    if fits and value is not _GONE:
        container[last] = value
    elif fits and (isinstance(container, list) or last in container):
        del container[last]
    return payload


@st.composite
def damaged(draw: st.DrawFn, payload: object) -> object:
    """The payload with up to four of its places gone or replaced by anything."""
    hurt = copy.deepcopy(payload)
    all_places = list(places(payload))
    for path in draw(st.lists(st.sampled_from(all_places), max_size=4)):
        value = draw(st.just(_GONE) | ANYTHING)
        hurt = _put(hurt, path, value)
    return hurt
