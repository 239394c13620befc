"""x86-64: four levels, kernel in the upper half of the same root table; extended page tables for guests.

Mirrors `zircon/kernel/arch/x86/mmu.cc`, `zircon/kernel/arch/x86/page_tables/` and
`zircon/kernel/arch/x86/include/arch/kernel_aspace.h`; bits as in Intel SDM volume 3, chapters 4 and 28.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vmaspace.model.arch.ids import UNUSED_ID
from vmaspace.model.arch.options import SHARED
from vmaspace.model.arch.record import Arch, UnmapHarvest
from vmaspace.model.arch.regime import Regime
from vmaspace.model.arch.shootdown import Shootdown, ShootdownRules
from vmaspace.model.arch.tlb import GLOBAL, Tag
from vmaspace.model.status import ZX_ERR_NO_RESOURCES

if TYPE_CHECKING:
    from vmaspace.model.arch.tables import ArchTables

X86_PRESENT: Final = 1 << 0
X86_WRITE: Final = 1 << 1
X86_USER: Final = 1 << 2
X86_ACCESSED: Final = 1 << 5
X86_DIRTY: Final = 1 << 6
X86_LARGE: Final = 1 << 7
X86_GLOBAL: Final = 1 << 8
X86_NO_EXECUTE: Final = 1 << 63

_FRAMES: Final = (0x000FFFFFFFFFF000, 0x000FFFFFFFE00000, 0x000FFFFFC0000000, 0)
_LARGE_FLAGS: Final = 0x8000000000001FFF  # what the leaves of a split inherit


def _leaf_bits(flags: int, level: int) -> int:
    write, user, execute = flags >> 4 & 1, flags >> 2 & 1, flags >> 5 & 1
    uncached, combining = (flags | flags >> 1) & 1, flags & flags >> 1 & 1
    # Index 0, 3 or 7 of the PAT; its highest bit moves where PS takes its place.
    pat = uncached * 0x18 | combining << (12 if level else 7)
    large = X86_LARGE if level else 0
    return write << 1 | user << 2 | (1 ^ execute) << 63 | pat | large


def _pat_index(entry: int, level: int) -> int:
    return entry >> 3 & 3 | (entry >> (12 if level else 7) & 1) << 2


def _mmu_flags(entry: int, level: int) -> int:
    pat = _pat_index(entry, level)
    uncached = pat & pat >> 1 & 1
    cache = uncached | (uncached & pat >> 2) << 1
    return 8 | (entry >> 1 & 1) << 4 | (entry >> 2 & 1) << 2 | (1 ^ entry >> 63 & 1) << 5 | cache


def _is_known(entry: int, level: int) -> int:
    pat = _pat_index(entry, level)
    low, high = pat & 1, pat >> 1 & 1
    return 1 ^ low ^ high ^ ((1 ^ low) & (1 ^ high) & pat >> 2)


def _split_bits(entry: int, level: int) -> int:
    bits = entry & _LARGE_FLAGS
    if level > 1:
        return bits
    return bits & ~(X86_LARGE | 1 << 12) & _LARGE_FLAGS | (entry >> 12 & 1) << 7


def _rights(entry: int) -> int:
    write, user, execute = entry >> 1 & 1, entry >> 2 & 1, 1 ^ entry >> 63 & 1
    kernel = 1 | write << 1 | execute << 2
    return kernel << 3 | kernel * user


def _mmu(name: str, leaf_fixed: int) -> Regime:
    return Regime(
        name=name,
        width=48,
        top_level=3,
        leaf_levels=(0, 1, 2),
        present=X86_PRESENT,
        leaf_flip=0,
        leaf_any=X86_LARGE,
        frame_shift=0,
        table_frame=_FRAMES[0],
        leaf_frames=_FRAMES,
        table_fixed=X86_PRESENT | X86_WRITE | X86_USER,
        leaf_fixed=leaf_fixed,
        accessed=X86_ACCESSED,
        dirty=X86_DIRTY,
        table_accessed=X86_ACCESSED,
        protect_clears=0,
        leaf_bits=_leaf_bits,
        mmu_flags=_mmu_flags,
        is_known=_is_known,
        split_bits=_split_bits,
        table_rights=_rights,
        leaf_rights=_rights,
    )


X86_USER_TABLES: Final = _mmu("x86-64", X86_PRESENT)
X86_KERNEL_TABLES: Final = _mmu("x86-64 kernel", X86_PRESENT | X86_GLOBAL)


# Extended page tables.


def _ept_leaf_bits(flags: int, level: int) -> int:
    cached, combining = 1 ^ (flags | flags >> 1) & 1, flags & flags >> 1 & 1
    large = X86_LARGE if level else 0
    return (flags >> 4 & 1) << 1 | (flags >> 5 & 1) << 2 | (cached * 6 | combining) << 3 | large


def _ept_mmu_flags(entry: int, level: int) -> int:
    # The memory type: 6 write-back, 1 write-combining, 0 uncached.
    kind = entry >> 3 & 7
    uncached, combining = 1 ^ kind >> 2 & 1, kind & 1
    return 8 | (entry >> 1 & 1) << 4 | (entry >> 2 & 1) << 5 | uncached | combining << 1


def _ept_is_known(entry: int, level: int) -> int:
    a, b, c = entry >> 3 & 1, entry >> 4 & 1, entry >> 5 & 1
    return (b & c & (1 ^ a)) | ((1 ^ b) & (1 ^ c))


def _ept_rights(entry: int) -> int:
    return (entry & 7) * 9


EPT: Final = Regime(
    name="EPT",
    width=48,
    top_level=3,
    leaf_levels=(0, 1),
    present=X86_PRESENT,
    leaf_flip=0,
    leaf_any=X86_LARGE,
    frame_shift=0,
    table_frame=_FRAMES[0],
    leaf_frames=_FRAMES,
    table_fixed=7,
    leaf_fixed=1,
    accessed=X86_ACCESSED,  # what the engine looks at; in a leaf of an EPT the bit is part of the memory type
    dirty=X86_DIRTY,
    table_accessed=X86_ACCESSED,
    protect_clears=0,
    leaf_bits=_ept_leaf_bits,
    mmu_flags=_ept_mmu_flags,
    is_known=_ept_is_known,
    split_bits=lambda entry, level: entry & _LARGE_FLAGS,
    table_rights=_ept_rights,
    leaf_rights=_ept_rights,
)


# Invalidation.


def _issue(owed: Shootdown) -> None:
    """Issue what an address space owes: by interrupt to the CPUs that are in it; the others are told to drop its PCID.

    *Kernel:* `X86PageTableMmu::TlbInvalidate`, `X86PageTableEpt::TlbInvalidate` (zircon/kernel/arch/x86/mmu.cc)
    *Fails with:* nothing.
    """
    tables, tlb = owed.tables, owed.tables.tlb
    if tables.is_guest:
        tlb.issue("invept", None, tables.tag)
        for cpu in tlb.cpus:
            tlb.drop(cpu.number, tag=tables.tag)
        return
    if tables.is_kernel and not owed.has_global:
        # As implemented: who owes nothing global is sought among the CPUs that are in the space, and nobody is in the
        # kernel's. So it goes when a mapping fails that has hung a table and not yet made a leaf.
        tlb.excuse(tables.tag)
        return
    is_shared = tables.kind is SHARED
    spaces = [tables] if tables.unified is None else [tables, tables.unified]
    everywhere = is_shared or owed.has_global
    active = 0
    for space in spaces if not everywhere else ():
        space.dirty_cpus |= ~space.active_cpus
        active |= space.active_cpus
    for cpu in tlb.cpus:
        if everywhere or active >> cpu.number & 1:
            _invalidate_on(cpu.number, owed, spaces, is_shared)


def _invalidate_on(cpu: int, owed: Shootdown, spaces: list[ArchTables], is_shared: bool) -> None:
    tlb = owed.tables.tlb
    here = [space for space in spaces if space.active_cpus >> cpu & 1]
    if owed.is_full or is_shared:
        if owed.has_global:
            tlb.issue("invpcid everything")
            tlb.drop(cpu, with_global=True)
        elif is_shared or owed.tables.asid == UNUSED_ID:
            tlb.issue("invpcid all but global")
            tlb.drop(cpu)
        for space in () if owed.has_global or is_shared else here:
            tlb.issue("invpcid all of one", None, space.tag)
            tlb.drop(cpu, tag=space.tag)
        return
    for va, _, _, is_global in owed.items:
        if is_global or owed.tables.asid == UNUSED_ID:
            current = tlb.cpus[cpu].active
            tlb.issue("invlpg", va)
            tlb.drop(cpu, tag=tlb_tag(current), va=va, with_global=True)
        for space in () if is_global else here:
            is_loaded = tlb.cpus[cpu].active is space
            tlb.issue("invlpg" if is_loaded else "invpcid", va, space.tag)
            tlb.drop(cpu, tag=space.tag, va=va)


def tlb_tag(tables: ArchTables | None) -> Tag:
    """The tag that a CPU is running under."""
    return GLOBAL if tables is None else tables.tag



X86_64 = Arch(
    name="x86_64",
    mmu_file="zircon/kernel/arch/x86/mmu.cc",
    kernel_aspace_base=0xFFFFFF8000000000,
    kernel_aspace_size=0x8000000000,
    user_aspace_size=0x7FFFFFDFF000,
    user_restricted_aspace_size=0x3FFFFFE00000,
    guest_size_shift=48,
    root_slot_shift=39,
    user_sign_bit=47,
    ignores_top_byte=False,
    has_guests=True,
    asserts_more_than_a_page=False,
    asserts_aligned_range=False,
    asserts_role_without_flags=True,
    asserts_restricted_role=True,
    asserts_inactive_at_destroy=True,
    asserts_valid_vaddr=False,
    asserts_equal_roots=True,
    asserts_unified_empty=True,
    asserts_user_half=False,
    asserts_unified_range=False,
    asserts_whole_harvest=False,
    asserts_unified_unedited=True,
    asserts_updates_enabled=False,
    refuses_uncached_code=False,
    unmaps_guests_to_protect=False,
    has_hardware_accessed_flag=True,
    tracks_table_accesses=True,
    map_marks_tables=False,
    switch_counts_as_access=True,
    unmap_harvest=UnmapHarvest.EVERYTHING,
    forgets_last_partial_slot=True,
    user_tables=X86_USER_TABLES,
    kernel_tables=X86_KERNEL_TABLES,
    guest_tables=EPT,
    shootdown=ShootdownRules(
        limit=32,
        global_bit=X86_GLOBAL,
        merges_runs=False,
        is_full_at_root=True,
        is_full_at_tables=False,
        kernel_goes_in_batches=False,
        issue=_issue,
    ),
    id_name="PCID",
    kernel_asid=0,
    kernel_asid_when_off=0,
    first_id=1,
    last_id=4095,
    id_when_off=UNUSED_ID,
    no_id=ZX_ERR_NO_RESOURCES,
    marks_dirty=True,
    flushes_at_destroy=False,
    tells_root=True,
    user_root_slots=256,
    aliases_kernel_half=True,
    kernel_root_is_full=False,
    unified_shares_root=False,
    counts_shared_slots=1,
    asserts_page_count=False,
    paddr_width=40,
    checks_canonical=True,
    checks_range=False,
    empty_is_ok_first=True,
    maps_nothing=False,
    refused_map_is_access=True,
    steps_over_large_pages=True,
    maps_below_tables=True,
    map_is_fenced=False,
    compares_without_flags=True,
    read_only_swap_is_queued=True,
    enlarges_only_if_asked=True,
    breaks_before_split=False,
    split_is_terminal=True,
)
