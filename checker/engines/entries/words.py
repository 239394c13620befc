"""64-bit words as solver terms that compute as Python's integers do.

A term has a few bits more than a word. So a shift to the right brings in zeros, as it does for an integer that is not
negative; a complement is negative; and a result that no longer fits 64 bits is seen, instead of being cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import z3

Word: TypeAlias = Any  # z3.BitVecRef: z3 has no types of its own
Truth: TypeAlias = Any  # z3.BoolRef

WORD_BITS = 64
TERM_BITS = 72


def variable(name: str) -> Word:
    """Any 64-bit word."""
    return z3.ZeroExt(TERM_BITS - WORD_BITS, z3.BitVec(name, WORD_BITS))


def number(value: Word | int) -> Word:
    """A term, also for what came out as a plain integer."""
    return z3.BitVecVal(value, TERM_BITS) if isinstance(value, int) else value


def truth(value: Truth | bool) -> Truth:
    """A formula, also for what came out as a plain truth value."""
    return z3.BoolVal(value) if isinstance(value, bool) else value


def is_set(word: Word, bit: int) -> Truth:
    """Whether a bit of a word is 1."""
    return z3.Extract(bit, bit, word) == 1


def choice(condition: Truth, yes: Word | int, no: Word | int) -> Word:
    """One word or the other."""
    return z3.If(condition, number(yes), number(no))


def lowest(count: int) -> int:
    """The mask of so many low bits."""
    return (1 << count) - 1


def span(high: int, low: int) -> int:
    """The mask of the bits from `high` down to `low`, as manuals write them."""
    return lowest(high + 1) & ~lowest(low)


@dataclass(frozen=True, slots=True)
class Field:
    """Some neighbouring bits of an entry, with the name that the manual gives them."""

    name: str
    low: int
    width: int = 1

    @property
    def mask(self) -> int:
        return lowest(self.width) << self.low

    def of(self, entry: Word) -> Word:
        """The field's value in an entry."""
        return z3.LShR(entry, self.low) & lowest(self.width)
