"""Virtual memory objects: what every kind answers about pages, and what it refuses.

Mirrors `VmObject` (`zircon/kernel/vm/include/vm/vm_object.h`): operations that a kind does not have are refused here.
The kinds are in `paged.py` and `physical.py`; what does not touch pages is in `mapped_object.py`.

Does not model cache maintenance operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.constants import PAGE_MASK, ByteOffset, ByteSize
from vmaspace.model.status import (
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    Status,
)
from vmaspace.model.vmo.attribution import NOTHING_ATTRIBUTED, AttributionCounts
from vmaspace.model.vmo.kinds import CloneType, HintType
from vmaspace.model.vmo.mapped_object import MappedObject

if TYPE_CHECKING:
    from vmaspace.model.physical_memory import VmPage
    from vmaspace.model.vmo.discardable import LockState
    from vmaspace.model.vmo.page_source import PageRequest


class VmObject(MappedObject):
    """A memory object that mappings can show."""

    __slots__ = ()

    # What it is.

    def has_stream_size(self) -> bool:
        """Whether it has a stream size that user mode can set."""
        return False

    def get_stream_size(self) -> ByteSize:
        """The stream size, in bytes; not rounded to pages. The size where there is none."""
        return self.size

    def is_dirty_tracked(self) -> bool:
        """Whether writes are remembered page by page, so that a pager can write them back."""
        return False

    def is_range_pinned(self, offset: ByteOffset, size: ByteSize) -> bool:
        """Whether every page of `[offset, offset + size)` is pinned.

        *Kernel:* `VmObject::DebugIsRangePinned` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* nothing.
        """
        return True

    # Pages. What a kind does not have it refuses.

    @property
    def page_request(self) -> PageRequest | None:
        """What the last SHOULD_WAIT of this VMO waits for; None where nothing is ever waited for."""
        return None

    def lookup_page(self, offset: ByteOffset, will_write: bool) -> tuple[Status, VmPage | None, bool]:
        """The page at a page-aligned `offset`, made if need be, and whether it may be mapped writable.

        *Kernel:* `VmCowPages::LookupCursor::RequireOwnedPage`, `RequireReadPage`
        (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* see the kinds.
        *Asserts:* the VMO's lock is held.
        """
        raise NotImplementedError

    def existing_page(self, offset: ByteOffset, will_write: bool) -> tuple[VmPage, bool] | None:
        """The page at `offset` if it is there in a form fit for the access; never made, never waited for.

        *Kernel:* `VmCowPages::LookupCursor::IfExistPages` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing but None.
        *Asserts:* the VMO's lock is held.
        """
        raise NotImplementedError

    def existing_pages(self, offset: ByteOffset, count: int, will_write: bool) -> list[VmPage]:
        """The pages from `offset` on, `count` at most, up to the first that `existing_page` does not answer.

        *Kernel:* `VmCowPages::LookupCursor::IfExistPages` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing.
        *Asserts:* the VMO's lock is held.
        """
        raise NotImplementedError

    def mark_modified(self) -> None:
        """The VMO was written to.

        *Kernel:* `VmObjectPaged::mark_modified_locked` (zircon/kernel/vm/include/vm/vm_object_paged.h)
        *Fails with:* nothing.
        """

    def read(self, offset: ByteOffset, size: ByteSize) -> tuple[Status, bytes]:
        """Bytes of the VMO.

        *Kernel:* `VmObject::Read` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED, b""

    def write(self, offset: ByteOffset, data: bytes) -> Status:
        """Put bytes into the VMO.

        *Kernel:* `VmObject::Write` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED

    def resize(self, size: ByteSize) -> Status:
        """Change the size.

        *Kernel:* `VmObject::Resize` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED

    def set_stream_size(self, size: ByteSize) -> Status:
        """Choose the stream size.

        *Kernel:* `VmObjectDispatcher::SetStreamSize` (zircon/kernel/object/vm_object_dispatcher.cc)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED

    def commit_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Have pages for all of a range.

        *Kernel:* `VmObject::CommitRange` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED

    def decommit_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Give the pages of a range back.

        *Kernel:* `VmObject::DecommitRange` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED

    def zero_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Make a range zeros.

        *Kernel:* `VmObject::ZeroRange` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED

    def prefetch_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Make a later read of a range fast.

        *Kernel:* `VmObject::PrefetchRange` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED

    def hint_range(self, offset: ByteOffset, size: ByteSize, hint: HintType) -> Status:
        """Say that a range is not needed, or always needed; trivially done where no pager is behind.

        *Kernel:* `VmObject::HintRange` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* nothing; see the kinds.
        """
        return ZX_OK

    def commit_high_priority_pages(self, offset: ByteOffset, size: ByteSize) -> None:
        """Bring back pages that a HIGH mapping must not wait for; nothing where pages never leave."""

    def commit_range_pinned(self, offset: ByteOffset, size: ByteSize, write: bool) -> Status:
        """Commit a range and keep its pages in place until `unpin`.

        *Kernel:* `VmObject::CommitRangePinned` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* INVALID_ARGS for an empty or misaligned range; OUT_OF_RANGE; see the kinds.
        """
        if size == 0 or (offset | size) & PAGE_MASK:
            return ZX_ERR_INVALID_ARGS
        if offset + size > self.size:
            return ZX_ERR_OUT_OF_RANGE
        return ZX_OK

    def unpin(self, offset: ByteOffset, size: ByteSize) -> None:
        """Undo one `commit_range_pinned`; nothing where pages never leave."""

    def query_pager_vmo_stats(self, reset: bool) -> tuple[Status, bool]:
        """Whether the VMO was modified since the last reset, for its pager.

        *Kernel:* `VmObject::QueryPagerVmoStats` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* INVALID_ARGS unless pager-backed.
        """
        return ZX_ERR_INVALID_ARGS, False

    # Children.

    def create_clone(
        self, type: CloneType, offset: ByteOffset, size: ByteSize, *, is_resizable: bool = False
    ) -> tuple[Status, VmObject | None]:
        """A copy of a range, made page by page when either side is written.

        *Kernel:* `VmObject::CreateClone` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED, None

    def create_child_slice(self, offset: ByteOffset, size: ByteSize) -> tuple[Status, VmObject | None]:
        """A window on a range.

        *Kernel:* `VmObject::CreateChildSlice` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED, None

    def create_child_reference(
        self, offset: ByteOffset = 0, size: ByteSize = 0, *, is_resizable: bool = False
    ) -> tuple[Status, VmObject | None]:
        """A second VMO with the pages, the size and the stream size of this one.

        *Kernel:* `VmObject::CreateChildReference` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED, None

    # Discarding.

    def lock_range(self, offset: ByteOffset, size: ByteSize) -> tuple[Status, LockState | None]:
        """Keep the pages from being discarded; says what was discarded before.

        *Kernel:* `VmObject::LockRange` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED, None

    def try_lock_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Keep the pages from being discarded, if they were not.

        *Kernel:* `VmObject::TryLockRange` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED

    def unlock_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Undo one lock.

        *Kernel:* `VmObject::UnlockRange` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* NOT_SUPPORTED, unless the kind has it.
        """
        return ZX_ERR_NOT_SUPPORTED

    # Priority and attribution.

    @property
    def high_priority_count(self) -> int:
        """How many HIGH mappings and descendants demand that its pages stay."""
        return 0

    @property
    def is_high_priority(self) -> bool:
        """Whether reclamation leaves its pages alone."""
        return self.high_priority_count > 0

    def change_high_priority_count(self, delta: int) -> None:
        """A mapping became HIGH or stopped being so; nothing where pages are never reclaimed."""

    def attributed_memory_in_range(self, offset: ByteOffset, size: ByteSize) -> AttributionCounts:
        """What the pages of a range cost, and which part of it is this VMO's.

        *Kernel:* `VmObject::GetAttributedMemoryInRange` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* nothing; no memory where no pages are.
        """
        return NOTHING_ATTRIBUTED

    def attributed_memory(self) -> AttributionCounts:
        """`attributed_memory_in_range` over the whole VMO."""
        return self.attributed_memory_in_range(0, self.size)

    # Cache policy.

    def set_cache_policy(self, cache_policy: int) -> Status:
        """Choose how accesses are cached; mappings made later adopt it.

        *Kernel:* `VmObject::SetMappingCachePolicy` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* see the kinds.
        """
        raise NotImplementedError
