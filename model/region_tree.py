"""The nodes of a list of children: a B-tree, each node with a summary of what lies below it.

Mirrors the augmented tree behind `RegionList` (`zircon/kernel/vm/include/vm/vm_address_region.h`) and its observer
(`vm/vm_address_region_observer.h`). A summary is made of `min_addr`, the base of the lowest region below the node;
`max_addr`, the last byte of the highest; and `max_gap`, the pages of the largest gap between two neighbours below it.

The kernel counts the gaps below a node one by one. Here a summary has three numbers more, by which they are counted at once:
how many regions there are, how many pages these cover, and the smallest gap.

Does not model how wide the kernel's own nodes are, and so not where they split.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Final

from vmaspace.model.constants import MAX_U64, PAGE_MASK, PAGE_SHIFT, Vaddr
from vmaspace.model.status import AssertionViolation

if TYPE_CHECKING:
    from vmaspace.model.region import VmAddressRegionOrMapping

_FILE = "zircon/kernel/vm/include/vm/vm_address_region_observer.h"
_LIST_FILE = "zircon/kernel/vm/include/vm/vm_address_region.h"

SATURATED: Final = (1 << PAGE_SHIFT) - 1  # pages; read as "at least so many"


Entry = tuple[Vaddr, Vaddr, "Node | None"]  # of a node: lowest base, last byte, and the node below; None: a region


class Node:
    """A node and its summary.

    most: how many entries it can have. bases, lasts: of each entry, its lowest base and its last byte. gaps: between
    neighbours, in pages; below 0 for a piece that is listed beside the whole. max_gap, min_gap: the largest and the smallest
    of all below the node, the former from 0 and saturating, the latter `MAX_U64` without gaps. count, covered: the regions
    below, and the pages that they cover.
    """

    __slots__ = (
        "bases", "count", "covered", "gaps", "lasts", "max_addr", "max_gap", "min_addr", "min_gap", "most",
    )  # fmt: skip

    most: int
    bases: list[Vaddr]
    lasts: list[Vaddr]
    gaps: list[int]
    min_addr: Vaddr
    max_addr: Vaddr
    max_gap: int
    min_gap: int
    count: int
    covered: int

    def size(self) -> int:
        """How many entries the node has."""
        return len(self.bases)

    def summarize(self) -> None:
        """Make the summary anew, from what is known of the entries; a node that is about to go keeps its own.

        *Kernel:* the folding of the observer (zircon/kernel/vm/include/vm/vm_address_region_observer.h)
        *Fails with:* nothing.
        """
        if self.bases:
            self.min_addr, self.max_addr = self.bases[0], self.lasts[-1]
            self.max_gap = self.widest_gap()
            self.min_gap = self.narrowest_gap()

    def widest_gap(self) -> int:
        """The largest gap between two entries, in pages, at most `SATURATED`.

        While a mapping is split, the piece on the right is listed beside the whole: that is no gap.
        """
        gap = max(self.gaps) if self.gaps else 0
        return 0 if gap < 0 else gap if gap < SATURATED else SATURATED

    def narrowest_gap(self) -> int:
        """The smallest gap between two entries, in pages."""
        return min(self.gaps) if self.gaps else MAX_U64

    def _measure(self, index: int, end: int, stop: int) -> None:
        """Gaps have changed from the entry before `index` on: `gaps[:end]` end at the entry `stop` now. Make the summary anew.

        *Asserts:* last bytes ascend; the bases do, as entries are put in by them.
        """
        bases, lasts = self.bases, self.lasts
        start = index - 1 if index else 0
        if stop >= len(bases):
            stop = len(bases) - 1
        fresh = []
        for left in range(start, stop):
            last = lasts[left]
            if last > lasts[left + 1]:
                raise AssertionViolation("bases and last bytes of the list ascend", _FILE)
            fresh.append(bases[left + 1] - last - 1 >> PAGE_SHIFT)
        self.gaps[start:end] = fresh
        self.summarize()

    def _measure_new(self, index: int) -> None:
        self._measure(index, index, index + 1)

    def _measure_changed(self, index: int) -> None:
        self._measure(index, index + 1, index + 1)

    def _measure_gone(self, index: int) -> None:
        self._measure(index, index + 1, index)

    def _cut(self, right: Node) -> None:
        """Let go of what another node has now."""
        keep = len(self.bases) - len(right.bases)
        del self.bases[keep:], self.lasts[keep:], self.gaps[keep - 1 :]
        self.count -= right.count
        self.covered -= right.covered
        self.summarize()

    def _join(self, right: Node) -> None:
        """Take over what another node has."""
        seam = len(self.gaps)
        self.bases += right.bases
        self.lasts += right.lasts
        self.gaps += [0, *right.gaps]
        self.count += right.count
        self.covered += right.covered
        self._measure_changed(seam + 1)

    def places(self, pages: int) -> int:
        """At how many pages below the node so many pages can start, when there is room for them in every gap."""
        in_gaps = (self.max_addr >> PAGE_SHIFT) + 1 - (self.min_addr >> PAGE_SHIFT) - self.covered
        return in_gaps - (self.count - 1) * (pages - 1)

    def place(self, index: int, pages: int) -> Vaddr:
        """That one of these places which has so many below it."""
        raise NotImplementedError

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
        """Add a region below the node, which may then have one entry more than `most`."""
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

    def __init__(self, regions: list[VmAddressRegionOrMapping], most: int) -> None:
        self.most = most
        self.regions = regions
        self.bases = [region.base for region in regions]
        self.lasts = [region.base + region.size - 1 for region in regions]
        self.gaps = []
        self.count = len(regions)
        self.covered = sum(map(_pages, regions))
        self._measure(0, 0, len(regions))

    def place(self, index: int, pages: int) -> Vaddr:
        """That one of the places in the gaps which has so many below it."""
        for last, gap in zip(self.lasts, self.gaps, strict=False):
            number = gap - pages + 1
            if index < number:
                return (last >> PAGE_SHIFT) + 1 + index << PAGE_SHIFT
            index -= number
        raise AssertionViolation("a candidate that was counted is found again", _LIST_FILE)

    def entries(self) -> Iterator[Entry]:
        """The regions."""
        return zip(self.bases, self.lasts, repeat(None))

    def split(self) -> Node:
        """Move the upper half of the regions to another leaf."""
        middle = len(self.regions) // 2
        right = type(self)(self.regions[middle:], self.most)
        del self.regions[middle:]
        self._cut(right)
        return right

    def absorb(self, right: Node) -> None:
        """Take over all regions of the next leaf."""
        assert isinstance(right, Leaf)
        self.regions += right.regions
        self._join(right)

    def insert(self, region: VmAddressRegionOrMapping) -> None:
        """Add a region."""
        index = bisect_left(self.bases, region.base)
        self.regions.insert(index, region)
        self.bases.insert(index, region.base)
        self.lasts.insert(index, region.base + region.size - 1)
        self.count += 1
        self.covered += _pages(region)
        self._measure_new(index)

    def remove(self, region: VmAddressRegionOrMapping) -> None:
        """Take a region out."""
        index = self._place_of(region)
        del self.regions[index], self.bases[index], self.lasts[index]
        self.count -= 1
        self.covered -= _pages(region)
        self._measure_gone(index)

    def replace(self, old: VmAddressRegionOrMapping, new: VmAddressRegionOrMapping) -> None:
        """Put `new` where `old` is."""
        index = self._place_of(old)
        self.regions[index] = new
        self.lasts[index] = new.base + new.size - 1
        self.covered += _pages(new) - _pages(old)
        self._measure_changed(index)

    def _place_of(self, region: VmAddressRegionOrMapping) -> int:
        index = bisect_left(self.bases, region.base)
        if index == len(self.bases) or self.regions[index] is not region:
            raise AssertionViolation("the region is in the list", _LIST_FILE)
        return index


class Inner(Node):
    """A node of nodes, all of the same height. widest, narrowest: the `max_gap` and the `min_gap` of each."""

    __slots__ = ("narrowest", "nodes", "widest")

    def __init__(self, nodes: list[Node], most: int) -> None:
        self.most = most
        self.nodes = nodes
        self.bases = [node.min_addr for node in nodes]
        self.lasts = [node.max_addr for node in nodes]
        self.gaps = []
        self.widest = [node.max_gap for node in nodes]
        self.narrowest = [node.min_gap for node in nodes]
        self.count = sum(node.count for node in nodes)
        self.covered = sum(node.covered for node in nodes)
        self._measure(0, 0, len(nodes))

    def place(self, index: int, pages: int) -> Vaddr:
        """That one of the places in the gaps and below the nodes which has so many below it."""
        for node, last, gap in zip(self.nodes, self.lasts, [*self.gaps, 0], strict=True):
            number = node.places(pages)
            if index < number:
                return node.place(index, pages)
            index -= number
            number = gap - pages + 1
            if index < number:
                return (last >> PAGE_SHIFT) + 1 + index << PAGE_SHIFT
            index -= number
        raise AssertionViolation("a candidate that was counted is found again", _LIST_FILE)

    def entries(self) -> Iterator[Entry]:
        """The nodes right below."""
        return zip(self.bases, self.lasts, self.nodes, strict=True)

    def widest_gap(self) -> int:
        """The largest gap in or between the nodes right below, in pages, at most `SATURATED`."""
        return max(Node.widest_gap(self), max(self.widest))

    def narrowest_gap(self) -> int:
        """The smallest gap in or between the nodes right below, in pages."""
        return min(Node.narrowest_gap(self), min(self.narrowest))

    def split(self) -> Node:
        """Move the upper half of the nodes to another one."""
        middle = len(self.nodes) // 2
        right = type(self)(self.nodes[middle:], self.most)
        del self.nodes[middle:], self.widest[middle:], self.narrowest[middle:]
        self._cut(right)
        return right

    def absorb(self, right: Node) -> None:
        """Take over all nodes of the next one."""
        assert isinstance(right, Inner)
        self.nodes += right.nodes
        self.widest += right.widest
        self.narrowest += right.narrowest
        self._join(right)

    def insert(self, region: VmAddressRegionOrMapping) -> None:
        """Add a region below, and part the node that becomes too large by it."""
        index = self._index_of(region.base)
        node = self.nodes[index]
        node.insert(region)
        self.count += 1
        self.covered += _pages(region)
        if len(node.bases) <= node.most:
            self._look_at(index)
        else:
            right = node.split()
            self._look_at(index)
            self._enter(index + 1, right)

    def remove(self, region: VmAddressRegionOrMapping) -> None:
        """Take a region out below; a node that is empty by it goes, two neighbours that fill half a node join."""
        index = self._index_of(region.base)
        nodes = self.nodes
        node = nodes[index]
        node.remove(region)
        self.count -= 1
        self.covered -= _pages(region)
        if not node.bases:
            self._leave(index)
            return
        left = index if index + 1 < len(nodes) else index - 1
        if left >= 0 and len(nodes[left].bases) + len(nodes[left + 1].bases) <= node.most // 2:
            nodes[left].absorb(nodes[left + 1])
            self._leave(left + 1)
            index = left
        self._look_at(index)

    def replace(self, old: VmAddressRegionOrMapping, new: VmAddressRegionOrMapping) -> None:
        """Put `new` where `old` is."""
        index = self._index_of(old.base)
        self.nodes[index].replace(old, new)
        self.covered += _pages(new) - _pages(old)
        self._look_at(index)

    def _index_of(self, base: Vaddr) -> int:
        index = bisect_right(self.bases, base)
        return index - 1 if index else 0

    def _enter(self, index: int, node: Node) -> None:
        self.nodes.insert(index, node)
        self.bases.insert(index, node.min_addr)
        self.lasts.insert(index, node.max_addr)
        self.widest.insert(index, node.max_gap)
        self.narrowest.insert(index, node.min_gap)
        self._measure_new(index)

    def _leave(self, index: int) -> None:
        del self.nodes[index], self.bases[index], self.lasts[index], self.widest[index], self.narrowest[index]
        self._measure_gone(index)

    def _look_at(self, index: int) -> None:
        """Something below a node has changed: where its summary has too, note that, and make ours anew."""
        node = self.nodes[index]
        is_as_wide = node.max_gap == self.widest[index] and node.min_gap == self.narrowest[index]
        self.widest[index], self.narrowest[index] = node.max_gap, node.min_gap
        if node.min_addr != self.bases[index] or node.max_addr != self.lasts[index]:
            self.bases[index], self.lasts[index] = node.min_addr, node.max_addr
            self._measure_changed(index)
        elif not is_as_wide:
            self.summarize()


def _pages(region: VmAddressRegionOrMapping) -> int:
    return region.size + PAGE_MASK >> PAGE_SHIFT
