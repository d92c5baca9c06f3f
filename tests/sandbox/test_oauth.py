"""The token endpoints and the authorisation page, asked through their handlers."""

from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest

from dropship_pipeline.sandbox.accounts import Accounts, App, Lifetimes
from dropship_pipeline.sandbox.api import Call, Refusal
from dropship_pipeline.sandbox.endpoints import auth
from dropship_pipeline.sandbox.endpoints.authorize import HtmlAnswer, authorizer
from dropship_pipeline.sandbox.world.buyers import BUYERS

NOW = 1_765_000_000_000
CALLBACK = "http://127.0.0.1:8799/callback"
REQUEST = {
    "response_type": "code",
    "client_id": "12345678",
    "redirect_uri": CALLBACK,
    "state": "xyz",
    "force_auth": "true",
}


def world(**lifetimes) -> Accounts:
    apps = (App("12345678", "helloworld", "Shop & Sons", ("https://shop.example/cb?from=alibaba",)),)
    return Accounts(seed=7, now_ms=NOW, lifetimes=Lifetimes(**lifetimes), apps=apps)


def ask(accounts: Accounts, path: str, now_ms: int = NOW, **params: str):
    handler = {endpoint.path: endpoint.handler for endpoint in auth.endpoints(accounts)}[path]
    return handler(Call(path, {"app_key": "12345678", **params}, now_ms, "0ba2887315178178017221014", None, "GET"))


def refusal_of(accounts: Accounts, path: str, **params: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        ask(accounts, path, **params)
    return caught.value


def post(accounts: Accounts, **form: str) -> HtmlAnswer:
    return authorizer(accounts)("POST", {}, {**REQUEST, **form}, NOW)


def location_of(answer: HtmlAnswer) -> dict[str, list[str]]:
    assert answer.status == 302
    return parse_qs(urlsplit(answer.headers["location"]).query)


class Page(HTMLParser):
    """What a browser makes of the page: its inputs, its visible text, the files that it would load."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.inputs: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.loads: list[str | None] = []
        self.text = ""
        self.feed(body.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in {"input", "button"}:
            self.inputs.append(dict(attrs))
        self.loads += [value for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data):
        self.text += data


def test_the_guides_code_gives_the_guides_token_document():
    answer = ask(world(), "/auth/token/create", code="3_500102_JxZ05Ux3cnnSSUm6dCxYg6Q26")
    assert answer == {
        "access_token": "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg",
        "refresh_token": "500016000300bwa2WteaQyfwBMnPxurcA0mXGhQdTt18356663CfcDTYpWoi",
        "expires_in": "864000",
        "refresh_expires_in": "5184000",
        "account_id": "7063844",
        "account": "buyer@example.com",
        "account_platform": "buyApp",
        "country": "sg",
        "user_info": {"country": "GLOBAL", "loginId": "buyer123", "user_id": "200042362", "seller_id": "1001"},
    }


def test_the_guides_refresh_token_gives_the_guides_refresh_document():
    token = "500016000300bwa2WteaQyfwBMnPxurcA0mXGhQdTt18356663CfcDTYpWoi"
    assert ask(world(), "/auth/token/refresh", refresh_token=token) == {
        "access_token": "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg",
        "refresh_token": token,
        "expires_in": "864000",
        "refresh_expires_in": "5184000",
    }


def test_the_refresh_answer_may_leave_out_the_refresh_token():
    accounts = world(refresh_repeats_token=False)
    answer = ask(accounts, "/auth/token/refresh", refresh_token=accounts.seeded().refresh_token)
    assert set(answer) == {"access_token", "expires_in", "refresh_expires_in"}


def test_an_app_whose_tokens_cannot_be_refreshed_is_told_so_by_a_zero():
    accounts = world(refresh_token_s=0)
    code = accounts.authorise("12345678", BUYERS[0].user_id, NOW)
    assert ask(accounts, "/auth/token/create", code=code)["refresh_expires_in"] == "0"


def test_a_code_that_is_wrong_missing_or_used_is_refused():
    accounts = world()
    assert refusal_of(accounts, "/auth/token/create", code="3_500102_nothing").code == "InvalidCode"
    assert refusal_of(accounts, "/auth/token/create").code == "MissingParameter"
    code = accounts.authorise("12345678", BUYERS[0].user_id, NOW)
    ask(accounts, "/auth/token/create", code=code)
    assert refusal_of(accounts, "/auth/token/create", code=code).code == "InvalidCode"


def test_an_unknown_refresh_token_is_refused():
    assert refusal_of(world(), "/auth/token/refresh", refresh_token="50001x").code == "IllegalRefreshToken"
    assert refusal_of(world(), "/auth/token/refresh", refresh_token=" ").code == "MissingParameter"


def test_both_token_endpoints_take_get_and_post_and_need_no_token():
    assert [(e.path, e.methods, e.needs_token) for e in auth.endpoints(world())] == [
        ("/auth/token/create", {"GET", "POST"}, False),
        ("/auth/token/refresh", {"GET", "POST"}, False),
    ]


def test_the_page_lets_one_choose_a_buyer_and_authorize_or_cancel():
    answer = authorizer(world())("GET", REQUEST, {}, NOW)
    page = Page(answer.body)
    assert answer.status == 200
    radios = [field["value"] for field in page.inputs if field.get("type") == "radio"]
    assert radios == [buyer.user_id for buyer in BUYERS]
    assert [field["value"] for field in page.inputs if field.get("name") == "decision"] == ["authorize", "cancel"]
    assert "Shop & Sons" in page.text


def test_the_page_loads_nothing_and_runs_nothing():
    answer = authorizer(world())("GET", REQUEST, {}, NOW)
    page = Page(answer.body)
    assert page.loads == []
    assert "script" not in page.tags
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_every_value_on_the_page_is_escaped():
    hostile = "\"><script>alert('x')</script>"
    page = Page(authorizer(world())("GET", {**REQUEST, "state": hostile}, {}, NOW).body)
    assert "script" not in page.tags
    assert hostile in [field["value"] for field in page.inputs if field.get("name") == "state"]
    wrong_app = authorizer(world())("GET", {**REQUEST, "client_id": hostile}, {}, NOW)
    assert "script" not in Page(wrong_app.body).tags
    assert hostile in Page(wrong_app.body).text


def test_authorizing_leads_back_with_a_code_for_the_chosen_buyer_and_the_state():
    accounts = world()
    answer = post(accounts, decision="authorize", buyer=BUYERS[1].user_id)
    assert answer.headers["location"].startswith(CALLBACK + "?")
    back = location_of(answer)
    assert back["state"] == ["xyz"]
    token = ask(accounts, "/auth/token/create", code=back["code"][0])["access_token"]
    assert accounts.buyer_of(token, NOW) == BUYERS[1].user_id


def test_what_the_page_shows_is_what_the_click_sends():
    accounts = world()
    fields = {
        field["name"]: field["value"]
        for field in Page(authorizer(accounts)("GET", REQUEST, {}, NOW).body).inputs
        if field.get("type") == "hidden" or "checked" in field
    }
    back = location_of(authorizer(accounts)("POST", {}, {**fields, "decision": "authorize"}, NOW))
    assert set(back) == {"code", "state"}


def test_cancelling_leads_back_without_a_code():
    back = location_of(post(world(), decision="cancel", buyer=BUYERS[0].user_id))
    assert (back["error"], back["state"]) == (["access_denied"], ["xyz"])
    assert "code" not in back


def test_a_state_with_anything_in_it_comes_back_as_it_was():
    state = "a b&c=d\r\nSet-Cookie: x=1#é"
    answer = post(world(), decision="authorize", buyer=BUYERS[0].user_id, state=state)
    assert location_of(answer)["state"] == [state]
    assert answer.headers["location"].isprintable()


def test_a_registered_address_keeps_its_own_query():
    uri = "https://shop.example/cb?from=alibaba"
    back = location_of(post(world(), redirect_uri=uri, decision="authorize", buyer=BUYERS[0].user_id))
    assert back["from"] == ["alibaba"]
    assert "code" in back


@pytest.mark.parametrize(
    "uri", ["http://localhost:1/a", "http://127.0.0.1/", "http://[::1]:9000/cb", "https://localhost"]
)
def test_a_program_on_this_machine_may_be_called_back_on_any_port(uri):
    assert authorizer(world())("GET", {**REQUEST, "redirect_uri": uri}, {}, NOW).status == 200


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/relative",
        "https://evil.example/cb",
        "https://shop.example/cb",
        "https://shop.example/cb?from=alibaba&more=1",
        "http://localhost@evil.example/",
        "http://user:pass@localhost/",
        "http://evil.example\\@localhost/",
        "http://localhost\t.evil.example/",
        "http://localhost/#fragment",
        "http://localhost:port/",
        "http://[::1/",
        "javascript:alert(1)",
        "ftp://localhost/",
        "http://localhost.evil.example/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_is_not_the_apps_ends_on_an_error_page_and_not_in_a_redirect(method, uri):
    request = {**REQUEST, "redirect_uri": uri, "decision": "authorize", "buyer": BUYERS[0].user_id}
    answer = authorizer(world())(method, request, request, NOW)
    assert answer.status == 400
    assert "location" not in answer.headers
    assert "cannot be authorized" in Page(answer.body).text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"client_id": "1"}, "No application has the key"),
        ({"response_type": "token"}, "response_type"),
        ({"response_type": ""}, "response_type"),
    ],
)
def test_a_wrong_request_is_explained_on_the_page(changed, said):
    answer = authorizer(world())("GET", {**REQUEST, **changed}, {}, NOW)
    assert answer.status == 400
    assert said in Page(answer.body).text


def test_a_buyer_who_is_not_on_the_page_gets_no_code():
    assert post(world(), decision="authorize", buyer="0").status == 400


def test_other_methods_are_not_allowed():
    assert authorizer(world())("PUT", REQUEST, {}, NOW).status == 405
