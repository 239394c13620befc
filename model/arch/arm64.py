"""arm64: four levels, a root table of its own for user space, and tagged addresses; stage 2 for guests, and EL2.

Mirrors `zircon/kernel/arch/arm64/mmu.cc`, `zircon/kernel/arch/arm64/include/arch/arm64/mmu.h` and
`zircon/kernel/arch/arm64/include/arch/kernel_aspace.h`; bits as in the Arm ARM, section D8.3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from vmaspace.model.arch.ids import FIRST_USER_ASID, GLOBAL_ASID
from vmaspace.model.arch.options import SHARED
from vmaspace.model.arch.record import Arch, UnmapHarvest
from vmaspace.model.arch.regime import ALL_RIGHTS, Regime
from vmaspace.model.arch.shootdown import Shootdown, ShootdownRules
from vmaspace.model.arch.tlb import Tag
from vmaspace.model.constants import Vaddr
from vmaspace.model.status import ZX_ERR_NO_MEMORY, AssertionViolation

if TYPE_CHECKING:
    from vmaspace.model.arch.tables import ArchTables

_FILE: Final = "zircon/kernel/arch/arm64/mmu.cc"

A64_TABLE_OR_PAGE: Final = 3
A64_BLOCK: Final = 1
A64_ACCESSED: Final = 1 << 10
A64_NOT_GLOBAL: Final = 1 << 11
A64_PXN: Final = 1 << 53
A64_UXN: Final = 1 << 54
A64_TABLE_ACCESSED: Final = 1 << 55  # software's: hardware ignores bits 58 to 55
A64_READ_ONLY: Final = 1 << 7

_FRAME: Final = 0x0000FFFFFFFFF000
_ATTRIBUTES: Final = 0xFFFF000000000FFC  # of a leaf: all but the address and the type


def _type_bits(level: int) -> int:
    return A64_BLOCK if level else A64_TABLE_OR_PAGE


def _memory_bits(flags: int) -> int:
    """AttrIndx and SH. The cache field 0, 1, 2, 3 is index 2, 0, 1, 3 of MAIR; 2 and 3 are normal memory."""
    low, high = flags & 1, flags >> 1 & 1
    normal = 1 ^ low ^ high
    return (high | normal << 1) << 2 | normal * 0x300


def _cache_flags(entry: int) -> int:
    low, normal = entry >> 2 & 1, entry >> 3 & 1
    return 1 ^ low ^ normal | low << 1


def _stage1_leaf_bits(flags: int, level: int) -> int:
    user, write, execute = flags >> 2 & 1, flags >> 4 & 1, flags >> 5 & 1
    uxn, pxn = 1 ^ (user & execute), 1 ^ ((1 ^ user) & execute)
    access = user << 6 | (1 ^ write) << 7
    return _type_bits(level) | _memory_bits(flags) | (flags >> 6 & 1) << 5 | access | uxn << 54 | pxn << 53


def _stage1_mmu_flags(entry: int, level: int) -> int:
    user, write = entry >> 6 & 1, 1 ^ entry >> 7 & 1
    uxn, pxn = entry >> 54 & 1, entry >> 53 & 1
    execute = (user & (1 ^ uxn)) | ((1 ^ user) & (1 ^ pxn))
    return 8 | user << 2 | write << 4 | execute << 5 | (entry >> 5 & 1) << 6 | _cache_flags(entry)


def _stage1_is_known(entry: int, level: int) -> int:
    return 1 ^ entry >> 4 & 1


def _split_bits(entry: int, level: int) -> int:
    return entry & _ATTRIBUTES | _type_bits(level - 1)


def _stage1_leaf_rights(entry: int) -> int:
    user, write = entry >> 6 & 1, 1 ^ entry >> 7 & 1
    user_may = user | (user & write) << 1 | (1 ^ entry >> 54 & 1) << 2
    return user_may | (1 | write << 1 | (1 ^ entry >> 53 & 1) << 2) << 3


def _stage1_table_rights(entry: int) -> int:
    # PXNTable, UXNTable, APTable[0] (none for EL0), APTable[1] (no writes): hierarchical attributes, bits 59 to 62.
    user, write = 1 ^ entry >> 61 & 1, 1 ^ entry >> 62 & 1
    user_may = user | (user & write) << 1 | (1 ^ entry >> 60 & 1) << 2
    return user_may | (1 | write << 1 | (1 ^ entry >> 59 & 1) << 2) << 3


def _stage1(name: str, leaf_fixed: int) -> Regime:
    return Regime(
        name=name,
        width=48,
        top_level=3,
        leaf_levels=(0, 1, 2),
        present=1,
        leaf_flip=2,
        leaf_any=2,
        frame_shift=0,
        table_frame=_FRAME,
        leaf_frames=(_FRAME, _FRAME, _FRAME, 0),
        table_fixed=A64_TABLE_OR_PAGE,
        leaf_fixed=leaf_fixed,
        accessed=A64_ACCESSED,
        dirty=0,
        table_accessed=A64_TABLE_ACCESSED,
        protect_clears=0xC0 | A64_PXN | A64_UXN,
        leaf_bits=_stage1_leaf_bits,
        mmu_flags=_stage1_mmu_flags,
        is_known=_stage1_is_known,
        split_bits=_split_bits,
        table_rights=_stage1_table_rights,
        leaf_rights=_stage1_leaf_rights,
    )


A64_USER_TABLES: Final = _stage1("arm64", A64_ACCESSED | A64_NOT_GLOBAL)
A64_KERNEL_TABLES: Final = _stage1("arm64 kernel", A64_ACCESSED)


# EL2: one privilege, and one bit that forbids to execute.


def _el2_leaf_bits(flags: int, level: int) -> int:
    access = (flags >> 2 & 1) << 6 | (1 ^ flags >> 4 & 1) << 7
    return (
        _type_bits(level) | _memory_bits(flags) | (flags >> 6 & 1) << 5 | access | (1 ^ flags >> 5 & 1) << 54
    )


def _el2_mmu_flags(entry: int, level: int) -> int:
    access = (entry >> 6 & 1) << 2 | (1 ^ entry >> 7 & 1) << 4
    return 8 | access | (1 ^ entry >> 54 & 1) << 5 | (entry >> 5 & 1) << 6 | _cache_flags(entry)


A64_EL2_TABLES: Final = replace(
    A64_KERNEL_TABLES,
    name="arm64 EL2",
    width=39,
    top_level=2,
    leaf_bits=_el2_leaf_bits,
    mmu_flags=_el2_mmu_flags,
    leaf_rights=lambda entry: (1 | (1 ^ entry >> 7 & 1) << 1 | (1 ^ entry >> 54 & 1) << 2) << 3,
    table_rights=lambda entry: (1 | (1 ^ entry >> 62 & 1) << 1 | (1 ^ entry >> 60 & 1) << 2) << 3,
)


# Stage 2: what guests take for physical memory.


def _stage2_leaf_bits(flags: int, level: int) -> int:
    low, high = flags & 1, flags >> 1 & 1
    cached, normal = (1 ^ low) & (1 ^ high), 1 ^ low ^ high
    # The memory type: 15 write-back, 5 not cacheable, 0 and 1 device.
    kind = (normal | high) | cached << 1 | normal << 2 | cached << 3
    write, execute = flags >> 4 & 1, flags >> 5 & 1
    return _type_bits(level) | kind << 2 | 1 << 6 | write << 7 | normal * 0x300 | (1 ^ execute) << 54


def _stage2_mmu_flags(entry: int, level: int) -> int:
    a, b, c = entry >> 2 & 1, entry >> 3 & 1, entry >> 4 & 1
    cache = (1 ^ a) | (c & (1 ^ b)) | (a & (1 ^ b)) << 1
    return 8 | (entry >> 7 & 1) << 4 | (1 ^ entry >> 54 & 1) << 5 | cache


def _stage2_is_known(entry: int, level: int) -> int:
    a, b, c, d = entry >> 2 & 1, entry >> 3 & 1, entry >> 4 & 1, entry >> 5 & 1
    device = (1 ^ b) & (1 ^ c) & (1 ^ d)
    normal = a & c & (1 ^ b ^ d)
    return (device | normal) & entry >> 6


def _stage2_rights(entry: int) -> int:
    return (entry >> 6 & 1 | (entry >> 7 & 1) << 1 | (1 ^ entry >> 54 & 1) << 2) * 9


A64_GUEST_TABLES: Final = replace(
    A64_KERNEL_TABLES,
    name="arm64 stage 2",
    width=36,
    top_level=2,
    leaf_bits=_stage2_leaf_bits,
    mmu_flags=_stage2_mmu_flags,
    is_known=_stage2_is_known,
    table_rights=lambda entry: ALL_RIGHTS,
    leaf_rights=_stage2_rights,
)


# Invalidation.


def _issue(owed: Shootdown) -> None:
    """Issue what an address space owes: broadcasts, which every CPU hears; by ASID, or for all of them.

    *Kernel:* `ArmArchVmAspace::FlushTLBEntry`, `FlushAsid` (zircon/kernel/arch/arm64/mmu.cc)
    *Fails with:* nothing.
    *Asserts:* the kernel's tables and EL2's are not invalidated as a whole, or one by one.
    """
    tables = owed.tables
    tag = None if tables.is_kernel or tables.kind is SHARED else tables.tag
    if owed.is_full:
        if tables.is_kernel:
            raise AssertionViolation("the kernel's translations are never dropped all at once", _FILE)
        whole = "vmalls12e1is" if tables.is_guest else "vmalle1is" if tag is None else "aside1is"
        _broadcast(tables, whole, None, tag, True)
        return
    for va, _, is_terminal, _ in owed.items:
        name = ("vale1is", "vae1is") if tag is not None else ("vaale1is", "vaae1is")
        if tables.is_guest:
            name = ("ipas2le1is", "ipas2e1is")
        _broadcast(tables, name[not is_terminal], va, tag, not is_terminal)


def _broadcast(tables: ArchTables, name: str, va: Vaddr | None, tag: Tag | None, with_tables: bool) -> None:
    tables.tlb.issue(name, va, tag)
    for cpu in tables.tlb.cpus:
        tables.tlb.drop(cpu.number, tag=tag, va=va, with_global=tag is None, with_tables=with_tables)



ARM64 = Arch(
    name="arm64",
    mmu_file="zircon/kernel/arch/arm64/mmu.cc",
    kernel_aspace_base=0xFFFF000000000000,
    kernel_aspace_size=0x1000000000000,
    user_aspace_size=0xFFFFFEE00000,
    user_restricted_aspace_size=0x7FFFFFE00000,
    guest_size_shift=36,
    root_slot_shift=39,
    user_sign_bit=55,
    ignores_top_byte=True,
    has_guests=True,
    asserts_more_than_a_page=True,
    asserts_aligned_range=False,
    asserts_role_without_flags=False,
    asserts_restricted_role=False,
    asserts_inactive_at_destroy=False,
    asserts_valid_vaddr=True,
    asserts_equal_roots=False,
    asserts_unified_empty=False,
    asserts_user_half=True,
    asserts_unified_range=False,
    asserts_whole_harvest=True,
    asserts_unified_unedited=False,
    asserts_updates_enabled=True,
    refuses_uncached_code=True,
    unmaps_guests_to_protect=True,
    has_hardware_accessed_flag=False,
    tracks_table_accesses=True,
    map_marks_tables=True,
    switch_counts_as_access=False,
    unmap_harvest=UnmapHarvest.ACCESSED,
    forgets_last_partial_slot=False,
    user_tables=A64_USER_TABLES,
    kernel_tables=A64_KERNEL_TABLES,
    guest_tables=A64_GUEST_TABLES,
    shootdown=ShootdownRules(
        limit=16,
        global_bit=0,
        merges_runs=False,
        is_full_at_root=False,
        is_full_at_tables=False,
        kernel_goes_in_batches=True,
        issue=_issue,
    ),
    id_name="ASID",
    kernel_asid=GLOBAL_ASID,
    kernel_asid_when_off=GLOBAL_ASID,
    first_id=FIRST_USER_ASID,
    last_id=0xFFFF,
    id_when_off=FIRST_USER_ASID,
    no_id=ZX_ERR_NO_MEMORY,
    marks_dirty=False,
    flushes_at_destroy=True,
    tells_root=True,
    user_root_slots=512,
    aliases_kernel_half=False,
    kernel_root_is_full=False,
    unified_shares_root=True,
    counts_shared_slots=0,
    asserts_page_count=True,
    paddr_width=48,
    checks_canonical=False,
    checks_range=True,
    empty_is_ok_first=False,
    maps_nothing=False,
    refused_map_is_access=False,
    steps_over_large_pages=False,
    maps_below_tables=False,
    map_is_fenced=False,
    compares_without_flags=False,
    read_only_swap_is_queued=False,
    enlarges_only_if_asked=False,
    breaks_before_split=True,
    split_is_terminal=False,
)
