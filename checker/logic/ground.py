"""Formulas over a finite scope: quantifiers become conjunctions, state becomes one term per place.

A `Snapshot` holds, for every place of a state (a variable and its elements), the term that stands for its value there.
Grounding a formula replaces each application by the term of its place, each quantifier over a sort by its instances, and each
bound number by its test points.  The result has no quantifiers and no state: only symbols and arithmetic.

Element k of a sort is the constant k of that sort.  Bound numbers are looked at where regions begin and end and one step
further, not at every alignment (see `points` for the exact set): whoever finds a run must confirm it by executing it, and
whoever finds none has searched at those places only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import in_word
from vmaspace.checker.logic.points import tests_of
from vmaspace.checker.logic.rewriting import rebuild, substitute
from vmaspace.checker.logic.terms import Function, Term

Place = tuple[Function, tuple[Term, ...]]


class Snapshot:
    """One state of a finite scope.

    exists: the elements that may exist, each with the condition under which it does.  values: the term of every place that
    is not certainly at its default.  pieces: for piecewise variables, the value at an address, and the addresses at
    which it may change.
    """

    def __init__(self) -> None:
        self.exists: dict[Type, dict[Term, Term]] = {}
        self.values: dict[Place, Term] = {}
        self.pieces: Callable[[Function, tuple[Term, ...], Term], Term] = lambda f, key, at: tm.default(
            f.result
        )
        self.breaks: Callable[[Function], list[Term]] = lambda f: []

    def value(self, f: Function, key: tuple[Term, ...]) -> Term:
        return self.values.get((f, key)) or tm.default(f.result)

    def there(self, element: Term) -> Term:
        return self.exists.get(element.type, {}).get(element, tm.FALSE)


class Grounder:
    """Grounds formulas; remembers which elements a symbol may stand for."""

    def __init__(self) -> None:
        self.ranges: dict[Term, frozenset[Term]] = {}

    def possible(self, t: Term) -> frozenset[Term]:
        """The elements that a sort-valued ground term may be, null included."""
        if t.op in ("const", "null"):
            return frozenset((t,))
        if t.op == "ite":
            return self.possible(t.args[1]) | self.possible(t.args[2])
        return self.ranges[t]

    def ground(self, t: Term, states: tuple[Snapshot, ...], names: dict[Term, Term] | None = None) -> Term:
        """`t` with stage i read in `states[i]` and symbols replaced by `names`."""
        return _Grounding(self, states).term(t, names or {})

    def split(self, arg: Term, build: Callable[[Term], Term], otherwise: Term) -> Term:
        """`build(arg)` where `build` needs a definite element; `otherwise` for null."""
        if arg.op == "const":
            return build(arg)
        if arg.op == "null":
            return otherwise
        if arg.op == "ite":
            return tm.ite(
                arg.args[0],
                self.split(arg.args[1], build, otherwise),
                self.split(arg.args[2], build, otherwise),
            )
        result = otherwise
        for e in sorted((e for e in self.possible(arg) if e.op == "const"), key=lambda e: e.value):
            result = tm.ite(tm.eq(arg, e), build(e), result)
        return result


class _Grounding:
    def __init__(self, grounder: Grounder, states: tuple[Snapshot, ...]) -> None:
        self.grounder = grounder
        self.states = states
        self.memo: dict[tuple[Term, tuple[Term, ...]], Term] = {}

    def term(self, t: Term, names: dict[Term, Term]) -> Term:
        if t.op in ("const", "null"):
            return t
        if t.op == "sym":
            return names.get(t, t)
        key = (t, tuple(names[s] for s in sorted(t.symbols & names.keys(), key=lambda s: s.ident)))
        found = self.memo.get(key)
        if found is None:
            found = self.memo[key] = self.build(t, names)
        return found

    def build(self, t: Term, names: dict[Term, Term]) -> Term:
        if t.op in tm.QUANTIFIERS:
            return self.quantifier(t, names)
        if t.op == "and":  # stop at the first false conjunct
            parts = []
            for a in t.args:
                part = self.term(a, names)
                if part is tm.FALSE:
                    return part
                parts.append(part)
            return tm.and_(*parts)
        if t.op == "or":
            parts = []
            for a in t.args:
                part = self.term(a, names)
                if part is tm.TRUE:
                    return part
                parts.append(part)
            return tm.or_(*parts)
        args = tuple(self.term(a, names) for a in t.args)
        if t.op == "app":
            return self.application(t, args)
        if t.op == "eq" and args[0].type.kind == "sort":
            return self.same(args[0], args[1])
        return rebuild(t, args)

    def same(self, a: Term, b: Term) -> Term:
        """Equality of elements, decided where the possible elements allow it."""
        if a.op == "ite":
            return tm.ite(a.args[0], self.same(a.args[1], b), self.same(a.args[2], b))
        if b.op == "ite":
            return tm.ite(b.args[0], self.same(a, b.args[1]), self.same(a, b.args[2]))
        if a is not b and self.grounder.possible(a).isdisjoint(self.grounder.possible(b)):
            return tm.FALSE
        return tm.eq(a, b)

    def application(self, t: Term, args: tuple[Term, ...]) -> Term:
        f = t.function
        if f.kind == "given":
            return self.given(f, args)
        state = self.states[t.stage or 0]
        if f.kind == "exists":
            return self.grounder.split(args[0], state.there, tm.FALSE)
        if f.is_piecewise:
            return self.at_places(
                args[:-1], (), lambda key: state.pieces(f, key, args[-1]), tm.default(f.result)
            )
        return self.at_places(args, (), lambda key: state.value(f, key), tm.default(f.result))

    def at_places(
        self,
        args: tuple[Term, ...],
        key: tuple[Term, ...],
        build: Callable[[tuple[Term, ...]], Term],
        nothing: Term,
    ) -> Term:
        if not args:
            return build(key)
        return self.grounder.split(
            args[0], lambda e: self.at_places(args[1:], (*key, e), build, nothing), nothing
        )

    def given(self, f: Function, args: tuple[Term, ...]) -> Term:
        def named(key: tuple[Term, ...]) -> Term:
            inner = ",".join(str(e.value) for e in key)
            return tm.symbol(f"{f.name}({inner})" if key else f.name, f.result)

        return self.at_places(args, (), named, tm.default(f.result))

    # --- quantifiers -----------------------------------------------------------------------------------------------

    def quantifier(self, t: Term, names: dict[Term, Term]) -> Term:
        instances = self.instances(t, t.binders, names, ())
        if t.op == "forall":
            parts = []
            for there, inner in instances:
                part = tm.implies(there, self.term(t.body, inner))
                if part is tm.FALSE:
                    return part
                parts.append(part)
            return tm.and_(*parts)
        if t.op == "exists":
            return tm.or_(*(tm.and_(there, self.term(t.body, inner)) for there, inner in instances))
        total = tm.number(0)
        for there, inner in instances:
            hit = tm.and_(there, self.term(t.body, inner))
            total = tm.add(total, tm.ite(hit, tm.number(1), tm.number(0)))
        return total

    def instances(
        self, t: Term, binders: tuple[Term, ...], names: dict[Term, Term], conditions: tuple[Term, ...]
    ) -> Iterable[tuple[Term, dict[Term, Term]]]:
        if not binders:
            yield tm.and_(*conditions), names
            return
        # Elements first: the test points of a number depend on them.
        ordered = sorted(binders, key=lambda b: b.type.kind != "sort")
        x, rest = ordered[0], tuple(ordered[1:])
        if x.type.kind == "sort":
            state = self.states[t.stage or 0]
            for e, there in state.exists.get(x.type, {}).items():
                if there is not tm.FALSE:
                    yield from self.instances(t, rest, {**names, x: e}, (*conditions, there))
        else:
            for p in self.points(x, t, names):
                yield from self.instances(t, rest, {**names, x: p}, (*conditions, in_word_at(x, p)))

    def points(self, x: Term, t: Term, names: dict[Term, Term]) -> list[Term]:
        tests = tests_of(x, t.body)
        bounds: dict[Term, None] = {}
        for e, inner in tests.bounds:
            for _, instance in self.around(inner, names):
                bounds[self.term(e, instance)] = None
        for f, stage, _, shift, inner in tests.pieces:
            for _, instance in self.around(inner, names):
                for b in self.states[stage].breaks(f):
                    bounds[tm.sub(b, self.term(shift, instance))] = None
        # Where alignment is asked for, the bounds that matter are the edges of regions, which are aligned.
        step = tm.PAGE if tests.alignments else 1
        found: dict[Term, None] = {tm.number(0): None}
        for b in bounds:
            found[b] = None
            found[tm.add(b, tm.number(step))] = None
        return list(found)

    def around(
        self, inner: tuple[tuple[Term, int | None], ...], names: dict[Term, Term]
    ) -> Iterable[tuple[None, dict[Term, Term]]]:
        domains = [self.states[s or 0].exists.get(b.type, {}) for b, s in inner]
        for elements in product(*domains):
            yield None, {**names, **{b: e for (b, _), e in zip(inner, elements, strict=True)}}


def in_word_at(x: Term, p: Term) -> Term:
    return substitute(in_word(x), {x: p})
