"""The pager behind a VMO: where pages come from, and what is asked of it.

Mirrors `PageSource`, `PageRequest` (`zircon/kernel/vm/include/vm/page_source.h`, `zircon/kernel/vm/page_source.cc`) and
`PagerProxy` (`zircon/kernel/object/pager_proxy.cc`): a lookup that finds no page leaves a request and answers
SHOULD_WAIT; whoever asked waits for the request, and asks again.

Does not model ports and packets. A pager service is a function that is called with each request that is waited for;
without one, a wait ends as a test planned it, or with TIMED_OUT.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final, TypeAlias

from vmaspace.model.constants import MAX_U64, PAGE_SIZE, ByteOffset, ByteSize
from vmaspace.model.status import ZX_ERR_BAD_STATE, ZX_ERR_INVALID_ARGS, ZX_ERR_TIMED_OUT, ZX_OK, Status

# PageSource::IsValidExternalFailureCode: what a pager service may report.
EXTERNAL_FAILURES: Final = frozenset(
    {
        Status.ZX_ERR_IO,
        Status.ZX_ERR_IO_DATA_INTEGRITY,
        Status.ZX_ERR_BAD_STATE,
        Status.ZX_ERR_NO_SPACE,
        Status.ZX_ERR_BUFFER_TOO_SMALL,
    }
)


class PageRequestType(IntEnum):
    """`page_request_type`: a page is missing, or a clean page is about to be written."""

    READ = 0
    DIRTY = 1


class DirtyState(IntEnum):
    """`VmCowPages::DirtyState` of a page that is not clean."""

    DIRTY = 0
    AWAITING_CLEAN = 1


class PageRequest:
    """What one lookup waits for: a range of a pager-backed VMO, in bytes."""

    __slots__ = ("_failure", "offset", "size", "source", "type")

    def __init__(self, source: PageSource, type: PageRequestType, offset: ByteOffset, size: ByteSize) -> None:
        self.source = source
        self.type = type
        self.offset = offset
        self.size = size
        self._failure: Status | None = None

    def __repr__(self) -> str:
        return f"<{self.type.name} request for [{self.offset:#x}, {self.offset + self.size:#x})>"

    def fail(self, status: Status) -> None:
        """The pager reports that it can not do this."""
        self._failure = status

    def wait(self) -> Status:
        """Wait until the request is answered.

        *Kernel:* `PageRequest::Wait` (zircon/kernel/vm/page_source.cc)
        *Fails with:* BAD_STATE when the VMO is detached; what the pager reports; what a test planned for this wait;
        TIMED_OUT when nobody answers.
        """
        source = self.source
        if source.is_detached:
            return ZX_ERR_BAD_STATE
        if self._failure is None and not source.is_answered(self):
            if source.planned_outcomes:
                return source.planned_outcomes.pop(0)
            if source.service is not None:
                source.service(self)
        if self._failure is not None:
            return self._failure
        if source.is_detached:
            return ZX_ERR_BAD_STATE
        return ZX_OK if source.is_answered(self) else ZX_ERR_TIMED_OUT


PagerService: TypeAlias = Callable[[PageRequest], None]


class PageSource:
    """The pager's side of one VMO: requests, and which pages are to be written back."""

    __slots__ = (
        "dirty",
        "has_page",
        "is_detached",
        "is_modified",
        "planned_outcomes",
        "request",
        "service",
        "traps_dirty",
        "zero_offset",
    )

    def __init__(self, traps_dirty: bool = False) -> None:
        self.traps_dirty = traps_dirty  # ZX_VMO_TRAP_DIRTY
        self.is_detached = False
        self.is_modified = False  # since the statistics were reset
        self.dirty: dict[ByteOffset, DirtyState] = {}  # pages that are not here are clean
        self.zero_offset: ByteOffset = MAX_U64  # supply_zero_offset_: from here on absent pages are zeros
        self.request: PageRequest | None = None  # the last one
        self.service: PagerService | None = None
        self.planned_outcomes: list[Status] = []  # how the next waits end, first one first
        self.has_page: Callable[[ByteOffset], bool] = lambda _: False  # set by the VMO's pages

    def ask(self, type: PageRequestType, offset: ByteOffset) -> None:
        """Leave a request for the page at `offset`.

        *Kernel:* `PageSource::GetPages`, `RequestDirtyTransition` (zircon/kernel/vm/page_source.cc)
        *Fails with:* nothing.
        """
        self.request = PageRequest(self, type, offset, PAGE_SIZE)

    def is_answered(self, request: PageRequest) -> bool:
        """Whether the page that `request` asks for is there, or may be written."""
        if request.type is PageRequestType.READ:
            return self.has_page(request.offset)
        return self.dirty.get(request.offset) is DirtyState.DIRTY

    def fail_range(self, offset: ByteOffset, size: ByteSize, status: Status) -> Status:
        """The pager can not serve `[offset, offset + size)`: who waits for it gets `status`.

        *Kernel:* `PageSource::OnPagesFailed` (zircon/kernel/vm/page_source.cc)
        *Fails with:* INVALID_ARGS for a status that a pager may not report; BAD_STATE once detached.
        """
        if status not in EXTERNAL_FAILURES:
            return ZX_ERR_INVALID_ARGS
        if self.is_detached:
            return ZX_ERR_BAD_STATE
        if self.request is not None and offset <= self.request.offset < offset + size:
            self.request.fail(status)
        return ZX_OK

    def detach(self) -> None:
        """Serve no more requests; what is dirty stays.

        *Kernel:* `PageSource::Detach` (zircon/kernel/vm/page_source.cc)
        *Fails with:* nothing.
        """
        self.is_detached = True
