"""Placement of what is created in a VMAR: the checks that VMARs and mappings share, and the address.

Mirrors `VmAddressRegion::CreateSubVmarInternal` and `AllocSpotLockedRegion` (`zircon/kernel/vm/vm_address_region.cc`). The
search among the gaps is in `allocator.py`.

Does not model what else decides over a mapping: that is in `vmar.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vmaspace.model.constants import (
    MAX_U64,
    ByteOffset,
    ByteSize,
    Vaddr,
    is_page_aligned,
)
from vmaspace.model.flags import (
    VMAR_CAN_RWX_FLAGS,
    VMAR_FLAG_CAN_MAP_SPECIFIC,
    VMAR_FLAG_COMPACT,
    VMAR_FLAG_OFFSET_IS_UPPER_LIMIT,
    VMAR_FLAG_SPECIFIC,
    VMAR_FLAG_SPECIFIC_OVERWRITE,
    can_map_flags_for_mmu_flags,
)
from vmaspace.model.region import ALIVE
from vmaspace.model.status import (
    ZX_ERR_ACCESS_DENIED,
    ZX_ERR_ALREADY_EXISTS,
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NO_RESOURCES,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmar_range_op import VmarRangeOps

if TYPE_CHECKING:
    pass

_FILE = "zircon/kernel/vm/vm_address_region.cc"
_ANY_SPECIFIC: Final = VMAR_FLAG_SPECIFIC | VMAR_FLAG_SPECIFIC_OVERWRITE


class VmarPlacement(VmarRangeOps):
    """A VMAR, as what has room for regions."""

    __slots__ = ()

    def is_valid_mapping_flags(self, mmu_flags: int) -> bool:
        """Whether the CAN_MAP flags of this VMAR allow the permissions in `mmu_flags`."""
        needed = can_map_flags_for_mmu_flags(mmu_flags)
        return needed & self._flags == needed

    # The path that VMARs and mappings share: CreateSubVmarInternal.

    def _place(self, offset: ByteOffset, size: ByteSize, align_pow2: int, flags: int) -> tuple[Status, Vaddr]:
        """Check a request, and find the address for it.

        ALREADY_EXISTS comes with the address, for the caller that may overwrite.

        *Kernel:* `VmAddressRegion::CreateSubVmarInternal` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* BAD_STATE unless ALIVE; INVALID_ARGS for size 0; ACCESS_DENIED for CAN_MAP flags beyond
        this VMAR's; INVALID_ARGS for an offset that is contradictory, without use or misaligned; ACCESS_DENIED
        for a chosen place without CAN_MAP_SPECIFIC; INVALID_ARGS outside the bounds, or against the alignment;
        ALREADY_EXISTS; NO_RESOURCES.
        """
        if self.state is not ALIVE:
            return ZX_ERR_BAD_STATE, 0
        if size == 0:
            return ZX_ERR_INVALID_ARGS, 0
        status = self._check_rights(flags)
        if status is not ZX_OK:
            return status, 0
        status = self._check_offset(offset, size, flags)
        if status is not ZX_OK:
            return status, 0
        if not flags & _ANY_SPECIFIC:
            return self._alloc_spot(offset, size, align_pow2, flags)
        base = self.base + offset
        if align_pow2 > 0 and base & ((1 << align_pow2) - 1):
            return ZX_ERR_INVALID_ARGS, 0
        if not self.subregions.is_range_available(base, size):
            return ZX_ERR_ALREADY_EXISTS, base
        return ZX_OK, base

    def _check_rights(self, flags: int) -> Status:
        """A child may hold only the CAN_MAP permissions that this VMAR holds."""
        if flags & VMAR_CAN_RWX_FLAGS & ~self._flags:
            return ZX_ERR_ACCESS_DENIED
        return ZX_OK

    def _check_offset(self, offset: ByteOffset, size: ByteSize, flags: int) -> Status:
        """Whether the offset makes sense with the flags, and the request fits the bounds."""
        is_specific = bool(flags & _ANY_SPECIFIC)
        is_upper_limit = bool(flags & VMAR_FLAG_OFFSET_IS_UPPER_LIMIT)
        if is_specific and is_upper_limit:
            return ZX_ERR_INVALID_ARGS
        if not is_specific and not is_upper_limit and offset != 0:
            return ZX_ERR_INVALID_ARGS
        if not is_page_aligned(offset):
            return ZX_ERR_INVALID_ARGS
        if (is_specific or is_upper_limit) and not self._flags & VMAR_FLAG_CAN_MAP_SPECIFIC:
            return ZX_ERR_ACCESS_DENIED
        # A request without a place is tested too, with offset 0: larger than the VMAR is INVALID_ARGS.
        if not is_upper_limit and (offset >= self.size or size > self.size - offset):
            return ZX_ERR_INVALID_ARGS
        if is_upper_limit and (offset > self.size or size > self.size or size > offset):
            return ZX_ERR_INVALID_ARGS
        return ZX_OK

    def _alloc_spot(
        self, offset: ByteOffset, size: ByteSize, align_pow2: int, flags: int
    ) -> tuple[Status, Vaddr]:
        """A free address for `size` bytes.

        *Kernel:* `VmAddressRegion::AllocSpotLockedRegion` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* NO_RESOURCES.
        *Asserts:* the address that was found is free and inside the bounds.
        """
        aspace = self.aspace
        upper_limit = self.base + offset if flags & VMAR_FLAG_OFFSET_IS_UPPER_LIMIT else MAX_U64
        status, base = self.subregions.get_alloc_spot(
            align_pow2,
            aspace.aslr_entropy_bits(bool(self._flags & VMAR_FLAG_COMPACT)),
            size,
            self.base,
            self.size,
            aspace.aslr_prng() if aspace.is_aslr_enabled() else None,
            upper_limit,
        )
        if status is not ZX_OK:
            if status is ZX_ERR_NO_RESOURCES and aspace.system.has_switch("documented_allocate_no_memory"):
                return ZX_ERR_NO_MEMORY, 0
            return status, 0
        if not self.is_in_range(base, size) or not self.subregions.is_range_available(base, size):
            raise AssertionViolation("the spot that the allocator found is free", _FILE)
        return ZX_OK, base
