"""Mutants of TLB invalidation: one that is lost, or does not reach everyone that it must."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.arch import Arch
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.options import ArchAspaceKind
from vmaspace.model.arch.shootdown import Shootdown
from vmaspace.model.arch.tlb import Tag, Tlb
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import Status


class WithShootdown(System):
    """A machine that issues what `issue` makes of it."""

    @staticmethod
    def issued(owed: Shootdown, issue: Callable[[Shootdown], None]) -> None:
        """What this machine makes of what is owed; `issue` is what is right."""
        raise NotImplementedError

    @classmethod
    def machine(cls, name: str) -> Arch:
        arch = super().machine(name)
        original, changed = arch.shootdown.issue, cls.issued
        return replace(arch, shootdown=replace(arch.shootdown, issue=lambda owed: changed(owed, original)))


@mutant
class LastInvalidationIsLost(WithShootdown):
    """Of the invalidations that are queued, the last is not issued."""

    @staticmethod
    def issued(owed: Shootdown, issue: Callable[[Shootdown], None]) -> None:
        if owed.items and not owed.is_full:
            owed.items.pop()
        issue(owed)


@mutant
class EverythingIsForgotten(WithShootdown):
    """When a whole address space is to be invalidated, only what is in the queue is."""

    @staticmethod
    def issued(owed: Shootdown, issue: Callable[[Shootdown], None]) -> None:
        owed.is_full = False
        issue(owed)


@mutant
class UnifiedIdIsNotInvalidated(WithShootdown):
    """A restricted part invalidates its own id, and not that of its unified space (x86-64, riscv64)."""

    @staticmethod
    def issued(owed: Shootdown, issue: Callable[[Shootdown], None]) -> None:
        tables = owed.tables
        unified, tables.unified = tables.unified, None
        try:
            issue(owed)
        finally:
            tables.unified = unified


@mutant
class SharedPartInvalidatesItsOwnId(WithShootdown):
    """A shared part invalidates its own id, and not those of its unified spaces."""

    @staticmethod
    def issued(owed: Shootdown, issue: Callable[[Shootdown], None]) -> None:
        tables = owed.tables
        kind = tables.kind
        tables.kind = ArchAspaceKind.PLAIN if kind is ArchAspaceKind.SHARED else kind
        try:
            issue(owed)
        finally:
            tables.kind = kind


@mutant
class WalkCachesAreForgotten(WithShootdown):
    """Every invalidation is one of a leaf, and leaves walk caches alone (arm64)."""

    @staticmethod
    def issued(owed: Shootdown, issue: Callable[[Shootdown], None]) -> None:
        owed.items[:] = [(va, pages, True, is_global) for va, pages, _, is_global in owed.items]
        issue(owed)


class _Clean(ArchVmAspace):
    __slots__ = ()

    def is_dirty_on(self, cpu: int) -> bool:
        self.dirty_cpus = 0
        return False


@mutant
class DirtyMarksAreForgotten(System):
    """A CPU that is elsewhere is not told to drop the PCID of what has changed (x86-64)."""

    arch_aspace_class = _Clean


class _OneCpu(Tlb):
    __slots__ = ()

    def drop(self, cpu: int, **kw: Any) -> None:
        if cpu == 0:
            super().drop(cpu, **kw)


@mutant
class OnlyOneCpuInvalidates(System):
    """An invalidation is carried out on the first CPU alone."""

    tlb_class = _OneCpu


class _Local(Tlb):
    __slots__ = ()

    def drop(self, cpu: int, *, tag: Tag | None = None, va: int | None = None, pages: int = 1, **kw: Any) -> None:
        super().drop(cpu, tag=tag, va=va, pages=1, **kw)


@mutant
class RunsAreOnePage(System):
    """Of a run of pages, only the first is invalidated (riscv64)."""

    tlb_class = _Local


class _Quiet(ArchVmAspace):
    __slots__ = ()

    def _protect_in(self, *args: Any) -> Status:
        status = super()._protect_in(*args)
        self.shootdown.items.clear()
        return status


@mutant
class ProtectInvalidatesNothing(System):
    """A protection that takes permissions away leaves TLBs alone."""

    arch_aspace_class = _Quiet


class _NotBroken(ArchVmAspace):
    __slots__ = ()

    def _upgrade(
        self, table: VmPage, slot: int, va: int, new: int, *, is_straight: bool, is_same_page: bool
    ) -> None:
        self.set_entry(table, slot, va, 0, new)
        self.shootdown.items.clear()


@mutant
class NewPageWithoutABreak(System):
    """A leaf that comes to lead to another page is neither broken first nor invalidated."""

    arch_aspace_class = _NotBroken


class _HarvestsAlone(ArchVmAspace):
    __slots__ = ()

    def _harvest_leaf(self, *args: Any) -> None:
        before = list(self.shootdown.items)
        super()._harvest_leaf(*args)
        self.shootdown.items[:] = before


@mutant
class HarvestInvalidatesNothing(System):
    """A harvest clears accessed flags that CPUs go on to remember as set."""

    arch_aspace_class = _HarvestsAlone


class _Recycled(ArchVmAspace):
    __slots__ = ()

    def _make_root(self) -> Status:
        status = super()._make_root()
        self.dirty_cpus = 0
        return status


@mutant
class IdIsReusedWithoutAFlush(System):
    """An id goes to a new address space while CPUs may hold translations of the old one under it."""

    arch_aspace_class = _Recycled

    @classmethod
    def machine(cls, name: str) -> Arch:
        return replace(super().machine(name), flushes_at_destroy=False)
