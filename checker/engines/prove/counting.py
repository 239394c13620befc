"""Counting in proofs about any number of elements.

A `count` cannot be unfolded when the number of elements is unknown.  The rule used instead: an operation that changes
membership only at a few named elements changes the count by exactly what those elements contribute.  The named elements are
the operation's parameters and choices; that no other element's membership changes is proved beside the goal.
"""

from __future__ import annotations

from vmaspace.checker.language.types import INT
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.rewriting import restage, rewrite, substitute, walk
from vmaspace.checker.logic.terms import Function, Term


class UncountableError(Exception):
    """A count over more than one variable; proofs do not cover it."""


def counts_in(*formulas: Term) -> list[Term]:
    return [t for t in walk(*formulas) if t.op == "count"]


def by_difference(formula: Term, named: tuple[Term, ...]) -> tuple[Term, list[Term], tuple[Term, ...]]:
    """Replace each count about stage 1 by the count about stage 0 plus the differences.

    Returns the formula, the side conditions (about stages 0 and 1) that make it equivalent, and the counts about stage 0,
    which stand in the formula as unknown functions (see `abstract`).
    """
    conditions: list[Term] = []
    counts: dict[Term, None] = {}

    def leaf(t: Term) -> Term | None:
        if t.op != "count":
            return None
        if t.stage == 0:
            counts[t] = None
            return abstract(t)
        if len(t.binders) != 1 or t.binders[0].type.kind != "sort":
            raise UncountableError(f"{t!r}: proofs count elements of one sort, one at a time")
        x = t.binders[0]
        before = _stage_zero(t)
        elements = [s for s in named if s.type == x.type]
        counts[before] = None
        total = abstract(before)
        for i, e in enumerate(elements):
            first = tm.and_(*(tm.not_(tm.eq(e, earlier)) for earlier in elements[:i]))
            gained = tm.and_(first, _member(t, x, e, 1))
            lost = tm.and_(first, _member(before, x, e, 0))
            one, none = tm.number(1), tm.number(0)
            total = tm.add(total, tm.sub(tm.ite(gained, one, none), tm.ite(lost, one, none)))
        other = tm.fresh("other", x.type)
        unnamed = tm.and_(*(tm.not_(tm.eq(other, e)) for e in elements))
        same = tm.eq(_member(t, x, other, 1), _member(before, x, other, 0))
        free = sorted(t.symbols, key=lambda s: s.ident)
        conditions.append(tm.forall((other, *free), tm.implies(unnamed, same), None))
        return total

    return rewrite(formula, leaf), conditions, tuple(counts)


def _stage_zero(t: Term) -> Term:
    """The same count about the state before: stage 1 becomes stage 0."""
    return restage(t, -1)


def _member(t: Term, x: Term, element: Term, stage: int) -> Term:
    there = tm.app(tm.existence(x.type), (element,), stage)
    return tm.and_(there, substitute(t.body, {x: element}))


def abstract(t: Term) -> Term:
    """Counts about stage 0 as values of an unknown function of what they mention."""

    def leaf(node: Term) -> Term | None:
        if node.op != "count":
            return None
        free = sorted(node.symbols, key=lambda s: s.ident)
        unknown = Function(f"count!{node.ident}", tuple(s.type for s in free), INT, "count")
        return tm.app(unknown, free)

    return rewrite(t, leaf)


def none_yet(count: Term) -> Term:
    """A count about stage 0 where nothing exists."""
    return tm.forall(sorted(count.symbols, key=lambda s: s.ident), tm.eq(count, tm.number(0)), None)


def facts(count: Term) -> list[Term]:
    """What any count about stage 0 satisfies: none without a member, at least one with one, two with two."""
    x = count.binders[0]
    y = tm.fresh("second", x.type)
    free = sorted(count.symbols, key=lambda s: s.ident)
    one, two = _member(count, x, x, 0), _member(count, x, y, 0)
    distinct = tm.not_(tm.eq(x, y))
    return [
        tm.forall(free, tm.le(tm.number(0), count), None),
        tm.forall(free, tm.or_(tm.le(count, tm.number(0)), tm.exists((x,), one, None)), None),
        tm.forall((*free, x), tm.implies(one, tm.le(tm.number(1), count)), None),
        tm.forall((*free, x, y), tm.implies(tm.and_(one, two, distinct), tm.le(tm.number(2), count)), None),
    ]
