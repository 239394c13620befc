"""Checks a program: names, types, units, and what each construct may say where.

After `check`, every expression has its type and every name its declaration.  Mistakes are collected, so one run reports
them all; what follows from a mistake is not reported again.
"""

from __future__ import annotations

from dataclasses import dataclass

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.declarations import Declarations
from vmaspace.checker.language.diagnostics import Diagnostic, LanguageError
from vmaspace.checker.language.expressions import Expressions
from vmaspace.checker.language.names import Catalogue, Problems
from vmaspace.checker.language.properties import Properties
from vmaspace.checker.language.statements import Statements


@dataclass(frozen=True, slots=True)
class CheckedProgram:
    """The declarations of a program that is free of errors, by kind and name, in the order of the text."""

    sorts: dict[str, ast.SortDecl]
    enums: dict[str, ast.EnumDecl]
    flags: dict[str, ast.FlagsDecl]
    statuses: dict[str, ast.StatusDecl]
    consts: dict[str, ast.ConstDecl]
    givens: dict[str, ast.GivenDecl]
    switches: dict[str, ast.SwitchDecl]
    vars: dict[str, ast.VarDecl]
    defs: dict[str, ast.DefDecl]
    effects: dict[str, ast.EffectDecl]
    ops: dict[str, ast.OpDecl]
    properties: dict[str, ast.PropertyDecl]
    scopes: dict[str, ast.ScopeDecl]
    init: ast.InitDecl | None
    files: dict[str, str]


def check(program: ast.Program) -> CheckedProgram:
    """The program with all types and references filled in; `LanguageError` with every mistake if there is one."""
    problems = Problems()
    catalogue = Catalogue(program, problems)
    try:
        _check(catalogue)
    except RecursionError:
        # The tree itself is bounded; what is left are very long chains of definitions, each in terms of the next.
        span = program.declarations[0].span
        problems.found.append(
            Diagnostic(codes.TOO_DEEP, "definitions use each other in too long a chain", span)
        )
    if problems.found:
        raise LanguageError(problems.found, program.files)
    values = catalogue.values.items()
    return CheckedProgram(
        sorts=catalogue.sorts,
        enums=catalogue.enums,
        flags=catalogue.flags,
        statuses=catalogue.statuses,
        consts={n: d for n, d in values if isinstance(d, ast.ConstDecl)},
        givens={n: d for n, d in values if isinstance(d, ast.GivenDecl)},
        switches={n: d for n, d in values if isinstance(d, ast.SwitchDecl)},
        vars={n: d for n, d in values if isinstance(d, ast.VarDecl)},
        defs={n: d for n, d in values if isinstance(d, ast.DefDecl)},
        effects={n: d for n, d in values if isinstance(d, ast.EffectDecl)},
        ops=catalogue.ops,
        properties=catalogue.properties,
        scopes=catalogue.scopes,
        init=catalogue.init,
        files=program.files,
    )


def _check(catalogue: Catalogue) -> None:
    expressions = Expressions(catalogue)
    statements = Statements(catalogue, expressions)
    Declarations(catalogue, expressions, statements).check()
    Properties(catalogue, expressions).check()
