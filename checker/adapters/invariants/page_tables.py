"""Page tables: what is never written into them, and who may harvest them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from vmaspace.checker.adapters.invariants.aspaces import ObservedUnification
from vmaspace.checker.adapters.invariants.faults import FaultingMapping, tell_of_mapped
from vmaspace.checker.adapters.invariants.journal import invariant, journal_of
from vmaspace.model.arch.aspace import ArchAspaceKind, NonTerminalAction, TerminalAction
from vmaspace.model.arch.options import ExistingEntryAction
from vmaspace.model.constants import Paddr, Vaddr
from vmaspace.model.flags import MMU_PERM_WRITE, AspaceType
from vmaspace.model.status import ZX_OK, Status

_ASPACE: Final = "vm/vm_aspace.cc"
_MAPPING: Final = "vm/vm_mapping.cc"

UNIFIED_UNEDITED = invariant("aspace-29", "Unified page tables are not edited directly.", "arch/x86/mmu.cc")
NO_WRITE_BY_PROTECTION = invariant(
    "vmar-23", "A protection change puts no writable entry into the page tables.", _MAPPING
)
ZERO_PAGE = invariant("vmar-24", "The shared zero page is not writable in a user space.", _MAPPING)
HIGH_IS_LEFT_ALONE = invariant("faults-20", "An address space of high priority is not harvested.", _ASPACE)
HARVEST_SUCCEEDS = invariant("faults-22", "The harvest of a whole user space on the list succeeds.", _ASPACE)
HARVEST_OF_LISTED = invariant(
    "faults-23", "Only page tables of address spaces on the list are harvested.", _ASPACE
)


class ObservedTables(ObservedUnification):
    """Tells of what is done to page tables."""

    __slots__ = ()

    def map(self, va: Vaddr, paddrs: Sequence[Paddr], mmu_flags: int, action: ExistingEntryAction) -> Status:
        self._tell_if_unified()
        journal = journal_of(self.system)
        owner = journal.owners.get(self)
        is_users = owner is not None and owner.type is AspaceType.USER
        if is_users and mmu_flags & MMU_PERM_WRITE and self.system.pmm.zero_page.paddr in paddrs:
            journal.breach(ZERO_PAGE, f"{owner!r} gets it at {va:#x}")
        status = super().map(va, paddrs, mmu_flags, action)
        if status is ZX_OK and journal.fault is not None:
            tell_of_mapped(journal, va, list(paddrs), mmu_flags)
        return status

    def unmap(self, va: Vaddr, count: int, *args: Any) -> Status:
        self._tell_if_unified()
        fault = journal_of(self.system).fault
        if fault is not None:
            fault.unmapped = True
        return super().unmap(va, count, *args)

    def protect(self, va: Vaddr, count: int, mmu_flags: int, *args: Any) -> Status:
        self._tell_if_unified()
        journal = journal_of(self.system)
        if mmu_flags & MMU_PERM_WRITE and journal.is_protecting:
            journal.breach(NO_WRITE_BY_PROTECTION, f"{count} pages from {va:#x} on become writable")
        return super().protect(va, count, mmu_flags, *args)

    def _tell_if_unified(self) -> None:
        if self.kind is ArchAspaceKind.UNIFIED and self.arch.asserts_unified_unedited:
            journal_of(self.system).breach(UNIFIED_UNEDITED, "unified page tables are edited")

    def harvest_accessed(
        self, va: Vaddr, count: int, non_terminal: NonTerminalAction, terminal: TerminalAction
    ) -> Status:
        journal = journal_of(self.system)
        owner = journal.owners[self]
        if owner.high_priority_count:
            journal.breach(HIGH_IS_LEFT_ALONE, f"{owner!r} is harvested")
        if owner not in self.system.aspaces or self.root is None:
            journal.breach(HARVEST_OF_LISTED, f"{owner!r} is harvested")
        status = super().harvest_accessed(va, count, non_terminal, terminal)
        if status is not ZX_OK and va == self.base:
            journal.breach(HARVEST_SUCCEEDS, f"{owner!r} answers {status!r}")
        return status


class ProtectedMapping(FaultingMapping):
    """Tells when a protection is being changed."""

    __slots__ = ()

    def protect_part(self, base: Vaddr, size: int, mmu_flags: int) -> Status:
        journal = journal_of(self.aspace.system)
        journal.is_protecting = True
        try:
            return super().protect_part(base, size, mmu_flags)
        finally:
            journal.is_protecting = False
