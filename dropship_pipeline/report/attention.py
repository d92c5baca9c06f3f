"""Sections of the report on what may need somebody: moves, watched products, holds, orders, data quality."""

from dropship_pipeline.counting import counted
from dropship_pipeline.report import drawing
from dropship_pipeline.report.drawing import picture
from dropship_pipeline.report.numbers import Numbers
from dropship_pipeline.report.parts import Foreign, Numbered, Section, empty, full


def moves(numbers: Numbers) -> Section:
    """Which prices moved furthest."""
    section = Section(
        "moves",
        "What moved most",
        "The products whose prices moved furthest in seven days (orange: dearer), and how many moved at all.",
    )
    if not numbers.moves:
        return empty(section, "no price has moved since the first sync")
    moved = [(one.days, one.rose, one.fell, one.came, one.went, one.median_percent) for one in numbers.moves]
    counts = Numbered("Prices that moved", ("in days", "rose", "fell", "new tiers", "gone", "median %"), moved)
    if not numbers.top_moves:
        return full(section, None, counts)
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
    products, furthest = counted(len(rows), "product"), f"{most.change_percent:+.1f} %"
    said = f"Bars: {products} by how far the price moved, the furthest by {furthest}."
    return full(
        section,
        picture(lambda: drawing.top_moves(numbers.top_moves), said),
        counts,
        Numbered("The furthest", headings, rows),
    )


def watched(numbers: Numbers) -> Section:
    """What became of the products that the merchant watches."""
    section = Section(
        "watched",
        "Watched products",
        "The merchant's own list, and what people were told of it: cost moved, stock low, variant or product gone.",
    )
    if not numbers.watched:
        return empty(section, "no product is watched. Watch one: dropship watch add PRODUCT")
    news = [
        (Foreign(one.title or one.product_id), Foreign(one.news), one.news_at) for one in numbers.watched if one.news
    ]
    rows = [
        (Foreign(one.title), Foreign(one.product_id), one.state, one.price, Foreign(one.currency), one.stock)
        for one in numbers.watched
    ]
    return full(
        section,
        None,
        Numbered("News", ("product", "what", "when"), news, is_open=True),
        Numbered("As they are", ("product", "ID", "state", "cheapest", "currency", "stock"), rows, is_open=not news),
    )


def holds(numbers: Numbers) -> Section:
    """What should not be sold now, and why."""
    section = Section(
        "holds", "On hold", "What should not be sold now, and why: the rules are the rows of ops.hold_rules."
    )
    if not numbers.holds:
        return empty(section, "nothing is on hold")
    held = [(one.reason, Foreign(one.rule), one.products, one.offers) for one in numbers.holds]
    rows = [
        (one.reason, Foreign(hold.title), Foreign(hold.product_id), Foreign(hold.why))
        for one in numbers.holds
        for hold in one.shown
    ]
    most = numbers.holds[0]
    said = f"Bars: products on hold by reason; most, {most.products:,}, are {most.reason}."
    return full(
        section,
        picture(lambda: drawing.holds(numbers.holds), said),
        Numbered("Reasons", ("reason", "rule", "products", "offers"), held),
        Numbered("The first of each", ("reason", "product", "ID", "why"), rows),
    )


def orders(numbers: Numbers) -> Section:
    """The order funnel."""
    section = Section("orders", "Orders", "Where orders are, how many are stuck, and how long each step takes.")
    if not numbers.funnel:
        return empty(section, "no order was read")
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
        f"Bars: {counted(sum(step.orders for step in now), 'order')} by status; "
        f"{counted(sum(step.stuck_orders or 0 for step in now), 'is', 'are')} stuck."
    )
    return full(
        section,
        picture(lambda: drawing.funnel(numbers.funnel), said) if now else None,
        Numbered("Now", ("status", "orders", "stuck", "median hours", "the oldest since"), waiting),
        Numbered("Steps that were seen", ("from", "to", "orders", "median hours", "95 % within hours"), steps),
    )


def quality(numbers: Numbers) -> Section:
    """What the checks find."""
    found = [one for one in numbers.findings if not one.passed]
    passed = len(numbers.findings) - len(found)
    grave = sum(one.grave for one in found)
    lede = f"{passed:,} of {len(numbers.findings):,} checks passed."
    if found:
        forbid = counted(grave, "of the others forbids", "of the others forbid")
        lede += f" {forbid if grave else 'None of the others forbids'} publishing."
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
