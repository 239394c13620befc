"""A system class with its own classes replaced by ones that tell of what they see.

Not here: what they tell; each subject has its module.
"""

from __future__ import annotations

from typing import Any

from vmaspace.checker.adapters.invariants import link, vmos  # noqa: F401  importing them declares their checks
from vmaspace.checker.adapters.invariants.accounting import CountingAspace
from vmaspace.checker.adapters.invariants.faults import FaultingVmo, ObservedMemory
from vmaspace.checker.adapters.invariants.journal import Journal
from vmaspace.checker.adapters.invariants.locks import LockedList, LockedVmar, LockStack
from vmaspace.checker.adapters.invariants.page_tables import ProtectedMapping
from vmaspace.checker.adapters.invariants.processes import ObservedProcess, ObservedThread
from vmaspace.checker.adapters.invariants.regions import ObservedEnumerator
from vmaspace.checker.adapters.invariants.tables import EagerIds, TrackedTables
from vmaspace.model.system import System

OBSERVERS: dict[str, type[Any]] = {
    "aspace_class": CountingAspace,
    "arch_aspace_class": TrackedTables,
    "vmar_class": LockedVmar,
    "mapping_class": ProtectedMapping,
    "region_list_class": LockedList,
    "paged_vmo_class": FaultingVmo,
    "physical_memory_class": ObservedMemory,
    "id_allocator_class": EagerIds,
    "enumerator_class": ObservedEnumerator,
    "thread_class": ObservedThread,
    "process_class": ObservedProcess,
}


class ObservedSystem(System):
    """A system with a journal."""

    journal: Journal

    def __init__(self, *args: Any, **kw: Any) -> None:
        self.journal = Journal(self)
        super().__init__(*args, **kw)
        stack = LockStack(self.journal)
        self.held_locks.stack = stack
        self.current_thread.held_locks = stack
        if isinstance(self.pmm, ObservedMemory):
            self.pmm.journal = self.journal


_observed: dict[type[System], type[ObservedSystem]] = {}


def observed(system_class: type[System]) -> type[ObservedSystem]:
    """`system_class`, observed: it does what it did, whatever it did."""
    if system_class not in _observed:
        _observed[system_class] = _derived(system_class)
    return _observed[system_class]


def _derived(system_class: type[System]) -> type[ObservedSystem]:
    members: dict[str, Any] = {}
    for name, observer in OBSERVERS.items():
        own = getattr(system_class, name)
        members[name] = type(own.__name__, (observer, own), {})
    return type(system_class.__name__, (ObservedSystem, system_class), members)
