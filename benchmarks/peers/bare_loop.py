"""The near limit: a bare asynchronous loop that reads the same calls and loads the same facts, with no durability.

    python bare_loop.py

Signed calls over aiohttp, decoded by orjson, rows by hand, COPY into temporary tables and an upsert, one Parquet file a
table. Nothing is landed, checked, retried, paced or resumed: what is killed is lost, what is odd breaks it.
"""

import asyncio
import csv
import io
import os
from pathlib import Path
from typing import Any

import aiohttp
import alibaba_calls as calls
import orjson
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq

CONNECTIONS = 64
TABLES = {
    "products": (
        [
            "product_id",
            "title",
            "description",
            "detail_url",
            "main_image",
            "category_id",
            "category",
            "supplier",
            "e_company_id",
            "currency",
            "min_order_quantity",
            "status",
            "mode_id",
        ],
        1,
    ),
    "skus": (["sku_id", "product_id", "seller_sku_id", "status", "unit", "image"], 1),
    "attributes": (["sku_id", "position", "name_id", "name", "value_id", "value", "image"], 2),
    "prices": (["sku_id", "min_quantity", "max_quantity", "price", "currency"], 2),
    "stock": (["sku_id", "shipping_from", "product_id", "count", "unit"], 2),
}
BATCH = 5_000  # products
Rows = dict[str, list[list[Any]]]


def describe(product: dict[str, Any], rows: Rows) -> None:
    """The rows of a description."""
    get = product.get
    rows["products"].append(
        [
            get(name)
            for name in (
                "product_id", "title", "description", "detail_url", "main_image", "category_id", "category",
                "supplier", "eCompanyId", "currency", "min_order_quantity", "status", "mode_id",
            )
        ]
    )  # fmt: skip
    for sku in product["skus"]:
        sku_id = sku["sku_id"]
        rows["skus"].append([sku_id, *map(sku.get, ("product_id", "seller_sku_id", "status", "unit", "image"))])
        for position, one in enumerate(sku.get("sku_attr_list") or ()):
            names = ("attr_name_id", "attr_name_desc", "attr_value_id", "attr_value_desc", "attr_value_image")
            rows["attributes"].append([sku_id, str(position), *map(one.get, names)])
        for tier in sku.get("ladder_price") or ():
            rows["prices"].append([sku_id, *map(tier.get, ("min_quantity", "max_quantity", "price", "currency"))])


def take_stock(locations: list[dict[str, Any]], rows: Rows) -> None:
    """The rows of a product's stock."""
    for location in locations:
        for one in location["inventory_list"]:
            level = map(one.get, ("product_id", "inventory_count", "inventory_unit"))
            rows["stock"].append([one["sku_id"], location["shipping_from"], *level])


class Tables:
    """Where the rows go: Postgres and Parquet."""

    def __init__(self, url: str, folder: Path) -> None:
        self._connection = psycopg2.connect(url)
        self._writers = {}
        with self._connection.cursor() as cursor:
            for name, (columns, keys) in TABLES.items():
                texts = ", ".join(f"{column} text" for column in columns)
                cursor.execute(f"CREATE TABLE {name} ({texts}, PRIMARY KEY ({', '.join(columns[:keys])}))")
                schema = pa.schema([(column, pa.string()) for column in columns])
                self._writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd")
        self._connection.commit()

    def load(self, rows: Rows) -> None:
        """One batch, in one transaction."""
        with self._connection.cursor() as cursor:
            for name, lines in rows.items():
                columns, keys = TABLES[name]
                document = io.StringIO()
                csv.writer(document).writerows(lines)
                document.seek(0)
                cursor.execute(f"CREATE TEMP TABLE new ON COMMIT DROP AS TABLE {name} WITH NO DATA")
                cursor.copy_expert("COPY new FROM STDIN (FORMAT csv)", document)
                changed = ", ".join(f"{column} = excluded.{column}" for column in columns[keys:])
                key = ", ".join(columns[:keys])
                cursor.execute(
                    f"INSERT INTO {name} SELECT DISTINCT ON ({key}) * FROM new "
                    f"ON CONFLICT ({key}) DO UPDATE SET {changed}"
                )
                cursor.execute("DROP TABLE new")
                table = dict(zip(columns, map(list, zip(*lines, strict=True)), strict=True))
                self._writers[name].write_table(pa.table(table, self._writers[name].schema))
        self._connection.commit()

    def close(self) -> None:
        """Write what is left."""
        self._connection.close()
        for writer in self._writers.values():
            writer.close()


async def main() -> None:
    """One load."""
    tables = Tables(os.environ["PEER_DATABASE_URL"], Path(os.environ["PEER_FOLDER"]))
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get(path: str, query: dict[str, str]) -> Any:
            async with session.get(calls.BASE_URL + path, params=calls.signed(path, query)) as answer:
                return orjson.loads(await answer.read())["result"]["result_data"]

        products: list[str] = []
        while ids := await get(calls.LISTING, calls.listing_query(len(products) // calls.PAGE_SIZE)):
            products += map(str, ids)
            if len(ids) < calls.PAGE_SIZE:
                break

        loading: asyncio.Future[None] | None = None
        for start in range(0, len(products), BATCH):
            rows: Rows = {name: [] for name in TABLES}
            todo = iter(products[start : start + BATCH])

            async def work(todo: Any = todo, rows: Rows = rows) -> None:
                for product_id in todo:
                    describe(await get(calls.DESCRIPTION, calls.description_query(product_id)), rows)
                    take_stock(await get(calls.STOCK, calls.stock_query(product_id)), rows)

            await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
            if loading:
                await loading
            loading = asyncio.get_running_loop().run_in_executor(None, tables.load, rows)
        if loading:
            await loading
    tables.close()


if __name__ == "__main__":
    asyncio.run(main())
