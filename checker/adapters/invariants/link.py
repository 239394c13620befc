"""The link between mappings and page tables: what the bytes grant is what the mappings grant, and leads to the VMO's pages.

Every leaf is looked at: what a walk finds at a page that has no leaf grants nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from vmaspace.checker.adapters.invariants.journal import Journal, on_state
from vmaspace.checker.adapters.invariants.survey import shown, survey
from vmaspace.checker.adapters.invariants.tables import hex_entry
from vmaspace.model.arch.options import ArchAspaceKind
from vmaspace.model.arch.regime import Regime, reach
from vmaspace.model.constants import PAGE_SIZE
from vmaspace.model.flags import (
    MMU_CACHE_MASK,
    MMU_PERM_READ,
    MMU_PERM_RWX_MASK,
    MMU_PERM_USER,
    MMU_PERM_WRITE,
)

_MAPPING: Final = "vm/vm_mapping.cc"
_PERMISSIONS: Final = MMU_PERM_RWX_MASK | MMU_PERM_USER


@cache
def _keeps_user(regime: Regime) -> bool:
    """Whether a protection leaves a page to user mode for ever: as implemented, so on riscv64."""
    leaf = regime.leaf(0, MMU_PERM_READ | MMU_PERM_USER, 0)
    return bool(regime.mmu_flags(regime.protected(leaf, MMU_PERM_READ, 0), 0) & MMU_PERM_USER)


@on_state("tables-16", "No entry survives its mapping.", _MAPPING)
def _survivors(journal: Journal) -> Iterator[str]:
    for _, leaf, mapping in shown(journal):
        if mapping is None:
            yield f"{hex_entry(leaf.entry)} for {leaf.va:#x} lies in no mapping"


@on_state("tables-17", "A walk grants no more than the mapping does, and no cache where it has none.", _MAPPING)
def _no_more(journal: Journal) -> Iterator[str]:
    for tables, leaf, mapping in shown(journal):
        if mapping is None:
            continue
        granted = leaf.mmu_flags & _PERMISSIONS
        if tables.regime is tables.arch.guest_tables or _keeps_user(tables.regime):
            granted &= ~MMU_PERM_USER
        wanted = mapping.arch_mmu_flags_at(leaf.va)
        allowed = wanted & _PERMISSIONS
        if wanted & MMU_CACHE_MASK and not leaf.mmu_flags & MMU_CACHE_MASK:
            yield f"{hex_entry(leaf.entry)} for {leaf.va:#x} is cached, and {mapping!r} is not"
        if granted & ~allowed:
            yield f"{hex_entry(leaf.entry)} for {leaf.va:#x} grants {granted:#x}, and {mapping!r} {allowed:#x}"


@on_state("tables-18", "What a walk leads to is the page that the VMO holds there; to be written, its own.", _MAPPING)
def _right_page(journal: Journal) -> Iterator[str]:
    zero_page = journal.system.pmm.zero_page
    for _, leaf, mapping in shown(journal):
        vmo = None if mapping is None else mapping.vmo
        if mapping is None or vmo is None:
            continue
        is_writable = bool(leaf.mmu_flags & MMU_PERM_WRITE)
        for skipped in range(0, reach(leaf.level), PAGE_SIZE):
            offset = mapping.object_offset + (leaf.va + skipped - mapping.base)
            with vmo.lock:
                found = vmo.existing_page(offset, False)
            page, may_write = found if found is not None else (zero_page, False)
            if leaf.paddr + skipped != page.paddr or (is_writable and not may_write):
                kind = "writable " if is_writable else ""
                yield f"{kind}{hex_entry(leaf.entry)} for {leaf.va + skipped:#x} should lead to {page!r}"
                break


@on_state("tables-19", "A walk of a unified root finds what a walk of the part finds.", "arch/*/mmu*")
def _unified(journal: Journal) -> Iterator[str]:
    spaces = survey(journal)
    for tables in spaces:
        if tables.kind is not ArchAspaceKind.UNIFIED:
            continue
        seen = set(tables.translations())
        for part in (tables.restricted, tables.shared):
            if part is None or part not in spaces:
                continue
            for leaf in spaces[part].leaves:
                if not part.shows_in_unified(leaf.va):
                    continue
                found = tables.leaf_at(leaf.va)
                if found is None or found.entry != leaf.entry:
                    yield f"{hex_entry(leaf.entry)} for {leaf.va:#x} is not seen through the unified root"
                seen.discard((leaf.va, leaf.paddr, leaf.mmu_flags))
        for va, paddr, _ in seen:
            yield f"the unified root leads from {va:#x} to {paddr:#x}, and none of its parts does"
