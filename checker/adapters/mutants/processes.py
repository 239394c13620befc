"""Mutants of processes and their threads, and of walks over regions."""

from __future__ import annotations

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.aspace import VmAspace
from vmaspace.model.enumerator import VmAddressRegionEnumerator
from vmaspace.model.object.process import ProcessDispatcher, ShareableProcessState
from vmaspace.model.object.thread import Thread


class _LowerHalfFirst(ProcessDispatcher):
    def kill(self) -> None:
        if not self.is_dead and self.restricted_aspace is not None:
            self.restricted_aspace.destroy()
        super().kill()


@mutant
class ProcessDestroysItsLowerHalfFirst(System):
    """A process that dies destroys its restricted address space before the unified one over it."""

    process_class = _LowerHalfFirst


class _LastOneStays(ShareableProcessState):
    def decrement_share_count(self) -> None:
        if self.share_count > 1:
            super().decrement_share_count()
        else:
            self.share_count = 0


@mutant
class LastProcessLeavesTheSharedSpace(System):
    """The last process that leaves a shared address space does not destroy it."""

    process_state_class = _LastOneStays


class _AnyAddress(Thread):
    __slots__ = ()

    def aspace_for_fault(self, va: int) -> VmAspace | None:
        if self.process is not None and not self.is_restricted:
            return self.process.aspace_at(va)
        return self.aspace


@mutant
class KernelAddressIsTheProcesss(System):
    """A fault of a thread at an address of the kernel's is resolved in the address space of its process."""

    thread_class = _AnyAddress


class _GoesOnAtTheDead(VmAddressRegionEnumerator):
    def resume(self) -> None:
        self._is_paused = False


@mutant
class WalkGoesOnAtTheDead(System):
    """A walk that goes on does not look whether the region that comes next has died."""

    enumerator_class = _GoesOnAtTheDead


class _StartsOver(VmAddressRegionEnumerator):
    def resume(self) -> None:
        before = self._minimum
        super().resume()
        if self._minimum != before:
            self._minimum = before
            self._seek()


@mutant
class WalkStartsOver(System):
    """A walk whose next region has died starts again where it began."""

    enumerator_class = _StartsOver
