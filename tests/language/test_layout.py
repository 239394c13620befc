"""Layout: where a line ends in operations and effects, and that it ends nowhere in other items."""

from __future__ import annotations

import pytest

from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.diagnostics import LanguageError
from vmaspace.checker.language.parser import parse


def operation(text: str) -> ast.OpDecl:
    (d,) = parse({"text.aspec": text}).declarations
    assert isinstance(d, ast.OpDecl)
    return d


def test_the_beats_of_an_operation() -> None:
    d = operation(
        """
op map(v: Region, size: bytes, k: int in 0..63) -> m: Region, at: address
  "Map it."
  requires a, b
  let high = size
  OK if c "why"
  OK unless d
  asserts e "because"
  may OK "memory"
  may OK if f "more memory":
    life(m) = dead
  picks at: address where g, h
  new m: Region
  life(m) = alive
  dies(m)
"""
    )
    assert (d.name, d.sentence) == ("map", "Map it.")
    assert [(b.name, b.type_name) for b in d.params] == [("v", "Region"), ("size", "bytes"), ("k", "int")]
    assert [b.name for b in d.results] == ["m", "at"]
    requires, let, fails, unless, asserts, may, may_if = d.clauses
    assert isinstance(requires, ast.Requires) and len(requires.conditions) == 2
    assert isinstance(let, ast.Let) and let.name == "high"
    assert isinstance(fails, ast.Fails) and not fails.negated and fails.sentence == "why" and fails.body == []
    assert isinstance(unless, ast.Fails) and unless.negated and unless.sentence is None
    assert isinstance(asserts, ast.Asserts) and asserts.sentence == "because"
    assert isinstance(may, ast.May) and may.condition is None and may.sentence == "memory"
    assert isinstance(may_if, ast.May) and may_if.condition is not None and len(may_if.body) == 1
    pick, new, assign, apply = d.effects
    assert isinstance(pick, ast.Pick) and len(pick.where) == 2
    assert isinstance(new, ast.New) and new.binder.name == "m"
    assert isinstance(assign, ast.Assign) and isinstance(assign.target, ast.Call)
    assert isinstance(apply, ast.Apply) and apply.name == "dies"


@pytest.mark.parametrize(
    "condition",
    [
        "a and\n b",
        "a\n    and b",
        "f(a,\n b)",
        "a <= {b,\n      c}",
        "exists r: Region where a,\n    b",
        "exists r: Region\n    where a",
        "for r: Region where a:\n      b",
        "if a\n    then b\n    else c",
        "a -\n  b == 0",
        "a\n    - b == 0",
        "not\n  a",
        "p in\n   [a,\n b)",
        "(a\n\n  // a comment\n  or b)",
        "a // a comment\n    and b",
    ],
)
def test_a_line_goes_on(condition: str) -> None:
    d = operation(f'op f()\n  OK if {condition}\n    "why"\n  OK if last\n')
    first, last = d.clauses
    assert isinstance(first, ast.Fails) and first.sentence == "why"
    assert isinstance(last, ast.Fails) and isinstance(last.condition, ast.Name)


def test_a_sentence_below_and_then_a_block() -> None:
    d = operation('op f()\n  may OK if a and b\n    "why":\n    x = 1\n    y = 2\n  x = 3\n')
    (may,) = d.clauses
    assert isinstance(may, ast.May) and may.sentence == "why" and len(may.body) == 2
    assert len(d.effects) == 1


def test_blocks_nest_and_end() -> None:
    d = operation(
        """
op f()
  if a:
    for r: Region where b:
      if c:
        x(r) = 1
      else:
        x(r) = 2
      y(r) = 3
  else if d:
    z = 4
  else:
    z = 5
  z = 6
"""
    )
    branch, last = d.effects
    assert isinstance(branch, ast.If) and isinstance(last, ast.Assign)
    (loop,) = branch.then
    assert isinstance(loop, ast.ForEach) and len(loop.body) == 2
    inner = loop.body[0]
    assert isinstance(inner, ast.If) and len(inner.then) == len(inner.otherwise) == 1
    (other,) = branch.otherwise
    assert isinstance(other, ast.If) and len(other.then) == len(other.otherwise) == 1


def test_other_items_have_no_layout() -> None:
    text = """
def f(r: Region)
    = a(r)
  and
b(r)
"""
    with pytest.raises(LanguageError) as caught:
        parse({"text.aspec": text})
    assert [d.code for d in caught.value.diagnostics] == ["VMA008"]
    program = parse({"text.aspec": text.replace("\nb(r)", "\n b(r)")})
    assert isinstance(program.declarations[0], ast.DefDecl)


def test_a_closing_bracket_may_stand_in_column_1() -> None:
    statuses = parse({"text.aspec": "statuses {\n  OK = 0,\n  BAD = -3,  // last\n}\n"}).declarations
    assert [(d.name, d.value) for d in statuses if isinstance(d, ast.StatusDecl)] == [("OK", 0), ("BAD", -3)]


def test_line_ends_of_other_systems_and_a_byte_order_mark() -> None:
    text = "\ufeffsort Region\r\nop f()\r\n  x = 1\r\n  y = 2\r\n"
    _, d = parse({"text.aspec": text}).declarations
    assert isinstance(d, ast.OpDecl) and len(d.effects) == 2


def test_words_of_the_grammar_are_names_elsewhere() -> None:
    text = (
        "var flags: A -> given\nvar step: A -> int\nop f(scope: op, from: on)\n  step(scope) = after + may\n"
    )
    names = [d.name for d in parse({"text.aspec": text}).declarations]
    assert names == ["flags", "step", "f"]


def test_every_item_of_a_file_is_read_on_its_own() -> None:
    text = "sort\nsort Region\ndef f( = 3\nenum E { a, }\nflags { }\n"
    with pytest.raises(LanguageError) as caught:
        parse({"text.aspec": text})
    assert [(d.code, d.span.line) for d in caught.value.diagnostics] == [
        ("VMA010", 1),
        ("VMA007", 3),
        ("VMA010", 5),
    ]
