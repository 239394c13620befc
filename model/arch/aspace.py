"""The architecture's side of an address space: role, references between tables, and when edits end.

Mirrors `ArchVmAspace` (`zircon/kernel/arch/*/mmu*`, interface in `zircon/kernel/vm/include/vm/arch_vm_aspace.h`).

What is mapped is in `translations.py`, which pages were accessed in `access.py`; here is what an address space is made
and taken down with. Does not model hardware ids.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from vmaspace.model.arch.access import ArchAccess, NonTerminalAction, TerminalAction
from vmaspace.model.arch.translations import ArchTranslations, ArchUnmapOptions, ExistingEntryAction
from vmaspace.model.constants import PAGE_MASK, PAGE_SIZE, ByteSize, Vaddr
from vmaspace.model.flags import ArchAspaceFlag
from vmaspace.model.status import (
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NOT_SUPPORTED,
    ZX_OK,
    AssertionViolation,
    Status,
)

if TYPE_CHECKING:
    from vmaspace.model.system import System


__all__ = [
    "ArchAspaceKind",
    "ArchUnmapOptions",
    "ArchVmAspace",
    "ExistingEntryAction",
    "NonTerminalAction",
    "TerminalAction",
]


class ArchAspaceKind(IntEnum):
    """What the tables are for; set by the initialiser that was used."""

    PLAIN = 0
    RESTRICTED = 1
    SHARED = 2
    UNIFIED = 3


class ArchVmAspace(ArchAccess):
    """Page tables of one address space."""

    __slots__ = ("has_root", "kind", "references", "restricted", "shared", "unified")

    def __init__(self, system: System, base: Vaddr, size: ByteSize, flags: ArchAspaceFlag) -> None:
        super().__init__(system, base, size, flags)
        self.kind = ArchAspaceKind.PLAIN
        self.has_root = False  # the root table exists: from a successful Init until Destroy
        self.references = 0  # unified tables that refer to this one
        self.shared: ArchVmAspace | None = None  # of a unified one: its parts
        self.restricted: ArchVmAspace | None = None
        self.unified: ArchVmAspace | None = None  # of a restricted one: the back pointer

    def init(self) -> Status:
        """Make the root table of a plain address space.

        *Kernel:* `ArchVmAspace::Init` (zircon/kernel/arch/*/mmu*)
        *Fails with:* NOT_SUPPORTED for a guest on a machine without guest tables; NO_MEMORY.
        *Asserts:* arm64: `size` is above one page; riscv64: the range is not empty and page aligned.
        """
        arch = self.arch
        if arch.asserts_more_than_a_page and self.size <= PAGE_SIZE:
            raise AssertionViolation("an address space is larger than one page", arch.mmu_file)
        if arch.asserts_aligned_range and (not self.size or (self.base | self.size) & PAGE_MASK):
            raise AssertionViolation(
                "the range of an address space is not empty and page aligned", arch.mmu_file
            )
        if self.flags & ArchAspaceFlag.GUEST and not arch.has_guests:
            return ZX_ERR_NOT_SUPPORTED
        if not self.flags & ArchAspaceFlag.KERNEL and not self.system.heap.allocate():
            return ZX_ERR_NO_MEMORY
        self.has_root = True
        return ZX_OK

    def init_restricted(self) -> Status:
        """Make the root table of the restricted part of unified spaces to come.

        *Kernel:* `ArchVmAspace::InitRestricted` (zircon/kernel/arch/*/mmu*)
        *Fails with:* as `init`.
        *Asserts:* x86-64: there are no arch flags; then as `init`.
        """
        return self._init_with_role(ArchAspaceKind.RESTRICTED)

    def init_shared(self) -> Status:
        """Make the root table of a shared part, with every root entry of its range filled.

        *Kernel:* `ArchVmAspace::InitShared` (zircon/kernel/arch/*/mmu*)
        *Fails with:* as `init`.
        *Asserts:* x86-64: there are no arch flags; then as `init`.
        """
        return self._init_with_role(ArchAspaceKind.SHARED)

    def init_unified(self, shared: ArchVmAspace, restricted: ArchVmAspace) -> Status:
        """Make one view of a shared and a restricted address space.

        *Kernel:* `ArchVmAspace::InitUnified` (zircon/kernel/arch/*/mmu*)
        *Fails with:* NO_MEMORY.
        *Asserts:* both have root tables; the roles; the restricted slots lie below the shared ones; the
        restricted part is in no unified space and its root entries are empty.
        *Leaves alone:* everything but the reference counts and the links.
        """
        self._assert_can_unify(shared, restricted)
        if not self.system.heap.allocate():
            return ZX_ERR_NO_MEMORY
        self.kind = ArchAspaceKind.UNIFIED
        self.has_root = True
        self.shared = shared
        self.restricted = restricted
        restricted.unified = self
        restricted.references += 1
        shared.references += 1
        return ZX_OK

    def disable_updates(self) -> None:
        """Make the tables read-only: nothing is mapped any more.

        *Kernel:* `ArchVmAspace::DisableUpdates` (zircon/kernel/arch/*/mmu*)
        *Fails with:* nothing.
        *Asserts:* arm64: nothing is mapped, unless the tables are shared, unified or were never made.
        """
        is_exempt = self.kind in (ArchAspaceKind.SHARED, ArchAspaceKind.UNIFIED) or not self.has_root
        if self.arch.asserts_updates_enabled and self.tables and not is_exempt:
            raise AssertionViolation("nothing is mapped when updates are disabled", self.arch.mmu_file)
        self.updates_enabled = False

    def assert_destroyable(self) -> None:
        """Raise what `destroy` would assert, and change nothing."""
        file = self.arch.mmu_file
        if self.flags & ArchAspaceFlag.KERNEL:
            raise AssertionViolation("the kernel's page tables are never destroyed", file)
        if self.kind is ArchAspaceKind.UNIFIED:
            if self.shared is not None and self.shared.references == 0:
                raise AssertionViolation("a unified table's shared part counts it", file)
            if self.restricted is not None and self.restricted.references != 1:
                raise AssertionViolation("a unified table's restricted part counts it alone", file)
        elif self.references:
            raise AssertionViolation("no unified table refers to tables that are freed", file)
        elif self.tables:
            raise AssertionViolation("nothing is mapped in tables that are freed", file)

    def destroy(self) -> Status:
        """Free the tables.

        *Kernel:* `ArchVmAspace::Destroy` (zircon/kernel/arch/*/mmu*)
        *Fails with:* nothing.
        *Asserts:* not the kernel's; of a part: no unified table refers to it; of a unified table: the parts
        still count it, the restricted one once.
        """
        self.assert_destroyable()
        if self.shared is not None:
            self.shared.references -= 1
        if self.restricted is not None:
            self.restricted.references -= 1
            self.restricted.unified = None
        self.shared = self.restricted = None
        self.has_root = False
        return ZX_OK

    def owner(self, va: Vaddr) -> ArchTranslations:
        """The tables that hold the entry of `va`: unified ones show those of their constituents."""
        for part in (self.restricted, self.shared):
            if part is not None and part.base <= va < part.base + part.size:
                return part
        return self

    def is_editable(self) -> bool:
        """Whether these tables may be edited directly: unified ones show what their constituents hold."""
        return self.kind is not ArchAspaceKind.UNIFIED

    def context_switch(self) -> None:
        """Load these tables on a CPU; a unified one stands for its constituents too.

        *Kernel:* `ArchVmAspace::ContextSwitch` (zircon/kernel/arch/*/mmu*)
        *Fails with:* nothing.
        """
        super().context_switch()
        for part in (self.restricted, self.shared):
            if part is not None:
                part.context_switch()

    def has_empty_user_entries(self) -> bool:
        """Whether no root entry of the range is filled. Those of a shared part are, from the start."""
        return self.kind is not ArchAspaceKind.SHARED and not self.tables

    def _init_with_role(self, kind: ArchAspaceKind) -> Status:
        if self.arch.asserts_role_without_flags and self.flags:
            raise AssertionViolation("shared and restricted tables have no arch flags", self.arch.mmu_file)
        status = self.init()
        if status is ZX_OK:
            self.kind = kind
        return status

    def _assert_can_unify(self, shared: ArchVmAspace, restricted: ArchVmAspace) -> None:
        file = self.arch.mmu_file
        if shared.kind is not ArchAspaceKind.SHARED:
            raise AssertionViolation("the shared part was created shared", file)
        if restricted.kind is ArchAspaceKind.UNIFIED:
            raise AssertionViolation("the restricted part is not itself unified", file)
        if restricted.kind is not ArchAspaceKind.RESTRICTED and self._must_be_created_restricted():
            raise AssertionViolation("the restricted part was created restricted", file)
        if not (shared.has_root and restricted.has_root):
            raise AssertionViolation("both parts have a root table", file)
        if self._end_slot(restricted) > self.arch.root_slots(shared.base, shared.size)[0]:
            raise AssertionViolation("the restricted root slots lie below the shared ones", file)
        if restricted.references or restricted.unified is not None:
            raise AssertionViolation("the restricted part is in no unified space", file)
        if not restricted.has_empty_user_entries():
            raise AssertionViolation("the root entries of the restricted part are empty", file)

    def _end_slot(self, tables: ArchVmAspace) -> int:
        """One past the last root slot that is taken to be in the range of some tables."""
        if self.arch.forgets_last_partial_slot and not self.system.has_switch("documented_root_slots"):
            return (tables.base + tables.size) >> self.arch.root_slot_shift
        return self.arch.root_slots(tables.base, tables.size)[1] + 1

    def _must_be_created_restricted(self) -> bool:
        # arm64 as implemented only looks whether it is unified; the documentation asks for the role.
        return self.arch.asserts_restricted_role or self.system.has_switch("documented_roles")
