"""Random tables: trees with pages of all sizes, random bits turned over, and addresses at every edge."""

from __future__ import annotations

from random import Random
from typing import Final

from vmaspace.checker.adapters.hardware import TABLES_OF, Modes, Regime, index_at, mmu_for, reach
from vmaspace.checker.engines.oracle.arena import ArenaPage
from vmaspace.checker.engines.oracle.bench import Bench
from vmaspace.checker.engines.oracle.machine import ACCESSES, Space
from vmaspace.checker.engines.oracle.matrix import MODES, MmuMaker, leaf_levels

_WORD: Final = (1 << 64) - 1
_LEAVES: Final = 6  # of a tree
_ADDRESSES: Final = 8  # of a tree that are compared
_FRAMES: Final = (0x1_2345_6000, 0x8_0000_0000, 0x7F_C000_0000)
_FLIP_PERCENT: Final = 40  # how often bits of a walk are turned over


class _Tree:
    """One tree of tables."""

    def __init__(self, bench: Bench, regime: Regime, random: Random) -> None:
        self.arena = bench.arena
        self.arena.clear()
        self.regime = regime
        self.random = random
        self.root = self.arena.new_page()
        self.is_upper = regime.name == "arm64 kernel"
        self.pages: dict[int, ArenaPage] = {self.root.paddr: self.root}
        self.leaves: list[tuple[int, int]] = []  # where each begins, and its level
        self.entries: list[tuple[ArenaPage, int]] = []  # tables and slots that were filled

    def address(self) -> int:
        """An address in a half of the space; near one that is mapped already, more often than not."""
        random, width = self.random, self.regime.width
        if self.leaves and random.random() < 0.6:
            near, level = random.choice(self.leaves)
            return near + random.choice((-1, 1)) * reach(random.randrange(level + 1)) & _WORD
        va = random.getrandbits(width) & -4096
        return self.extended(va)

    def extended(self, va: int) -> int:
        """The address with its upper bits as hardware wants them."""
        width = self.regime.width
        va &= (1 << width) - 1
        if self.regime.name.startswith("arm64"):
            return va | (-1 << width & _WORD if self.is_upper else 0)
        return va | (-1 << width & _WORD if va >> width - 1 else 0)

    def map(self, va: int) -> None:
        """Put a leaf of a random level on the way to `va`, if there is room."""
        random, regime = self.random, self.regime
        level = random.choice(leaf_levels(regime))
        table, here = self.root, regime.top_level
        while here > level:
            slot = index_at(va, here)
            entry = table.words[slot]
            if entry & regime.present and regime.is_leaf(entry, here):
                return
            if not entry:
                child = self.arena.new_page()
                self.pages[child.paddr] = child
                table.words[slot] = regime.table(child.paddr)
                self.entries.append((table, slot))
            table = self.pages[regime.table_paddr(table.words[slot])]
            here -= 1
        slot = index_at(va, level)
        if table.words[slot]:
            return
        frame = random.choice(_FRAMES) & -reach(level)
        flags = 8 | random.choice((0, 4)) | random.choice((0, 16)) | random.choice((0, 32))
        entry = regime.leaf(frame, flags, level)
        if random.random() < 0.3:
            entry &= ~(regime.accessed | regime.dirty)
        table.words[slot] = entry
        self.entries.append((table, slot))
        self.leaves.append((self.extended(va) & -reach(level), level))

    def flip(self) -> None:
        """Turn over a few bits anywhere."""
        while self.random.random() * 100 < _FLIP_PERCENT:
            table, slot = self.random.choice(self.entries)
            table.words[slot] ^= 1 << self.random.randrange(64)

    def places(self) -> list[int]:
        """Addresses at the edges of leaves and of the halves, and some that are none."""
        random, width = self.random, self.regime.width
        found = []
        for _ in range(_ADDRESSES):
            start, level = random.choice(self.leaves)
            size = reach(level)
            offset = random.choice((0, size - 1, -1, size, random.randrange(size)))
            found.append(start + offset & _WORD)
        edge = 1 << width - 1
        odd = (edge - 1, edge, -edge, -edge - 1, -1, 0, found[0] ^ 1 << random.randrange(width - 1, 64))
        return [*found, random.choice(odd) & _WORD]


def compare_random(bench: Bench, seed: int, count: int, maker: MmuMaker = mmu_for) -> None:
    """At least `count` comparisons, by seed."""
    random = Random(f"{seed}/{bench.machine.name}")
    goal = bench.count + count
    name = bench.machine.name
    while bench.count < goal and not bench.has_enough:
        regime = random.choice(TABLES_OF[name])
        modes: Modes = random.choice(MODES[name])
        tree = _Tree(bench, regime, random)
        for _ in range(_LEAVES):
            tree.map(tree.address())
        tree.flip()
        space = Space(maker(regime, modes), modes, tree.root.paddr, tree.is_upper)
        for va in tree.places():
            bench.compare(space, va)
            if bench.count >= goal + len(ACCESSES):
                break
