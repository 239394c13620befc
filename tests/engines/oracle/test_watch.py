"""The oracle beside a fuzzing run: what steps write into page tables is compared, and a fault in it is found and made small."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("unicorn", reason="needs the package unicorn: pip install 'vmaspace[oracle]'")

from vmaspace.checker.adapters.hardware import Mmu, Modes, Regime, mmu_for
from vmaspace.checker.adapters.touched import SAME_WALK, TouchingAdapter, touched
from vmaspace.checker.engines.fuzz.run import FuzzResult, fuzz
from vmaspace.checker.engines.oracle import Watch
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.report.verdict import Verdict
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.options import ExistingEntryAction
from vmaspace.model.flags import MMU_PERM_EXECUTE, MMU_PERM_READ, MMU_PERM_USER, ArchAspaceFlag
from vmaspace.model.status import ZX_OK, Status
from vmaspace.model.system import System

NUMBER = SAME_WALK.number


class WrongTables(ArchVmAspace):
    """A query takes what is executable for what is not, and the other way round."""

    __slots__ = ()

    def query(self, va: int) -> tuple[Status, int, int]:
        status, paddr, flags = super().query(va)
        return status, paddr, flags ^ MMU_PERM_EXECUTE


class WrongSystem(System):
    arch_aspace_class = WrongTables


def run(
    watch: Watch, system_class: type[System] = System, arch: str = "x86_64", steps: int = 400
) -> FuzzResult:
    contract = standard_contract()
    adapter = TouchingAdapter(contract, watch.judge, system_class)
    return fuzz(contract, lambda: adapter, seed=3, steps=steps, arches=[arch])


def of_the_oracle(result: FuzzResult) -> list[Verdict]:
    return [verdict for verdict in result.verdicts if verdict.property == NUMBER]


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "riscv64"])
def test_steps_of_the_model_agree(arch: str) -> None:
    watch = Watch()
    (verdict,) = of_the_oracle(run(watch, arch=arch))
    assert verdict.is_green
    counts = watch.counts()
    assert counts["by_arch"][arch] == counts["comparisons"] > 0


def test_a_reference_that_forgets_a_rule_is_found_and_made_small() -> None:
    def maker(regime: Regime, modes: Modes) -> Mmu:
        return replace(mmu_for(regime, modes), table_accessed=0)

    verdicts = of_the_oracle(run(Watch(maker)))
    assert verdicts and all(verdict.is_red for verdict in verdicts)
    (first, *_) = verdicts
    assert "\n    level " in first.reason and "emulator:" in first.reason
    assert first.trace is not None


def test_a_query_that_says_otherwise_than_hardware_is_found() -> None:
    verdicts = of_the_oracle(run(Watch(), WrongSystem))
    assert verdicts and all(verdict.is_red for verdict in verdicts)


def test_the_subject_is_the_class_that_was_given() -> None:
    adapter = TouchingAdapter(standard_contract(), lambda places: [], WrongSystem)
    assert adapter.subject.endswith(":WrongSystem")


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "riscv64"])
def test_pages_of_a_table_that_is_there_are_looked_at(arch: str) -> None:
    system = touched(System)(arch)
    tables = system.arch_aspace_class(system, 0x200000, 1 << 30, ArchAspaceFlag.NONE)
    assert tables.init() is ZX_OK
    page = system.pmm.allocate_page()
    assert page is not None
    flags = MMU_PERM_READ | MMU_PERM_USER
    assert tables.map(0x200000, [page.paddr], flags, ExistingEntryAction.ERROR) is ZX_OK
    for edit in (
        lambda: tables.map(0x205000, [page.paddr], flags, ExistingEntryAction.ERROR),
        lambda: tables.unmap(0x205000, 1),
    ):
        system.__dict__["touched"] = []
        assert edit() is ZX_OK
        assert (tables, 0x205000, 0) in system.__dict__["touched"]
