"""The pages behind paged VMOs: finding, forking, zeroing and counting them.

Mirrors the page part of `VmCowPages` (`zircon/kernel/vm/include/vm/vm_cow_pages.h`, `zircon/kernel/vm/vm_cow_pages.cc`).
The tree that the nodes form is in `cow_tree.py`, pins and queues are in `cow_residency.py`.

Does not model compression, loaned pages, or zero intervals of pagers other than the one at the end.
"""

from __future__ import annotations

from fractions import Fraction

from vmaspace.model.constants import PAGE_SIZE, ByteOffset, ByteSize
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_SHOULD_WAIT,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmo.attribution import AttributionCounts
from vmaspace.model.vmo.cow_residency import CowResidency
from vmaspace.model.vmo.kinds import RangeChangeOp
from vmaspace.model.vmo.page_source import DirtyState, PageRequestType

_FILE = "zircon/kernel/vm/vm_cow_pages.cc"


class VmCowPages(CowResidency):
    """The pages of one paged VMO, or the pages that several share as a hidden parent."""

    __slots__ = ()

    # Looking up.

    def require_read_page(self, offset: ByteOffset) -> tuple[Status, VmPage | None, bool]:
        """The page to read at `offset`, and whether it may be mapped writable. Absent content is the zero page.

        *Kernel:* `VmCowPages::LookupCursor::RequireReadPage` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* SHOULD_WAIT when a pager has to supply the page.
        """
        page = self.pages.get(offset)
        if page is not None:
            if self.source is None:
                return ZX_OK, page, page is not self.system.pmm.zero_page
            return ZX_OK, page, self.source.dirty.get(offset) is DirtyState.DIRTY
        node, at, page, _ = self.find_inherited(offset)
        if page is not None:
            return ZX_OK, page, False
        if node._asks_for(at):
            return ZX_ERR_SHOULD_WAIT, None, False
        return ZX_OK, self.system.pmm.zero_page, False

    def require_owned_page(self, offset: ByteOffset) -> tuple[Status, VmPage | None]:
        """The node's own page at `offset`, forked or made if need be, to be written.

        *Kernel:* `VmCowPages::LookupCursor::RequireOwnedPage` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* SHOULD_WAIT when a pager has to supply the page or let it be written; NO_MEMORY.
        *Leaves alone:* what other VMOs see, but for children that see through to this one.
        """
        page = self.pages.get(offset)
        zero_page = self.system.pmm.zero_page
        if page is not None and page is not zero_page:
            return (ZX_OK, page) if self.source is None else self._written(offset, page)
        if page is zero_page:
            return self._own_new_page(offset, None)
        node, at, found, is_direct = self.find_inherited(offset)
        if found is None:
            if node._asks_for(at):
                return ZX_ERR_SHOULD_WAIT, None
            return self._own_new_page(offset, None)
        if found is zero_page:
            return self._own_new_page(offset, None)
        if is_direct and found.share_count == 0:
            # Nobody else sees the page: it moves here.
            del node.pages[at]
            self.pages[offset] = found
            return ZX_OK, found
        status, copy = self._own_new_page(offset, found)
        if copy is not None and is_direct:
            found.share_count -= 1
        return status, copy

    def existing_page(self, offset: ByteOffset, will_write: bool) -> tuple[VmPage, bool] | None:
        """The page at `offset` if it is there and fit for the access as it is.

        *Kernel:* `VmCowPages::LookupCursor::IfExistPages` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing but None.
        """
        page = self.pages.get(offset)
        if page is None:
            if will_write:
                return None
            page, is_writable = self.find_inherited(offset)[2], False
        else:
            is_writable = self.source is None or self.source.dirty.get(offset) is DirtyState.DIRTY
        if page is None or page is self.system.pmm.zero_page or (will_write and not is_writable):
            return None
        return page, is_writable

    def _asks_for(self, offset: ByteOffset) -> bool:
        """Whether the content at `offset` is a pager's to supply; if so, it is asked."""
        if self.source is None or offset >= self.source.zero_offset:
            return False
        self.source.ask(PageRequestType.READ, offset)
        return True

    def _written(self, offset: ByteOffset, page: VmPage) -> tuple[Status, VmPage | None]:
        """A page of a pager-backed VMO is about to be written: it becomes dirty, when the pager agrees."""
        source = self.source
        if source is None or source.dirty.get(offset) is DirtyState.DIRTY:
            return ZX_OK, page
        if source.traps_dirty:
            source.ask(PageRequestType.DIRTY, offset)
            return ZX_ERR_SHOULD_WAIT, None
        source.dirty[offset] = DirtyState.DIRTY
        self.place_in_queue(offset, page)
        return ZX_OK, page

    def _own_new_page(self, offset: ByteOffset, original: VmPage | None) -> tuple[Status, VmPage | None]:
        """A new page at `offset`, a copy of `original` or zeros; mappings of what was seen there are removed."""
        page = self.system.pmm.allocate_page()
        if page is None:
            return ZX_ERR_NO_MEMORY, None
        if original is None:
            op = RangeChangeOp.UNMAP_ZERO_PAGE
        else:
            page.copy_from(original)
            op = RangeChangeOp.UNMAP
        self.pages[offset] = page
        if self.source is not None:
            # Zeros that the pager never supplied: they differ from what it has.
            self.source.dirty[offset] = DirtyState.DIRTY
        self.place_in_queue(offset, page)
        self.range_change_update(offset, PAGE_SIZE, op)
        return ZX_OK, page

    # Changing many pages.

    def decommit_range(self, start: ByteOffset, end: ByteOffset) -> Status:
        """Give the pages of `[start, end)` back; they read as zeros.

        *Kernel:* `VmCowPages::DecommitRangeLocked` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* BAD_STATE for pinned pages, with nothing changed.
        """
        if self.pin_counts and self.is_any_pinned(start, end):
            return ZX_ERR_BAD_STATE
        self.range_change_update(start, end - start, RangeChangeOp.UNMAP)
        self.free_pages(start, end)
        return ZX_OK

    def resize(self, size: ByteSize) -> Status:
        """Make the node longer, with zeros, or shorter, without what lies beyond.

        *Kernel:* `VmCowPages::ResizeLocked` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* BAD_STATE when pinned pages would be lost, with nothing changed.
        """
        old = self.size
        if size < old:
            if self.pin_counts and self.is_any_pinned(size, old):
                return ZX_ERR_BAD_STATE
            self.range_change_update(size, old - size, RangeChangeOp.UNMAP)
            self.drop_inherited(size, old)
            self.free_pages(size, old)
            self.parent_limit = min(self.parent_limit, size)
            for child in self.children:
                child.parent_limit = max(min(child.parent_limit, size - child.parent_offset), 0)
        if self.source is not None:
            # What is grown again the pager never had.
            self.source.zero_offset = min(self.source.zero_offset, size, old)
        self.size = size
        return ZX_OK

    def zero_pages(self, start: ByteOffset, end: ByteOffset, keep_pages: bool) -> Status:
        """Make whole pages zeros; pages are given back unless they have to stay.

        *Kernel:* `VmCowPages::ZeroPagesLocked` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* SHOULD_WAIT when a pager has to agree.
        """
        if self.source is not None:
            return self._zero_pager_pages(start, end)
        zero_page = self.system.pmm.zero_page
        stays = keep_pages or (bool(self.pin_counts) and self.is_any_pinned(start, end))
        if not stays:
            self.range_change_update(start, end - start, RangeChangeOp.UNMAP)
        for offset in self.offsets_in(start, end):
            page = self.pages[offset]
            if stays:
                page.zero()
            elif page is not zero_page:
                self.system.pmm.free_page(page)
                if offset < self.parent_limit:
                    self.pages[offset] = zero_page  # what the parents have there is not to be seen again
                else:
                    del self.pages[offset]
        self._hide_parent(start, end)
        return ZX_OK

    def _hide_parent(self, start: ByteOffset, end: ByteOffset) -> None:
        """Let nothing of the parents be seen in `[start, end)`."""
        end = min(end, self.parent_limit)
        if start >= end:
            return
        if not self.is_any_pinned(start, end):
            self.range_change_update(start, end - start, RangeChangeOp.UNMAP)
        else:
            for offset in range(start, end, PAGE_SIZE):
                if offset not in self.pages:
                    self.range_change_update(offset, PAGE_SIZE, RangeChangeOp.UNMAP)
        zero_page = self.system.pmm.zero_page
        hidden = [offset for _, _, _, offset in self.inherited_pages(start, end)]
        self.drop_inherited(start, end)
        if end == self.parent_limit:
            self.parent_limit = start
            return
        if self._sees_through():
            hidden = [offset for offset in range(start, end, PAGE_SIZE) if offset not in self.pages]
        for offset in hidden:
            self.pages[offset] = zero_page

    def _sees_through(self) -> bool:
        """Whether a visible parent is above, whose pages can come later."""
        node: VmCowPages = self
        while node.parent is not None:
            node = node.parent
            if not node.is_hidden:
                return True
        return False

    def _zero_pager_pages(self, start: ByteOffset, end: ByteOffset) -> Status:
        """Zeros in a pager-backed VMO are content that the pager has to write back."""
        source, zero_page = self.source, self.system.pmm.zero_page
        if source is None:
            raise AssertionViolation("a pager-backed VMO has a source", _FILE)
        for offset in self.offsets_in(start, end):
            page = self.pages[offset]
            if page is not zero_page:
                status, _ = self._written(offset, page)
                if status is not ZX_OK:
                    return status
                page.zero()
        if end >= self.size:
            source.zero_offset = min(source.zero_offset, start)
            return ZX_OK
        for offset in range(start, min(end, source.zero_offset), PAGE_SIZE):
            if offset not in self.pages:
                self.pages[offset] = zero_page
                source.dirty[offset] = DirtyState.DIRTY
        return ZX_OK

    # Attribution.

    def attributed_memory(self, start: ByteOffset, end: ByteOffset) -> AttributionCounts:
        """What the pages in `[start, end)` cost, those of hidden parents included.

        *Kernel:* `VmCowPages::GetAttributedMemoryInRange` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing.
        """
        zero_page = self.system.pmm.zero_page
        private = sum(self.pages[offset] is not zero_page for offset in self.offsets_in(start, end))
        shared, scaled = 0, Fraction(0)
        for _, _, page, _ in self.inherited_pages(start, end):
            if page.share_count:
                shared += 1
                scaled += Fraction(PAGE_SIZE, page.share_count + 1)
            else:
                private += 1
        return AttributionCounts(
            (private + shared) * PAGE_SIZE, private * PAGE_SIZE, private * PAGE_SIZE + scaled
        )
