"""Builds the syntax tree, bottom up, while the parser reduces: one method for each rule of the grammar.

Here are the items; clauses and statements are in `statement_tree.py`, expressions in `expression_tree.py`.  The methods
hold no state; a word knows its place.  They refuse what the grammar cannot say (a number out of bounds, two binders for
`some`) with a `SyntaxProblem`.  They know no names and no types.
"""

from __future__ import annotations

from dataclasses import dataclass

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.diagnostics import Diagnostic
from vmaspace.checker.language.expression_tree import Children, integer, string
from vmaspace.checker.language.layout import SyntaxProblem
from vmaspace.checker.language.precedence import join
from vmaspace.checker.language.scanner import Word
from vmaspace.checker.language.statement_tree import StatementBuilder
from vmaspace.checker.language.syntax import Span

MAX_BIT = 63


@dataclass(frozen=True, slots=True)
class _Header:
    """What stands between a property's name and its formula."""

    sentence: str | None
    source: str | None
    deviation: ast.Deviation | None


class TreeBuilder(StatementBuilder):
    """Lark calls the method that has a rule's name with the rule's children."""

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
        for bound in bounds:
            if isinstance(bound, ast.Setting):
                if any(s.name == bound.name for s in d.settings):
                    raise SyntaxProblem(Diagnostic(codes.BAD_SCOPE, f"`{bound.name}` is set twice", bound.span))
                d.settings.append(bound)
                continue
            number, of = bound
            bounded = "steps" if of in ("step", "steps") else str(of)
            if bounded in d.counts or (bounded == "steps" and d.steps):
                raise SyntaxProblem(Diagnostic(codes.BAD_SCOPE, f"`{of}` is bounded twice", of.span))
            if bounded == "steps":
                d.steps = integer(number)
            else:
                d.counts[bounded] = integer(number)
                d.count_spans[bounded] = of.span
        return [d]

    def bound(self, c: Children) -> ast.Setting | tuple[Word, Word]:
        return c[0] if len(c) == 1 else (c[0], c[1])

    def setting(self, c: Children) -> ast.Setting:
        name, *word, values = c
        listed = values if isinstance(values, list) else [values]
        return ast.Setting(
            name=name.name, span=join(name.span, listed[-1].span), values=listed, is_value=not word
        )

    def limits(self, c: Children) -> ast.Setting:
        name, _, low, high = c
        return ast.Setting(
            name=name.name, span=join(name.span, high.span), values=[low, high], is_value=False, is_range=True
        )

    def values(self, c: Children) -> list[ast.Expr]:
        return c[1:]

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

    def temporal_item(self, c: Children) -> list[ast.Declaration]:
        keyword, name, fair, header, body = c
        d = prop("temporal", keyword, name, header, body)
        d.fair = [str(f) for f in fair or []]
        d.fair_spans = [f.span for f in fair or []]
        return [d]

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


def headline(keyword: Word, name: Word) -> Span:
    """The place of a declaration: its first words, which stand on one line as a rule."""
    return join(keyword.span, name.span)


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
