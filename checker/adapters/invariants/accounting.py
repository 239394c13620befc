"""Accounting: memory priority, rounds of harvesting, and what an address space uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from vmaspace.checker.adapters.invariants.faults import FaultingAspace
from vmaspace.checker.adapters.invariants.journal import Journal, invariant, journal_of, on_state
from vmaspace.model.arch.aspace import NonTerminalAction
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import MemoryPriority
from vmaspace.model.status import Status
from vmaspace.model.usage import MemoryUsage

_ASPACE: Final = "vm/vm_aspace.cc"

TWO_ROUNDS = invariant(
    "faults-21",
    "The count of harvests is 2 only after two rounds that free tables, without an access in between.",
    _ASPACE,
)
SCALED_IS_LESS = invariant(
    "faults-24",
    "What an address space pays of shared bytes is no more than they are.",
    "vm/include/vm/vm_aspace.h",
)
SUMS_UP = invariant(
    "faults-25", "Private and shared bytes together are what the mappings commit.", "object/diagnostics.cc"
)


@on_state("aspace-11", "The high-priority count is never negative, and 0 in a freed address space.", _ASPACE)
def _count(journal: Journal) -> Iterator[str]:
    for aspace in journal.aspaces:
        count = aspace.high_priority_count
        if count < 0 or (count and aspace.freed):
            yield f"{aspace!r} counts {count}"


@on_state("aspace-20", "The count of harvests stays within 0 and 2.", _ASPACE)
def _rounds(journal: Journal) -> Iterator[str]:
    for aspace in journal.aspaces:
        if not 0 <= aspace.pt_harvest_since_active <= 2:
            yield f"{aspace!r} counts {aspace.pt_harvest_since_active}"


@on_state(
    "vmar-28",
    "The high-priority count is the number of VMARs and mappings that are HIGH.",
    "vm/vm_address_region.cc",
    also="faults-19",
)
def _high(journal: Journal) -> Iterator[str]:
    found = dict.fromkeys(journal.aspaces, 0)
    for region in journal.regions:
        if region.memory_priority is MemoryPriority.HIGH:
            found[region.aspace] += 1
    for aspace, count in found.items():
        if aspace.high_priority_count != count:
            yield f"{aspace!r} counts {aspace.high_priority_count}, and there are {count}"


class CountingAspace(FaultingAspace):
    """Tells of what is counted in an address space."""

    __slots__ = ()

    def _is_harvest_due(self, accessed: bool, non_terminal: NonTerminalAction) -> bool:
        before = self.pt_harvest_since_active
        due = super()._is_harvest_due(accessed, non_terminal)
        frees = non_terminal is NonTerminalAction.FREE_UNACCESSED
        expected = int(frees) if accessed else min(before + int(frees), 2)
        if self.pt_harvest_since_active != expected:
            journal_of(self.system).breach(
                TWO_ROUNDS, f"{self!r} counts {self.pt_harvest_since_active} after {before}"
            )
        return due

    def get_memory_usage(self) -> tuple[Status, MemoryUsage | None]:
        status, usage = super().get_memory_usage()
        if usage is not None and self.root is not None:
            journal = journal_of(self.system)
            if usage.scaled_shared_bytes > usage.shared_bytes:
                journal.breach(SCALED_IS_LESS, f"{self!r} pays {usage.scaled_shared_bytes}")
            committed = sum(
                region.vmo.attributed_memory_in_range(region.object_offset, region.size).uncompressed
                for region, _ in self.root.descendants()
                if isinstance(region, VmMapping) and region.vmo is not None
            )
            if usage.private_bytes + usage.shared_bytes != committed:
                journal.breach(SUMS_UP, f"{self!r} has {committed} bytes committed")
        return status, usage
