"""What a VMO is to the mappings that show it: how long it lives, who shows it, and what they are told.

Mirrors the part of `VmObject` that does not touch pages (`zircon/kernel/vm/include/vm/vm_object.h`,
`zircon/kernel/vm/vm_object.cc`): the list of mappings, the children, the lock. Pages are in `vmo.py` and the kinds.

Does not model names as properties or signals: `num_children` says what ZX_VMO_ZERO_CHILDREN would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vmaspace.model.constants import ByteOffset, ByteSize, stored_name
from vmaspace.model.locks import LockOrder, Mutex
from vmaspace.model.status import ZX_ERR_NO_MEMORY, ZX_OK, AssertionViolation, Status
from vmaspace.model.vmo.kinds import PAGED, PHYSICAL, RangeChangeOp, VmoKind

if TYPE_CHECKING:
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.mapping import VmMapping
    from vmaspace.model.system import System

_FILE = "zircon/kernel/vm/vm_object.cc"

# How many distinct address spaces a share count tells apart exactly.
_SHARE_COUNT_LIMIT: Final = 64


class MappedObject:
    """A memory object, as mappings and children know it."""

    __slots__ = (
        "_mappings",
        "_name",
        "_references",
        "cache_policy",
        "children",
        "is_resizable",
        "is_vdso",
        "kind",
        "koid",
        "lock",
        "parent",
        "system",
    )

    def __init__(
        self,
        system: System,
        kind: VmoKind,
        *,
        lock: Mutex | None = None,
        is_resizable: bool = False,
        is_vdso: bool = False,
        name: str = "",
    ) -> None:
        self.system = system
        self.koid = system.next_koid()
        self.kind = kind
        # VmHierarchyState: a VMO and its children have one lock.
        self.lock = Mutex(system.held_locks, LockOrder.VMO, "VmObject") if lock is None else lock
        self.is_resizable = is_resizable
        self.is_vdso = is_vdso
        self.cache_policy = 0  # a cache value of MmuFlag
        self._name = stored_name(name)
        self.parent: MappedObject | None = None
        self.children: dict[MappedObject, None] = {}  # oldest first
        self._mappings: dict[VmMapping, None] = {}
        self._references = 1

    def __repr__(self) -> str:
        return f"<vmo k{self.koid} {self.kind.name} {self.size:#x} bytes>"

    # What it is.

    @property
    def name(self) -> str:
        """The name; at most 31 bytes, and whoever sets more loses the rest. See `name_text`.

        *Kernel:* `VmObject::set_name` (zircon/kernel/vm/include/vm/vm_object.h)
        *Fails with:* nothing.
        """
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = stored_name(name)

    @property
    def size(self) -> ByteSize:
        """Bytes, a whole number of pages."""
        raise NotImplementedError

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
        return self.kind is not PHYSICAL

    def is_contiguous(self) -> bool:
        """Whether its pages are one physical run by construction."""
        return self.kind is not PAGED

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

    def _adopt(self, child: MappedObject) -> None:
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
        distinct = len({mapping.aspace for mapping in self._mappings})
        if distinct <= _SHARE_COUNT_LIMIT:
            return distinct
        aspaces: set[VmAspace] = set()
        for seen, mapping in enumerate(self._mappings):
            if mapping.aspace not in aspaces and len(aspaces) == _SHARE_COUNT_LIMIT:
                # From here on every mapping is taken to be of an address space of its own.
                return len(aspaces) + len(self._mappings) - seen
            aspaces.add(mapping.aspace)
        raise AssertionViolation("there are more address spaces than are told apart", _FILE)

    def update_mappings(self, offset: ByteOffset, size: ByteSize, op: RangeChangeOp) -> None:
        """Tell every mapping what happened to `[offset, offset + size)`.

        *Kernel:* `VmObject::RangeChangeUpdateMappingsLocked` (zircon/kernel/vm/vm_object.cc)
        *Fails with:* nothing.
        """
        mapping: Any  # VmMapping, by the three members that it has for this
        is_remove_write, is_unpin = op is RangeChangeOp.REMOVE_WRITE, op is RangeChangeOp.DEBUG_UNPIN
        for mapping in self._mappings:
            if is_remove_write:
                mapping.aspace_remove_write_locked_object(offset, size)
            elif is_unpin:
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
