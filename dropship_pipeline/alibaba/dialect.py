"""The two dialects of the list and description endpoints, and finding out which one a server speaks.

The guide says `page` and `page_size`; the live gateway wants `index` and `size`, a `product_type` and a `country` and
answers anything else with `result_code` 400 (live facts: Requests). What each request says in which is in `requests`.
"""

import threading
from enum import StrEnum


class Dialect(StrEnum):
    """A setting (`ALIBABA_DIALECT`); what is spoken is GUIDE or LIVE."""

    GUIDE = "guide"
    LIVE = "live"
    AUTO = "auto"


LARGEST_PAGE = {Dialect.GUIDE: 100, Dialect.LIVE: 300}


class DialectMemory:
    """Which dialect to speak. Shared by all calls of a gateway, from any thread; the first success decides.

    The guide's dialect is tried first: the live gateway refuses it at once, whereas a server of the guide may pass over
    the live names and answer its first page for ever.
    """

    def __init__(self, setting: Dialect = Dialect.AUTO) -> None:
        self._spoken: Dialect | None = None if setting is Dialect.AUTO else setting
        self._lock = threading.Lock()

    @property
    def undecided(self) -> bool:
        """Whether no server has said yet which it speaks."""
        return self._spoken is None

    @property
    def current(self) -> Dialect:
        """The dialect to speak now."""
        return self._spoken or Dialect.GUIDE

    def decide(self, dialect: Dialect) -> None:
        """A call in `dialect` succeeded. Has no effect once decided."""
        with self._lock:
            if self._spoken is None:
                self._spoken = dialect
