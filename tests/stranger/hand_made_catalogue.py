"""What is true at the stranger's shop: some forty products, written by hand. How it is told is in `telling`."""

from dataclasses import dataclass, field
from decimal import Decimal

NO_OPTIONS = "NO_OPTIONS"


@dataclass(frozen=True)
class Attribute:
    name: str | None
    value: str | None
    name_id: str | None = None
    value_id: str | None = None
    image: str | None = None


@dataclass(frozen=True)
class Tier:
    """The unit price from `at` units to `to` units; `to` None: no upper bound."""

    at: int
    to: int | None
    price: Decimal | None
    currency: str


@dataclass(frozen=True)
class Variant:
    sku_id: str
    tiers: tuple[Tier, ...]
    attributes: tuple[Attribute, ...] = ()
    seller_sku_id: str | None = None
    status: str | None = "NORMAL"
    unit: str | None = "Piece"
    image: str | None = None


@dataclass(frozen=True)
class Trade:
    """The ready-to-ship trade; `periods` are (up to so many units, days)."""

    minimum: int | None
    price: Decimal | None
    unit: str | None = "Piece"
    handling_days: int | None = None
    periods: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Carrier:
    """What a carrier offers: it takes `base` and `each` for every unit; None: that is a matter of talking."""

    code: str
    name: str | None
    days: tuple[int, int] | None
    base: Decimal | None
    each: Decimal = Decimal(0)
    currency: str = "USD"
    dispatch: str = "CN"
    kind: str | None = "EXPRESS"
    term: str | None = "DAP"
    business: str | None = "distributionWaybill"


@dataclass(frozen=True)
class Refusal:
    code: str
    words: str


Freight = dict[tuple[str, str], "tuple[Carrier, ...] | Refusal"]
Stock = dict[str, tuple[tuple[str, int | None, str | None], ...]]


@dataclass(frozen=True)
class Product:
    """A product of the shop.

    `stock` is (SKU, units, unit) by country, `freight` by (destination, dispatch location), if `units_at_least` are
    sent; fewer are refused with the code `too_few`. One that is `gone` is listed and nothing else.
    """

    product_id: str
    title: str | None
    variants: tuple[Variant, ...]
    html: str | None = "<p>As pictured.</p>"
    status: str | None = "PRODUCT_ONLINE"
    category_id: str | None = "100003291"
    category: str | None = "Vacuum Flasks & Thermoses"
    supplier: str | None = "Ningbo Hand Made Co., Ltd."
    company: str | None = "cVmhg7/xG8q3UQgcH/5Fag=="
    currency: str | None = "USD"
    minimum: int | None = None
    model: str | None = None
    url: str | None = None
    main_image: str | None = None
    images: tuple[str, ...] = ()
    trade: Trade | None = None
    stock: Stock = field(default_factory=dict)
    freight: Freight = field(default_factory=dict)
    units_at_least: int = 1
    too_few: str = "4027"
    gone: bool = False


def d(amount: str) -> Decimal:
    return Decimal(amount)


def everywhere(refusal: Refusal) -> Freight:
    return {(to, at): refusal for to in ("US", "MX", "GB") for at in ("CN", "US", "MX")}


ECONOMY = Carrier("EX_ASP_Economy_Express_3C", "Alibaba.com Economy Express (3C)", (10, 15), d("19.1"), d("0.35"))
FEDEX = Carrier("EX_ASP_JYC_FEDEX", "FedEx IE – “réduit”", (3, 9), d("41.25"), d("1.5"), business=None)
SEVEN = Carrier("SEMI_MANAGED_7", None, (7, 7), d("3.0"), dispatch="US", kind=None, term=None)
NATIONAL = Carrier(
    "MX_ESTAFETA", "Estafeta Terrestre", (1, 5), d("1234.5"), d("0.0625"), "MXN", "MX", "MULTIMODAL_TRANSPORT"
)
ROYAL = Carrier(
    "GB_RM_TRACKED_48", "Royal Mail Tracked 48®", (12, 20), d("7.99"), d("0.1"), "GBP", kind="EXPRESS/POSTAL"
)
OVERSEA = Carrier("seller_oversea_method_1", "Seller's Shipping Method 1", (3, 9), d("0"), dispatch="US", term="DDP")

FROM_CHINA: Freight = {("US", "CN"): (ECONOMY, FEDEX), ("MX", "CN"): (ECONOMY,), ("GB", "CN"): (ROYAL,)}


def piece(sku_id: str, price: str, currency: str = "USD") -> tuple[Variant, ...]:
    return (Variant(sku_id, (Tier(1, None, d(price), currency),)),)


PECULIAR = (
    Product(
        "1601206892606", "Sublimation Mug 40oz Tumbler Stainless Steel Double Wall",
        (
            Variant(
                "105613018158",
                (
                    Tier(50, 499, d("3.69"), "USD"),
                    Tier(500, 4999, d("3.10"), "USD"),
                    Tier(5000, None, d("2.8875"), "USD"),
                ),
                (Attribute("Color", "40oz solid color tumbler 1.0", "1111", "-11", "https://img.example/kf/attr.jpg"),),
                "1601206892606_107152354495", image="https://img.example/kf/sku.jpg",
            ),
            Variant(
                "105613018159",
                (Tier(50, 499, d("4"), "USD"), Tier(500, None, d("3.5"), "USD")),
                (Attribute("Color", "黑色", "1111", "-12"), Attribute("Lid", "0", "1112", "007")),
            ),
        ),
        html="<html>\n  <b>Keeps &amp; tells</b> \"24 h\"\t</html>\n", minimum=50, model="AV.YW.DEP.103.L",
        url="https://www.example.com/product-detail/1601206892606.html", main_image="https://img.example/kf/main.jpg",
        images=("https://img.example/kf/image1.jpg", "https://img.example/kf/image2,3.jpg"),
        trade=Trade(12, d("12.34"), "Piece", 3, ((50, 3), (500, 7), (10_000, 21))),
        stock={"CN": (("105613018158", 1196, "Piece"), ("105613018159", 0, "Piece"))},
        freight=FROM_CHINA, units_at_least=12,
    ),
    Product(
        "1600124642247", "Asks for more than its trade says", piece("104536974925", "0.99"),
        minimum=100, trade=Trade(2, d("1.05"), None), units_at_least=100,
        stock={"CN": (("104536974925", 1_234_567, "Pairs"),)}, freight=FROM_CHINA,
    ),
    Product(
        "1600927952535", "Eine von allem", (
            Variant(
                "200000000001", (Tier(1, 9, d("12.3456"), "EUR"),), (Attribute("Größe", "XL"),), unit=None, status=None,
            ),
        ),
        currency="EUR", images=("https://img.example/one,two.jpg",), trade=Trade(1, d("11.2"), "Stück", 1, ((1, 2),)),
        stock={"US": (("200000000001", 7, None),)}, freight={("US", "US"): (SEVEN,), ("GB", "CN"): (ROYAL,)},
    ),
    Product(
        "1600000000004", "From two places, the first of which has no route", piece("200000000004", "1234.5"),
        stock={"CN": (("200000000004", 90, "Piece"),), "US": (("200000000004", 12, "Piece"),)},
        freight={("US", "CN"): Refusal("10010", "Logistics Route Not Found"), ("US", "US"): (OVERSEA, SEVEN)},
    ),
    Product(
        "1600000000005", "Nobody carries it but from Mexico", piece("200000000005", "19999.99", "MXN"), currency="MXN",
        stock={"CN": (("200000000005", 1234, "Set"),)},
        freight={("US", "CN"): (), ("US", "US"): (), ("US", "MX"): (NATIONAL,), ("MX", "MX"): (NATIONAL,)},
    ),
    Product(
        "1600000000006", "No stock, no carrier", piece("200000000006", "0.0001"),
        freight={(to, at): () for to in ("US", "MX", "GB") for at in ("CN", "US", "MX")},
    ),
    Product(
        "1600000000007", None, (Variant("200000000007", (), unit=None, status=None),), html=None, category_id=None,
        category=None, supplier=None, company=None, currency=None, stock={"MX": (("200000000007", 5, None),)},
        freight={("MX", "MX"): (NATIONAL,)},
    ),
    Product(
        "1600000000008", "Ünïcode ☕️ 保温杯 \"quoted\" \\ back / slash, 100% & <b>ünsafe</b> 'til \u2028 end 👩‍🔧",
        (
            Variant(
                "200000000008", (Tier(1, None, d("5"), "USD"),),
                (Attribute("色", "蓝色\n(second line)"), Attribute("Color", "nullable"), Attribute("Size", "None")),
            ),
        ),
        html="<div>" + "½ rows; drop table products;-- 多 \r\n\t" * 4000 + "</div>", supplier="O'Neill & Søns \\N",
        category="\\.", model="=1+1", stock={"CN": (("200000000008", 3, "个"),)}, freight=FROM_CHINA,
    ),
    Product(
        "9223372036854775807", "Numbers as large as they come",
        (Variant("9223372036854775806", (Tier(1, 999_999_999, d("99999999999.9999"), "IDR"),)),), category_id="00012",
        currency="IDR", minimum=1, stock={"CN": (("9223372036854775806", 999_999_999_999, "Piece"),)},
        freight={("US", "CN"): (Carrier("SLOW_BOAT", "Slow", (45, 120), d("1234567.89")),)},
    ),
    Product(
        "1600000000010", "Offline", piece("200000000010", "2"), status="PRODUCT_OFFLINE",
        stock={"CN": (("200000000010", 4, "Piece"),)}, freight=FROM_CHINA,
    ),
    Product("1600000000011", "Deleted", piece("200000000011", "2"), status="PRODUCT_DELETE", freight=FROM_CHINA),
    Product("1600000000012", "Gone between listing and description", piece("200000000012", "2"), gone=True),
    Product(
        "1600000000013", "A dozen variants in three places",
        tuple(
            Variant(
                f"2000000013{n:02}",
                tuple(Tier(10**k, 10 ** (k + 1) - 1 if k < 3 else None, d(f"{9 - k}.{n:02}"), "USD") for k in range(4)),
                (Attribute("Color", f"Colour {n}", "191288010", str(-n)), *2 * (Attribute("Plug", "EU", "1", "2"),)),
            )
            for n in range(12)
        ),
        stock={
            "CN": tuple((f"2000000013{n:02}", n * 111, "Piece") for n in range(12)),
            "US": tuple((f"2000000013{n:02}", 12 - n, "Piece") for n in range(6)),
            "MX": (("200000001300", 0, "Piece"),),
        },
        freight={**FROM_CHINA, ("US", "US"): (OVERSEA,)},
    ),
    Product(
        "1600000000014", "Stock of a variant that the description does not tell of", piece("200000000014", "8.8"),
        stock={"CN": (("200000000014", 1, "Piece"), ("200000000114", 2, "Piece"))}, freight=FROM_CHINA,
    ),
    Product(
        "1600000000015", "Only its price ladder tells the fewest that are sold",
        (Variant("200000000015", (Tier(10, 99, d("1"), "USD"), Tier(100, None, d("0.9"), "USD"))),), units_at_least=10,
        stock={"CN": (("200000000015", 500, "Piece"),)}, freight=FROM_CHINA,
    ),
    Product(
        "1600000000016", "Without a variant", (), images=tuple(f"https://img.example/{n}" for n in range(9)),
        freight=FROM_CHINA,
    ),
    Product(
        "1600000000020", "Prices, stock and freight on request",
        (Variant("200000000020", (Tier(1, 99, None, "USD"), Tier(100, None, d("7.00"), "USD"))),),
        stock={"CN": (("200000000020", None, None), ("200000000021", 3, "Piece"))},
        freight={("US", "CN"): (ECONOMY, Carrier("ASK_US", "Ask us", None, None))},
    ),
    Product("1600000000099", "In no feed", piece("200000000099", "2"), freight=FROM_CHINA),
    Product(
        "1600000000017", "Cheapest below what the SKU costs", piece("200000000017", "2"),
        minimum=30, trade=Trade(3, d("2")),
        units_at_least=30, too_few="10007", stock={"CN": (("200000000017", 400, "Piece"),)}, freight=FROM_CHINA,
    ),
    Product(
        "1600000000018", "Quantity below the minimum", piece("200000000018", "2"), minimum=40, trade=Trade(4, d("2")),
        units_at_least=40, too_few="410006", stock={"US": (("200000000018", 400, "Piece"),)},
        freight={("US", "US"): (SEVEN,), ("MX", "CN"): (ECONOMY,)},
    ),
    Product(
        "1600000000019", "Mexican, and says so only when asked for another place", piece("200000000019", "2"),
        stock={"CN": (("200000000019", 1, "Piece"),)},
        freight={
            ("US", "CN"): Refusal("130608", "Missing Dispatch Location"),
            ("US", "US"): Refusal("10012", "Dispatch Location Invalid"),
            ("US", "MX"): (NATIONAL,), ("MX", "MX"): (NATIONAL,),
        },
    ),
)  # fmt: skip

# The guide's table of codes, and more of the live facts': each refuses one product from wherever it is sent.
REFUSED = {
    "110001": "Unauthorized Buyer", "130602": "Invalid Logistics Route", "480006": "Order Amount Exceeds Limit",
    "130704": "Promotion Unavailable", "130106": "Product Invalid", "130703": "Insufficient Inventory",
    "120019": "Product Restricted", "800022": "Unable to Calculate Tariff", "4015": "Cannot Ship to Country",
    "140004": "Insufficient Inventory", "10005": "SKU Not Found", "400007": "EPR Required",
    "430013": "Order Amount Too Small", "10010": "Logistics Route Not Found", "10012": "Dispatch Location Invalid",
    "4016": "the supplier's freight template fails", "4027": "quantity below MOQ",
    "300000": "test account may only order from test sellers", "999123": "A code that no table has",
}  # fmt: skip

PLAIN = tuple(
    Product(
        f"16000001{code:0>6}", f"Refused with {code}", piece(f"3000001{code:0>6}", f"{n}.{n:02}"), minimum=n,
        stock={"CN": ((f"3000001{code:0>6}", n, "Piece"),)}, freight=everywhere(Refusal(code, words)),
    )
    for n, (code, words) in enumerate(REFUSED.items(), start=1)
)  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """The products by ID, and the feeds by key, each a list of product IDs in its order, as it is told."""

    products: dict[str, Product]
    feeds: dict[str, list[str]]

    @property
    def listed(self) -> dict[str, Product]:
        """The products that are in any feed."""
        ids = {product_id for listing in self.feeds.values() for product_id in listing}
        return {product_id: self.products[product_id] for product_id in sorted(ids)}


def hand_made() -> Catalogue:
    products = {product.product_id: product for product in (*PECULIAR, *PLAIN)}
    ids = [product_id for product_id in products if product_id != "1600000000099"]
    feeds: dict[str, list[str]] = {
        "us_standard": ids,
        "cross_border_us": ids[5::-1],
        "us_fast_48h": [ids[0]],
        "mx_dropship": [],
        "us_top_sellers": [ids[0], ids[12], ids[3]],
        "mx_top_sellers": [],
        "local_us": [*ids[7:10], ids[7], *ids[10:33]],  # it lists one twice
        "local_mx": [],
        "local_regular": ids[:20],  # one page to the brim, where twenty are a page
        "cross_border": [*ids[20:], *ids[:2]],
    }
    return Catalogue(products, feeds)
