"""What one architecture contributes: constants, and which of the known assertions it makes.

Mirrors `zircon/kernel/arch/*/include/arch/kernel_aspace.h` and the initialisers in `zircon/kernel/arch/*/mmu*`.

The bits of page-table entries are in the `Regime` of each kind of tables.
"""

from dataclasses import dataclass
from enum import IntEnum

from vmaspace.model.arch.regime import Regime
from vmaspace.model.arch.shootdown import ShootdownRules
from vmaspace.model.constants import MAX_U64, PAGE_SIZE, ByteSize, Vaddr
from vmaspace.model.status import Status


class UnmapHarvest(IntEnum):
    """Which pages an unmap with HARVEST reports to the page queues."""

    NOTHING = 0
    ACCESSED = 1
    EVERYTHING = 2


@dataclass(frozen=True, slots=True)
class Arch:
    """One architecture. Sizes in bytes."""

    name: str
    mmu_file: str  # the kernel file that holds the page-table code
    kernel_aspace_base: Vaddr
    kernel_aspace_size: ByteSize
    user_aspace_size: ByteSize
    user_restricted_aspace_size: ByteSize
    guest_size_shift: int
    root_slot_shift: int  # log2 of the bytes that one entry of the root table covers
    user_sign_bit: int  # user addresses have this bit, and the bits above that hardware looks at, clear
    ignores_top_byte: bool  # hardware ignores bits 56 to 63 of user addresses
    has_guests: bool  # Init takes an aspace that is neither kernel nor user
    asserts_more_than_a_page: bool  # Init: DEBUG_ASSERT size > PAGE_SIZE
    asserts_aligned_range: bool  # Init: DEBUG_ASSERT size > 0, base and size page aligned
    asserts_role_without_flags: bool  # InitShared and InitRestricted: DEBUG_ASSERT no arch flags
    asserts_restricted_role: bool  # InitUnified: the restricted part was created restricted
    asserts_inactive_at_destroy: bool  # Destroy: DEBUG_ASSERT that no CPU has the aspace loaded
    asserts_valid_vaddr: bool  # Map, Unmap, Query: DEBUG_ASSERT an address in the range; else INVALID_ARGS
    asserts_equal_roots: bool  # DEBUG_ASSERT that a restricted root equals its unified one before it changes
    asserts_unified_empty: bool  # Destroy: DEBUG_ASSERT that the restricted part was emptied before the unified space goes
    asserts_user_half: bool  # Init: DEBUG_ASSERT that a user's range is one that a user can have
    asserts_unified_range: bool  # InitUnified: DEBUG_ASSERT that base and size are 0
    asserts_whole_harvest: bool  # HarvestAccessed: DEBUG_ASSERT that a table that is freed is covered as a whole
    asserts_unified_unedited: bool  # Map, Unmap, Protect: DEBUG_ASSERT that the tables are not unified
    asserts_updates_enabled: bool  # Map, Unmap, Protect: ASSERT that DisableUpdates was not called
    refuses_uncached_code: bool  # Map, Protect: EXECUTE with a cache policy is INVALID_ARGS
    unmaps_guests_to_protect: bool  # Protect in a guest's tables is an Unmap
    has_hardware_accessed_flag: bool  # the CPU sets accessed flags; MarkAccessed is NOT_SUPPORTED
    tracks_table_accesses: bool  # entries above the last level have an accessed flag too
    map_marks_tables: bool  # Map sets it
    switch_counts_as_access: bool  # ContextSwitch makes AccessedSinceLastCheck true
    unmap_harvest: UnmapHarvest
    forgets_last_partial_slot: bool  # as implemented, a range that ends inside a root slot leaves that slot out
    user_tables: Regime
    kernel_tables: Regime
    guest_tables: Regime | None  # None: there are no guests
    shootdown: ShootdownRules
    # Roots and ids.
    id_name: str  # what the number of an address space is called
    kernel_asid: int
    kernel_asid_when_off: int  # while the machine does not tell address spaces apart
    last_id: int  # of those that user spaces get
    first_id: int
    id_when_off: int  # of every user space while the machine does not tell them apart
    no_id: Status  # Init: when there is none left
    marks_dirty: bool  # a CPU that is elsewhere is told to drop an id before it loads it again
    flushes_at_destroy: bool  # Destroy invalidates the id before it gives it back
    tells_root: bool  # arch_table_phys is not 0
    user_root_slots: int
    aliases_kernel_half: bool  # every root holds the kernel's entries too
    kernel_root_is_full: bool  # each of them leads to a table from the start, and never changes
    unified_shares_root: bool  # a unified space has the root and the id of its restricted part
    counts_shared_slots: int  # 1: the entries that InitShared makes count as mappings of the root
    asserts_page_count: bool  # Destroy: only the root is left
    # Edits.
    paddr_width: int  # bits of a physical address
    checks_canonical: bool  # a misaligned address and one that is not canonical are refused alike
    checks_range: bool  # that a range does not leave what the tables translate
    empty_is_ok_first: bool  # no pages are OK before the flags are looked at
    maps_nothing: bool  # MapContiguous of no pages counts as an access
    refused_map_is_access: bool  # Map counts as an access once it starts in the range, whatever comes of it
    steps_over_large_pages: bool  # Map of single pages over a large one violates the cursor, unless it is an error
    maps_below_tables: bool  # where a table is, MapContiguous goes on below; else it is in the way
    map_is_fenced: bool  # an entry that was not present may be remembered as such
    compares_without_flags: bool  # an entry that differs in accessed and dirty only is the same
    read_only_swap_is_queued: bool  # Upgrade to another page, read only: the old one is invalidated
    enlarges_only_if_asked: bool  # Unmap takes a large page whole with ENLARGE only; else with any option
    breaks_before_split: bool  # a large page is taken away before its table comes
    split_is_terminal: bool  # for the invalidation, a split is a change of a leaf
    user_aspace_base: Vaddr = 0x200000

    @property
    def user_top(self) -> Vaddr:
        """One past the last user address."""
        return self.user_aspace_base + self.user_aspace_size

    @property
    def restricted_top(self) -> Vaddr:
        """One past the last address of the restricted half."""
        return self.user_aspace_base + self.user_restricted_aspace_size

    @property
    def shared_base(self) -> Vaddr:
        """Where the process layer lets the shared half start: one page of nobody's above the restricted half."""
        return self.restricted_top + PAGE_SIZE

    @property
    def shared_size(self) -> ByteSize:
        """The size of the shared half."""
        return self.user_top - self.shared_base

    @property
    def guest_aspace_size(self) -> ByteSize:
        """The size of a guest's physical address space."""
        return 1 << self.guest_size_shift

    def root_slots(self, base: Vaddr, size: ByteSize) -> tuple[int, int]:
        """The first and the last root-table slot that `[base, base + size)` touches."""
        return base >> self.root_slot_shift, ((base + size - 1) & MAX_U64) >> self.root_slot_shift

    def is_user_accessible(self, va: Vaddr) -> bool:
        """Whether user code could hold `va` as an address of its own.

        *Kernel:* `is_user_accessible` (zircon/kernel/arch/*/include/arch/user_copy.h and kernel_aspace.h)
        *Fails with:* nothing.
        """
        if self.ignores_top_byte:
            return not va >> self.user_sign_bit & 1
        return not va >> self.user_sign_bit

    def untagged(self, va: Vaddr) -> Vaddr:
        """A user address as the page tables see it: without the byte that hardware ignores."""
        return va & ((1 << 56) - 1) if self.ignores_top_byte else va

    def is_user_accessible_range(self, va: Vaddr, size: ByteSize) -> bool:
        """Whether `[va, va + size)` can be a range of user addresses. An empty range is judged by its base.

        *Kernel:* `is_user_accessible_range` (zircon/kernel/vm/include/vm/vm.h)
        *Fails with:* nothing.
        """
        if va + size > MAX_U64 or not self.is_user_accessible(va):
            return False
        if size == 0:
            return True
        # With the top byte ignored, the ends may both be fine and lie on two sides of a stretch that is not.
        return size <= 1 << self.user_sign_bit and self.is_user_accessible(va + size - 1)
