"""Rows of the API: a service that fails, throttles, is slow, answers rubbish, or forgets who we are."""

import random
from collections.abc import Callable, Iterator

from invariants import finding_raised, leaks
from machine import Merchant, World
from rows_of_process import some_world
from trials import Disturbed, Passing, Row, Schedule, Trial, around, judge, recover, scheduled, undisturbed

BRIEF = (("answer_within_s", 0.4),)
"""Patience for one answer where answers hang: waiting is not what is tested."""

Build = Callable[[random.Random], Schedule]


def under(
    *faults: str, options: tuple[tuple[str, object], ...] = (), told: tuple[str, ...] = (), surrounded: str = ""
) -> Build:
    """One sync under these faults, of somebody who is new or of one who has synced before."""

    def build(draw: random.Random) -> Schedule:
        new = draw.random() < 0.5
        kill = Passing(draw.choice(("details", "commit", "landing")), draw.random()) if draw.random() < 0.25 else None
        return Schedule(
            some_world(draw),
            (Disturbed(tuple(fault.format(**_drawn(draw)) for fault in faults), kill, surrounded, options),),
            new=new,
            days=0.0 if new else draw.choice((0.0, 1.5)),
            told=told if kill is None else (),
        )

    return build


def _drawn(draw: random.Random) -> dict[str, object]:
    """What the text of a fault may leave to the seed."""
    return {
        "rate": round(draw.uniform(0.05, 0.4), 2),
        "few": draw.randint(1, 6),
        "some": draw.randint(10, 40),
        "after": draw.randint(0, 60),
        "path": draw.choice(("*product/check", "*description", "*inventory", "*freight*", "*")),
        "code": draw.choice(("ApiCallLimit", "AppCallLimit", "7", "901")),
    }


def _with_tokens(**world: object) -> Callable[..., Build]:
    def around_tokens(*faults: str, told: tuple[str, ...] = ()) -> Build:
        def build(draw: random.Random) -> Schedule:
            place = World(products=24, seed=14, **world)  # type: ignore[arg-type]  # fields of World
            texts = tuple(fault.format(**_drawn(draw)) for fault in faults)
            return Schedule(place, (Disturbed(texts),), told=told, spoils_world=True)

        return build

    return around_tokens


REFRESH = "/auth/token/refresh"
_tokens = _with_tokens()


def _reset_anywhere(draw: random.Random) -> Schedule:
    kinds = ("reset", "truncated_json", "bad_gzip", "html_page", "dropped")
    faults = tuple(f"{kind}:{draw.uniform(0.02, 0.15):.2f}" for kind in draw.sample(kinds, 3))
    return Schedule(some_world(draw), (Disturbed(faults),), new=draw.random() < 0.5, days=1.0)


def _two_refresh(trial: Trial) -> None:
    """Two syncs at once notice that the token has expired, while a refresh takes its time: one refreshes, for both."""
    draw = trial.draw
    world = World(products=24, seed=14)
    schedule = Schedule(world, (), new=True)
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    machine.forget(world)
    with machine.merchant(world, new=True) as merchant:
        machine.reader.watch(merchant.lake)
        # both notice before one is done: a refresh takes longer than the calls of the other
        faults = (f"token_expired:first=1:after={draw.randint(20, 60)}:path=/eco/*", f"slow:seconds=0.5:path={REFRESH}")
        trial.plan = str(faults)
        merchant.switch_on(*faults)
        pids = [machine.forks.start(merchant.work()) for _ in range(2)]
        for pid in pids:
            trial.keep(machine.forks.wait(pid))
        refreshes = merchant.sandbox.control("stats")["endpoints"].get(REFRESH, {})
        trial.require(sum(refreshes.values()) == 1, "I4", REFRESH, f"refreshed {refreshes}")
        merchant.switch_off()
        recover(trial, merchant)
        judge(trial, merchant, expected.rows, losses=None)
    machine.forget(world)


def _not_refreshable(trial: Trial) -> None:
    """`refresh_expires_in` 0: a token that ends cannot be renewed. A person is told; after a new login all is well."""
    world = World(products=24, seed=14, refresh_token_s=0)
    schedule = Schedule(world, (), new=True)
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    machine.forget(world)
    with machine.merchant(world, new=True) as merchant:
        machine.reader.watch(merchant.lake)
        merchant.switch_on(f"token_expired:first=1:after={trial.draw.randint(0, 60)}:path=/eco/*")
        ended = trial.keep(merchant.run())
        trial.found(finding_raised(ended.problems, "auth"))
        state = merchant.value("SELECT state FROM ops.accounts")
        trial.require(state != "active", "I6", "ops.accounts", f"the account is {state}")
        merchant.switch_off()
        issued = merchant.sandbox.control("accounts/issue", {})
        merchant.variables.update(
            ALIBABA_ACCESS_TOKEN=issued["access_token"], ALIBABA_REFRESH_TOKEN=issued["refresh_token"]
        )
        losses = int(not ended.is_done) + recover(trial, merchant)
        judge(trial, merchant, expected.rows, losses)
    machine.forget(world)


def _echoed_secret(trial: Trial) -> None:
    draw = trial.draw
    shape, code = draw.choice((("result", "404"), ("flat", "ServiceTimeout"), ("error_response", "50")))
    path = draw.choice(("*description", "*inventory", "*product/check"))
    echoed_secret(trial, World(products=24, seed=14), shape, code, path)


def echoed_secret(trial: Trial, world: World, shape: str, code: str, path: str) -> None:
    """The gateway repeats our own token in what it says: nobody sees it, wherever that is kept."""
    trial.plan = f"{shape} {code} {path}"
    with trial.machine.merchant(world, new=True) as merchant:
        token = merchant.environment["ALIBABA_ACCESS_TOKEN"]
        merchant.switch_on(f"refuse:0.3:code={code}:shape={shape}:message=no {token} here:path={path}")
        for job in ("sync", "audit"):
            trial.keep(merchant.run(job))
        merchant.switch_off()
        trial.found(leaks(merchant, trial.outputs))


@around("several a call")
def _several_a_call(merchant: Merchant) -> Iterator[None]:
    """A sync that reads several products a call; whoever saw the same undisturbed, and recovers, reads one."""
    merchant.variables["ALIBABA_BATCH_SIZE"] = "4"
    yield
    del merchant.variables["ALIBABA_BATCH_SIZE"]


ROWS = (
    Row(
        "api.half_5xx", "half the answers 5xx for minutes", scheduled(under("http_500:0.5:after={after}:first={some}"))
    ),
    Row("api.outage", "total outage and recovery", scheduled(under("outage:after={after}:first=400"))),
    Row(
        "api.429_seconds", "429 with Retry-After as seconds", scheduled(under("http_429:{rate}:retry_after=1:first=9"))
    ),
    Row(
        "api.429_date",
        "429 with Retry-After as a date",
        scheduled(under("http_429:{rate}:retry_after=1:date=1:first=9")),
    ),
    Row("api.429_zero", "429 with Retry-After as 0", scheduled(under("http_429:{rate}:retry_after=0:first=9"))),
    Row(
        "api.throttle_body",
        "throttle codes in a 200 body at 5 %",
        scheduled(under("throttle_body:0.05:ban=0:code={code}")),
    ),
    Row(
        "api.throttle_burst",
        "throttle codes in a 200 body in bursts",
        scheduled(under("throttle_body:after={after}:first={some}:ban=0")),
    ),
    Row(
        "api.latency",
        "30 s latency",
        scheduled(under("slow:0.1:seconds=0.2", "slow:first=3:after={after}:seconds=30", options=BRIEF)),
    ),
    Row("api.drip", "slow drip", scheduled(under("drip:first={few}:after={after}:seconds=5", options=BRIEF))),
    Row("api.hang", "a socket that hangs", scheduled(under("hang:first={few}:after={after}", options=BRIEF))),
    Row("api.reset", "reset mid-body", scheduled(under("reset:{rate}:path={path}"))),
    Row("api.truncated_json", "truncated JSON", scheduled(under("truncated_json:{rate}:path={path}"))),
    Row("api.bad_gzip", "bad gzip", scheduled(under("bad_gzip:{rate}:path={path}"))),
    Row("api.html_page", "an HTML page with 200", scheduled(under("html_page:{rate}:path={path}"))),
    Row("api.broken_bytes", "all of these at once", scheduled(_reset_anywhere)),
    Row("api.token_expires", "token expiring mid-run", scheduled(_tokens("token_expired:first=1:after={after}"))),
    Row(
        "api.refresh_fails",
        "refresh failing",
        scheduled(_tokens("token_expired:first=1:after={after}", f"http_500:path={REFRESH}")),
    ),
    Row(
        "api.refresh_lost",
        "a refresh answer lost",
        scheduled(_tokens("token_expired:first=1:after={after}", f"reset:first=1:path={REFRESH}")),
    ),
    Row("api.two_refresh", "two workers refreshing at once", _two_refresh),
    Row("api.not_refreshable", "refresh_expires_in 0", _not_refreshable),
    Row("api.echoed_secret", "no secret in any output", _echoed_secret),
    Row(
        "api.batch_partial",
        "partial failures in a batch",
        scheduled(
            under("batch_partial:{rate}", "batch_partial:{rate}:code=ServiceTimeout", surrounded="several a call")
        ),
    ),
    Row(
        "api.batch_missing",
        "a batch that passes over products",
        scheduled(under("batch_missing:share={rate}", surrounded="several a call")),
    ),
    Row(
        "api.batch_refused",
        "batches that are rubbish, refused, or not there from some call on",
        scheduled(
            under(
                "html_page:{rate}:path=*batch*",
                "refuse:{rate}:path=*batch*:code=400:shape=result",
                "refuse:path=*batch/inventory:code=InvalidApiPath:after={few}",
                surrounded="several a call",
            )
        ),
    ),
    Row(
        "api.wrong_signature",
        "a wrong signature",
        scheduled(under("refuse:code=IncompleteSignature:after={after}", told=("IncompleteSignature",))),
    ),
    Row(
        "api.wrong_result_code",
        'result_code not 200 under code "0"',
        scheduled(under("wrong_result_code:{rate}:path={path}")),
    ),
)
