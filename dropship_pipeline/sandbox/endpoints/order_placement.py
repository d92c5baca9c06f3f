"""Places an order, or refuses it with the code that Alibaba.com gives (guide §8, Common Error Codes; live facts:
Errors).
"""

from collections import Counter
from collections.abc import Callable, Mapping

from dropship_pipeline.sandbox import order_examples
from dropship_pipeline.sandbox.accounts import Accounts
from dropship_pipeline.sandbox.api import Body, Call, Refusal
from dropship_pipeline.sandbox.endpoints.order_refusals import refusal
from dropship_pipeline.sandbox.endpoints.order_requests import Item, OrderRequest, order_request
from dropship_pipeline.sandbox.endpoints.parameters import buyer_id, invalid
from dropship_pipeline.sandbox.world.catalogue_view import CatalogueView, ProductView, SkuView
from dropship_pipeline.sandbox.world.order_freight import Way, ways_to_send
from dropship_pipeline.sandbox.world.order_model import CENT, LARGEST_TOTAL, LEAST_TOTAL, Draft, order_line
from dropship_pipeline.sandbox.world.order_rules import lacks_epr, promotion_unavailable
from dropship_pipeline.sandbox.world.orders import Orders
from dropship_pipeline.sandbox.world.products import ONLINE

LOCATIONS = ("CN", "US", "MX")
Products = Mapping[str, ProductView]


def creator(orders: Orders, accounts: Accounts, catalogue: CatalogueView) -> Callable[[Call], Body]:
    """The handler of /buynow/order/create."""

    def create(call: Call) -> Body:
        request, buyer = order_request(call), accounts.buyer(buyer_id(call))
        if buyer.registered_in_china:
            raise refusal("110001")
        if _is_the_guides(request):
            return order_examples.created_answer()
        order = orders.place(_draft(request, catalogue, call.now_ms), buyer.user_id, call.now_ms)
        return {"value": {"trade_id": order.trade_id, "pay_url": order_examples.pay_url(order.trade_id)}}

    return create


def _is_the_guides(request: OrderRequest) -> bool:
    return (
        request.items == (Item(*order_examples.CREATE_LINE),) and request.carrier_code == order_examples.CREATE_CARRIER
    )


def _draft(request: OrderRequest, catalogue: CatalogueView, now_ms: int) -> Draft:
    """The order as the platform understands it; every check that may refuse it happens on the way."""
    products = _products(request, catalogue, now_ms)
    seller = next(iter(products.values()))
    skus = [(item, _sku(products[item.product_id], item.sku_id)) for item in request.items]
    _check_quantities(request, products)
    location = _dispatch_location(request, products)
    if lacks_epr(seller.e_company_id, request.recipient.country_code):
        raise refusal("400007")
    way = _chosen(request, products, location, catalogue)
    _check_stock(skus, location)
    if any(promotion_unavailable(product_id, now_ms) for product_id in products):
        raise refusal("130704")
    draft = Draft(
        lines=tuple(order_line(products[item.product_id], sku, item.quantity) for item, sku in skus),
        recipient=request.recipient,
        dispatch_location=location,
        carrier_code=way.carrier.vendor_code,
        carrier_name=way.carrier.vendor_name,
        shipping_type=way.carrier.shipping_type,
        shipment_fee=way.fee.quantize(CENT),
        seller_eid=seller.e_company_id,
        seller_name=seller.seller_name,
        channel_refer_id=request.channel_refer_id,
        remark=request.remark,
        enable_distribution_waybill=request.enable_distribution_waybill,
        properties=request.properties,
        attachments=request.attachments,
        clearance=request.clearance,
    )
    if draft.total < LEAST_TOTAL:
        raise refusal("430013")
    if draft.total > LARGEST_TOTAL:
        raise refusal("480006")
    return draft


def _products(request: OrderRequest, catalogue: CatalogueView, now_ms: int) -> Products:
    """The products asked for, by id: all online and of one supplier."""
    products: dict[str, ProductView] = {}
    for item in request.items:
        product = catalogue.product(item.product_id, now_ms)
        if product is None or product.status != ONLINE:
            raise refusal("130106")
        products[item.product_id] = product
    if len({product.e_company_id for product in products.values()}) > 1:
        raise invalid("product_list", "all products of one order must be of one supplier")
    return products


def _sku(product: ProductView, sku_id: str) -> SkuView:
    for sku in product.skus:
        if sku.sku_id == sku_id:
            return sku
    raise refusal("10005")


def _check_quantities(request: OrderRequest, products: Products) -> None:
    """A product below its minimum is refused; one that reaches it only over several variants has no price for each."""
    ordered: Counter[str] = Counter()
    for item in request.items:
        ordered[item.product_id] += item.quantity
    for item in request.items:
        least = products[item.product_id].moq
        if ordered[item.product_id] < least:
            raise refusal("410006", f"The minimum is {least}.")
        if item.quantity < least:
            raise refusal("10007", f"The minimum is {least}.")


def _dispatch_location(request: OrderRequest, products: Products) -> str:
    location = request.dispatch_location or LOCATIONS[0]
    if location not in LOCATIONS:
        raise refusal("10010")
    for product in products.values():
        # where none was given, freight tells whether one should have been (130608)
        if request.dispatch_location and location not in product.dispatch_locations:
            raise refusal("10012")
    return location


def _ways(
    request: OrderRequest, products: Products, location: str, catalogue: CatalogueView, *, advanced: bool
) -> dict[str, Way]:
    """How the order can be sent.

    Raises what freight refuses with: 120019, 4015, 4016, and for a product that is elsewhere 130608, 10012 or 10010.
    """
    parts = [(products[item.product_id], item.quantity) for item in request.items]
    country_code, zip_code = request.recipient.country_code, request.recipient.zip
    return ways_to_send(catalogue, parts, country_code, location, zip_code, advanced=advanced)


def _check_stock(skus: list[tuple[Item, SkuView]], location: str) -> None:
    wanted: Counter[str] = Counter()
    for item, sku in skus:
        wanted[sku.sku_id] += item.quantity
        available = sku.stock(location)
        if available <= 0:
            raise refusal("140004")
        if available < wanted[sku.sku_id]:
            raise refusal("130703", f"Available: {available}.")


def _chosen(request: OrderRequest, products: Products, location: str, catalogue: CatalogueView) -> Way:
    """The carrier that the order names. Only the codes of the advanced calculation count (live facts: Requests)."""
    ways = _ways(request, products, location, catalogue, advanced=True)
    if not ways and any(location not in product.dispatch_locations for product in products.values()):
        raise refusal("10012")
    if request.carrier_code in ways:
        return ways[request.carrier_code]
    try:
        basic = _ways(request, products, location, catalogue, advanced=False)
    except Refusal:
        basic = {}
    raise refusal("4028" if request.carrier_code in basic else "130602")
