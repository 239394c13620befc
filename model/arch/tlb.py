"""What the CPUs may still remember of page tables: translations that an invalidation has to reach.

A CPU may fill its TLB from any present walk of tables that it has loaded, at any time, and may forget at any time. So
every translation that the tables grant now *may* be in it; that is not written down. What is written down is the rest:
when a present entry changes, each CPU that may walk it may hold the old one, until an invalidation takes it away. What is
left when an operation is over, and lets a CPU do what the tables no longer grant, is a missing invalidation.

Entries are tagged by the number of their address space (PCID, ASID, VMID), or are global. Walk caches hold entries of
tables the same way, and not every invalidation reaches them. Does not model capacity, nor speculation past a fence.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from vmaspace.model.arch.regime import reach
from vmaspace.model.constants import PAGE_SIZE, Paddr, Vaddr

if TYPE_CHECKING:
    from vmaspace.model.arch.tables import ArchTables
    from vmaspace.model.physical_memory import VmPage

GLOBAL: Final = "global"  # the tag of what every address space sees

Tag = str | tuple[str, int]
_LOG_LENGTH: Final = 512


class Stale(NamedTuple):
    """An entry that a CPU may hold although the tables have another one there."""

    tag: Tag
    va: Vaddr  # where its reach begins
    level: int
    entry: int
    is_leaf: bool


class Invalidation(NamedTuple):
    """One instruction that takes translations away, as it is issued. None means all."""

    instruction: str
    va: Vaddr | None
    tag: Tag | None


class StaleTranslation(NamedTuple):
    """What a CPU could use after an operation although the tables do not grant it."""

    cpu: int
    va: Vaddr
    tag: Tag
    entry: int
    level: int
    missing: str  # the invalidation that would have taken it away

    def __str__(self) -> str:
        return (
            f"CPU {self.cpu} may still use {self.entry:#018x} for {self.va:#x} ({self.tag}), which the page tables no"
            f" longer grant: {self.missing} is missing"
        )


class CpuTlb:
    """What one CPU may remember, and what it has loaded."""

    __slots__ = ("active", "number", "roots", "stale")

    def __init__(self, number: int) -> None:
        self.number = number
        self.active: ArchTables | None = None  # whose tables are loaded; None: the kernel's alone
        self.roots: dict[Tag, ArchTables | None] = {}  # what it may have walked, by tag; None: tables that are gone
        self.stale: list[Stale] = []


class Tlb:
    """The TLBs of a machine."""

    __slots__ = ("cpus", "excused", "is_watching", "kernel_tables", "log", "reused")

    def __init__(self, cpus: int) -> None:
        self.cpus = [CpuTlb(number) for number in range(cpus)]
        self.kernel_tables: ArchTables | None = None
        self.is_watching = False  # a CPU has loaded user tables at some time
        self.log: deque[Invalidation] = deque(maxlen=_LOG_LENGTH)  # what was issued last
        self.excused = 0  # entries that stayed in walk caches because of what the kernel leaves out
        self.reused: list[str] = []  # numbers that were loaded for other tables without a flush

    # What changes.

    def load(self, cpu: int, tables: ArchTables, *, flushes: bool) -> None:
        """A CPU loads tables, and with `flushes` forgets what it holds under their tag."""
        self.is_watching = True
        tlb, tag = self.cpus[cpu], tables.tag
        tlb.active = None  # what was loaded, with ids off under the same tag, is no longer walked
        if flushes:
            self.drop(cpu, tag=tag)
        old = tlb.roots.get(tag, tables)
        if old is None or old.root is not tables.root:
            self.reused.append(f"CPU {cpu} loads tables as {tag} while it may hold translations of others under that tag")
        tlb.roots[tag] = tlb.active = tables

    def unload(self, cpu: int) -> None:
        """A CPU goes back to the kernel's tables alone; what it holds under other tags stays."""
        self.cpus[cpu].active = None

    def forget(self, tables: ArchTables, heir: ArchTables | None = None) -> None:
        """Tables are about to be freed: what CPUs hold under their tag belongs to nobody, or to who has the same root."""
        for tlb in self.cpus:
            for tag, known in tlb.roots.items():
                if known is tables:
                    tlb.roots[tag] = heir

    def entry_changes(self, tables: ArchTables, table: VmPage, va: Vaddr, level: int, old: int) -> None:
        """A present entry of `table`, on the way to `va`, is about to change."""
        is_leaf = tables.regime.is_leaf(old, level)
        start = va & ~(reach(level) - 1)
        for tlb in self.cpus:
            if tables.is_kernel:
                tlb.stale.append(Stale(GLOBAL, start, level, old, is_leaf))
                continue
            for tag, known in tlb.roots.items():
                if known is not None and self._is_reached(known, table.paddr, va, level):
                    tlb.stale.append(Stale(tag, start, level, old, is_leaf))

    def _is_reached(self, tables: ArchTables, table: Paddr, va: Vaddr, level: int) -> bool:
        """Whether a walk of `tables` for `va` comes through the table at `table`."""
        return any(step.level == level and step.table == table for step in tables.walk(va))

    # What takes away.

    def drop(
        self,
        cpu: int,
        *,
        tag: Tag | None = None,
        va: Vaddr | None = None,
        pages: int = 1,
        with_global: bool = False,
        with_tables: bool = True,
    ) -> None:
        """A CPU forgets.

        tag: what stands under it; None: under any. va: what is on the way to one of `pages` pages from there on; None:
        everything. with_global: global entries too, whatever the tag. with_tables: walk caches too.
        """
        tlb = self.cpus[cpu]
        if va is None and with_tables:
            for known in [known for known in tlb.roots if tag in (None, known)]:
                if tlb.active is None or tlb.active.tag != known:
                    del tlb.roots[known]
                else:
                    tlb.roots[known] = tlb.active
        if not tlb.stale:
            return
        end = 0 if va is None else va + pages * PAGE_SIZE

        def stays(held: Stale) -> bool:
            if held.tag == GLOBAL:
                if not with_global:
                    return True
            elif tag not in (None, held.tag):
                return True
            if not (held.is_leaf or with_tables):
                return True
            return va is not None and not (held.va < end and va < held.va + reach(held.level))

        tlb.stale = [held for held in tlb.stale if stays(held)]

    def excuse(self, tag: Tag) -> None:
        """What CPUs hold of tables under a tag stays in their walk caches, as the kernel is implemented."""
        for tlb in self.cpus:
            kept = [held for held in tlb.stale if held.tag != tag or held.is_leaf]
            self.excused += len(tlb.stale) - len(kept)
            tlb.stale = kept

    def issue(self, instruction: str, va: Vaddr | None = None, tag: Tag | None = None) -> None:
        """Note an instruction that was issued."""
        self.log.append(Invalidation(instruction, va, tag))

    # What is left.

    def stale_translations(self) -> list[StaleTranslation]:
        """What CPUs could use now that the tables do not grant; forgets what the tables grant again."""
        found: list[StaleTranslation] = []
        for tlb in self.cpus:
            if not tlb.stale:
                continue
            kept = []
            for held in tlb.stale:
                tables = self.kernel_tables if held.tag == GLOBAL else tlb.roots.get(held.tag)
                if tables is None:
                    continue  # nobody can load that tag without a flush: `reused` tells if somebody does
                if held.tag != GLOBAL and tables is not tlb.active and tables.is_dirty_on(tlb.number):
                    kept.append(held)  # it will be dropped before the tables are loaded again
                    continue
                va = self._not_granted(held, tables)
                if va is not None:
                    kept.append(held)
                    found.append(StaleTranslation(tlb.number, va, held.tag, held.entry, held.level, _missing(held)))
            tlb.stale = kept
        return found

    def _not_granted(self, held: Stale, tables: ArchTables) -> Vaddr | None:
        """The first page for which an entry that is held lets a CPU do what the tables do not."""
        if tables.root is None:
            return held.va
        regime = tables.regime
        if not held.is_leaf:
            # A cached entry of a table: harmless while that table is still the one that is walked.
            for step in tables.walk(held.va):
                if step.level == held.level and step.entry & regime.present:
                    same = regime.table_paddr(step.entry) == regime.table_paddr(held.entry)
                    is_hidden = tables.arch.has_hardware_accessed_flag and held.entry & ~step.entry & regime.table_accessed
                    return None if same and not is_hidden and not regime.is_leaf(step.entry, step.level) else held.va
            return held.va
        paddr, rights = regime.leaf_paddr(held.entry, held.level), regime.leaf_rights(held.entry)
        offset = 0
        while offset < reach(held.level):
            va = held.va + offset
            step = tables.walk(va)[-1]
            if not step.entry & regime.present:
                return va
            now = regime.leaf_paddr(step.entry, step.level) + (va & reach(step.level) - 1)
            # Who holds an entry that is marked accessed does not mark it again.
            is_hidden = held.entry & ~step.entry & regime.accessed
            if now != paddr + offset or rights & ~regime.leaf_rights(step.entry) or is_hidden:
                return va
            offset += min(reach(step.level), reach(held.level))
        return None


def _missing(held: Stale) -> str:
    what = "an invalidation of the address" if held.is_leaf else "an invalidation of the address with its walk cache"
    return f"{what}, or of everything, under {held.tag}"
