"""The report in words and tables: one function a section. Each has a picture, and the numbers behind it in a table.

Texts of the API are handed on as `Foreign`; the page shows them so that they stay texts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dropship_pipeline import charts
from dropship_pipeline.report import drawing
from dropship_pipeline.report.drawing import Picture, picture, untitled
from dropship_pipeline.report.numbers import DAYS, Numbers
from dropship_pipeline.storage.reading.digests import STOCK_CLASSES


@dataclass(frozen=True, slots=True)
class Foreign:
    """A text that the API gave, or a person wrote."""

    text: str | None


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, in percent."""

    percent: float


Cell = Foreign | Share | str | int | float | Decimal | datetime | None


@dataclass(frozen=True, slots=True)
class Numbered:
    """A table of numbers. `caption`: what it lists; `is_open`: shown without being asked for."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page: what it is about in a line or two, a picture, tables. `nothing`: why there is none yet."""

    key: str
    title: str
    lede: str = ""
    picture: Picture | None = None
    tables: Sequence[Numbered] = ()
    nothing: str = ""


def sections(numbers: Numbers) -> list[Section]:
    """All sections, in the order of the page."""
    return [make(numbers) for make in _SECTIONS]


def _feeds(numbers: Numbers) -> Section:
    rows: list[tuple[Cell, ...]] = [
        (one.feed, one.products, sum(day.listed for day in one.days), sum(day.delisted for day in one.days))
        for one in numbers.feeds
    ]
    section = Section("feeds", "Feeds", f"Products in each feed now, and what came and went in {DAYS} days.")
    if not any(isinstance(count, int) and count for row in rows for count in row):
        return _empty(section, "no feed lists a product")
    largest = max(numbers.feeds, key=lambda one: one.products)
    by_day = [
        (one.feed, day.day.isoformat(), day.listed, day.delisted)
        for one in numbers.feeds
        for day in reversed(one.days)
        if day.listed or day.delisted
    ]
    return _full(
        section,
        picture(
            lambda: charts.feed_sizes(numbers.feeds),
            f"Bars: products of {len(rows)} feeds, most in {largest.feed} ({largest.products:,}), and their changes.",
        ),
        Numbered("Feeds", ("feed", "listed now", f"came in {DAYS} days", "went"), rows),
        Numbered("By day (UTC)", ("feed", "day", "came", "went"), by_day),
    )


def _prices(numbers: Numbers) -> Section:
    section = Section("prices", "Prices", "Variants on offer by unit price, in their first price tier.")
    if not numbers.prices:
        return _empty(section, "no product on offer has a price")
    first = numbers.prices[0]
    top = max(first.bins, key=lambda one: one.skus)
    rows = [
        (Foreign(one.currency), bin_.low, bin_.high, bin_.skus, Share(100 * bin_.skus / one.skus))
        for one in numbers.prices
        for bin_ in one.bins
        if bin_.skus
    ]
    said = f"Histogram of {first.skus:,} unit prices in {first.currency}: most are from {charts.amount(top.low)} on."
    return _full(
        section,
        picture(lambda: charts.price_distribution(numbers.prices), said),
        Numbered("Prices", ("currency", "from", "below", "variants", "share"), rows),
    )


def _freight(numbers: Numbers) -> Section:
    section = Section("freight", "Freight", "The cheapest carrier for the smallest order of each product, by lane.")
    if not numbers.freight:
        return _empty(section, "no product on offer has a freight quote")
    first = numbers.freight[0]
    rows = [
        (
            Foreign(lane.dispatch_country),
            Foreign(lane.destination_country),
            Foreign(lane.currency),
            lane.products,
            lane.lower,
            lane.median,
            lane.upper,
        )
        for lane in numbers.freight
    ]
    said = f"Boxes: the freight of {len(rows)} lanes; on the busiest, half cost {first.median:.2f} or less."
    headings = ("from", "to", "currency", "products", "lower quartile", "median", "upper quartile")
    return _full(
        section,
        picture(lambda: untitled(charts.freight_by_origin(numbers.freight)), said),
        Numbered("Lanes", headings, rows),
    )


def _landed(numbers: Numbers) -> Section:
    section = Section(
        "landed",
        "Landed cost against stock",
        "What a unit costs at the door with the cheapest carrier, and how much of it there is. Duty and tax not in it.",
    )
    if not numbers.landed:
        return _empty(section, "no variant on offer has both a price and a freight quote in its currency")
    rows = [
        (Foreign(one.destination_country), Foreign(one.currency), bin_.low, bin_.high, *bin_.skus.values())
        for one in numbers.landed
        for bin_ in one.bins
        if any(bin_.skus.values())
    ]
    first = numbers.landed[0]
    out = sum(bin_.skus["none"] for bin_ in first.bins)
    said = (
        f"Histograms: landed cost of {first.skus:,} variants to {first.destination_country}, coloured by stock; "
        f"{out:,} of them have none."
    )
    headings = ("to", "currency", "from", "below", *(f"stock: {name}" for name in STOCK_CLASSES))
    return _full(
        section, picture(lambda: drawing.landed_costs(numbers.landed), said), Numbered("Landed cost", headings, rows)
    )


def _stock(numbers: Numbers) -> Section:
    section = Section("stock", "Stock by origin", "Variants in stock by the country that they ship from.")
    if not numbers.stock:
        return _empty(section, "no product on offer has a stock level")
    rows = [
        (Foreign(one.shipping_from), one.products, one.skus_in_stock, one.skus_out_of_stock, one.units)
        for one in numbers.stock
    ]
    said = f"Bars: variants in stock and out of stock in {len(rows)} countries."
    return _full(
        section,
        picture(lambda: untitled(charts.stock_by_origin(numbers.stock)), said),
        Numbered("Stock", ("ships from", "products", "variants in stock", "none left", "units"), rows),
    )


def _freshness(numbers: Numbers) -> Section:
    section = Section("freshness", "Freshness", "When what is known of the products on offer was last read.")
    if not any(ages.offered for ages in numbers.ages):
        return _empty(section, "no feed lists a product")
    rows: list[tuple[Cell, ...]] = [
        (
            ages.kind,
            charts.age(ages.max_age),
            ages.fresh,
            ages.stale,
            ages.never_read,
            Share(100 * ages.fresh / max(ages.offered, 1)),
        )
        for ages in numbers.ages
    ]
    said = "; ".join(f"{ages.kind}: {100 * ages.fresh / max(ages.offered, 1):.0f} % in time" for ages in numbers.ages)
    return _full(
        section,
        picture(lambda: untitled(charts.staleness(numbers.ages)), f"Bars: {said}."),
        Numbered("Readings", ("kind", "may be", "in time", "too old", "never read", "share in time"), rows),
    )


def _moves(numbers: Numbers) -> Section:
    section = Section(
        "moves", "What moved most", "The products whose prices moved furthest in seven days, and how many moved at all."
    )
    if not numbers.moves:
        return _empty(section, "no price has moved since the first sync")
    counted = [(one.days, one.rose, one.fell, one.came, one.went, one.median_percent) for one in numbers.moves]
    counts = Numbered("Prices that moved", ("in days", "rose", "fell", "new tiers", "gone", "median %"), counted)
    if not numbers.top_moves:
        return _full(section, None, counts)
    rows = [
        (
            Foreign(move.title),
            Foreign(move.product_id),
            Foreign(move.sku_id),
            move.min_quantity,
            Foreign(move.currency),
            move.old_price,
            move.new_price,
            move.change_percent,
            move.last_moved_at,
        )
        for move in numbers.top_moves
    ]
    headings = ("product", "ID", "variant", "from units", "currency", "a week ago", "now", "%", "last moved")
    most = numbers.top_moves[0]
    said = f"Bars: {len(rows)} products by how far their price moved, the furthest by {most.change_percent:+.1f} %."
    return _full(
        section,
        picture(lambda: drawing.top_moves(numbers.top_moves), said),
        counts,
        Numbered("The furthest", headings, rows),
    )


def _holds(numbers: Numbers) -> Section:
    section = Section(
        "holds", "On hold", "What should not be sold now, and why: the rules are the rows of ops.hold_rules."
    )
    if not numbers.holds:
        return _empty(section, "nothing is on hold")
    counted = [(one.reason, Foreign(one.rule), one.products, one.offers) for one in numbers.holds]
    rows = [
        (one.reason, Foreign(hold.title), Foreign(hold.product_id), Foreign(hold.why))
        for one in numbers.holds
        for hold in one.shown
    ]
    most = numbers.holds[0]
    said = f"Bars: products on hold by reason; most, {most.products:,}, are {most.reason}."
    return _full(
        section,
        picture(lambda: drawing.holds(numbers.holds), said),
        Numbered("Reasons", ("reason", "rule", "products", "offers"), counted),
        Numbered("The first of each", ("reason", "product", "ID", "why"), rows),
    )


def _orders(numbers: Numbers) -> Section:
    section = Section("orders", "Orders", "Where orders are, how many are stuck, and how long each step takes.")
    if not numbers.funnel:
        return _empty(section, "no order was read")
    now = [step for step in numbers.funnel if step.next_status is None]
    waiting = [
        (Foreign(step.status), step.orders, step.stuck_orders, step.median_hours, step.oldest_since) for step in now
    ]
    steps = [
        (Foreign(step.status), Foreign(step.next_status), step.orders, step.median_hours, step.p95_hours)
        for step in numbers.funnel
        if step.next_status is not None
    ]
    said = (
        f"Bars: {sum(step.orders for step in now):,} orders by status; "
        f"{sum(step.stuck_orders or 0 for step in now):,} are stuck."
    )
    return _full(
        section,
        picture(lambda: drawing.funnel(numbers.funnel), said) if now else None,
        Numbered("Now", ("status", "orders", "stuck", "median hours", "the oldest since"), waiting),
        Numbered("Steps that were seen", ("from", "to", "orders", "median hours", "95 % within hours"), steps),
    )


def _quality(numbers: Numbers) -> Section:
    found = [one for one in numbers.findings if not one.passed]
    passed = len(numbers.findings) - len(found)
    grave = sum(one.grave for one in found)
    lede = f"{passed:,} of {len(numbers.findings):,} checks passed."
    if found:
        lede += f" {grave:,} of the others forbid publishing." if grave else " None of the others forbids publishing."
    rows = [
        ("stops publishing" if one.grave else "look at it", one.check.table, one.check.name, Foreign(one.line))
        for one in found
    ]
    every = [
        (one.check.table, one.check.name, "passed" if one.passed else "failed", one.count) for one in numbers.findings
    ]
    tables = [Numbered("All checks", ("table", "check", "result", "at fault"), every)]
    if rows:
        tables.insert(0, Numbered("Findings", ("how grave", "table", "check", "what"), rows, is_open=True))
    return Section("quality", "Data quality", lede, None, tables)


def _empty(section: Section, why: str) -> Section:
    return Section(section.key, section.title, section.lede, nothing=f"Nothing yet: {why}.")


def _full(section: Section, drawn: Picture | None, *tables: Numbered) -> Section:
    kept = [table for table in tables if table.rows]
    return Section(section.key, section.title, section.lede, drawn, kept)


_SECTIONS: tuple[Callable[[Numbers], Section], ...] = (
    _feeds,
    _moves,
    _holds,
    _landed,
    _prices,
    _freight,
    _stock,
    _freshness,
    _orders,
    _quality,
)
