"""Address spaces: creation, unification, destruction, and the answers of one that is destroyed.

Mirrors `VmAspace` (`zircon/kernel/vm/include/vm/vm_aspace.h`, `zircon/kernel/vm/vm_aspace.cc`). The last
reference is given up with `release`, which is the destructor; a freed address space asserts on every use.

Does not model locks, threads, faults, harvesting, dumps, or the legacy kernel allocators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.arch.aspace import ArchAspaceKind, ArchUnmapOptions
from vmaspace.model.aslr import AslrConfig
from vmaspace.model.aspace_range import default_range, permitted_range
from vmaspace.model.constants import ADDRESS_SPACE, PAGE_SHIFT, ZX_MAX_NAME_LEN, ByteSize, Vaddr, range_wraps
from vmaspace.model.flags import VMAR_FLAG_CAN_MAP_SPECIFIC, ArchAspaceFlag, AspaceType, ShareOpt
from vmaspace.model.locks import LockOrder, Mutex
from vmaspace.model.prng import Prng
from vmaspace.model.region import VmAddressRegionOrMapping
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_NO_MEMORY,
    ZX_OK,
    AssertionViolation,
    Status,
)

if TYPE_CHECKING:
    from vmaspace.model.mapping import VmMapping
    from vmaspace.model.system import System
    from vmaspace.model.vmar import VmAddressRegion

_FILE = "zircon/kernel/vm/vm_aspace.cc"

_ARCH_FLAGS = {
    AspaceType.USER: ArchAspaceFlag.NONE,
    AspaceType.KERNEL: ArchAspaceFlag.KERNEL,
    AspaceType.LOW_KERNEL: ArchAspaceFlag.NONE,
    AspaceType.GUEST_PHYSICAL: ArchAspaceFlag.GUEST,
}


class VmAspace:
    """An address space: a range, a tree of regions, and page tables."""

    __slots__ = (
        "_is_user_or_guest",
        "_lock",
        "_name",
        "_prng",
        "_region_lock",
        "arch",
        "aslr_config",
        "base",
        "destroyed",
        "freed",
        "high_priority_count",
        "references",
        "root",
        "size",
        "system",
        "type",
        "vdso_code_mapping",
    )

    def __init__(
        self, system: System, base: Vaddr, size: ByteSize, type: AspaceType, name: str | None
    ) -> None:
        self.system = system
        self._region_lock = Mutex(system.held_locks, LockOrder.REGION, "region_lock")
        self._lock = Mutex(system.held_locks, LockOrder.ASPACE, "lock")
        self.base = base
        self.size = size
        self.type = type
        self._is_user_or_guest = type in (AspaceType.USER, AspaceType.GUEST_PHYSICAL)
        self.aslr_config = AslrConfig.create(system, type)
        self._prng: Prng | None = None
        self.arch = system.arch_aspace_class(system, base, size, _ARCH_FLAGS[type])
        self.root: VmAddressRegion | None = None
        self.vdso_code_mapping: VmMapping | None = None
        self.high_priority_count = 0
        self.references = 1
        self.destroyed = False
        self.freed = False
        self._name = b""
        self.rename(name)

    def __repr__(self) -> str:
        return f"<aspace {self.name!r} [{self.base:#x}, {self.base + self.size:#x}) {self.type.name}>"

    # Factories.

    @classmethod
    def create(
        cls,
        system: System,
        base: Vaddr,
        size: ByteSize,
        type: int,
        name: str | None,
        share_opt: int = ShareOpt.NONE,
    ) -> VmAspace | None:
        """An address space over `[base, base + size)`, or None. No status is reported.

        *Kernel:* `VmAspace::Create` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* None when the range wraps, or lies outside the range of its type (always so for KERNEL,
        whose end wraps to 0); when memory is out; when the arch initialiser fails.
        *Asserts:* a known type, unless the range wraps; what the arch initialiser asserts.
        *Leaves alone:* everything, unless it succeeds.
        """
        if range_wraps(base, size):
            # Ending exactly at 2^64 wraps too: the sum is 0. Only an empty range at 0 would not be below its base.
            return None
        minimum, maximum = permitted_range(system.arch, type)
        if not (base >= minimum and base + size <= maximum):
            return None
        if not system.heap.allocate():
            return None
        aspace = cls(system, base, size, AspaceType(type), name)
        if aspace._init(share_opt) is not ZX_OK:
            if aspace.destroy() is not ZX_OK:
                raise AssertionViolation("destroying what was never used succeeds", _FILE)
            return None
        system.aspaces.append(aspace)
        return aspace

    @classmethod
    def create_default(cls, system: System, type: int, name: str | None) -> VmAspace | None:
        """An address space over the whole default range of its type, or None.

        *Kernel:* `VmAspace::Create(Type, const char*)` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* as `create`.
        *Asserts:* a known type, before anything else; then as `create`.
        """
        base, size = default_range(system.arch, type)
        return cls.create(system, base, size, type, name, ShareOpt.NONE)

    @classmethod
    def create_unified(
        cls, system: System, shared: VmAspace, restricted: VmAspace, name: str | None
    ) -> VmAspace | None:
        """One view of a shared and a restricted address space, or None. It has no regions of its own.

        *Kernel:* `VmAspace::CreateUnified` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* None when memory is out.
        *Asserts:* what `ArchVmAspace.init_unified` asserts; neither constituent is freed.
        *Leaves alone:* the constituents, but for the references between their tables.
        """
        if not system.heap.allocate():
            return None
        shared.check_canary()
        restricted.check_canary()
        if system.has_switch("documented_destroy_order") and (shared.destroyed or restricted.destroyed):
            raise AssertionViolation("the constituents of a unified space are not destroyed", _FILE)
        aspace = cls(system, 0, 0, AspaceType.USER, name)
        if aspace.arch.init_unified(shared.arch, restricted.arch) is not ZX_OK:
            if aspace.destroy() is not ZX_OK:
                raise AssertionViolation("destroying what was never used succeeds", _FILE)
            return None
        system.aspaces.append(aspace)
        return aspace

    @classmethod
    def create_kernel(cls, system: System) -> VmAspace:
        """The kernel's own address space, made once at boot and never checked against a range.

        *Kernel:* `VmAspace::KernelAspaceInitPreHeap` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        arch = system.arch
        aspace = cls(system, arch.kernel_aspace_base, arch.kernel_aspace_size, AspaceType.KERNEL, "kernel")
        if aspace._init(ShareOpt.NONE) is not ZX_OK:
            raise AssertionViolation("the kernel address space can be made", _FILE)
        return aspace

    def _init(self, share_opt: int) -> Status:
        """Make page tables and the root VMAR.

        *Kernel:* `VmAspace::Init` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* what the arch initialiser returns; NO_MEMORY for the root VMAR.
        """
        if share_opt == ShareOpt.NONE:
            status = self.arch.init()
        elif share_opt == ShareOpt.RESTRICTED:
            status = self.arch.init_restricted()
        elif share_opt == ShareOpt.SHARED:
            status = self.arch.init_shared()
        else:
            raise AssertionViolation("the share option is known", _FILE)
        if status is not ZX_OK:
            return status
        self._prng = Prng(self.aslr_config.seed)
        self.root = self.system.vmar_class.create_root(self, self.base, self.size, VMAR_FLAG_CAN_MAP_SPECIFIC)
        return ZX_OK if self.root is not None else ZX_ERR_NO_MEMORY

    # The end.

    def destroy(self) -> Status:
        """Tear the contents down. Harmless a second time.

        *Kernel:* `VmAspace::Destroy` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* NO_MEMORY from the page tables; the address space is then not destroyed, but the record of
        the vDSO code is gone and so is the lower part of the tree.
        *Asserts:* not the kernel's address space.
        *Leaves alone:* the place on the list, the name, the references between page tables.
        """
        self.check_canary()
        if self.type is AspaceType.KERNEL:
            raise AssertionViolation("the kernel address space is never destroyed", self.system.arch.mmu_file)
        if self.system.has_switch("documented_destroy_order") and self._is_in_use_by_unified():
            raise AssertionViolation("a unified space is destroyed before its constituents", _FILE)
        self.vdso_code_mapping = None
        if self.root is not None:
            status = self.root.destroy()
            # The root may be DEAD already, through a path inside the kernel.
            if status is not ZX_OK and status is not ZX_ERR_BAD_STATE:
                return status
        self.destroyed = True
        self.root = None
        self.arch.disable_updates()
        return ZX_OK

    def add_ref(self) -> None:
        """Take a reference.

        *Kernel:* `fbl::RefPtr<VmAspace>` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        """
        self.check_canary()
        self.references += 1

    def release(self) -> None:
        """Drop a reference; with the last one the address space is freed.

        *Kernel:* `VmAspace::~VmAspace` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        *Asserts:* with the last one: `destroy` succeeded; what `ArchVmAspace.destroy` asserts; x86-64: no CPU
        has the page tables loaded; the high-priority count is 0.
        *Leaves alone:* the constituents, but for the references between their tables.
        """
        self.check_canary()
        if self.references > 1:
            self.references -= 1
            return
        if not self.destroyed:
            raise AssertionViolation("an address space is destroyed before it is freed", _FILE)
        if self.high_priority_count:
            raise AssertionViolation("nothing in a freed address space has high priority", _FILE)
        if self.system.active_aspace is self and self.system.arch.asserts_inactive_at_destroy:
            raise AssertionViolation("no CPU has freed page tables loaded", self.system.arch.mmu_file)
        self.arch.assert_destroyable()
        self.system.forget_aspace(self)
        if self.arch.destroy() is not ZX_OK:
            raise AssertionViolation("the page tables can be freed", _FILE)
        self.references = 0
        self.freed = True

    def check_canary(self) -> None:
        """Raise if the address space was freed: `canary_.Assert()`."""
        if self.freed:
            raise AssertionViolation("an address space is not used after it was freed", _FILE)

    def _is_in_use_by_unified(self) -> bool:
        if self.arch.references == 0:
            return False
        return any(
            not aspace.destroyed and self.arch in (aspace.arch.shared, aspace.arch.restricted)
            for aspace in self.system.aspaces
        )

    # Simple members.

    @property
    def name(self) -> str:
        """The name; at most 31 bytes."""
        return self._name.decode("utf-8", "replace")

    @property
    def name_bytes(self) -> bytes:
        """The name as it is stored, without its NUL."""
        return self._name

    def rename(self, name: str | None) -> None:
        """Give the address space a name, cut to 31 bytes; None is "unnamed".

        *Kernel:* `VmAspace::Rename` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        self.check_canary()
        raw = b"unnamed" if name is None else name.encode("utf-8", "surrogatepass")
        self._name = raw.split(b"\0", 1)[0][: ZX_MAX_NAME_LEN - 1]

    def root_vmar(self) -> VmAddressRegion | None:
        """The root VMAR; None for a unified address space and after `destroy`.

        *Kernel:* `VmAspace::RootVmar` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        self.check_canary()
        return self.root

    def is_destroyed(self) -> bool:
        """Whether `destroy` has succeeded.

        *Kernel:* `VmAspace::is_destroyed` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        self.check_canary()
        return self.destroyed

    def is_user(self) -> bool:
        """Whether the type is USER: so for shared, restricted and unified ones too."""
        return self.type is AspaceType.USER

    def is_user_or_guest(self) -> bool:
        """Whether the type is USER or GUEST_PHYSICAL: not one of the kernel's own."""
        return self._is_user_or_guest

    def is_unified(self) -> bool:
        """Whether it was made by `create_unified`."""
        return self.arch.kind is ArchAspaceKind.UNIFIED

    def is_aslr_enabled(self) -> bool:
        """Whether placement is random here."""
        return self.aslr_config.enabled

    def aslr_entropy_bits(self, compact: bool) -> int:
        """Over how many candidates placement is spread, as a power of two."""
        return self.aslr_config.compact_entropy_bits if compact else self.aslr_config.entropy_bits

    def aslr_prng(self) -> Prng:
        """The source of randomness.

        *Kernel:* `VmAspace::AslrPrng` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        *Asserts:* ASLR is enabled, and the source has been seeded.
        """
        if not self.aslr_config.enabled or self._prng is None:
            raise AssertionViolation("the PRNG is used only when ASLR is enabled", _FILE)
        return self._prng

    # Locks.

    def region_lock(self) -> Mutex:
        """The authority over which ranges are allocated; taken before `lock` when both are needed.

        *Kernel:* `VmAspace::region_lock` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        """
        return self._region_lock

    region_lock_ref = region_lock

    def lock(self) -> Mutex:
        """The primary lock, of the tree of regions and mappings.

        *Kernel:* `VmAspace::lock` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        """
        return self._lock

    lock_ref = lock

    # Page tables.

    def enlarge_arch_unmap(self) -> ArchUnmapOptions:
        """Whether an edit of the page tables may touch more than it was asked to.

        *Kernel:* `VmAspace::EnlargeArchUnmap` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        """
        return ArchUnmapOptions.ENLARGE if self._is_user_or_guest else ArchUnmapOptions.NONE

    def unmap_translations(self, base: Vaddr, size: ByteSize) -> Status:
        """Take the translations of a range in whole pages away; what is mapped there stays mapped.

        *Kernel:* `ArchVmAspace::Unmap` as the VM layer calls it (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* what the page tables answer.
        """
        return self.arch.unmap(base, size >> PAGE_SHIFT, self.enlarge_arch_unmap())

    # Lookup.

    def find_region(self, va: Vaddr) -> VmAddressRegionOrMapping | None:
        """The innermost region at `va`: a mapping, or the VMAR in whose gap it lies. None without a root.

        An address outside the address space yields the root VMAR itself.

        *Kernel:* `VmAspace::FindRegion` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        self.check_canary()
        region = self.root
        while region is not None:
            child = region.find_region(va)
            if child is None or child.is_mapping:
                return region if child is None else child
            region = child  # type: ignore[assignment]
        return None

    def vdso_base_address(self) -> Vaddr:
        """Where the vDSO image would start, judging by its code; 0 if there is none.

        *Kernel:* `VmAspace::vdso_base_address` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        self.check_canary()
        if self.vdso_code_mapping is None:
            return 0
        return (self.vdso_code_mapping.base - self.system.vdso.code_start) % ADDRESS_SPACE

    def vdso_code_address(self) -> Vaddr:
        """Where the vDSO code is; 0 if there is none.

        *Kernel:* `VmAspace::vdso_code_address` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        self.check_canary()
        return 0 if self.vdso_code_mapping is None else self.vdso_code_mapping.base

    def intersects_vdso_code_locked(self, base: Vaddr, size: ByteSize) -> bool:
        """Whether the vDSO code shares a byte with `[base, base + size)`.

        *Kernel:* `VmAspace::IntersectsVdsoCodeLocked` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        code = self.vdso_code_mapping
        return code is not None and base < code.end and code.base < base + size
