"""Which pages were accessed: the flags that hardware or a fault sets, and their harvest.

Mirrors `ArchVmAspace::MarkAccessed`, `HarvestAccessed`, `AccessedSinceLastCheck` and `NextUserPageTableOffset`
(`zircon/kernel/arch/*/mmu*`). x86-64 sets accessed flags in hardware at every level; arm64 in software; riscv64 has
none in the entries above the last level, and never frees a table in a harvest.

Does not model the lock that a harvest drops every 32 entries.
"""

from __future__ import annotations

from vmaspace.model.arch.mapper import ArchMapper
from vmaspace.model.arch.options import (
    RESTRICTED,
    SHARED,
    UNIFIED,
    NonTerminalAction,
    TerminalAction,
)
from vmaspace.model.arch.regime import index_at, reach
from vmaspace.model.arch.tables import present_in
from vmaspace.model.constants import PAGE_MASK, PAGE_SHIFT, Vaddr
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import (
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    AssertionViolation,
    Status,
)

_TABLE_SHIFT = 21  # log2 of the bytes that one last-level table reaches


class ArchAccess(ArchMapper):
    """Page tables, as a record of accesses."""

    __slots__ = ()

    def mark_accessed(self, va: Vaddr, count: int) -> Status:
        """Note that `count` pages from `va` on were accessed, where something is mapped; no large page in part.

        *Kernel:* `ArchVmAspace::MarkAccessed` (zircon/kernel/arch/*/mmu*)
        *Fails with:* NOT_SUPPORTED on x86-64, where hardware does it; OUT_OF_RANGE for an address that is
        misaligned or outside the range, and (arm64) past the last address.
        """
        if self.arch.has_hardware_accessed_flag:
            return ZX_ERR_NOT_SUPPORTED
        if not self._is_range_valid(va, count):
            return ZX_ERR_OUT_OF_RANGE
        self.accessed_since_check = True
        if count:
            self._mark_in(self.own_root(), self.regime.top_level, va, va + (count << PAGE_SHIFT))
        return ZX_OK

    def _mark_in(self, table: VmPage, level: int, low: Vaddr, high: Vaddr) -> None:
        regime, words = self.regime, table.words
        for slot, entry, start, end in self.entries_in(table, level, low, high):
            if not regime.is_leaf(entry, level):
                words[slot] = entry | regime.table_accessed
                self._mark_in(self.table_at(entry), level - 1, start, end)
            elif end - start == reach(level):
                words[slot] = entry | regime.accessed

    def harvest_accessed(
        self, va: Vaddr, count: int, non_terminal: NonTerminalAction, terminal: TerminalAction
    ) -> Status:
        """Report the accessed pages among `count` pages from `va` on to the page queues.

        *Kernel:* `ArchVmAspace::HarvestAccessed` (zircon/kernel/arch/*/mmu*)
        *Fails with:* INVALID_ARGS for an address that is misaligned or outside the range, and (arm64) past the last address.
        *Asserts:* x86-64: not unified tables.
        *Leaves alone:* pages of device memory, flag included; on x86-64 large pages are not reported and lose their flags.
        """
        if self.kind is UNIFIED and self.arch.asserts_unified_unedited:
            raise AssertionViolation("unified page tables are not harvested", self.arch.mmu_file)
        if not self._is_range_valid(va, count):
            return ZX_ERR_INVALID_ARGS
        if count:
            end = va + (count << PAGE_SHIFT)
            self._harvest_in(self.own_root(), self.regime.top_level, va, end, non_terminal, terminal)
            self.shootdown.finish()
        return ZX_OK

    def _harvest_in(
        self,
        table: VmPage,
        level: int,
        low: Vaddr,
        high: Vaddr,
        non_terminal: NonTerminalAction,
        terminal: TerminalAction,
    ) -> None:
        if not level:
            self._harvest_pages(table, low, high, terminal)
            return
        regime = self.regime
        frees = non_terminal is NonTerminalAction.FREE_UNACCESSED
        mark = regime.table_accessed
        is_hardware = self.arch.has_hardware_accessed_flag
        is_root = level == regime.top_level
        is_shared_root = is_root and self.kind is SHARED
        always = not mark or is_shared_root or (is_root and self._is_root_accessed_elsewhere())
        for slot, entry, start, end in self.entries_in(table, level, low, high):
            if regime.is_leaf(entry, level):
                if end - start == reach(level):
                    self._harvest_leaf(table, slot, start, level, terminal)
                elif self.arch.steps_over_large_pages:
                    raise AssertionViolation("a harvest does not meet a large page in part", self.arch.mmu_file)
                continue
            below = self.table_at(entry)
            if always or entry & mark:
                self._harvest_in(below, level - 1, start, end, non_terminal, terminal)
            elif frees:
                self._unmap_in(below, level - 1, start, end, 0)
                if below.num_mappings and self.arch.asserts_whole_harvest:
                    raise AssertionViolation("a harvest covers the whole of a table that it frees", self.arch.mmu_file)
            else:
                continue
            if not mark:
                continue
            if not below.num_mappings and not (is_root and self.keeps_root_table(slot)):
                self.unlink(table, below, slot, start, level)
            elif entry & mark and frees and (is_hardware or not end & reach(level) - 1):
                self._unmark(table, slot, start, level)

    def _harvest_pages(self, table: VmPage, low: Vaddr, high: Vaddr, terminal: TerminalAction) -> None:
        accessed, first = self.regime.accessed, index_at(low, 0)
        for slot, entry in present_in(table.words, first, first + (high - low >> PAGE_SHIFT)):
            if entry & accessed:
                self._harvest_leaf(table, slot, low + (slot - first << PAGE_SHIFT), 0, terminal)

    def _is_root_accessed_elsewhere(self) -> bool:
        """Whether accesses leave their mark in the root of unified tables only."""
        return self.kind is RESTRICTED and not self.arch.unified_shares_root

    def _unmark(self, table: VmPage, slot: int, va: Vaddr, level: int) -> None:
        entry = table.words[slot] & ~self.regime.table_accessed
        if self.arch.has_hardware_accessed_flag:
            # A walk that a CPU remembers would hide the next access.
            self.set_entry(table, slot, va, level, entry, is_terminal=False)
            self.shootdown.demand_everything()
        else:
            table.words[slot] = entry

    def _harvest_leaf(self, table: VmPage, slot: int, va: Vaddr, level: int, terminal: TerminalAction) -> None:
        regime, entry = self.regime, table.words[slot]
        flags = regime.accessed
        if self.arch.has_hardware_accessed_flag:
            flags |= regime.dirty
            if level:
                if entry & flags:
                    self.set_entry(table, slot, va, level, entry & ~flags)
                return
        if (
            entry & regime.accessed
            and self.report_accessed(entry, level)
            and terminal is TerminalAction.UPDATE_AGE_AND_HARVEST
        ):
            self.set_entry(table, slot, va, level, entry & ~flags)

    def _is_range_valid(self, va: Vaddr, count: int) -> bool:
        if not self.is_valid_vaddr(va) or va & PAGE_MASK:
            return False
        if self.arch.checks_canonical and not self.is_canonical(va):
            return False
        return not self.arch.checks_range or self.is_in_regime(va, count << PAGE_SHIFT)

    def accessed_since_last_check(self, clear: bool) -> bool:
        """Whether there may be accessed pages that the last clearing check did not know of.

        *Kernel:* `ArchVmAspace::AccessedSinceLastCheck` (zircon/kernel/arch/*/mmu*)
        *Fails with:* nothing.
        """
        accessed = self.accessed_since_check
        if clear:
            # Where switches count, tables that stay loaded may be accessed at any time.
            self.accessed_since_check = self.arch.switch_counts_as_access and self.system.is_loaded(self)
        return accessed

    def next_user_page_table_offset(self, va: Vaddr) -> Vaddr:
        """The next address at which a new last-level table starts.

        *Kernel:* `ArchVmAspace::NextUserPageTableOffset` (zircon/kernel/arch/*/include/arch/aspace.h)
        *Fails with:* nothing.
        """
        return ((va >> _TABLE_SHIFT) + 1) << _TABLE_SHIFT

    def pick_spot(self, base: Vaddr) -> Vaddr:
        """Where a region would go that was to go to `base`: the next page.

        *Kernel:* `ArchVmAspace::PickSpot` (zircon/kernel/arch/*/mmu*)
        *Fails with:* nothing.
        """
        return (base + PAGE_MASK) & ~PAGE_MASK
