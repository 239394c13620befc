"""arm64: four levels, a root table of its own for user space, and tagged addresses.

Mirrors `zircon/kernel/arch/arm64/mmu.cc` and `zircon/kernel/arch/arm64/include/arch/kernel_aspace.h`.
"""

from vmaspace.model.arch.record import Arch
from vmaspace.model.arch.translations import UnmapHarvest

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
)
