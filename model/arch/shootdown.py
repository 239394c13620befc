"""The invalidations that one operation owes, collected and then issued as the architecture does it.

Mirrors the nested consistency managers: `PendingTlbInvalidation` and `TlbInvalidate` (`zircon/kernel/arch/x86/mmu.cc`), and
the `ConsistencyManager` classes of `zircon/kernel/arch/{x86,arm64,riscv64}`. Entries are written at once and in order; what
they owe is queued, and issued before the lock is dropped. Table pages are given back after that.

Does not model the barriers between these steps: an operation is one step of the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmaspace.model.constants import PAGE_SIZE, Vaddr

if TYPE_CHECKING:
    from vmaspace.model.arch.tables import ArchTables
    from vmaspace.model.physical_memory import VmPage


# One address, or a run of pages, that is to be invalidated: (address, pages, whether it is of a leaf, whether it is global).
Item = tuple[Vaddr, int, bool, bool]


@dataclass(frozen=True, slots=True)
class ShootdownRules:
    """How an architecture collects, and what it issues."""

    limit: int  # items; more become everything
    global_bit: int  # of a leaf, where items remember it; 0: they do not
    merges_runs: bool  # neighbouring pages are one item
    is_full_at_root: bool  # an entry of the root costs everything
    is_full_at_tables: bool  # and so does an entry of any table
    kernel_goes_in_batches: bool  # the kernel's are issued when there are too many, and never become everything
    issue: Callable[[Shootdown], None]


class Shootdown:
    """What one address space owes at the moment."""

    __slots__ = ("_freed", "_full_at", "has_global", "is_full", "items", "rules", "tables")

    def __init__(self, tables: ArchTables, rules: ShootdownRules) -> None:
        self.tables = tables
        self.rules = rules
        self._full_at = tables.regime.top_level if rules.is_full_at_root else None  # a level
        self.items: list[Item] = []
        self.is_full = False  # everything of the address space
        self.has_global = False
        self._freed: list[VmPage] = []

    def enqueue(self, va: Vaddr, level: int, old: int, *, is_terminal: bool) -> None:
        """The present entry `old` of `level`, on the way to `va`, has changed."""
        rules = self.rules
        is_global = old & rules.global_bit != 0
        if is_global:
            self.has_global = True
        if self.is_full:
            return
        if level == self._full_at or (rules.is_full_at_tables and not is_terminal):
            self.is_full = True
            return
        items = self.items
        if len(items) == rules.limit:
            if not (rules.kernel_goes_in_batches and self.tables.is_kernel):
                self.is_full = True
                return
            self.flush()
        if rules.merges_runs and items:
            start, pages, was_terminal, was_global = items[-1]
            if va == start:
                return
            if va == start + pages * PAGE_SIZE:
                items[-1] = start, pages + 1, was_terminal, was_global
                return
        items.append((va, 1, is_terminal, is_global))

    def demand_everything(self) -> None:
        """What changed cannot be told by address."""
        self.is_full = True

    def flush(self) -> None:
        """Issue what is owed, and wait until it is done."""
        if self.items or self.is_full:
            self.rules.issue(self)
            self.items.clear()
            self.is_full = False
        self.has_global = False

    def free(self, table: VmPage) -> None:
        """A table that nothing leads to any more is given back when the invalidations are done."""
        self._freed.append(table)

    def finish(self) -> None:
        """The operation is over: issue what is owed, then give tables back."""
        self.flush()
        if self._freed:
            for table in self._freed:
                self.tables.give_back(table)
            self._freed.clear()
