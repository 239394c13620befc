"""Mutants of accounting: who uses how much memory."""

from __future__ import annotations

from dataclasses import replace

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.aspace import VmAspace
from vmaspace.model.status import Status
from vmaspace.model.usage import MemoryUsage
from vmaspace.model.vmo import AttributionCounts, VmObjectPaged


class _NobodyShares(VmObjectPaged):
    __slots__ = ()

    def share_count(self) -> int:
        return 1


@mutant
class SharedVmosCountAsPrivate(System):
    """A VMO that several address spaces show is private to each of them."""

    paged_vmo_class = _NobodyShares


class _ClonesPayInFull(VmObjectPaged):
    __slots__ = ()

    def attributed_memory_in_range(self, offset: int, size: int) -> AttributionCounts:
        counts = super().attributed_memory_in_range(offset, size)
        return replace(counts, private_uncompressed=counts.uncompressed)


@mutant
class CopyOnWritePagesCountAsPrivate(System):
    """Pages that a VMO shares with its clones are counted as its own."""

    paged_vmo_class = _ClonesPayInFull


class _EverythingIsThere(VmAspace):
    __slots__ = ()

    def get_memory_usage(self) -> tuple[Status, MemoryUsage | None]:
        status, usage = super().get_memory_usage()
        return status, None if usage is None else replace(usage, private_bytes=usage.mapped_bytes)


@mutant
class MappedBytesCountAsCommitted(System):
    """What an address space has mapped counts as its own memory, whether pages are there or not."""

    aspace_class = _EverythingIsThere
