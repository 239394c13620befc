"""The life of a mapping: activation, memory priority, destruction.

Mirrors `VmMapping::ActivateLocked`, `DestroyLocked` and `SetMemoryPriorityLocked` (`zircon/kernel/vm/vm_mapping.cc`).

Does not model when the memory of the object is freed: a dead mapping stays readable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from vmaspace.model.flags import (
    MMU_CACHE_MASK,
)
from vmaspace.model.mapping_faults import FaultingMapping
from vmaspace.model.region import ALIVE, DEAD, DEFAULT_PRIORITY, HIGH_PRIORITY, NOT_READY, MemoryPriority
from vmaspace.model.status import (
    ZX_ERR_ACCESS_DENIED,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmo import AttributionCounts, VmObject

if TYPE_CHECKING:
    from vmaspace.model.mapping import VmMapping

_FILE = "zircon/kernel/vm/vm_mapping.cc"


class LivingMapping(FaultingMapping):
    """A mapping, from its activation to its end."""

    __slots__ = ()

    is_mapping: ClassVar[bool] = True

    # Life cycle.

    def activate(self) -> Status:
        """Enter the parent's list and the VMO's list, and become ALIVE.

        *Kernel:* `VmMapping::ActivateLocked` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* NO_MEMORY; nothing is changed then, and the mapping stays NOT_READY.
        *Asserts:* NOT_READY, with a parent; what the insertion asserts; one range if the cache policy changes.
        """
        parent, vmo = self.parent, self.vmo
        if self.state is not NOT_READY or parent is None or vmo is None:
            raise AssertionViolation("a mapping to be activated is not ready and has a parent", _FILE)
        status = parent.subregions.insert_region(self)
        if status is not ZX_OK:
            return status
        status = vmo.add_mapping(cast("VmMapping", self))
        if status is not ZX_OK:
            parent.subregions.remove_region(self)
            return status
        self._become_alive(vmo)
        return ZX_OK

    def _become_alive(self, vmo: VmObject) -> None:
        """The rest of an activation, once the mapping is in both lists."""
        self.state = ALIVE
        if self._ranges.first_flags & MMU_CACHE_MASK != vmo.cache_policy:
            if not self._ranges.is_single():
                raise AssertionViolation("a mapping that adopts a cache policy has one range", _FILE)
            self._ranges.set_cache_policy(vmo.cache_policy, MMU_CACHE_MASK)

    def _destroy_locked(self) -> Status:
        """Leave the tree, with the page tables cleared.

        *Kernel:* `VmMapping::DestroyLocked` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* ACCESS_DENIED for the vDSO code mapping; what the arch unmap returns.
        """
        if self.aspace.last_fault is self:
            self.aspace.last_fault = None
        if self.aspace.vdso_code_mapping is self:
            return ZX_ERR_ACCESS_DENIED
        status = self.aspace.unmap_translations(self.base, self.size)
        if status is not ZX_OK:
            return status
        if self.parent is None:
            raise AssertionViolation("a mapping that is alive has a parent", _FILE)
        self._leave_vmo()
        self.parent.subregions.remove_region(self)
        self._become_dead()
        return ZX_OK

    def _leave_vmo(self) -> None:
        self.set_priority_locked(DEFAULT_PRIORITY)
        if self.vmo is None:
            raise AssertionViolation("a mapping that is alive has a VMO", _FILE)
        self.vmo.remove_mapping(cast("VmMapping", self))

    def _become_dead(self) -> None:
        if self.aspace.last_fault is self:
            self.aspace.last_fault = None
        if self.vmo is not None:
            with self.vmo.lock:
                self.vmo = None
        self.parent = None
        self.state = DEAD

    # Memory priority.

    def set_priority_locked(self, priority: MemoryPriority) -> None:
        """As for any region; a VMO that HIGH mappings show keeps its pages.

        *Kernel:* `VmMapping::SetMemoryPriorityLocked` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing.
        """
        if self.memory_priority is not priority:
            super().set_priority_locked(priority)
            if self.vmo is not None and self.vmo.is_paged():
                self.vmo.change_high_priority_count(1 if priority is HIGH_PRIORITY else -1)

    def commit_high_memory_priority(self) -> None:
        """Bring the pages of the mapping back, as long as it is HIGH. Best effort.

        *Kernel:* `VmMapping::CommitHighMemoryPriority` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing.
        """
        with self.aspace.lock():
            vmo = self.vmo
            if (
                vmo is None
                or self.state is not ALIVE
                or self.memory_priority is not HIGH_PRIORITY
            ):
                return
        vmo.commit_high_priority_pages(self.object_offset, self.size)
        # As implemented, the offset in the VMO is passed where one in the mapping is expected.
        self.map_range(self.object_offset, self.size, commit=False, ignore_existing=True)

    def get_attributed_memory(self) -> AttributionCounts:
        """What the pages that the mapping shows cost; nothing unless ALIVE.

        *Kernel:* `VmMapping::GetAttributedMemory` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing.
        """
        with self.aspace.lock():
            vmo = self.vmo
            if vmo is None or self.state is not ALIVE:
                return AttributionCounts()
            self.aspace.system.counters["vm.attributed_memory.mapping.queries"] += 1
        return vmo.attributed_memory_in_range(self.object_offset, self.size)
