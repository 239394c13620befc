"""Mutants of page-table entries: a wrong bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.arch import Arch
from vmaspace.model.arch.regime import Regime, shift_of
from vmaspace.model.flags import MMU_CACHE_MASK, MMU_PERM_EXECUTE, MMU_PERM_USER, MMU_PERM_WRITE


def with_regimes(arch: Arch, change: Callable[[Regime], Regime]) -> Arch:
    """A machine whose entries are others."""
    guest = None if arch.guest_tables is None else change(arch.guest_tables)
    return replace(
        arch, user_tables=change(arch.user_tables), kernel_tables=change(arch.kernel_tables), guest_tables=guest
    )


class WithEntries(System):
    """A machine whose entries are what `entries` makes of them."""

    @classmethod
    def machine(cls, name: str) -> Arch:
        return with_regimes(super().machine(name), cls.entries)

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        """The regime as this machine has it."""
        raise NotImplementedError


def _with_flags(regime: Regime, change: Callable[[int], int]) -> Regime:
    original = regime.leaf_bits
    return replace(regime, leaf_bits=lambda flags, level: original(change(flags), level))


@mutant
class NoExecuteIsForgotten(WithEntries):
    """Every leaf allows to execute."""

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        return _with_flags(regime, lambda flags: flags | MMU_PERM_EXECUTE)


@mutant
class EveryLeafIsWritable(WithEntries):
    """Every leaf allows to write."""

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        return _with_flags(regime, lambda flags: flags | MMU_PERM_WRITE)


@mutant
class NoLeafIsWritable(WithEntries):
    """No leaf allows to write."""

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        return _with_flags(regime, lambda flags: flags & ~MMU_PERM_WRITE)


@mutant
class EveryLeafIsTheUsers(WithEntries):
    """Every leaf is open to user mode."""

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        return _with_flags(regime, lambda flags: flags | MMU_PERM_USER)


@mutant
class CachePolicyIsForgotten(WithEntries):
    """Every leaf is of cached memory."""

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        return _with_flags(regime, lambda flags: flags & ~MMU_CACHE_MASK)


@mutant
class UserLeavesAreGlobal(WithEntries):
    """The leaves of user spaces are global, and stay in TLBs when the address space changes."""

    @classmethod
    def machine(cls, name: str) -> Arch:
        arch = System.machine(name)
        fixed = arch.kernel_tables.leaf_fixed
        return replace(arch, user_tables=replace(arch.user_tables, leaf_fixed=fixed))


@mutant
class TablesForbidToWrite(WithEntries):
    """A table entry does not let writes pass, on x86-64 and arm64, whatever the leaves below it say."""

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        if regime.leaf_flip:  # arm64: APTable[1]
            return replace(regime, table_fixed=regime.table_fixed | 1 << 62)
        return replace(regime, table_fixed=regime.table_fixed & ~(1 << 1))


@mutant
class TablesAreTheKernels(WithEntries):
    """A table entry does not let user mode pass, on x86-64 and arm64."""

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        if regime.leaf_flip:  # arm64: APTable[0]
            return replace(regime, table_fixed=regime.table_fixed | 1 << 61)
        return replace(regime, table_fixed=regime.table_fixed & ~(1 << 2))


@mutant
class SplitLosesPermissions(WithEntries):
    """The leaves that a large page is split into are those of a page that can only be read."""

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        def split(entry: int, level: int) -> int:
            return regime.leaf_bits(regime.mmu_flags(entry, level) & ~MMU_PERM_WRITE, level - 1) | regime.leaf_fixed

        return replace(regime, split_bits=split)


class _OnePageOn(Regime):
    """A regime whose splits are one page off."""

    def child_leaf(self, entry: int, level: int, index: int) -> int:
        moved = self.leaf_paddr(entry, level) + (index + 1 << shift_of(level - 1))
        return moved >> self.frame_shift | self.split_bits(entry, level)


@mutant
class SplitIsOnePageOff(WithEntries):
    """The leaves that a large page is split into lead one page too far."""

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        values = {name: getattr(regime, name) for name in regime.__dataclass_fields__}
        return _OnePageOn(**values)


@mutant
class ProtectNeverTakesAway(WithEntries):
    """A protection adds permissions, and takes none away."""

    @classmethod
    def entries(cls, regime: Regime) -> Regime:
        class Adding(Regime):
            def protected(self, entry: int, mmu_flags: int, level: int) -> int:
                both = mmu_flags | self.mmu_flags(entry, level)
                return Regime.protected(self, entry, both, level)

        return Adding(**{name: getattr(regime, name) for name in regime.__dataclass_fields__})
