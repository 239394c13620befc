"""Walks over terms: other terms made of them, and what occurs in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.terms import Function, Term


def rebuild(t: Term, args: tuple[Term, ...]) -> Term:
    """The term `t` with other arguments, simplified again."""
    if args == t.args:
        return t
    match t.op:
        case "not":
            return tm.not_(args[0])
        case "and":
            return tm.and_(*args)
        case "or":
            return tm.or_(*args)
        case "eq":
            return tm.eq(args[0], args[1])
        case "ite":
            return tm.ite(args[0], args[1], args[2])
        case "add":
            total = args[0]
            for a in args[1:]:
                total = tm.add(total, a)
            return total
        case "mul":
            return tm.scale(args[0], t.factor)
        case "div":
            return tm.div(args[0], t.factor)
        case "mod":
            return tm.mod(args[0], t.factor)
        case "le":
            return tm.le(args[0], args[1])
        case "aligned":
            return tm.aligned(args[0], args[1])
        case "bitand" | "bitor" | "bitdiff":
            return tm.bits(t.op, args[0], args[1])
        case "app":
            return tm.app(t.function, args, t.stage or 0)
        case _:
            if t.op == "count":
                return tm.count(t.binders, args[0], t.stage)
            return tm.quantify(t.op, t.binders, args[0], t.stage)


def rewrite(t: Term, leaf: Callable[[Term], Term | None], memo: dict[Term, Term] | None = None) -> Term:
    """Bottom-up rewriting; `leaf(t)` may answer a replacement for a node before its arguments are visited."""
    memo = {} if memo is None else memo
    done = memo.get(t)
    if done is not None:
        return done
    answer = leaf(t)
    if answer is None:
        answer = rebuild(t, tuple(rewrite(a, leaf, memo) for a in t.args))
    memo[t] = answer
    return answer


def substitute(t: Term, mapping: dict[Term, Term]) -> Term:
    """Replace symbols.  Bound symbols are unique (see `fresh`), so nothing is ever captured."""
    if not mapping:
        return t
    keys = mapping.keys()

    def leaf(node: Term) -> Term | None:
        if node.op == "sym":
            return mapping.get(node, node)
        return node if node.symbols.isdisjoint(keys) else None

    return rewrite(t, leaf)


def restage(t: Term, shift: int) -> Term:
    """The same formula about a later state."""

    def leaf(node: Term) -> Term | None:
        if node.op == "app" and node.function.kind != "given":
            return tm.app(node.function, (rewrite(a, leaf, memo) for a in node.args), (node.stage or 0) + shift)
        if node.op in tm.QUANTIFIERS and node.stage is not None:
            body = rewrite(node.body, leaf, memo)
            return tm.make(node.op, (body,), (node.binders, node.stage + shift), node.type)
        return None

    memo: dict[Term, Term] = {}
    return rewrite(t, leaf, memo) if shift else t


def walk(*roots: Term) -> Iterator[Term]:
    """Every distinct node below the roots, once."""
    seen: set[Term] = set()
    stack = list(roots)
    while stack:
        t = stack.pop()
        if t not in seen:
            seen.add(t)
            yield t
            stack.extend(t.args)


def conjuncts(t: Term) -> tuple[Term, ...]:
    return t.args if t.op == "and" else () if t is tm.TRUE else (t,)


def functions_of(*roots: Term) -> set[Function]:
    """The state variables, existence predicates and givens that the terms read."""
    found: set[Function] = set()
    for t in walk(*roots):
        if t.op == "app":
            found.add(t.function)
        elif t.op in tm.QUANTIFIERS:
            found.update(tm.existence(b.type) for b in t.binders if b.type.kind == "sort")
    return found
