"""Declarations: their types, their order, and what each kind may say.

Definitions may be used before they are declared, so their types are found in the order in which they use each other; a
circle is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.constants import state_reads
from vmaspace.checker.language.expressions import Expressions
from vmaspace.checker.language.names import Catalogue, Scope, meant
from vmaspace.checker.language.nesting import Node, children
from vmaspace.checker.language.statements import Statements
from vmaspace.checker.language.types import BOOL, ERROR, NUMERIC, Type, in_words

D = TypeVar("D", bound=ast.Declaration)


class Declarations:
    """Checks everything but properties."""

    def __init__(self, catalogue: Catalogue, expressions: Expressions, statements: Statements) -> None:
        self.catalogue = catalogue
        self.problems = catalogue.problems
        self.expressions = expressions
        self.statements = statements

    def check(self) -> None:
        values = self.catalogue.values.values()
        self.signatures()
        definitions = [d for d in values if isinstance(d, ast.DefDecl | ast.ConstDecl)]
        for d in self.ordered(definitions, "is defined in terms of itself"):
            self.definition(d)
        for given in values:
            if isinstance(given, ast.GivenDecl):
                self.given(given)
        effects = [d for d in values if isinstance(d, ast.EffectDecl)]
        for effect in self.ordered(effects, "applies itself"):
            self.statements.block(effect.body, Scope().with_names(effect.params, self.problems))
        if self.catalogue.init is not None:
            self.statements.block(self.catalogue.init.body, Scope())
        for op in self.catalogue.ops.values():
            self.statements.operation(op)
        for scope in self.catalogue.scopes.values():
            self.scope(scope)

    # --- types of what is declared ---------------------------------------------------------------------------------

    def signatures(self) -> None:
        """Everything whose type is written down."""
        type_for = self.catalogue.type_for
        for d in self.catalogue.values.values():
            match d:
                case ast.VarDecl():
                    d.params = [type_for(n, s) for n, s in zip(d.param_names, d.param_spans, strict=True)]
                    d.type = type_for(d.result_name, d.result_span)
                case ast.GivenDecl():
                    self.binders(d.params)
                    d.type = type_for(d.result_name, d.result_span)
                case ast.ConstDecl():
                    d.type = type_for(d.type_name, d.type_span)
                case ast.DefDecl() | ast.EffectDecl():
                    self.binders(d.params)
        for op in self.catalogue.ops.values():
            self.binders(op.params, bounded=True)
            self.binders(op.results)

    def binders(self, binders: Sequence[ast.Binder], bounded: bool = False) -> None:
        for b in binders:
            b.type = self.catalogue.type_for(b.type_name, b.type_span)
            if b.low is not None and b.high is not None:
                self.bounds(b, b.low, b.high, bounded)
            if b.nullable and not (bounded and b.type.kind in ("sort", "error")):
                self.problems.add(
                    codes.BAD_BOUND, f"`{b.name}` cannot be `null`", b.span,
                    expected="`or null` behind the sort of an operation's parameter",
                )  # fmt: skip

    def bounds(self, b: ast.Binder, low: ast.Expr, high: ast.Expr, bounded: bool) -> None:
        assert isinstance(low, ast.Number) and isinstance(high, ast.Number) and b.type is not None
        low.type = high.type = b.type
        if not bounded:
            hint = f"write `{b.name}: {b.type_name}`"
            self.problems.add(codes.BAD_BOUND, "only parameters of operations are bounded", b.span, hint=hint)
        elif b.type.kind not in ("int", "error"):
            self.problems.add(
                codes.BAD_BOUND, f"`{b.name}` is {in_words(b.type)} and cannot be bounded", b.span,
                expected="an int parameter", hint="say it with `requires`",
            )  # fmt: skip
        elif low.value > high.value:
            message = f"no number lies in {low.value}..{high.value}"
            self.problems.add(codes.BAD_BOUND, message, low.span, hint="the lower bound comes first")

    # --- definitions -----------------------------------------------------------------------------------------------

    def definition(self, d: ast.DefDecl | ast.ConstDecl) -> None:
        if isinstance(d, ast.ConstDecl):
            if d.value is not None:
                self.expressions.check(d.value, Scope(), d.type or ERROR, f"the value of `{d.name}`")
                self.no_state(d.value, f"the const `{d.name}`")
        elif d.body is not None:
            scope = Scope(place="definition").with_names(d.params, self.problems)
            d.type = self.expressions.infer_final(d.body, scope, f"the body of `{d.name}`")

    def given(self, d: ast.GivenDecl) -> None:
        scope = Scope().with_names(d.params, self.problems)
        for condition in d.where:
            self.expressions.check(condition, scope, BOOL, "a condition of `where`")
            self.no_state(condition, f"the given `{d.name}`")

    def no_state(self, node: Node, what: str) -> None:
        for use in state_reads(node):
            self.problems.add(
                codes.NOT_CONSTANT, f"{what} must not depend on the state", use.span,
                expected="numbers, consts, givens and switches",
                hint="what depends on the state is a `def`",
            )  # fmt: skip
            return

    def ordered(self, declarations: Sequence[D], fault: str) -> list[D]:
        """The declarations so that each comes after those it uses; those in a circle are reported and left out."""
        table = {d.name: d for d in declarations}
        uses = {
            d.name: list(
                dict.fromkeys(
                    n for n, called in names_used(d)
                    if n in table and called != isinstance(table[n], ast.ConstDecl)
                )
            )
            for d in declarations
        }  # fmt: skip
        order, circles = sort_by_use(uses)
        for circle in circles:
            first = table[circle[0]]
            path = " uses ".join(f"`{n}`" for n in (*circle, circle[0]))
            self.problems.add(
                codes.RECURSION, f"`{first.name}` {fault}", first.span, found=path,
                hint="definitions are unfolded where they are used, so they cannot be recursive",
                notes=tuple((f"`{n}`", table[n].span) for n in circle[1:]),
            )  # fmt: skip
        for name in {n for circle in circles for n in circle}:
            d = table[name]
            if isinstance(d, ast.DefDecl):
                d.type = ERROR
        return [table[n] for n in order]

    # --- scopes ----------------------------------------------------------------------------------------------------

    def scope(self, d: ast.ScopeDecl) -> None:
        for name, span in d.count_spans.items():
            if name in self.catalogue.sorts:
                continue
            t = self.catalogue.types.get(name)
            expected = "a number of elements of a sort, or of steps"
            if t is None:
                known = [*self.catalogue.sorts, "steps"]
                self.problems.add(
                    codes.UNKNOWN_TYPE,
                    f"there is no sort `{name}`",
                    span,
                    expected=expected,
                    hint=meant(name, known),
                )
            else:
                self.problems.add(
                    codes.BAD_SCOPE, f"a scope does not bound {in_words(t)}", span, expected=expected
                )
        for setting in d.settings:
            self.setting(setting)

    def setting(self, s: ast.Setting) -> None:
        """A given gets a value, or one for each element; a var or a parameter gets the values to look at."""
        found = self.catalogue.values.get(s.name)
        type_: Type | None = None
        if s.is_value and isinstance(found, ast.GivenDecl):
            type_ = found.type
            if len(found.params) > 1:
                self.bad_setting(s, f"`{s.name}` depends on more than one element")
        elif not s.is_value and isinstance(found, ast.VarDecl):
            type_ = found.type
        elif not s.is_value:
            type_ = self.parameter_type(s)
        else:
            self.bad_setting(s, f"`{s.name}` is no given, so it has no value here")
        if type_ is None:
            return
        if type_.kind == "sort":
            self.bad_setting(s, f"`{s.name}` is {in_words(type_)}, and no text can name one of those")
            return
        if s.is_range and type_.kind not in NUMERIC:
            self.bad_setting(s, f"`{s.name}` is {in_words(type_)}, not a number between two others")
            return
        for value in s.values:
            self.expressions.check(value, Scope(), type_, f"a value of `{s.name}`")
            self.no_state(value, "a scope")

    def parameter_type(self, s: ast.Setting) -> Type | None:
        """The type of the parameters that a setting speaks of: those of one operation, or all of that name."""
        operation, _, name = s.name.rpartition(".")
        ops = [o for o in self.catalogue.ops.values() if operation in ("", o.name)]
        found = {b.type for o in ops for b in o.params if b.name == name and b.type is not None}
        if len(found) != 1:
            known = [*(b.name for o in ops for b in o.params), *self.catalogue.plain_names()]
            problem = "means parameters of several types" if found else "is no var and no parameter of an operation"
            hint = "write `OPERATION.PARAMETER`" if found else meant(name, known)
            self.problems.add(codes.BAD_SCOPE, f"`{s.name}` {problem}", s.span, hint=hint)
            return None
        return found.pop()

    def bad_setting(self, s: ast.Setting, message: str) -> None:
        self.problems.add(
            codes.BAD_SCOPE, message, s.span,
            hint="`given = value`, `given = [value of each element, …]`, `parameter in [value, …]`, `var in low..high`",
        )  # fmt: skip


def names_used(d: ast.Declaration) -> Iterator[tuple[str, bool]]:
    """The names of all calls, plain names and applied effects in a declaration, and whether each is called."""
    local = {b.name for b in d.params} if isinstance(d, ast.DefDecl) else set()
    waiting: list[Node] = [d]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call | ast.Apply):
            yield node.name, True
        elif isinstance(node, ast.Name) and node.name not in local:
            yield node.name, False
        waiting += children(node)


def sort_by_use(uses: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Names after the names that they use, and the circles.  Depth first, as a loop: chains may be long."""
    order: list[str] = []
    circles: list[list[str]] = []
    done: set[str] = set()
    for root in uses:
        path: list[str] = []
        waiting: list[tuple[str, int]] = [(root, 0)] if root not in done else []
        while waiting:
            name, position = waiting.pop()
            if position == 0:
                path.append(name)
            targets = uses[name]
            if position == len(targets):
                path.pop()
                done.add(name)
                order.append(name)
                continue
            waiting.append((name, position + 1))
            target = targets[position]
            if target in path:
                circles.append(path[path.index(target) :])
            elif target not in done:
                waiting.append((target, 0))
    in_circle = {n for circle in circles for n in circle}
    return [n for n in order if n not in in_circle], circles
