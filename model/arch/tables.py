"""The page tables of one address space, as bytes in physical memory.

Mirrors the fields of `X86PageTableBase`, `ArmArchVmAspace` and `Riscv64ArchVmAspace` (`zircon/kernel/arch/*/mmu*`), and what
their workers share: tables are allocated and given back, entries are written, counted and owed an invalidation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from vmaspace.model.arch.ids import UNUSED_ID
from vmaspace.model.arch.options import PLAIN, SHARED, UNIFIED
from vmaspace.model.arch.record import Arch
from vmaspace.model.arch.regime import ENTRIES, INDEX_MASK, SHIFTS, Regime, index_at, reach
from vmaspace.model.arch.shootdown import Shootdown
from vmaspace.model.arch.tlb import GLOBAL, Tag
from vmaspace.model.arch.walk import Step, walk
from vmaspace.model.constants import MAX_U64, PAGE_MASK, ByteSize, Paddr, Vaddr
from vmaspace.model.flags import ArchAspaceFlag
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import ZX_ERR_INVALID_ARGS, ZX_ERR_NOT_FOUND, ZX_OK, AssertionViolation, Status

if TYPE_CHECKING:
    from vmaspace.model.arch.aspace import ArchVmAspace
    from vmaspace.model.system import System

_STRETCH: Final = 64  # entries that are looked at at once
_NOTHING: Final = bytes(8 * _STRETCH)

AllocateTable = Callable[[], VmPage | None]


def present_in(words: memoryview, first: int, end: int) -> list[tuple[int, int]]:
    """The entries of a table that are present among the slots `[first, end)`: (slot, entry).

    Most tables hold little: a stretch that holds nothing is passed at once.
    """
    if end - first <= _STRETCH:
        return [(slot, entry) for slot, entry in enumerate(words[first:end].tolist(), first) if entry]
    found = []
    for at in range(first, end, _STRETCH):
        stretch = words[at : min(at + _STRETCH, end)]
        if stretch.tobytes() != _NOTHING[: stretch.nbytes]:
            found += [(slot, entry) for slot, entry in enumerate(stretch.tolist(), at) if entry]
    return found


class ArchTables:
    """Page tables: a root, and what hangs below it."""

    __slots__ = (
        "_leaf_bits", "_page_for", "accessed_since_check", "active_cpus", "allocate_table", "arch", "asid", "base",
        "dirty_cpus", "flags", "ignored_flags", "is_guest", "is_kernel", "kind", "last", "map_mark", "memory",
        "pt_pages", "references", "regime", "restricted", "root", "shared", "shootdown", "size", "system", "tlb",
        "unified", "updates_enabled",
    )  # fmt: skip

    def __init__(
        self,
        system: System,
        base: Vaddr,
        size: ByteSize,
        flags: ArchAspaceFlag,
        allocate_table: AllocateTable | None = None,
    ) -> None:
        self.system = system
        self.arch: Arch = system.arch
        self.memory = system.pmm
        self.tlb = system.tlb
        self.base = base
        self.size = size
        self.last = (base + size - 1) & MAX_U64  # the last byte; of an empty range at 0, which wraps, that of all memory
        self.flags = flags
        self.is_kernel = bool(flags & ArchAspaceFlag.KERNEL)
        self.is_guest = bool(flags & ArchAspaceFlag.GUEST)
        self.regime: Regime = self._regime()
        # What Map sets in every table entry that it goes through.
        self.map_mark = self.regime.table_accessed if self.arch.map_marks_tables else 0
        # The flags in which an entry may differ from a new one and still be the same.
        self.ignored_flags = self.regime.accessed | self.regime.dirty if self.arch.compares_without_flags else 0
        self.kind = PLAIN
        self.root: VmPage | None = None  # from a successful Init until Destroy
        self.asid = UNUSED_ID  # PCID, ASID or VMID
        self.pt_pages = 0  # the root and the tables below it that are this space's own
        self.references = 0  # unified tables that refer to this one
        self.shared: ArchVmAspace | None = None  # of a unified one: its parts
        self.restricted: ArchVmAspace | None = None
        self.unified: ArchVmAspace | None = None  # of a restricted one: the back pointer
        self.updates_enabled = True
        self.accessed_since_check = False
        self.active_cpus = 0  # a bit for each CPU that has these tables loaded
        self.dirty_cpus = -1  # a bit for each CPU that drops this space's translations before it loads the tables
        self.shootdown = Shootdown(self, self.arch.shootdown)
        self.allocate_table: AllocateTable = allocate_table or system.pmm.allocate_page
        self._page_for = system.pmm.page_for
        self._leaf_bits: dict[tuple[int, int], int] = {}

    def _regime(self) -> Regime:
        if self.is_kernel:
            return self.arch.kernel_tables
        guest = self.arch.guest_tables
        return guest if guest is not None and self.is_guest else self.arch.user_tables

    # Addresses.

    def is_valid_vaddr(self, va: Vaddr) -> bool:
        """Whether `va` lies in the range; for an empty range at 0, whose last byte wraps, always."""
        return self.base <= va <= self.last

    def root_slots(self) -> range:
        """The root slots of the range.

        As implemented, x86-64 leaves out the slot that the range ends inside (`documented_root_slots`).
        """
        arch, end = self.arch, self.base + self.size
        first, last = arch.root_slots(self.base, self.size)
        if (
            arch.forgets_last_partial_slot
            and end & (1 << arch.root_slot_shift) - 1
            and not self.system.has_switch("documented_root_slots")
        ):
            last -= 1
        return range(first, last + 1)

    def shows_in_unified(self, va: Vaddr) -> bool:
        """Whether the root slot of `va` is one that a unified root over this part shows."""
        slots = self.root_slots()
        return self.kind is not SHARED or va >> self.arch.root_slot_shift in slots

    @property
    def tag(self) -> Tag:
        """Under which translations of these tables stand in a TLB."""
        if self.is_kernel:
            return GLOBAL
        return ("VMID" if self.is_guest else self.arch.id_name, self.asid)

    def is_dirty_on(self, cpu: int) -> bool:
        """Whether a CPU drops what it holds before it loads these tables again."""
        return self.arch.marks_dirty and bool(self.dirty_cpus >> cpu & 1)

    def arch_table_phys(self) -> Paddr:
        """Where the root table is; 0 on riscv64, which does not tell.

        *Kernel:* `ArchVmAspace::arch_table_phys` (zircon/kernel/vm/include/vm/arch_vm_aspace.h)
        *Fails with:* nothing.
        """
        return 0 if self.root is None or not self.arch.tells_root else self.root.paddr

    # Tables.

    def new_table(self) -> VmPage | None:
        """A table of zeros; None when memory is out."""
        table = self.allocate_table()
        if table is not None:
            table.is_table = True
            table.num_mappings = 0
            self.pt_pages += 1
        return table

    def give_back(self, table: VmPage) -> None:
        """A table of this address space goes back to the allocator, after the TLB flush."""
        table.is_table = False
        self.pt_pages -= 1
        self.memory.free_page(table)

    def table_at(self, entry: int) -> VmPage:
        """The table that a table entry leads to."""
        page = self._page_for(self.regime.table_paddr(entry))
        if page is None or not page.is_table:
            raise AssertionViolation("a table entry leads to a page table", self.arch.mmu_file)
        return page

    def words_at(self, paddr: Paddr) -> memoryview:
        """The entries of the table at `paddr`."""
        page = self.memory.page_for(paddr)
        if page is None:
            raise AssertionViolation("a page table is in memory", self.arch.mmu_file)
        return page.words

    def owner(self, va: Vaddr) -> ArchTables:
        """The tables that hold the entry of `va`: unified ones show those of their constituents."""
        if self.kind is not UNIFIED:
            return self
        for part in (self.restricted, self.shared):
            if part is not None and part.base <= va < part.base + part.size:
                return part
        return self

    def own_root(self) -> VmPage:
        """The root table, which is there between Init and Destroy."""
        if self.root is None:
            raise AssertionViolation("page tables are used between Init and Destroy", self.arch.mmu_file)
        return self.root

    # Entries.

    def leaf_bits(self, mmu_flags: int, level: int) -> int:
        """What a leaf of these tables holds besides an address; remembered, as there are few."""
        key = mmu_flags, level
        bits = self._leaf_bits.get(key)
        if bits is None:
            regime = self.regime
            bits = self._leaf_bits[key] = regime.leaf_bits(mmu_flags, level) | regime.leaf_fixed
        return bits

    def set_entry(
        self, table: VmPage, slot: int, va: Vaddr, level: int, new: int, *, is_terminal: bool = True
    ) -> None:
        """Write an entry, count it, and queue the invalidation that the old one is owed."""
        words = table.words
        old = words[slot]
        if not old:
            words[slot] = new
            table.num_mappings += 1
            return
        if self.tlb.is_watching or self.is_kernel:
            self.tlb.entry_changes(self, table, va, level, old)
        words[slot] = new
        if not new:
            table.num_mappings -= 1
        self.shootdown.enqueue(va, level, old, is_terminal=is_terminal)

    # Looking.

    def entries_in(
        self, table: VmPage, level: int, low: Vaddr, high: Vaddr
    ) -> Sequence[tuple[int, int, Vaddr, Vaddr]]:
        """What is present in a table for `[low, high)`: (slot, entry, first and end of what of it is in the range).

        Entries are read now: what a caller changes further on is not seen.
        """
        words, shift = table.words, SHIFTS[level]
        if low >> shift == high - 1 >> shift:  # the range lies in one entry
            slot = low >> shift & INDEX_MASK
            entry = words[slot]
            return ((slot, entry, low, high),) if entry else ()
        span = 1 << shift
        start = low & ~(ENTRIES * span - 1)  # of the table
        high = min(high, start + ENTRIES * span)
        return [
            (slot, entry, max(low, start + slot * span), min(high, start + (slot + 1) * span))
            for slot, entry in present_in(words, index_at(low, level), index_at(high - 1, level) + 1)
        ]

    def walk(self, va: Vaddr) -> list[Step]:
        """The entries on the way to `va`, from the root on."""
        return [] if self.root is None else walk(self.regime, self.memory, self.root.paddr, va)

    def leaf_at(self, va: Vaddr) -> Step | None:
        """The leaf that `va` leads to; None when nothing is mapped."""
        steps = self.walk(va)
        return steps[-1] if steps and steps[-1].entry & self.regime.present else None

    def query(self, va: Vaddr) -> tuple[Status, Paddr, int]:
        """The physical address and the MMU flags at `va`, which need not be aligned.

        *Kernel:* `ArchVmAspace::Query` (zircon/kernel/arch/*/mmu*)
        *Fails with:* INVALID_ARGS (x86-64) outside the range; NOT_FOUND when nothing is mapped.
        *Asserts:* x86-64: not unified tables; elsewhere: inside the range; that the memory type is one that it makes.
        """
        if self.arch.asserts_unified_unedited and self.kind is UNIFIED:
            raise AssertionViolation("unified page tables are not queried", self.arch.mmu_file)
        if not self.is_valid_vaddr(va):
            return self.misuse("an address to be looked up lies in the range"), 0, 0
        step = self.leaf_at(va)
        if step is None:
            return ZX_ERR_NOT_FOUND, 0, 0
        level, entry, regime = step.level, step.entry, self.regime
        if not regime.is_known(entry, level):
            raise AssertionViolation("a leaf has a memory type that is made here", self.arch.mmu_file)
        paddr = regime.leaf_paddr(entry, level) | va & reach(level) - 1
        return ZX_OK, paddr, regime.mmu_flags(entry, level)

    def misuse(self, clause: str) -> Status:
        """What a bad address comes to: a refusal on x86-64, an assertion elsewhere."""
        if self.arch.asserts_valid_vaddr:
            raise AssertionViolation(clause, self.arch.mmu_file)
        return ZX_ERR_INVALID_ARGS

    def leaves(self) -> Iterator[tuple[Vaddr, Step]]:
        """Every leaf of this address space, with the first address that leads to it, in order.

        The kernel's half of a root that has one is not looked at, unless this is the kernel.
        """
        if self.root is not None:
            top = self.regime.top_level
            upper = MAX_U64 ^ (1 << self.regime.width) - 1 if self.is_kernel else 0
            # Above the last slot of a user's range stands what is not its own: the kernel's half, or a shared part.
            own = self.is_kernel or self.kind is UNIFIED
            slots = range(ENTRIES if own else index_at(self.base + self.size - 1, top) + 1)
            if self.kind is UNIFIED:
                slots = range(self.arch.user_root_slots)
            yield from self._leaves_below(self.root, top, upper, slots)

    def _leaves_below(
        self, table: VmPage, level: int, start: Vaddr, slots: range
    ) -> Iterator[tuple[Vaddr, Step]]:
        regime = self.regime
        for slot, entry in present_in(table.words, slots.start, slots.stop):
            va = start + slot * reach(level)
            if regime.is_leaf(entry, level):
                yield va, Step(level, table.paddr, slot, entry)
            else:
                below = self.table_at(entry)
                if below.num_mappings:
                    yield from self._leaves_below(below, level - 1, va, range(ENTRIES))

    def translations(self) -> Iterator[tuple[Vaddr, Paddr, int]]:
        """Everything that is mapped in these tables: (address, physical address, MMU flags) of each leaf, in order."""
        regime = self.regime
        for va, step in self.leaves():
            yield va, regime.leaf_paddr(step.entry, step.level), regime.mmu_flags(step.entry, step.level)

    def is_empty(self) -> bool:
        """Whether nothing is mapped in these tables."""
        return next(self.leaves(), None) is None

    def is_accessed(self, va: Vaddr) -> bool:
        """Whether the leaf of `va` has its accessed flag."""
        step = self.leaf_at(va & ~PAGE_MASK)
        return step is not None and bool(step.entry & self.regime.accessed)
