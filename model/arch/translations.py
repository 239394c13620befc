"""What is mapped where: an abstract map from pages to pages behind the interface of the page tables.

Mirrors `ArchVmAspace::Map`, `MapContiguous`, `Unmap`, `Protect` and `Query` (`zircon/kernel/arch/*/mmu*`, interface in
`zircon/kernel/vm/include/vm/arch_vm_aspace.h`): checks in each machine's order, existing-entry actions, roll-back.
Entries stand in last-level tables of 512 pages, which come and go with what is in them.

Does not model the levels above, large pages, or the bytes of an entry: MMU flags come back as they were given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Final

from vmaspace.model.arch.record import UnmapHarvest
from vmaspace.model.constants import MAX_U64, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, ByteSize, Paddr, Vaddr
from vmaspace.model.flags import (
    MMU_CACHE_MASK,
    MMU_PERM_EXECUTE,
    MMU_PERM_READ,
    MMU_PERM_WRITE,
    ArchAspaceFlag,
)
from vmaspace.model.status import (
    ZX_ERR_ALREADY_EXISTS,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NOT_FOUND,
    ZX_OK,
    AssertionViolation,
    Status,
)

if TYPE_CHECKING:
    from vmaspace.model.physical_memory import VmPage
    from vmaspace.model.system import System

TABLE_SHIFT: Final = 21  # log2 of the bytes that one last-level table reaches
TABLE_MASK: Final = (1 << TABLE_SHIFT) - 1
_INDEX_MASK: Final = (1 << (TABLE_SHIFT - PAGE_SHIFT)) - 1

# An entry is one number: the physical page, and below it the MMU flags and the accessed flag.
ENTRY_FLAGS: Final = 0xFF
ENTRY_ACCESSED: Final = 1 << 8


class ExistingEntryAction(IntEnum):
    """`ExistingEntryAction`: what a mapping does where something is mapped."""

    SKIP = 0
    ERROR = 1
    UPGRADE = 2


class ArchUnmapOptions(IntFlag):
    """`ArchUnmapOptions`: what else an unmap may touch, and whether accessed flags are reported on the way."""

    NONE = 0
    ENLARGE = 1 << 0
    HARVEST = 1 << 1


class LastLevelTable:
    """The entries of 2 MiB of addresses, by page."""

    __slots__ = ("entries", "is_accessed", "page")

    def __init__(self, page: VmPage) -> None:
        self.page = page
        self.entries: dict[int, int] = {}
        self.is_accessed = False  # of the entry that leads here


class ArchTranslations:
    """The page tables of one address space, as what is mapped."""

    __slots__ = ("accessed_since_check", "arch", "base", "flags", "size", "system", "tables", "updates_enabled")

    def __init__(self, system: System, base: Vaddr, size: ByteSize, flags: ArchAspaceFlag) -> None:
        self.system = system
        self.arch = system.arch
        self.base = base
        self.size = size
        self.flags = flags
        self.tables: dict[int, LastLevelTable] = {}  # by address >> TABLE_SHIFT
        self.updates_enabled = True
        self.accessed_since_check = False

    def is_valid_vaddr(self, va: Vaddr) -> bool:
        """Whether `va` lies in the range; for an empty range at 0, whose last byte wraps, always."""
        return self.base <= va <= (self.base + self.size - 1) & MAX_U64

    def owner(self, va: Vaddr) -> ArchTranslations:
        """The tables that hold the entry of `va`: these, but for unified ones."""
        return self

    def entry(self, va: Vaddr) -> int:
        """The entry of `va`; 0 when nothing is mapped there."""
        table = self.owner(va).tables.get(va >> TABLE_SHIFT)
        return 0 if table is None else table.entries.get(va >> PAGE_SHIFT & _INDEX_MASK, 0)

    def mapped_pages(self) -> int:
        """How many pages are mapped in these tables."""
        return sum(len(table.entries) for table in self.tables.values())

    def translations(self) -> Iterator[tuple[Vaddr, Paddr, int]]:
        """Everything that is mapped in these tables: (address, physical page, MMU flags), in no order."""
        for key, table in self.tables.items():
            for index, entry in table.entries.items():
                yield (
                    key << TABLE_SHIFT | index << PAGE_SHIFT,
                    entry & ~PAGE_MASK,
                    entry & ENTRY_FLAGS,
                )

    # Mapping.

    def map(self, va: Vaddr, paddrs: Sequence[Paddr], mmu_flags: int, action: ExistingEntryAction) -> Status:
        """Map the pages from `va` on to `paddrs`, one by one.

        *Kernel:* `ArchVmAspace::Map` (zircon/kernel/arch/*/mmu*)
        *Fails with:* INVALID_ARGS for a misaligned or foreign address, without READ, and (but on x86-64) for EXECUTE
        with a cache policy; NO_MEMORY for a table; ALREADY_EXISTS with ERROR. Of the given pages none is mapped
        then; with SKIP and UPGRADE what was there before may be gone too.
        *Asserts:* (but on x86-64) an aligned address in the range and aligned pages; x86-64: not unified tables;
        arm64: updates are enabled.
        """
        for paddr in paddrs:
            if paddr & PAGE_MASK:
                return self._misuse("pages are aligned")
        status = self._check_edit(va, mmu_flags)
        if status is not ZX_OK or not paddrs:
            return status
        self.accessed_since_check = True
        at = va
        for paddr in paddrs:
            status = self._map_page(at, paddr | mmu_flags, action)
            if status is not ZX_OK:
                self._remove(va, (at - va) >> PAGE_SHIFT)
                return status
            at += PAGE_SIZE
        return ZX_OK

    def map_contiguous(self, va: Vaddr, paddr: Paddr, count: int, mmu_flags: int) -> Status:
        """Map `count` pages from `va` on to a run of physical pages.

        *Kernel:* `ArchVmAspace::MapContiguous` (zircon/kernel/arch/*/mmu*)
        *Fails with:* as `map` with ERROR.
        *Asserts:* as `map`.
        """
        paddrs = range(paddr, paddr + (count << PAGE_SHIFT), PAGE_SIZE)
        return self.map(va, paddrs, mmu_flags, ExistingEntryAction.ERROR)

    def _map_page(self, va: Vaddr, entry: int, action: ExistingEntryAction) -> Status:
        table = self.tables.get(va >> TABLE_SHIFT)
        if table is None:
            page = self.system.pmm.allocate_page()
            if page is None:
                return ZX_ERR_NO_MEMORY
            table = self.tables[va >> TABLE_SHIFT] = LastLevelTable(page)
        if self.arch.map_marks_tables:
            table.is_accessed = True
        index = va >> PAGE_SHIFT & _INDEX_MASK
        old = table.entries.get(index, 0)
        if not old:
            table.entries[index] = entry
            return ZX_OK
        if action is ExistingEntryAction.ERROR:
            return ZX_ERR_ALREADY_EXISTS
        is_same_page = old & ~PAGE_MASK == entry & ~PAGE_MASK
        # An upgrade never lowers what one page allows.
        if action is ExistingEntryAction.UPGRADE and not (is_same_page and not entry & MMU_PERM_WRITE):
            table.entries[index] = entry | (old & ENTRY_ACCESSED if is_same_page else 0)
        return ZX_OK

    # Unmapping and protecting.

    def unmap(self, va: Vaddr, count: int, options: ArchUnmapOptions = ArchUnmapOptions.NONE) -> Status:
        """Take away what is mapped in `count` pages from `va` on; holes are fine.

        *Kernel:* `ArchVmAspace::Unmap` (zircon/kernel/arch/*/mmu*)
        *Fails with:* INVALID_ARGS (x86-64) for an address that is misaligned or outside the range.
        *Asserts:* (but on x86-64) the same; x86-64: not unified tables; arm64: updates are enabled.
        """
        status = self._check_edit(va, MMU_PERM_READ)
        if status is ZX_OK:
            self._remove(va, count, bool(options & ArchUnmapOptions.HARVEST))
        return status

    def protect(
        self, va: Vaddr, count: int, mmu_flags: int, options: ArchUnmapOptions = ArchUnmapOptions.NONE
    ) -> Status:
        """Change the flags of what is mapped in `count` pages from `va` on; holes are skipped.

        *Kernel:* `ArchVmAspace::Protect` (zircon/kernel/arch/*/mmu*)
        *Fails with:* INVALID_ARGS for an address that is misaligned or outside the range, without READ, and (but on
        x86-64) for EXECUTE with a cache policy.
        *Asserts:* x86-64: not unified tables; arm64: updates are enabled.
        """
        if not self.is_valid_vaddr(va) or va & PAGE_MASK:
            return ZX_ERR_INVALID_ARGS
        status = self._check_edit(va, mmu_flags)
        if status is not ZX_OK:
            return status
        if self.arch.unmaps_guests_to_protect and self.flags & ArchAspaceFlag.GUEST:
            return self.unmap(va, count, ArchUnmapOptions.ENLARGE)
        for _, table, first, last in self.tables_in_range(va, count):
            for index in _indices(table.entries, first, last):
                table.entries[index] = table.entries[index] & ~ENTRY_FLAGS | mmu_flags
        return ZX_OK

    def _remove(self, va: Vaddr, count: int, harvests: bool = False) -> None:
        for key, table, first, last in self.tables_in_range(va, count):
            for index in _indices(table.entries, first, last):
                entry = table.entries.pop(index)
                if harvests:
                    self._report_removed(entry)
            if not table.entries:
                self.free_table(key)

    def _report_removed(self, entry: int) -> None:
        harvest = self.arch.unmap_harvest
        if harvest is UnmapHarvest.EVERYTHING or (
            harvest is UnmapHarvest.ACCESSED and entry & ENTRY_ACCESSED
        ):
            self.report_accessed(entry)

    def report_accessed(self, entry: int) -> bool:
        """Tell the page queues that a page was accessed; False for device memory, which has no age."""
        page = self.system.pmm.page_for(entry & ~PAGE_MASK)
        if page is None or not page.is_allocated or page is self.system.pmm.zero_page:
            return False
        self.system.page_queues.mark_accessed(page)
        return True

    def free_table(self, key: int) -> None:
        """Give a table back, with all that is in it."""
        self.system.pmm.free_page(self.tables.pop(key).page)

    def tables_in_range(self, va: Vaddr, count: int) -> Iterator[tuple[int, LastLevelTable, int, int]]:
        """The tables that `count` pages from `va` on meet, each with the first and last index that they cover.

        It costs what is there, or what is asked for, whichever is less.
        """
        if count <= 0 or not self.tables:
            return
        last_va = va + (count << PAGE_SHIFT) - 1
        low, high = va >> TABLE_SHIFT, last_va >> TABLE_SHIFT
        keys: Sequence[int] = range(low, high + 1)
        if len(keys) > len(self.tables):
            keys = sorted(key for key in self.tables if low <= key <= high)
        for key in keys:
            table = self.tables.get(key)
            if table is not None:
                first = va >> PAGE_SHIFT & _INDEX_MASK if key == low else 0
                last = last_va >> PAGE_SHIFT & _INDEX_MASK if key == high else _INDEX_MASK
                yield key, table, first, last

    # Looking.

    def query(self, va: Vaddr) -> tuple[Status, Paddr, int]:
        """The physical address and the MMU flags at `va`, which need not be aligned.

        *Kernel:* `ArchVmAspace::Query` (zircon/kernel/arch/*/mmu*)
        *Fails with:* INVALID_ARGS (x86-64) outside the range; NOT_FOUND when nothing is mapped.
        *Asserts:* (but on x86-64) inside the range.
        """
        if not self.is_valid_vaddr(va):
            return self._misuse("an address to be looked up lies in the range"), 0, 0
        entry = self.entry(va)
        if not entry:
            return ZX_ERR_NOT_FOUND, 0, 0
        return ZX_OK, entry & ~PAGE_MASK | va & PAGE_MASK, entry & ENTRY_FLAGS

    def pick_spot(self, base: Vaddr) -> Vaddr:
        """Where a region would go that was to go to `base`: the next page.

        *Kernel:* `ArchVmAspace::PickSpot` (zircon/kernel/arch/*/mmu*)
        *Fails with:* nothing.
        """
        return (base + PAGE_MASK) & ~PAGE_MASK

    # Checks.

    def is_editable(self) -> bool:
        """Whether these tables may be edited directly."""
        return True

    def _check_edit(self, va: Vaddr, mmu_flags: int) -> Status:
        """The checks that every edit begins with."""
        arch = self.arch
        if arch.asserts_unified_unedited and not self.is_editable():
            raise AssertionViolation("unified page tables are not edited directly", arch.mmu_file)
        if not self.is_valid_vaddr(va):
            return self._misuse("an edit starts in the range of the page tables")
        if va & PAGE_MASK:
            return self._misuse("an edit starts at a page")
        if not mmu_flags & MMU_PERM_READ:
            return ZX_ERR_INVALID_ARGS
        if arch.refuses_uncached_code and mmu_flags & MMU_PERM_EXECUTE and mmu_flags & MMU_CACHE_MASK:
            return ZX_ERR_INVALID_ARGS
        if arch.asserts_updates_enabled and not self.updates_enabled:
            raise AssertionViolation("page tables are not edited once updates are disabled", arch.mmu_file)
        return ZX_OK

    def _misuse(self, clause: str) -> Status:
        """What a bad address comes to: a refusal on x86-64, an assertion elsewhere."""
        if self.arch.asserts_valid_vaddr:
            raise AssertionViolation(clause, self.arch.mmu_file)
        return ZX_ERR_INVALID_ARGS



def _indices(entries: dict[int, int], first: int, last: int) -> list[int]:
    """The indices that are in use, from `first` to `last`."""
    if last - first < len(entries):
        return [index for index in range(first, last + 1) if index in entries]
    return sorted(index for index in entries if first <= index <= last)
