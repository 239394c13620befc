"""Processes and their threads: in which order address spaces end, and where faults are resolved."""

from __future__ import annotations

from typing import Any, Final

from vmaspace.checker.adapters.invariants.journal import invariant, journal_of
from vmaspace.checker.adapters.invariants.locks import LockStack
from vmaspace.model.aspace import VmAspace
from vmaspace.model.constants import Vaddr
from vmaspace.model.object.process import ProcessDispatcher
from vmaspace.model.object.thread import Thread
from vmaspace.model.status import ZX_OK

_FILE: Final = "object/process_dispatcher.cc"

UNIFIED_FIRST = invariant(
    "aspace-33",
    "A process destroys its unified, restricted and, as the last sharer, shared space, in this order, each with OK.",
    _FILE,
)
LAST_ONE_OUT = invariant(
    "aspace-34",
    "The shared state's address space is destroyed when the last process leaves it.",
    "object/include/object/shareable_process_state.h",
)
NO_KERNEL_FAULTS = invariant(
    "faults-18", "A thread takes no fault at a kernel address to an address space.", "kernel/thread.cc"
)


class ObservedProcess(ProcessDispatcher):
    """Tells of the end of a process."""

    def kill(self) -> None:
        journal = journal_of(self.system)
        was_dead, before, journal.destructions = self.is_dead, journal.destructions, []
        super().kill()
        done, journal.destructions = journal.destructions, before
        is_last = self.state.share_count == 0
        ends = (self.unified_aspace, self.restricted_aspace, self.state.aspace if is_last else None)
        expected = [] if was_dead else [(aspace, ZX_OK) for aspace in ends if aspace is not None]
        if done != expected:
            journal.breach(UNIFIED_FIRST, f"a process ends with {done!r}")
        if is_last != self.state.aspace.is_destroyed():
            who = "nobody" if is_last else "somebody"
            journal.breach(LAST_ONE_OUT, f"{self.state.aspace!r} is shared by {who}")


class ObservedThread(Thread):
    """Tells where the faults of a thread go."""

    __slots__ = ()

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.held_locks = LockStack(journal_of(self.system))

    def aspace_for_fault(self, va: Vaddr) -> VmAspace | None:
        found = super().aspace_for_fault(va)
        if found is not None and va >= self.system.kernel_aspace.base:
            journal_of(self.system).breach(NO_KERNEL_FAULTS, f"a fault at {va:#x} goes to {found!r}")
        return found
