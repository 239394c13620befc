"""What a VMAR does to ranges of addresses: unmap and protect.

Mirrors `VmAddressRegion::Unmap`, `UnmapInternalLocked` and `Protect` (`zircon/kernel/vm/vm_address_region.cc`).
Both check the whole request before they change anything; only memory can run out on the way.

Does not model `RangeOp`.
"""

from __future__ import annotations

from vmaspace.model.constants import PAGE_MASK, ByteSize, Vaddr, is_page_aligned, round_up_page
from vmaspace.model.flags import MMU_CACHE_MASK
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import ALIVE
from vmaspace.model.status import (
    ZX_ERR_ACCESS_DENIED,
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NOT_FOUND,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmar_tree import VmarTree

_FILE = "zircon/kernel/vm/vm_address_region.cc"


class VmarRanges(VmarTree):
    """A VMAR, as the owner of a range."""

    __slots__ = ()

    def unmap(self, base: Vaddr, size: ByteSize, op_children: bool = True) -> Status:
        """Remove what lies in `[base, base + size)`: mappings also in part, sub-VMARs as a whole only.

        *Kernel:* `VmAddressRegion::Unmap` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* INVALID_ARGS when the rounded size is 0 or `base` is misaligned; BAD_STATE unless ALIVE;
        INVALID_ARGS outside the VMAR; ACCESS_DENIED where the vDSO code is; INVALID_ARGS when a sub-VMAR
        stands out of the range or `op_children` is off; NO_MEMORY, with lower children gone.
        *Leaves alone:* the VMOs, and everything outside the range. A range without mappings is not an error.
        """
        rounded = round_up_page(size)
        if rounded == 0 or not is_page_aligned(base):
            return ZX_ERR_INVALID_ARGS
        if size & PAGE_MASK and self.aspace.system.has_switch("documented_length_aligned"):
            return ZX_ERR_INVALID_ARGS
        aspace = self.aspace
        with aspace.region_lock(), aspace.lock():
            if self.state is not ALIVE:
                return ZX_ERR_BAD_STATE
            status = self._check_unmap(base, rounded, op_children)
            if status is not ZX_OK:
                return status
            # The documentation says NOT_FOUND; as implemented, removing nothing succeeds.
            if aspace.system.has_switch("documented_unmap_not_found") and not self.subregions.regions_meeting(base, rounded):
                return ZX_ERR_NOT_FOUND
            return self._remove_range(base, rounded)

    def protect(self, base: Vaddr, size: ByteSize, mmu_flags: int, op_children: bool = True) -> Status:
        """Let the permissions `mmu_flags` apply to every mapping in `[base, base + size)`, at any depth.

        *Kernel:* `VmAddressRegion::Protect` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* INVALID_ARGS when the rounded size is 0 or `base` is misaligned; BAD_STATE unless ALIVE;
        INVALID_ARGS outside the VMAR, or with cache bits; then the first offender in address order: NOT_FOUND
        for a gap, ACCESS_DENIED for permissions that the mapping may not have and for the vDSO code,
        INVALID_ARGS in a sub-VMAR with `op_children` off, ACCESS_DENIED in a sub-VMAR for more than there was;
        NOT_FOUND for a gap at the end; NO_MEMORY, with lower mappings changed.
        *Asserts:* in a space that is neither a user's nor a guest's: write access is not added, and what is accessible
        is readable.
        *Leaves alone:* the tree: mappings are not split.
        """
        mmu_flags = int(mmu_flags)
        rounded = round_up_page(size)
        if rounded == 0 or not is_page_aligned(base):
            return ZX_ERR_INVALID_ARGS
        if size & PAGE_MASK and self.aspace.system.has_switch("documented_length_aligned"):
            return ZX_ERR_INVALID_ARGS
        with self.aspace.lock():
            if self.state is not ALIVE:
                return ZX_ERR_BAD_STATE
            if not self.is_in_range(base, rounded):
                return ZX_ERR_INVALID_ARGS
            if mmu_flags & MMU_CACHE_MASK:
                return ZX_ERR_INVALID_ARGS
            end = base + rounded
            mappings = list(self.mappings_meeting(base, rounded))
            status = self._check_protect(mappings, base, end, mmu_flags, op_children)
            if status is not ZX_OK:
                return status
            return self._apply_protect(mappings, base, end, mmu_flags)

    # Unmapping.

    def _check_unmap(self, base: Vaddr, size: ByteSize, may_destroy_vmars: bool) -> Status:
        """The checks of a range removal; nothing is changed before all have passed."""
        if not self.is_in_range(base, size):
            return ZX_ERR_INVALID_ARGS
        if self.subregions.is_empty():
            return ZX_OK
        if self.aspace.intersects_vdso_code_locked(base, size):
            return ZX_ERR_ACCESS_DENIED
        for child in self.subregions.regions_meeting(base, size):
            if not child.is_mapping and (
                not may_destroy_vmars or child.base < base or child.end > base + size
            ):
                return ZX_ERR_INVALID_ARGS
        return ZX_OK

    def _remove_range(self, base: Vaddr, size: ByteSize) -> Status:
        """Remove each child that meets the range, lowest first.

        *Kernel:* `VmAddressRegion::UnmapInternalLocked` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* NO_MEMORY; the children visited before are gone.
        *Asserts:* nothing else can fail any more; only mappings are removed in part.
        """
        end = base + size
        for child in self.subregions.regions_meeting(base, size):
            if base <= child.base and child.end <= end:
                status = child._destroy_locked()
            elif isinstance(child, VmMapping):
                part_base = max(base, child.base)
                status = child.unmap_part(part_base, min(end, child.end) - part_base)
            else:
                raise AssertionViolation("only mappings are removed in part", _FILE)
            if status is not ZX_OK:
                if status is not ZX_ERR_NO_MEMORY:
                    raise AssertionViolation("only memory can run out in a checked removal", _FILE)
                return status
        return ZX_OK

    # Protecting.

    def _check_protect(
        self, mappings: list[VmMapping], base: Vaddr, end: Vaddr, mmu_flags: int, op_children: bool
    ) -> Status:
        """The validation pass: the first mapping or gap, in address order, that refuses."""
        expected = base
        for mapping in mappings:
            if mapping.base > expected:
                return ZX_ERR_NOT_FOUND
            if not mapping.is_valid_mapping_flags(mmu_flags):
                return ZX_ERR_ACCESS_DENIED
            if self.aspace.vdso_code_mapping is mapping:
                return ZX_ERR_ACCESS_DENIED
            if mapping.parent is not self:
                if not op_children:
                    return ZX_ERR_INVALID_ARGS
                # Through an ancestor, protection can only be reduced.
                piece_base, piece_end = max(base, mapping.base), min(end, mapping.end)
                if any(mmu_flags & ~old for old in mapping.old_protections(piece_base, piece_end)):
                    return ZX_ERR_ACCESS_DENIED
            expected = mapping.end
        return ZX_ERR_NOT_FOUND if expected < end else ZX_OK

    def _apply_protect(self, mappings: list[VmMapping], base: Vaddr, end: Vaddr, mmu_flags: int) -> Status:
        """The apply pass, ascending. In a kernel space what asserts does so at the first piece that would change."""
        for mapping in mappings:
            piece_base = max(base, mapping.base)
            status = mapping.protect_part(piece_base, min(end, mapping.end) - piece_base, mmu_flags)
            if status is not ZX_OK:
                if status is not ZX_ERR_NO_MEMORY:
                    raise AssertionViolation("only memory can run out in a checked protection", _FILE)
                return status
        return ZX_OK
