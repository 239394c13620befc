"""What the machine is told of page tables: the root registers, and the operand of an invalidation.

Mirrors `ContextSwitch` in `zircon/kernel/arch/*/mmu*`, `zircon/kernel/arch/x86/hypervisor` and
`zircon/kernel/arch/arm64/hypervisor`. All values are 64-bit words; `root` is the physical address of the root table.
"""

from __future__ import annotations

from typing import Final

from vmaspace.model.constants import MAX_U64, PAGE_SHIFT, Paddr, Vaddr

X86_NO_FLUSH: Final = 1 << 63  # of CR3: keep what is cached under this PCID
EPT_WRITE_BACK: Final = 6  # the memory type of the walk
A64_ID_SHIFT: Final = 48  # of an ASID or a VMID
A64_TLBI_ADDRESS: Final = (1 << 44) - 1
RV_ID_SHIFT: Final = 44
RV_MODES: Final = {39: 8, 48: 9}  # satp.MODE by the width of the tables


def cr3(root: Paddr, pcid: int, *, flushes: bool) -> int:
    """CR3 on x86-64. flushes: drop what this CPU has cached under the PCID; PCID 0 always does."""
    return root | pcid | (0 if flushes or not pcid else X86_NO_FLUSH)


def ept_pointer(root: Paddr, levels: int = 4) -> int:
    """The EPT pointer of a guest on x86-64; without accessed and dirty flags."""
    return root | EPT_WRITE_BACK | levels - 1 << 3


def ttbr0(root: Paddr, asid: int) -> int:
    """TTBR0_EL1 of a user address space on arm64."""
    return asid << A64_ID_SHIFT | root


def vttbr(root: Paddr, vmid: int) -> int:
    """VTTBR_EL2 of a guest on arm64."""
    return vmid << A64_ID_SHIFT | root


def tlbi_operand(va: Vaddr, asid: int = 0) -> int:
    """What an arm64 `TLBI` of one address is given; the forms for all ASIDs leave the id 0."""
    return asid << A64_ID_SHIFT | va >> PAGE_SHIFT & A64_TLBI_ADDRESS


def satp(root: Paddr, asid: int, width: int = 39) -> int:
    """satp on riscv64, for Sv39 or Sv48 tables (`width` 39 or 48)."""
    return (RV_MODES[width] << 60 | asid << RV_ID_SHIFT | root >> PAGE_SHIFT) & MAX_U64
