"""Mutants of page faults, page tables and harvests."""

from __future__ import annotations

from typing import Any

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import MMU_PERM_READ, MMU_PERM_WRITE, VMM_PF_FLAG_USER, VMM_PF_FLAG_WRITE
from vmaspace.model.mapping import VmMapping
from vmaspace.model.status import Status
from vmaspace.model.vmo import VmObject


class _WritesAreReads(VmMapping):
    __slots__ = ()

    def page_fault(self, va: int, pf_flags: int, additional_pages: int, vmo: VmObject) -> tuple[Status, int]:
        return super().page_fault(va, pf_flags & ~VMM_PF_FLAG_WRITE, additional_pages, vmo)


@mutant
class WriteFaultIsTakenForARead(System):
    """A mapping resolves a write fault as if it were a read."""

    mapping_class = _WritesAreReads


class _AnybodyIsWelcome(VmMapping):
    __slots__ = ()

    def page_fault(self, va: int, pf_flags: int, additional_pages: int, vmo: VmObject) -> tuple[Status, int]:
        self._ranges.first_flags |= MMU_PERM_WRITE if pf_flags & VMM_PF_FLAG_WRITE else MMU_PERM_READ
        return super().page_fault(va, pf_flags & ~VMM_PF_FLAG_USER, additional_pages, vmo)


@mutant
class FaultGrantsWhatWasAsked(System):
    """A fault adds the permission that it needs to the protection of the mapping."""

    mapping_class = _AnybodyIsWelcome


class _NothingComesAlong(VmMapping):
    __slots__ = ()

    def _map_faulting_pages(self, va: int, required: int, target: int, *rest: Any) -> tuple[Status, int]:
        return super()._map_faulting_pages(va, required, required, *rest)


@mutant
class FaultMapsItsOwnPageAlone(System):
    """A fault does not map pages that are there and follow."""

    mapping_class = _NothingComesAlong


class _OnePageOfARange(VmAspace):
    __slots__ = ()

    def soft_fault_in_range(self, va: int, flags: int, size: int) -> Status:
        return super().soft_fault_in_range(va, flags, min(size, 1))


@mutant
class RangeFaultStopsAtOnePage(System):
    """A fault in a range is resolved as a fault of its first page."""

    aspace_class = _OnePageOfARange


class _LastPageStays(ArchVmAspace):
    __slots__ = ()

    def unmap(self, va: int, count: int, options: Any = 0) -> Status:
        return super().unmap(va, max(count - 1, 1), options)


@mutant
class UnmapLeavesTheLastTranslation(System):
    """Taking translations away leaves that of the last page."""

    arch_aspace_class = _LastPageStays


class _ProtectionStaysInTheBooks(VmMapping):
    __slots__ = ()

    def _downgrade(self, start: int, end: int, mmu_flags: int) -> None:
        """The page tables hear of nothing."""


@mutant
class ProtectionDoesNotReachThePageTables(System):
    """A lower protection is recorded, and the page tables go on as before."""

    mapping_class = _ProtectionStaysInTheBooks


class _PriorityIsIgnored(VmAspace):
    __slots__ = ()

    def is_high_memory_priority(self) -> bool:
        return False


@mutant
class HighPriorityIsNotSeen(System):
    """An address space with regions of high memory priority is harvested like any other."""

    aspace_class = _PriorityIsIgnored
