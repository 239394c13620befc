"""The children of a VMAR, sorted by base address.

Mirrors `RegionList` (`zircon/kernel/vm/include/vm/vm_address_region.h`) and the assertions of the observer that
keeps the tree's summary of gaps (`vm/vm_address_region_observer.h`).

Does not model the B-tree: the summary is an accelerator only, and gaps are computed from the sorted list.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vmaspace.model.allocator import find_spot
from vmaspace.model.constants import MAX_U64, PAGE_MASK, ByteSize, Vaddr
from vmaspace.model.status import ZX_ERR_NO_MEMORY, ZX_OK, AssertionViolation, Status

if TYPE_CHECKING:
    from vmaspace.model.heap import Heap
    from vmaspace.model.prng import Prng
    from vmaspace.model.region import VmAddressRegionOrMapping

_FILE = "zircon/kernel/vm/include/vm/vm_address_region.h"
_OBSERVER_FILE = "zircon/kernel/vm/include/vm/vm_address_region_observer.h"


class RegionList:
    """An ordered map from a child's base to the child."""

    __slots__ = ("_bases", "_heap", "_regions")

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self._bases: list[Vaddr] = []
        self._regions: list[VmAddressRegionOrMapping] = []

    def __len__(self) -> int:
        return len(self._regions)

    def __iter__(self) -> Iterator[VmAddressRegionOrMapping]:
        return iter(self._regions)

    def is_empty(self) -> bool:
        """Whether there are no children."""
        return not self._regions

    def front(self) -> VmAddressRegionOrMapping:
        """The lowest child.

        *Kernel:* `RegionList::front` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* the list is not empty.
        """
        if not self._regions:
            raise AssertionViolation("the list has a front", _FILE)
        return self._regions[0]

    def find_region(self, addr: Vaddr) -> VmAddressRegionOrMapping | None:
        """The child whose range contains `addr`, or None.

        *Kernel:* `RegionList::FindRegion` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* the child looked at is larger than 0 and its last byte does not wrap.
        """
        index = bisect_right(self._bases, addr) - 1
        if index < 0:
            return None
        region = self._regions[index]
        self._assert_sane(region)
        return region if addr - region.base < region.size else None

    def include_or_higher(self, base: Vaddr) -> VmAddressRegionOrMapping | None:
        """The child that contains `base`, else the first one above it, or None.

        *Kernel:* `RegionList::IncludeOrHigher` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        """
        index = self._index_including_or_above(base)
        return self._regions[index] if index < len(self._regions) else None

    def upper_bound(self, base: Vaddr) -> VmAddressRegionOrMapping | None:
        """The first child whose base is above `base`, or None.

        *Kernel:* `RegionList::UpperBound` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        """
        index = bisect_right(self._bases, base)
        return self._regions[index] if index < len(self._regions) else None

    def is_range_available(self, base: Vaddr, size: ByteSize) -> bool:
        """Whether no child meets `[base, base + size)`, in bytes.

        *Kernel:* `RegionList::IsRangeAvailable` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing; the answer is no when the last byte of the range, or of the child before it, wraps.
        *Asserts:* `size` is above 0.
        """
        if size == 0:
            raise AssertionViolation("a range to be looked for is not empty", _FILE)
        index = bisect_right(self._bases, base)
        if index:
            previous_last = self._bases[index - 1] + self._regions[index - 1].size - 1
            if previous_last > MAX_U64 or previous_last >= base:
                return False
        if index < len(self._bases):
            last = base + size - 1
            return last <= MAX_U64 and last < self._bases[index]
        return True

    def regions_meeting(self, base: Vaddr, size: ByteSize) -> list[VmAddressRegionOrMapping]:
        """The children that share a byte with `[base, base + size)`, in address order."""
        first = self._index_including_or_above(base)
        return self._regions[first : bisect_left(self._bases, base + size, first)]

    def left_of(self, region: VmAddressRegionOrMapping) -> VmAddressRegionOrMapping | None:
        """The neighbour below `region`, or None.

        *Kernel:* `RegionList::LeftOf` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* `region` is in the list.
        """
        index = self._index_of(region)
        return self._regions[index - 1] if index else None

    def right_of(self, region: VmAddressRegionOrMapping) -> VmAddressRegionOrMapping | None:
        """The neighbour above `region`, or None.

        *Kernel:* `RegionList::RightOf` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* `region` is in the list.
        """
        index = self._index_of(region) + 1
        return self._regions[index] if index < len(self._regions) else None

    def insert_region(self, region: VmAddressRegionOrMapping) -> Status:
        """Add a child.

        *Kernel:* `RegionList::InsertRegion` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* NO_MEMORY; the list is then unchanged.
        *Asserts:* the base is page aligned; bases and last bytes ascend with the child in place.
        """
        self.assert_insertable(region)
        if not self._heap.allocate():
            return ZX_ERR_NO_MEMORY
        index = bisect_left(self._bases, region.base)
        self._bases.insert(index, region.base)
        self._regions.insert(index, region)
        return ZX_OK

    def assert_insertable(self, region: VmAddressRegionOrMapping) -> None:
        """Raise what an insertion of `region` would assert, and change nothing."""
        base = region.base
        if base & PAGE_MASK:
            raise AssertionViolation("the base of a listed region is page aligned", _OBSERVER_FILE)
        index = bisect_left(self._bases, base)
        if index < len(self._bases) and (self._bases[index] == base or region.end > self._regions[index].end):
            raise AssertionViolation("bases and last bytes of the list ascend", _OBSERVER_FILE)
        if index and self._regions[index - 1].end > region.end:
            raise AssertionViolation("bases and last bytes of the list ascend", _OBSERVER_FILE)

    def remove_region(self, region: VmAddressRegionOrMapping) -> None:
        """Take a child out.

        *Kernel:* `RegionList::RemoveRegion` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* `region` is in the list.
        """
        index = self._index_of(region)
        del self._bases[index]
        del self._regions[index]

    def replace_region(self, old: VmAddressRegionOrMapping, new: VmAddressRegionOrMapping) -> None:
        """Put `new` where `old` is, without allocating.

        *Kernel:* `RegionList::ReplaceRegion` (zircon/kernel/vm/include/vm/vm_address_region.h)
        *Fails with:* nothing.
        *Asserts:* `old` is in the list and both have the same base.
        """
        if old.base != new.base:
            raise AssertionViolation("a replacement has the base of what it replaces", _FILE)
        self._regions[self._index_of(old)] = new

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
        return find_spot(self, align_pow2, entropy, size, parent_base, parent_size, prng, upper_limit)

    def _index_including_or_above(self, base: Vaddr) -> int:
        index = bisect_right(self._bases, base)
        if index and base - self._bases[index - 1] < self._regions[index - 1].size:
            return index - 1
        return index

    def _index_of(self, region: VmAddressRegionOrMapping) -> int:
        index = bisect_left(self._bases, region.base)
        if index == len(self._regions) or self._regions[index] is not region:
            raise AssertionViolation("the region is in the list", _FILE)
        return index

    @staticmethod
    def _assert_sane(region: VmAddressRegionOrMapping) -> None:
        if region.size == 0:
            raise AssertionViolation("a listed region is larger than 0", _FILE)
        if region.end - 1 > MAX_U64:
            raise AssertionViolation("the last byte of a listed region does not wrap", _FILE)
