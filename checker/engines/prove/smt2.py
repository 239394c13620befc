"""Obligations as SMT-LIB 2 files, for other solvers and other eyes.

Each query of an obligation becomes one file that is unsatisfiable exactly when the query is: the negated claim, what the
operation guarantees, the invariants and the facts, all as quantified formulas.  Nothing of our own instantiation is in it.
"""

from __future__ import annotations

from pathlib import Path

import z3

from vmaspace.checker.engines.prove import counting
from vmaspace.checker.engines.prove.induction import INIT, Goal, Induction
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import Property


def obligation_text(induction: Induction, p: Property, g: Goal, operation: str) -> str:
    """One query in SMT-LIB 2."""
    terms = induction.terms
    solver = z3.Solver()
    formulas = [
        *induction.contract.assumptions,
        *induction.distinct_new(g.outcome),
        *g.given,
        tm.not_(g.claim),
    ]
    if operation == INIT:
        formulas += [*induction.nothing_exists(), *map(counting.none_yet, g.counts)]
    else:
        formulas += [h.body for h in induction.hypotheses(frozenset(), p)]
        formulas += induction.count_facts(g)
    formulas += induction.facts
    formulas += [
        tm.not_(tm.app(tm.existence(sort), (tm.null(sort),)))
        for sort in induction.contract.sort_types()
        if not induction.contract.sorts[sort.name]
    ]
    for f in formulas:
        if f is not tm.TRUE:
            solver.add(terms.formula(counting.abstract(f)))
    head = f"; {operation}/{p.name}: {g.outcome.status}, {g.outcome.sentence}\n; unsat means: the property survives\n"
    return head + str(solver.to_smt2())


def write_obligations(induction: Induction, p: Property, operation: str, folder: Path) -> list[Path]:
    """Write every query of an obligation; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for i, g in enumerate(induction.goals(p, operation)):
        path = folder / f"{operation}__{p.name}.{i}.smt2"
        path.write_text(obligation_text(induction, p, g, operation), encoding="utf-8")
        written.append(path)
    return written
