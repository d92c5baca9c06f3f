"""Where chance comes from: hashes keyed by the seed, so that anything can be computed again instead of being stored.

Only the arithmetic of repeatable chance lives here; what is drawn with it lives beside its user.
"""

import hashlib
import math
from functools import lru_cache


class Seed:
    """The seed of a world: every draw is a pure function of (seed, purpose, numbers)."""

    __slots__ = ("_states", "value")

    def __init__(self, value: int) -> None:
        self.value = value
        self._states: dict[str, hashlib.blake2b] = {}

    def entropy(self, purpose: str, *numbers: int) -> bytes:
        """64 bytes that depend on nothing but the seed, the purpose and the numbers."""
        state = self._states.get(purpose)
        if state is None:
            state = hashlib.blake2b(purpose.encode(), key=str(self.value).encode()[:64])
            self._states[purpose] = state
        draw = state.copy()
        for number in numbers:
            draw.update(number.to_bytes(8, "little", signed=True))
        return draw.digest()

    def below(self, bound: int, purpose: str, *numbers: int) -> int:
        """A number in [0, bound)."""
        return int.from_bytes(self.entropy(purpose, *numbers)[:8], "little") % bound


class Permutation:
    """A one-to-one map of [0, modulus) onto itself by multiplication, computable in both directions without a table."""

    __slots__ = ("_factor", "_inverse", "_shift", "modulus")

    def __init__(self, modulus: int, factor: int, shift: int) -> None:
        self.modulus = modulus
        while math.gcd(factor, modulus) != 1:
            factor += 1
        self._factor = factor % modulus
        self._inverse = pow(self._factor, -1, modulus) if modulus > 1 else 0
        self._shift = shift % modulus

    def of(self, number: int) -> int:
        """Where `number` goes."""
        return (number * self._factor + self._shift) % self.modulus

    def back(self, image: int) -> int:
        """The number that goes to `image`."""
        return (image - self._shift) * self._inverse % self.modulus


def permutation(seed: Seed, modulus: int, purpose: str) -> Permutation:
    """A permutation drawn from the seed, with a factor near the golden section so that neighbours fly far apart."""
    spread = max(1, int(modulus * 0.6180339887)) + seed.below(max(1, modulus // 16), purpose, 1)
    return Permutation(max(1, modulus), spread, seed.below(max(1, modulus), purpose, 2))


@lru_cache(maxsize=1)
def normal_quantiles() -> tuple[float, ...]:
    """256 standard normal quantiles: one byte of entropy picks a normally distributed number."""
    # a table, because a rate is drawn for every product that is looked at
    from statistics import NormalDist  # noqa: PLC0415 - slow to import, and only a running server needs it

    bell = NormalDist()
    return tuple(bell.inv_cdf((byte + 0.5) / 256) for byte in range(256))
