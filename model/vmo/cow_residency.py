"""Which pages have to stay: pins, priority, and the queue of each page.

Mirrors the part of `VmCowPages` that speaks to the page queues (`zircon/kernel/vm/include/vm/vm_cow_pages.h`,
`zircon/kernel/vm/vm_cow_pages.cc`).

Does not model the scanner that decides when to reclaim: a test says which page.
"""

from __future__ import annotations

from vmaspace.model.constants import PAGE_SIZE, ByteOffset
from vmaspace.model.page_queues import PageQueue
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import AssertionViolation
from vmaspace.model.vmo.cow_tree import CowNode
from vmaspace.model.vmo.kinds import RangeChangeOp

_FILE = "zircon/kernel/vm/vm_cow_pages.cc"


class CowResidency(CowNode):
    """A node whose pages can be pinned, aged and reclaimed."""

    __slots__ = ()

    # Queues and priority.

    def place_in_queue(self, offset: ByteOffset, page: VmPage) -> None:
        """Put a page of this node where it belongs now.

        *Kernel:* `VmCowPages::SetNotPinnedLocked` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing.
        """
        queues, source = self.system.page_queues, self.source
        if offset in self.pin_counts:
            queues.set(page, PageQueue.WIRED)
        elif source is None:
            queues.set(page, PageQueue.ANONYMOUS)
        elif offset in source.dirty:
            queues.set(page, PageQueue.PAGER_BACKED_DIRTY)
        elif self.high_priority_count:
            queues.set(page, PageQueue.HIGH_PRIORITY)
        else:
            queues.set_reclaim(page)

    def pages_are_not_needed(self, start: ByteOffset, end: ByteOffset) -> None:
        """Let the pages that are seen in `[start, end)` be the first to be reclaimed, if they can be.

        *Kernel:* `VmCowPages::PromoteRangeForReclamation` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing.
        """
        node: CowResidency | None = self
        seen: set[ByteOffset] = set()
        shift = 0
        while node is not None and start < end:
            for at in node.offsets_in(start + shift, end + shift):
                if at - shift in seen:
                    continue
                seen.add(at - shift)
                page = node.pages[at]
                if page.queue >= PageQueue.RECLAIM_BASE:
                    self.system.page_queues.set(page, PageQueue.RECLAIM_ISOLATE)
            end = min(end, node.parent_limit - shift)
            shift += node.parent_offset
            node = node.parent

    def change_high_priority_count(self, delta: int) -> None:
        """A HIGH mapping came or went; the parents are told when the first comes or the last goes.

        *Kernel:* `VmCowPages::ChangeHighPriorityCountLocked` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing.
        *Asserts:* the count is never negative.
        """
        node: CowResidency | None = self
        while node is not None:
            old = node.high_priority_count
            node.high_priority_count = old + delta
            if node.high_priority_count < 0:
                raise AssertionViolation("the high-priority count of a VMO is not negative", _FILE)
            if bool(old) == bool(node.high_priority_count):
                return
            if node.source is not None:
                for offset, page in node.pages.items():
                    if page is not node.system.pmm.zero_page:
                        node.place_in_queue(offset, page)
            delta = 1 if delta > 0 else -1
            node = node.parent

    # Pinning.

    def pin_range(self, start: ByteOffset, end: ByteOffset) -> None:
        """Keep the pages of a committed range in place."""
        for offset in range(start, end, PAGE_SIZE):
            self.pin_counts[offset] = self.pin_counts.get(offset, 0) + 1
            self.place_in_queue(offset, self.pages[offset])

    def unpin_range(self, start: ByteOffset, end: ByteOffset) -> None:
        """Undo one `pin_range`.

        *Kernel:* `VmCowPages::UnpinLocked` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing.
        *Asserts:* every page is pinned.
        """
        self.range_change_update(start, end - start, RangeChangeOp.DEBUG_UNPIN)
        for offset in range(start, end, PAGE_SIZE):
            count = self.pin_counts.get(offset, 0)
            if count == 0:
                raise AssertionViolation("a page to be unpinned is pinned", _FILE)
            if count > 1:
                self.pin_counts[offset] = count - 1
                continue
            del self.pin_counts[offset]
            self.place_in_queue(offset, self.pages[offset])

    def is_any_pinned(self, start: ByteOffset, end: ByteOffset) -> bool:
        """Whether some page in `[start, end)` is pinned."""
        return any(start <= offset < end for offset in self.pin_counts)

    def is_range_pinned(self, start: ByteOffset, end: ByteOffset) -> bool:
        """Whether every page in `[start, end)` is pinned."""
        pages = (end - start) // PAGE_SIZE
        return pages <= len(self.pin_counts) and all(
            offset in self.pin_counts for offset in range(start, end, PAGE_SIZE)
        )

    # Reclaiming.

    def reclaim_page(self, offset: ByteOffset) -> bool:
        """Evict a page that the pager can supply again; whether it went.

        *Kernel:* `VmCowPages::ReclaimPageForEviction` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing but False: for pages of no pager, pinned and dirty ones, those of high priority, and one
        that turns out to have been used.
        """
        page = self.pages.get(offset)
        if page is None or page.queue < PageQueue.RECLAIM_ISOLATE:
            return False
        queue = page.queue
        self.range_change_update(offset, PAGE_SIZE, RangeChangeOp.UNMAP_AND_HARVEST)
        if page.queue != queue:
            return False
        self.free_pages(offset, offset + PAGE_SIZE)
        return True
