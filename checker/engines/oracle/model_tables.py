"""Tables that the model makes: what was asked for, the reference walk and the emulated MMU have to agree.

Here a wrong entry shows: the account of what was asked for knows nothing of entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Final

from vmaspace.checker.adapters.edited_tables import EditedTables
from vmaspace.checker.adapters.hardware import AccessKind, Memory, Modes, Regime, mmu_for, walk
from vmaspace.checker.engines.oracle.bench import Bench
from vmaspace.checker.engines.oracle.machine import Space

_EDITS: Final = 12  # of one machine
TablesMaker = Callable[..., EditedTables]
MODES: Final = {"x86_64": Modes(physical_bits=40), "arm64": Modes(), "riscv64": Modes()}


def space_of(tables: EditedTables, arch: str) -> Space:
    """The tables as a CPU has them loaded, in Zircon's modes."""
    modes = MODES[arch]
    return Space(mmu_for(tables.regime, modes), modes, tables.root, tables.is_upper)


def copy_tables(bench: Bench, regime: Regime, memory: Memory, root: int, places: Iterable[int]) -> None:
    """Copy the tables on the way to some addresses into the emulator's memory, as they are now."""
    copied = set()
    for va in places:
        for step in walk(regime, memory, root, va):
            page = memory.page_for(step.table)
            if page is not None and step.table not in copied:
                copied.add(step.table)
                bench.arena.put(step.table, page.words)


def compare_model(bench: Bench, seed: int, count: int, make: TablesMaker = EditedTables) -> None:
    """At least `count` comparisons of tables that are edited by seed."""
    random = Random(f"{seed}/{bench.machine.name}/model")
    arch = bench.machine.name
    goal = bench.count + count
    while bench.count < goal and not bench.has_enough:
        bench.arena.clear()
        tables = make(arch, random, is_kernel=random.random() < 0.3)
        space = space_of(tables, arch)
        for _ in range(_EDITS):
            edit = tables.edit()
            places = tables.places()
            copy_tables(bench, tables.regime, tables.memory, tables.root, places)
            for va in places:
                bench.compare(space, va)
                wanted = partial(tables.wanted, va)
                check_wanted(bench, space, va, is_user=not tables.is_kernel, wanted=wanted, when=edit)
            if bench.count >= goal:
                return


def check_wanted(
    bench: Bench,
    space: Space,
    va: int,
    *,
    is_user: bool,
    wanted: Callable[[AccessKind], int | None],
    when: str,
) -> None:
    """What was asked for, of those whose tables these are, from the emulated MMU.

    wanted: where an access should lead, None for a refusal. when: what happened before, for the report.
    """
    machine = bench.machine
    machine.enter(space, is_user=is_user)
    path = walk(space.mmu.regime, bench.arena, space.root, va)
    for kind in AccessKind:
        paddr, _ = machine.probe(va, kind)
        bench.restore(path)
        expected = wanted(kind)
        bench.count += 1
        if paddr != expected:
            bench.tell(
                space,
                va,
                f"{kind.name.lower()} by the {'user' if is_user else 'kernel'} after: {when}",
                path,
                "asked for: " + ("nothing" if expected is None else hex(expected)),
                "refuses" if paddr is None else f"grants {paddr:#x}",
            )
