"""Builds the syntax tree of clauses and statements, bottom up: one method for each rule of the grammar."""

from __future__ import annotations

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.diagnostics import Diagnostic
from vmaspace.checker.language.expression_tree import Children, ExpressionBuilder, string
from vmaspace.checker.language.layout import SyntaxProblem
from vmaspace.checker.language.precedence import join
from vmaspace.checker.language.scanner import Word


class StatementBuilder(ExpressionBuilder):
    """Lark calls the method that has a rule's name with the rule's children."""

    # --- clauses ---------------------------------------------------------------------------------------------------

    def clauses(self, c: Children) -> Children:
        return c

    def let(self, c: Children) -> ast.Let:
        keyword, name, value = c
        return ast.Let(span=join(keyword.span, value.span), name=str(name), value=value)

    def requires(self, c: Children) -> ast.Requires:
        keyword, conditions = c
        return ast.Requires(span=join(keyword.span, conditions[-1].span), conditions=conditions)

    def fails(self, c: Children) -> ast.Fails:
        status, word, condition, sentence, body = c
        span = join(status.span, (sentence or condition).span)
        return ast.Fails(
            span=span, status=str(status), condition=condition, negated=word == "unless",
            sentence=string(sentence), body=body,
        )  # fmt: skip

    def asserts(self, c: Children) -> ast.Asserts:
        keyword, condition, sentence = c
        span = join(keyword.span, (sentence or condition).span)
        return ast.Asserts(span=span, condition=condition, sentence=string(sentence))

    def may(self, c: Children) -> ast.May:
        keyword, status, condition, sentence, body = c
        span = join(keyword.span, (sentence or condition or status).span)
        return ast.May(
            span=span, status=str(status), condition=condition, sentence=string(sentence), body=body
        )

    def tail(self, c: Children) -> list[ast.Statement]:
        return c[0] if c else []

    # --- statements ------------------------------------------------------------------------------------------------

    def block(self, c: Children) -> list[ast.Statement]:
        return c

    def assign(self, c: Children) -> ast.Assign:
        target, value = c
        return ast.Assign(span=join(target.span, value.span), target=target, value=value)

    def apply(self, c: Children) -> ast.Apply:
        (call,) = c
        return ast.Apply(span=call.span, name=call.name, args=call.args)

    def foreach(self, c: Children) -> ast.ForEach:
        keyword, binders, where, body = c
        span = join(keyword.span, body[-1].span)
        return ast.ForEach(span=span, binders=binders, where=where or [], body=body)

    def branch(self, c: Children) -> ast.If:
        keyword, condition, then, otherwise = c
        span = join(keyword.span, (otherwise or then)[-1].span)
        return ast.If(span=span, condition=condition, then=then, otherwise=otherwise or [])

    def otherwise(self, c: Children) -> list[ast.Statement]:
        return c[0] if isinstance(c[0], list) else c

    def some(self, c: Children) -> ast.Some:
        keyword, binders, where, body = c
        span = join(keyword.span, body[-1].span)
        return ast.Some(
            span=span, binder=single(keyword, binders), where=where or [], body=body, first=keyword == "first"
        )

    def new(self, c: Children) -> ast.New:
        keyword, binders = c
        binder = single(keyword, binders)
        return ast.New(span=join(keyword.span, binder.span), binder=binder)

    def pick(self, c: Children) -> ast.Pick:
        keyword, binders, where = c
        binder = single(keyword, binders)
        span = join(keyword.span, where[-1].span if where else binder.span)
        return ast.Pick(span=span, binder=binder, where=where or [])


def single(keyword: Word, binders: list[ast.Binder]) -> ast.Binder:
    if len(binders) > 1:
        raise SyntaxProblem(
            Diagnostic(
                codes.SYNTAX, f"`{keyword}` takes one name at a time", binders[1].span,
                hint=f"write a second `{keyword}` for `{binders[1].name}`",
            )
        )  # fmt: skip
    return binders[0]
