"""Whether the merge of changes costs what changed, however large the catalogue is.

    python benchmarks/merging.py [--products 20000 200000] [--changed 200 2000 20000] [--runs 3] [--json FILE]

The tables are filled with so many products of five SKUs each, as answers that were read, normalised and merged: 200,000
products are a million SKUs. Then answers about some of them, scattered over all, are merged by the hand-over, 250 at a
time, as a sync does it: the price of every tier and the stock of every SKU is another one. Measured are seconds by the
clock and CPU seconds, of this process and of Postgres, from the first batch to the commit of the last: the median of so
many runs, which take turns. `unchanged`: as many answers that say what the tables say already.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from machine import cpu_of_server

from dropship_pipeline.storage import migrate
from dropship_pipeline.storage.catalog.merge import Merger
from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.stages.describe import DESCRIPTION
from dropship_pipeline.sync.stages.landing import Settled
from dropship_pipeline.sync.stages.pipeline import HAND_OVER, Kind, settle
from dropship_pipeline.sync.stages.stock import STOCK

SKUS = 5
FILLED_BY = 2_000  # products a batch while the tables are filled, which is not measured


def product_id(number: int) -> str:
    """IDs in an order that is not that of the numbers: a catalogue is not read in the order of its IDs."""
    return str(1_600_000_000_000 + number * 618_033_989 % 999_999_937)


def description(number: int, version: int) -> dict[str, Any]:
    """What the API says of a product (guide §4); its prices are those of a version."""
    product = product_id(number)
    image = f"https://sc04.alicdn.com/kf/H{product}"
    return {
        "product_id": product,
        "title": f"Stainless steel vacuum flask with a handle, model {number}",
        "description": "<p>Keeps hot for twelve hours, cold for twenty-four.</p>" * 20,
        "images": [f"{image}{place}.jpg" for place in range(5)],
        "main_image": f"{image}.jpg",
        "detail_url": f"https://www.alibaba.com/product-detail/{product}.html",
        "category_id": str(100_000 + number % 300),
        "category": f"Category {number % 300}",
        "supplier": f"Supplier {number % 4000} Co., Ltd.",
        "eCompanyId": f"e{number % 4000}",
        "currency": "USD",
        "min_order_quantity": "1",
        "status": "PRODUCT_ONLINE",
        "mode_id": f"M-{number}",
        "skus": [
            {
                "sku_id": f"{product}{place}",
                "product_id": product,
                "seller_sku_id": f"{number}-{place}",
                "status": "NORMAL",
                "unit": "Piece",
                "image": f"{image}-{place}.jpg",
                "sku_attr_list": [{"attr_name_id": "1", "attr_name_desc": "Color", "attr_value_desc": f"No. {place}"}],
                "ladder_price": [
                    {
                        "min_quantity": low,
                        "max_quantity": high,
                        "price": f"{price + version * 0.01:.2f}",
                        "currency": "USD",
                    }
                    for low, high, price in (("1", "49", 9.5), ("50", "-1", 8.25))
                ],
            }
            for place in range(SKUS)
        ],
    }


def stock(number: int, version: int) -> list[dict[str, Any]]:
    """What it says of the product's stock (guide §5)."""
    product = product_id(number)
    levels = [
        {
            "product_id": product,
            "sku_id": f"{product}{place}",
            "inventory_count": str(100 + version),
            "inventory_unit": "Piece",
        }
        for place in range(SKUS)
    ]
    return [{"shipping_from": "CN", "inventory_list": levels}]


def merge(merger: Merger, numbers: Sequence[int], version: int, size: int) -> int:
    """Have answers about these products merged, so many at a time; how many of the products changed."""
    changed = 0
    for start in range(0, len(numbers), size):
        batch, now = numbers[start : start + size], datetime.now(UTC)
        kinds: list[tuple[Kind[Any], Callable[[int, int], object]]] = [(DESCRIPTION, description), (STOCK, stock)]
        for kind, told in kinds:
            answers = [Settled(product_id(one), now, b"", told(one, version)) for one in batch]
            counts, ledger = settle(merger, kind, answers, "raw/benchmark", ())
            if counts.products != len(batch) or ledger.rejected:
                raise SystemExit(f"{counts} of {len(batch)} answers of {kind.name}")
            changed += counts.changed if kind is DESCRIPTION else 0
    return changed


def measure(products: int, shares: Sequence[int], runs: int) -> Iterator[dict[str, Any]]:
    """Every number of changed products that fits, in one catalogue."""
    with tempfile.TemporaryDirectory(prefix="merging-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)  # the embedded server runs as a user of its own where this runs as root
        database = Database(embedded.start(home))
        migrate.upgrade(database)
        costs: dict[tuple[int, bool], list[tuple[float, float, float]]] = {}
        with Merger(database) as merger:
            began = time.monotonic()
            merge(merger, range(products), 0, FILLED_BY)
            print(f"{products} products in {time.monotonic() - began:.0f} s", file=sys.stderr)
            with database.autocommit() as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
            version = 0
            for _ in range(runs):
                for changed in shares:
                    chosen = range(0, products, max(products // changed, 1))[:changed]
                    version += 1
                    for says_new in (True, False):
                        with database.autocommit() as connection:
                            connection.exec_driver_sql("CHECKPOINT")
                        clock, ours, server = time.monotonic(), time.process_time(), cpu_of_server(home)
                        found = merge(merger, chosen, version, HAND_OVER)
                        if found != len(chosen) * says_new:
                            raise SystemExit(f"{found} of {len(chosen)} products changed")
                        costs.setdefault((len(chosen), says_new), []).append(
                            (
                                time.monotonic() - clock,
                                time.process_time() - ours,
                                cpu_of_server(home) - server,
                            )
                        )
        database.close()
        for changed in dict.fromkeys(number for number, _ in costs):
            names = ("wall", "cpu", "server_cpu")
            one, other = (
                {name: round(median(column), 3) for name, column in zip(names, zip(*found, strict=True), strict=True)}
                for found in (costs[changed, True], costs[changed, False])
            )
            yield {"products": products, "skus": products * SKUS, "changed": changed, **one, "unchanged": other}


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--changed", type=int, nargs="+", default=[200, 2_000, 20_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    points: list[dict[str, Any]] = []
    for products in options.products:
        for point in measure(products, [one for one in options.changed if one <= products], options.runs):
            print(json.dumps(point), flush=True)
            points.append(point)
            if options.json:
                options.json.write_text(json.dumps({"runs": options.runs, "points": points}, indent=2) + "\n")


if __name__ == "__main__":
    main()
