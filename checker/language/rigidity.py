"""How much an expression depends on its surroundings for its type.

Of two sides that must agree, the one that depends less is read first, and its type is what is expected of the other.
"""

from __future__ import annotations

from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.names import Catalogue, Scope
from vmaspace.checker.language.precedence import COMPARISON, LEVEL

# It knows its type; a member name that several types may have; a sum that two readings fit; a literal.
RIGID, MEMBER, SUM, LITERAL = range(4)


def rigidity(e: ast.Expr, scope: Scope, catalogue: Catalogue) -> int:
    """How far the expression needs its surroundings, see RIGID and the others."""
    match e:
        case ast.Number() | ast.Null():
            return LITERAL
        case ast.FlagSet():
            return MEMBER if e.members else LITERAL
        case ast.Name():
            return RIGID if e.name in scope.names or e.name in catalogue.values else MEMBER
        case ast.Conditional():
            return min(rigidity(e.then, scope, catalogue), rigidity(e.otherwise, scope, catalogue))
        case ast.Old():
            return rigidity(e.operand, scope, catalogue)
        case ast.Binary():
            return _of_binary(e, scope, catalogue)
        case ast.Call() if e.name in ("min", "max", "round_up"):
            return min((rigidity(a, scope, catalogue) for a in e.args), default=RIGID)
    return RIGID


def _of_binary(e: ast.Binary, scope: Scope, catalogue: Catalogue) -> int:
    if LEVEL[e.op] <= COMPARISON:
        return RIGID
    left, right = rigidity(e.left, scope, catalogue), rigidity(e.right, scope, catalogue)
    if e.op in ("+", "-") and left == LITERAL and right < LITERAL:
        return SUM
    if e.op == "/" and right == LITERAL and left < LITERAL:
        return SUM
    return min(left, right)
