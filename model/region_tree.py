"""The nodes of a list of children: a B-tree, each node with a summary of what lies below it.

Mirrors the augmented tree behind `RegionList` (`zircon/kernel/vm/include/vm/vm_address_region.h`) and its observer
(`vm/vm_address_region_observer.h`). A summary is made of `min_addr`, the base of the lowest region below the node;
`max_addr`, the last byte of the highest; and `max_gap`, the pages of the largest gap between two neighbours below it.

The kernel counts what lies below a node one by one. Here it is counted once, and remembered until something below changes.

Does not model how wide the kernel's own nodes are, and so not where they split.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import repeat
from operator import gt, sub
from typing import TYPE_CHECKING, Final, NamedTuple

from vmaspace.model.constants import MAX_U64, PAGE_SHIFT, Vaddr
from vmaspace.model.status import AssertionViolation

if TYPE_CHECKING:
    from vmaspace.model.region import VmAddressRegionOrMapping

_FILE = "zircon/kernel/vm/include/vm/vm_address_region_observer.h"
_LIST_FILE = "zircon/kernel/vm/include/vm/vm_address_region.h"

FANOUT: Final = 6  # the most entries of a node
SATURATED: Final = (1 << PAGE_SHIFT) - 1  # pages; read as "at least so many"


Entry = tuple[Vaddr, Vaddr, "Node | None"]  # of a node: lowest base, last byte, and the node below; None: a region


class Gaps(NamedTuple):
    """The gaps between two neighbours below a node, in pages."""

    number: int
    total: int
    narrowest: int  # of a piece that is listed beside the whole below 0; without gaps `MAX_U64`


class Node:
    """A node and its summary.

    bases, lasts: of each entry, its lowest base and its last byte. max_gap: in pages, saturating.
    """

    __slots__ = ("_gaps", "bases", "lasts", "max_addr", "max_gap", "min_addr")

    _gaps: Gaps | None  # None: not counted since the last change
    bases: list[Vaddr]
    lasts: list[Vaddr]
    min_addr: Vaddr
    max_addr: Vaddr
    max_gap: int

    def size(self) -> int:
        """How many entries the node has."""
        return len(self.bases)

    def summarize(self) -> None:
        """Make the summary anew, from what is known of the entries; a node that is about to go keeps its own.

        *Kernel:* the folding of the observer (zircon/kernel/vm/include/vm/vm_address_region_observer.h)
        *Fails with:* nothing.
        *Asserts:* last bytes ascend; the bases do, as entries are put in by them.
        """
        lasts = self.lasts
        self._gaps = None
        if lasts:
            if any(map(gt, lasts, lasts[1:])):
                raise AssertionViolation("bases and last bytes of the list ascend", _FILE)
            self.min_addr, self.max_addr = self.bases[0], lasts[-1]
            self.max_gap = self.widest_gap()

    def widest_gap(self) -> int:
        """The largest gap between two entries, in pages, at most `SATURATED`.

        While a mapping is split, the piece on the right is listed beside the whole: that is no gap.
        """
        gap = max(map(sub, self.bases[1:], self.lasts), default=0) - 1
        return min(gap >> PAGE_SHIFT, SATURATED) if gap > 0 else 0

    def gaps_below(self) -> Gaps:
        """All gaps between two regions below the node."""
        if self._gaps is None:
            self._gaps = self._count_gaps()
        return self._gaps

    def _count_gaps(self) -> Gaps:
        pages = [distance - 1 >> PAGE_SHIFT for distance in map(sub, self.bases[1:], self.lasts)]
        return Gaps(len(pages), sum(pages), min(pages, default=MAX_U64))

    def entries(self) -> Iterator[Entry]:
        """What is right below the node, in address order."""
        raise NotImplementedError

    def split(self) -> Node:
        """Move the upper half of the entries to a node of its own."""
        raise NotImplementedError

    def absorb(self, right: Node) -> None:
        """Take over all entries of the next node of the same height."""
        raise NotImplementedError

    def insert(self, region: VmAddressRegionOrMapping) -> None:
        """Add a region below the node, which may then have one entry more than `FANOUT`."""
        raise NotImplementedError

    def remove(self, region: VmAddressRegionOrMapping) -> None:
        """Take out a region, which has to be below the node; the node may then have no entries."""
        raise NotImplementedError

    def replace(self, old: VmAddressRegionOrMapping, new: VmAddressRegionOrMapping) -> None:
        """Put `new` where `old` is, which has to be below the node; they have one base."""
        raise NotImplementedError


class Leaf(Node):
    """A node of regions."""

    __slots__ = ("regions",)

    def __init__(self, regions: list[VmAddressRegionOrMapping]) -> None:
        self.regions = regions
        self.bases = [region.base for region in regions]
        self.lasts = [region.base + region.size - 1 for region in regions]
        self.summarize()

    def entries(self) -> Iterator[Entry]:
        """The regions."""
        return zip(self.bases, self.lasts, repeat(None))

    def split(self) -> Node:
        """Move the upper half of the regions to another leaf."""
        middle = len(self.regions) // 2
        right = type(self)(self.regions[middle:])
        del self.regions[middle:], self.bases[middle:], self.lasts[middle:]
        self.summarize()
        return right

    def absorb(self, right: Node) -> None:
        """Take over all regions of the next leaf."""
        assert isinstance(right, Leaf)
        self.regions += right.regions
        self.bases += right.bases
        self.lasts += right.lasts
        self.summarize()

    def insert(self, region: VmAddressRegionOrMapping) -> None:
        """Add a region."""
        index = bisect_left(self.bases, region.base)
        self.regions.insert(index, region)
        self.bases.insert(index, region.base)
        self.lasts.insert(index, region.base + region.size - 1)
        self.summarize()

    def remove(self, region: VmAddressRegionOrMapping) -> None:
        """Take a region out."""
        index = self._place_of(region)
        del self.regions[index], self.bases[index], self.lasts[index]
        self.summarize()

    def replace(self, old: VmAddressRegionOrMapping, new: VmAddressRegionOrMapping) -> None:
        """Put `new` where `old` is."""
        index = self._place_of(old)
        self.regions[index] = new
        self.lasts[index] = new.base + new.size - 1
        self.summarize()

    def _place_of(self, region: VmAddressRegionOrMapping) -> int:
        index = bisect_left(self.bases, region.base)
        if index == len(self.bases) or self.regions[index] is not region:
            raise AssertionViolation("the region is in the list", _LIST_FILE)
        return index


class Inner(Node):
    """A node of nodes, all of the same height. gaps: the `max_gap` of each."""

    __slots__ = ("gaps", "nodes")

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.bases = [node.min_addr for node in nodes]
        self.lasts = [node.max_addr for node in nodes]
        self.gaps = [node.max_gap for node in nodes]
        self.summarize()

    def entries(self) -> Iterator[Entry]:
        """The nodes right below."""
        return zip(self.bases, self.lasts, self.nodes, strict=True)

    def widest_gap(self) -> int:
        """The largest gap in or between the nodes right below, in pages, at most `SATURATED`."""
        return max(super().widest_gap(), *self.gaps)

    def _count_gaps(self) -> Gaps:
        number, total, narrowest = super()._count_gaps()
        for node in self.nodes:
            below = node.gaps_below()
            number += below.number
            total += below.total
            narrowest = min(narrowest, below.narrowest)
        return Gaps(number, total, narrowest)

    def split(self) -> Node:
        """Move the upper half of the nodes to another one."""
        middle = len(self.nodes) // 2
        right = type(self)(self.nodes[middle:])
        del self.nodes[middle:], self.bases[middle:], self.lasts[middle:], self.gaps[middle:]
        self.summarize()
        return right

    def absorb(self, right: Node) -> None:
        """Take over all nodes of the next one."""
        assert isinstance(right, Inner)
        self.nodes += right.nodes
        self.bases += right.bases
        self.lasts += right.lasts
        self.gaps += right.gaps
        self.summarize()

    def insert(self, region: VmAddressRegionOrMapping) -> None:
        """Add a region below, and part the node that becomes too large by it."""
        index = self._index_of(region.base)
        node = self.nodes[index]
        node.insert(region)
        if len(node.bases) > FANOUT:
            self._enter(index + 1, node.split())
        self._look_at(index)

    def remove(self, region: VmAddressRegionOrMapping) -> None:
        """Take a region out below; a node that is empty by it goes, one that fits into a neighbour joins it."""
        index = self._index_of(region.base)
        nodes = self.nodes
        node = nodes[index]
        node.remove(region)
        if not node.bases:
            self._leave(index)
            self.summarize()
            return
        left = min(index, len(nodes) - 2)
        if left >= 0 and len(nodes[left].bases) + len(nodes[left + 1].bases) <= FANOUT:
            nodes[left].absorb(nodes[left + 1])
            self._leave(left + 1)
            index = left
        self._look_at(index)

    def replace(self, old: VmAddressRegionOrMapping, new: VmAddressRegionOrMapping) -> None:
        """Put `new` where `old` is."""
        index = self._index_of(old.base)
        self.nodes[index].replace(old, new)
        self._look_at(index)

    def _index_of(self, base: Vaddr) -> int:
        index = bisect_right(self.bases, base)
        return index - 1 if index else 0

    def _enter(self, index: int, node: Node) -> None:
        self.nodes.insert(index, node)
        self.bases.insert(index, node.min_addr)
        self.lasts.insert(index, node.max_addr)
        self.gaps.insert(index, node.max_gap)

    def _leave(self, index: int) -> None:
        del self.nodes[index], self.bases[index], self.lasts[index], self.gaps[index]

    def _look_at(self, index: int) -> None:
        """Something below a node has changed: where its summary has too, note that, and make ours anew."""
        self._gaps = None
        node = self.nodes[index]
        base, last, gap = node.min_addr, node.max_addr, node.max_gap
        if base != self.bases[index] or last != self.lasts[index] or gap != self.gaps[index]:
            self.bases[index], self.lasts[index], self.gaps[index] = base, last, gap
            self.summarize()
