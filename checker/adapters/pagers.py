"""The pagers of a world: each serves the requests of one VMO, as it was told last.

Also what the kernel does to such VMOs when memory is short.

Not here: what a request is; that is `model.vmo.page_source`.
"""

from __future__ import annotations

from vmaspace.checker.adapters.invariants.vmos import tell_of_eviction, tell_of_wait
from vmaspace.model.constants import PAGE_SIZE, ByteOffset, ByteSize
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmo import VmObject, VmObjectPaged
from vmaspace.model.vmo.page_source import PageRequest, PageRequestType, PageSource

AHEAD = 3  # pages that a pager supplies behind the one that it was asked for


class Pager:
    """What stands behind one pager-backed VMO. answer: "supplies", "fails", or "ignores" while it is attached."""

    def __init__(self, system: System, vmo: VmObjectPaged, source: PageSource) -> None:
        self.system = system
        self.vmo = vmo
        self.source = source
        self._answer = "supplies"
        source.service = self.serve

    @property
    def answer(self) -> str:
        """How requests are answered, as the VMO's source has it too."""
        return "is_gone" if self.source.is_detached else self._answer

    def set_answer(self, answer: str) -> None:
        """Answer otherwise from now on; one that is gone does not come back."""
        if answer == "is_gone":
            self.source.detach()
        self._answer = answer

    def order(self, what: str, offset: ByteOffset, size: ByteSize) -> Status:
        """Do something to the pages without being asked, by the contract's name for it."""
        vmo = self.vmo
        match what:
            case "supply":
                return vmo.supply_pages(offset, size)
            case "dirty":
                return vmo.dirty_pages(offset, size)
            case "writeback_begin":
                return vmo.writeback_begin(offset, size)
            case _:
                return vmo.writeback_end(offset, size)

    def serve(self, request: PageRequest) -> None:
        """Answer a request that somebody waits for, with memory that is the pager's own."""
        tell_of_wait(self.system, request)
        heap = self.system.heap
        planned = heap.planned
        heap.fail_next(0)
        if self._answer == "fails":
            self.source.fail_range(request.offset, request.size, Status.ZX_ERR_IO)
        elif self._answer == "supplies":
            size = min(request.size + AHEAD * PAGE_SIZE, self.vmo.size - request.offset)
            if request.type is PageRequestType.READ:
                self.vmo.supply_pages(request.offset, size)
            else:
                self.vmo.dirty_pages(request.offset, request.size)
        heap.fail_next(planned)


def pagers_of(system: System, vmos: list[VmObject]) -> dict[VmObject, Pager]:
    """A pager for each VMO that has one."""
    paged = [vmo for vmo in vmos if isinstance(vmo, VmObjectPaged)]
    return {vmo: Pager(system, vmo, vmo.cow_pages.source) for vmo in paged if vmo.cow_pages.source is not None}


def reclaim(vmo: VmObject) -> None:
    """Memory is short: discard what is not locked, and evict what its pager can supply again."""
    if not isinstance(vmo, VmObjectPaged):
        return
    vmo.discard_pages()
    pages = vmo.cow_pages
    if pages.source is None:
        return
    with vmo.lock:
        for offset in sorted(pages.pages):
            stays = offset in pages.source.dirty or offset in pages.pin_counts or pages.high_priority_count > 0
            if pages.reclaim_page(offset) and stays:
                tell_of_eviction(vmo, offset)
