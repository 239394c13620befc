"""Faults: under which conditions they are resolved, and what a mapping may put into the page tables for one."""

from __future__ import annotations

from typing import Any, Final

from vmaspace.checker.adapters.invariants.fault_record import FaultRecord
from vmaspace.checker.adapters.invariants.journal import Journal, invariant, journal_of
from vmaspace.checker.adapters.invariants.locks import LockedMapping, ObservedVmo, UsageAspace
from vmaspace.model.constants import PAGE_SHIFT, PAGE_SIZE, Paddr, Vaddr, round_up_page
from vmaspace.model.flags import (
    MMU_PERM_RWX_MASK,
    MMU_PERM_WRITE,
    VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE,
    VMM_PF_FLAG_ACCESS,
    VMM_PF_FLAG_NOT_PRESENT,
    VMM_PF_FLAG_USER,
    VMM_PF_FLAG_WRITE,
    AspaceType,
)
from vmaspace.model.mapping import VmMapping
from vmaspace.model.mapping_faults import MAX_OPTIMISTIC_PAGES
from vmaspace.model.physical_memory import PhysicalMemory, VmPage
from vmaspace.model.status import ZX_ERR_SHOULD_WAIT, ZX_OK, Status
from vmaspace.model.vmo import VmObject

_ASPACE: Final = "vm/vm_aspace.cc"
_MAPPING: Final = "vm/vm_mapping.cc"

UNLOCKED = invariant("faults-1", "No lock is held when the resolution of a fault begins.", _ASPACE)
NOT_DESTROYED = invariant("faults-2", "No fault is resolved in a destroyed address space.", _ASPACE)
NOT_BOTH = invariant("faults-3", "ACCESS and NOT_PRESENT are not combined.", _ASPACE)
CACHE_IS_NO_MATTER = invariant(
    "faults-6", "The last-fault entry finds the mapping that a search would find.", _ASPACE
)
WITHIN_THE_RANGE = invariant(
    "faults-7", "A fault installs no permission that its protection range lacks.", _MAPPING
)
READS_STAY_READS = invariant(
    "faults-8", "A read fault makes a page writable only if its paged VMO called the page so.", _MAPPING
)
OPTIMISTIC_PAGES_WERE_THERE = invariant(
    "faults-9", "Pages that come along with a fault were there before it.", _MAPPING
)
HOW_MANY = invariant(
    "faults-10", "A fault of one page maps at most 16, one of a range no more than the range has.", _MAPPING
)
ONE_PIECE = invariant(
    "faults-11", "What a fault maps lies in one protection range of one mapping, within the VMO.", _MAPPING
)
SKIPPED_IS_DONE = invariant(
    "faults-13", "An unmap that a fault put off is followed by an update or an unmap of the range.", _MAPPING
)
WAITS_COUNT = invariant(
    "faults-14", "No more pages are reported with a wait than were asked for besides the first.", _ASPACE
)
GUESTS_HAVE_NO_USERS = invariant("faults-16", "A guest's address space sees no USER faults.", _ASPACE)
UNIFIED_RESOLVE_NOTHING = invariant(
    "faults-17", "A unified address space resolves no faults.", "object/process_dispatcher.cc"
)


class FaultingAspace(UsageAspace):
    """Tells of the faults of an address space."""

    __slots__ = ()

    def page_fault(self, va: Vaddr, flags: int) -> Status:
        self._tell_of_flags(flags)
        return super().page_fault(va, flags)

    def soft_fault_in_range(self, va: Vaddr, flags: int, size: int) -> Status:
        self._tell_of_flags(flags)
        return super().soft_fault_in_range(va, flags, size)

    def _tell_of_flags(self, flags: int) -> None:
        if flags & VMM_PF_FLAG_ACCESS and flags & VMM_PF_FLAG_NOT_PRESENT:
            journal_of(self.system).breach(NOT_BOTH, f"{self!r} gets {int(flags):#x}")

    def _page_fault_internal(self, va: Vaddr, flags: int, additional_pages: int) -> Status:
        journal = journal_of(self.system)
        if self.system.held_locks.stack:
            journal.breach(UNLOCKED, f"{self.system.held_locks.stack[-1].name} is held")
        if self.destroyed:
            journal.breach(NOT_DESTROYED, f"{self!r} gets a fault at {va:#x}")
        if self.is_unified():
            journal.breach(UNIFIED_RESOLVE_NOTHING, f"{self!r} gets a fault at {va:#x}")
        return super()._page_fault_internal(va, flags, additional_pages)

    def _faulting_mapping_locked(self, va: Vaddr) -> VmMapping | None:
        found = super()._faulting_mapping_locked(va)
        searched = None if self.root is None else self.root.find_mapping_locked(va)
        if found is not searched:
            journal_of(self.system).breach(CACHE_IS_NO_MATTER, f"{va:#x} is {searched!r}, not {found!r}")
        return found


class FaultingMapping(LockedMapping):
    """Tells of the faults of a mapping."""

    __slots__ = ()

    def page_fault(
        self, va: Vaddr, pf_flags: int, additional_pages: int, vmo: VmObject
    ) -> tuple[Status, int]:
        journal = journal_of(self.aspace.system)
        if self.aspace.type is AspaceType.GUEST_PHYSICAL and pf_flags & VMM_PF_FLAG_USER:
            journal.breach(GUESTS_HAVE_NO_USERS, f"{self!r} gets {pf_flags:#x}")
        flags, top = self._ranges.range_at(va, self.end)
        bound = vmo.size
        if self._flags & VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE:
            bound = round_up_page(vmo.get_stream_size())
        top = min(top, self.base + bound - self.object_offset)
        fault = FaultRecord(self, va, bool(pf_flags & VMM_PF_FLAG_WRITE), additional_pages, flags, top)
        journal.fault = fault
        try:
            status, pages = super().page_fault(va, pf_flags, additional_pages, vmo)
        finally:
            journal.fault = None
        self._tell_of_outcome(journal, fault, status, pages)
        return status, pages

    def _tell_of_outcome(self, journal: Journal, fault: FaultRecord, status: Status, pages: int) -> None:
        most = fault.additional + 1 if fault.additional else MAX_OPTIMISTIC_PAGES
        if pages > most or len(fault.mapped) > most:
            journal.breach(HOW_MANY, f"{self!r} maps {max(pages, len(fault.mapped))} pages")
        if status is ZX_ERR_SHOULD_WAIT and pages > fault.additional:
            journal.breach(WAITS_COUNT, f"{self!r} waits and reports {pages}")
        marker = fault.marker
        if marker is not None and marker.skipped_unmap and not fault.unmapped:
            low = self.base + marker.offset - self.object_offset
            if status is not ZX_OK or not fault.mapped >= set(range(low, low + marker.size, PAGE_SIZE)):
                journal.breach(SKIPPED_IS_DONE, f"{self!r} forgets what it put off")


def tell_of_mapped(journal: Journal, va: Vaddr, paddrs: list[Paddr], mmu_flags: int) -> None:
    """Pages are put into the page tables while a fault is resolved."""
    fault = journal.fault
    if fault is None:
        return
    mapping = fault.mapping
    pages = range(va, va + (len(paddrs) << PAGE_SHIFT), PAGE_SIZE)
    fault.mapped.update(pages)
    if mmu_flags & MMU_PERM_RWX_MASK & ~fault.flags:
        journal.breach(WITHIN_THE_RANGE, f"{mapping!r} installs {mmu_flags:#x}")
    if va < fault.va or pages.stop > fault.top:
        journal.breach(ONE_PIECE, f"{mapping!r} maps [{va:#x}, {pages.stop:#x})")
    is_paged = mapping.vmo is not None and mapping.vmo.is_paged()
    gains_write = bool(mmu_flags & MMU_PERM_WRITE) and not fault.is_write
    if is_paged and gains_write and not fault.writable.issuperset(paddrs):
        journal.breach(READS_STAY_READS, f"a read of {va:#x} makes it writable")
    if not fault.additional:
        for at, paddr in zip(pages, paddrs, strict=True):
            if at != fault.va and paddr in fault.allocated:
                journal.breach(OPTIMISTIC_PAGES_WERE_THERE, f"a page is made for {at:#x}")


class FaultingVmo(ObservedVmo):
    """Tells which pages a VMO called writable."""

    __slots__ = ()

    def lookup_page(self, offset: int, will_write: bool) -> tuple[Status, VmPage | None, bool]:
        found = super().lookup_page(offset, will_write)
        fault = journal_of(self.system).fault
        if fault is not None and found[1] is not None and found[2]:
            fault.writable.add(found[1].paddr)
        return found

    def existing_page(self, offset: int, will_write: bool = False) -> tuple[VmPage, bool] | None:
        found = super().existing_page(offset, will_write)
        fault = journal_of(self.system).fault
        if fault is not None and found is not None and found[1]:
            fault.writable.add(found[0].paddr)
        return found

    def existing_pages(self, offset: int, count: int, will_write: bool) -> list[VmPage]:
        found = super().existing_pages(offset, count, will_write)
        fault = journal_of(self.system).fault
        if fault is not None and will_write:
            fault.writable.update(page.paddr for page in found)
        return found


class ObservedMemory(PhysicalMemory):
    """Tells which pages are handed out while a fault is resolved; a page fails where an allocation is planned to."""

    journal: Journal | None = None

    def allocate_page(self, *args: Any) -> VmPage | None:
        page = None if self._is_planned_to_fail() else super().allocate_page(*args)
        if page is not None and self.journal is not None and self.journal.fault is not None:
            self.journal.fault.allocated.add(page.paddr)
        return page

    def allocate_contiguous(self, *args: Any) -> list[VmPage] | None:
        return None if self._is_planned_to_fail() else super().allocate_contiguous(*args)

    def _is_planned_to_fail(self) -> bool:
        """The heap counts what may fail: objects, and, when it is the turn of one, pages."""
        return self.journal is not None and not self.journal.system.heap.allocate()
