"""Why an answer, or a record of one, cannot be used: the closed list of codes. They are stable: scripts may name them.

Only what the codes mean belongs here; what is unreadable is found where it is read, and raised as `Unreadable`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

ReasonCode = Literal[
    "not_an_object",
    "not_a_list",
    "no_product_id",
    "other_product",
    "no_product_ids",
    "no_levels",
    "no_options",
    "other_order",
    "no_order_id",
    "no_status",
    "not_storable",
]
"""A reason: a key of `REASONS`."""

REASONS: Mapping[ReasonCode, str] = MappingProxyType(
    {
        "not_an_object": "something else stands where an object is due",
        "not_a_list": "something else stands where a list is due",
        "no_product_id": "a description does not say of which product it is",
        "other_product": "a description is of another product than was asked for",
        "no_product_ids": "a page of a listing has entries, and no product ID in any",
        "no_levels": "stock lists levels, and none can be read",
        "no_options": "freight lists options, and none can be read",
        "other_order": "an order is another one than was asked for",
        "no_order_id": "the answer to placing an order names no order; told to whoever places it, never kept",
        "no_status": "the answer to paying names no status; told to whoever pays, never kept",
        "not_storable": "it was read well, and is more than Postgres can store",
    }
)
"""What each code means, in words that go on after it."""
