"""What came of a command that a test typed."""

from collections.abc import Callable
from dataclasses import dataclass

from deployment import Deployment
from oracle import expected_feeds, expected_tables, stored_feeds, stored_tables, truth


@dataclass(frozen=True)
class Typed:
    """What came of a command: its exit status, and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on standard error that says what is wrong; progress lines are no errors."""
        assert "Traceback" not in self.err
        lines = [line for line in self.err.splitlines() if line.startswith(("dropship: ", "Error: "))]
        assert len(lines) == 1, self.err
        return lines[0]


Type = Callable[..., Typed]


def assert_the_tables_are_true(merchant: Deployment) -> None:
    """Feeds, descriptions and stock are what is true at the simulated Alibaba.com, and everything was quoted."""
    listed = {key: ids for key, ids in expected_feeds(merchant).items() if ids}
    assert stored_feeds(merchant) == listed
    products = {key: product for key, product in truth(merchant).items() if any(key in ids for ids in listed.values())}
    assert stored_tables(merchant) == expected_tables(products)
    quoted = merchant.value("SELECT count(*) FROM ops.fetches WHERE kind = 'freight'")
    assert quoted == merchant.value("SELECT count(*) FROM catalog.products WHERE delisted_at IS NULL")
