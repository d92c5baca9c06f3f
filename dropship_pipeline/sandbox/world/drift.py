"""The catalogue's life: what time it is in it, and which products are away: functions of (seed, product, time)."""

from typing import NamedTuple

from dropship_pipeline.sandbox.world.products import DELETED, OFFLINE, ONLINE
from dropship_pipeline.sandbox.world.seeding import Permutation, Seed, permutation

EPOCH_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z, day 0
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000


class Life:
    """How fast the catalogue ages: `pace` 1 lives with the sandbox clock, 0 stands still with every product online."""

    __slots__ = ("pace",)

    def __init__(self, pace: float) -> None:
        self.pace = pace

    def days(self, now_ms: int) -> float | None:
        """Days lived since day 0, or None where time stands still."""
        return (now_ms - EPOCH_MS) * self.pace / _DAY_MS if self.pace else None

    def hour(self, now_ms: int) -> int | None:
        """Whole hours lived: what is listed changes on the hour, so that a sweep of an hour sees one catalogue."""
        return int((now_ms - EPOCH_MS) * self.pace // _HOUR_MS) if self.pace else None


class Spell(NamedTuple):
    """A way to be away: for `days` out of every `cycle_days`."""

    name: str
    status: str
    days: int
    cycle_days: int


PRODUCT_SPELLS = (
    Spell("short offline", OFFLINE, 4, 400),
    Spell("long offline", OFFLINE, 30, 5000),
    Spell("deleted", DELETED, 45, 5000),
)
FEED_SPELL = Spell("unlisted", ONLINE, 12, 900)


class Rota:
    """Takes turns in being away: of `count` members, those in a window that wanders over a permutation of them.

    The window makes the question "who is away now" cost what its answer holds, whatever the size of the catalogue.
    """

    __slots__ = ("_away", "_cycle_hours", "_order", "count")

    def __init__(self, seed: Seed, spell: Spell, count: int, purpose: str) -> None:
        self.count = count
        self._order: Permutation = permutation(seed, count, f"rota {spell.name} {purpose}")
        self._away = round(count * spell.days / spell.cycle_days)
        self._cycle_hours = spell.cycle_days * 24

    def is_away(self, member: int, hour: int) -> bool:
        """Whether `member` is away in that hour."""
        return (self._order.of(member) - hour * self.count // self._cycle_hours) % self.count < self._away

    def away(self, hour: int) -> list[int]:
        """Everybody who is away in that hour, in no order."""
        start = hour * self.count // self._cycle_hours
        back, count = self._order.back, self.count
        return [back((start + turn) % count) for turn in range(self._away)]


class Statuses:
    """Which products are online, offline or deleted."""

    __slots__ = ("_rotas",)

    def __init__(self, seed: Seed, count: int) -> None:
        self._rotas = (
            [(spell.status, Rota(seed, spell, count, "products")) for spell in PRODUCT_SPELLS] if count else []
        )

    def of(self, index: int, hour: int | None) -> str:
        """The status of product `index` in that hour; always online where time stands still (None) and for examples."""
        if hour is None or index < 0:
            return ONLINE
        for status, rota in self._rotas:
            if rota.is_away(index, hour):
                return status
        return ONLINE

    def away(self, hour: int | None) -> set[int]:
        """The products that are not online in that hour."""
        return set() if hour is None else {index for _, rota in self._rotas for index in rota.away(hour)}
