"""The comparisons themselves: all architectures, all kinds, nothing answered in two ways."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("unicorn", reason="needs the package unicorn: pip install 'vmaspace[oracle]'")

from vmaspace.checker.adapters.hardware import AccessKind, Modes, mmu_for
from vmaspace.checker.engines.oracle import ARCHES, Amount, run_oracle
from vmaspace.checker.engines.oracle.bench import Bench
from vmaspace.checker.engines.oracle.chain import EVERYTHING, FRAME, Chain
from vmaspace.checker.engines.oracle.machine import GENERAL_PROTECTION, Access, Machine
from vmaspace.checker.engines.oracle.matrix import MODES, TABLES_OF, compare_matrix
from vmaspace.checker.engines.oracle.model_tables import compare_model
from vmaspace.checker.engines.oracle.random_tables import compare_random
from vmaspace.checker.engines.oracle.run import COMPARISONS
from vmaspace.checker.engines.oracle.staleness import STALE, compare_stale
from vmaspace.checker.report.verdict import Kind

Benches = Callable[[str], Bench]
Machines = Callable[[str], Machine]


def assert_agrees(bench: Bench, at_least: int) -> None:
    assert not bench.difference_count, str(bench.differences[0])
    assert bench.count >= at_least


@pytest.mark.parametrize("arch", ARCHES)
def test_the_permission_matrix(arch: str, bench: Benches) -> None:
    made = bench(arch)
    compare_matrix(made, is_deep=False)
    assert_agrees(made, 10_000)


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("seed", [1, 2])
def test_random_tables(arch: str, seed: int, bench: Benches) -> None:
    made = bench(arch)
    compare_random(made, seed, 3_000)
    assert_agrees(made, 3_000)


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("seed", [1, 2])
def test_tables_of_the_model(arch: str, seed: int, bench: Benches) -> None:
    made = bench(arch)
    compare_model(made, seed, 3_000)
    assert_agrees(made, 3_000)


@pytest.mark.parametrize("arch", ARCHES)
def test_stale_translations(arch: str, bench: Benches) -> None:
    made = bench(arch)
    compare_stale(made, 1, 2_000)
    assert_agrees(made, 2_000)
    assert made.seen[STALE] > 0  # the emulator does remember


def test_every_architecture_and_kind_has_a_verdict() -> None:
    verdicts, counts, is_late = run_oracle(Amount(200), arches=["riscv64"])
    assert [verdict.id for verdict in verdicts] == [f"riscv64/{name}" for name in COMPARISONS]
    assert all(verdict.verdict is Kind.PASSED for verdict in verdicts) and not is_late
    assert all("comparisons," in verdict.scope and "a second" in verdict.scope for verdict in verdicts)
    rows = counts["comparisons"]
    assert rows["riscv64/random_tables"]["comparisons"] >= 200
    assert all(row["differences"] == 0 for row in rows.values())


def test_what_the_budget_leaves_out_is_undecided() -> None:
    verdicts, _, is_late = run_oracle(Amount(200), arches=["riscv64"], budget=1e-9)
    assert is_late and all(verdict.verdict is Kind.UNKNOWN for verdict in verdicts)


@pytest.mark.parametrize("arch", ARCHES)
def test_the_same_seed_compares_the_same(arch: str, bench: Benches) -> None:
    first, second = bench(arch), bench(arch)
    compare_random(first, 7, 500)
    compare_random(second, 7, 500)
    assert (first.count, first.explained) == (second.count, second.explained)


# --- what the emulated machines tell ----------------------------------------------------------------------------------


def _chain(machine: Machine) -> tuple[Chain, Modes]:
    regime, modes = TABLES_OF[machine.name][0], MODES[machine.name][0]
    chain = Chain(machine.arena, regime)
    chain.put(chain.path(0, EVERYTHING))
    return chain, modes


@pytest.mark.parametrize("arch", ARCHES)
def test_a_good_walk_is_granted_with_its_address(arch: str, machine: Machines) -> None:
    made = machine(arch)
    chain, modes = _chain(made)
    made.enter(chain.space(mmu_for(chain.regime, modes), modes), is_user=True)
    for kind in AccessKind:
        assert made.probe(chain.va, kind) == (FRAME + (chain.va & 0xFFF), None)


def test_x86_tells_the_error_code(machine: Machines) -> None:
    made = machine("x86_64")
    chain, modes = _chain(made)
    space = chain.space(mmu_for(chain.regime, modes), modes)
    chain.put({0: chain.path(0, EVERYTHING)[0] & ~2})
    made.enter(space, is_user=True)
    assert made.probe(chain.va, AccessKind.WRITE) == (None, 7)
    assert made.probe(chain.va + 0x1000, AccessKind.EXECUTE) == (None, 20)
    assert made.probe(1 << 47, AccessKind.READ) == (None, GENERAL_PROTECTION)


def test_arm64_tells_the_status_with_the_level(machine: Machines) -> None:
    made = machine("arm64")
    chain, modes = _chain(made)
    space = chain.space(mmu_for(chain.regime, modes), modes)
    accesses = [Access(kind, is_user) for kind in AccessKind for is_user in (False, True)]
    for level, status in ((3, 4), (2, 5), (1, 6), (0, 7)):
        chain.put({**chain.path(0, EVERYTHING), level: 0})
        assert made.explain(space, chain.va, accesses) == dict.fromkeys(accesses, status)


def test_x86_and_riscv64_write_accessed_and_dirty_bits(machine: Machines) -> None:
    for arch, bits in (("x86_64", 0x60), ("riscv64", 0xC0)):
        made = machine(arch)
        chain, modes = _chain(made)
        chain.put({0: chain.path(0, EVERYTHING)[0] & ~bits})
        made.enter(chain.space(mmu_for(chain.regime, modes), modes), is_user=True)
        made.probe(chain.va, AccessKind.READ)
        assert chain.entry(0) & bits == bits & -bits
        made.probe(chain.va, AccessKind.WRITE)
        assert chain.entry(0) & bits == bits
