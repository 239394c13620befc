"""Placement: where a region goes when the caller did not say.

Mirrors `RegionList::FindSpotAtIndex` and `GetAllocSpot` (`zircon/kernel/vm/include/vm/vm_address_region.h`).
A candidate is an aligned address with room for the whole region inside one gap, below the upper limit. The i-th
candidate in address order is taken, with i random below 2^entropy; if there are fewer, a random one of all.
Without randomness that is first fit.

Does not model that the last gap below an upper limit may be counted twice, which depends on where the nodes of
the kernel's tree split and changes probabilities only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from vmaspace.model.constants import ADDRESS_SPACE, MAX_U64, PAGE_MASK, PAGE_SHIFT, ByteSize, Vaddr
from vmaspace.model.status import ZX_ERR_NO_RESOURCES, ZX_OK, AssertionViolation, Status

if TYPE_CHECKING:
    from vmaspace.model.prng import Prng
    from vmaspace.model.region import VmAddressRegionOrMapping

_FILE = "zircon/kernel/vm/include/vm/vm_address_region.h"


def gaps(
    regions: Iterable[VmAddressRegionOrMapping], base: Vaddr, size: ByteSize
) -> Iterator[tuple[Vaddr, Vaddr]]:
    """The maximal uncovered ranges `(start, end)` of `[base, base + size)`, in address order."""
    start = base
    for region in regions:
        region_base = region.base
        if region_base > start:
            yield start, region_base
        start = region_base + region.size
    if base + size > start:
        yield start, base + size


def candidate_runs(
    regions: Iterable[VmAddressRegionOrMapping],
    align_pow2: int,
    size: ByteSize,
    parent_base: Vaddr,
    parent_size: ByteSize,
    upper_limit: Vaddr,
) -> Iterator[tuple[Vaddr, int]]:
    """For each gap with room, its lowest candidate and how many there are, one each `2^align_pow2` bytes."""
    align_mask = (1 << align_pow2) - 1
    if upper_limit == MAX_U64:
        upper_limit = ADDRESS_SPACE  # the largest number stands for no limit: the very last page can be taken
    for start, end in gaps(regions, parent_base, parent_size):
        first = (start + align_mask) & ~align_mask
        if first >= upper_limit:
            return
        room = min(end, upper_limit) - first
        if room >= size:
            yield first, ((room - size) >> align_pow2) + 1


def find_spot(
    regions: Iterable[VmAddressRegionOrMapping],
    align_pow2: int,
    entropy: int,
    size: ByteSize,
    parent_base: Vaddr,
    parent_size: ByteSize,
    prng: Prng | None,
    upper_limit: Vaddr,
) -> tuple[Status, Vaddr]:
    """An address for `size` bytes inside the parent; see `RegionList.get_alloc_spot`.

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
    total = 0
    for first, count in candidate_runs(regions, align_pow2, size, parent_base, parent_size, upper_limit):
        if index < total + count:
            return ZX_OK, first + ((index - total) << align_pow2)
        total += count
    if total == 0:
        return ZX_ERR_NO_RESOURCES, 0

    # The draw was past the last candidate: draw again among those that there are.
    if prng is None:
        raise AssertionViolation("first fit takes the first candidate", _FILE)
    index = prng.rand_int(total)
    for first, count in candidate_runs(regions, align_pow2, size, parent_base, parent_size, upper_limit):
        if index < count:
            return ZX_OK, first + (index << align_pow2)
        index -= count
    raise AssertionViolation("a candidate that was counted is found again", _FILE)
