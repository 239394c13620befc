"""A mapping and the pages of its VMO: filling the page tables, and what the VMO tells its mappings.

Mirrors `VmMapping::MapRange`, `DecommitRange`, `AspaceUnmapLockedObject`, `AspaceRemoveWriteLockedObject` and
`AspaceDebugUnpinLockedObject` (`zircon/kernel/vm/vm_mapping.cc`).

Does not model pages that are loaned or compressed.
"""

from __future__ import annotations

from vmaspace.model.arch.options import ERROR, SKIP, UNMAP_HARVEST
from vmaspace.model.constants import (
    MAX_U64,
    PAGE_MASK,
    PAGE_SHIFT,
    PAGE_SIZE,
    ByteOffset,
    ByteSize,
    Vaddr,
    round_up_page,
)
from vmaspace.model.flags import (
    MMU_PERM_RWX_MASK,
    MMU_PERM_WRITE,
    VMAR_FLAG_CAN_MAP_WRITE,
    VMAR_FLAG_DEBUG_DYNAMIC_KERNEL_MAPPING,
    VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE,
)
from vmaspace.model.mapping_batch import MappingBatch
from vmaspace.model.mapping_protection import ProtectedRange
from vmaspace.model.region import ALIVE
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_OUT_OF_RANGE,
    ZX_ERR_SHOULD_WAIT,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmo import RangeChangeOp, VmObject

_FILE = "zircon/kernel/vm/vm_mapping.cc"


class MappedPages(ProtectedRange):
    """A mapping, as a window on the pages of a VMO."""

    __slots__ = ()

    # Populating.

    def map_range(
        self, offset: ByteOffset, size: ByteSize, *, commit: bool = False, ignore_existing: bool = False
    ) -> Status:
        """Fill the page tables for `[offset, offset + size)` of the mapping with pages that are there.

        With `commit`, pages that are not there are made. Nothing is marked accessed.

        *Kernel:* `VmMapping::MapRange` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* INVALID_ARGS for an empty rounded size; BAD_STATE unless ALIVE; INVALID_ARGS for a misaligned
        offset or a range outside the mapping; with `commit` what the VMO answers; ALREADY_EXISTS where something is
        mapped, unless existing entries are ignored; NO_MEMORY. Batches that were sent stay.
        *Asserts:* in a kernel space without the dynamic flag, the pages are pinned.
        """
        size = round_up_page(size)
        if size == 0:
            return ZX_ERR_INVALID_ARGS
        with self.aspace.lock():
            return self._map_range_locked(offset, size, commit, ignore_existing)

    def _map_range_locked(
        self, offset: ByteOffset, size: ByteSize, commit: bool, ignore_existing: bool
    ) -> Status:
        if self.state is not ALIVE:
            return ZX_ERR_BAD_STATE
        vmo = self.vmo
        if vmo is None:
            raise AssertionViolation("a mapping that is alive has a VMO", _FILE)
        if offset & PAGE_MASK or offset + size > self.size:
            return ZX_ERR_INVALID_ARGS
        if not self._may_change_pages() and not vmo.is_range_pinned(self.object_offset + offset, size):
            raise AssertionViolation("kernel mappings are of pinned pages", _FILE)
        action = SKIP if ignore_existing else ERROR
        batch = MappingBatch(self.aspace, action)
        with vmo.lock:
            start = self.base + offset
            for low, high, flags in self._ranges.ranges(start, start + size):
                if vmo.is_dirty_tracked():
                    flags &= ~MMU_PERM_WRITE
                if not flags & MMU_PERM_RWX_MASK:
                    continue
                if vmo.is_paged():
                    high = self._trim_to_vmo(vmo, low, high)
                    if high <= low:
                        break
                status = self._collect(batch, vmo, low, high, flags, commit)
                if status is not ZX_OK:
                    batch.drop()
                    return status
            return batch.flush()

    def _trim_to_vmo(self, vmo: VmObject, low: Vaddr, high: Vaddr) -> Vaddr:
        """Where the VMO, or its stream, ends within `[low, high)`."""
        vmo_offset = self._vmo_offset(low)
        if vmo_offset >= vmo.size:
            return low
        size = min(high - low, vmo.size - vmo_offset)
        if self._flags & VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE:
            # As implemented: past the stream size the subtraction wraps, and nothing is trimmed.
            size = min(size, (round_up_page(vmo.get_stream_size()) - vmo_offset) & MAX_U64)
        return low + size

    def _collect(
        self, batch: MappingBatch, vmo: VmObject, low: Vaddr, high: Vaddr, flags: int, commit: bool
    ) -> Status:
        """Put the pages behind `[low, high)` into the batch; without `commit`, those that are there.

        With `commit` each becomes the VMO's own, also where it is only to be read. A page that a pager has to be told of
        before it is written is its VMO's own already.
        """
        will_write = bool(flags & MMU_PERM_WRITE)
        for va in range(low, high, PAGE_SIZE):
            vmo_offset = self._vmo_offset(va)
            page_flags = flags
            if commit and vmo.is_paged():
                owns = will_write or not vmo.is_dirty_tracked()
                status, page, is_writable = vmo.lookup_page(vmo_offset, owns)
                if status is ZX_ERR_SHOULD_WAIT:
                    raise AssertionViolation("populating a mapping does not wait", _FILE)
                if page is None:
                    return status
            else:
                found = vmo.existing_page(vmo_offset, False)
                if found is None:
                    continue
                page, is_writable = found
            if not is_writable:
                page_flags &= ~MMU_PERM_WRITE
                if not page_flags & MMU_PERM_RWX_MASK:
                    continue  # there to be read only, and the mapping is to be written only
            status = batch.append(va, page.paddr, page_flags)
            if status is not ZX_OK:
                return status
        return ZX_OK

    def decommit_range(self, offset: ByteOffset, size: ByteSize) -> Status:
        """Give the pages behind `[offset, offset + size)` of the mapping back.

        *Kernel:* `VmMapping::DecommitRange` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* BAD_STATE unless ALIVE; OUT_OF_RANGE outside the mapping; then what the VMO answers.
        """
        with self.aspace.lock():
            vmo = self.vmo
            if self.state is not ALIVE or vmo is None:
                return ZX_ERR_BAD_STATE
            if offset + size > min(self.size, MAX_U64):
                return ZX_ERR_OUT_OF_RANGE
            return vmo.decommit_range(self.object_offset + offset, size)

    # Calls from the VMO, which holds its lock.

    def aspace_unmap_locked_object(self, offset: ByteOffset, size: ByteSize, option: RangeChangeOp) -> None:
        """The VMO's pages in `[offset, offset + size)` go: take their translations away.

        *Kernel:* `VmMapping::AspaceUnmapLockedObject` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing.
        *Asserts:* the VMO's lock is held; ALIVE; a page-aligned range; not a kernel mapping of pinned pages; the
        page tables can be edited.
        """
        window = self._assert_window(offset, size)
        if window is None:
            return
        fault = self.currently_faulting
        if option is RangeChangeOp.UNMAP_ZERO_PAGE and fault is not None and fault.defers_unmap(offset, size):
            return
        if not self._may_change_pages():
            raise AssertionViolation("the pages of a kernel mapping do not go", _FILE)
        base, pages = window
        options = self.aspace.enlarge_arch_unmap()
        if option is RangeChangeOp.UNMAP_AND_HARVEST:
            options |= UNMAP_HARVEST
        if self.aspace.arch.unmap(base, pages, options) is not ZX_OK:
            raise AssertionViolation("the arch unmap of a part succeeds", _FILE)

    def aspace_remove_write_locked_object(self, offset: ByteOffset, size: ByteSize) -> None:
        """The VMO's pages in `[offset, offset + size)` are shared from now on: writes have to fault.

        *Kernel:* `VmMapping::AspaceRemoveWriteLockedObject` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing.
        *Asserts:* as `aspace_unmap_locked_object`.
        """
        window = self._assert_window(offset, size)
        if window is None or not self._flags & VMAR_FLAG_CAN_MAP_WRITE:
            return
        if not self._may_change_pages():
            raise AssertionViolation("the pages of a kernel mapping stay writable", _FILE)
        base, pages = window
        for low, high, flags in self._ranges.ranges(base, base + (pages << PAGE_SHIFT)):
            if flags & MMU_PERM_WRITE:
                self._downgrade(low, high, flags & ~MMU_PERM_WRITE)

    def aspace_debug_unpin_locked_object(self, offset: ByteOffset, size: ByteSize) -> None:
        """The VMO's pages in `[offset, offset + size)` are not pinned any more.

        *Kernel:* `VmMapping::AspaceDebugUnpinLockedObject` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing.
        *Asserts:* as `aspace_unmap_locked_object`.
        """
        if self._assert_window(offset, size) is not None and not self._may_change_pages():
            raise AssertionViolation("what a kernel mapping shows stays pinned", _FILE)

    def _assert_window(self, offset: ByteOffset, size: ByteSize) -> tuple[Vaddr, int] | None:
        """The addresses at which the mapping shows a range of its VMO, as (base, pages); None for none."""
        vmo = self.vmo
        if vmo is None or self.state is not ALIVE:
            raise AssertionViolation("a mapping that its VMO calls is alive", _FILE)
        vmo.lock.assert_held()
        if (offset | size) & PAGE_MASK:
            raise AssertionViolation("a range that changes in a VMO is whole pages", _FILE)
        shown = self.object_offset
        if offset >= shown + self.size or offset + size <= shown:
            return None
        low, high = max(offset, shown), min(offset + size, shown + self.size)
        return self.base + (low - shown), (high - low) >> PAGE_SHIFT

    def _may_change_pages(self) -> bool:
        """Whether the pages may come and go: not so in kernel spaces, which map pinned pages."""
        return self.aspace.is_user_or_guest() or bool(
            self._flags & VMAR_FLAG_DEBUG_DYNAMIC_KERNEL_MAPPING
        )

    def _vmo_offset(self, va: Vaddr) -> ByteOffset:
        return self.object_offset + (va - self.base)
