"""Asking the API again for what could not be read: products as a sync of them does, orders as `orders sync`."""

from collections.abc import Sequence
from contextlib import closing
from uuid import uuid4

import click

from dropship_pipeline.cli.bars import watcher
from dropship_pipeline.cli.sync import run_watched
from dropship_pipeline.settings import Settings
from dropship_pipeline.storage.catalog.rejects import Reject, left_of
from dropship_pipeline.storage.server.opening import open_database
from dropship_pipeline.sync.orders.accounts import sync_all
from dropship_pipeline.sync.orders.following import OrdersRequest
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import open_desk

_OF_PRODUCTS = frozenset({"description", "inventory", "freight"})


def ask_again(settings: Settings, left: Sequence[Reject], *, as_json: bool) -> tuple[list[Reject], list[str]]:
    """Read these records again, publishing what changed; what is left of them then, and what went wrong.

    Not pages of listings: they are read with their feed. Raises as a sync does.
    """
    products = tuple(dict.fromkeys(one.record_key for one in left if one.kind in _OF_PRODUCTS))
    orders = tuple(one.record_key for one in left if one.kind == "order")
    if not settings.has_credentials and (products or orders):
        click.echo("ALIBABA_APP_KEY is not set: this asks the simulated Alibaba.com.", err=True)
    problems: list[str] = []
    if products:
        problems += run_watched(settings, SyncRequest(feeds=(), product_ids=products), as_json).problems
    if orders:
        with watcher(plain=as_json) as progress, open_desk(settings, str(uuid4()), progress) as desk:
            outcome = sync_all(desk, OrdersRequest(trade_ids=orders))
        problems += [*outcome.problems, *outcome.to_authorise]
    with closing(open_database(settings)) as database:
        return left_of(database, left), problems
