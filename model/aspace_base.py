"""What every address space has: a range, a type, a name, a root VMAR, page tables and two locks.

Mirrors the state and the simple members of `VmAspace` (`zircon/kernel/vm/include/vm/vm_aspace.h`,
`zircon/kernel/vm/vm_aspace.cc`). Creation and destruction are in `aspace.py`.

Does not model that `name` may be read while another thread renames: threads take turns here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.options import UNIFIED, UNMAP_ENLARGE
from vmaspace.model.aslr import AslrConfig
from vmaspace.model.constants import PAGE_SHIFT, ByteSize, Vaddr, name_bytes, name_text
from vmaspace.model.flags import ArchAspaceFlag, AspaceType
from vmaspace.model.locks import LockOrder, Mutex
from vmaspace.model.prng import Prng
from vmaspace.model.status import AssertionViolation, Status

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


class AspaceBase:
    """An address space, as what it consists of."""

    __slots__ = (
        "_is_user",
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
        "last_fault",
        "pt_harvest_since_active",
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
        self._is_user = type is AspaceType.USER
        self._is_user_or_guest = type in (AspaceType.USER, AspaceType.GUEST_PHYSICAL)
        self.aslr_config = AslrConfig.create(system, type)
        self._prng: Prng | None = None
        self.arch = system.arch_aspace_class(system, base, size, _ARCH_FLAGS[type])
        self.root: VmAddressRegion | None = None
        self.vdso_code_mapping: VmMapping | None = None
        self.last_fault: VmMapping | None = None  # a cache: null, or an ALIVE mapping of this tree
        self.pt_harvest_since_active = 0  # 0 to 2: see `HarvestAllUserAccessedBits`
        self.high_priority_count = 0  # VMARs and mappings whose priority is HIGH
        self.references = 1
        self.destroyed = False
        self.freed = False
        self._name = b""
        self.rename(name)

    def __repr__(self) -> str:
        return f"<aspace {self.name!r} [{self.base:#x}, {self.base + self.size:#x}) {self.type.name}>"

    def check_canary(self) -> None:
        """Raise if the address space was freed: `canary_.Assert()`."""
        if self.freed:
            raise AssertionViolation("an address space is not used after it was freed", _FILE)

    # Simple members.

    @property
    def name(self) -> str:
        """The name; at most 31 bytes. See `name_text`.

        *Kernel:* `VmAspace::name` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        """
        return name_text(self._name)

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
        with self._lock:
            self._name = name_bytes("unnamed" if name is None else name)

    def root_vmar(self) -> VmAddressRegion | None:
        """The root VMAR; None for a unified address space and after `destroy`.

        *Kernel:* `VmAspace::RootVmar` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        self.check_canary()
        with self._lock:
            return self.root

    def is_destroyed(self) -> bool:
        """Whether `destroy` has succeeded.

        *Kernel:* `VmAspace::is_destroyed` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        self.check_canary()
        with self._lock:
            return self.destroyed

    def arch_aspace(self) -> ArchVmAspace:
        """The page tables.

        *Kernel:* `VmAspace::arch_aspace` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        """
        self.check_canary()
        return self.arch

    def is_user(self) -> bool:
        """Whether the type is USER: so for shared, restricted and unified ones too.

        *Kernel:* `VmAspace::is_user` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        """
        return self._is_user

    def is_user_or_guest(self) -> bool:
        """Whether the type is USER or GUEST_PHYSICAL: not one of the kernel's own."""
        return self._is_user_or_guest

    def is_unified(self) -> bool:
        """Whether it was made by `create_unified`."""
        return self.arch.kind is UNIFIED

    def is_aslr_enabled(self) -> bool:
        """Whether placement is random here: in user spaces, unless the boot option turns it off.

        *Kernel:* `VmAspace::is_aslr_enabled` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        """
        return self.aslr_config.enabled

    def aslr_entropy_bits(self, compact: bool) -> int:
        """Over how many candidates placement is spread, as a power of two; `compact`: in a compact VMAR.

        *Kernel:* `VmAspace::AslrEntropyBits` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        """
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

    # Memory priority.

    def change_high_priority_count_locked(self, delta: int) -> None:
        """A VMAR or mapping became HIGH (1), or stopped being so (-1).

        *Kernel:* `VmAspace::ChangeHighPriorityCountLocked` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        *Asserts:* `lock` is held; not destroyed; the count does not become negative.
        """
        self._lock.assert_held()
        if self.destroyed:
            raise AssertionViolation("the high-priority count of a destroyed space does not change", _FILE)
        old = self.high_priority_count
        self.high_priority_count = old + delta
        if self.high_priority_count < 0:
            raise AssertionViolation("the high-priority count is not negative", _FILE)
        if old == 0:
            self.system.counters["vm.aspace.high_priority"] += 1
        elif self.high_priority_count == 0:
            self.system.counters["vm.aspace.high_priority"] -= 1

    def is_high_memory_priority(self) -> bool:
        """Whether anything in the address space has high memory priority.

        *Kernel:* `VmAspace::IsHighMemoryPriority` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        *Asserts:* the count is not negative.
        """
        if self.high_priority_count < 0:
            raise AssertionViolation("the high-priority count is not negative", _FILE)
        return self.high_priority_count != 0

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

    def enlarge_arch_unmap(self) -> int:
        """Whether an edit of the page tables may touch more than it was asked to, as `ArchUnmapOptions`.

        *Kernel:* `VmAspace::EnlargeArchUnmap` (zircon/kernel/vm/include/vm/vm_aspace.h)
        *Fails with:* nothing.
        """
        return UNMAP_ENLARGE if self._is_user_or_guest else 0

    def unmap_translations(self, base: Vaddr, size: ByteSize) -> Status:
        """Take the translations of a range in whole pages away; what is mapped there stays mapped.

        *Kernel:* `ArchVmAspace::Unmap` as the VM layer calls it (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* what the page tables answer.
        """
        return self.arch.unmap(base, size >> PAGE_SHIFT, self.enlarge_arch_unmap())
