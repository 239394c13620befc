"""Mappings: protection ranges, cache policy, their VMOs' lists, splitting and merging, kernel mappings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vmaspace.checker.adapters.invariants.journal import Journal, invariant, journal_of, on_state
from vmaspace.model.constants import ByteOffset, ByteSize
from vmaspace.model.flags import (
    MMU_CACHE_MASK,
    VMAR_FLAG_DEBUG_DYNAMIC_KERNEL_MAPPING,
    VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE,
)
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import LifeCycleState
from vmaspace.model.status import Status
from vmaspace.model.vmo import RangeChangeOp

_FILE: Final = "vm/vm_mapping.cc"

KERNEL_PAGES_STAY = invariant(
    "vmar-25",
    "Kernel mappings without the dynamic flag show pinned pages, which their VMO does not take away.",
    _FILE,
)
ONLY_MERGEABLE_MERGE = invariant(
    "vmar-31", "Only mergeable mappings merge, and what a split leaves is mergeable.", _FILE
)


def alive_mappings(journal: Journal) -> Iterator[VmMapping]:
    """The mappings that are ALIVE."""
    for region in journal.regions:
        if region.state is LifeCycleState.ALIVE and isinstance(region, VmMapping):
            yield region


@on_state("vmar-16", "Exactly the ALIVE mappings are in their VMOs' lists.", _FILE)
def _in_the_vmos_list(journal: Journal) -> Iterator[str]:
    vmos = {}
    for mapping in alive_mappings(journal):
        vmo = mapping.vmo
        if vmo is None or mapping not in vmo._mappings:
            yield f"{mapping!r} is not in the list of its VMO"
        else:
            vmos[vmo] = True
    for vmo in vmos:
        for mapping in vmo._mappings:
            if mapping.state is not LifeCycleState.ALIVE or mapping.vmo is not vmo:
                yield f"{vmo!r} lists {mapping!r}"


@on_state("vmar-21", "Boundaries of protection lie inside the mapping, and what they part differs.", _FILE)
def _boundaries(journal: Journal) -> Iterator[str]:
    for mapping in alive_mappings(journal):
        ranges = mapping._ranges
        if not ranges._boundaries:
            continue
        before, low = ranges.first_flags, mapping.base
        for boundary, flags in zip(ranges._boundaries, ranges._flags, strict=True):
            if not low < boundary < mapping.base + mapping.size or flags == before:
                yield f"{mapping!r} has a boundary at {boundary:#x}"
            before, low = flags, boundary


@on_state("vmar-22", "All of a mapping has one cache policy, that of its VMO.", _FILE)
def _cache_policy(journal: Journal) -> Iterator[str]:
    for mapping in alive_mappings(journal):
        ranges, vmo = mapping._ranges, mapping.vmo
        policies = {flags & MMU_CACHE_MASK for flags in (ranges.first_flags, *ranges._flags)}
        if vmo is not None and policies != {vmo.cache_policy}:
            yield f"{mapping!r} has the cache policies {sorted(policies)}"


@on_state(
    "vmar-26",
    "What faults beyond the stream size shows a paged, non-contiguous VMO with a stream size.",
    "vm/vm_address_region.cc",
)
def _beyond_stream(journal: Journal) -> Iterator[str]:
    for mapping in alive_mappings(journal):
        vmo = mapping.vmo
        is_bounded = bool(mapping._flags & VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE)
        if is_bounded and vmo is not None and not vmo.has_stream_size():
            yield f"{mapping!r} shows {vmo!r}"


class ObservedMapping(VmMapping):
    """Tells of what is done to a mapping."""

    __slots__ = ()

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        journal_of(self.aspace.system).regions.append(self)

    def map_range(self, offset: ByteOffset, size: ByteSize, **kw: Any) -> Status:
        vmo = self.vmo
        is_kept = self._keeps_pages() and size > 0 and self.is_in_range(self.base + offset, size)
        if is_kept and vmo is not None and not vmo.is_range_pinned(self.object_offset + offset, size):
            journal_of(self.aspace.system).breach(KERNEL_PAGES_STAY, f"{self!r} is filled")
        return super().map_range(offset, size, **kw)

    def aspace_unmap_locked_object(self, offset: ByteOffset, size: ByteSize, option: RangeChangeOp) -> None:
        self._tell_if_taken(offset, size)
        super().aspace_unmap_locked_object(offset, size, option)

    def aspace_debug_unpin_locked_object(self, offset: ByteOffset, size: ByteSize) -> None:
        self._tell_if_taken(offset, size)
        super().aspace_debug_unpin_locked_object(offset, size)

    def _keeps_pages(self) -> bool:
        return not self.aspace.is_user_or_guest() and not (
            self._flags & VMAR_FLAG_DEBUG_DYNAMIC_KERNEL_MAPPING
        )

    def _tell_if_taken(self, offset: ByteOffset, size: ByteSize) -> None:
        meets = offset < self.object_offset + self.size and self.object_offset < offset + size
        if meets and self._keeps_pages():
            journal_of(self.aspace.system).breach(KERNEL_PAGES_STAY, f"the VMO takes pages from {self!r}")

    def _piece(self, *args: Any) -> VmMapping:
        piece = super()._piece(*args)
        if not piece.mergeable:
            journal_of(self.aspace.system).breach(ONLY_MERGEABLE_MERGE, f"{piece!r} is left of a split")
        return piece

    def _try_merge(self, left: VmMapping, right: VmMapping) -> VmMapping | None:
        is_mergeable = left.mergeable and right.mergeable
        merged = super()._try_merge(left, right)
        if merged is not None and not is_mergeable:
            journal_of(self.aspace.system).breach(ONLY_MERGEABLE_MERGE, f"{merged!r} is made of two")
        return merged
