"""The tree of regions: lists of children, who is in them, placement, and what a refused operation leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, cast

from vmaspace.checker.adapters.invariants.journal import Journal, invariant, journal_of, on_state
from vmaspace.model.constants import MAX_U64, PAGE_SHIFT, ByteSize, Vaddr
from vmaspace.model.enumerator import VmAddressRegionEnumerator
from vmaspace.model.flags import VMAR_FLAG_SPECIFIC_OVERWRITE
from vmaspace.model.mapping import VmMapping
from vmaspace.model.prng import Prng
from vmaspace.model.region import LifeCycleState, MemoryPriority, VmAddressRegionOrMapping
from vmaspace.model.region_list import RegionList
from vmaspace.model.region_tree import Inner, Leaf, Node
from vmaspace.model.status import ZX_ERR_NO_MEMORY, ZX_OK, Status
from vmaspace.model.vmar import VmAddressRegion
from vmaspace.model.vmar_tree import VmarTree

_FILE: Final = "vm/vm_address_region.cc"
_HEADER: Final = "vm/include/vm/vm_address_region.h"
_OBSERVER: Final = "vm/include/vm/vm_address_region_observer.h"
LARGEST_KNOWN_GAP: Final = 4095  # pages: what a summary says of a gap that is as large or larger
ALIVE: Final = LifeCycleState.ALIVE

PLACEMENT = invariant(
    "vmar-33", "A place that is found is aligned, in one gap, and below the limit.", _HEADER
)
SEARCH_UNDER_REGION_LOCK = invariant("vmar-34", "A place is searched for under `region_lock`.", _HEADER)
PROTECT_ALL_OR_NONE = invariant(
    "vmar-35", "Unless memory runs out, a protection that is refused changes no mapping.", _FILE
)
REFUSED_CHANGES_NOTHING = invariant(
    "vmar-36", "Unless memory runs out, an unmap or overwrite that is refused changes nothing.", _FILE
)
ROOT_STAYS = invariant(
    "vmar-38",
    "A handle does not destroy the root VMAR; only its address space does.",
    "object/vm_address_region_dispatcher.cc",
)
UNLOCKED_RANGE_OPS = invariant(
    "vmar-39", "No lock of the VMAR layer is held while a VMO does its part of a range operation.", _FILE
)

EACH_ONCE = invariant(
    "vmar-40",
    "An enumerator yields nothing DEAD and no range twice.",
    "vm/include/vm/vm_address_region_enumerator.h",
)


def vmars(journal: Journal) -> Iterator[VmarTree]:
    """The VMARs that were made, those long dead left out."""
    for region in journal.regions:
        if not region.is_mapping:
            yield cast("VmarTree", region)


def nodes(root: Node | None) -> Iterator[Node]:
    """All nodes of a list of children."""
    if root is not None:
        yield root
        if isinstance(root, Inner):
            for node in root.nodes:
                yield from nodes(node)


def regions_of(node: Node) -> list[VmAddressRegionOrMapping]:
    """The regions below a node, in the order of the list."""
    return [region for leaf in nodes(node) if isinstance(leaf, Leaf) for region in leaf.regions]


def reachable(journal: Journal) -> set[VmAddressRegionOrMapping]:
    """What hangs in the trees of the address spaces."""
    found: set[VmAddressRegionOrMapping] = set()
    for aspace in journal.aspaces:
        if aspace.root is not None:
            found.add(aspace.root)
            found.update(region for region, _ in aspace.root.descendants())
    return found


@on_state("vmar-3", "A child is listed under its base.", _HEADER)
def _keys(journal: Journal) -> Iterator[str]:
    for vmar in vmars(journal):
        for node in nodes(vmar.subregions.root):
            if isinstance(node, Leaf) and node.bases != [child.base for child in node.regions]:
                yield f"the list of {vmar!r} has another base for a child than the child"


@on_state("vmar-4", "Children are listed in the order of their bases and last bytes.", f"{_HEADER}")
def _order(journal: Journal) -> Iterator[str]:
    for vmar in vmars(journal):
        for left, right in pairwise(vmar.subregions):
            if left.base >= right.base or left.base + left.size > right.base + right.size:
                yield f"{vmar!r} lists {left!r} before {right!r}"


@on_state("vmar-7", "The summary of a subtree has its lowest base and highest last byte.", _OBSERVER)
def _extents(journal: Journal) -> Iterator[str]:
    for vmar in vmars(journal):
        for node in nodes(vmar.subregions.root):
            regions = regions_of(node)
            low, high = regions[0].base, max(region.base + region.size - 1 for region in regions)
            if (node.min_addr, node.max_addr) != (low, high):
                yield f"the list of {vmar!r} takes [{low:#x}, {high:#x}] for [{node.min_addr:#x}, {node.max_addr:#x}]"


@on_state("vmar-8", "The largest gap of a summary is exact, or a lower bound where it saturates.", _OBSERVER)
def _widest_gaps(journal: Journal) -> Iterator[str]:
    for vmar in vmars(journal):
        for node in nodes(vmar.subregions.root):
            pairs = pairwise(regions_of(node))
            exact = max(0, 0, *(right.base - left.base - left.size for left, right in pairs)) >> PAGE_SHIFT
            if node.max_gap != min(exact, LARGEST_KNOWN_GAP):
                yield f"the list of {vmar!r} takes a gap of {exact} pages for one of {node.max_gap}"


@on_state("vmar-9", "Exactly what is ALIVE and no root is in its parent's list.", _FILE)
def _listed(journal: Journal) -> Iterator[str]:
    listed = {child for vmar in vmars(journal) for child in vmar.subregions}
    for region in listed:
        if region.state is not ALIVE or region.parent is None or region not in region.parent.subregions:
            yield f"{region!r} is listed"
    for region in journal.regions:
        if region.state is ALIVE and region not in listed and region is not region.aspace.root:
            yield f"{region!r} is in no list"


@on_state(
    "vmar-13",
    "What its tree has let go, and would be freed, is not ALIVE.",
    "vm/vm_address_region_or_mapping.cc",
)
def _freed_are_not_alive(journal: Journal) -> Iterator[str]:
    held = reachable(journal)
    for region in journal.regions:
        if region.state is ALIVE and region not in held:
            yield f"{region!r} hangs in no tree"


@on_state(
    "vmar-14",
    "What its tree has let go, and would be freed, is not HIGH.",
    "vm/vm_address_region_or_mapping.cc",
)
def _freed_are_not_high(journal: Journal) -> Iterator[str]:
    high = [region for region in journal.regions if region.memory_priority is MemoryPriority.HIGH]
    if high:
        held = reachable(journal)
        for region in high:
            if region not in held:
                yield f"{region!r} hangs in no tree and is HIGH"


def protections(
    region: VmarTree,
) -> list[tuple[VmAddressRegionOrMapping, int, tuple[int, ...], tuple[int, ...]]]:
    """What the mappings below a VMAR allow where."""
    return [
        (below, below._ranges.first_flags, tuple(below._ranges._boundaries), tuple(below._ranges._flags))
        for below, _ in region.descendants()
        if isinstance(below, VmMapping)
    ]


def shape(region: VmarTree) -> list[tuple[VmAddressRegionOrMapping, Vaddr, ByteSize]]:
    """What hangs below a VMAR where."""
    return [(below, below.base, below.size) for below, _ in region.descendants()]


class ObservedVmar(VmAddressRegion):
    """Tells of what is done to a VMAR."""

    __slots__ = ()

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        journal_of(self.aspace.system).regions.append(self)
        self.subregions.owner = self  # type: ignore[attr-defined]

    def destroy(self) -> Status:
        if self.aspace.root is self and self.state is ALIVE:
            journal_of(self.aspace.system).breach(ROOT_STAYS, f"{self!r} is destroyed")
        return super().destroy()

    def unmap(self, base: Vaddr, size: ByteSize, op_children: bool = True) -> Status:
        before = shape(self)
        status = super().unmap(base, size, op_children)
        self._tell_if_changed(status, before, "unmap")
        return status

    def create_vm_mapping(self, *args: Any, **kw: Any) -> tuple[Status, VmMapping | None]:
        flags = int(args[3]) if len(args) > 3 else VMAR_FLAG_SPECIFIC_OVERWRITE
        before = shape(self) if flags & VMAR_FLAG_SPECIFIC_OVERWRITE else None
        status, mapping = super().create_vm_mapping(*args, **kw)
        if before is not None:
            self._tell_if_changed(status, before, "an overwrite")
        return status, mapping

    def _tell_if_changed(self, status: Status, before: list[Any], what: str) -> None:
        if status not in (ZX_OK, ZX_ERR_NO_MEMORY) and shape(self) != before:
            journal_of(self.aspace.system).breach(
                REFUSED_CHANGES_NOTHING, f"{what} in {self!r} answers {status!r} and changed something"
            )

    def protect(self, base: Vaddr, size: ByteSize, *args: Any, **kw: Any) -> Status:
        before = protections(self)
        status = super().protect(base, size, *args, **kw)
        if status not in (ZX_OK, ZX_ERR_NO_MEMORY) and protections(self) != before:
            journal_of(self.aspace.system).breach(
                PROTECT_ALL_OR_NONE, f"protect in {self!r} answers {status!r} and changed something"
            )
        return status

    def range_op(self, *args: Any, **kw: Any) -> Status:
        journal = journal_of(self.aspace.system)
        journal.is_in_range_op = True
        try:
            return super().range_op(*args, **kw)
        finally:
            journal.is_in_range_op = False


class ObservedEnumerator(VmAddressRegionEnumerator):
    """Tells of what a walk yields."""

    def __init__(self, vmar: VmAddressRegion, *args: Any, **kw: Any) -> None:
        super().__init__(vmar, *args, **kw)
        self._journal = journal_of(vmar.aspace.system)
        self._yielded: set[VmAddressRegionOrMapping] = set()
        self._end: Vaddr = 0  # of the last mapping

    def next(self) -> tuple[VmAddressRegionOrMapping, int] | None:
        found = super().next()
        if found is not None:
            region = found[0]
            if region.state is not ALIVE:
                self._journal.breach(EACH_ONCE, f"{region!r} is yielded")
            # As implemented, a walk that goes on behind what died in a pause yields what has come to lie over that place.
            is_over = region.base < self._minimum < region.base + region.size
            if region in self._yielded or (region.is_mapping and region.base < self._end and not is_over):
                self._journal.breach(EACH_ONCE, f"{region!r} is yielded, and its range was before")
            self._yielded.add(region)
            if region.is_mapping:
                self._end = region.base + region.size
        return found


class ObservedPlacement(RegionList):
    """Tells of where things are placed. owner: the VMAR whose children these are.

    Its nodes are narrow, so that a handful of children is a tree already.
    """

    most = 6

    owner: VmAddressRegion

    def get_alloc_spot(
        self,
        align_pow2: int,
        entropy: int,
        size: ByteSize,
        parent_base: Vaddr,
        parent_size: ByteSize,
        prng: Prng | None = None,
        upper_limit: Vaddr = MAX_U64,
    ) -> tuple[Status, Vaddr]:
        journal = journal_of(self.owner.aspace.system)
        if not self.owner.aspace.region_lock().is_held():
            journal.breach(SEARCH_UNDER_REGION_LOCK, f"{self.owner!r} is searched without it")
        status, spot = super().get_alloc_spot(
            align_pow2, entropy, size, parent_base, parent_size, prng, upper_limit
        )
        end = spot + size
        if status is ZX_OK and (
            spot % (1 << max(align_pow2, PAGE_SHIFT))
            or spot < parent_base
            or end > parent_base + parent_size
            or (upper_limit != MAX_U64 and end > upper_limit)
            or any(child.base < end and spot < child.base + child.size for child in self)
        ):
            journal.breach(PLACEMENT, f"{size:#x} bytes are to go to {spot:#x} in {self.owner!r}")
        return status, spot
