"""What one sync is asked to do, typed and checked before anything is opened."""

from dataclasses import dataclass, field
from datetime import timedelta

from dropship_pipeline.catalog.feeds import FEEDS, feed
from dropship_pipeline.problem import Problem


def all_feeds() -> tuple[str, ...]:
    """The keys of all feeds, in their order."""
    return tuple(known.key for known in FEEDS)


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """The scope of a sync.

    `feeds`: keys; all of them by default. `product_ids`: only these products, and no feed is read. `max_age`: refresh
    what is older, instead of each kind's own age. `limit`: at most so many products a kind. `force`: refresh whatever
    its age. `let_through`: end memberships although the sweep would end more than a fifth of the feed.
    """

    feeds: tuple[str, ...] = field(default_factory=all_feeds)
    product_ids: tuple[str, ...] = ()
    max_age: timedelta | None = None
    limit: int | None = None
    force: bool = False
    let_through: bool = False

    def __post_init__(self) -> None:
        for key in self.feeds:
            feed(key)
        if self.limit is not None and self.limit < 0:
            raise Problem(f"The limit is {self.limit}", "Give the number of products to refresh at most, 0 or more")
        if self.max_age is not None and self.max_age < timedelta(0):
            raise Problem(f"The maximum age is {self.max_age}", "Give an age such as 24h, 90m or 7d")
