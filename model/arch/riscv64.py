"""riscv64 with Sv39: three levels, kernel in the upper half of the same root table.

Mirrors `zircon/kernel/arch/riscv64/mmu.cc` and `zircon/kernel/arch/riscv64/include/arch/kernel_aspace.h`.
"""

from vmaspace.model.arch.record import Arch
from vmaspace.model.arch.translations import UnmapHarvest

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
)
