"""What VMARs and mappings have in common: a range of addresses, a life cycle, a place in a tree.

Mirrors `VmAddressRegionOrMapping` (`zircon/kernel/vm/include/vm/vm_address_region.h`,
`zircon/kernel/vm/vm_address_region_or_mapping.cc`).

Does not model reference counts of regions: a dead region stays readable for whoever still holds it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Final

from vmaspace.model.constants import ByteSize, Vaddr
from vmaspace.model.flags import VmarFlag
from vmaspace.model.status import ZX_ERR_BAD_STATE, Status

if TYPE_CHECKING:
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.vmar import VmAddressRegion


class LifeCycleState(IntEnum):
    """`LifeCycleState`: only ever NOT_READY to ALIVE to DEAD."""

    NOT_READY = 0
    ALIVE = 1
    DEAD = 2


class MemoryPriority(IntEnum):
    """`MemoryPriority` of a region."""

    DEFAULT = 0
    HIGH = 1


# The same by plain names: to look a member up in its class is a call before Python 3.12.
NOT_READY: Final = LifeCycleState.NOT_READY
ALIVE: Final = LifeCycleState.ALIVE
DEAD: Final = LifeCycleState.DEAD
DEFAULT_PRIORITY: Final = MemoryPriority.DEFAULT
HIGH_PRIORITY: Final = MemoryPriority.HIGH


class VmAddressRegionOrMapping:
    """A node of the tree of regions: a `VmAddressRegion` or a `VmMapping`."""

    __slots__ = ("_flags", "aspace", "base", "memory_priority", "parent", "size", "state")

    is_mapping: ClassVar[bool] = False

    def __init__(
        self, aspace: VmAspace, parent: VmAddressRegion | None, base: Vaddr, size: ByteSize, flags: int
    ) -> None:
        self.aspace = aspace
        self.parent = parent  # None for a root, and for everything that is DEAD
        self.base = base
        self.size = size
        self._flags = flags
        self.state = NOT_READY
        self.memory_priority = DEFAULT_PRIORITY

    def __repr__(self) -> str:
        kind = "map" if self.is_mapping else "vmar"
        return f"<{kind} [{self.base:#x}, {self.end:#x}) {self.state.name}>"

    @property
    def end(self) -> Vaddr:
        """One past the last byte; 2^64, unwrapped, for a range that ends with the address space."""
        return self.base + self.size

    @property
    def flags(self) -> VmarFlag:
        """The permanent flags; those that only say how to create are not stored."""
        return VmarFlag(self._flags)

    @property
    def flags_word(self) -> int:
        """The permanent flags as a plain number, for paths that are walked often."""
        return self._flags

    def set_priority_locked(self, priority: MemoryPriority) -> None:
        """Change the memory priority of this region alone; the address space counts the HIGH ones.

        *Kernel:* `VmAddressRegionOrMapping::SetMemoryPriorityLocked` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* nothing.
        *Asserts:* what `VmAspace.change_high_priority_count_locked` asserts.
        """
        if self.memory_priority is not priority:
            self.memory_priority = priority
            self.aspace.change_high_priority_count_locked(1 if priority is HIGH_PRIORITY else -1)

    def is_alive(self) -> bool:
        """Whether the region is part of its tree."""
        return self.state is ALIVE

    def is_in_range(self, base: Vaddr, size: ByteSize) -> bool:
        """Whether `[base, base + size)` lies in this region; for size 0, whether `base` does.

        *Kernel:* `VmAddressRegionOrMapping::is_in_range` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        """
        offset = base - self.base
        return 0 <= offset < self.size and self.size - offset >= size

    def destroy(self) -> Status:
        """Take the region, and all below it, out of the address space.

        *Kernel:* `VmAddressRegionOrMapping::Destroy` (zircon/kernel/vm/vm_address_region_or_mapping.cc)
        *Fails with:* BAD_STATE unless ALIVE; then what the destruction meets: ACCESS_DENIED at the vDSO code
        mapping, NO_MEMORY from the page tables. A VMAR is then partly gone: what lies lower is DEAD.
        *Leaves alone:* the VMOs, and everything outside the region.
        """
        aspace = self.aspace
        with aspace.region_lock(), aspace.lock():
            if self.state is not ALIVE:
                return ZX_ERR_BAD_STATE
            return self._destroy_locked()


    def _destroy_locked(self) -> Status:
        raise NotImplementedError
