"""Which pages were accessed: the flags that hardware or a fault sets, and their harvest.

Mirrors `ArchVmAspace::MarkAccessed`, `HarvestAccessed`, `AccessedSinceLastCheck` and `ContextSwitch`
(`zircon/kernel/arch/*/mmu*`). x86-64 sets accessed flags in hardware at every level; arm64 in software; riscv64 has
none in the entries above the last level, and never frees a table in a harvest.

Does not model what a CPU has loaded besides which address space is active.
"""

from __future__ import annotations

from enum import IntEnum

from vmaspace.model.arch.translations import ENTRY_ACCESSED, TABLE_SHIFT, ArchTranslations
from vmaspace.model.constants import PAGE_MASK, Vaddr
from vmaspace.model.status import (
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    Status,
)


class NonTerminalAction(IntEnum):
    """`NonTerminalAction`: what a harvest does with a page table that was not accessed."""

    FREE_UNACCESSED = 0
    RETAIN = 1


class TerminalAction(IntEnum):
    """`TerminalAction`: whether a harvest clears the flags of the pages that it reports."""

    UPDATE_AGE_AND_HARVEST = 0
    UPDATE_AGE = 1


class ArchAccess(ArchTranslations):
    """Page tables, as a record of accesses."""

    __slots__ = ()

    def mark_accessed(self, va: Vaddr, count: int) -> Status:
        """Note that `count` pages from `va` on were accessed, where something is mapped.

        *Kernel:* `ArchVmAspace::MarkAccessed` (zircon/kernel/arch/*/mmu*)
        *Fails with:* NOT_SUPPORTED on x86-64, where hardware does it; OUT_OF_RANGE for an address that is
        misaligned or outside the range.
        """
        if self.arch.has_hardware_accessed_flag:
            return ZX_ERR_NOT_SUPPORTED
        if not self.is_valid_vaddr(va) or va & PAGE_MASK:
            return ZX_ERR_OUT_OF_RANGE
        self.accessed_since_check = True
        self._set_accessed(va, count)
        return ZX_OK

    def hardware_access(self, va: Vaddr) -> None:
        """What a CPU does to the entries on the way to a page that it accesses, on a machine that does so."""
        owner = self.owner(va)
        if isinstance(owner, ArchAccess):
            owner.accessed_since_check = True  # the CPU has these tables loaded
            owner._set_accessed(va & ~PAGE_MASK, 1)

    def is_accessed(self, va: Vaddr) -> bool:
        """Whether the entry of `va` has its accessed flag."""
        return bool(self.entry(va) & ENTRY_ACCESSED)

    def _set_accessed(self, va: Vaddr, count: int) -> None:
        for _, table, first, last in self.tables_in_range(va, count):
            table.is_accessed = True
            for index in range(first, last + 1):
                if index in table.entries:
                    table.entries[index] |= ENTRY_ACCESSED

    def harvest_accessed(
        self, va: Vaddr, count: int, non_terminal: NonTerminalAction, terminal: TerminalAction
    ) -> Status:
        """Report the accessed pages among `count` pages from `va` on to the page queues.

        *Kernel:* `ArchVmAspace::HarvestAccessed` (zircon/kernel/arch/*/mmu*)
        *Fails with:* INVALID_ARGS for an address that is misaligned or outside the range.
        *Leaves alone:* pages of device memory, flag included.
        """
        if not self.is_valid_vaddr(va) or va & PAGE_MASK:
            return ZX_ERR_INVALID_ARGS
        frees = non_terminal is NonTerminalAction.FREE_UNACCESSED
        for key, table, first, last in list(self.tables_in_range(va, count)):
            if self.arch.tracks_table_accesses and not table.is_accessed:
                if frees:
                    self.free_table(key)
                continue
            for index in range(first, last + 1):
                entry = table.entries.get(index, 0)
                if (
                    entry & ENTRY_ACCESSED
                    and self.report_accessed(entry)
                    and terminal is TerminalAction.UPDATE_AGE_AND_HARVEST
                ):
                    table.entries[index] = entry & ~ENTRY_ACCESSED
            if frees:
                table.is_accessed = False
        return ZX_OK

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

    def context_switch(self) -> None:
        """Load these tables on a CPU, where the machine takes that for an access.

        *Kernel:* `ArchVmAspace::ContextSwitch` (zircon/kernel/arch/*/mmu*)
        *Fails with:* nothing.
        """
        if self.arch.switch_counts_as_access:
            self.accessed_since_check = True

    def next_user_page_table_offset(self, va: Vaddr) -> Vaddr:
        """The next address at which a new last-level table starts.

        *Kernel:* `ArchVmAspace::NextUserPageTableOffset` (zircon/kernel/arch/*/include/arch/aspace.h)
        *Fails with:* nothing.
        """
        return ((va >> TABLE_SHIFT) + 1) << TABLE_SHIFT
