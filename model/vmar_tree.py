"""The tree below a VMAR: lookup, enumeration, and its destruction.

Mirrors the parts of `VmAddressRegion` that walk the tree (`zircon/kernel/vm/vm_address_region.cc`), and
`VmAddressRegionOrMapping::Destroy` for VMARs. The operations on ranges are in `vmar_ranges.py`, creation is in
`vmar.py`.

Does not model that a visitor may let the lock go and come back to another tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from vmaspace.model.constants import ByteSize, Vaddr, stored_name
from vmaspace.model.enumerator import EnumerationMode
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import ALIVE, DEAD, NOT_READY, VmAddressRegionOrMapping
from vmaspace.model.region_list import RegionList
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_NEXT,
    ZX_ERR_STOP,
    ZX_OK,
    AssertionViolation,
    Status,
)

if TYPE_CHECKING:
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.vmar import VmAddressRegion

_FILE = "zircon/kernel/vm/vm_address_region.cc"


class VmarTree(VmAddressRegionOrMapping):
    """A VMAR, as the root of what is below it."""

    __slots__ = ("name", "subregions")

    def __init__(
        self,
        aspace: VmAspace,
        parent: VmAddressRegion | None,
        base: Vaddr,
        size: ByteSize,
        flags: int,
        name: str = "",
    ) -> None:
        super().__init__(aspace, parent, base, size, flags)
        self.name = stored_name(name)
        self.subregions: RegionList = aspace.system.region_list_class(aspace.system.heap)

    def has_parent(self) -> bool:
        """Whether the VMAR hangs in a tree: not the root, not DEAD.

        *Kernel:* `VmAddressRegion::has_parent` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* nothing.
        """
        return self.parent is not None

    def activate(self) -> Status:
        """Enter the parent's list and become ALIVE.

        *Kernel:* `VmAddressRegion::Activate` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* NO_MEMORY; the VMAR then stays NOT_READY.
        *Asserts:* NOT_READY; inside the parent; no child of the parent meets the range from above.
        """
        parent = self.parent
        if self.state is not NOT_READY or parent is None:
            raise AssertionViolation("a VMAR to be activated is not ready and has a parent", _FILE)
        if not parent.is_in_range(self.base, self.size):
            raise AssertionViolation("a VMAR lies inside its parent", _FILE)
        above = parent.subregions.include_or_higher(self.base)
        if above is not None and above.base < self.end:
            raise AssertionViolation("the range of a new VMAR is free", _FILE)
        status = parent.subregions.insert_region(self)
        if status is ZX_OK:
            self.state = ALIVE
        return status

    # Lookup.

    def find_region(self, addr: Vaddr) -> VmAddressRegionOrMapping | None:
        """The direct child that contains `addr`; None in a gap, and for a VMAR that is not ALIVE.

        *Kernel:* `VmAddressRegion::FindRegion` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* nothing.
        """
        with self.aspace.lock():
            return self.find_region_locked(addr)

    def find_region_locked(self, addr: Vaddr) -> VmAddressRegionOrMapping | None:
        """As `find_region`, for a caller that holds `lock`.

        *Kernel:* `VmAddressRegion::FindRegionLocked` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* nothing.
        *Asserts:* `lock` is held.
        """
        self.aspace.lock().assert_held()
        if self.state is not ALIVE:
            return None
        return self.subregions.find_region(addr)

    def find_mapping_locked(self, addr: Vaddr) -> VmMapping | None:
        """The mapping at any depth that contains `addr`, or None.

        *Kernel:* `VmAddressRegion::FindMappingLocked` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* nothing.
        *Asserts:* `lock` is held.
        """
        self.aspace.lock().assert_held()
        vmar: VmarTree = self
        while True:
            child = vmar.subregions.find_region(addr)
            if child is None or isinstance(child, VmMapping):
                return child
            vmar = cast("VmarTree", child)

    # Enumeration.

    def descendants(self, depth: int = 1) -> Iterator[tuple[VmAddressRegionOrMapping, int]]:
        """Everything below, parents before children and in address order, with depths from 1."""
        for child in self.subregions:
            yield child, depth
            if not child.is_mapping:
                yield from cast("VmarTree", child).descendants(depth + 1)

    def mappings_meeting(self, base: Vaddr, size: ByteSize) -> Iterator[VmMapping]:
        """The mappings at any depth that share a byte with `[base, base + size)`, in address order."""
        for child in self.subregions.regions_meeting(base, size):
            if isinstance(child, VmMapping):
                yield child
            else:
                yield from cast("VmarTree", child).mappings_meeting(base, size)

    def enumerate_children(self, visitor: Callable[[VmAddressRegionOrMapping, int], Status]) -> Status:
        """Call `visitor(region, depth)` for this VMAR at depth 0 and for all below it, parents first.

        ZX_ERR_NEXT goes on; ZX_ERR_STOP ends the walk with ZX_OK; anything else, ZX_OK included, ends it too
        and is returned. A visitor may let `lock` go; what dies meanwhile is not visited, and nothing is twice.

        *Kernel:* `VmAddressRegion::EnumerateChildren` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* BAD_STATE unless ALIVE; what the visitor says.
        *Leaves alone:* everything.
        """
        with self.aspace.lock():
            if self.state is not ALIVE:
                return ZX_ERR_BAD_STATE
            result = visitor(self, 0)
            # Where the visitor let the lock go, the tree may be another one: the walk finds its place again.
            walk = self.aspace.system.enumerator_class(
                cast("VmAddressRegion", self), EnumerationMode.VMARS_AND_MAPPINGS, self.base, self.end
            )
            while result == ZX_ERR_NEXT:
                step = walk.next()
                if step is None:
                    return ZX_OK
                walk.pause()
                result = visitor(*step)
                walk.resume()
            return ZX_OK if result == ZX_ERR_STOP else result

    # Destruction.

    def _destroy_locked(self) -> Status:
        """Destroy everything below, lowest address first and children before parents, then this VMAR.

        *Kernel:* `VmAddressRegion::DestroyLocked` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* what the destruction of a mapping returns; what was visited before is DEAD, the rest ALIVE.
        """
        current: VmarTree = self
        while True:
            if not current.subregions.is_empty():
                child = current.subregions.front()
                if isinstance(child, VmMapping):
                    status = child._destroy_locked()
                    if status is not ZX_OK:
                        return status
                else:
                    current = cast("VmarTree", child)
                continue
            parent = current.parent
            if parent is not None:
                parent.subregions.remove_region(current)
            current.state = DEAD
            current.parent = None
            if current is self:
                return ZX_OK
            if parent is None:
                raise AssertionViolation("a VMAR below another one has a parent", _FILE)
            current = parent
