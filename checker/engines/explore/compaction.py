"""Hash compaction: of a state that is expanded the search keeps a hash and its parent, and nothing else.

Two states with one hash are taken for one state, and what only the second leads to may be missed.  How probable that is does
not rest on what states look like: the hash is drawn from a strongly universal family (Thorup, *High speed hashing for integers
and strings*, multiply-shift for vectors), so for any two states it is 2^-bits over the choice of the seed.  See Stern and
Dill, *Improved probabilistic verification by hash compaction*, for the method.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

WORD = 1 << 64
BITS = 64
MIX = -7046029254386353131  # odd: to multiply by it loses nothing
MOST_OMISSION = 0.001  # what is more probable than this is not called green


@dataclass(frozen=True, slots=True)
class Compaction:
    """How states are hashed.  Fewer bits than 64 save no memory: they are there to show what collisions do."""

    seed: int = 0
    bits: int = BITS

    def of(self, width: int) -> Compaction | None:
        """What is done with states of so many words: one that is no larger than its hash is kept as it is."""
        return self if BITS * width > self.bits else None

    def omission(self, states: int) -> float:
        """At most so probable is a search that omits a state and says that it found no more than so many.

        Up to the first collision, level by level, the states are those of the exact search.  So there are two among the
        first `states` + 1 of these that have one hash.
        """
        return min(1.0, states * (states + 1) / float(1 << self.bits + 1))

    def factors(self, width: int) -> list[int]:
        """Numbers of 128 bits: one to begin with, and one for each word."""
        drawn = (hashlib.sha256(f"vmaspace {self.seed} {i}".encode()).digest() for i in range(width + 1))
        return [int.from_bytes(d[:16], "big") for d in drawn]

    @property
    def mask(self) -> int:
        """Which bits count: the outermost, as the owner is chosen by the highest and the slot by the lowest."""
        low = self.bits // 2
        return ((1 << low) - 1) | (((1 << (self.bits - low)) - 1) << (BITS - self.bits + low))

    def hash(self, key: Sequence[int]) -> int:
        """The hash of a packed state.  What follows the sum is one to one: it spreads what is in the high bits."""
        first, *factors = self.factors(len(key))
        total = first + sum(f * word for f, word in zip(factors, key, strict=True))
        h = total % (WORD * WORD) // WORD
        h = (h ^ h >> 32) * MIX % WORD
        return (h ^ h >> 29) & self.mask

    def text(self, width: int) -> str:
        """The same as text for `machine`, under the name that `core` calls."""
        first, *factors = self.factors(width)
        lines = [f"    total = {first}", *(f"    total += unsigned(P[{i}]) * {f}" for i, f in enumerate(factors))]
        signed = self.mask - WORD if self.mask >= WORD // 2 else self.mask
        return "\n".join([
            "def hash_of(P: Words) -> Word:",
            *lines,
            "    h = narrow(total >> 64)",
            f"    h = (h ^ (h >> 32)) * {MIX}",
            f"    return (h ^ (h >> 29)) & {signed}",
            "",
        ])  # fmt: skip
