"""The ten feeds, in their order: the partition keys of every catalogue asset (guide §3, §3a, §3b, §3c)."""

from dataclasses import dataclass
from difflib import get_close_matches

from dropship_pipeline.problem import Problem


@dataclass(frozen=True, slots=True)
class Feed:
    """A listing of products. `endpoint` is as `ListProducts` names it; `scene_id` and `country` where it takes one."""

    key: str
    endpoint: str
    scene_id: str | None = None
    country: str | None = None


FEEDS: tuple[Feed, ...] = (
    Feed("us_standard", "scene", scene_id="906124611"),
    Feed("cross_border_us", "scene", scene_id="906168847"),
    Feed("us_fast_48h", "scene", scene_id="907135637"),
    Feed("mx_dropship", "scene", scene_id="907732810"),
    Feed("us_top_sellers", "scene", scene_id="907180667"),
    Feed("mx_top_sellers", "scene", scene_id="907180664"),
    Feed("local_us", "local", country="US"),
    Feed("local_mx", "local", country="MX"),
    Feed("local_regular", "localregular"),
    Feed("cross_border", "crossborder"),
)
FEEDS_BY_KEY = {feed.key: feed for feed in FEEDS}


def feed(key: str) -> Feed:
    """The feed of that key. Raises `Problem`, naming the keys that come near, or all of them."""
    found = FEEDS_BY_KEY.get(key)
    if found is None:
        near = get_close_matches(key, FEEDS_BY_KEY) or list(FEEDS_BY_KEY)
        raise Problem(f"There is no feed {key!r}", f"Use {' or '.join(near) if len(near) < 4 else ', '.join(near)}")
    return found
