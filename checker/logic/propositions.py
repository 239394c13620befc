"""What a formula about runs says in a scope: quantifiers become conjunctions, formulas of one state become facts.

The elements of a scope are known by number, so "for every space" is "for the first, and for the second".  What is left is a
formula of linear temporal logic in negation normal form: `until`, its dual `release`, and facts that a state has or lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.temporal import Formula
from vmaspace.checker.logic.terms import Term

Elements = tuple[tuple[str, int], ...]  # the number of an element by the name of its symbol, in order of the names
DUAL = {"and": "or", "or": "and", "until": "release", "release": "until", "true": "false", "false": "true"}


@dataclass(frozen=True, slots=True)
class Proposition:
    """op: "true", "false", "fact" (`number`; had if `positive`, else lacked), "and", "or", "until" or "release"."""

    op: str
    args: tuple[Proposition, ...] = ()
    number: int = 0
    positive: bool = True


TRUE, FALSE = Proposition("true"), Proposition("false")


@dataclass(frozen=True, slots=True)
class Fact:
    """A formula of one state, about certain elements."""

    term: Term
    elements: Elements


@dataclass(slots=True)
class Grounding:
    """Formulas in one scope.  `counts` elements of each sort; `facts` gathers what is asked of the states."""

    counts: Mapping[str, int]
    given: Iterable[str]  # sorts of which every element exists
    facts: dict[Fact, int] = field(default_factory=dict)

    def ground(self, f: Formula, known: Mapping[str, int] | None = None) -> Proposition:
        known = known or {}
        match f.op:
            case "atom":
                assert f.term is not None
                return self.fact(f.term, known)
            case "not":
                return opposite(self.ground(f.args[0], known))
            case "and" | "or":
                return junction(f.op, [self.ground(a, known) for a in f.args])
            case "always":
                return lasting("release", FALSE, self.ground(f.args[0], known))
            case "eventually":
                return lasting("until", TRUE, self.ground(f.args[0], known))
            case "until":
                return lasting("until", self.ground(f.args[0], known), self.ground(f.args[1], known))
        assert f.op in ("forall", "exists"), f.op
        return self.over_elements(f, known)

    def over_elements(self, f: Formula, known: Mapping[str, int]) -> Proposition:
        is_all = f.op == "forall"
        found: list[Proposition] = []
        for chosen in product(*(range(self.counts[b.type.name]) for b in f.binders)):
            inner = {**known, **{b.name: e for b, e in zip(f.binders, chosen, strict=True)}}
            there = [self.exists(b, inner) for b in f.binders]
            body = self.ground(f.args[0], inner)
            found.append(
                junction("or", [*map(opposite, there), body]) if is_all else junction("and", [*there, body])
            )
        return junction("and" if is_all else "or", found)

    def exists(self, symbol: Term, known: Mapping[str, int]) -> Proposition:
        if symbol.type.name in self.given:
            return TRUE
        return self.fact(tm.app(tm.existence(symbol.type), (symbol,)), known)

    def fact(self, term: Term, known: Mapping[str, int]) -> Proposition:
        if term in (tm.TRUE, tm.FALSE):
            return TRUE if term is tm.TRUE else FALSE
        elements = tuple(sorted((s.name, known[s.name]) for s in term.symbols if s.name in known))
        return Proposition("fact", number=self.facts.setdefault(Fact(term, elements), len(self.facts)))


def junction(op: str, parts: Sequence[Proposition]) -> Proposition:
    """A conjunction or disjunction, flat and without repetition."""
    neutral, absorbing = (TRUE, FALSE) if op == "and" else (FALSE, TRUE)
    found: dict[Proposition, None] = {}
    for p in parts:
        found |= dict.fromkeys(p.args if p.op == op else (p,))
    found.pop(neutral, None)
    if absorbing in found:
        return absorbing
    if len(found) < 2:
        return next(iter(found), neutral)
    return Proposition(op, tuple(found))


def lasting(op: str, left: Proposition, right: Proposition) -> Proposition:
    return right if right in (TRUE, FALSE) else Proposition(op, (left, right))


def opposite(p: Proposition) -> Proposition:
    if p.op == "fact":
        return Proposition("fact", number=p.number, positive=not p.positive)
    return Proposition(DUAL[p.op], tuple(map(opposite, p.args)))


def conjuncts(p: Proposition) -> list[Proposition]:
    """Propositions that together say `p`, each of them small: what always holds of both always holds of each."""
    if p.op == "and":
        return [c for a in p.args for c in conjuncts(a)]
    if p.op == "release" and p.args[0] == FALSE:
        return [lasting("release", FALSE, c) for c in conjuncts(p.args[1])]
    return [] if p == TRUE else [p]


def facts_of(p: Proposition) -> set[int]:
    return {p.number} if p.op == "fact" else set().union(*map(facts_of, p.args))
