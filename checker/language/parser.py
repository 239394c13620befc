"""Parses files into a `Program`.

Each top-level item is parsed on its own, so that one run reports the syntax errors of all items.  The grammar is in
`grammar/aspec.lark`.

It checks nothing but form: names and types are the business of `check.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files as package_files
from typing import Any

from lark import Lark, UnexpectedToken

from vmaspace.checker.cache import cache_folder
from vmaspace.checker.language import codes
from vmaspace.checker.language.diagnostics import Diagnostic, LanguageError
from vmaspace.checker.language.layout import LayoutLexer, SyntaxProblem
from vmaspace.checker.language.mistakes import explain
from vmaspace.checker.language.nesting import too_deep
from vmaspace.checker.language.scanner import ITEM_WORDS, Item, Scanner
from vmaspace.checker.language.syntax import Declaration, Program
from vmaspace.checker.language.tree import TreeBuilder


def parse(files: Mapping[str, str]) -> Program:
    """The declarations of all files, in order; `LanguageError` with every syntax error if there is one."""
    problems: list[Diagnostic] = []
    declarations: list[Declaration] = []
    for file, text in files.items():
        for item in Scanner(file, text.removeprefix("\ufeff"), problems).scan():
            declarations += parse_item(item, problems)
    if problems:
        raise LanguageError(problems, files)
    return Program(declarations=declarations, files=dict(files))


def parse_item(item: Item, problems: list[Diagnostic]) -> list[Declaration]:
    """The declarations of one item; none, and a report, if its words are in the wrong order."""
    text: Any = item  # Lark hands what it is given to our lexer as it is
    try:
        found: Any = grammar().parse(text, start=f"{item.keyword}_item")
    except UnexpectedToken as error:
        if not (item.cut and error.token.type == "$END"):  # its rest stands in column 1, which is reported
            problems.append(explain(error, item, spellings()))
        return []
    except SyntaxProblem as error:
        problems.append(error.diagnostic)
        return []
    declarations: list[Declaration] = found
    for d in declarations:
        deep = too_deep(d)
        if deep is not None:
            hint = "give a part of it a name with `def`"
            problems.append(Diagnostic(codes.TOO_DEEP, "the text is nested too deeply", deep, hint=hint))
            return []
    return declarations


@cache
def spellings() -> dict[str, str]:
    """The text of each terminal that is a fixed word."""
    return {t.name: str(t.pattern.value) for t in grammar().terminals}


@cache
def grammar() -> Lark:
    """The parser.  Its tables take a tenth of a second to build, so Lark keeps them for later runs, if it can."""
    text = package_files(__package__).joinpath("grammar/aspec.lark").read_text(encoding="utf-8")
    starts = [f"{word}_item" for word in sorted(ITEM_WORDS)]
    folder = cache_folder("language")
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    tables = str(folder / "tables")
    return Lark(text, parser="lalr", lexer=LayoutLexer, start=starts, transformer=TreeBuilder(), cache=tables)
