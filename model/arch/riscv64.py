"""riscv64: three levels (Sv39), or four (Sv48); kernel in the upper half of the same root table.

Mirrors `zircon/kernel/arch/riscv64/mmu.cc`, `zircon/kernel/arch/riscv64/include/arch/riscv64/mmu.h` and
`zircon/kernel/arch/riscv64/include/arch/kernel_aspace.h`; bits as in the Privileged Specification, sections 10.3 to 10.5.
"""

from __future__ import annotations

from typing import Final

from vmaspace.model.arch.ids import FIRST_USER_ASID, GLOBAL_ASID, UNUSED_ID
from vmaspace.model.arch.options import SHARED
from vmaspace.model.arch.record import Arch, UnmapHarvest
from vmaspace.model.arch.regime import ALL_RIGHTS, Regime
from vmaspace.model.arch.shootdown import Shootdown, ShootdownRules
from vmaspace.model.arch.tlb import Tag
from vmaspace.model.status import ZX_ERR_NO_MEMORY

RV_VALID: Final = 1 << 0
RV_USER: Final = 1 << 4
RV_GLOBAL: Final = 1 << 5
RV_ACCESSED: Final = 1 << 6
RV_DIRTY: Final = 1 << 7
_RWX: Final = 0xE

_PPN: Final = 0x003FFFFFFFFFFC00
_ATTRIBUTES: Final = 0xFFC00000000003FF


def _plain_leaf_bits(flags: int, level: int) -> int:
    read, write, execute = flags >> 3 & 1, flags >> 4 & 1, flags >> 5 & 1
    return read << 1 | write << 2 | execute << 3 | (flags >> 2 & 1) << 4


def _plain_mmu_flags(entry: int, level: int) -> int:
    read, write, execute = entry >> 1 & 1, entry >> 2 & 1, entry >> 3 & 1
    return read << 3 | write << 4 | execute << 5 | (entry >> 4 & 1) << 2


def _leaf_bits(flags: int, level: int) -> int:
    # PBMT: 1 not cacheable, 2 I/O.
    low, high = flags & 1, flags >> 1 & 1
    return _plain_leaf_bits(flags, level) | low << 61 | (high & (1 ^ low)) << 62


def _mmu_flags(entry: int, level: int) -> int:
    return _plain_mmu_flags(entry, level) | (entry >> 61 & 1) | (entry >> 62 & 1) << 1


def _is_known(entry: int, level: int) -> int:
    return 1 ^ entry >> 61 & entry >> 62 & 1


def _leaf_rights(entry: int) -> int:
    may = entry >> 1 & 7
    return may << 3 | may * (entry >> 4 & 1)


def _sv(name: str, width: int, is_kernel: bool, has_svpbmt: bool) -> Regime:
    top = (width - 12) // 9 - 1
    return Regime(
        name=name,
        width=width,
        top_level=top,
        leaf_levels=(0, 1, 2),
        present=RV_VALID,
        leaf_flip=0,
        leaf_any=_RWX,
        frame_shift=2,
        table_frame=_PPN,
        leaf_frames=(_PPN,) * (top + 1),
        table_fixed=RV_VALID | (RV_GLOBAL if is_kernel else 0),
        leaf_fixed=RV_VALID | RV_ACCESSED | RV_DIRTY | (RV_GLOBAL if is_kernel else 0),
        accessed=RV_ACCESSED,
        dirty=RV_DIRTY,
        table_accessed=0,
        protect_clears=_RWX,
        leaf_bits=_leaf_bits if has_svpbmt else _plain_leaf_bits,
        mmu_flags=_mmu_flags if has_svpbmt else _plain_mmu_flags,
        is_known=_is_known if has_svpbmt else lambda entry, level: 1,
        split_bits=lambda entry, level: entry & _ATTRIBUTES,
        table_rights=lambda entry: ALL_RIGHTS,
        leaf_rights=_leaf_rights,
    )


def riscv64_tables(width: int, is_kernel: bool, has_svpbmt: bool) -> Regime:
    """The tables of Sv39 or Sv48 (`width` 39 or 48), with or without the Svpbmt extension."""
    if width not in (39, 48):
        raise ValueError(f"riscv64 page tables translate 39 or 48 bits, not {width}")
    name = f"riscv64 Sv{width}{' kernel' if is_kernel else ''}{' with Svpbmt' if has_svpbmt else ''}"
    return _sv(name, width, is_kernel, has_svpbmt)


# Invalidation.


def _issue(owed: Shootdown) -> None:
    """Issue what an address space owes: every CPU is interrupted, and fences by ASID, or for all of them.

    *Kernel:* `Riscv64ArchVmAspace::FlushTLBEntryRun`, `FlushAsid` (zircon/kernel/arch/riscv64/mmu.cc)
    *Fails with:* nothing.
    """
    tables, tlb = owed.tables, owed.tables.tlb
    tags: list[Tag | None] = [tables.tag]
    if tables.is_kernel or tables.kind is SHARED:
        tags = [None]
    elif tables.unified is not None:
        tags.append(tables.unified.tag)
    runs = [(None, 1)] if owed.is_full else [(va, pages) for va, pages, _, _ in owed.items]
    for va, pages in runs:
        for tag in tags:
            tlb.issue("sfence.vma", va, tag)
            for cpu in tlb.cpus:
                # By address, a fence orders leaves alone; walk caches go with everything of an ASID.
                tlb.drop(cpu.number, tag=tag, va=va, pages=pages, with_global=tag is None, with_tables=va is None)



RISCV64 = Arch(
    name="riscv64",
    mmu_file="zircon/kernel/arch/riscv64/mmu.cc",
    kernel_aspace_base=0xFFFFFFC000000000,
    kernel_aspace_size=0x4000000000,
    user_aspace_size=0x3FFFE00000,
    user_restricted_aspace_size=0x1FFFE00000,
    guest_size_shift=41,
    root_slot_shift=30,
    user_sign_bit=38,
    ignores_top_byte=False,
    has_guests=False,
    asserts_more_than_a_page=False,
    asserts_aligned_range=True,
    asserts_role_without_flags=False,
    asserts_restricted_role=True,
    asserts_inactive_at_destroy=False,
    asserts_valid_vaddr=True,
    asserts_equal_roots=False,
    asserts_unified_empty=False,
    asserts_user_half=True,
    asserts_unified_range=True,
    asserts_whole_harvest=False,
    asserts_unified_unedited=False,
    asserts_updates_enabled=False,
    refuses_uncached_code=False,
    unmaps_guests_to_protect=False,
    has_hardware_accessed_flag=False,
    tracks_table_accesses=False,
    map_marks_tables=False,
    switch_counts_as_access=True,
    unmap_harvest=UnmapHarvest.NOTHING,
    forgets_last_partial_slot=False,
    user_tables=riscv64_tables(39, False, True),
    kernel_tables=riscv64_tables(39, True, True),
    guest_tables=None,
    shootdown=ShootdownRules(
        limit=8,
        global_bit=0,
        merges_runs=True,
        is_full_at_root=False,
        is_full_at_tables=True,
        kernel_goes_in_batches=True,
        issue=_issue,
    ),
    id_name="ASID",
    kernel_asid=GLOBAL_ASID,
    kernel_asid_when_off=UNUSED_ID,
    first_id=FIRST_USER_ASID,
    last_id=0xFFFF,
    id_when_off=UNUSED_ID,
    no_id=ZX_ERR_NO_MEMORY,
    marks_dirty=False,
    flushes_at_destroy=True,
    tells_root=False,
    user_root_slots=256,
    aliases_kernel_half=True,
    kernel_root_is_full=True,
    unified_shares_root=False,
    counts_shared_slots=1,
    asserts_page_count=True,
    paddr_width=56,
    checks_canonical=False,
    checks_range=False,
    empty_is_ok_first=False,
    maps_nothing=True,
    refused_map_is_access=False,
    steps_over_large_pages=False,
    maps_below_tables=False,
    map_is_fenced=True,
    compares_without_flags=False,
    read_only_swap_is_queued=False,
    enlarges_only_if_asked=False,
    breaks_before_split=False,
    split_is_terminal=False,
)
