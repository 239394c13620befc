"""The types of expressions.

Types flow both ways: an expression that knows its type says it, and a literal, `null`, `{}` or a member name takes the
type that its surroundings expect.  Of two sides that must agree, the one that knows more is read first.  After a check,
every expression has its final type and every name its declaration.

It does not evaluate anything, and it does not know statements: see `statements.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.constants import constant_value
from vmaspace.checker.language.linearity import Linearity
from vmaspace.checker.language.names import Catalogue, Scope, is_function
from vmaspace.checker.language.resolution import Resolver
from vmaspace.checker.language.types import (
    ADDRESS,
    BOOL,
    BUILTINS,
    EMPTY,
    ERROR,
    INT,
    NULL,
    NUMBER,
    NUMERIC,
    RANGE,
    Signature,
    Type,
    in_words,
)
from vmaspace.checker.language.units import advice, rule_for

# How much an expression depends on its surroundings for its type: of two sides, the lower one is read first.
RIGID, MEMBER, SUM, LITERAL = range(4)

_LOGIC = frozenset({"and", "or", "implies", "iff"})
_EQUALITY = frozenset({"==", "!="})
_ORDER = frozenset({"<", "<=", ">", ">="})
_FLAG_OPERATORS = frozenset({"|", "&"})
_LITERALS: dict[type[ast.Expr], Type] = {ast.Number: NUMBER, ast.Bool: BOOL, ast.Null: NULL}


class Expressions:
    """Checks expressions against a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.problems = catalogue.problems
        self.resolver = Resolver(catalogue)
        self.linearity = Linearity(catalogue.problems)

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
                found = self.call(e, scope, expected)
            case ast.Binary():
                found = self.binary(e, scope, expected)
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
            case _:
                raise AssertionError(f"no type rule for {type(e).__name__}")
        e.type = found
        return found

    def old(self, e: ast.Old, scope: Scope, expected: Type | None) -> Type:
        if not scope.two_states:
            self.problems.add(
                codes.OLD_OUTSIDE, "`old` has no meaning here", e.span,
                expected="`old` in a `step` or `after` property, and not inside another `old`",
                hint="an invariant speaks of one state; right sides of assignments read the state before anyway",
            )  # fmt: skip
        return self.infer(e.operand, replace(scope, two_states=False), expected)

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
        if b.low is not None:
            self.problems.add(
                codes.BAD_BOUND, f"`{b.name}` is bounded with `in`", b.span,
                expected="bounds in `where`", hint=f"write `where {b.name} >= … and {b.name} <= …`",
            )  # fmt: skip
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
        if self.rigidity(right, scope) < self.rigidity(left, scope):
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

    def rigidity(self, e: ast.Expr, scope: Scope) -> int:
        """How far the expression needs its surroundings, see RIGID and the others."""
        match e:
            case ast.Number() | ast.Null():
                return LITERAL
            case ast.FlagSet():
                return MEMBER if e.members else LITERAL
            case ast.Name():
                return RIGID if e.name in scope.names or e.name in self.catalogue.values else MEMBER
            case ast.Conditional():
                return min(self.rigidity(e.then, scope), self.rigidity(e.otherwise, scope))
            case ast.Old():
                return self.rigidity(e.operand, scope)
            case ast.Binary():
                return self.rigidity_of_binary(e, scope)
            case ast.Call() if e.name in ("min", "max", "round_up"):
                return min((self.rigidity(a, scope) for a in e.args), default=RIGID)
        return RIGID

    def rigidity_of_binary(self, e: ast.Binary, scope: Scope) -> int:
        if e.op in _LOGIC or e.op in _EQUALITY or e.op in _ORDER or e.op == "in":
            return RIGID
        left, right = self.rigidity(e.left, scope), self.rigidity(e.right, scope)
        if e.op in ("+", "-") and left == LITERAL and right < LITERAL:
            return SUM
        if e.op == "/" and right == LITERAL and left < LITERAL:
            return SUM
        return min(left, right)

    # --- operators -------------------------------------------------------------------------------------------------

    def binary(self, e: ast.Binary, scope: Scope, expected: Type | None) -> Type:
        if e.op in _LOGIC:
            self.check(e.left, scope, BOOL, f"the left side of `{e.op}`")
            self.check(e.right, scope, BOOL, f"the right side of `{e.op}`")
            return BOOL
        if e.op in _EQUALITY:
            return self.equality(e, scope)
        if e.op in _ORDER:
            return self.order(e, scope)
        if e.op == "in":
            return self.membership(e, scope)
        if e.op in _FLAG_OPERATORS:
            wanted = expected if expected is not None and expected.kind == "flags" else None
            return self.on_flags(e, self.pair(e.left, e.right, scope, wanted, f"the two sides of `{e.op}`"))
        return self.arithmetic(e, scope, expected)

    def equality(self, e: ast.Binary, scope: Scope) -> Type:
        joint = self.pair(e.left, e.right, scope, None, f"the two sides of `{e.op}`")
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
        joint = self.pair(e.left, e.right, scope, None, f"the two sides of `{e.op}`")
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
        self.settle(e.left, final)
        self.settle(e.right, final)

    def membership(self, e: ast.Binary, scope: Scope) -> Type:
        container = self.infer(e.right, scope, None)
        if container.kind == "flags":
            self.settle(e.right, container)
            self.resolver.flag_in(e.left, container, self.infer, scope)
        elif container == RANGE:
            self.check(e.left, scope, ADDRESS, "what is looked for in a range")
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
        if self.rigidity(second, scope) < self.rigidity(first, scope):
            first, second = second, first
        wanted = expected if expected is not None and expected.kind == "flags" and e.op == "-" else None
        a = self.infer(first, scope, wanted)
        b = self.infer(second, scope, a if a.kind == "flags" else wanted)
        left, right = (a, b) if first is e.left else (b, a)
        if ERROR in (left, right):
            return ERROR
        if e.op == "-" and {left.kind, right.kind} <= {"flags", "emptyset"}:
            return self.flag_difference(e, left, right)
        if e.op in ("/", "mod"):
            self.check_divisor(e)
        return self.apply_units(e, left, right, expected)

    def flag_difference(self, e: ast.Binary, left: Type, right: Type) -> Type:
        joint = join(left, right)
        if joint is None:
            self.disagree(e.left, e.right, e.left, "the two sides of `-`")
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
            self.settle(e.left, rule.left)
            self.settle(e.right, rule.right)
        return rule.result

    def check_divisor(self, e: ast.Binary) -> None:
        value = constant_value(e.right)
        if value is None or value <= 0:
            self.problems.add(
                codes.DIVISOR, f"the right side of `{e.op}` is not a positive constant", e.right.span,
                expected="a number, or a const that is the same on every machine",
                hint="only constants divide; whole pages are counted with `pages(n)`",
            )  # fmt: skip

    # --- calls -----------------------------------------------------------------------------------------------------

    def call(self, e: ast.Call, scope: Scope, expected: Type | None) -> Type:
        signature = BUILTINS.get(e.name)
        if signature is not None:
            return self.builtin(e, signature, scope, expected)
        d = self.catalogue.values.get(e.name)
        if d is None or not is_function(d):
            self.resolver.not_callable(e, scope)
            return ERROR
        e.ref = d  # type: ignore[assignment]
        match d:
            case ast.VarDecl():
                self.arguments(e, [f"argument {i}" for i in range(1, len(d.params) + 1)], d.params, scope)
                return d.type or ERROR
            case ast.GivenDecl() | ast.DefDecl():
                names = [f"`{b.name}`" for b in d.params]
                self.arguments(e, names, [b.type or ERROR for b in d.params], scope)
                return d.type or ERROR
        raise AssertionError(e.name)

    def arguments(
        self, e: ast.Call | ast.Apply, names: Sequence[str], types: Sequence[Type], scope: Scope
    ) -> None:
        if len(e.args) != len(types):
            wanted = ", ".join(str(t) for t in types)
            many = "argument" if len(types) == 1 else "arguments"
            self.problems.add(
                codes.WRONG_ARITY, f"`{e.name}` takes {len(types) or 'no'} {many}", e.span,
                expected=f"{e.name}({wanted})", found=f"{len(e.args)} argument{'s' * (len(e.args) != 1)}",
            )  # fmt: skip
            return
        for argument, name, t in zip(e.args, names, types, strict=True):
            self.check(argument, scope, t, f"{name} of `{e.name}`")

    def builtin(self, e: ast.Call, signature: Signature, scope: Scope, expected: Type | None) -> Type:
        e.ref = ast.Builtin(e.name)
        if len(e.args) != len(signature.params):
            self.arguments(e, (), [alternatives[0] for alternatives in signature.params], scope)
            return signature.result or ERROR
        if e.name in ("min", "max"):
            joint = self.pair(e.args[0], e.args[1], scope, expected, f"the two arguments of `{e.name}`")
            return self.require_one_of(e.args[0], joint, (NUMBER, *signature.params[0]), e.name)
        first = ERROR
        for i, (argument, alternatives) in enumerate(zip(e.args, signature.params, strict=True)):
            wanted = expected if signature.result is None and expected in alternatives else alternatives[-1]
            if len(alternatives) == 1:
                self.check(argument, scope, wanted, f"argument {i + 1} of `{e.name}`")
                continue
            first = self.infer(argument, scope, wanted)
            if first == NUMBER:
                first = wanted
            first = self.require_one_of(argument, first, alternatives, e.name)
            self.settle(argument, first)
        return signature.result or first

    def require_one_of(self, e: ast.Expr, found: Type, alternatives: Sequence[Type], name: str) -> Type:
        if found in alternatives or found == ERROR:
            return found
        words = " or ".join(in_words(t) for t in alternatives if t != NUMBER)
        self.problems.add(
            codes.WRONG_TYPE,
            f"`{name}` does not take {in_words(found)}",
            e.span,
            expected=words,
            found=in_words(found),
        )
        return ERROR

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
    ("address", "bytes"): "the distance of two addresses is `a - b`; the distance from 0 is `a - 0`",
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


def fits(found: Type, expected: Type) -> bool:
    """Whether an expression of type `found` can stand where `expected` is asked for."""
    if found == expected or ERROR in (found, expected):
        return True
    return (
        (found == NUMBER and expected.kind in NUMERIC)
        or (found == NULL and expected.kind == "sort")
        or (found == EMPTY and expected.kind == "flags")
    )


def join(a: Type, b: Type) -> Type | None:
    """The type that both sides have in the end."""
    if ERROR in (a, b):
        return ERROR
    if fits(a, b):
        return b
    return a if fits(b, a) else None
