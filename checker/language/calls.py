"""The types of calls: vars, givens, defs and the words of the language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.names import Scope, is_function
from vmaspace.checker.language.types import BUILTINS, ERROR, NUMBER, Signature, Type, in_words

if TYPE_CHECKING:
    from vmaspace.checker.language.expressions import Expressions


class Calls:
    """Checks calls; their arguments go back to `Expressions`."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.catalogue = expressions.catalogue
        self.problems = expressions.problems

    def call(self, e: ast.Call, scope: Scope, expected: Type | None) -> Type:
        signature = BUILTINS.get(e.name)
        if signature is not None:
            return self.builtin(e, signature, scope, expected)
        d = self.catalogue.values.get(e.name)
        if d is None or not is_function(d):
            self.expressions.resolver.not_callable(e, scope)
            return ERROR
        e.ref = d  # type: ignore[assignment]
        match d:
            case ast.VarDecl():
                self.arguments(e, [], d.params, scope)
                return d.type or ERROR
            case ast.GivenDecl() | ast.DefDecl():
                names = [b.name for b in d.params]
                self.arguments(e, names, [b.type or ERROR for b in d.params], scope)
                return d.type or ERROR
        raise AssertionError(e.name)

    def arguments(
        self, e: ast.Call | ast.Apply, names: Sequence[str], types: Sequence[Type], scope: Scope
    ) -> None:
        """Check the arguments against the types of the parameters, which may have `names`."""
        if len(e.args) != len(types):
            labels = [f"{n}: " for n in names] or [""] * len(types)
            wanted = ", ".join(f"{label}{t}" for label, t in zip(labels, types, strict=True))
            self.problems.add(
                codes.WRONG_ARITY, f"`{e.name}` takes {number_of(types)}", e.span, expected=f"{e.name}({wanted})",
                found=number_of(e.args),
            )  # fmt: skip
            return
        roles = [f"`{n}`" for n in names] or [f"argument {i}" for i in range(1, len(types) + 1)]
        for argument, role, t in zip(e.args, roles, types, strict=True):
            self.expressions.check(argument, scope, t, f"{role} of `{e.name}`")

    def builtin(self, e: ast.Call, signature: Signature, scope: Scope, expected: Type | None) -> Type:
        e.ref = ast.Builtin(e.name)
        if len(e.args) != len(signature.params):
            self.arguments(e, [], [alternatives[0] for alternatives in signature.params], scope)
            return signature.result or ERROR
        if e.name in ("min", "max"):
            joint = self.expressions.pair(
                e.args[0], e.args[1], scope, expected, f"the two arguments of `{e.name}`"
            )
            return self.require_one_of(e.args[0], joint, (NUMBER, *signature.params[0]), e.name)
        first = ERROR
        for i, (argument, alternatives) in enumerate(zip(e.args, signature.params, strict=True)):
            wanted = expected if signature.result is None and expected in alternatives else alternatives[-1]
            if len(alternatives) == 1:
                self.expressions.check(argument, scope, wanted, f"argument {i + 1} of `{e.name}`")
                continue
            first = self.expressions.infer(argument, scope, wanted)
            if first == NUMBER:
                first = wanted
            first = self.require_one_of(argument, first, alternatives, e.name)
            self.expressions.settle(argument, first)
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


def number_of(arguments: Sequence[object]) -> str:
    return f"{len(arguments) or 'no'} argument{'s' * (len(arguments) != 1)}"
