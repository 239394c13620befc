"""Address spaces: creation, unification, destruction, and what is where.

Mirrors `VmAspace` (`zircon/kernel/vm/include/vm/vm_aspace.h`, `zircon/kernel/vm/vm_aspace.cc`). The last
reference is given up with `release`, which is the destructor; a freed address space asserts on every use.

Does not model threads that still run on the page tables of an address space that is being destroyed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from vmaspace.model.aspace_allocators import AspaceAllocators
from vmaspace.model.aspace_range import default_range, permitted_range
from vmaspace.model.constants import ADDRESS_SPACE, ByteSize, Vaddr, range_wraps
from vmaspace.model.dump import Dump
from vmaspace.model.flags import VMAR_FLAG_CAN_MAP_SPECIFIC, AspaceType, ShareOpt
from vmaspace.model.prng import Prng
from vmaspace.model.region import VmAddressRegionOrMapping
from vmaspace.model.status import ZX_ERR_NO_MEMORY, ZX_OK, AssertionViolation, Status
from vmaspace.model.usage import MemoryUsage, memory_usage

if TYPE_CHECKING:
    from vmaspace.model.object.thread import Thread
    from vmaspace.model.system import System

_FILE = "zircon/kernel/vm/vm_aspace.cc"


class VmAspace(AspaceAllocators):
    """An address space: a range, a tree of regions, and page tables."""

    __slots__ = ()

    Type: ClassVar[type[AspaceType]] = AspaceType
    ShareOpt: ClassVar[type[ShareOpt]] = ShareOpt

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
            aspace._abandon()
            return None
        with system.aspace_list_lock:
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
            aspace._abandon()
            return None
        with system.aspace_list_lock:
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

    @staticmethod
    def kernel_aspace(system: System) -> VmAspace:
        """The kernel's own address space.

        *Kernel:* `VmAspace::kernel_aspace` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing: a system that is there has booted.
        """
        return system.kernel_aspace

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
        with self._region_lock, self._lock:
            self.root = self.system.vmar_class.create_root(
                self, self.base, self.size, VMAR_FLAG_CAN_MAP_SPECIFIC
            )
        return ZX_OK if self.root is not None else ZX_ERR_NO_MEMORY

    # The end.

    def _abandon(self) -> None:
        """Give back what a failed creation has taken; nobody has seen it."""
        if self.destroy() is not ZX_OK or self.arch.destroy() is not ZX_OK:
            raise AssertionViolation("destroying what was never used succeeds", _FILE)

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
        with self._region_lock, self._lock:
            self.vdso_code_mapping = None
            # The root may be DEAD already, through a path inside the kernel.
            if self.root is not None and self.root.is_alive():
                status = self.root._destroy_locked()
                if status is not ZX_OK:
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
        self.arch.assert_destroyable()
        self.system.forget_aspace(self)
        if self.arch.destroy() is not ZX_OK:
            raise AssertionViolation("the page tables can be freed", _FILE)
        self.references = 0
        self.freed = True

    def _is_in_use_by_unified(self) -> bool:
        if self.arch.references == 0:
            return False
        return any(
            not aspace.destroyed and self.arch in (aspace.arch.shared, aspace.arch.restricted)
            for aspace in self.system.aspaces
        )

    def get_memory_usage(self) -> tuple[Status, MemoryUsage | None]:
        """What the mappings here use; see `memory_usage`.

        *Kernel:* `VmAspace::GetMemoryUsage` (zircon/kernel/object/diagnostics.cc)
        *Fails with:* INTERNAL and None without a root VMAR; INTERNAL and zeros when it is not ALIVE.
        *Leaves alone:* everything. The VMOs are asked without `lock`.
        """
        return memory_usage(self)

    # Lookup.

    def find_region(self, va: Vaddr) -> VmAddressRegionOrMapping | None:
        """The innermost region at `va`: a mapping, or the VMAR in whose gap it lies. None without a root.

        An address outside the address space yields the root VMAR itself.

        *Kernel:* `VmAspace::FindRegion` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        self.check_canary()
        region = self.root_vmar()
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
        code = self.vdso_code_address()
        return 0 if code == 0 else (code - self.system.vdso.code_start) % ADDRESS_SPACE

    def vdso_code_address(self) -> Vaddr:
        """Where the vDSO code is; 0 if there is none.

        *Kernel:* `VmAspace::vdso_code_address` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        self.check_canary()
        with self._lock:
            return 0 if self.vdso_code_mapping is None else self.vdso_code_mapping.base

    def intersects_vdso_code_locked(self, base: Vaddr, size: ByteSize) -> bool:
        """Whether the vDSO code shares a byte with `[base, base + size)`.

        *Kernel:* `VmAspace::IntersectsVdsoCodeLocked` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        *Asserts:* `lock` is held.
        """
        self._lock.assert_held()
        code = self.vdso_code_mapping
        return code is not None and base < code.end and code.base < base + size

    # Threads.

    def attach_to_thread(self, thread: Thread | None) -> None:
        """Let a thread that does not run yet run on this address space, without a reference to it.

        *Kernel:* `VmAspace::AttachToThread` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing; a destroyed address space is not refused.
        *Asserts:* there is a thread; it has no address space; it does not run.
        *Leaves alone:* what is loaded: that changes when the thread runs.
        """
        self.check_canary()
        if thread is None:
            raise AssertionViolation("there is a thread to attach to", _FILE)
        if thread.aspace is not None:
            raise AssertionViolation("a thread gets its address space from others once", _FILE)
        if thread.is_running:
            raise AssertionViolation("the address space of a running thread is its own affair", _FILE)
        thread.aspace = self

    # Dumps.

    def dump(self, verbose: bool = True) -> str:
        """What the kernel prints of this address space; see `Dump`.

        *Kernel:* `VmAspace::Dump` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        *Leaves alone:* everything.
        """
        self.check_canary()
        with self._region_lock, self._lock:
            return self.dump_locked(verbose)

    def dump_locked(self, verbose: bool = True) -> str:
        """`dump`, for a caller that holds the locks.

        *Kernel:* `VmAspace::DumpLocked` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        *Asserts:* `region_lock` and `lock` are held.
        """
        self._region_lock.assert_held()
        self._lock.assert_held()
        return "\n".join(Dump().aspace(self, verbose))

    @staticmethod
    def dump_all_aspaces(system: System, verbose: bool = True) -> str:
        """`dump` of every address space, in list order.

        *Kernel:* `VmAspace::DumpAllAspaces` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        dump, lines = Dump(), list[str]()
        with system.aspace_list_lock:
            for aspace in system.aspaces:
                with aspace.region_lock(), aspace.lock():
                    lines += dump.aspace(aspace, verbose)
        return "\n".join(lines)
