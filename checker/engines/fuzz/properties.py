"""Which properties a step may break, and whether it does.

A property is evaluated only when something it reads has changed.  A `step` property is also evaluated on the
first step that changes nothing of it: what it says of standing still can only change with what it reads.

Not here: the words for a broken property; they are in `findings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import Outcome, Property
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.joins import first
from vmaspace.checker.logic.rewriting import functions_of
from vmaspace.checker.logic.state import State


@dataclass(slots=True)
class _Watched:
    """A property with the names of the tables and sorts that it reads.  is_due: it has not been judged standing still."""

    property: Property
    reads: frozenset[str]
    is_due: bool = True


class Properties:
    """The properties that are judged: all but witnesses to be reached, and deviations that are not switched off."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        contract = interpreter.contract
        self.judged = [
            p
            for p in contract.properties.values()
            if p.kind != "reach" and (p.deviation is None or p.deviation.switch in contract.enabled)
        ]
        watched = {p.name: _Watched(p, _reads(p.body)) for p in self.judged}
        self.invariants = [watched[p.name] for p in self.judged if p.kind == "invariant"]
        self.steps = {
            op: [watched[p.name] for p in self.judged if p.kind == "step" and p.speaks_of(op)]
            for op in contract.operations
        }
        self.afters = {
            op: [p for p in self.judged if p.kind == "after" and p.operation == op]
            for op in contract.operations
        }
        self.all_steps = [w for w in watched.values() if w.property.kind == "step"]

    def begin(self) -> None:
        """A new run begins."""
        for w in self.all_steps:
            w.is_due = True

    def broken(
        self, op: str, env: Mapping[str, int], outcome: Outcome, before: State, after: State
    ) -> Property | None:
        """The first property that a step breaks."""
        changed = changes(before, after)
        holds = self.interpreter.property
        if changed:
            for w in self.invariants:
                if not changed.isdisjoint(w.reads) and not holds(w.property.name)(after, after, env):
                    return w.property
        for w in self.steps[op]:
            is_touched = not changed.isdisjoint(w.reads)
            if is_touched or w.is_due:
                if not holds(w.property.name)(before, after, env):
                    return w.property
                w.is_due = is_touched
        for p in self.afters[op]:
            if not self.interpreter.holds(p, before, after, env, outcome):
                return p
        return None

    def lost(self, op: str, env: Mapping[str, int], before: State, after: State) -> list[Property]:
        """The invariants and step properties that do not hold of a step, which need not be one of the contract."""
        holds = self.interpreter.property
        found = [w.property for w in self.invariants if not holds(w.property.name)(after, after, env)]
        return found + [w.property for w in self.steps[op] if not holds(w.property.name)(before, after, env)]

    def witness(
        self, p: Property, env: Mapping[str, int], outcome: Outcome, before: State, after: State
    ) -> dict[str, tuple[int, Type]]:
        """For which values a property that begins with "for" fails; empty if it does not begin so."""
        body, assumed = p.body, []
        while body.op == "or":  # `a implies for x: b`
            inner = [a for a in body.args if a.op == "forall"]
            if len(inner) != 1:
                return {}
            assumed += [tm.not_(a) for a in body.args if a is not inner[0]]
            body = inner[0]
        if body.op != "forall":
            return {}
        search = tm.exists(body.binders, tm.and_(*assumed, tm.not_(body.body)), body.stage)
        named = self.interpreter.named(p, env, outcome) if p.kind == "after" else dict(env)
        stage0 = after if p.kind == "invariant" else before
        values = first(search)(stage0, after, named)
        return {b.name.split("#")[0]: (v, b.type) for b, v in zip(body.binders, values, strict=False)}


def changes(before: State, after: State) -> set[str]:
    """The names of the tables and sorts that differ."""
    found = {s for s, ids in after.domains.items() if ids != before.domains[s]}
    old = before.tables
    for name, table in after.tables.items():
        was = old[name]
        if table is not was and table != was:
            found.add(name)
    return found


def _reads(body: tm.Term) -> frozenset[str]:
    found = set()
    for f in functions_of(body):
        if f.kind == "exists":
            found.add(f.params[0].name)
        elif f.kind != "given":
            found.add(f.name)
    return frozenset(found)

