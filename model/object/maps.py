"""Listings of what an address space or a VMAR holds.

Mirrors `zircon/kernel/object/diagnostics.cc`, behind ZX_INFO_PROCESS_MAPS and ZX_INFO_VMAR_MAPS.

Does not model byte counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from vmaspace.model.constants import ByteOffset, ByteSize, Vaddr
from vmaspace.model.flags import MMU_PERM_RWX_MASK, MmuFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import VmAddressRegionOrMapping
from vmaspace.model.status import ZX_ERR_BAD_STATE, ZX_OK, Status

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


def _entries(region: VmAddressRegionOrMapping, depth: int) -> Iterator[MapEntry]:
    """A VMAR is one entry, a mapping one for each protection range."""
    if not isinstance(region, VmMapping):
        yield MapEntry(MapKind.VMAR, getattr(region, "name", ""), region.base, region.size, depth)
        return
    vmo = region.vmo
    for start, end, mmu_flags in region.protection_ranges():
        yield MapEntry(
            MapKind.MAPPING,
            "" if vmo is None else vmo.name,
            start,
            end - start,
            depth,
            MmuFlag(mmu_flags & MMU_PERM_RWX_MASK),
            0 if vmo is None else vmo.koid,
            region.object_offset + (start - region.base),
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
