"""Rows of the listing: lists that are empty, short, endless, or move while they are read. None may delist anything."""

import random

import invariants
from rows_of_process import some_world
from trials import Disturbed, Passing, Row, Schedule, Trial, judge, recover, scheduled, undisturbed

_CROSS_BORDER = "path=/eco/buyer/crossborder/product/check"
_COUNTED = "path=/eco/buyer/product/check"
"""Feeds that say how many products they have. Of the others nobody can tell a product that two sweeps in a row skipped,
with other pages each, from one that left: docs/guarantees.md."""


def _lists(draw: random.Random, *faults: str, told: tuple[str, ...] = (), times: int = 2) -> Schedule:
    """A merchant who has synced before meets such lists twice: two sweeps that miss the same are what delists."""
    kill = Passing("listing", draw.random()) if draw.random() < 0.3 else None
    disturbed = [Disturbed(faults) for _ in range(times)]
    if kill:
        disturbed.insert(draw.randrange(times + 1), Disturbed(faults, kill))
    return Schedule(some_world(draw), tuple(disturbed), new=False, days=draw.choice((0.0, 0.0, 1.0)), told=told)


def _empty_page(draw: random.Random) -> Schedule:
    return _lists(draw, f"empty_page:page={draw.randint(0, 3)}:{draw.choice(('first=1', 'first=2', '0.5'))}")


def _empty_listing(draw: random.Random) -> Schedule:
    return _lists(draw, f"empty_listing:{_CROSS_BORDER}", told=("cross_border",))


def _missing_third(draw: random.Random) -> Schedule:
    if draw.random() < 0.5:
        return _lists(draw, f"missing_third:total=kept:{_COUNTED}")
    return _lists(draw, f"missing_third:{_CROSS_BORDER}", told=("cross_border",))


def _total(draw: random.Random) -> Schedule:
    return _lists(draw, draw.choice(("total_wrong:by=17", "total_wrong:by=-17", "total_zero", "total_moving")))


def _shifting(draw: random.Random) -> Schedule:
    """Pages that skip one product each skip others in the second sweep; those that skip two may skip one of them."""
    fault = draw.choice(("shifting_pages:way=insert", "shifting_pages:way=remove:by=1", f"shifting_pages:{_COUNTED}"))
    return _lists(draw, fault)


def _same_page(draw: random.Random) -> Schedule:
    return _lists(draw, f"same_page:{_CROSS_BORDER}", told=("cross_border",))


def _detail_gone(draw: random.Random) -> Schedule:
    point = Passing(draw.choice(("details", "commit", "landing")), draw.random(), draw.random() < 0.5)
    return Schedule(some_world(draw), (Disturbed(point=point),), lasting=(f"detail_gone:{draw.choice((0.1, 0.5))}",))


def _moving(trial: Trial) -> None:
    """Products leave one feed for another: they are never off the market, and the feeds say where they are."""
    draw = trial.draw
    fault = "moved_between:from=us_standard:to=cross_border"
    point = Passing(draw.choice(("listing", "merge", "commit")), draw.random(), draw.random() < 0.5)
    schedule = Schedule(some_world(draw), (Disturbed(point=point),), new=False, lasting=(fault,))
    trial.plan = str(schedule)
    machine = trial.machine
    with machine.merchant(schedule.world) as merchant:
        machine.reader.watch(merchant.lake)
        merchant.switch_on(fault)
        ended = trial.keep(merchant.run(point=str(point.of(merchant.passed))))
        losses = int(not ended.is_done)
        for _ in range(2):
            last = trial.keep(merchant.run())
        gone = merchant.value("SELECT count(*) FROM catalog.products WHERE delisted_at IS NOT NULL")
        trial.require(gone == 0, "I5", "catalog.products", f"{gone} products were delisted that are in another feed")
        held = last.said.get("states", {}).get("us_standard") == "held"
        if held:
            trial.found(invariants.finding_raised(last.problems, "us_standard", "memberships"))
        left = merchant.rows(
            "SELECT product_id FROM catalog.feed_products WHERE feed = 'cross_border' AND delisted_at IS NULL"
        )
        others = merchant.truth("feed?key=cross_border")["product_ids"]
        trial.require(len(left) > len(others), "I1", "cross_border", "what moved there is not listed there")
        merchant.switch_off()
        for _ in range(2):  # and back: what left cross_border is ended by two sweeps
            trial.keep(merchant.run())
        losses += recover(trial, merchant)
        expected = undisturbed(machine, Schedule(schedule.world, (), new=False))
        judge(
            trial, merchant, expected.rows, losses,
            ("catalog.listing_changes", "catalog.feed_products", "ops.missed_memberships"),
        )  # fmt: skip
        now = {
            (r["feed"], r["product_id"])
            for r in merchant.rows("SELECT feed, product_id FROM catalog.feed_products WHERE delisted_at IS NULL")
        }
        true = {
            (key, str(i)) for key in merchant.truth("feeds") for i in merchant.truth(f"feed?key={key}")["product_ids"]
        }
        trial.require(true <= now, "I1", "catalog.feed_products", f"lacks {sorted(true - now)[:3]}")


ROWS = (
    Row("listing.empty_page", "an empty page in the middle", scheduled(_empty_page)),
    Row("listing.empty", "an empty listing", scheduled(_empty_listing)),
    Row("listing.missing_third", "a third missing", scheduled(_missing_third)),
    Row("listing.total", "result_total wrong, zero, moving", scheduled(_total)),
    Row("listing.shifting", "insertions and removals that shift pages", scheduled(_shifting)),
    Row("listing.same_page", "one page for ever", scheduled(_same_page)),
    Row("listing.moving", "an item moving between feeds", _moving),
    Row("listing.detail_gone", "a product gone between listing and detail", scheduled(_detail_gone)),
)
