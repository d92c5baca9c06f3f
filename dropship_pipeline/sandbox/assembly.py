"""Puts one simulated Alibaba.com together from its configuration. The socket that it answers on is `launch.py`'s."""

from dataclasses import dataclass
from pathlib import Path

from dropship_pipeline.sandbox.accounts import Accounts, Lifetimes
from dropship_pipeline.sandbox.clock import Clock
from dropship_pipeline.sandbox.config import SandboxConfig
from dropship_pipeline.sandbox.counters import Counters
from dropship_pipeline.sandbox.endpoints import auth, batch, freight, listing, logistics, orders, product
from dropship_pipeline.sandbox.endpoints.authorize import Authorize, authorizer
from dropship_pipeline.sandbox.endpoints.payments import Payments
from dropship_pipeline.sandbox.fault_table import FAULT_KINDS
from dropship_pipeline.sandbox.faults import FaultBoard, Scene
from dropship_pipeline.sandbox.gateway import Gateway
from dropship_pipeline.sandbox.limits import CallLimit
from dropship_pipeline.sandbox.push_messages import PushMessages
from dropship_pipeline.sandbox.pushes import Pushes, PushPlan
from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.orders import Orders


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of one running sandbox that the server and the control API need."""

    config: SandboxConfig
    clock: Clock
    catalogue: Catalogue
    accounts: Accounts
    orders: Orders
    payments: Payments
    counters: Counters
    limit: CallLimit
    faults: FaultBoard
    gateway: Gateway
    authorize: Authorize
    pushes: Pushes


def assemble(config: SandboxConfig) -> Sandbox:
    """A sandbox as configured. Raises ValueError for a size or a fault that cannot be."""
    clock = Clock(config.clock_start_ms, config.clock_speed)
    catalogue = Catalogue(config.seed, config.products, config.drift)
    lifetimes = Lifetimes(
        access_token_s=config.access_token_s,
        refresh_token_s=config.refresh_token_s,
        rotate_refresh_token=config.rotate_refresh_token,
        refresh_repeats_token=config.refresh_repeats_token,
    )
    accounts = Accounts(config.seed, clock.now_ms(), lifetimes)
    book = Orders(catalogue, clock, config.seed, config.orders, accounts.buyers)
    payments = Payments(book, accounts)
    counters = Counters(Path(config.log_file) if config.log_file else None)
    limit = CallLimit(config.calls_per_second, config.ban_s)
    faults = FaultBoard(FAULT_KINDS, Scene(catalogue, accounts, config.dialect), config.seed)
    for text in config.faults:
        faults.switch_on(text)
    plan = PushPlan(config.push_url, config.push_drop, config.push_duplicate, config.push_reorder, config.push_retry_s)
    endpoints = [
        *auth.endpoints(accounts),
        *listing.endpoints(catalogue, config.dialect),
        *product.endpoints(catalogue, config.dialect),
        *batch.endpoints(catalogue, config.dialect),
        *freight.endpoints(catalogue),
        *orders.endpoints(book, accounts, catalogue, payments),
        *logistics.endpoints(book),
    ]
    return Sandbox(
        config=config,
        clock=clock,
        catalogue=catalogue,
        accounts=accounts,
        orders=book,
        payments=payments,
        counters=counters,
        limit=limit,
        faults=faults,
        gateway=Gateway(endpoints, accounts, clock, limit, counters, faults),
        authorize=authorizer(accounts),
        pushes=Pushes(PushMessages(catalogue, book, accounts, clock).look, accounts.default_app, plan, config.seed),
    )
