"""A mapping resolves page faults.

Mirrors `VmMapping::PageFault`, `PageFaultLocked` and `CurrentlyFaulting` (`zircon/kernel/vm/vm_mapping.cc`,
`zircon/kernel/vm/include/vm/vm_address_region.h`). Which mapping is asked is decided in `aspace_faults.py`.

Does not model statistics of optimistic mapping.
"""

from __future__ import annotations

from typing import Final

from vmaspace.model.arch.options import UPGRADE
from vmaspace.model.constants import (
    PAGE_MASK,
    PAGE_SHIFT,
    PAGE_SIZE,
    ByteOffset,
    ByteSize,
    Vaddr,
    round_up_page,
)
from vmaspace.model.faults import permissions_needed
from vmaspace.model.flags import MMU_PERM_WRITE, VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE, VMM_PF_FLAG_WRITE
from vmaspace.model.mapping_batch import MappingBatch
from vmaspace.model.mapping_pages import MappedPages
from vmaspace.model.status import (
    ZX_ERR_ACCESS_DENIED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_ERR_UNAVAILABLE,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmo import VmObject

_FILE = "zircon/kernel/vm/vm_mapping.cc"

# kPageFaultMaxOptimisticPages: how many pages a fault of one page may map, counting its own.
MAX_OPTIMISTIC_PAGES: Final = 16


class FaultInProgress:
    """`CurrentlyFaulting`: the range of the VMO that a fault will map while it holds the VMO's lock."""

    __slots__ = ("is_complete", "offset", "size", "skipped_unmap")

    def __init__(self, offset: ByteOffset, size: ByteSize) -> None:
        self.offset = offset
        self.size = size
        self.skipped_unmap = False
        self.is_complete = False

    def defers_unmap(self, offset: ByteOffset, size: ByteSize) -> bool:
        """Take over an unmap of zero pages that meets the range: the fault replaces what is there.

        *Kernel:* `CurrentlyFaulting::UnmapRange` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* the fault has not updated the page tables yet.
        """
        if self.is_complete:
            raise AssertionViolation("no unmap comes after a fault has mapped its range", _FILE)
        meets = offset < self.offset + self.size and self.offset < offset + size
        self.skipped_unmap = self.skipped_unmap or meets
        return meets


class FaultingMapping(MappedPages):
    """A mapping, as what resolves page faults."""

    __slots__ = ()

    def page_fault(
        self, va: Vaddr, pf_flags: int, additional_pages: int, vmo: VmObject
    ) -> tuple[Status, int]:
        """Map the page of `va`, and up to `additional_pages` after it: the status, and how many pages were mapped.

        `vmo` is what the mapping showed when the caller looked. With no additional pages, some that are there and
        follow are mapped too, 16 in all at most.

        *Kernel:* `VmMapping::PageFault` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* UNAVAILABLE when the mapping has died; ACCESS_DENIED; OUT_OF_RANGE past the VMO or the page of
        its stream size; what the VMO (SHOULD_WAIT among them) or the page tables answer, with what was mapped so far.
        *Asserts:* `va` is page aligned; the mapping has no other fault in progress.
        """
        if va & PAGE_MASK:
            raise AssertionViolation("a faulting address is page aligned here", _FILE)
        with vmo.lock:
            if self.vmo is None:
                return ZX_ERR_UNAVAILABLE, 0
            return self._page_fault_locked(va, pf_flags, additional_pages, vmo)

    def _page_fault_locked(
        self, va: Vaddr, pf_flags: int, additional_pages: int, vmo: VmObject
    ) -> tuple[Status, int]:
        flags, top = self._ranges.range_at(va, self.end)
        needed = permissions_needed(pf_flags)
        if flags & needed != needed:
            return ZX_ERR_ACCESS_DENIED, 0
        bound = vmo.size
        if self._flags & VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE:
            bound = round_up_page(vmo.get_stream_size())
        vmo_offset = self._vmo_offset(va)
        if vmo_offset >= bound:
            return ZX_ERR_OUT_OF_RANGE, 0
        valid = min(top - va, bound - vmo_offset) >> PAGE_SHIFT
        required = min(valid, additional_pages + 1)
        if required <= 0:
            raise AssertionViolation("a fault maps at least its own page", _FILE)
        target = required
        if additional_pages == 0:
            table_end = self.aspace.arch.next_user_page_table_offset(va)
            target = min(MAX_OPTIMISTIC_PAGES, valid, (table_end - va) >> PAGE_SHIFT)
        if not vmo.is_paged():
            return self._map_device_pages(va, target, flags, vmo)
        return self._map_faulting_pages(va, required, target, flags, pf_flags, vmo)

    def _map_device_pages(self, va: Vaddr, count: int, flags: int, vmo: VmObject) -> tuple[Status, int]:
        """Pages of a physical VMO are always there, and are mapped with all that the range allows."""
        batch = MappingBatch(self.aspace, UPGRADE)
        pages = vmo.existing_pages(self._vmo_offset(va), count, bool(flags & MMU_PERM_WRITE))
        if len(pages) < count:
            raise AssertionViolation("a page of a physical VMO can be looked up", _FILE)
        for index, page in enumerate(pages):
            status = batch.append(va + (index << PAGE_SHIFT), page.paddr, flags)
            if status is not ZX_OK:
                return status, batch.pages_mapped
        status = batch.flush()
        return status, batch.pages_mapped

    def _map_faulting_pages(
        self, va: Vaddr, required: int, target: int, flags: int, pf_flags: int, vmo: VmObject
    ) -> tuple[Status, int]:
        if self.currently_faulting is not None:
            raise AssertionViolation("a mapping has at most one fault in progress", _FILE)
        fault = FaultInProgress(self._vmo_offset(va), required << PAGE_SHIFT)
        self.currently_faulting = fault
        try:
            batch = MappingBatch(self.aspace, UPGRADE)
            status = self._collect_required(batch, va, required, flags, pf_flags, vmo)
            if status is ZX_OK:
                if target > required:
                    self._collect_optimistic(batch, va + PAGE_SIZE, target - 1, vmo)
                status = batch.flush()
                fault.is_complete = status is ZX_OK
            return status, batch.pages_mapped
        finally:
            self.currently_faulting = None
            if fault.skipped_unmap and not fault.is_complete:
                self._unmap_skipped(va, required)

    def _collect_required(
        self, batch: MappingBatch, va: Vaddr, required: int, flags: int, pf_flags: int, vmo: VmObject
    ) -> Status:
        """Obtain each page, for writing if the fault is a write."""
        is_write = bool(pf_flags & VMM_PF_FLAG_WRITE)
        for at in range(va, va + (required << PAGE_SHIFT), PAGE_SIZE):
            status, page, is_writable = vmo.lookup_page(self._vmo_offset(at), is_write)
            if page is None:
                batch.flush()  # as implemented, its status is not looked at
                return status
            if is_write and not is_writable:
                raise AssertionViolation("a page that was asked for to write is writable", _FILE)
            if is_write and at == va:
                vmo.mark_modified()
            page_flags = flags if is_writable else flags & ~MMU_PERM_WRITE
            status = batch.append(at, page.paddr, page_flags)
            if status is not ZX_OK:
                batch.flush()
                return status
        return ZX_OK

    def _collect_optimistic(self, batch: MappingBatch, va: Vaddr, count: int, vmo: VmObject) -> None:
        """Add pages that follow, as long as they are there in the form that the batch maps."""
        will_write = bool(batch.flags & MMU_PERM_WRITE)
        batch.extend(vmo.existing_pages(self._vmo_offset(va), min(batch.room, count), will_write))

    def _unmap_skipped(self, va: Vaddr, pages: int) -> None:
        """Do what was put off, as the fault did not replace the pages."""
        if not self.is_in_range(va, pages << PAGE_SHIFT):
            raise AssertionViolation("what a fault put off lies in the mapping", _FILE)
        if self.aspace.arch.unmap(va, pages, self.aspace.enlarge_arch_unmap()) is not ZX_OK:
            raise AssertionViolation("the arch unmap of a part succeeds", _FILE)
