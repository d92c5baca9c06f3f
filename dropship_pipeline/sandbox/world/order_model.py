"""What an order is: who ordered what, for how much, sent how and to whom. What becomes of it is its timeline
(`lifecycle.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from dropship_pipeline.sandbox.world.catalogue_view import ProductView, SkuView
from dropship_pipeline.sandbox.world.lifecycle import Timeline
from dropship_pipeline.sandbox.world.recipients import Recipient

CURRENCY = "USD"
CENT = Decimal("0.01")
CARD_FEE = Decimal("0.0299")  # of the total: what a payment by card costs
LEAST_TOTAL, LARGEST_TOTAL = Decimal("0.30"), Decimal(5000)  # of a BuyNow order (guide: Known Limitations)
# Orders are in US dollars; a product that is priced in something else is converted at the platform's fixed rate.
DOLLARS = {
    "USD": Decimal(1),
    "EUR": Decimal("1.08"),
    "GBP": Decimal("1.27"),
    "CNY": Decimal("0.14"),
    "MXN": Decimal("0.055"),
}


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One variant of an order. `unit_price` is in US dollars, with four decimals."""

    product_id: str
    sku_id: str
    name: str
    quantity: int
    unit: str
    unit_price: Decimal
    image: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """An order before it has an id: what the buyer asked for, as the platform understood it. Money is in US dollars."""

    lines: tuple[OrderLine, ...]
    recipient: Recipient
    dispatch_location: str
    carrier_code: str
    carrier_name: str
    shipping_type: str
    shipment_fee: Decimal
    seller_eid: str
    seller_name: str
    channel_refer_id: str = ""
    remark: str = ""
    enable_distribution_waybill: bool = False
    properties: Mapping[str, object] = field(default_factory=dict)
    attachments: tuple[Mapping[str, object], ...] = ()
    clearance: Mapping[str, object] = field(default_factory=dict)

    @property
    def product_total(self) -> Decimal:
        """What the products cost together, to the cent."""
        return sum((line.unit_price * line.quantity for line in self.lines), Decimal(0)).quantize(CENT)

    @property
    def total(self) -> Decimal:
        """What the buyer pays: products and shipment."""
        return self.product_total + self.shipment_fee

    @property
    def transaction_fee(self) -> Decimal:
        """What the payment costs once it is made."""
        return (self.total * CARD_FEE).quantize(CENT)


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a buyer. `created_ms` is on a whole second."""

    trade_id: str
    buyer_id: str
    created_ms: int
    timeline: Timeline
    draft: Draft

    def with_timeline(self, timeline: Timeline) -> "Order":
        """The same order with another life."""
        return replace(self, timeline=timeline)


def order_line(product: ProductView, sku: SkuView, quantity: int) -> OrderLine:
    """`quantity` units of a variant at its price of this moment."""
    unit_price = sku.unit_price(quantity) * DOLLARS[product.currency]
    return OrderLine(
        product_id=product.product_id,
        sku_id=sku.sku_id,
        name=product.title,
        quantity=quantity,
        unit=f"{product.unit}s",
        unit_price=unit_price.quantize(Decimal("0.0001")),
        image=sku.image or product.main_image,
        attributes=sku.attributes,
    )
