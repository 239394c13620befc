"""Mapping, unmapping and protecting: the edits of page tables.

Mirrors `AddMapping`, `RemoveMapping`, `UpdateMapping` and `SplitLargePage` of
`zircon/kernel/arch/x86/page_tables/include/arch/x86/page_tables/page_tables.h`, and `MapPageTable`, `UnmapPageTable`,
`ProtectPageTable` and `SplitLargePage` of `zircon/kernel/arch/{arm64,riscv64}/mmu.cc`: checks in each machine's order,
existing-entry actions, large pages and their splitting, roll-back.
"""

from __future__ import annotations

from collections.abc import Sequence

from vmaspace.model.arch.cursor import MappingCursor
from vmaspace.model.arch.options import (
    ERROR,
    RESTRICTED,
    SHARED,
    UNIFIED,
    UNMAP_ENLARGE,
    UNMAP_HARVEST,
    UPGRADE,
    ExistingEntryAction,
)
from vmaspace.model.arch.record import UnmapHarvest
from vmaspace.model.arch.regime import ENTRIES, INDEX_MASK, SHIFTS, reach
from vmaspace.model.arch.tables import ArchTables, present_in
from vmaspace.model.constants import ADDRESS_SPACE, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, ByteSize, Paddr, Vaddr
from vmaspace.model.flags import (
    MMU_CACHE_MASK,
    MMU_PERM_EXECUTE,
    MMU_PERM_READ,
    MMU_PERM_RWX_MASK,
)
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import (
    ZX_ERR_ALREADY_EXISTS,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    AssertionViolation,
    Status,
)

_LEAF = 0  # the level of entries that lead to single pages


class ArchMapper(ArchTables):
    """Page tables that are edited."""

    __slots__ = ()

    # Mapping.

    def map(self, va: Vaddr, paddrs: Sequence[Paddr], mmu_flags: int, action: ExistingEntryAction) -> Status:
        """Map the pages from `va` on to `paddrs`, one by one; never by a large page.

        *Kernel:* `ArchVmAspace::Map` (zircon/kernel/arch/*/mmu*)
        *Fails with:* INVALID_ARGS for a misaligned or foreign address, without READ, and (arm64) for EXECUTE with a cache
        policy; OUT_OF_RANGE (arm64) past the last address; NO_MEMORY for a table; ALREADY_EXISTS with ERROR, and in the
        way of a large page. Of the given pages none is mapped then; with SKIP and UPGRADE what was there before may be
        gone too.
        *Asserts:* (but on x86-64) an aligned address in the range and aligned pages; x86-64: not unified tables, no large
        page in the way of SKIP or UPGRADE; arm64: updates are enabled.
        """
        status = self._check_map(va, paddrs, mmu_flags, len(paddrs), is_run=False)
        if status is not ZX_OK or not paddrs:
            return status
        status = self._check_regime(va, len(paddrs))
        if status is not ZX_OK:
            return status
        return self._map_all(MappingCursor(va, paddrs, PAGE_SIZE), mmu_flags, action)

    def map_contiguous(self, va: Vaddr, paddr: Paddr, count: int, mmu_flags: int) -> Status:
        """Map `count` pages from `va` on to a run of physical pages, by the largest pages that fit.

        *Kernel:* `ArchVmAspace::MapContiguous` (zircon/kernel/arch/*/mmu*)
        *Fails with:* as `map` with ERROR.
        *Asserts:* as `map`.
        """
        status = self._check_map(va, [paddr], mmu_flags, count, is_run=True)
        if status is not ZX_OK or (count == 0 and not self.arch.maps_nothing):
            return status
        status = self._check_regime(va, count)
        if status is not ZX_OK:
            return status
        return self._map_all(MappingCursor(va, [paddr], count << PAGE_SHIFT), mmu_flags, ERROR)

    def _map_all(self, cursor: MappingCursor, mmu_flags: int, action: ExistingEntryAction) -> Status:
        """Map what the cursor goes over; on failure take back what it has passed."""
        self.accessed_since_check = True
        status = self._map_run(cursor, mmu_flags, action)
        if status is not ZX_OK and cursor.va != cursor.start:
            self._unmap_in(self.own_root(), self.regime.top_level, cursor.start, cursor.va, 0)
        self.shootdown.finish()
        return status

    def _map_run(self, cursor: MappingCursor, mmu_flags: int, action: ExistingEntryAction) -> Status:
        """Go down from the root for each last-level table, or large leaf, that the cursor comes to."""
        arch, regime, root, top = self.arch, self.regime, self.own_root(), self.regime.top_level
        mark, unit = self.map_mark, cursor.unit
        end = (cursor.start | reach(top + 1) - 1) + 1  # of the root
        while cursor.left and cursor.va < end:
            table, level, va = root, top, cursor.va
            while level:
                slot = va >> SHIFTS[level] & INDEX_MASK
                words = table.words
                entry = words[slot]
                if entry and regime.is_leaf(entry, level):
                    if action is not ERROR and arch.steps_over_large_pages:
                        raise AssertionViolation("single pages are not mapped over a large one", arch.mmu_file)
                    return ZX_ERR_ALREADY_EXISTS
                if unit > PAGE_SIZE and self._is_leaf_due(cursor, level):
                    if not entry:
                        self._map_leaf(cursor, table, slot, level, mmu_flags)
                        break
                    if not arch.maps_below_tables:
                        return ZX_ERR_ALREADY_EXISTS
                if entry:
                    if mark & ~entry:
                        words[slot] = entry | mark
                    table = self.table_at(entry)
                else:
                    made = self._hang_table(table, slot, va, level)
                    if made is None:
                        cursor.consume(min(PAGE_SIZE, cursor.left))  # so that the roll-back comes past here
                        return ZX_ERR_NO_MEMORY
                    table = made
                level -= 1
            else:
                status = self._map_pages(cursor, table, mmu_flags, action)
                if status is not ZX_OK:
                    return status
        return ZX_OK

    def _is_leaf_due(self, cursor: MappingCursor, level: int) -> bool:
        """Whether a large leaf of `level` fits where the cursor is."""
        span = reach(level)
        is_fit = not (cursor.va | cursor.paddr) & span - 1 and cursor.page_remaining >= span
        return is_fit and level in self.regime.leaf_levels

    def _map_leaf(
        self, cursor: MappingCursor, table: VmPage, slot: int, level: int, mmu_flags: int
    ) -> None:
        """Put a large leaf where nothing is."""
        leaf = cursor.paddr >> self.regime.frame_shift | self.leaf_bits(mmu_flags, level)
        self.set_entry(table, slot, cursor.va, level, leaf)
        if self.arch.map_is_fenced and self.is_kernel:
            self.shootdown.enqueue(cursor.va, level, 0, is_terminal=True)
        cursor.consume(reach(level))

    def _hang_table(self, table: VmPage, slot: int, va: Vaddr, level: int) -> VmPage | None:
        """A new table below an empty slot that a mapping goes through, marked; None: out of memory."""
        made = self.new_table()
        if made is not None:
            new = self.regime.table(made.paddr) | self.map_mark
            if level == self.regime.top_level:
                self._propagate(slot, va, new)
            self.set_entry(table, slot, va, level, new, is_terminal=False)
        return made

    def _map_pages(
        self, cursor: MappingCursor, table: VmPage, mmu_flags: int, action: ExistingEntryAction
    ) -> Status:
        regime, words = self.regime, table.words
        bits, frame, shift = self.leaf_bits(mmu_flags, _LEAF), regime.leaf_frames[_LEAF], regime.frame_shift
        fenced = self.arch.map_is_fenced and self.is_kernel
        is_read_only = mmu_flags & MMU_PERM_RWX_MASK == MMU_PERM_READ
        ignored = self.ignored_flags
        va = cursor.va
        first = slot = va >> PAGE_SHIFT & INDEX_MASK
        status, created = ZX_OK, 0
        for paddr in cursor.next_pages(ENTRIES - first):
            old, new = words[slot], paddr >> shift | bits
            if not old:
                words[slot] = new
                created += 1
            elif action is ERROR:
                status = ZX_ERR_ALREADY_EXISTS
                break
            elif action is UPGRADE:
                is_same = not (old ^ new) & frame
                # One page never comes to allow less.
                if not is_same or (not is_read_only and (old ^ new) & ~ignored):
                    self._upgrade(table, slot, va, new, is_straight=is_same or is_read_only, is_same_page=is_same)
            if fenced and words[slot] != old:
                self.shootdown.enqueue(va, _LEAF, 0, is_terminal=True)
            slot += 1
            va += PAGE_SIZE
        table.num_mappings += created
        cursor.consume_pages(slot - first)
        return status

    def _upgrade(
        self, table: VmPage, slot: int, va: Vaddr, new: int, *, is_straight: bool, is_same_page: bool
    ) -> None:
        """Put another leaf in place of one that is there; `is_straight`: without a break."""
        if not is_straight:
            self.set_entry(table, slot, va, _LEAF, 0)
            self.shootdown.flush()
        elif not is_same_page and not self.arch.read_only_swap_is_queued:
            # As implemented, a CPU may go on to read the old page.
            table.words[slot] = new
            return
        self.set_entry(table, slot, va, _LEAF, new)

    def _propagate(self, slot: int, va: Vaddr, new: int) -> None:
        """A root entry of a restricted part changes in the root of its unified tables too, where these have their own."""
        unified = self.unified
        if self.kind is not RESTRICTED or unified is None or self.arch.unified_shares_root:
            return
        root, ours, theirs = unified.own_root(), self.own_root().words[slot], unified.own_root().words[slot]
        flags = self.regime.table_accessed | self.regime.dirty if self.regime.table_accessed else 0
        if self.arch.asserts_equal_roots and (ours ^ theirs) & ~flags:
            raise AssertionViolation("a restricted root and its unified root agree", self.arch.mmu_file)
        if theirs == new:
            return  # riscv64: a large page in a restricted root is never propagated, nor what comes of it
        unified.set_entry(root, slot, va, self.regime.top_level, new, is_terminal=False)
        unified.shootdown.flush()

    # Unmapping.

    def unmap(self, va: Vaddr, count: int, options: int = 0) -> Status:
        """Take away what is mapped in `count` pages from `va` on; holes are fine. A large page that is met in part is split.

        *Kernel:* `ArchVmAspace::Unmap` (zircon/kernel/arch/*/mmu*)
        *Fails with:* INVALID_ARGS (x86-64) for an address that is misaligned or outside the range; OUT_OF_RANGE (arm64)
        past the last address; NOT_SUPPORTED (arm64, early in boot) for a split; without ENLARGE NO_MEMORY for a split:
        what lies lower is gone then. With it, the whole large page goes.
        *Asserts:* (but on x86-64) an aligned address in the range; x86-64: not unified tables; arm64: updates are enabled.
        """
        self._assert_editable()
        status = self._check_start(va)
        if status is ZX_OK:
            status = self._check_regime(va, count)
        if status is not ZX_OK or not count:
            return status
        root, top = self.own_root(), self.regime.top_level
        status = self._unmap_in(root, top, va, va + (count << PAGE_SHIFT), options)
        self.shootdown.finish()
        return status

    def _unmap_in(self, table: VmPage, level: int, low: Vaddr, high: Vaddr, options: int) -> Status:
        regime = self.regime
        for slot, entry, start, end in self.entries_in(table, level, low, high):
            if regime.is_leaf(entry, level):
                is_whole = end - start == reach(level)
                status = ZX_OK if is_whole else self._split_for_edit(table, slot, start, level, options)
                if status is not ZX_OK:
                    is_kept = not options & UNMAP_ENLARGE if self.arch.enlarges_only_if_asked else not options
                    if is_kept or status is ZX_ERR_NOT_SUPPORTED:
                        return status
                if is_whole or status is not ZX_OK:
                    self.set_entry(table, slot, start, level, 0)
                    if is_whole and options & UNMAP_HARVEST:
                        self._report_removed(entry, level)
                    continue
                entry = table.words[slot]
            below = self.table_at(entry)
            if level - 1 == _LEAF:
                self._unmap_pages(below, start, end, options)
            else:
                status = self._unmap_in(below, level - 1, start, end, options)
                if status is not ZX_OK:
                    return status
            if not below.num_mappings and not (level == regime.top_level and self.keeps_root_table(slot)):
                self.unlink(table, below, slot, start, level)
        return ZX_OK

    def _unmap_pages(self, table: VmPage, low: Vaddr, high: Vaddr, options: int) -> None:
        words, shootdown = table.words, self.shootdown
        is_told = self.tlb.is_watching or self.is_kernel
        is_harvest = options & UNMAP_HARVEST
        removed = 0
        first = low >> PAGE_SHIFT & INDEX_MASK
        for slot, entry in present_in(words, first, first + (high - low >> PAGE_SHIFT)):
            va = low + (slot - first << PAGE_SHIFT)
            if is_told:
                self.tlb.entry_changes(self, table, va, _LEAF, entry)
            words[slot] = 0
            removed += 1
            shootdown.enqueue(va, _LEAF, entry, is_terminal=True)
            if is_harvest:
                self._report_removed(entry, _LEAF)
        table.num_mappings -= removed

    def keeps_root_table(self, slot: int) -> bool:
        """Whether the table below a root slot stays when it is empty."""
        if self.kind is SHARED:
            # As implemented, x86-64 forgets one (`documented_root_slots`); what is made there goes like any other.
            return slot in self.root_slots()
        return self.is_kernel and self.arch.aliases_kernel_half

    def unlink(self, table: VmPage, below: VmPage, slot: int, va: Vaddr, level: int) -> None:
        """Take an empty table out of the one above, and give it back after the flush."""
        if below.num_mappings:
            raise AssertionViolation("a table that is freed is empty", self.arch.mmu_file)
        if level == self.regime.top_level:
            self._propagate(slot, va, 0)
        self.set_entry(table, slot, va, level, 0, is_terminal=False)
        self.shootdown.free(below)

    def _report_removed(self, entry: int, level: int) -> None:
        harvest = self.arch.unmap_harvest
        if (harvest is UnmapHarvest.EVERYTHING and level == _LEAF) or (
            harvest is UnmapHarvest.ACCESSED and entry & self.regime.accessed
        ):
            self.report_accessed(entry, level)

    def report_accessed(self, entry: int, level: int) -> bool:
        """Tell the page queues that a leaf's first page was accessed; False for device memory, which has no age."""
        page = self.memory.page_for(self.regime.leaf_paddr(entry, level))
        if page is None or not page.is_allocated or page is self.memory.zero_page:
            return False
        self.system.page_queues.mark_accessed(page)
        return True

    # Splitting.

    def _split_for_edit(self, table: VmPage, slot: int, va: Vaddr, level: int, options: int) -> Status:
        """Split a large page that an edit meets in part, unless it is too early for that."""
        # As implemented, the test is on Enlarge being absent; one would expect the reverse.
        if self.arch.breaks_before_split and not self.system.allows_break_before_make and not options & UNMAP_ENLARGE:
            return ZX_ERR_NOT_SUPPORTED
        return self._split(table, slot, va, level)

    def _split(self, table: VmPage, slot: int, va: Vaddr, level: int) -> Status:
        """Replace a large page by a table of smaller ones that translate the same.

        *Kernel:* `SplitLargePage` (zircon/kernel/arch/*/mmu*)
        *Fails with:* NO_MEMORY for the table; nothing has changed then.
        """
        made = self.new_table()
        if made is None:
            return ZX_ERR_NO_MEMORY
        regime, leaf = self.regime, table.words[slot]
        words = made.words
        for index in range(ENTRIES):
            words[index] = regime.child_leaf(leaf, level, index)
        made.num_mappings = ENTRIES
        new = regime.table(made.paddr)
        is_broken = self.arch.breaks_before_split and self.system.allows_break_before_make
        if is_broken:
            self.set_entry(table, slot, va, level, 0)
            self.shootdown.flush()
        self.set_entry(table, slot, va, level, new, is_terminal=self.arch.split_is_terminal)
        if is_broken:
            self.shootdown.enqueue(va, level, leaf, is_terminal=False)
        return ZX_OK

    # Protecting.

    def protect(self, va: Vaddr, count: int, mmu_flags: int, options: int = 0) -> Status:
        """Change the flags of what is mapped in `count` pages from `va` on; holes are skipped.

        *Kernel:* `ArchVmAspace::Protect` (zircon/kernel/arch/*/mmu*)
        *Fails with:* INVALID_ARGS for an address that is misaligned or outside the range, without READ, and (arm64) for
        EXECUTE with a cache policy and past the last address; NO_MEMORY for a split, NOT_SUPPORTED (arm64, early in boot):
        what lies lower has changed then.
        *Asserts:* x86-64: not unified tables; arm64: updates are enabled.
        """
        self._assert_editable()
        if not self.is_valid_vaddr(va) or not self._is_page_start(va):
            return ZX_ERR_INVALID_ARGS
        if self.arch.empty_is_ok_first and not count:
            return ZX_OK
        status = self._check_flags(mmu_flags)
        if status is not ZX_OK:
            return status
        if self.arch.unmaps_guests_to_protect and self.is_guest:
            return self.unmap(va, count, UNMAP_ENLARGE)
        if self._check_regime(va, count) is not ZX_OK:
            return ZX_ERR_INVALID_ARGS
        if not count:
            return ZX_OK
        root, top = self.own_root(), self.regime.top_level
        status = self._protect_in(root, top, va, va + (count << PAGE_SHIFT), mmu_flags, options)
        self.shootdown.finish()
        return status

    def _protect_in(
        self, table: VmPage, level: int, low: Vaddr, high: Vaddr, mmu_flags: int, options: int
    ) -> Status:
        regime, span = self.regime, reach(level)
        for slot, found, start, end in self.entries_in(table, level, low, high):
            entry, is_leaf = found, regime.is_leaf(found, level)
            if is_leaf and end - start < span:
                status = self._split_for_edit(table, slot, start, level, options)
                if status is not ZX_OK:
                    return status
                entry = table.words[slot]
                is_leaf = regime.is_leaf(entry, level)
            if is_leaf:
                new = regime.protected(entry, mmu_flags, level)
                if (entry ^ new) & ~self.ignored_flags:
                    self.set_entry(table, slot, start, level, new)
                continue
            status = self._protect_in(self.table_at(entry), level - 1, start, end, mmu_flags, options)
            if status is not ZX_OK:
                return status
        return ZX_OK

    # Checks.

    def _assert_editable(self) -> None:
        if self.kind is UNIFIED and self.arch.asserts_unified_unedited:
            raise AssertionViolation("unified page tables are not edited directly", self.arch.mmu_file)

    def _check_map(self, va: Vaddr, paddrs: Sequence[Paddr], mmu_flags: int, count: int, *, is_run: bool) -> Status:
        """The checks of a mapping up to those of the regime.

        Where it starts, the pages, the flags, the alignment. A run of pages is looked at after the flags. x86-64 looks
        at the flags last, and not for no pages.
        """
        arch = self.arch
        self._assert_editable()
        if not self.is_valid_vaddr(va):
            return self.misuse("an edit starts in the range of the page tables")
        if arch.refused_map_is_access:
            self.accessed_since_check = True
        flags = self._check_flags(mmu_flags)
        is_early = flags is not ZX_OK and not arch.empty_is_ok_first
        if is_early and is_run:
            return flags
        for paddr in paddrs:
            if paddr & PAGE_MASK or paddr >> arch.paddr_width:
                return self.misuse("pages are aligned, and lie in physical memory")
        if is_early:
            return flags
        if not self._is_page_start(va):
            return self.misuse("an edit starts at a page")
        return flags if count else ZX_OK

    def _check_start(self, va: Vaddr) -> Status:
        if not self.is_valid_vaddr(va):
            return self.misuse("an edit starts in the range of the page tables")
        return ZX_OK if self._is_page_start(va) else self.misuse("an edit starts at a page")

    def _is_page_start(self, va: Vaddr) -> bool:
        return not va & PAGE_MASK and (not self.arch.checks_canonical or self.is_canonical(va))

    def _check_regime(self, va: Vaddr, count: int) -> Status:
        """The last checks before the tables are touched; arm64 alone has some."""
        if self.arch.asserts_updates_enabled and not self.updates_enabled:
            raise AssertionViolation("page tables are not edited once updates are disabled", self.arch.mmu_file)
        if self.arch.checks_range and not self.is_in_regime(va, count << PAGE_SHIFT):
            return ZX_ERR_OUT_OF_RANGE
        return ZX_OK

    def _check_flags(self, mmu_flags: int) -> Status:
        if not mmu_flags & MMU_PERM_READ:
            return ZX_ERR_INVALID_ARGS
        if self.arch.refuses_uncached_code and mmu_flags & MMU_PERM_EXECUTE and mmu_flags & MMU_CACHE_MASK:
            return ZX_ERR_INVALID_ARGS
        return ZX_OK

    def is_canonical(self, va: Vaddr) -> bool:
        """Whether the bits of `va` above those that are translated are all like the highest one that is."""
        half = 1 << self.regime.width - 1
        return va < half or va >= ADDRESS_SPACE - half

    def is_in_regime(self, va: Vaddr, size: ByteSize) -> bool:
        """Whether the tables can translate `[va, va + size)`."""
        start = va - self.arch.kernel_aspace_base if self.is_kernel else va
        return start >= 0 and start + size <= 1 << self.regime.width
