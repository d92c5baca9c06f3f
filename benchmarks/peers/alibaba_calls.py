"""What every peer must know of the API: where it is, how a call is signed, what is asked for. Standard library only.

It runs in the environments of the peers, which have nothing of ours installed. One feed is read: its pages, then the
description and the stock of each product.
"""

import hashlib
import hmac
import json
import os
import time

BASE_URL = os.environ.get("ALIBABA_BASE_URL", "")
PAGE_SIZE = 100

LISTING = "/eco/buyer/crossborder/product/check"  # the largest feed
DESCRIPTION = "/eco/buyer/product/description"
STOCK = "/eco/buyer/product/inventory"


def signed(path: str, params: dict[str, str]) -> dict[str, str]:
    """The parameters of a call with those of the system and the signature, as the guide's example builds them.

    Parameters that are signed already are signed anew: a session may hand a request to its authenticator twice.
    """
    full = {
        **{name: value for name, value in params.items() if name != "sign"},
        "app_key": os.environ["ALIBABA_APP_KEY"],
        "sign_method": "sha256",
        "timestamp": str(int(time.time() * 1000)),
        "access_token": os.environ["ALIBABA_ACCESS_TOKEN"],
    }
    message = path + "".join(f"{name}{value}" for name, value in sorted(full.items()))
    digest = hmac.new(os.environ["ALIBABA_APP_SECRET"].encode(), message.encode(), hashlib.sha256)
    return {**full, "sign": digest.hexdigest().upper()}


def listing_query(page: int) -> dict[str, str]:
    """A page of the feed, counted from 0."""
    return {"param0": json.dumps({"page": page, "page_size": PAGE_SIZE})}


def description_query(product_id: object) -> dict[str, str]:
    """The description of one product."""
    return {"query_req": json.dumps({"product_id": str(product_id)})}


def stock_query(product_id: object) -> dict[str, str]:
    """The stock of one product."""
    return {"inv_req": json.dumps({"product_id": str(product_id)})}
