"""Syntax errors in words: what stood there, what could have stood there, and what was probably meant."""

from __future__ import annotations

from lark import UnexpectedToken

from vmaspace.checker.language import codes
from vmaspace.checker.language.diagnostics import Diagnostic
from vmaspace.checker.language.scanner import Item, Word, shown


def explain(error: UnexpectedToken, item: Item) -> Diagnostic:
    token = error.token
    w = token if isinstance(token, Word) else item.words[-1]
    return Diagnostic(codes.SYNTAX, f"{shown(w)} is not expected here", w.span, expected=str(sorted(error.expected)))
