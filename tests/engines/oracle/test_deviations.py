"""Every named deviation is really there: without its name the comparison fails, and with it the emulator answers just so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("unicorn", reason="needs the package unicorn: pip install 'vmaspace[oracle]'")

from vmaspace.checker.adapters.hardware import Modes, mmu_for
from vmaspace.checker.engines.oracle.bench import Bench
from vmaspace.checker.engines.oracle.chain import EVERYTHING, KERNELS, Chain
from vmaspace.checker.engines.oracle.deviations import DEVIATIONS
from vmaspace.checker.engines.oracle.machine import Machine
from vmaspace.checker.engines.oracle.matrix import MODES, TABLES_OF

Machines = Callable[[str], Machine]
Case = tuple[str, int, int, int, int, Modes | None]

# Deviation, leaf level, MMU flags, and the entry that is changed: its level, and the bits that are turned over.
CASES: list[Case] = [
    ("x86-huge-leaf-marked", 2, KERNELS, 2, 0, None),
    ("arm64-root-block", 3, EVERYTHING, 3, 0, None),
    ("arm64-block-low-bits", 1, EVERYTHING, 1, 1 << 13, None),
    ("arm64-block-low-bits", 2, EVERYTHING, 2, 1 << 25, None),
    ("arm64-any-address-size", 0, EVERYTHING, 0, 1 << 40, Modes(physical_bits=40)),
    ("riscv64-unchecked-bits", 0, EVERYTHING, 0, 1 << 62, None),
    ("riscv64-unchecked-bits", 0, EVERYTHING, 0, 1 << 54, None),
    ("riscv64-unchecked-bits", 0, EVERYTHING, 1, 1 << 4, None),
    ("riscv64-unchecked-bits", 0, EVERYTHING, 1, 1 << 6, None),
    ("riscv64-unchecked-bits", 0, EVERYTHING, 2, 1 << 7, None),
]


def test_every_deviation_has_a_case() -> None:
    assert {name for name, *_ in CASES} == {deviation.name for deviation in DEVIATIONS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-level-{case[3]}-{case[4]:#x}")
def test_a_deviation_is_there_and_is_what_is_said_of_it(case: Case, machine: Machines) -> None:
    name, leaf_level, flags, level, change, given = case
    (deviation,) = [each for each in DEVIATIONS if each.name == name]
    made = machine(deviation.arch)
    modes = given or MODES[deviation.arch][0]
    chain = Chain(made.arena, TABLES_OF[deviation.arch][0])
    entries = chain.path(leaf_level, flags)
    entries[level] ^= change
    chain.put(entries)
    space = chain.space(mmu_for(chain.regime, modes), modes)

    bare = Bench(made, ())
    bare.compare(space, chain.va)
    assert bare.difference_count, f"{name}: {deviation.sentence}, but not here"

    named = Bench(made, (deviation,))
    named.compare(space, chain.va)
    assert not named.difference_count, str(named.differences[0])
    assert set(named.explained) == {name}


def test_the_emulated_x86_has_40_bits_of_physical_addresses(machine: Machines) -> None:
    """Not a deviation: a width that a CPU may have. The comparisons run with it."""
    made = machine("x86_64")
    chain = Chain(made.arena, TABLES_OF["x86_64"][0])
    chain.put({**chain.path(0, EVERYTHING), 0: chain.path(0, EVERYTHING)[0] | 1 << 40})
    narrow, wide = Modes(physical_bits=40), Modes(physical_bits=48)
    bench = Bench(made)
    bench.compare(chain.space(mmu_for(chain.regime, narrow), narrow), chain.va)
    assert not bench.difference_count
    bench.compare(chain.space(mmu_for(chain.regime, wide), wide), chain.va)
    assert bench.difference_count


def test_a_table_where_no_memory_is_reads_as_zeros(machine: Machines) -> None:
    for arch in TABLES_OF:
        made = machine(arch)
        chain = Chain(made.arena, TABLES_OF[arch][0])
        chain.put({**chain.path(0, EVERYTHING), 1: chain.regime.table(0x20_0000_0000)})
        modes = MODES[arch][0]
        bench = Bench(made)
        bench.compare(chain.space(mmu_for(chain.regime, modes), modes), chain.va)
        assert not bench.difference_count, str(bench.differences[0])
