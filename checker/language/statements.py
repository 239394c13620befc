"""Effects: assignments, what is created and chosen, and the clauses of operations.

It checks one block at a time, from top to bottom, and carries the names that `let`, `new` and `picks` add.  It does not
say what a block means: all right sides read the state before the operation, see `docs/language.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.expressions import Expressions
from vmaspace.checker.language.names import Catalogue, Scope, listed, meant
from vmaspace.checker.language.resolution import kind_of
from vmaspace.checker.language.types import BOOL, ERROR, Type, in_words


class Statements:
    """Checks blocks and clauses against a catalogue."""

    def __init__(self, catalogue: Catalogue, expressions: Expressions) -> None:
        self.catalogue = catalogue
        self.problems = catalogue.problems
        self.expressions = expressions
        self.effects = {n: d for n, d in catalogue.values.items() if isinstance(d, ast.EffectDecl)}
        self._choosing: dict[ast.EffectDecl, bool] = {}

    # --- statements ------------------------------------------------------------------------------------------------

    def block(self, body: Sequence[ast.Statement], scope: Scope) -> Scope:
        """Check a block; gives the scope at its end, with what it made."""
        for s in body:
            scope = self.statement(s, scope)
        return scope

    def statement(self, s: ast.Statement, scope: Scope) -> Scope:
        match s:
            case ast.Assign():
                self.assign(s, scope)
            case ast.Apply():
                self.apply(s, scope)
            case ast.If():
                self.expressions.check(s.condition, scope, BOOL, "the condition of `if`")
                self.block(s.then, scope)
                self.block(s.otherwise, scope)
            case ast.ForEach():
                self.for_each(s, scope)
            case ast.Some():
                self.some(s, scope)
            case ast.New():
                return self.new(s, scope)
            case ast.Pick():
                return self.pick(s, scope)
        return scope

    def assign(self, s: ast.Assign, scope: Scope) -> None:
        target = s.target
        is_local = isinstance(target, ast.Name) and target.name in scope.names
        d = self.catalogue.values.get(target.name)
        if is_local or not isinstance(d, ast.VarDecl):
            self.not_assignable(s, is_local)
            return
        target.ref = d
        target.type = d.type
        if isinstance(target, ast.Call):
            self.expressions.calls.arguments(target, [], d.params, scope)
        elif d.params:
            types = ", ".join(d.param_names)
            self.problems.add(
                codes.WRONG_ARITY, f"`{d.name}` takes arguments", target.span, expected=f"{d.name}({types})",
                hint="to change it everywhere, assign it in a `for` block",
            )  # fmt: skip
        self.expressions.check(s.value, scope, d.type or ERROR, f"the value for `{d.name}`")

    def not_assignable(self, s: ast.Assign, is_local: bool) -> None:
        name, span = s.target.name, s.target.span
        d = self.catalogue.values.get(name)
        variables = [n for n, v in self.catalogue.values.items() if isinstance(v, ast.VarDecl)]
        if is_local or d is not None:
            what = "a local name" if is_local else kind_of(d)
            self.problems.add(
                codes.NOT_ASSIGNABLE, f"`{name}` is {what} and cannot be assigned", span,
                expected="a `var`: only the state changes",
                hint="give a value a name with `let`, before the first statement" if is_local else None,
            )  # fmt: skip
        else:
            self.problems.add(
                codes.UNKNOWN_NAME, f"no var is called `{name}`", span, hint=meant(name, variables)
            )

    def apply(self, s: ast.Apply, scope: Scope) -> None:
        d = self.effects.get(s.name)
        if d is None:
            value = self.catalogue.values.get(s.name)
            if value is not None:
                self.problems.add(
                    codes.WRONG_USE, f"`{s.name}` is {kind_of(value)}, not an effect", s.span,
                    expected="an assignment or an effect",
                    hint=f"to change it, write `{s.name}(…) = value`" if isinstance(value, ast.VarDecl) else None,
                )  # fmt: skip
            else:
                self.problems.add(
                    codes.UNKNOWN_NAME, f"no effect is called `{s.name}`", s.span,
                    hint=meant(s.name, self.effects) or listed("the effects are", self.effects),
                )  # fmt: skip
            return
        s.ref = d
        names, types = [b.name for b in d.params], [b.type or ERROR for b in d.params]
        self.expressions.calls.arguments(s, names, types, scope)
        if scope.for_all and self.chooses(d):
            self.choice_in_for(s, f"`{s.name}` creates or chooses something")

    def for_each(self, s: ast.ForEach, scope: Scope) -> None:
        for b in s.binders:
            b.type = self.catalogue.type_for(b.type_name, b.type_span)
            self.expressions.check_domain(b, "for")
        inner = replace(scope.with_names(s.binders, self.problems), for_all=True)
        self.conditions(s.where, inner)
        self.block(s.body, inner)
        self.expressions.linearity.check(s.binders, s.where, s.body)

    def some(self, s: ast.Some, scope: Scope) -> None:
        b = s.binder
        b.type = self.catalogue.type_for(b.type_name, b.type_span)
        if b.type.kind not in ("sort", "error"):
            self.problems.add(
                codes.NO_CHOICE,
                f"`{'first' if s.first else 'some'}` chooses an element of a sort, not {in_words(b.type)}", b.type_span or b.span,
                expected="a sort", hint=f"a value is chosen with `picks {b.name}: {b.type_name} where …`",
            )  # fmt: skip
        if scope.for_all:
            self.choice_in_for(s, "`some` chooses one element")
        inner = scope.with_names([b], self.problems)
        self.conditions(s.where, inner)
        self.block(s.body, inner)

    def new(self, s: ast.New, scope: Scope) -> Scope:
        b = s.binder
        b.type = self.catalogue.type_for(b.type_name, b.type_span)
        d = self.catalogue.sorts.get(b.type_name)
        if b.type != ERROR and (d is None or d.given):
            reason = "its elements exist from the start" if d is not None else "it is not a sort"
            self.problems.add(
                codes.NOT_NEW, f"there is no new {b.type_name}: {reason}", b.type_span or b.span,
                expected=listed("one of", [n for n, s in self.catalogue.sorts.items() if not s.given]),
                hint=f"a value is chosen with `picks {b.name}: {b.type_name} where …`" if d is None else None,
            )  # fmt: skip
        if scope.for_all:
            self.choice_in_for(s, "`new` makes one element")
        return scope.with_names([b], self.problems)

    def pick(self, s: ast.Pick, scope: Scope) -> Scope:
        b = s.binder
        b.type = self.catalogue.type_for(b.type_name, b.type_span)
        if scope.for_all:
            self.choice_in_for(s, "`picks` chooses one value")
        inner = scope.with_names([b], self.problems)
        self.conditions(s.where, inner)
        return inner

    def conditions(self, where: Sequence[ast.Expr], scope: Scope) -> None:
        for c in where:
            self.expressions.check(c, scope, BOOL, "a condition of `where`")

    def choice_in_for(self, s: ast.Statement, what: str) -> None:
        self.problems.add(
            codes.CHOICE_IN_FOR, f"{what}, but `for` runs its block for all elements at once", s.span,
            expected="`new`, `picks` and `some` outside `for`",
            hint="make or choose it before the `for`, and use it inside",
        )  # fmt: skip

    def chooses(self, d: ast.EffectDecl) -> bool:
        """Whether an effect creates or chooses, itself or through an effect that it applies."""
        if d not in self._choosing:
            self._choosing[d] = False  # an answer for cycles, which are reported elsewhere
            self._choosing[d] = any(self._statement_chooses(s) for s in d.body)
        return self._choosing[d]

    def _statement_chooses(self, s: ast.Statement) -> bool:
        match s:
            case ast.New() | ast.Pick() | ast.Some():
                return True
            case ast.ForEach():
                return any(self._statement_chooses(inner) for inner in s.body)
            case ast.If():
                return any(self._statement_chooses(inner) for inner in (*s.then, *s.otherwise))
            case ast.Apply() if s.name in self.effects:
                return self.chooses(self.effects[s.name])
        return False

    # --- operations ------------------------------------------------------------------------------------------------

    def operation(self, d: ast.OpDecl) -> None:
        scope = Scope().with_names(d.params, self.problems)
        self.check_result_names(d)
        for c in d.clauses:
            scope = self.clause(c, scope)
        self.block(d.effects, scope)
        self.check_results(d)

    def clause(self, c: ast.Clause, scope: Scope) -> Scope:
        check = self.expressions.check
        match c:
            case ast.Let():
                self.expressions.infer_final(c.value, scope, f"the value of `{c.name}`")
                return scope.with_names([c], self.problems)
            case ast.Requires():
                for condition in c.conditions:
                    check(condition, scope, BOOL, "what `requires` says")
            case ast.Asserts():
                check(c.condition, scope, BOOL, "what `asserts` says")
            case ast.Fails():
                self.check_status(c)
                check(c.condition, scope, BOOL, f"the condition for {c.status}")
                self.block(c.body, scope)
            case ast.May():
                self.check_status(c)
                if c.condition is not None:
                    check(c.condition, scope, BOOL, f"the condition for {c.status}")
                self.block(c.body, scope)
        return scope

    def check_status(self, c: ast.Fails | ast.May) -> None:
        if c.status not in self.catalogue.statuses:
            start = c.span.column + (4 if isinstance(c, ast.May) else 0)
            span = replace(c.span, column=start, end_line=c.span.line, end_column=start + len(c.status))
            self.problems.add(
                codes.UNKNOWN_STATUS, f"there is no status `{c.status}`", span,
                expected="a status of the `statuses` block",
                hint=meant(c.status, self.catalogue.statuses)
                or listed("the statuses are", self.catalogue.statuses),
            )  # fmt: skip

    def check_result_names(self, d: ast.OpDecl) -> None:
        params = {b.name: b for b in d.params}
        for b in d.results:
            if b.name in params:
                self.problems.add(
                    codes.SHADOWED, f"the result `{b.name}` has the name of a parameter", b.span,
                    hint="choose another name", notes=(("the parameter", params[b.name].span),),
                )  # fmt: skip

    def check_results(self, d: ast.OpDecl) -> None:
        """Every result must be made on every successful path: by a `new` or `picks` of the operation itself."""
        made = {s.binder.name: s.binder for s in d.effects if isinstance(s, ast.New | ast.Pick)}
        for b in d.results:
            found = made.get(b.name)
            if found is None:
                self.problems.add(
                    codes.RESULT_NOT_MADE, f"`{d.name}` never makes its result `{b.name}`", b.span,
                    expected=f"`new {b.name}: {b.type_name}` or `picks {b.name}: {b.type_name} where …`",
                    hint="at the level of the operation: inside a block it would not always be made",
                )  # fmt: skip
            elif ERROR not in (found.type, b.type) and found.type != b.type:
                self.problems.add(
                    codes.WRONG_TYPE, f"the result `{b.name}` is made as another type", found.type_span or found.span,
                    expected=words(b.type), found=words(found.type), notes=(("the result", b.span),),
                )  # fmt: skip


def words(t: Type | None) -> str:
    return in_words(t or ERROR)
