"""The gateway's signature, against vectors that Alibaba.com published and others made from its rules."""

import json

import pytest
from signed_client import signature

from dropship_pipeline.sandbox.signature import is_signed, sign

VECTORS = {
    "official, as in the guide's example URL": (
        "/auth/token/create",
        {
            "app_key": "12345678",
            "code": "3_500102_JxZ05Ux3cnnSSUm6dCxYg6Q26",
            "sign_method": "sha256",
            "timestamp": "1517820392000",
        },
        "35607762342831B6A417A0DED84B79C05FEFBF116969C48AD6DC00279A9F4D81",
    ),
    "official, with a token": (
        "/order/get",
        {
            "app_key": "123456",
            "access_token": "test",
            "order_id": "1234",
            "sign_method": "sha256",
            "timestamp": "1517820392000",
        },
        "4190D32361CFB9581350222F345CB77F3B19F0E31D162316848A2C1FFD5FAB4A",
    ),
    "a JSON parameter": (
        "/eco/buyer/product/check",
        {
            "app_key": "12345678",
            "access_token": "test",
            "sign_method": "sha256",
            "timestamp": "1517820392000",
            "query_req": '{"scene_id": "906124611", "index": 0, "size": 50, "product_type": "common"}',
        },
        "B14255B593355BD88128237730AC8944970A27CED289C1B08A2D8FFB676E0302",
    ),
    "text beyond ASCII": (
        "/buynow/order/create",
        {
            "app_key": "12345678",
            "access_token": "test",
            "sign_method": "sha256",
            "timestamp": "1517820392000",
            "channel_refer_id": "ORDER-1",
            "remark": "Bitte mit Sorgfalt behandeln – 你好 & <ok>",
        },
        "FEDB4BC7C8AA2CC0A52615CB7DF1AF30814E7147EBCB18525CFDC5433F7B4CC5",
    ),
}


@pytest.mark.parametrize(("path", "params", "expected"), VECTORS.values(), ids=VECTORS)
def test_the_published_vectors_come_out(path, params, expected):
    assert sign(path, params, "helloworld") == expected
    assert is_signed(path, {**params, "sign": expected}, "helloworld")


def test_a_signature_of_anything_else_is_not_taken():
    path, params, expected = VECTORS["a JSON parameter"]
    assert not is_signed(path, {**params, "sign": expected}, "helloworlds")
    assert not is_signed(path, {**params, "sign": expected, "extra": "1"}, "helloworld")
    assert not is_signed("/eco/buyer/local/product/check", {**params, "sign": expected}, "helloworld")
    assert not is_signed(path, {**params, "sign": expected.lower()}, "helloworld")


def test_blank_parameters_are_left_out():
    path, params, expected = VECTORS["official, with a token"]
    assert sign(path, {**params, "zip_code": ""}, "helloworld") == expected


REQUEST = {"query_req": json.dumps({"product_id": "1601206892606"}), "note": "a+b c&d=ü%25"}
DESCRIPTION = "/eco/buyer/product/description"


@pytest.mark.parametrize("where", ["query", "headers"])
def test_parameters_are_merged_from_query_and_headers_before_the_signature_is_checked(client, where):
    assert client.call(DESCRIPTION, REQUEST, where=where)["result"]["result_code"] == "200"


@pytest.mark.parametrize("where", ["query", "form", "multipart", "headers"])
def test_a_post_may_carry_its_parameters_anywhere(client, where):
    params = {"product_id": "1600124642247", "quantity": "5", "destination_country": "US", "note": "a+b c&d=ü%25"}
    assert client.call("/shipping/freight/calculate", params, method="POST", where=where)["code"] == "0"


def test_text_that_a_client_left_unescaped_in_a_form_is_read_as_utf_8(client):
    path = "/shipping/freight/calculate"
    question = {"product_id": "1600124642247", "quantity": "5", "destination_country": "US", "note": "你好–ü"}
    form = "&".join(f"{name}={value}" for name, value in client.signed(path, question).items())
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.http("POST", f"/rest{path}", headers, form.encode()).json["code"] == "0"


def test_system_parameters_in_the_query_and_the_rest_in_the_form_are_one_call(client):
    # as the Java SDK sends it
    path, params = (
        "/shipping/freight/calculate",
        {
            "product_id": "1600124642247",
            "quantity": "5",
            "destination_country": "US",
        },
    )
    everything = client.signed(path, params)
    form = "&".join(f"{name}={everything.pop(name)}" for name in params)
    target = f"/rest{path}?" + "&".join(f"{name}={value}" for name, value in everything.items())
    headers = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
    assert client.http("POST", target, headers, form.encode()).json["code"] == "0"


def test_a_file_part_of_a_form_is_not_signed(client):
    path = "/shipping/freight/calculate"
    params = client.signed(path, {"product_id": "1600124642247", "quantity": "5", "destination_country": "US"})
    parts = [f'--edge\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in params.items()]
    file = '--edge\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\n\r\nabc\r\n--edge--\r\n'
    headers = {"Content-Type": 'multipart/form-data; boundary="edge"'}
    assert client.http("POST", f"/rest{path}", headers, ("".join(parts) + file).encode()).json["code"] == "0"


def test_extra_parameters_of_the_sdks_are_signed_like_any_other(client):
    extras = {"partner_id": "iop-sdk-python-20250910", "simplify": "false", "format": "json", "debug": "true"}
    assert client.call(DESCRIPTION, {**REQUEST, **extras})["result"]["result_code"] == "200"
    unsigned = {**client.signed(DESCRIPTION, REQUEST), **extras}
    assert client.raw("GET", DESCRIPTION, unsigned).json["code"] == "IncompleteSignature"


@pytest.mark.parametrize("entry", ["/rest", "/rest/", "/sync", "/"])
def test_the_newest_sdks_name_the_path_in_method_and_call_one_address(client, entry):
    # iop-sdk-python-20250910: POST to the server's address, `method` signed like any parameter, the path in front
    params = client.signed(
        "/shipping/freight/calculate",
        {
            "method": "/shipping/freight/calculate",
            "partner_id": "iop-sdk-python-20250910",
            "simplify": "false",
            "format": "json",
            "product_id": "1600124642247",
            "quantity": "5",
            "destination_country": "US",
        },
    )
    client.prefix = ""
    assert client.raw("POST", entry, params, "form").json["value"][0]["fee"] == {"amount": "19.1", "currency": "USD"}


def test_the_api_is_served_without_rest_in_front_too(client):
    client.prefix = ""
    assert client.call(DESCRIPTION, REQUEST)["result"]["result_code"] == "200"


def test_the_tests_own_signing_is_that_of_the_vectors():
    for path, params, expected in VECTORS.values():
        assert signature(path, params, "helloworld") == expected
