"""What a pager does to a VMO of its own: supply pages, let them become dirty, write them back.

Mirrors `VmObjectPaged::SupplyPages`, `DirtyPages`, `EnumerateDirtyRanges`, `WritebackBegin`, `WritebackEnd`
(`zircon/kernel/vm/include/vm/vm_object_paged.h`) as `zx_pager_supply_pages`, `zx_pager_op_range` and
`zx_pager_query_dirty_ranges` reach them (`zircon/kernel/lib/syscalls/pager.cc`).

Does not model pagers as objects with handles, nor dirty ranges beyond the last page that a pager supplies.
"""

from __future__ import annotations

from typing import NamedTuple

from vmaspace.model.constants import PAGE_MASK, PAGE_SIZE, ByteOffset, ByteSize
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NOT_FOUND,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    Status,
)
from vmaspace.model.vmo.kinds import RangeChangeOp
from vmaspace.model.vmo.page_source import DirtyState
from vmaspace.model.vmo.paged_contents import PagedContents


class DirtyRange(NamedTuple):
    """`zx_vmo_dirty_range_t`: a run of dirty pages, in bytes."""

    offset: ByteOffset
    size: ByteSize
    is_zero: bool


class PagerOrders(PagedContents):
    """The orders that only the pager of a VMO gives."""

    __slots__ = ()

    def _check_order(self, offset: ByteOffset, size: ByteSize) -> Status:
        if self.cow_pages.source is None or (offset | size) & PAGE_MASK:
            return ZX_ERR_INVALID_ARGS
        return self._check_range(offset, size)

    def supply_pages(
        self, offset: ByteOffset, size: ByteSize, aux: PagedContents | None = None, aux_offset: ByteOffset = 0
    ) -> Status:
        """Move the pages of `aux` here, or pages of zeros; where a page is already, it stays.

        *Kernel:* `VmObjectPaged::SupplyPages` (zircon/kernel/vm/include/vm/vm_object_paged.h)
        *Fails with:* INVALID_ARGS unless pager-backed and aligned; OUT_OF_RANGE; NOT_SUPPORTED for a contiguous or
        pager-backed `aux`; BAD_STATE once detached, or for pinned pages of `aux`; NO_MEMORY.
        """
        status = self._check_order(offset, size)
        if status is not ZX_OK or aux_offset & PAGE_MASK:
            return status if status is not ZX_OK else ZX_ERR_INVALID_ARGS
        if aux is None:
            zeros = self.system.paged_vmo_class.create(self.system, size)[1]
            if zeros is None:
                return ZX_ERR_NO_MEMORY
            status = self.supply_pages(offset, size, zeros)
            zeros.release()
            return status
        if aux_offset + size > aux.size:
            return ZX_ERR_OUT_OF_RANGE
        if aux.is_contiguous() or aux.cow_pages.root().source is not None:
            return ZX_ERR_NOT_SUPPORTED
        source = self.cow_pages.source
        if source is None or source.is_detached:
            return ZX_ERR_BAD_STATE
        with aux.lock:
            status, pages = self._take_pages(aux, aux_offset, size)
        if status is ZX_OK:
            with self.lock:
                for index, page in enumerate(pages):
                    self._supply_page(offset + index * PAGE_SIZE, page)
        return status

    def _take_pages(
        self, aux: PagedContents, offset: ByteOffset, size: ByteSize
    ) -> tuple[Status, list[VmPage]]:
        """New pages with the contents of a range of `aux`, which has nothing there any more."""
        node, start = aux.cow_pages, offset + aux.cow_offset
        if node.pin_counts and node.is_any_pinned(start, start + size):
            return ZX_ERR_BAD_STATE, []
        pmm = self.system.pmm
        pages: list[VmPage] = []
        for at in range(start, start + size, PAGE_SIZE):
            page = pmm.allocate_page()
            if page is None:
                for taken in pages:
                    pmm.free_page(taken)
                return ZX_ERR_NO_MEMORY, []
            original = node.require_read_page(at)[1]
            if original is not None:
                page.copy_from(original)
            pages.append(page)
        node.zero_pages(start, start + size, keep_pages=False)
        return ZX_OK, pages

    def _supply_page(self, offset: ByteOffset, page: VmPage) -> None:
        pages, source = self.cow_pages, self.cow_pages.source
        if source is None or offset in pages.pages or offset >= source.zero_offset:
            self.system.pmm.free_page(page)
            return
        pages.pages[offset] = page
        pages.place_in_queue(offset, page)

    def dirty_pages(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Let writes to a range proceed: its pages become dirty.

        *Kernel:* `VmObjectPaged::DirtyPages` (zircon/kernel/vm/include/vm/vm_object_paged.h)
        *Fails with:* INVALID_ARGS unless pager-backed and aligned; OUT_OF_RANGE; BAD_STATE once detached; NOT_FOUND
        when a page of the range is not there, with nothing changed.
        """
        status = self._check_order(offset, size)
        source = self.cow_pages.source
        if status is not ZX_OK or source is None:
            return status
        if source.is_detached:
            return ZX_ERR_BAD_STATE
        with self.lock:
            offsets = range(offset, offset + size, PAGE_SIZE)
            if not all(at in self.cow_pages.pages for at in offsets):
                return ZX_ERR_NOT_FOUND
            for at in offsets:
                source.dirty[at] = DirtyState.DIRTY
                self._requeue(at)
        return ZX_OK

    def writeback_begin(self, offset: ByteOffset, size: ByteSize) -> Status:
        """The pager begins to write a range back: a write from now on makes a page dirty anew.

        *Kernel:* `VmObjectPaged::WritebackBegin` (zircon/kernel/vm/include/vm/vm_object_paged.h)
        *Fails with:* INVALID_ARGS unless pager-backed and aligned; OUT_OF_RANGE.
        """
        status = self._check_order(offset, size)
        source = self.cow_pages.source
        if status is not ZX_OK or source is None:
            return status
        with self.lock:
            # The next write has to be seen.
            self.cow_pages.range_change_update(offset, size, RangeChangeOp.REMOVE_WRITE)
            for at in self.cow_pages.offsets_in(offset, offset + size):
                if source.dirty.get(at) is DirtyState.DIRTY:
                    source.dirty[at] = DirtyState.AWAITING_CLEAN
        return ZX_OK

    def writeback_end(self, offset: ByteOffset, size: ByteSize) -> Status:
        """The pager has written a range back: what was not written again is clean.

        *Kernel:* `VmObjectPaged::WritebackEnd` (zircon/kernel/vm/include/vm/vm_object_paged.h)
        *Fails with:* INVALID_ARGS unless pager-backed and aligned; OUT_OF_RANGE.
        """
        status = self._check_order(offset, size)
        source = self.cow_pages.source
        if status is not ZX_OK or source is None:
            return status
        with self.lock:
            for at in self.cow_pages.offsets_in(offset, offset + size):
                if source.dirty.get(at) is DirtyState.AWAITING_CLEAN:
                    del source.dirty[at]
                    self._requeue(at)
        return ZX_OK

    def query_dirty_ranges(self, offset: ByteOffset, size: ByteSize) -> tuple[Status, list[DirtyRange]]:
        """The runs of pages in a range that differ from what the pager has.

        *Kernel:* `VmObjectPaged::EnumerateDirtyRanges` (zircon/kernel/vm/include/vm/vm_object_paged.h)
        *Fails with:* INVALID_ARGS unless pager-backed; OUT_OF_RANGE.
        """
        source, zero_page = self.cow_pages.source, self.system.pmm.zero_page
        if source is None:
            return ZX_ERR_INVALID_ARGS, []
        status = self._check_range(offset, size)
        if status is not ZX_OK:
            return status, []
        ranges: list[DirtyRange] = []
        with self.lock:
            for at in self.cow_pages.offsets_in(offset & ~PAGE_MASK, offset + size):
                if at not in source.dirty:
                    continue
                is_zero = self.cow_pages.pages[at] is zero_page
                last = ranges[-1] if ranges else None
                if last is not None and last.offset + last.size == at and last.is_zero == is_zero:
                    ranges[-1] = last._replace(size=last.size + PAGE_SIZE)
                else:
                    ranges.append(DirtyRange(at, PAGE_SIZE, is_zero))
        return ZX_OK, ranges

    def query_pager_vmo_stats(self, reset: bool) -> tuple[Status, bool]:
        """Whether the VMO was modified since the last reset.

        *Kernel:* `VmObjectPaged::QueryPagerVmoStats` (zircon/kernel/vm/include/vm/vm_object_paged.h)
        *Fails with:* INVALID_ARGS unless pager-backed.
        """
        source = self.cow_pages.source
        if source is None:
            return ZX_ERR_INVALID_ARGS, False
        modified = source.is_modified
        if reset:
            source.is_modified = False
        return ZX_OK, modified

    def _requeue(self, offset: ByteOffset) -> None:
        page = self.cow_pages.pages[offset]
        if page is not self.system.pmm.zero_page:
            self.cow_pages.place_in_queue(offset, page)
