"""The stranger's shop a day later: what moved, by hand as well."""

from dataclasses import replace

from hand_made_catalogue import (
    FEDEX,
    FROM_CHINA,
    OVERSEA,
    SEVEN,
    Attribute,
    Catalogue,
    Product,
    Refusal,
    Tier,
    Trade,
    Variant,
    d,
    piece,
)

NEW = Product(
    "1600000000900", "Came in the night", piece("200000000900", "6.5"), stock={"US": (("200000000900", 10, "Piece"),)},
    freight={("US", "US"): (SEVEN,)},
)  # fmt: skip


def next_day(catalogue: Catalogue) -> Catalogue:
    """The catalogue of the next day."""
    products = dict(catalogue.products)

    def change(product_id: str, **fields: object) -> None:
        products[product_id] = replace(products[product_id], **fields)  # type: ignore[arg-type]

    mug = products["1601206892606"]
    black = replace(
        mug.variants[1],
        tiers=(
            Tier(50, 299, d("4.00"), "USD"),
            Tier(300, None, d("3.45"), "USD"),
        ),  # the step moved, and with it the price
        attributes=(Attribute("Color", "schwarz", "1111", "-13"),),
    )
    red = Variant("105613018160", (Tier(50, None, d("3.99"), "USD"),), (Attribute("Color", "red"),))
    change(
        mug.product_id,
        variants=(black, red),
        images=mug.images[::-1],
        trade=Trade(12, d("12.00"), "Piece", None, ((50, 4),)),
        stock={"CN": (("105613018159", 3, "Piece"),), "US": (("105613018160", 1, "Piece"),)},
    )
    change("1600124642247", minimum=80, units_at_least=80)
    change("1600000000004", freight={("US", "CN"): (FEDEX,), ("US", "US"): (OVERSEA,), ("MX", "CN"): (FEDEX,)})
    change(
        "1600000000005", freight={("US", "CN"): Refusal("4015", "Cannot Ship to Country")}, html=None, title="Renamed"
    )
    change("1600000000010", status="PRODUCT_ONLINE")
    change("1600000000014", stock={})
    change("1600000000016", variants=piece("200000000016", "1"), images=())
    change(
        "1600000000020", variants=(Variant("200000000020", (Tier(1, 99, d("8"), "USD"), Tier(100, None, None, "USD"))),)
    )
    change("16000001110001", freight=FROM_CHINA)
    change("16000001120019", status="PRODUCT_OFFLINE")
    products[NEW.product_id] = NEW

    feeds = {key: list(ids) for key, ids in catalogue.feeds.items()}
    left = "1600000000006"  # leaves the whole catalogue
    for ids in feeds.values():
        if left in ids:
            ids.remove(left)
    feeds["us_standard"].insert(0, NEW.product_id)
    feeds["mx_dropship"].append(NEW.product_id)
    feeds["local_us"].remove("1600000000016")  # stays in others
    feeds["us_top_sellers"].reverse()
    return Catalogue(products, feeds)
