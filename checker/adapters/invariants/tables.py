"""Page tables: what their bytes look like, who owns them, how roots agree, and what TLBs may still hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from vmaspace.checker.adapters.invariants.journal import Journal, invariant, journal_of, on_state
from vmaspace.checker.adapters.invariants.page_tables import ObservedTables
from vmaspace.checker.adapters.invariants.survey import survey
from vmaspace.model.arch.ids import IdAllocator
from vmaspace.model.arch.mmu_rules import mmu_for
from vmaspace.model.arch.options import ArchAspaceKind
from vmaspace.model.arch.regime import ENTRIES
from vmaspace.model.arch.tables import ArchTables
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import Status

_ANY: Final = "arch/*/mmu*"
_X86: Final = "arch/x86/page_tables/include/arch/x86/page_tables/page_tables.h"

FREED_AFTER_FLUSH = invariant(
    "tables-12", "A table is given back only when the invalidations that its removal owes are done.", _ANY
)


def hex_entry(entry: int) -> str:
    """An entry as it is printed."""
    return f"{entry:#018x}"


@on_state("tables-1", "An entry that is not present is 0.", _ANY)
def _not_present_is_zero(journal: Journal) -> Iterator[str]:
    for space in survey(journal).values():
        for va, level, entry in space.junk:
            yield f"{hex_entry(entry)} stands at level {level} for {va:#x}"


@on_state("tables-2", "A table entry leads to a page table, and holds its address, fixed bits and the accessed mark alone.", _ANY)
def _table_entries(journal: Journal) -> Iterator[str]:
    for tables, space in survey(journal).items():
        regime = tables.regime
        marks = regime.table_accessed | (regime.dirty if regime.table_accessed else 0)
        for va, level, entry in space.astray:
            yield f"{hex_entry(entry)} at level {level} for {va:#x} leads to no page table"
        for hung in space.tables:
            if (hung.entry ^ regime.table(hung.page.paddr)) & ~marks:
                yield f"{hex_entry(hung.entry)} stands at level {hung.parent_level} for {hung.va:#x}"


@on_state("tables-3", "A leaf can be read, and is what Map makes of its address and MMU flags, accessed and dirty aside.", _ANY)
def _leaves(journal: Journal) -> Iterator[str]:
    for space in survey(journal).values():
        for leaf in space.leaves:
            if not leaf.is_made_by_map:
                yield f"{hex_entry(leaf.entry)} stands at level {leaf.level} for {leaf.va:#x}"


@on_state("tables-4", "The count of a table is the number of its present entries.", _ANY)
def _counts(journal: Journal) -> Iterator[str]:
    for tables, space in survey(journal).items():
        for hung in space.tables:
            if hung.present != hung.page.num_mappings:
                yield f"the table at {hung.page.paddr:#x} holds {hung.present} entries and counts {hung.page.num_mappings}"
        root, kind = tables.root, tables.kind
        is_counted = kind in (ArchAspaceKind.PLAIN, ArchAspaceKind.RESTRICTED) and not tables.is_kernel
        if root is not None and is_counted and space.root_present != root.num_mappings:
            yield f"the root at {root.paddr:#x} holds {space.root_present} entries and counts {root.num_mappings}"


@on_state("tables-5", "No table below a root is empty, but those of a shared or the kernel's root slot.", _ANY)
def _not_empty(journal: Journal) -> Iterator[str]:
    for tables, space in survey(journal).items():
        is_exempt = tables.kind is ArchAspaceKind.SHARED or tables.is_kernel
        for hung in space.tables:
            if not hung.present and not (is_exempt and hung.parent_level == tables.regime.top_level):
                yield f"the table at {hung.page.paddr:#x} for {hung.va:#x} is empty"


@on_state("tables-6", "An address space counts its root and the tables below it.", _ANY)
def _page_counts(journal: Journal) -> Iterator[str]:
    for tables, space in survey(journal).items():
        if tables.is_kernel:
            continue  # it counts what it was handed, too
        if tables.kind is ArchAspaceKind.UNIFIED:
            expected = 0 if tables.arch.unified_shares_root else 1
        else:
            expected = 1 + len(space.tables)
        if tables.pt_pages != expected:
            yield f"{tables.pt_pages} pages are counted, and there are {expected}"


@on_state("tables-7", "Every page that is a page table hangs in one place of one address space.", _ANY)
def _each_table_once(journal: Journal) -> Iterator[str]:
    spaces = survey(journal)
    hung = Counter(below.page for space in spaces.values() for below in space.tables)
    shares_root = [tables for tables in spaces if tables.kind is ArchAspaceKind.UNIFIED and tables.arch.unified_shares_root]
    hung.update(tables.root for tables in spaces if tables.root is not None and tables not in shares_root)
    for page, count in hung.items():
        if count != 1:
            yield f"the table at {page.paddr:#x} hangs in {count} places"
        if not page.is_allocated:
            yield f"the table at {page.paddr:#x} was given back and is in use"
    for page in journal.table_pages - hung.keys():
        yield f"the table at {page.paddr:#x} leads from no root: it has leaked"


@on_state("tables-8", "A root slot of a shared part and of every unified root over it lead to the same table.", _ANY)
def _shared_slots(journal: Journal) -> Iterator[str]:
    for tables in survey(journal):
        shared = tables.shared
        if shared is not None:
            for slot in shared.root_slots():
                yield from _compare_roots(tables, shared, slot)


@on_state("tables-9", "A linked restricted root and its unified root agree over the restricted slots, or are one.", _ANY)
def _restricted_slots(journal: Journal) -> Iterator[str]:
    for tables in survey(journal):
        restricted = tables.restricted
        if restricted is None:
            continue
        if tables.arch.unified_shares_root:
            if tables.root is not restricted.root or tables.asid != restricted.asid:
                yield "a unified space has a root or an ASID of its own"
        else:
            for slot in restricted.root_slots():
                yield from _compare_roots(tables, restricted, slot)


def _compare_roots(unified: ArchTables, part: ArchTables, slot: int) -> Iterator[str]:
    ours, theirs = unified.own_root().words[slot], part.own_root().words[slot]
    if (ours ^ theirs) & (part.regime.table_frame | part.regime.present):
        yield f"root slot {slot} is {hex_entry(theirs)} in the part, {hex_entry(ours)} in the unified root"


@on_state("tables-10", "The ids of user address spaces are in range, distinct, and all that are taken.", _ANY)
def _ids(journal: Journal) -> Iterator[str]:
    owners: dict[int, ArchTables] = {}
    for tables in survey(journal):
        if tables.flags or (tables.kind is ArchAspaceKind.UNIFIED and tables.arch.unified_shares_root):
            continue
        asids, asid = journal.system.asids, tables.asid
        if asids.is_in_use and not (asids.first <= asid <= asids.last and asids.is_taken(asid)):
            yield f"the id {asid} is out of range or not taken"
        if asids.is_in_use and owners.setdefault(asid, tables) is not tables:
            yield f"two address spaces have the id {asid}"
    if journal.system.asids.is_in_use and len(owners) != journal.system.asids.taken_count:
        yield f"{journal.system.asids.taken_count} ids are taken, and {len(owners)} are in use"


@on_state("tables-20", "A leaf is global if and only if it is the kernel's.", _ANY)
def _global(journal: Journal) -> Iterator[str]:
    for tables, space in survey(journal).items():
        mmu = mmu_for(tables.regime)
        if not mmu.global_bit or tables.is_guest:
            continue
        for leaf in space.leaves:
            if bool((leaf.entry ^ mmu.global_flip) & mmu.global_bit) is not tables.is_kernel:
                yield f"{hex_entry(leaf.entry)} for {leaf.va:#x} is {'not ' if tables.is_kernel else ''}global"


@on_state("tables-11", "The kernel's half of every root is that of the kernel's root.", _ANY)
def _kernel_half(journal: Journal) -> Iterator[str]:
    if not journal.system.arch.aliases_kernel_half:
        return
    half = ENTRIES // 2
    kernel = dict(journal.memory.entries(journal.system.boot_tables.root))
    for tables in survey(journal):
        root, mark = tables.root, ~tables.regime.table_accessed
        if root is None or tables.flags:
            continue
        found = {slot: entry for slot, entry in journal.memory.entries(root) if slot >= half}
        if found != kernel and {s: e & mark for s, e in found.items()} != {s: e & mark for s, e in kernel.items()}:
            yield f"the root at {root.paddr:#x} has another kernel half"


@on_state("tables-13", "When an operation is over, no invalidation is owed.", _ANY)
def _nothing_owed(journal: Journal) -> Iterator[str]:
    for tables in survey(journal):
        if tables.shootdown.items or tables.shootdown.is_full:
            yield f"{len(tables.shootdown.items)} invalidations of {tables.tag} are not issued"


@on_state("tables-14", "No CPU may use a translation that the page tables do not grant.", _ANY)
def _stale(journal: Journal) -> Iterator[str]:
    yield from map(str, journal.system.tlb.stale_translations())


@on_state("tables-15", "No CPU loads an id under which it may hold translations of other tables.", _ANY)
def _reused(journal: Journal) -> Iterator[str]:
    reused = journal.system.tlb.reused
    yield from reused
    reused.clear()


class TrackedTables(ObservedTables):
    """Knows which pages are page tables, and tells when one is given back too early."""

    __slots__ = ()

    def new_table(self) -> VmPage | None:
        page = super().new_table()
        if page is not None:
            journal_of(self.system).table_pages.add(page)
        return page

    def give_back(self, table: VmPage) -> None:
        if self.shootdown.items or self.shootdown.is_full:
            journal_of(self.system).breach(FREED_AFTER_FLUSH, f"the table at {table.paddr:#x} is given back")
        journal_of(self.system).table_pages.discard(table)
        super().give_back(table)


class EagerIds(IdAllocator):
    """Gives out the lowest id that is free, so that ids come again soon."""

    __slots__ = ()

    def allocate(self) -> tuple[Status, int]:
        self._at = self.first
        return super().allocate()
