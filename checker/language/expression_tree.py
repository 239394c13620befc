"""Builds the syntax tree of expressions and binders, bottom up: one method for each rule of the grammar."""

from __future__ import annotations

from typing import Any

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.diagnostics import Diagnostic
from vmaspace.checker.language.layout import SyntaxProblem
from vmaspace.checker.language.precedence import group, join
from vmaspace.checker.language.scanner import MAX_NUMBER, Word

Children = list[Any]


class ExpressionBuilder:
    """Lark calls the method that has a rule's name with the rule's children."""

    def expressions(self, c: Children) -> Children:
        return c

    def expression(self, c: Children) -> ast.Expr:
        return c[0] if len(c) == 1 else group(c)

    def quantifier(self, c: Children) -> ast.Quantifier:
        keyword, binders, where, *body = c
        last = body[0].span if body else where[-1].span if where else binders[-1].type_span
        return ast.Quantifier(
            span=join(keyword.span, last), kind=str(keyword), binders=binders, where=where or [],
            body=body[0] if body else None,
        )  # fmt: skip

    def conditional(self, c: Children) -> ast.Conditional:
        keyword, condition, then, otherwise = c
        span = join(keyword.span, otherwise.span)
        return ast.Conditional(span=span, condition=condition, then=then, otherwise=otherwise)

    def number(self, c: Children) -> ast.Number:
        base, power = c
        span = base.span if power is None else join(base.span, power.span)
        value = integer(base)
        if power is not None:
            exponent = integer(power)
            value = value**exponent if exponent <= 128 else MAX_NUMBER
            if value >= MAX_NUMBER:
                raise SyntaxProblem(
                    Diagnostic(
                        codes.BAD_NUMBER, "the number is too large", span, expected="a number below 2^128"
                    )
                )
        return ast.Number(span=span, value=value)

    def literal(self, c: Children) -> ast.Expr:
        (word,) = c
        return ast.Null(span=word.span) if word == "null" else ast.Bool(span=word.span, value=word == "true")

    def name(self, c: Children) -> ast.Name:
        return ast.Name(span=c[0].span, name=str(c[0]))

    def member(self, c: Children) -> ast.Name:
        return ast.Name(span=join(c[0].span, c[1].span), name=f"{c[0]}.{c[1]}")

    def call(self, c: Children) -> ast.Call:
        name, args, end = c
        return ast.Call(span=join(name.span, end.span), name=str(name), args=args or [], name_span=name.span)

    def flag_set(self, c: Children) -> ast.FlagSet:
        start, members, end = c
        return ast.FlagSet(span=join(start.span, end.span), members=members or [])

    def flag_names(self, c: Children) -> Children:
        return c

    def range(self, c: Children) -> ast.RangeOf:
        start, low, high, end = c
        return ast.RangeOf(span=join(start.span, end.span), low=low, high=high)

    def old(self, c: Children) -> ast.Old:
        start, operand, end = c
        return ast.Old(span=join(start.span, end.span), operand=operand)

    def group(self, c: Children) -> ast.Expr:
        start, inner, end = c
        if isinstance(inner, ast.Binary | ast.Unary | ast.Temporal | ast.Conditional | ast.Quantifier):
            inner.span = join(start.span, end.span)
        return inner  # type: ignore[no-any-return]

    # --- binders and lists -------------------------------------------------------------------------------------------

    def names(self, c: Children) -> Children:
        return c

    def binders(self, c: Children) -> list[ast.Binder]:
        """Of `x, y: Region`, x takes the type that stands after y."""
        made: list[ast.Binder] = []
        typed: tuple[Word, bool, ast.Expr | None, ast.Expr | None] | None = None
        for name, type_name, nullable, low, high in reversed(c):
            typed = typed if type_name is None else (type_name, nullable is not None, low, high)
            if typed is None:
                raise SyntaxProblem(
                    Diagnostic(
                        codes.SYNTAX, f"`{name}` has no type", name.span,
                        expected=f"`{name}: TYPE`, for example `{name}: Region`",
                    )
                )  # fmt: skip
            made.append(
                ast.Binder(
                    name=str(name), type_name=str(typed[0]), type_span=typed[0].span, span=name.span,
                    nullable=typed[1], low=typed[2], high=typed[3],
                )
            )  # fmt: skip
        return made[::-1]

    def binder(self, c: Children) -> Children:
        return c

    def nullable(self, c: Children) -> bool:
        operator, _ = c
        if operator != "or":
            raise SyntaxProblem(
                Diagnostic(
                    codes.SYNTAX, f"`{operator}` does not stand between a type and `null`", operator.span,
                    expected="`or null`", hint="a parameter that may be null is written `p: Region or null`",
                )
            )  # fmt: skip
        return True

    def variables(self, c: Children) -> list[ast.Binder]:
        return self.binders([[name, type_name, None, None, None] for name, type_name in c])

    def variable(self, c: Children) -> Children:
        return c

    def where(self, c: Children) -> list[ast.Expr]:
        return c[0]  # type: ignore[no-any-return]


def string(word: Word | None) -> str | None:
    return None if word is None else str(word)[1:-1]


def integer(word: Word) -> int:
    text = str(word).replace("_", "")
    return int(text, 16) if text[1:2] in ("x", "X") else int(text)
