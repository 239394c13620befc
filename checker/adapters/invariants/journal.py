"""What is known of a system that is observed: who was made, what is going on, and which invariants were broken.

Not here: who looks; the modules by subject derive the observing classes from those of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import TYPE_CHECKING, Final, cast

from vmaspace.checker.adapters.interface import Broken, Invariant
from vmaspace.checker.adapters.invariants.fault_record import FaultRecord
from vmaspace.checker.adapters.invariants.survey import Memory, Shown, Surveyed
from vmaspace.model.arch.tables import ArchTables
from vmaspace.model.aspace import VmAspace
from vmaspace.model.region import VmAddressRegionOrMapping
from vmaspace.model.status import Status
from vmaspace.model.system import System

if TYPE_CHECKING:
    from vmaspace.model.physical_memory import VmPage

INVARIANTS: Final[dict[str, Invariant]] = {}  # by number, those that are checked here
STATE_CHECKS: Final[list[tuple[Invariant, Callable[[Journal], Iterator[str]]]]] = []


def invariant(number: str, sentence: str, source: str, also: str = "") -> Invariant:
    """Declare an invariant. also: its number on the list of another subject, where it stands again."""
    made = Invariant(number, sentence, f"zircon/kernel/{source}", also)
    for each in (number, also) if also else (number,):
        if each in INVARIANTS:
            raise ValueError(f"there are two checks of {each}")
        INVARIANTS[each] = made
    return made


def on_state(
    number: str, sentence: str, source: str, also: str = ""
) -> Callable[[Callable[[Journal], Iterator[str]]], Callable[[Journal], Iterator[str]]]:
    """Register a check of the objects after a step; it yields what is wrong, in words."""
    declared = invariant(number, sentence, source, also)

    def register(check: Callable[[Journal], Iterator[str]]) -> Callable[[Journal], Iterator[str]]:
        STATE_CHECKS.append((declared, check))
        return check

    return register


class Journal:
    """Of one system."""

    __slots__ = (
        "aspaces", "breaches", "destructions", "fault", "is_counting_usage", "is_in_range_op", "is_protecting", "memory",
        "owners", "regions", "records", "shown", "survey", "system", "table_pages",
    )  # fmt: skip

    def __init__(self, system: System) -> None:
        self.system = system
        self.aspaces: list[VmAspace] = []  # as they were made, freed ones included
        self.records: dict[VmAspace, tuple[object, ...]] = {}  # what of each never changes
        self.owners: dict[ArchTables, VmAspace] = {}  # whose page tables
        self.table_pages: set[VmPage] = set()  # what was taken for a page table and not given back
        self.memory = Memory()
        self.survey: dict[ArchTables, Surveyed] | None = None  # of this look
        self.shown: list[Shown] | None = None  # of this look
        self.regions: list[VmAddressRegionOrMapping] = []  # as they were made, but those long dead
        self.breaches: list[Broken] = []  # seen while an operation ran
        self.destructions: list[tuple[VmAspace, Status]] | None = None  # while a process ends
        self.fault: FaultRecord | None = None  # that a mapping is resolving
        self.is_protecting = False
        self.is_in_range_op = False
        self.is_counting_usage = False

    def breach(self, broken: Invariant, what: str) -> None:
        """An operation does what it may not do."""
        self.breaches.append(Broken(broken, what))

    def broken(self, but: Container[str] = ()) -> list[Broken]:
        """What was broken since the last look, and what does not hold now. but: numbers that are not looked at."""
        found, self.breaches = self.breaches, []
        self.survey = self.shown = None
        for declared, check in STATE_CHECKS:
            if declared.number not in but:
                found += [Broken(declared, what) for what in check(self)]
        self.regions = [region for region in self.regions if region.parent is not None or region.is_alive()]
        return found


def journal_of(system: System) -> Journal:
    """The journal of a system that is observed."""
    return cast("Journal", system.__dict__["journal"])
