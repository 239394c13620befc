"""The types of expressions.

Types flow both ways: an expression that knows its type says it, and a literal, `null`, `{}` or a member name takes the
type that its surroundings expect.  Of two sides that must agree, the one that knows more is read first.  After a check,
every expression has its final type and every name its declaration.

It does not evaluate anything, and it does not know statements: see `statements.py`.
"""

from __future__ import annotations

from dataclasses import replace

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.calls import Calls
from vmaspace.checker.language.linearity import Linearity
from vmaspace.checker.language.names import Catalogue, Scope
from vmaspace.checker.language.operators import Operators
from vmaspace.checker.language.resolution import Resolver
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
    fits,
    in_words,
    join,
)
from vmaspace.checker.language.units import rule_for

_LITERALS: dict[type[ast.Expr], Type] = {ast.Number: NUMBER, ast.Bool: BOOL, ast.Null: NULL}
_OLD_HINTS = {
    "property": "an invariant speaks of one state: write a `step` property to compare two",
    "run": "say it with `always` and `until`, or write a `step` property to compare two states",
    "operation": "operations read the state before them anyway",
    "definition": "apply it outside: `old(f(x))`",
    "old": "there is only one earlier state: one `old` is enough",
}

_TEMPORAL_HINTS = {
    "definition": "a def speaks of one state: write `always f(x)` where it is used",
    "old": "only one moment lies before a step",
}


class Expressions:
    """Checks expressions against a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.problems = catalogue.problems
        self.resolver = Resolver(catalogue)
        self.linearity = Linearity(catalogue.problems)
        self.operators = Operators(self)
        self.calls = Calls(self)

    # --- entrances -------------------------------------------------------------------------------------------------

    def check(self, e: ast.Expr, scope: Scope, expected: Type, role: str) -> None:
        """`e` must have the type `expected`; `role` says what it is, as in "the condition"."""
        found = self.infer(e, scope, expected)
        if not fits(found, expected):
            self.mismatch(e, found, expected, role)
            self.settle(e, found)
        else:
            self.settle(e, expected if expected != ERROR else found)

    def infer_final(self, e: ast.Expr, scope: Scope, role: str) -> Type:
        """The type of an expression of which the surroundings expect nothing."""
        found = self.infer(e, scope, None)
        if found in (NULL, EMPTY):
            what = "null" if found == NULL else "{}"
            self.problems.add(
                codes.NO_TYPE, f"{role} is `{what}`, and nothing says of which type", e.span,
                hint="compare it with something, or use it where a type is known",
            )  # fmt: skip
            found = ERROR
        final = INT if found == NUMBER else found
        self.settle(e, final)
        return final

    # --- inference -------------------------------------------------------------------------------------------------

    def infer(self, e: ast.Expr, scope: Scope, expected: Type | None) -> Type:
        """The type of `e`, which may still be "number", "null" or "emptyset"; `settle` makes it final."""
        match e:
            case ast.Number() | ast.Bool() | ast.Null():
                found = _LITERALS[type(e)]
            case ast.Name():
                found = self.resolver.name(e, scope, expected)
            case ast.FlagSet():
                found = self.resolver.flag_set(e, expected)
            case ast.Call():
                found = self.calls.call(e, scope, expected)
            case ast.Binary():
                found = self.operators.binary(e, scope, expected)
            case ast.Unary():
                self.check(e.operand, scope, BOOL, "what `not` negates")
                found = BOOL
            case ast.Conditional():
                self.check(e.condition, scope, BOOL, "the condition of `if`")
                found = self.pair(e.then, e.otherwise, scope, expected, "the two branches of `if`")
            case ast.Quantifier():
                found = self.quantifier(e, scope)
            case ast.RangeOf():
                self.check(e.low, scope, ADDRESS, "the low end of the range")
                self.check(e.high, scope, ADDRESS, "the high end of the range")
                found = RANGE
            case ast.Old():
                found = self.old(e, scope, expected)
            case ast.Temporal():
                found = self.temporal(e, scope)
            case _:
                raise AssertionError(f"no type rule for {type(e).__name__}")
        e.type = found
        return found

    def old(self, e: ast.Old, scope: Scope, expected: Type | None) -> Type:
        if not scope.two_states:
            self.problems.add(
                codes.OLD_OUTSIDE, "`old` has no meaning here", e.span,
                expected="`old` in a `step` or `after` property", hint=_OLD_HINTS[scope.place],
            )  # fmt: skip
        return self.infer(e.operand, replace(scope, two_states=False, place="old"), expected)

    def temporal(self, e: ast.Temporal, scope: Scope) -> Type:
        if not scope.of_runs:
            self.problems.add(
                codes.TEMPORAL_OUTSIDE, f"`{e.op}` has no meaning here", e.span,
                expected=f"`{e.op}` in the formula of a `temporal` property",
                hint=_TEMPORAL_HINTS.get(scope.place, "write `temporal NAME …` to speak of a run"),
            )  # fmt: skip
        for operand in e.operands:
            self.check(operand, scope, BOOL, f"what `{e.op}` speaks of")
        return BOOL

    def quantifier(self, e: ast.Quantifier, scope: Scope) -> Type:
        for b in e.binders:
            b.type = self.catalogue.type_for(b.type_name, b.type_span)
            self.check_domain(b, e.kind)
        inner = scope.with_names(e.binders, self.problems)
        for condition in e.where:
            self.check(condition, inner, BOOL, "a condition of `where`")
        if e.body is not None:
            self.check(e.body, inner, BOOL, "what `for` says of each element")
        self.linearity.check(e.binders, e.where, [] if e.body is None else [e.body])
        return INT if e.kind == "count" else BOOL

    def check_domain(self, b: ast.Binder, kind: str) -> None:
        """What may be quantified over: elements of sorts, and numbers."""
        assert b.type is not None
        if b.type.kind in ("sort", "error") or (b.type.kind in NUMERIC and kind != "count"):
            return
        expected = "a sort" if kind == "count" else "a sort, address, bytes, page, pages or int"
        self.problems.add(
            codes.WRONG_TYPE, f"`{kind}` cannot range over {b.type}", b.type_span or b.span, expected=expected,
            found=in_words(b.type), hint="name its values one by one" if b.type.kind not in NUMERIC else None,
        )  # fmt: skip

    # --- pairs -----------------------------------------------------------------------------------------------------

    def pair(self, left: ast.Expr, right: ast.Expr, scope: Scope, expected: Type | None, role: str) -> Type:
        """The common type of two expressions."""
        first, second = left, right
        if rigidity(right, scope, self.catalogue) < rigidity(left, scope, self.catalogue):
            first, second = right, left
        a = self.infer(first, scope, expected)
        b = self.infer(second, scope, expected if a in (NUMBER, NULL, EMPTY, ERROR) else a)
        joint = join(a, b)
        if joint is None:
            self.disagree(left, right, first, role)
            return ERROR
        for e, t in ((first, a), (second, b)):
            if t != joint:
                self.settle(e, joint)
        return joint

    def disagree(self, left: ast.Expr, right: ast.Expr, first: ast.Expr, role: str) -> None:
        """The side that was read first says what the other should have been."""
        other = right if first is left else left
        assert first.type is not None and other.type is not None
        self.problems.add(
            codes.WRONG_TYPE, f"{role} have different types", other.span,
            expected=f"{in_words(first.type)}, as on the other side", found=in_words(other.type),
            hint=self.mismatch_hint(other, other.type, first.type),
        )  # fmt: skip

    # --- settling --------------------------------------------------------------------------------------------------

    def settle(self, e: ast.Expr, final: Type) -> None:
        """Give an expression whose type was open, and all of it that was open, the type that it has in the end."""
        if e.type == final or e.type not in (NUMBER, NULL, EMPTY):
            return
        e.type = final
        match e:
            case ast.Conditional():
                self.settle(e.then, final)
                self.settle(e.otherwise, final)
            case ast.Old():
                self.settle(e.operand, final)
            case ast.Call():
                for argument in e.args:
                    self.settle(argument, final)
            case ast.Binary():
                self.settle_binary(e, final)

    def settle_binary(self, e: ast.Binary, final: Type) -> None:
        """A row of literals: the left one takes the unit, the right one what the rule for the operator asks for."""
        rule = rule_for(e.op, final, NUMBER, None)
        self.settle(e.left, final)
        self.settle(e.right, rule.right if rule is not None and rule.result == final else final)

    # --- mismatches ------------------------------------------------------------------------------------------------

    def mismatch(self, e: ast.Expr, found: Type, expected: Type, role: str) -> None:
        self.problems.add(
            codes.WRONG_TYPE, f"{role} has the wrong type", e.span, expected=in_words(expected), found=in_words(found),
            hint=self.mismatch_hint(e, found, expected),
        )  # fmt: skip

    def mismatch_hint(self, e: ast.Expr, found: Type, expected: Type) -> str | None:
        """The next thing to do about a wrong type, where it is known."""
        if isinstance(e, ast.Name):
            hidden = self.resolver.hidden_member(e, expected)
            if hidden is not None:
                return hidden
        if expected.kind == "enum":
            members = ", ".join(m.name for m in self.catalogue.enums[expected.name].members)
            return f"the members of {expected.name} are {members}"
        return _CONVERSIONS.get((found.kind, expected.kind))


_CONVERSIONS = {
    ("address", "bytes"): "the distance of two addresses is `a - b`",
    ("bytes", "address"): "an address and a size make an address: `a + n`; counted from 0 it is `0 + n`",
    ("address", "page"): "`page(a)` is the page that holds address a",
    ("page", "address"): "`address_of(p)` is the first address of page p",
    ("bytes", "pages"): "`pages(n)` is how many whole pages n bytes are",
    ("pages", "bytes"): "`bytes_of(n)` is how many bytes n pages are",
    ("int", "bool"): "compare it with a number",
    ("status", "sort"): "the reference to nothing is `null`",
    ("sort", "bool"): "compare it: `x != null`, `x == y`",
    ("range", "address"): "a range is not one address: `p in range`, or name one of its ends",
    ("flags", "bool"): "ask for one flag: `read in flags`",
    ("null", "status"): "the status of a factory that returned no object is `NULL`",
    ("null", "flags"): "the empty set of flags is `{}`",
    ("null", "bool"): "bool is true or false",
}
