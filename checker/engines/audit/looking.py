"""What each engine makes of a mutant: the engines of the audit, cheapest first.

An engine that has nothing to do with what a mutant has changed is not asked.

Not here: the mutants, and what becomes of one that nobody finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from vmaspace.checker.adapters.edited_tables import EditedTables
from vmaspace.checker.adapters.entries import changed_tables
from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.mutants import Mutant
from vmaspace.checker.adapters.table_machine import TableMachine
from vmaspace.checker.engines.conformance.results import Outcome
from vmaspace.checker.engines.conformance.runner import run_cases
from vmaspace.checker.engines.entries.run import first_broken
from vmaspace.checker.engines.fuzz.run import fuzz
from vmaspace.checker.engines.oracle import OracleMissing, unicorn
from vmaspace.checker.engines.oracle.run import first_difference
from vmaspace.checker.engines.tables import run_tables
from vmaspace.checker.logic.contract import Contract

_EDITS: Final = 3_000  # of page tables
_COMPARISONS: Final = 3_000  # of each kind of the oracle's that drives the model, on each architecture


@dataclass(frozen=True, slots=True)
class Look:
    """What one engine made of one mutant.

    done: how much of its own measure (`unit`) it did until it found something, or in all. finding: what turned red, None if
    nothing did. trace_steps: of the run made small, if there is one. Seconds are of this machine.
    """

    engine: str
    done: int
    unit: str
    seconds: float
    finding: str | None
    trace_steps: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What engines look with. steps: how many fuzzing judges of each mutant. cases: files of known answers."""

    contract: Contract
    cases: tuple[Path, ...]
    seed: int
    steps: int


Engine = Callable[[Mutant, Terms], Look | None]  # None: the mutant changes nothing that the engine could see


def _entries(mutant: Mutant, terms: Terms) -> Look | None:
    """Proofs about the entries of those formats of page tables that the mutant has changed."""
    tables = changed_tables(mutant.system_class)
    if not tables:
        return None
    began = time.monotonic()
    found, done = first_broken(tables)
    return Look("entries", done, "claims", _since(began), None if found is None else found.id)


def _tables(mutant: Mutant, terms: Terms) -> Look | None:
    """Page tables by themselves, edited at random."""
    if not changes_page_tables(mutant):
        return None
    make = partial(TableMachine, system_class=mutant.system_class)
    result = run_tables(terms.seed, edits=_EDITS, make=make, is_enough=True)
    if result.is_interrupted:
        raise KeyboardInterrupt
    statistics = result.statistics
    found = statistics["found"]
    if found is None:
        return Look("tables", statistics["edits"], "edits", statistics["seconds"], None)
    red = next(verdict for verdict in result.verdicts if verdict.is_red)
    return Look("tables", found["edits"], "edits", found["seconds"], f"{red.id}: {found['rule']}")


def _known_answers(mutant: Mutant, terms: Terms) -> Look | None:
    began = time.monotonic()
    done = 0
    for path in terms.cases:
        for case in run_cases(path, mutant.system_class):
            done += 1
            if case.outcome is Outcome.FAILED:
                return Look("known answers", done, "cases", _since(began), case.id)
    return Look("known answers", done, "cases", _since(began), None) if done else None


def _fuzz(mutant: Mutant, terms: Terms) -> Look | None:
    result = fuzz(
        terms.contract,
        lambda: ModelAdapter(terms.contract, mutant.system_class),
        seed=terms.seed,
        steps=terms.steps,
    )
    if result.is_interrupted:  # what was not looked at to the end has not survived
        raise KeyboardInterrupt
    statistics = result.statistics
    found = statistics["found"]
    if found is None:
        return Look("fuzz", statistics["steps"], "steps", statistics["seconds"], None)
    red = next((verdict for verdict in result.verdicts if verdict.is_red), None)
    trace_steps = None if red is None or red.trace is None else len(red.trace.steps)
    return Look("fuzz", found["steps"], "steps", found["seconds"], "" if red is None else red.id, trace_steps)


def _oracle(mutant: Mutant, terms: Terms) -> Look | None:
    """An emulated MMU looks at tables that the mutant edits, where its package is installed."""
    if not changes_page_tables(mutant):
        return None
    try:
        unicorn()
    except OracleMissing:
        return None
    began = time.monotonic()
    make = partial(EditedTables, system_class=mutant.system_class)
    finding, done = first_difference(make, terms.seed, _COMPARISONS)
    return Look("oracle", done, "comparisons", _since(began), finding)


ENGINES: Final[dict[str, Engine]] = {
    "entries": _entries,
    "tables": _tables,
    "answers": _known_answers,
    "fuzz": _fuzz,
    "oracle": _oracle,
}


def look(mutant: Mutant, terms: Terms, engines: Sequence[str] = tuple(ENGINES)) -> list[Look]:
    """Let engines look at a mutant in their order, until one finds it."""
    looks: list[Look] = []
    for name, engine in ENGINES.items():
        if name not in engines:
            continue
        found = engine(mutant, terms)
        if found is not None:
            looks.append(found)
            if found.finding is not None:
                break
    return looks


def changes_page_tables(mutant: Mutant) -> bool:
    """Whether a mutant has parts of its own below the address spaces: page tables, ids, TLBs, the record of its machine."""
    return mutant.changes("arch_aspace_class", "id_allocator_class", "tlb_class", "machine")


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
