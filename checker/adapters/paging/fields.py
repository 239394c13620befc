"""One entry of a page table, taken apart: each field by the name that the manual gives it, with what its value says.

The layouts are data, one module for each architecture. What hardware takes an entry for comes from the model's MMU, so an
entry is decoded as a CPU would, not as Zircon would have written it. Any 64-bit value can be decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from vmaspace.checker.adapters.paging.arm64 import ARM64_LAYOUTS
from vmaspace.checker.adapters.paging.layout import Field, Layout, Layouts
from vmaspace.checker.adapters.paging.riscv64 import RISCV64_LAYOUTS
from vmaspace.checker.adapters.paging.x86 import X86_LAYOUTS
from vmaspace.model.arch.hardware import ABSENT, LEAF, MALFORMED, TABLE, Mmu
from vmaspace.model.arch.mmu_rules import mmu_for
from vmaspace.model.arch.modes import Modes
from vmaspace.model.arch.regime import Regime, reach

LAYOUTS: dict[str, Layouts] = {**X86_LAYOUTS, **ARM64_LAYOUTS, **RISCV64_LAYOUTS}  # by the name of a regime


class Role(StrEnum):
    """What hardware takes an entry for."""

    ABSENT = "nothing"
    TABLE = "table"
    LEAF = "leaf"
    MALFORMED = "malformed"


_ROLES = {ABSENT: Role.ABSENT, TABLE: Role.TABLE, LEAF: Role.LEAF, MALFORMED: Role.MALFORMED}


class Part(NamedTuple):
    """One field of one entry. meaning: what the value says; empty where there is no more to say than the number."""

    field: Field
    value: int
    meaning: str


@dataclass(frozen=True)
class Decoded:
    """An entry of a level, as hardware reads it. paddr: where it leads; None if it leads nowhere."""

    regime: Regime
    level: int
    entry: int
    role: Role
    layout: Layout | None  # None: hardware looks at nothing further

    @property
    def parts(self) -> list[Part]:
        """Every field, the highest first."""
        if self.layout is None:
            return []
        return [Part(f, f.of(self.entry), f.meaning(self.entry)) for f in self.layout.from_the_top]

    @property
    def paddr(self) -> int | None:
        """The physical address of the table, the page or the run of pages."""
        if self.layout is None or self.role not in (Role.TABLE, Role.LEAF):
            return None
        return (self.entry & self.layout.frame) << self.regime.frame_shift

    @property
    def size(self) -> int:
        """The bytes of address space that the entry stands for."""
        return reach(self.level)

    @property
    def reserved(self) -> int:
        """Bits that are set and must be 0."""
        return 0 if self.layout is None else self.entry & self.layout.reserved

    @property
    def ignored(self) -> int:
        """Bits that are set, and that hardware does not look at."""
        return self.entry if self.layout is None else self.entry & self.layout.ignored

    @property
    def rights(self) -> int:
        """What the entry lets pass; six bits as in `model.arch.regime`."""
        if self.role is Role.TABLE:
            return self.regime.table_rights(self.entry)
        return self.regime.leaf_rights(self.entry) if self.role is Role.LEAF else 0

    @cached_property
    def memory(self) -> str:
        """The memory type of a leaf, where it is not a field of its own."""
        return (
            "" if self.layout is None or self.role is not Role.LEAF else self.layout.memory_type(self.entry)
        )

    def text(self) -> str:
        """The flags that are set and the fields that are wider, in one line: `P RW U/S A D NX WB`."""
        return " ".join(self._words()) or "0"

    def _words(self) -> Iterator[str]:
        if self.layout is None:
            if self.entry:
                yield f"not present, the rest is software's: {self.entry:#x}"
            return
        if self.role is Role.MALFORMED:
            yield "MALFORMED"
        for part in reversed(self.parts):
            if part.field.width == 1:
                if part.value:
                    yield part.field.name
            elif part.value or part.meaning:
                yield f"{part.field.name}={part.value}" + (f" ({part.meaning})" if part.meaning else "")
        if self.memory:
            yield self.memory
        if self.reserved:
            yield f"RESERVED {self.reserved:#x}"
        if self.ignored:
            yield f"ignored {self.ignored:#x}"


def decode(regime: Regime, entry: int, level: int) -> Decoded:
    """What hardware makes of a 64-bit `entry` in a table of `level`, 0 being the last."""
    mmu = _mmu(regime)
    role = _ROLES[mmu.stages[regime.top_level - level].classes[entry & 0xFF]]
    layouts = LAYOUTS[regime.name]
    if role is Role.ABSENT:
        return Decoded(regime, level, entry, role, None)
    if role is Role.LEAF and mmu.leaf_not_all and entry & mmu.leaf_not_all == mmu.leaf_not_all:
        role = Role.MALFORMED
    is_leaf = role is Role.LEAF or (role is Role.MALFORMED and regime.is_leaf(entry, level))
    chosen = layouts.leaves.get(level) if is_leaf else layouts.tables.get(level)
    return Decoded(regime, level, entry, role, chosen or layouts.tables.get(level) or layouts.leaves[level])


def _mmu(regime: Regime) -> Mmu:
    # An address may be as wide as the format has room for: entries are pasted from machines of any size.
    return mmu_for(regime, Modes(physical_bits=52, svpbmt=regime.name.endswith("Svpbmt")))
