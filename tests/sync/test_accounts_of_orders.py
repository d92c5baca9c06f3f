"""Several buyers: each order is read with the tokens of its own, and one that is refused holds up nobody else."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from deployment import Deployment
from order_steps import DAY, THEN, Noting, at_desk, time_passes
from two_buyers import OTHER, buyers, let_in, ordered, state_of, stored_statuses, throw_out, true_statuses, vault_of

from dropship_pipeline.alibaba.errors import Permanent
from dropship_pipeline.orders.cursor import Cursor, Followed, read_cursors, write_cursor, write_cursors
from dropship_pipeline.problem import Problem
from dropship_pipeline.sync.orders.accounts import NobodyAuthorised, follow_all, reconcile_all, refresh_all, sync_all
from dropship_pipeline.sync.orders.following import OrdersRequest

Deploy = Callable[..., Deployment]

EVERYTHING = OrdersRequest(since=timedelta(days=36_500))
LIST, GET = "/alibaba/order/list", "/alibaba/order/get"


@pytest.fixture
def merchant(deploy: Deploy) -> Deployment:
    """A hundred orders of one buyer, ten of another, none of them read yet; both have authorised the app."""
    both = deploy(products=60, orders=100, **THEN)
    let_in(both)
    return both


def kept_tokens(merchant: Deployment) -> set[str]:
    pairs = [vault_of(merchant).load(row.account) for row in vault_of(merchant).accounts()]
    return {token for pair in pairs if pair for token in (pair.access_token, pair.refresh_token) if token}


def test_the_tables_hold_the_orders_of_both_each_with_its_account(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        outcome = sync_all(desk, EVERYTHING)
        assert (outcome.problems, outcome.to_authorise, outcome.refused) == ([], [], 0)
        assert sync_all(desk, EVERYTHING).counts.rows_written == 0
    assert stored_statuses(merchant) == true_statuses(merchant)
    assert min(len(ordered(merchant, 0)), len(ordered(merchant, 1))) >= 10
    used = merchant.rows("SELECT account FROM ops.accounts WHERE last_used_at > now() - interval '5 minutes'")
    assert {row["account"] for row in used} == {"default", OTHER}


def test_one_account_alone_is_synced_where_that_is_asked_for(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        sync_all(desk, EVERYTHING, OTHER)
        assert stored_statuses(merchant).keys() == ordered(merchant, 1).keys()
        with pytest.raises(Problem, match=rf"called nobody.*default, {OTHER}.*auth login --account nobody"):
            sync_all(desk, EVERYTHING, "nobody")


def test_one_look_finds_what_changed_for_both_and_one_reading_asks_each_for_its_own(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        sync_all(desk, EVERYTHING)
        cursor = follow_all(desk, None, seconds=30).cursor
        assert set(read_cursors(cursor)) == {"default", OTHER}
        for days in (1, 5, 30):
            time_passes(merchant, days * DAY)
            look = follow_all(desk, cursor, seconds=30)
            cursor = look.cursor
            assert look.complete
            outcome = refresh_all(desk, look.changed)
            assert (outcome.asked, outcome.refused, outcome.problems) == (len(look.changed), 0, [])
            assert stored_statuses(merchant) == true_statuses(merchant)
        assert follow_all(desk, cursor, seconds=30).changed == ()
    changed = merchant.rows(
        "SELECT DISTINCT account FROM orders.order_status_changes JOIN orders.orders USING (trade_id)"
    )
    assert {row["account"] for row in changed} == {"default", OTHER}


def test_a_buyer_who_withdraws_in_the_middle_holds_up_nobody_and_goes_on_where_he_was(merchant: Deployment) -> None:
    with at_desk(merchant, progress := Noting()) as desk:
        sync_all(desk, EVERYTHING)
        cursor = follow_all(desk, None, seconds=30).cursor
        throw_out(merchant)
        time_passes(merchant, 3 * DAY)
        secrets = kept_tokens(merchant)

        first = follow_all(desk, cursor, seconds=30)
        assert first.complete
        assert first.changed
        assert set(first.changed) <= ordered(merchant, 0).keys()
        assert first.closed.keys() == {OTHER}
        assert state_of(merchant) == "reauthorise"
        [line] = first.to_authorise
        assert line.startswith(f"Account {OTHER} has to be authorised again: the refresh token is refused")
        assert line.endswith(f"dropship auth login --account {OTHER}")
        assert len(progress.notes) == 1
        assert refresh_all(desk, first.changed).problems == []

        asked_before = merchant.calls(LIST)
        time_passes(merchant, 9 * DAY)
        second = follow_all(desk, first.cursor, seconds=30)
        assert second.closed == first.closed
        assert len(progress.notes) == 1, "it is said once"
        assert sum(merchant.calls(LIST).values()) - sum(asked_before.values()) <= 8, "nobody asks with dead tokens"
        refresh_all(desk, second.changed)
        behind = {i for i, (account, _) in true_statuses(merchant).items() if account == OTHER}
        assert {i for i in behind if stored_statuses(merchant)[i] != true_statuses(merchant)[i]}

        let_in(merchant)
        third = follow_all(desk, second.cursor, seconds=30)
        assert third.closed == {}
        refresh_all(desk, third.changed)
        assert stored_statuses(merchant) == true_statuses(merchant), "what changed meanwhile is found, all of it"
    shown = str([first, second, third, progress.notes])
    assert not [token for token in secrets if token in shown]


def test_orders_of_an_account_to_be_authorised_wait_and_are_no_failure_of_the_others(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        sync_all(desk, EVERYTHING)
        mine, others = sorted(ordered(merchant, 0))[:3], sorted(ordered(merchant, 1))[:2]
        throw_out(merchant)
        in_the_middle = refresh_all(desk, [*mine, *others])
        known_before = refresh_all(desk, [*mine, *others])
    for outcome in (in_the_middle, known_before):
        assert (outcome.asked, outcome.waiting, outcome.undone, outcome.problems) == (3, 2, 0, [])
        assert outcome.closed.keys() == {OTHER}
        assert outcome.as_json()["outcome"] == "failed", "a person is needed"
    assert merchant.value("SELECT count(*) FROM ops.order_fetches WHERE outcome = 'refused'") == 0


def test_an_order_that_nobody_has_heard_of_is_looked_for_in_every_account(merchant: Deployment) -> None:
    mine, other = min(ordered(merchant, 0)), min(ordered(merchant, 1))
    with at_desk(merchant) as desk:
        outcome = refresh_all(desk, [mine, other, "999999001028893"])
        assert (outcome.counts.new, outcome.refused) == (2, 1)
        assert stored_statuses(merchant) == {i: true_statuses(merchant)[i] for i in (mine, other)}
        probed = merchant.calls(GET)
        assert refresh_all(desk, [mine, other]).refused == 0
        assert sum(merchant.calls(GET).values()) - sum(probed.values()) == 2, "they are known now"


def test_an_order_that_was_asked_for_before_its_buyer_came_is_found_when_he_comes(deploy: Deploy) -> None:
    merchant = deploy(products=60, orders=100, **THEN)
    order = min(ordered(merchant, 1))
    with at_desk(merchant) as desk:
        assert refresh_all(desk, [order]).refused == 1
        let_in(merchant)
        assert refresh_all(desk, [order]).counts.new == 1
    assert stored_statuses(merchant)[order] == (OTHER, ordered(merchant, 1)[order]["status"])


def test_days_are_reconciled_for_every_account_by_itself(merchant: Deployment) -> None:
    placed = {i: day_of(order) for i, order in {**ordered(merchant, 0), **ordered(merchant, 1)}.items()}
    days = sorted({placed[trade_id] for trade_id in ordered(merchant, 1)})[-3:]
    with at_desk(merchant) as desk:
        outcome = reconcile_all(desk, days)
        assert outcome.problems == []
        assert {(day.account, day.day) for day in outcome.days} == {(a, d) for a in ("default", OTHER) for d in days}
        throw_out(merchant)
        later = reconcile_all(desk, days)
    assert {day.account for day in later.days} == {"default"}
    assert later.closed.keys() == {OTHER}
    stood = {i: told for i, told in true_statuses(merchant).items() if placed[i] in days}
    assert stored_statuses(merchant) == stood
    rows = merchant.rows("SELECT account, count(*) AS n FROM ops.order_days GROUP BY account")
    assert {row["account"]: row["n"] for row in rows} == {"default": 3, OTHER: 3}


def day_of(order: dict[str, Any]) -> date:
    return datetime.fromtimestamp(order["created_ms"] / 1000, UTC).date()


def test_what_one_account_alone_may_not_do_stops_no_other_and_is_said(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        cursor = follow_all(desk, None, seconds=30).cursor
        fault = f"refuse:code=InsufficientPermission:path={LIST}"
        merchant.sandbox.control("faults", {"fault": f"{fault}:first=1"})
        look = follow_all(desk, cursor, seconds=30)
        assert not look.complete
        assert look.reason.startswith("of account default Alibaba.com")
        assert read_cursors(look.cursor)["default"] == read_cursors(cursor)["default"]
        assert state_of(merchant, "default") == "active"
        merchant.sandbox.control("faults", method="DELETE")
        merchant.sandbox.control("faults", {"fault": fault})
        with pytest.raises(Permanent, match="InsufficientPermission"):
            follow_all(desk, cursor, seconds=30)


def test_where_nobody_has_authorised_the_app_that_is_said(deploy: Deploy) -> None:
    nobody = deploy(products=1, variables={"ALIBABA_ACCESS_TOKEN": "", "ALIBABA_REFRESH_TOKEN": ""})
    with at_desk(nobody) as desk, pytest.raises(NobodyAuthorised, match="Authorise one: dropship auth login"):
        follow_all(desk, None, seconds=30)


def test_a_merchant_may_have_no_account_that_is_called_default(deploy: Deploy) -> None:
    merchant = deploy(
        products=60, orders=100, variables={"ALIBABA_ACCESS_TOKEN": "", "ALIBABA_REFRESH_TOKEN": ""}, **THEN
    )
    let_in(merchant)
    with at_desk(merchant) as desk:
        assert sync_all(desk, EVERYTHING).problems == []
    assert stored_statuses(merchant).keys() == ordered(merchant, 1).keys()


@pytest.mark.parametrize(
    "text", [None, "", "no", "[]", "3", '{"accounts": 3}', '{"accounts": {"default": 3}}',
             '{"accounts": {"default": {"cursor": 3}}}', '{"accounts": {"default": {"cursor": "x", "user": 3}}}']
)  # fmt: skip
def test_a_cursor_of_accounts_that_cannot_be_read_starts_over(text: str | None) -> None:
    assert read_cursors(text) == {}


def test_a_cursor_goes_on_for_the_buyer_that_it_is_of() -> None:
    text = write_cursor(Cursor(datetime(2026, 1, 1, tzinfo=UTC)))
    followed = {"default": Followed(text), OTHER: Followed(text, "7")}
    assert read_cursors(write_cursors(followed)) == followed
    assert [followed[OTHER].cursor_for(user) for user in ("7", None, "8")] == [text, text, None]
    assert [followed["default"].cursor_for(user) for user in ("7", None)] == [text, text]


def test_an_account_that_became_another_buyers_is_followed_from_the_beginning(merchant: Deployment) -> None:
    with at_desk(merchant) as desk:
        sync_all(desk, EVERYTHING)
        up_to_now, user = write_cursor(Cursor(datetime.now(UTC))), buyers(merchant)[1]["user_id"]

        def look(of: str) -> int:
            cursors = {"default": Followed(up_to_now), OTHER: Followed(up_to_now, of)}
            return follow_all(desk, write_cursors(cursors), seconds=30).listed

        assert look(user) == 0
        assert look("somebody else") > 0
