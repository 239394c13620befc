"""Many decisions from one number.

Hypothesis draws one number for each step; the dice unfold it into as many choices as a call needs.  A draw of
its own for each argument would cost more than the whole step.

Not a source of randomness: the same number always gives the same throws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

FACES = 1 << 24  # how many different numbers there are to start from
_MASK = (1 << 64) - 1


class Dice:
    """A stream of choices, by a linear congruential generator whose high bits are used."""

    __slots__ = ("_state",)

    def __init__(self, number: int) -> None:
        self._state = (number + 1) * 0x9E3779B97F4A7C15 & _MASK

    def below(self, n: int) -> int:
        """A number in [0, n), for n up to 2^31."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return (self._state >> 33) % n

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def pick(self, of: Sequence[T]) -> T:
        return of[self.below(len(of))]

    def late(self, of: Sequence[T]) -> T:
        """One of these, the later ones more often."""
        n = len(of)
        return of[max(self.below(n), self.below(n))]

    def word(self) -> int:
        """Any 64-bit number."""
        return self.below(1 << 31) << 33 | self.below(1 << 31) << 2 | self.below(4)
