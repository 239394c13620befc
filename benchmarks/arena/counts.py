"""The sizes of the arena, and how many states and transitions each has.

Four or more checkers that share no code agree on these numbers.  `transitions` counts calls: two calls that lead to one
state are two.  `orbits` counts states that differ in more than the numbers of slots; region slots are alike, and space slots
except the first.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Size(NamedTuple):
    """Pages of the root range, region slots, bits of a set of rights, slots for spaces."""

    pages: int
    regions: int
    rights: int
    spaces: int

    def __str__(self) -> str:
        """The name of the scope in `arena.aspec`."""
        return "p{}r{}b{}s{}".format(*self)


class Counts(NamedTuple):
    states: int
    transitions: int
    depth: int
    orbits: int | None


REFERENCE = {
    Size(1, 1, 1, 3): Counts(569, 3_544, 6, 337),
    Size(2, 2, 1, 1): Counts(381, 2_548, 5, 237),
    Size(2, 2, 2, 1): Counts(1_181, 9_748, 5, 717),
    Size(2, 2, 1, 3): Counts(10_289, 98_476, 9, 3_793),
    Size(2, 3, 1, 2): Counts(13_985, 141_432, 9, 3_665),
    Size(3, 2, 3, 1): Counts(16_133, 217_256, 5, 8_749),
    Size(3, 3, 1, 1): Counts(18_301, 192_664, 8, 3_837),
    Size(4, 2, 2, 2): Counts(63_065, 880_140, 6, 33_425),
    Size(4, 3, 1, 1): Counts(73_149, 927_760, 8, 14_061),
    Size(3, 3, 2, 1): Counts(95_149, 1_185_416, 8, 19_053),
    Size(3, 4, 1, 1): Counts(241_045, 2_989_212, 12, 14_197),
    Size(3, 3, 1, 3): Counts(494_129, 6_629_368, 12, 61_393),
    Size(4, 3, 1, 3): Counts(1_975_025, 30_755_104, 12, 224_977),
    Size(3, 3, 2, 3): Counts(2_569_025, 39_427_816, 12, None),
    Size(5, 3, 1, 3): Counts(6_004_721, 107_897_692, 12, None),
    Size(3, 4, 1, 3): Counts(6_508_217, 99_510_196, 16, None),
    Size(4, 3, 2, 3): Counts(10_902_305, 193_017_712, 12, None),
}


def size_of(text: str) -> Size:
    """A size by the name of its scope; `ValueError` if it has no reference."""
    found = re.fullmatch(r"p(\d+)r(\d+)b(\d+)s(\d+)", text)
    size = Size(*map(int, found.groups())) if found else None
    if size not in REFERENCE:
        raise ValueError(f"there is no size {text!r}; there are {', '.join(map(str, REFERENCE))}")
    return size
