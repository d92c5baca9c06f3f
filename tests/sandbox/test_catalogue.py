"""The computed catalogue: the same for the same seed, believable, and alive on the sandbox clock."""

import statistics
from decimal import Decimal
from itertools import pairwise

import pytest

from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.products import DELETED, OFFLINE, ONLINE
from dropship_pipeline.sandbox.world.seeding import Permutation, Seed, permutation
from dropship_pipeline.sandbox.world.stock import StockPlan, level

NOW = 1_769_000_000_000
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def alive():
    return Catalogue(5, 3000, drift=1)


@pytest.fixture(scope="module")
def products(alive):
    return [alive.product(product_id, NOW) for product_id in alive.ids(NOW)]


def prices(product):
    return [sku.unit_price(tier.min_quantity) for sku in product.skus for tier in product.design.tiers]


def stocks(product):
    return [sku.stock(place) for sku in product.skus for place in product.dispatch_locations]


def test_a_second_world_of_the_same_seed_is_the_same_and_one_of_another_seed_is_not(alive):
    again, other = Catalogue(5, 3000, drift=1), Catalogue(6, 3000, drift=1)
    assert again.ids(NOW) == alive.ids(NOW)
    for product_id in alive.ids(NOW)[::100]:
        assert again.product(product_id, NOW) == alive.product(product_id, NOW)
        assert stocks(again.product(product_id, NOW)) == stocks(alive.product(product_id, NOW))
    assert len(set(other.ids(NOW)) & set(alive.ids(NOW))) < 20


def test_time_can_be_asked_in_any_order(alive):
    ids = alive.ids(NOW)[:300]
    forth = [(prices(p), stocks(p)) for day in (0, 30) for p in (alive.product(i, NOW + day * DAY_MS) for i in ids)]
    fresh = Catalogue(5, 3000, drift=1)
    back = [(prices(p), stocks(p)) for day in (30, 0) for p in (fresh.product(i, NOW + day * DAY_MS) for i in ids)]
    assert back == forth[300:] + forth[:300]


def test_ids_lead_back_to_their_products_and_no_other_id_does(alive):
    ids = alive.ids(NOW)
    assert len(set(ids)) == len(ids)
    for product_id in ids[::50]:
        assert alive.product(product_id, NOW).product_id == product_id
    for stranger in ("", "0", "x", "1600000000000000", "-1600124642247", "01600124642247", "²", "1599999999999"):
        assert alive.product(stranger, NOW) is None


def test_sku_ids_are_unique_in_the_whole_catalogue(products):
    sku_ids = [sku.sku_id for product in products for sku in product.skus]
    assert len(set(sku_ids)) == len(sku_ids) > 3 * len(products)


def test_variants_of_a_product_differ_and_are_one_to_twelve(products):
    for product in products:
        assert 1 <= len(product.skus) <= 12
        assert len({sku.attributes for sku in product.skus}) == len(product.skus)


def test_ladders_begin_at_the_minimum_join_up_and_fall(products):
    for product in products:
        tiers = product.design.tiers
        assert tiers[0].min_quantity == product.design.min_order_quantity
        for lower, upper in pairwise(tiers):
            assert upper.min_quantity == lower.max_quantity + 1
        if product.product_id != "1601206892606":  # the guide's mug ends at 499
            assert tiers[-1].max_quantity == -1
        for sku in product.skus:
            ladder = [sku.unit_price(tier.min_quantity) for tier in tiers]
            assert ladder == sorted(ladder, reverse=True)
            assert min(ladder) >= Decimal("0.01")


def test_a_quantity_below_the_ladder_costs_the_wholesale_price(alive):
    mug = alive.product("1601206892606", NOW)
    assert mug.moq == 12
    assert mug.skus[0].unit_price(12) == Decimal("12.34")
    assert mug.skus[0].unit_price(50) == mug.skus[0].unit_price(499) == Decimal("3.69")


def test_the_catalogue_is_believable_in_its_shares(products):
    def share(condition):
        return sum(map(condition, products)) / len(products)

    assert share(lambda product: product.currency == "USD") > 0.95
    assert 0.7 < share(lambda product: product.moq <= 5) < 0.95
    assert 0.05 < share(lambda product: product.design.min_order_quantity == 50) < 0.15
    assert 0.05 < share(lambda product: product.design.wholesale is None) < 0.2
    assert 0.6 < share(lambda product: "CN" in product.dispatch_locations) < 0.9
    assert 0.1 < share(lambda product: len(product.dispatch_locations) == 2) < 0.35
    assert 0.01 < share(lambda product: bool(product.restricted_countries)) < 0.06
    assert 0.005 < share(lambda product: product.design.template_fails) < 0.03
    assert len({product.design.category.category_id for product in products}) >= 40
    assert 60 < len({product.e_company_id for product in products}) < 200
    empty = [count == 0 for product in products for count in stocks(product)]
    assert 0.02 < statistics.mean(empty) < 0.12


def test_what_depends_on_the_product_does_not_depend_on_the_size_of_the_catalogue(alive):
    larger = Catalogue(5, 100_000, drift=1)
    for product_id in alive.ids(NOW)[8:600:60]:
        assert larger.product(product_id, NOW).title == alive.product(product_id, NOW).title


def test_in_an_hour_hardly_anything_changes_and_in_a_month_most_prices_have(alive, products):
    def moved(days):
        later = [alive.product(product.product_id, NOW + int(days * DAY_MS)) for product in products]
        return sum(prices(a) != prices(b) for a, b in zip(products, later, strict=True)) / len(products)

    assert moved(1 / 24) < 0.03
    assert 0.05 < moved(1) < 0.25
    assert 0.6 < moved(30) < 0.95


def test_the_median_price_changes_about_once_in_20_days(products):
    median = statistics.median(product.design.price_rate for product in products if product.design.number >= 0)
    assert 1 / 23 < median < 1 / 17


def test_price_changes_come_at_the_rate_that_the_product_has(alive):
    for product_id in alive.ids(NOW)[8:40]:
        rate = alive.product(product_id, NOW).design.price_rate
        if 0.05 < rate < 0.3:
            levels = [alive.product(product_id, NOW + day * DAY_MS).price_factor for day in range(400)]
            steps = sum(a != b for a, b in pairwise(levels))
            assert 0.6 < steps / (400 * rate) < 1.2


def test_stock_moves_faster_than_prices(alive, products):
    later = [alive.product(product.product_id, NOW + DAY_MS) for product in products]
    changed = sum(stocks(a) != stocks(b) for a, b in zip(products, later, strict=True)) / len(products)
    assert changed > 0.7


def test_stock_sells_down_in_steps_and_is_filled_up_again():
    plan = StockPlan(100, 4, 0.25, 0.0, sells_out=True)
    assert [level(plan, day) for day in (0, 0.9, 1, 2, 3, 3.9, 4, 5)] == [100, 100, 67, 34, 0, 0, 100, 67]
    assert [level(plan._replace(sells_out=False), day) for day in (0, 1, 2, 3, 4)] == [100, 75, 50, 25, 100]
    assert level(plan, None) == 100


def test_products_go_offline_and_come_back_and_some_are_deleted(alive):
    ids = Catalogue(5, 3000, drift=0).ids(NOW)
    history = {i: [alive.product(i, NOW + day * DAY_MS).status for day in range(0, 400, 2)] for i in ids}
    statuses = [status for days in history.values() for status in days]
    assert set(statuses) == {ONLINE, OFFLINE, DELETED}
    assert 0.01 < 1 - statuses.count(ONLINE) / len(statuses) < 0.05
    assert any(OFFLINE in days and days[0] == days[-1] == ONLINE for days in history.values())


def test_who_is_offline_is_in_no_feed_has_no_stock_and_says_so_itself(own):
    catalogue = Catalogue(1, 3000, drift=1)
    every = Catalogue(1, 3000, drift=0).ids(NOW)
    away = next(i for i in every if catalogue.product(i, NOW).status == OFFLINE)
    running, client = own(products=3000, drift=1, clock_start_ms=NOW, clock_speed=0)
    assert running.control(f"truth/product?id={away}")["feeds"] == []
    assert client.describe(away)["result"]["result_data"]["status"] == "PRODUCT_OFFLINE"
    places = client.inventory(away)["result"]["result_data"]
    assert {sku["inventory_count"] for place in places for sku in place["inventory_list"]} == {"0"}
    assert client.freight(away, 100)["code"] == "130106"


def test_with_no_drift_time_stands_still():
    still = Catalogue(5, 500, drift=0)
    for product_id in still.ids(NOW)[::10]:
        first, later = still.product(product_id, NOW), still.product(product_id, NOW + 1000 * DAY_MS)
        assert (first.status, later.status) == (ONLINE, ONLINE)
        assert prices(first) == prices(later)
        assert stocks(first) == stocks(later)


def test_twice_the_drift_is_twice_the_pace():
    once, twice = Catalogue(5, 300, drift=1), Catalogue(5, 300, drift=2)
    epoch = 1_767_225_600_000
    for product_id in once.ids(NOW)[::10]:
        slow, fast = (
            once.product(product_id, epoch + 20 * DAY_MS),
            twice.product(product_id, epoch + 10 * DAY_MS),
        )
        assert (prices(slow), stocks(slow), slow.status) == (prices(fast), stocks(fast), fast.status)


def test_a_restarted_sandbox_tells_the_same_world(own):
    settings = {"products": 300, "drift": 1, "clock_start_ms": NOW, "clock_speed": 0, "seed": 9}
    first, second = (own(**settings)[0] for _ in range(2))
    told = first.control("truth/catalogue")
    assert len(told["products"]) > 280
    assert second.control("truth/catalogue") == told


@pytest.mark.parametrize("modulus", [1, 2, 64, 97, 1000, 1_499_999_957])
def test_a_permutation_maps_one_to_one_and_back(modulus):
    ways = permutation(Seed(1), modulus, "test")
    numbers = range(min(modulus, 1000))
    images = [ways.of(number) for number in numbers]
    assert len(set(images)) == len(images)
    assert all(0 <= image < modulus for image in images)
    assert [ways.back(image) for image in images] == list(numbers)


def test_a_permutation_takes_the_next_factor_that_fits():
    assert sorted(Permutation(10, 4, 3).of(number) for number in range(10)) == list(range(10))
