"""The table of codes: whole, and each row with a family, a meaning and a remedy."""

import pytest

from dropship_pipeline.alibaba.errors import CODES, FAMILIES, ApiError, Family, Outage, Unreachable, api_error, entry

GUIDE_CODES = """
110001 10010 130602 130608 480006 10007 410006 130704 130106
130703 120019 800022 10012 4015 140004 10005 400007 430013
"""
LIVE_CODES = {
    Family.THROTTLED: "ApiCallLimit SellerCallLimit AppCallLimit 7 901",
    Family.TRANSIENT: "15 1000 ServiceTimeout ServiceUnavailable 500",
    Family.TOKEN: "IllegalAccessToken InvalidAccessToken AccessTokenExpired",
    Family.PERMANENT: "IncompleteSignature InvalidSignature InvalidAppKey InvalidApiPath InsufficientPermission "
    "MissingParameter InvalidParameter AppWhiteIpLimit",
    Family.BUSINESS: "4016 4027 4028 300000 404 ORDER_HAVE_PAID",
}


@pytest.mark.parametrize("code", GUIDE_CODES.split())
def test_every_code_of_the_guide_is_a_business_refusal_with_a_remedy(code: str) -> None:
    assert CODES[code].family is Family.BUSINESS
    assert CODES[code].meaning
    assert CODES[code].remedy


@pytest.mark.parametrize(
    ("family", "code"), [(family, code) for family, codes in LIVE_CODES.items() for code in codes.split()]
)
def test_every_code_of_the_live_facts_has_its_family(family: Family, code: str) -> None:
    assert CODES[code].family is family
    assert CODES[code].remedy


def test_what_another_dispatch_location_or_quantity_may_mend() -> None:
    by_mend = {mend: {code for code, row in CODES.items() if row.mend == mend} for mend in ("dispatch", "quantity")}
    assert by_mend["quantity"] == {"10007", "410006", "4027", "430013"}
    assert {"10010", "10012", "130608", "NO_OPTIONS"} <= by_mend["dispatch"]
    for hopeless in ("120019", "130106", "4015"):  # restricted, offline, unserved country
        assert CODES[hopeless].mend == "none"


def test_an_unknown_code_lets_the_fallback_go_on() -> None:
    assert entry("123456").mend == "dispatch"


def test_every_family_has_its_exception() -> None:
    for family, kind in FAMILIES.items():
        assert kind.family is family
    assert type(api_error("120019")) is FAMILIES[Family.BUSINESS]


def test_an_error_message_is_one_short_line() -> None:
    error = api_error("4016", "first line\n\n\tsecond   line" + " very long" * 200)
    assert "\n" not in str(error)
    assert error.message.startswith("first line second line very long")
    assert len(error.message) <= 301


def test_what_looks_like_a_token_never_gets_into_a_message() -> None:
    token = "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg"
    error = api_error("IllegalAccessToken", f"token {token} is invalid; sign 35607762342831B6A417A0DED84B79C05FEFBF11")
    assert token not in str(error)
    assert "35607762342831" not in repr(error)
    assert error.message == "token *** is invalid; sign ***"


def test_a_carrier_or_an_order_number_stays_readable() -> None:
    words = "carrier EX_ASP_Economy_Express_3C of order 234193410001028893 does not match"
    assert api_error("4028", words).message == words


def test_what_is_kept_of_a_refusal_holds_no_secret_and_is_else_as_it_came() -> None:
    error = api_error("404", "no such product")
    error.body = b'{"code": "404", "message": "no product for token 50000801215abc, \\u00e4"}'
    error.hide(["50000801215abc"])
    assert error.body == b'{"code": "404", "message": "no product for token ***, \\u00e4"}'


def test_secrets_can_be_blotted_out_of_an_error() -> None:
    error = api_error("800022", "no tariff for 4595 Clubview Drive, Bessemer")
    error.hide(["4595 Clubview Drive", "Bessemer"])
    assert error.message == "no tariff for ***, ***"
    assert "Clubview" not in str(error)
    assert "Clubview" not in repr(error)


def test_an_unreachable_host_is_named() -> None:
    assert str(Unreachable("gateway.example:8443", "Connection refused")) == (
        'Alibaba.com at gateway.example:8443: ConnectionFailed, no connection ("Connection refused"). '
        "Check the network, a proxy, and ALIBABA_BASE_URL."
    )


def test_an_outage_quotes_the_last_error_once() -> None:
    last: ApiError = api_error("HTTP 503", "HTTP 503, an empty body", path="/order/get")
    assert str(Outage(20, last)) == (
        "Alibaba.com /order/get: HTTP 503, Alibaba.com's backend failed "
        '("20 calls in a row failed; the last words were: HTTP 503, an empty body"). '
        "What was read is kept: run it again when Alibaba.com is well."
    )
