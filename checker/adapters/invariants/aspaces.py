"""Address spaces: identity, the list of all, what is united with what, and who may use which member."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vmaspace.checker.adapters.invariants.journal import Journal, invariant, journal_of, on_state
from vmaspace.model.arch.aspace import ArchAspaceKind, ArchVmAspace
from vmaspace.model.aslr import MAX_ASLR_ENTROPY_BITS
from vmaspace.model.aspace import VmAspace
from vmaspace.model.constants import ADDRESS_SPACE, Vaddr
from vmaspace.model.flags import AspaceType
from vmaspace.model.prng import Prng
from vmaspace.model.region import LifeCycleState
from vmaspace.model.status import Status

_FILE: Final = "vm/vm_aspace.cc"
_HEADER: Final = "vm/include/vm/vm_aspace.h"

COUNT_OF_THE_DESTROYED = invariant(
    "aspace-12", "The high-priority count of a destroyed space does not change.", _FILE
)
PRNG_WITH_ASLR = invariant("aspace-23", "Randomness is drawn only where ASLR is enabled.", _HEADER)
EMPTY_BELOW_SHARED = invariant(
    "aspace-28",
    "When it is united, the restricted part has nothing mapped and lies below the shared part.",
    "arch/*/mmu*",
)
ATTACHED_ONCE = invariant(
    "aspace-31", "Others give a thread an address space only while it has none and does not run.", _FILE
)
ALLOCATORS_ARE_THE_KERNELS = invariant(
    "aspace-32", "The kernel's allocators act on address spaces that are not a user's.", _FILE
)


@on_state("aspace-1", "Base, size, type and the ASLR record of an address space are fixed.", _HEADER)
def _identity(journal: Journal) -> Iterator[str]:
    for aspace in journal.aspaces:
        now = (aspace.base, aspace.size, aspace.type, aspace.aslr_config)
        if journal.records.setdefault(aspace, now) != now:
            yield f"{aspace!r} is not what it was made as"


@on_state("aspace-2", "No address space wraps, but the kernel's own, which ends at 2^64.", _FILE)
def _no_wrap(journal: Journal) -> Iterator[str]:
    for aspace in journal.aspaces:
        end = aspace.base + aspace.size
        if end >= ADDRESS_SPACE and not (aspace.type is AspaceType.KERNEL and end == ADDRESS_SPACE):
            yield f"{aspace!r} wraps"


@on_state("aspace-13", "Every address space on the list has page tables.", _FILE)
def _listed_have_tables(journal: Journal) -> Iterator[str]:
    for aspace in journal.system.aspaces:
        if aspace.arch.root is None:
            yield f"{aspace!r} is on the list and has no root table"


@on_state("aspace-14", "An address space is on the list once, from its making until it is freed.", _FILE)
def _listed_once(journal: Journal) -> Iterator[str]:
    listed = journal.system.aspaces
    if len(set(listed)) != len(listed):
        yield "an address space is on the list twice"
    for aspace in listed:
        if aspace.freed or not (aspace.root is not None or aspace.destroyed or aspace.is_unified()):
            yield f"{aspace!r} is on the list, and it is freed or was never finished"


@on_state("aspace-15", "The kernel's address space is the first on the list.", _FILE)
def _kernel_first(journal: Journal) -> Iterator[str]:
    if journal.system.aspaces[:1] != [journal.system.kernel_aspace]:
        yield "the list does not begin with the kernel's address space"


@on_state("aspace-21", "ASLR is enabled only for user spaces.", _FILE)
def _aslr_for_users(journal: Journal) -> Iterator[str]:
    for aspace in journal.aspaces:
        if aspace.aslr_config.enabled and aspace.type is not AspaceType.USER:
            yield f"{aspace!r} has ASLR"


@on_state("aspace-22", "Entropy is at most 36 bits, and in compact VMARs the constant of the build.", _FILE)
def _entropy(journal: Journal) -> Iterator[str]:
    for aspace in journal.aspaces:
        config = aspace.aslr_config
        compact = journal.system.aslr_compact_entropy_bits if config.enabled else 0
        if not 0 <= config.entropy_bits <= MAX_ASLR_ENTROPY_BITS or config.compact_entropy_bits != compact:
            yield f"{aspace!r} has {config.entropy_bits} and {config.compact_entropy_bits} bits of entropy"


@on_state(
    "aspace-19",
    "The last-fault entry is null or an ALIVE mapping of this address space.",
    _HEADER,
    also="faults-4",
)
def _last_fault(journal: Journal) -> Iterator[str]:
    for aspace in journal.aspaces:
        last = aspace.last_fault
        if last is not None and (last.state is not LifeCycleState.ALIVE or last.aspace is not aspace):
            yield f"{aspace!r} remembers {last!r}"


class ObservedAspace(VmAspace):
    """Tells of what is done to an address space."""

    __slots__ = ()

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        journal = journal_of(self.system)
        journal.aspaces.append(self)
        journal.owners[self.arch] = self

    def destroy(self) -> Status:
        status = super().destroy()
        destructions = journal_of(self.system).destructions
        if destructions is not None:
            destructions.append((self, status))
        return status

    def change_high_priority_count_locked(self, delta: int) -> None:
        if self.destroyed:
            journal_of(self.system).breach(COUNT_OF_THE_DESTROYED, f"{self!r} counts {delta:+}")
        super().change_high_priority_count_locked(delta)

    def aslr_prng(self) -> Prng:
        if not self.aslr_config.enabled:
            journal_of(self.system).breach(PRNG_WITH_ASLR, f"{self!r} is asked for its PRNG")
        return super().aslr_prng()

    def attach_to_thread(self, thread: Any) -> None:
        if thread is None or thread.aspace is not None or thread.is_running:
            journal_of(self.system).breach(ATTACHED_ONCE, f"{self!r} is given to {thread!r}")
        super().attach_to_thread(thread)

    def map_object_internal(self, *args: Any, **kw: Any) -> tuple[Status, Vaddr]:
        self._tell_if_users()
        return super().map_object_internal(*args, **kw)

    def free_region(self, va: Vaddr) -> Status:
        self._tell_if_users()
        return super().free_region(va)

    def _tell_if_users(self) -> None:
        if self.type is AspaceType.USER:
            journal_of(self.system).breach(ALLOCATORS_ARE_THE_KERNELS, f"{self!r} is a user's")


class ObservedUnification(ArchVmAspace):
    """Tells of what page tables are united."""

    __slots__ = ()

    def init_unified(self, shared: ArchVmAspace, restricted: ArchVmAspace) -> Status:
        journal = journal_of(self.system)
        if not restricted.is_empty():
            journal.breach(EMPTY_BELOW_SHARED, "the restricted part has something mapped")
        # As implemented, x86-64 forgets the slot that the restricted part ends in: see `documented_root_slots`.
        forgets = self.arch.forgets_last_partial_slot and not self.system.has_switch("documented_root_slots")
        if restricted.base + restricted.size > shared.base and not forgets:
            journal.breach(EMPTY_BELOW_SHARED, "the restricted part does not lie below the shared one")
        return super().init_unified(shared, restricted)


@on_state(
    "aspace-30", "A destroyed space that is neither shared nor unified has nothing mapped.", "arch/*/mmu*"
)
def _destroyed_are_empty(journal: Journal) -> Iterator[str]:
    for aspace in journal.aspaces:
        kind = aspace.arch.kind
        is_exempt = kind in (ArchAspaceKind.SHARED, ArchAspaceKind.UNIFIED)
        if aspace.destroyed and not is_exempt and not aspace.arch.is_empty():
            yield f"{aspace!r} is destroyed and has translations"
