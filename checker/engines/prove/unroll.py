"""Symbolic runs over a finite scope.

`Unrolling` starts in the first state (or in any state at all) and adds steps: in each, one of several outcomes happens, with
symbolic arguments.  New elements are numbered by the step and the choice that make them, so the tree that a run builds is
mostly concrete while addresses, sizes, flags and kinds stay symbolic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import Contract, Operation, Outcome, Update
from vmaspace.checker.logic.ground import Grounder, Snapshot
from vmaspace.checker.logic.points import tests_of
from vmaspace.checker.logic.terms import Function, Term

Candidate = tuple[Operation, Outcome]
Written = tuple[Term, Outcome, dict[Term, Term]]  # when it was taken, what it writes, its symbols


@dataclass(slots=True)
class Step:
    """One step of a run: which candidate happened, and for each candidate its symbols.

    `names[j]` maps the parameters and choices of candidate j to their symbols (or element constants) in this step.
    """

    selector: Term
    candidates: list[Candidate]
    names: list[dict[Term, Term]] = field(default_factory=list)


class Unrolling:
    """A chain of snapshots with the constraints that tie them together.

    counts: how many elements each given sort has.
    """

    def __init__(self, contract: Contract, counts: dict[str, int]) -> None:
        self.contract = contract
        self.grounder = Grounder()
        self.counts = counts
        self.constraints: list[Term] = []
        self.states: list[Snapshot] = []
        self.steps: list[Step] = []
        self.next_element = dict.fromkeys(contract.sorts, 0)
        # Bounded integers, such as alignments, are fixed to their lowest value unless the search is about them.
        self.free: frozenset[Term] = frozenset()

    # --- starting states -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start in the first state."""
        state = self.blank()
        init = self.contract.init
        names = {c.symbol: self.element(c.symbol.type) for c in init.choices if c.kind == "new"}
        after = self.blank()
        for e in names.values():
            after.exists[e.type][e] = tm.TRUE
        self.write(state, after, [(tm.TRUE, init, names)], "0")
        self.states.append(after)
        self.world(after)

    def begin_anywhere(self, counts: dict[str, int]) -> None:
        """Start in any state over so many elements of each sort; the caller says what holds in it."""
        state = self.blank()
        for sort in self.contract.sort_types():
            if not self.contract.sorts[sort.name]:
                for _ in range(counts.get(sort.name, 0)):
                    e = self.element(sort)
                    state.exists[sort][e] = tm.TRUE
        for f in self.contract.variables.values():
            for key in product(*(state.exists[p] for p in f.leading)):
                self.anything(state, f, key)
        state.pieces = _unknown_pieces
        self.states.append(state)
        self.world(state)

    def anything(self, state: Snapshot, f: Function, key: tuple[Term, ...]) -> None:
        if f.is_piecewise:
            return
        symbol = tm.symbol(f"{f.name}@0({','.join(str(e.value) for e in key)})", f.result)
        self.declare(symbol, state)
        state.values[(f, key)] = symbol

    def blank(self) -> Snapshot:
        state = Snapshot()
        for sort in self.contract.sort_types():
            state.exists[sort] = {}
            if self.contract.sorts[sort.name]:
                for i in range(self.counts.get(sort.name, 0)):
                    state.exists[sort][tm.const(i, sort)] = tm.TRUE
        return state

    def world(self, state: Snapshot) -> None:
        """What is known of the givens."""
        self.constraints += [self.grounder.ground(a, (state,)) for a in self.contract.assumptions]
        for f in self.contract.givens.values():
            for key in product(*(state.exists[p] for p in f.params)):
                self.declare(self.grounder.ground(tm.app(f, key), (state,)), state)

    def element(self, sort: Type) -> Term:
        index = self.next_element[sort.name]
        self.next_element[sort.name] += 1
        return tm.const(index, sort)

    def declare(self, symbol: Term, state: Snapshot) -> None:
        """Say what values a symbol may have."""
        if symbol.type.kind == "sort":
            known = [e for e, there in state.exists[symbol.type].items() if there is not tm.FALSE]
            self.grounder.ranges[symbol] = frozenset((*known, tm.null(symbol.type)))
            cases = [tm.and_(tm.eq(symbol, e), state.exists[symbol.type][e]) for e in known]
            self.constraints.append(tm.or_(tm.eq(symbol, tm.null(symbol.type)), *cases))
        elif symbol.type.kind == "enum":
            top = len(self.contract.enums[symbol.type.name]) - 1
            self.constraints.append(
                tm.or_(*(tm.eq(symbol, tm.const(i, symbol.type)) for i in range(top + 1)))
            )

    # --- steps -----------------------------------------------------------------------------------------------------

    def extend(self, candidates: Sequence[Candidate]) -> None:
        """Add a step in which one of the candidates happens."""
        i = len(self.steps)
        before = self.states[-1]
        step = Step(tm.symbol(f"step{i}", Type("int")), list(candidates))
        after = Snapshot()
        after.exists = {sort: dict(there) for sort, there in before.exists.items()}
        made = self.new_elements(step)
        written: list[Written] = []
        choice = []
        for j, (op, outcome) in enumerate(candidates):
            taken = tm.eq(step.selector, tm.number(j)) if len(candidates) > 1 else tm.TRUE
            choice.append(taken)
            names = self.parameters(op, before, f"{i}.{j}")
            conditions = [self.ground(t, before, names) for t in (op.domain, op.requires)]
            conditions += self.choices(outcome, before, after, names, made, taken, f"{i}.{j}")
            conditions.append(self.ground(outcome.guard, before, names))
            self.constraints.append(tm.implies(taken, tm.and_(*conditions)))
            step.names.append(names)
            written.append((taken, outcome, names))
        self.constraints.append(tm.or_(*choice))
        self.name_existence(before, after, i)
        self.write(before, after, written, str(i + 1))
        self.steps.append(step)
        self.states.append(after)

    def ground(self, t: Term, state: Snapshot, names: dict[Term, Term]) -> Term:
        return self.grounder.ground(t, (state,), names)

    def new_elements(self, step: Step) -> dict[tuple[str, int], Term]:
        """Elements shared by all candidates: the k-th new one of a sort in this step."""
        most: dict[str, int] = {}
        for _, outcome in step.candidates:
            for sort in self.contract.sort_types():
                most[sort.name] = max(most.get(sort.name, 0), len(outcome.new_of(sort)))
        return {(s, k): self.element(Type("sort", s)) for s, n in most.items() for k in range(n)}

    def parameters(self, op: Operation, before: Snapshot, tag: str) -> dict[Term, Term]:
        names = {}
        for p in op.params:
            if p.name in op.bounds and p not in self.free:
                names[p] = tm.number(op.bounds[p.name][0])
                continue
            symbol = tm.symbol(f"{p.name}@{tag}", p.type)
            self.declare(symbol, before)
            names[p] = symbol
        return names

    def choices(
        self,
        outcome: Outcome,
        before: Snapshot,
        after: Snapshot,
        names: dict[Term, Term],
        made: dict[tuple[str, int], Term],
        taken: Term,
        tag: str,
    ) -> list[Term]:
        conditions = []
        used: dict[str, int] = {}
        for c in outcome.choices:
            sort = c.symbol.type
            when = self.ground(c.when, before, names)
            if c.kind == "new":
                k = used.get(sort.name, 0)
                used[sort.name] = k + 1
                e = made[(sort.name, k)]
                names[c.symbol] = tm.ite(when, e, tm.null(sort))
                there = after.exists[sort].get(e, tm.FALSE)
                after.exists[sort][e] = tm.or_(there, tm.and_(taken, when))
                continue
            symbol = tm.symbol(f"{c.symbol.name}@{tag}", sort)
            self.declare(symbol, before)
            names[c.symbol] = symbol
            holds = self.ground(c.condition, before, names)
            if c.kind == "pick":
                conditions.append(tm.implies(when, holds))
                continue
            chosen = tm.not_(tm.eq(symbol, tm.null(sort)))
            none = tm.forall((c.symbol,), tm.not_(c.condition))
            others = {k: v for k, v in names.items() if k is not c.symbol}
            conditions.append(tm.implies(chosen, tm.and_(when, holds)))
            conditions.append(tm.or_(chosen, tm.not_(when), self.ground(none, before, others)))
        return conditions

    def name_existence(self, before: Snapshot, after: Snapshot, i: int) -> None:
        for sort, elements in after.exists.items():
            for e, there in elements.items():
                if e not in before.exists[sort] and there is not tm.TRUE:
                    symbol = tm.symbol(f"exists@{i + 1}({sort.name}{e.value})", Type("bool"))
                    self.constraints.append(tm.eq(symbol, there))
                    elements[e] = symbol

    # --- effects ---------------------------------------------------------------------------------------------------

    def write(
        self,
        before: Snapshot,
        after: Snapshot,
        written: list[Written],
        tag: str,
    ) -> None:
        """Set the values of `after`: those of `before`, changed by whichever outcome was taken."""
        after.values = dict(before.values)
        changes: dict[tuple[Function, tuple[Term, ...]], list[tuple[Term, Term]]] = {}
        piecewise: list[tuple[Term, Update, dict[Term, Term]]] = []
        for taken, outcome, names in written:
            local: dict[tuple[Function, tuple[Term, ...]], Term] = {}
            for u in outcome.updates:
                if u.function.is_piecewise:
                    piecewise.append((taken, u, names))
                else:
                    self.update(u, before, after, names, local)
            for place, value in local.items():
                changes.setdefault(place, []).append((taken, value))
        for place, alternatives in changes.items():
            value = before.value(*place)
            for taken, new in alternatives:
                value = tm.ite(taken, new, value)
            after.values[place] = self.named(place, value, tag)
        after.pieces, after.breaks = self.piecewise(before, piecewise)

    def named(self, place: tuple[Function, tuple[Term, ...]], value: Term, tag: str) -> Term:
        """A symbol for a value that is not simple, so that terms stay small."""
        if value.op in ("const", "null", "sym"):
            return value
        f, key = place
        symbol = tm.symbol(f"{f.name}@{tag}({','.join(str(e.value) for e in key)})", f.result)
        if f.result.kind == "sort":
            self.grounder.ranges[symbol] = self.grounder.possible(value)
        self.constraints.append(tm.eq(symbol, value))
        return symbol

    def update(
        self,
        u: Update,
        before: Snapshot,
        after: Snapshot,
        names: dict[Term, Term],
        local: dict[tuple[Function, tuple[Term, ...]], Term],
    ) -> None:
        targets = [None if a in u.binders else self.ground(a, before, names) for a in u.args]
        domains: list[list[Term]] = []
        for a, target in zip(u.args, targets, strict=True):
            if target is None:
                domains.append([e for e, there in before.exists[a.type].items() if there is not tm.FALSE])
            else:
                domains.append([e for e in self.grounder.possible(target) if e.op == "const"])
        for key in product(*domains):
            inner = dict(names)
            tests = []
            for a, target, e in zip(u.args, targets, key, strict=True):
                if target is not None:
                    tests.append(tm.eq(target, e) if target.op != "ite" else self.is_element(target, e))
                elif a in inner and inner[a] is not e:
                    tests.append(tm.FALSE)
                else:
                    inner[a] = e
                    tests.append(before.exists[a.type][e])
            hit = tm.and_(*tests)
            if hit is tm.FALSE:
                continue
            hit = tm.and_(hit, self.ground(u.condition, before, inner))
            if hit is tm.FALSE:
                continue
            place = (u.function, key)
            old = local.get(place, before.value(*place))
            value = tm.ite(hit, self.ground(u.value, before, inner), old)
            if value is not old:
                local[place] = value

    def is_element(self, t: Term, e: Term) -> Term:
        if t.op == "ite":
            return tm.ite(t.args[0], self.is_element(t.args[1], e), self.is_element(t.args[2], e))
        return tm.eq(t, e)

    def piecewise(self, before: Snapshot, written: list[tuple[Term, Update, dict[Term, Term]]]):  # type: ignore[no-untyped-def]
        memo: dict[tuple[Function, tuple[Term, ...], Term], Term] = {}

        def pieces(f: Function, key: tuple[Term, ...], at: Term) -> Term:
            found = memo.get((f, key, at))
            if found is None:
                found = before.pieces(f, key, at)
                for taken, u, names in written:
                    if u.function == f:
                        hit, value = self.piece(u, before, names, key, at)
                        found = tm.ite(tm.and_(taken, hit), value, found)
                memo[(f, key, at)] = found
            return found

        bounds: dict[Function, list[Term]] = {}

        def breaks(f: Function) -> list[Term]:
            if f not in bounds:
                found = dict.fromkeys(before.breaks(f))
                for _, u, names in written:
                    if u.function == f:
                        found.update(dict.fromkeys(self.update_bounds(u, before, names)))
                bounds[f] = list(found)
            return bounds[f]

        return pieces, breaks

    def piece(
        self, u: Update, before: Snapshot, names: dict[Term, Term], key: tuple[Term, ...], at: Term
    ) -> tuple[Term, Term]:
        inner = dict(names)
        tests = []
        for a, e in zip(u.args, (*key, at), strict=True):
            if a in u.binders:
                inner[a] = e
                if a.type.kind == "sort":
                    if e not in before.exists[a.type]:
                        return tm.FALSE, at
                    tests.append(before.exists[a.type][e])
            elif a.type.kind == "sort":
                tests.append(self.is_element(self.ground(a, before, names), e))
            else:
                tests.append(tm.eq(self.ground(a, before, names), e))
        hit = tm.and_(*tests)
        if hit is tm.FALSE:
            return hit, at
        return tm.and_(hit, self.ground(u.condition, before, inner)), self.ground(u.value, before, inner)

    def update_bounds(self, u: Update, before: Snapshot, names: dict[Term, Term]) -> list[Term]:
        place = u.args[-1]
        if place not in u.binders:
            at = self.ground(place, before, names)
            return [at, tm.add(at, tm.number(1))]
        found = []
        for e in tests_of(place, u.condition).bounds:
            elements = [b for b in u.binders if b is not place and b in e[0].symbols]
            for instance in product(*(before.exists[b.type] for b in elements)):
                found.append(
                    self.ground(e[0], before, {**names, **dict(zip(elements, instance, strict=True))})
                )
        return found


def _unknown_pieces(f: Function, key: tuple[Term, ...], at: Term) -> Term:
    inner = ",".join(str(e.value) for e in key)
    return tm.app(Function(f"{f.name}@0({inner})", (f.params[-1],), f.result), (at,))
