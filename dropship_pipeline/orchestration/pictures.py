"""Pictures for the assets' pages: `storage.reading.figures`, drawn, as Dagster's metadata. No query, no asset.

Each picture is two entries: under its own name a small one that the page shows in place, and under `<name>/in_full`,
behind a click, the whole one with its numbers in a table. Where there is nothing to draw yet, one text says so.
A picture costs some tenths of a second, the first of a process half a second more, and 10 kB of Dagster's event log for
each partition that it is told of: ask for those you show, where there are no partitions.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dagster as dg
from sqlalchemy import Connection

from dropship_pipeline import charts
from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.catalog.freshness import MAX_AGES
from dropship_pipeline.counting import counted
from dropship_pipeline.orchestration import thumbnails
from dropship_pipeline.orchestration.previews import markdown_table
from dropship_pipeline.storage.reading import ages, figures
from dropship_pipeline.storage.server.database import Database

Metadata = Mapping[str, dg.MetadataValue]


def every_picture(database: Database, destinations: Sequence[str]) -> Metadata:
    """All pictures of the catalogue, for the asset that stands for it."""
    return {
        **price_distribution(database),
        **freight_by_origin(database),
        **staleness(database, destinations),
        **stock_by_origin(database),
        **feed_sizes(database),
    }


def price_distribution(database: Database) -> Metadata:
    """Variants on offer by first-tier unit price: `price_distribution`."""
    with _reading(database) as connection:
        found = figures.price_distribution(connection)
    if not found:
        return _nothing("price_distribution", "no product on offer has a price")
    first, *others = found
    currency = first.currency or "no currency"
    last = first.bins[-1].high
    small = thumbnails.histogram(
        f"{counted(first.skus, 'variant')} by unit price, {currency}" + (f" (+{len(others)} more)" if others else ""),
        [one.skus for one in first.bins],
        [*(charts.amount(one.low) for one in first.bins), charts.amount(last) if last else "…"],
    )
    numbers = [
        (one.currency, bin_.low, bin_.high, bin_.skus, f"{100 * bin_.skus / one.skus:.1f} %")
        for one in found
        for bin_ in one.bins
        if bin_.skus
    ]
    headings = ("currency", "from", "below", "variants", "share")
    return _both("price_distribution", small, charts.png(charts.price_distribution(found)), headings, numbers)


def freight_by_origin(database: Database) -> Metadata:
    """The cheapest freight by origin and destination: `freight_by_origin`."""
    with _reading(database) as connection:
        lanes = figures.freight_by_origin(connection)
    if not lanes:
        return _nothing("freight_by_origin", "no product on offer has a freight quote")
    shown = charts.in_one_currency(lanes)
    top = max(lane.upper for lane in shown[: thumbnails.ROWS]) or 1
    small = thumbnails.boxes(
        "Cheapest freight, middle half and median",
        [
            thumbnails.Row(
                f"{charts.lane_name(lane)} {lane.median:.2f} {lane.currency or '?'}",
                (float(lane.lower / top), float(lane.median / top), float(lane.upper / top)),
            )
            for lane in shown
        ],
    )
    numbers = [
        (
            lane.dispatch_country,
            lane.destination_country,
            lane.currency,
            lane.products,
            lane.lower,
            lane.median,
            lane.upper,
        )
        for lane in lanes
    ]
    headings = ("from", "to", "currency", "products", "lower quartile", "median", "upper quartile")
    return _both("freight_by_origin", small, charts.png(charts.freight_by_origin(lanes)), headings, numbers)


def staleness(database: Database, destinations: Sequence[str]) -> Metadata:
    """When the products on offer were last read, by kind; freight once a destination (`US:90001`): `staleness`."""
    with _reading(database) as connection:
        kinds = ages.staleness(connection, MAX_AGES, destinations)
    if not any(ages.offered for ages in kinds):
        return _nothing("staleness", "no feed lists a product")
    small = thumbnails.segments(
        "Read in time (green), too old (orange), never (grey)",
        [
            thumbnails.Row(
                f"{ages.kind} {100 * ages.fresh / max(ages.offered, 1):.0f}%",
                tuple(part / max(ages.offered, 1) for part in (ages.fresh, ages.fresh + ages.stale, ages.offered)),
            )
            for ages in kinds
        ],
    )
    numbers: list[tuple[object, ...]] = [
        (
            ages.kind,
            charts.age(bucket.at_least),
            charts.age(bucket.below) if bucket.below else None,
            bucket.products,
            "stale" if bucket.at_least >= ages.max_age else "fresh",
        )
        for ages in kinds
        for bucket in ages.buckets
        if bucket.products
    ]
    numbers += [(ages.kind, None, None, ages.never_read, "never read") for ages in kinds if ages.never_read]
    headings = ("kind", "at least", "below", "products", "")
    return _both("staleness", small, charts.png(charts.staleness(kinds)), headings, numbers)


def stock_by_origin(database: Database) -> Metadata:
    """Variants in stock and out of stock by the country that they ship from: `stock_by_origin`."""
    with _reading(database) as connection:
        origins = figures.stock_by_origin(connection)
    if not origins:
        return _nothing("stock_by_origin", "no product on offer has a stock level")
    top = max(one.skus_in_stock + one.skus_out_of_stock for one in origins) or 1
    small = thumbnails.segments(
        "Variants in stock (green), none left (orange)",
        [
            thumbnails.Row(
                f"{one.shipping_from} {one.skus_in_stock:,}",
                (one.skus_in_stock / top, (one.skus_in_stock + one.skus_out_of_stock) / top),
            )
            for one in origins
        ],
    )
    numbers = [
        (one.shipping_from, one.products, one.skus_in_stock, one.skus_out_of_stock, one.units) for one in origins
    ]
    headings = ("ships from", "products", "variants in stock", "none left", "units")
    return _both("stock_by_origin", small, charts.png(charts.stock_by_origin(origins)), headings, numbers)


def feed_sizes(database: Database) -> Metadata:
    """Products in each feed, and what came and went in the last 14 days: `feed_sizes`."""
    with _reading(database) as connection:
        feeds = figures.feed_sizes(connection, [feed.key for feed in FEEDS])
    numbers = [
        (one.feed, one.products, sum(day.listed for day in one.days), sum(day.delisted for day in one.days))
        for one in feeds
    ]
    if not any(counts for _, *of_feed in numbers for counts in of_feed):
        return _nothing("feed_sizes", "no feed lists a product")
    top = max(one.products for one in feeds) or 1
    largest = sorted(feeds, key=lambda one: -one.products)
    small = thumbnails.segments(
        "Products listed, the largest feeds",
        [thumbnails.Row(f"{one.feed} {one.products:,}", (one.products / top,)) for one in largest],
    )
    headings = ("feed", "listed now", "came in 14 days", "went")
    return _both("feed_sizes", small, charts.png(charts.feed_sizes(feeds)), headings, numbers)


@contextmanager
def _reading(database: Database) -> Iterator[Connection]:
    with database.begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        yield connection


def _nothing(name: str, why: str) -> Metadata:
    return {name: dg.MetadataValue.text(f"Nothing yet: {why}")}


def _both(
    name: str, small: str, picture: bytes, headings: Sequence[str], numbers: Sequence[Sequence[object]]
) -> Metadata:
    whole = f"![](data:image/png;base64,{b64encode(picture).decode()})\n\n{markdown_table(headings, numbers)}"
    return {name: dg.MetadataValue.md(small), f"{name}/in_full": dg.MetadataValue.md(whole)}
