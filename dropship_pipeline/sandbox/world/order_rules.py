"""Rules that orders alone know: which sellers may not sell to DE and FR, and whose promotion is out of step today.

Each is a pure function, so that a test or a client can come upon the same refusal again.
"""

import hashlib

EPR_COUNTRIES = frozenset({"DE", "FR"})
_DAY_MS = 86_400_000
_SELLERS_PER_LACKING_EPR = 8
_PRODUCTS_PER_STALE_PROMOTION = 500


def lacks_epr(seller_eid: str, country_code: str) -> bool:
    """Whether the seller needs an EPR number for the country and has none (guide: EPR Compliance); one seller in 8."""
    return country_code in EPR_COUNTRIES and _draw(f"epr:{seller_eid}") % _SELLERS_PER_LACKING_EPR == 0


def promotion_unavailable(product_id: str, now_ms: int) -> bool:
    """Whether the product's promotion cache is stale on that day (guide, 130704); one product in 500 a UTC day."""
    return _draw(f"promotion:{product_id}:{now_ms // _DAY_MS}") % _PRODUCTS_PER_STALE_PROMOTION == 0


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
