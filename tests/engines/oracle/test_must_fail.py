"""Faults that are planted in the reference, in the model's entries and in its invalidations: each comparison sees its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

pytest.importorskip("unicorn", reason="needs the package unicorn: pip install 'vmaspace[oracle]'")

from vmaspace.checker.adapters.edited_tables import EditedTables
from vmaspace.checker.adapters.hardware import LEAF, Mmu, Modes, Regime, Stage, mmu_for
from vmaspace.checker.engines.oracle import bench as benches
from vmaspace.checker.engines.oracle.bench import Bench
from vmaspace.checker.engines.oracle.matrix import compare_matrix
from vmaspace.checker.engines.oracle.model_tables import compare_model
from vmaspace.checker.engines.oracle.random_tables import compare_random
from vmaspace.checker.engines.oracle.staleness import MISSING, compare_stale
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.regime import KERNEL_EXECUTE
from vmaspace.model.system import System

Benches = Callable[[str], Bench]
Change = Callable[[Mmu], Mmu]


@pytest.fixture(autouse=True)
def one_difference_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benches, "ENOUGH", 1)


def _stages(change: Callable[[Stage], Stage]) -> Change:
    return lambda mmu: replace(mmu, stages=tuple(change(stage) for stage in mmu.stages))


def _path(table_rights: Callable[[int, int], int]) -> Change:
    """table_rights: from the bits of a table entry and what they should give."""
    return lambda mmu: replace(
        mmu, table_rights={e: table_rights(e, right) for e, right in mmu.table_rights.items()}
    )


def _granting(bits: int) -> Change:
    return lambda mmu: replace(
        mmu, effective=tuple(left | bits & 0x3F if r & bits else left for r, left in enumerate(mmu.effective))
    )


def _leaf(change: Callable[[int], int]) -> Change:
    """change: of an entry, before its rights are read."""

    def changed(mmu: Mmu) -> Mmu:
        rights = mmu.regime.leaf_rights
        return replace(mmu, regime=replace(mmu.regime, leaf_rights=lambda entry: rights(change(entry))))

    return changed


def _root_like_others(mmu: Mmu) -> Mmu:
    root, *others = mmu.stages
    return replace(mmu, stages=(root._replace(classes=others[0].classes), *others))


def _last_level_01(stage: Stage) -> Stage:
    if stage.level:
        return stage
    return stage._replace(
        classes=tuple(LEAF if low & 3 == 1 else now for low, now in enumerate(stage.classes))
    )


def _write_only(stage: Stage) -> Stage:
    return stage._replace(
        classes=tuple(LEAF if low & 7 == 5 else now for low, now in enumerate(stage.classes))
    )


def _misaligned(stage: Stage) -> Stage:
    return stage._replace(leaf_reserved=stage.leaf_reserved & ~((1 << 54) - 1))


def _code(mmu: Mmu, lost: int) -> Mmu:
    """The code of a fault without some bits."""
    encode = mmu.encode
    return replace(mmu, encode=lambda *arguments: encode(*arguments) & ~lost)


# What the reference forgets, by architecture.
PLANTED: list[tuple[str, str, Change]] = [
    ("x86_64", "NX of a table entry", _path(lambda entry, right: right | 0x20 | (right & 1) << 2)),
    ("x86_64", "U of a table entry", _path(lambda entry, right: right | right >> 3)),
    ("x86_64", "W of a table entry", _path(lambda entry, right: right | (right & 9) << 1)),
    ("x86_64", "NX of a leaf", _leaf(lambda entry: entry & ~(1 << 63))),
    ("x86_64", "reserved bits of a leaf", _stages(lambda stage: stage._replace(leaf_reserved=0))),
    ("x86_64", "reserved bits of a table entry", _stages(lambda stage: stage._replace(table_reserved=0))),
    ("x86_64", "PS at the root", _root_like_others),
    ("x86_64", "the accessed bit of tables", lambda mmu: replace(mmu, table_accessed=0)),
    ("x86_64", "the dirty bit", lambda mmu: replace(mmu, leaf_dirty=0)),
    ("x86_64", "SMEP", _granting(KERNEL_EXECUTE)),
    ("x86_64", "the bit of a fetch in the error code", lambda mmu: _code(mmu, 16)),
    ("arm64", "PXN of a leaf", _leaf(lambda entry: entry & ~(1 << 53))),
    ("arm64", "UXNTable", _path(lambda entry, right: right | 4)),
    ("arm64", "APTable[1]", _path(lambda entry, right: right | (right & 9) << 1)),
    ("arm64", "APTable[0]", _path(lambda entry, right: right | 1)),
    ("arm64", "what a user writes, the kernel does not execute", _granting(KERNEL_EXECUTE)),
    ("arm64", "the access flag", lambda mmu: replace(mmu, leaf_accessed=0)),
    ("arm64", "01 in the last level", _stages(_last_level_01)),
    ("arm64", "the level in the status", lambda mmu: _code(mmu, 3)),
    ("riscv64", "U of a leaf", _leaf(lambda entry: entry | 1 << 4)),
    ("riscv64", "X of a leaf", _leaf(lambda entry: entry | 1 << 3)),
    ("riscv64", "the kernel does not execute a user's page", _granting(KERNEL_EXECUTE)),
    ("riscv64", "an aligned large page", _stages(_misaligned)),
    ("riscv64", "writable and not readable", _stages(_write_only)),
    ("riscv64", "the accessed bit", lambda mmu: replace(mmu, leaf_accessed=0)),
    ("riscv64", "hardware sets the bits", lambda mmu: replace(mmu, sets_flags=False)),
]


@pytest.mark.parametrize(
    ("arch", "what", "change"), PLANTED, ids=[f"{arch}: {what}" for arch, what, _ in PLANTED]
)
def test_a_reference_that_forgets_a_rule_is_caught(
    arch: str, what: str, change: Change, bench: Benches
) -> None:
    def maker(regime: Regime, modes: Modes) -> Mmu:
        return change(mmu_for(regime, modes))

    made = bench(arch)
    compare_matrix(made, is_deep=False, maker=maker)
    assert made.difference_count, what
    first = str(made.differences[0])
    assert "\n    level " in first and "reference:" in first and "emulator:" in first


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "riscv64"])
def test_random_tables_see_an_address_that_should_be_none(arch: str, bench: Benches) -> None:
    def maker(regime: Regime, modes: Modes) -> Mmu:
        mmu = mmu_for(regime, modes)
        return replace(mmu, canonical_shift=63, canonical_tops=(0, 1))

    made = bench(arch)
    compare_random(made, 3, 6_000, maker)
    assert made.difference_count


# --- the model's entries ----------------------------------------------------------------------------------------------

# A bit of a new leaf that is wrong, by architecture: set where it should be clear, or clear where it should be set.
WRONG_BITS = {"x86_64": 1 << 63, "arm64": 1 << 54, "riscv64": 1 << 3}


@pytest.mark.parametrize("arch", WRONG_BITS)
def test_a_codec_that_gets_execution_wrong_is_caught(arch: str, bench: Benches) -> None:
    """The reference and the emulator agree about the entry, which is not what was asked for."""

    class WrongTables(EditedTables):
        def __init__(self, *args: Any, **kw: Any) -> None:
            super().__init__(*args, **kw)
            tables = self._tables
            right = tables.regime.leaf_bits
            flips = WRONG_BITS[arch]
            tables.regime = replace(tables.regime, leaf_bits=lambda flags, level: right(flags, level) ^ flips)

    made = bench(arch)
    compare_model(made, 1, 3_000, WrongTables)
    assert made.difference_count
    assert "asked for" in str(made.differences[0])


# --- invalidations ----------------------------------------------------------------------------------------------------


def _lost(aspace: ArchVmAspace) -> None:
    """Of what is owed, nothing is issued."""
    aspace.shootdown.rules = replace(aspace.shootdown.rules, issue=lambda owed: None)


class ForgetfulTables(ArchVmAspace):
    """Page tables that never invalidate."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        _lost(self)


class ForgetfulSystem(System):
    arch_aspace_class = ForgetfulTables


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "riscv64"])
def test_a_missing_invalidation_shows_in_both_tlbs(arch: str, bench: Benches) -> None:
    class Forgetful(EditedTables):
        def __init__(self, arch: str, random: Random, **kw: Any) -> None:
            super().__init__(arch, random, system_class=ForgetfulSystem, **kw)

    made = bench(arch)
    compare_stale(made, 1, 1_000, Forgetful)
    assert made.difference_count
    assert made.seen[MISSING] == made.difference_count  # the model's TLB says the same of each
    assert "reports the missing invalidation" in str(made.differences[0])
