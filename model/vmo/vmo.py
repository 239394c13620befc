"""Virtual memory objects: what every kind has, and what mappings ask of any.

Mirrors `VmObject` (`zircon/kernel/vm/include/vm/vm_object.h`, `zircon/kernel/vm/vm_object.cc`): the list of mappings
that show it, its children, its lock, and what it answers to operations that its kind does not have. The kinds
are in `paged.py` and `physical.py`.

Does not model names as properties or signals: `num_children` says what ZX_VMO_ZERO_CHILDREN would.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from vmaspace.model.constants import ADDRESS_SPACE, PAGE_SIZE, ByteOffset, ByteSize, round_up_page
from vmaspace.model.locks import LockOrder, Mutex
from vmaspace.model.status import (
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmo.attribution import NOTHING_ATTRIBUTED, AttributionCounts

if TYPE_CHECKING:
    from vmaspace.model.mapping import VmMapping
    from vmaspace.model.physical_memory import VmPage
    from vmaspace.model.system import System
    from vmaspace.model.vmo.page_source import PageRequest

_FILE = "zircon/kernel/vm/vm_object.cc"

# VmObjectPaged::MAX_SIZE: the largest size whose last page does not touch the end of the offsets.
MAX_VMO_SIZE: Final = ADDRESS_SPACE - 2 * PAGE_SIZE

# How many distinct address spaces a share count tells apart exactly.
_SHARE_COUNT_LIMIT: Final = 64


class VmoKind(IntEnum):
    """Which class of VMO: ordinary pages, pages in one physical run, or a range of device memory."""

    PAGED = 0
    CONTIGUOUS = 1
    PHYSICAL = 2


class RangeChangeOp(IntEnum):
    """`RangeChangeOp`: what mappings are told when pages of their VMO change."""

    UNMAP = 0
    UNMAP_ZERO_PAGE = 1
    UNMAP_AND_HARVEST = 2
    REMOVE_WRITE = 3
    DEBUG_UNPIN = 4


class HintType(IntEnum):
    """`VmObject::EvictionHint`: what a caller says about future use."""

    DONT_NEED = 0
    ALWAYS_NEED = 1


def round_vmo_size(size: ByteSize) -> tuple[Status, ByteSize]:
    """`size` in whole pages.

    *Kernel:* `VmObject::RoundSize` (zircon/kernel/vm/vm_object.cc)
    *Fails with:* OUT_OF_RANGE beyond the largest size.
    """
    rounded = round_up_page(size)
    if rounded < size or rounded > MAX_VMO_SIZE:
        return ZX_ERR_OUT_OF_RANGE, 0
    return ZX_OK, rounded


class VmObject:
    """A memory object that mappings can show."""

    __slots__ = (
        "_mappings",
        "_references",
        "cache_policy",
        "children",
        "is_vdso",
        "kind",
        "koid",
        "lock",
        "name",
        "parent",
        "system",
    )

    def __init__(
        self,
        system: System,
        kind: VmoKind,
        *,
        lock: Mutex | None = None,
        is_vdso: bool = False,
        name: str = "",
    ) -> None:
        self.system = system
        self.koid = system.next_koid()
        self.kind = kind
        # VmHierarchyState: a VMO and its children have one lock.
        self.lock = Mutex(system.held_locks, LockOrder.VMO, "VmObject") if lock is None else lock
        self.is_vdso = is_vdso
        self.cache_policy = 0  # a cache value of MmuFlag
        self.name = name
        self.parent: VmObject | None = None
        self.children: dict[VmObject, None] = {}  # oldest first
        self._mappings: dict[VmMapping, None] = {}
        self._references = 1

    def __repr__(self) -> str:
        return f"<vmo k{self.koid} {self.kind.name} {self.size:#x} bytes>"

    # What it is.

    @property
    def size(self) -> ByteSize:
        """Bytes, a whole number of pages."""
        raise NotImplementedError

    @property
    def is_resizable(self) -> bool:
        """Whether its size can change."""
        return False

    @property
    def is_discardable(self) -> bool:
        """Whether the kernel may discard its pages while it is not locked."""
        return False

    @property
    def num_children(self) -> int:
        """How many children it has: 0 is when ZX_VMO_ZERO_CHILDREN is active."""
        return len(self.children)

    def is_paged(self) -> bool:
        """Whether pages back it, contiguous or not."""
        return self.kind is not VmoKind.PHYSICAL

    def is_contiguous(self) -> bool:
        """Whether its pages are one physical run by construction."""
        return self.kind is not VmoKind.PAGED

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

    # Life.

    def add_ref(self) -> None:
        """Take one more reference: a handle, or the kernel's own."""
        self._references += 1

    def release(self) -> None:
        """Drop a reference. Without references and mappings, the VMO goes.

        *Kernel:* `fbl::RefPtr<VmObject>` and the destructors (zircon/kernel/vm/vm_object.cc)
        *Fails with:* nothing.
        *Asserts:* there was a reference.
        """
        if self._references == 0:
            raise AssertionViolation("a reference to be dropped exists", _FILE)
        self._references -= 1
        if self._references == 0 and not self._mappings:
            with self.lock:
                self._destroy_locked()

    @property
    def is_alive(self) -> bool:
        """Whether anything still refers to it."""
        return self._references > 0 or bool(self._mappings)

    def _destroy_locked(self) -> None:
        """The last reference is gone: the children are the parent's from now on."""
        if self.parent is not None:
            del self.parent.children[self]
            self.parent.children.update(self.children)
        for child in self.children:
            child.parent = self.parent
        self.children = {}

    def _adopt(self, child: VmObject) -> None:
        child.parent = self
        self.children[child] = None

    # Mappings.

    @property
    def mappings(self) -> tuple[VmMapping, ...]:
        """The mappings that show this VMO, oldest first."""
        return tuple(self._mappings)

    def add_mapping(self, mapping: VmMapping) -> Status:
        """Register a mapping; it keeps the VMO alive.

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
        if not self._mappings and self._references == 0:
            self._destroy_locked()

    def share_count(self) -> int:
        """How many address spaces show it; 1 when there are fewer than two mappings.

        *Kernel:* `VmObject::share_count` (zircon/kernel/vm/vm_object.cc)
        *Fails with:* nothing.
        """
        if len(self._mappings) < 2:
            return 1
        aspaces: set[int] = set()
        for seen, mapping in enumerate(self._mappings):
            if id(mapping.aspace) not in aspaces and len(aspaces) == _SHARE_COUNT_LIMIT:
                # From here on every mapping is taken to be of an address space of its own.
                return len(aspaces) + len(self._mappings) - seen
            aspaces.add(id(mapping.aspace))
        return len(aspaces)

    def update_mappings(self, offset: ByteOffset, size: ByteSize, op: RangeChangeOp) -> None:
        """Tell every mapping what happened to `[offset, offset + size)`.

        *Kernel:* `VmObject::RangeChangeUpdateMappingsLocked` (zircon/kernel/vm/vm_object.cc)
        *Fails with:* nothing.
        """
        mapping: Any  # VmMapping, by the three members that it has for this
        for mapping in self._mappings:
            if op is RangeChangeOp.REMOVE_WRITE:
                mapping.aspace_remove_write_locked_object(offset, size)
            elif op is RangeChangeOp.DEBUG_UNPIN:
                mapping.aspace_debug_unpin_locked_object(offset, size)
            else:
                mapping.aspace_unmap_locked_object(offset, size, op)

    def range_change_update(self, offset: ByteOffset, size: ByteSize, op: RangeChangeOp) -> None:
        """Tell the mappings of every VMO that sees the pages of `[offset, offset + size)`.

        *Kernel:* `VmObject::RangeChangeUpdateLocked` (zircon/kernel/vm/vm_object.cc)
        *Fails with:* nothing.
        """
        with self.lock:
            self.update_mappings(offset, size, op)

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
        if size == 0 or (offset | size) % PAGE_SIZE:
            return ZX_ERR_INVALID_ARGS
        if offset + size > self.size:
            return ZX_ERR_OUT_OF_RANGE
        return ZX_OK

    def unpin(self, offset: ByteOffset, size: ByteSize) -> None:
        """Undo one `commit_range_pinned`; nothing where pages never leave."""

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
