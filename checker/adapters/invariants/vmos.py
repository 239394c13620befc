"""VMOs whose pages come and go: those that can be discarded, and those of pagers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vmaspace.checker.adapters.invariants.journal import Journal, invariant, journal_of, on_state
from vmaspace.checker.adapters.invariants.mappings import alive_mappings
from vmaspace.checker.adapters.invariants.survey import shown
from vmaspace.model.constants import PAGE_SIZE, ByteOffset
from vmaspace.model.system import System
from vmaspace.model.vmo import VmObject, VmObjectPaged
from vmaspace.model.vmo.page_source import PageRequest

_PAGES: Final = "vm/vm_cow_pages.cc"

NO_LOCK_IN_A_WAIT = invariant("vmos-3", "No lock is held while a page request is waited for.", "vm/page_source.cc")
WHAT_IS_NEEDED_STAYS = invariant("vmos-5", "No page that is dirty, pinned or of high priority is evicted.", _PAGES)


@on_state("vmos-2", "A VMO whose pages were discarded has none, and nothing of it stays mapped.", _PAGES)
def _discarded(journal: Journal) -> Iterator[str]:
    for mapping in alive_mappings(journal):
        vmo = mapping.vmo
        if _is_discarded(vmo) and isinstance(vmo, VmObjectPaged) and vmo.cow_pages.pages:
            yield f"{vmo!r} has {len(vmo.cow_pages.pages)}"
    for _, leaf, owner in shown(journal):
        if owner is not None and _is_discarded(owner.vmo):
            yield f"{leaf.va:#x} shows what was discarded"


def _is_discarded(vmo: VmObject | None) -> bool:
    tracker = vmo.discardable if isinstance(vmo, VmObjectPaged) else None
    return tracker is not None and tracker.is_discarded


@on_state("vmos-4", "A page that its pager has not supplied is not shown.", _PAGES)
def _supplied(journal: Journal) -> Iterator[str]:
    zero_page = journal.system.pmm.zero_page.paddr
    for _, leaf, mapping in shown(journal):
        if leaf.paddr != zero_page or mapping is None:
            continue
        if _is_missing(mapping.vmo, mapping.object_offset + leaf.va - mapping.base):
            yield f"{leaf.va:#x} shows zeros that nobody supplied"


def _is_missing(vmo: VmObject | None, offset: ByteOffset) -> bool:
    """Whether what `vmo` shows at `offset` is for a pager to supply, who has not."""
    if not isinstance(vmo, VmObjectPaged):
        return False
    at = offset + vmo.cow_offset
    if at in vmo.cow_pages.pages:
        return False
    node, at, page, _ = vmo.cow_pages.find_inherited(at)
    return page is None and node.source is not None and at < node.source.zero_offset


def tell_of_wait(system: System, request: PageRequest) -> None:
    """Somebody waits for a request."""
    if system.held_locks.stack:
        name = system.held_locks.stack[-1].name
        journal_of(system).breach(NO_LOCK_IN_A_WAIT, f"{name} is held during a wait for {request!r}")


def tell_of_eviction(vmo: VmObjectPaged, offset: ByteOffset) -> None:
    """A page that has to stay was evicted."""
    what = f"{vmo!r} loses its page {offset // PAGE_SIZE}"
    journal_of(vmo.system).breach(WHAT_IS_NEEDED_STAYS, what)
