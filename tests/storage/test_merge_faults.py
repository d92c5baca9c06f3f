"""Merges that meet others, break, or are given what cannot be stored: nothing is lost, doubled or torn."""

import random
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from merge_rows import Goods, Landed, ask, at, descriptions, inventory, ledger, tell

from dropship_pipeline.storage.catalog import merge
from dropship_pipeline.storage.catalog.merge import MergeCounts, Merger
from dropship_pipeline.storage.server.database import Database, DatabaseDown, DatabaseProblem
from dropship_pipeline.storage.server.locks import Lock, take

FLASK = Goods("P1", skus={"S1": {1: "3.69"}})


@pytest.fixture
def merger(database: Database) -> Iterator[Merger]:
    with Merger(database) as merger:
        yield merger


def describe(merger: Merger, goods: list[Goods], hours: float, *files: str) -> MergeCounts:
    return merger.merge_descriptions(
        descriptions(goods, at(hours)),
        ledger("description", [g.product_id for g in goods], at(hours)),
        raw_files=[Landed(path) for path in files],
    )


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the tables that a merge of descriptions writes, but for the clock of the merge itself."""
    names = [row[0] for row in ask(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'catalog' ORDER BY 1")]
    tables = {name: ask(database, f"SELECT t::text FROM catalog.{name} t ORDER BY 1") for name in names}
    tables["fetches"] = ask(database, "SELECT f::text FROM ops.fetches f ORDER BY 1")
    tables["raw_files"] = ask(database, "SELECT path FROM ops.raw_files ORDER BY 1")
    return tables


def sabotage(database: Database, what: str, times: int, *, deferred: bool = False) -> None:
    """Have the next `times` written prices meet a fault: in the server itself, as late as that."""
    tell(
        database,
        "CREATE SEQUENCE public.faults",
        "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF nextval('public.faults') <= {times} THEN {what}; END IF; RETURN NULL; END $$",
        f"CREATE {'CONSTRAINT' if deferred else ''} TRIGGER fault AFTER INSERT OR UPDATE ON catalog.price_tiers "
        f"{'DEFERRABLE INITIALLY DEFERRED' if deferred else ''} FOR EACH ROW EXECUTE FUNCTION public.fail()",
    )


BREAK = "PERFORM pg_terminate_backend(pg_backend_pid())"
DEADLOCK = "RAISE 'deadlock detected' USING ERRCODE = '40P01'"
SERIALIZATION = "RAISE 'could not serialize access' USING ERRCODE = '40001'"


@pytest.mark.parametrize("fault", [BREAK, DEADLOCK, SERIALIZATION], ids=["broken", "deadlock", "serialization"])
def test_a_transaction_that_could_not_end_is_begun_again(database: Database, merger: Merger, fault: str) -> None:
    sabotage(database, fault, times=2)
    counts = describe(merger, [FLASK], 0, "raw/1")
    assert counts.new == 1
    assert ask(database, "SELECT last_value FROM public.faults") == [(3,)]
    assert ask(database, "SELECT count(*) FROM catalog.price_tiers") == [(1,)]
    assert ask(database, "SELECT path FROM ops.raw_files") == [("raw/1",)]


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [(BREAK, DatabaseDown, "was shut down|broke the connection"), (DEADLOCK, DatabaseProblem, "gave up after several")],
    ids=["broken", "deadlock"],
)
def test_a_fault_that_stays_is_told_with_a_remedy_and_leaves_nothing_behind(
    database: Database, merger: Merger, fault: str, kind: type[Exception], words: str
) -> None:
    before = everything(database)
    sabotage(database, fault, times=99)
    with pytest.raises(kind, match=words) as raised:
        describe(merger, [FLASK], 0, "raw/1")
    assert "Run the command again" in str(raised.value) or "run the command again" in str(raised.value)
    assert everything(database) == before
    tell(database, "DROP TRIGGER fault ON catalog.price_tiers")
    assert describe(merger, [FLASK], 0, "raw/1").new == 1


def test_a_commit_that_broke_and_did_nothing_is_begun_again(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK], 0)
    sabotage(database, BREAK, times=1, deferred=True)
    moved = replace(FLASK, skus={"S1": {1: "3.00"}})
    for _ in range(2):
        describe(merger, [moved], 1, "raw/1")
    assert ask(database, "SELECT last_value > 1 FROM public.faults") == [(True,)]
    assert ask(database, "SELECT old_price, new_price FROM catalog.price_changes") == [
        (Decimal("3.6900"), Decimal("3.0000"))
    ]


def test_a_server_that_was_restarted_between_two_batches_is_not_noticed(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK], 0)
    tell(
        database,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    assert describe(merger, [FLASK], 1).unchanged == 1


def test_a_mistake_of_ours_is_not_repeated(database: Database, merger: Merger) -> None:
    tell(database, "ALTER TABLE catalog.price_tiers RENAME price TO cost")
    with pytest.raises(DatabaseProblem, match=r"lacks a column .*price.* Run `dropship db upgrade`"):
        describe(merger, [FLASK], 0)
    tell(database, "ALTER TABLE catalog.price_tiers RENAME cost TO price")
    assert describe(merger, [FLASK], 0).new == 1, "the connection is of use still"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("statement_timeout = '1ms'", "cancelled a statement .* See statement_timeout"),
        ("default_transaction_read_only = on", r"is read-only .* primary server"),
    ],
    ids=["time-out", "read-only"],
)
def test_a_server_that_will_not_is_told_apart(database: Database, setting: str, words: str) -> None:
    name = ask(database, "SELECT current_database()")[0][0]
    tell(database, f"ALTER DATABASE {name} SET {setting}")
    goods = [Goods(f"P{number}", {f"S{number}": {1: "1.00"}}) for number in range(500)]
    with Merger(database) as merger, pytest.raises(DatabaseProblem, match=words):
        describe(merger, goods, 0)


def test_a_lock_that_another_session_never_gives_back_is_named(
    database: Database, merger: Merger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "PATIENCE", "100ms")
    with database.begin() as connection:
        connection.exec_driver_sql(take(Lock.OFFER))
        with pytest.raises(DatabaseProblem, match=r"held up by another session's lock .* See pg_stat_activity"):
            describe(merger, [FLASK], 0)
    assert describe(merger, [FLASK], 0).new == 1


# --- what cannot be stored


@pytest.mark.parametrize(
    "bad",
    [
        Goods("BAD", title="a\0b"),
        Goods("BAD", skus={secrets.token_hex(9_000): {1: "1.00"}}),
        Goods("BAD", images=(None,)),  # type: ignore[arg-type]  what a builder must not give
    ],
    ids=["a zero byte", "an ID too long for an index", "a NULL where none may be"],
)
def test_one_product_that_cannot_be_stored_costs_that_product(database: Database, merger: Merger, bad: Goods) -> None:
    good = [Goods(f"P{number}", skus={f"S{number}": {1: "2.00"}}) for number in range(9)]
    counts = describe(merger, [*good[:4], bad, *good[4:]], 0, "raw/1")
    assert (counts.new, counts.rejected) == (9, 1)
    assert ask(database, "SELECT count(*) FROM catalog.products") == [(9,)]
    assert ask(database, "SELECT product_id FROM ops.fetches WHERE outcome = 'rejected'") == [("BAD",)]
    assert ask(database, "SELECT path FROM ops.raw_files") == [("raw/1",)]
    columns = "record_key, reason, message, last_seen_at, payload_hash IS NULL, raw_file"
    [(key, reason, words, seen, unhashed, file)] = ask(database, f"SELECT {columns} FROM ops.rejected_records")
    assert (key, reason, seen, unhashed) == ("BAD", "not_storable", at(0), False)
    assert file == "raw/description/1.parquet"
    assert words
    assert "\n" not in words
    assert ask(database, "SELECT code FROM ops.fetches WHERE product_id = 'BAD'") == [("not_storable",)]
    assert describe(merger, [Goods("BAD", title="Mended")], 1).new == 1
    assert ask(database, "SELECT * FROM ops.rejected_records") == []


def test_stock_that_could_not_be_stored_was_no_first_reading(database: Database, merger: Merger) -> None:
    bad, good = {("S1", "C\0N"): 1}, {("S1", "CN"): 1}
    assert merger.merge_inventory(inventory({"P1": bad}, at(0)), ledger("inventory", ["P1"], at(0))).rejected == 1
    assert merger.merge_inventory(inventory({"P1": good}, at(1)), ledger("inventory", ["P1"], at(1))).new == 1
    assert ask(database, "SELECT * FROM catalog.inventory_changes") == []


# --- several at once


def test_merges_of_the_same_products_by_several_processes_end_as_if_one_had_done_them(database: Database) -> None:
    """Each price change starts from the price that the change before it ended with: none is lost or seen twice."""
    readings = [(hours, [f"{(hours * 7) % 5 + 1}.00" for _ in range(30)]) for hours in range(24)]

    def work(mine: list[tuple[int, list[str]]]) -> int:
        with Merger(Database(database.libpq_url)) as merger:
            stale = 0
            for hours, prices in mine:
                goods = [Goods(f"P{n}", skus={f"S{n}": {1: price}}) for n, price in enumerate(prices)]
                random.Random(hours).shuffle(goods)
                stale += describe(merger, goods, hours, f"raw/{hours}").stale
            return stale

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, [readings[0::3], readings[1::3], readings[2::3]]))
    last = Decimal(readings[-1][1][0])
    assert ask(database, "SELECT DISTINCT price FROM catalog.price_tiers") == [(last,)]
    assert ask(database, "SELECT count(*) FROM ops.raw_files") == [(24,)]
    assert ask(database, "SELECT DISTINCT fetched_at FROM ops.fetches") == [(at(23),)]
    for number in range(30):
        chain = ask(
            database,
            "SELECT old_price, new_price FROM catalog.price_changes "
            f"WHERE product_id = 'P{number}' ORDER BY observed_at",
        )
        assert all(earlier[1] == later[0] for earlier, later in pairwise(chain))
        assert chain[-1][1] == last


def test_a_merge_waits_for_another_of_its_kind_and_not_for_other_kinds(database: Database, merger: Merger) -> None:
    done = threading.Event()

    def describe_it() -> None:
        with Merger(Database(database.libpq_url)) as other:
            describe(other, [FLASK], 0)
        done.set()

    with database.begin() as connection:
        connection.exec_driver_sql(take(Lock.OFFER))
        thread = threading.Thread(target=describe_it)
        thread.start()
        stock = inventory({"P1": {("S1", "CN"): 1}}, at(0))
        assert merger.merge_inventory(stock, ledger("inventory", ["P1"], at(0))).new == 1
        assert not done.wait(0.3)
    assert done.wait(60)
    thread.join()


def test_any_split_order_and_repetition_of_the_same_answers_ends_in_the_same_tables(database: Database) -> None:
    """Merged one by one in their order, or shuffled, cut into other batches and partly repeated: the same rows."""
    chance = random.Random(20260131)
    answers = []
    for hours in range(7):
        for number in range(6):
            if chance.random() < 0.6:
                skus = {f"S{number}{k}": {1: f"{chance.randint(1, 3)}.50"} for k in range(chance.randint(0, 3))}
                pictures = ("a.jpg", "b.jpg")[: chance.randint(0, 2)]
                answers.append((hours, Goods(f"P{number}", skus, title=f"T{chance.randint(0, 1)}", images=pictures)))

    def state(told: list[list[tuple[int, Goods]]]) -> dict[str, list[tuple[Any, ...]]]:
        """Without the logs and the times of the first and the last change, which a late answer cannot mend."""
        tell(database, *(f"TRUNCATE {table}" for table in TABLES), "TRUNCATE ops.fetches")
        with Merger(database) as merger:
            for batch in told:
                for hours in sorted({hours for hours, _ in batch}):
                    describe(merger, [goods for when, goods in batch if when == hours], hours)
        rows = {table: ask(database, f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES[1:]}
        rows["products"] = ask(database, "SELECT product_id, title, described_at FROM catalog.products ORDER BY 1")
        return rows

    undisturbed = state([[answer] for answer in answers])
    assert len(undisturbed["products"]) == 6
    for _ in range(2):
        told = [*answers, *chance.sample(answers, 5)]
        chance.shuffle(told)
        cut = sorted(chance.sample(range(len(told)), 4))
        batches = [told[start:end] for start, end in zip([0, *cut], [*cut, len(told)], strict=True)]
        assert state(batches) == undisturbed


TABLES = [
    f"catalog.{name}"
    for name in ("products", "skus", "sku_attributes", "price_tiers", "product_descriptions", "product_images")
]


def test_a_batch_of_250_products_merges_in_tens_of_milliseconds(database: Database, merger: Merger) -> None:
    """The bar is far above what was measured (benchmarks): it is to catch a plan that reads whole tables."""
    goods = [
        Goods(f"P{n}", {f"S{n}-{k}": {1: "3.69", 100: "3.10", 1000: "2.90"} for k in range(5)}) for n in range(5_000)
    ]
    for start in range(0, len(goods), 2_500):
        describe(merger, goods[start : start + 2_500], 0)
    seconds = []
    for hours in range(1, 6):
        rows = descriptions(goods[:250], at(hours))
        fetches = ledger("description", [g.product_id for g in goods[:250]], at(hours))
        began = time.perf_counter()
        assert merger.merge_descriptions(rows, fetches).unchanged == 250
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.2
