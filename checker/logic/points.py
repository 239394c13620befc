"""Test points: the finitely many values at which a formula about a bound number must be looked at.

A bound address may be compared with terms (coefficient one), tested for alignment, and given to a piecewise constant
variable.  Between two neighbouring bounds of such tests the formula only depends on alignment, so it is enough to look
at every bound, the value after it, and from there on at the first two multiples of each alignment that occurs and of one.
This turns `exists at: address where …` into a finite search without losing an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.terms import Function, Term


class NotLinear(Exception):
    """The bound number is used in a way that test points do not cover; the argument says how."""


@dataclass(slots=True)
class Tests:
    """What a formula compares a bound number with.

    Each entry carries the binders of inner quantifiers that its terms mention: it stands for all their values.
    """

    bounds: dict[tuple[Term, tuple[tuple[Term, int | None], ...]], None] = field(default_factory=dict)
    alignments: dict[Term, None] = field(default_factory=dict)
    # Of an inner bound number that the number is compared with: what the inner one is itself tested in.
    bodies: dict[Term, Term] = field(default_factory=dict)
    is_nested: bool = False
    pieces: dict[tuple[Function, int, tuple[Term, ...], Term, tuple[tuple[Term, int | None], ...]], None] = (
        field(default_factory=dict)
    )


Binders = tuple[tuple[Term, int | None], ...]


def tests_of(x: Term, formula: Term, is_nested: bool = False) -> Tests:
    """Everything that `formula` tests the number `x` for.

    is_nested: comparing `x` with a number that an inner quantifier binds is fine.  Whatever `x` must be for that to come out
    differently, the inner number is then at one of its own test points, or `x` at another of its.
    """
    found = Tests(is_nested=is_nested)
    _collect(x, formula, (), found)
    return found


def _collect(x: Term, t: Term, inner: Binders, found: Tests) -> None:
    if x not in t.symbols:
        return
    if t.op in tm.QUANTIFIERS:
        found.bodies.update((b, t.body) for b in t.binders if b.type.kind != "sort")
        _collect(x, t.body, inner + tuple((b, t.stage) for b in t.binders), found)
    elif t.op == "le" or (t.op == "eq" and tm.is_numeric(t.args[0].type)):
        for side in t.args:
            _nested(x, side, inner, found)
        difference = tm.sub(t.args[0], t.args[1])
        rest = _solve(x, difference)
        if rest is not None:
            found.bounds[(rest, _relevant(rest, inner, found))] = None
    elif t.op == "aligned":
        if t.args[0] is not x:
            raise NotLinear(f"{t.args[0]!r}: only the variable itself may be tested for alignment")
        found.alignments[t.args[1]] = None
    elif t.op == "app":
        _application(x, t, inner, found)
    elif t.op in ("mod", "div", "mul"):
        raise NotLinear(f"{t!r}: the variable may only be added to and compared")
    else:
        for a in t.args:
            _collect(x, a, inner, found)


def _nested(x: Term, t: Term, inner: Binders, found: Tests) -> None:
    """Inside a number: what is not plain addition must not hide the variable."""
    for part in t.args if t.op == "add" else (t,):
        core = part.args[0] if part.op == "mul" else part
        if core is x or x not in core.symbols:
            continue
        if core.op == "app":
            _application(x, core, inner, found)
        else:
            raise NotLinear(f"{core!r}: the variable may only be added to and compared")


def _application(x: Term, t: Term, inner: Binders, found: Tests) -> None:
    f = t.function
    if not f.is_piecewise or any(x in a.symbols for a in t.args[:-1]):
        raise NotLinear(f"{t!r}: the variable may only be the address argument of a variable")
    shift = tm.sub(t.args[-1], x)
    if x in shift.symbols:
        raise NotLinear(f"{t.args[-1]!r}: the variable may only be added to and compared")
    key = (f, t.stage or 0, t.args[:-1], shift, _relevant(t, inner, found))
    found.pieces[key] = None


def _solve(x: Term, difference: Term) -> Term | None:
    """The e with x = e iff difference = 0; None if x cancels out or hides inside applications only."""
    coefficient = 0
    rest = tm.number(0)
    for part in difference.args if difference.op == "add" else (difference,):
        core, factor = (part.args[0], part.factor) if part.op == "mul" else (part, 1)
        if core is x:
            coefficient += factor
        elif x not in part.symbols:
            rest = tm.add(rest, part)
    if coefficient == 0:
        return None
    if coefficient not in (1, -1):
        raise NotLinear(f"{difference!r}: the variable may not be multiplied")
    return tm.scale(rest, -coefficient)


def _relevant(t: Term, inner: Binders, found: Tests) -> Binders:
    used = tuple((b, stage) for b, stage in inner if b in t.symbols)
    if all(b.type.kind == "sort" for b, _ in used):
        return used
    if not found.is_nested:
        raise NotLinear(f"{t!r}: compares two bound numbers with each other")
    # The test points of the inner number may depend on any element around it.
    return tuple((b, stage) for b, stage in inner if b.type.kind == "sort" or b in t.symbols)


def candidates(bounds: Iterable[int], log2s: Iterable[int], top: int) -> list[int]:
    """The test points in [0, top) for these bounds and alignments, ascending."""
    steps = [1 << min(k, 64) for k in set(log2s) if k > 0]
    if steps:
        steps.append(1)  # the value after a bound may be aligned where one that is not is wanted
    found = {0}
    starts = {0}  # the domain begins at 0
    for b in bounds:
        starts.add(b)
        starts.add(b + 1)
    for start in starts:
        if start < 0:
            start = 0
        found.add(start)
        for step in steps:
            up = -(-start // step) * step
            found.add(up)
            found.add(up + step)
    return sorted(p for p in found if 0 <= p < top)
