"""The queues that say which page is taken first when memory gets short.

Mirrors `PageQueues` (`zircon/kernel/vm/include/vm/page_queues.h`, `zircon/kernel/vm/page_queues.cc`): queues of pages
that are never taken, and a ring of reclaim queues by age. A page enters the youngest; rotation makes a younger one;
an access brings a page back to the youngest.

Does not model the threads that rotate and evict, nor the order of pages within one queue.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from vmaspace.model.status import AssertionViolation

if TYPE_CHECKING:
    from vmaspace.model.physical_memory import VmPage

_FILE = "zircon/kernel/vm/page_queues.cc"

RECLAIM_QUEUES: Final = 8


class PageQueue(IntEnum):
    """Which queue a page is in. The reclaim queues are the numbers from RECLAIM_BASE on, one for each age."""

    NONE = 0
    ANONYMOUS = 1
    WIRED = 2
    PAGER_BACKED_DIRTY = 3
    HIGH_PRIORITY = 4
    RECLAIM_ISOLATE = 5
    RECLAIM_BASE = 6


# Plain integers: enum members cost a lookup for each comparison.
_NONE: Final = int(PageQueue.NONE)
_BASE: Final = int(PageQueue.RECLAIM_BASE)
_ISOLATE: Final = int(PageQueue.RECLAIM_ISOLATE)


class PageQueues:
    """Where every page of a machine stands."""

    __slots__ = ("_members", "counts", "lru_generation", "mru_generation")

    def __init__(self) -> None:
        self.mru_generation = RECLAIM_QUEUES - 1
        self.lru_generation = 0
        self.counts = [0] * (_BASE + RECLAIM_QUEUES)  # pages, by queue
        self._members: list[dict[VmPage, None]] = [{} for _ in range(RECLAIM_QUEUES)]

    @property
    def mru_queue(self) -> int:
        """The queue of the pages that were used last."""
        return _BASE + self.mru_generation % RECLAIM_QUEUES

    def age(self, page: VmPage) -> int | None:
        """How many rotations ago the page was last used; None unless it can be reclaimed by age."""
        if page.queue < _BASE:
            return None
        return (self.mru_generation - (page.queue - _BASE)) % RECLAIM_QUEUES

    def set(self, page: VmPage, queue: PageQueue) -> None:
        """Put a page into one of the queues without age.

        *Kernel:* `PageQueues::SetWired`, `SetAnonymous`, `MoveToPagerBackedDirty`, `MoveToReclaimDontNeed`
        (zircon/kernel/vm/page_queues.cc)
        *Fails with:* nothing.
        """
        self._move(page, int(queue))

    def set_reclaim(self, page: VmPage) -> None:
        """Put a page into the youngest reclaim queue.

        *Kernel:* `PageQueues::SetReclaim` (zircon/kernel/vm/page_queues.cc)
        *Fails with:* nothing.
        """
        self._move(page, self.mru_queue)

    def remove(self, page: VmPage) -> None:
        """Take a page out of its queue.

        *Kernel:* `PageQueues::Remove` (zircon/kernel/vm/page_queues.cc)
        *Fails with:* nothing.
        *Asserts:* it is in one.
        """
        if page.queue == _NONE:
            raise AssertionViolation("a page to be removed is in a queue", _FILE)
        self._leave(page)
        page.queue = _NONE

    def mark_accessed(self, page: VmPage) -> None:
        """The page was used: if it is aged, it is young again.

        *Kernel:* `PageQueues::MarkAccessed` (zircon/kernel/vm/page_queues.cc)
        *Fails with:* nothing.
        *Leaves alone:* pages in the other queues, but for those that were said not to be needed.
        """
        if page.queue >= _ISOLATE:
            self._move(page, self.mru_queue)

    def rotate_reclaim_queues(self) -> None:
        """Begin a new youngest queue. What is in the oldest one joins the next, so that its place is free.

        *Kernel:* `PageQueues::RotateReclaimQueues` (zircon/kernel/vm/page_queues.cc)
        *Fails with:* nothing.
        """
        oldest = self._members[self.lru_generation % RECLAIM_QUEUES]
        for page in tuple(oldest):
            self._move(page, _BASE + (self.lru_generation + 1) % RECLAIM_QUEUES)
        self.lru_generation += 1
        self.mru_generation += 1

    def _move(self, page: VmPage, queue: int) -> None:
        if page.queue == queue:
            return
        if page.queue:
            self._leave(page)
        page.queue = queue
        self.counts[queue] += 1
        if queue >= _BASE:
            self._members[queue - _BASE][page] = None

    def _leave(self, page: VmPage) -> None:
        queue = page.queue
        self.counts[queue] -= 1
        if queue >= _BASE:
            del self._members[queue - _BASE][page]
