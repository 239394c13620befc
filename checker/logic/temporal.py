"""Formulas about runs, and what they mean on a run that goes round for ever.

A run is an infinite list of states.  Of finitely many states, every run that can be told is a lasso: some states once, the
stem, and then others over and over, the loop.  `holds_on` is the meaning of a formula on a lasso, read off its definition;
the search for lassos goes another way, by automata, and every counterexample that it finds is judged again here.

Not here: what a formula says in a scope, as a formula of propositions; that is `propositions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from vmaspace.checker.logic.terms import Term

Assignment = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Formula:
    """What is said of a run from one of its states on.

    op: "atom" (`term`, of the first of these states), "not", "and", "or", "always", "eventually", "until" (what stands right
    of it comes, and up to then what stands left of it holds), or "forall" and "exists" over the elements in `binders`
    that exist in the first of these states.  What `leads_to` and `implies` say is said with these.
    """

    op: str
    args: tuple[Formula, ...] = ()
    term: Term | None = None
    binders: tuple[Term, ...] = ()


def atom(term: Term) -> Formula:
    return Formula("atom", term=term)


def negation(f: Formula) -> Formula:
    return Formula("not", (f,))


def both(fs: Iterable[Formula]) -> Formula:
    return Formula("and", tuple(fs))


def either(fs: Iterable[Formula]) -> Formula:
    return Formula("or", tuple(fs))


def implication(f: Formula, g: Formula) -> Formula:
    return either((negation(f), g))


def leads_to(f: Formula, g: Formula) -> Formula:
    """Whenever `f`, then `g` at that moment or later."""
    return Formula("always", (implication(f, Formula("eventually", (g,))),))


@dataclass(frozen=True, slots=True)
class Lasso:
    """A run of `length` different moments: behind the last comes number `back` again.

    `value` of a term under an assignment of elements at a moment; `elements` of a sort that exist at a moment.
    """

    length: int
    back: int
    value: Callable[[Term, Assignment, int], bool]
    elements: Callable[[str, int], Iterable[int]]


def holds_on(f: Formula, run: Lasso) -> bool:
    """Whether a run has a property, from its first state on."""
    return _moments(f, run, {})[0]


def _moments(f: Formula, run: Lasso, known: Assignment) -> list[bool]:
    """Whether a formula holds from each moment on."""
    match f.op:
        case "atom":
            assert f.term is not None
            return [run.value(f.term, known, i) for i in range(run.length)]
        case "forall" | "exists":
            return _over_elements(f, run, known)
    parts = [_moments(a, run, known) for a in f.args]
    match f.op:
        case "not":
            return [not x for x in parts[0]]
        case "and":
            return [all(p[i] for p in parts) for i in range(run.length)]
        case "or":
            return [any(p[i] for p in parts) for i in range(run.length)]
        case "eventually":
            return _until([True] * run.length, parts[0], run.back)
        case "always":
            return [not x for x in _until([True] * run.length, [not x for x in parts[0]], run.back)]
        case "until":
            return _until(parts[0], parts[1], run.back)
    raise AssertionError(f.op)


def _over_elements(f: Formula, run: Lasso, known: Assignment) -> list[bool]:
    first, rest = f.binders[0], f.binders[1:]
    inner = Formula(f.op, f.args, None, rest) if rest else f.args[0]
    there = [set(run.elements(first.type.name, i)) for i in range(run.length)]
    is_all = f.op == "forall"
    found = [is_all] * run.length
    for e in sorted(set().union(*there)):
        holds = _moments(inner, run, {**known, first.name: e})
        for i in range(run.length):
            if e in there[i] and holds[i] != is_all:
                found[i] = not is_all
    return found


def _until(left: list[bool], right: list[bool], back: int) -> list[bool]:
    """Backwards, and once more round the loop: what holds at its start is known only then."""
    found = list(right)
    for _ in range(2):
        later = found[back]
        for i in reversed(range(len(right))):
            later = right[i] or (left[i] and later)
            found[i] = later
    return found
