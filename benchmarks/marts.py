"""How long each mart takes over 100,000 products on the embedded Postgres: counted, begun, read to its end, by product.

    python benchmarks/marts.py [--products 100000] [--home FOLDER] [--plans FOLDER] [--only NAME …]

Makes, in a folder of its own (or in `--home`, where it is kept), a catalogue as dense as the simulated one: five SKUs a
product, twelve price tiers, six stock levels, two carriers; two months in which 2 % of the products change their prices
and 10 % of the stock levels move a day; 20,000 orders. It lies on disk as a first sync leaves it: a product's rows
together, products in no order of their IDs, change logs in order of time.

Prints a line of JSON for each mart: rows; CPU seconds that one server process needs to count them (`count`), for the
first thousand (`thousand`) and for every column of every row (`whole`), each the least of two, read through a cursor;
seconds of the whole by the clock, with what helpers Postgres takes; and milliseconds for one product. Planning is in
them. Then each question of docs/analysts.md, by its first words. `--plans` keeps the plans. On a busy machine even CPU
seconds are more than on an idle one, twice as many where others share its cores and caches: the last line says how busy
it was.
"""

import argparse
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil
from sqlalchemy import Connection

from dropship_pipeline.storage import migrate
from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.model import View
from dropship_pipeline.tables.registry import VIEWS

PAGE = Path(__file__).parents[1] / "docs" / "analysts.md"

# `of_product(n)` scatters the IDs: a catalogue is not read in the order of its IDs
CATALOGUE = """
CREATE FUNCTION pg_temp.of_product(n bigint) RETURNS text IMMUTABLE LANGUAGE sql
    AS $$ SELECT (1600000000000 + n * 618033989 % 999999937)::text $$;
CREATE FUNCTION pg_temp.of_sku(n bigint) RETURNS text IMMUTABLE LANGUAGE sql
    AS $$ SELECT (100000000000 + n * 6180339887 % 9999999967)::text $$;

INSERT INTO catalog.products
    (product_id, title, status, category_id, category, supplier, e_company_id, currency, min_order_quantity,
     wholesale_min_order_quantity, wholesale_price, handling_time_days, first_seen_at, described_at, changed_at,
     delisted_at)
SELECT pg_temp.of_product(n), 'Stainless steel vacuum flask with a handle, model ' || n,
    CASE WHEN n % 20 = 0 THEN 'PRODUCT_OFFLINE' ELSE 'PRODUCT_ONLINE' END,
    (100000 + n % 300)::text, 'Category ' || n % 300, 'Supplier ' || n % 4000 || ' Co., Ltd.', 'e' || n % 4000, 'USD',
    1 + n % 4, 1, 1 + n % 50, n % 9, now() - interval '60 days', now() - interval '3 hours', now() - interval '1 day',
    CASE WHEN n % 20 = 0 THEN now() - n % 30 * interval '1 day' END
FROM generate_series(1, {products}) n;

INSERT INTO catalog.feed_products (feed, product_id, position, first_listed_at, last_listed_at, delisted_at)
SELECT (ARRAY['us_standard', 'cross_border_us', 'us_fast_48h', 'mx_dropship', 'us_top_sellers', 'mx_top_sellers',
              'local_us', 'local_mx', 'local_regular', 'cross_border'])[1 + (n * 3 + m * m) % 10],
    pg_temp.of_product(n), n, now() - interval '60 days', now() - interval '60 days',
    CASE WHEN n % 20 = 0 THEN now() - interval '5 days' END
FROM generate_series(1, {products}) n, generate_series(0, 3) m WHERE m = 0 OR (n + m) % 2 = 0
ORDER BY n;

INSERT INTO catalog.skus (sku_id, product_id, seller_sku_id, status, unit)
SELECT pg_temp.of_sku(n * 5 + m), pg_temp.of_product(n), n || '-' || m, 'NORMAL', 'Piece'
FROM generate_series(1, {products}) n, generate_series(0, 4) m ORDER BY n, m;

INSERT INTO catalog.sku_attributes (sku_id, position, product_id, name, value)
SELECT pg_temp.of_sku(n * 5 + m), 0, pg_temp.of_product(n), 'Color', 'Colour ' || m
FROM generate_series(1, {products}) n, generate_series(0, 4) m ORDER BY n, m;

INSERT INTO catalog.price_tiers (sku_id, min_quantity, product_id, max_quantity, price, currency)
SELECT pg_temp.of_sku(n * 5 + m), bound.low, pg_temp.of_product(n), bound.high,
    round((1 + n % 50) * bound.factor + m * 0.1, 2), 'USD'
FROM generate_series(1, {products}) n, generate_series(0, 4) m,
    LATERAL (VALUES (CASE n % 4 WHEN 0 THEN 5 ELSE 1 END, 49, 1.0), (50, 499, 0.9), (500, NULL, 0.8))
        AS bound (low, high, factor)
WHERE bound.low < 500 OR n % 5 < 2
ORDER BY n, m, bound.low;

INSERT INTO catalog.inventory_levels (sku_id, shipping_from, product_id, quantity, unit, checked_at)
SELECT pg_temp.of_sku(n * 5 + m), origin, pg_temp.of_product(n), CASE WHEN (n + m) % 20 = 0 THEN 0 ELSE n * 7 % 500 END,
    'Piece', now() - interval '2 hours'
FROM generate_series(1, {products}) n, generate_series(0, 4) m,
    LATERAL unnest(
        CASE WHEN n % 5 = 0 THEN ARRAY['CN', 'US'] ELSE ARRAY[(ARRAY['CN', 'US', 'MX'])[1 + n % 3]] END) origin
ORDER BY n, m;

INSERT INTO catalog.freight_quotes
    (product_id, destination_country, quantity, vendor_code, vendor_name, dispatch_country, requested_dispatch,
     delivery_days_min, delivery_days_max, fee, currency, quoted_at)
SELECT pg_temp.of_product(n), 'US', 1, 'CARRIER_' || v, 'Carrier ' || v, 'CN', 'CN', 3 + n % 10 * v, 8 + n % 20 * v,
    round(2 + n % 30 / v, 2), 'USD', now() - interval '1 day'
FROM generate_series(1, {products}) n, generate_series(1, 3) v WHERE n % 50 > 0 AND (v < 3 OR n % 10 = 0)
ORDER BY n;

INSERT INTO catalog.freight_failures
    (product_id, destination_country, quantity, dispatch_location, code, message, failed_at)
SELECT pg_temp.of_product(n), 'US', 1, 'CN', '4015', 'cannot ship', now() - interval '1 day'
FROM generate_series(1, {products}) n WHERE n % 50 = 0;

INSERT INTO ops.fetches (kind, product_id, destination, fetched_at, outcome, payload_hash, changed_at)
SELECT kind, pg_temp.of_product(n), CASE kind WHEN 'freight' THEN 'US' ELSE '' END, now() - interval '2 hours',
    'answered', n, now() - interval '1 day'
FROM generate_series(1, {products}) n, unnest(ARRAY['description', 'inventory', 'freight']) kind;

-- the products of a day are others each day: 1/50 of them, so that each comes up once or twice in the months of the log
INSERT INTO catalog.price_changes (sku_id, product_id, min_quantity, old_price, new_price, currency, observed_at)
SELECT t.sku_id, t.product_id, t.min_quantity, round(t.price * 0.95, 2), t.price, t.currency,
    now() - d * interval '1 day' + interval '1 hour'
FROM catalog.price_tiers t, generate_series(60, 1, -1) d WHERE abs(hashtext(t.product_id)) % 50 = d % 50
ORDER BY d DESC;

INSERT INTO catalog.inventory_changes (sku_id, product_id, shipping_from, old_quantity, new_quantity, observed_at)
SELECT l.sku_id, l.product_id, l.shipping_from, l.quantity + 5, l.quantity,
    now() - d * interval '1 day' + interval '1 hour'
FROM catalog.inventory_levels l, generate_series(60, 1, -1) d WHERE abs(hashtext(l.sku_id)) % 10 = d % 10
ORDER BY d DESC;

INSERT INTO catalog.listing_changes (feed, product_id, change, observed_at)
SELECT feed, product_id, 'listed', first_listed_at FROM catalog.feed_products;

INSERT INTO orders.orders (trade_id, account, status, created_at, modified_at, shipped_at, fetched_at)
SELECT n::text, 'buyer', (ARRAY['undeliver', 'delivering', 'trade_success', 'trade_success'])[1 + n % 4],
    now() - n % 120 * interval '1 day', now(), now() - (n % 120 - 3) * interval '1 day', now()
FROM generate_series(1, 20000) n;

INSERT INTO orders.order_lines (trade_id, line, product_id, sku_id, quantity)
SELECT n::text, 1, pg_temp.of_product(1 + n % {products}), pg_temp.of_sku(n * 5), 1 FROM generate_series(1, 20000) n;

INSERT INTO orders.order_status_changes (trade_id, old_status, new_status, observed_at)
SELECT o.trade_id, step.old, step.new, o.created_at + step.place * (1 + o.trade_id::bigint % 50) * interval '1 hour'
FROM orders.orders o, (VALUES (1, 'unpay', 'paid'), (2, 'paid', 'undeliver'), (3, 'undeliver', 'delivering'),
    (4, 'delivering', 'trade_success')) AS step (place, old, new)
WHERE step.place <= (ARRAY[2, 3, 4, 4])[1 + o.trade_id::bigint % 4];
"""


@contextmanager
def filled(home: Path, products: int) -> Iterator[Database]:
    """The database of `home`, with that catalogue in it."""
    database = Database(embedded.start(home))
    try:
        migrate.upgrade(database)
        with database.begin() as connection:
            is_empty = connection.exec_driver_sql("SELECT NOT EXISTS (SELECT FROM catalog.products)").scalar_one()
        if is_empty:
            with database.begin() as connection:
                _run(connection, CATALOGUE.replace("{products}", str(products)))
            with database.autocommit() as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
        yield database
    finally:
        database.close()


def _run(connection: Connection, script: str) -> None:
    connection.execution_options(no_parameters=True).exec_driver_sql(script)


def timed(connection: Connection, query: str, plans: Path | None) -> tuple[int, float]:
    """Rows, and the median of three times in milliseconds, planning included; the last plan is kept in `plans`."""
    times, rows = [], 0
    for _ in range(3):
        found = connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT JSON) {query}"
        ).scalar_one()
        times.append(found[0]["Planning Time"] + found[0]["Execution Time"])
        rows = int(found[0]["Plan"]["Actual Rows"])
    if plans is not None:
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF) {query}").scalars()
        plans.write_text("\n".join([query, *plan]) + "\n", encoding="utf-8")
    return rows, median(times)


def cpu_seconds(connection: Connection, query: str) -> float:
    """What the query costs the server process that answers it alone, without others that help; the least of two."""
    server = psutil.Process(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
    taken = []
    for _ in range(2):
        _run(connection, "BEGIN; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL cursor_tuple_fraction = 1")
        before = server.cpu_times()
        _run(connection, f"DECLARE measured NO SCROLL CURSOR FOR {query}")
        _run(connection, "MOVE ALL IN measured")
        after = server.cpu_times()
        _run(connection, "ROLLBACK")
        taken.append(after.user + after.system - before.user - before.system)
    return round(min(taken), 2)


def measure(connection: Connection, view: View, plans: Path | None) -> dict[str, object]:
    """One view: all of it, a part, and one product of it where it has products."""
    called = f"{view.full_name}(now() - interval '7 days')" if view.arguments else view.full_name
    rows, whole = timed(connection, f"SELECT * FROM {called}", plans and plans / f"{view.name}.txt")
    result: dict[str, object] = {
        "mart": view.name,
        "rows": rows,
        "count": cpu_seconds(connection, f"SELECT count(*) FROM {called}"),
        "thousand": cpu_seconds(connection, f"SELECT * FROM {called} LIMIT 1000"),
        "whole": cpu_seconds(connection, f"SELECT * FROM {called}"),
        "clock": round(whole / 1000, 2),
    }
    if "product_id" in view.column_names:
        one = f"SELECT * FROM {called} WHERE product_id = '1600618033989'"
        result["one_product_ms"] = round(timed(connection, one, plans and plans / f"{view.name}_one.txt")[1], 1)
    return result


def questions() -> list[str]:
    """What the page for analysts asks in SQL."""
    return re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--plans", type=Path)
    parser.add_argument("--only", nargs="+", default=[view.name for view in VIEWS])
    options = parser.parse_args()
    if options.plans is not None:
        options.plans.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="marts-", ignore_cleanup_errors=True) as folder:
        home: Path = options.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o755)  # the embedded server runs as a user of its own where this runs as root
        with filled(home, options.products) as database, database.autocommit() as connection:
            for view in VIEWS:
                if view.name in options.only:
                    print(json.dumps(measure(connection, view, options.plans)), flush=True)
            for question in questions() if len(options.only) == len(VIEWS) else []:
                asked = " ".join(question.split())[:90]
                print(json.dumps({"question": asked, "cpu": cpu_seconds(connection, question)}), flush=True)
            print(json.dumps({"load": [round(load, 1) for load in os.getloadavg()]}))


if __name__ == "__main__":
    main()
