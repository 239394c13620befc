"""Memory priority of a VMAR and of all below it, and what its pages cost.

Mirrors `VmAddressRegion::SetMemoryPriority`, `CommitHighMemoryPriority` and `GetAttributedMemory`
(`zircon/kernel/vm/vm_address_region.cc`).

Does not model profiles, by which user code chooses a priority.
"""

from __future__ import annotations

from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import ALIVE, MemoryPriority
from vmaspace.model.status import ZX_ERR_BAD_STATE, ZX_OK, AssertionViolation, Status
from vmaspace.model.vmar_ranges import VmarRanges
from vmaspace.model.vmo import AttributionCounts

_FILE = "zircon/kernel/vm/vm_address_region.cc"


class VmarPriority(VmarRanges):
    """A VMAR, as what memory priority is set on."""

    __slots__ = ()

    def set_memory_priority(self, priority: MemoryPriority) -> Status:
        """Set the priority of this VMAR and of everything below it, whatever it was.

        *Kernel:* `VmAddressRegion::SetMemoryPriority` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* BAD_STATE unless ALIVE.
        *Asserts:* what is not ALIVE has DEFAULT priority.
        """
        with self.aspace.lock():
            if self.state is not ALIVE:
                if self.memory_priority is not MemoryPriority.DEFAULT:
                    raise AssertionViolation("a dead VMAR has default priority", _FILE)
                return ZX_ERR_BAD_STATE
            self._set_priority_below_locked(priority)
            has_children = not self.subregions.is_empty()
        if priority is MemoryPriority.HIGH and has_children:
            self.commit_high_memory_priority()
        return ZX_OK

    def _set_priority_below_locked(self, priority: MemoryPriority) -> None:
        self.set_priority_locked(priority)
        for region, _ in self.descendants():
            region.set_priority_locked(priority)

    def commit_high_memory_priority(self) -> None:
        """Bring the pages of all mappings below back, as long as this VMAR is HIGH. Best effort.

        *Kernel:* `VmAddressRegion::CommitHighMemoryPriority` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* nothing.
        """
        with self.aspace.lock():
            mappings = [region for region, _ in self.descendants() if isinstance(region, VmMapping)]
        for mapping in mappings:
            if self.state is not ALIVE or self.memory_priority is not MemoryPriority.HIGH:
                return
            mapping.commit_high_memory_priority()

    def get_attributed_memory(self) -> AttributionCounts:
        """What the pages of all mappings below cost; nothing unless ALIVE.

        *Kernel:* `VmAddressRegion::GetAttributedMemory` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* nothing.
        """
        with self.aspace.lock():
            if self.state is not ALIVE:
                return AttributionCounts()
            mappings = [region for region, _ in self.descendants() if isinstance(region, VmMapping)]
        total = AttributionCounts()
        for mapping in mappings:
            total += mapping.get_attributed_memory()
        return total

    def _destroy_locked(self) -> Status:
        """Priorities go back to DEFAULT first, so that the counts return; then the tree goes.

        *Kernel:* `VmAddressRegion::DestroyLocked` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* as the destruction of the tree.
        """
        if self.aspace.high_priority_count:
            self._set_priority_below_locked(MemoryPriority.DEFAULT)
        return super()._destroy_locked()
