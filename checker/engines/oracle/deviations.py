"""Where the emulator is known not to do what the manual says, by name.

A deviation is a change to the record of the MMU: what the walk would answer if the manual said what the emulator does.
A difference is explained only if the emulator answers exactly that. The tests show that each one is really there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from vmaspace.checker.adapters.hardware import LEAF, MALFORMED, TABLE, Mmu, Step, Update, WalkFault, reach

Marks = tuple[Update, ...]


def _no_marks(mmu: Mmu, fault: WalkFault, path: Sequence[Step]) -> Marks:
    return ()


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that the emulator does otherwise."""

    name: str
    arch: str
    sentence: str
    change: Callable[[Mmu], Mmu] = lambda mmu: mmu
    marks: Callable[[Mmu, WalkFault, Sequence[Step]], Marks] = (
        _no_marks  # bits that it sets besides, with a fault
    )


def _root_block(mmu: Mmu) -> Mmu:
    root, *others = mmu.stages
    classes = tuple(LEAF if low & 3 == 1 else now for low, now in enumerate(root.classes))
    return replace(
        mmu, stages=(root._replace(classes=classes, leaf_frame=_A64_FRAME & -reach(root.level)), *others)
    )


def _low_bits(mmu: Mmu) -> Mmu:
    return replace(mmu, stages=tuple(stage._replace(leaf_frame=_A64_FRAME) for stage in mmu.stages))


def _any_size(mmu: Mmu) -> Mmu:
    return replace(
        mmu, stages=tuple(stage._replace(table_reserved=0, leaf_reserved=0) for stage in mmu.stages)
    )


def _unchecked(mmu: Mmu) -> Mmu:
    """Bits 54 to 63 are part of the address instead of reserved; A, D and U of a pointer are not looked at."""

    def classes(stage_classes: tuple[int, ...], level: int) -> tuple[int, ...]:
        pointer_bits = 0xD0
        return tuple(
            TABLE if level and now == MALFORMED and low & 0xF == 1 and low & pointer_bits else now
            for low, now in enumerate(stage_classes)
        )

    misaligned = [(1 << 10 + 9 * stage.level) - (1 << 10) for stage in mmu.stages]
    stages = tuple(
        stage._replace(
            classes=classes(stage.classes, stage.level),
            table_reserved=0,
            leaf_reserved=stage.leaf_reserved & (1 << 54) - 1,
            leaf_frame=_RV_FRAME & ~low,
        )
        for stage, low in zip(mmu.stages, misaligned, strict=True)
    )
    return replace(mmu, stages=stages, leaf_not_all=0, regime=replace(mmu.regime, table_frame=_RV_FRAME))


def _huge_leaf_marked(mmu: Mmu, fault: WalkFault, path: Sequence[Step]) -> Marks:
    last = path[-1]
    is_huge = fault.level == last.level == 2 and last.entry & 0x81 == 0x81
    missing = mmu.leaf_accessed & ~last.entry
    return (Update(last.table, last.slot, missing),) if is_huge and missing else ()


_A64_FRAME: Final = 0x0000FFFFFFFFF000
_RV_FRAME: Final = (1 << 62) - (1 << 10)  # bits 62 and 63 leave a register of 64 bits

DEVIATIONS: Final = (
    Deviation(
        "x86-huge-leaf-marked",
        "x86_64",
        "a leaf of 1 GiB gets its accessed bit although the access faults",
        marks=_huge_leaf_marked,
    ),
    Deviation(
        "arm64-root-block",
        "arm64",
        "a root entry that ends in 01 is taken for a block of 512 GiB; the manual has no such block",
        _root_block,
    ),
    Deviation(
        "arm64-block-low-bits",
        "arm64",
        "the low bits of a block's address, which are 0 or ignored, are part of the address",
        _low_bits,
    ),
    Deviation(
        "arm64-any-address-size",
        "arm64",
        "an address above the output size is no address size fault",
        _any_size,
    ),
    Deviation(
        "riscv64-unchecked-bits",
        "riscv64",
        "bits 54 to 63 of an entry, and A, D and U of a pointer, are not checked",
        _unchecked,
    ),
)


def deviations_of(arch: str) -> tuple[Deviation, ...]:
    """Those of one architecture."""
    return tuple(deviation for deviation in DEVIATIONS if deviation.arch == arch)
