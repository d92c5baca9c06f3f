"""What it costs to ship, and why it is refused: carriers, zones, the rules that answer with a business code.

Codes and their meaning: guide, Common Error Codes; live facts, Errors beyond the guide's table.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from dropship_pipeline.sandbox.api import Refusal
from dropship_pipeline.sandbox.world.products import ONLINE, Product
from dropship_pipeline.sandbox.world.seeding import Seed

DISPATCH_LOCATIONS = ("CN", "US", "MX")


class FreightOption(NamedTuple):
    """One way to ship (guide §6, §7). `fee` is in `currency`; `delivery_time` is in days, as "10~15" or "3-9"."""

    vendor_code: str
    vendor_name: str
    shipping_type: str
    trade_term: str
    dispatch_country: str
    destination_country: str
    delivery_time: str
    solution_biz_type: str
    store_type: str | None
    fee: Decimal
    currency: str = "USD"


# product id, quantity, destination country, dispatch location, advanced
Question = tuple[str, int, str, str, bool]


class Carrier(NamedTuple):
    """A line of a carrier: what it takes for a parcel and for each kilogram, in cents, and its days in transit."""

    code: str
    name: str
    shipping_type: str
    parcel_cents: int
    kilogram_cents: int
    days: tuple[int, int]
    farthest_zone: int = 3


# Basic estimates and real orders know different codes: one of the first kind is refused with 4028 on an order (live
# facts).
_BASIC = {
    "CN": (
        Carrier("EX_ASP_Economy_Express_3C", "Alibaba.com Economy Express (3C)", "EXPRESS", 390, 720, (10, 15)),
        Carrier("EX_ASP_Standard_Line", "Alibaba.com Standard (Economy)", "EXPRESS", 250, 610, (15, 25), 2),
        Carrier("EX_ASP_Premium_Express", "Alibaba.com Premium Express", "EXPRESS", 1250, 990, (5, 8)),
        Carrier("EX_ASP_OCEAN_EXPRESS", "Ocean Express", "MULTIMODAL_TRANSPORT", 900, 240, (25, 35), 1),
    ),
    "US": (
        Carrier("EX_LOCAL_US_GROUND", "US Local Ground", "EXPRESS", 310, 210, (3, 7)),
        Carrier("EX_LOCAL_US_2DAY", "US Local 2-Day", "EXPRESS", 890, 380, (1, 2), 0),
    ),
    "MX": (
        Carrier("EX_LOCAL_MX_STANDARD", "Mexico Local Standard", "EXPRESS", 280, 190, (2, 6)),
        Carrier("EX_LOCAL_MX_EXPRESS", "Mexico Local Express", "EXPRESS", 640, 320, (1, 3), 0),
    ),
}
_SELLERS_SHIPPING = "EXPRESS/MULTIMODAL_TRANSPORT"
_METHOD_1 = "seller_oversea_distributor_sellers_shipping_method_1"
_ADVANCED = {
    "CN": (
        Carrier("EX_ASP_JYC_FEDEX", "FedEx IE", "EXPRESS", 980, 830, (6, 9)),
        Carrier("SEMI_MANAGED_CARRIER_CODE_CHEAPEST", "Standard", "EXPRESS", 267, 640, (12, 20), 2),
        Carrier("EX_ASP_JYC_UPS_SAVER", "UPS Express Saver", "EXPRESS", 1130, 870, (5, 8)),
    ),
    "US": (
        Carrier(_METHOD_1, "Seller's Shipping Method 1", _SELLERS_SHIPPING, 300, 190, (3, 9)),
        Carrier("seller_oversea_distributor_usps", "USPS", _SELLERS_SHIPPING, 420, 160, (3, 6)),
        Carrier("seller_oversea_distributor_fedex", "FedEx Ground", _SELLERS_SHIPPING, 760, 250, (2, 5), 0),
    ),
    "MX": (
        Carrier("seller_oversea_distributor_estafeta", "Estafeta", _SELLERS_SHIPPING, 330, 150, (2, 5)),
        Carrier("seller_oversea_distributor_dhl_mx", "DHL Mexico", _SELLERS_SHIPPING, 580, 260, (1, 4), 0),
    ),
}  # fmt: skip

_ZONES = {"US": 1, "CA": 1, "MX": 1, "GB": 1, "DE": 1, "FR": 1, "AU": 1, "JP": 0, "KR": 0, "SG": 0}
_FAR_ZONE = 2
_REMOTE_ZIPS = ("995", "996", "997", "998", "999", "967", "968", "006", "007", "009")  # Alaska, Hawaii, Puerto Rico

_EUROPE = {
    "GB",
    "DE",
    "FR",
    "ES",
    "IT",
    "NL",
    "BE",
    "PL",
    "PT",
    "SE",
    "DK",
    "FI",
    "NO",
    "IE",
    "AT",
    "CH",
    "CZ",
    "GR",
    "HU",
    "RO",
}
_ASIA = {"CN", "HK", "TW", "JP", "KR", "SG", "MY", "TH", "PH", "ID", "VN", "IN", "AE", "SA", "IL", "TR"}
_ELSEWHERE = {"US", "MX", "CA", "BR", "AR", "CL", "CO", "PE", "AU", "NZ", "ZA", "EG", "NG", "KE"}
COUNTRIES = frozenset(_EUROPE | _ASIA | _ELSEWHERE)


def refuse(code: str, message: str, sub_code: str | None = None) -> Refusal:
    """A business refusal, to be raised."""
    return Refusal(code, message, shape="business", sub_code=sub_code)


class FreightDesk:
    """Quotes freight for a product, or refuses with the code that Alibaba.com gives."""

    def __init__(self, seed: Seed, documented: Mapping[Question, list[FreightOption]]) -> None:
        self._seed = seed
        self._documented = documented

    def quote(
        self,
        product: Product,
        quantity: int,
        destination: str,
        dispatch_location: str,
        zip_code: str,
        *,
        advanced: bool,
    ) -> list[FreightOption]:
        """The ways to ship `quantity` units; possibly none, where the route exists but nobody serves it.

        Raises Refusal: 130106 offline, 4015 unserved country, 120019 restricted, 130608/10012/10010 wrong dispatch
        location, 4027 below the minimum quantity, 4016 the supplier's freight template.
        """
        documented = self._documented.get((product.product_id, quantity, destination, dispatch_location, advanced))
        if documented is not None:
            return documented
        self._check_product(product, destination)
        if dispatch_location not in product.dispatch_locations:
            return self._wrong_dispatch(product, dispatch_location)
        if quantity < product.moq:
            raise refuse("4027", "find sku cost error")
        if product.design.template_fails:
            raise refuse("4016", "freight template service error")
        zone = 0 if destination == dispatch_location else _ZONES.get(destination, _FAR_ZONE)
        remote = destination == "US" and zip_code[:3] in _REMOTE_ZIPS
        carriers = (_ADVANCED if advanced else _BASIC)[dispatch_location]
        offered = [carrier for carrier in carriers if zone <= carrier.farthest_zone]
        keep = 1 + self._seed.below(len(offered), "carriers", product.design.number)
        return [
            _option(carrier, product, quantity, destination, dispatch_location, zone, remote)
            for carrier in offered[:keep]
        ]

    def _check_product(self, product: Product, destination: str) -> None:
        if product.status != ONLINE:
            raise refuse("130106", "The product has expired. Please select again.")
        if destination not in COUNTRIES or self._is_unserved(product, destination):
            raise refuse("4015", "The seller does not support shipping to this country.")
        if destination in product.restricted_countries:
            raise refuse("120019", "The product is restricted in the destination country.")

    def _is_unserved(self, product: Product, destination: str) -> bool:
        """Whether the seller does not ship the product to a country that it does not lie in: one time in 60."""
        number = product.design.number
        if number < 0 or destination in product.dispatch_locations:
            return False
        return self._seed.below(60, f"unserved {destination}", number) == 0

    def _wrong_dispatch(self, product: Product, dispatch_location: str) -> list[FreightOption]:
        """Mexican stock asks for its location; other stock has no route, an invalid one, or simply no answer."""
        if dispatch_location not in DISPATCH_LOCATIONS:
            raise refuse("10012", "The dispatch location is invalid for the product.")
        if product.dispatch_locations == ("MX",):
            raise refuse("130608", "Missing dispatch location: set dispatch_location = MX.")
        kind = self._seed.below(
            10, "wrong dispatch", product.design.number, DISPATCH_LOCATIONS.index(dispatch_location)
        )
        if kind == 0:
            return []
        if kind == 1:
            raise refuse("10012", "The dispatch location is invalid for the product.")
        raise refuse("10010", "Logistics route not found.")


def _option(
    carrier: Carrier, product: Product, quantity: int, destination: str, dispatch: str, zone: int, remote: bool
) -> FreightOption:
    grams = product.design.grams * quantity
    cents = carrier.parcel_cents + carrier.kilogram_cents * grams // 1000
    cents = cents * (100 + 25 * zone + (30 if remote else 0)) // 100
    first, last = carrier.days[0] + 2 * zone, carrier.days[1] + 3 * zone
    overseas = dispatch != "CN"
    return FreightOption(
        vendor_code=carrier.code,
        vendor_name=carrier.name,
        shipping_type=carrier.shipping_type,
        trade_term="DAP",
        dispatch_country=dispatch,
        destination_country=destination,
        delivery_time=f"{first}-{last}" if overseas else f"{first}~{last}",
        solution_biz_type="distributionWaybill",
        store_type="CERTIFIED" if overseas else None,
        fee=Decimal(cents).scaleb(-2),
    )
