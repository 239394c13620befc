"""The formats of page tables that the model has, for the engine that proves things of their entries.

What is handed over is the model's own `Regime`: the code that runs, not a copy. Its functions take solver terms too.

Not here: what the bits of an entry should be; that is told by the engine's own accounts of the manuals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from vmaspace.model.arch.arm64 import A64_EL2_TABLES, A64_GUEST_TABLES, A64_KERNEL_TABLES, A64_USER_TABLES
from vmaspace.model.arch.hardware import LEAF, TABLE
from vmaspace.model.arch.mmu_rules import mmu_for
from vmaspace.model.arch.modes import Modes
from vmaspace.model.arch.regime import ENTRIES, Regime, index_at, reach, shift_of
from vmaspace.model.arch.riscv64 import riscv64_tables
from vmaspace.model.arch.x86_64 import EPT, X86_KERNEL_TABLES, X86_USER_TABLES
from vmaspace.model.system import System

__all__ = [
    "ALL_TABLES",
    "ENTRIES",
    "Kind",
    "MmuLevel",
    "Regime",
    "Tables",
    "changed_tables",
    "index_at",
    "mmu_levels",
    "reach",
    "shift_of",
]


class Kind(StrEnum):
    """What page tables translate for."""

    USER = "user"
    KERNEL = "kernel"
    GUEST = "guest"
    HYPERVISOR = "hypervisor"


@dataclass(frozen=True, slots=True)
class Tables:
    """One format, and what is known of the machine besides. has_svpbmt: riscv64 entries hold a memory type."""

    regime: Regime
    arch: str
    kind: Kind
    has_svpbmt: bool = False

    @property
    def slug(self) -> str:
        """The name in an obligation's id, such as `x86-64-kernel`."""
        return self.regime.name.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class MmuLevel:
    """What the model's MMU makes of the entries of one level. All masks are of an entry.

    leaf_bytes, table_bytes: the low bytes of what it takes for a leaf and for a table, if no reserved bit is set and a leaf
    does not have all bits of `leaf_not_all` (0: no such rule). accessed, dirty: of a leaf. rights_bits: of a table entry,
    the only ones that its rights depend on.
    """

    level: int
    leaf_bytes: tuple[int, ...]
    table_bytes: tuple[int, ...]
    leaf_reserved: int
    table_reserved: int
    leaf_not_all: int
    leaf_frame: int
    table_frame: int
    accessed: int
    dirty: int
    rights_bits: int


def mmu_levels(tables: Tables, physical_bits: int) -> list[MmuLevel]:
    """The levels of the MMU that walks these tables, on a machine with physical addresses of so many bits."""
    mmu = mmu_for(tables.regime, Modes(physical_bits=physical_bits, svpbmt=tables.has_svpbmt))
    return [
        MmuLevel(
            stage.level,
            tuple(byte for byte, what in enumerate(stage.classes) if what == LEAF),
            tuple(byte for byte, what in enumerate(stage.classes) if what == TABLE),
            stage.leaf_reserved,
            stage.table_reserved,
            mmu.leaf_not_all,
            stage.leaf_frame,
            tables.regime.table_frame,
            mmu.leaf_accessed,
            mmu.leaf_dirty,
            mmu.table_rights_bits,
        )
        for stage in mmu.stages
    ]


def _riscv64(width: int, kind: Kind, has_svpbmt: bool) -> Tables:
    regime = riscv64_tables(width, kind is Kind.KERNEL, has_svpbmt)
    return Tables(regime, "riscv64", kind, has_svpbmt)


ALL_TABLES: tuple[Tables, ...] = (
    Tables(X86_USER_TABLES, "x86_64", Kind.USER),
    Tables(X86_KERNEL_TABLES, "x86_64", Kind.KERNEL),
    Tables(EPT, "x86_64", Kind.GUEST),
    Tables(A64_USER_TABLES, "arm64", Kind.USER),
    Tables(A64_KERNEL_TABLES, "arm64", Kind.KERNEL),
    Tables(A64_GUEST_TABLES, "arm64", Kind.GUEST),
    Tables(A64_EL2_TABLES, "arm64", Kind.HYPERVISOR),
    *(
        _riscv64(width, kind, has_svpbmt)
        for width in (39, 48)
        for kind in (Kind.USER, Kind.KERNEL)
        for has_svpbmt in (False, True)
    ),
)


def changed_tables(system_class: type[System]) -> list[Tables]:
    """The formats that a class derived from `System` has in place of the model's own; those whose names are known here."""
    known = {tables.regime.name: tables for tables in ALL_TABLES}
    found = []
    for arch in dict.fromkeys(tables.arch for tables in ALL_TABLES):
        own, its = System.machine(arch), system_class.machine(arch)
        for name in ("user_tables", "kernel_tables", "guest_tables"):
            regime: Regime | None = getattr(its, name)
            if regime is not None and regime is not getattr(own, name) and regime.name in known:
                found.append(replace(known[regime.name], regime=regime))
    return found
