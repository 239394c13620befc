"""Paged VMOs: their creation, size, life, cache policy and locks.

Mirrors `VmObjectPaged` (`zircon/kernel/vm/include/vm/vm_object_paged.h`, `zircon/kernel/vm/vm_object_paged.cc`) and the
sizes that `VmObjectDispatcher` sets (`zircon/kernel/object/vm_object_dispatcher.cc`). Bytes are in
`paged_contents.py`, children in `paged_children.py`.

Does not model streams as objects with a position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.constants import PAGE_MASK, PAGE_SIZE, ByteOffset, ByteSize
from vmaspace.model.flags import MMU_CACHE_MASK
from vmaspace.model.page_queues import PageQueue
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_ERR_UNAVAILABLE,
    ZX_OK,
    Status,
)
from vmaspace.model.vmo.attribution import NOTHING_ATTRIBUTED, AttributionCounts
from vmaspace.model.vmo.discardable import DiscardableTracker, LockState
from vmaspace.model.vmo.kinds import MAX_VMO_SIZE, VmoKind, round_vmo_size
from vmaspace.model.vmo.page_source import PageSource
from vmaspace.model.vmo.paged_children import PagedChildren
from vmaspace.model.vmo.paged_lookup import StreamSize

if TYPE_CHECKING:
    from vmaspace.model.system import System


class VmObjectPaged(PagedChildren):
    """A VMO of pages."""

    __slots__ = ()

    # Creation.

    @classmethod
    def create(
        cls,
        system: System,
        size: ByteSize,
        *,
        is_resizable: bool = False,
        is_unbounded: bool = False,
        is_discardable: bool = False,
        is_vdso: bool = False,
        source: PageSource | None = None,
        name: str = "",
    ) -> tuple[Status, VmObjectPaged | None]:
        """A VMO of `size` bytes, rounded up to whole pages, or of the largest size; `size` is its stream size.

        *Kernel:* `VmObjectPaged::Create`, `CreateExternal` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* INVALID_ARGS for both resizable and unbounded; OUT_OF_RANGE beyond the largest size; NO_MEMORY.
        """
        if is_resizable and is_unbounded:
            return ZX_ERR_INVALID_ARGS, None
        status, rounded = round_vmo_size(size)
        if status is not ZX_OK:
            return status, None
        if is_unbounded:
            rounded = MAX_VMO_SIZE
        if not (system.heap.allocate() and system.heap.allocate()):
            return ZX_ERR_NO_MEMORY, None
        pages = system.cow_pages_class(system, rounded, source=source)
        if source is not None:
            source.has_page = lambda at: at in pages.pages or at >= source.zero_offset
        vmo = cls(
            system,
            VmoKind.PAGED,
            pages,
            stream_size=StreamSize(size),
            discardable=DiscardableTracker() if is_discardable else None,
            is_resizable=is_resizable,
            is_vdso=is_vdso,
            name=name,
        )
        return ZX_OK, vmo

    @classmethod
    def create_contiguous(
        cls, system: System, size: ByteSize, align_pow2: int = 0, name: str = ""
    ) -> tuple[Status, VmObjectPaged | None]:
        """A VMO whose pages are one physical run, there from the start.

        *Kernel:* `VmObjectPaged::CreateContiguous` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* INVALID_ARGS for no size; OUT_OF_RANGE beyond the largest size; NO_MEMORY.
        """
        status, rounded = round_vmo_size(size)
        if status is not ZX_OK or rounded == 0:
            return ZX_ERR_INVALID_ARGS if status is ZX_OK else status, None
        if not (system.heap.allocate() and system.heap.allocate()):
            return ZX_ERR_NO_MEMORY, None
        run = system.pmm.allocate_contiguous(rounded // PAGE_SIZE, align_pow2)
        if run is None:
            return ZX_ERR_NO_MEMORY, None
        pages = system.cow_pages_class(system, rounded)
        for index, page in enumerate(run):
            pages.pages[index * PAGE_SIZE] = page
            system.page_queues.set(page, PageQueue.ANONYMOUS)
        return ZX_OK, cls(system, VmoKind.CONTIGUOUS, pages, stream_size=StreamSize(size), name=name)

    # Life.

    def _destroy_locked(self) -> None:
        """The last reference is gone: the pages go with the last VMO that shows them."""
        super()._destroy_locked()
        self.cow_pages.paged_refs.remove(self)
        self.cow_pages.close_if_unused()

    # Size.

    def resize(self, size: ByteSize) -> Status:
        """Make the VMO `size` bytes long, rounded up to pages; `size` is its stream size then.

        *Kernel:* `VmObjectDispatcher::SetSize` (zircon/kernel/object/vm_object_dispatcher.cc), `VmObjectPaged::Resize`
        *Fails with:* UNAVAILABLE unless resizable; OUT_OF_RANGE beyond the largest size; BAD_STATE when pinned pages
        would be lost.
        *Leaves alone:* the bytes below both sizes.
        """
        if not self.is_resizable:
            return ZX_ERR_UNAVAILABLE
        status, rounded = round_vmo_size(size)
        if status is not ZX_OK:
            return status
        with self.lock:
            status = self.cow_pages.resize(rounded)
            if status is ZX_OK and size & PAGE_MASK:
                status = self._zero_range_locked(size, rounded - size)
            if status is ZX_OK:
                self.stream_size.value = size
        return status

    def set_stream_size(self, size: ByteSize) -> Status:
        """Choose the stream size, in bytes. What lies beyond the smaller of the old and the new is zeros then.

        *Kernel:* `VmObjectDispatcher::SetStreamSize` (zircon/kernel/object/vm_object_dispatcher.cc)
        *Fails with:* NOT_SUPPORTED for a contiguous VMO; OUT_OF_RANGE beyond the size of the VMO; what zeroing returns.
        """
        if not self.has_stream_size():
            return ZX_ERR_NOT_SUPPORTED
        if size > self.size:
            return ZX_ERR_OUT_OF_RANGE
        start = min(size, self.stream_size.value)
        status = self.zero_range(start, self.size - start)
        if status is ZX_OK:
            self.stream_size.value = size
        return status

    # Discarding.

    def _check_discardable(self, offset: ByteOffset, size: ByteSize) -> Status:
        if self.discardable is None:
            return ZX_ERR_NOT_SUPPORTED
        return ZX_OK if (offset, size) == (0, self.size) else ZX_ERR_OUT_OF_RANGE

    def lock_range(self, offset: ByteOffset, size: ByteSize) -> tuple[Status, LockState | None]:
        """Keep the pages from being discarded; says what was discarded before.

        *Kernel:* `VmObjectPaged::LockRange` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* NOT_SUPPORTED unless discardable; OUT_OF_RANGE unless the whole VMO.
        """
        status = self._check_discardable(offset, size)
        tracker = self.discardable
        if status is not ZX_OK or tracker is None:
            return status, None
        with self.lock:
            lost = self.size if tracker.is_discarded else 0
            tracker.is_discarded = False
            tracker.lock_count += 1
        return ZX_OK, LockState(offset, size, 0, lost)

    def try_lock_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Keep the pages from being discarded, if they were not.

        *Kernel:* `VmObjectPaged::TryLockRange` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* NOT_SUPPORTED unless discardable; OUT_OF_RANGE unless the whole VMO; UNAVAILABLE after a discard.
        """
        status = self._check_discardable(offset, size)
        tracker = self.discardable
        if status is not ZX_OK or tracker is None:
            return status
        with self.lock:
            if tracker.is_discarded:
                return ZX_ERR_UNAVAILABLE
            tracker.lock_count += 1
        return ZX_OK

    def unlock_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Undo one lock; after the last, the pages may be discarded.

        *Kernel:* `VmObjectPaged::UnlockRange` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* NOT_SUPPORTED unless discardable; OUT_OF_RANGE unless the whole VMO; BAD_STATE unless locked.
        """
        status = self._check_discardable(offset, size)
        tracker = self.discardable
        if status is not ZX_OK or tracker is None:
            return status
        with self.lock:
            if tracker.lock_count == 0:
                return ZX_ERR_BAD_STATE
            tracker.lock_count -= 1
        return ZX_OK

    def discard_pages(self) -> int:
        """What memory pressure does to an unlocked discardable VMO: all its pages go. Answers how many.

        *Kernel:* `VmCowPages::ReclaimDiscardable` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing; a locked VMO, or one with pinned pages, keeps them.
        """
        tracker, pages = self.discardable, self.cow_pages
        if tracker is None or tracker.lock_count or tracker.is_discarded:
            return 0
        with self.lock:
            count = len(pages.offsets_in(0, pages.size))
            if pages.decommit_range(0, pages.size) is not ZX_OK:
                return 0
            tracker.is_discarded = True
        return count

    # Priority, attribution, cache policy.

    @property
    def high_priority_count(self) -> int:
        """How many HIGH mappings and descendants demand that its pages stay; slices and references share it."""
        return self.cow_pages.high_priority_count

    def change_high_priority_count(self, delta: int) -> None:
        """A mapping became HIGH or stopped being so.

        *Kernel:* `VmObjectPaged::ChangeHighPriorityCountLocked` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* nothing.
        *Asserts:* the count is never negative.
        """
        self.cow_pages.change_high_priority_count(delta)

    def attributed_memory_in_range(self, offset: ByteOffset, size: ByteSize) -> AttributionCounts:
        """What the pages of a range cost, and which part of it is this VMO's.

        Pages are charged to one VMO: a reference or slice costs nothing while the VMO that it was made of is there.

        *Kernel:* `VmObjectPaged::GetAttributedMemoryInRange` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* nothing; a range beyond the size is cut.
        """
        end = min(offset + size, self.size)
        if self.cow_pages.paged_refs[0] is not self or offset >= end:
            return NOTHING_ATTRIBUTED
        with self.lock:
            return self.cow_pages.attributed_memory(offset + self.cow_offset, end + self.cow_offset)

    def set_cache_policy(self, cache_policy: int) -> Status:
        """Choose how accesses are cached; mappings made later adopt it.

        *Kernel:* `VmObjectPaged::SetMappingCachePolicy` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* INVALID_ARGS for a value that is not a cache policy; BAD_STATE with pinned pages, with pages
        and another policy than cached, with mappings, with children, or as a child.
        """
        if cache_policy & ~MMU_CACHE_MASK:
            return ZX_ERR_INVALID_ARGS
        with self.lock:
            pages = self.cow_pages
            if pages.pin_counts or (pages.pages and self.cache_policy):
                return ZX_ERR_BAD_STATE
            if self._mappings or self.children or self.parent is not None:
                return ZX_ERR_BAD_STATE
            self.cache_policy = cache_policy
        return ZX_OK
