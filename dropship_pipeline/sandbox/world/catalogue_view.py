"""What orders need to know of the catalogue, and no more: products by id, and what it costs to send them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol


class SkuView(Protocol):
    """A variant that can be ordered."""

    @property
    def sku_id(self) -> str:
        """The id that orders name."""

    @property
    def image(self) -> str:
        """The URL of the variant's picture."""

    @property
    def attributes(self) -> tuple[tuple[str, str], ...]:
        """(name, value) of each variant attribute."""

    def unit_price(self, quantity: int) -> Decimal:
        """The price of one unit when `quantity` are bought, in the product's currency."""

    def stock(self, location: str) -> int:
        """How many units lie in `location` (CN, US, MX)."""


class ProductView(Protocol):
    """A product at one moment."""

    @property
    def product_id(self) -> str:
        """The Alibaba product id."""

    @property
    def title(self) -> str:
        """Its name."""

    @property
    def status(self) -> str:
        """PRODUCT_ONLINE, PRODUCT_OFFLINE or PRODUCT_DELETE."""

    @property
    def e_company_id(self) -> str:
        """The id of its supplier."""

    @property
    def seller_name(self) -> str:
        """The name of its supplier."""

    @property
    def currency(self) -> str:
        """ISO 4217 code of its prices."""

    @property
    def unit(self) -> str:
        """Piece, Set, …"""

    @property
    def main_image(self) -> str:
        """The URL of its picture."""

    @property
    def moq(self) -> int:
        """The smallest quantity that can be ordered."""

    @property
    def restricted_countries(self) -> frozenset[str]:
        """ISO codes of the countries that it may not be sent to."""

    @property
    def dispatch_locations(self) -> tuple[str, ...]:
        """Where it ships from: some of CN, US, MX."""

    @property
    def skus(self) -> Sequence[SkuView]:
        """Its variants."""


class FreightView(Protocol):
    """One way to send an order."""

    @property
    def vendor_code(self) -> str:
        """The code that an order names as its `carrier_code`."""

    @property
    def vendor_name(self) -> str:
        """The carrier's name."""

    @property
    def shipping_type(self) -> str:
        """EXPRESS, …"""

    @property
    def fee(self) -> Decimal:
        """What it costs, in USD."""


class CatalogueView(Protocol):
    """The catalogue as orders see it."""

    def some_product_id(self, draw: int) -> str | None:
        """A product of the catalogue, the same for the same draw (any number from 0 up). None: there is no product."""

    def product(self, product_id: str, now_ms: int) -> ProductView | None:
        """The product as it is at that time; None where the id is unknown."""

    def freight(
        self,
        product: Any,  # a product of this very catalogue
        quantity: int,
        destination: str,
        dispatch_location: str,
        advanced: bool,
        zip_code: str = "",
    ) -> Sequence[FreightView]:
        """The ways to send it. `advanced`: what /order/freight/calculate gives, the only codes that an order may name.

        Raises the `Refusal` of the freight endpoints where there is none.
        """
