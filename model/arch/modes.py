"""The control bits of a CPU that a walk of its page tables depends on.

Names as in the manuals: Intel SDM volume 3, chapters 2 and 4; Arm ARM, section D8; RISC-V Privileged Specification,
sections 3.1.6 and 10.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Modes:
    """The control bits of a CPU that a walk depends on. As made: Zircon's, on a CPU with SMEP, SMAP, Svadu and Svpbmt."""

    physical_bits: int = 48  # of an address: MAXPHYADDR on x86-64, the output size (IPS) on arm64
    wp: bool = True  # x86-64 CR0.WP: the kernel does not write either where it is forbidden
    nxe: bool = True  # x86-64 EFER.NXE: bit 63 forbids to execute; else it is reserved
    smep: bool = True  # x86-64 CR4.SMEP: the kernel does not execute a user's pages
    smap: bool = True  # x86-64 CR4.SMAP: the kernel does not read or write a user's pages, but with AC
    ac: bool = False  # x86-64 EFLAGS.AC
    pan: bool = False  # arm64 PSTATE.PAN: as SMAP
    wxn: bool = False  # arm64 SCTLR.WXN: what can be written is not executed
    tbi: bool = True  # arm64 TCR.TBI0: bits 56 to 63 of a user's address are ignored
    user_bits: int = 48  # arm64, 64 - TCR.T0SZ: 47 while a restricted address space is active
    sum: bool = False  # riscv64 sstatus.SUM: the kernel reads and writes a user's pages
    mxr: bool = False  # riscv64 sstatus.MXR: what can be executed can be read
    svadu: bool = True  # riscv64: hardware sets A and D; else an entry without them faults
    svpbmt: bool = True  # riscv64: bits 61 and 62 of a leaf are a memory type; else they are reserved


ZIRCON_MODES: Final = Modes()
