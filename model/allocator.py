"""Placement: where a region goes when the caller did not say.

Mirrors `RegionList::FindSpotAtIndex` and `GetAllocSpot` (`zircon/kernel/vm/include/vm/vm_address_region.h`).
A candidate is an aligned address with room for the whole region inside one gap, below the upper limit. The i-th
candidate in address order is taken, with i random below 2^entropy; if there are fewer, a random one of all.
Without randomness that is first fit. Subtrees whose summary says that no gap in them has room are not walked, nor those
whose every gap has room: theirs are counted by a sum.

Does not model that the last gap below an upper limit may be counted twice, which depends on where the nodes of
the kernel's tree split and changes probabilities only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vmaspace.model.constants import MAX_U64, PAGE_MASK, PAGE_SHIFT, ByteSize, Vaddr
from vmaspace.model.region_tree import SATURATED, Entry, Node
from vmaspace.model.status import ZX_ERR_NO_RESOURCES, ZX_OK, AssertionViolation, Status

if TYPE_CHECKING:
    from vmaspace.model.prng import Prng

_FILE = "zircon/kernel/vm/include/vm/vm_address_region.h"


def candidate(
    root: Node | None,
    align_pow2: int,
    size: ByteSize,
    parent_base: Vaddr,
    parent_size: ByteSize,
    upper_limit: Vaddr,
    index: int,
) -> tuple[Vaddr | None, int]:
    """The candidate of that index, counted from 0 in address order; if there is none, None and how many there are.

    The gaps before the first and after the last region are not in the tree's summaries; they are looked at as well.

    *Kernel:* `RegionList::FindSpotAtIndex` (zircon/kernel/vm/include/vm/vm_address_region.h)
    *Fails with:* nothing.
    """
    end = parent_base + parent_size
    limit = end if upper_limit == MAX_U64 else min(end, upper_limit)  # the largest number stands for no limit
    pages = size >> PAGE_SHIFT
    needed = min(pages, SATURATED)  # a saturated gap may have any room
    step = 1 << align_pow2
    mask = -step
    spare = step - size  # a gap has one candidate for each `step` bytes of its aligned part, and of this beside it
    is_any_page = align_pow2 == PAGE_SHIFT
    after, counted = parent_base - 1, 0  # the last byte before a gap; how many candidates lie below it
    entries: Iterator[Entry] = iter([(end, end, None)])
    pending: list[Iterator[Entry]] = []  # what comes after the node whose entries are looked at, innermost last
    if root is not None:
        pending.append(entries)
        entries = iter([(root.min_addr, root.max_addr, root)])
    while True:
        for base, last, node in entries:
            first = (after + step) & mask
            count = ((base if base < limit else limit) - first + spare) >> align_pow2
            if count > 0:
                counted += count
                if index < counted:
                    return first + ((index - counted + count) << align_pow2), counted
            if base >= limit:
                return None, counted
            after = last
            if node is None or node.max_gap < needed:
                continue
            if is_any_page and node.min_gap >= pages and last < limit:
                count = node.places(pages)
                counted += count
                if index < counted:
                    return node.place(index - counted + count, pages), counted
                continue
            pending.append(entries)
            entries, after = node.entries(), base - 1
            break
        else:
            if not pending:
                return None, counted
            entries = pending.pop()


def find_spot(
    root: Node | None,
    align_pow2: int,
    entropy: int,
    size: ByteSize,
    parent_base: Vaddr,
    parent_size: ByteSize,
    prng: Prng | None,
    upper_limit: Vaddr,
) -> tuple[Status, Vaddr]:
    """An address for `size` bytes inside the parent; see `RegionList.get_alloc_spot`. root: None for no children.

    *Kernel:* `RegionList::GetAllocSpot` (zircon/kernel/vm/include/vm/vm_address_region.h)
    *Fails with:* NO_RESOURCES when there is no candidate.
    *Asserts:* `size` is above 0 and whole pages; the entropy is below 64 bits; the result is aligned.
    """
    if size == 0 or size & PAGE_MASK:
        raise AssertionViolation("the size to place is a positive number of whole pages", _FILE)
    if entropy >= 64:
        raise AssertionViolation("the entropy is below 64 bits", _FILE)
    align_pow2 = max(align_pow2, PAGE_SHIFT)

    index = prng.rand_int(1 << entropy) if prng is not None else 0
    where = (align_pow2, size, parent_base, parent_size, upper_limit)
    spot, counted = candidate(root, *where, index)
    if spot is None:
        if counted == 0:
            return ZX_ERR_NO_RESOURCES, 0
        # The draw was past the last candidate: draw again among those that there are.
        if prng is None:
            raise AssertionViolation("first fit takes the first candidate", _FILE)
        spot, _ = candidate(root, *where, prng.rand_int(counted))
    if spot is None:
        raise AssertionViolation("a candidate that was counted is found again", _FILE)
    return ZX_OK, spot
