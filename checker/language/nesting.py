"""How deep a declaration is nested.

Everything behind the parser walks the tree by recursion; a limit here keeps Python's own limit out of sight.
"""

from __future__ import annotations

from collections.abc import Iterator

from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.syntax import Span

MAX_DEPTH = 100

Node = ast.Expr | ast.Statement | ast.Clause | ast.Declaration


def too_deep(d: ast.Declaration) -> Span | None:
    """The place of a node that lies too deep, if there is one.  A loop: it must not fall into what it prevents."""
    waiting: list[tuple[Node, int]] = [(d, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            return node.span
        waiting += ((child, depth + 1) for child in children(node))
    return None


def children(node: Node) -> Iterator[Node]:
    """The expressions, statements and clauses directly inside a node, in the order of the text."""
    match node:
        case ast.Name() | ast.Number() | ast.Bool() | ast.Null() | ast.FlagSet() | ast.New():
            return
        case ast.Call(args=parts) | ast.Apply(args=parts) | ast.Temporal(operands=parts):
            yield from parts
        case ast.Binary():
            yield node.left
            yield node.right
        case ast.Unary() | ast.Old():
            yield node.operand
        case ast.Conditional():
            yield from (node.condition, node.then, node.otherwise)
        case ast.RangeOf():
            yield from (node.low, node.high)
        case ast.Quantifier():
            yield from node.where
            if node.body is not None:
                yield node.body
        case ast.Statement():
            yield from _of_statement(node)
        case ast.Clause():
            yield from _of_clause(node)
        case ast.Declaration():
            yield from _of_declaration(node)


def _of_statement(node: ast.Statement) -> Iterator[Node]:
    match node:
        case ast.Assign():
            yield from (node.target, node.value)
        case ast.ForEach() | ast.Some():
            yield from node.where
            yield from node.body
        case ast.If():
            yield node.condition
            yield from node.then
            yield from node.otherwise
        case ast.Pick():
            yield from node.where


def _of_clause(node: ast.Clause) -> Iterator[Node]:
    match node:
        case ast.Let():
            yield node.value
        case ast.Requires():
            yield from node.conditions
        case ast.Fails():
            yield node.condition
            yield from node.body
        case ast.Asserts():
            yield node.condition
        case ast.May():
            if node.condition is not None:
                yield node.condition
            yield from node.body


def _of_declaration(node: ast.Declaration) -> Iterator[Node]:
    match node:
        case ast.ConstDecl():
            if node.value is not None:
                yield node.value
        case ast.GivenDecl():
            yield from node.where
        case ast.DefDecl() | ast.PropertyDecl():
            if node.body is not None:
                yield node.body
        case ast.EffectDecl() | ast.InitDecl():
            yield from node.body
        case ast.OpDecl():
            yield from node.clauses
            yield from node.effects
        case ast.ScopeDecl():
            yield from (value for setting in node.settings for value in setting.values)
