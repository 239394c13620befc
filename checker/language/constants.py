"""Constants: which expressions have one value everywhere, and which depend on the state."""

from __future__ import annotations

from collections.abc import Iterator

from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.nesting import Node, children


def constant_value(e: ast.Expr, fuel: int = 8) -> int | None:
    """The value of a numeric expression that is the same on every machine; None if it is not."""
    match e:
        case ast.Number():
            return e.value
        case ast.Name():
            if isinstance(e.ref, ast.ConstDecl) and e.ref.value is not None and fuel > 0:
                return constant_value(e.ref.value, fuel - 1)
        case ast.Binary(op="+" | "-" | "*"):
            left, right = constant_value(e.left, fuel), constant_value(e.right, fuel)
            if left is not None and right is not None:
                return {"+": left + right, "-": left - right, "*": left * right}[e.op]
    return None


def state_reads(node: Node) -> Iterator[ast.Name | ast.Call]:
    """Every use of a state variable below a node, through the definitions that it calls."""
    seen: set[ast.DefDecl] = set()
    waiting: list[tuple[Node, ast.Name | ast.Call | None]] = [(node, None)]
    while waiting:
        n, use = waiting.pop()
        if isinstance(n, ast.Name | ast.Call):
            if isinstance(n.ref, ast.VarDecl):
                yield use or n
            elif isinstance(n.ref, ast.DefDecl) and n.ref not in seen and n.ref.body is not None:
                seen.add(n.ref)
                waiting.append((n.ref.body, use or n))
        waiting += ((child, use) for child in children(n))
