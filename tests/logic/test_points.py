"""Test points: a search among finitely many numbers finds whatever a search among all would."""

from itertools import product

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vmaspace.checker.language.types import ADDRESS, INT, Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.points import NotLinear, candidates
from vmaspace.checker.logic.points import tests_of as examined
from vmaspace.checker.logic.state import Pieces, State, empty_state
from vmaspace.checker.logic.terms import Function

SETTINGS = settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
TOP = 96
LOG2S = (1, 2, 3, 4)
ITEM = Type("sort", "Item")
BITS = Type("flags", "Bits")
X = tm.symbol("x", ADDRESS)
Y = tm.symbol("y", ADDRESS)
I = tm.symbol("i", ITEM)  # noqa: E741
AT = Function("at", (ITEM,), ADDRESS)
LEVEL = Function("level", (ITEM, ADDRESS), BITS)


def classes(top, bounds, log2s):
    """What formulas over these bounds and alignments can tell of each number."""
    return {
        tuple((x > b) - (x < b) for b in bounds) + tuple(x % (1 << max(k, 0)) == 0 for k in log2s) for x in range(top)
    }


@SETTINGS
@given(st.lists(st.integers(-3, TOP + 3), max_size=4), st.lists(st.sampled_from([-1, 0, *LOG2S]), max_size=3))
@example([15], [4])  # past the bound comes an aligned number first, then the others
@example([7, 9], [2, 3])
@example([], [4, 1])
def test_every_kind_of_number_has_a_candidate(bounds, log2s):
    found = candidates(bounds, log2s, TOP)
    assert found == sorted(set(found))
    assert all(0 <= p < TOP for p in found)
    seen = {
        tuple((x > b) - (x < b) for b in bounds) + tuple(x % (1 << max(k, 0)) == 0 for k in log2s) for x in found
    }
    assert seen == classes(TOP, bounds, log2s)


def test_candidates_without_their_neighbours_would_not_do():
    """The twin: the bounds alone miss what lies between them."""
    assert classes(TOP, [10, 20], []) - {tuple((x > b) - (x < b) for b in (10, 20)) for x in (0, 10, 20)}


def test_candidates_are_few():
    assert len(candidates(range(0, 1 << 30, 1 << 20), [12, 21], 1 << 64)) < 12 * 1024


# --- the search inside the generated code --------------------------------------------------------------------------


def atoms(draw):
    """A test of x, and the same as a Python function of x and the state's table of pieces."""
    kind = draw(st.sampled_from(["le", "ge", "eq", "shifted", "aligned", "piece", "shifted piece"]))
    b = draw(st.integers(-2, 40))
    k = draw(st.sampled_from(LOG2S))
    d = draw(st.integers(-4, 4))
    level = tm.app(LEVEL, (tm.const(0, ITEM), tm.add(X, tm.number(d) if "shifted" in kind else tm.number(0))))
    v = draw(st.integers(0, 2))
    return {
        "le": (tm.le(X, tm.number(b)), lambda x, p: x <= b),
        "ge": (tm.lt(tm.number(b), X), lambda x, p: b < x),
        "eq": (tm.eq(X, tm.number(b)), lambda x, p: x == b),
        "shifted": (tm.le(tm.add(X, tm.number(d)), tm.number(b)), lambda x, p: x + d <= b),
        "aligned": (tm.aligned(X, tm.number(k)), lambda x, p: x % (1 << k) == 0),
        "piece": (tm.eq(level, tm.const(v, BITS)), lambda x, p: p.at(x) == v),
        "shifted piece": (tm.eq(level, tm.const(v, BITS)), lambda x, p: p.at(x + d) == v),
    }[kind]


@st.composite
def searches(draw, depth=3):
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return atoms(draw)
    (a, f), (b, g) = draw(searches(depth - 1)), draw(searches(depth - 1))
    return draw(
        st.sampled_from(
            [
                (tm.not_(a), lambda x, p: not f(x, p)),
                (tm.and_(a, b), lambda x, p: f(x, p) and g(x, p)),
                (tm.or_(a, b), lambda x, p: f(x, p) or g(x, p)),
            ]
        )
    )


# Beyond every bound and two rounds of the largest alignment nothing new happens.
EVERY = range(48 + 2 * (1 << max(LOG2S)))


@SETTINGS
@given(searches(), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), max_size=4))
def test_a_search_answers_as_trying_all_would(tiny, drawn, points):
    formula, holds = drawn
    state = empty_state(tiny)
    state.domains["Item"] = (0,)
    pieces = Pieces.of(sorted(dict(points).items()))
    if pieces.starts:
        state.tables["level"][0] = pieces
    expected = any(holds(x, pieces) for x in EVERY)
    assert evaluator(tm.exists((X,), formula))(state, state, {}) == expected
    expected = all(holds(x, pieces) for x in EVERY)
    assert evaluator(tm.forall((X,), formula))(state, state, {}) == expected


@SETTINGS
@given(st.integers(0, 30), st.integers(0, 30), st.sampled_from(LOG2S), st.integers(0, 3))
def test_the_least_of_the_aligned_is_found(low, length, k, slack):
    """Placement asks for the lowest fitting address: a bound number compared with another below it."""

    def spot(q):
        above = tm.and_(tm.le(tm.number(low), q), tm.aligned(q, tm.number(k)))
        return tm.and_(above, tm.le(tm.add(q, tm.number(length)), tm.number(60 + slack)))

    least = tm.exists((X,), tm.and_(spot(X), tm.forall((Y,), tm.implies(spot(Y), tm.le(X, Y)))))
    there = any(q >= low and q % (1 << k) == 0 and q + length <= 60 + slack for q in range(64))
    assert evaluator(least)(State(), State(), {}) == there


# --- what a formula is tested for ----------------------------------------------------------------------------------


def test_bounds_solve_for_the_number():
    i = tm.app(AT, (I,))
    found = examined(X, tm.and_(tm.le(tm.add(X, tm.number(5)), i), tm.aligned(X, tm.number(12))))
    assert [b for b, _ in found.bounds] == [tm.sub(i, tm.number(5))]
    assert list(found.alignments) == [tm.number(12)]


def test_bounds_below_a_quantifier_stand_for_all_its_elements():
    found = examined(X, tm.forall((I,), tm.le(X, tm.app(AT, (I,)))))
    ((bound, inner),) = found.bounds
    assert bound is tm.app(AT, (I,))
    assert inner == ((I, 0),)


def test_pieces_are_tests_too():
    found = examined(X, tm.eq(tm.app(LEVEL, (I, tm.add(X, tm.number(3)))), tm.const(1, BITS)))
    ((f, stage, args, shift, inner),) = found.pieces
    assert (f, stage, args, shift, inner) == (LEVEL, 0, (I,), tm.number(3), ())


N = tm.symbol("n", INT)


@pytest.mark.parametrize(
    "formula",
    [
        tm.le(tm.scale(X, 2), N),
        tm.eq(tm.mod(X, 4096), tm.number(0)),
        tm.le(tm.div(X, 4096), N),
        tm.aligned(tm.add(X, N), tm.number(12)),
        tm.eq(tm.app(LEVEL, (I, tm.scale(X, 2))), tm.const(1, BITS)),
        tm.exists((Y,), tm.le(X, Y)),
        tm.le(tm.ite(tm.le(X, N), X, N), tm.number(3)),
    ],
    ids=repr,
)
def test_what_test_points_do_not_cover_is_refused(formula):
    with pytest.raises(NotLinear):
        examined(X, formula)


def test_a_number_that_cancels_out_is_no_test():
    assert not examined(X, tm.le(tm.sub(X, N), tm.add(X, tm.number(1)))).bounds


def test_an_int_is_not_searched():
    with pytest.raises(NotLinear, match="int"):
        evaluator(tm.exists((N,), tm.le(N, tm.number(3))))


def test_searches_over_two_numbers_and_elements_agree(tiny):
    """exists x, i: at(i) < x < at(i) + 2, against the plain double loop."""
    state = empty_state(tiny)
    state.domains["Item"] = (0, 1)
    at = tiny.variables["at"]
    i = tm.fresh("i", ITEM)
    here = tm.app(at, (i,))
    body = tm.and_(tm.lt(here, X), tm.lt(X, tm.add(here, tm.number(2))), tm.aligned(X, tm.number(2)))
    run = evaluator(tm.exists((i, X), body))
    for a, b in product(range(9), repeat=2):
        state.tables["at"] = {k: v for k, v in {0: a, 1: b}.items() if v}
        assert run(state, state, {}) == ((a + 1) % 4 == 0 or (b + 1) % 4 == 0)
