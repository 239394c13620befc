"""Expressions as trees: what binds tighter, how far lists extend, and which place each part has."""

from __future__ import annotations

import pytest

from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.diagnostics import LanguageError
from vmaspace.checker.language.parser import parse


def tree(text: str) -> ast.Expr:
    """The expression of a text, by way of a definition."""
    (d,) = parse({"text.aspec": f"def f() = {text}"}).declarations
    assert isinstance(d, ast.DefDecl) and d.body is not None
    return d.body


def shown(e: ast.Expr) -> str:
    """The tree with every grouping made visible."""
    match e:
        case ast.Binary():
            return f"({shown(e.left)} {e.op} {shown(e.right)})"
        case ast.Unary():
            return f"(not {shown(e.operand)})"
        case ast.Conditional():
            return f"(if {shown(e.condition)} then {shown(e.then)} else {shown(e.otherwise)})"
        case ast.Quantifier():
            binders = ", ".join(f"{b.name}: {b.type_name}" for b in e.binders)
            where = f" where {', '.join(shown(w) for w in e.where)}" if e.where else ""
            return f"({e.kind} {binders}{where}{f': {shown(e.body)}' if e.body is not None else ''})"
    return shown_atom(e)


def shown_atom(e: ast.Expr) -> str:
    match e:
        case ast.Call():
            return f"{e.name}({', '.join(shown(a) for a in e.args)})"
        case ast.RangeOf():
            return f"[{shown(e.low)}, {shown(e.high)})"
        case ast.FlagSet():
            return "{" + ", ".join(m.name for m in e.members) + "}"
        case ast.Old():
            return f"old({shown(e.operand)})"
        case ast.Name():
            return e.name
        case ast.Number() | ast.Bool():
            return str(e.value).lower()
    assert isinstance(e, ast.Null)
    return "null"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a iff b implies c or d and not e == f", "(a iff (b implies (c or (d and (not (e == f))))))"),
        ("not a and b", "((not a) and b)"),
        ("not a in f", "(not (a in f))"),
        ("not not a", "(not (not a))"),
        ("a implies b implies c", "(a implies (b implies c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a + b * c mod d / e", "(a + (((b * c) mod d) / e))"),
        ("a | b & c + d", "(a | (b & (c + d)))"),
        ("a & b <= c | d", "((a & b) <= (c | d))"),
        ("(a + b) * c", "((a + b) * c)"),
        ("a == (b == c)", "(a == (b == c))"),
        ("a or for q: address: b and c", "(a or (for q: address: (b and c)))"),
        ("not exists u: Aspace where a, not b", "(not (exists u: Aspace where a, (not b)))"),
        ("for x: A where exists y: B where c, d: e", "(for x: A where (exists y: B where c, d): e)"),
        ("for x, y: A, p: address: true", "(for x: A, y: A, p: address: true)"),
        ("(count a: A where b) == 1", "((count a: A where b) == 1)"),
        ("count a: A where b == 1", "(count a: A where (b == 1))"),
        ("exists a: A", "(exists a: A)"),
        ("if a then b else if c then d else e and f", "(if a then b else (if c then d else (e and f)))"),
        ("a + if b then c else d", "(a + (if b then c else d))"),
        ("[a, b + c)", "[a, (b + c))"),
        ("p in [a, if b then c else d)", "(p in [a, (if b then c else d)))"),
        ("{a, B.c} <= {}", "({a, B.c} <= {})"),
        ("ShareOpt.none == x", "(ShareOpt.none == x)"),
        ("old(f(a)) == f(old(a))", "(old(f(a)) == f(old(a)))"),
        ("2^64 - 1", "(18446744073709551616 - 1)"),
        ("0xffff_0000", "4294901760"),
        ("1_000", "1000"),
        ("f() and true", "(f() and true)"),
        ("from + given + step", "((from + given) + step)"),
    ],
)
def test_grouping(text: str, expected: str) -> None:
    assert shown(tree(text)) == expected


@pytest.mark.parametrize("text", ["a < b < c", "a == b != c", "a in b in c", "a < b == c"])
def test_comparisons_do_not_chain(text: str) -> None:
    with pytest.raises(LanguageError) as caught:
        tree(text)
    assert [d.code for d in caught.value.diagnostics] == ["VMA011"]


@pytest.mark.parametrize("text", ["a == not b", "a + not b", "a in not b"])
def test_a_negation_after_a_tighter_operator_needs_parentheses(text: str) -> None:
    with pytest.raises(LanguageError) as caught:
        tree(text)
    assert [d.code for d in caught.value.diagnostics] == ["VMA011"]


def test_places() -> None:
    text = "(aa + bb) * ccc(dd)"
    e = tree(text)
    assert isinstance(e, ast.Binary) and isinstance(e.left, ast.Binary) and isinstance(e.right, ast.Call)
    offset = len("def f() = ")

    def part(s: ast.Span) -> str:
        return text[s.column - 1 - offset : s.end_column - 1 - offset]

    assert part(e.span) == text
    assert part(e.left.span) == "(aa + bb)"
    assert part(e.left.left.span) == "aa"
    assert part(e.right.span) == "ccc(dd)"


def test_a_long_row_is_no_recursion() -> None:
    e = tree("1" + " + 1" * 90)
    assert shown(e).count("(") == 90
