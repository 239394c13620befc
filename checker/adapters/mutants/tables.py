"""Mutants of page tables: edits that leave something behind, or take too much."""

from __future__ import annotations

from typing import Any

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.cursor import MappingCursor
from vmaspace.model.arch.ids import IdAllocator
from vmaspace.model.arch.options import ArchAspaceKind, ExistingEntryAction
from vmaspace.model.constants import PAGE_SIZE
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import ZX_OK, Status


class _Kept(ArchVmAspace):
    __slots__ = ()

    def unlink(self, table: VmPage, below: VmPage, slot: int, va: int, level: int) -> None:
        pass


@mutant
class EmptyTablesStay(System):
    """A table that an unmap has emptied stays where it hangs."""

    arch_aspace_class = _Kept


class _Leaking(ArchVmAspace):
    __slots__ = ()

    def unlink(self, table: VmPage, below: VmPage, slot: int, va: int, level: int) -> None:
        self.pt_pages -= 1
        if level == self.regime.top_level:
            self._propagate(slot, va, 0)
        self.set_entry(table, slot, va, level, 0, is_terminal=False)


@mutant
class TablePagesLeak(System):
    """A table that is taken out is not given back."""

    arch_aspace_class = _Leaking


class _Dangling(ArchVmAspace):
    __slots__ = ()

    def unlink(self, table: VmPage, below: VmPage, slot: int, va: int, level: int) -> None:
        if level < self.regime.top_level:
            self.shootdown.free(below)
        else:
            super().unlink(table, below, slot, va, level)


@mutant
class FreedTableIsStillLinked(System):
    """A table is given back while the entry above still leads to it."""

    arch_aspace_class = _Dangling


class _Impatient(ArchVmAspace):
    __slots__ = ()

    def unlink(self, table: VmPage, below: VmPage, slot: int, va: int, level: int) -> None:
        if level == self.regime.top_level:
            self._propagate(slot, va, 0)
        self.set_entry(table, slot, va, level, 0, is_terminal=False)
        self.give_back(below)


@mutant
class TableIsFreedBeforeTheFlush(System):
    """A table is given back before the invalidations that its removal owes."""

    arch_aspace_class = _Impatient


class _Miscounting(ArchVmAspace):
    __slots__ = ()

    def _unmap_pages(self, table: VmPage, *rest: Any) -> None:
        count = table.num_mappings
        super()._unmap_pages(table, *rest)
        table.num_mappings = count


@mutant
class RemovalsAreNotCounted(System):
    """A table goes on counting the entries that were taken away."""

    arch_aspace_class = _Miscounting


class _FirstPageStays(ArchVmAspace):
    __slots__ = ()

    def _unmap_in(self, table: VmPage, level: int, low: int, high: int, *rest: Any) -> Status:
        is_root = level == self.regime.top_level
        skipped = low + PAGE_SIZE if is_root and high - low > PAGE_SIZE else low
        return super()._unmap_in(table, level, skipped, high, *rest)


@mutant
class UnmapSkipsTheFirstPage(System):
    """An unmap of several pages leaves the entry of the first."""

    arch_aspace_class = _FirstPageStays


class _OneTableOnly(ArchVmAspace):
    __slots__ = ()

    def _protect_in(self, table: VmPage, level: int, low: int, high: int, *rest: Any) -> Status:
        if level == self.regime.top_level and high - low > PAGE_SIZE:
            high -= PAGE_SIZE
        return super()._protect_in(table, level, low, high, *rest)


@mutant
class ProtectStopsOnePageShort(System):
    """A protection of several pages leaves the entry of the last."""

    arch_aspace_class = _OneTableOnly


class _NoWayBack(ArchVmAspace):
    __slots__ = ()

    def _map_all(self, cursor: MappingCursor, mmu_flags: int, action: ExistingEntryAction) -> Status:
        self.accessed_since_check = True
        status = self._map_run(cursor, mmu_flags, action)
        self.shootdown.finish()
        return status


@mutant
class FailedMapIsNotRolledBack(System):
    """A mapping that fails half way leaves what it has made."""

    arch_aspace_class = _NoWayBack


class _Careless(ArchVmAspace):
    __slots__ = ()

    def _map_run(self, cursor: MappingCursor, mmu_flags: int, action: ExistingEntryAction) -> Status:
        status = super()._map_run(cursor, mmu_flags, action)
        if status is not ZX_OK and cursor.va != cursor.start:
            cursor.va -= PAGE_SIZE
        return status


@mutant
class RollBackStopsShort(System):
    """A failed mapping takes back all but what was made for its last page."""

    arch_aspace_class = _Careless


class _Uncounted(ArchVmAspace):
    __slots__ = ()

    def _split(self, table: VmPage, slot: int, va: int, level: int) -> Status:
        status = super()._split(table, slot, va, level)
        if status is ZX_OK:
            self.table_at(table.words[slot]).num_mappings = 1
        return status


@mutant
class SplitIsNotCounted(System):
    """The table that a large page is split into counts one entry."""

    arch_aspace_class = _Uncounted


class _Whole(ArchVmAspace):
    __slots__ = ()

    def _split(self, table: VmPage, slot: int, va: int, level: int) -> Status:
        return ZX_OK


@mutant
class LargePagesAreNotSplit(System):
    """An edit of a part of a large page changes all of it."""

    arch_aspace_class = _Whole


# Roots and ids.


class _Silent(ArchVmAspace):
    __slots__ = ()

    def _propagate(self, slot: int, va: int, new: int) -> None:
        if not new:
            super()._propagate(slot, va, new)


@mutant
class NewRootEntryIsNotPropagated(System):
    """A root entry that a restricted part gains does not reach its unified root (x86-64, riscv64)."""

    arch_aspace_class = _Silent


class _Remembering(ArchVmAspace):
    __slots__ = ()

    def _propagate(self, slot: int, va: int, new: int) -> None:
        if new:
            super()._propagate(slot, va, new)


@mutant
class LostRootEntryIsNotPropagated(System):
    """A root entry that a restricted part loses stays in its unified root (x86-64, riscv64)."""

    arch_aspace_class = _Remembering


class _OneSlotShort(ArchVmAspace):
    __slots__ = ()

    def init_unified(self, shared: ArchVmAspace, restricted: ArchVmAspace) -> Status:
        status = super().init_unified(shared, restricted)
        slots = shared.root_slots()
        if status is ZX_OK and slots:
            self.own_root().words[slots[-1]] = 0
        return status


@mutant
class LastSharedSlotIsNotCopied(System):
    """A unified root lacks the last root entry of its shared part."""

    arch_aspace_class = _OneSlotShort


class _UserHalfOnly(ArchVmAspace):
    __slots__ = ()

    def _make_root(self) -> Status:
        status = super()._make_root()
        if self.root is not None and self.arch.aliases_kernel_half:
            self.root.words[self.arch.user_root_slots :] = memoryview(bytes(8 * self.arch.user_root_slots)).cast("Q")
        return status


@mutant
class KernelHalfIsNotAliased(System):
    """A root lacks the kernel's entries (x86-64, riscv64)."""

    arch_aspace_class = _UserHalfOnly


class _Forgetful(IdAllocator):
    __slots__ = ()

    def allocate(self) -> tuple[Status, int]:
        status, number = super().allocate()
        self._used.discard(number)
        return status, number


@mutant
class IdIsGivenOutTwice(System):
    """The allocator of ids does not remember what it has given out."""

    id_allocator_class = _Forgetful


class _Miser(IdAllocator):
    __slots__ = ()

    def free(self, number: int) -> Status:
        return ZX_OK


@mutant
class IdsAreNotGivenBack(System):
    """The id of an address space that is gone stays taken."""

    id_allocator_class = _Miser


class _SharedTablesGo(ArchVmAspace):
    __slots__ = ()

    def keeps_root_table(self, slot: int) -> bool:
        return self.kind is not ArchAspaceKind.SHARED and super().keeps_root_table(slot)


@mutant
class SharedRootTableIsFreed(System):
    """An empty table below a shared root is given back, though unified roots lead to it."""

    arch_aspace_class = _SharedTablesGo
