"""The search for lassos, on small graphs drawn by seed, against a look at every short run."""

import random
from itertools import product

import pytest

from vmaspace.checker.engines.explore.components import TooMany, components
from vmaspace.checker.engines.explore.graph import ENDS, STAYS, Graph, Question, edge
from vmaspace.checker.engines.explore.lasso import Lasso, Product, Step, rolled
from vmaspace.checker.language.types import BOOL
from vmaspace.checker.logic import temporal as tp
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.automaton import automaton
from vmaspace.checker.logic.propositions import Grounding, opposite

NAMES = ("p", "q")
ATOMS = {name: tp.atom(tm.symbol(name, BOOL)) for name in NAMES}
LONGEST = 4


def drawn(dice, facts):
    """A graph of a few states and two operations.  What leads to another state can change something; so may what does not."""
    states = dice.randint(1, 4)
    graph = Graph(0, Question(tuple(facts), ("one", "two")), lambda n: (n,))
    for n in range(states):
        steps = set()
        for label in (1, 2):
            steps |= {edge(t, label) for t in dice.sample(range(states), dice.randint(0, min(2, states))) if t != n}
        if dice.random() < 0.4:
            steps.add(edge(n, STAYS))
        if not steps:
            steps.add(edge(n, ENDS))
        ready = sum(1 << i for i in (0, 1) if any(s & 255 == i + 1 for s in steps) or dice.random() < 0.2)
        graph.edges.extend(sorted(steps))
        graph.offsets.append(len(graph.edges))
        graph.ready.append(ready)
        graph.inside.append(ready)
        graph.facts.append(dice.randrange(1 << len(facts)))
    return graph


def some_formula(dice, depth):
    if depth == 0:
        return ATOMS[dice.choice(NAMES)]
    op = dice.choice(("not", "and", "or", "always", "eventually", "until"))
    count = 2 if op in ("and", "or", "until") else 1
    return tp.Formula(op, tuple(some_formula(dice, depth - 1) for _ in range(count)))


def breaks(graph, numbers, formula, fair, lasso):
    """Whether a lasso of the graph breaks a formula and is fair, by definition."""
    states = [graph.first, *(s.state for s in (*lasso.stem, *lasso.loop))]
    assert states.pop() == states[len(lasso.stem)]
    for before, step in zip(states, (*lasso.stem, *lasso.loop), strict=True):
        assert edge(step.state, step.label) in graph.edges[graph.offsets[before] : graph.offsets[before + 1]]
    value = lambda term, known, i: bool(graph.facts[states[i]] >> numbers[term.name] & 1)  # noqa: E731
    round_ = states[len(lasso.stem) :]
    is_fair = all(
        any(step.label == label for step in lasso.loop) or any(not graph.ready[s] >> bit & 1 for s in round_)
        for label, bit in fair
    )
    return is_fair and not tp.holds_on(formula, tp.Lasso(len(states), len(lasso.stem), value, lambda sort, i: ()))


def short_runs(graph):
    """Every lasso with at most so many steps."""
    runs = [[]]
    for _ in range(LONGEST):
        runs = [[*r, Step(label, t)] for r in runs for label, t in graph.steps(r[-1].state if r else graph.first)]
        for r in runs:
            states = [graph.first, *(s.state for s in r)]
            for back in range(len(r)):
                if states[back] == states[-1]:
                    yield Lasso(tuple(r[:back]), tuple(r[back:]))


@pytest.mark.parametrize("seed", range(50))
def test_a_lasso_is_found_if_there_is_one(seed):
    dice = random.Random(seed)
    formula = some_formula(dice, dice.choice((1, 2, 2, 3)))
    grounding = Grounding({}, ())
    made = automaton(opposite(grounding.ground(formula)))
    numbers = {fact.term.name: n for fact, n in grounding.facts.items()}
    for _ in range(3):
        graph = drawn(dice, grounding.facts)
        for fair in ((), ((1, 0),), ((1, 0), (2, 1))):
            found = Product(graph, made, fair, 1 << 20).lasso()
            if found is not None:
                assert breaks(graph, numbers, formula, fair, found), (seed, formula, fair)
            else:
                assert not any(breaks(graph, numbers, formula, fair, r) for r in short_runs(graph)), (seed, formula, fair)


def test_the_stem_is_as_short_as_can_be_and_the_loop_is_rolled_back():
    a, b, c = Step(1, 1), Step(1, 2), Step(1, 3)
    assert rolled(Lasso((a, b, c), (b, c)), 0) == Lasso((a, b), (c, b))  # the first b starts somewhere else
    assert rolled(Lasso((a,), (a,)), 1) == Lasso((), (a,))
    assert rolled(Lasso((a, b), (c, b)), 0) == Lasso((a, b), (c, b))


def test_components_are_those_that_lead_to_each_other():
    dice = random.Random(7)
    for _ in range(30):
        n = dice.randint(1, 7)
        ways = {i: dice.sample(range(n), dice.randint(0, min(3, n))) for i in range(n)}
        reach = {i: {i} for i in range(n)}
        for _, i in product(range(n), range(n)):
            reach[i] |= set().union(*(reach[j] for j in ways[i]))
        expected = {frozenset(j for j in reach[i] if i in reach[j]) for i in reach[0]}
        assert {frozenset(c) for c in components([0], ways.__getitem__, 100)} == expected


def test_no_more_is_looked_at_than_is_allowed():
    with pytest.raises(TooMany):
        list(components([0], lambda n: [n + 1], 50))
