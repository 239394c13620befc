"""Locks: their order, and what is changed or asked under which."""

from __future__ import annotations

from typing import Any, Final

from vmaspace.checker.adapters.invariants.aspaces import ObservedAspace
from vmaspace.checker.adapters.invariants.journal import Journal, invariant, journal_of
from vmaspace.checker.adapters.invariants.mappings import ObservedMapping
from vmaspace.checker.adapters.invariants.regions import UNLOCKED_RANGE_OPS, ObservedPlacement, ObservedVmar
from vmaspace.model.locks import LockOrder, Mutex
from vmaspace.model.region import LifeCycleState, VmAddressRegionOrMapping
from vmaspace.model.status import Status
from vmaspace.model.vmo import AttributionCounts, HintType, VmObjectPaged

_HEADER: Final = "vm/include/vm/vm_aspace.h"
_MAPPING: Final = "vm/vm_mapping.cc"

BOTH_LOCKS = invariant(
    "aspace-24", "Lists of children, and who is ALIVE, change only under `region_lock` and `lock`.", _HEADER
)
ORDER = invariant("aspace-25", "`region_lock` is taken before `lock`, and VMO locks after both.", _HEADER)
CACHE_FIRST = invariant(
    "vmar-37", "A mapping leaves the last-fault entry before it leaves ALIVE.", _MAPPING, also="faults-5"
)
ONE_MARKER = invariant("faults-12", "A mapping marks at most one fault in progress.", _MAPPING)
VMO_GOES_UNDER_LOCK = invariant(
    "faults-15", "The VMO of a mapping only ever becomes null, under `lock` and the VMO's lock.", _MAPPING
)
USAGE_UNLOCKED = invariant(
    "faults-26",
    "No lock of the address space is held while a usage query asks a VMO.",
    "object/diagnostics.cc",
)


class LockStack(list[Mutex]):
    """The locks of a thread, which tells of one that is taken out of order."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal

    def append(self, mutex: Mutex) -> None:
        if self and self[-1].order >= mutex.order:
            self.journal.breach(ORDER, f"{mutex.name} is taken while {self[-1].name} is held")
        super().append(mutex)

    def holds_aspace_lock(self) -> bool:
        """Whether a lock of an address space is among them."""
        return any(held.order in (LockOrder.REGION, LockOrder.ASPACE) for held in self)


def tell_if_unlocked(region: VmAddressRegionOrMapping, what: str) -> None:
    """Tell if not both locks of the address space are held."""
    aspace = region.aspace
    if not (aspace.region_lock().is_held() and aspace.lock().is_held()):
        journal_of(aspace.system).breach(BOTH_LOCKS, f"{what} {region!r}")


class LockedList(ObservedPlacement):
    """Tells of lists that change without the locks."""

    def insert_region(self, region: VmAddressRegionOrMapping) -> Status:
        tell_if_unlocked(region, "to a list is added")
        return super().insert_region(region)

    def remove_region(self, region: VmAddressRegionOrMapping) -> None:
        tell_if_unlocked(region, "from a list is taken")
        super().remove_region(region)

    def replace_region(self, old: VmAddressRegionOrMapping, new: VmAddressRegionOrMapping) -> None:
        tell_if_unlocked(old, "in a list is replaced")
        super().replace_region(old, new)


class LockedVmar(ObservedVmar):
    """Tells of VMARs that come to life or die without the locks."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "state" and value is not LifeCycleState.NOT_READY:
            tell_if_unlocked(self, f"{value.name} becomes")
        super().__setattr__(name, value)


class LockedMapping(ObservedMapping):
    """Tells of mappings whose state changes without the locks, or out of order."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "state" and value is not LifeCycleState.NOT_READY:
            tell_if_unlocked(self, f"{value.name} becomes")
            if value is LifeCycleState.DEAD and self.aspace.last_fault is self:
                journal_of(self.aspace.system).breach(CACHE_FIRST, f"{self!r} dies while it is remembered")
        elif name == "vmo" and hasattr(self, "vmo"):
            self._tell_of_vmo(value)
        elif name == "currently_faulting" and value is not None:
            journal = journal_of(self.aspace.system)
            if self.currently_faulting is not None:
                journal.breach(ONE_MARKER, f"{self!r} is marked twice")
            if journal.fault is not None:
                journal.fault.marker = value
        super().__setattr__(name, value)

    def _tell_of_vmo(self, value: object) -> None:
        vmo = self.vmo
        if value is not None or vmo is None:
            journal_of(self.aspace.system).breach(VMO_GOES_UNDER_LOCK, f"{self!r} gets another VMO")
        elif not (self.aspace.lock().is_held() and vmo.lock.is_held()):
            journal_of(self.aspace.system).breach(VMO_GOES_UNDER_LOCK, f"{self!r} lets its VMO go")


class UsageAspace(ObservedAspace):
    """Tells when a query of usage begins and ends."""

    __slots__ = ()

    def get_memory_usage(self) -> Any:
        journal = journal_of(self.system)
        journal.is_counting_usage = True
        try:
            return super().get_memory_usage()
        finally:
            journal.is_counting_usage = False


class ObservedVmo(VmObjectPaged):
    """Tells of what a VMO is asked under which lock."""

    __slots__ = ()

    def attributed_memory_in_range(self, offset: int, size: int) -> AttributionCounts:
        journal = journal_of(self.system)
        if journal.is_counting_usage and self._is_locked():
            journal.breach(USAGE_UNLOCKED, f"{self!r} is asked what it costs")
        return super().attributed_memory_in_range(offset, size)

    def commit_range(self, offset: int, size: int) -> Status:
        self._tell_if_locked()
        return super().commit_range(offset, size)

    def decommit_range(self, offset: int, size: int) -> Status:
        self._tell_if_locked()
        return super().decommit_range(offset, size)

    def zero_range(self, offset: int, size: int) -> Status:
        self._tell_if_locked()
        return super().zero_range(offset, size)

    def prefetch_range(self, offset: int, size: int) -> Status:
        self._tell_if_locked()
        return super().prefetch_range(offset, size)

    def hint_range(self, offset: int, size: int, hint: HintType) -> Status:
        self._tell_if_locked()
        return super().hint_range(offset, size, hint)

    def _is_locked(self) -> bool:
        stack = self.system.held_locks.stack
        return isinstance(stack, LockStack) and stack.holds_aspace_lock()

    def _tell_if_locked(self) -> None:
        journal = journal_of(self.system)
        if journal.is_in_range_op and self._is_locked():
            journal.breach(UNLOCKED_RANGE_OPS, f"{self!r} is asked under a lock")
