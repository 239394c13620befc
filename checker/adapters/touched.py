"""The model, driven with an eye on page tables: after each step, what was written into them is handed to a judge.

The judge is given the tables as a CPU has them, the memory they are in, and an address whose walk has changed; it answers
what is wrong, in words. A guest's tables are left out.

Not here: what judges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from vmaspace.checker.adapters.edited_tables import NEEDED
from vmaspace.checker.adapters.interface import Broken, Invariant
from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.world import World
from vmaspace.checker.logic.contract import Contract
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.cursor import MappingCursor
from vmaspace.model.arch.hardware import AccessKind
from vmaspace.model.arch.mmu_rules import mmu_for
from vmaspace.model.arch.regime import Regime, reach
from vmaspace.model.constants import MAX_U64, PAGE_SIZE, Paddr, Vaddr
from vmaspace.model.flags import MMU_PERM_USER
from vmaspace.model.physical_memory import PhysicalMemory, VmPage
from vmaspace.model.status import ZX_OK, Status
from vmaspace.model.system import System

PLACES = 6  # addresses that are handed over after a step
SAME_WALK = Invariant(
    "oracle-1",
    "An emulated MMU makes of the page tables what the model's MMU does, and what a query says.",
    "zircon/kernel/arch/*/mmu*",
)


class Place(NamedTuple):
    """An address in page tables, and what the model says of it."""

    arch: str
    regime: Regime
    memory: PhysicalMemory
    root: Paddr
    is_kernel: bool  # the tables are the kernel's
    va: Vaddr
    answer: tuple[Paddr, int] | None  # of a query: where it leads, and the MMU flags; None: nowhere
    is_answered: bool  # false where a query says nothing of what hardware does, as of an entry that is not yet accessed

    def wanted(self, kind: AccessKind) -> Paddr | None:
        """Where an access leads of those whose tables these are, by the model's answer."""
        if self.answer is None:
            return None
        paddr, flags = self.answer
        needed = NEEDED[kind] | (0 if self.is_kernel else MMU_PERM_USER)
        return paddr if flags & needed == needed else None


Judge = Callable[[Sequence[Place]], list[str]]


class TouchedTables(ArchVmAspace):
    """Notes where entries are written: one by one, or pages of one table in a row."""

    __slots__ = ()

    def set_entry(
        self, table: VmPage, slot: int, va: Vaddr, level: int, new: int, *, is_terminal: bool = True
    ) -> None:
        super().set_entry(table, slot, va, level, new, is_terminal=is_terminal)
        self._note(va, level)

    def _map_pages(self, cursor: MappingCursor, *rest: Any) -> Status:
        first = cursor.va
        status = super()._map_pages(cursor, *rest)
        self._note_pages(first, cursor.va)
        return status

    def _unmap_pages(self, table: VmPage, low: Vaddr, high: Vaddr, *rest: Any) -> None:
        super()._unmap_pages(table, low, high, *rest)
        self._note_pages(low, high)

    def mark_accessed(self, va: Vaddr, count: int) -> Status:
        status = super().mark_accessed(va, count)
        if status is ZX_OK:
            self._note_pages(va, va + count * PAGE_SIZE)
        return status

    def _note_pages(self, low: Vaddr, high: Vaddr) -> None:
        if low < high:
            self._note(low, 0)
            self._note(high - PAGE_SIZE, 0)

    def _note(self, va: Vaddr, level: int) -> None:
        if not self.is_guest:
            self.system.__dict__.setdefault("touched", []).append((self, va, level))


def touched(system_class: type[System]) -> type[System]:
    """`system_class`, whose page tables note where they are written."""
    own = system_class.arch_aspace_class
    members: dict[str, Any] = {
        "arch_aspace_class": type(own.__name__, (TouchedTables, own), {"__slots__": ()}),
        "__module__": system_class.__module__,
        "__qualname__": system_class.__qualname__,
    }
    return type(system_class.__name__, (system_class,), members)


class TouchingAdapter(ModelAdapter):
    """The model, whose page tables a judge looks at after every step."""

    def __init__(self, contract: Contract, judge: Judge, system_class: type[System] = System) -> None:
        super().__init__(contract, touched(system_class))
        self.judge = judge

    def start(self, world: World) -> None:
        super().start(world)
        self.system.__dict__["touched"] = []

    def invariants(self) -> Sequence[Invariant]:
        return [*super().invariants(), SAME_WALK]

    def broken_invariants(self) -> Sequence[Broken]:
        broken = super().broken_invariants()
        places = self._places()
        return [*broken, *(Broken(SAME_WALK, what) for what in self.judge(places))] if places else broken

    def _places(self) -> list[Place]:
        """Where the walk of an address may have changed in the last step: the ends of what was written, and some between."""
        written = self.system.__dict__["touched"]
        if not written:
            return []
        self.system.__dict__["touched"] = []
        chosen = written[:: max(1, len(written) // (PLACES // 2))]
        found: dict[tuple[Paddr, Vaddr], Place] = {}
        for tables, va, level in [*chosen, written[-1]]:
            for each in (tables, tables.unified):
                if each is not None and each.root is not None:
                    for at in (va, (va & -reach(level)) + reach(level)):
                        found[each.root.paddr, at & MAX_U64] = _place(each, at & MAX_U64)
        return list(found.values())[: 2 * PLACES]


def _place(tables: ArchVmAspace, va: Vaddr) -> Place:
    root = tables.root
    assert root is not None
    answer: tuple[Paddr, int] | None = None
    owner = tables.owner(va)
    is_answered = owner.is_valid_vaddr(va)
    step = owner.leaf_at(va) if is_answered else None
    if step is not None:
        # Where hardware sets no accessed flag, it refuses an entry without one.
        is_usable = step.entry & owner.regime.accessed or mmu_for(owner.regime).sets_flags
        is_answered = bool(is_usable and owner.regime.is_known(step.entry, step.level))
        if is_answered:
            _, paddr, flags = owner.query(va)
            answer = paddr, flags
            # What is a user's in the kernel's tables, the kernel reaches on some machines only.
            is_answered = not (tables.is_kernel and flags & MMU_PERM_USER)
    return Place(
        tables.arch.name, tables.regime, tables.memory, root.paddr, tables.is_kernel, va, answer, is_answered
    )
