"""What the solver is told: alignment exactly or not at all, and types that several contracts share by name."""

import pytest
import z3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.language.types import INT, Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.logic.solver_terms import SolverTerms
from vmaspace.checker.logic.state import State

SETTINGS = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
X, K = tm.symbol("x", INT), tm.symbol("k", INT)
ALIGNED = tm.aligned(X, K)


def possible(terms: SolverTerms, *formulas) -> bool:
    solver = z3.Solver()
    solver.add(*(terms.formula(f) for f in formulas))
    answer = solver.check()
    assert answer != z3.unknown
    return answer == z3.sat


@SETTINGS
@given(st.integers(0, 40), st.integers(-1, 63), st.integers(0, 3))
def test_alignment_in_python(factor, k, offset):
    x = (factor << max(k, 0)) + offset
    expected = evaluator(ALIGNED)(State(), State(), {"x": x, "k": k})
    assert expected == (k <= 0 or x % 2**k == 0)


@pytest.mark.parametrize("k", [-1, 0, 1, 2, 12, 63])
@pytest.mark.parametrize("x", [0, 1, 2, 6, 4096, 4097, 2**63, 2**64 - 1])
def test_both_forms_of_alignment(tiny, x, k):
    holds = evaluator(ALIGNED)(State(), State(), {"x": x, "k": k})
    here = (tm.eq(X, tm.number(x)), tm.eq(K, tm.number(k)))
    exact, free = SolverTerms(tiny, exact=True), SolverTerms(tiny)
    assert possible(exact, *here, ALIGNED) == holds
    assert possible(exact, *here, tm.not_(ALIGNED)) != holds
    # Left open, it is at least never wrong: what is so stays possible.
    assert possible(free, *here, ALIGNED if holds else tm.not_(ALIGNED))
    assert possible(free, *here, tm.not_(ALIGNED)) == (k > 0)


def test_an_alignment_that_is_known_is_never_left_open(tiny):
    page = tm.aligned(X, tm.number(12))
    assert not possible(SolverTerms(tiny), tm.eq(X, tm.number(4097)), page)


def test_enumerations_of_one_name_stay_apart():
    texts = ["red, green, blue", "red, green", "red, green, blue"]
    contracts = [elaborate(check(parse({"t.aspec": f"statuses {{ OK = 0 }}\nenum Colour {{ {m} }}\n"}))) for m in texts]
    colour = Type("enum", "Colour")
    for contract, size in zip(contracts, (3, 2, 3), strict=True):
        c = tm.symbol("c", colour)
        others = [tm.not_(tm.eq(c, tm.const(i, colour))) for i in range(size)]
        terms = SolverTerms(contract)
        assert not possible(terms, *others)
        assert possible(terms, *others[1:])


def test_a_later_state_must_be_unfolded_first(tiny):
    with pytest.raises(AssertionError, match="expand it first"):
        SolverTerms(tiny).formula(tm.eq(tm.app(tiny.variables["total"], (), 1), tm.number(0)))
