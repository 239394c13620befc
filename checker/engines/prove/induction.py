"""One obligation: a property survives an operation, from any state that satisfies the invariants.

The negated goal, the operation's guards, the invariants and the facts become one query (see `instantiation`).  `unsat` is a
proof.  Everything else is only "not proved here": whether there is a counterexample is for `bounded` and `counterexample`
to say.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import z3

from vmaspace.checker.engines.prove import counting
from vmaspace.checker.engines.prove.instantiation import Compiled, Query, universals_of_facts
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import STATUS_SYMBOL, Contract, Operation, Outcome, Property, after
from vmaspace.checker.logic.rewriting import conjuncts, functions_of, restage, rewrite, substitute, walk
from vmaspace.checker.logic.solver_terms import SolverTerms
from vmaspace.checker.logic.terms import Term

INIT = "init"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What induction found: proved, or the reason why not; `used` are the invariants that the proof rests on."""

    proved: bool
    reason: str
    seconds: float
    used: frozenset[str]
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Tactic:
    """How a query goes about it: near invariants first or all at once, and how many instances a round adds."""

    is_ranked: bool
    per_round: int
    seed: int


# Whether a query finds its few instances soon is partly luck: one that takes long is better begun again another way.
# Each with its share of the time limit.
TACTICS = (
    (0.15, Tactic(True, 5, 0)),
    (0.15, Tactic(False, 3, 1)),
    (0.2, Tactic(True, 2, 2)),
    (0.5, Tactic(False, 6, 3)),
)


@dataclass(frozen=True, slots=True)
class Goal:
    """One solver query: `claim` must follow from `given` and the invariants.  All terms speak of stage 0.

    counts: the counts about stage 0 that the claim mentions, as values of unknown functions.
    """

    outcome: Outcome
    given: tuple[Term, ...]
    claim: Term
    counts: tuple[Term, ...] = ()


class Induction:
    """Proves obligations of one contract.

    timeout: seconds per solver query.
    """

    def __init__(self, contract: Contract, timeout: float = 5.0) -> None:
        self.contract = contract
        self.timeout = timeout
        self.terms = SolverTerms(contract)
        self.compiled = Compiled()
        self.facts = universals_of_facts(contract.variables.values(), contract.sorts)

    # --- goals -----------------------------------------------------------------------------------------------------

    def goals(self, p: Property, operation: str) -> list[Goal]:
        """The queries of an obligation, one or more for each outcome that matters."""
        if operation == INIT:
            if p.kind != "invariant":
                return []
            return self._goals(p, self.contract.init, (), ())
        op = self.contract.operations[operation]
        found: list[Goal] = []
        unchanged: list[Outcome] = []
        for o in op.outcomes:
            if o.kind == "asserts":
                continue
            if p.kind == "invariant" and not touches(o, p):
                continue  # the property reads nothing that changes: it holds after because it held before
            if o.has_effect or p.kind == "after":
                found += self._goals(p, o, (op.domain, op.requires, o.guard), op.params)
            else:
                unchanged.append(o)
        if unchanged and p.kind == "step":
            nothing = Outcome("fails", "", tm.TRUE, tm.TRUE, "no change", op.span)
            found += self._goals(p, nothing, (), op.params)
        return found

    def _goals(
        self, p: Property, o: Outcome, given: tuple[Term, ...], params: tuple[Term, ...]
    ) -> list[Goal]:
        body = restage(p.body, 1) if p.kind == "invariant" else p.body
        if p.kind == "after":
            body = self.at_end(p, self.contract.operations[p.operation or ""], o)
        named = (*params, *(c.symbol for c in o.choices))
        body, conditions, counts = counting.by_difference(body, named)
        given = (*given, *choices_made(o))
        claims = [after(o, c) for c in (body, *conditions)]
        return [
            Goal(o, facts, claim, counts)
            for c in claims
            for facts, claim in cases(o, given, c)
            if claim is not tm.TRUE and tm.FALSE not in facts
        ]

    def at_end(self, p: Property, op: Operation, o: Outcome) -> Term:
        """An `after` body with the outcome's status and results put in."""
        known = {STATUS_SYMBOL: self.contract.status(o.status)}
        for r in p.results:
            known[r] = op.result(o, r.name.removeprefix("result."), r.type)
        return substitute(p.body, known)

    # --- solving ---------------------------------------------------------------------------------------------------

    def attempt(self, p: Property, operation: str, without: frozenset[str] = frozenset()) -> Attempt:
        """Try to prove one obligation, using every invariant that is not in `without`."""
        start = time.perf_counter()
        used: set[str] = set()
        for g in self.goals(p, operation):
            for share, tactic in TACTICS:
                query = self.query(p, g, operation, without, self.timeout * share, tactic)
                answer, reason = query.solve()
                if answer != z3.unknown:
                    break
            if answer != z3.unsat:
                return Attempt(False, reason, time.perf_counter() - start, frozenset(used), g.outcome)
            used |= query.core()
        names = frozenset(n for n in used if n in self.contract.properties)
        return Attempt(True, "", time.perf_counter() - start, names)

    def query(
        self, p: Property, g: Goal, operation: str, without: frozenset[str], timeout: float, tactic: Tactic
    ) -> Query:
        """A query loaded with everything: the negated goal, the operation, the invariants and the facts."""
        query = Query(self.terms, self.compiled, timeout, tactic.per_round, tactic.seed)
        rank = Ranking(p, g)
        query.require(tm.not_(g.claim))
        for f in self.distinct_new(g.outcome):
            query.require(f)
        for f in (*self.contract.assumptions, *g.given):
            query.offer(f)
        if operation == INIT:
            for f in (*self.nothing_exists(), *map(counting.none_yet, g.counts)):
                query.require(counting.abstract(f))
        else:
            for h in self.hypotheses(without, p):
                query.require(counting.abstract(h.body), h.name, rank.of(h) if tactic.is_ranked else 0)
            for f in self.count_facts(g):
                query.require(counting.abstract(f))
        for f in self.facts:
            query.require(f)
        for sort in self.contract.sort_types():
            query.require(tm.not_(tm.app(tm.existence(sort), (tm.null(sort),))))
        return query

    def hypotheses(self, without: frozenset[str], goal: Property) -> Iterable[Property]:
        """The invariants to rely on.  A property always relies on itself: it is to survive one more operation."""
        for p in self.contract.invariants():
            if p is goal or not (p.name in without or deviates(self.contract, p)):
                yield p

    def nothing_exists(self) -> list[Term]:
        """Before the first state: no elements but the given ones, and every variable at its default."""
        found = []
        for sort in self.contract.sort_types():
            if not self.contract.sorts[sort.name]:
                x = tm.symbol(f"any.{sort.name}", sort)
                found.append(tm.forall((x,), tm.not_(tm.app(tm.existence(sort), (x,))), None))
        for f in self.contract.variables.values():
            if not any(p.kind == "sort" for p in f.params):  # a place that is there before anything exists
                places = tuple(tm.symbol(f"at{i}.{f.name}", p) for i, p in enumerate(f.params))
                found.append(tm.forall(places, tm.eq(tm.app(f, places), tm.default(f.result)), None))
        return found

    def distinct_new(self, o: Outcome) -> list[Term]:
        """New elements did not exist, are not null, and differ from each other."""
        found = []
        made = [c for c in o.choices if c.kind == "new"]
        for i, c in enumerate(made):
            there = tm.not_(tm.eq(c.symbol, tm.null(c.symbol.type)))
            is_new = tm.and_(there, tm.not_(tm.app(tm.existence(c.symbol.type), (c.symbol,))))
            found.append(tm.ite(c.when, is_new, tm.not_(there)))
            for d in made[:i]:
                if d.symbol.type == c.symbol.type:
                    same = tm.and_(tm.eq(c.symbol, d.symbol), there)
                    found.append(tm.not_(same))
        return found

    def count_facts(self, g: Goal) -> list[Term]:
        counts = {*g.counts, *counting.counts_in(*(p.body for p in self.contract.invariants()))}
        return [f for c in sorted(counts, key=lambda c: c.ident) for f in counting.facts(c)]


class Ranking:
    """Which invariants a proof should try first: 0 the property itself, 1 those that speak of nothing but what the claim
    speaks of, 2 of what the operation asks too, 3 all others.

    Facts about alignment are integer arithmetic that costs much and matters rarely.
    """

    def __init__(self, p: Property, g: Goal) -> None:
        self.property = p
        self.claimed = functions_of(g.claim)
        self.asked = self.claimed | functions_of(*g.given)
        self.is_aligned = _speaks_of_alignment(g.claim)

    def of(self, h: Property) -> int:
        functions = functions_of(h.body)
        if h is self.property:
            return 0
        if _speaks_of_alignment(h.body) and not self.is_aligned:
            return 3
        return 1 if functions <= self.claimed else 2 if functions <= self.asked else 3


def cases(o: Outcome, given: tuple[Term, ...], claim: Term) -> list[tuple[tuple[Term, ...], Term]]:
    """The query split by the conditions under which the effect makes choices: each case is much simpler."""
    tests: dict[Term, None] = {}
    chosen = {c.symbol for c in o.choices}
    for c in o.choices:
        for part in conjuncts(c.when):
            if chosen.isdisjoint(part.symbols):
                tests[part.args[0] if part.op == "not" else part] = None
    found = [(given, claim)]
    for test in tests:
        split: list[tuple[tuple[Term, ...], Term]] = []
        for facts, goal in found:
            if test not in set(walk(goal)):
                split.append((facts, goal))
                continue
            for holds in (True, False):
                known = (*(assume(g, test, holds) for g in facts), test if holds else tm.not_(test))
                split.append((known, assume(goal, test, holds)))
        found = split
    return found


def assume(t: Term, test: Term, holds: bool) -> Term:
    return rewrite(t, lambda node: tm.truth(holds) if node is test else None)


@cache
def _speaks_of_alignment(t: Term) -> bool:
    return any(node.op == "aligned" for node in walk(t))


def touches(o: Outcome, p: Property) -> bool:
    """The outcome may change something that the property reads."""
    return bool(o.changed() & functions_of(p.body))


def deviates(contract: Contract, p: Property) -> bool:
    """The property is known not to hold of the contract as it is elaborated."""
    return p.deviation is not None and p.deviation.switch not in contract.enabled


def choices_made(o: Outcome) -> list[Term]:
    """What is known of the values an outcome chose: picks satisfy their condition, `some` is one if there is one."""
    found = []
    for c in o.choices:
        if c.kind == "pick":
            found.append(tm.implies(c.when, c.condition))
        elif c.kind == "some":
            there = tm.not_(tm.eq(c.symbol, tm.null(c.symbol.type)))
            exists_it = tm.app(tm.existence(c.symbol.type), (c.symbol,))
            other = tm.fresh(c.name, c.symbol.type)
            none = tm.forall((other,), tm.not_(substitute(c.condition, {c.symbol: other})))
            found.append(tm.implies(there, tm.and_(exists_it, c.condition, c.when)))
            found.append(tm.or_(there, tm.not_(c.when), none))
    return found
