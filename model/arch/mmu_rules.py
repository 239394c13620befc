"""What the manuals say of each regime, as records for the one walk in `hardware`.

Sources: Intel SDM volume 3, sections 4.5 to 4.7 and 28.3; Arm ARM, sections D8.3 and D8.4; RISC-V Privileged
Specification, section 10.3.2. Levels are counted as in `regime`: 0 is the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Final

from vmaspace.model.arch.hardware import (
    ABSENT,
    LEAF,
    MALFORMED,
    TABLE,
    AccessKind,
    FaultKind,
    Mmu,
    Stage,
)
from vmaspace.model.arch.modes import ZIRCON_MODES, Modes
from vmaspace.model.arch.regime import (
    ALL_RIGHTS,
    KERNEL_EXECUTE,
    KERNEL_READ,
    KERNEL_RIGHTS_SHIFT,
    KERNEL_WRITE,
    USER_EXECUTE,
    USER_READ,
    USER_WRITE,
    Regime,
    shift_of,
)
from vmaspace.model.constants import MAX_U64

# Which bits of a table entry say what it passes.
_X86_RIGHTS: Final = 1 << 1 | 1 << 2 | 1 << 63
_EPT_RIGHTS: Final = 0b111
_A64_RIGHTS: Final = 0b1111 << 59
_TAG_SHIFT: Final = 56  # of the byte of an address that arm64 can be told to ignore


def mmu_for(regime: Regime, modes: Modes = ZIRCON_MODES) -> Mmu:
    """The MMU that walks tables of `regime` in these modes; made once for each."""
    return _made(regime, modes)


@cache
def _made(regime: Regime, modes: Modes) -> Mmu:
    make = _riscv64 if regime.name.startswith("riscv64") else _MAKERS[regime.name]
    return make(regime, modes)


def _effective(left: Callable[[int], int]) -> tuple[int, ...]:
    return tuple(left(rights) for rights in range(ALL_RIGHTS + 1))


def _by_bits(rights: Callable[[int], int], bits: int) -> dict[int, int]:
    """`rights` of every combination of `bits`."""
    combinations, combination = {0: rights(0)}, bits
    while combination:
        combinations[combination] = rights(combination)
        combination = (combination - 1) & bits
    return combinations


def _unchanged(rights: int) -> int:
    return rights


def _classes(class_of: Callable[[int], int]) -> tuple[int, ...]:
    return tuple(class_of(low) for low in range(256))


def _bits(low: int, high: int) -> int:
    """The bits from `low` on, below `high`."""
    return (1 << high) - (1 << low) if high > low else 0


def _halves(width: int) -> tuple[int, tuple[int, int]]:
    """A shift, and what is left by it of the addresses of the lower and the upper half of `width` bits."""
    return width - 1, (0, MAX_U64 >> width - 1)


# --- x86-64 -----------------------------------------------------------------------------------------------------------


def _x86_64(regime: Regime, modes: Modes) -> Mmu:
    def class_of(low: int, level: int) -> int:
        if not low & 1:
            return ABSENT
        if level == 0:
            return LEAF
        if not low >> 7:
            return TABLE
        return MALFORMED if level == 3 else LEAF

    reserved = _bits(modes.physical_bits, 52) | (0 if modes.nxe else 1 << 63)

    def stage(level: int) -> Stage:
        # The address of a large page is aligned; bit 12 is part of the memory type.
        low = _bits(13, shift_of(level)) if level else 0
        classes = _classes(lambda byte: class_of(byte, level))
        frame = regime.leaf_frames[level] & -1 << shift_of(level)
        return Stage(level, shift_of(level), classes, reserved, reserved | low, frame)

    def left(rights: int) -> int:
        kernel_fetches = not (modes.smep and rights & USER_READ)
        kernel_touches = not (modes.smap and not modes.ac and rights & USER_READ)
        rights |= 0 if modes.wp else KERNEL_WRITE
        rights &= ALL_RIGHTS if kernel_fetches else ~KERNEL_EXECUTE
        return rights & (ALL_RIGHTS if kernel_touches else ~(KERNEL_READ | KERNEL_WRITE))

    def encode(kind: FaultKind, level: int, access: AccessKind, is_user: bool, rights: int) -> int:
        if kind is FaultKind.NON_CANONICAL:
            return 0  # a general protection fault
        is_present, is_reserved = kind is not FaultKind.NOT_PRESENT, kind is FaultKind.RESERVED
        is_write = access is AccessKind.WRITE
        is_fetch = access is AccessKind.EXECUTE and (modes.nxe or modes.smep)
        return is_present | is_write << 1 | is_user << 2 | is_reserved << 3 | is_fetch << 4

    shift, tops = _halves(regime.width)
    return Mmu(
        regime=regime,
        stages=tuple(stage(level) for level in (3, 2, 1, 0)),
        ignored=MAX_U64,
        canonical_shift=shift,
        canonical_tops=tops,
        reserved_kind=FaultKind.RESERVED,
        leaf_not_all=0,
        effective=_effective(left),
        table_rights_bits=_X86_RIGHTS,
        table_rights=_by_bits(regime.table_rights, _X86_RIGHTS),
        global_bit=1 << 8,
        global_flip=0,
        table_global=0,
        table_accessed=1 << 5,
        leaf_accessed=1 << 5,
        leaf_dirty=1 << 6,
        sets_flags=True,
        flags_come_first=False,
        encode=encode,
    )


def _ept(regime: Regime, modes: Modes) -> Mmu:
    """Extended page tables, without accessed and dirty flags, on a CPU that can execute what it cannot read."""

    def class_of(low: int, level: int) -> int:
        if not low & 7:
            return ABSENT
        if low & 3 == 2:
            return MALFORMED  # writable and not readable
        if level == 0 or (low >> 7 and level < 3):
            return LEAF if low >> 3 & 7 in (0, 1, 4, 5, 6) else MALFORMED
        return MALFORMED if low & 0xF8 else TABLE

    reserved = _bits(modes.physical_bits, 52)

    def stage(level: int) -> Stage:
        classes = _classes(lambda byte: class_of(byte, level))
        frame = regime.leaf_frames[level] & -1 << shift_of(level)
        return Stage(level, shift_of(level), classes, reserved, reserved | _bits(12, shift_of(level)), frame)

    def encode(kind: FaultKind, level: int, access: AccessKind, is_user: bool, rights: int) -> int:
        # The exit qualification of a violation; a misconfiguration has none.
        passed = rights & 7 if kind is FaultKind.PERMISSION else 0
        return 0 if kind is FaultKind.RESERVED else 1 << access | passed << 3

    return Mmu(
        regime=regime,
        stages=tuple(stage(level) for level in (3, 2, 1, 0)),
        ignored=MAX_U64,
        canonical_shift=regime.width,
        canonical_tops=(0,),
        reserved_kind=FaultKind.RESERVED,
        leaf_not_all=0,
        effective=_effective(_unchanged),
        table_rights_bits=_EPT_RIGHTS,
        table_rights=_by_bits(regime.table_rights, _EPT_RIGHTS),
        global_bit=0,
        global_flip=0,
        table_global=0,
        table_accessed=0,
        leaf_accessed=0,
        leaf_dirty=0,
        sets_flags=True,
        flags_come_first=False,
        encode=encode,
    )


# --- arm64 ------------------------------------------------------------------------------------------------------------


def _a64(regime: Regime, modes: Modes, bits: int, upper: bool, left: Callable[[int], int]) -> Mmu:
    """What the stages and exception levels share. bits: of an address; upper: all above are 1 instead of 0."""

    def class_of(low: int, level: int) -> int:
        if not low & 1:
            return ABSENT
        if low & 2:
            return TABLE if level else LEAF
        return LEAF if 0 < level < 3 else ABSENT  # no blocks of 512 GiB, and no `01` in the last level

    too_far = _bits(modes.physical_bits, 48)

    def stage(level: int) -> Stage:
        # Hardware ignores the low bits of a block's address.
        frame = regime.leaf_frames[level] & -1 << shift_of(level)
        classes = _classes(lambda byte: class_of(byte, level))
        return Stage(level, shift_of(level), classes, too_far, too_far, frame)

    status = {
        FaultKind.ADDRESS_SIZE: 0,
        FaultKind.NOT_PRESENT: 4,
        FaultKind.ACCESS_FLAG: 8,
        FaultKind.PERMISSION: 12,
    }

    def encode(kind: FaultKind, level: int, access: AccessKind, is_user: bool, rights: int) -> int:
        # The manual counts levels from the other end. An address that no table translates is a fault of level 0.
        return 4 if kind is FaultKind.NON_CANONICAL else status[kind] | 3 - level

    return Mmu(
        regime=regime,
        stages=tuple(stage(level) for level in range(regime.top_level, -1, -1)),
        ignored=MAX_U64,
        canonical_shift=bits,
        canonical_tops=(MAX_U64 >> bits if upper else 0,),
        reserved_kind=FaultKind.ADDRESS_SIZE,
        leaf_not_all=0,
        effective=_effective(left),
        table_rights_bits=_A64_RIGHTS,
        table_rights=_by_bits(regime.table_rights, _A64_RIGHTS),
        global_bit=1 << 11,
        global_flip=1 << 11,
        table_global=0,
        table_accessed=0,
        leaf_accessed=1 << 10,
        leaf_dirty=0,
        sets_flags=False,
        flags_come_first=True,
        encode=encode,
    )


def _without_writable_code(rights: int) -> int:
    rights &= ~USER_EXECUTE if rights & USER_WRITE else ALL_RIGHTS
    return rights & (~KERNEL_EXECUTE if rights & KERNEL_WRITE else ALL_RIGHTS)


def _a64_stage1(regime: Regime, modes: Modes) -> Mmu:
    def left(rights: int) -> int:
        user_touches = modes.pan and rights & USER_READ
        rights &= ~KERNEL_EXECUTE if rights & USER_WRITE else ALL_RIGHTS
        rights = _without_writable_code(rights) if modes.wxn else rights
        return rights & (~(KERNEL_READ | KERNEL_WRITE) if user_touches else ALL_RIGHTS)

    is_kernel = regime.name.endswith("kernel")
    mmu = _a64(regime, modes, regime.width if is_kernel else modes.user_bits, is_kernel, left)
    if modes.tbi and not is_kernel:
        return replace(mmu, ignored=(1 << _TAG_SHIFT) - 1)
    return mmu


def _a64_el2(regime: Regime, modes: Modes) -> Mmu:
    return _a64(regime, modes, regime.width, False, _without_writable_code if modes.wxn else _unchanged)


def _a64_stage2(regime: Regime, modes: Modes) -> Mmu:
    return replace(_a64(regime, modes, regime.width, False, _unchanged), global_bit=0, global_flip=0)


# --- riscv64 ----------------------------------------------------------------------------------------------------------


def _riscv64(regime: Regime, modes: Modes) -> Mmu:
    def class_of(low: int, level: int) -> int:
        if not low & 1:
            return ABSENT
        if low & 0b1110 == 0:
            # A pointer has no A, D and U, and none comes in the last level.
            return MALFORMED if low & 0xD0 or level == 0 else TABLE
        return MALFORMED if low & 0b0110 == 0b0100 else LEAF  # writable and not readable

    high = _bits(54, 64)
    memory_type = _bits(61, 63)
    leaf_high = high & ~memory_type if modes.svpbmt else high

    def stage(level: int) -> Stage:
        misaligned = _bits(10, 10 + 9 * level)
        frame = regime.leaf_frames[level] & ~misaligned
        classes = _classes(lambda byte: class_of(byte, level))
        return Stage(level, shift_of(level), classes, high, leaf_high | misaligned, frame)

    def left(rights: int) -> int:
        if modes.mxr:
            rights |= (rights & (USER_EXECUTE | KERNEL_EXECUTE)) >> 2
        if rights & (USER_READ | USER_WRITE | USER_EXECUTE):  # a user's page
            kernel = KERNEL_READ | KERNEL_WRITE if modes.sum else 0
            return rights & (kernel | (1 << KERNEL_RIGHTS_SHIFT) - 1)
        return rights

    causes = {AccessKind.EXECUTE: 12, AccessKind.READ: 13, AccessKind.WRITE: 15}

    def encode(kind: FaultKind, level: int, access: AccessKind, is_user: bool, rights: int) -> int:
        return causes[access]

    shift, tops = _halves(regime.width)
    return Mmu(
        regime=regime,
        stages=tuple(stage(level) for level in range(regime.top_level, -1, -1)),
        ignored=MAX_U64,
        canonical_shift=shift,
        canonical_tops=tops,
        reserved_kind=FaultKind.RESERVED,
        leaf_not_all=memory_type,
        effective=_effective(left),
        table_rights_bits=0,
        table_rights=_by_bits(regime.table_rights, 0),
        global_bit=1 << 5,
        global_flip=0,
        table_global=1 << 5,
        table_accessed=0,
        leaf_accessed=1 << 6,
        leaf_dirty=1 << 7,
        sets_flags=modes.svadu,
        flags_come_first=False,
        encode=encode,
    )


_MAKERS: Final = {
    "x86-64": _x86_64,
    "x86-64 kernel": _x86_64,
    "EPT": _ept,
    "arm64": _a64_stage1,
    "arm64 kernel": _a64_stage1,
    "arm64 EL2": _a64_el2,
    "arm64 stage 2": _a64_stage2,
}
