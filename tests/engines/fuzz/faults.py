"""Planted faults: the reference model with one small thing wrong, each of which the fuzz engine must find.

Each class of `FAULTS` is a `System` that uses a class with one method changed.  The sentence of its docstring
says what a kernel engineer would have got wrong.
"""

from __future__ import annotations

from typing import Any

from vmaspace.model import System
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.aspace import VmAspace
from vmaspace.model.constants import PAGE_SIZE
from vmaspace.model.flags import VMAR_CAN_RWX_FLAGS
from vmaspace.model.mapping import VmMapping
from vmaspace.model.protection import ProtectionRanges
from vmaspace.model.region import LifeCycleState
from vmaspace.model.region_list import RegionList
from vmaspace.model.status import ZX_ERR_INVALID_ARGS, ZX_ERR_NOT_FOUND, ZX_OK, Status
from vmaspace.model.vmar import VmAddressRegion

FAULTS: list[type[System]] = []


def fault(system: type[System]) -> type[System]:
    FAULTS.append(system)
    return system


# --- lists and placement -------------------------------------------------------------------------------------------


class _LastPageForgotten(RegionList):
    __slots__ = ()

    def is_range_available(self, base: int, size: int) -> bool:
        return super().is_range_available(base, max(PAGE_SIZE, size - PAGE_SIZE))

    def assert_insertable(self, region: Any) -> None:
        """The list of the kernel would notice; this one does not look."""


@fault
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


@fault
class UpperLimitIsOffByAPage(System):
    """A region placed under an upper limit may end one page above it."""

    region_list_class = _LimitOffByAPage


class _AlignmentIgnored(RegionList):
    __slots__ = ()

    def get_alloc_spot(self, align_pow2: int, *rest: Any) -> tuple[Status, int]:
        return super().get_alloc_spot(0, *rest)


@fault
class AlignmentIsIgnored(System):
    """A requested alignment above a page is not looked at when a place is searched."""

    region_list_class = _AlignmentIgnored


# --- VMARs ---------------------------------------------------------------------------------------------------------


class _NoRightsCheck(VmAddressRegion):
    __slots__ = ()

    def _check_rights(self, flags: int) -> Status:
        return ZX_OK


@fault
class ChildRightsAreNotChecked(System):
    """A child may be made with CAN_MAP flags that its parent does not have."""

    vmar_class = _NoRightsCheck


class _DeadVmarAccepts(VmAddressRegion):
    __slots__ = ()

    def unmap(self, base: int, size: int, op_children: bool = True) -> Status:
        if self.state is LifeCycleState.DEAD and not self.subregions:
            return ZX_OK
        return super().unmap(base, size, op_children)


@fault
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


@fault
class UnmapTakesVmarsPartlyCovered(System):
    """Unmapping destroys a sub-VMAR that stands out of the range."""

    vmar_class = _PartOfVmarGoes


class _LastMappingForgotten(VmAddressRegion):
    __slots__ = ()

    def _apply_protect(self, mappings: list[VmMapping], *rest: Any) -> Status:
        return super()._apply_protect(mappings[:-1] if len(mappings) > 1 else mappings, *rest)


@fault
class ProtectForgetsTheLastMapping(System):
    """Protecting a range of several mappings leaves the last one as it was."""

    vmar_class = _LastMappingForgotten


class _GapsIgnored(VmAddressRegion):
    __slots__ = ()

    def _check_protect(self, mappings: list[VmMapping], *rest: Any) -> Status:
        status = super()._check_protect(mappings, *rest)
        return ZX_OK if status is ZX_ERR_NOT_FOUND and mappings else status


@fault
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


@fault
class OverwriteKeepsTheOldMappingAlive(System):
    """Removing exactly one mapping takes it out of the list, but it does not die."""

    vmar_class = _OldMappingStays


# --- mappings ------------------------------------------------------------------------------------------------------


class _RightPartLosesItsOffset(VmMapping):
    __slots__ = ()

    def _piece(self, parent: Any, vmo: Any, base: int, end: int) -> VmMapping:
        piece = super()._piece(parent, vmo, base, end)
        piece.object_offset = self.object_offset
        return piece


@fault
class SplitLosesTheOffsetOfTheRightPart(System):
    """After a hole was cut, what is right of it shows the VMO from the start of the old mapping."""

    mapping_class = _RightPartLosesItsOffset


class _CodeCanGo(VmMapping):
    __slots__ = ()

    def _destroy_locked(self) -> Status:
        if self.aspace.vdso_code_mapping is self:
            self.aspace.vdso_code_mapping = None
        return super()._destroy_locked()


@fault
class VdsoCodeCanBeDestroyed(System):
    """Destroying the vDSO code mapping itself is allowed."""

    mapping_class = _CodeCanGo


class _RangesNotMerged(ProtectionRanges):
    __slots__ = ()

    def part(self, base: int, end: int) -> ProtectionRanges:
        return type(self)(self.first_flags, [], [])


@fault
class SplitForgetsProtectionRanges(System):
    """The parts of a split mapping have the protection of its first page everywhere."""

    protection_ranges_class = _RangesNotMerged


# --- address spaces ------------------------------------------------------------------------------------------------


class _ReferencesStay(ArchVmAspace):
    __slots__ = ()

    def destroy(self) -> Status:
        shared = self.shared
        status = super().destroy()
        if shared is not None:
            shared.references += 1
        return status


@fault
class FreeingUnifiedKeepsAReference(System):
    """Freeing a unified space does not decrement the reference count of its shared part."""

    arch_aspace_class = _ReferencesStay


class _TwoRestricted(ArchVmAspace):
    __slots__ = ()

    def _assert_can_unify(self, shared: ArchVmAspace, restricted: ArchVmAspace) -> None:
        kind, shared.kind = shared.kind, type(shared.kind).SHARED
        try:
            super()._assert_can_unify(shared, restricted)
        finally:
            shared.kind = kind


@fault
class AnythingIsTakenForShared(System):
    """CreateUnified does not look whether its shared part was created shared."""

    arch_aspace_class = _TwoRestricted


class _RecordStays(VmAspace):
    __slots__ = ()

    def destroy(self) -> Status:
        code = self.vdso_code_mapping
        status = super().destroy()
        self.vdso_code_mapping = code
        return status


@fault
class DestroyLeavesTheVdsoRecord(System):
    """A destroyed address space still has its record of the vDSO code."""

    aspace_class = _RecordStays


class _KillsItsNeighbour(VmAspace):
    __slots__ = ()

    def destroy(self) -> Status:
        status = super().destroy()
        for other in self.system.aspaces:
            if other.root is not None and other.type == self.type:
                for child in list(other.root.subregions):
                    child.destroy()
        return status


@fault
class DestroyReachesIntoAnotherSpace(System):
    """Destroying an address space also destroys the regions of another one."""

    aspace_class = _KillsItsNeighbour


class _FlagsGrow(VmAddressRegion):
    __slots__ = ()

    def create_vm_mapping(self, *args: Any) -> tuple[Status, VmMapping | None]:
        status, mapping = super().create_vm_mapping(*args)
        if mapping is not None and self.parent is not None:
            self._flags |= VMAR_CAN_RWX_FLAGS
        return status, mapping


@fault
class MappingRaisesTheCeilingOfItsVmar(System):
    """Mapping something into a sub-VMAR lets that VMAR map anything from then on."""

    vmar_class = _FlagsGrow


class _NameWithoutEnd(VmAspace):
    __slots__ = ()

    def rename(self, name: str | None) -> None:
        super().rename(name)
        if name is not None:
            self._name = name.encode()[:32]


@fault
class NameFillsItsBuffer(System):
    """A name may fill all of its buffer, and leaves no room for the NUL."""

    aspace_class = _NameWithoutEnd


class _Breaks(VmAddressRegion):
    __slots__ = ()

    def protect(self, base: int, size: int, mmu_flags: int, op_children: bool = True) -> Status:
        if self.is_alive():
            base = max(base, min(m.base for m in self.mappings_meeting(base, size)))
        return super().protect(base, size, mmu_flags, op_children)


@fault
class ProtectBreaksOnNothing(System):
    """Protecting a range without a mapping raises a Python exception."""

    vmar_class = _Breaks
