"""VMARs, and the creation of what is in them.

Mirrors `VmAddressRegion` (`zircon/kernel/vm/include/vm/vm_address_region.h`,
`zircon/kernel/vm/vm_address_region.cc`): `CreateSubVmar`, `CreateVmMapping` and `ReserveSpace`. Where things go is in
`vmar_placement.py`, lookup and destruction are in `vmar_tree.py`, unmap and protect in `vmar_ranges.py`, the operations on
VMOs in `vmar_range_op.py`, memory priority in `vmar_priority.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from vmaspace.model.arch.options import UNMAP_ENLARGE
from vmaspace.model.constants import (
    MAX_U64,
    PAGE_MASK,
    PAGE_SHIFT,
    ByteOffset,
    ByteSize,
    Vaddr,
    round_up_page,
)
from vmaspace.model.flags import (
    MAPPING_FLAGS,
    MMU_CACHE_MASK,
    MMU_PERM_EXECUTE,
    MMU_PERM_RWX_MASK,
    SUB_VMAR_FLAGS,
    VMAR_CAN_RWX_FLAGS,
    VMAR_CREATION_ONLY_FLAGS,
    VMAR_FLAG_DEBUG_DYNAMIC_KERNEL_MAPPING,
    VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE,
    VMAR_FLAG_OFFSET_IS_UPPER_LIMIT,
    VMAR_FLAG_SPECIFIC,
    VMAR_FLAG_SPECIFIC_OVERWRITE,
    can_map_flags_for_mmu_flags,
)
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import ALIVE, HIGH_PRIORITY
from vmaspace.model.status import (
    ZX_ERR_ACCESS_DENIED,
    ZX_ERR_ALREADY_EXISTS,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmar_placement import VmarPlacement
from vmaspace.model.vmo.kinds import PAGED, PHYSICAL

if TYPE_CHECKING:
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.system import Counters
    from vmaspace.model.vmo import VmObject

_FILE = "zircon/kernel/vm/vm_address_region.cc"

_ATTEMPTS: Final = "vm.region.map.all.attempt", "vm.region.map.specific.attempt", "vm.region.map.upper_bound.attempt"
_SUCCESSES: Final = "vm.region.map.all.success", "vm.region.map.specific.success", "vm.region.map.upper_bound.success"


class MappingRequest(NamedTuple):
    """What a mapping is to show, and how: the arguments of `CreateVmMapping` that a sub-VMAR does not have."""

    vmo: VmObject
    vmo_offset: ByteOffset
    mmu_flags: int
    flags: int  # the CAN_MAP flags that the permissions imply are in

    def is_vdso_code(self) -> bool:
        """Whether this is an executable mapping of a vDSO image."""
        return self.vmo.is_vdso and bool(self.mmu_flags & MMU_PERM_EXECUTE)


class VmAddressRegion(VmarPlacement):
    """A VMAR: a range of addresses that holds sub-VMARs, mappings and gaps."""

    __slots__ = ()

    @classmethod
    def create_root(cls, aspace: VmAspace, base: Vaddr, size: ByteSize, flags: int) -> VmAddressRegion | None:
        """The root VMAR of an address space, ALIVE at once; None when memory is out.

        *Kernel:* `VmAddressRegion::CreateRootLocked` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* None for NO_MEMORY.
        """
        if not aspace.system.heap.allocate():
            return None
        root = cls(aspace, None, base, size, int(flags) | VMAR_CAN_RWX_FLAGS, "root")
        root.state = ALIVE
        return root

    def create_sub_vmar(
        self, offset: ByteOffset, size: ByteSize, align_pow2: int, vmar_flags: int, name: str = "useralloc"
    ) -> tuple[Status, VmAddressRegion | None]:
        """A VMAR of `size` bytes in this one; `offset` is relative to this one's base.

        *Kernel:* `VmAddressRegion::CreateSubVmar` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* INVALID_ARGS for a size that is not whole pages, or a flag not taken here; then as the
        common path: BAD_STATE, INVALID_ARGS, ACCESS_DENIED, INVALID_ARGS, ACCESS_DENIED, INVALID_ARGS,
        ALREADY_EXISTS, NO_RESOURCES, NO_MEMORY.
        *Asserts:* the base of what is inserted is page aligned.
        *Leaves alone:* everything, unless it succeeds.
        """
        flags = int(vmar_flags)
        if size & PAGE_MASK:
            return ZX_ERR_INVALID_ARGS, None
        if flags & ~SUB_VMAR_FLAGS:
            return ZX_ERR_INVALID_ARGS, None
        aspace = self.aspace
        _count(aspace.system.counters, flags, _ATTEMPTS)
        with aspace.region_lock():
            status, base = self._place(offset, size, align_pow2, flags)
            if status is not ZX_OK:
                return status, None
            if not aspace.system.heap.allocate():
                return ZX_ERR_NO_MEMORY, None
            child = aspace.system.vmar_class(
                aspace, self, base, size, flags & ~VMAR_CREATION_ONLY_FLAGS, name
            )
            with aspace.lock():
                status = child.activate()
                if status is not ZX_OK:
                    return status, None
                child.set_priority_locked(self.memory_priority)
        _count(aspace.system.counters, flags, _SUCCESSES)
        return ZX_OK, child

    def create_vm_mapping(
        self,
        mapping_offset: ByteOffset,
        size: ByteSize,
        align_pow2: int,
        vmar_flags: int,
        vmo: VmObject,
        vmo_offset: ByteOffset,
        arch_mmu_flags: int,
        name: str = "",
    ) -> tuple[Status, VmMapping | None]:
        """A mapping of `size` bytes, rounded up to pages, that shows `vmo` from `vmo_offset` on.

        *Kernel:* `VmAddressRegion::CreateVmMapping` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* INVALID_ARGS for a flag not taken here; ACCESS_DENIED for more than this VMAR allows;
        INVALID_ARGS for a misaligned `vmo_offset`; OUT_OF_RANGE when the size or the end in the VMO wraps, or
        lies past a physical VMO; then as the common path, where an overwrite adds ACCESS_DENIED for the vDSO
        code, INVALID_ARGS for a VMAR in the range, and NO_MEMORY with the old contents gone; ACCESS_DENIED for
        a second or misfit vDSO code mapping.
        *Asserts:* FAULT_BEYOND_STREAM_SIZE only with an ordinary paged VMO; pinned pages in kernel spaces,
        unless the flag for dynamic kernel mappings is given; the base of what is inserted is page aligned.
        *Leaves alone:* everything, unless it succeeds; a failed overwrite may have removed the old contents.
        """
        flags, mmu_flags = int(vmar_flags), int(arch_mmu_flags)
        if flags & ~MAPPING_FLAGS:
            return ZX_ERR_INVALID_ARGS, None
        if not self.is_valid_mapping_flags(mmu_flags):
            return ZX_ERR_ACCESS_DENIED, None
        if vmo_offset & PAGE_MASK:
            return ZX_ERR_INVALID_ARGS, None
        if size & PAGE_MASK and self.aspace.system.has_switch("documented_length_aligned"):
            return ZX_ERR_INVALID_ARGS, None
        rounded = round_up_page(size)
        if rounded < size:
            return ZX_ERR_OUT_OF_RANGE, None
        if vmo_offset + rounded > MAX_U64:
            return ZX_ERR_OUT_OF_RANGE, None
        if vmo.kind is PHYSICAL and vmo_offset + rounded > vmo.size:
            return ZX_ERR_OUT_OF_RANGE, None
        if flags & VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE and vmo.kind is not PAGED:
            raise AssertionViolation("FAULT_BEYOND_STREAM_SIZE only with a paged, non-contiguous VMO", _FILE)
        flags |= can_map_flags_for_mmu_flags(mmu_flags)
        request = MappingRequest(vmo, vmo_offset, mmu_flags, flags)
        counters = self.aspace.system.counters
        _count(counters, flags, _ATTEMPTS)
        with self.aspace.region_lock():
            status, mapping = self._create_mapping(mapping_offset, rounded, align_pow2, request)
        if mapping is not None:
            _count(counters, flags, _SUCCESSES)
        return status, mapping

    # Mappings.

    def _create_mapping(
        self, offset: ByteOffset, size: ByteSize, align_pow2: int, request: MappingRequest
    ) -> tuple[Status, VmMapping | None]:
        flags = request.flags
        status, base = self._place(offset, size, align_pow2, flags)
        if status is ZX_ERR_ALREADY_EXISTS and flags & VMAR_FLAG_SPECIFIC_OVERWRITE:
            with self.aspace.lock():
                return self._overwrite(base, size, request)
        if status is not ZX_OK:
            return status, None
        aspace = self.aspace
        if (
            not aspace.is_user_or_guest()
            and not flags & VMAR_FLAG_DEBUG_DYNAMIC_KERNEL_MAPPING
            and not request.vmo.is_range_pinned(request.vmo_offset, size)
        ):
            raise AssertionViolation("kernel mappings are of pinned pages", _FILE)
        mapping = self._new_mapping(base, size, request)
        if mapping is None:
            return ZX_ERR_NO_MEMORY, None
        with aspace.lock():
            if request.is_vdso_code():
                if not self._is_vdso_code_welcome(size, request):
                    return ZX_ERR_ACCESS_DENIED, None
                self.subregions.assert_insertable(mapping)
                # Recorded before the activation, and not taken back if that runs out of memory.
                aspace.vdso_code_mapping = mapping
            status = mapping.activate()
            if status is not ZX_OK:
                return status, None
            mapping.set_priority_locked(self.memory_priority)
            is_high = self.memory_priority is HIGH_PRIORITY
        if is_high:
            with aspace.region_lock().released():
                mapping.commit_high_memory_priority()
        return ZX_OK, mapping

    def _overwrite(
        self, base: Vaddr, size: ByteSize, request: MappingRequest
    ) -> tuple[Status, VmMapping | None]:
        """Put a mapping where something is.

        *Kernel:* `VmAddressRegion::OverwriteVmMappingLocked` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* NO_MEMORY for the object; ACCESS_DENIED where the vDSO code is; INVALID_ARGS for a VMAR
        in the range; NO_MEMORY, with the old contents partly or wholly gone.
        """
        aspace = self.aspace
        mapping = self._new_mapping(base, size, request)
        if mapping is None:
            return ZX_ERR_NO_MEMORY, None
        status = self._check_unmap(base, size, may_destroy_vmars=False)
        if status is not ZX_OK:
            return status, None
        # As implemented this path neither checks nor records vDSO code; the documentation has no such exception.
        records_vdso = request.is_vdso_code() and aspace.system.has_switch("documented_overwrite_vdso")
        if records_vdso and not self._is_vdso_code_welcome(size, request):
            return ZX_ERR_ACCESS_DENIED, None
        # The insertion at the end would stop here; nothing is removed before that.
        if base & PAGE_MASK:
            raise AssertionViolation("the base of a listed region is page aligned", _FILE)
        status = self._remove_range(base, size)
        if status is not ZX_OK:
            return status, None
        if records_vdso:
            aspace.vdso_code_mapping = mapping
        status = mapping.activate()
        if status is not ZX_OK:
            if status is not ZX_ERR_NO_MEMORY:
                raise AssertionViolation("only memory can run out in an overwrite", _FILE)
            return status, None
        mapping.set_priority_locked(self.memory_priority)
        return ZX_OK, mapping

    def _new_mapping(self, base: Vaddr, size: ByteSize, request: MappingRequest) -> VmMapping | None:
        """The mapping object, NOT_READY; None when memory is out."""
        system = self.aspace.system
        if not system.heap.allocate():
            return None
        vmo_offset = request.vmo_offset
        # As implemented, a mapping placed under an upper limit shows its VMO from offset 0.
        if request.flags & VMAR_FLAG_OFFSET_IS_UPPER_LIMIT and not system.has_switch(
            "documented_upper_limit_offset"
        ):
            vmo_offset = 0
        return system.mapping_class(
            self,
            base,
            size,
            request.flags & ~VMAR_CREATION_ONLY_FLAGS,
            request.vmo,
            vmo_offset,
            system.protection_ranges_class(request.mmu_flags),
        )

    def _is_vdso_code_welcome(self, size: ByteSize, request: MappingRequest) -> bool:
        """Whether the aspace has no vDSO code yet, and the request is exactly the code segment."""
        aspace = self.aspace
        return aspace.vdso_code_mapping is None and aspace.system.vdso.is_exact_code_mapping(
            request.vmo_offset, size
        )

    def reserve_space(self, name: str, base: Vaddr, size: ByteSize, arch_mmu_flags: int) -> Status:
        """Register a range that the page tables map already, as boot does.

        *Kernel:* `VmAddressRegion::ReserveSpace` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* INVALID_ARGS outside the VMAR; what the creation of an empty VMO, or of the mapping, answers; what
        the page tables answer, with the mapping kept.
        *Asserts:* a known cache policy; for a range that stays accessible, that one CPU is online.
        """
        if not self.is_in_range(base, size):
            return ZX_ERR_INVALID_ARGS
        aspace, mmu_flags = self.aspace, int(arch_mmu_flags)
        status, vmo = aspace.system.create_vmo(0)
        if vmo is None:
            return status
        vmo.name = name
        if vmo.set_cache_policy(mmu_flags & MMU_CACHE_MASK) is not ZX_OK:
            raise AssertionViolation("the cache policy of a reserved range is known", _FILE)
        flags = VMAR_FLAG_SPECIFIC | VMAR_FLAG_DEBUG_DYNAMIC_KERNEL_MAPPING
        permissions = mmu_flags & ~MMU_CACHE_MASK
        status, _ = self.create_vm_mapping(base - self.base, size, 0, flags, vmo, 0, permissions, name)
        vmo.release()
        if status is not ZX_OK:
            return status
        pages = round_up_page(size) >> PAGE_SHIFT
        if not permissions & MMU_PERM_RWX_MASK:
            return aspace.arch.unmap(base, pages)
        if aspace.system.online_cpus != 1:
            raise AssertionViolation("ranges are reserved before other CPUs are online", _FILE)
        return aspace.arch.protect(base, pages, mmu_flags, UNMAP_ENLARGE)


def _count(counters: Counters, flags: int, names: tuple[str, str, str]) -> None:
    """Count a request to create a child, or that it succeeded, under the names for all and for those with a place or a limit."""
    of_all, with_place, with_limit = names
    counters[of_all] += 1
    if flags & (VMAR_FLAG_SPECIFIC | VMAR_FLAG_SPECIFIC_OVERWRITE):
        counters[with_place] += 1
    elif flags & VMAR_FLAG_OFFSET_IS_UPPER_LIMIT:
        counters[with_limit] += 1
