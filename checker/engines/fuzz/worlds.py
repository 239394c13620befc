"""Worlds worth running in: small, with one memory object of each kind that matters.

Not here: what a world is; that is `adapters.world`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vmaspace.checker.adapters.world import VmoSpec, World
from vmaspace.checker.engines.fuzz.dice import Dice

PAGE = 4096
UNBOUNDED_SIZE = (1 << 64) - 2 * PAGE
PASSING = ("pager", "pager", "trapping_pager", "discardable", "discardable", "unbounded", "unbounded")


def draw_world(dice: Dice, arches: Sequence[str], switches: Iterable[str] = ()) -> World:
    """A paged object, a vDSO that ends with its code, a physical range, one whose pages come and go, and perhaps others."""
    code_start = dice.below(9) * PAGE
    code_size = (1 + dice.below(3)) * PAGE
    vmos = [
        VmoSpec((1 + dice.below(16)) * PAGE, pinned=dice.chance(50)),
        VmoSpec(code_start + code_size, is_vdso=True, pinned=dice.chance(20)),
        VmoSpec((2 + dice.below(7)) * PAGE, "physical", pinned=True),
    ]
    if dice.chance(40):
        vmos.append(VmoSpec((1 + dice.below(8)) * PAGE, "contiguous", pinned=True))
    if not vmos[0].pinned:  # pinned pages are not shared with clones
        vmos.append(VmoSpec((1 + dice.below(vmos[0].size // PAGE)) * PAGE, origin=dice.pick(("snapshot", "slice"))))
    if dice.chance(40):
        vmos.append(VmoSpec((1 + dice.below(8)) * PAGE, origin="resizable"))
    vmos.append(_passing(dice))
    return World(
        arch=dice.pick(arches),
        vmos=tuple(vmos),
        vdso_code_start=code_start,
        vdso_code_size=code_size,
        aslr_disabled=dice.chance(50),
        switches=frozenset(switches),
        seed=dice.below(1 << 16),
    )


def _passing(dice: Dice) -> VmoSpec:
    """One whose pages are not there from the start, or do not stay: of a pager, discardable, or without an end."""
    origin = dice.pick(PASSING)
    return VmoSpec(UNBOUNDED_SIZE if origin == "unbounded" else (1 + dice.below(8)) * PAGE, origin=origin)
