"""For each check of VMOs whose pages come and go, a scene that breaks it."""

from collections.abc import Callable
from typing import Any

from vmaspace.checker.adapters.pagers import Pager, reclaim
from vmaspace.model.flags import MMU_PERM_READ
from vmaspace.model.page_queues import PageQueue
from vmaspace.model.vmo.page_source import DirtyState

PAGE = 4096


def _discarded_with_pages(s: Any) -> None:
    vmo = s.made(s.system.create_vmo(8 * PAGE, is_discardable=True)[1])
    s.map(0x40000, vmo=vmo)
    vmo.discard_pages()
    vmo.cow_pages.pages[0] = s.system.pmm.zero_page


def _paged(s: Any) -> Any:
    vmo = s.made(s.system.create_pager_vmo(8 * PAGE)[1])
    Pager(s.system, vmo, vmo.cow_pages.source)
    return vmo


def _waits_under_a_lock(s: Any) -> None:
    vmo = _paged(s)
    with s.aspace.lock():
        vmo.prefetch_range(0, PAGE)


def _shows_what_nobody_supplied(s: Any) -> None:
    mapping = s.map(0x40000, vmo=_paged(s))
    s.aspace.arch.map_contiguous(mapping.base, s.system.pmm.zero_page.paddr, 1, MMU_PERM_READ)


def _evicts_what_is_dirty(s: Any) -> None:
    vmo = _paged(s)
    vmo.supply_pages(0, PAGE)
    vmo.cow_pages.source.dirty[0] = DirtyState.DIRTY
    s.system.page_queues.set(vmo.cow_pages.pages[0], PageQueue.RECLAIM_ISOLATE)
    reclaim(vmo)


VMO_TWINS: dict[str, Callable[[Any], Any]] = {
    "vmos-2": _discarded_with_pages,
    "vmos-3": _waits_under_a_lock,
    "vmos-4": _shows_what_nobody_supplied,
    "vmos-5": _evicts_what_is_dirty,
}
