"""Listings of what an address space or a VMAR holds.

Mirrors `zircon/kernel/object/diagnostics.cc`, behind ZX_INFO_PROCESS_MAPS and ZX_INFO_VMAR_MAPS.

Does not model the copy to the caller: a listing is whole, and a caller with less room takes the head of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from vmaspace.model.constants import ByteOffset, ByteSize, Vaddr
from vmaspace.model.flags import MMU_PERM_RWX_MASK, MmuFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import VmAddressRegionOrMapping
from vmaspace.model.status import ZX_ERR_BAD_STATE, ZX_OK, Status
from vmaspace.model.vmo.attribution import NOTHING_ATTRIBUTED, AttributionCounts

if TYPE_CHECKING:
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.vmar import VmAddressRegion


class MapKind(IntEnum):
    """ZX_INFO_MAPS_TYPE_*."""

    ASPACE = 1
    VMAR = 2
    MAPPING = 3


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One line of a listing: `zx_info_maps_t`."""

    kind: MapKind
    name: str
    base: Vaddr
    size: ByteSize
    depth: int
    mmu_flags: MmuFlag = MmuFlag.CACHED  # READ, WRITE and EXECUTE only
    vmo_koid: int = 0
    vmo_offset: ByteOffset = 0
    memory: AttributionCounts = NOTHING_ATTRIBUTED  # behind the range, as its VMO says

    @property
    def committed_bytes(self) -> ByteSize:
        """Bytes with a page; compressed ones have none."""
        return self.memory.uncompressed

    @property
    def populated_bytes(self) -> ByteSize:
        """Bytes with contents, compressed or not."""
        return self.memory.total

    @property
    def populated_private_bytes(self) -> ByteSize:
        """Of those, the bytes that no other VMO sees."""
        return self.memory.total_private

    @property
    def populated_scaled_bytes(self) -> Fraction:
        """Of those, what the VMO is charged with."""
        return self.memory.total_scaled


def _entries(region: VmAddressRegionOrMapping, depth: int) -> Iterator[MapEntry]:
    """A VMAR is one entry, a mapping one for each protection range."""
    if not isinstance(region, VmMapping):
        yield MapEntry(MapKind.VMAR, getattr(region, "name", ""), region.base, region.size, depth)
        return
    vmo = region.vmo
    if vmo is None:
        return
    for start, end, mmu_flags in region.protection_ranges():
        offset, size = region.object_offset + (start - region.base), end - start
        yield MapEntry(
            MapKind.MAPPING,
            vmo.name,
            start,
            size,
            depth,
            MmuFlag(mmu_flags & MMU_PERM_RWX_MASK),
            vmo.koid,
            offset,
            vmo.attributed_memory_in_range(offset, size),
        )


def _tree(root: VmAddressRegion, depth: int) -> Iterator[MapEntry]:
    yield from _entries(root, depth)
    for region, below in root.descendants():
        yield from _entries(region, depth + below)


def vmar_maps(vmar: VmAddressRegion) -> tuple[Status, list[MapEntry]]:
    """The VMAR at depth 0 and all below it, parents first, in address order.

    *Kernel:* `GetVmarMaps` (zircon/kernel/object/diagnostics.cc)
    *Fails with:* BAD_STATE unless ALIVE.
    """
    if not vmar.is_alive():
        return ZX_ERR_BAD_STATE, []
    return ZX_OK, list(_tree(vmar, 0))


def aspace_maps(aspace: VmAspace) -> tuple[Status, list[MapEntry]]:
    """The address space at depth 0, its root VMAR at depth 1, and all below.

    *Kernel:* `GetVmAspaceMaps` (zircon/kernel/object/diagnostics.cc)
    *Fails with:* BAD_STATE for a destroyed or a unified address space.
    """
    if aspace.is_destroyed():
        return ZX_ERR_BAD_STATE, []
    root = aspace.root_vmar()
    if root is None:
        return ZX_ERR_BAD_STATE, []
    header = MapEntry(MapKind.ASPACE, aspace.name, aspace.base, aspace.size, 0)
    return ZX_OK, [header, *_tree(root, 1)]
