"""Address spaces: harvesting accessed flags, and dropping page tables.

Mirrors `VmAspace::HarvestAllUserAccessedBits`, `DropUserPageTables` and `DropAllUserPageTables`
(`zircon/kernel/vm/vm_aspace.cc`).

Does not model the thread that harvests every few seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vmaspace.model.arch.aspace import NonTerminalAction, TerminalAction
from vmaspace.model.aspace_faults import AspaceFaults
from vmaspace.model.constants import PAGE_SHIFT
from vmaspace.model.status import ZX_OK, AssertionViolation

if TYPE_CHECKING:
    from vmaspace.model.system import System

_FILE = "zircon/kernel/vm/vm_aspace.cc"

# Two rounds without an access bring page tables to a fixed point: the first takes marks away, the second frees.
_ROUNDS_TO_REST: Final = 2


class AspaceHarvest(AspaceFaults):
    """An address space, as what accessed flags are collected from."""

    __slots__ = ()

    @staticmethod
    def harvest_all_user_accessed_bits(
        system: System, non_terminal: NonTerminalAction, terminal: TerminalAction
    ) -> None:
        """Report the accessed pages of every user space on the list, in its order.

        *Kernel:* `VmAspace::HarvestAllUserAccessedBits` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        *Asserts:* the page tables can be harvested.
        *Leaves alone:* spaces of high memory priority, and what is not a user's or has no range.
        """
        with system.aspace_list_lock:
            for aspace in system.aspaces:
                if not aspace.is_user() or aspace.size == 0 or aspace.is_high_memory_priority():
                    continue
                accessed = aspace.arch.accessed_since_last_check(
                    clear=terminal is TerminalAction.UPDATE_AGE_AND_HARVEST
                )
                if aspace._is_harvest_due(accessed, non_terminal):
                    aspace._harvest(non_terminal, terminal)
                    system.counters["vm.aspace.accessed_harvest.performed"] += 1
                else:
                    system.counters["vm.aspace.accessed_harvest.skipped"] += 1

    def _is_harvest_due(self, accessed: bool, non_terminal: NonTerminalAction) -> bool:
        """Whether a walk can find anything; keeps count of the rounds without an access."""
        frees = non_terminal is NonTerminalAction.FREE_UNACCESSED
        if accessed:
            self.pt_harvest_since_active = 1 if frees else 0
            return True
        if frees and self.pt_harvest_since_active < _ROUNDS_TO_REST:
            self.pt_harvest_since_active += 1
            return True
        return False

    def _harvest(self, non_terminal: NonTerminalAction, terminal: TerminalAction) -> None:
        pages = self.size >> PAGE_SHIFT
        if self.arch.harvest_accessed(self.base, pages, non_terminal, terminal) is not ZX_OK:
            raise AssertionViolation("the page tables of a listed address space can be harvested", _FILE)

    def drop_user_page_tables(self) -> None:
        """Take every translation of a user space away; later accesses fault them in again.

        *Kernel:* `VmAspace::DropUserPageTables` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing; the answer of the page tables is ignored.
        *Asserts:* what the unmap of the page tables asserts: x86-64, not unified; arm64, not destroyed.
        *Leaves alone:* the tree of regions, and spaces that are not a user's.
        """
        self.check_canary()
        if not self.is_user():
            return
        with self._lock:
            self.unmap_translations(self.base, self.size)

    @staticmethod
    def drop_all_user_page_tables(system: System) -> None:
        """Do so for every address space on the list, in its order.

        *Kernel:* `VmAspace::DropAllUserPageTables` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        *Asserts:* as `drop_user_page_tables`.
        """
        with system.aspace_list_lock:
            for aspace in system.aspaces:
                aspace.drop_user_page_tables()
