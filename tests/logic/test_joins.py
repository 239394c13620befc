"""Formulas for large states: the same answers as plain loops give, the same elements first, and no pairs without need."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmaspace.checker.engines.fuzz.dice import Dice
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.language.types import ADDRESS, BOOL, INT, Type
from vmaspace.checker.logic import joins
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import Source, build, evaluator
from vmaspace.checker.logic.joins import JoinedSource, Ranges, first, grouped, implied, joined
from vmaspace.checker.logic.state import Pieces, State

CONTRACT = standard_contract()
JUDGED = {p.name: p for p in CONTRACT.properties.values() if p.kind in ("invariant", "reach", "step")}
THING = Type("sort", "Thing")
BETWEEN = tm.Function("between", (THING, THING), BOOL)
LOW, HIGH = tm.Function("low", (THING,), INT), tm.Function("high", (THING,), INT)
X, Y, P = tm.symbol("x", THING), tm.symbol("y", THING), tm.symbol("p", ADDRESS)


def random_state(number: int, size: int) -> State:
    """Elements that hold anything: small numbers, so that ranges touch and overlap often, and any references."""
    dice = Dice(number)

    def value(type_: Type) -> int:
        match type_.kind:
            case "sort":
                return dice.below(size + 1) - 1
            case "bool":
                return dice.below(2)
            case "enum":
                return dice.below(len(CONTRACT.enums[type_.name]))
            case "flags":
                return dice.below(1 << len(CONTRACT.flags[type_.name]))
            case "address" | "bytes":
                return dice.below(6) * 0x1000 + (dice.below(20) == 0)
            case _:
                return dice.below(3)

    domains = {sort: tuple(i for i in range(size) if dice.below(8)) for sort in CONTRACT.sorts}
    tables = {}
    for name, f in {**CONTRACT.variables, **CONTRACT.givens}.items():
        params = f.params[:-1] if f.is_piecewise else f.params
        keys = (
            [()]
            if not params
            else range(size)
            if len(params) == 1
            else [(i, j) for j in range(size) for i in range(size)]
        )
        # Some entries hold the default, and some are of elements that are not there.
        held = {key: value(f.result) for key in keys if dice.below(3)}
        if f.is_piecewise:
            held = {key: Pieces.of([(0x1000, was), (0x3000, 0)]) for key, was in held.items()}
        tables[name] = held
    return State(domains, tables)


def plain_first(search: tm.Term, before: State, after: State) -> tuple[int, ...]:
    code = Source()
    names = "".join(code.name(b) + ", " for b in search.binders)
    loops = code.loops(f"({names})", search)
    text = "\n".join(["def f(S, T, e):", *code.prelude(), f"    return next(iter({loops}), ())", ""])
    return build(text)(before, after, {})


COMPILED = {name: (evaluator(p.body), joined(p.body)) for name, p in JUDGED.items()}
SEARCHES = {
    name: (search, first(search))
    for name, p in JUDGED.items()
    if p.body.op == "forall"
    for search in [tm.exists(p.body.binders, tm.not_(p.body.body), p.body.stage)]
}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 60), st.integers(0, 6))
def test_every_property_has_the_verdict_and_the_counterexample_of_plain_loops(number: int, size: int) -> None:
    before, after = random_state(number, size), random_state(number + 1, size)
    for name, (plain, fast) in COMPILED.items():
        assert bool(plain(before, after, {})) == bool(fast(before, after, {})), name
    for name, (search, fast_first) in SEARCHES.items():
        assert plain_first(search, before, after) == fast_first(before, after, {}), name


def test_random_states_break_and_keep_properties() -> None:
    """The comparison above sees both answers of most of them; of the rest, such as runs to be reached, one."""
    states = [random_state(n, n % 4) for n in range(150)]
    answers = {name: {bool(plain(s, s, {})) for s in states} for name, (plain, _) in COMPILED.items()}
    assert len([name for name, seen in answers.items() if seen == {True, False}]) > 0.7 * len(answers)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(-4, 12), st.integers(-4, 12))), st.integers(-5, 13), st.integers(-5, 13)
)
def test_ranges_that_meet(ranges: list[tuple[int, int]], low: int, high: int) -> None:
    found = Ranges((a, b, i) for i, (a, b) in enumerate(ranges)).meeting(low, high)
    assert found == [i for i, (a, b) in enumerate(ranges) if a <= high and b >= low]


def test_groups_keep_the_order_of_their_rows() -> None:
    assert grouped([(1, 5), (0, 6), (1, 7)]) == {1: [5, 7], 0: [6]}


def looked_at(formula: tm.Term, state: State) -> list[int]:
    """How many elements an inner loop runs through, for each element of the outer one."""
    code = JoinedSource()
    code.name(X), code.name(Y)
    source = code.elements(Y, [c for c in formula.body.args if Y in c.symbols], 0)
    text = "\n".join(
        [
            "def f(S, T, e):",
            *code.prelude(),
            f"    return [len({source}) for {code.name(X)} in S.domains['Thing']]",
            "",
        ]
    )
    return build(text, runtime=joins.RUNTIME)(state, state, {})


def apps(x: tm.Term) -> tuple[tm.Term, tm.Term]:
    return tm.app(LOW, (x,)), tm.app(HIGH, (x,))


@pytest.mark.parametrize("how", ["range", "relation", "value"])
def test_an_inner_loop_runs_through_what_its_index_gives(how: str) -> None:
    n = 100
    tables = {
        "low": {i: 10 * i for i in range(n)},
        "high": {i: 10 * i + 9 for i in range(n)},
        "between": {(i, i - 1): 1 for i in range(1, n)} | {(i, n + 5): 1 for i in range(n)} | {(5, 50): 0},
    }
    state = State({"Thing": tuple(range(n))}, tables)
    (low_x, high_x), (low_y, high_y) = apps(X), apps(Y)
    condition = {
        "range": tm.and_(tm.le(low_y, high_x), tm.lt(low_x, high_y)),
        "relation": tm.and_(tm.app(BETWEEN, (X, Y)), tm.not_(tm.eq(X, Y))),
        "value": tm.and_(tm.eq(low_y, tm.add(high_x, tm.number(1))), tm.not_(tm.eq(X, Y))),
    }[how]
    formula = tm.exists((X, Y), condition)
    assert max(looked_at(formula, state)) <= 3
    # Must fail: a condition without an index is for plain loops.
    assert (
        looked_at(tm.exists((X, Y), tm.and_(tm.not_(tm.eq(low_x, low_y)), tm.not_(tm.eq(X, Y)))), state)
        == [n] * n
    )
    assert evaluator(formula)(state, state, {}) == joined(formula)(state, state, {}) is True


def test_what_a_bound_number_demands_of_others() -> None:
    (low_x, high_x), (low_y, high_y) = apps(X), apps(Y)
    parts = [
        tm.le(low_x, P),
        tm.lt(low_y, P),
        tm.lt(P, high_x),
        tm.le(P, high_y),
        tm.aligned(P, tm.number(12)),
    ]
    found = implied((X, Y, P), parts)
    assert set(found) == {
        tm.lt(low_x, high_x),
        tm.le(low_x, high_y),
        tm.lt(low_y, high_x),
        tm.lt(low_y, high_y),
    }
    assert implied((X, Y), parts) == []  # p is fixed: nothing is demanded that is not said
