"""A payload's hash says whether it is the payload that was read before."""

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import ANYTHING, DESCRIPTION, damaged

from dropship_pipeline.catalog.fingerprint import payload_hash


def shuffled(value: object, randomly: random.Random) -> object:
    if isinstance(value, dict):
        names = list(value)
        randomly.shuffle(names)
        return {name: shuffled(value[name], randomly) for name in names}
    return [shuffled(inner, randomly) for inner in value] if isinstance(value, list) else value


@given(damaged(DESCRIPTION) | ANYTHING, st.randoms(use_true_random=False))
def test_the_order_of_fields_does_not_count(payload, randomly):
    hashed = payload_hash(payload)
    assert -(2**63) <= hashed < 2**63
    assert payload_hash(shuffled(payload, randomly)) == hashed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"price": "3.69"}, {"price": "3.70"}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ({"a": None}, {}),
        ({"title": "\ud800"}, {"title": "\ud801"}),
        ({"\ud800": [1], "b": []}, {"\ud800": [], "b": [1]}),
        (2**70, 2**70 + 1),
        (["\ud800", [1]], ["\ud800", 1]),
        (["\ud800", "1"], ["\ud800", 1]),
    ],
)
def test_what_differs_in_anything_else_differs_in_its_hash(one, other):
    assert payload_hash(one) != payload_hash(other)


def test_depth_without_end_has_a_hash_too():
    deep: object = 1
    for _ in range(5_000):
        deep = [deep]
    assert payload_hash(deep) != payload_hash([deep])


def test_the_hash_is_the_same_in_every_process():
    script = (
        "from dropship_pipeline.catalog.fingerprint import payload_hash; print(payload_hash({'b': [1, 'x'], 'a': 2}))"
    )
    hashes = {subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout for _ in range(2)}
    assert hashes == {f"{payload_hash({'a': 2, 'b': [1, 'x']})}\n".encode()}
