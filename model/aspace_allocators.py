"""The kernel's own way to get memory mapped: the legacy allocators, and the release of what they made.

Mirrors `VmAspace::MapObjectInternal`, `AllocPhysical`, `AllocContiguous`, `Alloc` and `FreeRegion`
(`zircon/kernel/vm/vm_aspace.cc`). All work on the root VMAR, and keep the pages pinned while the mapping lives.

Does not model an address that is handed over by pointer: it goes in as `at`, None for a null pointer, and comes back
beside the status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.aspace_harvest import AspaceHarvest
from vmaspace.model.constants import ByteOffset, ByteSize, Paddr, Vaddr, is_page_aligned, round_up_page
from vmaspace.model.flags import (
    MMU_CACHE_MASK,
    VMAR_CAN_RWX_FLAGS,
    VMAR_FLAG_SPECIFIC,
    VMM_FLAG_COMMIT,
    VMM_FLAG_VALLOC_SPECIFIC,
)
from vmaspace.model.mapping import VmMapping
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NOT_FOUND,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmo import VmoKind

if TYPE_CHECKING:
    from vmaspace.model.vmo import VmObject

_FILE = "zircon/kernel/vm/vm_aspace.cc"


class AspaceAllocators(AspaceHarvest):
    """An address space, as what the kernel allocates from."""

    __slots__ = ()

    def map_object_internal(
        self,
        vmo: VmObject | None,
        name: str | None,
        offset: ByteOffset,
        size: ByteSize,
        align_pow2: int,
        vmm_flags: int,
        arch_mmu_flags: int,
        *,
        at: Vaddr | None = None,
    ) -> tuple[Status, Vaddr]:
        """Map `size` bytes of a VMO, rounded up to pages, with its pages committed and pinned; says where.

        *Kernel:* `VmAspace::MapObjectInternal` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* INVALID_ARGS for a rounded size of 0, no VMO, a misaligned `offset`, and, with
        VALLOC_SPECIFIC, for no address or one that is misaligned or below the base; what the VMO answers to a
        commit; what `create_vm_mapping` answers, with the pages still pinned; with COMMIT what `map_range`
        answers, with the mapping in place.
        *Asserts:* not a user's address space; there is a root VMAR.
        *Leaves alone:* everything, unless the commit succeeds.
        """
        self.check_canary()
        if self.is_user():
            raise AssertionViolation("the kernel's allocators are not for user address spaces", _FILE)
        size = round_up_page(size)
        if size == 0:
            return ZX_ERR_INVALID_ARGS, 0
        if vmo is None:
            return ZX_ERR_INVALID_ARGS, 0
        if not is_page_aligned(offset):
            return ZX_ERR_INVALID_ARGS, 0
        vmar_offset, vmar_flags = 0, VMAR_CAN_RWX_FLAGS
        if vmm_flags & VMM_FLAG_VALLOC_SPECIFIC:
            if at is None or not is_page_aligned(at) or at < self.base:
                return ZX_ERR_INVALID_ARGS, 0
            vmar_offset, vmar_flags = at - self.base, vmar_flags | VMAR_FLAG_SPECIFIC
        status = vmo.commit_range_pinned(offset, size, write=True)
        if status is not ZX_OK:
            return status, 0
        root = self.root_vmar()
        if root is None:
            raise AssertionViolation("an address space that is allocated from has a root", _FILE)
        status, mapping = root.create_vm_mapping(
            vmar_offset, size, align_pow2, vmar_flags, vmo, offset, arch_mmu_flags, name or ""
        )
        if mapping is None:
            return status, 0
        if vmm_flags & VMM_FLAG_COMMIT:
            status = mapping.map_range(0, size, commit=True, ignore_existing=False)
            if status is not ZX_OK:
                return status, 0
        return ZX_OK, mapping.base

    def alloc_physical(
        self,
        name: str | None,
        size: ByteSize,
        align_pow2: int,
        paddr: Paddr,
        vmm_flags: int,
        arch_mmu_flags: int,
        *,
        at: Vaddr | None = None,
    ) -> tuple[Status, Vaddr]:
        """Map `size` bytes of device memory, rounded up to pages; says where. The cache bits are the VMO's.

        *Kernel:* `VmAspace::AllocPhysical` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing for size 0, which maps nothing; what the creation of the VMO answers; INVALID_ARGS when
        the cache policy is refused; then as `map_object_internal` with COMMIT.
        *Asserts:* `paddr` is page aligned; there is a name; then as `map_object_internal`.
        """
        self.check_canary()
        if not is_page_aligned(paddr):
            raise AssertionViolation("a physical address to be mapped is page aligned", _FILE)
        if size == 0:
            return ZX_OK, 0
        status, vmo = self.system.create_vmo(round_up_page(size), VmoKind.PHYSICAL, paddr=paddr)
        if vmo is None:
            return status, 0
        if vmo.set_cache_policy(arch_mmu_flags & MMU_CACHE_MASK) is not ZX_OK:
            vmo.release()
            return ZX_ERR_INVALID_ARGS, 0
        flags = vmm_flags | VMM_FLAG_COMMIT
        return self._map_whole(vmo, name, size, align_pow2, flags, arch_mmu_flags & ~MMU_CACHE_MASK, at)

    def alloc_contiguous(
        self,
        name: str | None,
        size: ByteSize,
        align_pow2: int,
        vmm_flags: int,
        arch_mmu_flags: int,
        *,
        at: Vaddr | None = None,
    ) -> tuple[Status, Vaddr]:
        """Map new memory that is one physical run, aligned like its address; says where.

        *Kernel:* `VmAspace::AllocContiguous` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* INVALID_ARGS for a rounded size of 0, or without COMMIT; what the creation of the VMO answers;
        then as `map_object_internal`.
        *Asserts:* there is a name; then as `map_object_internal`.
        """
        self.check_canary()
        rounded = round_up_page(size)
        if rounded == 0:
            return ZX_ERR_INVALID_ARGS, 0
        if not vmm_flags & VMM_FLAG_COMMIT:
            return ZX_ERR_INVALID_ARGS, 0
        status, vmo = self.system.create_vmo(rounded, VmoKind.CONTIGUOUS, align_pow2=align_pow2)
        if vmo is None:
            return status, 0
        return self._map_whole(vmo, name, rounded, align_pow2, vmm_flags, arch_mmu_flags, at)

    def alloc(
        self,
        name: str | None,
        size: ByteSize,
        align_pow2: int,
        vmm_flags: int,
        arch_mmu_flags: int,
        *,
        at: Vaddr | None = None,
    ) -> tuple[Status, Vaddr]:
        """Map new memory; says where. Without COMMIT only the page tables are left for later, not the pages.

        *Kernel:* `VmAspace::Alloc` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* INVALID_ARGS for a rounded size of 0; what the creation of the VMO answers; then as
        `map_object_internal`.
        *Asserts:* there is a name; then as `map_object_internal`.
        """
        self.check_canary()
        rounded = round_up_page(size)
        if rounded == 0:
            return ZX_ERR_INVALID_ARGS, 0
        status, vmo = self.system.create_vmo(rounded)
        if vmo is None:
            return status, 0
        return self._map_whole(vmo, name, rounded, align_pow2, vmm_flags, arch_mmu_flags, at)

    def _map_whole(
        self,
        vmo: VmObject,
        name: str | None,
        size: ByteSize,
        align_pow2: int,
        vmm_flags: int,
        arch_mmu_flags: int,
        at: Vaddr | None,
    ) -> tuple[Status, Vaddr]:
        """Map a new VMO, which from then on only its mapping keeps."""
        if name is None:
            raise AssertionViolation("memory that the kernel allocates has a name", _FILE)
        vmo.name = name
        status, base = self.map_object_internal(
            vmo, name, 0, size, align_pow2, vmm_flags, arch_mmu_flags, at=at
        )
        vmo.release()
        return status, base

    def free_region(self, va: Vaddr) -> Status:
        """Remove the whole mapping around `va`, a direct child of the root, and let its pages be moved again.

        *Kernel:* `VmAspace::FreeRegion` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* NOT_FOUND without a root, or in a gap; BAD_STATE for a VMAR; what the destruction answers, with
        the pages unpinned all the same.
        *Asserts:* not a user's address space; the pages are pinned.
        """
        self.check_canary()
        if self.is_user():
            raise AssertionViolation("the kernel's allocators are not for user address spaces", _FILE)
        root = self.root_vmar()
        child = None if root is None else root.find_region(va)
        if child is None:
            return ZX_ERR_NOT_FOUND
        vmo = child.vmo if isinstance(child, VmMapping) else None
        if not isinstance(child, VmMapping) or vmo is None:
            return ZX_ERR_BAD_STATE
        vmo.add_ref()  # the mapping's own goes with it
        status = child.destroy()
        vmo.unpin(child.object_offset, child.size)
        vmo.release()
        return status
