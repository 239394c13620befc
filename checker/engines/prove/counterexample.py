"""Counterexamples to induction: a state that satisfies every invariant, and a step from it that breaks the property.

Such a state need not be reachable; it shows what the invariants do not yet say.  It is searched over ever larger scopes, so
the first one found is small, and it is confirmed by evaluation: every hypothesis holds in it, the operation answers as
said, and the property fails after it.
"""

from __future__ import annotations

import time
from itertools import product

import z3

from vmaspace.checker.engines.prove.bounded import Bounded, Focused, Move, Run, Search
from vmaspace.checker.engines.prove.unroll import Candidate
from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import Contract, Property
from vmaspace.checker.logic.ground import Snapshot
from vmaspace.checker.logic.state import Pieces, State, default_of
from vmaspace.checker.logic.terms import Function, Term

LARGEST = 4  # elements of one sort
MOST = 7  # elements in all


def sizes(sorts: list[str]) -> list[dict[str, int]]:
    """Scopes to search, smallest first."""
    found = [c for c in product(range(1, LARGEST + 1), repeat=len(sorts)) if sum(c) <= max(MOST, len(sorts))]
    return [dict(zip(sorts, c, strict=True)) for c in sorted(found, key=lambda c: (sum(c), max(c)))]


class Counterexamples(Bounded):
    """Searches counterexamples to induction."""

    def __init__(self, contract: Contract, counts: dict[str, int], timeout: float) -> None:
        super().__init__(contract, counts, 1, timeout)

    def find(self, p: Property, operation: str, hypotheses: list[Property]) -> Search:
        """The smallest counterexample for one obligation, or why there is none to show."""
        start = time.perf_counter()
        op = self.contract.operations[operation]
        last = [(op, o) for o in op.outcomes if o.kind != "asserts" and (o.has_effect or p.kind == "after")]
        for size in sizes([s for s, given in self.contract.sorts.items() if not given]):
            for candidate in last:
                left = self.timeout - (time.perf_counter() - start)
                if left <= 0:
                    return Search(None, 1, False, f"time out after {self.timeout:g} s", self.timeout)
                run = self.find_in(p, candidate, hypotheses, size, left)
                if run is not None:
                    return Search(run, 1, True, "", time.perf_counter() - start)
        return Search(
            None, 1, True, "no counterexample to induction in small scopes", time.perf_counter() - start
        )

    def find_in(
        self, p: Property, candidate: Candidate, hypotheses: list[Property], size: dict[str, int], left: float
    ) -> Run | None:
        whole = Focused(self.contract, self.counts, set(self.contract.variables.values()))
        whole.begin_anywhere(size)
        state = whole.states[0]
        for h in hypotheses:
            whole.constraints.append(whole.grounder.ground(h.body, (state,)))
        whole.extend([candidate])
        goal = self.goal(p, whole, [candidate])
        if goal is tm.FALSE:
            return None
        solver = z3.Solver()
        solver.set("timeout", max(1, int(left * 1000)))
        for c in (*whole.constraints, goal):
            solver.add(self.terms.formula(c))
        for _ in range(4):
            if solver.check() != z3.sat:
                return None
            model = solver.model()
            start = self.concrete(model, whole, state)
            run = self.confirm(p, whole, model, start, hypotheses)
            if run is not None:
                return run
            solver.add(self.different(whole, model))
        return None

    def concrete(self, model: z3.ModelRef, whole: Focused, state: Snapshot) -> State:
        """The starting state that a solver model describes."""
        start = self.world(model)
        for sort, elements in state.exists.items():
            if not self.contract.sorts[sort.name]:
                start.domains[sort.name] = tuple(e.value for e in elements)
        for (f, key), term in state.values.items():
            value = self.read(model, term)
            if value != default_of(f.result):
                start.tables[f.name][_slot(key)] = value
        self.pieces(model, start)
        return start

    def pieces(self, model: z3.ModelRef, start: State) -> None:
        """Piecewise variables, from the addresses at which the solver looked at them."""
        for f in self.contract.variables.values():
            if not f.is_piecewise:
                continue
            for key in _keys(f, start):
                inner = ",".join(map(str, key))
                named = self.terms.functions.get(Function(f"{f.name}@0({inner})", (f.params[-1],), f.result))
                if named is None or model[named] is None:
                    continue
                pieces = _interpretation(model[named])
                if pieces.starts:
                    start.tables[f.name][key[0] if len(key) == 1 else key] = pieces

    def confirm(
        self, p: Property, whole: Focused, model: z3.ModelRef, start: State, hypotheses: list[Property]
    ) -> Run | None:
        for h in hypotheses:
            if not self.interpreter.property(h.name)(start, start, {}):
                return None
        actual = {
            tm.const(e, Type("sort", sort)): e for sort, elements in start.domains.items() for e in elements
        }
        move = self.move(whole.steps[0], model, start, actual)
        if move is None or not self.confirmed(p, start, [move]):
            return None
        return Run(start, (Move(move.operation, move.env, move.outcome, move.state),))


def _slot(key: tuple[Term, ...]) -> object:
    values = tuple(e.value for e in key)
    return values[0] if len(values) == 1 else values


def _keys(f: Function, state: State) -> list[tuple[int, ...]]:
    keys: list[tuple[int, ...]] = [()]
    for p in f.params[:-1]:
        keys = [(*k, e) for k in keys for e in state.domains[p.name]]
    return keys


def _interpretation(found: z3.FuncInterp) -> Pieces:
    """Constant from each queried address to the next."""
    entries = []
    for i in range(found.num_entries()):
        entry = found.entry(i)
        entries.append((int(entry.arg_value(0).as_long()), int(entry.value().as_long())))
    otherwise = found.else_value()
    if not entries:
        entries = [(0, int(otherwise.as_long()))]
    return Pieces.of(sorted(entries))
