"""The children of a VMAR, sorted by base address.

Mirrors `RegionList` (`zircon/kernel/vm/include/vm/vm_address_region.h`) and the assertions of the observer that
keeps the tree's summary of gaps (`vm/vm_address_region_observer.h`). The tree itself is in `region_tree.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from vmaspace.model.allocator import find_spot
from vmaspace.model.constants import MAX_U64, PAGE_MASK, ByteSize, Vaddr
from vmaspace.model.region_tree import Inner, Leaf, Node
from vmaspace.model.status import ZX_ERR_NO_MEMORY, ZX_OK, AssertionViolation, Status

if TYPE_CHECKING:
    from vmaspace.model.heap import Heap
    from vmaspace.model.prng import Prng
    from vmaspace.model.region import VmAddressRegionOrMapping

_FILE = "zircon/kernel/vm/include/vm/vm_address_region.h"
_OBSERVER_FILE = "zircon/kernel/vm/include/vm/vm_address_region_observer.h"


class RegionList:
    """An ordered map from a child's base to the child. root: the topmost node of the tree; None for no children."""

    __slots__ = ("_count", "_heap", "root")

    leaf_class: ClassVar[type[Leaf]] = Leaf
    inner_class: ClassVar[type[Inner]] = Inner
    most: ClassVar[int] = 24  # entries of a node

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self._count = 0
        self.root: Node | None = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[VmAddressRegionOrMapping]:
        pending = [] if self.root is None else [self.root]
        while pending:
            node = pending.pop()
            if isinstance(node, Leaf):
                yield from node.regions
            elif isinstance(node, Inner):
                pending += reversed(node.nodes)

    def __contains__(self, region: VmAddressRegionOrMapping) -> bool:
        return self._around(region.base)[0] is region

    def is_empty(self) -> bool:
        """Whether there are no children."""
        return self.root is None

    def front(self) -> VmAddressRegionOrMapping:
        """The lowest child.

        *Kernel:* `RegionList::front` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* the list is not empty.
        """
        if self.root is None:
            raise AssertionViolation("the list has a front", _FILE)
        return _lowest(self.root)

    def find_region(self, addr: Vaddr) -> VmAddressRegionOrMapping | None:
        """The child whose range contains `addr`, or None.

        *Kernel:* `RegionList::FindRegion` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* the child looked at is larger than 0 and its last byte does not wrap.
        """
        region, _ = self._around(addr)
        if region is None:
            return None
        self._assert_sane(region)
        return region if addr - region.base < region.size else None

    def include_or_higher(self, base: Vaddr) -> VmAddressRegionOrMapping | None:
        """The child that contains `base`, else the first one above it, or None.

        *Kernel:* `RegionList::IncludeOrHigher` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        """
        below, above = self._around(base)
        return below if below is not None and base - below.base < below.size else above

    def upper_bound(self, base: Vaddr) -> VmAddressRegionOrMapping | None:
        """The first child whose base is above `base`, or None.

        *Kernel:* `RegionList::UpperBound` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        """
        return self._around(base)[1]

    def is_range_available(self, base: Vaddr, size: ByteSize) -> bool:
        """Whether no child meets `[base, base + size)`, in bytes.

        *Kernel:* `RegionList::IsRangeAvailable` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing; the answer is no when the last byte of the range, or of the child before it, wraps.
        *Asserts:* `size` is above 0.
        """
        if size == 0:
            raise AssertionViolation("a range to be looked for is not empty", _FILE)
        below, above = self._around(base)
        if below is not None:
            previous_last = below.base + below.size - 1
            if previous_last > MAX_U64 or previous_last >= base:
                return False
        if above is not None:
            last = base + size - 1
            return last <= MAX_U64 and last < above.base
        return True

    def regions_meeting(self, base: Vaddr, size: ByteSize) -> list[VmAddressRegionOrMapping]:
        """The children that share a byte with `[base, base + size)`, in address order."""
        end = base + size
        below, above = self._around(base)
        found = [] if below is None or base - below.base >= below.size else [below]
        while above is not None and above.base < end:
            found.append(above)
            above = self.upper_bound(above.base)
        return found

    def left_of(self, region: VmAddressRegionOrMapping) -> VmAddressRegionOrMapping | None:
        """The neighbour below `region`, or None.

        *Kernel:* `RegionList::LeftOf` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* `region` is in the list.
        """
        self._assert_listed(region)
        return self._around(region.base - 1)[0]

    def right_of(self, region: VmAddressRegionOrMapping) -> VmAddressRegionOrMapping | None:
        """The neighbour above `region`, or None.

        *Kernel:* `RegionList::RightOf` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* `region` is in the list.
        """
        self._assert_listed(region)
        return self.upper_bound(region.base)

    def insert_region(self, region: VmAddressRegionOrMapping) -> Status:
        """Add a child.

        *Kernel:* `RegionList::InsertRegion` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* NO_MEMORY; the list is then unchanged.
        *Asserts:* the base is page aligned; bases and last bytes ascend with the child in place.
        """
        self.assert_insertable(region)
        if not self._heap.allocate():
            return ZX_ERR_NO_MEMORY
        if self.root is None:
            self.root = self.leaf_class([region], self.most)
        else:
            self.root.insert(region)
            if self.root.size() > self.most:
                self.root = self.inner_class([self.root, self.root.split()], self.most)
        self._count += 1
        return ZX_OK

    def assert_insertable(self, region: VmAddressRegionOrMapping) -> None:
        """Raise what an insertion of `region` would assert, and change nothing."""
        base = region.base
        if base & PAGE_MASK:
            raise AssertionViolation("the base of a listed region is page aligned", _OBSERVER_FILE)
        below, above = self._around(base)
        if above is not None and region.end > above.end:
            raise AssertionViolation("bases and last bytes of the list ascend", _OBSERVER_FILE)
        if below is not None and (below.base == base or below.end > region.end):
            raise AssertionViolation("bases and last bytes of the list ascend", _OBSERVER_FILE)

    def remove_region(self, region: VmAddressRegionOrMapping) -> None:
        """Take a child out.

        *Kernel:* `RegionList::RemoveRegion` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* `region` is in the list.
        """
        root = self._filled_root()
        root.remove(region)
        while isinstance(root, Inner) and root.size() == 1:
            root = root.nodes[0]
        self.root = root if root.size() else None
        self._count -= 1

    def replace_region(self, old: VmAddressRegionOrMapping, new: VmAddressRegionOrMapping) -> None:
        """Put `new` where `old` is, without allocating.

        *Kernel:* `RegionList::ReplaceRegion` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* `old` is in the list and both have the same base.
        """
        if old.base != new.base:
            raise AssertionViolation("a replacement has the base of what it replaces", _FILE)
        self._filled_root().replace(old, new)

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
        """A place for `size` bytes, aligned to `2^align_pow2`, in a gap of the parent and below `upper_limit`.

        *Kernel:* `RegionList::GetAllocSpot` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* NO_RESOURCES when no gap is large enough.
        *Asserts:* `size` is above 0 and whole pages, the entropy is below 64 bits, the result is aligned.
        *Leaves alone:* the list; nothing is reserved.
        """
        return find_spot(self.root, align_pow2, entropy, size, parent_base, parent_size, prng, upper_limit)

    def _around(
        self, base: Vaddr
    ) -> tuple[VmAddressRegionOrMapping | None, VmAddressRegionOrMapping | None]:
        """The child with the highest base that is not above `base`, and the one after it."""
        node = self.root
        next_node: Node | None = None  # the lowest that lies right of where we are
        while isinstance(node, Inner):
            index = bisect_right(node.bases, base)
            if index < len(node.nodes):
                next_node = node.nodes[index]
            node = node.nodes[index - 1 if index else 0]
        if not isinstance(node, Leaf):
            return None, None
        regions = node.regions
        index = bisect_right(node.bases, base)
        below = regions[index - 1] if index else None
        if index < len(regions):
            return below, regions[index]
        return below, None if next_node is None else _lowest(next_node)

    def _assert_listed(self, region: VmAddressRegionOrMapping) -> None:
        if region not in self:
            raise AssertionViolation("the region is in the list", _FILE)

    def _filled_root(self) -> Node:
        """The root above a region that is taken for listed; its leaf knows better."""
        if self.root is None:
            raise AssertionViolation("the region is in the list", _FILE)
        return self.root

    @staticmethod
    def _assert_sane(region: VmAddressRegionOrMapping) -> None:
        if region.size == 0:
            raise AssertionViolation("a listed region is larger than 0", _FILE)
        if region.end - 1 > MAX_U64:
            raise AssertionViolation("the last byte of a listed region does not wrap", _FILE)


def _lowest(node: Node) -> VmAddressRegionOrMapping:
    """The lowest region below a node."""
    while isinstance(node, Inner):
        node = node.nodes[0]
    assert isinstance(node, Leaf)
    return node.regions[0]
