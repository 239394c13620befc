"""What a mapping allows where: its protection, and what the page tables are told of it.

Mirrors the protection members of `VmMapping` (`zircon/kernel/vm/vm_mapping.cc`). The life of a mapping is in
`mapping.py`, the ranges themselves are in `protection.py`.

Does not model when a write fault makes a translation writable: a protection never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.constants import PAGE_SHIFT, ByteOffset, ByteSize, Vaddr, is_page_aligned
from vmaspace.model.flags import (
    MMU_CACHE_MASK,
    MMU_PERM_READ,
    MMU_PERM_RWX_MASK,
    MMU_PERM_WRITE,
    MmuFlag,
    can_map_flags_for_mmu_flags,
)
from vmaspace.model.protection import ProtectionRanges
from vmaspace.model.region import ALIVE, VmAddressRegionOrMapping
from vmaspace.model.status import ZX_OK, AssertionViolation, Status

if TYPE_CHECKING:
    from vmaspace.model.mapping_faults import FaultInProgress
    from vmaspace.model.vmar import VmAddressRegion
    from vmaspace.model.vmo import VmObject

_FILE = "zircon/kernel/vm/vm_mapping.cc"


class ProtectedRange(VmAddressRegionOrMapping):
    """A mapping, as a range of addresses that show a VMO with some protection."""

    __slots__ = ("_ranges", "currently_faulting", "mergeable", "object_offset", "private_clone", "vmo")

    def __init__(
        self,
        parent: VmAddressRegion,
        base: Vaddr,
        size: ByteSize,
        flags: int,
        vmo: VmObject,
        object_offset: ByteOffset,
        ranges: ProtectionRanges,
        *,
        mergeable: bool = False,
        private_clone: bool = False,
    ) -> None:
        super().__init__(parent.aspace, parent, base, size, flags)
        self.vmo: VmObject | None = vmo  # None for ever once DEAD
        self.object_offset = object_offset  # bytes, of the mapping's first byte in the VMO
        self._ranges = ranges
        self.currently_faulting: FaultInProgress | None = None
        self.mergeable = mergeable
        self.private_clone = private_clone

    def protection_ranges(self) -> list[tuple[Vaddr, Vaddr, MmuFlag]]:
        """The ranges `(start, end, MMU flags)` of equal protection in address order; nothing unless ALIVE."""
        if self.state is not ALIVE:
            return []
        return [
            (start, end, MmuFlag(flags)) for start, end, flags in self._ranges.ranges(self.base, self.end)
        ]

    def arch_mmu_flags_at(self, addr: Vaddr) -> MmuFlag:
        """The MMU flags that apply at `addr`, which lies in the mapping."""
        return MmuFlag(self._ranges.flags_at(addr))

    def is_valid_mapping_flags(self, mmu_flags: int) -> bool:
        """Whether the CAN_MAP flags of the mapping allow the permissions in `mmu_flags`."""
        needed = can_map_flags_for_mmu_flags(mmu_flags)
        return needed & self._flags == needed

    def protect_part(self, base: Vaddr, size: ByteSize, mmu_flags: int) -> Status:
        """Let the permissions `mmu_flags` apply in `[base, base + size)`, with the mapping's cache bits.

        *Kernel:* `VmMapping::ProtectLocked` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* NO_MEMORY; nothing is changed then.
        *Asserts:* a page-aligned part, no cache bits, permissions within the mapping's CAN_MAP flags; write
        access is not added in a space that is neither a user's nor a guest's.
        """
        if not size or not is_page_aligned(base | size) or not self.is_in_range(base, size):
            raise AssertionViolation("the part to protect is page aligned and inside the mapping", _FILE)
        if mmu_flags & MMU_CACHE_MASK:
            raise AssertionViolation("the cache policy is not changed by a protection", _FILE)
        if self.vmo is None or not self.is_valid_mapping_flags(mmu_flags):
            raise AssertionViolation("the permissions are allowed and there is a VMO", _FILE)
        new_flags = mmu_flags | (self._ranges.first_flags & MMU_CACHE_MASK)
        return self._ranges.update(
            self.base,
            self.end,
            base,
            base + size,
            new_flags,
            self.aspace.system.heap,
            lambda start, end, old_flags: self._update_hardware(start, end, old_flags, new_flags),
        )

    def _assert_expressible(self, old_flags: int, new_flags: int) -> None:
        """Kernel spaces can neither wait for a fault nor fall back to an unmap."""
        if new_flags == old_flags or self.aspace.is_user_or_guest():
            return
        if new_flags & MMU_PERM_WRITE:
            raise AssertionViolation("write access is not added in kernel spaces", _FILE)
        if new_flags & MMU_PERM_RWX_MASK and not new_flags & MMU_PERM_READ:
            raise AssertionViolation("the page tables of kernel spaces take the protection", _FILE)

    def _update_hardware(self, start: Vaddr, end: Vaddr, old_flags: int, new_flags: int) -> None:
        """Tell the page tables that `[start, end)` goes from `old_flags` to `new_flags`, never adding WRITE."""
        self._assert_expressible(old_flags, new_flags)
        if new_flags & MMU_PERM_WRITE and new_flags != old_flags:
            self.aspace.system.counters["vm.aspace.mapping.protect_without_write"] += 1
        downgraded = new_flags & ~MMU_PERM_WRITE
        if old_flags not in (new_flags, downgraded):
            self._downgrade(start, end, downgraded)

    def _downgrade(self, start: Vaddr, end: Vaddr, mmu_flags: int) -> None:
        """Let the page tables allow no more than `mmu_flags` in `[start, end)`.

        *Kernel:* `VmMapping::ProtectOrUnmap` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing.
        *Asserts:* no write access; the page tables can be edited.
        """
        if mmu_flags & MMU_PERM_WRITE:
            raise AssertionViolation("a protection change installs no write access", _FILE)
        aspace = self.aspace
        if mmu_flags & MMU_PERM_RWX_MASK:
            pages = (end - start) >> PAGE_SHIFT
            if aspace.arch.protect(start, pages, mmu_flags, aspace.enlarge_arch_unmap()) is ZX_OK:
                return
            if not aspace.is_user_or_guest():
                raise AssertionViolation("protecting page tables succeeds", _FILE)
        if aspace.unmap_translations(start, end - start) is not ZX_OK:
            raise AssertionViolation("the arch unmap of a part succeeds", _FILE)

    def old_protections(self, base: Vaddr, end: Vaddr) -> list[int]:
        """The MMU flags of each range within `[base, end)`, in address order."""
        return [flags for _, _, flags in self._ranges.ranges(base, end)]
