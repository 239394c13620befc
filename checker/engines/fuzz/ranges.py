"""Shapes of ranges: at, over, between and just off places that are there, and some that no caller should ask for.

All numbers are bytes; low ends may lie outside of 64 bits, for the caller to wrap.
"""

from __future__ import annotations

from typing import NamedTuple

from vmaspace.checker.engines.fuzz.dice import Dice

WORD = 1 << 64
PAGE = 4096


class Place(NamedTuple):
    """Where a region lies."""

    low: int
    high: int
    region: int


def over(target: Place, inner: list[Place], dice: Dice) -> tuple[int, int]:
    """A range that meets, or just misses, what is there."""
    low, high = target.low, target.high
    pages = max(1, (high - low) // PAGE)
    if dice.chance(30):  # all that follows without a gap
        for place in inner:
            high = place.high if place.low == high else high
        return low, high - low
    if dice.chance(55):  # inside, at one end or at both
        start = dice.pick((low, low + dice.below(min(pages, 16)) * PAGE))
        return start, dice.pick((high - start, min(high - start, (1 + dice.below(3)) * PAGE)))
    start = dice.pick((low, low + PAGE, low - PAGE, high - PAGE, high, low - 2 * PAGE))
    match dice.below(4):
        case 0:
            return start, high - low
        case 1:
            last = dice.pick(inner).high
            return start, last - start if last > start else 2 * PAGE
        case _:
            return start, (1 + dice.below(4)) * PAGE


def between(whole: Place, inner: list[Place], is_wide: bool, dice: Dice) -> tuple[int, int]:
    """A range in a gap, at one of its ends or all of it, or a page too large.  is_wide: it is to hold others."""
    gaps = []
    start = whole.low
    for place in inner:
        if place.low > start:
            gaps.append((start, place.low))
        start = max(start, place.high)
    if whole.high > start:
        gaps.append((start, whole.high))
    if not gaps:
        return whole.low, PAGE
    low, high = dice.pick(gaps)
    room = high - low
    size = (1 + dice.below(6)) * PAGE
    if is_wide and dice.chance(80):
        size = min(size * 16, max(PAGE, room // 2 // PAGE * PAGE))
    match dice.below(10):
        case 0:
            return low, room
        case 1:
            return low, room + PAGE
        case 2:
            return high - size, size
        case 3 | 4:
            return low + (1 + dice.below(3)) * PAGE, size
        case 5:
            return low, min(room, (1 + dice.below(16)) << 16)
        case _:
            return low, size


def about(whole: Place, dice: Dice) -> tuple[int, int]:
    """The whole region, or something at or beyond its ends."""
    low, high = whole.low, whole.high
    size = high - low
    return dice.pick((
        (low, size), (low, size - PAGE), (low + PAGE, size - PAGE), (low, size + PAGE), (low - PAGE, 2 * PAGE),
        (high, PAGE), (high - PAGE, PAGE), (high - PAGE, 2 * PAGE), (0, PAGE), (WORD - PAGE, PAGE), (low, PAGE),
    ))  # fmt: skip


def blunder(low: int, size: int, dice: Dice) -> tuple[int, int]:
    """The same range mostly; sometimes one that no caller should ask for."""
    if not dice.chance(7):
        return low, size
    match dice.below(9):
        case 0:
            return low, 0
        case 1:
            return low + 1, size
        case 2:
            return low, size + 1
        case 3:
            return low, size - 1
        case 4:
            return low, WORD - PAGE
        case 5:
            return low, WORD - 1
        case 6:
            return low, WORD - low
        case 7:
            return low + (1 << dice.below(64)), size
        case _:
            return low, 1 << dice.below(64)
