"""Mutants of VMARs: their lists, placement, rights, unmap and protect."""

from __future__ import annotations

from typing import Any

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.constants import PAGE_SIZE
from vmaspace.model.flags import VMAR_CAN_RWX_FLAGS
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import LifeCycleState
from vmaspace.model.region_list import RegionList
from vmaspace.model.region_tree import SATURATED, Inner, Leaf
from vmaspace.model.status import ZX_ERR_INVALID_ARGS, ZX_ERR_NOT_FOUND, ZX_OK, Status
from vmaspace.model.vmar import VmAddressRegion


class _LastPageForgotten(RegionList):
    __slots__ = ()

    def is_range_available(self, base: int, size: int) -> bool:
        return super().is_range_available(base, max(PAGE_SIZE, size - PAGE_SIZE))

    def assert_insertable(self, region: Any) -> None:
        """The list of the kernel would notice; this one does not look."""


@mutant
class OverlapForgetsTheLastPage(System):
    """The check that a range is free looks at all of it but its last page."""

    region_list_class = _LastPageForgotten


class _LimitOffByAPage(RegionList):
    __slots__ = ()

    def get_alloc_spot(self, align_pow2: int, entropy: int, size: int, parent_base: int, parent_size: int,
                       prng: Any = None, upper_limit: int = 2**64 - 1) -> tuple[Status, int]:  # fmt: skip
        return super().get_alloc_spot(
            align_pow2, entropy, size, parent_base, parent_size, prng, min(upper_limit + PAGE_SIZE, 2**64 - 1)
        )


@mutant
class UpperLimitIsOffByAPage(System):
    """A region placed under an upper limit may end one page above it."""

    region_list_class = _LimitOffByAPage


class _AlignmentIgnored(RegionList):
    __slots__ = ()

    def get_alloc_spot(self, align_pow2: int, *rest: Any) -> tuple[Status, int]:
        return super().get_alloc_spot(0, *rest)


@mutant
class AlignmentIsIgnored(System):
    """A requested alignment above a page is not looked at when a place is searched."""

    region_list_class = _AlignmentIgnored


class _OldGapStays(Leaf):
    __slots__ = ()

    def remove(self, region: Any) -> None:
        widest = self.max_gap
        super().remove(region)
        self.max_gap = widest


class _OldGapStaysInList(RegionList):
    __slots__ = ()

    leaf_class = _OldGapStays


@mutant
class RemovalLeavesTheLargestGap(System):
    """Taking a region out does not widen the largest gap that the list's summary knows."""

    region_list_class = _OldGapStaysInList


class _GapWraps(Leaf):
    __slots__ = ()

    def widest_gap(self) -> int:
        return max(self.gaps, default=0) & SATURATED


class _GapWrapsInList(RegionList):
    __slots__ = ()

    leaf_class = _GapWraps


@mutant
class LargestGapWraps(System):
    """The largest gap of a summary loses its upper bits where it should saturate."""

    region_list_class = _GapWrapsInList


class _OldEndStays(Leaf):
    __slots__ = ()

    def replace(self, old: Any, new: Any) -> None:
        self.regions[self.bases.index(old.base)] = new


class _OldEndStaysInList(RegionList):
    __slots__ = ()

    leaf_class = _OldEndStays


@mutant
class SplitLeavesTheSummary(System):
    """What is left of a mapping takes its place in the list, and the summary still has the whole mapping's end."""

    region_list_class = _OldEndStaysInList


class _OnlyInnerGaps(Inner):
    __slots__ = ()

    def widest_gap(self) -> int:
        return max(self.widest)


class _OnlyInnerGapsInList(RegionList):
    __slots__ = ()

    inner_class = _OnlyInnerGaps
    most = 6  # narrow, so that a short run comes to nodes of nodes


@mutant
class GapBetweenNodesIsForgotten(System):
    """A summary of nodes does not count the gaps between them."""

    region_list_class = _OnlyInnerGapsInList


class _NoRightsCheck(VmAddressRegion):
    __slots__ = ()

    def _check_rights(self, flags: int) -> Status:
        return ZX_OK


@mutant
class ChildRightsAreNotChecked(System):
    """A child may be made with CAN_MAP flags that its parent does not have."""

    vmar_class = _NoRightsCheck


class _DeadVmarAccepts(VmAddressRegion):
    __slots__ = ()

    def unmap(self, base: int, size: int, op_children: bool = True) -> Status:
        if self.state is LifeCycleState.DEAD and not self.subregions:
            return ZX_OK
        return super().unmap(base, size, op_children)


@mutant
class DeadVmarStillAnswers(System):
    """Unmapping in a dead VMAR is OK, as there is nothing to unmap."""

    vmar_class = _DeadVmarAccepts


class _PartOfVmarGoes(VmAddressRegion):
    __slots__ = ()

    def _check_unmap(self, base: int, size: int, may_destroy_vmars: bool) -> Status:
        status = super()._check_unmap(base, size, may_destroy_vmars)
        return ZX_OK if status is ZX_ERR_INVALID_ARGS and self.is_in_range(base, size) else status

    def _remove_range(self, base: int, size: int) -> Status:
        for child in self.subregions.regions_meeting(base, size):
            if not child.is_mapping:
                child._destroy_locked()
        return super()._remove_range(base, size)


@mutant
class UnmapTakesVmarsPartlyCovered(System):
    """Unmapping destroys a sub-VMAR that stands out of the range."""

    vmar_class = _PartOfVmarGoes


class _LastMappingForgotten(VmAddressRegion):
    __slots__ = ()

    def _apply_protect(self, mappings: list[VmMapping], *rest: Any) -> Status:
        return super()._apply_protect(mappings[:-1] if len(mappings) > 1 else mappings, *rest)


@mutant
class ProtectForgetsTheLastMapping(System):
    """Protecting a range of several mappings leaves the last one as it was."""

    vmar_class = _LastMappingForgotten


class _GapsIgnored(VmAddressRegion):
    __slots__ = ()

    def _check_protect(self, mappings: list[VmMapping], *rest: Any) -> Status:
        status = super()._check_protect(mappings, *rest)
        return ZX_OK if status is ZX_ERR_NOT_FOUND and mappings else status


@mutant
class ProtectIgnoresGaps(System):
    """Protecting a range with a gap in it protects what is there."""

    vmar_class = _GapsIgnored


class _OldMappingStays(VmAddressRegion):
    __slots__ = ()

    def _remove_range(self, base: int, size: int) -> Status:
        whole = [c for c in self.subregions.regions_meeting(base, size) if c.base == base and c.size == size]
        if whole and whole[0].is_mapping:
            self.subregions.remove_region(whole[0])
            return ZX_OK
        return super()._remove_range(base, size)


@mutant
class OverwriteKeepsTheOldMappingAlive(System):
    """Removing exactly one mapping takes it out of the list, but it does not die."""

    vmar_class = _OldMappingStays


class _FlagsGrow(VmAddressRegion):
    __slots__ = ()

    def create_vm_mapping(self, *args: Any) -> tuple[Status, VmMapping | None]:
        status, mapping = super().create_vm_mapping(*args)
        if mapping is not None and self.parent is not None:
            self._flags |= VMAR_CAN_RWX_FLAGS
        return status, mapping


@mutant
class MappingRaisesTheCeilingOfItsVmar(System):
    """Mapping something into a sub-VMAR lets that VMAR map anything from then on."""

    vmar_class = _FlagsGrow


class _Breaks(VmAddressRegion):
    __slots__ = ()

    def protect(self, base: int, size: int, mmu_flags: int, op_children: bool = True) -> Status:
        if self.is_alive():
            base = max(base, min(m.base for m in self.mappings_meeting(base, size)))
        return super().protect(base, size, mmu_flags, op_children)


@mutant
class ProtectBreaksOnNothing(System):
    """Protecting a range without a mapping raises a Python exception."""

    vmar_class = _Breaks
