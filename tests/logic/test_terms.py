"""Terms: one object for one structure, and simplification that never changes a meaning.

Hypothesis builds expressions twice at once: as a term, by the simplifying constructors, and as a plain Python function.  The
term, read by the few lines of `meaning`, must have the value that the function says.
"""

import operator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmaspace.checker.language.types import ADDRESS, BOOL, INT, Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.rewriting import conjuncts, functions_of, rebuild, restage, rewrite, substitute
from vmaspace.checker.logic.state import NULL, State, empty_state
from vmaspace.checker.logic.terms import Function

SETTINGS = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
FEW = settings(SETTINGS, max_examples=60)
ITEM = Type("sort", "Item")
BITS = Type("flags", "Bits")
SYMBOLS = {
    "number": [tm.symbol(n, INT) for n in ("n1", "n2", "n3")],
    "truth": [tm.symbol(n, BOOL) for n in ("t1", "t2", "t3")],
    "flags": [tm.symbol(n, BITS) for n in ("f1", "f2")],
    "item": [tm.symbol(n, ITEM) for n in ("i1", "i2")],
}
TYPES = {"number": INT, "truth": BOOL, "flags": BITS, "item": ITEM}
VALUES = {
    "number": st.integers(-40, 40),
    "truth": st.booleans(),
    "flags": st.integers(0, 7),
    "item": st.integers(NULL, 2),
}
X, Y = tm.symbol("x", ITEM), tm.symbol("y", ITEM)
N, M = SYMBOLS["number"][:2]
P, Q, R = SYMBOLS["truth"]


class Drawn:
    """One expression in its two forms."""

    def __init__(self, term, value):
        self.term = term
        self.value = value


def constant(kind, value):
    if kind == "item" and value == NULL:
        return tm.null(ITEM)
    return tm.const(value, TYPES[kind])


def applied(build, compute, *parts):
    return Drawn(build(*(p.term for p in parts)), lambda e: compute(*(p.value(e) for p in parts)))


@st.composite
def expressions(draw, kind, depth=4):
    def sub(k):
        return draw(expressions(k, depth - 1))

    if depth == 0 or draw(st.integers(0, 5)) == 0:
        if draw(st.booleans()):
            value = draw(VALUES[kind])
            return Drawn(constant(kind, value), lambda e: value)
        symbol = draw(st.sampled_from(SYMBOLS[kind]))
        return Drawn(symbol, lambda e: e[symbol.name])
    if draw(st.integers(0, 4)) == 0:
        return applied(tm.ite, lambda c, a, b: a if c else b, sub("truth"), sub(kind), sub(kind))
    return {"number": numeric, "truth": logical, "flags": flagged, "item": lambda d, s: s("item")}[kind](draw, sub)


def numeric(draw, sub):
    k = draw(st.integers(-3, 3))
    d = draw(st.sampled_from([1, 2, 3, 8]))
    options = [
        lambda: applied(tm.add, operator.add, sub("number"), sub("number")),
        lambda: applied(tm.sub, operator.sub, sub("number"), sub("number")),
        lambda: applied(lambda a: tm.scale(a, k), lambda a: a * k, sub("number")),
        lambda: applied(lambda a: tm.div(a, d), lambda a: a // d, sub("number")),
        lambda: applied(lambda a: tm.mod(a, d), lambda a: a % d, sub("number")),
    ]
    return draw(st.sampled_from(options))()


def flagged(draw, sub):
    op, compute = draw(
        st.sampled_from(
            [("bitand", operator.and_), ("bitor", operator.or_), ("bitdiff", lambda a, b: a & ~b)]
        )
    )
    return applied(lambda a, b: tm.bits(op, a, b), compute, sub("flags"), sub("flags"))


def logical(draw, sub):
    any_kind = draw(st.sampled_from(["number", "truth", "flags", "item"]))
    log2 = draw(st.integers(-1, 4))
    options = [
        lambda: applied(tm.not_, operator.not_, sub("truth")),
        lambda: applied(tm.and_, lambda a, b, c: a and b and c, sub("truth"), sub("truth"), sub("truth")),
        lambda: applied(tm.or_, lambda a, b, c: a or b or c, sub("truth"), sub("truth"), sub("truth")),
        lambda: applied(tm.implies, lambda a, b: not a or b, sub("truth"), sub("truth")),
        lambda: applied(tm.eq, operator.eq, sub(any_kind), sub(any_kind)),
        lambda: applied(tm.le, operator.le, sub("number"), sub("number")),
        lambda: applied(tm.lt, operator.lt, sub("number"), sub("number")),
        lambda: applied(tm.subset, lambda a, b: a & ~b == 0, sub("flags"), sub("flags")),
        lambda: applied(
            lambda a: tm.aligned(a, tm.number(log2)), lambda a: log2 <= 0 or a % 2**log2 == 0, sub("number")
        ),
    ]
    return draw(st.sampled_from(options))()


ENVIRONMENTS = st.fixed_dictionaries({s.name: VALUES[kind] for kind in SYMBOLS for s in SYMBOLS[kind]})


def meaning(t, e):  # noqa: C901
    """The value of a term without state, as directly as it can be said."""
    v = [meaning(a, e) for a in t.args]
    match t.op:
        case "const":
            return t.value
        case "null":
            return NULL
        case "sym":
            return e[t.name]
        case "not":
            return not v[0]
        case "and":
            return all(v)
        case "or":
            return any(v)
        case "eq":
            return v[0] == v[1]
        case "ite":
            return v[1] if v[0] else v[2]
        case "add":
            return sum(v)
        case "mul":
            return t.factor * v[0]
        case "div":
            return v[0] // t.factor
        case "mod":
            return v[0] % t.factor
        case "le":
            return v[0] <= v[1]
        case "bitand":
            return v[0] & v[1]
        case "bitor":
            return v[0] | v[1]
        case "bitdiff":
            return v[0] & ~v[1]
        case "aligned":
            return v[1] <= 0 or v[0] % 2 ** v[1] == 0
    raise AssertionError(t.op)


# --- simplification ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(TYPES))
def test_constructors_keep_the_meaning(kind):
    @SETTINGS
    @given(expressions(kind), ENVIRONMENTS)
    def check(drawn, e):
        assert meaning(drawn.term, e) == drawn.value(e)
        assert evaluator(drawn.term)(State(), State(), e) == drawn.value(e)

    check()


def test_an_unsound_simplification_is_noticed(monkeypatch):
    """The twin: what would happen if `le` were folded as `lt`."""
    kept = tm.le

    def broken(a, b):
        return tm.FALSE if a is b else kept(a, b)

    monkeypatch.setattr(tm, "le", broken)
    seen = []

    @SETTINGS
    @given(expressions("truth"), ENVIRONMENTS)
    def look(drawn, e):
        seen.append(meaning(drawn.term, e) == drawn.value(e))

    look()
    assert not all(seen)


@FEW
@given(expressions("truth"))
def test_rebuilding_a_term_gives_the_same_term(drawn):
    assert rewrite(drawn.term, lambda node: None) is drawn.term


@pytest.mark.parametrize(
    ("simplified", "expected"),
    [
        (tm.not_(tm.not_(P)), P),
        (tm.and_(), tm.TRUE),
        (tm.or_(), tm.FALSE),
        (tm.and_(P), P),
        (tm.and_(P, tm.TRUE), P),
        (tm.and_(P, tm.FALSE), tm.FALSE),
        (tm.or_(P, tm.TRUE), tm.TRUE),
        (tm.and_(P, tm.not_(P)), tm.FALSE),
        (tm.or_(tm.not_(P), P), tm.TRUE),
        (tm.and_(P, tm.and_(Q, P)), tm.and_(P, Q)),
        (tm.or_(tm.or_(P, Q), R), tm.or_(P, Q, R)),
        (tm.ite(tm.not_(P), N, M), tm.ite(P, M, N)),
        (tm.ite(P, tm.ite(P, N, M), M), tm.ite(P, N, M)),
        (tm.ite(P, tm.TRUE, tm.FALSE), P),
        (tm.eq(tm.ite(P, tm.number(1), tm.number(2)), tm.number(1)), P),
        (tm.eq(P, tm.FALSE), tm.not_(P)),
        (tm.eq(tm.const(1, ITEM), tm.null(ITEM)), tm.FALSE),
        (tm.eq(N, M), tm.eq(M, N)),
        (tm.sub(tm.add(N, M), N), M),
        (tm.add(N, N), tm.scale(N, 2)),
        (tm.sub(N, N), tm.number(0)),
        (tm.scale(tm.scale(N, 2), 3), tm.scale(N, 6)),
        (tm.le(N, N), tm.TRUE),
        (tm.lt(N, N), tm.FALSE),
        (tm.aligned(N, tm.number(0)), tm.TRUE),
        (tm.aligned(tm.number(4096), tm.number(12)), tm.TRUE),
        (tm.aligned(tm.number(4097), tm.number(12)), tm.FALSE),
        (tm.forall((X,), tm.TRUE), tm.TRUE),
        (tm.exists((X,), tm.FALSE), tm.FALSE),
        (tm.forall((), P), P),
    ],
)
def test_simplifications(simplified, expected):
    assert simplified is expected


def test_what_depends_on_the_domain_stays():
    """Nothing may exist: then "for all" of the false is true, and "exists" of the true is false."""
    assert tm.forall((X,), tm.FALSE).op == "forall"
    assert tm.exists((X,), tm.TRUE).op == "exists"


# --- identity ------------------------------------------------------------------------------------------------------


@FEW
@given(st.data())
def test_one_structure_is_one_object(data):
    drawn = data.draw(expressions("truth"))

    def copy(t):
        return rebuild(t, tuple(copy(a) for a in t.args)) if t.args else tm.make(t.op, (), t.data, t.type)

    assert copy(drawn.term) is drawn.term


def test_types_tell_constants_apart():
    assert tm.const(1, BITS) is not tm.const(1, INT)
    assert tm.null(ITEM) is not tm.null(Type("sort", "Other"))
    assert tm.const(True, BOOL) is tm.TRUE
    assert tm.const(4096, ADDRESS) is tm.number(4096)


def test_fresh_symbols_are_new_each_time():
    a = tm.fresh("x", ITEM)
    b = tm.fresh(a.name, ITEM)
    assert a is not b
    assert a.name.split("#")[0] == b.name.split("#")[0] == "x"


def test_free_symbols_do_not_include_bound_ones():
    near = Function("near", (ITEM, ITEM), BOOL)
    t = tm.forall((X,), tm.exists((Y,), tm.and_(tm.app(near, (X, Y)), P)))
    assert t.symbols == {P}
    assert t.body.symbols == {X, P}


# --- substitution and stages ---------------------------------------------------------------------------------------


@FEW
@given(expressions("truth"), expressions("number"), expressions("item"), ENVIRONMENTS)
def test_substitution_is_evaluation_elsewhere(drawn, number, item, e):
    i = SYMBOLS["item"][0]
    put_in = substitute(drawn.term, {N: number.term, i: item.term})
    assert meaning(put_in, e) == drawn.value({**e, N.name: number.value(e), i.name: item.value(e)})


def test_substitution_reaches_below_quantifiers_and_leaves_bound_symbols():
    near = Function("near", (ITEM, ITEM), BOOL)
    t = tm.forall((X,), tm.app(near, (X, Y)))
    assert substitute(t, {Y: tm.null(ITEM)}) is tm.forall((X,), tm.app(near, (X, tm.null(ITEM))))
    assert substitute(t, {X: tm.null(ITEM)}) is t
    assert substitute(t, {}) is t


def test_a_formula_about_a_later_state(tiny):
    v = tiny.variables
    x = tm.fresh("x", ITEM)
    formula = tm.forall((x,), tm.le(tm.app(v["at"], (x,)), tm.app(v["total"], ())))
    later = restage(formula, 1)
    assert restage(formula, 0) is formula
    assert restage(later, -1) is formula
    before, after = empty_state(tiny), empty_state(tiny)
    before.domains["Item"], after.domains["Item"] = (0,), (0, 1)
    before.tables["total"], after.tables["total"] = {(): 5}, {(): 5}
    before.tables["at"], after.tables["at"] = {0: 5}, {0: 5, 1: 6}
    assert evaluator(formula)(before, after, {}) is True
    assert evaluator(later)(before, after, {}) is False
    assert evaluator(later)(after, before, {}) is True


def test_given_facts_have_no_stage():
    f = Function("fact", (), INT, "given")
    assert tm.app(f, (), 3) is tm.app(f, ())
    assert restage(tm.app(f, ()), 2) is tm.app(f, ())


def test_a_quantifier_over_everything_keeps_no_stage():
    at = Function("at", (ITEM,), INT)
    t = tm.forall((X,), tm.le(tm.app(at, (X,)), N), None)
    later = restage(t, 1)
    assert later.stage is None
    assert later.body is tm.le(tm.app(at, (X,), 1), N)


def test_functions_of_names_sorts_that_are_quantified():
    at = Function("at", (ITEM,), INT)
    t = tm.exists((X,), tm.le(tm.app(at, (X,)), N))
    assert functions_of(t) == {at, tm.existence(ITEM)}
    assert conjuncts(tm.TRUE) == ()
    assert conjuncts(tm.and_(P, Q)) == (P, Q)
