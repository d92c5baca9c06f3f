"""What a product is: its lasting design, and the product that this is at one moment. `designs.py` draws the designs."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from dropship_pipeline.sandbox.world.pricing import scaled_cents
from dropship_pipeline.sandbox.world.stock import StockPlan, level
from dropship_pipeline.sandbox.world.words import Category

ONLINE, OFFLINE, DELETED = "PRODUCT_ONLINE", "PRODUCT_OFFLINE", "PRODUCT_DELETE"


class Seller(NamedTuple):
    """A supplier: `e_company_id` is what freight and orders know it by (guide §4, §7)."""

    e_company_id: str
    name: str


class Attribute(NamedTuple):
    """One variant attribute, such as Color: Black."""

    name_id: int
    name: str
    value_id: int
    value: str
    image: str


class Tier(NamedTuple):
    """A step of the price ladder: from `min_quantity` up to `max_quantity` (-1: no upper bound)."""

    min_quantity: int
    max_quantity: int
    permille: int  # of the price of the first step


class Wholesale(NamedTuple):
    """The terms of `wholesale_trade`: smaller quantities at a dearer unit price, and how long the supplier takes."""

    min_order_quantity: int
    cents: int
    handling_days: int
    deliver_periods: tuple[tuple[int, int], ...]  # (from quantity, days)


class Variant(NamedTuple):
    """What lasts of an SKU. `stock` stands in the order of the product's origins."""

    sku_id: str
    seller_sku_id: str
    image: str
    attributes: tuple[Attribute, ...]
    cents: int  # the undrifted price of the first ladder step
    stock: tuple[StockPlan, ...]


class Design(NamedTuple):
    """What lasts of a product: everything but its price level, stock and status."""

    number: int  # negative: one of the guide's examples
    product_id: str
    title: str
    category: Category
    seller: Seller
    currency: str
    origins: tuple[str, ...]
    restricted: frozenset[str]
    min_order_quantity: int
    tiers: tuple[Tier, ...]
    wholesale: Wholesale | None
    unit: str
    mode_id: str
    material: str
    feature: str
    main_image: str
    images: tuple[str, ...]
    grams: int
    template_fails: bool
    price_rate: float  # changes a day
    variants: tuple[Variant, ...]
    html: str | None = None  # None: composed from the rest

    @property
    def order_minimum(self) -> int:
        """The smallest quantity that can be ordered: the wholesale minimum where there is one."""
        return self.wholesale.min_order_quantity if self.wholesale else self.min_order_quantity


@dataclass(frozen=True, slots=True)
class Sku:
    """A variant at one moment: what it costs and how many there are."""

    product: "Product"
    variant: Variant

    @property
    def sku_id(self) -> str:
        """The id that orders name."""
        return self.variant.sku_id

    @property
    def attributes(self) -> tuple[tuple[str, str], ...]:
        """(name, value) of each variant attribute."""
        return tuple((attribute.name, attribute.value) for attribute in self.variant.attributes)

    @property
    def image(self) -> str:
        """The URL of the variant's picture."""
        return self.variant.image

    def unit_price(self, quantity: int) -> Decimal:
        """The price of one unit when `quantity` are bought, in the product's currency."""
        design, factor = self.product.design, self.product.price_factor
        if quantity < design.tiers[0].min_quantity and design.wholesale:
            return Decimal(scaled_cents(design.wholesale.cents, 1000, factor)).scaleb(-2)
        reached = [tier for tier in design.tiers if tier.min_quantity <= quantity]
        tier = reached[-1] if reached else design.tiers[0]
        return Decimal(scaled_cents(self.variant.cents, tier.permille, factor)).scaleb(-2)

    def stock(self, location: str) -> int:
        """How many units lie in `location` (CN, US, MX); 0 where the product is not stocked."""
        product = self.product
        if product.status != ONLINE or location not in product.design.origins:
            return 0
        return level(self.variant.stock[product.design.origins.index(location)], product.days)


@dataclass(frozen=True)
class Product:
    """A product at one moment of the sandbox clock."""

    design: Design
    status: str
    price_factor: float
    days: float | None  # of the life of the catalogue; None: frozen

    @property
    def product_id(self) -> str:
        """The Alibaba product id."""
        return self.design.product_id

    @property
    def title(self) -> str:
        """The product's name."""
        return self.design.title

    @property
    def e_company_id(self) -> str:
        """The id of the supplier."""
        return self.design.seller.e_company_id

    @property
    def seller_name(self) -> str:
        """The name of the supplier."""
        return self.design.seller.name

    @property
    def currency(self) -> str:
        """ISO 4217 code of its prices."""
        return self.design.currency

    @property
    def unit(self) -> str:
        """Piece, Set, …"""
        return self.design.unit

    @property
    def main_image(self) -> str:
        """The URL of its picture."""
        return self.design.main_image

    @property
    def moq(self) -> int:
        """The smallest quantity that can be ordered."""
        return self.design.order_minimum

    @property
    def restricted_countries(self) -> frozenset[str]:
        """ISO codes of the countries that it may not be sent to (120019)."""
        return self.design.restricted

    @property
    def dispatch_locations(self) -> tuple[str, ...]:
        """Where it ships from: some of CN, US, MX."""
        return self.design.origins

    @cached_property
    def skus(self) -> tuple[Sku, ...]:
        """Its variants."""
        return tuple(Sku(self, variant) for variant in self.design.variants)
