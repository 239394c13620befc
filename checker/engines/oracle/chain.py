"""Tables for one address: a chain of entries that a comparison changes one by one."""

from __future__ import annotations

from vmaspace.checker.adapters.hardware import Mmu, Modes, Regime, index_at
from vmaspace.checker.engines.oracle.arena import Arena
from vmaspace.checker.engines.oracle.machine import Space

INDEXES = (5, 3, 1, 1)  # of the slots on the way, by level
OFFSET = 0x7F8
FRAME = 0x80_0000_0000  # aligned for a leaf of any level, below 1 TiB
EVERYTHING = 0x3C  # MMU flags: user, read, write, execute
KERNELS = 0x38


class Chain:
    """The tables on the way to one address, from the root to the last level, and what stands in them."""

    def __init__(self, arena: Arena, regime: Regime, *, is_high: bool = False) -> None:
        arena.clear()
        self.regime = regime
        self.is_upper = regime.name == "arm64 kernel"
        self.levels = range(regime.top_level, -1, -1)
        self._tables = {level: arena.new_page() for level in self.levels}
        self.root = self._tables[regime.top_level].paddr
        va = OFFSET
        for level in self.levels:
            va |= INDEXES[level] << 12 + 9 * level
        if is_high:
            va |= -1 << regime.width - (0 if regime.name.startswith("arm64") else 1)
        self.va = va & (1 << 64) - 1
        self._slots = {level: index_at(self.va, level) for level in self.levels}

    def space(self, mmu: Mmu, modes: Modes) -> Space:
        """The tables as a CPU has them loaded."""
        return Space(mmu, modes, self.root, self.is_upper)

    def path(self, leaf_level: int, flags: int) -> dict[int, int]:
        """The entries of a good walk, by level."""
        regime = self.regime
        entries = {
            level: regime.table(self._tables[level - 1].paddr) for level in self.levels if level > leaf_level
        }
        entries[leaf_level] = regime.leaf(FRAME, flags, leaf_level)
        return entries

    def put(self, entries: dict[int, int]) -> None:
        """Write entries, by level."""
        for level, entry in entries.items():
            self._tables[level].words[self._slots[level]] = entry

    def entry(self, level: int) -> int:
        """What stands there now."""
        return self._tables[level].words[self._slots[level]]
