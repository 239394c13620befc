"""A mapping: a range of addresses that shows an equally long range of one VMO.

Mirrors `VmMapping` (`zircon/kernel/vm/include/vm/vm_address_region.h`, `zircon/kernel/vm/vm_mapping.cc`), in the
revision in which a partial unmap and a merge make new objects and leave the old ones dead. Here is what makes other
mappings of one; its life is in `mapping_life.py`, its protection in `mapping_protection.py`, its pages are in
`mapping_pages.py` and its faults in `mapping_faults.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.constants import (
    PAGE_MASK,
    ByteSize,
    Vaddr,
)
from vmaspace.model.flags import (
    MMU_CACHE_MASK,
    VMAR_FLAG_CAN_MAP_WRITE,
    VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE,
)
from vmaspace.model.mapping_life import LivingMapping
from vmaspace.model.region import ALIVE, MemoryPriority
from vmaspace.model.status import (
    ZX_ERR_ACCESS_DENIED,
    ZX_ERR_BAD_STATE,
    ZX_ERR_NO_MEMORY,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmo import CloneType, VmObject

if TYPE_CHECKING:
    from vmaspace.model.vmar import VmAddressRegion

_FILE = "zircon/kernel/vm/vm_mapping.cc"


class VmMapping(LivingMapping):
    """A leaf of the tree of regions."""

    __slots__ = ()

    # Removing a part.

    def unmap_part(self, base: Vaddr, size: ByteSize) -> Status:
        """Remove `[base, base + size)`: this object dies, and what is left becomes one or two new mappings.

        *Kernel:* `VmMapping::UnmapLocked` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* BAD_STATE unless ALIVE; NO_MEMORY, with nothing changed.
        *Asserts:* a part, not the whole; page aligned; there is a parent.
        *Leaves alone:* the addresses outside the range: same VMO offsets, same protection.
        """
        if not size or (base | size | self.base) & PAGE_MASK or not self.is_in_range(base, size):
            raise AssertionViolation("the part to unmap is page aligned and inside the mapping", _FILE)
        if size == self.size:
            raise AssertionViolation("the part to unmap is not the whole mapping", _FILE)
        if self.state is not ALIVE:
            return ZX_ERR_BAD_STATE
        parent, vmo = self.parent, self.vmo
        if parent is None or vmo is None:
            raise AssertionViolation("a mapping that is alive has a parent and a VMO", _FILE)

        pieces = self._split_around(parent, vmo, base, base + size)
        if pieces is None:
            return ZX_ERR_NO_MEMORY
        left, right = pieces
        status = self._enter_pieces(parent, vmo, left, right)
        if status is not ZX_OK:
            return status
        if left is not None:
            parent.subregions.replace_region(self, left)
        else:
            parent.subregions.remove_region(self)
        pieces_left = [piece for piece in pieces if piece is not None]
        for piece in pieces_left:  # before the original gives its priority up, so that no count touches zero
            piece.set_priority_locked(self.memory_priority)
        if self.aspace.unmap_translations(base, size) is not ZX_OK:
            raise AssertionViolation("the arch unmap of a part succeeds", _FILE)
        # The page tables and the list are taken care of: the original only becomes dead.
        self._leave_vmo()
        self._become_dead()
        for piece in pieces_left:
            piece.state = ALIVE
        return ZX_OK

    def _split_around(
        self, parent: VmAddressRegion, vmo: VmObject, base: Vaddr, end: Vaddr
    ) -> tuple[VmMapping | None, VmMapping | None] | None:
        """What is left of the mapping below `base` and above `end`; None when memory is out."""
        heap = self.aspace.system.heap
        left = right = None
        if base > self.base:
            if not heap.allocate():
                return None
            left = self._piece(parent, vmo, self.base, base)
        if end < self.end:
            if not heap.allocate():
                return None
            # With a left part the ranges are copied, not moved.
            if left is not None and not self._ranges.is_single() and not heap.allocate():
                return None
            right = self._piece(parent, vmo, end, self.end)
        return left, right

    def _piece(self, parent: VmAddressRegion, vmo: VmObject, base: Vaddr, end: Vaddr) -> VmMapping:
        """The mapping of `[base, end)` that a split leaves; always mergeable."""
        return self.aspace.system.mapping_class(
            parent,
            base,
            end - base,
            self._flags,
            vmo,
            self.object_offset + (base - self.base),
            self._ranges.part(base, end),
            mergeable=True,
            private_clone=self.private_clone,
        )

    def _enter_pieces(
        self, parent: VmAddressRegion, vmo: VmObject, left: VmMapping | None, right: VmMapping | None
    ) -> Status:
        """Put the pieces in their lists, beside the original; undo on failure."""
        if right is not None:
            status = parent.subregions.insert_region(right)
            if status is not ZX_OK:
                return status
            status = vmo.add_mapping(right)
            if status is not ZX_OK:
                parent.subregions.remove_region(right)
                return status
        if left is not None:
            status = vmo.add_mapping(left)
            if status is not ZX_OK:
                if right is not None:
                    vmo.remove_mapping(right)
                    parent.subregions.remove_region(right)
                return status
        return ZX_OK

    # Merging.

    def mark_mergeable(self) -> None:
        """Allow the mapping to merge, and merge it with the mappings that continue it on either side.

        The object itself may be DEAD afterwards; its addresses are reached through the VMAR.

        *Kernel:* `VmMapping::MarkMergeable` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing; does nothing unless ALIVE, or to the vDSO code mapping.
        *Leaves alone:* which addresses show which VMO offsets with which protection.
        """
        aspace = self.aspace
        with aspace.region_lock(), aspace.lock():
            self._mark_mergeable_locked()

    def _mark_mergeable_locked(self) -> None:
        if self.state is not ALIVE or self.aspace.vdso_code_mapping is self:
            return
        if self.parent is None:
            raise AssertionViolation("a mapping that is alive has a parent", _FILE)
        self.mergeable = True
        subregions = self.parent.subregions
        merged: VmMapping = self
        right = subregions.right_of(self)
        if isinstance(right, VmMapping):
            merged = self._try_merge(self, right) or self
        left = subregions.left_of(merged)
        if isinstance(left, VmMapping):
            self._try_merge(left, merged)

    def _can_merge(self, left: VmMapping, right: VmMapping) -> bool:
        """Whether `right` continues `left` in every respect."""
        if left.vmo is not right.vmo:
            return False
        if left.private_clone != right.private_clone:
            raise AssertionViolation("mappings of one VMO agree on being a private clone", _FILE)
        return (
            left.end == right.base
            and left.object_offset + left.size == right.object_offset
            and left._flags == right._flags
            and (left._ranges.first_flags ^ right._ranges.first_flags) & MMU_CACHE_MASK == 0
            and left.state is ALIVE
            and right.state is ALIVE
            and left.mergeable
            and right.mergeable
        )

    def _try_merge(self, left: VmMapping, right: VmMapping) -> VmMapping | None:
        """One new mapping in place of both, or None and no change.

        *Kernel:* `VmMapping::TryMergeRightNeighborLocked` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing; without memory the two stay as they are.
        *Asserts:* same parent, same memory priority.
        """
        if left.parent is not right.parent or left.memory_priority is not right.memory_priority:
            raise AssertionViolation("neighbours have one parent and one memory priority", _FILE)
        if not self._can_merge(left, right):
            return None
        parent, vmo = left.parent, left.vmo
        if parent is None or vmo is None:
            raise AssertionViolation("a mapping that is alive has a parent and a VMO", _FILE)
        if not self.aspace.system.heap.allocate():
            return None
        merged = self.aspace.system.mapping_class(
            parent,
            left.base,
            left.size + right.size,
            left._flags,
            vmo,
            left.object_offset,
            left._ranges.joined(right.base, right._ranges),
            mergeable=True,
            private_clone=left.private_clone,
        )
        if vmo.add_mapping(merged) is not ZX_OK:
            return None
        priority = left.memory_priority
        parent.subregions.remove_region(right)
        parent.subregions.replace_region(left, merged)
        for old in (left, right):
            old._leave_vmo()
            old._become_dead()
        merged.state = ALIVE
        merged.set_priority_locked(priority)
        self.aspace.system.counters["vm.aspace.mapping.merged_neighbors"] += 1
        return merged

    # Writing to what may not be written.

    def force_writable(self) -> tuple[Status, VmMapping | None]:
        """Put a mapping of a private clone in the place of this one, unless it may be written already.

        The replacement may not be written either: the caller writes to its VMO.

        *Kernel:* `VmMapping::ForceWritable` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* BAD_STATE unless ALIVE; ACCESS_DENIED for the vDSO code mapping; what the clone answers;
        NO_MEMORY.
        *Leaves alone:* everything, unless it succeeds.
        """
        aspace = self.aspace
        with aspace.region_lock(), aspace.lock():
            parent, vmo = self.parent, self.vmo
            if self.state is not ALIVE or parent is None or vmo is None:
                return ZX_ERR_BAD_STATE, None
            if aspace.vdso_code_mapping is self:
                return ZX_ERR_ACCESS_DENIED, None
            if self.private_clone or self._flags & VMAR_FLAG_CAN_MAP_WRITE or not vmo.is_paged():
                return ZX_OK, self
            status, clone = vmo.create_clone(
                CloneType.SNAPSHOT_AT_LEAST_ON_WRITE, self.object_offset, self.size
            )
            if clone is None:
                return status, None
            status, replacement = self._replace_by_clone(parent, clone)
            clone.release()  # the mapping keeps it, or nobody does
            return status, replacement

    def _replace_by_clone(
        self, parent: VmAddressRegion, clone: VmObject
    ) -> tuple[Status, VmMapping | None]:
        if self._flags & VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE and self.vmo is not None:
            stream_size = min(max(self.vmo.get_stream_size() - self.object_offset, 0), self.size)
            status = clone.set_stream_size(stream_size)
            if status is not ZX_OK:
                return status, None
        heap = self.aspace.system.heap
        if not heap.allocate() or (not self._ranges.is_single() and not heap.allocate()):
            return ZX_ERR_NO_MEMORY, None
        replacement = self.aspace.system.mapping_class(
            parent,
            self.base,
            self.size,
            self._flags,
            clone,
            0,
            self._ranges.part(self.base, self.end),
            mergeable=self.mergeable,
            private_clone=True,
        )
        replacement.set_priority_locked(self.memory_priority)
        if clone.add_mapping(replacement) is not ZX_OK:
            replacement.set_priority_locked(MemoryPriority.DEFAULT)
            return ZX_ERR_NO_MEMORY, None
        parent.subregions.replace_region(self, replacement)
        if self.aspace.unmap_translations(self.base, self.size) is not ZX_OK:
            raise AssertionViolation("the arch unmap of a part succeeds", _FILE)
        self._leave_vmo()
        self._become_dead()
        replacement._become_alive(clone)
        return ZX_OK, replacement
