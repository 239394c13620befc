"""The real contract and properties: they load, and nothing is left without a type or a meaning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vmaspace.checker.language import load
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.language.nesting import Node, children

ROOT = Path(__file__).resolve().parents[2]
OPEN = ("number", "null", "emptyset", "error")


@pytest.fixture(scope="module")
def program() -> CheckedProgram:
    return load([ROOT / "spec"])


def below(node: Node) -> Iterator[Node]:
    yield node
    for child in children(node):
        yield from below(child)


def test_the_contract_loads(program: CheckedProgram) -> None:
    assert {"create", "create_unified", "destroy", "allocate", "map", "unmap", "protect"} <= set(program.ops)
    assert {"Aspace", "Region", "Vmo"} <= set(program.sorts)
    assert program.init is not None
    assert [f for f in program.files if f.endswith("regions.aspec")]


def test_the_properties_load_with_it() -> None:
    assert load([ROOT / "spec", ROOT / "properties"]).ops


def test_everything_has_a_type_and_a_meaning(program: CheckedProgram) -> None:
    roots: list[Node] = [
        *program.consts.values(), *program.givens.values(), *program.defs.values(), *program.effects.values(),
        *program.ops.values(), *([program.init] if program.init else []),
    ]  # fmt: skip
    nodes = [n for root in roots for n in below(root)]
    expressions = [n for n in nodes if isinstance(n, ast.Expr)]
    assert len(expressions) > 1000
    for e in expressions:
        assert e.type is not None and e.type.kind not in OPEN, e
        if isinstance(e, ast.Name | ast.Call):
            assert e.ref is not None, e
        if isinstance(e, ast.FlagSet):
            assert all(isinstance(m.ref, ast.FlagMember) and m.type == e.type for m in e.members)
        if isinstance(e, ast.Quantifier):
            assert all(b.type is not None for b in e.binders)
    for n in nodes:
        if isinstance(n, ast.Apply):
            assert n.ref is program.effects[n.name]
    for d in (
        *program.consts.values(),
        *program.givens.values(),
        *program.vars.values(),
        *program.defs.values(),
    ):
        assert d.type is not None and d.type.kind not in OPEN
    for op in program.ops.values():
        assert all(b.type is not None for b in (*op.params, *op.results))


def test_spans_lie_in_their_files(program: CheckedProgram) -> None:
    lines = {file: text.split("\n") for file, text in program.files.items()}
    for root in (*program.defs.values(), *program.ops.values()):
        for node in below(root):
            s = node.span
            assert 1 <= s.line <= s.end_line <= len(lines[s.file])
            assert (s.line, s.column) < (s.end_line, s.end_column)
            assert s.end_column <= len(lines[s.file][s.end_line - 1]) + 1


def test_calls_and_names_stand_where_their_spans_say(program: CheckedProgram) -> None:
    for op in program.ops.values():
        for node in below(op):
            if isinstance(node, ast.Name | ast.Call):
                text = program.files[node.span.file].split("\n")[node.span.line - 1]
                assert text[node.span.column - 1 :].startswith(node.name)
