"""Virtual memory objects, as far as regions need to know them.

Mirrors `VmObject` (`zircon/kernel/vm/include/vm/vm_object.h`): size, kind, cache policy, and the list of the
mappings that show it.

Does not model pages: no contents, no clones, no pager, no commitment. `pinned` says for the whole object whether
its pages are pinned.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from vmaspace.model.constants import ADDRESS_SPACE, PAGE_SIZE, ByteOffset, ByteSize, Paddr, round_up_page
from vmaspace.model.flags import MMU_CACHE_MASK
from vmaspace.model.status import (
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    AssertionViolation,
    Status,
)

if TYPE_CHECKING:
    from vmaspace.model.mapping import VmMapping
    from vmaspace.model.system import System

_FILE = "zircon/kernel/vm/vm_object.cc"

# VmObjectPaged::MAX_SIZE: the largest size whose last page does not touch the end of the offsets.
MAX_VMO_SIZE = ADDRESS_SPACE - 2 * PAGE_SIZE


class VmoKind(IntEnum):
    """Which class of VMO: ordinary pages, pages in one physical run, or a range of device memory."""

    PAGED = 0
    CONTIGUOUS = 1
    PHYSICAL = 2


class VmObject:
    """A memory object that mappings can show."""

    __slots__ = (
        "_mappings",
        "cache_policy",
        "is_discardable",
        "is_resizable",
        "is_vdso",
        "kind",
        "koid",
        "name",
        "paddr",
        "pinned",
        "size",
        "system",
    )

    def __init__(
        self,
        system: System,
        size: ByteSize,
        kind: VmoKind = VmoKind.PAGED,
        *,
        is_resizable: bool = False,
        is_discardable: bool = False,
        is_vdso: bool = False,
        pinned: bool = False,
        paddr: Paddr = 0,
        name: str = "",
    ) -> None:
        self.system = system
        self.koid = system.next_koid()
        self.size = size  # bytes, a whole number of pages
        self.kind = kind
        self.is_resizable = is_resizable
        self.is_discardable = is_discardable
        self.is_vdso = is_vdso
        self.pinned = pinned
        self.paddr = paddr  # of a physical VMO: where it starts
        self.cache_policy = 0  # a cache value of MmuFlag
        self.name = name
        self._mappings: dict[VmMapping, None] = {}

    def __repr__(self) -> str:
        return f"<vmo k{self.koid} {self.kind.name} {self.size:#x} bytes>"

    @classmethod
    def create(
        cls,
        system: System,
        size: ByteSize,
        kind: VmoKind = VmoKind.PAGED,
        *,
        is_resizable: bool = False,
        is_discardable: bool = False,
        paddr: Paddr = 0,
    ) -> tuple[Status, VmObject | None]:
        """A new VMO of `size` bytes, rounded up to whole pages.

        *Kernel:* `VmObjectPaged::Create` (zircon/kernel/vm/vm_object_paged.cc), `CreateContiguous` there, and
        `VmObjectPhysical::Create` (zircon/kernel/vm/vm_object_physical.cc)
        *Fails with:* OUT_OF_RANGE beyond the largest size; INVALID_ARGS for an empty contiguous or physical
        VMO, or a misaligned physical address; NO_MEMORY.
        """
        rounded = round_up_page(size)
        if rounded < size or rounded > MAX_VMO_SIZE:
            return ZX_ERR_OUT_OF_RANGE, None
        if kind is not VmoKind.PAGED and rounded == 0:
            return ZX_ERR_INVALID_ARGS, None
        if kind is VmoKind.PHYSICAL and paddr % PAGE_SIZE:
            return ZX_ERR_INVALID_ARGS, None
        if not system.heap.allocate():
            return ZX_ERR_NO_MEMORY, None
        vmo = cls(
            system, rounded, kind, is_resizable=is_resizable, is_discardable=is_discardable, paddr=paddr
        )
        # The pages of these two kinds can not be taken away.
        vmo.pinned = kind is not VmoKind.PAGED
        return ZX_OK, vmo

    def is_paged(self) -> bool:
        """Whether pages back it, contiguous or not."""
        return self.kind is not VmoKind.PHYSICAL

    def is_contiguous(self) -> bool:
        """Whether its pages are one physical run by construction."""
        return self.kind is VmoKind.CONTIGUOUS

    def is_range_pinned(self, offset: ByteOffset, size: ByteSize) -> bool:
        """Whether every page of `[offset, offset + size)` is pinned.

        *Kernel:* `VmObject::DebugIsRangePinned` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* nothing.
        """
        return self.pinned

    @property
    def mappings(self) -> tuple[VmMapping, ...]:
        """The mappings that show this VMO, oldest first."""
        return tuple(self._mappings)

    def add_mapping(self, mapping: VmMapping) -> Status:
        """Register a mapping.

        *Kernel:* `VmObject::AddMappingLocked` (zircon/kernel/vm/vm_object.cc)
        *Fails with:* NO_MEMORY; nothing is changed then.
        """
        if not self.system.heap.allocate():
            return ZX_ERR_NO_MEMORY
        self._mappings[mapping] = None
        return ZX_OK

    def remove_mapping(self, mapping: VmMapping) -> None:
        """Forget a mapping.

        *Kernel:* `VmObject::RemoveMappingLocked` (zircon/kernel/vm/vm_object.cc)
        *Fails with:* nothing.
        *Asserts:* the mapping is registered.
        """
        if mapping not in self._mappings:
            raise AssertionViolation("a mapping to be forgotten is in the VMO's list", _FILE)
        del self._mappings[mapping]

    def set_cache_policy(self, cache_policy: int) -> Status:
        """Choose how accesses are cached; mappings made later adopt it.

        *Kernel:* `VmObject::SetMappingCachePolicy` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* INVALID_ARGS for a value that is not a cache policy.
        """
        if cache_policy & ~MMU_CACHE_MASK:
            return ZX_ERR_INVALID_ARGS
        self.cache_policy = cache_policy
        return ZX_OK
