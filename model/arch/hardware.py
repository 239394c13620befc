"""The MMU: what a CPU makes of page tables in memory, written from the architectures' manuals.

One walk for every regime. What the manuals say differently is in a record, `Mmu`, that `mmu_rules` makes for a regime
and for the modes the CPU runs in. The walk reads the words in memory and changes none; which accessed and dirty bits
hardware sets comes back as updates, and `apply_updates` makes them.

Sources: Intel SDM volume 3, chapters 4 and 28.3; Arm ARM, section D8; RISC-V Privileged Specification, sections 10.3 to
10.5. A table that lies where no memory is reads as zeros.

Does not model TLBs, paging-structure caches, protection keys, PMP, nor a guest's two walks in one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from vmaspace.model.arch.regime import ALL_RIGHTS, INDEX_MASK, KERNEL_RIGHTS_SHIFT, Regime
from vmaspace.model.arch.walk import Memory
from vmaspace.model.constants import Paddr, Vaddr


class AccessKind(IntEnum):
    """What an access does."""

    READ = 0
    WRITE = 1
    EXECUTE = 2


READ: Final = AccessKind.READ
WRITE: Final = AccessKind.WRITE
EXECUTE: Final = AccessKind.EXECUTE


class FaultKind(IntEnum):
    """Why a walk does not grant an access."""

    NOT_PRESENT = 0
    PERMISSION = 1
    RESERVED = 2  # an entry that the manual does not allow: a reserved bit, or a combination
    ACCESS_FLAG = 3  # an accessed or dirty bit that software is to set
    NON_CANONICAL = 4  # an address that no table translates
    ADDRESS_SIZE = 5  # an entry leads past the physical address space


class Update(NamedTuple):
    """Bits that hardware sets in one entry."""

    table: Paddr
    slot: int
    bits: int


class Translation(NamedTuple):
    """An access that is granted."""

    paddr: Paddr
    level: int  # of the leaf
    rights: int  # what the whole path lets pass under the modes of the CPU; six bits as in `regime`
    entry: int  # the leaf, as it was found
    is_global: bool
    updates: tuple[Update, ...]


class WalkFault(NamedTuple):
    """An access that is not granted."""

    kind: FaultKind
    level: int  # of the entry that the walk ended at; the root's for NON_CANONICAL
    code: int  # x86-64: the error code; EPT: the exit qualification; arm64: the fault status code; riscv64: the cause
    updates: tuple[Update, ...]


# What the low byte of an entry makes of it.
ABSENT: Final = 0
TABLE: Final = 1
LEAF: Final = 2
MALFORMED: Final = 3


class Stage(NamedTuple):
    """What the manual says of the entries of one level."""

    level: int
    shift: int  # of an address, so that the slot comes lowest
    classes: tuple[int, ...]  # by the low byte of an entry: ABSENT, TABLE, LEAF, MALFORMED
    table_reserved: int  # bits that are 0 in a table entry
    leaf_reserved: int  # bits that are 0 in a leaf
    leaf_frame: int  # where a leaf holds the address that hardware takes


@dataclass(frozen=True, slots=True)
class Mmu:
    """One regime under one set of modes. Made by `mmu_rules.mmu_for`; the fields are what the walk looks at."""

    regime: Regime
    stages: tuple[Stage, ...]  # the root's first
    ignored: int  # the bits of an address that are looked at: all, or all but a tag
    canonical_shift: int
    canonical_tops: tuple[int, ...]  # what an address that is translated may be, shifted by that
    reserved_kind: FaultKind  # what a bit that is not 0 is taken for
    leaf_not_all: int  # bits of which a leaf does not have every one; 0: there are none
    effective: tuple[int, ...]  # by the rights of a path: the rights that are left under the modes
    table_rights_bits: int  # the bits of a table entry that `regime.table_rights` looks at,
    table_rights: Mapping[int, int]  # and what it says of each combination of them
    global_bit: int
    global_flip: int  # a leaf is global if (entry ^ global_flip) & global_bit is not 0
    table_global: int  # a table entry is, and with it all below; 0: there is no such bit
    table_accessed: int  # hardware sets it in every table entry that it goes through; 0: it does not
    leaf_accessed: int
    leaf_dirty: int
    sets_flags: bool  # hardware sets the two above; else a leaf without them faults
    flags_come_first: bool  # and does so whatever its rights
    encode: Callable[[FaultKind, int, AccessKind, bool, int], int]  # (kind, level, access, is_user, rights): the code


def translate(
    mmu: Mmu, memory: Memory, root: Paddr, va: Vaddr, kind: AccessKind, *, is_user: bool
) -> Translation | WalkFault:
    """What hardware answers to an access to `va` through the tables at `root`. Changes nothing.

    `root` is the table of the half that `va` is in, where there are two.
    """
    va &= mmu.ignored
    regime = mmu.regime
    updates: tuple[Update, ...] = ()
    if va >> mmu.canonical_shift not in mmu.canonical_tops:
        return _fault(mmu, FaultKind.NON_CANONICAL, regime.top_level, kind, is_user, 0, updates)
    rights, is_global, table_global, leaf_not_all = ALL_RIGHTS, 0, mmu.table_global, mmu.leaf_not_all
    table = root
    table_rights, table_rights_bits, table_accessed = mmu.table_rights, mmu.table_rights_bits, mmu.table_accessed
    page_for = memory.page_for
    for level, shift, classes, table_reserved, leaf_reserved, leaf_frame in mmu.stages:
        page = page_for(table)
        slot = va >> shift & INDEX_MASK
        entry = 0 if page is None else page.words[slot]
        kind_of_entry = classes[entry & 0xFF]
        if kind_of_entry == TABLE:
            if entry & table_reserved:
                return _fault(mmu, mmu.reserved_kind, level, kind, is_user, rights, updates)
            rights &= table_rights[entry & table_rights_bits]
            if entry & table_accessed != table_accessed:
                updates += (Update(table, slot, table_accessed),)
            is_global |= entry & table_global
            table = (entry & regime.table_frame) << regime.frame_shift
            continue
        if kind_of_entry != LEAF:
            what = FaultKind.NOT_PRESENT if kind_of_entry == ABSENT else FaultKind.RESERVED
            return _fault(mmu, what, level, kind, is_user, rights, updates)
        if entry & leaf_reserved or (leaf_not_all and entry & leaf_not_all == leaf_not_all):
            return _fault(mmu, mmu.reserved_kind, level, kind, is_user, rights, updates)
        rights &= regime.leaf_rights(entry)
        granted = mmu.effective[rights]
        missing = (mmu.leaf_accessed | mmu.leaf_dirty if kind == WRITE else mmu.leaf_accessed) & ~entry
        is_allowed = granted & 1 << (kind if is_user else kind + KERNEL_RIGHTS_SHIFT)
        if missing and not mmu.sets_flags and (is_allowed or mmu.flags_come_first):
            return _fault(mmu, FaultKind.ACCESS_FLAG, level, kind, is_user, rights, updates)
        if not is_allowed:
            return _fault(mmu, FaultKind.PERMISSION, level, kind, is_user, rights, updates)
        if missing:
            updates += (Update(table, slot, missing),)
        paddr = (entry & leaf_frame) << regime.frame_shift | va & (1 << shift) - 1
        shared = bool(is_global or (entry ^ mmu.global_flip) & mmu.global_bit)
        return Translation(paddr, level, granted, entry, shared, updates)
    raise AssertionError("no entry of the last level leads to a table")


def apply_updates(memory: Memory, updates: tuple[Update, ...]) -> None:
    """Set the bits in memory, as hardware does with an access that it grants, and on x86-64 also with one that faults."""
    for table, slot, bits in updates:
        page = memory.page_for(table)
        if page is not None:
            page.words[slot] |= bits


def _fault(
    mmu: Mmu,
    what: FaultKind,
    level: int,
    kind: AccessKind,
    is_user: bool,
    rights: int,
    updates: tuple[Update, ...],
) -> WalkFault:
    return WalkFault(what, level, mmu.encode(what, level, kind, is_user, rights), updates)
