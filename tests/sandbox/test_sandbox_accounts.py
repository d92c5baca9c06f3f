"""Apps, codes and tokens of the simulated Alibaba.com, asked directly."""

import pytest

from dropship_pipeline.sandbox.accounts import (
    EXAMPLE_ACCESS_TOKEN,
    EXAMPLE_CODE,
    EXAMPLE_REFRESH_TOKEN,
    Accounts,
    App,
    Lifetimes,
)
from dropship_pipeline.sandbox.api import Refusal
from dropship_pipeline.sandbox.world.buyers import BUYERS, PaymentStanding

NOW = 1_765_000_000_000
APP_KEY = "12345678"
DAY = 86_400_000


def accounts(**lifetimes) -> Accounts:
    return Accounts(seed=7, now_ms=NOW, lifetimes=Lifetimes(**lifetimes))


def refused(call, *arguments) -> Refusal:
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return caught.value


def test_the_seeded_token_speaks_for_the_default_buyer():
    world = accounts()
    assert world.buyer_of(world.seeded().access_token, NOW) == BUYERS[0].user_id


def test_a_restart_with_the_same_seed_gives_the_same_seeded_tokens_and_another_seed_gives_others():
    first, again, other = accounts().seeded(), accounts().seeded(), Accounts(seed=8, now_ms=NOW).seeded()
    assert (first.access_token, first.refresh_token) == (again.access_token, again.refresh_token)
    assert {first.access_token, first.refresh_token}.isdisjoint({other.access_token, other.refresh_token})


def test_every_buyer_has_seeded_tokens_of_its_own():
    world = accounts()
    owners = [world.buyer_of(world.seeded(buyer.user_id).access_token, NOW) for buyer in world.buyers]
    assert owners == [buyer.user_id for buyer in BUYERS]


def test_an_unknown_token_is_refused_in_the_gateways_own_words():
    refusal = refused(accounts().buyer_of, "50000nobody", NOW)
    assert (refusal.code, refusal.type, refusal.shape, refusal.http_status) == (
        "IllegalAccessToken",
        "ISV",
        "flat",
        200,
    )
    assert refusal.message == "The specified access token is invalid or expired"


def test_an_access_token_serves_until_its_last_millisecond_and_no_longer():
    world = accounts(access_token_s=60)
    token = world.seeded().access_token
    assert world.buyer_of(token, NOW + 59_999) == BUYERS[0].user_id
    assert refused(world.buyer_of, token, NOW + 60_000).code == "IllegalAccessToken"


def test_a_revoked_token_is_refused_and_so_is_its_refresh_token():
    world = accounts()
    pair = world.seeded()
    assert world.revoke(pair.access_token)
    assert refused(world.buyer_of, pair.access_token, NOW).code == "IllegalAccessToken"
    assert refused(world.refresh, pair.refresh_token, APP_KEY, NOW).code == "IllegalRefreshToken"
    assert not world.revoke(pair.access_token)


def test_an_expired_access_token_can_still_be_refreshed():
    world = accounts()
    pair = world.seeded()
    assert world.expire(pair.access_token, NOW)
    assert refused(world.buyer_of, pair.access_token, NOW).code == "IllegalAccessToken"
    assert world.buyer_of(world.refresh(pair.refresh_token, APP_KEY, NOW).access_token, NOW) == BUYERS[0].user_id


def test_an_expired_refresh_token_is_refused_while_the_access_token_goes_on():
    world = accounts()
    pair = world.seeded()
    assert world.expire(pair.refresh_token, NOW)
    refusal = refused(world.refresh, pair.refresh_token, APP_KEY, NOW)
    assert (refusal.code, refusal.message) == (
        "IllegalRefreshToken",
        "The specified refresh token is invalid or expired",
    )
    assert world.buyer_of(pair.access_token, NOW)


def test_expiring_what_nobody_holds_says_so():
    assert not accounts().expire("50000nobody", NOW)


def test_refreshing_ends_the_access_token_before_and_keeps_the_refresh_token():
    world = accounts()
    old = world.seeded()
    new = world.refresh(old.refresh_token, APP_KEY, NOW + DAY)
    assert new.access_token != old.access_token
    assert new.refresh_token == old.refresh_token
    assert new.expires_in == 864_000
    assert new.refresh_expires_in == 59 * 86_400, "a refresh does not lengthen the life of the refresh token"
    assert refused(world.buyer_of, old.access_token, NOW + DAY).code == "IllegalAccessToken"


def test_a_refresh_token_dies_sixty_days_after_the_buyer_authorised():
    world = accounts()
    refresh_token = world.seeded().refresh_token
    world.refresh(refresh_token, APP_KEY, NOW + 60 * DAY - 1)
    assert refused(world.refresh, refresh_token, APP_KEY, NOW + 60 * DAY).code == "IllegalRefreshToken"


def test_a_rotated_refresh_token_serves_once():
    world = accounts(rotate_refresh_token=True)
    old = world.seeded()
    new = world.refresh(old.refresh_token, APP_KEY, NOW)
    assert new.refresh_token != old.refresh_token
    assert refused(world.refresh, old.refresh_token, APP_KEY, NOW).code == "IllegalRefreshToken"
    assert world.refresh(new.refresh_token, APP_KEY, NOW).buyer.user_id == BUYERS[0].user_id


def test_a_rotated_refresh_token_that_is_not_told_is_no_configuration():
    with pytest.raises(ValueError, match="has to be told"):
        Lifetimes(rotate_refresh_token=True, refresh_repeats_token=False)


def test_where_refresh_expires_in_is_zero_nothing_can_be_refreshed():
    world = accounts(refresh_token_s=0)
    pair = world.seeded()
    assert pair.refresh_expires_in == 0
    assert refused(world.refresh, pair.refresh_token, APP_KEY, NOW).code == "IllegalRefreshToken"
    assert refused(world.refresh, EXAMPLE_REFRESH_TOKEN, APP_KEY, NOW).code == "IllegalRefreshToken"


def test_a_code_serves_once():
    world = accounts()
    code = world.authorise(APP_KEY, BUYERS[1].user_id, NOW)
    grant = world.exchange(code, APP_KEY, NOW)
    assert grant.buyer == BUYERS[1]
    assert world.buyer_of(grant.access_token, NOW) == BUYERS[1].user_id
    refusal = refused(world.exchange, code, APP_KEY, NOW)
    assert (refusal.code, refusal.message) == ("InvalidCode", "Invalid authorization code")


def test_a_code_lives_thirty_minutes():
    world = accounts()
    kept, late = (world.authorise(APP_KEY, BUYERS[0].user_id, NOW) for _ in range(2))
    world.exchange(kept, APP_KEY, NOW + 30 * 60_000 - 1)
    assert refused(world.exchange, late, APP_KEY, NOW + 30 * 60_000).code == "InvalidCode"


def test_a_code_and_a_refresh_token_serve_only_the_app_that_got_them():
    world = Accounts(seed=7, now_ms=NOW, apps=(App("12345678", "helloworld"), App("87654321", "other")))
    code = world.authorise(APP_KEY, BUYERS[0].user_id, NOW)
    assert refused(world.exchange, code, "87654321", NOW).code == "InvalidCode"
    assert refused(world.refresh, world.seeded().refresh_token, "87654321", NOW).code == "IllegalRefreshToken"


def test_no_code_is_given_for_a_buyer_who_does_not_exist():
    with pytest.raises(KeyError):
        accounts().authorise(APP_KEY, "0", NOW)


def test_the_guides_code_and_tokens_answer_with_themselves_however_often_they_are_used():
    world = accounts()
    for _ in range(2):
        grant = world.exchange(EXAMPLE_CODE, APP_KEY, NOW)
        assert (grant.access_token, grant.refresh_token) == (EXAMPLE_ACCESS_TOKEN, EXAMPLE_REFRESH_TOKEN)
        again = world.refresh(EXAMPLE_REFRESH_TOKEN, APP_KEY, NOW)
        assert (again.access_token, again.refresh_token) == (EXAMPLE_ACCESS_TOKEN, EXAMPLE_REFRESH_TOKEN)
    assert world.buyer_of(EXAMPLE_ACCESS_TOKEN, NOW) == BUYERS[0].user_id


def test_a_pair_issued_without_the_page_works_like_any_other():
    world = accounts()
    grant = world.issue(BUYERS[2].user_id, NOW)
    assert world.buyer_of(grant.access_token, NOW) == BUYERS[2].user_id
    assert world.refresh(grant.refresh_token, APP_KEY, NOW).buyer == BUYERS[2]


def test_what_happens_on_payment_can_be_changed_for_one_buyer():
    world = accounts()
    world.set_payment(BUYERS[0].user_id, PaymentStanding.DECLINED)
    assert world.buyer(BUYERS[0].user_id).payment is PaymentStanding.DECLINED
    assert world.buyer(BUYERS[1].user_id).payment is PaymentStanding.SAVED_METHOD


def test_neither_secrets_nor_tokens_show_in_a_repr():
    world = accounts()
    shown = repr(world.default_app) + repr(world.seeded())
    assert "helloworld" not in shown
    assert world.seeded().access_token not in shown
    assert world.seeded().refresh_token not in shown


def test_no_two_buyers_share_an_identity_or_a_trade_suffix():
    assert len({buyer.user_id for buyer in BUYERS}) == len({buyer.trade_suffix for buyer in BUYERS}) == len(BUYERS)
    assert all(len(buyer.trade_suffix) == 9 and buyer.trade_suffix.isdigit() for buyer in BUYERS)
