"""The published vectors (live facts: Signing, Push messages), and what a signature must not depend on."""

import pytest

from dropship_pipeline.alibaba.signing import push_is_genuine, push_signature, signature

SECRET = "helloworld"
SYSTEM = {"sign_method": "sha256", "timestamp": "1517820392000"}

VECTORS = [
    pytest.param(
        "/auth/token/create",
        {"app_key": "12345678", "code": "3_500102_JxZ05Ux3cnnSSUm6dCxYg6Q26"},
        "35607762342831B6A417A0DED84B79C05FEFBF116969C48AD6DC00279A9F4D81",
        id="token",
    ),
    pytest.param(
        "/order/get",
        {"app_key": "123456", "access_token": "test", "order_id": "1234"},
        "4190D32361CFB9581350222F345CB77F3B19F0E31D162316848A2C1FFD5FAB4A",
        id="order",
    ),
    pytest.param(
        "/eco/buyer/product/check",
        {
            "app_key": "12345678",
            "access_token": "test",
            "query_req": '{"scene_id": "906124611", "index": 0, "size": 50, "product_type": "common"}',
        },
        "B14255B593355BD88128237730AC8944970A27CED289C1B08A2D8FFB676E0302",
        id="listing",
    ),
    pytest.param(
        "/buynow/order/create",
        {
            "app_key": "12345678",
            "access_token": "test",
            "channel_refer_id": "ORDER-1",
            "remark": "Bitte mit Sorgfalt behandeln – 你好 & <ok>",
        },
        "FEDB4BC7C8AA2CC0A52615CB7DF1AF30814E7147EBCB18525CFDC5433F7B4CC5",
        id="beyond ASCII",
    ),
]

PUSH_BODY = (
    b'{"seller_id":"BROADCAST","message_type":1,"data":{"productId":"123456789","option":"ADD"},"timestamp":1650435537}'
)
PUSH_SIGNATURE = "16fb17a4a3b650ab1742980c61625f629d8a1e8f25fd8f9f1e0291ba7a5f6f41"


@pytest.mark.parametrize(("path", "params", "expected"), VECTORS)
def test_every_published_vector_is_reproduced(path: str, params: dict[str, str], expected: str) -> None:
    assert signature(path, {**SYSTEM, **params}, SECRET) == expected


def test_the_order_in_which_parameters_are_given_does_not_matter() -> None:
    path, params, expected = VECTORS[1].values
    assert signature(path, dict(reversed(list({**SYSTEM, **params}.items()))), SECRET) == expected


def test_sign_itself_and_empty_values_are_not_signed() -> None:
    path, params, expected = VECTORS[1].values
    assert signature(path, {**SYSTEM, **params, "sign": "OLD", "zip_code": ""}, SECRET) == expected


def test_names_are_sorted_as_ascii_and_not_as_words() -> None:
    # "Z" comes before "a" in ASCII, and "foo_bar" before "foobar"
    assert signature("/p", {"a": "1", "Z": "2"}, "s") == signature("/pZ2a1", {}, "s")
    assert signature("/p", {"foobar": "4", "foo_bar": "3"}, "s") == signature("/pfoo_bar3foobar4", {}, "s")


@pytest.mark.parametrize("changed", ["path", "value", "name", "secret"])
def test_any_change_changes_the_signature(changed: str) -> None:
    path, params, secret = "/order/get", {"order_id": "1234"}, SECRET
    before = signature(path, params, secret)
    match changed:
        case "path":
            path = "/order/gets"
        case "value":
            params = {"order_id": "1235"}
        case "name":
            params = {"order_ids": "1234"}
        case "secret":
            secret = "helloworle"
    assert signature(path, params, secret) != before


def test_the_push_vector_is_reproduced() -> None:
    assert push_signature("12345678", SECRET, PUSH_BODY) == PUSH_SIGNATURE
    assert push_is_genuine("12345678", SECRET, PUSH_BODY, PUSH_SIGNATURE)
    assert push_is_genuine("12345678", SECRET, PUSH_BODY, f" {PUSH_SIGNATURE.upper()} ")


@pytest.mark.parametrize(
    "header", [None, "", "x", PUSH_SIGNATURE[:-1], PUSH_SIGNATURE[:-1] + "2", "ünsigned", "\udcff"]
)
def test_a_push_without_its_true_signature_is_refused(header: str | None) -> None:
    assert not push_is_genuine("12345678", SECRET, PUSH_BODY, header)


def test_a_push_that_was_serialised_again_is_refused() -> None:
    assert not push_is_genuine("12345678", SECRET, PUSH_BODY.replace(b":", b": "), PUSH_SIGNATURE)
