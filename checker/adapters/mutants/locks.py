"""Mutants of locks: held where they must not be, and taken in the wrong order."""

from __future__ import annotations

from typing import Any

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.aspace import VmAspace
from vmaspace.model.mapping import VmMapping
from vmaspace.model.status import Status
from vmaspace.model.vmar import VmAddressRegion


class _FaultsUnderLock(VmAspace):
    __slots__ = ()

    def _page_fault_internal(self, va: int, flags: int, additional_pages: int) -> Status:
        with self._lock:
            return super()._page_fault_internal(va, flags, additional_pages)


@mutant
class FaultIsResolvedUnderTheLock(System):
    """A fault is resolved while the lock of the address space is held."""

    aspace_class = _FaultsUnderLock


class _LockFirst(VmAddressRegion):
    __slots__ = ()

    def unmap(self, base: int, size: int, op_children: bool = True) -> Status:
        with self.aspace.lock():
            return super().unmap(base, size, op_children)


@mutant
class UnmapTakesTheLockFirst(System):
    """An unmap takes the lock of the address space before its region lock."""

    vmar_class = _LockFirst


class _LockIsKept(VmMapping):
    __slots__ = ()

    def map_range(self, *range_: Any, **options: Any) -> Status:
        status = super().map_range(*range_, **options)
        self.aspace.lock().acquire()
        return status


@mutant
class PopulatingKeepsTheLock(System):
    """Filling the page tables of a mapping ends with the lock of the address space held."""

    mapping_class = _LockIsKept
