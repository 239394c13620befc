"""The types of operators: logic, comparisons, membership, sets of flags, and arithmetic with units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.constants import constant_value
from vmaspace.checker.language.names import Scope
from vmaspace.checker.language.rigidity import rigidity
from vmaspace.checker.language.types import (
    ADDRESS,
    BOOL,
    EMPTY,
    ERROR,
    INT,
    NULL,
    NUMBER,
    NUMERIC,
    RANGE,
    Type,
    in_words,
    join,
)
from vmaspace.checker.language.units import advice, rule_for

if TYPE_CHECKING:
    from vmaspace.checker.language.expressions import Expressions

_LOGIC = frozenset({"and", "or", "implies", "iff"})
_EQUALITY = frozenset({"==", "!="})
_ORDER = frozenset({"<", "<=", ">", ">="})
_FLAG_OPERATORS = frozenset({"|", "&"})


class Operators:
    """Checks operators; their operands go back to `Expressions`."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.catalogue = expressions.catalogue
        self.problems = expressions.problems

    def binary(self, e: ast.Binary, scope: Scope, expected: Type | None) -> Type:
        if e.op in _LOGIC:
            self.expressions.check(e.left, scope, BOOL, f"the left side of `{e.op}`")
            self.expressions.check(e.right, scope, BOOL, f"the right side of `{e.op}`")
            return BOOL
        if e.op in _EQUALITY:
            return self.equality(e, scope)
        if e.op in _ORDER:
            return self.order(e, scope)
        if e.op == "in":
            return self.membership(e, scope)
        if e.op in _FLAG_OPERATORS:
            wanted = expected if expected is not None and expected.kind == "flags" else None
            return self.on_flags(
                e, self.expressions.pair(e.left, e.right, scope, wanted, f"the two sides of `{e.op}`")
            )
        return self.arithmetic(e, scope, expected)

    def equality(self, e: ast.Binary, scope: Scope) -> Type:
        joint = self.expressions.pair(e.left, e.right, scope, None, f"the two sides of `{e.op}`")
        if joint in (NULL, EMPTY):
            self.problems.add(codes.NO_TYPE, "neither side says what is compared", e.span)
        elif joint == RANGE:
            self.problems.add(
                codes.NOT_COMPARABLE, f"`{e.op}` does not compare ranges", e.span,
                hint="compare their ends, or say `inside(a, b) and inside(b, a)`",
            )  # fmt: skip
        self.settle_pair(e, joint)
        return BOOL

    def order(self, e: ast.Binary, scope: Scope) -> Type:
        joint = self.expressions.pair(e.left, e.right, scope, None, f"the two sides of `{e.op}`")
        if joint.kind not in NUMERIC and joint.kind not in ("flags", "error"):
            inside = "`inside(a, b)` says that range a lies in range b"
            self.problems.add(
                codes.NOT_COMPARABLE, f"`{e.op}` has no meaning for {joint}", e.span,
                expected="numbers of one unit, or sets of flags", found=in_words(joint),
                hint=inside if joint == RANGE else "compare with `==` or `!=`",
            )  # fmt: skip
        self.settle_pair(e, joint)
        return BOOL

    def settle_pair(self, e: ast.Binary, joint: Type) -> None:
        final = INT if joint == NUMBER else joint
        self.expressions.settle(e.left, final)
        self.expressions.settle(e.right, final)

    def membership(self, e: ast.Binary, scope: Scope) -> Type:
        container = self.expressions.infer(e.right, scope, None)
        if container.kind == "flags":
            self.expressions.settle(e.right, container)
            self.expressions.resolver.flag_in(e.left, container, self.expressions.infer, scope)
        elif container == RANGE:
            self.expressions.check(e.left, scope, ADDRESS, "what is looked for in a range")
        elif container != ERROR:
            self.problems.add(
                codes.WRONG_TYPE, "`in` looks into a range or a set of flags", e.right.span,
                expected="a range of addresses or a set of flags", found=in_words(container),
                hint="a range is written `[low, high)`" if container.kind in NUMERIC else None,
            )  # fmt: skip
        return BOOL

    def on_flags(self, e: ast.Binary, joint: Type) -> Type:
        if joint.kind in ("flags", "emptyset", "error"):
            return joint
        word = {"|": "or", "&": "and"}.get(e.op)
        self.problems.add(
            codes.WRONG_TYPE, f"`{e.op}` joins sets of flags", e.span, expected="two sets of flags",
            found=in_words(joint), hint=f"write `{word}`" if joint == BOOL else None,
        )  # fmt: skip
        return ERROR

    def arithmetic(self, e: ast.Binary, scope: Scope, expected: Type | None) -> Type:
        first, second = e.left, e.right
        if rigidity(second, scope, self.catalogue) < rigidity(first, scope, self.catalogue):
            first, second = second, first
        wanted = expected if expected is not None and expected.kind == "flags" and e.op == "-" else None
        a = self.expressions.infer(first, scope, wanted)
        b = self.expressions.infer(second, scope, a if a.kind == "flags" else wanted)
        left, right = (a, b) if first is e.left else (b, a)
        if ERROR in (left, right):
            return ERROR
        if e.op == "-" and {left.kind, right.kind} <= {"flags", "emptyset"}:
            return self.flag_difference(e, left, right)
        found = self.apply_units(e, left, right, expected)
        if e.op in ("/", "mod") and found != ERROR:
            self.check_divisor(e)
        return found

    def flag_difference(self, e: ast.Binary, left: Type, right: Type) -> Type:
        joint = join(left, right)
        if joint is None:
            self.expressions.disagree(e.left, e.right, e.left, "the two sides of `-`")
            return ERROR
        self.settle_pair(e, joint)
        return joint

    def apply_units(self, e: ast.Binary, left: Type, right: Type, expected: Type | None) -> Type:
        for side, t in ((e.left, left), (e.right, right)):
            if t.kind not in NUMERIC:
                self.problems.add(
                    codes.WRONG_TYPE, f"`{e.op}` needs numbers", side.span, expected="a number with or without a unit",
                    found=in_words(t), hint="sets of flags are joined with `|`" if t.kind == "flags" else None,
                )  # fmt: skip
                return ERROR
        rule = rule_for(e.op, left, right, expected)
        if rule is None:
            why, write = advice(e.op, left, right)
            self.problems.add(
                codes.WRONG_UNITS, why, e.span, found=f"{in_words(left)} {e.op} {in_words(right)}", hint=write
            )
            return ERROR
        if rule.result != NUMBER:
            self.expressions.settle(e.left, rule.left)
            self.expressions.settle(e.right, rule.right)
        return rule.result

    def check_divisor(self, e: ast.Binary) -> None:
        value = constant_value(e.right)
        if value is None or value <= 0:
            self.problems.add(
                codes.DIVISOR, f"the right side of `{e.op}` is not a positive constant", e.right.span,
                expected="a number, or a const that is the same on every machine",
                hint="only constants divide; whole pages are counted with `pages(n)`",
            )  # fmt: skip
