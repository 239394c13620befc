"""A paged VMO and the copy-on-write pages that it shows: one page at a time, and who is told.

Mirrors the lookups of `VmObjectPaged` (`zircon/kernel/vm/include/vm/vm_object_paged.h`,
`zircon/kernel/vm/vm_object_paged.cc`) and the stream size beside it (`zircon/kernel/object/content_size_manager.cc`).

Does not model the cursor that looks several pages up in one go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.constants import PAGE_SHIFT, PAGE_SIZE, ByteOffset, ByteSize
from vmaspace.model.locks import Mutex
from vmaspace.model.status import ZX_ERR_NOT_FOUND, AssertionViolation, Status
from vmaspace.model.vmo.discardable import DiscardableTracker
from vmaspace.model.vmo.kinds import RangeChangeOp, VmoKind
from vmaspace.model.vmo.page_source import PageRequest
from vmaspace.model.vmo.vmo import VmObject

if TYPE_CHECKING:
    from vmaspace.model.physical_memory import VmPage
    from vmaspace.model.system import System
    from vmaspace.model.vmo.cow_pages import VmCowPages

_FILE = "zircon/kernel/vm/vm_object_paged.cc"


class StreamSize:
    """`ContentSizeManager`: the stream size of a VMO and all its references, in bytes."""

    __slots__ = ("value",)

    def __init__(self, value: ByteSize) -> None:
        self.value = value


class PagedLookup(VmObject):
    """A VMO that shows copy-on-write pages, all of them or, for a slice, a part."""

    __slots__ = ("cow_offset", "cow_pages", "cow_size", "discardable", "stream_size")

    def __init__(
        self,
        system: System,
        kind: VmoKind,
        cow_pages: VmCowPages,
        *,
        lock: Mutex | None = None,
        cow_offset: ByteOffset = 0,
        cow_size: ByteSize | None = None,
        stream_size: StreamSize | None = None,
        discardable: DiscardableTracker | None = None,
        is_resizable: bool = False,
        is_vdso: bool = False,
        name: str = "",
    ) -> None:
        super().__init__(system, kind, lock=lock, is_resizable=is_resizable, is_vdso=is_vdso, name=name)
        self.cow_pages = cow_pages
        self.cow_offset = cow_offset  # where a slice begins
        self.cow_size = cow_size  # how long a slice is; None: everything
        self.stream_size = StreamSize(self.size) if stream_size is None else stream_size
        self.discardable = discardable
        cow_pages.paged_refs.append(self)

    @property
    def size(self) -> ByteSize:
        """Bytes, a whole number of pages."""
        return self.cow_pages.size if self.cow_size is None else self.cow_size

    @property
    def is_discardable(self) -> bool:
        """Whether the kernel may discard its pages while it is not locked."""
        return self.discardable is not None

    def has_stream_size(self) -> bool:
        """Whether it has a stream size that user mode can set."""
        return self.kind is VmoKind.PAGED

    def get_stream_size(self) -> ByteSize:
        """The stream size, in bytes; not rounded to pages."""
        return self.stream_size.value

    # One page.

    @property
    def page_request(self) -> PageRequest | None:
        """What the last SHOULD_WAIT of this VMO waits for; None where nothing is ever waited for."""
        source = self.cow_pages.root().source
        return None if source is None else source.request

    def lookup_page(self, offset: ByteOffset, will_write: bool) -> tuple[Status, VmPage | None, bool]:
        """The page at a page-aligned `offset`, made if need be, and whether it may be mapped writable.

        A read of what was never written is the shared zero page, not writable.

        *Kernel:* `VmCowPages::LookupCursor::RequireOwnedPage`, `RequireReadPage`
        (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* NOT_FOUND when the pages were discarded; SHOULD_WAIT for a pager: `page_request` says
        what for; NO_MEMORY.
        *Asserts:* the VMO's lock is held; the offset is inside the VMO.
        """
        self.lock.assert_held()
        if offset >= self.size:
            raise AssertionViolation("a page that is looked up is inside the VMO", _FILE)
        if self.discardable is not None and self.discardable.is_discarded:
            return ZX_ERR_NOT_FOUND, None, False
        if not will_write:
            return self.cow_pages.require_read_page(offset + self.cow_offset)
        status, page = self.cow_pages.require_owned_page(offset + self.cow_offset)
        return status, page, page is not None

    def existing_page(self, offset: ByteOffset, will_write: bool) -> tuple[VmPage, bool] | None:
        """The page at `offset` if it is there in a form fit for the access; never made, never waited for.

        *Kernel:* `VmCowPages::LookupCursor::IfExistPages` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing but None.
        *Asserts:* the VMO's lock is held.
        """
        self.lock.assert_held()
        if offset >= self.size:
            return None
        return self.cow_pages.existing_page(offset + self.cow_offset, will_write)

    def existing_pages(self, offset: ByteOffset, count: int, will_write: bool) -> list[VmPage]:
        """The pages from `offset` on, `count` at most, up to the first that `existing_page` does not answer.

        *Kernel:* `VmCowPages::LookupCursor::IfExistPages` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing.
        *Asserts:* the VMO's lock is held.
        """
        self.lock.assert_held()
        pages: list[VmPage] = []
        start, end = offset + self.cow_offset, min(offset + (count << PAGE_SHIFT), self.size) + self.cow_offset
        for at in range(start, end, PAGE_SIZE):
            found = self.cow_pages.existing_page(at, will_write)
            if found is None:
                break
            pages.append(found[0])
        return pages

    def is_dirty_tracked(self) -> bool:
        """Whether writes are remembered page by page, so that a pager can write them back."""
        return self.cow_pages.source is not None

    def mark_modified(self) -> None:
        """The VMO was written to: a pager that asks for its statistics is told.

        *Kernel:* `VmObjectPaged::mark_modified_locked` (zircon/kernel/vm/include/vm/vm_object_paged.h)
        *Fails with:* nothing.
        *Asserts:* the VMO's lock is held.
        """
        self.lock.assert_held()
        if self.cow_pages.source is not None:
            self.cow_pages.source.is_modified = True

    # Mappings.

    def update_mappings_for_cow(self, offset: ByteOffset, size: ByteSize, op: RangeChangeOp) -> None:
        """`update_mappings` for a range of the pages behind the VMO: a slice shows a part of them.

        *Kernel:* `VmObjectPaged::RangeChangeUpdateLocked` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* nothing.
        """
        if not self._mappings:
            return
        start, end = offset - self.cow_offset, offset + size - self.cow_offset
        if self.cow_size is not None:
            start, end = max(start, 0), min(end, self.cow_size)
        if start < end:
            self.update_mappings(start, end - start, op)

    def range_change_update(self, offset: ByteOffset, size: ByteSize, op: RangeChangeOp) -> None:
        """Tell the mappings of every VMO that sees the pages of `[offset, offset + size)`.

        *Kernel:* `VmCowPages::RangeChangeUpdateLocked` (zircon/kernel/vm/vm_cow_pages.cc), from the node that has
        the shared pages
        *Fails with:* nothing.
        """
        with self.lock:
            node, at = self.cow_pages, offset + self.cow_offset
            if node.parent is not None and node.parent.is_hidden:
                node, at = node.parent, at + node.parent_offset
            node.range_change_update(at, size, op)
