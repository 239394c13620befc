"""Mutants of copy-on-write: what VMOs tell their mappings, and who owns which page."""

from __future__ import annotations

from typing import Any

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.mapping import VmMapping
from vmaspace.model.status import Status
from vmaspace.model.vmo import RangeChangeOp, VmObjectPaged
from vmaspace.model.vmo.kinds import CloneType


class _WritableForGood(VmMapping):
    __slots__ = ()

    def aspace_remove_write_locked_object(self, offset: int, size: int) -> None:
        """The page tables keep their writable entries."""


@mutant
class SnapshotLeavesWritableTranslations(System):
    """When pages become shared with a clone, writable translations of them stay."""

    mapping_class = _WritableForGood


class _DeafToUnmaps(VmMapping):
    __slots__ = ()

    def aspace_unmap_locked_object(self, offset: int, size: int, option: RangeChangeOp) -> None:
        """The translations stay."""


@mutant
class PagesThatGoStayMapped(System):
    """Mappings keep the translations of pages that their VMO gives back or replaces."""

    mapping_class = _DeafToUnmaps


class _ReadersMayWrite(VmObjectPaged):
    __slots__ = ()

    def lookup_page(self, offset: int, will_write: bool) -> tuple[Any, Any, bool]:
        status, page, _ = super().lookup_page(offset, will_write)
        return status, page, page is not None and page is not self.system.pmm.zero_page


@mutant
class SharedPagesAreMappedWritable(System):
    """A page that a read fault finds may be written, whoever shares it."""

    paged_vmo_class = _ReadersMayWrite


class _SnapshotsAreWindows(VmObjectPaged):
    __slots__ = ()

    def create_clone(
        self, type: CloneType, offset: int, size: int, *, is_resizable: bool = False
    ) -> tuple[Status, VmObjectPaged | None]:
        return self.create_child_slice(offset, size)


@mutant
class SnapshotIsAWindow(System):
    """A snapshot shows the pages of its parent for good, later writes included."""

    paged_vmo_class = _SnapshotsAreWindows
