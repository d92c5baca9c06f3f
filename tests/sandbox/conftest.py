"""Sandboxes that the tests share: real processes, asked over real HTTP."""

import pytest
from moment import THEN_MS
from signed_client import Client

from dropship_pipeline.sandbox.launch import SandboxConfig, start


@pytest.fixture(scope="session")
def frozen():
    """A sandbox in the guide's dialect, in which nothing moves. For tests that change nothing."""
    with start(SandboxConfig(products=700, drift=0, clock_start_ms=THEN_MS)) as running:
        yield running


@pytest.fixture(scope="session")
def live():
    """The same world in the live dialect."""
    with start(SandboxConfig(products=700, drift=0, dialect="live", clock_start_ms=THEN_MS)) as running:
        yield running


@pytest.fixture
def own():
    """`own(products=…, …)` starts a sandbox for one test; gives (running, client)."""
    started = []

    def launch(**settings):
        running = start(
            SandboxConfig(**{"clock_start_ms": THEN_MS, "products": 200, "orders": 0, "drift": 0, **settings})
        )
        started.append(running)
        return running, Client(running)

    yield launch
    for running in started:
        running.stop()


@pytest.fixture
def client(frozen):
    return Client(frozen)


@pytest.fixture
def live_client(live):
    return Client(live)
