"""Which parts of a formula a number is tested in, and when they matter: fewer test points, and no answer lost."""

from __future__ import annotations

from collections.abc import Iterable

from vmaspace.checker.language.types import BOOL
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.terms import Term

EITHER = tm.symbol("either way", BOOL)


def side_by_side(formulas: Iterable[Term]) -> Term:
    """All that the formulas test a number for; a plain conjunction loses it when they cannot hold together."""
    return tm.and_(*(tm.eq(f, EITHER) for f in formulas))


def cases(x: Term, t: Term, guard: Term) -> list[tuple[Term, Term]]:
    """The parts of a formula that test `x`, each with a condition: where that is false, the part decides nothing."""
    if x not in t.symbols:
        return []
    match t.op:
        case "not":
            return cases(x, t.args[0], guard)
        case "and" | "or":
            known = [a if t.op == "and" else tm.not_(a) for a in t.args if x not in a.symbols]
            inner = tm.and_(guard, *known)
            return [c for a in t.args for c in cases(x, a, inner)]
        case "ite" if t.type == BOOL and x not in t.args[0].symbols:
            yes = cases(x, t.args[1], tm.and_(guard, t.args[0]))
            return yes + cases(x, t.args[2], tm.and_(guard, tm.not_(t.args[0])))
        case "eq" if t.args[0].type == BOOL:
            return [c for a in t.args for c in cases(x, a, guard)]
    return [(guard, t)]
