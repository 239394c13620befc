"""Paged VMOs, as far as their bytes go: reading, writing, committing, zeroing, pinning.

Mirrors the range operations of `VmObjectPaged` (`zircon/kernel/vm/include/vm/vm_object_paged.h`,
`zircon/kernel/vm/vm_object_paged.cc`). An operation that needs a page of a pager waits for it with the lock let go,
and goes on. Creation, size, children and the rest are in `paged.py`.

Does not model the copy of user memory: bytes come from and go to Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.constants import PAGE_MASK, PAGE_SIZE, ByteOffset, ByteSize
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_ERR_SHOULD_WAIT,
    ZX_OK,
    Status,
)
from vmaspace.model.vmo.kinds import HintType
from vmaspace.model.vmo.paged_lookup import PagedLookup

if TYPE_CHECKING:
    from vmaspace.model.physical_memory import VmPage


class PagedContents(PagedLookup):
    """A paged VMO whose bytes can be read and changed."""

    __slots__ = ()

    def _require(self, offset: ByteOffset, will_write: bool) -> tuple[Status, VmPage | None]:
        """`lookup_page`, waiting for the pager as often as it takes, with the lock let go."""
        while True:
            if offset >= self.size:
                return ZX_ERR_OUT_OF_RANGE, None
            status, page, _ = self.lookup_page(offset, will_write)
            request = self.page_request
            if status is not ZX_ERR_SHOULD_WAIT or request is None:
                return status, page
            with self.lock.released():
                status = request.wait()
            if status is not ZX_OK:
                return status, None

    def _check_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        return ZX_ERR_OUT_OF_RANGE if offset + size > self.size else ZX_OK

    # Bytes.

    def read(self, offset: ByteOffset, size: ByteSize) -> tuple[Status, bytes]:
        """The bytes of `[offset, offset + size)`.

        *Kernel:* `VmObjectPaged::Read` (zircon/kernel/vm/vm_object_paged.cc), `sys_vmo_read`
        *Fails with:* BAD_STATE unless cached; OUT_OF_RANGE; then what a lookup or the wait for a pager returns.
        """
        with self.lock:
            if self.cache_policy:
                return ZX_ERR_BAD_STATE, b""
            status = self._check_range(offset, size)
            parts: list[bytes] = []
            end = offset + size
            while status is ZX_OK and offset < end:
                inside = offset & PAGE_MASK
                length = min(PAGE_SIZE - inside, end - offset)
                status, page = self._require(offset - inside, False)
                if page is not None:
                    parts.append(page.read(inside, length))
                offset += length
        return (status, b"".join(parts)) if status is ZX_OK else (status, b"")

    def write(self, offset: ByteOffset, data: bytes) -> Status:
        """Put `data` at `offset`.

        *Kernel:* `VmObjectPaged::Write` (zircon/kernel/vm/vm_object_paged.cc), `sys_vmo_write`
        *Fails with:* BAD_STATE unless cached; OUT_OF_RANGE; then what a lookup or the wait for a pager returns,
        with the bytes before that page written.
        """
        with self.lock:
            if self.cache_policy:
                return ZX_ERR_BAD_STATE
            status = self._check_range(offset, len(data))
            done = 0
            while status is ZX_OK and done < len(data):
                inside = (offset + done) & PAGE_MASK
                length = min(PAGE_SIZE - inside, len(data) - done)
                status, page = self._require(offset + done - inside, True)
                if page is not None:
                    page.write(inside, data[done : done + length])
                    self.mark_modified()
                done += length
        return status

    # Ranges.

    def commit_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Have pages of its own for all of a range.

        *Kernel:* `VmObjectPaged::CommitRange` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* OUT_OF_RANGE; then what a lookup or the wait for a pager returns; the pages before stay.
        """
        return self._require_range(offset, size, True)

    def prefetch_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Make a later read of the range fast: pages of a pager are brought in.

        *Kernel:* `VmObjectPaged::PrefetchRange` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* OUT_OF_RANGE; then what the wait for a pager returns.
        *Leaves alone:* VMOs without a pager.
        """
        if self.cow_pages.root().source is None:
            return self._check_range(offset, size)
        return self._require_range(offset, size, False)

    def _require_range(self, offset: ByteOffset, size: ByteSize, will_write: bool) -> Status:
        with self.lock:
            status = self._check_range(offset, size)
            if status is not ZX_OK or size == 0:
                return status
            for at in range(offset & ~PAGE_MASK, offset + size, PAGE_SIZE):
                status = self._commit_page(at) if will_write else self._require(at, False)[0]
                if status is not ZX_OK:
                    return status
        return ZX_OK

    def _commit_page(self, offset: ByteOffset) -> Status:
        """A page of its own; one that a pager supplied need not become dirty for that."""
        if self.cow_pages.source is not None:
            status, page = self._require(offset, False)
            if page is not self.system.pmm.zero_page:
                return status
        return self._require(offset, True)[0]

    def decommit_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Give the pages of a range back; it reads as zeros.

        *Kernel:* `VmObjectPaged::DecommitRange` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* OUT_OF_RANGE; nothing to do for an empty range; NOT_SUPPORTED for contiguous and pager-backed
        VMOs and those with a copy-on-write parent or child; INVALID_ARGS unless page aligned; BAD_STATE for
        pinned pages.
        """
        with self.lock:
            status = self._check_range(offset, size)
            if status is not ZX_OK or size == 0:
                return status
            pages = self.cow_pages
            if pages.source is not None or pages.parent is not None or pages.children or self.is_contiguous():
                return ZX_ERR_NOT_SUPPORTED
            if (offset | size) & PAGE_MASK:
                return ZX_ERR_INVALID_ARGS
            start = offset + self.cow_offset
            return pages.decommit_range(start, start + size)

    def zero_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Make a range of any alignment zeros; whole pages are given back where that is possible.

        *Kernel:* `VmObjectPaged::ZeroRange` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* OUT_OF_RANGE; then what a lookup of a partly covered page or the wait for a pager returns.
        """
        with self.lock:
            status = self._check_range(offset, size)
            if status is not ZX_OK or size == 0:
                return status
            return self._zero_range_locked(offset, size)

    def _zero_range_locked(self, offset: ByteOffset, size: ByteSize) -> Status:
        end = offset + size
        inner_start, inner_end = (offset + PAGE_MASK) & ~PAGE_MASK, end & ~PAGE_MASK
        if inner_start > inner_end:
            return self._zero_part(offset, end)
        status = self._zero_part(offset, inner_start) if offset < inner_start else ZX_OK
        if status is ZX_OK and inner_start < inner_end:
            status = self._zero_whole_pages(inner_start, inner_end)
        if status is ZX_OK and inner_end < end:
            status = self._zero_part(inner_end, end)
        return status

    def _zero_whole_pages(self, start: ByteOffset, end: ByteOffset) -> Status:
        self.mark_modified()
        while True:
            status = self.cow_pages.zero_pages(
                start + self.cow_offset, end + self.cow_offset, self.is_contiguous()
            )
            request = self.page_request
            if status is not ZX_ERR_SHOULD_WAIT or request is None:
                return status
            with self.lock.released():
                status = request.wait()
            if status is not ZX_OK:
                return status

    def _zero_part(self, start: ByteOffset, end: ByteOffset) -> Status:
        """Zeros in a part of one page. Zeros that are there already cost no page."""
        inside = start & PAGE_MASK
        status, page = self._require(start - inside, False)
        if page is None or page is self.system.pmm.zero_page:
            return status
        status, page = self._require(start - inside, True)
        if page is not None:
            page.write(inside, bytes(end - start))
            self.mark_modified()
        return status

    def hint_range(self, offset: ByteOffset, size: ByteSize, hint: HintType) -> Status:
        """Say that pages are not needed, or always needed; trivially done where no pager is behind.

        *Kernel:* `VmObjectPaged::HintRange` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* OUT_OF_RANGE; nothing more: pages that a pager does not supply are not brought in.
        """
        with self.lock:
            status = self._check_range(offset, size)
            root = self.cow_pages.root()
            if status is not ZX_OK or size == 0 or root.source is None:
                return status
            start, end = offset & ~PAGE_MASK, (offset + size + PAGE_MASK) & ~PAGE_MASK
            if hint is HintType.DONT_NEED:
                self.cow_pages.pages_are_not_needed(start + self.cow_offset, end + self.cow_offset)
                return ZX_OK
            for at in range(start, end, PAGE_SIZE):
                if self._require(at, False)[0] is not ZX_OK:
                    break
        return ZX_OK

    def commit_high_priority_pages(self, offset: ByteOffset, size: ByteSize) -> None:
        """Bring in the pages of a range that come from a pager; best effort.

        *Kernel:* `VmObjectPaged::CommitHighPriorityPages` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* nothing.
        *Leaves alone:* untouched anonymous pages, and copy-on-write pages that nobody wrote.
        """
        if self.cow_pages.root().source is not None:
            self.prefetch_range(offset, min(size, max(self.size - offset, 0)))

    # Pinning.

    def is_range_pinned(self, offset: ByteOffset, size: ByteSize) -> bool:
        """Whether every page of `[offset, offset + size)` is pinned.

        *Kernel:* `VmObjectPaged::DebugIsRangePinned` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* nothing.
        """
        start = offset + self.cow_offset
        return self.cow_pages.is_range_pinned(start, start + size)

    def commit_range_pinned(self, offset: ByteOffset, size: ByteSize, write: bool) -> Status:
        """Commit a range and keep its pages in place until `unpin`.

        *Kernel:* `VmObjectPaged::CommitRangePinned` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* INVALID_ARGS for an empty or misaligned range; OUT_OF_RANGE; then what a lookup or the wait
        for a pager returns, with nothing pinned.
        """
        status = super().commit_range_pinned(offset, size, write)
        if status is not ZX_OK:
            return status
        with self.lock:
            for at in range(offset, offset + size, PAGE_SIZE):
                status = self._require(at, True)[0] if write else self._commit_page(at)
                if status is not ZX_OK:
                    return status
            start = offset + self.cow_offset
            self.cow_pages.pin_range(start, start + size)
        return ZX_OK

    def unpin(self, offset: ByteOffset, size: ByteSize) -> None:
        """Undo one `commit_range_pinned`.

        *Kernel:* `VmObjectPaged::Unpin` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* nothing.
        *Asserts:* the range is pinned.
        """
        with self.lock:
            start = offset + self.cow_offset
            self.cow_pages.unpin_range(start, start + size)
