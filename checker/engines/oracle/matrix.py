"""The permission matrix: every bit of every entry of a walk, and every combination of those that say who may do what.

Each is compared for reads, writes and fetches by both privileges, under the modes that change what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

from vmaspace.checker.adapters.hardware import TABLES_OF, Mmu, Modes, Regime, mmu_for
from vmaspace.checker.engines.oracle.bench import Bench
from vmaspace.checker.engines.oracle.chain import EVERYTHING, KERNELS, Chain

MmuMaker = Callable[[Regime, Modes], Mmu]

# The emulated x86-64 has physical addresses of 40 bits, whatever CPU it is.
_X86, _A64, _RV = Modes(physical_bits=40), Modes(), Modes(svpbmt=False)
_X86_BARE = replace(_X86, smep=False, smap=False)

# The modes that are tried, by architecture; those that Zircon runs with first.
MODES: Final[dict[str, tuple[Modes, ...]]] = {
    "x86_64": (
        _X86,
        _X86_BARE,
        replace(_X86, ac=True),
        replace(_X86_BARE, wp=False),
        replace(_X86_BARE, nxe=False),
        replace(_X86, nxe=False),
        replace(_X86, smap=False),
    ),
    "arm64": (
        _A64,
        replace(_A64, wxn=True),
        replace(_A64, pan=True),
        replace(_A64, tbi=False, user_bits=47),
        replace(_A64, physical_bits=40),
    ),
    "riscv64": (_RV, replace(_RV, sum=True), replace(_RV, mxr=True), replace(_RV, sum=True, mxr=True)),
}

# Bits that say who may do what: of a table entry, and of a leaf.
_PERMISSIONS: Final[dict[str, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "x86_64": ((1 << 1, 1 << 2, 1 << 63), (1 << 1, 1 << 2, 1 << 63)),
    "arm64": ((1 << 59, 1 << 60, 1 << 61, 1 << 62), (1 << 6, 1 << 7, 1 << 10, 1 << 53, 1 << 54)),
    "riscv64": ((), tuple(1 << bit for bit in range(1, 8))),
}


def leaf_levels(regime: Regime) -> Sequence[int]:
    """At which levels a leaf can be."""
    return range(regime.top_level + 1) if regime.name.startswith("riscv64") else range(3)


def compare_matrix(bench: Bench, *, is_deep: bool, maker: MmuMaker = mmu_for) -> None:
    """is_deep: also the formats that differ in a bit that is not looked at, all modes for every bit, and all combinations at
    all levels together instead of one level at a time.
    """
    name = bench.machine.name
    for regime in TABLES_OF[name]:
        is_upper = regime.name == "arm64 kernel"
        if not (is_deep or is_upper) and regime.name.endswith("kernel"):
            continue
        chain = Chain(bench.arena, regime, is_high=is_upper)
        for number, modes in enumerate(MODES[name]):
            space = chain.space(maker(regime, modes), modes)
            is_first = number == 0
            is_everywhere = is_deep or (is_first and not is_upper)
            for entries in _permissions(
                name, chain, is_everywhere=is_everywhere, is_product=is_deep and is_first
            ):
                chain.put(entries)
                bench.compare(space, chain.va)
                if bench.has_enough:
                    return
            if is_deep or number == 0 or _reserves(modes) != _reserves(MODES[name][0]):
                for entries in _single_bits(chain):
                    chain.put(entries)
                    bench.compare(space, chain.va)


def _reserves(modes: Modes) -> tuple[bool, int]:
    """What changes which bits are reserved."""
    return modes.nxe, modes.physical_bits


def _single_bits(chain: Chain) -> Iterator[dict[int, int]]:
    """A walk that grants everything, with each bit of each entry turned over; and the same of the kernel's alone."""
    # At the levels too at which there are no leaves.
    for leaf_level, flags in product(chain.levels, (EVERYTHING, KERNELS)):
        whole = chain.path(leaf_level, flags)
        yield whole
        for level, bit in product(whole, range(64)):
            yield {**whole, level: whole[level] ^ 1 << bit}


def _permissions(
    name: str, chain: Chain, *, is_everywhere: bool, is_product: bool
) -> Iterator[dict[int, int]]:
    """Every combination of what entries say of permission: of one table entry with the leaf, or of all with all.

    is_everywhere: of the table entry of each level, and not only of the lowest. is_product: of all with all too.
    """
    of_table, of_leaf = _PERMISSIONS[name]
    whole = chain.path(0, EVERYTHING)
    tables = [level for level in whole if level > 0]
    leaves = [_with(whole[0], of_leaf, chosen) for chosen in product((0, 1), repeat=len(of_leaf))]
    choices = list(product((0, 1), repeat=len(of_table)))
    plain = tuple(whole[1] >> bit.bit_length() - 1 & 1 for bit in of_table)
    changed = tables if is_everywhere else tables[-1:]
    at_once = [tuple(c if level == at else plain for level in tables) for at in changed for c in choices]
    for chosen, leaf in product(dict.fromkeys(at_once), leaves):
        yield {**_tables_with(whole, tables, of_table, chosen), 0: leaf}
    if not is_product or chain.is_upper:
        return
    accessible = [leaf for leaf in leaves if name != "arm64" or leaf & 1 << 10]
    for chosen, leaf in product(product(choices, repeat=len(tables)), accessible):
        yield {**_tables_with(whole, tables, of_table, chosen), 0: leaf}


def _tables_with(
    whole: dict[int, int], tables: list[int], bits: tuple[int, ...], chosen: tuple[tuple[int, ...], ...]
) -> dict[int, int]:
    return {level: _with(whole[level], bits, each) for level, each in zip(tables, chosen, strict=True)}


def _with(entry: int, bits: tuple[int, ...], chosen: tuple[int, ...]) -> int:
    for bit, is_set in zip(bits, chosen, strict=True):
        entry = entry | bit if is_set else entry & ~bit
    return entry
