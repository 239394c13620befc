"""The model's MMU and page tables, for the engine that holds an independent MMU beside them.

What is handed over is the model's own: the walk as hardware does it, the codecs, and machines whose page tables
are bytes.

Not here: what an emulator answers.
"""

from __future__ import annotations

from vmaspace.model.arch.arm64 import A64_KERNEL_TABLES, A64_USER_TABLES
from vmaspace.model.arch.hardware import (
    ABSENT,
    LEAF,
    MALFORMED,
    TABLE,
    AccessKind,
    FaultKind,
    Mmu,
    Stage,
    Translation,
    Update,
    WalkFault,
    translate,
)
from vmaspace.model.arch.mmu_rules import mmu_for
from vmaspace.model.arch.modes import Modes
from vmaspace.model.arch.regime import Regime, index_at, reach, shift_of
from vmaspace.model.arch.riscv64 import riscv64_tables
from vmaspace.model.arch.walk import Memory, Step, walk
from vmaspace.model.arch.x86_64 import X86_KERNEL_TABLES, X86_USER_TABLES

__all__ = [
    "ABSENT",
    "LEAF",
    "MALFORMED",
    "TABLE",
    "TABLES_OF",
    "AccessKind",
    "FaultKind",
    "Memory",
    "Mmu",
    "Modes",
    "Regime",
    "Stage",
    "Step",
    "Translation",
    "Update",
    "WalkFault",
    "index_at",
    "mmu_for",
    "reach",
    "shift_of",
    "translate",
    "walk",
]

# The formats of page tables that a CPU walks by itself, by architecture: a user's first, then the kernel's.
TABLES_OF: dict[str, tuple[Regime, ...]] = {
    "x86_64": (X86_USER_TABLES, X86_KERNEL_TABLES),
    "arm64": (A64_USER_TABLES, A64_KERNEL_TABLES),
    "riscv64": tuple(
        riscv64_tables(width, is_kernel, False) for width in (39, 48) for is_kernel in (False, True)
    ),
}
