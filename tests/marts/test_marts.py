"""What the marts answer about a dozen products made by hand (`dozen.py`): each answer is computed by hand here."""

from decimal import Decimal

from dozen import Books


def money(amount: str | None) -> Decimal | None:
    return None if amount is None else Decimal(amount).quantize(Decimal("0.0001"))


def test_current_offers_are_the_skus_of_products_that_are_not_delisted(books: Books):
    found = books.ask("""
        SELECT sku_id, currency, first_tier_quantity, first_tier_price, best_tier_quantity, best_tier_price,
            stock, stock_cn, stock_us, stock_mx, feeds
        FROM marts.current_offers ORDER BY sku_id""")
    # S012: both tiers cost the same, so that the fewer units are the best; S113: the middle tier is the cheapest
    # stock: S021's is all in Turkey; S051's could not be read; S061's and S071's never was; S101's was, and is none
    everywhere = ["cross_border", "local_us", "us_standard"]
    assert found == [
        (sku, currency, first, money(first_price), best, money(best_price), *rest)
        for sku, currency, first, first_price, best, best_price, *rest in [
            ("S011", "USD", 1, "5", 50, "4.5", 15, 10, 5, None, everywhere),
            ("S012", "USD", 1, "4.5", 1, "4.5", 0, 0, None, None, everywhere),
            ("S021", "USD", 50, "3.69", 50, "3.69", 100, None, None, None, ["local_regular", "us_standard"]),
            ("S031", "USD", 1, "3", 100, "1", 1, 1, None, None, ["us_standard"]),
            ("S041", "USD", 1, "1.0001", 1, "1.0001", 4, 4, None, None, ["us_standard"]),
            ("S051", "USD", 1, None, None, None, None, None, None, None, ["local_us"]),
            ("S061", None, None, None, None, None, None, None, None, None, None),
            ("S071", "MXN", 1, "100", 1, "100", None, None, None, None, ["local_us"]),
            ("S091", "USD", 1, "6", 1, "6", 9, 9, None, None, ["cross_border"]),
            ("S101", "USD", 1, "6", 1, "6", 0, None, None, None, ["cross_border"]),
            ("S111", "USD", 1, "10", 50, "9", 9, 9, None, None, ["cross_border"]),
            ("S112", "MXN", 1, "70", 1, "70", 9, 9, None, None, ["cross_border"]),
            ("S113", "USD", 1, "2.2", 5, "1", 9, 9, None, None, ["cross_border"]),
            ("S121", "USD", 1, "2", 1, "2", 65, 25, 0, 40, ["cross_border"]),
            ("S122", "USD", 1, "2", 1, "2", 300, None, None, 300, ["cross_border"]),
            ("S123", "USD", 1, "2", 1, "2", 301, None, None, 301, ["cross_border"]),
        ]
    ]


def test_current_offers_carry_their_product_and_are_as_fresh_as_their_oldest_reading(books: Books):
    found = books.ask("""
        SELECT sku_id, product_id, title, supplier, category_id, min_order_quantity, wholesale_min_order_quantity,
            wholesale_price, described_at, stock_checked_at, changed_at
        FROM marts.current_offers WHERE sku_id IN ('S011', 'S021', 'S061', 'S071', 'S101') ORDER BY sku_id""")
    read, changed = books.ago(1), books.ago(2)
    dozen = "sold by the dozen before its first tier"
    nameless = "neither tiers nor stock nor feed nor supplier"
    assert found == [
        ("S011", "P01", "plain", "Acme", "c1", 1, 1, money("5"), read, books.ago(0.2), changed),
        ("S021", "P02", dozen, "Acme", "c1", 50, 12, money("12.34"), read, books.ago(0.1), changed),
        ("S061", "P06", nameless, None, None, None, None, None, read, None, changed),
        ("S071", "P07", "pesos", "Borg", "c2", 1, None, None, read, None, changed),
        ("S101", "P10", "stock read, and none", "Borg", "c2", 1, None, None, read, books.ago(0.3), changed),
    ]


def test_landed_costs_are_the_unit_price_at_the_tier_and_the_freight_of_one_unit(books: Books):
    found = books.ask("""
        SELECT sku_id, destination_country, quantity, unit_price, currency,
            cheapest_vendor_code, landed_unit_cost, fastest_vendor_code, fastest_landed_unit_cost
        FROM marts.landed_costs ORDER BY sku_id, destination_country, quantity""")
    assert found == [
        (sku, country, quantity, money(price), currency, cheapest, money(landed), fastest, money(fastest_landed))
        for sku, country, quantity, price, currency, cheapest, landed, fastest, fastest_landed in [
            ("S011", "US", 1, "5", "USD", "SLOW", "7", "QUICK", "11"),
            ("S012", "US", 1, "4.5", "USD", "SLOW", "6.5", "QUICK", "10.5"),
            # below the first tier: the ready-to-ship price, 12.34 + 24 / 12
            ("S021", "US", 12, "12.34", "USD", "ONLY", "14.34", "ONLY", "14.34"),
            # above the last tier, which ends at 499
            ("S021", "US", 500, None, "USD", "ONLY", None, "ONLY", None),
            # ten are in the tiers from 1 and from 10: the higher counts. A and B ask 5: B is sooner
            ("S031", "MX", 10, "2", "USD", "B", "2.5", "B", "2.5"),
            ("S031", "US", 10, "2", "USD", "SLOWER", "2.05", "SLOW", "2.1"),
            # Y and Z are equal in all; X says nothing
            ("S041", "US", 1, "1.0001", "USD", "Y", "3.0001", "Y", "3.0001"),
            # the price of its tier is not known; that of the ready-to-ship trade is another
            ("S051", "GB", 1, None, "USD", "MUTE", None, "MUTE", None),
            ("S051", "US", 1, None, "USD", "ONLY", None, "ONLY", None),
            ("S061", "US", 1, None, None, "ONLY", None, "ONLY", None),
            # dollars cannot be added to pesos; 90 pesos are compared with no 5 dollars
            ("S071", "GB", 1, "100", "MXN", "DOLLARS", None, "DOLLARS", None),
            ("S071", "US", 1, "100", "MXN", "PESOS", "190", "DOLLARS", None),
            ("S091", "MX", 3, "6", "USD", "ONLY", "6.3333", "ONLY", "6.3333"),
        ]
    ]


def test_landed_costs_say_how_each_of_the_two_carriers_delivers(books: Books):
    [found] = books.rows("SELECT * FROM marts.landed_costs WHERE sku_id = 'S071' AND destination_country = 'US'")
    expected = {
        "product_id": "P07",
        "cheapest_fee": money("90"),
        "cheapest_fee_currency": "MXN",
        "cheapest_days_min": 8,
        "cheapest_days_max": 12,
        "cheapest_dispatch_country": "CN",
        "fastest_fee": money("5"),
        "fastest_fee_currency": "USD",
        "fastest_days_min": 3,
        "fastest_days_max": 5,
        "fastest_dispatch_country": "CN",
        "quoted_at": books.ago(1),
    }
    assert {name: found[name] for name in expected} == expected


def test_price_moves_compare_the_first_price_of_a_window_with_the_last(books: Books):
    found = books.ask("""
        SELECT days, sku_id, min_quantity, currency, old_price, new_price, change, change_percent, moves, last_moved_at
        FROM marts.price_moves ORDER BY days, sku_id, min_quantity, currency""")
    assert found == [
        (days, sku, quantity, currency, money(old), money(new), money(change), percent, moves, books.ago(last))
        for days, sku, quantity, currency, old, new, change, percent, moves, last in [
            (1, "S111", 1, "USD", "12", "10", "-2", -16.67, 1, 0.5),
            (7, "S111", 1, "USD", "10", "10", "0", 0.0, 2, 0.5),  # moved, and came back
            (7, "S111", 50, "USD", None, "9", None, None, 1, 2),  # a tier that came
            (7, "S112", 1, "MXN", None, "70", None, None, 1, 5),  # another currency is another price
            (7, "S112", 1, "USD", "4", None, None, None, 1, 5),
            (7, "S113", 5, "USD", "0", "1", "1", None, 1, 2),  # no share of nothing
            (7, "S113", 20, "USD", "5", "7", "2", 40.0, 2, 1.5),  # two of one moment, in their order
            (30, "S111", 1, "USD", "8", "10", "2", 25.0, 3, 0.5),
            (30, "S111", 50, "USD", None, "9", None, None, 1, 2),
            (30, "S112", 1, "MXN", None, "70", None, None, 1, 5),
            (30, "S112", 1, "USD", "4", None, None, None, 1, 5),
            (30, "S112", 50, "USD", "3", None, None, None, 1, 20),  # a tier that went
            (30, "S113", 1, "USD", "2", "2.2", "0.2", 10.0, 1, 7),  # at the start of the week: before it
            (30, "S113", 5, "USD", "0", "1", "1", None, 1, 2),
            (30, "S113", 20, "USD", "5", "7", "2", 40.0, 2, 1.5),
        ]
    ]


def test_stockouts_are_what_is_out_and_what_will_be_within_thirty_days(books: Books):
    found = books.ask("""
        SELECT sku_id, shipping_from, state, quantity, elsewhere, daily_sales, days_left, out_since, expected_at
        FROM marts.stockouts ORDER BY sku_id, shipping_from""")
    read = 0.1
    assert found == [
        ("S012", "CN", "out", 0, 0, None, None, None, None),  # since before we looked
        # known for two days: 4 in 2 days; 4 are left
        ("S041", "CN", "expected", 4, 0, 2.0, 2.0, None, books.ago(read - 2)),
        # 10 and 25 went in seven days, filled up in between: 5 a day; 25 are left
        ("S121", "CN", "expected", 25, 40, 5.0, 5.0, None, books.ago(read - 5)),
        ("S121", "US", "out", 0, 65, 1.0, None, books.ago(3), None),
        # 300 at 10 a day: thirty days to the day. S123 has one more
        ("S122", "MX", "expected", 300, 0, 10.0, 30.0, None, books.ago(read - 30)),
    ]


def held(books: Books, *reasons: str) -> list[tuple[object, ...]]:
    return books.ask(
        """
        SELECT product_id, sku_id, destination_country, quantity, reason, rule, measured, allowed, unit, why
        FROM marts.on_hold WHERE reason = ANY (:reasons) ORDER BY product_id, sku_id, destination_country, rule""",
        reasons=list(reasons),
    )


def test_what_is_off_the_market_or_goes_nowhere_is_on_hold_without_a_rule(books: Books):
    books.ask("DELETE FROM ops.hold_rules RETURNING rule")
    # P09 goes to Mexico from elsewhere; P08 is not to be had at all, whatever carriers say
    assert held(books, "offline", "unshippable") == [
        *[("P08", *[None] * 3, "offline", *[None] * 4, f"off the market since {books.ago(10):%Y-%m-%d}")],
        ("P09", None, "US", None, "unshippable", *[None] * 4, "no carrier takes it to US (10010, 4015)"),
    ]
    assert books.ask("SELECT DISTINCT reason FROM marts.on_hold ORDER BY 1") == [("offline",), ("unshippable",)]


def test_the_rule_that_comes_along_holds_what_is_out_of_stock_or_takes_a_month_or_moved_by_a_fifth(books: Books):
    stock = ("default", money("0"), money("1"), "units", "0 in stock, at least 1 wanted")
    # S121 has stock elsewhere; that of S051, S061 and S071 is not known
    assert held(books, "low_stock") == [
        ("P01", "S012", None, None, "low_stock", *stock),
        ("P10", "S101", None, None, "low_stock", *stock),
    ]
    # P01 has a quick carrier too; P05's to GB does not say how long it takes
    assert held(books, "slow") == [
        (product, None, "US", quantity, "slow", "default", money(days), money("30"), "days", why)
        for product, quantity, days, why in [
            ("P03", 10, "45", "45 days to US by the fastest carrier, at most 30 wanted"),
            ("P05", 1, "60", "60 days to US by the fastest carrier, at most 30 wanted"),
        ]
    ]
    # S111 came back to where it was; S113's price of 0 has no share
    moved = "5 to 7 USD from 20 units in 7 days (+40.0 %), at most 20 % wanted"
    assert held(books, "price_moved") == [
        ("P11", "S113", None, 20, "price_moved", "default", money("40"), money("20"), "%", moved)
    ]
    assert held(books, "dear") == []


def test_every_rule_that_applies_is_looked_at(books: Books):
    books.ask("DELETE FROM ops.hold_rules RETURNING rule")
    books.write(
        "ops.hold_rules",
        "rule, category_id, product_id, destination_country, minimum_stock, maximum_days, maximum_landed_cost, "
        "currency",
        [
            ("cheap and quick", "c1", None, None, None, 20, "7", "USD"),
            ("two of each", None, "P03", None, 2, None, None, None),
            ("pesos", None, None, "US", None, None, "150", "MXN"),
            ("to Mexico", None, None, "MX", None, 6, None, None),
        ],
    )
    why = "1 in stock, at least 2 wanted"
    assert held(books, "low_stock") == [
        ("P03", "S031", None, None, "low_stock", "two of each", money("1"), money("2"), "units", why)
    ]
    # S011 is 7 by a carrier that takes 40 days: by the quick one it is 5 + 6. S031 to US: none is quick, so it is slow
    assert held(books, "dear") == [
        (product, sku, "US", quantity, "dear", rule, money(cost), money(limit), currency, why)
        for product, sku, quantity, rule, cost, limit, currency, why in [
            ("P01", "S011", 1, "cheap and quick", "11", "7", "USD", "11 USD a unit landed in US, at most 7 wanted"),
            ("P01", "S012", 1, "cheap and quick", "10.5", "7", "USD", "10.5 USD a unit landed in US, at most 7 wanted"),
            (
                "P02",
                "S021",
                12,
                "cheap and quick",
                "14.34",
                "7",
                "USD",
                "14.34 USD a unit landed in US, at most 7 wanted",
            ),
            ("P07", "S071", 1, "pesos", "190", "150", "MXN", "190 MXN a unit landed in US, at most 150 wanted"),
        ]
    ]
    assert [(row[0], row[2], row[5], row[6]) for row in held(books, "slow")] == [
        ("P03", "MX", "to Mexico", money("7")),
        ("P03", "US", "cheap and quick", money("45")),
        ("P05", "US", "cheap and quick", money("60")),
        ("P09", "MX", "to Mexico", money("12")),
    ]
    assert held(books, "price_moved") == []


def test_feed_overlap_has_each_pair_of_feeds_that_list_anything(books: Books):
    found = books.ask("SELECT * FROM marts.feed_overlap ORDER BY feed, other_feed")
    # cross_border: P01 P09 P10 P11 P12; local_regular: P02; local_us: P01 P05 P07; us_standard: P01 P02 P03 P04
    assert found == [
        ("cross_border", "local_regular", 5, 4, 1, 0, 0.0),
        ("cross_border", "local_us", 5, 4, 3, 1, 20.0),
        ("cross_border", "us_standard", 5, 4, 4, 1, 20.0),
        ("local_regular", "cross_border", 1, 0, 5, 0, 0.0),
        ("local_regular", "local_us", 1, 0, 3, 0, 0.0),
        ("local_regular", "us_standard", 1, 0, 4, 1, 100.0),
        ("local_us", "cross_border", 3, 2, 5, 1, 33.33),
        ("local_us", "local_regular", 3, 2, 1, 0, 0.0),
        ("local_us", "us_standard", 3, 2, 4, 1, 33.33),
        ("us_standard", "cross_border", 4, 2, 5, 1, 25.0),
        ("us_standard", "local_regular", 4, 2, 1, 1, 25.0),
        ("us_standard", "local_us", 4, 2, 3, 1, 25.0),
    ]


def test_supplier_scorecard_counts_what_is_known_of_each_supplier(books: Books):
    found = books.rows("SELECT * FROM marts.supplier_scorecard ORDER BY supplier NULLS LAST")
    acme = {
        "supplier": "Acme",
        "products": 2,  # P01 P02; P08 left ten days ago
        "delisted_30d": 1,
        "skus": 3,
        "skus_in_stock": 2,  # not S012
        "in_stock_percent": 66.67,
        "price_rises_30d": 0,
        "price_falls_30d": 0,
        "median_handling_days": 3.0,  # of 2 and 4
        "median_delivery_days": 8.5,  # of 5 and 12
        "orders_90d": 2,  # T1 T2; T3 is older
        "disputed_90d": 1,
        "median_days_to_ship": 3.0,  # of 2 and 4
    }
    borg = {
        "supplier": "Borg",
        "products": 8,
        "delisted_30d": 0,
        "skus": 12,
        "skus_in_stock": 9,  # not S051 and S071, of which nothing is known; not S101
        "in_stock_percent": 90.0,  # 9 of 10
        "price_rises_30d": 6,  # S111 twice; S113 in three tiers, in one of them twice
        "price_falls_30d": 1,
        "median_handling_days": 5.0,  # of 1 3 5 5 5 5 8
        "median_delivery_days": 9.0,  # of 5 7 9 12 60
        "orders_90d": 1,
        "disputed_90d": 1,
        "median_days_to_ship": 4.0,
    }
    nobody = dict.fromkeys(acme, 0) | {
        "supplier": None,
        "products": 1,
        "skus": 1,
        "in_stock_percent": None,
        "median_handling_days": None,
        "median_delivery_days": 12.0,
        "median_days_to_ship": None,
    }
    assert found == [acme, borg, nobody]
