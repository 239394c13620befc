"""The architecture's side of an address space: how page tables are made, united, loaded and freed.

Mirrors `ArchVmAspace` (`zircon/kernel/arch/*/mmu*`, interface in `zircon/kernel/vm/include/vm/arch_vm_aspace.h`).

Edits are in `mapper.py`, accesses in `access.py`. Does not model what a failed Init leaves behind in the kernel on some
machines: here `destroy` gives back what was taken.
"""

from __future__ import annotations

from vmaspace.model.arch.access import ArchAccess
from vmaspace.model.arch.ids import UNUSED_ID
from vmaspace.model.arch.options import (
    RESTRICTED,
    SHARED,
    UNIFIED,
    ArchAspaceKind,
    ArchUnmapOptions,
    ExistingEntryAction,
    NonTerminalAction,
    TerminalAction,
)
from vmaspace.model.arch.regime import ENTRIES
from vmaspace.model.arch.tables import ArchTables
from vmaspace.model.constants import PAGE_MASK, PAGE_SIZE
from vmaspace.model.status import (
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NOT_SUPPORTED,
    ZX_OK,
    AssertionViolation,
    Status,
)

__all__ = [
    "ArchAspaceKind",
    "ArchUnmapOptions",
    "ArchVmAspace",
    "ExistingEntryAction",
    "NonTerminalAction",
    "TerminalAction",
]


class ArchVmAspace(ArchAccess):
    """Page tables of one address space."""

    __slots__ = ()

    # Making.

    def init(self) -> Status:
        """Make the root table of a plain address space, or take over the kernel's.

        *Kernel:* `ArchVmAspace::Init` (zircon/kernel/arch/*/mmu*)
        *Fails with:* NOT_SUPPORTED for a guest on a machine without guest tables; NO_RESOURCES (x86-64) or NO_MEMORY when
        there is no id left; NO_MEMORY for the root table.
        *Asserts:* arm64: `size` is above one page; riscv64: the range is not empty and page aligned.
        """
        arch = self.arch
        if arch.asserts_more_than_a_page and self.size <= PAGE_SIZE:
            raise AssertionViolation("an address space is larger than one page", arch.mmu_file)
        if arch.asserts_aligned_range and (not self.size or (self.base | self.size) & PAGE_MASK):
            raise AssertionViolation(
                "the range of an address space is not empty and page aligned", arch.mmu_file
            )
        if self.is_guest and not arch.has_guests:
            return ZX_ERR_NOT_SUPPORTED
        if arch.asserts_user_half and not self.is_kernel and self.base + self.size > self._top():
            raise AssertionViolation("an address space lies in what its page tables translate", arch.mmu_file)
        if self.is_kernel:
            self.asid = arch.kernel_asid if self.system.asids.is_in_use else arch.kernel_asid_when_off
            self.root = self.system.boot_tables.root
            self.pt_pages = self.system.boot_tables.pages
            self.tlb.kernel_tables = self
            return ZX_OK
        return self._make_root()

    def _top(self) -> int:
        """One past the last address that tables of this kind are made for."""
        width = self.regime.width
        return 1 << (width - 1 if self.arch.aliases_kernel_half and not self.is_guest else width)

    def _make_root(self) -> Status:
        status = ZX_OK
        if not self.is_guest:
            status, self.asid = self.system.asids.allocate()
        if status is not ZX_OK:
            return status
        root = self.new_table() if self.system.heap.allocate() else None
        if root is None:
            return ZX_ERR_NO_MEMORY
        self.root = root
        if self.arch.aliases_kernel_half and not self.is_guest:
            half = ENTRIES // 2
            root.words[half:] = self.system.boot_tables.root.words[half:]
        return ZX_OK

    def init_restricted(self) -> Status:
        """Make the root table of the restricted part of unified spaces to come.

        *Kernel:* `ArchVmAspace::InitRestricted` (zircon/kernel/arch/*/mmu*)
        *Fails with:* as `init`.
        *Asserts:* x86-64: there are no arch flags; then as `init`.
        """
        return self._init_with_role(RESTRICTED)

    def init_shared(self) -> Status:
        """Make the root table of a shared part, with a table below every root entry of its range.

        So these root entries never change, and copies of them stay right.

        *Kernel:* `ArchVmAspace::InitShared` (zircon/kernel/arch/*/mmu*)
        *Fails with:* as `init`; NO_MEMORY for one of the tables.
        *Asserts:* x86-64: there are no arch flags; then as `init`.
        """
        status = self._init_with_role(SHARED)
        if status is not ZX_OK:
            return status
        root = self.own_root()
        for slot in self.root_slots():
            below = self.new_table()
            if below is None:
                return ZX_ERR_NO_MEMORY
            root.words[slot] = self.regime.table(below.paddr) | self.map_mark
            root.num_mappings += self.arch.counts_shared_slots
        return ZX_OK

    def init_unified(self, shared: ArchVmAspace, restricted: ArchVmAspace) -> Status:
        """Make one view of a shared and a restricted address space.

        The root is a table of its own, or (arm64) the restricted part's. The shared root entries are copied into it.

        *Kernel:* `ArchVmAspace::InitUnified` (zircon/kernel/arch/*/mmu*)
        *Fails with:* NO_RESOURCES (x86-64) or NO_MEMORY; arm64: nothing.
        *Asserts:* both have root tables; the roles; the restricted slots lie below the shared ones; the
        restricted part is in no unified space and its root entries are empty.
        *Leaves alone:* everything but the reference counts, the links and the root.
        """
        self._assert_can_unify(shared, restricted)
        if self.arch.asserts_unified_range and (self.base or self.size):
            raise AssertionViolation("a unified space has no range of its own", self.arch.mmu_file)
        if self.arch.unified_shares_root:
            self.root, self.asid = restricted.root, restricted.asid
        else:
            status = self._make_root()
            if status is not ZX_OK:
                return status
        self.kind = UNIFIED
        root, theirs = self.own_root(), shared.own_root()
        for slot in shared.root_slots():
            root.words[slot] = theirs.words[slot]
        self.shared = shared
        self.restricted = restricted
        restricted.unified = self
        restricted.references += 1
        shared.references += 1
        return ZX_OK

    # The end.

    def disable_updates(self) -> None:
        """Make the tables read-only: nothing is mapped any more.

        *Kernel:* `ArchVmAspace::DisableUpdates` (zircon/kernel/arch/*/mmu*)
        *Fails with:* nothing.
        *Asserts:* arm64: nothing is mapped, unless the tables are shared, unified or were never made.
        """
        is_exempt = self.kind in (SHARED, UNIFIED) or self.root is None
        if self.arch.asserts_updates_enabled and not is_exempt and not self._is_cleared():
            raise AssertionViolation("nothing is mapped when updates are disabled", self.arch.mmu_file)
        self.updates_enabled = False

    def _is_cleared(self) -> bool:
        """Whether no table is left below the root, and no leaf in it."""
        return self.pt_pages == 1 and self.is_empty()

    def assert_destroyable(self) -> None:
        """Raise what `destroy` would assert, and change nothing."""
        file = self.arch.mmu_file
        if self.is_kernel:
            raise AssertionViolation("the kernel's page tables are never destroyed", file)
        if self.arch.asserts_inactive_at_destroy and self.active_cpus:
            raise AssertionViolation("no CPU has freed page tables loaded", file)
        if self.kind is UNIFIED:
            if self.shared is not None and self.shared.references == 0:
                raise AssertionViolation("a unified table's shared part counts it", file)
            if self.restricted is not None and self.restricted.references != 1:
                raise AssertionViolation("a unified table's restricted part counts it alone", file)
            if self.arch.asserts_unified_empty and self.root is not None and self.root.num_mappings:
                raise AssertionViolation("a unified table's restricted part is emptied before the table goes", file)
        elif self.references:
            raise AssertionViolation("no unified table refers to tables that are freed", file)
        elif not self.is_empty():
            raise AssertionViolation("nothing is mapped in tables that are freed", file)
        elif self.root is not None and self.arch.asserts_page_count and self._tables_left():
            raise AssertionViolation("no table is left below a root that is freed", file)

    def _tables_left(self) -> int:
        """How many tables below the root Destroy would not give back."""
        filled = 0
        if self.kind is SHARED:
            words = self.own_root().words
            filled = sum(words[slot] != 0 for slot in self.root_slots())
        return self.pt_pages - 1 - filled

    def destroy(self) -> Status:
        """Free the tables and the id.

        *Kernel:* `ArchVmAspace::Destroy` (zircon/kernel/arch/*/mmu*)
        *Fails with:* nothing.
        *Asserts:* not the kernel's; x86-64: no CPU has them loaded; of a part: no unified table refers to it; of a unified
        table: the parts still count it, the restricted one once; otherwise nothing is mapped.
        """
        self.assert_destroyable()
        restricted = self.restricted
        if self.shared is not None:
            self.shared.references -= 1
        if self.restricted is not None:
            self.restricted.references -= 1
            self.restricted.unified = None
        self.shared = self.restricted = None
        if self.kind is UNIFIED and self.arch.unified_shares_root:
            self.tlb.forget(self, restricted)
            self.asid = UNUSED_ID
            self.root = None
            return ZX_OK
        self._free_root()
        return ZX_OK

    def _free_root(self) -> None:
        root = self.root
        if self.kind is SHARED and root is not None:
            for slot in self.root_slots():
                if root.words[slot]:
                    self.give_back(self.table_at(root.words[slot]))
                    root.words[slot] = 0
        if root is not None:
            if self.arch.flushes_at_destroy:
                self.shootdown.demand_everything()
                self.shootdown.flush()
            self.tlb.forget(self)
            self.root = None
            self.give_back(root)
        if self.asid != UNUSED_ID and not self.is_guest:
            if self.system.asids.free(self.asid) is not ZX_OK:
                raise AssertionViolation("an id that is given back was taken", self.arch.mmu_file)
            self.asid = UNUSED_ID

    # Loading.

    @staticmethod
    def context_switch(cpu: int, old: ArchTables | None, new: ArchVmAspace | None) -> None:
        """A CPU goes from the tables `old` to `new`; None: the kernel's alone.

        *Kernel:* `ArchVmAspace::ContextSwitch` (zircon/kernel/arch/*/mmu*)
        *Fails with:* nothing.
        *Asserts:* neither is the kernel's or a guest's; x86-64: the CPU was in `old` and was not in `new`.
        """
        bit = 1 << cpu
        if old is not None:
            old.active_cpus &= ~bit
            if new is None:
                old.tlb.unload(cpu)
        if new is not None:
            arch = new.arch
            if new.flags:
                raise AssertionViolation("only a user's page tables are loaded", arch.mmu_file)
            new.active_cpus |= bit
            # The mark is read once the CPU can be seen to be active.
            flushes = new.is_dirty_on(cpu) if arch.marks_dirty else not new.system.asids.is_in_use
            new.dirty_cpus &= ~bit
            new.tlb.load(cpu, new, flushes=flushes)
            new.note_loaded()

    def note_loaded(self) -> None:
        """Where the machine takes a switch for an access, note one; a unified one stands for its parts too."""
        for tables in (self, self.restricted, self.shared):
            if tables is not None and self.arch.switch_counts_as_access:
                tables.accessed_since_check = True

    # Questions.

    def has_empty_user_entries(self) -> bool:
        """Whether no root entry of the range is filled. Those of a shared part are, from the start."""
        root = self.own_root()
        return not any(root.words[slot] for slot in self.root_slots())

    def _init_with_role(self, kind: ArchAspaceKind) -> Status:
        if self.arch.asserts_role_without_flags and self.flags:
            raise AssertionViolation("shared and restricted tables have no arch flags", self.arch.mmu_file)
        status = self.init()
        if status is ZX_OK:
            self.kind = kind
        return status

    def _assert_can_unify(self, shared: ArchVmAspace, restricted: ArchVmAspace) -> None:
        file = self.arch.mmu_file
        if shared.kind is not SHARED:
            raise AssertionViolation("the shared part was created shared", file)
        if restricted.kind is UNIFIED:
            raise AssertionViolation("the restricted part is not itself unified", file)
        if restricted.kind is not RESTRICTED and self._must_be_created_restricted():
            raise AssertionViolation("the restricted part was created restricted", file)
        if not (shared.root and restricted.root):
            raise AssertionViolation("both parts have a root table", file)
        if restricted.root_slots().stop > shared.root_slots().start:
            raise AssertionViolation("the restricted root slots lie below the shared ones", file)
        if restricted.references or restricted.unified is not None:
            raise AssertionViolation("the restricted part is in no unified space", file)
        if not restricted.has_empty_user_entries():
            raise AssertionViolation("the root entries of the restricted part are empty", file)

    def _must_be_created_restricted(self) -> bool:
        # arm64 as implemented only looks whether it is unified; the documentation asks for the role.
        return self.arch.asserts_restricted_role or self.system.has_switch("documented_roles")
