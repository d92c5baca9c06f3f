"""The business refusals of orders: the guide's codes (guide: Common Error Codes; live facts: Errors) and what is
said with them.

Refusals that freight itself gives (restricted, unserved country, dispatch location, template) come from
`world/freight.py`.
"""

from dropship_pipeline.sandbox.api import Refusal

MESSAGES = {
    "110001": "The buyer account is not authorized: a China-registered (CNFM) account cannot order.",
    "10005": "sku not found",
    "10007": "can not find sku cost",
    "10010": "Logistics route not found.",
    "10012": "The dispatch location is invalid for the product.",
    "130602": "The logistics route is invalid: the carrier does not serve it.",
    "4028": "order vendor code not match",
    "480006": "The order amount exceeds the limit of 5000 USD for BuyNow orders.",
    "430013": "The order amount is too small: the minimum is 0.30 USD.",
    "410006": "The quantity is below the minimum order quantity.",
    "130106": "The product has expired. Please select again.",
    "130703": "Insufficient inventory.",
    "140004": "The product is out of stock.",
    "130704": "The promotion of the product is unavailable.",
    "400007": "The seller has no valid EPR number for the destination country.",
    "800022": "Unable to calculate the tariff: the address is incomplete.",
    "404": "order not found",
    "ORDER_STATUS_ERROR": "The status of the order does not allow this operation.",
}


def refusal(code: str, detail: str = "") -> Refusal:
    """The refusal with this code; `detail` is added to what is said, and names no person."""
    return Refusal(code, f"{MESSAGES[code]} {detail}".rstrip(), shape="business")
