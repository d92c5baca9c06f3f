"""Sections of the report on what there is: feeds, prices, freight, landed cost, stock, and how fresh all that is."""

from dropship_pipeline import charts
from dropship_pipeline.counting import counted
from dropship_pipeline.report import drawing
from dropship_pipeline.report.drawing import picture, untitled
from dropship_pipeline.report.numbers import DAYS, Numbers
from dropship_pipeline.report.parts import Cell, Foreign, Numbered, Section, Share, empty, full
from dropship_pipeline.storage.reading.digests import STOCK_CLASSES


def feeds(numbers: Numbers) -> Section:
    """Products of each feed, and what came and went."""
    rows: list[tuple[Cell, ...]] = [
        (one.feed, one.products, sum(day.listed for day in one.days), sum(day.delisted for day in one.days))
        for one in numbers.feeds
    ]
    section = Section("feeds", "Feeds", f"Products in each feed now, and what came and went in {DAYS} days.")
    if not any(isinstance(count, int) and count for row in rows for count in row):
        return empty(section, "no feed lists a product")
    largest = max(numbers.feeds, key=lambda one: one.products)
    by_day = [
        (one.feed, day.day.isoformat(), day.listed, day.delisted)
        for one in numbers.feeds
        for day in reversed(one.days)
        if day.listed or day.delisted
    ]
    return full(
        section,
        picture(
            lambda: charts.feed_sizes(numbers.feeds),
            f"Bars: products of {counted(len(rows), 'feed')}, most in {largest.feed} ({largest.products:,}), and their "
            "changes.",
        ),
        Numbered("Feeds", ("feed", "listed now", f"came in {DAYS} days", "went"), rows),
        Numbered("By day (UTC)", ("feed", "day", "came", "went"), by_day),
    )


def prices(numbers: Numbers) -> Section:
    """Unit prices of the variants on offer."""
    section = Section("prices", "Prices", "Variants on offer by unit price, in their first price tier.")
    if not numbers.prices:
        return empty(section, "no product on offer has a price")
    first = numbers.prices[0]
    top = max(first.bins, key=lambda one: one.skus)
    rows = [
        (Foreign(one.currency), bin_.low, bin_.high, bin_.skus, Share(100 * bin_.skus / one.skus))
        for one in numbers.prices
        for bin_ in one.bins
        if bin_.skus
    ]
    prices = counted(first.skus, "unit price")
    said = f"Histogram of {prices} in {first.currency}: most are from {charts.amount(top.low)} on."
    return full(
        section,
        picture(lambda: charts.price_distribution(numbers.prices), said),
        Numbered("Prices", ("currency", "from", "below", "variants", "share"), rows),
    )


def freight(numbers: Numbers) -> Section:
    """Freight by origin and destination."""
    section = Section("freight", "Freight", "The cheapest carrier for the smallest order of each product, by lane.")
    if not numbers.freight:
        return empty(section, "no product on offer has a freight quote")
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
    said = f"Boxes: the freight of {counted(len(rows), 'lane')}; on the busiest, half cost {first.median:.2f} or less."
    headings = ("from", "to", "currency", "products", "lower quartile", "median", "upper quartile")
    return full(
        section,
        picture(lambda: untitled(charts.freight_by_origin(numbers.freight)), said),
        Numbered("Lanes", headings, rows),
    )


def landed(numbers: Numbers) -> Section:
    """Landed cost against stock."""
    section = Section(
        "landed",
        "Landed cost against stock",
        "What a unit costs at the door with the cheapest carrier, and how much of it there is. Duty and tax not in it.",
    )
    if not numbers.landed:
        return empty(section, "no variant on offer has both a price and a freight quote in its currency")
    rows = [
        (Foreign(one.destination_country), Foreign(one.currency), bin_.low, bin_.high, *bin_.skus.values())
        for one in numbers.landed
        for bin_ in one.bins
        if any(bin_.skus.values())
    ]
    first = numbers.landed[0]
    out = sum(bin_.skus["none"] for bin_ in first.bins)
    said = (
        f"Histograms: landed cost of {counted(first.skus, 'variant')} to {first.destination_country}, coloured by "
        f"stock; {counted(out, 'of them has', 'of them have')} none."
    )
    headings = ("to", "currency", "from", "below", *(f"stock: {name}" for name in STOCK_CLASSES))
    return full(
        section, picture(lambda: drawing.landed_costs(numbers.landed), said), Numbered("Landed cost", headings, rows)
    )


def stock(numbers: Numbers) -> Section:
    """Stock by origin."""
    section = Section("stock", "Stock by origin", "Variants in stock by the country that they ship from.")
    if not numbers.stock:
        return empty(section, "no product on offer has a stock level")
    rows = [
        (Foreign(one.shipping_from), one.products, one.skus_in_stock, one.skus_out_of_stock, one.units)
        for one in numbers.stock
    ]
    said = f"Bars: variants in stock and out of stock in {counted(len(rows), 'country', 'countries')}."
    return full(
        section,
        picture(lambda: untitled(charts.stock_by_origin(numbers.stock)), said),
        Numbered("Stock", ("ships from", "products", "variants in stock", "none left", "units"), rows),
    )


def freshness(numbers: Numbers) -> Section:
    """How old the readings are."""
    section = Section("freshness", "Freshness", "When what is known of the products on offer was last read.")
    if not any(ages.offered for ages in numbers.readings):
        return empty(section, "no feed lists a product")
    rows: list[tuple[Cell, ...]] = [
        (
            ages.kind,
            charts.age(ages.max_age),
            ages.fresh,
            ages.stale,
            ages.never_read,
            Share(100 * ages.fresh / max(ages.offered, 1)),
        )
        for ages in numbers.readings
    ]
    said = "; ".join(
        f"{ages.kind}: {100 * ages.fresh / max(ages.offered, 1):.0f} % in time" for ages in numbers.readings
    )
    return full(
        section,
        picture(lambda: untitled(charts.staleness(numbers.readings)), f"Bars: {said}."),
        Numbered("Readings", ("kind", "may be", "in time", "too old", "never read", "share in time"), rows),
    )
