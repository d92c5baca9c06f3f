"""The breaker: how many memberships one sweep may end before a person has to look (DESIGN: Delist)."""

LARGEST_SHARE = 5  # more than one in five is held


def is_held(active: int, would_end: int) -> bool:
    """Whether a sweep that would end `would_end` of a feed's `active` memberships is held."""
    return would_end * LARGEST_SHARE > active
