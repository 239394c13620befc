"""A machine: its architecture, its kernel address space, and everything that was made on it.

Mirrors the global state of the VM layer: `kernel_aspace_`, `aspaces_list_` (`zircon/kernel/vm/vm_aspace.cc`), the
global PRNG, and the boot options. A `System` is the root of a model; two of them share nothing.

To study a kernel of your own, derive from `System` and name your classes:

    class MyMapping(VmMapping): ...
    class MySystem(System):
        mapping_class = MyMapping
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import ClassVar, Final

from vmaspace.model.arch import Arch, arch_for_name
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.boot import BootTables
from vmaspace.model.arch.ids import IdAllocator
from vmaspace.model.arch.tlb import Tlb
from vmaspace.model.aspace import VmAspace
from vmaspace.model.constants import ByteSize, Paddr, Vaddr
from vmaspace.model.enumerator import VmAddressRegionEnumerator
from vmaspace.model.flags import AspaceType, ShareOpt
from vmaspace.model.heap import Heap
from vmaspace.model.locks import HeldLocks, LockOrder, Mutex
from vmaspace.model.mapping import VmMapping
from vmaspace.model.object.process import ProcessDispatcher, ShareableProcessState
from vmaspace.model.object.thread import Thread
from vmaspace.model.page_queues import PageQueues
from vmaspace.model.physical_memory import PhysicalMemory
from vmaspace.model.prng import Prng
from vmaspace.model.protection import ProtectionRanges
from vmaspace.model.region_list import RegionList
from vmaspace.model.status import Status
from vmaspace.model.vdso import VdsoImage
from vmaspace.model.vmar import VmAddressRegion
from vmaspace.model.vmo import (
    PageSource,
    VmCowPages,
    VmObject,
    VmObjectPaged,
    VmObjectPhysical,
    VmoKind,
)

# Where what Zircon documents and what it does are different. Off: as implemented. On: as documented.
SWITCHES: dict[str, str] = {
    "documented_destroy_order": "destroying a constituent before its unified space is a violation at once",
    "documented_roles": "arm64 too asserts that the restricted part was created restricted",
    "documented_root_slots": "a root slot that the restricted part ends inside is one of its slots, on x86-64 too",
    "documented_overwrite_vdso": "overwriting with vDSO code is checked and recorded like mapping it",
    "documented_upper_limit_offset": "a mapping placed under an upper limit keeps its VMO offset",
    "documented_unmap_not_found": "unmapping a range that meets no child is NOT_FOUND",
    "documented_length_aligned": "a length that is not page aligned is INVALID_ARGS",
    "documented_allocate_no_memory": "no room is NO_MEMORY",
    # Of system calls, which the contract does not have.
    "documented_allow_faults": "without ALLOW_FAULTS, zx_vmar_map refuses VMOs that may change and ranges past their end",
    "documented_op_range_right": "zx_vmar_op_range needs the WRITE right to commit and decommit",
}

_CONSOLE_LINES: Final = 1000


class Counters(dict[str, int]):
    """kcounters, by the kernel's names: vm.aspace.high_priority, … What was never counted is 0."""

    __slots__ = ()

    def __missing__(self, name: str) -> int:
        return 0


class System:
    """One machine with its kernel."""

    aspace_class: ClassVar[type[VmAspace]] = VmAspace
    arch_aspace_class: ClassVar[type[ArchVmAspace]] = ArchVmAspace
    vmar_class: ClassVar[type[VmAddressRegion]] = VmAddressRegion
    mapping_class: ClassVar[type[VmMapping]] = VmMapping
    region_list_class: ClassVar[type[RegionList]] = RegionList
    enumerator_class: ClassVar[type[VmAddressRegionEnumerator]] = VmAddressRegionEnumerator
    protection_ranges_class: ClassVar[type[ProtectionRanges]] = ProtectionRanges
    paged_vmo_class: ClassVar[type[VmObjectPaged]] = VmObjectPaged
    physical_vmo_class: ClassVar[type[VmObjectPhysical]] = VmObjectPhysical
    cow_pages_class: ClassVar[type[VmCowPages]] = VmCowPages
    page_queues_class: ClassVar[type[PageQueues]] = PageQueues
    physical_memory_class: ClassVar[type[PhysicalMemory]] = PhysicalMemory
    id_allocator_class: ClassVar[type[IdAllocator]] = IdAllocator
    tlb_class: ClassVar[type[Tlb]] = Tlb
    thread_class: ClassVar[type[Thread]] = Thread
    process_class: ClassVar[type[ProcessDispatcher]] = ProcessDispatcher
    process_state_class: ClassVar[type[ShareableProcessState]] = ShareableProcessState

    def __init__(
        self,
        arch: str = "x86_64",
        seed: int = 0,
        switches: Iterable[str] = (),
        aslr_disabled: bool = False,
        aslr_entropy_bits: int = 30,
        aslr_compact_entropy_bits: int = 0,
        vdso: VdsoImage | None = None,
        online_cpus: int = 1,
    ) -> None:
        self.switches = frozenset(switches)
        unknown = self.switches - SWITCHES.keys()
        if unknown:
            raise ValueError(f"unknown switch {min(unknown)!r}; there are {', '.join(SWITCHES)}")
        self.arch: Arch = self.machine(arch)
        self.seed = seed
        self.online_cpus = online_cpus
        self.aslr_disabled = aslr_disabled
        self.aslr_entropy_bits = aslr_entropy_bits
        self.aslr_compact_entropy_bits = aslr_compact_entropy_bits
        self.heap = Heap()
        self.page_queues = self.page_queues_class()
        self.pmm = self.physical_memory_class(self.page_queues)
        self.tlb = self.tlb_class(online_cpus)
        self.current_cpu = 0  # where the current thread runs
        record = self.arch
        self.asids = self.id_allocator_class(record.first_id, record.last_id, record.no_id, record.id_when_off)
        self.boot_tables = BootTables(self.arch, self.pmm)
        self.allows_break_before_make = True  # false early in boot: arm64 does not split large pages then
        self.held_locks = HeldLocks()
        self.aspace_list_lock = Mutex(self.held_locks, LockOrder.ASPACE_LIST, "AspaceListLock")
        self.prng = Prng(seed)
        self.console: deque[str] = deque(maxlen=_CONSOLE_LINES)  # what the kernel printed last
        self.counters = Counters()
        self.vdso = VdsoImage() if vdso is None else vdso
        self.aspaces: list[VmAspace] = []  # aspaces_list_: the kernel's first, then in order of creation
        self.current_thread = self.thread_class(self, "kernel")
        self.current_thread.is_running = True
        self.current_thread.held_locks = self.held_locks.stack
        self._last_koid = 1023
        self.kernel_aspace: VmAspace = self.aspace_class.create_kernel(self)
        self.aspaces.append(self.kernel_aspace)

    def __repr__(self) -> str:
        return f"<system {self.arch.name} seed {self.seed} with {len(self.aspaces)} aspaces>"

    @classmethod
    def machine(cls, name: str) -> Arch:
        """The record of the architecture called `name`; a system of yours may change it."""
        return arch_for_name(name)

    def has_switch(self, name: str) -> bool:
        """Whether the switch `name` is on."""
        return name in self.switches

    def next_koid(self) -> int:
        """A number that no kernel object had before."""
        self._last_koid += 1
        return self._last_koid

    # Address spaces.

    def create_aspace(
        self,
        base: Vaddr,
        size: ByteSize,
        type: int = AspaceType.USER,
        name: str | None = "aspace",
        share_opt: int = ShareOpt.NONE,
    ) -> VmAspace | None:
        """See `VmAspace.create`."""
        return self.aspace_class.create(self, base, size, type, name, share_opt)

    def create_default_aspace(
        self, type: int = AspaceType.USER, name: str | None = "aspace"
    ) -> VmAspace | None:
        """See `VmAspace.create_default`."""
        return self.aspace_class.create_default(self, type, name)

    def create_unified_aspace(
        self, shared: VmAspace, restricted: VmAspace, name: str | None = "unified"
    ) -> VmAspace | None:
        """See `VmAspace.create_unified`."""
        return self.aspace_class.create_unified(self, shared, restricted, name)

    def forget_aspace(self, aspace: VmAspace) -> None:
        """Unlink an address space from the global list, if it is on it."""
        with self.aspace_list_lock:
            if aspace in self.aspaces:
                self.aspaces.remove(aspace)

    # Threads: one CPU, so one of them runs.

    @property
    def active_aspace(self) -> VmAspace | None:
        """The address space that the current thread runs on; None for the kernel's alone."""
        return self.current_thread.aspace

    def set_active_aspace(self, aspace: VmAspace | None) -> VmAspace | None:
        """Let the current thread run on `aspace`, None for the kernel's alone; answers what it ran on.

        *Kernel:* `vmm_set_active_aspace` (zircon/kernel/vm/vmm.cc)
        *Fails with:* nothing; does nothing when the thread runs on it already.
        """
        previous = self.active_aspace
        if aspace is not previous:
            self._load(aspace)
            self.current_thread.aspace = aspace
        return previous

    def switch_to(self, thread: Thread) -> Thread:
        """Let another thread run, with its page tables and its locks; answers which one ran.

        *Kernel:* a context switch (zircon/kernel/kernel/thread.cc)
        *Fails with:* nothing.
        """
        previous = self.current_thread
        previous.is_running = False
        self.held_locks.switch_to(thread.held_locks)
        if thread.aspace is not previous.aspace:
            self._load(thread.aspace)
        thread.is_running = True
        if thread.process is not None:
            thread.process.has_started = True
        self.current_thread = thread
        return previous

    def _load(self, aspace: VmAspace | None) -> None:
        if aspace is not None:
            aspace.check_canary()
        new = None if aspace is None else aspace.arch
        self.arch_aspace_class.context_switch(self.current_cpu, self.tlb.cpus[self.current_cpu].active, new)

    def is_loaded(self, tables: object) -> bool:
        """Whether a CPU has these page tables loaded, by themselves or as a part of unified ones."""
        loaded = [cpu.active for cpu in self.tlb.cpus if cpu.active is not None]
        return any(tables in (each, each.shared, each.restricted) for each in loaded)

    # Memory objects.

    def create_vmo(
        self,
        size: ByteSize,
        kind: VmoKind = VmoKind.PAGED,
        *,
        is_resizable: bool = False,
        is_unbounded: bool = False,
        is_discardable: bool = False,
        paddr: Paddr = 0,
        align_pow2: int = 0,
    ) -> tuple[Status, VmObject | None]:
        """See `VmObjectPaged.create`, `VmObjectPaged.create_contiguous` and `VmObjectPhysical.create`."""
        if kind is VmoKind.PHYSICAL:
            return self.physical_vmo_class.create(self, paddr, size)
        if kind is VmoKind.CONTIGUOUS:
            return self.paged_vmo_class.create_contiguous(self, size, align_pow2)
        return self.paged_vmo_class.create(
            self,
            size,
            is_resizable=is_resizable,
            is_unbounded=is_unbounded,
            is_discardable=is_discardable,
        )

    def create_pager_vmo(
        self,
        size: ByteSize,
        *,
        trap_dirty: bool = False,
        is_resizable: bool = False,
        is_unbounded: bool = False,
    ) -> tuple[Status, VmObjectPaged | None]:
        """A VMO whose pages come from a pager: its `cow_pages.source`. See `VmObjectPaged.create`.

        *Kernel:* `PagerDispatcher::CreateSource` (zircon/kernel/object/pager_dispatcher.cc), `zx_pager_create_vmo`
        *Fails with:* as `VmObjectPaged.create`.
        """
        return self.paged_vmo_class.create(
            self,
            size,
            is_resizable=is_resizable,
            is_unbounded=is_unbounded,
            source=PageSource(trap_dirty),
        )

    def create_vdso_vmo(self) -> VmObjectPaged:
        """A VMO of the vDSO image, which the kernel has from the start."""
        pages = self.cow_pages_class(self, self.vdso.size)
        return self.paged_vmo_class(self, VmoKind.PAGED, pages, is_vdso=True, name="vdso")
