"""The page tables of a system as their bytes say, read once for all checks of a step.

Not here: what must be true of them; that is `tables` and `link`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from vmaspace.model.arch.options import ArchAspaceKind
from vmaspace.model.arch.regime import ENTRIES, KERNEL_READ, index_at, reach
from vmaspace.model.arch.tables import ArchTables
from vmaspace.model.aspace import VmAspace
from vmaspace.model.constants import MAX_U64, Paddr, Vaddr
from vmaspace.model.mapping import VmMapping
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.region import LifeCycleState

if TYPE_CHECKING:
    from vmaspace.checker.adapters.invariants.journal import Journal

_TABLE: Final = 0  # the level of tables whose entries are all leaves


class Leaf(NamedTuple):
    """A leaf, and the first address that leads to it."""

    va: Vaddr
    level: int
    entry: int
    paddr: Paddr
    mmu_flags: int
    is_made_by_map: bool  # Map makes it, accessed and dirty aside, of its address and MMU flags; and it can be read


def read_leaf(tables: ArchTables, va: Vaddr, level: int, entry: int) -> Leaf:
    """A leaf as these tables mean it."""
    regime = tables.regime
    is_guest = regime is tables.arch.guest_tables
    # In extended page tables there are no such flags.
    ignored = 0 if is_guest and tables.arch.has_hardware_accessed_flag else regime.accessed | regime.dirty
    paddr, mmu_flags = regime.leaf_paddr(entry, level), regime.mmu_flags(entry, level)
    again = regime.leaf(paddr, mmu_flags, level)
    is_made = not (entry ^ again) & ~ignored and bool(regime.leaf_rights(entry) & KERNEL_READ)
    return Leaf(va, level, entry, paddr, mmu_flags, is_made)


class Hung(NamedTuple):
    """A table below a root, and what leads to it."""

    page: VmPage
    level: int
    parent_level: int
    slot: int
    va: Vaddr
    entry: int
    present: int  # how many of its entries are not 0


class Shown(NamedTuple):
    """A leaf, with the ALIVE mapping that all of its pages lie in."""

    tables: ArchTables
    leaf: Leaf
    mapping: VmMapping | None


class Memory:
    """What was read before: most of it is the same at the next look. It is compared with the bytes, each time."""

    __slots__ = ("_pages", "leaves")

    def __init__(self) -> None:
        self._pages: dict[VmPage, tuple[bytes, list[tuple[int, int]]]] = {}
        self.leaves: dict[tuple[str, Vaddr, int, int], Leaf] = {}

    def entries(self, page: VmPage) -> list[tuple[int, int]]:
        """The entries of a table that are not 0, with their slots."""
        if page.is_zero():
            return []
        now = bytes(page.words)
        known = self._pages.get(page)
        if known is None or known[0] != now:
            found = [(slot, entry) for slot, entry in enumerate(page.words.tolist()) if entry]
            known = self._pages[page] = now, found
        return known[1]


class Surveyed:
    """The tables of one address space: those that it made, and the leaves in them."""

    __slots__ = ("_memory", "astray", "junk", "leaves", "root_present", "tables")

    def __init__(self, tables: ArchTables, memory: Memory) -> None:
        self._memory = memory
        self.tables: list[Hung] = []
        self.leaves: list[Leaf] = []
        self.junk: list[tuple[Vaddr, int, int]] = []  # entries that are not present and not 0
        self.astray: list[tuple[Vaddr, int, int]] = []  # table entries that lead to no table
        self.root_present = 0
        root = tables.root
        if root is None:
            return
        top = tables.regime.top_level
        if tables.is_kernel:
            slots, start = range(ENTRIES), MAX_U64 ^ (1 << tables.regime.width) - 1
        elif tables.kind is ArchAspaceKind.UNIFIED:
            slots, start = range(0), 0
        else:
            end = tables.base + tables.size  # 0 for a space without a place: then everything is the kernel's
            slots, start = range(index_at(end - 1, top) + 1 if end else 0), 0
        self.root_present = self._read(tables, root, top, start, slots)

    def _read(self, tables: ArchTables, page: VmPage, level: int, start: Vaddr, slots: range) -> int:
        """Read the entries of one table, and what hangs below; answers how many are not 0."""
        regime, span, found = tables.regime, reach(level), 0
        leaves = self._memory.leaves
        for slot, entry in self._memory.entries(page):
            if slot >= slots.stop:
                break
            found += 1
            va = start + slot * span
            if not entry & regime.present:
                self.junk.append((va, level, entry))
            elif level == _TABLE or regime.is_leaf(entry, level):
                key = regime.name, va, level, entry
                leaf = leaves.get(key)
                if leaf is None:
                    leaf = leaves[key] = read_leaf(tables, va, level, entry)
                self.leaves.append(leaf)
            else:
                below = tables.memory.page_for(regime.table_paddr(entry))
                if below is None or not below.is_table:
                    self.astray.append((va, level, entry))
                    continue
                if tables.is_kernel and below.is_zero() and level == regime.top_level:
                    continue  # there from the start, and still unused
                present = self._read(tables, below, level - 1, va, range(ENTRIES))
                self.tables.append(Hung(below, level - 1, level, slot, va, entry, present))
        return found


def survey(journal: Journal) -> dict[ArchTables, Surveyed]:
    """All page tables that are there, by whose they are; read once a step."""
    if journal.survey is None:
        spaces = [tables for tables in journal.owners if tables.root is not None]
        journal.survey = {tables: Surveyed(tables, journal.memory) for tables in spaces}
    return journal.survey


def shown(journal: Journal) -> list[Shown]:
    """Every leaf that is there, with its mapping; put together once a step."""
    if journal.shown is None:
        journal.shown = list(_with_mappings(journal))
    return journal.shown


def _with_mappings(journal: Journal) -> Iterator[Shown]:
    by_space: dict[VmAspace, list[VmMapping]] = {}
    for region in journal.regions:
        if region.state is LifeCycleState.ALIVE and isinstance(region, VmMapping):
            by_space.setdefault(region.aspace, []).append(region)
    for tables, space in survey(journal).items():
        mappings = sorted(by_space.get(journal.owners[tables], ()), key=lambda mapping: mapping.base)
        at = 0
        for leaf in space.leaves:
            while at < len(mappings) and mappings[at].base + mappings[at].size <= leaf.va:
                at += 1
            found = mappings[at] if at < len(mappings) else None
            if found is not None and not found.base <= leaf.va <= found.base + found.size - reach(leaf.level):
                found = None
            yield Shown(tables, leaf, found)
