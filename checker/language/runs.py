"""What a `temporal` property may say of a run.

`always` and its like stand between the formulas of one moment: under `not`, `and`, `or`, `implies`, `iff`, `if`, each other, and
quantifiers over elements.  Everything else, such as a comparison or the argument of a def, is computed in one state.
"""

from __future__ import annotations

from collections.abc import Iterator

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.names import Problems
from vmaspace.checker.language.nesting import Node, children
from vmaspace.checker.language.types import NUMERIC

CONNECTIVES = frozenset({"and", "or", "implies", "iff"})


def temporals(node: Node) -> Iterator[ast.Temporal]:
    """Every temporal operator in a node, the outer ones first."""
    if isinstance(node, ast.Temporal):
        yield node
    for child in children(node):
        yield from temporals(child)


def is_temporal(node: Node) -> bool:
    return next(temporals(node), None) is not None


def check_run(p: ast.PropertyDecl, problems: Problems) -> None:
    """Report what the formula of a temporal property says where it cannot."""
    assert p.body is not None
    if not is_temporal(p.body):
        problems.add(
            codes.NOT_TEMPORAL, f"`{p.name}` speaks of the first state alone", p.body.span,
            expected="`always`, `eventually`, `until` or `leads_to`",
            hint="what holds in every state is an `invariant`",
        )  # fmt: skip
    _check(p.body, problems)


def _check(e: ast.Expr, problems: Problems) -> None:
    if not is_temporal(e):
        return
    match e:
        case ast.Temporal() | ast.Unary() | ast.Conditional():
            pass
        case ast.Binary() if e.op in CONNECTIVES:
            pass
        case ast.Quantifier() if e.kind != "count":
            for b in e.binders:
                if b.type is not None and b.type.kind in NUMERIC:
                    op = next(temporals(e)).op
                    problems.add(
                        codes.TEMPORAL_OUTSIDE, f"the bound number `{b.name}` does not last through `{op}`", b.span,
                        expected="elements of a sort, which stay what they are along a run",
                        hint=f"bind it inside: `{op} for {b.name}: {b.type} …`",
                    )  # fmt: skip
        case _:
            for t in temporals(e):
                problems.add(
                    codes.TEMPORAL_OUTSIDE, f"`{t.op}` has no meaning inside {_kind(e)}", t.span,
                    expected="a formula of one state",
                    hint="join what is said of a run with `not`, `and`, `or`, `implies`, `iff`, and quantify over elements",
                )  # fmt: skip
            return
    for child in children(e):
        assert isinstance(child, ast.Expr)
        _check(child, problems)


def _kind(e: ast.Expr) -> str:
    match e:
        case ast.Call():
            return f"an argument of `{e.name}`"
        case ast.Quantifier():
            return "`count`"
        case ast.Binary():
            return f"`{e.op}`"
    return "this"
