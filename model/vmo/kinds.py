"""Kinds, sizes and small words of VMOs.

Mirrors the enumerations of `VmObject` and its rounding of sizes (`zircon/kernel/vm/include/vm/vm_object.h`,
`zircon/kernel/vm/vm_object.cc`).

Does not model page sizes other than 4 KiB.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from vmaspace.model.constants import ADDRESS_SPACE, PAGE_SIZE, ByteSize, round_up_page
from vmaspace.model.status import ZX_ERR_OUT_OF_RANGE, ZX_OK, Status

# VmObjectPaged::MAX_SIZE: the largest size whose last page does not touch the end of the offsets.
MAX_VMO_SIZE: Final = ADDRESS_SPACE - 2 * PAGE_SIZE


class VmoKind(IntEnum):
    """Which class of VMO: ordinary pages, pages in one physical run, or a range of device memory."""

    PAGED = 0
    CONTIGUOUS = 1
    PHYSICAL = 2


# The same by plain names: to look a member up in its class is a call before Python 3.12.
PAGED: Final = VmoKind.PAGED
PHYSICAL: Final = VmoKind.PHYSICAL


class RangeChangeOp(IntEnum):
    """`RangeChangeOp`: what mappings are told when pages of their VMO change."""

    UNMAP = 0
    UNMAP_ZERO_PAGE = 1
    UNMAP_AND_HARVEST = 2
    REMOVE_WRITE = 3
    DEBUG_UNPIN = 4


class CloneType(IntEnum):
    """`CloneType`: what a clone promises."""

    SNAPSHOT = 0
    SNAPSHOT_AT_LEAST_ON_WRITE = 1
    SNAPSHOT_MODIFIED = 2


class HintType(IntEnum):
    """`VmObject::EvictionHint`: what a caller says about future use."""

    DONT_NEED = 0
    ALWAYS_NEED = 1


def round_vmo_size(size: ByteSize) -> tuple[Status, ByteSize]:
    """`size` in whole pages.

    *Kernel:* `VmObject::RoundSize` (zircon/kernel/vm/vm_object.cc)
    *Fails with:* OUT_OF_RANGE beyond the largest size.
    """
    rounded = round_up_page(size)
    if rounded < size or rounded > MAX_VMO_SIZE:
        return ZX_ERR_OUT_OF_RANGE, 0
    return ZX_OK, rounded
