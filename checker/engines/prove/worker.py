"""What one worker process does with one obligation: induction first, then runs, then a counterexample to induction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vmaspace.checker.engines.prove.bounded import Bounded, Run
from vmaspace.checker.engines.prove.counterexample import Counterexamples
from vmaspace.checker.engines.prove.counting import UncountableError
from vmaspace.checker.engines.prove.induction import INIT, Induction, deviates
from vmaspace.checker.engines.prove.obligations import Obligation, Result
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.engines.traces import build_trace
from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.contract import Contract, Property
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.logic.points import NotLinear
from vmaspace.checker.logic.rewriting import functions_of
from vmaspace.checker.logic.state import State
from vmaspace.checker.report.verdict import Kind


@dataclass(frozen=True, slots=True)
class Budget:
    """induction: seconds per solver query, in all its attempts; search: seconds per bounded search; steps: the longest
    run searched; counts: elements of each given sort in bounded searches."""

    induction: float = 40.0
    search: float = 60.0
    steps: int = 5
    counts: tuple[tuple[str, int], ...] = ()

    def elements(self, contract: Contract) -> dict[str, int]:
        """How many elements of each given sort there are in a search; two, unless it is said."""
        return {sort: 2 for sort, given in contract.sorts.items() if given} | dict(self.counts)


def contracts_for(program: CheckedProgram, wanted: Iterable[str] | None = None) -> dict[str, Contract]:
    """The contract as implemented ("") and, for each deviation's switch, as documented."""
    base = elaborate(program)
    names = {
        p.deviation.switch
        for p in base.properties.values()
        if p.deviation is not None and (wanted is None or p.name in wanted)
    }
    return {"": base} | {name: elaborate(program, frozenset({name})) for name in sorted(names)}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a worker is made, wherever it is.  wanted: the properties it may be asked about, if not all.

    A copy elsewhere has the program and not the contracts: terms are the same only where they were made.
    """

    program: CheckedProgram
    budget: Budget
    wanted: Iterable[str] | None = None
    contracts: dict[str, Contract] | None = None

    def __call__(self) -> Callable[[tuple[Obligation, frozenset[str], bool]], Result]:
        worker = Worker(self.contracts or contracts_for(self.program, self.wanted), self.budget)
        return lambda task: worker.discharge(*task)

    def __reduce__(self) -> tuple[type[Recipe], tuple[object, ...]]:
        wanted = None if self.wanted is None else sorted(self.wanted)
        return Recipe, (self.program, self.budget, wanted)


class Worker:
    """Discharges obligations of one contract, under all the switches that occur."""

    def __init__(self, contracts: dict[str, Contract], budget: Budget) -> None:
        self.contracts = contracts
        self.budget = budget
        self._inductions: dict[str, Induction] = {}
        self._bounded: dict[str, Bounded] = {}

    def induction(self, switch: str) -> Induction:
        if switch not in self._inductions:
            self._inductions[switch] = Induction(self.contracts[switch], self.budget.induction)
        return self._inductions[switch]

    def bounded(self, switch: str) -> Bounded:
        if switch not in self._bounded:
            b = self.budget
            self._bounded[switch] = Bounded(
                self.contracts[switch], b.elements(self.contracts[switch]), b.steps, b.search
            )
        return self._bounded[switch]

    def discharge(self, o: Obligation, without: frozenset[str], search: bool) -> Result:
        """One obligation.  without: invariants not to rely on.  search: look for runs when induction fails."""
        p = self.contracts[o.switch].properties[o.property]
        try:
            if p.kind == "reach":
                return self.reach(o, p)
            if o.expected:
                return self.violation(o, p) or self.induct(o, p, without)
            result = self.induct(o, p, without)
            if result.kind == "proved" or not search:
                return result
            return self.refute(o, p, without, result)
        except (UncountableError, NotLinear) as error:
            return Result(o, "unknown", 0.0, "", f"outside what proofs cover: {error}")

    def induct(self, o: Obligation, p: Property, without: frozenset[str]) -> Result:
        attempt = self.induction(o.switch).attempt(p, o.operation, without)
        kind = "proved" if attempt.proved else "unknown"
        scope = "any number of elements, 64-bit" + (f", {o.switch} on" if o.switch else "")
        return Result(o, kind, attempt.seconds, scope, attempt.reason, attempt.used)

    def reach(self, o: Obligation, p: Property) -> Result:
        found = self.bounded(o.switch).reaches(p)
        scope = f"runs of up to {self.budget.steps} operations"
        if found.run is not None:
            return self.found(o, p, Kind.REACHED, found.run, found.seconds, scope)
        kind = "unreached" if found.complete else "unknown"
        reason = found.reason or f"no run of {found.depth} operations or fewer gets there"
        return Result(o, kind, found.seconds, scope, reason)

    def violation(self, o: Obligation, p: Property) -> Result | None:
        """A reachable run that ends in this operation and breaks the property."""
        if o.operation == INIT:
            return None
        found = self.bounded(o.switch).breaks(p, [o.operation])
        if found.run is None:
            return None
        scope = f"runs of up to {self.budget.steps} operations"
        kind = Kind.DEVIATION if o.expected else Kind.VIOLATED
        reason = p.deviation.consequence if o.expected and p.deviation else ""
        return self.found(o, p, kind, found.run, found.seconds, scope, reason)

    def found(
        self,
        o: Obligation,
        p: Property,
        kind: Kind,
        run: Run,
        seconds: float,
        scope: str,
        reason: str = "",
        notes: tuple[str, ...] = (),
    ) -> Result:
        """A result with its trace, which is all of the run that leaves the worker."""
        trace = build_trace(
            self.contracts[o.switch],
            p,
            o.operation or None,
            "prove",
            kind,
            reason,
            run.start,
            run.moves,
        )
        return Result(o, str(kind), seconds, scope, reason, trace=trace, notes=notes)

    def refute(self, o: Obligation, p: Property, without: frozenset[str], attempt: Result) -> Result:
        """Why induction failed: a reachable run, a counterexample to induction, or nothing found."""
        if o.operation == INIT:
            return self.first_state(o, p, attempt)
        broken = self.violation(o, p)
        if broken is not None:
            return broken
        contract = self.contracts[o.switch]
        hypotheses = [h for h in contract.invariants() if h.name not in without and not deviates(contract, h)]
        if p.kind == "invariant" and p not in hypotheses:
            hypotheses.append(p)
        search = Counterexamples(contract, self.budget.elements(contract), self.budget.search)
        found = search.find(p, o.operation, hypotheses)
        if found.run is None:
            reason = f"{attempt.reason}; no run of {self.budget.steps} operations breaks it; {found.reason}"
            return Result(o, "unknown", attempt.seconds + found.seconds, attempt.scope, reason)
        notes = self.strengthening(contract, found.run.start, hypotheses)
        reason = f"no run of up to {self.budget.steps} operations breaks it, but the invariants do not exclude this state"
        scope = "counterexample to induction"
        return self.found(o, p, Kind.NOT_INDUCTIVE, found.run, found.seconds, scope, reason, notes)

    def strengthening(self, contract: Contract, start: State, hypotheses: list[Property]) -> tuple[str, ...]:
        """Invariants that do not hold in the state found, from this contract and the library: adding one excludes it."""
        used = {h.name for h in hypotheses}
        library = {p.name: p for p in (*standard_contract().invariants(), *contract.invariants())}
        known = {*contract.variables, *contract.givens}
        found = []
        for q in library.values():
            names = {f.name for f in functions_of(q.body) if f.kind != "exists"}
            told = q.name in used or deviates(contract, q) or not names <= known
            if not told and not evaluator(q.body)(start, start, {}):
                found.append(f"`{q.name}` would exclude this state: {q.sentence}")
        return tuple(found) or (
            "no invariant of the library excludes this state: say what it gets wrong as an invariant",
        )

    def first_state(self, o: Obligation, p: Property, attempt: Result) -> Result:
        """The first state is concrete: evaluate the property in it."""
        interpreter = self.bounded(o.switch).interpreter
        start = interpreter.initial()
        if not interpreter.property(p.name)(start, start, {}):
            return self.found(o, p, Kind.VIOLATED, Run(start, ()), attempt.seconds, "the first state")
        return attempt
