"""Mutants of pages that come and go: of pagers, of discardable VMOs, of VMOs without an end."""

from __future__ import annotations

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.constants import round_up_page
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import ZX_OK, Status
from vmaspace.model.vmo import VmObjectPaged
from vmaspace.model.vmo.cow_pages import VmCowPages
from vmaspace.model.vmo.kinds import MAX_VMO_SIZE
from vmaspace.model.vmo.page_source import DirtyState


class _Silent(VmCowPages):
    __slots__ = ()

    def _asks_for(self, offset: int) -> bool:
        asked = super()._asks_for(offset)
        if asked and self.source is not None:
            self.source.service = None
        return asked


@mutant
class PageRequestIsLost(System):
    """A page that a pager has to supply is waited for, and the pager hears nothing of it."""

    cow_pages_class = _Silent


class _ZerosForAll(VmCowPages):
    __slots__ = ()

    def _asks_for(self, offset: int) -> bool:
        return False


@mutant
class MissingPagesAreZeros(System):
    """What a pager has not supplied yet reads as zeros."""

    cow_pages_class = _ZerosForAll


class _WritesAreNotNoted(VmCowPages):
    __slots__ = ()

    def _written(self, offset: int, page: VmPage) -> tuple[Status, VmPage | None]:
        return ZX_OK, page


@mutant
class WrittenPagesStayClean(System):
    """A page of a pager-backed VMO is written, and does not become dirty."""

    cow_pages_class = _WritesAreNotNoted


class _WritebackIsQuiet(VmObjectPaged):
    __slots__ = ()

    def writeback_begin(self, offset: int, size: int) -> Status:
        status = self._check_order(offset, size)
        source = self.cow_pages.source
        if status is ZX_OK and source is not None:
            for at in self.cow_pages.offsets_in(offset, offset + size):
                if at in source.dirty:
                    source.dirty[at] = DirtyState.AWAITING_CLEAN
        return status


@mutant
class WritebackLeavesWritableTranslations(System):
    """While a page is written back it can be written without anybody's notice."""

    paged_vmo_class = _WritebackIsQuiet


class _DiscardsQuietly(VmObjectPaged):
    __slots__ = ()

    def discard_pages(self) -> int:
        tracker, pages = self.discardable, self.cow_pages
        if tracker is None or tracker.lock_count:
            return 0
        tracker.is_discarded = True
        count = len(pages.pages)
        pages.free_pages(0, pages.size)
        return count


@mutant
class DiscardedPagesStayMapped(System):
    """The pages of a discardable VMO are taken, and its mappings keep their translations."""

    paged_vmo_class = _DiscardsQuietly


class _LocksAreIgnored(VmObjectPaged):
    __slots__ = ()

    def discard_pages(self) -> int:
        tracker = self.discardable
        if tracker is None:
            return 0
        count, tracker.lock_count = tracker.lock_count, 0
        try:
            return super().discard_pages()
        finally:
            tracker.lock_count = count


@mutant
class LockedPagesAreDiscarded(System):
    """Memory pressure takes the pages of a discardable VMO, locked or not."""

    paged_vmo_class = _LocksAreIgnored


class _EndsAtItsStream(VmObjectPaged):
    __slots__ = ()

    @property
    def size(self) -> int:
        size = super().size
        return round_up_page(self.stream_size.value) if size == MAX_VMO_SIZE else size


@mutant
class UnboundedVmosEndAtTheirStream(System):
    """Nothing can be faulted in behind the stream of an unbounded VMO."""

    paged_vmo_class = _EndsAtItsStream
