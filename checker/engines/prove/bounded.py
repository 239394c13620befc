"""Bounded model checking: a run from the first state that breaks a property, or reaches one.

Runs are searched shortest first.  A solver model is only a candidate: the run is executed on concrete states by the
contract's interpreter, and counts when every step's answer, every choice and the final verdict are confirmed there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import z3

from vmaspace.checker.engines.prove.unroll import Candidate, Step, Unrolling, Written
from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import Contract, Property
from vmaspace.checker.logic.execute import CompiledOutcome, Env, Interpreter
from vmaspace.checker.logic.ground import Snapshot
from vmaspace.checker.logic.rewriting import functions_of, substitute
from vmaspace.checker.logic.solver_terms import SolverTerms
from vmaspace.checker.logic.state import NULL, State, empty_state
from vmaspace.checker.logic.terms import Function, Term


@dataclass(frozen=True, slots=True)
class Move:
    """One executed step: the operation, its arguments and choices by symbol name, the outcome, the state after."""

    operation: str
    env: Env
    outcome: CompiledOutcome
    state: State


@dataclass(frozen=True, slots=True)
class Run:
    """A concrete run: the state it starts in (which holds the givens) and its moves."""

    start: State
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """What a bounded search found.  complete: every run up to `depth` was excluded; otherwise `reason` says why not."""

    run: Run | None
    depth: int
    complete: bool
    reason: str
    seconds: float


OPTIONS = {
    "auto_config": False,
    "case_split": 3,
    "arith.solver": 2,
}  # measured: ten times faster than the defaults


class GroundTerms(SolverTerms):
    """Ground terms for the solver: elements and enum members are integers, so models read back directly."""

    def _sort(self, type_: Type) -> z3.SortRef:
        if type_.kind in ("enum", "sort"):
            return z3.IntSort()
        return super()._sort(type_)

    def value(self, value: int, type_: Type) -> z3.ExprRef:
        return z3.IntVal(value) if type_.kind in ("enum", "sort") else super().value(value, type_)

    def null(self, type_: Type) -> z3.ExprRef:
        return z3.IntVal(NULL)


class Bounded:
    """Searches runs of one contract.

    counts: elements of each given sort; steps: the longest run; timeout: seconds for one search.
    """

    def __init__(self, contract: Contract, counts: dict[str, int], steps: int, timeout: float) -> None:
        self.contract = contract
        self.counts = counts
        self.steps = steps
        self.timeout = timeout
        self.terms = GroundTerms(contract, exact=True)
        self.interpreter = Interpreter(contract)

    # --- searches --------------------------------------------------------------------------------------------------

    def breaks(self, p: Property, operations: Iterable[str], may: bool = False) -> Search:
        """A run whose last step, one of `operations`, breaks the property.

        may: let the last step also end in a `may` outcome (memory runs out).
        """
        last = [
            (op, o)
            for op in (self.contract.operations[n] for n in operations)
            for o in op.outcomes
            if (o.kind in ("ok", "fails") and (o.has_effect or p.kind == "after"))
            or (may and o.kind == "may" and (o.has_effect or p.kind == "after"))
        ]
        return self.search(p, last)

    def reaches(self, p: Property) -> Search:
        """A run to a state in which a `reach` property holds."""
        return self.search(p, None)

    def search(self, p: Property, last: list[Candidate] | None) -> Search:
        start = time.perf_counter()
        focus = self.cone(p, last)
        unrolling = Focused(self.contract, self.counts, focus)
        unrolling.free = p.body.symbols
        unrolling.begin()
        solver = z3.Solver()
        for option, value in OPTIONS.items():
            solver.set(option, value)
        added = 0
        doubt = ""
        any_step = self.any_outcome(focus)
        for depth in range(0 if last is None else 1, self.steps + 1):
            prefix = depth if last is None else depth - 1
            while len(unrolling.steps) < prefix:
                unrolling.extend(any_step)
            for c in unrolling.constraints[added:]:
                solver.add(self.terms.formula(c))
            added = len(unrolling.constraints)
            candidates: list[list[Candidate]] = [[c] for c in last] if last is not None else [[]]
            for final in candidates:
                left = self.timeout - (time.perf_counter() - start)
                if left <= 0:
                    return Search(None, depth - 1, False, f"time out after {self.timeout:g} s", self.timeout)
                run, reason = self.check(p, solver, unrolling, final, left)
                if run is not None:
                    return Search(run, depth, True, "", time.perf_counter() - start)
                doubt = doubt or reason
        return Search(None, self.steps, not doubt, doubt, time.perf_counter() - start)

    def check(
        self, p: Property, solver: z3.Solver, unrolling: Focused, final: list[Candidate], left: float
    ) -> tuple[Run | None, str]:
        whole = unrolling.branch()
        if final:
            whole.extend(final)
        goal = self.goal(p, whole, final)
        if goal is tm.FALSE:
            return None, ""
        solver.push()
        try:
            for c in (*whole.constraints[len(unrolling.constraints) :], goal):
                solver.add(self.terms.formula(c))
            solver.set("timeout", max(1, int(left * 1000)))
            for _ in range(4):
                answer = solver.check()
                if answer == z3.unsat:
                    return None, ""
                if answer == z3.unknown:
                    return None, f"solver: {solver.reason_unknown()}"
                model = solver.model()
                run = self.execute(p, whole, model)
                if run is not None:
                    return run, ""
                solver.add(self.different(whole, model))
            return None, "a solver run was not confirmed by execution"
        finally:
            solver.pop()

    def goal(self, p: Property, whole: Focused, final: list[Candidate]) -> Term:
        last = len(whole.states) - 1
        if p.kind == "reach":
            return whole.grounder.ground(p.body, (whole.states[last],))
        if p.kind == "invariant":
            # It is this step that breaks it: a run that was broken before says nothing about the operation.
            held = whole.grounder.ground(p.body, (whole.states[last - 1],)) if last else tm.TRUE
            return tm.and_(held, tm.not_(whole.grounder.ground(p.body, (whole.states[last],))))
        names = dict(whole.steps[-1].names[0])
        if p.kind == "after":
            op, outcome = final[0]
            body = p.body
            known = {tm.symbol("status", Type("status")): self.contract.status(outcome.status)}
            known |= {r: op.result(outcome, r.name.removeprefix("result."), r.type) for r in p.results}
            body = substitute(body, known)
            return tm.not_(whole.grounder.ground(body, (whole.states[last - 1], whole.states[last]), names))
        return tm.not_(whole.grounder.ground(p.body, (whole.states[last - 1], whole.states[last])))

    # --- what matters ----------------------------------------------------------------------------------------------

    def cone(self, p: Property, last: list[Candidate] | None) -> set[Function]:
        """The state variables that can influence the search."""
        found = functions_of(p.body)
        for op, o in last or ():
            found |= functions_of(op.domain, op.requires, o.guard, *(c.condition for c in o.choices))
            for u in o.updates:
                if u.function in found:
                    found |= functions_of(u.condition, u.value, *u.args)
        while True:
            more = set(found)
            for op, o in self.all_outcomes():
                if o.changed() & found:
                    more |= functions_of(
                        op.domain, op.requires, o.guard, *(c.condition for c in o.choices)
                    )
                    for u in o.updates:
                        if u.function in found:
                            more |= functions_of(u.condition, u.value, *u.args)
            if more == found:
                return found
            found = more

    def all_outcomes(self) -> list[Candidate]:
        return [(op, op.success) for op in self.contract.operations.values() if op.success.has_effect]

    def any_outcome(self, focus: set[Function]) -> list[Candidate]:
        return [(op, o) for op, o in self.all_outcomes() if o.changed() & focus]

    # --- confirming ------------------------------------------------------------------------------------------------

    def read(self, model: z3.ModelRef, t: Term) -> int:
        if t.op == "const":
            return t.value
        if t.op == "null":
            return NULL
        value = model.eval(self.terms.formula(t), model_completion=True)
        if z3.is_true(value) or z3.is_false(value):
            return int(z3.is_true(value))
        return int(value.as_long())

    def world(self, model: z3.ModelRef) -> State:
        """The given elements and facts that a model chose."""
        state = empty_state(self.contract)
        for sort, given in self.contract.sorts.items():
            if given:
                state.domains[sort] = tuple(range(self.counts.get(sort, 0)))
        for f in self.contract.givens.values():
            table = state.tables[f.name]
            if not f.params:
                table[()] = self.read(model, tm.symbol(f.name, f.result))
                continue
            for i in state.domains[f.params[0].name]:
                value = self.read(model, tm.symbol(f"{f.name}({i})", f.result))
                if value:
                    table[i] = value
        return state

    def execute(self, p: Property, whole: Unrolling, model: z3.ModelRef) -> Run | None:
        """Run what the model says on concrete states; None if anything turns out differently."""
        start = self.interpreter.initial(self.world(model))
        state = start
        actual: dict[Term, int] = {}  # element constants of the search -> elements of the run
        for sort in self.contract.sort_types():
            for i, e in enumerate(start.domains[sort.name]):
                actual[tm.const(i, sort)] = e
        moves: list[Move] = []
        for step in whole.steps:
            move = self.move(step, model, state, actual)
            if move is None:
                return None
            moves.append(move)
            state = move.state
        if not self.confirmed(p, start, moves):
            return None
        return Run(start, tuple(moves))

    def confirmed(self, p: Property, start: State, moves: list[Move]) -> bool:
        final = moves[-1].state if moves else start
        if p.kind == "reach":
            return bool(self.interpreter.property(p.name)(final, final, {}))
        before = moves[-2].state if len(moves) > 1 else start
        if p.kind == "invariant" and not self.interpreter.property(p.name)(before, before, {}):
            return False
        return not self.interpreter.holds(p, before, final, moves[-1].env, moves[-1].outcome.outcome)

    def move(self, step: Step, model: z3.ModelRef, state: State, actual: dict[Term, int]) -> Move | None:
        j = self.read(model, step.selector) if len(step.candidates) > 1 else 0
        op, outcome = step.candidates[j]
        names = step.names[j]
        env: Env = {}
        for param in op.params:
            env[param.name] = self.value(model, names[param], actual)
        if not self.interpreter.enabled(op.name, state, env):
            return None
        picks: dict[str, int] = {}
        for c in outcome.choices:
            if c.kind != "new":
                picks[c.name] = self.value(model, names[c.symbol], actual)
        for compiled in self.interpreter.allowed(op.name, state, env):
            if compiled.outcome is outcome:
                for chosen, after in self.interpreter.successors(compiled, state, env, picks):
                    for c in outcome.choices:
                        if c.kind == "new":
                            made = self.read(model, names[c.symbol])
                            actual[tm.const(made, c.symbol.type)] = chosen[c.symbol.name]
                    return Move(op.name, chosen, compiled, after)
        return None

    def value(self, model: z3.ModelRef, t: Term, actual: dict[Term, int]) -> int:
        raw = self.read(model, t)
        return actual.get(tm.const(raw, t.type), NULL) if t.type.kind == "sort" else raw

    def different(self, whole: Unrolling, model: z3.ModelRef) -> z3.BoolRef:
        """Excludes the arguments of an unconfirmed run."""
        clauses = []
        for step in whole.steps:
            j = self.read(model, step.selector) if len(step.candidates) > 1 else 0
            for t in step.names[j].values():
                if t.op == "sym":
                    f = self.terms.formula(t)
                    clauses.append(f != model.eval(f, model_completion=True))
        return z3.Or(*clauses)


class Focused(Unrolling):
    """An unrolling that only follows the state variables in `focus`."""

    def __init__(self, contract: Contract, counts: dict[str, int], focus: set[Function]) -> None:
        super().__init__(contract, counts)
        self.focus = focus

    def write(self, before: Snapshot, after: Snapshot, written: list[Written], tag: str) -> None:
        kept = []
        for taken, outcome, names in written:
            updates = tuple(u for u in outcome.updates if u.function in self.focus)
            kept.append((taken, replace(outcome, updates=updates), names))
        super().write(before, after, kept, tag)

    def branch(self) -> Focused:
        """A copy that can be extended on its own."""
        other = Focused(self.contract, self.counts, self.focus)
        other.grounder = self.grounder
        other.free = self.free
        other.constraints = list(self.constraints)
        other.states = list(self.states)
        other.steps = list(self.steps)
        other.next_element = dict(self.next_element)
        return other
