"""The parts of the proof method against concrete states: counting by differences, and proofs by instances."""

import pytest
import z3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmaspace.checker.engines.prove import counting
from vmaspace.checker.engines.prove.induction import Induction
from vmaspace.checker.engines.prove.instantiation import Compiled, Query
from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.language.types import INT, Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.logic.solver_terms import SolverTerms
from vmaspace.checker.logic.state import NULL, empty_state

SETTINGS = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
TEXT = """
statuses { OK = 0 }
sort Item
var up: Item -> Item
var at: Item -> address
var near: Item, Item -> bool
"""
ITEM = Type("sort", "Item")
CONTRACT = elaborate(check(parse({"tiny.aspec": TEXT})))
UP, AT, NEAR = (CONTRACT.variables[n] for n in ("up", "at", "near"))
A, B = tm.symbol("a", ITEM), tm.symbol("b", ITEM)
X, Y = tm.symbol("x", ITEM), tm.symbol("y", ITEM)
N = tm.symbol("n", INT)


@st.composite
def states(draw, most=3, items=None):
    state = empty_state(CONTRACT)
    items = range(draw(st.integers(0, most))) if items is None else items
    state.domains["Item"] = tuple(items)
    for i in items:
        up = draw(st.sampled_from([NULL, *items]))
        if up != NULL:
            state.tables["up"][i] = up
        at = draw(st.integers(0, 3))
        if at:
            state.tables["at"][i] = at
        state.tables["near"] |= {(i, j): 1 for j in items if draw(st.booleans())}
    return state


# --- counting ------------------------------------------------------------------------------------------------------

AFTER = tm.count((X,), tm.le(tm.number(2), tm.app(AT, (X,), 1)), 1)


def with_counts(state, counts):
    """The state with the values of the unknown functions that stand for counts."""
    for c in counts:
        assert not c.symbols
        state.tables[counting.abstract(c).function.name] = {(): evaluator(c)(state, state, {})}
    return state


def differences(before, after, env):
    """What the rule says, whether its side condition holds, and what is so."""
    formula = tm.eq(N, AFTER)
    rewritten, (condition,), counts = counting.by_difference(formula, (A, B))
    with_counts(before, counts)
    (other,) = condition.binders
    holds = all(evaluator(condition.body)(before, after, {**env, other.name: i}) for i in after.domains["Item"])
    return evaluator(rewritten)(before, after, env), holds, evaluator(formula)(before, after, env)


@st.composite
def steps(draw):
    before = draw(states())
    size = len(before.domains["Item"])
    after = draw(states(items=range(draw(st.integers(size, size + 2)))))
    ends = st.sampled_from([NULL, *after.domains["Item"]])
    named = {"a": draw(ends), "b": draw(ends), "n": draw(st.integers(0, 4))}
    if draw(st.booleans()):  # nothing changes elsewhere
        for i in after.domains["Item"]:
            if i not in named.values():
                after.tables["at"].pop(i, None)
                if i in before.tables["at"]:
                    after.tables["at"][i] = before.tables["at"][i]
    return before, after, named


@SETTINGS
@given(steps())
def test_a_count_after_is_the_count_before_and_the_differences(step):
    said, holds, so = differences(*step)
    assert said == so or not holds


def test_without_the_side_condition_the_rule_is_wrong():
    """The twin: what changes at an element that is not named is missed, and the condition says so."""
    before, after = empty_state(CONTRACT), empty_state(CONTRACT)
    before.domains["Item"] = after.domains["Item"] = (0, 1)
    after.tables["at"] = {1: 3}
    said, holds, so = differences(before, after, {"a": 0, "b": NULL, "n": 1})
    assert said != so
    assert not holds


def test_an_element_that_is_named_twice_counts_once():
    before, after = empty_state(CONTRACT), empty_state(CONTRACT)
    before.domains["Item"] = after.domains["Item"] = (0,)
    after.tables["at"] = {0: 3}
    assert differences(before, after, {"a": 0, "b": 0, "n": 1}) == (True, True, True)
    assert differences(before, after, {"a": 0, "b": 0, "n": 2}) == (False, True, False)


@SETTINGS
@given(states(), st.integers(NULL, 2))
def test_what_is_assumed_of_counts_is_true(state, a):
    item = a if a in state.domains["Item"] else NULL
    for body in (tm.le(tm.number(2), tm.app(AT, (X,))), tm.app(NEAR, (X, A)), tm.eq(tm.app(UP, (X,)), A)):
        for fact in counting.facts(tm.count((X,), body)):
            assert evaluator(fact)(state, state, {"a": item}) is True


def test_where_nothing_exists_nothing_is_counted():
    empty = empty_state(CONTRACT)
    fact = counting.none_yet(tm.count((X,), tm.app(NEAR, (X, A))))
    assert evaluator(fact)(empty, empty, {"a": NULL}) is True


def test_a_count_about_the_state_before_stays():
    before = tm.count((X,), tm.app(NEAR, (X, X)))
    rewritten, conditions, counts = counting.by_difference(tm.le(N, before), (A,))
    assert counts == (before,)
    assert not conditions
    assert rewritten is tm.le(N, counting.abstract(before))


COUNTED = """
statuses { OK = 0, BAD_STATE = -20 }
sort Item
var there: Item -> bool
var total: int
op make() -> i: Item
  new i: Item
  there(i) = true
  total = total + 1
op drop(i: Item)
  BAD_STATE unless there(i)
  there(i) = false
  total = total - 1
op swap(i: Item, j: Item)
  BAD_STATE unless there(i) and not there(j)
  there(i) = false
  there(j) = true
op clear()
  for i: Item where there(i):
    there(i) = false
  total = 0
invariant total_counts "x" from "y"
  total == (count i: Item where there(i))
"""


def attempt(text, op):
    contract = elaborate(check(parse({"counted.aspec": text})))
    return Induction(contract, 30.0).attempt(contract.properties["total_counts"], op)


@pytest.mark.parametrize("op", ["init", "make", "drop", "swap"])
def test_counts_are_proved(op):
    assert attempt(COUNTED, op).proved


@pytest.mark.parametrize(
    ("claim", "proved"),
    [
        ("total == 0", True),
        ("total == 1", False),
        ("not ready", True),
        ("ready", False),
        ("for p: address: level(p) == 0", True),
        ("for p: address where p > 4096: level(p) == 1", False),
        ("for i: Item: there(i)", True),
    ],
)
def test_before_the_first_state_everything_is_at_its_default(claim, proved):
    text = COUNTED + f'var ready: bool\nvar level: address -> int\ninvariant claimed "x" from "y"\n  {claim}\n'
    contract = elaborate(check(parse({"counted.aspec": text})))
    assert Induction(contract, 30.0).attempt(contract.properties["claimed"], "init").proved is proved


@pytest.mark.parametrize(
    ("op", "old", "new"),
    [
        ("make", "  total = total + 1\n", ""),
        ("drop", "BAD_STATE unless there(i)\n", "BAD_STATE if total == 0\n"),
        ("drop", "  total = total - 1\n", "  total = total - 2\n"),
        ("swap", "there(i) and not there(j)", "there(i)"),
    ],
)
def test_wrong_counts_are_not_proved(op, old, new):
    assert COUNTED.count(old) == 1
    assert not attempt(COUNTED.replace(old, new), op).proved


def test_what_changes_everywhere_is_beyond_the_rule():
    assert not attempt(COUNTED, "clear").proved  # true, but elements that are not named leave the count


# --- proofs by instances -------------------------------------------------------------------------------------------


@st.composite
def formulas(draw, depth, bound):
    def item():
        found = draw(st.sampled_from(bound)) if bound else tm.null(ITEM)
        return tm.app(UP, (found,)) if draw(st.integers(0, 2)) == 0 else found

    if depth == 0:
        atom = draw(st.integers(0, 3))
        if atom == 0:
            t = tm.eq(item(), item())
        elif atom == 1:
            t = tm.app(NEAR, (item(), item()))
        elif atom == 2:
            t = tm.le(tm.app(AT, (item(),)), tm.add(tm.app(AT, (item(),)), tm.number(draw(st.integers(-1, 1)))))
        else:
            t = tm.eq(item(), tm.null(ITEM))
        return tm.not_(t) if draw(st.booleans()) else t
    kind = draw(st.integers(0, 6))
    if kind < 4:
        x = tm.fresh("q", ITEM)
        body = draw(formulas(depth - 1, [*bound, x]))
        return draw(st.sampled_from([tm.forall, tm.exists]))((x,), body)
    left, right = draw(formulas(depth - 1, bound)), draw(formulas(depth - 1, bound))
    return draw(st.sampled_from([tm.and_, tm.or_, tm.eq, lambda a, b: tm.not_(tm.and_(a, b))]))(left, right)


def query() -> Query:
    return Query(SolverTerms(CONTRACT), Compiled(), 3.0)


@SETTINGS
@given(states(), st.lists(formulas(3, []), min_size=1, max_size=4))
def test_what_is_true_somewhere_is_never_refuted(state, drawn):
    q = query()
    for i, t in enumerate(drawn):
        holds = evaluator(t)(state, state, {})
        q.require(t if holds else tm.not_(t), f"fact{i}")
    assert q.solve()[0] != z3.unsat


def described(state):
    """All there is to say of a state, over constants for its elements."""
    names = {i: tm.symbol(f"item{i}", ITEM) for i in state.domains["Item"]} | {NULL: tm.null(ITEM)}
    there = {i: tm.app(tm.existence(ITEM), (e,)) for i, e in names.items()}
    facts = [t if i != NULL else tm.not_(t) for i, t in there.items()]
    facts += [tm.not_(tm.eq(e, f)) for i, e in names.items() for j, f in names.items() if i < j]
    facts.append(tm.forall((X,), tm.or_(*(tm.eq(X, e) for e in names.values())), None))
    for i, e in names.items():
        facts.append(tm.eq(tm.app(UP, (e,)), names[state.tables["up"].get(i, NULL)]))
        facts.append(tm.eq(tm.app(AT, (e,)), tm.number(state.tables["at"].get(i, 0))))
        for j, f in names.items():
            t = tm.app(NEAR, (e, f))
            facts.append(t if state.tables["near"].get((i, j), 0) else tm.not_(t))
    return facts


@SETTINGS
@given(states(), formulas(3, []))
def test_in_a_state_that_is_known_everything_is_decided(state, drawn):
    """The negation of what is true is refuted, and what is true is not."""
    holds = evaluator(drawn)(state, state, {})
    for claim, expected in ((drawn, holds), (tm.not_(drawn), not holds)):
        q = query()
        for fact in described(state):
            q.require(fact)
        q.require(claim, "claim")
        answer, reason = q.solve()
        assert answer == (z3.sat if expected else z3.unsat), reason
        assert expected or q.core() <= {"claim"}


def test_a_core_leaves_out_what_a_proof_does_not_need():
    q = query()
    q.require(tm.forall((X,), tm.lt(tm.app(AT, (X,)), tm.app(AT, (tm.app(UP, (X,)),))), None), "rising")
    q.require(tm.forall((X,), tm.app(NEAR, (X, X)), None), "near")
    q.require(tm.forall((X, Y), tm.implies(tm.app(NEAR, (X, Y)), tm.app(NEAR, (Y, X))), None), "symmetric")
    q.require(tm.eq(tm.app(UP, (tm.app(UP, (A,)),)), A))
    assert q.solve()[0] == z3.unsat
    assert q.core() == {"rising"}


def test_an_offer_is_used_when_it_matters():
    q = query()
    q.offer(tm.and_(tm.eq(tm.app(AT, (A,)), tm.number(1)), tm.eq(tm.app(AT, (B,)), tm.number(2))))
    q.require(tm.eq(A, B))
    assert q.solve()[0] == z3.unsat
    q = query()
    q.offer(tm.eq(tm.app(AT, (A,)), tm.number(1)))
    q.require(tm.not_(tm.eq(A, B)))
    assert q.solve()[0] == z3.sat


def test_no_time_is_unknown():
    q = Query(SolverTerms(CONTRACT), Compiled(), 0.0)
    q.require(tm.eq(tm.app(AT, (A,)), tm.number(1)))
    q.require(tm.eq(tm.app(AT, (A,)), tm.number(2)))
    answer, reason = q.solve()
    assert answer == z3.unknown
    assert reason == "time out"
