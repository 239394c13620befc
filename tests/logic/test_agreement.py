"""The interpretations of a term agree: Python code, Z3 over any number of elements, and the ground form.

Hypothesis makes formulas and small states.  Python evaluates the formula in the state; Z3 is given the state as facts about its
uninterpreted functions and must find the formula, or its negation, impossible, as Python says; the grounded formula must do
the same without any quantifier.
"""

import z3
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from vmaspace.checker.engines.prove import counting
from vmaspace.checker.engines.prove.bounded import GroundTerms
from vmaspace.checker.language.types import ADDRESS, Type
from vmaspace.checker.logic import code
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.ground import Grounder, Snapshot
from vmaspace.checker.logic.rewriting import walk
from vmaspace.checker.logic.solver_terms import SolverTerms
from vmaspace.checker.logic.state import NULL, Pieces, State, empty_state

ITEM = Type("sort", "Item")
COLOUR = Type("enum", "Colour")
BITS = Type("flags", "Bits")
ADDRESSES = [0, 1, 4095, 4096, 4097, 8192, 12288]
SETTINGS = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


class Maker:
    """Draws typed formulas; `bound` are the variables in scope."""

    def __init__(self, contract, draw):
        self.v = contract.variables
        self.draw = draw

    def pick(self, *options):
        return self.draw(st.sampled_from(options))()

    def item(self, bound):
        items = [b for b in bound if b.type == ITEM]
        leaf = (lambda: tm.null(ITEM)) if not items else (lambda: self.draw(st.sampled_from(items)))
        return self.pick(leaf, leaf, lambda: tm.app(self.v["up"], (leaf(),)))

    def number(self, bound):
        """A number without the bound number, which has its own places."""
        return self.pick(
            lambda: tm.number(self.draw(st.sampled_from(ADDRESSES))),
            lambda: tm.app(self.v["at"], (self.item(bound),)),
            lambda: tm.add(tm.app(self.v["at"], (self.item(bound),)), tm.number(self.draw(st.integers(-2, 5000)))),
            lambda: tm.app(self.v["total"], ()),
        )

    def flags(self, bound):
        places = [b for b in bound if b.type == ADDRESS]
        address = places[-1] if places else tm.number(self.draw(st.sampled_from(ADDRESSES)))
        return self.pick(
            lambda: tm.const(self.draw(st.integers(0, 7)), BITS),
            lambda: tm.app(self.v["bits"], (self.item(bound),)),
            lambda: tm.app(self.v["level"], (self.item(bound), address)),
            lambda: tm.bits(
                self.draw(st.sampled_from(["bitand", "bitor", "bitdiff"])),
                tm.app(self.v["bits"], (self.item(bound),)),
                tm.const(self.draw(st.integers(0, 7)), BITS),
            ),
        )

    def atom(self, bound):
        places = [b for b in bound if b.type == ADDRESS]
        options = [
            lambda: tm.eq(self.item(bound), self.item(bound)),
            lambda: tm.eq(self.item(bound), tm.null(ITEM)),
            lambda: tm.app(self.v["near"], (self.item(bound), self.item(bound))),
            lambda: tm.le(self.number(bound), self.number(bound)),
            lambda: tm.lt(self.number(bound), self.number(bound)),
            lambda: tm.eq(tm.mod(self.number(bound), 4096), tm.number(0)),
            lambda: tm.le(tm.div(self.number(bound), 4096), tm.number(2)),
            lambda: tm.subset(self.flags(bound), self.flags(bound)),
            lambda: tm.eq(tm.app(self.v["colour"], (self.item(bound),)), tm.const(self.draw(st.integers(0, 2)), COLOUR)),
            lambda: tm.le(
                tm.ite(tm.eq(self.item(bound), self.item(bound)), self.number(bound), self.number(bound)),
                self.number(bound),
            ),
            lambda: self.counted(bound),
        ]
        if places:
            p = places[-1]
            options += [
                lambda: tm.le(p, self.number(bound)),
                lambda: tm.lt(self.number(bound), p),
                lambda: tm.eq(p, self.number(bound)),
                lambda: tm.aligned(p, tm.number(12)),
            ]
        return self.pick(*options)

    def counted(self, bound):
        x = tm.fresh("c", ITEM)
        inner = [b for b in bound if b.type == ITEM] + [x]
        body = self.pick(
            lambda: tm.app(self.v["near"], (x, self.item(inner))),
            lambda: tm.le(tm.app(self.v["at"], (x,)), self.number(inner)),
        )
        return tm.le(tm.count((x,), body), tm.number(self.draw(st.integers(0, 2))))

    def formula(self, depth, bound):
        if depth == 0:
            return self.atom(bound)
        sub = lambda b=bound: self.formula(depth - 1, b)  # noqa: E731
        return self.pick(
            lambda: self.atom(bound),
            lambda: tm.not_(sub()),
            lambda: tm.and_(sub(), sub()),
            lambda: tm.or_(sub(), sub()),
            lambda: tm.eq(sub(), sub()),
            lambda: tm.ite(self.atom(bound), sub(), sub()),
            lambda: self.quantified(depth, bound),
            lambda: self.quantified(depth, bound),
        )

    def quantified(self, depth, bound):
        is_number = not any(b.type == ADDRESS for b in bound) and self.draw(st.booleans())
        x = tm.fresh("q", ADDRESS if is_number else ITEM)
        body = self.formula(depth - 1, [*bound, x])
        return self.draw(st.sampled_from([tm.forall, tm.exists]))((x,), body)


@st.composite
def cases(draw, contract):
    size = draw(st.integers(0, 3))
    state = empty_state(contract)
    state.domains["Item"] = tuple(range(size))
    tables = state.tables
    tables["total"] = {k: v for k, v in {(): draw(st.integers(-3, 9000))}.items() if v}
    for i in range(size):
        up = draw(st.integers(-1, size - 1))
        at = draw(st.sampled_from(ADDRESSES))
        for name, value, nothing in (
            ("up", up, NULL), ("at", at, 0), ("colour", draw(st.integers(0, 2)), 0), ("bits", draw(st.integers(0, 7)), 0)
        ):  # fmt: skip
            if value != nothing:
                tables[name][i] = value
        for j in range(size):
            if draw(st.booleans()):
                tables["near"][(i, j)] = 1
        starts = sorted(draw(st.sets(st.sampled_from(ADDRESSES), max_size=3)))
        pieces = Pieces.of((s, draw(st.integers(0, 7))) for s in starts)
        if pieces.starts:
            tables["level"][i] = pieces
    return state, Maker(contract, draw).formula(draw(st.integers(1, 3)), [])


def value_of(contract, state: State, formula) -> bool:
    return bool(code.evaluator(formula)(state, state, {}))


def in_solver(contract, state: State, formula) -> bool:
    """What Z3 says, given the state as facts about uninterpreted sorts and functions."""
    terms = SolverTerms(contract)
    elements = {i: z3.Const(f"item{i}", terms.sort(ITEM)) for i in state.domains["Item"]}
    elements[NULL] = terms.null(ITEM)
    solver = z3.Solver()
    solver.set("timeout", 20_000)
    solver.add(z3.Distinct(*elements.values()))
    x = z3.Const("x", terms.sort(ITEM))
    solver.add(z3.ForAll([x], z3.Or(*(x == e for e in elements.values()))))
    exists = terms.function(tm.existence(ITEM))
    solver.add(*(exists(e) if i != NULL else z3.Not(exists(e)) for i, e in elements.items()))

    def known(value, type_):
        return elements[value] if type_ == ITEM else terms.value(value, type_)

    for f in contract.variables.values():
        table = state.tables[f.name]
        if f.is_piecewise:
            p = z3.Int("p")
            for i, e in elements.items():
                pieces = table.get(i, Pieces())
                value = terms.value(0, f.result)
                for start, v in zip(pieces.starts, pieces.values, strict=True):
                    value = z3.If(p >= start, terms.value(v, f.result), value)
                solver.add(z3.ForAll([p], terms.function(f)(e, p) == value))
            continue
        keys = [()]
        for _ in f.params:
            keys = [(*k, i) for k in keys for i in elements]
        for key in keys:
            nothing = NULL if f.result == ITEM else 0
            value = table.get(key[0] if len(key) == 1 else key, nothing)
            solver.add(terms.function(f)(*(elements[k] for k in key)) == known(value, f.result))
    for c in counting.counts_in(formula):  # a count is unknown to the solver: tell it, for every element
        unknown = counting.abstract(c)
        free = sorted(c.symbols, key=lambda s: s.ident)
        for key in assignments(free, elements):
            env = {s.name: v for s, v in zip(free, key, strict=True)}
            number = code.evaluator(c)(state, state, env)
            head = terms.function(unknown.function)
            solver.add(head(*(elements[v] for v in key)) == number)
    goal = terms.formula(counting.abstract(formula))
    answers = []
    for claim in (goal, z3.Not(goal)):
        solver.push()
        solver.add(claim)
        answers.append(solver.check())
        solver.pop()
    assert sorted(map(str, answers)) == ["sat", "unsat"], answers
    return answers[0] == z3.sat


def assignments(free, elements):
    keys = [()]
    for _ in free:
        keys = [(*k, i) for k in keys for i in elements]
    return keys


def grounded(contract, state: State, formula) -> bool:
    """What the quantifier-free form says, with the state's values put in."""
    snapshot = Snapshot()
    snapshot.exists[ITEM] = {tm.const(i, ITEM): tm.TRUE for i in state.domains["Item"]}

    def constant(value, type_):
        return tm.null(type_) if type_ == ITEM and value == NULL else tm.const(value, type_)

    for f in contract.variables.values():
        if not f.is_piecewise:
            for key, value in state.tables[f.name].items():
                parts = () if not f.params else key if isinstance(key, tuple) else (key,)
                snapshot.values[(f, tuple(tm.const(k, ITEM) for k in parts))] = constant(value, f.result)

    def pieces(f, key, address):
        value = tm.default(f.result)
        table = state.tables[f.name].get(key[0].value, Pieces())
        for start, v in zip(table.starts, table.values, strict=True):
            value = tm.ite(tm.le(tm.number(start), address), tm.const(v, f.result), value)
        return value

    snapshot.pieces = pieces
    snapshot.breaks = lambda f: [tm.number(s) for p in state.tables[f.name].values() for s in p.starts]
    result = Grounder().ground(formula, (snapshot,))
    assert not any(t.op in tm.QUANTIFIERS or t.op == "app" for t in walk(result))
    terms = GroundTerms(contract, exact=True)
    solver = z3.Solver()
    solver.add(terms.formula(result))
    return solver.check() == z3.sat


def is_aligned_somewhere(formula) -> bool:
    return any(t.op == "aligned" for t in walk(formula))


@SETTINGS
@given(data=st.data())
def test_python_and_solver_agree(tiny, data):
    state, formula = data.draw(cases(tiny))
    assert in_solver(tiny, state, formula) == value_of(tiny, state, formula)


@SETTINGS
@given(data=st.data())
def test_python_and_the_ground_form_agree(tiny, data):
    state, formula = data.draw(cases(tiny))
    if is_aligned_somewhere(formula):
        return  # the ground form looks at page steps there, and whoever uses it confirms
    assert grounded(tiny, state, formula) == value_of(tiny, state, formula)


def disagree(tiny, one, other) -> bool:
    """Whether a formula and a state are found, soon, of which the two do not say the same."""

    @settings(SETTINGS, max_examples=600, phases=[Phase.generate], report_multiple_bugs=False)
    @given(data=st.data())
    def look(data):
        state, formula = data.draw(cases(tiny))
        if one(tiny, state, formula) != other(tiny, state, formula):
            raise Differs

    try:
        look()
    except Differs:
        return True
    return False


class Differs(Exception):
    pass


def test_a_broken_translation_is_noticed(tiny, monkeypatch):
    kept = code.Source.expr

    def broken(self, t):
        return kept(self, t).replace("<=", "<") if t.op == "le" else kept(self, t)

    monkeypatch.setattr(code.Source, "expr", broken)
    assert disagree(tiny, in_solver, value_of)


def test_forgotten_test_points_are_noticed(tiny, monkeypatch):
    monkeypatch.setitem(code.RUNTIME, "points", lambda bounds, log2s, top: [0])
    assert disagree(tiny, in_solver, value_of)


