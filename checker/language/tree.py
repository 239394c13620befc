"""Builds the syntax tree, bottom up, while the parser reduces: one method for each rule of the grammar.

The methods hold no state; a word knows its place.  They refuse what the grammar cannot say (a number out of bounds, two
binders for `some`) with a `SyntaxProblem`.  They know no names and no types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.diagnostics import Diagnostic
from vmaspace.checker.language.layout import SyntaxProblem
from vmaspace.checker.language.precedence import group, join
from vmaspace.checker.language.scanner import MAX_NUMBER, Word
from vmaspace.checker.language.syntax import Span

Children = list[Any]
MAX_BIT = 63


@dataclass(frozen=True, slots=True)
class _Header:
    """What stands between a property's name and its formula."""

    sentence: str | None
    source: str | None
    deviation: ast.Deviation | None


class TreeBuilder:
    """Lark calls the method that has a rule's name with the rule's children."""

    # --- items -----------------------------------------------------------------------------------------------------

    def sort_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, given, sentence = c
        return [
            ast.SortDecl(
                name=str(name),
                span=headline(keyword, name),
                sentence=string(sentence),
                given=given is not None,
            )
        ]

    def enum_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, sentence, *members = c
        d = ast.EnumDecl(name=str(name), span=headline(keyword, name), sentence=string(sentence))
        d.members = [
            ast.EnumMember(name=str(m), span=m.span, owner=d, value=value) for value, m in enumerate(members)
        ]
        return [d]

    def flags_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, sentence, *members = c
        d = ast.FlagsDecl(name=str(name), span=headline(keyword, name), sentence=string(sentence))
        bit = 0
        for flag, place in members:
            bit = bit if place is None else integer(place)
            if bit > MAX_BIT:
                raise SyntaxProblem(
                    Diagnostic(
                        codes.BAD_NUMBER, f"`{flag}` has no bit {bit}", (place or flag).span,
                        expected=f"a bit position from 0 to {MAX_BIT}",
                    )
                )  # fmt: skip
            d.members.append(ast.FlagMember(name=str(flag), span=flag.span, owner=d, bit=bit))
            bit += 1
        return [d]

    def flag(self, c: Children) -> tuple[Word, Word | None]:
        return c[0], c[1]

    def statuses_item(self, c: Children) -> list[ast.Declaration]:
        return [
            ast.StatusDecl(name=str(name), span=name.span, value=-integer(value) if minus else integer(value))
            for name, minus, value in c[1:]
        ]

    def status(self, c: Children) -> Children:
        return c

    def const_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, type_name, value, sentence = c
        return [
            ast.ConstDecl(
                name=str(name), span=headline(keyword, name), sentence=string(sentence),
                type_name=str(type_name), type_span=type_name.span, value=value,
            )
        ]  # fmt: skip

    def given_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, binders, type_name, where, sentence = c
        return [
            ast.GivenDecl(
                name=str(name), span=headline(keyword, name), sentence=string(sentence), params=binders or [],
                result_name=str(type_name), result_span=type_name.span, where=where or [],
            )
        ]  # fmt: skip

    def switch_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, sentence = c
        return [ast.SwitchDecl(name=str(name), span=headline(keyword, name), sentence=string(sentence))]

    def var_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, params, type_name, sentence = c
        return [
            ast.VarDecl(
                name=str(name), span=headline(keyword, name), sentence=string(sentence),
                param_names=[str(p) for p in params or []], param_spans=[p.span for p in params or []],
                result_name=str(type_name), result_span=type_name.span,
            )
        ]  # fmt: skip

    def def_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, binders, body, sentence = c
        return [
            ast.DefDecl(
                name=str(name), span=headline(keyword, name), sentence=string(sentence), params=binders or [],
                body=body,
            )
        ]  # fmt: skip

    def effect_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, binders, sentence, body = c
        return [
            ast.EffectDecl(
                name=str(name), span=headline(keyword, name), sentence=string(sentence), params=binders or [],
                body=body,
            )
        ]  # fmt: skip

    def init_item(self, c: Children) -> list[ast.Declaration]:
        keyword, sentence, body = c
        return [ast.InitDecl(name="init", span=keyword.span, sentence=string(sentence), body=body)]

    def op_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, binders, results, sentence, parts = c
        d = ast.OpDecl(
            name=str(name), span=headline(keyword, name), sentence=string(sentence), params=binders or [],
            results=results or [],
        )  # fmt: skip
        for part in parts or []:
            if isinstance(part, ast.Statement):
                d.effects.append(part)
            elif d.effects:
                raise SyntaxProblem(_late_clause(part, d.effects[0]))
            else:
                d.clauses.append(part)
        return [d]

    def scope_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, *bounds, sentence = c
        d = ast.ScopeDecl(name=str(name), span=headline(keyword, name), sentence=string(sentence))
        for number, of in bounds:
            bounded = "steps" if of in ("step", "steps") else str(of)
            if bounded in d.counts or (bounded == "steps" and d.steps):
                raise SyntaxProblem(Diagnostic(codes.BAD_SCOPE, f"`{of}` is bounded twice", of.span))
            if bounded == "steps":
                d.steps = integer(number)
            else:
                d.counts[bounded] = integer(number)
                d.count_spans[bounded] = of.span
        return [d]

    def bound(self, c: Children) -> tuple[Word, Word]:
        return c[0], c[1]

    # --- properties ------------------------------------------------------------------------------------------------

    def invariant_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, header, body = c
        return [prop("invariant", keyword, name, header, body)]

    def supporting_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, header, body = c
        d = prop("invariant", keyword, name, header, body)
        d.supporting = True
        return [d]

    def step_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, excepted, header, body = c
        d = prop("step", keyword, name, header, body)
        d.excepted = [str(e) for e in excepted or []]
        d.excepted_spans = [e.span for e in excepted or []]
        return [d]

    def reach_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, header, body = c
        return [prop("reach", keyword, name, header, body)]

    def after_item(self, c: Children) -> list[ast.Declaration]:
        keyword, op, params, results, name, header, body = c
        d = prop("after", keyword, name, header, body)
        d.op_name = str(op)
        d.op_span = op.span
        d.params = [ast.Binder(name=str(p), type_name="", span=p.span) for p in params or []]
        d.results = [ast.Binder(name=str(r), type_name="", span=r.span) for r in results or []]
        return [d]

    def header(self, c: Children) -> _Header:
        sentence, source, deviation = c
        return _Header(string(sentence), string(source), deviation)

    def deviation(self, c: Children) -> ast.Deviation:
        _, switch, ops, consequence = c
        return ast.Deviation(
            switch_name=str(switch), op_names=[str(o) for o in ops], op_spans=[o.span for o in ops],
            consequence=string(consequence), span=switch.span,
        )  # fmt: skip

    def names(self, c: Children) -> Children:
        return c

    def binders(self, c: Children) -> list[ast.Binder]:
        """Of `x, y: Region`, x takes the type that stands after y."""
        made: list[ast.Binder] = []
        typed: tuple[Word, ast.Expr | None, ast.Expr | None] | None = None
        for name, type_name, low, high in reversed(c):
            typed = typed if type_name is None else (type_name, low, high)
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
                    low=typed[1], high=typed[2],
                )
            )  # fmt: skip
        return made[::-1]

    def binder(self, c: Children) -> Children:
        return c

    def where(self, c: Children) -> list[ast.Expr]:
        return c[0]  # type: ignore[no-any-return]

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
        return ast.Some(span=span, binder=single(keyword, binders), where=where or [], body=body)

    def new(self, c: Children) -> ast.New:
        keyword, binders = c
        binder = single(keyword, binders)
        return ast.New(span=join(keyword.span, binder.span), binder=binder)

    def pick(self, c: Children) -> ast.Pick:
        keyword, binders, where = c
        binder = single(keyword, binders)
        span = join(keyword.span, where[-1].span if where else binder.span)
        return ast.Pick(span=span, binder=binder, where=where or [])

    # --- expressions -----------------------------------------------------------------------------------------------

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
        if isinstance(inner, ast.Binary | ast.Unary | ast.Conditional | ast.Quantifier):
            inner.span = join(start.span, end.span)
        return inner  # type: ignore[no-any-return]


def headline(keyword: Word, name: Word) -> Span:
    """The place of a declaration: its first words, which stand on one line as a rule."""
    return join(keyword.span, name.span)


def string(word: Word | None) -> str | None:
    return None if word is None else str(word)[1:-1]


def integer(word: Word) -> int:
    text = str(word).replace("_", "")
    return int(text, 16) if text[1:2] in ("x", "X") else int(text)


def single(keyword: Word, binders: list[ast.Binder]) -> ast.Binder:
    if len(binders) > 1:
        raise SyntaxProblem(
            Diagnostic(
                codes.SYNTAX, f"`{keyword}` takes one name at a time", binders[1].span,
                hint=f"write a second `{keyword}` for `{binders[1].name}`",
            )
        )  # fmt: skip
    return binders[0]


def prop(kind: str, keyword: Word, name: Word, header: _Header, body: ast.Expr) -> ast.PropertyDecl:
    return ast.PropertyDecl(
        name=str(name), span=headline(keyword, name), sentence=header.sentence, source=header.source, kind=kind,
        body=body, deviation=header.deviation,
    )  # fmt: skip


def _late_clause(clause: ast.Clause, first: ast.Statement) -> Diagnostic:
    return Diagnostic(
        codes.CLAUSE_ORDER,
        "a clause stands after the first statement",
        clause.span,
        expected="who refuses first, then what is chosen, then what changes",
        hint="move the clause up; what it refuses must be said of the state before the operation anyway",
        notes=(("the first statement", first.span),),
    )
