"""How a bound number is used.

"For every address" has 2^64 cases.  The engines decide it by looking at the finitely many values where something can
change.  That works if a bound number is only added to, compared with terms that hold no other bound number, asked for
its alignment, and used in the last argument of a var.  This module refuses all else, also where it happens inside a
definition or an effect that the number is passed to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.names import Problems
from vmaspace.checker.language.syntax import Span
from vmaspace.checker.language.types import NUMERIC, PAGE


@dataclass(frozen=True, slots=True)
class Form:
    """A linear form: how often each bound number is in a value; `exact` if the value is that number itself."""

    factors: frozenset[tuple[ast.Binder, int]] = frozenset()
    exact: bool = False

    def plus(self, other: Form, sign: int) -> Form:
        total = dict(self.factors)
        for b, n in other.factors:
            total[b] = total.get(b, 0) + sign * n
        return Form(frozenset((b, n) for b, n in total.items() if n != 0))


Forms = frozenset[Form]  # a value may be one of several forms: the branches of `if`, the ends of a range
CONSTANT: Forms = frozenset({Form()})
Env = Mapping[ast.Binder, Forms]

_SUMS = {"+": 1, "-": -1}
_PRODUCTS = {"*": "multiplied", "/": "divided", "mod": "divided"}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_OPAQUE = {
    "round_up": "rounded",
    "page": "divided",
    "pages": "divided",
    "address_of": "multiplied",
    "bytes_of": "multiplied",
}


class Linearity:
    """Walks what is said about bound numbers.  One walk for each quantifier; definitions are unfolded."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.site: ast.Expr | ast.Statement | None = None  # where the property left for a definition
        self.reported: set[tuple[ast.Binder, Span]] = set()
        self.known: dict[tuple[object, ...], Forms] = {}

    def check(
        self,
        binders: Iterable[ast.Binder],
        where: Sequence[ast.Expr],
        body: Sequence[ast.Expr | ast.Statement],
    ) -> None:
        """Check how the numbers among `binders` are used."""
        env = numbers_of(binders)
        if not env:
            return
        self.known.clear()
        for part in (*where, *body):
            if isinstance(part, ast.Expr):
                self.expression(part, env)
            else:
                self.statement(part, env)

    # --- expressions -----------------------------------------------------------------------------------------------

    def expression(self, e: ast.Expr, env: Env) -> Forms:
        match e:
            case ast.Name():
                return env.get(e.ref, CONSTANT) if isinstance(e.ref, ast.Binder) else CONSTANT
            case ast.Old():
                return self.expression(e.operand, env)
            case ast.Binary():
                return self.binary(e, env)
            case ast.Call():
                return self.call(e, env)
            case ast.Conditional():
                self.expression(e.condition, env)
                return self.expression(e.then, env) | self.expression(e.otherwise, env)
            case ast.RangeOf():
                return self.expression(e.low, env) | self.expression(e.high, env)
            case ast.Unary():
                self.expression(e.operand, env)
            case ast.Quantifier():
                inner = {**env, **numbers_of(e.binders)}
                for part in (*e.where, *([e.body] if e.body is not None else [])):
                    self.expression(part, inner)
        return CONSTANT

    def binary(self, e: ast.Binary, env: Env) -> Forms:
        left, right = self.expression(e.left, env), self.expression(e.right, env)
        if e.op in _SUMS:
            return frozenset(a.plus(b, _SUMS[e.op]) for a in left for b in right)
        if e.op in _PRODUCTS:
            self.refuse_all(left | right, f"is {_PRODUCTS[e.op]}", e)
        elif e.op in _COMPARISONS:
            self.compare(left, right, e)
        return CONSTANT

    def compare(self, left: Forms, right: Forms, e: ast.Expr) -> None:
        for a in left:
            for b in right:
                self.single(a.plus(b, -1), e, "compared")

    def single(self, form: Form, e: ast.Expr, how: str) -> None:
        """A form with at most one bound number in it, once."""
        binders = sorted(form.factors, key=lambda f: f[0].span.column)
        for binder, n in binders:
            if abs(n) > 1:
                self.refuse(binder, f"is counted {abs(n)} times", e)
        if len(binders) > 1:
            self.refuse(binders[0][0], f"is {how} together with the bound number `{binders[1][0].name}`", e)

    def call(self, e: ast.Call, env: Env) -> Forms:
        args = [self.expression(a, env) for a in e.args]
        match e.ref:
            case ast.Builtin():
                return self.builtin(e, args)
            case ast.VarDecl():
                self.var_arguments(e, args)
            case ast.DefDecl() if e.ref.body is not None and len(args) == len(e.ref.params):
                return self.unfold(e, e.ref, args)
            case _:
                for forms in args:
                    self.refuse_all(forms, "is an argument of something that is not a var", e)
        return CONSTANT

    def var_arguments(self, e: ast.Call, args: Sequence[Forms]) -> None:
        for forms in args[:-1]:
            self.refuse_all(forms, f"is an argument of `{e.name}`, and not the last", e)
        for form in args[-1] if args else ():
            self.single(form, e, "looked up")

    def builtin(self, e: ast.Call, args: Sequence[Forms]) -> Forms:
        if e.name in _OPAQUE and args:
            self.refuse_all(args[0], f"is {_OPAQUE[e.name]}", e)
        elif e.name in ("aligned", "aligned_pow2") and args:
            shifted = frozenset(form for form in args[0] if not form.exact)
            self.refuse_all(shifted, "is not alone where its alignment is asked for", e)
            for forms in args[1:]:
                self.refuse_all(forms, "is a power", e)
        elif e.name in ("disjoint", "overlaps", "inside") and len(args) == 2:
            self.compare(args[0], args[1], e)
        elif e.name == "wraps" and len(args) == 2:
            self.compare(frozenset(a.plus(b, 1) for a in args[0] for b in args[1]), CONSTANT, e)
        elif e.name in ("min", "max") and len(args) == 2:
            return args[0] | args[1]
        return CONSTANT

    # --- through definitions ---------------------------------------------------------------------------------------

    def unfold(self, e: ast.Call, d: ast.DefDecl, args: Sequence[Forms]) -> Forms:
        if all(forms == CONSTANT for forms in args):
            return CONSTANT
        key = (d, *args)
        if key not in self.known:
            assert d.body is not None
            outer, self.site = self.site, self.site or e
            self.known[key] = self.expression(d.body, dict(zip(d.params, args, strict=True)))
            self.site = outer
        return self.known[key]

    def apply(self, s: ast.Apply, env: Env) -> None:
        args = [self.expression(a, env) for a in s.args]
        if s.ref is None or len(args) != len(s.ref.params) or all(forms == CONSTANT for forms in args):
            return
        outer, self.site = self.site, self.site or s
        inner = dict(zip(s.ref.params, args, strict=True))
        for part in s.ref.body:
            self.statement(part, inner)
        self.site = outer

    def statement(self, s: ast.Statement, env: Env) -> None:
        match s:
            case ast.Assign():
                if isinstance(s.target, ast.Call):
                    self.var_arguments(s.target, [self.expression(a, env) for a in s.target.args])
                self.expression(s.value, env)
            case ast.Apply():
                self.apply(s, env)
            case ast.If():
                self.expression(s.condition, env)
                for part in (*s.then, *s.otherwise):
                    self.statement(part, env)
            case ast.ForEach() | ast.Some():
                inner = {**env, **numbers_of(s.binders if isinstance(s, ast.ForEach) else [])}
                for condition in s.where:
                    self.expression(condition, inner)
                for part in s.body:
                    self.statement(part, inner)
            case ast.Pick():
                for condition in s.where:
                    self.expression(condition, env)

    # --- reports ---------------------------------------------------------------------------------------------------

    def refuse_all(self, forms: Forms, how: str, e: ast.Expr) -> None:
        for binder in {b for form in forms for b, _ in form.factors}:
            self.refuse(binder, how, e)

    def refuse(self, binder: ast.Binder, how: str, e: ast.Expr) -> None:
        """Report at the place in the property; what a definition does there is a note."""
        at = self.site or e
        if (binder, at.span) in self.reported:
            return
        self.reported.add((binder, at.span))
        self.problems.add(
            codes.NUMERIC_QUANTIFIER, f"the bound number `{binder.name}` {how}", at.span,
            expected=f"`{binder.name}`, or a sum with it, compared or as the last argument of a var; or its alignment",
            hint=hint_for(binder),
            notes=((f"`{binder.name}` {how} here", e.span),) if at is not e else (),
        )  # fmt: skip


def numbers_of(binders: Iterable[ast.Binder]) -> dict[ast.Binder, Forms]:
    """The bound numbers among `binders`, each standing for itself."""
    return {
        b: frozenset({Form(frozenset({(b, 1)}), exact=True)})
        for b in binders
        if b.type is not None and b.type.kind in NUMERIC
    }


def hint_for(b: ast.Binder) -> str:
    if b.type == PAGE:
        return f"bind an address, and say which: `{b.name}: address where aligned({b.name})`"
    return f"bind what `{b.name}` is computed from instead, or say it without a quantifier"
