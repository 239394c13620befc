"""x86-64: four levels, kernel in the upper half of the same root table.

Mirrors `zircon/kernel/arch/x86/mmu.cc`, `zircon/kernel/arch/x86/page_tables/` and
`zircon/kernel/arch/x86/include/arch/kernel_aspace.h`.
"""

from vmaspace.model.arch.record import Arch
from vmaspace.model.arch.translations import UnmapHarvest

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
)
