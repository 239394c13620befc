"""Physical VMOs: a range of device memory.

Mirrors `VmObjectPhysical` (`zircon/kernel/vm/include/vm/vm_object_physical.h`, `zircon/kernel/vm/vm_object_physical.cc`).
There is nothing to commit, and what is to be read is read through a mapping.

Does not model devices: their memory keeps what was written, and is zeros before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.constants import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, ByteOffset, ByteSize, Paddr
from vmaspace.model.flags import MMU_CACHE_MASK
from vmaspace.model.locks import Mutex
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmo.kinds import VmoKind, round_vmo_size
from vmaspace.model.vmo.vmo import VmObject

if TYPE_CHECKING:
    from vmaspace.model.system import System

_FILE = "zircon/kernel/vm/vm_object_physical.cc"


class VmObjectPhysical(VmObject):
    """A VMO that shows the physical addresses from `paddr` on."""

    __slots__ = ("_size", "paddr")

    def __init__(
        self, system: System, paddr: Paddr, size: ByteSize, *, lock: Mutex | None = None, name: str = ""
    ) -> None:
        super().__init__(system, VmoKind.PHYSICAL, lock=lock, name=name)
        self.paddr = paddr
        self._size = size

    @classmethod
    def create(
        cls, system: System, paddr: Paddr, size: ByteSize, name: str = ""
    ) -> tuple[Status, VmObjectPhysical | None]:
        """A VMO over `size` bytes of device memory, rounded up to pages, at `paddr`.

        *Kernel:* `VmObjectPhysical::Create` (zircon/kernel/vm/vm_object_physical.cc)
        *Fails with:* OUT_OF_RANGE beyond the largest size; INVALID_ARGS for no size or a misaligned address; NO_MEMORY.
        """
        status, rounded = round_vmo_size(size)
        if status is not ZX_OK:
            return status, None
        if rounded == 0 or paddr & PAGE_MASK:
            return ZX_ERR_INVALID_ARGS, None
        if not system.heap.allocate():
            return ZX_ERR_NO_MEMORY, None
        return ZX_OK, cls(system, paddr, rounded, name=name)

    @property
    def size(self) -> ByteSize:
        """Bytes, a whole number of pages."""
        return self._size

    def lookup_page(self, offset: ByteOffset, will_write: bool) -> tuple[Status, VmPage | None, bool]:
        """The device page at a page-aligned `offset`; it may always be written.

        *Kernel:* `VmObjectPhysical::LookupContiguousLocked` (zircon/kernel/vm/vm_object_physical.cc)
        *Fails with:* nothing.
        *Asserts:* the VMO's lock is held; the offset is inside the VMO.
        """
        self.lock.assert_held()
        if offset >= self._size:
            raise AssertionViolation("a page that is looked up is inside the VMO", _FILE)
        return ZX_OK, self.system.pmm.device_page(self.paddr + offset), True

    def existing_page(self, offset: ByteOffset, will_write: bool) -> tuple[VmPage, bool] | None:
        """The device page at `offset`: it is always there.

        *Kernel:* `VmObjectPhysical::LookupContiguousLocked` (zircon/kernel/vm/vm_object_physical.cc)
        *Fails with:* nothing but None, beyond the end.
        *Asserts:* the VMO's lock is held.
        """
        self.lock.assert_held()
        return (self.system.pmm.device_page(self.paddr + offset), True) if offset < self._size else None

    def existing_pages(self, offset: ByteOffset, count: int, will_write: bool) -> list[VmPage]:
        """The device pages from `offset` on, `count` at most: those up to the end are always there.

        *Kernel:* `VmObjectPhysical::LookupContiguousLocked` (zircon/kernel/vm/vm_object_physical.cc)
        *Fails with:* nothing.
        *Asserts:* the VMO's lock is held.
        """
        self.lock.assert_held()
        end = min(offset + (count << PAGE_SHIFT), self._size)
        return [self.system.pmm.device_page(self.paddr + at) for at in range(offset, end, PAGE_SIZE)]

    def create_child_slice(
        self, offset: ByteOffset, size: ByteSize
    ) -> tuple[Status, VmObjectPhysical | None]:
        """A window on `[offset, offset + size)` of this VMO.

        *Kernel:* `VmObjectPhysical::CreateChildSlice` (zircon/kernel/vm/vm_object_physical.cc)
        *Fails with:* INVALID_ARGS for a misaligned offset or size, and beyond the size; NO_MEMORY.
        """
        if (offset | size) & PAGE_MASK:
            return ZX_ERR_INVALID_ARGS, None
        if offset + size > self._size:
            return ZX_ERR_INVALID_ARGS, None
        if not self.system.heap.allocate():
            return ZX_ERR_NO_MEMORY, None
        child = self.system.physical_vmo_class(self.system, self.paddr + offset, size, lock=self.lock)
        child.cache_policy = self.cache_policy
        self._adopt(child)
        return ZX_OK, child

    def set_cache_policy(self, cache_policy: int) -> Status:
        """Choose how accesses are cached; mappings made later adopt it.

        *Kernel:* `VmObjectPhysical::SetMappingCachePolicy` (zircon/kernel/vm/vm_object_physical.cc)
        *Fails with:* INVALID_ARGS for a value that is not a cache policy; BAD_STATE with mappings, with children, or
        as a child.
        """
        if cache_policy & ~MMU_CACHE_MASK:
            return ZX_ERR_INVALID_ARGS
        if self._mappings or self.children or self.parent is not None:
            return ZX_ERR_BAD_STATE
        self.cache_policy = cache_policy
        return ZX_OK
