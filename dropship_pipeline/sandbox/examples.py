"""The products of the guide's examples, so that its requests work word for word and answer with its values.

They belong to every catalogue, do not drift, and lead the feeds that the guide shows them in. Values that the guide
does not give are drawn like any product's. The orders of the guide's examples are in `order_examples.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from dropship_pipeline.sandbox.world.designs import Identity, draw_design
from dropship_pipeline.sandbox.world.freight import FreightOption, Question
from dropship_pipeline.sandbox.world.products import Attribute, Design, Seller, Tier, Wholesale
from dropship_pipeline.sandbox.world.seeding import Seed
from dropship_pipeline.sandbox.world.stock import StockPlan


@dataclass(frozen=True)
class ExampleProduct:
    """A product that the guide names: what it says of it, and the feeds it is put in."""

    product_id: str
    origins: tuple[str, ...]
    feeds: tuple[str, ...]
    sku_id: str = ""  # the one SKU that the guide names; "": several, drawn
    seller: Seller | None = None
    stock: int | None = None
    least: int = 1
    finish: Callable[[Design], Design] = field(default=lambda design: design)


def _mug(design: Design) -> Design:
    """The answer of guide §4, field by field."""
    pictures = "https://sc04.alicdn.com/kf/"
    color = Attribute(1111, "Color", -11, "40oz solid color tumbler 1.0", f"{pictures}attr_image.jpg")
    variant = design.variants[0]._replace(
        seller_sku_id="1601206892606_107152354495", image=f"{pictures}sku_image.jpg", attributes=(color,), cents=369
    )
    return design._replace(
        title="Sublimation Mug 40oz Tumbler Stainless Steel Double Wall",
        html="<html>Product description HTML</html>",
        main_image=f"{pictures}H223c0dee279948d3bbfeb813ab8fb58co.jpg",
        images=(f"{pictures}image1.jpg", f"{pictures}image2.jpg"),
        category=design.category._replace(category_id="100003291", name="Vacuum Flasks & Thermoses"),
        min_order_quantity=50,
        tiers=(Tier(50, 499, 1000),),
        wholesale=Wholesale(12, 1234, 3, ((50, 3),)),
        mode_id="AV.YW.DEP.103.L",
        variants=(variant,),
    )


def _ten_cents(design: Design) -> Design:
    """The order line of guide §11: two pieces at 0.10 USD."""
    return design._replace(title="Product Name", variants=(design.variants[0]._replace(cents=10),))


EXAMPLE_PRODUCTS = (
    ExampleProduct("1284823", ("US",), ("us_standard", "local_us")),
    ExampleProduct("28743823", ("US",), ("us_standard", "local_us")),
    ExampleProduct("1600124642247", ("CN", "US"), ("us_standard", "cross_border_us", "cross_border")),
    ExampleProduct(
        "1601206892606",
        ("CN",),
        ("cross_border_us", "cross_border"),
        sku_id="105613018158",
        seller=Seller("xxxxxxxxx", "Company Name"),
        finish=_mug,
    ),
    ExampleProduct("1600927952535", ("CN",), ("cross_border_us", "cross_border"), sku_id="104536974925", stock=1196),
    ExampleProduct(
        "1600191825486",
        ("CN", "US"),
        ("cross_border_us", "cross_border", "us_standard"),
        sku_id="12321",
        seller=Seller("cVmhg7/xG8q3UQgcH/5Fag==", "Yiwu Everwin Household Products Co., Ltd."),
    ),
    ExampleProduct("100001", ("CN",), ("cross_border",), sku_id="200001"),
    ExampleProduct(
        "1601314875038",
        ("CN",),
        ("cross_border",),
        sku_id="106117950042",
        seller=Seller("kx++Dlfuw+osaJiw08no/A==", "Seller Name"),
        finish=_ten_cents,
    ),
)

# What guide §6 and §7 answer to their own questions.
EXAMPLE_QUOTES: dict[Question, list[FreightOption]] = {
    ("1600124642247", 5, "US", "CN", False): [
        FreightOption(
            vendor_code="EX_ASP_Economy_Express_3C",
            vendor_name="Alibaba.com Economy Express (3C)",
            shipping_type="EXPRESS",
            trade_term="DAP",
            dispatch_country="CN",
            destination_country="US",
            delivery_time="10~15",
            solution_biz_type="distributionWaybill",
            store_type=None,
            fee=Decimal("19.1"),
        )
    ],
    ("1600191825486", 1, "US", "CN", True): [
        FreightOption(
            vendor_code="seller_oversea_distributor_sellers_shipping_method_1",
            vendor_name="Seller's Shipping Method 1",
            shipping_type="EXPRESS/MULTIMODAL_TRANSPORT",
            trade_term="DAP",
            dispatch_country="US",
            destination_country="US",
            delivery_time="3-9",
            solution_biz_type="distributionWaybill",
            store_type="CERTIFIED",
            fee=Decimal("3.0"),
        )
    ],
}


def example_design(seed: Seed, number: int, sku_id: Callable[[int], str], drawn_seller: Seller) -> Design:
    """The design of example `number`; `sku_id` is for those whose SKUs the guide does not name."""
    example = EXAMPLE_PRODUCTS[number]
    seller = example.seller or drawn_seller
    if example.sku_id:
        identity = Identity(example.product_id, lambda _: example.sku_id, example.origins, seller, variants=1)
    else:
        identity = Identity(example.product_id, sku_id, example.origins, seller)
    design = draw_design(seed, -1 - number, identity)
    plan = StockPlan(example.stock or 600 + 37 * number, 1, 0.0, 0.0, sells_out=False)
    design = design._replace(
        currency="USD",
        unit="Piece",
        restricted=frozenset(),
        template_fails=False,
        min_order_quantity=example.least,
        tiers=(Tier(example.least, 49, 1000), Tier(50, -1, 900)),
        wholesale=Wholesale(example.least, design.variants[0].cents, 3, ((50, 3),)),
        variants=tuple(variant._replace(stock=(plan,) * len(example.origins)) for variant in design.variants),
    )
    return example.finish(design)
