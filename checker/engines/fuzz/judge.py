"""One step of an implementation, judged against the contract.

Three questions in this order: is the status one that the ordered clauses allow; is the state after it one
that the clause's effect allows; does every property still hold?  The first "no" is the finding.

Deviations are not judged: where the code is known to break what is documented, that is what the contract says
too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from vmaspace.checker.adapters.interface import ASSERTION, CRASH, Answer
from vmaspace.checker.adapters.world import World
from vmaspace.checker.engines.fuzz.findings import CONFORMS, Finding, Wording, size_of_difference
from vmaspace.checker.engines.fuzz.properties import Properties
from vmaspace.checker.logic.execute import CompiledOutcome, Env, Interpreter
from vmaspace.checker.logic.state import State, Table
from vmaspace.checker.logic.terms import Function

TRIES = 1000  # resolutions of an outcome's choices that are compared before the best is reported


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found, and which outcome with which choices it was; `env` is then complete."""

    finding: Finding | None
    outcome: CompiledOutcome | None
    env: Env


class _Nearest(NamedTuple):
    """The outcome and choices whose effect comes nearest to what was observed."""

    distance: int
    outcome: CompiledOutcome
    state: State
    env: Env


class Judge:
    """Judges steps against one contract.  Keep one for a run: properties of unchanged parts are not judged twice."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.contract = interpreter.contract
        self.wording = Wording(self.contract)
        self.properties = Properties(interpreter)
        self._places: dict[int, list[tuple[str, Function, str]]] = {}

    def first(self, world: World) -> State:
        """The first state of the contract in a world."""
        givens = world.givens(self.contract)
        domains = {sort: givens.domains.get(sort, ()) for sort in self.contract.sorts}
        tables: dict[str, Table] = {name: {} for name in self.contract.variables}
        return self.interpreter.initial(State(domains, {**tables, **givens.tables}))

    def begin(self, expected: State, state: State) -> Finding | None:
        """Judge the first state of a run."""
        self.properties.begin()
        if expected.same_as(state):
            return None
        lines = ["the first state is not what the contract says", *self.wording.differences(expected, state)]
        return Finding("effect", "init", CONFORMS, "\n".join(lines), "init", self.contract.init.span)

    def judge(
        self,
        op: str,
        env: Mapping[str, int],
        before: State,
        answer: Answer,
        after: State,
        allowed: list[CompiledOutcome] | None = None,
        may: bool = True,
    ) -> Judgement:
        """Judge a step.  allowed: `Interpreter.allowed`, if it is known already; may: whether memory may have run out."""
        env = dict(env)
        if answer.status == CRASH:
            return Judgement(self.wording.crash(op, answer.violated or ""), None, env)
        if allowed is None:
            allowed = self.interpreter.allowed(op, before, env)
        matching = [
            c for c in allowed if c.outcome.status == answer.status and (may or not c.outcome.needs_failure)
        ]
        if not matching:
            return Judgement(self.wording.status(op, answer.status, answer.violated, allowed), None, env)
        if answer.status == ASSERTION:  # nothing is said of a kernel that has stopped
            return Judgement(None, matching[0], env)
        best: _Nearest | None = None
        for c in reversed(matching):
            for chosen, state in self.resolutions(c, op, env, before, answer, after):
                if state.domains == after.domains and state.tables == after.tables:
                    return Judgement(self.broken_property(op, chosen, c, before, after), c, chosen)
                distance = size_of_difference(state, after)
                if best is None or distance < best.distance:
                    best = _Nearest(distance, c, state, chosen)
        finding = self.wrong_effect(op, env, matching[-1], best, before, answer, after)
        lost = self.properties.lost(op, env, before, after)
        finding = self.wording.with_lost(finding, lost)
        if best is None:
            return Judgement(finding, matching[-1], env)
        return Judgement(finding, best.outcome, best.env)

    # --- effects ---------------------------------------------------------------------------------------------------

    def resolutions(
        self, c: CompiledOutcome, op: str, env: Env, before: State, answer: Answer, after: State
    ) -> list[tuple[Env, State]]:
        found = []
        if not c.choices and not c.writers:
            return [(env, before)]
        for resolution in self.interpreter.successors(c, before, env, self.picks(c, answer, after), after):
            found.append(resolution)
            if len(found) == TRIES:
                break
        return found

    def picks(self, c: CompiledOutcome, answer: Answer, after: State) -> dict[str, int]:
        """What is known of the choices: the elements that were returned, and the values that they show."""
        known = dict(answer.results)
        for pick, function, element in self.places(c):
            if known.get(element) in after.domains[function.params[0].name]:
                known[pick] = after.tables[function.name].get(known[element], 0)
        return known

    def places(self, c: CompiledOutcome) -> list[tuple[str, Function, str]]:
        """Where a picked value can be read off: (pick, variable, the new element that it is written to)."""
        found = self._places.get(id(c))
        if found is None:
            found = []
            new = {choice.symbol: choice.name for choice, *_ in c.choices if choice.kind == "new"}
            picked = {choice.symbol: choice.name for choice, *_ in c.choices if choice.kind == "pick"}
            for u in c.outcome.updates:
                if u.value in picked and len(u.args) == 1 and u.args[0] in new:
                    found.append((picked[u.value], u.function, new[u.args[0]]))
            self._places[id(c)] = found
        return found

    def wrong_effect(
        self,
        op: str,
        env: Env,
        c: CompiledOutcome,
        best: _Nearest | None,
        before: State,
        answer: Answer,
        after: State,
    ) -> Finding:
        if best is not None:
            return self.wording.effect(op, best.outcome, best.state, after)
        known = self.picks(c, answer, after)
        for choice, when, condition, search in c.choices:
            if choice.kind == "pick" and choice.name in known and when(before, before, env):
                value = known[choice.name]
                if not condition(before, before, {**env, choice.symbol.name: value}):
                    allowed = list(search(before, before, env))
                    return self.wording.misplaced(op, c, choice.name, value, allowed)
        # Elements that the contract makes are not there: compare with a state in which they are.
        made = next(iter(self.interpreter.successors(c, before, env, {})), None)
        return self.wording.effect(op, c, made[1] if made is not None else None, after)

    # --- properties ------------------------------------------------------------------------------------------------

    def broken_property(
        self, op: str, env: Env, c: CompiledOutcome, before: State, after: State
    ) -> Finding | None:
        p = self.properties.broken(op, env, c.outcome, before, after)
        if p is None:
            return None
        return self.wording.property(op, p, self.properties.witness(p, env, c.outcome, before, after))
