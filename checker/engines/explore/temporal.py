"""Properties of runs, judged in one scope: a lasso that breaks one is executed and judged again before it is shown.

The states are those of a search without reductions, since neither orbits nor hashes keep what a run does.  A property falls into
conjuncts, as a rule one for each element that it speaks of; each is searched for alone, so automata stay small.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vmaspace.checker.engines.explore.components import TooMany
from vmaspace.checker.engines.explore.graph import ENDS, FIRST_OPERATION, STAYS, Graph, Question
from vmaspace.checker.engines.explore.lasso import Lasso, Product, Step, shorter
from vmaspace.checker.engines.explore.result import Searching
from vmaspace.checker.engines.explore.witness import Move, NoWitness, Witness
from vmaspace.checker.engines.traces import build_trace, place_of
from vmaspace.checker.logic import temporal as tp
from vmaspace.checker.logic.automaton import automaton
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.contract import Contract, Scope, TemporalProperty
from vmaspace.checker.logic.packed.layout import DEFAULT_ELEMENTS
from vmaspace.checker.logic.propositions import Grounding, Proposition, conjuncts, opposite
from vmaspace.checker.logic.state import State
from vmaspace.checker.logic.temporal import Assignment, holds_on
from vmaspace.checker.logic.terms import Term
from vmaspace.checker.report.verdict import Kind, Verdict

MIB = 1 << 20


class Runs:
    """What the properties of runs ask of a scope."""

    def __init__(self, contract: Contract, scope: Scope) -> None:
        counts = {s: scope.counts.get(s, DEFAULT_ELEMENTS) for s in contract.sorts}
        grounding = Grounding(counts, {s for s, is_given in contract.sorts.items() if is_given})
        self.parts: dict[str, list[Proposition]] = {
            p.name: conjuncts(grounding.ground(p.formula)) for p in contract.temporals.values()
        }
        fair = dict.fromkeys(name for p in contract.temporals.values() for name in p.fair)
        self.question = Question(tuple(grounding.facts), tuple(fair))


@dataclass(frozen=True, slots=True)
class Ground:
    """Where properties of runs are judged: a search without reductions that is done, and its graph."""

    contract: Contract
    search: Searching
    runs: Runs
    graph: Graph
    memory: int  # bytes that a product may take
    scope: str  # how far the answers reach, in words

    def judge(self, p: TemporalProperty) -> Verdict:
        began = time.monotonic()
        found = self.answer(p)
        return replace(found, seconds=time.monotonic() - began)

    def answer(self, p: TemporalProperty) -> Verdict:
        base = verdict_on(p, Kind.PASSED, f"{self.scope}{', fair to ' + ', '.join(p.fair) if p.fair else ''}")
        labels = [
            (list(self.contract.operations).index(name) + FIRST_OPERATION, self.runs.question.fair.index(name))
            for name in p.fair
        ]
        parts = [automaton(opposite(part)) for part in self.runs.parts[p.name]]
        try:
            for part in parts:
                lasso = Product(self.graph, part, labels, self.memory).lasso()
                if lasso is not None:
                    return self.broken(p, base, lasso)
            if self.graph.is_cut(sum(1 << bit for _, bit in labels)):
                closed = self.graph.closed()
                if any(Product(closed, part, labels, self.memory).lasso() is not None for part in parts):
                    reason = "whether runs that come to the border of the scope break it is seen in a larger scope only"
                    return replace(base, verdict=Kind.UNKNOWN, reason=reason)
        except TooMany:
            reason = f"the memory limit of {self.memory // MIB} MiB is reached while runs are looked at"
            return replace(base, verdict=Kind.UNKNOWN, reason=reason)
        return base

    def broken(self, p: TemporalProperty, base: Verdict, lasso: Lasso) -> Verdict:
        """The run that breaks a property, if the interpreter agrees."""
        replayed = Replayed(self.contract, self.search, self.graph)
        problem = ""
        for tried in shorter(lasso, self.graph.first):
            try:
                stem, loop = replayed.run(tried)
                replayed.confirm(p, stem, loop)
                break
            except NoWitness as error:
                problem = str(error)
        else:
            reason = f"the interpreter disagrees with the search for runs: {problem}"
            return replace(base, verdict=Kind.FAILED, reason=reason)
        reason = f"{goes_round(len(stem), len(loop))}\n{p.sentence}"
        trace = build_trace(
            self.contract, p, None, "explore", Kind.VIOLATED, reason, self.search.start, [*stem, *loop], loop=len(stem)
        )
        return replace(base, verdict=Kind.VIOLATED, reason=reason, trace=trace)


class Replayed:
    """A lasso on concrete states: every step by the contract's interpreter."""

    def __init__(self, contract: Contract, search: Searching, graph: Graph) -> None:
        self.contract = contract
        self.graph = graph
        self.start = search.start
        self.witness = Witness(contract, search.program, search.key)

    def run(self, lasso: Lasso) -> tuple[list[Move], list[Move]]:
        """The moves of stem and loop.  A state that nothing leads on from needs none to stay."""
        state = self.start
        parts: list[list[Move]] = []
        for steps in (lasso.stem, lasso.loop):
            moves: list[Move] = []
            for step in steps:
                if step.label != ENDS:
                    moves.append(self.move(state, step))
                    state = moves[-1].state
            parts.append(moves)
        return parts[0], parts[1]

    def move(self, state: State, step: Step) -> Move:
        key = self.graph.key(step.state)
        operation = None if step.label == STAYS else list(self.contract.operations)[step.label - FIRST_OPERATION]
        for m in self.witness.moves(state):
            if operation in (None, m.operation) and self.witness.fits(m.state) and self.witness.key(m.state) == key:
                return m
        raise NoWitness(f"no call {'stays' if operation is None else f'of {operation} leads to the next state'}")

    def confirm(self, p: TemporalProperty, stem: Sequence[Move], loop: Sequence[Move]) -> None:
        """The run goes round, breaks the property and is fair; `NoWitness` if not."""
        states = [self.start, *(m.state for m in (*stem, *loop))]
        if loop:
            if not states.pop().same_as(states[len(stem)]):
                raise NoWitness("the loop does not lead back to its start")
        elif any(self.witness.moves(states[-1])):
            raise NoWitness("a call is possible where nothing should lead on")
        if holds_on(p.formula, lasso_of(states, len(stem))):
            raise NoWitness("the run does not break the property")
        for name in p.fair:
            taken = any(
                m.operation == name and not m.state.same_as(before)
                for before, m in zip(states[len(stem) :], loop, strict=False)  # one that ends has a state and no move
            )
            if not taken and all(self.can_change(name, s) for s in states[len(stem) :]):
                raise NoWitness(f"the run puts {name} off for ever")

    def can_change(self, name: str, state: State) -> bool:
        return any(m.operation == name and not m.state.same_as(state) for m in self.witness.moves(state))


def lasso_of(states: Sequence[State], back: int) -> tp.Lasso:
    """Concrete states as a run that comes back to number `back`."""

    def value(term: Term, elements: Assignment, moment: int) -> bool:
        state = states[moment]
        return bool(evaluator(term)(state, state, dict(elements)))

    return tp.Lasso(len(states), back, value, lambda sort, moment: states[moment].domains[sort])


def goes_round(stem: int, loop: int) -> str:
    """The form of a run, in words."""
    if not loop:
        return "The run ends there: nothing leads on, so it stays like this for ever."
    first, last = stem + 1, stem + loop
    steps = f"step {first} is" if loop == 1 else f"steps {first} to {last} are"
    return f"From there, {steps} taken again and again, for ever." if stem else f"{steps[0].upper()}{steps[1:]} taken for ever."


def verdict_on(p: TemporalProperty, kind: Kind, scope: str, reason: str = "") -> Verdict:
    return Verdict(p.name, p.name, None, "explore", kind, 0.0, scope, place_of(p.span), reason=reason)
