"""When it is at the simulated Alibaba.coms of the tests, so that they hold the same whenever a test runs."""

THEN_MS = 1_769_000_000_000
"""2026-01-21T12:53:20Z, epoch milliseconds."""
