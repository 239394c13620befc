"""Formulas about runs: what they mean on a lasso, what they say in a scope, and the automata that are made of them."""

import random

import pytest

from vmaspace.checker.language.types import BOOL, Type
from vmaspace.checker.logic import temporal as tp
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.automaton import automaton
from vmaspace.checker.logic.propositions import FALSE, TRUE, Grounding, conjuncts, facts_of, opposite

P, Q = tm.symbol("p", BOOL), tm.symbol("q", BOOL)
p, q = tp.atom(P), tp.atom(Q)
A = Type("sort", "A")


def run(values, back):
    """`values`: for each moment the names of what holds, such as "p", "pq" or ""."""
    return tp.Lasso(len(values), back, lambda term, known, i: term.name in values[i], lambda sort, i: ())


@pytest.mark.parametrize(
    ("formula", "values", "back", "holds"),
    [
        (tp.Formula("always", (p,)), ["p", "p"], 1, True),
        (tp.Formula("always", (p,)), ["p", "p", ""], 1, False),
        (tp.Formula("always", (p,)), ["", "p"], 1, False),
        (tp.Formula("eventually", (p,)), ["", "", "p"], 1, True),
        (tp.Formula("eventually", (p,)), ["", "q"], 0, False),
        (tp.Formula("until", (p, q)), ["p", "p", "q"], 2, True),
        (tp.Formula("until", (p, q)), ["p", "", "q"], 2, False),
        (tp.Formula("until", (p, q)), ["p", "p"], 0, False),  # what is waited for has to come
        (tp.Formula("until", (p, q)), ["q"], 0, True),
        (tp.leads_to(p, q), ["p", "", "q"], 0, True),
        (tp.leads_to(p, q), ["q", "p", ""], 1, False),
        (tp.leads_to(p, q), ["q", "p"], 0, True),  # it comes the next time round
        (tp.Formula("eventually", (tp.Formula("always", (p,)),)), ["", "p"], 1, True),
        (tp.Formula("eventually", (tp.Formula("always", (p,)),)), ["", "p"], 0, False),
        (tp.both(()), ["", ""], 0, True),
        (tp.either(()), ["", ""], 0, False),
    ],
)
def test_what_holds_on_a_lasso(formula, values, back, holds):
    assert tp.holds_on(formula, run(values, back)) is holds
    assert tp.holds_on(tp.negation(formula), run(values, back)) is not holds


def test_elements_are_those_of_the_moment():
    """The second element comes into being at the second moment and never has it."""
    x = tm.fresh("x", A)
    has = tm.app(tm.Function("has", (A,), BOOL), (x,))
    later = tp.Lasso(2, 1, lambda term, known, i: known[x.name] == 0, lambda sort, i: (0, 1)[: i + 1])
    every = tp.Formula("forall", (tp.atom(has),), None, (x,))
    assert tp.holds_on(every, later)
    assert not tp.holds_on(tp.Formula("always", (every,)), later)
    assert tp.holds_on(tp.Formula("always", (tp.Formula("exists", (tp.atom(has),), None, (x,)),)), later)


def test_a_scope_turns_elements_into_conjuncts():
    x = tm.fresh("x", A)
    has = tp.atom(tm.app(tm.Function("has", (A,), BOOL), (x,)))
    f = tp.Formula("always", (tp.Formula("forall", (tp.Formula("eventually", (has,)),), None, (x,)),))
    made, given = Grounding({"A": 3}, ()), Grounding({"A": 3}, ("A",))
    parts = conjuncts(made.ground(f))
    assert [len(facts_of(c)) for c in parts] == [2, 2, 2]  # it exists, and it has it
    assert [len(facts_of(c)) for c in conjuncts(given.ground(f))] == [1, 1, 1]
    assert opposite(opposite(parts[0])) == parts[0]


def test_what_needs_no_search_is_seen():
    always, sure = Grounding({}, ()), tp.atom(tm.TRUE)
    assert always.ground(tp.Formula("always", (sure,))) == TRUE
    assert always.ground(tp.Formula("until", (sure, tp.atom(tm.FALSE)))) == FALSE
    assert conjuncts(TRUE) == []


def accepts(made, values, back):
    """Whether an automaton accepts a lasso, by a search through its nodes beside the moments."""
    n = len(values)
    after = [*range(1, n), back]
    fits = [
        {k for k in range(len(made.following)) if made.has[k] <= values[i] and not made.lacks[k] & values[i]} for i in range(n)
    ]
    seen = {(0, k) for k in made.initial if k in fits[0]}
    waiting = list(seen)
    reach = {}
    while waiting:
        i, k = waiting.pop()
        reach[i, k] = {(after[i], f) for f in made.following[k] if f in fits[after[i]]}
        waiting += reach[i, k] - seen
        seen |= reach[i, k]
    for start in seen:
        if start[0] != back:
            continue
        # What can be reached from here and leads back here: all sets have to be met in it.
        forth, todo = set(), [start]
        while todo:
            new = reach[todo.pop()] - forth
            forth |= new
            todo += new
        around = {x for x in forth if start in closure(reach, x)}
        if start in around and all(any(k in a for _, k in around) for a in made.accepting):
            return True
    return False


def closure(reach, x):
    found, todo = {x}, [x]
    while todo:
        new = reach[todo.pop()] - found
        found |= new
        todo += new
    return found


def some_formula(dice, depth):
    if depth == 0:
        return dice.choice((p, q))
    op = dice.choice(("not", "and", "or", "always", "eventually", "until"))
    count = 2 if op in ("and", "or", "until") else 1
    return tp.Formula(op, tuple(some_formula(dice, depth - 1) for _ in range(count)))


@pytest.mark.parametrize("seed", range(60))
def test_an_automaton_accepts_what_the_formula_holds_of(seed):
    dice = random.Random(seed)
    formula = some_formula(dice, dice.choice((1, 2, 2, 3)))
    grounding = Grounding({}, ())
    made = automaton(grounding.ground(formula))
    known = {fact.term.name: n for fact, n in grounding.facts.items()}
    for _ in range(6):
        values = [dice.choice(("", "p", "q", "pq")) for _ in range(dice.randint(1, 4))]
        back = dice.randrange(len(values))
        numbers = [frozenset(known[name] for name in v if name in known) for v in values]
        assert accepts(made, numbers, back) is tp.holds_on(formula, run(values, back)), (seed, formula, values, back)
