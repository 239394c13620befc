"""The kernel's page tables as the boot loader hands them over.

Mirrors the hand-over in `zircon/kernel/arch/x86/mmu.cc` (the kernel lives in one root slot, which is never empty), and in
`zircon/kernel/arch/riscv64/mmu.cc` (every root slot of the kernel's half leads to a table from the start).

Does not model what is mapped at that time: the physmap and the kernel's own code.
"""

from __future__ import annotations

from vmaspace.model.arch.record import Arch
from vmaspace.model.arch.regime import ENTRIES, index_at
from vmaspace.model.physical_memory import PhysicalMemory


class BootTables:
    """The kernel's root table, and what hangs in it from the start."""

    __slots__ = ("pages", "root")

    def __init__(self, arch: Arch, memory: PhysicalMemory) -> None:
        self.root = memory.allocate_boot_page()
        self.root.is_table = True
        self.pages = 1
        if not arch.aliases_kernel_half:
            return
        regime = arch.kernel_tables
        first = ENTRIES // 2 if arch.kernel_root_is_full else index_at(arch.kernel_aspace_base, regime.top_level)
        for slot in range(first, ENTRIES):
            below = memory.allocate_boot_page()
            below.is_table = True
            self.root.words[slot] = regime.table(below.paddr)
            self.root.num_mappings += 1
            self.pages += 1
