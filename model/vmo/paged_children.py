"""The children of paged VMOs: snapshots, slices and references.

Mirrors `VmObjectPaged::CreateClone`, `CreateChildSlice`, `CreateChildReference`
(`zircon/kernel/vm/vm_object_paged.cc`) and the choice of clone in `VmCowPages::CreateCloneLocked`
(`zircon/kernel/vm/vm_cow_pages.cc`). Snapshots have pages of their own; slices and references share those of the VMO
that they were made of.

Does not model ZX_VMO_CHILD_NO_WRITE: what a handle allows is the handle's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.constants import PAGE_MASK, ByteOffset, ByteSize
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    Status,
)
from vmaspace.model.vmo.kinds import CloneType, RangeChangeOp, VmoKind, round_vmo_size
from vmaspace.model.vmo.paged_lookup import StreamSize
from vmaspace.model.vmo.pager_orders import PagerOrders

if TYPE_CHECKING:
    from vmaspace.model.vmo.paged import VmObjectPaged


class PagedChildren(PagerOrders):
    """A paged VMO that children can be made of."""

    __slots__ = ()

    # Clones.

    def create_clone(
        self, type: CloneType, offset: ByteOffset, size: ByteSize, *, is_resizable: bool = False
    ) -> tuple[Status, VmObjectPaged | None]:
        """A copy of `[offset, offset + size)`, made page by page when either side is written.

        Without a pager every type is a full snapshot. A clone of a pager-backed VMO sees through to it until the
        clone is written.

        *Kernel:* `VmObjectPaged::CreateClone` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* INVALID_ARGS for a misaligned offset; OUT_OF_RANGE for a range beyond the largest size;
        NOT_SUPPORTED for discardable and contiguous VMOs, and where a pager stands against the type; BAD_STATE
        with pinned pages; NO_MEMORY.
        *Leaves alone:* what this VMO shows.
        """
        if offset & PAGE_MASK:
            return ZX_ERR_INVALID_ARGS, None
        status, rounded = round_vmo_size(size)
        if status is not ZX_OK or round_vmo_size(offset + rounded)[0] is not ZX_OK:
            return ZX_ERR_OUT_OF_RANGE, None
        if self.is_discardable or self.is_contiguous():
            return ZX_ERR_NOT_SUPPORTED, None
        with self.lock:
            status, is_snapshot = self._clone_is_snapshot(type)
            if status is not ZX_OK:
                return status, None
            heap = self.system.heap
            if not all(heap.allocate() for _ in range(3 if is_snapshot else 2)):
                return ZX_ERR_NO_MEMORY, None
            limit = max(min(rounded, self.size - offset), 0)
            start, pages = offset + self.cow_offset, self.cow_pages
            if is_snapshot:
                if limit:
                    pages.range_change_update(start, limit, RangeChangeOp.REMOVE_WRITE)
                cloned = pages.clone_bidirectional(start, rounded, limit)
            else:
                cloned = pages.clone_unidirectional(start, rounded, limit)
            clone = self.system.paged_vmo_class(
                self.system,
                VmoKind.PAGED,
                cloned,
                lock=self.lock,
                stream_size=StreamSize(size),
                is_resizable=is_resizable,
            )
            self._adopt(clone)
        return ZX_OK, clone

    def _clone_is_snapshot(self, type: CloneType) -> tuple[Status, bool]:
        """Whether a clone needs a hidden parent: `VmCowPages::CreateCloneLocked`."""
        pages = self.cow_pages
        if pages.root().source is None:
            return (ZX_ERR_BAD_STATE, False) if pages.pin_counts else (ZX_OK, True)
        if type is CloneType.SNAPSHOT:
            return ZX_ERR_NOT_SUPPORTED, False
        if type is CloneType.SNAPSHOT_AT_LEAST_ON_WRITE or pages.source is not None:
            return ZX_OK, False
        if pages.pin_counts:
            return ZX_ERR_BAD_STATE, False
        # What the VMO changed is to be kept for the clone: it has to be a direct child of the pager's, without
        # children that see through to it.
        above = pages.parent
        while above is not None and above.is_hidden:
            above = above.parent
        if pages.children or above is None or above.source is None:
            return ZX_ERR_NOT_SUPPORTED, False
        return ZX_OK, True

    # Slices and references.

    def create_child_slice(self, offset: ByteOffset, size: ByteSize) -> tuple[Status, VmObjectPaged | None]:
        """A window on `[offset, offset + size)` of this VMO.

        *Kernel:* `VmObjectPaged::CreateChildSlice` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* INVALID_ARGS for a misaligned offset or size, and beyond the size; NOT_SUPPORTED for discardable and
        resizable VMOs; NO_MEMORY.
        """
        if (offset | size) & PAGE_MASK:
            return ZX_ERR_INVALID_ARGS, None
        if self._check_range(offset, size) is not ZX_OK:
            return ZX_ERR_INVALID_ARGS, None
        if self.is_discardable or self.is_resizable:
            return ZX_ERR_NOT_SUPPORTED, None
        return self._sharing_child(self.cow_offset + offset, size)

    def create_child_reference(
        self, offset: ByteOffset = 0, size: ByteSize = 0, *, is_resizable: bool = False
    ) -> tuple[Status, VmObjectPaged | None]:
        """A second VMO with the pages, the size and the stream size of this one.

        *Kernel:* `VmObjectPaged::CreateChildReference` (zircon/kernel/vm/vm_object_paged.cc)
        *Fails with:* INVALID_ARGS unless offset and size are 0; NOT_SUPPORTED for contiguous and discardable VMOs, and
        for a resizable reference of a VMO that is not; NO_MEMORY.
        """
        if offset or size:
            return ZX_ERR_INVALID_ARGS, None
        if self.is_contiguous() or self.is_discardable or (is_resizable and not self.is_resizable):
            return ZX_ERR_NOT_SUPPORTED, None
        status, child = self._sharing_child(self.cow_offset, self.cow_size)
        if child is not None:
            child.is_resizable = is_resizable
            child.stream_size = self.stream_size
        return status, child

    def _sharing_child(
        self, offset: ByteOffset, size: ByteSize | None
    ) -> tuple[Status, VmObjectPaged | None]:
        if not self.system.heap.allocate():
            return ZX_ERR_NO_MEMORY, None
        with self.lock:
            child = self.system.paged_vmo_class(
                self.system, self.kind, self.cow_pages, lock=self.lock, cow_offset=offset, cow_size=size
            )
            child.cache_policy = self.cache_policy
            self._adopt(child)
        return ZX_OK, child
