"""The way from a root table to what an address leads to, entry by entry, as the bytes in memory say.

Software's view: nothing is checked and nothing is changed. What a CPU makes of the same bytes is in `hardware`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from vmaspace.model.arch.regime import Regime, index_at
from vmaspace.model.constants import Paddr, Vaddr


class Frame(Protocol):
    """A page of memory, as 512 words of 64 bits."""

    @property
    def words(self) -> memoryview: ...


class Memory(Protocol):
    """What is walked: `PhysicalMemory`, or another place where the same bytes are."""

    def page_for(self, paddr: Paddr) -> Frame | None: ...


class Step(NamedTuple):
    """One entry on the way: which table, where in it, and what stands there."""

    level: int
    table: Paddr
    slot: int
    entry: int


def walk(regime: Regime, memory: Memory, root: Paddr, va: Vaddr) -> list[Step]:
    """The entries on the way to `va`, from the root on. The last one is a leaf, or not present.

    A table entry that leads to no memory ends the walk too.
    """
    steps: list[Step] = []
    table, level, page_for = root, regime.top_level, memory.page_for
    while True:
        page = page_for(table)
        if page is None:
            return steps
        slot = index_at(va, level)
        entry = page.words[slot]
        steps.append(Step(level, table, slot, entry))
        if not entry & regime.present or regime.is_leaf(entry, level):
            return steps
        table = regime.table_paddr(entry)
        level -= 1
